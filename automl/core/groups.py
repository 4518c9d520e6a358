"""Groups of rows: which rows share a value of a column, or of several at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl.core.profile import ColumnProfile, Kind
from automl.core.table import Category, tabulate

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


def grouping(column: ColumnProfile, whole: pd.DataFrame, rows: pd.DataFrame) -> Grouping:
    """The rows by the values of a column: its levels, or the quartiles of a number.

    whole: the data that levels and quartiles are taken from, so that every part of it has the same groups.
    """
    reference = tabulate(whole, [column]).columns[column.name]
    values = tabulate(rows, [column]).columns[column.name]
    if isinstance(reference, Category) and isinstance(values, Category):
        names, codes = _by_level(reference, values)
    else:
        assert not isinstance(reference, Category)
        assert not isinstance(values, Category)
        spelling = whole[column.name] if column.kind is Kind.BOOLEAN else None
        names, codes = _by_number(reference, values, spelling)
    if (codes == len(names)).any() or column.missing_fraction > 0:
        names = (*names, MISSING)
    return Grouping(column.name, names, codes.astype(np.int64))


def _by_level(reference: Category, values: Category) -> tuple[tuple[str, ...], Array]:
    """Names, and codes of which one beyond the last name is missing."""
    counts = np.bincount(reference.codes[reference.codes >= 0], minlength=len(reference.levels))
    kept = np.argsort(-counts, kind="stable")[:MOST_GROUPS]
    names = [reference.levels[position] for position in kept]
    rest = len(reference.levels) > len(names) or bool(set(values.levels) - set(reference.levels))
    places = {name: place for place, name in enumerate(names)}
    names += [OTHER] if rest else []
    of_level = np.asarray([*(places.get(level, len(names) - 1) for level in values.levels), len(names)], np.int64)
    return tuple(names), of_level[values.codes]


def _by_number(reference: Array, values: Array, spelling: pd.Series | None) -> tuple[tuple[str, ...], Array]:
    reference, values = reference.astype(np.float64), values.astype(np.float64)
    levels = np.unique(reference[~np.isnan(reference)])
    if len(levels) <= FEW_VALUES:
        edges = levels[:-1]
        names = tuple(f"{level:g}" if spelling is None else str(spelling[reference == level].iloc[0]) for level in levels)
    else:
        edges = np.unique(np.quantile(reference[~np.isnan(reference)], [0.25, 0.5, 0.75]))
        middle = [f"above {low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
        names = (f"up to {edges[0]:g}", *middle, f"above {edges[-1]:g}")
    codes = np.searchsorted(edges, values, side="left")
    return names, np.where(np.isnan(values), len(names), codes)


def intersection(parts: Sequence[Grouping]) -> Grouping:
    """The rows by several groupings at once: all combinations, also those without a row."""
    shape = [len(part.groups) for part in parts]
    codes = np.ravel_multi_index(tuple(part.codes for part in parts), shape) if len(parts[0].codes) else np.zeros(0, np.int64)
    names = tuple(", ".join(each) for each in itertools.product(*(part.groups for part in parts)))
    return Grouping(" × ".join(part.name for part in parts), names, np.asarray(codes, np.int64), len(parts) > 1)
