"""What a second thread gains LightGBM, by how long threads that wait look around before they sleep.

    python -m benchmarks.tree_threads [--spins 0,100,300,1000,2000,10000] [--busy 1]

Prints milliseconds a round of boosting on made-up tables with one thread and with two, and how many times faster two are.
Each number of turns (GOMP_SPINCOUNT) is a process of its own, as OpenMP reads it once. --busy: processes that compete.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import numpy as np

TABLES = ((13_500, 8, 16), (37_000, 15, 16), (37_000, 15, 63), (100_000, 40, 63))
"""Rows, columns, leaves."""
SECONDS = 1.0


def milliseconds(rows: int, columns: int, leaves: int, threads: int) -> float:
    """Of one round of boosting."""
    import lightgbm

    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(rows, columns)).astype(np.float32)
    target = inputs[:, 0] * inputs[:, 1] + generator.normal(size=rows)
    parameters = {
        "verbosity": -1,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "num_leaves": leaves,
        "learning_rate": 0.05,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
    }
    booster = lightgbm.Booster(parameters, lightgbm.Dataset(inputs, target, params=parameters))
    booster.update()
    started, rounds = time.monotonic(), 0
    while time.monotonic() - started < SECONDS:
        booster.update()
        rounds += 1
    return 1e3 * (time.monotonic() - started) / rounds


def measure(spins: str) -> None:
    for rows, columns, leaves in TABLES:
        one, two = (milliseconds(rows, columns, leaves, threads) for threads in (1, 2))
        print(f"| {spins} | {rows:,} x {columns} | {leaves} | {one:.2f} | {two:.2f} | {one / two:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spins", default="0,100,300,1000,2000,10000")
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        measure(given.spins)
        return
    competitors = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(given.busy)]
    try:
        print(
            "| turns | table | leaves | one thread, ms | two threads, ms | two against one |\n"
            "| --- | --- | --- | --- | --- | --- |"
        )
        for spins in given.spins.split(","):
            environment = {**os.environ, "GOMP_SPINCOUNT": spins}
            command = [sys.executable, "-m", "benchmarks.tree_threads", "--inside", "--spins", spins]
            subprocess.run(command, env=environment, check=True)
    finally:
        for each in competitors:
            each.kill()


if __name__ == "__main__":
    main()
