"""AML122: the target changes at a date, as where later rows are another selection or their outcome is not yet known."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from automl.core.case import Array, Case, Check
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.core.predictor import encode_target, parse_column
from automl.core.profile import ColumnProfile, Kind, Role
from automl.judge.scoring import not_applicable
from automl.judge.wording import figures_text, number, percent_text, quoted

TITLE = "Target along time"
PARTS, FEWEST_ROWS = 20, 25
"""Stretches of equally many rows, and the rows that each needs."""
LEAST_SHARE, LEAST_DEVIATIONS = 0.25, 0.8
"""What counts as a change: of a class's share, or of a mean in standard deviations (a large effect after Cohen, 1988)."""
ERRORS = 6.0
"""Standard errors of the difference that a change needs besides, as every date is tried."""


@dataclass(frozen=True)
class _Change:
    """at: rows before the change, in order of time; code: the class whose share changes, None for the mean of a value."""

    at: int
    before: float
    after: float
    errors: float
    code: int | None


def run(case: Case) -> list[Finding]:
    profile = case.profile
    dated = [column for column in profile.columns if column.kind is Kind.DATETIME and column.role is not Role.TARGET]
    if not dated:
        return not_applicable("AML122", TITLE, Section.DATA, "No column holds dates, so the target was not followed in time.")
    found = [(column, *ordered) for column in dated if (ordered := _ordered(case, column)) is not None]
    if not found:
        told = "Too few rows have a date and a target for the target to be followed in time."
        return not_applicable("AML122", TITLE, Section.DATA, told)
    changes = [(column, seconds, target, _change(seconds, target, len(profile.classes))) for column, seconds, target in found]
    column, seconds, target, change = max(changes, key=lambda each: _size(each[3], each[2]))
    if change is None or _size(change, target) < 1.0 or change.errors < ERRORS:
        names = ", ".join(f'"{each.name}"' for each in dated)
        sentence = f"What is predicted keeps its level along {names}: no date parts rows that differ much in it."
        return [Finding("AML122", TITLE, Severity.PASSED, Section.DATA, sentence)]
    return [_finding(case, column, seconds, target, change)]


def _ordered(case: Case, column: ColumnProfile) -> tuple[Array, Array] | None:
    """Seconds and targets of the rows that have both, earliest first."""
    profile, frame = case.profile, case.dataset.frame
    if column.name not in frame.columns:
        return None
    described = {"task": str(profile.task), "target_parse": profile.target_parse, "classes": list(profile.classes)}
    target = encode_target(frame[profile.target], described)
    seconds = np.asarray(parse_column(frame[column.name], column.parse))
    known = (target >= 0) if profile.task.is_classification else np.isfinite(target)
    rows = np.flatnonzero(known & (seconds != np.iinfo(np.int64).min))
    if len(rows) < PARTS * FEWEST_ROWS:
        return None
    rows = rows[np.argsort(seconds[rows], kind="stable")]
    return seconds[rows], target[rows]


def _edges(seconds: Array) -> Array:
    """Where a stretch of time ends: positions about as far apart, moved so that rows of one date stay together."""
    wanted = np.linspace(0, len(seconds), PARTS + 1)[1:-1].round().astype(int)
    moved = np.unique(np.searchsorted(seconds, seconds[wanted], side="left"))
    return moved[(moved >= FEWEST_ROWS) & (moved <= len(seconds) - FEWEST_ROWS)]


def _change(seconds: Array, target: Array, classes: int) -> _Change | None:
    """The date and class that part the rows into the two most different stretches: binary segmentation, one step."""
    edges, rows = _edges(seconds), len(target)
    codes: list[int | None] = [None] if not classes else [1] if classes == 2 else list(range(classes))
    found = []
    for code in codes:
        values = target.astype(np.float64) if code is None else (target == code).astype(np.float64)
        sums, squares = np.cumsum(values), np.cumsum(values**2)
        for at in edges.tolist():
            means = sums[at - 1] / at, (sums[-1] - sums[at - 1]) / (rows - at)
            spreads = squares[at - 1] / at - means[0] ** 2, (squares[-1] - squares[at - 1]) / (rows - at) - means[1] ** 2
            error = np.sqrt(max(0.0, spreads[0]) / at + max(0.0, spreads[1]) / (rows - at))
            between = at * (rows - at) / rows**2 * (means[1] - means[0]) ** 2
            errors = abs(means[1] - means[0]) / error if error > 0 else np.inf * (means[0] != means[1])
            found.append((between, _Change(at, float(means[0]), float(means[1]), float(np.nan_to_num(errors, posinf=1e9)), code)))
    return max(found, key=lambda each: each[0])[1] if found else None


def _size(change: _Change | None, target: Array) -> float:
    """The change in units of the least that counts."""
    if change is None:
        return 0.0
    step = abs(change.after - change.before)
    if change.code is not None:
        return step / LEAST_SHARE
    spread = float(np.std(target))
    return step / (LEAST_DEVIATIONS * spread) if spread > 0 else 0.0


def _finding(case: Case, column: ColumnProfile, seconds: Array, target: Array, change: _Change) -> Finding:
    profile, day = case.profile, _day(seconds[change.at])
    if change.code is None:
        what, told = f'the mean of "{profile.target}"', (figures_text(change.before), figures_text(change.after))
    else:
        what, told = f'the share of "{profile.classes[change.code]}"', (percent_text(change.before), percent_text(change.after))
    after = len(target) - change.at
    sentence = (
        f'At {day} of "{column.name}" {what} goes from {told[0]} to {told[1]}: {change.at:,} rows before, {after:,} rows from'
        " then on. The rows may be selected in another way there, or their outcome was not yet known; a model can read the"
        " target from the date, and a split at random does not show it"
    )
    action = "Find out what happened then, and leave the rows out that will not be met"
    if case.plan.split.folds_kind != "time":
        action += f"; or judge on the latest rows: `--time-column {quoted(column.name)}`"
    return Finding(
        code="AML122",
        title=TITLE,
        severity=Severity.ISSUE,
        section=Section.DATA,
        sentence=f"{sentence}.",
        numbers={"before": number(change.before), "after": number(change.after), "rows_before": number(change.at)},
        figures=(_figure(case, column, seconds, target, change),),
        action=f"{action}.",
    )


def _day(seconds: Any) -> str:
    return str(np.datetime64(int(seconds), "s"))[:10]


def _figure(case: Case, column: ColumnProfile, seconds: Array, target: Array, change: _Change) -> Figure:
    values = target.astype(np.float64) if change.code is None else (target == change.code).astype(np.float64)
    bounds = [0, *_edges(seconds).tolist(), len(values)]
    labels, means, lows, highs = [], [], [], []
    for start, end in pairwise(bounds):
        part = values[start:end]
        mean, half = float(part.mean()), 1.96 * float(part.std()) / np.sqrt(len(part))
        labels.append(f"{_day(seconds[start])} to {_day(seconds[end - 1])}")
        means.append(mean)
        lows.append(mean - half if change.code is None else max(0.0, mean - half))
        highs.append(mean + half if change.code is None else min(1.0, mean + half))
    of = f"mean of {case.profile.target}" if change.code is None else f"share of {case.profile.classes[change.code]}"
    how = (
        "Each point is a stretch of time with about as many rows, earliest first, with its 95 % interval; a step from one level"
        " to another says that the rows before and after are not of one kind."
    )
    series = Series(of, tuple(labels), tuple(means), tuple(lows), tuple(highs))
    return Figure("target_in_time", "interval", f"{of[:1].upper()}{of[1:]} along {column.name}", how, (series,), column.name, of)


CHECK = Check("AML122", TITLE, Section.DATA, run, needs_model=False, independent=True)
