"""Clean columns, ready for encoders: what the parse steps make of a raw frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from automl.core.parsers import Parser, make_parser
from automl.core.profile import ColumnProfile

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Category:
    """Strings as codes: codes (rows,) int32 into `levels`, -1 where missing. Levels are sorted."""

    codes: Array
    levels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Array) -> Category:
        return Category(self.codes[rows], self.levels)

    def strings(self) -> Array:
        """The strings themselves, "" where missing: (rows,) object."""
        return np.asarray([*self.levels, ""], dtype=object)[self.codes]

    @classmethod
    def from_strings(cls, values: Array) -> Category:
        """From an object array of strings in which "" means missing."""
        codes, levels = pd.factorize(np.asarray(values, dtype=object), sort=False)
        names = [str(level) for level in levels]
        order = np.argsort(np.asarray(names, dtype=object)) if names else np.zeros(0, np.int64)
        rank = np.empty(len(names) + 1, np.int64)
        rank[order] = np.arange(len(names))
        rank[-1] = -1
        ranked = rank[codes].astype(np.int32)
        ordered = [names[position] for position in order]
        if ordered and ordered[0] == "":
            return cls(ranked - (ranked >= 0).astype(np.int32), tuple(ordered[1:]))
        return cls(ranked, tuple(ordered))


Column = Array | Category
"""number, boolean: float32 with NaN, or float64 where float32 would blur it; category, text: Category;
datetime: int64 epoch seconds, smallest int64 missing;
image: uint8 (rows, height, width, channels); audio: float32 (rows, samples); series: float32 (rows, length, channels)."""


@dataclass(frozen=True)
class Table:
    """Clean columns of equal length.

    problems: {column: {row position: why its cell could not be read}} of columns of files.
    names: {column: (rows,) object array of the cells as they came}, of columns of files; a saved table forgets them.
    """

    columns: Mapping[str, Column]
    rows: int
    problems: Mapping[str, Mapping[int, str]] = field(default_factory=dict, compare=False)
    names: Mapping[str, Array] = field(default_factory=dict, compare=False, repr=False)

    def take(self, rows: Array) -> Table:
        return Table(
            {name: column.take(rows) if isinstance(column, Category) else column[rows] for name, column in self.columns.items()},
            len(rows),
            names={name: cells[rows] for name, cells in self.names.items()},
        )


def tabulate(frame: pd.DataFrame, columns: Iterable[ColumnProfile], root: str = "") -> Table:
    """Run each column's parse step. Columns that the frame lacks are an error of the caller.

    root: the folder that relative paths in cells refer to.
    """
    clean: dict[str, Column] = {}
    problems: dict[str, dict[int, str]] = {}
    names: dict[str, Array] = {}
    parsers: dict[str, Parser] = {}
    for column in columns:
        step = repr(column.parse)
        if step not in parsers:
            parsers[step] = make_parser(column.parse)
        parser = parsers[step]
        if not parser.takes_files:
            clean[column.name] = _cleaned(frame[column.name], parser, column)
            continue
        values = parser.column(frame[column.name], root)
        problems |= {column.name: dict(parser.problems)} if parser.problems else {}
        names[column.name] = np.asarray([cell if isinstance(cell, str) else "" for cell in frame[column.name]], dtype=object)
        clean[column.name] = Category.from_strings(values) if column.dtype == "string" else values
    return Table(clean, len(frame), problems, names)


def distinct_cells(cells: pd.Series) -> tuple[Array, pd.Series] | None:
    """(places, distinct): what each row holds of the distinct cells, -1 where it is missing; None where that costs too much.

    For columns of strings, and for categories, of which only those that are there count.
    """
    if isinstance(cells.dtype, pd.StringDtype):
        places, distinct = pd.factorize(cells)
        return places, pd.Series(distinct)
    if not isinstance(cells.dtype, pd.CategoricalDtype):
        return None
    places = np.asarray(cells.cat.codes, np.int64)
    used = np.bincount(places[places >= 0], minlength=len(cells.cat.categories)) > 0
    moved = np.append(np.cumsum(used) - 1, -1)
    return moved[places], pd.Series(cells.cat.categories[used])


def _cleaned(cells: pd.Series, parser: Parser, column: ColumnProfile) -> Column:
    """The column after its parse step; of strings only the distinct ones are parsed."""
    places = None
    if (found := distinct_cells(cells)) is not None:
        places, cells = found
    values = parser.column(cells)
    if column.dtype == "string":
        levels = Category.from_strings(values)
        return levels if places is None else Category(np.append(levels.codes, np.int32(-1))[places], levels.levels)
    if column.dtype == "float32" and values.dtype == np.float64:
        values = _as_float32(values)
    if places is None or values.ndim > 1:
        return values if places is None else values[places]
    return np.append(values, np.asarray([parser.missing_value], values.dtype))[places]


def _as_float32(values: Array) -> Array:
    """What float32 cannot hold is missing, as it is to a model's graph."""
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    narrow[np.isinf(narrow)] = np.nan
    return narrow
