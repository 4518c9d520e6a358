"""Whether an ensemble does better with the mean of probabilities, their geometric mean, or the one that its folds choose.

    python -m benchmarks.pooling DATA [--rows 6000] [--seconds 14] [--only yeast,car]

Trials of every rung with their first settings; the ensemble that is selected with each pool alone, and with the better one on
the folds. Prints the metric with members and weights that other folds found, then on rows that no fold holds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from automl.core.clock import Deadline
from automl.core.errors import AutomlError
from automl.core.evidence import LINEAR, LOGARITHMIC
from automl.search.context import Context
from automl.search.ensembling import combine
from automl.search.pooling import pooled
from automl.search.trial import Outcome, fit_trial, run_trial, space_of
from benchmarks.portfolio import context_of

Array = np.ndarray[Any, Any]
TABLES = "yeast,steel-plates-fault,car,cmc,segment,students-dropout,credit-g,qsar-biodeg,telco-churn,adult,bank-marketing"
STARTS = {"linear": 2, "boosting": 4, "forest": 1, "mlp": 1, "realmlp": 2, "tabm": 1}
WAYS = {"mean": (LINEAR,), "geometric": (LOGARITHMIC,), "chosen": (LINEAR, LOGARITHMIC)}


def trials(context: Context, seconds: float) -> Iterator[Outcome]:
    for name, count in STARTS.items():
        declared = context.architecture(name)
        space = space_of(context, declared)
        for number in range(count):
            try:
                yield run_trial(context, declared, number, space.start(number), Deadline(seconds))
            except AutomlError as error:
                print(f"{name}: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--seconds", type=float, default=14.0, help="of a trial")
    parser.add_argument("--only", default=TABLES)
    options = parser.parse_args()
    for name in options.only.split(","):
        context = context_of(options.data, name, options.rows)
        outcomes = [each for each in trials(context, options.seconds) if each.trial.score is not None]
        sealed = np.setdiff1d(np.arange(len(context.target)), context.training_rows)
        table, said = context.table.take(sealed), dict[str, Array]()
        told = f"{name:20} {context.metric.title}"
        for way, pools in WAYS.items():
            with patch("automl.search.ensembling.pools_for", lambda task, pools=pools: pools):
                found = combine(context, "ensemble", outcomes, lambda members, fits: True)
            if not isinstance(found, Outcome):
                told += f"; {way}: {found.why}"
                continue
            trial = found.trial
            for part in trial.parts:
                if part.id not in said:
                    said[part.id] = fit_trial(context, part, context.training_rows).predict(table)
            together = pooled([said[part.id] for part in trial.parts], [each.weight for each in trial.members], trial.pool)
            score = context.score(sealed, together)
            told += f"; {way} ({trial.pool}) {trial.score:.4f}, new rows {score:.4f}"
        print(told, flush=True)


if __name__ == "__main__":
    main()
