"""A panel of series on one regular grid of time, as dense arrays; and the windows that a forecast looks through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Grid = Mapping[str, Any]
"""{"unit": "second" | "weekday" | "month" | "step", "size": units a step, "phase": offset in seconds (second) or days}."""

DAY_SECONDS = 86_400
MOST_PANEL_CELLS = 100_000_000


class PanelError(ValueError):
    """The rows make no panel. The message is one sentence."""


# --- the grid of time ------------------------------------------------------------------------------------------------


def grid_index(seconds: Array, grid: Grid) -> Array:
    """The step of each time, (rows,) int64. seconds: epoch seconds, or the numbers themselves where the unit is "step"."""
    size, phase = int(grid["size"]), int(grid.get("phase", 0))
    seconds = np.asarray(seconds, np.int64)
    if grid["unit"] in ("second", "step"):
        return (seconds - phase) // size
    days = (seconds // DAY_SECONDS).astype("datetime64[D]")
    if grid["unit"] == "month":
        return days.astype("datetime64[M]").astype(np.int64) // size
    return np.busday_count(np.datetime64("1970-01-01"), days).astype(np.int64)


def grid_seconds(index: Array, grid: Grid) -> Array:
    """The time at which each step begins (a month on its day of `phase`): the inverse of `grid_index` on the grid."""
    size, phase = int(grid["size"]), int(grid.get("phase", 0))
    index = np.asarray(index, np.int64)
    if grid["unit"] in ("second", "step"):
        return index * size + phase
    if grid["unit"] == "month":
        first = (index * size).astype("datetime64[M]")
        days = np.minimum(first.astype("datetime64[D]") + phase, (first + 1).astype("datetime64[D]") - np.timedelta64(1, "D"))
        return days.astype(np.int64) * DAY_SECONDS
    return np.busday_offset(np.datetime64("1970-01-01"), index, roll="forward").astype(np.int64) * DAY_SECONDS


CALENDAR = ("minute of the day", "day of the week", "day of the month", "day of the year", "month")


def calendar(seconds: Array) -> Array:
    """(rows, len(CALENDAR)) float64 parts of each time."""
    days = np.asarray(seconds, np.int64) // DAY_SECONDS
    dates = days.astype("datetime64[D]")
    months, years = dates.astype("datetime64[M]"), dates.astype("datetime64[Y]")
    parts = (
        (np.asarray(seconds, np.int64) % DAY_SECONDS) // 60,
        (days + 3) % 7,
        (dates - months.astype("datetime64[D]")).astype(np.int64) + 1,
        (dates - years.astype("datetime64[D]")).astype(np.int64) + 1,
        (months - years.astype("datetime64[M]")).astype(np.int64) + 1,
    )
    return np.stack([np.asarray(part, np.float64) for part in parts], axis=1)


# --- the panel -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Panel:
    """Series side by side: row s is a series, column t a step of the grid.

    first: the grid's step of column 0. values: (series, columns), gaps between two known values filled with the value
    one season before, or the last one; NaN before a series begins. observed: where the value was given.
    known, past: (series, columns, covariates), filled forward; NaN where nothing was ever given before.
    starts, ends: (series,) the columns of the first and the last known value (-1 where a series has none).
    """

    names: tuple[str, ...]
    grid: Grid
    first: int
    values: Array
    observed: Array
    known: Array
    past: Array
    starts: Array
    ends: Array

    @property
    def columns(self) -> int:
        return int(self.values.shape[1])

    def seconds_of(self, columns: Array) -> Array:
        """The time of these columns, also of such beyond the last one."""
        return grid_seconds(self.first + np.asarray(columns, np.int64), self.grid)

    def transformed(self, log: bool) -> Panel:
        """With the logarithm of the values, where that is asked for."""
        if not log:
            return self
        with np.errstate(invalid="ignore", divide="ignore"):
            return replace(self, values=np.log(np.maximum(self.values, 1e-12)))

    def tail(self, columns: int) -> Panel:
        """The last columns before the end of every series, and what comes after it; what is older is NaN."""
        ending = self.ends[self.ends >= 0]
        cut = max(0, int(ending.min(initial=self.columns)) + 1 - columns)
        older = np.arange(cut, self.columns) <= self.ends[:, None] - columns
        return replace(
            self,
            first=self.first + cut,
            values=np.where(older, np.nan, self.values[:, cut:]),
            observed=self.observed[:, cut:],
            known=self.known[:, cut:],
            past=self.past[:, cut:],
            starts=np.where(self.starts >= 0, np.maximum(np.maximum(self.starts, self.ends + 1 - columns) - cut, 0), -1),
            ends=np.where(self.ends >= 0, self.ends - cut, -1),
        )


def make_panel(
    names: tuple[str, ...], grid: Grid, rows: Mapping[str, Array], season: int = 1, first: int | None = None, columns: int = 0
) -> Panel:
    """A panel of rows in any order; of two rows of one series and step the later one counts.

    rows: {"series": (n,) codes into names, "step": (n,) of the grid, "observed": (n,) values with NaN,
    "known": (n, k), "past": (n, p)}. first, columns: cover at least this range of steps.
    Raises PanelError where the range of time is too long to be held.
    """
    series, step = np.asarray(rows["series"], np.int64), np.asarray(rows["step"], np.int64)
    lowest = int(step.min()) if len(step) else 0
    first = lowest if first is None else min(first, lowest)
    width = max(columns, (int(step.max()) - first + 1) if len(step) else 0)
    extra = rows["known"].shape[1] + rows["past"].shape[1] + 1
    if len(names) * width * extra > MOST_PANEL_CELLS:
        raise PanelError(
            f"{len(names):,} series over {width:,} steps are more than can be held; is the step of the time column right?"
        )
    shape = (len(names), width)
    values = np.full(shape, np.nan)
    values[series, step - first] = rows["observed"]
    covariates = {}
    for kind in ("known", "past"):
        cells = np.full((*shape, rows[kind].shape[1]), np.nan)
        cells[series, step - first] = rows[kind]
        covariates[kind] = _carried(cells)
    observed = np.isfinite(values)
    any_known = observed.any(axis=1)
    starts = np.where(any_known, observed.argmax(axis=1), -1)
    ends = np.where(any_known, width - 1 - observed[:, ::-1].argmax(axis=1), -1)
    filled = fill_gaps(values, starts, ends, season)
    return Panel(names, grid, first, filled, observed, covariates["known"], covariates["past"], starts, ends)


def fill_gaps(values: Array, starts: Array, ends: Array, season: int) -> Array:
    """Gaps between a series' first and last value, filled from what came before: one season earlier, or the last value."""
    filled = values.copy()
    columns = np.arange(values.shape[1])
    inside = (columns >= starts[:, None]) & (columns <= ends[:, None]) & (starts[:, None] >= 0)
    for column in np.flatnonzero((inside & np.isnan(values)).any(axis=0)):
        rows = np.flatnonzero(inside[:, column] & np.isnan(filled[:, column]))
        earlier = filled[rows, column - season] if column >= season else np.full(len(rows), np.nan)
        filled[rows, column] = np.where(np.isfinite(earlier), earlier, filled[rows, column - 1])
    return filled


def _carried(cells: Array) -> Array:
    """Missing covariates take the value before them."""
    if cells.size == 0 or np.isfinite(cells).all():
        return cells
    known = np.isfinite(cells)
    last = np.where(known, np.arange(cells.shape[1])[None, :, None], -1)
    last = np.maximum.accumulate(last, axis=1)
    carried = np.take_along_axis(cells, np.maximum(last, 0), axis=1)
    return np.where(last >= 0, carried, np.nan)


def pick(values: Array, series: Array, columns: Array) -> Array:
    """values[series, columns], NaN outside of the panel. The index arrays are broadcast against each other."""
    inside = (columns >= 0) & (columns < values.shape[1])
    found = values[series, np.where(inside, columns, 0)]
    return np.where(inside if values.ndim == 2 else inside[..., None], found, np.nan)


def window(panel: Panel, series: Array, origins: Array, length: int) -> Array:
    """The last `length` values up to each origin, (windows, length), NaN before the series begins.

    series, origins: (windows,). An origin after the series' end is reached by filling the gap as `fill_gaps` does.
    """
    return pick(panel.values, series[:, None], origins[:, None] + np.arange(1 - length, 1))


def extended(panel: Panel, origins: Array, season: int) -> Panel:
    """The panel with the series that end before their origin (series,) carried on to it; -1 leaves a series as it is."""
    if not (origins > panel.ends).any():
        return panel
    ends = np.maximum(panel.ends, np.where(panel.ends >= 0, origins, -1))
    return replace(panel, values=fill_gaps(panel.values, panel.starts, ends, season), ends=ends)


def season_error(values: Array, season: int) -> Array:
    """Mean absolute difference to one season before, for each row of (rows, length); NaN where there is no pair."""
    with np.errstate(invalid="ignore"):
        differences = np.abs(values[:, season:] - values[:, :-season]) if values.shape[1] > season else values[:, :0]
    counts = np.isfinite(differences).sum(axis=1)
    return np.where(counts > 0, np.nansum(differences, axis=1) / np.maximum(counts, 1), np.nan)
