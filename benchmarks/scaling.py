"""Time to a first model, time and peak memory of a whole run, against the rows of the data.

    python -m benchmarks.scaling DATA [--rows 10000,30000,100000,300000] [--only census-income-kdd] [--svg scaling.svg] [--first]

Of each table the first so many rows of one shuffling are taken (never a row twice), written as Parquet and given to
`automl fit --trials 2 --only linear,boosting`: work is counted, so that nothing is cut short by the clock. The first model is
the first trial above the baseline on record. Seconds of computing (user and system time of all processes) are printed beside
those of the wall clock, as the machine may have other work. "of linear" is the growth from the fewest rows on, divided by the
growth of the rows: at most 1 where the time grows no faster than the rows. With --first each run is ended at its first model,
and what is printed as finished is that. Expected: at most 1 in every line; Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.versus.measuring import descendants, memory_bytes

CALLS = {
    "census-income-kdd": ("--target", "income", "--drop", "instance_weight"),
    "nycflights13": ("--target", "arr_delay", "--drop", "arr_time,air_time,dep_delay,dep_time"),
}
POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Measured:
    rows: int
    first_seconds: float
    first_computing: float
    seconds: float
    computing: float
    peak_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", default="10000,30000,100000,300000")
    parser.add_argument("--only", default=",".join(CALLS))
    parser.add_argument("--svg", type=Path, default=Path("scaling.svg"))
    parser.add_argument("--first", action="store_true")
    options = parser.parse_args()
    lines: dict[str, list[Measured]] = {}
    print("                              first model           finished            peak")
    print("data                  rows    s   computing of linear    s   computing     MB")
    for name in options.only.split(","):
        source = options.data / name / "data.parquet"
        table = pd.read_parquet(source)
        order = np.random.default_rng(0).permutation(len(table))
        for rows in sorted({min(int(each), len(table)) for each in options.rows.split(",")}):
            lines.setdefault(name, []).append(measure(table.iloc[np.sort(order[:rows])], CALLS[name], options.first))
            print(_line(name, lines[name]), flush=True)
    options.svg.write_text(picture(lines), encoding="utf-8")
    print(f"\npicture: {options.svg}")


def measure(table: pd.DataFrame, call: Sequence[str], only_first: bool) -> Measured:
    """One run on these rows, watched from outside. only_first: it is ended at its first model."""
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder, "data.parquet"), Path(folder, "run")
        table.to_parquet(data, index=False)
        command = [sys.executable, "-m", "automl", "fit", str(data), *call, "--trials", "2", "--only", "linear,boosting"]
        started = time.perf_counter()
        process = subprocess.Popen([*command, "--out", str(run), "--quiet"], stdout=subprocess.DEVNULL)
        first, peak, computing = (0.0, 0.0), 0, 0.0
        while process.poll() is None:
            tree = [process.pid, *descendants(process.pid)]
            peak, computing = max(peak, sum(map(memory_bytes, tree))), max(computing, sum(map(computing_seconds, tree)))
            if not first[0] and _has_model(run / "trials.jsonl"):
                first = time.perf_counter() - started, computing
                if only_first:
                    process.kill()
            time.sleep(POLL_SECONDS)
        if not first[0] or (process.returncode and not only_first):
            raise SystemExit(f"the run on {len(table):,} rows ended with code {process.returncode}")
        return Measured(len(table), *first, time.perf_counter() - started, computing, peak)


def computing_seconds(process: int) -> float:
    """User and system time so far; 0 where the process has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _has_model(trials: Path) -> bool:
    if not trials.is_file():
        return False
    found = [json.loads(line) for line in trials.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return any(trial["status"] == "ok" and trial["architecture"] != "baseline" for trial in found)


def _line(name: str, measured: Sequence[Measured]) -> str:
    least, last = measured[0], measured[-1]
    growth = (last.first_computing / least.first_computing) / (last.rows / least.rows)
    return (
        f"{name:18} {last.rows:9,} {last.first_seconds:5.1f} {last.first_computing:9.1f} {growth:9.2f} "
        f"{last.seconds:6.1f} {last.computing:9.1f} {last.peak_bytes / 2**20:9,.0f}"
    )


WIDTH, HEIGHT, MARGIN = 460, 300, 50
COLOURS = ("#1f6fb2", "#b2521f", "#3c8d40")


def picture(lines: dict[str, list[Measured]]) -> str:
    """Seconds of computing to the first model over rows, both axes logarithmic, with linear growth dashed."""
    every = [each for measured in lines.values() for each in measured]
    least, most = np.log10(min(each.rows for each in every)), np.log10(max(each.rows for each in every))
    low = np.log10(min(each.first_computing for each in every)) - 0.1
    high = max(low + 0.5, low + (most - least) + 0.1)

    def place(rows: float, seconds: float) -> tuple[float, float]:
        across = (np.log10(rows) - least) / max(1e-9, most - least)
        up = (np.log10(seconds) - low) / (high - low)
        return MARGIN + across * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - up * (HEIGHT - 2 * MARGIN)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{MARGIN}" y="20">Seconds of computing to the first model; dashed: growth in proportion to the rows</text>',
    ]
    for rows in sorted({each.rows for each in every if each.rows % 1000 == 0} | {10 ** round(most)}):
        x, y = place(rows, 10**low)
        parts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{rows:,}</text>')
    for number, (name, measured) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [place(each.rows, each.first_computing) for each in measured]
        first, last = measured[0], measured[-1]
        ends = [points[0], place(last.rows, first.first_computing * last.rows / first.rows)]
        for path, style in ((points, ""), (ends, ' stroke-dasharray="4 4"')):
            drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in path)
            parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"{style}/>')
        for each, (x, y) in zip(measured, points, strict=True):
            parts.append(f'<text x="{x:.1f}" y="{y - 6:.1f}" fill="{colour}">{each.first_computing:.1f}</text>')
        parts.append(f'<text x="{MARGIN + 10}" y="{40 + 16 * number}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    main()
