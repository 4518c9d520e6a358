"""What it is worth that trials of boosting share the rows in bins: CPU seconds of trials with them and without.

    python -m benchmarks.binning [--sizes 1000x20,5000x500,100000x40] [--rounds 300]

Generated tables, rows x columns, two classes; five folds, so many rounds, 16 leaves, one thread; two trials each way in turn,
with what an earlier trial has put into bins and putting it there themselves. Prints the CPU seconds of a trial, and their ratio.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from automl.core.architecture import Fold, Problem, Training
from automl.core.clock import Deadline
from automl.core.tasks import Task
from automl.learners.trees import TreesLearner

SIZES = "1000x20,20000x10,5000x500,100000x40"
FOLDS, REPEATS = 5, 2
PROBLEM = Problem(Task.BINARY, 2, "log_loss", jobs=1)


def folds_of(rows: int, columns: int) -> list[Fold]:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(rows, columns)).astype(np.float32)
    target = (values[:, 0] + values[:, 1] + generator.normal(size=rows) > 0).astype(np.int64)

    def part(kept: Any) -> Training:
        return Training({"raw": values[kept]}, target[kept])

    place = np.arange(rows) % FOLDS
    return [Fold(part(place != number), part(place == number)) for number in range(FOLDS)]


def measured(folds: list[Fold], rounds: int) -> tuple[float, float]:
    """CPU seconds of a trial that puts the rows into bins, and of one that finds them there."""
    settings = {"learning_rate": 0.05, "num_leaves": 16, "feature_fraction": 0.7, "bagging_fraction": 0.8}
    seconds: dict[bool, list[float]] = {False: [], True: []}
    TreesLearner().fit_folds(folds, PROBLEM, {**settings, "most_rounds": 1}, 0, Deadline(None))
    for _ in range(REPEATS):
        for shares in (False, True):
            parts = folds if shares else [Fold(each.training, each.validation) for each in folds]
            started = time.process_time()
            TreesLearner().fit_folds(parts, PROBLEM, {**settings, "most_rounds": rounds}, 0, Deadline(None))
            seconds[shares].append(time.process_time() - started)
    return float(np.mean(seconds[False])), float(np.mean(seconds[True]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    print("| rows x columns | alone, s | sharing, s | ratio |\n| --- | --- | --- | --- |")
    for size in options.sizes.split(","):
        rows, columns = map(int, size.split("x"))
        alone, sharing = measured(folds_of(rows, columns), options.rounds)
        print(f"| {rows:,} x {columns:,} | {alone:.2f} | {sharing:.2f} | {sharing / alone:.3f} |", flush=True)


if __name__ == "__main__":
    main()
