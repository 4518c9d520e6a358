"""Fits the guardrail of a model on its training rows: ranges, what is never missing, and the space of the distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automl.core.guardrail import as_numbers, axes_of, missing_in, squared_parts
from automl.core.profile import Kind
from automl.core.table import Category
from automl.search.context import Context
from automl.splitting import seeds

Array = np.ndarray[Any, Any]

READABLE = (Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY, Kind.DATETIME)
FEWEST_ROWS = 50
MOST_ROWS = 10_000
MOST_AXES, MOST_LEVELS = 32, 8
ROWS_AN_AXIS = 10
LEAST_SHARE = 0.05
"""Of the rows: rarer levels are no axis."""
WIDER = 0.1
"""Of the range of a number: beyond it by no more than this nothing is said."""
TAIL = 0.99
NEW_LEVELS = 0.01
"""A new level is told of where fewer new rows than this bring one, by the levels that training rows have once (Good, 1953)."""
KEPT = 0.995
"""Of the training rows, so many are nearer than the limit of the distance, each measured by a space of other rows."""
SHRINKAGE = 0.05
PARTS = 5


def guarded_rows(context: Context, rows: Array) -> Array:
    """What the guardrail of a model that is fitted on `rows` stands for: the training part, or all rows."""
    return context.training_rows if np.isin(rows, context.training_rows).all() else np.arange(len(context.target))


def fit_guardrail(columns: Sequence[Mapping[str, Any]], context: Context, rows: Array) -> dict[str, Any] | None:
    """The guardrail for the columns of a contract, as JSON, or None where there is no such column or are too few rows.

    rows: positions in the table that it is fitted on.
    """
    kinds = {str(kind) for kind in READABLE}
    features = context.table.columns  # an input that only the threshold needs is none
    used = [each for each in columns if each.get("kind") in kinds and "feeds" not in each and each["name"] in features]
    if context.profile.arrangement:
        return None
    if len(rows) < FEWEST_ROWS or not used:
        return None
    generator = np.random.default_rng(seeds(context.plan.seed)("guardrail"))
    some = rows if len(rows) <= MOST_ROWS else np.sort(generator.choice(rows, MOST_ROWS, replace=False))
    whole = {each["name"]: context.table.columns[each["name"]] for each in used}
    whole = {name: column.take(rows) if isinstance(column, Category) else column[rows] for name, column in whole.items()}
    absent = sum(_missing(values).astype(np.int64) for values in whole.values())
    association = {column.name: column.association or 0.0 for column in context.profile.features}
    order = sorted(whole, key=lambda name: -association.get(name, 0.0))
    places = np.searchsorted(rows, some)
    space = _space({name: _some(whole[name], places) for name in order}, generator)
    return {
        "rows": len(rows),
        "columns": {each["name"]: _column(each, whole[each["name"]]) for each in used},
        "most_missing": int(max(np.quantile(absent, KEPT, method="higher"), 1)),
        **({"space": space} if space else {}),
    }


def _some(column: Array | Category, rows: Array) -> Array | Category:
    return column.take(rows) if isinstance(column, Category) else column[rows]


def _missing(column: Array | Category) -> Array:
    return np.asarray(column.codes < 0) if isinstance(column, Category) else missing_in(column)


def _counts(column: Category) -> Array:
    """(levels,) rows of each level."""
    return np.bincount(column.codes[column.codes >= 0], minlength=len(column.levels))


def _column(described: Mapping[str, Any], values: Array | Category) -> dict[str, Any]:
    missing = _missing(values)
    known: dict[str, Any] = {"never_missing": not missing.any()}
    if isinstance(values, Category):
        counts = _counts(values)
        if "levels" in described and counts.any() and (counts == 1).sum() / len(values) < NEW_LEVELS:
            absent = [level for level, count in zip(values.levels, counts.tolist(), strict=True) if not count]
            known |= {"all_levels": True, **({"absent": absent} if absent else {})}
        return known
    numbers = as_numbers(values)[~missing]
    if not len(numbers):
        return known
    low, high = float(numbers.min()), float(numbers.max())
    least, most = np.quantile(numbers, [1 - TAIL, TAIL]).tolist()
    reach = [max(WIDER * (high - low), far) for far in (least - low, high - most)]
    return {**known, "minimum": low, "maximum": high, "low": low - reach[0], "high": high + reach[1]}


def _space(columns: Mapping[str, Array | Category], generator: np.random.Generator) -> dict[str, Any] | None:
    """The axes with the most to tell first, as many as the rows allow, and the limit of the distance."""
    rows = len(next(iter(columns.values())))
    axes: list[tuple[str, str | None, float, float]] = []
    for name, values in columns.items():
        axes += _axes(name, values)
    axes = axes[: min(MOST_AXES, rows // ROWS_AN_AXIS)]
    if not axes:
        return None
    used = {name for name, *_ in axes}
    clean = {name: each.strings() if isinstance(each, Category) else each for name, each in columns.items() if name in used}
    places = axes_of(axes, clean)
    part = generator.permutation(np.arange(rows) % PARTS)
    squared, moments = np.zeros(rows), [_moments(places[part == number]) for number in range(PARTS)]
    whole = np.sum(moments, axis=0)
    for number, own in enumerate(moments):
        held = part == number
        squared[held] = squared_parts(places[held], _precision((whole - own) / max(1, rows - held.sum()))).sum(axis=1)
    precision = _precision(whole / rows)[np.tril_indices(len(axes))]
    return {
        "axes": [list(axis) for axis in axes],
        "precision": [float(f"{value:.9g}") for value in precision.tolist()],
        "limit": float(np.sqrt(np.quantile(squared, KEPT, method="higher"))),
    }


def _axes(name: str, values: Array | Category) -> list[tuple[str, str | None, float, float]]:
    """(column, level or None, centre, scale): the median and the spread of the middle half of a number, or of each frequent
    level how often it is there."""
    if isinstance(values, Category):
        counts = _counts(values)
        frequent = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
        shares = [(values.levels[place], float(counts[place] / len(values))) for place in frequent.tolist()]
        return [(name, level, share, float(np.sqrt(share * (1 - share)))) for level, share in shares if LEAST_SHARE <= share < 1]
    numbers = as_numbers(values)[~missing_in(values)]
    if not len(numbers):
        return []
    quarter, middle, three = np.quantile(numbers, [0.25, 0.5, 0.75]).tolist()
    scale = (three - quarter) / 1.349 if three > quarter else float(numbers.std())
    return [(name, None, middle, float(scale))] if scale > 0 else []


def _moments(places: Array) -> Array:
    """(axes, axes) sums of products; not by BLAS, whose threads wait for each other on a busy machine."""
    return np.einsum("ij,ik->jk", places, places)


def _precision(moments: Array) -> Array:
    """The inverse of the second moments, drawn a little towards their diagonal, so that axes that say the same do no harm."""
    diagonal = np.diag(np.maximum(np.diag(moments), 1e-9))
    return np.asarray(np.linalg.inv((1 - SHRINKAGE) * moments + SHRINKAGE * diagonal))
