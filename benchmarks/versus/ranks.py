"""Comparing several systems over several data sets (Demšar, Statistical comparisons of classifiers, JMLR 7, 2006)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Comparison:
    """Mean ranks (1 is best) of systems over data sets, and what can be said about their differences.

    friedman_p: of no difference at all. critical_difference: of two mean ranks, by Nemenyi, all pairs at once.
    pairs: (better, worse, p by Wilcoxon's signed ranks, p after Holm's correction).
    """

    systems: tuple[str, ...]
    mean_ranks: tuple[float, ...]
    data_sets: int
    friedman_p: float
    critical_difference: float
    alpha: float
    pairs: tuple[tuple[str, str, float, float], ...]

    @property
    def groups(self) -> list[tuple[int, int]]:
        """(first, last) positions in the order of mean ranks of the longest runs without a significant difference."""
        ranks = np.sort(self.mean_ranks)
        found: list[tuple[int, int]] = []
        for first, rank in enumerate(ranks):
            last = int(np.flatnonzero(ranks - rank <= self.critical_difference)[-1])
            if last > first and (not found or last > found[-1][1]):
                found.append((first, last))
        return found


def ranks_within(gains: Array) -> Array:
    """(data sets, systems) ranks of each row: 1 for the greatest gain, ties share the mean; a failed system (NaN) is last."""
    filled = np.where(np.isnan(gains), -np.inf, gains)
    return np.asarray(stats.rankdata(-filled, axis=1), np.float64)


def nemenyi(systems: int, data_sets: int, alpha: float = 0.05) -> float:
    """The least difference of two mean ranks that is significant: q / sqrt(2) * sqrt(k (k + 1) / 6 n)."""
    quantile = stats.studentized_range.ppf(1.0 - alpha, systems, np.inf) / np.sqrt(2.0)
    return float(quantile * np.sqrt(systems * (systems + 1) / (6.0 * data_sets)))


def friedman(ranks: Array) -> float:
    """p of equal mean ranks, by Iman and Davenport's F, with the correction for ties; 1 where all are tied."""
    count, systems = ranks.shape
    if count < 2 or systems < 2:
        return 1.0
    between = count * float(np.sum((ranks.mean(axis=0) - (systems + 1) / 2) ** 2))
    within = float(np.sum((ranks - (systems + 1) / 2) ** 2)) / (count * (systems - 1))
    if within == 0.0:
        return 1.0
    statistic = between / within
    if statistic >= count * (systems - 1):
        return 0.0
    ratio = (count - 1) * statistic / (count * (systems - 1) - statistic)
    return float(stats.f.sf(ratio, systems - 1, (systems - 1) * (count - 1)))


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction, in the order given."""
    order = np.argsort(p_values)
    corrected, largest = [0.0] * len(p_values), 0.0
    for position, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - position) * p_values[index]))
        corrected[index] = largest
    return corrected


def compare(systems: tuple[str, ...], gains: Array, alpha: float = 0.05) -> Comparison:
    """gains: (data sets, systems), greater is better, comparable within a row only; NaN where a system failed."""
    ranks = ranks_within(gains)
    means = ranks.mean(axis=0)
    pairs, raw = [], []
    for one in range(len(systems)):
        for other in range(one + 1, len(systems)):
            better, worse = (one, other) if means[one] <= means[other] else (other, one)
            # Gains have another unit in every row, so the ranks' differences are what can be compared across rows.
            difference = ranks[:, worse] - ranks[:, better]
            raw.append(float(stats.wilcoxon(difference).pvalue) if len(difference) > 1 and difference.any() else 1.0)
            pairs.append((systems[better], systems[worse]))
    corrected = holm(raw)
    return Comparison(
        systems=systems,
        mean_ranks=tuple(map(float, means)),
        data_sets=len(gains),
        friedman_p=friedman(ranks),
        critical_difference=nemenyi(len(systems), len(gains), alpha),
        alpha=alpha,
        pairs=tuple((*names, p, q) for names, p, q in zip(pairs, raw, corrected, strict=True)),
    )
