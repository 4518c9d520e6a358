"""Permutation importance on raw columns: what the score loses when a column is shuffled (Breiman 2001)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from automl.core.case import Case, Predict
from automl.core.clock import Deadline
from automl.core.metrics import METRICS, Metric
from automl.core.parsers import parse_column
from automl.core.statistics import percentile_interval
from automl.judge.bootstrap import count_blocks, judged_groups, replicator
from automl.judge.curves import sampled
from automl.judge.scoring import headline_metric

Array = np.ndarray[Any, Any]

MOST_ROWS = 3000
FEWEST_ROWS = 300
REPEATS = 5
RESAMPLES = 200
CELLS = 2e8
"""Cells of raw data that are predicted in all; a model's time is about proportional to them."""
SHARE_OF_TIME = 0.5
MOST_SECONDS = 15.0
LEAST_SECONDS = 0.2
FILES = ("image", "audio")
"""Parse steps that decode what a path names."""


@dataclass(frozen=True)
class ColumnImportance:
    """What one column is worth: the mean loss of the score over the repeats, in the metric's unit."""

    column: str
    value: float
    low: float
    high: float

    @property
    def used(self) -> bool:
        """False where shuffling changed nothing at all: the model ignores the column."""
        return not (self.value == 0.0 and self.low == 0.0 and self.high == 0.0)


@dataclass(frozen=True)
class Importance:
    """Columns by falling importance. left_out: columns for which there was no time."""

    metric: Metric
    columns: tuple[ColumnImportance, ...]
    rows: int
    repeats: int
    base: float
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Effort:
    rows: int
    repeats: int
    columns: int


@dataclass(frozen=True)
class _Sample:
    """The rows on which columns are shuffled, their score as it is and its bootstrap replicates."""

    frame: pd.DataFrame
    truth: Array
    weight: Array | None
    prediction: Array
    metric: Metric
    score: float
    counts: Array
    draws: Array


def permutation_importance(case: Case) -> Importance | None:
    """The importance of every feature for the judged rows, or None where no score is defined or no time is left.

    A column is shuffled `repeats` times in one batch of rows. The interval is a percentile bootstrap over
    rows (whole groups where the rows were divided by groups), so it covers the choice of the rows as well as of the shuffles.
    """
    names = [column.name for column in case.profile.features if column.name in case.judged.columns]
    if case.predict is None or not len(case.truth) or not names or case.deadline.lacks(LEAST_SECONDS):
        return None
    effort = _effort(len(case.truth), len(names))
    limit = case.deadline.until(share=SHARE_OF_TIME)
    sample = _sample(case, effort.rows)
    if sample is None:
        return None
    # Strongest columns first, so that those that matter are measured when time runs out.
    association = {column.name: column.association or 0.0 for column in case.profile.features}
    order = sorted(names, key=lambda name: -association[name])[: effort.columns]
    repeats = _repeats(limit, len(order), effort.repeats)
    one_shuffle = repeats * limit.elapsed_seconds
    if limit.left_seconds() < one_shuffle:
        case.deadline.short = True
        return None
    frame = _parsed(sample.frame, case)
    tiled = frame.iloc[np.tile(np.arange(len(frame)), repeats)].reset_index(drop=True)
    measured: list[ColumnImportance] = []
    for number, name in enumerate(order):
        if limit.expired or (limit.budget_seconds is not None and limit.elapsed_seconds > MOST_SECONDS):
            break
        generator = np.random.default_rng([case.plan.seed, number])
        predictions = _shuffled(case.predict, tiled, name, len(frame), repeats, generator)
        measured.append(_importance(case, sample, name, predictions))
    if not measured:
        return None
    done = {each.column for each in measured}
    case.deadline.short |= len(measured) < len(order) or repeats < effort.repeats
    measured.sort(key=lambda each: -each.value)
    left_out = tuple(name for name in names if name not in done)
    return Importance(sample.metric, tuple(measured), len(sample.frame), repeats, sample.score, left_out)


def _sample(case: Case, most: int) -> _Sample | None:
    assert case.predict is not None
    rows = sampled(len(case.truth), case.plan.seed, most)
    frame, truth = case.judged.iloc[rows].reset_index(drop=True), case.truth[rows]
    weight = None if case.weight is None else case.weight[rows]
    prediction = np.asarray(case.predict(frame))
    metric = _defined(case, rows, truth, prediction, weight)
    if metric is None:
        return None
    groups = judged_groups(case)
    drawn = count_blocks(len(rows), RESAMPLES, case.plan.seed, None if groups is None else groups[rows], weight)
    counts = np.concatenate(list(drawn))
    draws = replicator(metric, truth, prediction, case.positive)(counts)
    score = metric.score(truth, prediction, weight, case.positive)
    return _Sample(frame, truth, weight, prediction, metric, score, counts, draws)


def _parsed(frame: pd.DataFrame, case: Case) -> pd.DataFrame:
    """The rows with numbers written as text and files read once, instead of once in every prediction: the model sees the same."""
    steps = {column.name: column.parse for column in case.profile.features if column.parse.get("as") in ("number", *FILES)}
    clean: dict[Any, Any] = {}
    for name, column in frame.items():
        step = steps.get(str(name))
        if step is None or (step["as"] == "number" and is_numeric_dtype(column.dtype)):
            clean[name] = column
        elif step["as"] in FILES:  # a cell may also be what its file decodes to
            clean[name] = pd.Series(list(parse_column(column, step, case.profile.root)), frame.index, dtype=object)
        else:
            clean[name] = parse_column(column, step)
    return pd.DataFrame(clean, index=frame.index)


def _importance(case: Case, sample: _Sample, name: str, predictions: list[Array]) -> ColumnImportance:
    if _unchanged(sample.prediction, predictions):
        return ColumnImportance(name, 0.0, 0.0, 0.0)
    metric = sample.metric
    shuffled = [metric.score(sample.truth, each, sample.weight, case.positive) for each in predictions]
    draws = [replicator(metric, sample.truth, each, case.positive)(sample.counts) for each in predictions]
    losses = sample.draws - np.mean(draws, axis=0)
    value = float(np.mean([metric.gain(sample.score, each) for each in shuffled]))
    return ColumnImportance(name, value, *percentile_interval(losses if metric.greater_is_better else -losses))


def _shuffled(
    predict: Predict, tiled: pd.DataFrame, name: str, rows: int, repeats: int, generator: np.random.Generator
) -> list[Array]:
    """Predictions with one column shuffled, one array a repeat."""
    places = np.concatenate([generator.permutation(rows) for _ in range(repeats)])
    work = tiled.copy(deep=False)
    work[name] = tiled[name].iloc[places].set_axis(tiled.index)
    return np.split(np.asarray(predict(work)), repeats)


def _unchanged(base: Array, predictions: list[Array]) -> bool:
    """Whether shuffling left every prediction as it was, but for the rounding that depends on the size of a batch."""
    tolerance = 1e-6 * max(float(np.max(np.abs(base))), 1e-30)
    return all(float(np.max(np.abs(each - base))) <= tolerance for each in predictions)


def _effort(rows: int, columns: int) -> _Effort:
    """Rows, repeats and columns so that a fixed number of cells is predicted: no clock is asked."""
    wanted, repeats = min(rows, MOST_ROWS), REPEATS
    while repeats > 2 and wanted * repeats * columns**2 > CELLS:
        repeats -= 1
    while wanted > FEWEST_ROWS and wanted * repeats * columns**2 > CELLS:
        wanted = max(FEWEST_ROWS, wanted // 2)
    return _Effort(wanted, repeats, int(np.clip(CELLS / (wanted * repeats * columns), 10, columns)))


def _repeats(limit: Deadline, columns: int, wanted: int) -> int:
    """Fewer repeats where the time that one prediction took says that all columns would not be done in time."""
    if limit.budget_seconds is None:
        return wanted
    seconds = max(1e-3, limit.elapsed_seconds)
    return int(np.clip(min(MOST_SECONDS, limit.left_seconds()) / (seconds * columns), 2, wanted))


def _defined(case: Case, rows: Array, truth: Array, prediction: Array, weight: Array | None) -> Metric | None:
    """The headline metric, or another one of the task where it is undefined on these rows."""
    fallback = ("log_loss",) if case.profile.task.is_classification else ("rmse",)
    for chosen in (headline_metric(case, rows), *(METRICS[name] for name in fallback)):
        if np.isfinite(chosen.score(truth, prediction, weight, case.positive)):
            return chosen
    return None
