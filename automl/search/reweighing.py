"""Row weights against unfairness: nothing is changed in the model that ships but what its training rows weigh.

"reweigh" makes target and sensitive groups independent, as demographic parity asks for (Kamiran and Calders, KAIS 33, 2012).
"equalised-odds" looks for weights under which a small model finds each class equally often in every group, in the manner of the
reductions approach (Agarwal and others, ICML 2018), but with one model and no chance in its answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.groups import grouping, intersection
from automl.core.options import MOST_LOST, WEIGHTS
from automl.core.plan import Plan
from automl.core.profile import Profile
from automl.judge.probe import MOST_ROWS, READABLE, columns_of, folds_of, probe

Array = np.ndarray[Any, Any]


def reweighed(
    dataset: Dataset,
    frame: pd.DataFrame,
    target: Array,
    weight: Array | None,
    training: Array,
    profile: Profile,
    plan: Plan,
) -> Array | None:
    """(rows,) weights for training with mean 1 over the training rows, or None where the plan asks for none.

    frame, target, weight: of all rows that are trained on or judged; the weights are found on the training rows only.
    Raises InputError where there is no column that a small model can read.
    """
    if plan.mitigate not in WEIGHTS:
        return None
    groups = intersection([grouping(profile.column(name), dataset.frame, frame) for name in plan.sensitive]).codes
    codes = target.astype(np.int64)
    if plan.mitigate == "reweigh":
        return independent_weights(groups, codes, weight, training)
    if not any(column.kind in READABLE for column in profile.features):
        raise InputError(
            "--mitigate equalised-odds needs columns of numbers or categories", "take --mitigate reweigh, which needs none"
        )
    rows = training
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(plan.seed).choice(rows, MOST_ROWS, replace=False))
    columns = columns_of(frame.iloc[rows].reset_index(drop=True), profile.features)
    fold = folds_of(len(rows), plan.seed)
    base = np.ones(len(target)) if weight is None else np.asarray(weight, np.float64)

    def called(weights: Array) -> Array:
        found = probe(columns, codes[rows], len(profile.classes), fold, plan.seed, plan.jobs, weights)
        return np.asarray(found.prediction.argmax(axis=1))

    shape = int(groups.max()) + 1, len(profile.classes)
    lost = MOST_LOST if plan.max_accuracy_loss is None else plan.max_accuracy_loss
    factors = odds_factors(groups[rows], codes[rows], base[rows], called, shape, lost)
    result = base * factors[groups, codes]
    return np.asarray(result / result[training].mean())


STEPS, STEP = 7, 3.0
FEWEST_ROWS = 30


def odds_factors(
    groups: Array,
    target: Array,
    base: Array,
    called: Callable[[Array], Array],
    shape: tuple[int, int],
    most_lost: float = MOST_LOST,
) -> Array:
    """(groups, classes) factors of the rows' weights that bring the recall of each class in each group towards its overall one.

    called: from weights (rows,) to the class that an out-of-fold model gives each row. In each step a class that is found too
    seldom in a group weighs more there. Of all steps the one with the smallest gap is taken that costs little accuracy; groups
    with few rows of a class are left as they are. most_lost: accuracy that it may give up.
    """
    log_factors, best, first = np.zeros(shape), (np.inf, np.ones(shape)), None
    cells = groups * shape[1] + target
    rows = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    for _ in range(STEPS):
        factors = np.exp(log_factors)
        right = (called(base * factors[groups, target]) == target).astype(np.float64)
        found = np.bincount(cells, right, shape[0] * shape[1]).reshape(shape)
        recall = np.where(rows >= FEWEST_ROWS, found / np.maximum(rows, 1), np.nan)
        overall = found.sum(axis=0) / np.maximum(rows.sum(axis=0), 1)
        accuracy = float(right.mean())
        first = accuracy if first is None else first
        known = np.isfinite(recall)
        gap = float(max(np.ptp(recall[known[:, code], code]) if known[:, code].any() else 0.0 for code in range(shape[1])))
        if gap < best[0] and accuracy >= first - most_lost:
            best = gap, factors
        log_factors += np.where(known, STEP * (overall[None, :] - np.nan_to_num(recall)), 0.0)
    return best[1]


def independent_weights(groups: Array, target: Array, weight: Array | None, training: Array) -> Array:
    """(rows,) the rows' own weights times P(group) P(class) / P(group and class), counted on `training`.

    A row whose group and class never occur together in training keeps its own weight.
    """
    base = np.ones(len(target)) if weight is None else np.asarray(weight, np.float64)
    classes = int(target.max(initial=0)) + 1
    cells = groups * classes + target
    joint = np.bincount(cells[training], base[training], int(cells.max(initial=0)) + 1)
    of_group = np.bincount(groups[training], base[training], int(groups.max(initial=0)) + 1)
    of_class = np.bincount(target[training], base[training], classes)
    expected = of_group[groups] * of_class[target] / base[training].sum()
    factor = np.divide(expected, joint[cells], out=np.ones(len(target)), where=joint[cells] > 0)
    found = base * factor
    return np.asarray(found / found[training].mean())
