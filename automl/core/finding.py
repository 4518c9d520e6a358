"""Finding: one judged fact, with its numbers, its evidence and what to do about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """From what ends a run to what does not apply."""

    STOP = "stop"
    ISSUE = "issue"
    TIP = "tip"
    PASSED = "passed"
    NOT_RUN = "not run"
    """It applies, but there was no time for it."""
    NOT_APPLICABLE = "not applicable"


class Section(StrEnum):
    """Where the report shows a finding, in the order of a decision-maker."""

    SCORES = "scores"
    TRUST = "trust"
    FAILURES = "failures"
    WHY = "why"
    CHOICE = "choice"
    DATA = "data"
    DEPLOY = "deploy"


@dataclass(frozen=True)
class Number:
    """A number with its interval (95 % unless `level` says otherwise), in the unit named."""

    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    level: float = 0.95


def decimals_for(value: float | None, low: float | None = None, high: float | None = None, unit: str = "") -> int:
    """Decimals that a value and the ends of its interval are shown with, in sentences and tables alike.

    Three significant digits of the largest of the three; a pure number between 0.01 and 10 has three decimals. One more
    and more where the ends of the interval would fall together, up to five digits.
    """
    known = [abs(each) for each in (value, low, high) if each is not None and math.isfinite(each) and each != 0]
    if not known:
        return 0 if unit else 3
    largest = max(known)
    size = math.floor(math.log10(largest))
    decimals = 3 if not unit and 0.01 <= largest < 10 else 2 - size
    if low is not None and high is not None and math.isfinite(high - low) and high > low:
        decimals = max(decimals, min(math.ceil(-math.log10(high - low)), 4 - size))
    return max(0, min(6, decimals))


@dataclass(frozen=True)
class Series:
    """One line, set of bars or row of a matrix. `low` and `high` are its interval, `counts` the rows behind each point.

    faint: points that rest on too few rows; an "interval" figure draws them pale.
    """

    name: str
    x: tuple[Any, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    counts: tuple[int, ...] = ()
    faint: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A chart as data; report/svg.py draws it and its table.

    kind: "line" (numeric x and y, optional band), "scatter", "bar" (x are labels), "interval" (labels with
        value, low, high), "histogram" (x are the bin edges: one more than y), "matrix" (a series a row:
        name is the actual class, x the predicted classes, y the counts); "forecast" (lines with their bands);
        "beeswarm" (a series a column: y what it adds to the prediction of a row, x its rank from 0 to 1, None without order);
        "waterfall" (one series: the first y is where it starts, the others are added to it); "dependence" (the mean
        curve, then curves of single rows);
        "images" (a series a picture: name is the caption, x one PNG as a data URI), "marked_text" (a series a text: x
        the pieces, y the weight of each from -1 to 1), "marked_line" (a series a curve: low is the weight of each
        point from 0 to 1, drawn behind it).
    reference: "diagonal" (y = x), "zero" (y = 0) or "".
    """

    name: str
    kind: str
    title: str
    how_to_read: str
    series: tuple[Series, ...]
    x_label: str = ""
    y_label: str = ""
    reference: str = ""


@dataclass(frozen=True)
class Finding:
    """One judged fact.

    code: stable, such as "AML101"; about: "evaluated", "shipped" or "data": what the fact is true of.
    sentence: one sentence that stands alone; action: what to do, with a command where there is one.
    table: {"columns": [...], "rows": [[...], ...]} where the evidence is rows rather than a figure.
    """

    code: str
    title: str
    severity: Severity
    section: Section
    sentence: str
    about: str = "data"
    numbers: dict[str, Number] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    table: dict[str, Any] = field(default_factory=dict)
    action: str = ""
