"""What the sharpness of nets brings: stopping by it, and how much of it a mean of nets still wants.

    python -m benchmarks.sharpness DATA [--rows 6000] [--seconds 14] [--only satimage,yeast]

Prints for the first trials of the nets the log loss on the folds as they are trained, and with the epoch chosen and the
probabilities taken as the nets say them; of the MLP both on rows that no fold holds as well. Of RealMLP and TabM the log
loss there of one net, of the mean and of the geometric mean of five, each net at the sharpness to the power 0 (as it
says), 0.2 ... 1.2: the best power of each.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from automl.core.clock import Deadline
from automl.core.evidence import LINEAR, LOGARITHMIC
from automl.search.context import Context
from automl.search.pooling import pooled
from automl.search.trial import Outcome, fit_trial, run_trial, space_of
from automl.training.sharpness import sharpened
from benchmarks.portfolio import context_of

TABLES = "steel-plates-fault,car,segment,cmc,yeast,students-dropout"
POWERS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
FITS = (1, 5)


def tried(context: Context, name: str, seconds: float) -> Outcome:
    declared = context.architecture(name)
    return run_trial(context, declared, 0, space_of(context, declared).default(), Deadline(seconds))


def losses(context: Context, outcome: Outcome, nets: int) -> dict[tuple[str, float], float]:
    """By pool and power of the sharpness, the log loss of so many nets together on the sealed rows."""
    sealed = np.setdiff1d(np.arange(len(context.target)), context.training_rows)
    settings = {**outcome.trial.settings, "fit_nets": nets}
    pipeline: Any = fit_trial(context, replace(outcome.trial, settings=settings), context.training_rows)
    table = context.table.take(sealed)
    pipeline.predict(table)  # loads the weights
    program = pipeline.fitted.program.program
    apart = np.stack(program.predict_each([pipeline.encoder.transform(table)] * program.nets))
    rows, truth = np.arange(len(sealed)), context.target[sealed]
    found = {}
    for power in POWERS:
        for pool in (LINEAR, LOGARITHMIC) if nets > 1 else (LINEAR,):
            each = sharpened(apart, settings["sharpness"] ** power)
            said = pooled(list(each), [1 / nets] * nets, pool)[rows, truth]
            found[pool, power] = float(-np.log(np.maximum(said, 1e-15)).mean())
    return found


def scored(context: Context, outcome: Outcome) -> float:
    """The score of its fit on the rows of all folds, on the sealed ones."""
    sealed = np.setdiff1d(np.arange(len(context.target)), context.training_rows)
    return context.score(sealed, fit_trial(context, outcome.trial, context.training_rows).predict(context.table.take(sealed)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--seconds", type=float, default=14.0, help="of a trial")
    parser.add_argument("--only", default=TABLES)
    options = parser.parse_args()
    for name in options.only.split(","):
        context = context_of(options.data, name, options.rows)
        for net in ("mlp", "realmlp", "tabm"):
            tried(context, net, options.seconds)  # what follows finds its program compiled
            outcome = tried(context, net, options.seconds)
            with patch("automl.training.sharpness.sharpness_of", lambda *given: 1.0):
                plain = tried(context, net, options.seconds)
            said = f"{name:20} {net:8} folds {outcome.trial.score:.4f} (as it says {plain.trial.score:.4f})"
            said += f", sharpness {outcome.trial.settings['sharpness']:.2f}"
            if net == "mlp":
                ours, theirs = (scored(context, each) for each in (outcome, plain))
                print(f"{said}; on new rows {ours:.4f} (as it says {theirs:.4f})", flush=True)
                continue
            for nets in FITS:
                by_power = losses(context, outcome, nets)
                for pool in dict.fromkeys(pool for pool, _ in by_power):
                    best = min(POWERS, key=lambda power: by_power[pool, power])
                    said += f"; {nets} {pool} on new rows {by_power[pool, 0.0]:.4f}, best {by_power[pool, best]:.4f} at {best:g}"
            print(said, flush=True)


if __name__ == "__main__":
    main()
