"""Dates in text: which formats, and whether the day or the month comes first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

Array = np.ndarray[Any, Any]
_SAMPLE = 2_000
_ENOUGH = 0.95
_MOST_FORMATS = 6
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_LOOKS = re.compile(
    rf"\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}|\d{{8}}(?:T?\d{{4,6}})?|"
    rf"\d{{1,2}}[-\s./]*{_MONTH}[-\s./,]*\d{{2,4}}|{_MONTH}[-\s.]*\d{{1,2}},?\s*\d{{4}}",
    re.IGNORECASE,
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_MONTH_FIRST = {sign: (f"%m{sign}%d{sign}%Y", f"%m{sign}%d{sign}%y") for sign in "/.-"}
_DAY_FIRST = {sign: (f"%d{sign}%m{sign}%Y", f"%d{sign}%m{sign}%y") for sign in "/.-"}
_NAMED = ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%Y", "%d-%b-%y", "%d%b%Y", "%d. %B %Y")
_YEAR_FIRST = ("%Y/%m/%d", "%Y.%m.%d")
_COMPACT = ("%Y%m%d", "%Y%m%d%H%M%S", "%Y%m%d%H%M")


@dataclass(frozen=True)
class DateText:
    """How the dates of a text column are written. fraction: rows that are dates among those not missing."""

    formats: tuple[str, ...]
    fraction: float
    ambiguous: bool = False


def looks_like_date(text: str) -> bool:
    return _LOOKS.match(text) is not None


def date_text(texts: list[str], counts: Array) -> DateText | None:
    """The formats of a column of these distinct texts (none of them missing), or None where it holds no dates."""
    order = np.linspace(0, len(texts) - 1, min(len(texts), _SAMPLE)).astype(int)
    sample, weight = [texts[position] for position in order], counts[order].astype(np.float64)
    if not sample or weight[[looks_like_date(text) for text in sample]].sum() < _ENOUGH * weight.sum():
        return None
    formats: list[str] = []
    left = np.ones(len(sample), bool)
    ambiguous = False
    while left.any() and len(formats) < _MOST_FORMATS:
        rest = [text for text, open_ in zip(sample, left, strict=True) if open_]
        found = _best_format(rest, weight[left], formats)
        if found is None:
            break
        name, hits, either = found
        formats.append(name)
        ambiguous |= either
        left[np.flatnonzero(left)[hits]] = False
    fraction = float(weight[~left].sum() / weight.sum())
    return DateText(tuple(formats), fraction, ambiguous) if formats and fraction >= _ENOUGH else None


def integer_dates(values: Array) -> bool:
    """Whether whole numbers are calendar dates written as 20141013."""
    if len(values) < 5 or values.min() < 19_000_101 or values.max() > 21_001_231:
        return False
    text = pd.Series(values).astype("int64").astype(str)
    return bool(pd.to_datetime(text, format="%Y%m%d", errors="coerce").notna().all())


def _hits(texts: list[str], name: str) -> Array:
    return np.asarray(pd.to_datetime(pd.Series(texts, dtype=object), format=name, errors="coerce", utc=True).notna())


def _best_format(texts: list[str], weight: Array, taken: list[str]) -> tuple[str, Array, bool] | None:
    """The format that explains most rows; True where day and month could change places."""
    best, best_rows, best_hits = None, 0.0, np.zeros(0, bool)
    scores: dict[str, float] = {}
    for name in _candidates(texts[0] if len(texts) == 1 else "".join(texts[:200]), taken):
        hits = _hits(texts, name)
        scores[name] = float(weight[hits].sum())
        if scores[name] > best_rows:
            best, best_rows, best_hits = name, scores[name], hits
            if hits.all() and _swapped(name) == name:
                break
    if best is None:
        return None
    return best, best_hits, scores.get(_swapped(best), 0.0) == best_rows and _swapped(best) != best


def _swapped(name: str) -> str:
    return name.replace("%m", "\0").replace("%d", "%m").replace("\0", "%d") if not name.startswith("%Y") else name


def _candidates(seen: str, taken: list[str]) -> list[str]:
    """Formats that the characters seen allow; of two that tie, the earlier one wins. A taken order is never swapped."""
    times = _TIMES if ":" in seen else ("",)
    dates: list[str] = list(_YEAR_FIRST)
    for sign in "/.-":
        if sign in seen:
            month_first, day_first = _MONTH_FIRST[sign], _DAY_FIRST[sign]
            dates += [*month_first, *day_first] if sign == "/" else [*day_first, *month_first]
    if re.search(_MONTH, seen, re.IGNORECASE):
        dates += _NAMED
    names = ["ISO8601", *_COMPACT, *(date + time for date in dates for time in times)]
    refused = {_day_order(name) for name in map(_swapped, taken) if _day_order(name)}
    return [name for name in names if name not in taken and _day_order(name) not in refused]


def _day_order(name: str) -> str:
    """ "%m/%d" or "%d/%m" and the like; "" where the order of day and month is not in question."""
    return name[:5] if re.match(r"%[md][/.-]%[md]", name) else ""
