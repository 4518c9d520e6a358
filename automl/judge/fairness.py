"""Differences between groups of rows: rates and errors a group, their gaps with intervals, and a test.

Gaps are those of Hardt, Price and Srebro (NeurIPS 2016): demographic parity compares how often the groups are given a
class, equal opportunity how often they are given it where it is true, equalised odds that and the false alarms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from automl.core.case import Case
from automl.core.groups import Grouping, grouping, intersection
from automl.core.readout import called
from automl.core.statistics import Interval, percentile_interval
from automl.core.tasks import Task
from automl.judge.bootstrap import HURRY_SECONDS, clusters, count_blocks, judged_groups

Array = np.ndarray[Any, Any]

FEWEST_ROWS = 30
"""With fewer rows than this a mean over a group says little: it is shown pale and compared with nothing."""
MOST_CLASSES = 5
MEASURES = {
    "selection": "demographic parity",
    "true_positive": "equal opportunity",
    "false_positive": "predictive equality",
    "equalised_odds": "equalised odds",
    "error": "error rate",
    "absolute_error": "mean absolute error",
    "bias": "bias",
}
ODDS = ("true_positive", "false_positive")
"""What equalised odds compare."""
RESAMPLES, FEWEST_RESAMPLES = 500, 100
_CELLS = 2_000_000
"""Rows x resamples above which fewer are drawn."""


@dataclass(frozen=True)
class Rate:
    """A mean that is compared between groups: of `value` over the rows in `base`.

    base: (rows,) bool. value: (rows,) what happened (0 or 1), or an error. measure: the key under which rates of several
    classes are one measure. label: the class that it is about, or "".
    """

    measure: str
    title: str
    base: Array
    value: Array
    label: str = ""


@dataclass(frozen=True)
class Gap:
    """The largest difference of a rate between two groups, and the ratio of the smaller to the larger rate.

    interval: of the difference between these two groups, by bootstrap; p: that all groups have the same rate, or None where
    rows do not stand for themselves. rates: (groups,) NaN where too few rows. draws: (resamples,) of the difference.
    """

    rate: Rate
    by: Grouping
    rates: Array
    highest: int
    lowest: int
    interval: Interval
    ratio: float
    draws: Array

    @property
    def p(self) -> float | None:
        return self.interval.p


def sensitive_groupings(case: Case) -> list[Grouping]:
    """The judged rows by each sensitive column, by every two of them, and by all at once."""
    whole = case.dataset.frame
    single = [grouping(case.profile.column(name), whole, case.judged) for name in case.plan.sensitive]
    if len(single) < 3:
        return [*single, intersection(single)] if len(single) > 1 else single
    crossed = [intersection(part) for size in dict.fromkeys((2, len(single))) for part in combinations(single, size)]
    return [*single, *(replace(each, joint=False) for each in crossed)]  # told with the names of their columns, as they differ


def rates_of(case: Case, prediction: Array | None = None) -> list[Rate]:
    """What is compared between groups: rates of the positive class (of each class), or errors in the unit of the target.

    prediction: of the judged rows; the model's own where it is left out.
    """
    prediction = case.prediction if prediction is None else prediction
    truth, every = case.truth, np.ones(len(case.truth), bool)
    if case.profile.task is Task.REGRESSION:
        error = prediction - truth
        return [
            Rate("absolute_error", "mean absolute error", every, np.abs(error)),
            Rate("bias", "mean error (predicted minus actual)", every, error),
        ]
    given = called(prediction, case.threshold, case.positive)
    binary = case.profile.task is Task.BINARY
    frequent = np.argsort(-np.bincount(truth, minlength=len(case.profile.classes)), kind="stable")[:MOST_CLASSES]
    rates = [Rate("error", "error rate", every, (given != truth).astype(np.float64))]
    for code in [case.positive] if binary else frequent.tolist():
        label, chosen = case.profile.classes[code], (given == code).astype(np.float64)
        rates.append(Rate("selection", "selection rate", every, chosen, label))
        rates.append(Rate("true_positive", "true positive rate", truth == code, chosen, label))
        rates.append(Rate("false_positive", "false positive rate", truth != code, chosen, label))
    return rates


def means(rate: Rate, by: Grouping, weight: Array | None = None) -> Array:
    """(groups,) the weighted mean of each group; NaN where no row of it is in the base."""
    rows = rate.base.astype(np.float64) if weight is None else rate.base * np.asarray(weight, np.float64)
    count = len(by.groups)
    total = np.bincount(by.codes, rows, count)
    return np.divide(np.bincount(by.codes, rows * rate.value, count), total, out=np.full(count, np.nan), where=total > 0)


def enough(rate: Rate, by: Grouping, least: int = FEWEST_ROWS) -> Array:
    """(groups,) whether the group has rows enough in the base of the rate."""
    return np.bincount(by.codes[rate.base], minlength=len(by.groups)) >= least


def gaps(case: Case, rates: Sequence[Rate], by: Grouping, least: int = FEWEST_ROWS) -> dict[str, Gap]:
    """{measure: its largest gap over the classes} between the groups that have rows enough, in the order of the rates."""
    found: dict[str, Gap] = {}
    for rate, replicates in zip(rates, replicated(case, rates, by), strict=True):
        gap = _gap(case, rate, by, replicates, least)
        if gap is not None and (rate.measure not in found or gap.interval.value > found[rate.measure].interval.value):
            found[rate.measure] = gap
    return found


def _gap(case: Case, rate: Rate, by: Grouping, replicates: Array, least: int) -> Gap | None:
    """None where fewer than two groups have rows enough.

    The interval is that of the difference between the two groups that are furthest apart.
    """
    values = np.where(enough(rate, by, least), means(rate, by, case.weight), np.nan)
    if np.isfinite(values).sum() < 2:
        return None
    high, low = int(np.nanargmax(values)), int(np.nanargmin(values))
    draws = replicates[:, high] - replicates[:, low]
    ends = percentile_interval(draws)
    p = None if clusters(case) is not None else homogeneity(rate, by, np.isfinite(values), case.weight)
    ratio = float(values[low] / values[high]) if values[high] > 0 and values[low] >= 0 else float("nan")
    value = float(values[high] - values[low])
    return Gap(rate, by, values, high, low, Interval(value, *around(value, *ends), p), ratio, draws)


def around(value: float, low: float, high: float) -> tuple[float, float]:
    """The ends of an interval, moved to hold the value itself where few rows or rare events leave it outside."""
    return min(low, value), max(high, value)


def equalised_odds(found: dict[str, Gap]) -> Gap | None:
    """The larger of the gaps of the true and of the false positive rate; None where one of them has too few rows."""
    both = [found[name] for name in ODDS if name in found]
    return max(both, key=lambda gap: gap.interval.value) if len(both) == len(ODDS) else None


Key = tuple[str, str]
"""(sensitive column or columns, measure)."""


def measured(case: Case, prediction: Array | None = None) -> dict[Key, Gap]:
    """The gaps of every measure for every sensitive column and their intersection."""
    rates = rates_of(case, prediction)
    found: dict[Key, Gap] = {}
    for by in sensitive_groupings(case):
        of = gaps(case, rates, by)
        odds = equalised_odds(of)
        every = of if odds is None else {**of, "equalised_odds": odds}
        found |= {(by.name, measure): every[measure] for measure in MEASURES if measure in every}
    return found


def group_intervals(values: Array, replicates: Array) -> tuple[Array, Array]:
    """(groups,) low and high ends of the 95 % intervals of the means, from their replicates (resamples, groups)."""
    ends = [around(value, *percentile_interval(column)) for value, column in zip(values, replicates.T, strict=True)]
    return np.asarray([low for low, _ in ends]), np.asarray([high for _, high in ends])


def replicated(case: Case, rates: Sequence[Rate], by: Grouping) -> list[Array]:
    """(resamples, groups) a rate: means of bootstrap resamples of the judged rows, the same ones for every rate."""
    rows, count = len(by.codes), len(by.groups)
    of_group = np.zeros((rows, count))
    of_group[np.arange(rows), by.codes] = 1.0
    member = np.concatenate([of_group * rate.base[:, None] for rate in rates], axis=1)
    value = np.concatenate([of_group * (rate.base * rate.value)[:, None] for rate in rates], axis=1)
    hurried = case.deadline.lacks(HURRY_SECONDS)
    total = FEWEST_RESAMPLES if hurried else int(np.clip(_CELLS // max(1, rows), FEWEST_RESAMPLES, RESAMPLES))
    parts = []
    for block in count_blocks(rows, total, case.plan.seed, judged_groups(case), case.weight):
        weights = block @ member
        parts.append(np.divide(block @ value, weights, out=np.full(weights.shape, np.nan), where=weights > 0))
    return list(np.split(np.concatenate(parts), len(rates), axis=1))


def homogeneity(rate: Rate, by: Grouping, shown: Array, weight: Array | None = None) -> float:
    """p that groups (where `shown`) have the same mean: Pearson's chi-squared test, which for a value that is not 0 or 1 is
    the analysis of variance with many rows. Weighted rows count as their effective number."""
    from scipy.special import chdtrc

    rows = np.flatnonzero(rate.base & shown[by.codes])
    weights = np.ones(len(rows)) if weight is None else np.asarray(weight, np.float64)[rows]
    codes, values, count = by.codes[rows], rate.value[rows], len(by.groups)
    total = np.bincount(codes, weights, count)
    kept = total > 0
    effective = total[kept] ** 2 / np.bincount(codes, weights**2, count)[kept]
    mean = np.bincount(codes, weights * values, count)[kept] / total[kept]
    centre = float(weights @ values / weights.sum())
    variance = float(weights @ (values - centre) ** 2 / weights.sum())
    if variance <= 0 or kept.sum() < 2:
        return 1.0
    return float(chdtrc(int(kept.sum()) - 1, float(effective @ (mean - centre) ** 2) / variance))
