"""Single rows as examples: what is in them, what was predicted, and which of their values the prediction rests on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Array, Case
from automl.core.profile import ColumnProfile, Kind
from automl.judge.bootstrap import HURRY_SECONDS
from automl.judge.wording import figures_text

MOST_COLUMNS = 8
MOST_CHARACTERS = 60
MOST_EXPLAINED = 60
"""With more features than this no reasons are looked for: every one costs a prediction for each row."""
REASONS = 2
LEAST_EFFECT = 0.01
"""Effects below this, in probability or in standard deviations of the target, are not told."""
_PLAIN = (Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY, Kind.DATETIME)


def class_name(case: Case, code: int) -> str:
    return case.profile.classes[code] if code < len(case.profile.classes) else str(code)


def table_of_rows(case: Case, rows: Array) -> dict[str, Any]:
    """The judged rows at these positions: truth, prediction, the reasons where they can be told, and their strongest columns."""
    features = [column for column in case.profile.features if column.name in case.judged.columns and column.kind is not Kind.TEXT]
    features = sorted(features, key=lambda column: -(column.association or 0.0))
    classification = case.profile.task.is_classification
    why = reasons(case, rows)
    given = case.called if classification else case.prediction
    features = features[: MOST_COLUMNS - 2 * bool(why)]
    lines = []
    for at, position in enumerate(rows.tolist()):
        line: list[Any] = [case.row_number(position)]
        if classification:
            called = int(given[position])
            truth = class_name(case, int(case.truth[position]))
            line += [truth, class_name(case, called), float(case.prediction[position, called])]
        else:
            actual, predicted = float(case.truth[position]), float(case.prediction[position])
            line += [actual, predicted, predicted - actual]
        line += [why[at]] if why else []
        lines.append(line + [_cell(case.judged[column.name].iloc[position]) for column in features])
    third = "probability" if classification else "error"
    columns = ["row", "actual", "predicted", third, *[heading(case)] * bool(why), *(column.name for column in features)]
    return {"columns": columns, "rows": lines}


def heading(case: Case) -> str:
    """What the column of reasons shows. One column is replaced at a time, which Shapley values (AML504) do not do."""
    if case.profile.task.is_classification:
        return "probability of the predicted class lost with the usual value of the column, in points"
    return f"what the value changes against the usual value of the column, in {case.profile.target}"


def reasons(case: Case, rows: Array) -> list[str]:
    """For each row the values that its prediction rests on most: what changes when one is replaced by the usual value.

    The usual value is the median, or the most frequent level, of the judged rows; the effect is that on the probability of the
    predicted class, in points, or on the predicted value. Values that speak for another class are no reasons. Empty where the
    rows are no plain table, or there is no time.
    """
    columns = [column for column in case.profile.features if column.kind in _PLAIN and column.name in case.judged.columns]
    plain = case.profile.modality == "tabular" and 0 < len(columns) <= MOST_EXPLAINED
    if not plain or case.predict is None or not len(rows) or case.deadline.lacks(HURRY_SECONDS):
        return []
    wide = len(columns) + 1
    frame = case.judged.iloc[np.repeat(rows, wide)].reset_index(drop=True)
    for at, column in enumerate(columns):
        replaced = np.arange(len(rows)) * wide + at + 1
        values = frame[column.name].to_numpy(dtype=object, copy=True)
        values[replaced] = _usual(case.judged[column.name], column)
        frame[column.name] = pd.Series(values, index=frame.index).astype(case.judged[column.name].dtype)
    predicted = np.asarray(case.predict(frame), np.float64)
    if case.profile.task.is_classification:
        of = case.called[rows].repeat(wide)
        predicted = predicted[np.arange(len(predicted)), of]
    predicted = predicted.reshape(len(rows), wide)
    effect = predicted[:, :1] - predicted[:, 1:]  # (rows, columns)
    return [_told(case, columns, position, effect[at]) for at, position in enumerate(rows.tolist())]


def _usual(values: pd.Series, column: ColumnProfile) -> Any:
    """A raw cell that reads as the median, or the most frequent one."""
    known = values[values.notna()]
    if not len(known):
        return values.iloc[0]
    if column.kind in (Kind.NUMBER, Kind.DATETIME):
        from automl.core.predictor import parse_column

        numbers = np.asarray(parse_column(known, column.parse), np.float64)
        order = np.flatnonzero(np.isfinite(numbers))
        if len(order):
            return known.iloc[int(order[np.argsort(numbers[order], kind="stable")[(len(order) - 1) // 2]])]
    return known.mode().iloc[0]


def _told(case: Case, columns: list[ColumnProfile], position: int, effect: Array) -> str:
    classification = case.profile.task.is_classification
    least = max(1e-12, LEAST_EFFECT * (1.0 if classification else float(np.std(case.truth))))
    size = effect if classification else np.abs(effect)
    order = [at for at in np.argsort(-size, kind="stable")[:REASONS].tolist() if size[at] >= least]
    parts = []
    for at in order:
        cell = case.judged[columns[at].name].iloc[position]
        value = figures_text(cell, 4) if isinstance(cell, float) and np.isfinite(cell) else _cell(cell)
        told = f"{100 * effect[at]:.0f}" if classification else f"{'+' if effect[at] > 0 else '-'}{figures_text(abs(effect[at]))}"
        parts.append(f"{columns[at].name} {value or 'missing'} ({told})")
    return ", ".join(parts) or "no single value"


def _cell(value: object) -> str:
    text = str(value)
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
