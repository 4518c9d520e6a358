"""What is said beside a prediction: an interval or a set, that the model does not know, that the row is an unusual one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from automl.core.conformal import ANY_ROWS, Conformal, conformal_of, cut_at, interval_at, set_at, sureness_at
from automl.core.guardrail import as_numbers, unusual_rows
from automl.core.predictor import (
    EXTENSIONS,
    Asked,
    PredictorError,
    _id_cells,
    _write_csv,
    as_table,
    header_names,
    make_parser,
    neutral,
)

Array = np.ndarray[Any, Any]

UNSURE = "unsure"
REVIEWED_SHARE, FEWEST_REVIEWED = 0.01, 10
"""Of the rows, the least sure are in the review queue whatever else is; of few rows at most half of them."""


class Answer(NamedTuple):
    """cells: further columns of the prediction file, by name. replaced: row to what stands in place of its prediction; where that
    is a fallback, the columns `blank` say nothing of it.

    reasons: row to why it is flagged, left without an answer or put before a human. queue: rows for review, the first first.
    """

    cells: dict[str, list[str]]
    replaced: dict[int, str]
    reasons: dict[int, str]
    queue: tuple[int, ...]
    notes: tuple[str, ...]
    blank: tuple[str, ...] = ()


def answer(predictor: Any, frame: Any, prediction: Array, asked: Asked, labels: Array) -> Answer:
    """What was asked for beside the predictions: probabilities (rows, classes), or values (rows,), of the rows of `frame`.

    labels: (rows,) the classes that are called; of a regression the values again.
    Raises PredictorError where the model folder has nothing to answer it from.
    """
    contract = predictor.contract
    if asked.fallback is not None and predictor.is_regression and not _is_number(asked.fallback):
        raise PredictorError(f'the fallback stands among numbers and has to be one; "{asked.fallback}" is none')
    known = conformal_of(contract)
    cells: dict[str, list[str]] = {}
    if asked.interval is not None:
        cells |= _bounds(predictor, prediction, asked.interval, labels)
    if asked.review is not None and known is None and not contract.get("guardrail"):
        raise PredictorError("nothing tells this model which rows to review: it has no intervals and no guardrail")
    sureness = None if known is None else sureness_of(contract, known, prediction, frame)
    wanted = asked.flags or (asked.fallback is not None and asked.abstain is None)  # else rows are looked at where they can be
    flagged = unusual_rows(contract, frame) if wanted or (asked.looks_at_rows and contract.get("guardrail")) else {}
    unsure: set[int] = set()
    if asked.abstain is not None:
        unsure = set(np.flatnonzero(unsure_at(contract, prediction, frame, asked.abstain)).tolist())
    replaced = dict.fromkeys(unsure, "") if asked.fallback is None else dict.fromkeys(unsure | set(flagged), asked.fallback)
    reasons = {row: "; ".join([*flagged.get(row, ()), *[UNSURE] * (row in unsure)]) for row in sorted(unsure | set(flagged))}
    if asked.abstain is not None or asked.flags or asked.fallback is not None:
        cells["reason"] = [neutral(reasons.get(row, "")) for row in range(len(prediction))]
    queue = list(reasons)
    if asked.review is not None and sureness is not None:
        most = max(min(FEWEST_REVIEWED, len(prediction) // 2), round(REVIEWED_SHARE * len(prediction)))
        for row in np.argsort(sureness, kind="stable")[:most].tolist():
            if row not in reasons:
                reasons[row] = "among the least sure of these rows"
                queue.append(row)
    told = _told(len(prediction), len(unsure), len(flagged), asked)
    if asked.interval is not None and known is not None and known.holds_for != ANY_ROWS:
        told += (f"the level {asked.interval:g} is promised for {known.holds_for} and for no others",)
    blank = () if asked.fallback is None else tuple(name for name in ("lower", "upper", "set", "set_size") if name in cells)
    return Answer(cells, replaced, reasons, tuple(queue), told, blank)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def sureness_of(contract: Mapping[str, Any], conformal: Conformal, prediction: Array, frame: Any) -> Array | None:
    """(rows,) the higher, the surer; see `sureness_at`. frame: the raw rows, which tell the groups that thresholds go by."""
    classes, positive = contract.get("classes", []), contract.get("positive")
    limits = limits_at(contract, frame)
    return sureness_at(conformal.knots, prediction, limits, classes.index(positive) if positive in classes else 1)


def limits_at(contract: Mapping[str, Any], frame: Any) -> float | Array | None:
    """From which probability on the positive class is called: one, (rows,) where it differs by group, or None."""
    threshold = (contract.get("readout") or {}).get("threshold") or {}
    groups = threshold.get("groups")
    if not groups:
        return threshold.get("value")
    table = as_table(frame)
    given = dict(zip(header_names(list(table)), table, strict=True))
    parse = {column["name"]: column["parse"] for column in contract["columns"]}
    places, limits = [], np.full([len(column["groups"]) + 1 for column in groups["columns"]], float(threshold["value"]))
    for column in groups["columns"]:
        name, count = column["name"], len(column["groups"])
        values = make_parser(parse[name]).column(table[given[name]])
        if column.get("edges") is None:
            known = {level: place for place, level in enumerate(column["groups"])}
            places.append(np.asarray([known.get(level, count) for level in values.tolist()], np.int64))
        else:
            numbers = as_numbers(values)
            places.append(np.where(np.isnan(numbers), count, np.searchsorted(column["edges"], numbers, side="left")))
    for own in groups["own"]:
        names = zip(groups["columns"], own["groups"], strict=True)
        limits[tuple(column["groups"].index(name) for column, name in names)] = own["value"]
    return np.asarray(limits[tuple(places)])


def unsure_at(contract: Mapping[str, Any], prediction: Array, frame: Any, rate: float) -> Array:
    """(rows,) bool: which rows are among the share of rows like those trained on that the model knows least about.

    frame: the raw rows. Raises PredictorError where it is equally sure of all, or the rate cannot be asked for.
    """
    conformal = bounds_of(contract)
    cut, sureness = cut_at(conformal, rate), sureness_of(contract, conformal, prediction, frame)
    return np.zeros(len(prediction), bool) if sureness is None else sureness < cut


def bounds_of(contract: Mapping[str, Any]) -> Conformal:
    """`conformal_of`, which must be there. Raises PredictorError where it is not."""
    found = conformal_of(contract)
    if found is None:
        why = "the data were too few for them, or it was made by an earlier version of automl"
        raise PredictorError(f"this model has no intervals, sets or measure of how sure it is: {why}")
    return found


def _bounds(predictor: Any, prediction: Array, level: float, labels: Array) -> dict[str, list[str]]:
    conformal = bounds_of(predictor.contract)
    if prediction.ndim == 1:
        ends = interval_at(conformal, prediction, level)
        return {name: column.astype(str).tolist() for name, column in zip(("lower", "upper"), ends.T, strict=True)}
    sets = labels_in(predictor, set_at(conformal, prediction, level, codes_in(predictor, labels)), prediction)
    written = [neutral("|".join(str(label).replace("|", "\\|") for label in each)) for each in sets]
    return {"set": written, "set_size": [str(len(each)) for each in sets]}


def codes_in(predictor: Any, labels: Array) -> Array:
    """(rows,) the places of labels among the classes of the contract."""
    places = {
        label: place for place, label in enumerate(predictor._labels(np.asarray(predictor.contract["classes"], dtype=object)))
    }
    return np.asarray([places[label] for label in labels], np.int64)


def labels_in(predictor: Any, members: Array, probabilities: Array) -> list[list[Any]]:
    """The classes of each set in the type that they came in, the most probable first. members: (rows, classes) bool."""
    classes = predictor._labels(np.asarray(predictor.contract["classes"], dtype=object))
    orders = np.argsort(-probabilities, axis=1, kind="stable")
    return [classes[order[row[order]]].tolist() for row, order in zip(members, orders, strict=True)]


def _told(rows: int, unsure: int, flagged: int, asked: Asked) -> tuple[str, ...]:
    told = []
    if unsure:
        what = "the fallback" if asked.fallback is not None else "no answer"
        share = f"{100 * (asked.abstain or 0.0):g} % of rows like those of the training data were asked for"
        told.append(f"{unsure:,} of {rows:,} rows have {what}, as the model knows least about them ({share})")
    if flagged and asked.fallback is not None:
        told.append(f"{flagged:,} of {rows:,} rows have the fallback, as they are unlike the training data")
    return tuple(told)


def write_review(path: Path, frame: Any, cells: Mapping[str, list[str]], found: Answer) -> None:
    """The review queue as CSV: number of the row from 0, reason, what the model predicts, and the row itself.

    cells: the columns of the prediction file, by name, without those of the row and before any fallback stands there.
    """
    table = as_table(frame)
    own = {f"{name}_input" if name in ("row", "reason", *cells) else str(name): name for name in table}
    rows = np.asarray(found.queue, np.int64)
    columns = {"row": [str(row) for row in found.queue], "reason": [neutral(found.reasons[row]) for row in found.queue]}
    columns |= {name: [values[row] for row in found.queue] for name, values in cells.items() if name != "reason"}
    columns |= {name: _id_cells(_rows_of(table[given], rows)) for name, given in own.items()}
    _write_csv(path, columns)


def _rows_of(values: Any, rows: Array) -> Any:
    if hasattr(values, "iloc"):
        return values.iloc[rows]
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]


EXTENSIONS["answer"] = answer
EXTENSIONS["review"] = write_review
