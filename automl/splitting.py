"""Sets rows apart: a sealed part that is used once, and folds, by class, by group or in time order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from automl.core.errors import InputError
from automl.core.plan import Split
from automl.core.tasks import Task

Array = np.ndarray[Any, Any]

STRATA = 20
"""Regression targets are dealt out by this many equally filled bins, so that every part sees the whole range."""

HOLDOUT, MOST_HELD_OUT = 0.2, 20_000
"""Share of the rows in the validation part where there is only one fold, and about the most of them."""

SAMPLED_ROWS_OF_A_CLASS = 50
"""A sample has so many rows of every class, as far as there are."""

LEAST_ROWS_OF_A_CLASS = 3
"""Rows of a class rarer than this stay in training: there is nothing to measure on them."""


def without(rows: Array, taken: Array) -> Array:
    """The rows that are not taken, ascending."""
    left = np.zeros(int(max(rows.max(initial=-1), taken.max(initial=-1))) + 1, bool)
    left[rows] = True
    left[taken] = False
    return np.flatnonzero(left)


def sampled(rows: Array, most: int | None, classes: Array | None, seed: int) -> Array:
    """At most about `most` of the rows, ascending, drawn at random. A larger sample of the same seed holds the smaller one.

    classes: (every row,) class codes, of each of which some rows are kept; None for other targets.
    """
    if most is None or len(rows) <= most:
        return rows
    order = np.random.default_rng(seed).permutation(rows)
    chosen = [order[:most]]
    if classes is not None:
        of_row = classes[order]
        chosen += [order[of_row == code][:SAMPLED_ROWS_OF_A_CLASS] for code in np.flatnonzero(np.bincount(of_row))]
    return without(np.concatenate(chosen), np.zeros(0, np.int64))


@dataclass(frozen=True)
class FoldRows:
    """Row positions of one fold: learned from, and predicted. `repeat` counts the shufflings."""

    training: Array
    validation: Array
    repeat: int = 0


@dataclass(frozen=True)
class Splitter:
    """Knows what must stay together and in which order.

    target: (rows,) class codes or values. groups: (rows,) integer group of each row, or None: rows of a group
    are never divided. times: (rows,) sortable, or None: later rows are never used to predict earlier ones.
    """

    task: Task
    target: Array
    groups: Array | None = None
    times: Array | None = None

    def seal(self, fraction: float, seed: int) -> Array:
        """The rows of the sealed part, ascending; none where the fraction is 0."""
        rows = self._measurable(np.arange(len(self.target)))
        if fraction <= 0:
            return np.zeros(0, np.int64)
        if self.times is not None:
            return self._last(rows, fraction)
        parts = max(2, round(1 / fraction))
        return np.sort(rows[self._deal(rows, parts, seed) == 0])

    def folds(self, rows: Array, count: int, repeats: int, seed: int) -> list[FoldRows]:
        """`repeats` x `count` folds over `rows`; in time order each fold is predicted from what came before it.

        One fold is a holdout of a fifth of the rows, but not many more than 20,000, and is not repeated. Fewer folds where
        there are fewer groups. Raises InputError where not even two can be made.
        """
        if count == 1:
            return [self._holdout(rows, seed)]
        if count < 1:
            raise InputError("cross-validation needs at least 2 folds", "give --folds 2 or more")
        if self.times is not None:
            return [fold for repeat in range(repeats) for fold in self._rolling(rows, count, repeat, seed)]
        folds = []
        measurable = self._measurable(rows)
        if self.groups is not None:
            count = min(count, len(np.unique(self.groups[measurable])))
        if count < 2:
            raise InputError("the rows fall into too few groups to be split", "choose another group column, or leave it out")
        for repeat in range(repeats):
            part = self._deal(measurable, count, seed + 7919 * repeat)
            for number in range(count):
                validation = np.sort(measurable[part == number])
                folds.append(FoldRows(without(rows, validation), validation, repeat))
        return folds

    def _holdout(self, rows: Array, seed: int) -> FoldRows:
        """One fold whose validation part is a fifth of the rows or 20,000; in time order about the last of them."""
        held_out = min(HOLDOUT, MOST_HELD_OUT / max(1, len(rows)))
        if self.times is not None:
            share = held_out * np.random.default_rng(seed).uniform(0.8, 1.2)
            validation = self._last(rows, float(share))
        else:
            measurable = self._measurable(rows)
            validation = np.sort(measurable[self._deal(measurable, round(1 / held_out), seed) == 0])
        if not 0 < len(validation) < len(rows):
            raise InputError("the rows fall into too few groups to be split", "choose another group column, or leave it out")
        return FoldRows(without(rows, validation), validation)

    def _measurable(self, rows: Array) -> Array:
        """The rows that may be predicted: those of classes with rows enough."""
        if not self.task.is_classification:
            return rows
        counts = np.bincount(self.target[rows].astype(np.int64))
        return rows[counts[self.target[rows].astype(np.int64)] >= LEAST_ROWS_OF_A_CLASS]

    def _strata(self, rows: Array, parts: int) -> Array:
        if self.task.is_classification:
            return np.asarray(self.target[rows].astype(np.int64))
        bins = max(1, min(STRATA, len(rows) // (2 * parts)))
        return np.asarray(np.argsort(np.argsort(self.target[rows], kind="stable"), kind="stable") * bins // max(1, len(rows)))

    def _deal(self, rows: Array, parts: int, seed: int) -> Array:
        """The part of each row: every class (or range of the target) spread evenly, groups whole."""
        generator = np.random.default_rng(seed)
        strata = self._strata(rows, parts)
        part = np.full(len(rows), -1, np.int64)
        counts = np.zeros((parts, int(strata.max(initial=0)) + 1))
        single = np.ones(len(rows), bool)
        if self.groups is not None:
            _, group, sizes = np.unique(self.groups[rows], return_inverse=True, return_counts=True)
            single = sizes[group] == 1
            self._deal_groups(group, single, strata, counts, part, generator)
        for stratum in range(counts.shape[1]):
            members = np.flatnonzero(single & (strata == stratum))
            fewest_first = np.lexsort((generator.random(parts), counts.sum(axis=1), counts[:, stratum]))
            part[generator.permutation(members)] = np.resize(fewest_first, len(members))
            counts[:, stratum] += np.bincount(part[members], minlength=parts)
        return part

    @staticmethod
    def _deal_groups(
        group: Array, single: Array, strata: Array, counts: Array, part: Array, generator: np.random.Generator
    ) -> None:
        """Groups of several rows, largest first, each to the part that most lacks the strata of its rows."""
        members: dict[int, list[int]] = {}
        for position in np.flatnonzero(~single).tolist():
            members.setdefault(int(group[position]), []).append(position)
        names, whole = list(members), np.maximum(np.bincount(strata, minlength=counts.shape[1]) / len(counts), 1.0).tolist()
        order = [names[number] for number in generator.permutation(len(names)).tolist()]
        stratum, filled, sizes = strata.tolist(), counts.tolist(), counts.sum(axis=1).tolist()
        for name in sorted(order, key=lambda name: -len(members[name])):
            rows = members[name]
            added = Counter(map(stratum.__getitem__, rows))
            shares = [(each, count, count / (len(rows) * whole[each])) for each, count in added.items()]
            fullness = [sum((has[each] + count) * share for each, count, share in shares) for has in filled]
            chosen = min(range(len(filled)), key=lambda number: (fullness[number], sizes[number]))
            for each, count in added.items():
                filled[chosen][each] += count
            sizes[chosen] += len(rows)
            part[rows] = chosen
        counts[:] = filled

    def _last(self, rows: Array, fraction: float) -> Array:
        assert self.times is not None
        ordered = rows[np.argsort(self.times[rows], kind="stable")]
        cut = self._between_times(ordered, round(len(ordered) * (1 - fraction)))
        return np.sort(ordered[cut:])

    def _between_times(self, ordered: Array, cut: int) -> int:
        """The cut moved forward so that equal times stay on one side."""
        assert self.times is not None
        while 0 < cut < len(ordered) and self.times[ordered[cut]] == self.times[ordered[cut - 1]]:
            cut += 1
        return cut

    def _rolling(self, rows: Array, count: int, repeat: int, seed: int) -> list[FoldRows]:
        """Expanding windows. Other seeds and repeats shift the cuts, so that fresh folds are other folds."""
        assert self.times is not None
        ordered = rows[np.argsort(self.times[rows], kind="stable")]
        shift = np.random.default_rng([seed, repeat]).uniform(0.0, 0.5)
        edges = [self._between_times(ordered, round(len(ordered) * (step + shift) / (count + 1))) for step in range(1, count + 2)]
        edges[-1] = len(ordered)
        folds = [
            FoldRows(np.sort(ordered[:start]), np.sort(ordered[start:end]), repeat)
            for start, end in pairwise(edges)
            if 0 < start < end
        ]
        if len(folds) < 2:
            raise InputError("the time column has too few different times to split by", "leave --time-column out")
        return folds


def plan_folds(split: Split, target: Array, task: Task) -> int:
    """Folds that the rows support: the plan's, fewer where the smallest measurable class has fewer rows."""
    if split.folds == 1:
        return 1
    if not task.is_classification:
        return max(2, min(split.folds, len(target) // 2))
    counts = np.bincount(target.astype(np.int64))
    measurable = counts[counts >= LEAST_ROWS_OF_A_CLASS]
    if len(measurable) < 2:
        raise InputError(
            f"at least two classes need {LEAST_ROWS_OF_A_CLASS} rows each; here {len(measurable)} has",
            "add rows, or join rare classes",
        )
    return int(max(2, min(split.folds, measurable.min())))


Seeded = Callable[[str], int]


def seeds(seed: int) -> Seeded:
    """Independent seeds by purpose, all from the seed of the run."""

    def of(purpose: str) -> int:
        words = [seed & 0xFFFFFFFF, *purpose.encode()]
        return int(np.random.SeedSequence(words).generate_state(1)[0] & 0x7FFFFFFF)

    return of


ORIGINS = 3
"""Origins of the search folds of a forecast."""
SEALED_SHARE, MOST_SEALED = 0.15, 20_000
MOST_SEALED_SHARE = 0.3


def sealed_windows(arrangement: dict[str, Any]) -> tuple[float, int]:
    """The share of the steps at the end of a panel that is sealed, and how many windows of the horizon that is."""
    horizon, many = int(arrangement["horizon"]), len(arrangement["names"])
    length = max(1, int(arrangement["length"]))
    most = max(1, min(MOST_SEALED // max(1, horizon * many), int(MOST_SEALED_SHARE * length / horizon)))
    windows = int(np.clip(round(SEALED_SHARE * length / horizon), 1, most))
    return round(min(0.5, windows * horizon / length), 4), windows


def split_of_forecast(arrangement: dict[str, Any], folds: int | None) -> Split:
    """Rolling origins, the last windows sealed."""
    share, windows = sealed_windows(arrangement)
    horizon = int(arrangement["horizon"])
    reason = (
        f"rolling origins: a forecast is judged on the {horizon:,} steps after an origin, and nothing after the origin is "
        f"looked at; the last {windows:,} {'window is' if windows == 1 else 'windows are'} sealed; search and decisions use "
        "other origins"
    )
    return Split("time", share, folds or ORIGINS, str(arrangement["time"]), False, reason)
