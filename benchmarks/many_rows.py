"""Rows a second and memory of predicting many rows at once with shipped models, by how many rows the graph takes in one call.

    python -m benchmarks.many_rows RUN... [--rows 60000] [--chunks 1024,16384] [--threads 2]

RUN is a run folder of a table that keeps its background rows, which are tiled to `--rows`. Each figure is of a process of its
own: what it holds at most beyond what it held with the model loaded and the cells parsed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from automl.core.memory import resident_bytes
from automl.core.predictor import CHUNK_ROWS
from automl.judge.background import kept


def measure(run: Path, rows: int, chunk: int, threads: int) -> str:
    """Of this process, which has predicted nothing before."""
    import resource

    from automl.core.predictor import Predictor

    known = kept(run)
    if known is None:
        return "keeps no background rows"
    model = Predictor(run / "model", threads)
    model._chunk_rows = chunk
    feeds = model.feeds(known.iloc[np.arange(rows) % len(known)].reset_index(drop=True))
    before = resident_bytes()
    started = time.perf_counter()
    model.run_feeds(feeds)
    seconds = time.perf_counter() - started
    taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - before
    return f"{rows / seconds:10,.0f} rows a second, {max(0, taken) / 1e6:6,.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--chunks", default=f"{CHUNK_ROWS},16384")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    chunks = [int(each) for each in options.chunks.split(",")]
    if options.here:
        print(measure(options.runs[0], options.rows, chunks[0], options.threads))
        return
    for run in options.runs:
        for chunk in chunks:
            given = ["--rows", options.rows, "--chunks", chunk, "--threads", options.threads, "--here"]
            command = [sys.executable, "-m", "benchmarks.many_rows", str(run), *map(str, given)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(f"{run.name:44} {chunk:6,} rows a call: {done.stdout.strip()}", flush=True)


if __name__ == "__main__":
    main()
