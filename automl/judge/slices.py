"""Slices of rows on which the loss is highest: found on one half of the judged rows, tested on the other.

Every condition on one column, and every pair of conditions on two, is tried (as in Slice Finder, Chung and others, ICDE 2019):
with 0/1 columns for the conditions, the rows, sums and squares of all pairs are three matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from automl.core.case import Case
from automl.core.metrics import log_losses
from automl.core.profile import ColumnProfile, Kind
from automl.core.statistics import holm, percentile_interval
from automl.core.table import Category, tabulate
from automl.judge.bootstrap import count_blocks, judged_groups

Array = np.ndarray[Any, Any]

READABLE = (Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY, Kind.DATETIME)
FEWEST_ROWS = 200
"""Judged rows below which nothing could be found on one half and confirmed on the other."""
FEWEST_IN_A_SLICE, FEWEST_SHARE = 20, 0.02
MOST_COLUMNS, MOST_CONDITIONS, MOST_LEVELS = 40, 240, 12
FEW_VALUES = 6
WORSE_BY = 1.25
"""A slice is told where its mean loss is this many times that of all rows."""
BEYOND_PARTS = 1.1
"""A pair of conditions is told where its mean loss is this many times that of each of the two alone."""
ALIKE = 0.5
MOST_TESTED = 8
RESAMPLES = 1000
SIGNIFICANT = 0.05
OTHERS, OUTSIDE = "all other rows", "outside of all of these"


@dataclass(frozen=True)
class Condition:
    """A fact about one column: in words, and (rows,) where it holds."""

    column: str
    text: str
    rows: Array


@dataclass(frozen=True)
class Slice:
    """Rows that meet one or two conditions. loss, rest: mean loss of its rows and of the others in the half that it was tested
    on; p: that it is no higher, corrected for all that were tested; over_baseline: the model's mean loss minus the baseline's.

    rows: (judged rows,) bool; tested: how many of them the numbers rest on.
    """

    text: str
    rows: Array
    tested: int
    loss: float
    low: float
    high: float
    rest: float
    p: float
    over_baseline: tuple[float, float, float]

    @property
    def worse_than_baseline(self) -> bool:
        return self.over_baseline[1] > 0


def losses(case: Case, prediction: Array) -> Array:
    """(rows,) log loss, or absolute error in the unit of the target."""
    if case.profile.task.is_classification:
        return log_losses(case.truth, prediction)
    return np.abs(prediction - case.truth)


def halves(case: Case) -> tuple[Array, Array]:
    """(rows,) bool: the rows to find slices on, and those to test them on; rows that are drawn together stay together."""
    units = judged_groups(case)
    codes = np.arange(len(case.truth)) if units is None else np.unique(units, return_inverse=True)[1].ravel()
    chosen = np.random.default_rng(case.plan.seed).permutation(int(codes.max()) + 1) % 2 == 0
    first = chosen[codes]
    return first, ~first


def conditions(case: Case) -> list[Condition]:
    """Levels of categories, ranges between quantiles of numbers and dates, and what is missing."""
    columns = [column for column in case.profile.features if column.kind in READABLE and column.name in case.judged.columns]
    columns = sorted(columns, key=lambda column: -(column.association or 0.0))[:MOST_COLUMNS]
    table = tabulate(case.judged, columns)
    found: list[Condition] = []
    for column in columns:
        found += _conditions_of(column, table.columns[column.name])
    return found[:MOST_CONDITIONS]


def _conditions_of(column: ColumnProfile, values: Any) -> list[Condition]:
    name = column.name
    if isinstance(values, Category):
        counts = np.bincount(values.codes[values.codes >= 0], minlength=len(values.levels))
        frequent = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
        levels = [Condition(name, f'{name} is "{values.levels[code]}"', values.codes == code) for code in frequent.tolist()]
        return [*levels, Condition(name, f"{name} is missing", values.codes < 0)]
    if column.kind is Kind.DATETIME:
        missing = values == np.iinfo(np.int64).min
        numbers = np.where(missing, np.nan, values.astype(np.float64))
    else:
        numbers = values.astype(np.float64)
        missing = np.isnan(numbers)
    known = numbers[~missing]
    found = [Condition(name, f"{name} is missing", missing)]
    distinct = np.unique(known)
    if len(distinct) <= FEW_VALUES:
        return [*found, *(Condition(name, f"{name} is {_text(column, value)}", numbers == value) for value in distinct)]
    edges = np.unique(np.quantile(known, [0.1, 0.25, 0.5, 0.75, 0.9], method="lower"))
    for at, edge in enumerate(edges):
        if at <= 1:
            found.append(Condition(name, f"{name} is up to {_text(column, edge)}", numbers <= edge))
        if at >= len(edges) - 2:
            found.append(Condition(name, f"{name} is above {_text(column, edge)}", numbers > edge))
        if at > 0:
            between = (numbers > edges[at - 1]) & (numbers <= edge)
            found.append(Condition(name, f"{name} is above {_text(column, edges[at - 1])}, up to {_text(column, edge)}", between))
    return found


def _text(column: ColumnProfile, value: float) -> str:
    return str(np.datetime64(int(value), "s"))[:10] if column.kind is Kind.DATETIME else f"{value:.6g}"


def weakest(case: Case, found: Sequence[Condition]) -> tuple[list[Slice], int]:
    """The slices that are worse than the rest beyond chance, the worst first, and how many combinations were looked at."""
    loss = losses(case, case.prediction)
    first, second = halves(case)
    candidates, looked = _candidates(found, loss, first)
    earned: list[_Candidate] = []
    for each in candidates:
        told = each.earned(case, loss, first, second)
        if (told.rows & second).sum() >= FEWEST_IN_A_SLICE // 2 and not any(told.repeats(other, first) for other in earned):
            earned.append(told)
    if not earned:
        return [], looked
    tested = _tested(case, [(each.text, each.rows) for each in earned], loss, second)
    kept = [each for each in tested if each.p < SIGNIFICANT and each.loss > each.rest]
    return sorted(kept, key=lambda each: -each.loss), looked


def outside(case: Case, found: Sequence[Slice]) -> Slice | None:
    """The rows outside of all these slices, measured as these are; None where there are none."""
    second = halves(case)[1]
    rows = ~np.any([each.rows for each in found], axis=0)
    if not (rows & second).any():
        return None
    return _tested(case, [(OUTSIDE, rows)], losses(case, case.prediction), second)[0]


@dataclass(frozen=True)
class _Candidate:
    """One condition, or a pair of them, with the rows that meet them; wider: the candidate whose ranges it narrows."""

    conditions: tuple[Condition, ...]
    wider: _Candidate | None = None

    @property
    def text(self) -> str:
        return " and ".join(each.text for each in self.conditions)

    @cached_property
    def rows(self) -> Array:
        return np.asarray(np.all([each.rows for each in self.conditions], axis=0))

    def repeats(self, other: _Candidate, half: Array) -> bool:
        """Whether it is mostly the other's rows, or a wider or narrower range of the same columns."""
        mine, theirs = self.rows[half], other.rows[half]
        alike = (mine & theirs).sum() >= ALIKE * (mine | theirs).sum()
        return bool(alike) or self.narrows(other, half) or other.narrows(self, half)

    def narrows(self, other: _Candidate, half: Array) -> bool:
        """Whether it is some of the other's rows, by a narrower range of the same columns."""
        same = {each.column for each in self.conditions} == {each.column for each in other.conditions}
        return same and not (self.rows & ~other.rows)[half].any()

    def worse_and_narrower(self, other: _Candidate, loss: Array, half: Array) -> bool:
        own, others = (float(loss[each.rows & half].mean()) for each in (self, other))
        return self.narrows(other, half) and own >= BEYOND_PARTS * others

    def earned(self, case: Case, loss: Array, found_on: Array, half: Array) -> _Candidate:
        """The pair where it is worse on that half than each of its conditions alone, as it was where it was found; else the
        condition that was the worse one there. A range in the same way beside the wider one."""
        weight = np.ones(len(loss)) if case.weight is None else np.asarray(case.weight, np.float64)

        def mean(rows: Array, part: Array) -> float:
            return float((weight * loss)[rows & part].sum() / max(float(weight[rows & part].sum()), 1e-300))

        parts = [each.rows for each in self.conditions if len(self.conditions) > 1]
        parts += [] if self.wider is None else [self.wider.rows]
        enough = self.wider is None or (self.rows & half).sum() >= FEWEST_IN_A_SLICE // 2
        if enough and all(mean(self.rows, half) >= BEYOND_PARTS * mean(rows, half) for rows in parts):
            return self
        if self.wider is not None:
            return self.wider.earned(case, loss, found_on, half)
        return _Candidate((max(self.conditions, key=lambda each: mean(each.rows, found_on)),))


def _candidates(found: Sequence[Condition], loss: Array, half: Array) -> tuple[list[_Candidate], int]:
    """The clearest slices on one half: large t, worse by enough, and none that repeats a clearer one."""
    least = max(FEWEST_IN_A_SLICE, FEWEST_SHARE * half.sum())
    usable = [each for each in found if least <= each.rows[half].sum() <= half.sum() - least]
    if not usable:
        return [], 0
    member = np.stack([each.rows[half] for each in usable], axis=1).astype(np.float64)
    value = loss[half]
    rows, mean, clear = _compared(member, value)
    columns = np.asarray([each.column for each in usable], dtype=object)
    allowed = np.triu(columns[:, None] != columns[None, :]) | np.eye(len(usable), dtype=bool)
    allowed &= (rows >= least) & (mean >= WORSE_BY * value.mean())
    alone = np.diag(mean)
    allowed &= (mean >= BEYOND_PARTS * np.maximum(alone[:, None], alone[None, :])) | np.eye(len(usable), dtype=bool)
    chosen: list[_Candidate] = []
    order = np.argsort(-np.where(allowed, clear, -np.inf), axis=None)[: 50 * MOST_TESTED]
    for place in order.tolist():
        one, other = divmod(place, len(usable))
        if not allowed[one, other] or clear[one, other] <= 0:
            break
        candidate = _Candidate((usable[one],) if one == other else (usable[one], usable[other]))
        repeated = [at for at, each in enumerate(chosen) if candidate.repeats(each, half)]
        if not repeated and len(chosen) < MOST_TESTED:
            chosen.append(candidate)
        elif len(repeated) == 1 and candidate.worse_and_narrower(wider := chosen[repeated[0]], loss, half):
            chosen[repeated[0]] = _Candidate(candidate.conditions, wider)
    return chosen, int((np.triu(columns[:, None] != columns[None, :]) | np.eye(len(usable), dtype=bool)).sum())


def _compared(member: Array, loss: Array) -> tuple[Array, Array, Array]:
    """(conditions, conditions) rows, mean loss, and Welch's t against the other rows, of every pair."""
    rows = member.T @ member
    sums, squares = member.T @ (member * loss[:, None]), member.T @ (member * (loss**2)[:, None])
    total, every = float(len(loss)), np.maximum(rows, 1e-300)
    others = np.maximum(total - rows, 1e-300)
    mean, rest = sums / every, (loss.sum() - sums) / others
    spread = np.maximum(squares / every - mean**2, 0.0)
    spread_rest = np.maximum(((loss**2).sum() - squares) / others - rest**2, 0.0)
    error = np.sqrt(spread / every + spread_rest / others)
    return rows, mean, np.divide(mean - rest, error, out=np.zeros_like(mean), where=error > 0)


def _tested(case: Case, candidates: list[tuple[str, Array]], loss: Array, half: Array) -> list[Slice]:
    """The candidates on the rows that they were not found on, by bootstrap."""
    rows = np.flatnonzero(half)
    member = np.stack([each[rows] for _, each in candidates], axis=1).astype(np.float64)
    over = (loss - losses(case, case.baseline))[rows] if len(case.baseline) == len(loss) else np.zeros(len(rows))
    values = np.concatenate([member * loss[rows, None], (1 - member) * loss[rows, None], member * over[:, None]], axis=1)
    count, units = len(candidates), judged_groups(case)
    weight = None if case.weight is None else case.weight[rows]

    def means(counts: Array) -> Array:
        inside, outside = counts @ member, counts @ (1 - member)
        return np.asarray(counts @ values / np.maximum(np.concatenate([inside, outside, inside], axis=1), 1e-300))

    total = int(np.clip(4_000_000 // len(rows), 200, RESAMPLES))
    drawn = count_blocks(len(rows), total, case.plan.seed, None if units is None else units[rows], weight)
    replicates = np.concatenate([means(block) for block in drawn])
    observed = means(np.ones((1, len(rows))) if weight is None else weight[None, :])[0]
    inside, outside, beyond = np.split(replicates, 3, axis=1)
    corrected = holm(((1 + (inside <= outside).sum(axis=0)) / (1 + len(inside))).tolist())
    found = []
    for at, (text, holds) in enumerate(candidates):
        low, high = percentile_interval(inside[:, at])
        found.append(
            Slice(
                text, holds, int(member[:, at].sum()), float(observed[at]), min(low, float(observed[at])),
                max(high, float(observed[at])), float(observed[count + at]), corrected[at],
                (float(observed[2 * count + at]), *percentile_interval(beyond[:, at])),
            )
        )  # fmt: skip
    return found
