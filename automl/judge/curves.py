"""Points of the figures: ROC, precision-recall, reliability, histograms, all thinned to what a page can carry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.finding import Series

Array = np.ndarray[Any, Any]

MOST_POINTS = 200
MOST_DOTS = 500


def thin(points: int, most: int = MOST_POINTS) -> Array:
    """Positions of at most `most` of `points` points in order, the first and the last always among them."""
    return np.unique(np.linspace(0, points - 1, min(points, most)).round().astype(np.int64))


def sampled(rows: int, seed: int, most: int = MOST_DOTS) -> Array:
    """At most `most` row positions drawn without replacement, in order."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def plain(values: Array, digits: int = 6) -> tuple[float, ...]:
    """Python floats with as many significant digits as a chart can show."""
    return tuple(float(f"{value:.{digits}g}") for value in np.asarray(values, np.float64))


def _cumulated(is_positive: Array, score: Array, weight: Array | None) -> tuple[Array, Array]:
    """True and false positives when everything above each distinct score is called positive, highest score first."""
    weights = np.ones(len(score)) if weight is None else np.asarray(weight, np.float64)
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.r_[score[order][1:] != score[order][:-1], True])
    hits = np.cumsum(weights[order] * is_positive[order])[ends]
    return hits, np.cumsum(weights[order])[ends] - hits


def roc_series(name: str, is_positive: Array, score: Array, weight: Array | None = None) -> Series | None:
    """False positive rate against true positive rate; None where a class is missing."""
    hits, false_alarms = _cumulated(is_positive, score, weight)
    if hits[-1] <= 0 or false_alarms[-1] <= 0:
        return None
    x, y = np.r_[0.0, false_alarms / false_alarms[-1]], np.r_[0.0, hits / hits[-1]]
    keep = _thin_along(x, y)
    return Series(name, plain(x[keep]), plain(y[keep]))


def precision_recall_series(name: str, is_positive: Array, score: Array, weight: Array | None = None) -> Series | None:
    """Recall against precision; None where there is no positive row."""
    hits, false_alarms = _cumulated(is_positive, score, weight)
    if hits[-1] <= 0:
        return None
    called = hits + false_alarms
    hits, called = hits[called > 0], called[called > 0]  # the first rows may weigh nothing
    recall, precision = hits / hits[-1], hits / called
    keep = _thin_along(recall, precision)
    return Series(name, plain(recall[keep]), plain(precision[keep]))


def _thin_along(x: Array, y: Array) -> Array:
    """Thin evenly along the drawn length, so that steep parts keep their points."""
    if len(x) <= MOST_POINTS:
        return np.arange(len(x))
    length = np.r_[0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))]
    wanted = np.linspace(0.0, length[-1], MOST_POINTS - 1)
    return np.unique(np.r_[0, np.searchsorted(length, wanted).clip(0, len(x) - 1), len(x) - 1])


def wilson(hits: float, rows: float, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) without rows."""
    if rows <= 0:
        return 0.0, 1.0
    share = hits / rows
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True)
class Reliability:
    """Predicted against observed frequency in bins of equally many rows.

    error: expected calibration error (ECE), the row-weighted mean of |predicted - observed|.
    largest_by_chance: the 95 % quantile of the ECE that perfectly calibrated probabilities would show with these rows.
    """

    predicted: Array
    observed: Array
    low: Array
    high: Array
    counts: Array
    error: float
    largest_by_chance: float


def reliability(probability: Array, happened: Array, weight: Array | None, seed: int, bins: int = 10) -> Reliability:
    """Reliability of probabilities (rows,) of an event that `happened` (rows,) or did not.

    Chance is simulated in each bin by the normal approximation of a sum of independent rows.
    """
    weights = np.ones(len(probability)) if weight is None else np.asarray(weight, np.float64)
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, probability, side="right")
    used = np.unique(place)
    place = np.searchsorted(used, place)
    total = np.bincount(place, weights)
    mass = np.maximum(total, 1e-300)
    predicted = np.bincount(place, weights * probability) / mass
    observed = np.bincount(place, weights * happened) / mass
    counts = np.bincount(place)
    effective = mass**2 / np.maximum(np.bincount(place, weights**2), 1e-300)
    bounds = np.array([wilson(share * rows, rows) for share, rows in zip(observed, effective, strict=True)])
    deviation = np.sqrt(np.bincount(place, weights**2 * probability * (1 - probability))) / mass
    noise = np.abs(np.random.default_rng(seed).standard_normal((2000, len(used)))) * deviation
    share = total / max(float(total.sum()), 1e-300)
    return Reliability(
        predicted,
        observed,
        bounds[:, 0],
        bounds[:, 1],
        counts,
        float((share * np.abs(predicted - observed)).sum()),
        float(np.quantile(noise @ share, 0.95)),
    )


def brier_split(probability: Array, happened: Array, weight: Array | None) -> tuple[float, float, float]:
    """Reliability, resolution and uncertainty of the Brier score, which is the first less the second plus the third.

    Without bins, by isotonic recalibration (CORP: Dimitriadis, Gneiting and Jordan, PNAS 118, 2021): with S the Brier score,
    reliability is S(model) - S(recalibrated), resolution S(the mean) - S(recalibrated), uncertainty S(the mean). None of them
    is negative, and reliability is a little above 0 even for perfect probabilities.
    """
    from sklearn.isotonic import IsotonicRegression

    happened = np.asarray(happened, np.float64)
    recalibrated = IsotonicRegression().fit(probability, happened, weight).predict(probability)
    mean = np.average(happened, weights=weight)
    scores = [float(np.average((each - happened) ** 2, weights=weight)) for each in (probability, recalibrated, mean)]
    return max(0.0, scores[0] - scores[1]), max(0.0, scores[2] - scores[1]), scores[2]


def histogram_series(name: str, values: Array, bins: int = 30, limits: tuple[float, float] | None = None) -> Series:
    """Counts between equally spaced edges: x has one value more than y."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    counts, edges = np.histogram(known, bins=min(bins, max(1, len(known))), range=limits)
    return Series(name, plain(edges), tuple(int(count) for count in counts))
