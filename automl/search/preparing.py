"""From a profiled Dataset to the clean, split data that a search works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl.core.dataset import Dataset
from automl.core.errors import InputError, nearest
from automl.core.groups import group_column
from automl.core.options import GROUP_THRESHOLDS
from automl.core.parsers import parse_column
from automl.core.plan import Plan
from automl.core.predictor import encode_target
from automl.core.profile import Kind, Profile, Role
from automl.core.table import Table, distinct_cells, tabulate
from automl.core.tasks import Task
from automl.search.context import Context, modality_of
from automl.search.contract import model_columns
from automl.search.finals import REPEATS
from automl.search.forecasting import prepare_forecast
from automl.search.group_thresholds import GroupedRows
from automl.search.parity import parity_rows
from automl.search.reweighing import reweighed
from automl.splitting import Splitter, plan_folds, seeds, without

Array = np.ndarray[Any, Any]


LEAST_COUNTING = 5
"""Rows with a weight that it takes at least."""


@dataclass(frozen=True)
class Prepared:
    """A context with the raw rows behind it.

    frame: the raw rows that have a target and a weight, in the order of the context's table (rows of a test file last).
    row_ids: their positions in the data as read. sealed: positions in `frame` of the sealed part.
    sensitive: what tells the sensitive groups apart, where columns were named and there are two classes.
    """

    context: Context
    frame: pd.DataFrame
    row_ids: Array
    sealed: Array
    splitter: Splitter
    parity_frame: pd.DataFrame
    sensitive: GroupedRows | None = None

    @property
    def thresholds_by(self) -> GroupedRows | None:
        """The groups that have thresholds of their own."""
        return self.sensitive if self.context.plan.mitigate == GROUP_THRESHOLDS else None


def prepare(dataset: Dataset, profile: Profile, plan: Plan) -> Prepared:
    """Parse, drop rows without a target and rows of weight 0, seal and fold.

    Raises InputError where a column that the plan names cannot be used as meant.
    """
    frame = dataset.frame if dataset.test is None else _with_test(dataset)
    if profile.task is Task.FORECAST:
        return prepare_forecast(dataset, profile, plan, frame)  # type: ignore[no-any-return]
    given = np.arange(len(frame)) >= dataset.rows
    target = _target(frame, profile)
    known = target >= 0 if profile.task.is_classification else np.isfinite(target)
    if not known.all():
        frame = frame.iloc[np.flatnonzero(known)]
    row_ids, target, given = np.flatnonzero(known), target[known], given[known]
    table = tabulate(frame, profile.features, profile.root)
    readable = _readable(table, profile)
    if not readable.all():
        kept = np.flatnonzero(readable)
        frame, row_ids, target, given, table = frame.iloc[kept], row_ids[kept], target[kept], given[kept], table.take(kept)
    weight = _weight(frame, plan)
    if weight is not None and not weight.all():
        kept = _counting(weight, target, given, profile, plan)
        frame, row_ids, target, given, table = frame.iloc[kept], row_ids[kept], target[kept], given[kept], table.take(kept)
        weight = weight[kept] / weight[kept].mean()
    groups = _groups(frame, table, profile, plan)
    splitter = Splitter(profile.task, target, groups, _times(frame, profile, plan))
    seed = seeds(plan.seed)
    if dataset.test is not None and not given.any():
        raise InputError("no row of the test part has a target that the training rows know", "give rows with the truth in them")
    sealed = np.flatnonzero(given) if given.any() else splitter.seal(plan.split.sealed_fraction, seed("sealed part"))
    training = without(np.arange(len(frame)), sealed)
    count = plan_folds(plan.split, target[training], profile.task)
    looked_at = frame.iloc[sealed if len(sealed) else training]
    parity_frame = parity_rows(model_columns(profile, plan), looked_at, seed("parity"))
    context = Context(
        profile=profile,
        plan=plan,
        table=table,
        target=target,
        weight=weight,
        training_rows=training,
        search_folds=tuple(splitter.folds(training, count, 1, seed("search folds"))),
        fresh_folds=tuple(splitter.folds(training, count, REPEATS, seed("fresh folds"))),
        parity=tabulate(parity_frame, profile.features, profile.root),
        groups=groups,
        fitting_weight=reweighed(dataset, frame, target, weight, training, profile, plan),
    )
    told = [profile.column(name) for name in plan.sensitive] if profile.task is Task.BINARY else []
    by = GroupedRows(tuple(group_column(column, dataset.frame) for column in told), tabulate(frame, told)) if told else None
    return Prepared(context, frame, row_ids, sealed, splitter, parity_frame, by)


def _readable(table: Table, profile: Profile) -> Array:
    """Rows whose file could be read; where a row has other features as well, it is kept with the file as missing."""
    readable = np.ones(table.rows, bool)
    if all(column.kind in (Kind.IMAGE, Kind.AUDIO) for column in profile.features):
        for positions in table.problems.values():
            readable[list(positions)] = False
    return readable


def _with_test(dataset: Dataset) -> pd.DataFrame:
    assert dataset.test is not None
    for name in dataset.frame.columns:
        if name not in dataset.test.columns:
            raise InputError(f'column "{name}" is missing from the test data', nearest(name, dataset.test.columns))
    return pd.concat([dataset.frame, dataset.test[list(dataset.frame.columns)]], ignore_index=True)


def _target(frame: pd.DataFrame, profile: Profile) -> Array:
    described = {"task": str(profile.task), "target_parse": profile.target_parse, "classes": list(profile.classes)}
    cells = frame[profile.target]
    found = distinct_cells(cells)
    if found is None:
        return encode_target(cells, described)
    places, distinct = found
    missing = -1 if profile.task.is_classification else np.nan
    return np.append(encode_target(distinct, described), missing)[places]


def _weight(frame: pd.DataFrame, plan: Plan) -> Array | None:
    if plan.weight is None:
        return None
    weight = parse_column(frame[plan.weight], {"as": "number"})
    if not np.isfinite(weight).all() or (weight < 0).any() or weight.sum() == 0:
        raise InputError(f'the weight column "{plan.weight}" needs a number of 0 or more in every row')
    return np.asarray(weight / weight.mean())


def _counting(weight: Array, target: Array, given: Array, profile: Profile, plan: Plan) -> Array:
    """Positions of the rows that weigh something: the others are as good as not there.

    Raises InputError where too few are left, or none of a class.
    """
    kept = np.flatnonzero(weight)
    trained = target[(weight > 0) & ~given]
    zero, advice = f'the weight column "{plan.weight}" is 0 in', "give more rows a weight"
    if len(trained) < LEAST_COUNTING:
        rows = int((~given).sum())
        raise InputError(f"{zero} {rows - len(trained):,} of {rows:,} rows, which leaves too few to learn from", advice)
    if profile.task.is_classification:
        lost = np.setdiff1d(np.arange(len(profile.classes)), trained)
        if len(lost):
            raise InputError(f'{zero} every row of the class "{profile.classes[lost[0]]}"', advice + ", or leave that class out")
    return kept


def _split_by(profile: Profile, plan: Plan) -> str:
    """ "grouped", "time" or another kind; where a test part was given, what the folds of the training rows are made by."""
    if plan.split.kind != "given" or plan.split.column is None:
        return plan.split.kind
    return "grouped" if profile.column(plan.split.column).role is Role.GROUP else "time"


def _groups(frame: pd.DataFrame, table: Table, profile: Profile, plan: Plan) -> Array | None:
    """(rows,) numbers of rows that no split divides: the plan's group column, near-duplicates, or copies."""
    if _split_by(profile, plan) == "grouped":
        return np.asarray(pd.factorize(frame[plan.split.column].astype(str))[0])
    together = modality_of(profile.modality).together
    if together is not None:
        return together(table, profile)
    if plan.split.keep_together:
        features = frame[[column.name for column in profile.features]]
        return np.asarray(pd.factorize(pd.util.hash_pandas_object(features, index=False))[0])
    return None


def _times(frame: pd.DataFrame, profile: Profile, plan: Plan) -> Array | None:
    if _split_by(profile, plan) != "time":
        return None
    assert plan.split.column is not None
    column = profile.column(plan.split.column)
    if column.kind not in (Kind.DATETIME, Kind.NUMBER, Kind.IDENTIFIER):
        raise InputError(f'the time column "{column.name}" holds {column.kind} values', "give a column of dates or numbers")
    parse = column.parse if column.parse.get("as") in ("datetime", "number") else {"as": "number"}
    return np.nan_to_num(parse_column(frame[column.name], parse).astype(np.float64), nan=-np.inf)
