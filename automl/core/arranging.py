"""Series as cells: wide columns, long form or windows of a stream to one row a series. Part of predict.py."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automl.core.predictor import (
    EXTENSIONS,
    MISSING_DATE,
    PARSERS,
    Columns,
    Parse,
    Parser,
    PredictorError,
    header_names,
    make_parser,
    plain_values,
)

SAME_STEP = 0.02
"""Time steps of a series that differ by less than this share of the usual one count as equal."""
MOST_STRETCHED = 4
"""A series is put on a regular grid of at most so many times its own number of points."""


class Series(Parser):
    """Series of numbers: a cell is an array (length,) or (length, channels), a list, or the JSON text of one.

    parse: {"as": "series", "length": L, "channels": C, "every": k}: of k steps the mean is taken, what lies beyond L
    steps is cut off, and after the end of a shorter series stands NaN.
    """

    dtype = np.float32

    def __init__(self, parse: Parse) -> None:
        super().__init__(parse)
        self.length, self.channels, self.every = int(parse["length"]), int(parse["channels"]), int(parse.get("every", 1))

    def value(self, cell: Any, root: str = "") -> Any:
        """(length, channels) float32."""
        fitted = np.full((self.length, self.channels), np.nan, np.float32)
        values = as_series(cell)
        if self.every > 1:
            values = _means(values, self.every)
        known = values[: self.length, : self.channels]
        fitted[: len(known), : known.shape[1]] = known
        return fitted

    def column(self, values: Any, root: str = "") -> Any:
        """(rows, length, channels) float32."""
        cells = values.tolist() if getattr(values, "ndim", 1) == 1 and hasattr(values, "tolist") else list(values)
        return np.stack([self.value(cell) for cell in cells]) if cells else np.zeros((0, self.length, self.channels), np.float32)


def as_series(cell: Any) -> Any:
    """(length, channels) float32 of a cell; (0, 1) where it is no series. Infinite values are missing."""
    if isinstance(cell, str | bytes):
        try:
            cell = json.loads(cell)
        except ValueError:
            cell = None
    try:
        with np.errstate(over="ignore"):
            values = np.asarray([] if cell is None else cell, np.float64).astype(np.float32)
    except (TypeError, ValueError):
        values = np.zeros(0, np.float32)
    if values.ndim not in (1, 2):
        values = np.zeros(0, np.float32) if values.ndim == 0 else values.reshape(len(values), -1)
    values = values[:, None] if values.ndim == 1 else values
    return np.where(np.isfinite(values), values, np.float32(np.nan))


def _means(values: Any, every: int) -> Any:
    """The mean of each `every` steps, missing ones left out: (length / every rounded up, channels)."""
    steps = -(-len(values) // every)
    padded = np.full((steps * every, values.shape[1]), np.nan, np.float32)
    padded[: len(values)] = values
    parts = padded.reshape(steps, every, -1)
    counts = np.isfinite(parts).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, np.nansum(parts, axis=1) / counts, np.nan).astype(np.float32)


def arrange_rows(rows: Any, arrangement: Mapping[str, Any]) -> Any:
    """`rows` with one row a series, in the column arrangement["column"]; rows that are so already stay as they are.

    arrangement: {"form": "wide", "channels": {name: [columns in order]}, "parse"},
        {"form": "long", "id", "time", "time_parse", "keep_time", "interval", "channels": [columns], "parse"} or
        {"form": "windows", "size", "hop", "group", "time", "time_parse", "channels", "parse", "target", "target_parse"}.
    Returns Columns: the series, and every other column by its first cell of each series.
    Raises PredictorError where a column is missing.
    """
    if arrangement["column"] in rows:
        return rows
    rows = _with_plain_names(rows, arrangement)
    form = {"wide": _from_wide, "long": _from_long, "windows": _from_stream}[arrangement["form"]]
    arranged = Columns(form(rows, arrangement))
    arranged.root = getattr(rows, "root", "")
    arranged.notes = tuple(getattr(rows, "notes", ()))
    return arranged


def columns_needed(arrangement: Mapping[str, Any]) -> list[str]:
    """The columns without which the series cannot be made."""
    if arrangement["form"] == "wide":
        return [name for names in arrangement["channels"].values() for name in names]
    others = [arrangement.get(key) for key in ("id", "time", "group")]
    return [*(name for name in others if name), *arrangement["channels"]]


def _with_plain_names(rows: Any, arrangement: Mapping[str, Any]) -> Any:
    wanted = columns_needed(arrangement)
    if all(name in rows for name in wanted):
        return rows
    given = dict(zip(header_names(list(rows)), rows, strict=True))
    lacking = [name for name in wanted if name not in given]
    if lacking:
        further = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        raise PredictorError(f'column "{lacking[0]}"{further} is missing from the new data')
    return Columns({name: rows[original] for name, original in given.items()})


def _from_wide(rows: Any, arrangement: Mapping[str, Any]) -> dict[str, Any]:
    parser = make_parser(arrangement["parse"])
    channels = [[parser.column(rows[name]) for name in names] for names in arrangement["channels"].values()]
    length = max(len(columns) for columns in channels)
    count = len(channels[0][0])
    series = np.full((count, length, len(channels)), np.nan, np.float32)
    with np.errstate(over="ignore"):
        for channel, columns in enumerate(channels):
            series[:, : len(columns), channel] = np.stack(columns, axis=1)
    used = set(columns_needed(arrangement))
    others = {name: _plain_cells(rows[name]) for name in rows if name not in used}
    return {**others, arrangement["column"]: _as_cells([trimmed(each) for each in series])}


def _from_long(rows: Any, arrangement: Mapping[str, Any]) -> dict[str, Any]:
    values = _channels(rows, arrangement)
    names = make_parser({"as": "category"}).column(rows[arrangement["id"]])
    times = times_of(rows, arrangement)
    cells, firsts = [], []
    for place in places_of(names):
        series, moments = in_time_order(values[place], None if times is None else times[place])
        cells.append(trimmed(on_grid(series, moments, arrangement.get("interval"))))
        timed = times is not None and bool(np.isfinite(times[place]).any())
        firsts.append(int(place[np.nanargmin(times[place])] if timed else place[0]))
    used = {*arrangement["channels"], None if arrangement.get("keep_time") else arrangement.get("time")}
    others = {name: _taken(rows[name], firsts) for name in rows if name not in used}
    return {**others, arrangement["column"]: _as_cells(cells)}


def _from_stream(rows: Any, arrangement: Mapping[str, Any]) -> dict[str, Any]:
    values = _channels(rows, arrangement)
    times = times_of(rows, arrangement)
    size, hop = int(arrangement["size"]), int(arrangement["hop"])
    group = arrangement.get("group")
    parts = places_of(make_parser({"as": "category"}).column(rows[group])) if group else [np.arange(len(values))]
    target = arrangement.get("target")
    labels = _plain_cells(rows[target]) if target in rows else None
    cells, ends = [], []
    for place in parts:
        order = place if times is None else place[np.argsort(times[place], kind="stable")]
        for window in windows_of(len(order), size, hop):
            cells.append(values[order[window]])
            ends.append(int(order[window][-1]))
    used = {*arrangement["channels"], target}
    others = {name: _taken(rows[name], ends) for name in rows if name not in used}
    if labels is not None:
        others[str(target)] = [labels[end] for end in ends]
    return {**others, arrangement["column"]: _as_cells(cells)}


def windows_of(length: int, size: int, hop: int) -> list[Any]:
    """Positions of each window of a stream; where it is shorter than a window, the whole stream is one."""
    if length <= size:
        return [np.arange(length)]
    return [np.arange(start, start + size) for start in range(0, length - size + 1, hop)]


def places_of(names: Any) -> list[Any]:
    """The rows of each name, in order; the names by their first row, those without a name left out."""
    _, first, codes = np.unique(names.astype(str), return_index=True, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(codes, minlength=len(first)))[:-1])
    return [parts[number] for number in np.argsort(first) if names[parts[number][0]] != ""]


def times_of(rows: Any, arrangement: Mapping[str, Any]) -> Any:
    """(rows,) float64 time stamps, NaN where missing, or None without a time column."""
    if not arrangement.get("time"):
        return None
    times = make_parser(arrangement["time_parse"]).column(rows[arrangement["time"]])
    if times.dtype.kind == "f":
        return times
    return np.where(times == MISSING_DATE, np.nan, times.astype(np.float64))


def in_time_order(values: Any, times: Any) -> tuple[Any, Any]:
    """Rows sorted by time; those of one moment averaged, those without a time left out where others have one."""
    if times is None or not np.isfinite(times).any():
        return values, None
    known = np.flatnonzero(np.isfinite(times))
    known = known[np.argsort(times[known], kind="stable")]
    values, times = values[known], times[known]
    if (np.diff(times) > 0).all():
        return values, times
    moments, start = np.unique(times, return_index=True)
    if 2 * len(moments) <= len(times):  # a clock too coarse to tell rows apart: seconds for a sensor of 50 Hz
        return values, None
    counts = np.add.reduceat(np.isfinite(values).astype(np.int64), start, axis=0)
    sums = np.add.reduceat(np.nan_to_num(values.astype(np.float64)), start, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, sums / counts, np.nan).astype(np.float32), moments


def on_grid(values: Any, times: Any, interval: float | None) -> Any:
    """The series at equal steps of `interval`, on straight lines between its points; as it is where it has such steps."""
    if interval is None or times is None or len(times) < 2:
        return values
    if (np.abs(np.diff(times) - interval) <= SAME_STEP * interval).all():
        return values
    steps = round(float(times[-1] - times[0]) / interval) + 1
    if steps > MOST_STRETCHED * len(times) + 8:
        return values
    grid = times[0] + interval * np.arange(steps)
    result = np.full((steps, values.shape[1]), np.nan, np.float32)
    for channel in range(values.shape[1]):
        known = np.isfinite(values[:, channel])
        if known.any():
            result[:, channel] = np.interp(grid, times[known], values[known, channel])
    return result


def trimmed(series: Any) -> Any:
    """The series up to its last step with any value."""
    known = np.flatnonzero(np.isfinite(series).any(axis=1))
    return series[: int(known[-1]) + 1 if len(known) else 0]


def _channels(rows: Any, arrangement: Mapping[str, Any]) -> Any:
    """(rows, channels) float32."""
    parser = make_parser(arrangement["parse"])
    with np.errstate(over="ignore"):
        values = np.stack([parser.column(rows[name]) for name in arrangement["channels"]], axis=1).astype(np.float32)
    return np.where(np.isfinite(values), values, np.float32(np.nan))


def _as_cells(series: Sequence[Any]) -> Any:
    cells = np.empty(len(series), dtype=object)
    for position, each in enumerate(series):
        cells[position] = np.ascontiguousarray(each)
    return cells


def _plain_cells(values: Any) -> Any:
    plain = plain_values(values) if str(getattr(values, "dtype", "")) != "category" else list(values)
    return plain if isinstance(plain, np.ndarray) else list(plain)


def _taken(values: Any, positions: list[int]) -> Any:
    cells = _plain_cells(values)
    return cells[positions] if isinstance(cells, np.ndarray) else [cells[position] for position in positions]


PARSERS["series"] = Series
EXTENSIONS["arrange"] = arrange_rows
