"""contract.json: what a model takes and gives, in the words of the user's own columns."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from automl.core.dataset import Dataset
from automl.core.options import GROUP_THRESHOLDS
from automl.core.plan import Plan
from automl.core.profile import ColumnProfile, Kind, Profile, Role
from automl.core.table import Category, Table
from automl.core.version import VERSION
from automl.encoders.graph import input_names

FORMAT = 1
MOST_LEVELS = 200
MOST_LEVELS_UNSAMPLED = 20


def model_columns(profile: Profile, plan: Plan) -> list[ColumnProfile]:
    """What a model takes: its features, and the sensitive columns that are none but tell which threshold a row has."""
    return [*profile.features, *(column for column in deciding(profile, plan) if column.role is not Role.FEATURE)]


def deciding(profile: Profile, plan: Plan) -> list[ColumnProfile]:
    """The columns whose groups have thresholds of their own."""
    return [profile.column(name) for name in plan.sensitive] if plan.mitigate == GROUP_THRESHOLDS else []


def inputs_of(columns: list[ColumnProfile]) -> dict[str, tuple[str, str]]:
    """The graph input of each column and its type."""
    names = input_names([column.name for column in columns])
    return {column.name: (names[column.name], column.dtype) for column in columns}


def contract(
    dataset: Dataset, profile: Profile, plan: Plan, table: Table, target: np.ndarray[Any, Any], architecture: str
) -> dict[str, Any]:
    """The contract of a model over all columns that it may take."""
    columns = model_columns(profile, plan)
    inputs = inputs_of(columns)
    return {
        "format": FORMAT,
        "automl": VERSION,
        "name": dataset.name,
        "architecture": architecture,
        "task": str(profile.task),
        "target": profile.target,
        "target_parse": profile.target_parse,
        "classes": list(profile.classes),
        "class_type": profile.class_type,
        "positive": profile.positive,
        "columns": [_column(column, inputs[column.name][0], table, plan) for column in columns],
        "id_columns": [
            column.name
            for column in profile.columns
            if column.role is Role.IDENTIFIER or (column.role is Role.FEATURE and column.kind in (Kind.IMAGE, Kind.AUDIO))
        ],
        **({"arrangement": profile.arrangement} if profile.arrangement else {}),
        "target_standard_deviation": None if profile.task.is_classification else float(np.std(target)),
        "data_hash": dataset.content_hash,
        "created": None if plan.trials is not None else datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _column(column: ColumnProfile, input_name: str, table: Table, plan: Plan) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": column.name,
        "input": input_name,
        "kind": str(column.kind),
        "dtype": column.dtype,
        "parse": column.parse,
        "missing_fraction": column.missing_fraction,
    }
    if column.role is not Role.FEATURE:
        return {**described, "use": "threshold"}
    values = table.columns[column.name]
    if column.kind in (Kind.TEXT, Kind.IMAGE, Kind.AUDIO, Kind.SERIES):
        return described
    if isinstance(values, Category):
        if len(values.levels) <= (MOST_LEVELS if plan.samples else MOST_LEVELS_UNSAMPLED):
            described["levels"] = list(values.levels)
    elif column.kind is Kind.DATETIME:
        known = values[values != np.iinfo(np.int64).min]
        if len(known):
            described["minimum"], described["maximum"] = int(known.min()), int(known.max())
    elif np.isfinite(values).any():
        described["minimum"], described["maximum"] = float(np.nanmin(values)), float(np.nanmax(values))
    return described
