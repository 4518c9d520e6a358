"""Row weights that make target and sensitive groups independent in training (Kamiran and Calders, KAIS 33, 2012)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from automl.core.dataset import Dataset
from automl.core.groups import grouping, intersection
from automl.core.plan import Plan
from automl.core.profile import Profile

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

    frame, target, weight: of all rows that are trained on or judged; shares are counted on the training rows only.
    """
    if plan.mitigate != "reweigh":
        return None
    groups = intersection([grouping(profile.column(name), dataset.frame, frame) for name in plan.sensitive])
    return independent_weights(groups.codes, target.astype(np.int64), weight, training)


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
