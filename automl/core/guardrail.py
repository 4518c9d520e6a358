"""Guardrail: which new rows are unlike those that the model learned from: out of range, new categories, missing, far away.

Far away is by Mahalanobis' distance in a space of scaled numbers and frequent categories, whose limit almost all training rows
keep. Only numpy: predict.py is made of this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from automl.core.predictor import EXTENSIONS, MISSING_DATE, PredictorError, _row_count, as_table, header_names, make_parser

Array = np.ndarray[Any, Any]

USUAL = 0.01
"""Of rows like those of the training data, about so many are flagged; more are told of."""
CLIPPED = 4.0
"""Scaled numbers beyond this are as far as this in the distance; how far they are is told by their range."""
MOST_NAMED = 3


def unusual_rows(contract: Mapping[str, Any], frame: Any) -> dict[int, tuple[str, ...]]:
    """Row number to the reasons why it is unlike the training data; rows that are like it are not there.

    frame: raw rows, one an example. Raises PredictorError where the model folder has no guardrail.
    """
    guard = contract.get("guardrail")
    if not guard:
        why = "it was made by an earlier version of automl, or takes no numbers, categories or dates"
        raise PredictorError(f"this model cannot tell which rows are unlike the training data: {why}")
    table = as_table(frame)
    given = dict(zip(header_names(list(table)), table, strict=True))
    described = {column["name"]: column for column in contract["columns"]}
    clean = {name: make_parser(described[name]["parse"]).column(table[given[name]]) for name in guard["columns"] if name in given}
    found: dict[int, list[str]] = {}
    for name, values in clean.items():
        for row, reason in _in_column(name, values, guard["columns"][name], described[name].get("levels", ())):
            found.setdefault(row, []).append(reason)
    absent = sum((missing_in(values).astype(np.int64) for values in clean.values()), np.zeros(1, np.int64))
    for row in np.flatnonzero(absent > guard["most_missing"]).tolist():
        found.setdefault(row, []).append(f"{int(absent[row])} values are missing")
    if guard.get("space") and all(name in clean for name, *_ in guard["space"]["axes"]):
        for row, reason in _far_away(guard["space"], clean):
            found.setdefault(row, []).append(reason)
    return {row: tuple(found[row]) for row in sorted(found)}


def missing_in(values: Array) -> Array:
    """(rows,) bool, of clean values of any kind."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    return values == (MISSING_DATE if values.dtype.kind == "i" else "")


def as_numbers(values: Array) -> Array:
    """(rows,) float64 of clean numbers, truth values or dates; NaN where missing."""
    return np.where(missing_in(values), np.nan, values.astype(np.float64)) if values.dtype.kind == "i" else values


def _in_column(name: str, values: Array, known: Mapping[str, Any], levels: Any) -> list[tuple[int, str]]:
    found = []
    missing = missing_in(values)
    if known.get("never_missing"):
        found += [(row, f"{name} has no readable value, which it always had") for row in np.flatnonzero(missing).tolist()]
    if "low" in known:
        numbers = as_numbers(values)
        date = values.dtype.kind == "i"
        with np.errstate(invalid="ignore"):
            outside = np.flatnonzero((numbers < known["low"]) | (numbers > known["high"]))
        seen = f"{_text(known['minimum'], date)} to {_text(known['maximum'], date)}"
        found += [(row, f"{name} {_text(numbers[row], date)} is outside of {seen}") for row in outside.tolist()]
    if known.get("all_levels"):
        every = set(levels) - set(known.get("absent", ()))
        new = {level for level in set(values[~missing].tolist()) if level not in every}
        if new:
            rows = [row for row, value in enumerate(values.tolist()) if value in new]
            found += [(row, f'{name} "{values[row]}" is new') for row in rows]
    return found


def _text(number: float, date: bool) -> str:
    return str(np.datetime64(int(number), "s"))[:10] if date else f"{number:.6g}"


def axes_of(axes: Any, clean: Mapping[str, Array]) -> Array:
    """(rows, axes) of the space: scaled numbers, and whether a category has a level; 0, the usual, where missing.

    axes: (column, level or None, centre, scale) each.
    """
    columns = []
    for name, level, centre, scale in axes:
        values = clean[name]
        raw = as_numbers(values) if level is None else (values == level).astype(np.float64)
        scaled = np.clip((raw - centre) / scale, -CLIPPED, CLIPPED) if level is None else (raw - centre) / scale
        columns.append(np.where(missing_in(values), 0.0, scaled))
    return np.stack(columns, axis=1)


def squared_parts(places: Array, precision: Array) -> Array:
    """(rows, axes) what each axis adds to the squared distance. precision: (axes, axes), the inverse of their correlations."""
    return np.asarray(places * (places @ precision))


def _far_away(space: Mapping[str, Any], clean: Mapping[str, Array]) -> list[tuple[int, str]]:
    axes = space["axes"]
    precision = np.zeros((len(axes), len(axes)))
    precision[np.tril_indices(len(axes))] = space["precision"]
    precision = precision + np.tril(precision, -1).T
    parts = squared_parts(axes_of(axes, clean), precision)
    squared = parts.sum(axis=1)
    found = []
    for row in np.flatnonzero(squared > space["limit"] ** 2).tolist():
        added: dict[str, float] = {}
        for (name, *_), part in zip(axes, parts[row].tolist(), strict=True):
            added[name] = added.get(name, 0.0) + part
        most = sorted(added, key=lambda name: -added[name])[:MOST_NAMED]
        times = float(np.sqrt(squared[row])) / space["limit"]
        far = f"farther from the training data than nearly all of its rows ({times:.2f} times the limit)"
        found.append((row, f"{far}, most by {', '.join(most)}"))
    return found


def told_of(contract: Mapping[str, Any], rows: Any) -> list[str]:
    """A sentence where more rows are unlike the training data than is usual for rows that are like it."""
    if not contract.get("guardrail"):
        return []
    table = as_table(rows)
    total, count = _row_count(table), len(unusual_rows(contract, table))
    if count <= USUAL * total + 2 * np.sqrt(USUAL * total):
        return []
    are = "row is" if total == 1 else "rows are"
    return [f"{count:,} of {total:,} {are} unlike the training data, which is more than usual (--flags says which and why)"]


EXTENSIONS["unusual"] = unusual_rows
EXTENSIONS["told"] = told_of
