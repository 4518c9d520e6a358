"""Thresholds by group: where the positive class is called in each group, so that it is found equally often in all of them.

Equalised odds by post-processing (Hardt, Price and Srebro, NeurIPS 2016), without their randomised answers: one threshold a
group, of all that cost at most so much accuracy those with the smallest gap of the true and the false positive rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from automl.core.groups import GroupColumn
from automl.core.profile import Profile
from automl.core.readout import GroupThreshold, GroupThresholds, Readout, Threshold
from automl.core.table import Table, tabulate

Array = np.ndarray[Any, Any]

FEWEST_ROWS = 30
"""Rows of either class below which a group keeps the overall threshold: its rates say too little."""
STEP = 0.005
"""Gaps closer than this are not told apart, nor are rates."""
BORROWED = 50
"""Rows of either class that a group borrows from all rows together: rates of few rows are drawn towards those of all (with 50
instead of none, the gap of adult by sex and race together falls from .157 to .140 on rows that the thresholds have not seen)."""
CHANGED = 3.0
"""About so many rows are called otherwise for each that is lost, which tells how uncertain a loss of accuracy is: two standard
errors of it are kept back, so that the price is kept on other rows too."""
WORTH, ALPHA = 0.01, 0.05
"""Thresholds that close less of the gap, told on other rows, are not taken, nor where no gap is beyond chance."""
FEWEST_IN_A_PART = 5
"""Rows of a group and class in a part, below which the part says nothing of it; thresholds that are chosen for a part ask for
half as many rows as those for all, so that no group with thresholds lacks them there."""
PLACES = 200
"""Thresholds of a group that are tried lie at so many quantiles of either class."""


@dataclass(frozen=True)
class GroupedRows:
    """What tells the groups of rows apart: the columns, and their clean values in the order of the context's table."""

    columns: tuple[GroupColumn, ...]
    table: Table

    def codes(self, rows: Array) -> Array:
        """(rows,) the combination of groups of these rows."""
        return GroupThresholds(self.columns, ()).codes(self.table.columns)[rows]

    def combination(self, code: int) -> tuple[str, ...] | None:
        """The names of a combination's groups; None where one of them is unknown or missing."""
        places = np.unravel_index(code, GroupThresholds(self.columns, ()).shape)
        if any(place == len(column.groups) for place, column in zip(places, self.columns, strict=True)):
            return None
        return tuple(column.groups[place] for place, column in zip(places, self.columns, strict=True))

    def code(self, names: Sequence[str]) -> int:
        """The combination that these groups, one of each column, are."""
        places = tuple(column.groups.index(name) for column, name in zip(self.columns, names, strict=True))
        return int(np.ravel_multi_index(places, GroupThresholds(self.columns, ()).shape))


def limits_of(readout: Readout, frame: pd.DataFrame, profile: Profile) -> float | Array | None:
    """From which probability on the positive class is called: one number, one a row of `frame`, or None without a threshold."""
    threshold = readout.threshold
    if threshold is None:
        return None
    columns = () if threshold.groups is None else threshold.groups.columns
    return threshold.limits(tabulate(frame, [profile.column(column.name) for column in columns]).columns)


@dataclass(frozen=True)
class CrossFitted:
    """How rows are called by thresholds that were chosen on others.

    usual: (rows,) whether each is called from the overall threshold on; by_part: (parts, rows) by the thresholds that all parts
    but one call for; part: (rows,) the part of each row, a place in by_part.
    """

    usual: Array
    by_part: Array
    part: Array

    @property
    def fair(self) -> Array:
        """(rows,) whether each row is called by the thresholds of the other parts."""
        return np.asarray(self.by_part[self.part, np.arange(len(self.part))])

    def closes(self, compared: Sequence[Sequence[Array]], weight: Array) -> float:
        """What thresholds close of the largest gap between groups, on rows that they were not chosen on.

        compared: (rows,) bool of each group, in sets that are held against each other. Which two groups are furthest apart is
        told by the rows of the other parts, before and after, and how far they are by those of the part: a gap by chance, which
        is another one there, is none then, and none that could be closed.
        """
        usual = np.broadcast_to(self.usual, self.by_part.shape)
        before, after = (
            max((self._apart(masks, calls, weight) for masks in compared), default=0.0) for calls in (usual, self.by_part)
        )
        return before - max(0.0, after)

    def _apart(self, masks: Sequence[Array], calls: Array, weight: Array) -> float:
        """The mean over the parts of how much more often the one group is called than the other."""
        found = []
        for number, called in enumerate(calls):
            held = (self.part == number) & (weight > 0)
            rates = []
            for mask in masks:
                here, elsewhere = mask & held, mask & ~held & (weight > 0)
                if here.sum() >= FEWEST_IN_A_PART and elsewhere.any():
                    rates.append([float(np.average(called[rows], weights=weight[rows])) for rows in (elsewhere, here)])
            if len(rates) > 1:
                order = np.argsort([elsewhere for elsewhere, _ in rates], kind="stable")
                found.append(rates[order[-1]][1] - rates[order[0]][1])
        return float(np.mean(found)) if found else 0.0


def fit_group_thresholds(
    by: GroupedRows,
    rows: Array,
    probability: Array,
    happened: Array,
    weight: Array,
    overall: float,
    most_lost: float,
    part: Array,
) -> tuple[Threshold, CrossFitted]:
    """The threshold by group that these rows call for, and how each row is called by thresholds that other rows call for.

    The second tells what such thresholds bring on rows that they were not chosen on. Where that is hardly a smaller gap, or
    there is none beyond chance, the threshold has no groups of its own and all rows are called from the overall one on.

    rows: positions in the table; probability, happened, weight: (rows,) of the positive class. overall: the threshold of all
    that have none of their own. most_lost: accuracy that may be given up against calling all groups from `overall` on. part:
    (rows,) the part that each row is held out with.
    """
    scored = _Scored(by.codes(rows), probability, happened, weight)
    found, usual = _fitted(by, scored, overall, most_lost, FEWEST_ROWS), probability >= overall
    assert found.groups is not None
    if not found.groups.own:
        return found, _unchanged(usual, part)
    by_part = []
    for number in range(int(part.max()) + 1):
        elsewhere = _fitted(by, scored.take(part != number), overall, most_lost, FEWEST_ROWS // 2)
        assert elsewhere.groups is not None
        by_part.append(probability >= elsewhere.groups.table(overall)[scored.codes])
    crossed = CrossFitted(usual, np.stack(by_part), part)
    groups = [scored.codes == by.code(each.groups) for each in found.groups.own]
    before = found.expected["gap_before"]
    closed = crossed.closes([[mask & (happened == truth) for mask in groups] for truth in (False, True)], weight)
    gap = max(0.0, before - closed)
    p_value = min(1.0, 2 * min(_alike(usual, groups, happened == truth) for truth in (False, True)))
    if closed < WORTH or p_value >= ALPHA:
        told = f"close {max(0.0, closed):.3f} of a gap of {before:.3f} on rows that they were not chosen on"
        told = told if p_value < ALPHA else f"have a gap of {before:.3f} to close that may be chance"
        kept = {"gap_before": before, "accuracy_before": found.expected["accuracy_before"], "gap_cross_fitted": gap}
        nobody = replace(found.groups, own=())
        nothing = replace(found, rule=f"one for all, as those by group {told}", expected=kept, met=False, groups=nobody)
        return nothing, _unchanged(usual, part)
    accuracy = float(np.average(crossed.fair == happened, weights=weight))
    reached = {"gap_cross_fitted": gap, "accuracy_cross_fitted": accuracy}
    return replace(found, expected=found.expected | reached), crossed


def _alike(called: Array, groups: Sequence[Array], base: Array) -> float:
    """p that the rows of all groups are called equally often where `base`: Pearson's chi-squared test."""
    from scipy.special import chdtrc

    held = [called[mask & base] for mask in groups]
    share = float(np.concatenate(held).mean())
    if not 0 < share < 1:
        return 1.0
    statistic = sum(len(each) * (float(each.mean()) - share) ** 2 for each in held if len(each)) / (share * (1 - share))
    return float(chdtrc(max(1, len(held) - 1), statistic))


def _unchanged(usual: Array, part: Array) -> CrossFitted:
    return CrossFitted(usual, np.tile(usual, (int(part.max(initial=0)) + 1, 1)), part)


@dataclass(frozen=True)
class _Scored:
    """Rows with the combination of groups of each, the probability of the positive class, the truth and the weight; (rows,)."""

    codes: Array
    probability: Array
    happened: Array
    weight: Array

    def take(self, rows: Array) -> _Scored:
        return _Scored(self.codes[rows], self.probability[rows], self.happened[rows], self.weight[rows])


def _fitted(by: GroupedRows, scored: _Scored, overall: float, most_lost: float, fewest: int) -> Threshold:
    """The thresholds of these rows, judged on the same rows. fewest: rows of either class that a group needs."""
    codes, probability, happened, weight = scored.codes, scored.probability, scored.happened, scored.weight
    total = float(weight.sum())
    everyone = _Rates.of(probability, happened, weight / total)
    cells, few = [], []
    correct = float(weight @ ((probability >= overall) == happened)) / total
    for code in np.unique(codes):
        names, held = by.combination(int(code)), codes == code
        if names is None:
            continue
        if min(_counts(happened[held], weight[held])) < fewest:
            few.append(names)
            continue
        cells.append(_Curve.of(names, probability[held], happened[held], weight[held] / total, overall, everyone))
    kept = correct - sum(cell.correct[cell.usual] for cell in cells)
    usual = [cell.usual for cell in cells]
    allowed = max(0.0, most_lost - 2.0 * float(np.sqrt(CHANGED * most_lost / len(codes))))
    chosen = _smallest(cells, _gap(cells, usual), correct - allowed - kept)
    places = usual if chosen is None else chosen
    own = () if chosen is None else tuple(cell.threshold(place) for cell, place in zip(cells, chosen, strict=True))
    reached = kept + sum(cell.correct[place] for cell, place in zip(cells, places, strict=True))
    price = f"at most {100 * most_lost:g} {'point' if most_lost == 0.01 else 'points'} of accuracy"
    rule = f"the smallest gap in equalised odds between the groups that costs {price}"
    return Threshold(
        overall,
        rule if chosen is not None else f"one for all, as no thresholds by group have a smaller gap out of fold for {price}",
        {
            "gap": _gap(cells, places, "seen"),
            "gap_before": _gap(cells, usual, "seen"),
            "accuracy": reached,
            "accuracy_before": correct,
        },
        met=chosen is not None,
        groups=GroupThresholds(by.columns, own, tuple(few)),
    )


def _counts(happened: Array, weight: Array) -> tuple[int, int]:
    """Rows of the negative and of the positive class that have a weight."""
    return int((~happened & (weight > 0)).sum()), int((happened & (weight > 0)).sum())


@dataclass(frozen=True)
class _Rates:
    """What is called of some rows from any threshold on, of the negative and of the positive class.

    ordered: (rows,) probabilities rising; above: (2, rows + 1) weight of each class from there on; rows: (2,) of each class.
    """

    ordered: Array
    above: Array
    rows: Array

    @classmethod
    def of(cls, probability: Array, happened: Array, weight: Array) -> _Rates:
        order = np.argsort(probability, kind="stable")
        sums = [np.cumsum((weight * part)[order]) for part in (~happened, happened)]
        above = np.stack([each[-1] - np.r_[0.0, each] for each in sums])
        return cls(probability[order], above, np.bincount(happened.astype(np.int64), minlength=2))

    def mass(self, places: Array) -> Array:
        """(2, places) weight of each class from each threshold on."""
        return np.asarray(self.above[:, np.searchsorted(self.ordered, places, side="left")])

    def rates(self, places: Array) -> Array:
        """(2, places) false and true positive rate."""
        return self.mass(places) / self.above[:, :1]


@dataclass(frozen=True)
class _Curve:
    """What each threshold of a group brings, thresholds rising.

    seen: (2, places) false and true positive rate, both falling; steady: the same with the rows that the group borrows;
    correct: share of all rows, of any group, that are this group's and called right. usual: the place of the overall threshold.
    """

    names: tuple[str, ...]
    rows: int
    places: Array
    seen: Array
    steady: Array
    correct: Array
    usual: int

    @classmethod
    def of(
        cls, names: tuple[str, ...], probability: Array, happened: Array, weight: Array, overall: float, everyone: _Rates
    ) -> _Curve:
        at = np.linspace(0.0, 1.0, PLACES + 1)
        tried = [np.quantile(probability[part], at, method="nearest") for part in (happened, ~happened)]
        places = np.unique(np.concatenate([*tried, [overall]]).astype(np.float32)).astype(np.float64)
        own = _Rates.of(probability, happened, weight)
        seen, mass = own.rates(places), own.mass(places)
        known = own.rows[:, None]
        steady = (known * seen + BORROWED * everyone.rates(places)) / (known + BORROWED)
        usual = int(np.searchsorted(places, np.float32(overall)))
        return cls(names, len(probability), places, seen, steady, own.above[0, 0] - mass[0] + mass[1], usual)

    def threshold(self, place: int) -> GroupThreshold:
        return GroupThreshold(self.names, float(self.places[place]), self.rows)


def _gap(cells: Sequence[_Curve], chosen: Sequence[int], which: str = "steady") -> float:
    """The larger of the gaps of both rates, steady or as seen, at these thresholds."""
    if len(cells) < 2:
        return 0.0
    rates = np.stack([getattr(cell, which)[:, place] for cell, place in zip(cells, chosen, strict=True)])
    return float(np.ptp(rates, axis=0).max())


def _smallest(cells: Sequence[_Curve], before: float, floor: float) -> list[int] | None:
    """The place of each group's threshold with the smallest gap whose `correct` adds up to `floor`; None where none is smaller.

    Gaps that can be reached are found by bisection, as whatever can be reached within one can be within a larger one.
    """
    low, high = 0, int(before / STEP)
    found: list[int] | None = None
    while low <= high:
        middle = (low + high) // 2
        reached = _within(cells, middle * STEP, floor)
        if reached is None:
            low = middle + 1
        else:
            found, high = reached, middle - 1
    return found


def _within(cells: Sequence[_Curve], gap: float, floor: float) -> list[int] | None:
    """The places with the highest accuracy at which no two groups are further apart than `gap`; None where all lie below
    `floor`.

    Both rates lie in a window of that width; its lower ends are tried in steps. As both rates fall with the threshold, those
    of a group that lie in a pair of windows are a range, whose best is looked up.
    """
    ends = np.arange(0.0, 1.0 + STEP, STEP)
    first, second = (axis.ravel() for axis in np.meshgrid(np.arange(len(ends)), np.arange(len(ends)), indexing="ij"))
    sums = np.zeros(len(first))
    most = [float(cell.correct.max()) for cell in cells]
    for number, cell in enumerate(cells):
        low, high = _range(cell, ends, gap, first, second)
        best = np.where(low <= high, _best(cell.correct, low, high)[0], -np.inf)
        kept = sums + best + sum(most[number + 1 :]) >= floor - 1e-12
        first, second, sums = first[kept], second[kept], (sums + best)[kept]
        if not len(first):
            return None
    winner = int(sums.argmax())
    pair = first[winner : winner + 1], second[winner : winner + 1]
    return [int(_best(cell.correct, *_range(cell, ends, gap, *pair))[1][0]) for cell in cells]


def _range(cell: _Curve, ends: Array, gap: float, first: Array, second: Array) -> tuple[Array, Array]:
    """First and last place of the thresholds whose rates lie in the windows that begin at these ends; empty: first > last."""
    low, high = np.zeros(len(first), np.int64), np.full(len(first), len(cell.places) - 1)
    for rate, end in ((cell.steady[1], first), (cell.steady[0], second)):
        rising = -rate
        low = np.maximum(low, np.searchsorted(rising, -(ends + gap) - 1e-9, side="left")[end])
        high = np.minimum(high, np.searchsorted(rising, -ends + 1e-9, side="right")[end] - 1)
    return low, high


def _best(values: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """The highest of values[low : high + 1] and its place, for many ranges at once, from the best of all ranges of 2**n."""
    places = [np.arange(len(values))]
    while 2 ** len(places) <= len(values):
        before, half = places[-1], 2 ** (len(places) - 1)
        left, right = before[:-half], before[half:]
        places.append(np.where(values[right] > values[left], right, left))
    length = np.maximum(high - low + 1, 1)
    level = np.log2(length).astype(np.int64)
    size = max(len(each) for each in places)
    padded = np.stack([np.pad(each, (0, size - len(each))) for each in places])
    left = padded[level, np.clip(low, 0, size - 1)]
    right = padded[level, np.clip(high - 2**level + 1, 0, size - 1)]
    winner = np.where(values[right] > values[left], right, left)
    return values[winner], winner
