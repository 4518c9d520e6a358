"""A raw column as codes into its distinct values, so that every later look costs the distinct values only."""

from __future__ import annotations

import datetime
import decimal
import hashlib
import numbers
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from automl.core.predictor import canonical, parse_column
from automl.core.table import distinct_cells
from automl.profiling.numbers import plain_parse

Array = np.ndarray[Any, Any]
MISSING_DATE = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Cells:
    """The cells of a column.

    codes: (rows,) position in `values`, -1 where there is no cell (None, NaN, NaT).
    values: the distinct values; counts: rows of each. type: text, number, boolean or datetime; or array, where values
        are digests of the arrays.
    declared_category: the frame itself says that these are categories. known: parsed values, kept.
    """

    name: str
    codes: Array
    values: Array
    counts: Array
    type: str
    whole: bool = False
    declared_category: bool = False
    known: dict[str, Array] = field(default_factory=dict, compare=False, repr=False)

    @property
    def rows(self) -> int:
        return len(self.codes)

    @property
    def present(self) -> int:
        """Rows that have a cell at all."""
        return int(self.counts.sum())

    def spread(self, clean: Array, missing: Any) -> Array:
        """Clean distinct values to (rows,) cells."""
        return np.append(clean, np.asarray([missing], dtype=clean.dtype))[self.codes]

    def parsed(self, parse: dict[str, Any]) -> Array:
        """The distinct values after the parse step."""
        if not len(self.values):
            empty = {"number": np.float64, "boolean": np.float64, "datetime": np.int64}.get(parse["as"], object)
            return np.zeros(0, empty)
        key = repr(parse)
        if key not in self.known:
            self.known[key] = np.asarray(parse_column(self.values, parse))
        return self.known[key]

    def clean(self, parse: dict[str, Any]) -> Array:
        """The column after the parse step, (rows,)."""
        missing = {"number": np.nan, "boolean": np.nan, "datetime": MISSING_DATE}.get(parse["as"], "")
        return self.spread(self.parsed(parse), missing)

    def plain_numbers(self) -> Array | None:
        """The distinct texts as finite numbers where every one is written plainly, else None: the quick way."""
        if not all(type(value) is str for value in self.values) or "_" in "".join(self.values):
            return None  # Python takes "_" for a digit separator
        try:
            numbers = self.values.astype(np.float64)
        except ValueError:
            return None
        if not len(numbers) or not np.isfinite(numbers).all():
            return None
        self.known[repr(plain_parse())] = numbers
        return numbers

    def texts(self) -> list[str]:
        """The distinct values as text, white space at the ends taken away."""
        return [value.strip() if isinstance(value, str) else canonical(value) for value in self.values]


def cells_of(series: pd.Series, called: str | None = None, coded: bool = False) -> Cells:
    """What a column of a frame holds. called: its name, where the series goes by another.

    coded: it holds strings, which are categories only because that takes less memory.
    """
    name = str(series.name) if called is None else called
    if coded and (found := distinct_cells(series)) is not None:
        codes, distinct = found
        values = np.asarray(distinct, dtype=object)
        return Cells(name, codes, values, np.bincount(codes[codes >= 0], minlength=len(values)), "text")
    declared = isinstance(series.dtype, pd.CategoricalDtype)
    if declared:
        series = series.astype(series.cat.categories.dtype)
    if isinstance(series.dtype, pd.ArrowDtype):
        series = pd.Series(series.astype(object), name=name).infer_objects()
    if len(series) and isinstance(series.iloc[0], np.ndarray):
        return _cells_of_arrays(name, series)
    if pd.api.types.is_timedelta64_dtype(series.dtype):
        series = series.dt.total_seconds()
    codes, values = _factorized(series)
    kind = _type_of(series, values)
    if kind == "boolean":
        values = np.asarray(values, dtype=bool)
    elif kind == "number":
        values = np.asarray(pd.to_numeric(pd.Series(values)), dtype=None)
    elif kind == "datetime":
        values = np.asarray(pd.to_datetime(pd.Series(values), utc=True).dt.tz_localize(None))
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    return Cells(name, codes, values, counts, kind, kind == "number" and values.dtype.kind in "iu", declared)


def _cells_of_arrays(name: str, series: pd.Series) -> Cells:
    """Cells that are arrays, told apart by their bytes."""
    digests = [hashlib.blake2b(np.ascontiguousarray(cell).tobytes(), digest_size=12).hexdigest() for cell in series]
    codes, values = pd.factorize(np.asarray(digests, dtype=object))
    counts = np.bincount(codes, minlength=len(values))
    return Cells(name, np.asarray(codes, np.int64), np.asarray(values, dtype=object), counts, "array")


def _factorized(series: pd.Series) -> tuple[Array, Array]:
    try:
        codes, values = pd.factorize(series)
    except TypeError:  # a cell holds a list or a dict
        codes, values = pd.factorize(series.map(lambda cell: None if cell is None else str(cell)))
    return np.asarray(codes, np.int64), np.asarray(values, dtype=object) if values.dtype.kind not in "biufMm" else np.asarray(
        values
    )


def _type_of(series: pd.Series, values: Array) -> str:
    """text, number, boolean or datetime."""
    if pd.api.types.is_bool_dtype(series.dtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(series.dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return "datetime"
    if not len(values) or isinstance(values[0], str):
        return "text"
    if all(isinstance(value, bool | np.bool_) for value in values):
        return "boolean"
    if all(isinstance(value, numbers.Real | decimal.Decimal) and not isinstance(value, bool) for value in values):
        return "number"
    return "datetime" if all(isinstance(value, datetime.date) for value in values) else "text"
