"""How fast a shipped model predicts: one row, and the commands on 1,000 rows against importing their libraries.

    python -m benchmarks.latency DATA

Fits adult for 60 seconds first. Bounds: one row 0.5 ms at the median; both commands at most twice
`python -c "import pandas, onnxruntime"`, timed in turn.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from automl.core.model import load

REPEATS = 7
ROWS = 1000


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--run", type=Path, help="a finished run on adult, instead of fitting one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = options.run or Path(folder, "run")
        source = options.data / "adult" / "data.csv"
        if options.run is None:
            command = [sys.executable, "-m", "automl", "fit", str(source), "--target", "class", "--time", "60"]
            subprocess.run([*command, "--out", str(run), "--quiet"], check=True, stdout=subprocess.DEVNULL)
        frame = pd.read_csv(source, dtype=str, keep_default_na=False).head(ROWS).drop(columns="class")
        new = Path(folder, "new.csv")
        frame.to_csv(new, index=False)
        one_row(run, frame)
        imports = [sys.executable, "-c", "import pandas, onnxruntime"]
        commands = {
            "automl predict": [sys.executable, "-m", "automl", "predict", str(run), str(new), "-o", f"{folder}/a.csv"],
            "predict.py": [sys.executable, str(run / "model" / "predict.py"), str(new), "-o", f"{folder}/b.csv"],
        }
        for name, command in commands.items():
            pairs = [(seconds(command), seconds(imports)) for _ in range(REPEATS)]
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"{name}, {ROWS} rows: {ours:.2f} s; importing pandas, onnxruntime: {theirs:.2f} s; ratio {ratio:.2f}, bound 2")


def one_row(run: Path, frame: pd.DataFrame) -> None:
    model = load(run / "model")
    rows = frame.head(200).to_dict("records")
    measured = []
    for row in rows * 5:
        started = time.perf_counter()
        model.predict_proba(row)
        measured.append(1000 * (time.perf_counter() - started))
    print(f"one row (a dict): median {statistics.median(measured):.3f} ms over {len(measured)} calls (bound 0.5 ms)")


if __name__ == "__main__":
    main()
