"""Facts and statistics of one cleaned column."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from automl.core.profile import ColumnProfile, Kind, Role
from automl.core.table import Category, Column
from automl.profiling.cells import MISSING_DATE, Cells
from automl.profiling.kinds import Verdict

Array = np.ndarray[Any, Any]
MOST_LEVELS = 100
_HISTOGRAM_BINS = 20
_FLOAT32_STEPS = 1e5
"""Where fewer steps of float32 than this fit into a standard deviation, values that float32 merges matter."""


def clean_column(cells: Cells, verdict: Verdict) -> Column:
    """The column as encoders will see it: float64, int64 seconds, or Category."""
    if verdict.parse["as"] != "category":
        return cells.clean(verdict.parse)
    distinct = Category.from_strings(cells.parsed(verdict.parse))
    return Category(cells.spread(distinct.codes, -1).astype(np.int32), distinct.levels)


def describe(
    cells: Cells, verdict: Verdict, clean: Column, role: Role = Role.FEATURE, reason: str = "", shape: bool = True
) -> ColumnProfile:
    """The profile of a column, its association left out. shape: with a histogram, which very wide tables go without."""
    if isinstance(clean, Category):
        missing = clean.codes < 0
        counts = np.bincount(clean.codes[~missing], minlength=len(clean.levels))
        statistics = {} if verdict.kind is Kind.CONSTANT else level_statistics(clean.levels, counts)
        unique, dtype = int((counts > 0).sum()), "string"
    elif verdict.parse["as"] == "datetime":
        missing = clean == MISSING_DATE
        known, dtype = clean[~missing], "int64"
        statistics = {"first": _iso(known.min()), "last": _iso(known.max())} if len(known) else {}
        unique = len(pd.unique(known))
    else:
        missing = np.isnan(clean)
        known = clean[~missing]
        statistics = number_statistics(known, shape) if len(known) else {}
        dtype = "float64" if needs_float64(known) else "float32"
        unique = len(pd.unique(known))
    return ColumnProfile(
        name=cells.name,
        kind=verdict.kind,
        evidence=verdict.evidence,
        parse=verdict.parse,
        dtype=dtype,
        role=role,
        reason=reason,
        missing_fraction=float(missing.mean()) if len(missing) else 0.0,
        unique=unique,
        statistics=statistics,
    )


def number_statistics(known: Array, shape: bool = True) -> dict[str, Any]:
    """Minimum, maximum, mean, std, median and, with `shape`, histogram of values (none missing)."""
    low, high = float(known.min()), float(known.max())
    scale = max(abs(low), abs(high), 1e-300)
    with np.errstate(over="ignore"):
        mean, std = float(np.mean(known / scale)) * scale, float(np.std(known / scale)) * scale
    statistics = {"minimum": low, "maximum": high, "mean": mean, "std": std, "median": float(np.median(known))}
    if shape and np.isfinite(high - low):
        counts, edges = _histogram(known, low, high)
        statistics["histogram"] = {"edges": edges.tolist(), "counts": counts.tolist()}  # type: ignore[assignment]
    return statistics


def _histogram(known: Array, low: float, high: float) -> tuple[Array, Array]:
    edges = np.linspace(low, high, _HISTOGRAM_BINS + 1)
    if not (np.diff(edges) > 0).all():
        return np.asarray([len(known)]), np.asarray([low, high])
    counts, edges = np.histogram(known, edges)
    return counts, edges


def level_statistics(levels: tuple[str, ...], counts: Array) -> dict[str, Any]:
    order = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    return {"levels": [[levels[at], int(counts[at])] for at in order.tolist() if counts[at]]}


def needs_float64(known: Array) -> bool:
    """Whether float32 would blur differences that the column is made of, as with large identifiers or epoch seconds."""
    if not len(known):
        return False
    largest = float(np.abs(known).max())
    if largest > float(np.finfo(np.float32).max):
        return True
    with np.errstate(over="ignore"):
        if (known.astype(np.float32) == known).all():
            return False
        step = float(np.spacing(np.float32(largest)))
        if step * _FLOAT32_STEPS <= float(np.std(known)):
            return False
        distinct = np.unique(known)
        return len(np.unique(distinct.astype(np.float32))) < 0.999 * len(distinct)


def _iso(seconds: int) -> str:
    days, rest = divmod(int(seconds), 86_400)
    if not -719_162 <= days <= 2_932_896:
        return f"{seconds} s"
    moment = (
        datetime.fromtimestamp(days * 86_400 + rest, UTC)
        if days >= 0
        else datetime.fromordinal(719_163 + days).replace(hour=rest // 3600, minute=rest // 60 % 60, second=rest % 60)
    )
    text = moment.replace(tzinfo=None).isoformat()
    return text.removesuffix("T00:00:00")
