"""Brings rows into the order of series and time, and finds the regular grid that they lie on."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pandas as pd

from automl.core.dataset import Dataset
from automl.core.errors import InputError, nearest
from automl.core.options import Options
from automl.core.panel import DAY_SECONDS, grid_index, grid_seconds
from automl.core.parsers import make_parser
from automl.core.predictor import MISSING_DATE

Array = np.ndarray[Any, Any]

TIME_NAMES = ("date", "datetime", "timestamp", "time", "ds", "day", "week", "month", "quarter", "year", "period", "step", "t")
FORMATS = (
    ("ISO8601",),
    *[
        (f"{day}{clock}",)
        for day in ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%Y%m%d", "%d-%m-%Y")
        for clock in ("", " %H:%M", " %H:%M:%S")
    ],
    ("%b %Y",),
    ("%d %b %Y",),
)
REGULAR_SHARE = 0.98
"""Steps that must be whole multiples of the usual one; fewer, and the time is irregular."""
MOST_REPEATED = 0.1
MOST_LAG, SEASON_EVIDENCE = 400, 0.3
_ZONE = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})$")


def arrange(dataset: Dataset, options: Options) -> Dataset | None:
    """The rows sorted by series and time, one a step, with the facts of the panel under "arrangement" in `reading`.

    None where no --horizon was given. Raises InputError where the rows lie on no regular grid of time, or where the
    series cannot be told apart.
    """
    if options.horizon is None:
        if options.task == "forecast" or options.modality == "forecast":
            raise InputError("a forecast needs to know how many steps ahead", "give --horizon")
        return None
    if options.task not in (None, "forecast"):
        raise InputError(f'--horizon asks for a forecast, and --task for "{options.task}"', "leave one of them out")
    names = [str(name) for name in dataset.frame.columns]
    time = _time_column(dataset.frame, names, options)
    for option, name in (("--id", options.id_column), *(("--known-ahead", name) for name in options.known_ahead)):
        if name is not None and name not in names:
            raise InputError(f'{option}: column "{name}" is not in the data', nearest(name, names))
    seconds, parse, notes = read_times(dataset.frame[time], time)
    ids = _identities(dataset.frame, options.id_column)
    grid, said = find_grid(seconds, ids, parse, time, several_zones=bool(notes))
    frame, dropped, more = _in_order(dataset.frame, seconds, ids, grid, time, options.id_column)
    step = grid_index(seconds, grid)
    series = pd.factorize(ids, sort=True)
    found = {
        "form": "forecast",
        "task": "forecast",
        "time": time,
        "time_parse": parse,
        "id": options.id_column,
        "grid": grid,
        "step": said,
        "seasons": _seasons(dataset.frame, grid, step, series[0], options, names),
        "horizon": int(options.horizon),
        "common_end": _common_end(step, series[0], grid, int(options.horizon)),
        "known": list(options.known_ahead),
        "names": [str(name) for name in series[1]],
        "gaps": _gaps(step, series[0], dropped),
        "length": _longest(step, series[0]),
    }
    if parse["as"] == "datetime":
        found["first"], found["last"] = (
            str(np.datetime64(int(end), "s")).replace("T", " ") for end in (seconds.min(), seconds.max())
        )
    found["notes"] = [*notes, *more, *_gap_note(found), *_short_note(step, series, int(options.horizon))]
    test = None if dataset.test is None else _test_in_order(dataset.test, found)
    return dataclasses.replace(dataset, frame=frame, test=test, reading={**dataset.reading, "arrangement": found})


def _time_column(frame: pd.DataFrame, names: list[str], options: Options) -> str:
    if options.time_column is not None:
        if options.time_column not in names:
            raise InputError(
                f'--time-column: column "{options.time_column}" is not in the data', nearest(options.time_column, names)
            )
        return options.time_column
    folded = {name.casefold(): name for name in reversed(names)}
    for word in TIME_NAMES:
        if word in folded:
            return folded[word]
    raise InputError("a forecast needs a column of times", "name it with --time-column")


def _identities(frame: pd.DataFrame, name: str | None) -> Array:
    if name is None:
        return np.full(len(frame), "", dtype=object)
    ids = make_parser({"as": "category", "missing": []}).column(frame[name])
    missing = np.flatnonzero(ids == "")
    if len(missing):
        raise InputError(f'row {int(missing[0]) + 1:,} has no value in "{name}", which tells the series apart', "fill it in")
    return np.asarray(ids, dtype=object)


def read_times(values: Any, name: str) -> tuple[Array, dict[str, Any], list[str]]:
    """Times (rows,) as epoch seconds or whole numbers, the parse step that reads them so, and what to say aloud.

    Raises InputError where a cell holds no time, or where the column is no time at all.
    """
    sample = values.iloc[: min(len(values), 1000)]
    numbers = make_parser({"as": "number"}).column(sample)
    whole = np.isfinite(numbers).all() and (numbers == np.round(numbers)).all()
    if whole and np.abs(numbers).max() < 1e7:
        every = make_parser({"as": "number"}).column(values)
        _refuse_missing(~np.isfinite(every), values, name)
        return every.astype(np.int64), {"as": "number"}, []
    best, parse = None, {}
    for formats in FORMATS:
        step = {"as": "datetime", "missing": [], "formats": list(formats)}
        missing = int((make_parser(step).column(sample) == MISSING_DATE).sum())
        if best is None or missing < best:
            best, parse = missing, step
        if missing == 0:
            break
    if best is None or best > 0.5 * len(sample):
        raise InputError(f'--time-column: column "{name}" holds neither dates nor whole numbers', "choose another column")
    seconds = make_parser(parse).column(values)
    _refuse_missing(seconds == MISSING_DATE, values, name)
    return seconds, parse, _zone_note(values, name)


def _refuse_missing(missing: Array, values: Any, name: str) -> None:
    rows = np.flatnonzero(missing)
    if len(rows):
        cell = str(values.iloc[int(rows[0])])
        shown = f'"{cell}" is no time' if cell.strip() and cell not in ("nan", "None", "NaT") else "there is no time"
        raise InputError(f'row {int(rows[0]) + 1:,} of "{name}": {shown} ({len(rows):,} such rows)', "mend or remove these rows")


def _zone_note(values: Any, name: str) -> list[str]:
    if values.dtype.kind == "M":
        return []
    zones = {found[0] if (found := _ZONE.search(cell.strip())) else "none" for cell in values.astype(str).unique()}
    zones = {"Z" if zone in ("+00:00", "+0000") else zone for zone in zones}
    if len(zones) < 2:
        return []
    return [f'the times of "{name}" are written in several zones ({", ".join(sorted(zones)[:4])}); all were brought to UTC']


# --- the grid --------------------------------------------------------------------------------------------------------


def find_grid(
    seconds: Array, ids: Array, parse: dict[str, Any], name: str, several_zones: bool = False
) -> tuple[dict[str, Any], str]:
    """The grid that the times lie on, and its step in words. Raises InputError where the steps are irregular.

    several_zones: the times were written with different offsets from UTC, which makes days of local time irregular.
    """
    order = np.lexsort((seconds, pd.factorize(ids)[0]))
    sorted_ids, moments = pd.factorize(ids)[0][order], seconds[order]
    steps = np.diff(moments)[np.diff(sorted_ids) == 0]
    steps = steps[steps > 0]
    if not len(steps):
        raise InputError(f'no two rows of a series have different times in "{name}"', "is it the right --time-column or --id?")
    if parse["as"] == "number":
        size = int(np.gcd.reduce(steps)) if len(np.unique(steps)) < 1000 else 1
        return {"unit": "step", "size": size, "phase": int(moments.min() % size)}, "1" if size == 1 else str(size)
    monthly = _monthly(moments, steps)
    if monthly is not None:
        return monthly
    values, counts = np.unique(steps, return_counts=True)
    size = int(values[counts.argmax()])
    if size == DAY_SECONDS and _weekdays_only(moments):
        return {"unit": "weekday", "size": 1, "phase": 0}, "one working day"
    regular = float(np.mean(steps % size == 0))
    phases, places = np.unique(moments % size, return_counts=True)
    if regular < REGULAR_SHARE or places.max() < REGULAR_SHARE * len(moments):
        raise InputError(
            f'the times of "{name}" are irregular: the usual step is {_span(size)}, but {1 - regular:.0%} of the steps are no '
            "multiple of it",
            "its times have several offsets from UTC: write them all without one, or bring them to a regular step in UTC"
            if several_zones
            else "bring the data to a regular step first (an hour, a day), or name the series with --id",
        )
    return {"unit": "second", "size": size, "phase": int(phases[places.argmax()])}, _span(size)


def _monthly(moments: Array, steps: Array) -> tuple[dict[str, Any], str] | None:
    """Months, quarters or years: every time on the same day of the month, or on its last one, at midnight."""
    if (moments % DAY_SECONDS).any() or np.median(steps) < 27 * DAY_SECONDS:
        return None
    dates = (moments // DAY_SECONDS).astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    day = (dates - months.astype("datetime64[D]")).astype(np.int64)
    last = ((months + 1).astype("datetime64[D]") - dates).astype(np.int64) == 1
    if len(np.unique(day)) > 1 and not last.all():
        return None
    number = months.astype(np.int64)
    gaps = np.diff(np.unique(number))
    size = int(np.gcd.reduce(gaps)) if len(gaps) else 1
    words = {1: "one month", 3: "one quarter", 12: "one year"}
    grid = {"unit": "month", "size": size, "phase": 30 if last.all() and day.max() > 27 else int(day.max())}
    if size > 1 and (number % size).any():
        return None if size not in words else ({**grid, "size": 1}, "one month")
    return grid, words.get(size, f"{size} months")


def _weekdays_only(moments: Array) -> bool:
    day = (moments // DAY_SECONDS + 3) % 7
    return len(moments) >= 15 and not (day >= 5).any() and len(np.unique(day)) == 5


def _span(seconds: int) -> str:
    for size, word in ((7 * DAY_SECONDS, "week"), (DAY_SECONDS, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            count = seconds // size
            return f"one {word}" if count == 1 else f"{count:,} {word}s"
    return f"{seconds:,} seconds"


def _in_order(
    frame: pd.DataFrame, seconds: Array, ids: Array, grid: dict[str, Any], time: str, identity: str | None
) -> tuple[pd.DataFrame, Array, list[str]]:
    """The rows by series and time, of several in one step the last one; which were left out; and what to say."""
    step, code = grid_index(seconds, grid), pd.factorize(ids, sort=True)[0]
    order = np.lexsort((np.arange(len(step)), step, code))
    repeated = np.zeros(len(step), bool)
    same = (np.diff(step[order]) == 0) & (np.diff(code[order]) == 0)
    repeated[order[:-1][same]] = True
    notes = []
    if repeated.mean() > MOST_REPEATED:
        row = int(np.flatnonzero(repeated)[0])
        more = "name the column that tells the series apart with --id" if identity is None else "sum or average them first"
        raise InputError(
            f'{int(repeated.sum()):,} rows have the same "{time}" as another one (row {row + 1:,} is the first)', more
        )
    if repeated.any():
        count = int(repeated.sum())
        notes.append(
            f'{count:,} {"row has" if count == 1 else "rows have"} the same "{time}" as a later row; the later one counts'
        )
    kept = order[~repeated[order]]
    by_series = np.argsort(code, kind="stable")
    if ((np.diff(step[by_series]) < 0) & (np.diff(code[by_series]) == 0)).any():
        notes.append(f'the rows were not in the order of "{time}"; they were sorted')
    off = int((grid_seconds(step, grid) != seconds).sum())
    if off and grid["unit"] == "second":
        notes.append(f'{off:,} times of "{time}" lie between two steps; they count for the step before')
    return frame.iloc[kept].reset_index(drop=True), repeated, notes


def _test_in_order(test: pd.DataFrame, found: dict[str, Any]) -> pd.DataFrame:
    seconds = make_parser(found["time_parse"]).column(test[found["time"]])
    bad = seconds == MISSING_DATE if seconds.dtype.kind == "i" else ~np.isfinite(seconds)
    _refuse_missing(bad, test[found["time"]], found["time"])
    codes = pd.factorize(_identities(test, found["id"]), sort=True)[0]
    return test.iloc[np.lexsort((seconds, codes))].reset_index(drop=True)


def _gaps(step: Array, code: Array, dropped: Array) -> int:
    """Steps between the first and the last row of a series that have no row."""
    kept = ~dropped
    frame = pd.DataFrame({"code": code[kept], "step": step[kept]}).groupby("code")["step"].agg(["min", "max", "count"])
    return int((frame["max"] - frame["min"] + 1 - frame["count"]).sum())


def _longest(step: Array, code: Array) -> int:
    """Steps of the longest series."""
    steps = pd.Series(step).groupby(code)
    return int((steps.max() - steps.min()).max()) + 1


def _gap_note(found: dict[str, Any]) -> list[str]:
    if not found["gaps"]:
        return []
    verb = "step is" if found["gaps"] == 1 else "steps are"
    return [
        f'{found["gaps"]:,} {verb} missing in "{found["time"]}"; where a lag falls on one, the value one season before is taken'
    ]


def _short_note(step: Array, series: tuple[Array, Any], horizon: int) -> list[str]:
    """Series that have no whole window to learn from or to judge."""
    spans = pd.Series(step).groupby(series[0]).agg(["min", "max"])
    short = np.flatnonzero((spans["max"] - spans["min"]).to_numpy() < horizon)
    if not len(short) or len(short) == len(spans):
        return []
    named = ", ".join(f'"{series[1][int(number)]}"' for number in short[:3])
    told = (
        f"{len(short):,} of {len(spans):,} series {'is' if len(short) == 1 else 'are'} no longer than the horizon of {horizon:,}"
    )
    return [
        f"{told} steps ({named}{' and more' if len(short) > 3 else ''}): nothing is learned from them, and they are not judged"
    ]


def _common_end(step: Array, code: Array, grid: dict[str, Any], horizon: int) -> bool:
    """Whether the series stand side by side in one time and (most of them) end together."""
    ends = pd.Series(step).groupby(code).max().to_numpy()
    return bool(len(ends) == 1 or (grid["unit"] != "step" and np.mean(ends > ends.max() - horizon) >= 0.5))


# --- seasons ---------------------------------------------------------------------------------------------------------


def _seasons(
    frame: pd.DataFrame, grid: dict[str, Any], step: Array, code: Array, options: Options, names: list[str]
) -> list[int]:
    """Steps of the seasons that the calendar suggests, the shortest first; counted steps are asked by autocorrelation."""
    longest = _longest(step, code)
    unit, size = grid["unit"], int(grid["size"])
    if unit == "month":
        seasons = [12 // size] if size < 12 and 12 % size == 0 else []
    elif unit == "weekday":
        seasons = [5]
    elif unit == "second":
        spans = (3600, DAY_SECONDS, 7 * DAY_SECONDS) if size < 300 else (DAY_SECONDS, 7 * DAY_SECONDS)
        seasons = [span // size for span in spans if span % size == 0 and 2 <= span // size <= 2000]
        if size == 7 * DAY_SECONDS:
            seasons = [52]
    else:
        target = options.target or next((name for name in names if name.casefold() in ("y", "target", "value")), names[-1])
        seasons = _by_autocorrelation(frame, target, step, code) if target in names else []
    return [season for season in seasons if 2 * season < longest]


def _by_autocorrelation(frame: pd.DataFrame, target: str, step: Array, code: Array) -> list[int]:
    """The lag at which differences of the values repeat themselves the most, taken together over some series."""
    values = make_parser({"as": "number"}).column(frame[target])
    total, seen = np.zeros(MOST_LAG), np.zeros(MOST_LAG)
    for number in np.unique(code)[:: max(1, len(np.unique(code)) // 50)]:
        rows = np.flatnonzero(code == number)
        series = np.diff(values[rows[np.argsort(step[rows])]])
        series = np.nan_to_num(series - np.nanmean(series)) if np.isfinite(series).any() else series[:0]
        spread = float((series**2).sum())
        for lag in range(2, min(MOST_LAG, len(series) // 3)):
            if spread > 0:
                total[lag] += float((series[lag:] * series[:-lag]).sum()) / spread
                seen[lag] += 1
    mean = np.where(seen > 0, total / np.maximum(seen, 1), 0.0)
    peaks = [lag for lag in range(2, MOST_LAG - 1) if mean[lag] >= mean[lag - 1] and mean[lag] >= mean[lag + 1]]
    least = max(SEASON_EVIDENCE, 4.0 / np.sqrt(max(1, len(values))))
    peaks = [lag for lag in peaks if mean[lag] > least]
    if not peaks:
        return []
    highest = max(mean[lag] for lag in peaks)
    first = next(lag for lag in peaks if mean[lag] > 0.8 * highest)
    week = 7 * first
    return [first, week] if week < MOST_LAG and mean[week] > SEASON_EVIDENCE and first > 4 else [first]
