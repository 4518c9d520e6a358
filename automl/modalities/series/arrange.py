"""Finds series in wide columns, in long form or, where asked for, in a stream, and makes one row a series of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from automl.core.arranging import (
    SAME_STEP,
    arrange_rows,
    in_time_order,
    places_of,
    times_of,
    windows_of,
)
from automl.core.dataset import Dataset
from automl.core.errors import InputError, nearest
from automl.core.options import Options
from automl.core.parsers import make_parser
from automl.core.predictor import PredictorError

Array = np.ndarray[Any, Any]

COLUMN = "series"
LEAST_STEPS = 8
"""Numbered columns that make a series."""
MOST_OTHER = 0.2
"""Share of the columns that may stand beside the numbered ones."""
SMOOTH = 0.5
"""Neighbouring columns of a series differ less than others do; by this share, or their names say what they are."""
LEAST_ROWS_AN_ID = 4
SAMPLE_ROWS = 300
MISSING = ("", "?", "na", "n/a", "nan", "null", "none", "-")
TIMES = ("step", "time", "timestamp", "datetime", "date", "t", "frame", "seconds", "sec", "ms", "millis", "tick", "time_step")
IDS = ("series_id", "sequence_id", "sample_id", "recording_id", "measurement_id", "segment_id", "trial_id", "id", "series")
TIME_STEMS = frozenset({"t", "time", "step", "ts", "timestep", "time_step"})
LABELS = ("label", "class", "target", "outcome", "response", "activity", "y")
WINDOW_STEPS, LEAST_WINDOWS = (64, 8), 400
"""A window of a stream has at most and at least so many steps, and there shall be about so many windows."""
_NUMBERED = re.compile(r"(.*?)[\s_\-.]*(\d+)")


def arrange(dataset: Dataset, options: Options) -> Dataset | None:
    """The dataset with one row a series in the column "series", or None where it holds none.

    Wide: numbered columns (t0, t1, …; several stems are several channels), at least 8 of them and nearly all columns.
    Long: an id (--id, or found with a time column where the label is the same within each id), a time, channels.
    Windows of a stream: only with --modality series.
    Raises InputError where the form was asked for and cannot be made, or an id has two labels.
    """
    if options.horizon is not None or COLUMN in dataset.frame.columns:
        return None
    if options.id_column is not None:
        arrangement: dict[str, Any] | None = _long(dataset, options)
    else:
        arrangement = _wide(dataset.frame, options) or _found_long(dataset, options)
        if arrangement is None and options.modality == "series":
            arrangement = _windows(dataset, options)
    if arrangement is None:
        return None
    frame = _applied(dataset.frame, arrangement)
    test = None if dataset.test is None else _applied(dataset.test, arrangement)
    return dataclasses.replace(dataset, frame=frame, test=test, reading={**dataset.reading, "arrangement": arrangement})


def _applied(frame: pd.DataFrame, arrangement: dict[str, Any]) -> pd.DataFrame:
    try:
        columns = arrange_rows(frame, arrangement)
    except PredictorError as error:
        raise InputError(str(error)) from None
    # The series comes first: a target that is not named is looked for at the end.
    names = [arrangement["column"], *(name for name in columns if name != arrangement["column"])]
    made = {name: pd.Series(columns[name], dtype=_dtype(frame, name)) for name in names}
    return pd.DataFrame(made)[names]


def _dtype(frame: pd.DataFrame, name: str) -> Any:
    return frame[name].dtype if name in frame.columns else object


# --- wide ------------------------------------------------------------------------------------------------------------


def _wide(frame: pd.DataFrame, options: Options) -> dict[str, Any] | None:
    names = [name for name in frame.columns if name not in (options.target, options.weight, options.group)]
    channels = {stem: run for stem, run in _numbered(names).items() if len(run) >= LEAST_STEPS}
    used = [name for run in channels.values() for name in run]
    others = len(frame.columns) - len(used)
    if not used or others == 0 or others > max(3, MOST_OTHER * len(frame.columns)):
        return None
    head = frame.head(SAMPLE_ROWS)
    parse = number_parse(head[used])
    if parse is None:
        return None
    parser = make_parser(parse)
    if options.modality != "series":
        for stem, run in channels.items():
            rough = roughness(np.stack([parser.column(head[name]) for name in run], axis=1))
            if rough > (0.95 if stem.casefold() in TIME_STEMS else SMOOTH):
                return None
    named = {stem or "value": run for stem, run in channels.items()}
    steps = _counted(max(map(len, named.values())), "step")
    told = f"{len(used):,} numbered columns ({used[0]} … {used[-1]}) are {steps} of {_channels_words(named)}"
    return {"form": "wide", "column": COLUMN, "channels": named, "parse": parse, "told": [told]}


def _numbered(names: Iterable[str]) -> dict[str, list[str]]:
    """Stem to the longest run of columns whose numbers follow one another."""
    places: dict[str, dict[int, str]] = {}
    for name in names:
        if (match := _NUMBERED.fullmatch(str(name))) is not None:
            places.setdefault(match[1], {}).setdefault(int(match[2]), str(name))
    runs = {}
    for stem, numbers in places.items():
        ordered = sorted(numbers)
        breaks = np.flatnonzero(np.diff(ordered) != 1) + 1
        longest = max(np.split(np.asarray(ordered), breaks), key=len)
        runs[stem] = [numbers[int(number)] for number in longest]
    return runs


def roughness(values: Array) -> float:
    """Von Neumann's ratio of (rows, columns): near 1 where the order of the columns says nothing, near 0 for smooth series.

    Columns are standardised first, so that it is not their means and units that make neighbours alike.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.nanstd(values, axis=0) if np.isfinite(values).any() else np.zeros(values.shape[1])
    varying = np.isfinite(spread) & (spread > 0)
    if varying.sum() < LEAST_STEPS:
        return 1.0
    scaled = (values[:, varying] - np.nanmean(values[:, varying], axis=0)) / spread[varying]
    jumps = np.diff(scaled, axis=1) ** 2
    known = np.isfinite(jumps)
    if not known.any():
        return 1.0
    within = np.asarray([np.var(row[np.isfinite(row)]) for row in scaled if np.isfinite(row).any()])
    return float(jumps[known].mean() / max(2.0 * within.mean(), 1e-12))


# --- long ------------------------------------------------------------------------------------------------------------


def _found_long(dataset: Dataset, options: Options) -> dict[str, Any] | None:
    """Long form that says itself: an id by its name, a time column, and a label that is the same within each id."""
    frame = dataset.frame
    folded = {str(name).strip().casefold(): str(name) for name in frame.columns}
    ids = [folded[word] for word in IDS if word in folded]
    if not ids or _time_column(frame, options) is None:
        return None
    identifier = ids[0]
    if identifier == options.target or len(frame) < LEAST_ROWS_AN_ID * frame[identifier].nunique():
        return None
    target = _target(frame, identifier, options)
    if target is None or _two_labels(frame, identifier, target):
        return None
    return _long(dataset, dataclasses.replace(options, id_column=identifier))


def _time_column(frame: pd.DataFrame, options: Options) -> str | None:
    if options.time_column is not None:
        return options.time_column
    folded = {str(name).strip().casefold(): str(name) for name in frame.columns}
    return next((folded[word] for word in TIMES if word in folded and folded[word] != options.target), None)


def _target(frame: pd.DataFrame, identifier: str, options: Options) -> str | None:
    """The target: named, by its name, or the last column, if that is the same within each id."""
    if options.target is not None:
        return options.target if options.target in frame.columns else None
    folded = {str(name).strip().casefold(): str(name) for name in frame.columns}
    found = next((folded[word] for word in LABELS if word in folded), str(frame.columns[-1]))
    return found if found != identifier else None


def _two_labels(frame: pd.DataFrame, identifier: str, target: str) -> list[str]:
    """Ids with more than one label."""
    known = frame[[identifier, target]].dropna()
    known = known[known[target].astype(str) != ""]
    counts = known.groupby(identifier, sort=False)[target].nunique()
    return [str(name) for name in counts.index[counts > 1]]


def _long(dataset: Dataset, options: Options) -> dict[str, Any]:
    frame, identifier = dataset.frame, str(options.id_column)
    if identifier not in frame.columns:
        raise InputError(f'--id: column "{identifier}" is not in {dataset.name}', nearest(identifier, frame.columns))
    target = _target(frame, identifier, options)
    if target is not None and (mixed := _two_labels(frame, identifier, target)):
        listed = ", ".join(f'"{name}"' for name in mixed[:3]) + (f" and {len(mixed) - 3} more" if len(mixed) > 3 else "")
        raise InputError(
            f'the target "{target}" has more than one value within {_counted(len(mixed), "series")} ({listed})',
            "a series has one label; for windows of a stream give --modality series without --id",
        )
    time = _time_column(frame, options)
    fixed = {identifier, time, target, options.weight, options.group}
    candidates = [str(name) for name in frame.columns if name not in fixed]
    varying = [name for name in candidates if _varies_within(frame, identifier, name)]
    head = frame.head(20 * SAMPLE_ROWS)
    channels = [name for name in varying if number_parse(head[[name]]) is not None]
    if not channels:
        raise InputError(f'no column holds numbers that change within "{identifier}"', "each series needs at least one channel")
    arrangement: dict[str, Any] = {
        "form": "long",
        "column": COLUMN,
        "id": identifier,
        "time": time,
        "channels": channels,
        "parse": number_parse(head[channels]) or {"as": "number", "missing": list(MISSING)},
    }
    if time is not None:
        arrangement["time_parse"] = time_parse(frame[time], time)
    if options.time_column is not None:
        arrangement["keep_time"] = True
        _refuse_equal_starts(frame, identifier, options.time_column)
    left_out = [name for name in varying if name not in channels]
    arrangement["told"] = [*_about_times(frame, arrangement), *_about_left_out(left_out)]
    return arrangement


def _refuse_equal_starts(frame: pd.DataFrame, identifier: str, time: str) -> None:
    """A split in time is by the start of each series."""
    if frame.groupby(identifier, sort=False)[time].first().nunique() < 2:
        raise InputError(
            f'--time-column: every series starts at the same "{time}", so later series cannot be told from earlier ones',
            "leave --time-column out, and call the column step or time if it is not found",
        )


def _varies_within(frame: pd.DataFrame, identifier: str, name: str) -> bool:
    return bool((frame.groupby(identifier, sort=False)[name].nunique(dropna=True) > 1).any())


def _about_left_out(names: list[str]) -> list[str]:
    if not names:
        return []
    listed = ", ".join(f'"{name}"' for name in names[:5])
    told = f"{_counted(len(names), 'column')} that change within a series hold no numbers"
    return [f"{told}; only the first value is kept: {listed}"]


def _about_times(frame: pd.DataFrame, arrangement: dict[str, Any]) -> list[str]:
    """Looks at the steps of every series; sets "interval" where they have to be made equal. Returns what was done."""
    names = make_parser({"as": "category"}).column(frame[arrangement["id"]])
    places, times = places_of(names), times_of(frame, arrangement)
    told = [f'{len(frame):,} rows are {_counted(len(places), "series")} by "{arrangement["id"]}"']
    if times is None:
        return [*told, "there is no time column, so the rows of a series are taken in their order"]
    lacking = int((~np.isfinite(times)).sum())
    if lacking:
        told.append(f'{_counted(lacking, "row")} without a readable time in "{arrangement["time"]}" are left out')
    unsorted = repeated = 0
    usual, uneven = [], 0
    for place in places:
        own = times[place][np.isfinite(times[place])]
        unsorted += bool((np.diff(own) < 0).any())
        _, moments = in_time_order(np.zeros((len(place), 1), np.float32), times[place])
        repeated += moments is not None and len(moments) < len(own)
        steps = np.diff(np.sort(own) if moments is None else moments)
        if moments is not None and len(steps):
            usual.append(float(np.median(steps)))
            uneven += bool((np.abs(steps - usual[-1]) > SAME_STEP * usual[-1]).any())
    if unsorted:
        told.append(f"{_counted(unsorted, 'series')} not in the order of time: sorted")
    if repeated:
        told.append(f"{_counted(repeated, 'series')} with several rows of one time: their mean is taken")
    if not usual:
        return told
    interval = float(np.median(usual))
    different = max(usual) > (1 + SAME_STEP) * min(usual)
    if uneven or different:
        arrangement["interval"] = interval
        how = f"brought to equal steps of {interval:g} on straight lines between the points"
        if different:
            told.append(f"series are sampled at different rates (steps of {min(usual):g} to {max(usual):g}): {how}")
        if uneven:
            told.append(f"{_counted(uneven, 'series')} with gaps or uneven steps: {how}")
    return told


# --- windows of a stream -----------------------------------------------------------------------------------------------


def _windows(dataset: Dataset, options: Options) -> dict[str, Any] | None:
    """Windows of a labelled stream: rows in the order of time, or of the file, of each group."""
    frame = dataset.frame
    target = options.target or _target(frame, "", options)
    time = _time_column(frame, options)
    fixed = {time, target, options.weight, options.group, *options.drop}
    head = frame.head(20 * SAMPLE_ROWS)
    channels = [str(name) for name in frame.columns if name not in fixed and number_parse(head[[name]]) is not None]
    if not channels or target is None:
        return None
    labels = frame[target].astype(str).to_numpy()
    starts = np.flatnonzero(np.append(True, labels[1:] != labels[:-1]))
    stretch = float(np.median(np.diff(np.append(starts, len(labels)))))
    most, least = WINDOW_STEPS
    size = int(np.clip(min(stretch, len(frame) / LEAST_WINDOWS), least, most))
    arrangement: dict[str, Any] = {
        "form": "windows",
        "column": COLUMN,
        "size": size,
        "hop": size,
        "time": time,
        "group": options.group,
        "channels": channels,
        "parse": number_parse(head[channels]) or {"as": "number", "missing": list(MISSING)},
        "target": target,
    }
    if time is not None:
        arrangement["time_parse"] = time_parse(frame[time], time)
    count = len(windows_of(len(frame), size, size))
    apart = f'no split divides a "{options.group}"' if options.group else "splits are made between blocks of neighbouring windows"
    arrangement["told"] = [
        f"{len(frame):,} rows of a stream are about {count:,} windows of {size} steps, one after the other; "
        f"a window has the label of its last row, and {apart}"
    ]
    return arrangement


# --- cells -----------------------------------------------------------------------------------------------------------


def number_parse(frame: pd.DataFrame) -> dict[str, Any] | None:
    """The parse step under which nearly all filled cells are numbers, or None."""
    for decimal in (".", ","):
        parse = {"as": "number", "missing": list(MISSING), **({"decimal": decimal} if decimal != "." else {})}
        parser = make_parser(parse)
        if all(_are_numbers(frame[name], parser) for name in frame.columns):
            return parse
    return None


def _are_numbers(values: pd.Series, parser: Any) -> bool:
    kind = values.dtype.kind
    if kind in "Mbiuf":
        return kind in "iuf"
    known = np.isfinite(parser.column(values))
    filled = values.notna().to_numpy() & ~values.astype(str).str.strip().str.casefold().isin(MISSING).to_numpy()
    return bool(known.sum() >= 0.95 * filled.sum())


def time_parse(values: pd.Series, name: str) -> dict[str, Any]:
    """How time stamps are read: as numbers, else as dates. Raises InputError where most are neither."""
    number = {"as": "number", "missing": list(MISSING)}
    if values.dtype.kind != "M" and np.isfinite(make_parser(number).column(values)).mean() > 0.5:
        return number
    parse = {"as": "datetime", "missing": list(MISSING), "formats": ["ISO8601"]}
    known = make_parser(parse).column(values) != np.iinfo(np.int64).min
    if known.mean() > 0.5:
        return parse
    advice = "write times as numbers or as 2024-01-31 12:00:00"
    raise InputError(f'the time column "{name}" holds neither numbers nor ISO dates', advice)


def _counted(count: int, what: str) -> str:
    plural = what if what == "series" or count == 1 else f"{what}s"
    return f"{count:,} {plural}"


def _channels_words(channels: dict[str, list[str]]) -> str:
    return "one channel" if len(channels) == 1 else f"{len(channels)} channels"
