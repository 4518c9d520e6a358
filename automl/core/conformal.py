"""Conformal: intervals and sets that hold the truth as often as asked, and how sure a prediction is.

Split and cross-conformal prediction (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005; Lei and others,
JASA 113, 2018): what a new row's truth deviates by is among the deviations of rows that the model had not learned from, so their
quantile bounds it. Only numpy: predict.py is made of this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from automl.core.predictor import PredictorError

Array = np.ndarray[Any, Any]

LEVELS = tuple(round(0.5 + 0.01 * step, 2) for step in range(50))
"""How often the truth is to be held: what can be asked for."""
RATES = tuple(round(0.01 * step, 2) for step in range(1, 100))
"""Shares of rows that may be left without an answer."""


ANY_ROWS = "rows like those of the training data"


class Conformal(NamedTuple):
    """What intervals or sets are made of.

    score: what is bounded: "absolute": |truth - prediction|; "normalised": the same divided by the spread that is usual for
        such a prediction; "margin": the probability of the most probable class minus that of the true one.
    quantiles: of the score by level, such as {"0.90": 1.3}; levels that the data are too few for are not there.
    knots: (prediction, spread), straight between them and level beyond.
    least: no interval reaches below this; None where there is no such bound.
    cuts: sureness below which a row is among the share of rows (the key) that the model knows least about.
    rows, units: out-of-fold predictions that this rests on, and how many of them are independent: groups where the split was
        by group. holds_for: which rows are promised the level.
    """

    score: str
    quantiles: dict[str, float]
    rows: int
    units: int
    holds_for: str = ANY_ROWS
    knots: tuple[tuple[float, float], ...] = ()
    least: float | None = None
    cuts: Mapping[str, float] = {}


def conformal_of(contract: Mapping[str, Any]) -> Conformal | None:
    """What a contract says, or None where it has no such part."""
    said = (contract.get("readout") or {}).get("conformal")
    return Conformal(**{name: value for name, value in said.items() if name in Conformal._fields}) if said else None


def quantile_for(conformal: Conformal, level: float) -> float:
    """The quantile for a level, or for the next one above it that is kept.

    Raises PredictorError where the level cannot be asked for, or the data are too few for it.
    """
    if not LEVELS[0] <= level <= LEVELS[-1]:
        raise PredictorError(
            f"the level of an interval lies between {LEVELS[0]:g} and {LEVELS[-1]:g}, such as 0.9; {level:g} does not"
        )
    name = f"{next(each for each in LEVELS if each >= level - 1e-9):.2f}"
    if name not in conformal.quantiles:
        most = max(map(float, conformal.quantiles), default=0.0)
        what = "rows" if conformal.units == conformal.rows else "groups"
        few = f"{conformal.units:,} {what} with out-of-fold predictions are too few for the level {level:g}"
        raise PredictorError(f"{few}; at most {most:g} can be asked for")
    return float(conformal.quantiles[name])


def spread_at(knots: Any, values: Array) -> Array:
    """(rows,) what the error of such predictions usually is; 1 where there are no knots."""
    if not len(knots):
        return np.ones(len(values))
    places, spreads = np.asarray(knots, np.float64).T
    return np.interp(values, places, spreads)


def interval_at(conformal: Conformal, values: Array, level: float) -> Array:
    """(rows, 2) the ends of the intervals around predicted values (rows,). Raises as `quantile_for`."""
    values = np.asarray(values, np.float64)
    reach = quantile_for(conformal, level) * spread_at(conformal.knots, values)
    low, high = values - reach, values + reach
    if conformal.least is not None:
        low = np.maximum(low, np.minimum(values, conformal.least))
    return np.stack([low, high], axis=1)


def set_at(conformal: Conformal, probabilities: Array, level: float, called: Array) -> Array:
    """(rows, classes) bool: the classes that may be the truth. The most probable one always is one of them, and so is the
    one that is called, (rows,): a threshold may call another.

    Raises as `quantile_for`.
    """
    members = shortfall(np.asarray(probabilities, np.float64)) <= quantile_for(conformal, level)
    members[np.arange(len(members)), called] = True
    return np.asarray(members)


def shortfall(probabilities: Array) -> Array:
    """(rows, classes) by what share each class is less probable than the most probable one."""
    return 1.0 - probabilities / np.maximum(probabilities.max(axis=1, keepdims=True), 1e-300)


def sureness_at(knots: Any, prediction: Array, threshold: float | Array | None = None, positive: int = 1) -> Array | None:
    """(rows,) the higher, the surer: the probability of the most probable class, or how far that of the positive one is from
    the threshold; of values the negative spread, and None where that is the same for all.

    prediction: probabilities (rows, classes), or values (rows,). threshold: one, or (rows,) where it differs by group.
    """
    prediction = np.asarray(prediction, np.float64)
    if prediction.ndim == 1:
        return -spread_at(knots, prediction) if len(knots) else None
    if threshold is None:
        return np.asarray(prediction.max(axis=1))
    share = prediction[:, positive]
    above, below = np.maximum(1.0 - threshold, 1e-9), np.maximum(threshold, 1e-9)
    return np.where(share >= threshold, (share - threshold) / above, (threshold - share) / below)


def cut_at(conformal: Conformal, rate: float) -> float:
    """The sureness below which rows are left without an answer, so that about this share of rows like those trained on is.

    Raises PredictorError where the rate cannot be asked for, or the model is equally sure of all rows.
    """
    if not 0.0 < rate < 1.0:
        raise PredictorError(f"the share of rows without an answer lies between 0 and 1, such as 0.1; {rate:g} does not")
    if not conformal.cuts:
        raise PredictorError("this model is equally sure of every row, so there are none that it knows less about")
    rates = np.asarray([float(each) for each in conformal.cuts])
    return float(np.interp(rate, rates, np.asarray(list(conformal.cuts.values()), np.float64)))
