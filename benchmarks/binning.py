"""What it is worth that trials of boosting share the rows in bins: CPU seconds of trials with them and without.

    python -m benchmarks.binning DATA [--only credit-g,adult] [--rows 50000] [--trials 4]

The first starts of the rung on the same encoded folds, one thread; every trial twice in turn, with what the first one has put
into bins and putting it there itself. Prints the CPU seconds of all trials but the first, and their ratio.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from automl.core.architecture import Fold
from automl.core.clock import Deadline
from automl.search.pipeline import encode_folds
from automl.search.trial import learner_of, space_of
from benchmarks.portfolio import context_of

TABLES = "credit-g,steel-plates-fault,wine-quality,california-housing,adult"


def measured(context: Any, trials: int) -> tuple[float, float]:
    """CPU seconds of the starts after the first, alone and sharing."""
    declared = context.architecture("boosting")
    learner, space = learner_of(context, declared), space_of(context, declared)
    alone = sharing = 0.0
    for number in range(trials):
        settings = {**space.start(number), "features": "plain"}
        folds = encode_folds(context, declared, settings, list(context.search_folds)).folds
        for parts in ([Fold(each.training, each.validation) for each in folds], folds):
            started = time.process_time()
            learner.fit_folds(parts, context.problem, settings, 0, Deadline(None))
            seconds = time.process_time() - started
            if number:
                alone, sharing = (alone, sharing + seconds) if parts is folds else (alone + seconds, sharing)
    return alone, sharing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=TABLES)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--trials", type=int, default=4)
    options = parser.parse_args()
    print("| table | rows | alone, s | sharing, s | ratio |\n| --- | --- | --- | --- | --- |")
    for name in options.only.split(","):
        context = context_of(options.data, name, options.rows)
        alone, sharing = measured(context, options.trials)
        print(f"| {name} | {len(context.target):,} | {alone:.2f} | {sharing:.2f} | {sharing / alone:.3f} |", flush=True)


if __name__ == "__main__":
    main()
