"""Recognises series, completes their column profiles, and says what a split must not divide."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.core.arranging import as_series
from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.profile import ColumnProfile, Kind, Profile, Role
from automl.core.table import Table

Array = np.ndarray[Any, Any]

MOST_STEPS = 1_024
"""Longer series are shortened by means over several steps."""
SLOW_CELLS = 2e6
"""Steps times rows from which one holdout has to do."""
BLOCKS = 40
"""Blocks of neighbouring windows that a stream is split by."""


def sense(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[float, str]:
    """How sure we are that whole series are classified or regressed, and why."""
    features = [column for column in columns if column.role is Role.FEATURE]
    series = [column for column in features if column.kind is Kind.SERIES]
    if not series:
        return 0.0, "there is no column of series"
    arrangement = dataset.reading.get("arrangement", {})
    told = arrangement["told"][0] if arrangement.get("told") else f'every cell of "{series[0].name}" is a series of numbers'
    if len(series) == 1 and arrangement.get("form") == "windows":
        return 0.9, told
    others = [column for column in features if column.kind is not Kind.SERIES and column.name != arrangement.get("time")]
    if len(series) == 1 and not others:
        return 0.9, told
    return 0.7, f"{told}; the columns beside them are not used by this ladder"


def examine(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[ColumnProfile, ...]:
    """The profiles with parse step, lengths and channels of the columns of series.

    Raises InputError where no series holds a number.
    """
    return tuple(_examined(dataset, column) if column.kind is Kind.SERIES else column for column in columns)


def _examined(dataset: Dataset, column: ColumnProfile) -> ColumnProfile:
    series = [as_series(cell) for cell in dataset.frame[column.name].tolist()]
    lengths = np.asarray([len(each) if np.isfinite(each).any() else 0 for each in series])
    if not lengths.any():
        raise InputError(f'no series of "{column.name}" holds a number', "check the delimiter and the decimal sign")
    channels = max(each.shape[1] for each in series)
    every = -(-int(lengths.max()) // MOST_STEPS)
    length = -(-int(lengths.max()) // every)
    names = _channel_names(dataset, channels)
    stacked = np.concatenate([each for each in series if len(each) and each.shape[1] == channels])
    known = np.isfinite(stacked)
    inside = sum(int((~np.isfinite(each)).sum()) for each in series)
    parse = {"as": "series", "length": length, "channels": channels, **({"every": every} if every > 1 else {})}
    unchanging = sum(bool(len(each)) and not (np.nanmax(each, axis=0) > np.nanmin(each, axis=0)).any() for each in _known(series))
    statistics = {
        "length": {"min": int(lengths.min()), "median": float(np.median(lengths)), "max": int(lengths.max())},
        "channels": names,
        "minimum": float(stacked[known].min()),
        "maximum": float(stacked[known].max()),
        "empty": int((lengths == 0).sum()),
        "of_one_point": int((lengths == 1).sum()),
        "unchanging": int(unchanging),
        "missing_inside": inside,
    }
    spread = f"{lengths.min():,} to {lengths.max():,}" if lengths.min() < lengths.max() else f"{lengths.max():,}"
    evidence = f"every cell is a series of {spread} steps" + (f" in {channels} channels" if channels > 1 else "")
    if every > 1:
        evidence += f"; the mean of every {every} steps is used"
    missing = float((lengths == 0).mean())
    return dataclasses.replace(
        column, parse=parse, dtype="float32", evidence=evidence, statistics=statistics, missing_fraction=missing
    )


def _known(series: list[Array]) -> list[Array]:
    """The series without the channels that are missing throughout."""
    kept = [each[:, np.isfinite(each).any(axis=0)] for each in series]
    return [each for each in kept if each.size]


def _channel_names(dataset: Dataset, channels: int) -> list[str]:
    named = [str(name) for name in dataset.reading.get("arrangement", {}).get("channels", ())]
    return named if len(named) == channels else [f"channel {number}" for number in range(1, channels + 1)]


def together(table: Table, profile: Profile) -> Array | None:
    """Copies of a series, and neighbouring windows of a stream: (rows,) numbers of what stays on one side of a split."""
    if profile.arrangement.get("form") == "windows":
        return np.arange(table.rows) * BLOCKS // max(1, table.rows)
    column = next((column for column in profile.features if column.kind is Kind.SERIES), None)
    if column is None:
        return None
    values = np.ascontiguousarray(table.columns[column.name])
    _, groups = np.unique([hash(row.tobytes()) for row in values], return_inverse=True)
    return np.asarray(groups) if groups.max(initial=0) + 1 < table.rows else None


def folds(profile: Profile) -> int | None:
    """One holdout for much data; else the usual number."""
    cells = sum(
        profile.rows * int(column.parse["length"]) * int(column.parse["channels"]) for column in profile.features_of(Kind.SERIES)
    )
    return 1 if cells > SLOW_CELLS else None
