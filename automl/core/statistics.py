"""Intervals and tests that searching and judging share: the corrected resampled t and the bootstrap of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Scorer = Callable[[Array], float]
"""A score as a function of how often each row was drawn: counts (rows,) float64 to a number (NaN where undefined)."""


def corrected_resampled_t(
    differences: Sequence[float] | Array, test_fraction_ratio: float, confidence: float = 0.95
) -> tuple[float, float, float, float]:
    """The corrected resampled t test (Nadeau and Bengio, Machine Learning 52, 2003).

    Scores of overlapping training sets are correlated, so the variance of their mean is
    (1/J + test_fraction_ratio) s^2 instead of s^2/J.

    differences: (J,) gains by fold, larger is better; NaN entries (a fold that could not be scored) are left out.
    test_fraction_ratio: rows tested / rows trained on in one fold: 1 / (folds - 1).
    Returns (mean, low, high, p): the two-sided interval of the mean at `confidence`, and the one-sided p value of
    "the mean is not above zero". With fewer than two folds the interval is infinite and p is 1.
    """
    values = np.asarray(differences, np.float64)
    values = values[np.isfinite(values)]
    count = len(values)
    mean = float(values.mean()) if count else math.nan
    if count < 2:
        return mean, -math.inf, math.inf, 1.0
    deviation = math.sqrt((1.0 / count + test_fraction_ratio) * float(values.var(ddof=1)))
    if deviation <= 1e-15 * max(1.0, abs(mean)):
        return mean, mean, mean, 0.0 if mean > 0 else 1.0
    half = student_quantile(0.5 + confidence / 2, count - 1) * deviation
    return mean, mean - half, mean + half, student_upper_tail(mean / deviation, count - 1)


def student_upper_tail(value: float, degrees: float) -> float:
    """P(T > value) for Student's t."""
    tail = 0.5 * _regularised_beta(degrees / 2, 0.5, degrees / (degrees + value * value))
    return tail if value > 0 else 1.0 - tail


def student_quantile(probability: float, degrees: float) -> float:
    """The value that T stays below with `probability` (0 < probability < 1); by bisection on the tail."""
    if probability < 0.5:
        return -student_quantile(1.0 - probability, degrees)
    low, high = 0.0, 1.0
    while student_upper_tail(high, degrees) > 1.0 - probability:
        low, high = high, 2.0 * high
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if student_upper_tail(middle, degrees) > 1.0 - probability else (low, middle)
    return 0.5 * (low + high)


def _regularised_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function by Lentz's continued fraction (Numerical Recipes, 6.4)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _regularised_beta(b, a, 1.0 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    fraction = d
    for step in range(1, 1000):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for term in (even, odd):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + term / c
            c = c if abs(c) > tiny else tiny
            fraction *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return front * fraction


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for being looked at together (Holm, Scandinavian Journal of Statistics 6, 1979), in their order."""
    adjusted, running = [1.0] * len(p_values), 0.0
    for rank, position in enumerate(np.argsort(p_values, kind="stable").tolist()):
        running = max(running, min(1.0, (len(p_values) - rank) * float(p_values[position])))
        adjusted[position] = running
    return adjusted


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval; p: one-sided, that the value is not above zero (differences only)."""

    value: float
    low: float
    high: float
    p: float | None = None


def resampling_counts(rows: int, resamples: int, seed: int, groups: Array | None = None) -> Iterator[Array]:
    """How often each row is drawn, one bootstrap resample after another: (rows,) float64 each.

    groups: (rows,) labels; whole groups are drawn where the split was by group.
    """
    generator = np.random.default_rng(seed)
    codes = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    units = rows if codes is None else int(codes.max(initial=-1)) + 1
    for _ in range(resamples):
        drawn = np.bincount(generator.integers(0, units, units), minlength=units).astype(np.float64)
        yield drawn if codes is None else drawn[codes]


def wilson_interval(share: float, trials: float) -> tuple[float, float]:
    """The 95 % interval of a share of so many independent trials (Wilson, JASA 22, 1927); it has a width for 0 and 1 too."""
    if trials <= 0:
        return 0.0, 1.0
    z = 1.959963984540054
    centre = share + z * z / (2 * trials)
    reach = z * math.sqrt(max(0.0, share * (1 - share)) / trials + z * z / (4 * trials * trials))
    low, high = ((centre + sign * reach) / (1 + z * z / trials) for sign in (-1, 1))
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def percentile_interval(values: Array, confidence: float = 0.95) -> tuple[float, float]:
    """The percentile interval of bootstrap replicates; infinite where fewer than two could be computed."""
    finite = np.asarray(values, np.float64)
    finite = finite[np.isfinite(finite)]
    if len(finite) < 2:
        return -math.inf, math.inf
    low, high = np.quantile(finite, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def paired_bootstrap(
    first: Scorer,
    second: Scorer,
    rows: int,
    seed: int = 0,
    resamples: int = 1000,
    groups: Array | None = None,
    confidence: float = 0.95,
) -> Interval:
    """The gain first - second over the same resampled rows, with its percentile interval and one-sided p.

    first, second: scores (larger is better: the caller turns the sign of a loss) as functions of row counts.
    p is the share of resamples without a gain, counting the observed sample itself: (1 + #{gain <= 0}) / (1 + resamples).
    """
    every = np.ones(rows)
    observed = float(first(every)) - float(second(every))
    gains = np.array([float(first(row)) - float(second(row)) for row in resampling_counts(rows, resamples, seed, groups)])
    gains = gains[np.isfinite(gains)]
    low, high = percentile_interval(gains, confidence)
    p = (1.0 + float((gains <= 0).sum())) / (1.0 + len(gains)) if len(gains) else 1.0
    return Interval(observed, low, high, p)
