"""Groups of rows: which rows share a value of a column, or of several at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl.core.profile import ColumnProfile, Kind
from automl.core.table import Category, Column, tabulate

Array = np.ndarray[Any, Any]
MOST_GROUPS = 12
"""Levels of a column beyond this many become one group."""
FEW_VALUES = 6
"""Numbers with at most this many values are groups as they are; others are cut at their quartiles."""
OTHER, MISSING = "other", "missing"
CAN_BE_GROUPED = (Kind.CATEGORY, Kind.BOOLEAN, Kind.NUMBER)


@dataclass(frozen=True)
class Grouping:
    """Rows in groups. name: of the column (or columns); groups: their names; codes: (rows,) the group of each row.

    joint: made of several columns.
    """

    name: str
    groups: tuple[str, ...]
    codes: Array
    joint: bool = False

    def label(self, code: int) -> str:
        """The group as it is told beside groups of other columns: `sex: Male`, but `Male, Black` of two columns."""
        return self.groups[code] if self.joint else f"{self.name}: {self.groups[code]}"

    @property
    def sizes(self) -> Array:
        """(groups,) rows of each group."""
        return np.bincount(self.codes, minlength=len(self.groups))


@dataclass(frozen=True)
class GroupColumn:
    """How the clean values of a column are told apart: by level, or by the range between two edges.

    groups: names of the levels, or of the ranges; edges: the upper ends of all ranges but the last, None where levels are told.
    """

    name: str
    groups: tuple[str, ...]
    edges: tuple[float, ...] | None = None

    def codes(self, values: Column) -> Array:
        """(rows,) the group of each; len(groups) where the level is none of them, one more where it is missing."""
        count = len(self.groups)
        if isinstance(values, Category):
            places = {name: place for place, name in enumerate(self.groups)}
            of_level = np.asarray([*(places.get(level, count) for level in values.levels), count + 1], np.int64)
            return np.asarray(of_level[values.codes])
        numbers = values.astype(np.float64)
        return np.where(np.isnan(numbers), count + 1, np.searchsorted(self.edges or (), numbers, side="left"))


def group_column(column: ColumnProfile, whole: pd.DataFrame) -> GroupColumn:
    """The most frequent levels of a column, the values of a number that has few, or its quartiles, as `whole` has them."""
    reference = tabulate(whole, [column]).columns[column.name]
    if isinstance(reference, Category):
        counts = np.bincount(reference.codes[reference.codes >= 0], minlength=len(reference.levels))
        kept = np.argsort(-counts, kind="stable")[:MOST_GROUPS]
        return GroupColumn(column.name, tuple(reference.levels[position] for position in kept))
    numbers = reference.astype(np.float64)
    levels = np.unique(numbers[~np.isnan(numbers)])
    if len(levels) <= FEW_VALUES:
        edges = levels[:-1]
        spelling = whole[column.name] if column.kind is Kind.BOOLEAN else None
        names = tuple(f"{level:g}" if spelling is None else str(spelling[numbers == level].iloc[0]) for level in levels)
    else:
        edges = np.unique(np.quantile(numbers[~np.isnan(numbers)], [0.25, 0.5, 0.75]))
        middle = [f"above {low:g}, up to {high:g}" for low, high in itertools.pairwise(edges)]
        names = (f"up to {edges[0]:g}", *middle, f"above {edges[-1]:g}")
    return GroupColumn(column.name, names, tuple(edges.tolist()))


def grouping(column: ColumnProfile, whole: pd.DataFrame, rows: pd.DataFrame) -> Grouping:
    """The rows by the values of a column: its levels, or the quartiles of a number.

    whole: the data that levels and quartiles are taken from, so that every part of it has the same groups.
    """
    told = group_column(column, whole)
    codes = told.codes(tabulate(rows, [column]).columns[column.name])
    names, count = told.groups, len(told.groups)
    reference = tabulate(whole, [column]).columns[column.name]
    if (codes == count).any() or (isinstance(reference, Category) and len(reference.levels) > count):
        names = (*names, OTHER)
    missing = codes == count + 1
    codes = np.where(missing, len(names), codes)
    if missing.any() or column.missing_fraction > 0:
        names = (*names, MISSING)
    return Grouping(column.name, names, codes.astype(np.int64))


def intersection(parts: Sequence[Grouping]) -> Grouping:
    """The rows by several groupings at once: all combinations, also those without a row."""
    shape = [len(part.groups) for part in parts]
    codes = np.ravel_multi_index(tuple(part.codes for part in parts), shape) if len(parts[0].codes) else np.zeros(0, np.int64)
    names = tuple(", ".join(each) for each in itertools.product(*(part.groups for part in parts)))
    return Grouping(" × ".join(part.name for part in parts), names, np.asarray(codes, np.int64), len(parts) > 1)
