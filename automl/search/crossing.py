"""Cross-fitting on out-of-fold predictions: parts of rows that belong together, and whether a gain is more than chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.search.context import Context

Array = np.ndarray[Any, Any]

PARTS = 5
"""Of the out-of-fold predictions, for cross-fitting; whole groups stay together."""


def groups_of(context: Context, rows: Array) -> Array:
    """(rows,) codes from 0: rows of one code belong together; each is its own where there are no groups."""
    if context.groups is None:
        return np.arange(len(rows))
    return np.asarray(np.unique(context.groups[rows], return_inverse=True)[1])


def parts_of(groups: Array, generator: np.random.Generator) -> Array:
    """(rows,) the part, of PARTS, that each row is held out with."""
    return np.asarray(generator.permutation(np.arange(groups.max() + 1) % PARTS)[groups])


def paired_gain(gains: Array, weight: Array, groups: Array) -> tuple[float, float]:
    """The weighted mean of gains a row and its one-sided p-value: a z test over groups of rows that belong together."""
    from scipy.special import ndtr

    total = weight.sum()
    mean = float((weight * gains).sum() / total)
    sums = np.bincount(groups, weight * (gains - mean))
    error = float(np.sqrt((sums**2).sum()) / total)
    return mean, float(ndtr(-mean / error)) if error > 0 else 1.0 - float(mean > 0)
