"""Permutation importance of the models of single folds: whether other training rows lead to the same columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl.core.profile import ColumnProfile
from automl.core.table import Table
from automl.search.context import Context

Array = np.ndarray[Any, Any]

MOST_COLUMNS, MOST_ROWS, REPEATS = 12, 500, 2


def importance_columns(context: Context) -> list[str]:
    """The features that are asked about: those most associated with the target; none where rows are no plain table."""
    if context.profile.modality != "tabular":
        return []

    def strength(column: ColumnProfile) -> float:
        return column.association or 0.0

    return [column.name for column in sorted(context.profile.features, key=lambda each: -strength(each))[:MOST_COLUMNS]]


def fold_importance(context: Context, pipeline: Any, rows: Array, columns: list[str], seed: int) -> list[float]:
    """What the plan's metric loses on rows that the pipeline has not seen when a column is shuffled, a number a column."""
    generator = np.random.default_rng(seed)
    rows = generator.permutation(rows)[:MOST_ROWS]
    table = context.table.take(rows)
    base = context.score(rows, pipeline.predict(table))
    losses = []
    for name in columns:
        shuffled = [_shuffled(table, name, generator.permutation(len(rows))) for _ in range(REPEATS)]
        scores = [context.score(rows, pipeline.predict(each)) for each in shuffled]
        losses.append(float(np.mean([context.metric.gain(base, score) for score in scores])))
    return losses


def _shuffled(table: Table, name: str, places: Array) -> Table:
    return replace(table, columns={**table.columns, name: table.take(places).columns[name]})
