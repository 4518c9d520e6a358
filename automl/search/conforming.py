"""Fits conformal quantiles on out-of-fold predictions, with a spread that follows the prediction where that helps."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.conformal import ANY_ROWS, LEVELS, RATES, Conformal, shortfall, spread_at, sureness_at
from automl.core.plan import Plan
from automl.core.tasks import Task
from automl.search.context import Context
from automl.search.crossing import PARTS, groups_of, paired_gain, parts_of
from automl.splitting import seeds

Array = np.ndarray[Any, Any]
Knots = tuple[tuple[float, float], ...]

FEWEST_UNITS = 20
"""Independent rows, or groups, below which no interval is made: their quantiles would be anything."""
FEWEST_FOR_SPREAD = 200
BIN_ROWS, MOST_BINS = 50, 20
LEAST_SPREAD = 0.05
"""Of the mean absolute error: no spread is smaller, so that few rows that happened to fit promise nothing."""
ALPHA, TRIED_LEVEL = 0.05, 0.9
TIES = 1e-6
"""Added to the shortfall of classes, which the graph computes in float32: equal ones are to stay equal."""


def fit_conformal(context: Context, rows: Array, predictions: Array, limits: float | Array | None = None) -> Conformal | None:
    """The conformal part of a readout, or None where the data are too few.

    rows: positions of the predicted rows in the table; predictions: theirs, (rows, classes) calibrated, or (rows,) values.
    limits: from which probability on the positive class is called, one or (rows,); None: the most probable class is.
    """
    if not len(rows):
        return None
    weight = np.ones(len(rows)) if context.weight is None else context.weight[rows]
    truth, groups = context.target[rows], groups_of(context, rows)
    units = int(groups.max()) + 1
    if units < FEWEST_UNITS:
        return None
    knots: Knots = ()
    least = None
    if context.profile.task is Task.REGRESSION:
        error = np.abs(truth - predictions)
        knots = _helpful_spread(context, groups, predictions, error, weight)
        score, name = error / spread_at(knots, predictions), "normalised" if knots else "absolute"
        least = 0.0 if context.target.min() >= 0 else None
    else:
        score, name = shortfall(predictions)[np.arange(len(rows)), truth] + TIES, "ratio"
    sureness = sureness_at(knots, predictions, limits, context.positive)
    return Conformal(
        name, quantiles(score, weight, units), len(rows), units, holds_for(context.plan), knots, least, _cuts(sureness, weight)
    )


def quantiles(score: Array, weight: Array, units: int) -> dict[str, float]:
    """The quantile of the score by level, as far as so many independent rows allow.

    The new row counts as one more, whose score may be anything: of n rows the k-th smallest is taken, k = ceil(level (n + 1)).
    """
    order = np.argsort(score, kind="stable")
    below = np.cumsum(weight[order]) / (weight.sum() + weight.mean())
    possible = [level for level in LEVELS if (units + 1) * (1 - level) >= 1 - 1e-9]
    places = np.searchsorted(below, np.asarray(possible) - 1e-12)
    return {
        f"{level:.2f}": float(score[order[place]]) for level, place in zip(possible, places, strict=True) if place < len(score)
    }


def fit_spread(predictions: Array, error: Array, weight: Array) -> Knots:
    """The mean absolute error by bins of equally many predictions; none where they are too few or all alike."""
    bins = int(np.clip(len(predictions) // BIN_ROWS, 1, MOST_BINS))
    edges = np.unique(np.quantile(predictions, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.unique(np.searchsorted(edges, predictions, side="right"), return_inverse=True)[1]
    mass = np.bincount(place, weight)
    places = np.bincount(place, weight * predictions) / mass
    usual = float(weight @ error / weight.sum())
    spreads = np.maximum(np.bincount(place, weight * error) / mass, LEAST_SPREAD * usual)
    if len(places) < 2 or usual <= 0 or not (np.diff(places) > 0).all():
        return ()
    return tuple(zip(places.tolist(), spreads.tolist(), strict=True))


def interval_loss(error: Array, reach: Array, level: float) -> Array:
    """(rows,) the width of an interval, and what is missed by at 2 / (1 - level) each (Winkler, JASA 67, 1972)."""
    return np.asarray(2 * reach + 2 / (1 - level) * np.maximum(error - reach, 0.0))


def holds_for(plan: Plan) -> str:
    """In words, which rows are promised the level: those that come about as the folds came about."""
    kind = plan.split.folds_kind
    if kind == "grouped":
        return f'rows of other groups by "{plan.split.column}", as the folds were made by group,'
    if kind == "time":
        return "rows that follow in time as the folds did,"
    return ANY_ROWS


def _helpful_spread(context: Context, groups: Array, predictions: Array, error: Array, weight: Array) -> Knots:
    """The knots of the spread, if intervals that follow it are better than equally wide ones beyond chance, by cross-fitting."""
    if len(error) < FEWEST_FOR_SPREAD:
        return ()
    part = parts_of(groups, np.random.default_rng(seeds(context.plan.seed)("conformal")))
    level = f"{TRIED_LEVEL:.2f}"
    even, following = np.zeros(len(error)), np.zeros(len(error))
    for number in range(PARTS):
        held = part == number
        kept, units = ~held, len(np.unique(groups[~held]))
        if not held.any() or not kept.any():
            continue
        knots = fit_spread(predictions[kept], error[kept], weight[kept])
        for loss, shape in ((even, ()), (following, knots)):
            score = error[kept] / spread_at(shape, predictions[kept])
            reach = quantiles(score, weight[kept], units).get(level, np.inf) * spread_at(shape, predictions[held])
            loss[held] = interval_loss(error[held], reach, TRIED_LEVEL)
    if not (np.isfinite(even).all() and np.isfinite(following).all()):
        return ()
    _, p_value = paired_gain(even - following, weight, groups)
    return fit_spread(predictions, error, weight) if p_value < ALPHA else ()


def _cuts(sureness: Array | None, weight: Array) -> dict[str, float]:
    if sureness is None or np.ptp(sureness) == 0:
        return {}
    order = np.argsort(sureness, kind="stable")
    below = np.cumsum(weight[order]) / weight.sum()
    places = np.minimum(np.searchsorted(below, np.asarray(RATES)), len(order) - 1)
    return {f"{rate:.2f}": float(sureness[order[place]]) for rate, place in zip(RATES, places, strict=True)}
