"""Permutation importance on raw columns: what the score loses when a column is shuffled (Breiman 2001)."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Case, Predict
from automl.core.metrics import METRICS, Metric
from automl.core.statistics import percentile_interval
from automl.judge.bootstrap import count_blocks, replicator
from automl.judge.curves import sampled
from automl.judge.scoring import headline_metric

Array = np.ndarray[Any, Any]

MOST_ROWS = 3000
FEWEST_ROWS = 300
REPEATS = 5
RESAMPLES = 200
CELLS = 2e8
"""Cells of raw data that are predicted in all; a model's time is about proportional to them."""
SHARE_OF_TIME = 0.35
MOST_SECONDS = 15.0


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


def permutation_importance(case: Case) -> Importance | None:
    """The importance of every feature for the judged rows, or None where no score is defined or no time is left.

    A column is shuffled `repeats` times in one batch of rows. The interval is a percentile bootstrap over
    rows, so it covers the choice of the rows as well as of the shuffles.
    """
    names = [column.name for column in case.profile.features if column.name in case.judged.columns]
    if case.predict is None or not len(case.truth) or not names or case.deadline.expired:
        return None
    effort = _effort(len(case.truth), len(names))
    rows = sampled(len(case.truth), case.plan.seed, effort.rows)
    frame, truth = case.judged.iloc[rows].reset_index(drop=True), case.truth[rows]
    weight = None if case.weight is None else case.weight[rows]
    started = time.monotonic()
    base_prediction = np.asarray(case.predict(frame))
    seconds = time.monotonic() - started
    chosen = _defined(case, truth, base_prediction, weight)
    if chosen is None:
        return None
    # Strongest columns first, so that those that matter are measured when time runs out.
    association = {column.name: column.association or 0.0 for column in case.profile.features}
    order = sorted(names, key=lambda name: -association[name])[: effort.columns]
    repeats = _repeats(case, seconds, len(order), effort.repeats)
    counts = np.concatenate(list(count_blocks(len(rows), RESAMPLES, case.plan.seed, None, weight)))
    base = replicator(chosen, truth, base_prediction, case.positive)(counts)
    score = chosen.score(truth, base_prediction, weight, case.positive)
    measured: list[ColumnImportance] = []
    limit = case.deadline.until(share=SHARE_OF_TIME)
    tiled = frame.iloc[np.tile(np.arange(len(rows)), repeats)].reset_index(drop=True)
    for number, name in enumerate(order):
        if limit.expired or (math.isfinite(case.deadline.left_seconds()) and time.monotonic() - started > MOST_SECONDS):
            break
        generator = np.random.default_rng([case.plan.seed, number])
        predictions = _shuffled(case.predict, tiled, name, len(rows), repeats, generator)
        shuffled = [chosen.score(truth, each, weight, case.positive) for each in predictions]
        draws = np.mean([replicator(chosen, truth, each, case.positive)(counts) for each in predictions], axis=0)
        losses = base - draws if chosen.greater_is_better else draws - base
        value = float(np.mean([chosen.gain(score, each) for each in shuffled]))
        measured.append(ColumnImportance(name, value, *percentile_interval(losses)))
    if not measured:
        return None
    done = {each.column for each in measured}
    measured.sort(key=lambda each: -each.value)
    return Importance(chosen, tuple(measured), len(rows), repeats, score, tuple(name for name in names if name not in done))


def _shuffled(
    predict: Predict, tiled: pd.DataFrame, name: str, rows: int, repeats: int, generator: np.random.Generator
) -> list[Array]:
    """Predictions with one column shuffled, one array a repeat."""
    places = np.concatenate([generator.permutation(rows) for _ in range(repeats)])
    work = tiled.copy(deep=False)
    work[name] = tiled[name].iloc[places].set_axis(tiled.index)
    return np.split(np.asarray(predict(work)), repeats)


def _effort(rows: int, columns: int) -> _Effort:
    """Rows, repeats and columns so that a fixed number of cells is predicted: no clock is asked."""
    wanted, repeats = min(rows, MOST_ROWS), REPEATS
    while repeats > 2 and wanted * repeats * columns**2 > CELLS:
        repeats -= 1
    while wanted > FEWEST_ROWS and wanted * repeats * columns**2 > CELLS:
        wanted = max(FEWEST_ROWS, wanted // 2)
    return _Effort(wanted, repeats, int(np.clip(CELLS / (wanted * repeats * columns), 10, columns)))


def _repeats(case: Case, seconds: float, columns: int, wanted: int) -> int:
    """Fewer repeats where the measured time of a prediction says that all columns would not be done in time."""
    left = min(MOST_SECONDS, SHARE_OF_TIME * case.deadline.left_seconds())
    if not math.isfinite(case.deadline.left_seconds()):
        return wanted
    return int(np.clip(left / max(1e-9, seconds * columns), 2, wanted))


def _defined(case: Case, truth: Array, prediction: Array, weight: Array | None) -> Metric | None:
    """The headline metric, or another one of the task where it is undefined on these rows."""
    fallback = ("log_loss",) if case.profile.task.is_classification else ("rmse",)
    for chosen in (headline_metric(case), *(METRICS[name] for name in fallback)):
        if np.isfinite(chosen.score(truth, prediction, weight, case.positive)):
            return chosen
    return None
