"""Scores of a model on rows whose target is known, with the intervals that so many rows allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automl.core.errors import InputError
from automl.core.methods import MEDIAN, QUANTILES
from automl.core.metrics import METRICS, Metric, metrics_for, with_scale, with_threshold
from automl.core.model import Model
from automl.core.predictor import PredictorError, encode_target
from automl.core.statistics import wilson_interval
from automl.core.tasks import Task
from automl.judge.bootstrap import intervals
from automl.learners.baseline import ABSOLUTE_METRICS

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scores:
    """Every metric of the task by name, each in its own direction and unit.

    rows: how many were scored; left_out: rows whose target is missing or is no class of the model. intervals: by metric the
    ends of the 95 % interval, as if rows stood for themselves; a metric that has none is not in it. notes: what makes the
    scores doubtful. constant: by metric what the best constant scores on the same rows: the shares of their classes, or
    their mean (their median where errors count by their size); none for forecasts.
    """

    rows: int
    left_out: int
    values: dict[str, float]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    constant: dict[str, float] = field(default_factory=dict)


FEWEST_ROWS, FEWEST_OF_A_CLASS = 30, 5
"""With fewer rows than this, or of a class, resamples are too alike for an interval."""


def score(model: Model, data: Any) -> Scores:
    """Score a model on data that has the target column: a path or a frame, as Model.predict takes it.

    Raises InputError where the target column is missing or no row has a target that the model knows.
    """
    rows = model.rows(data)
    truth = model.truth(rows)
    task = Task(model.contract["task"])
    if task is Task.FORECAST:
        return _forecast_scores(model, rows)
    known = truth >= 0 if task.is_classification else np.isfinite(truth)
    if not known.any():
        raise InputError(f'no row has a value of the target "{model.contract["target"]}" that the model knows')
    prediction = model.predict_proba(rows) if task.is_classification else model.predict(rows)
    classes, positive = model.contract.get("classes", []), model.contract.get("positive")
    code = classes.index(positive) if positive in classes else 1
    threshold = (model.contract.get("readout") or {}).get("threshold") or {}
    limit = threshold.get("value")
    if threshold.get("groups"):  # the graph knows the groups: what it calls lies above the limit, whatever that is
        labels = encode_target(model.predict(rows), model.contract)[known]
        limit = np.where(labels == code, -np.inf, np.inf)
    metrics = [with_threshold(metric, limit) for metric in METRICS.values() if task in metric.tasks]
    truth, prediction = truth[known], prediction[known]
    values = {metric.name: metric.score(truth, prediction, None, code) for metric in metrics}
    constant = _of_a_constant([METRICS[name] for name in values], truth, len(classes), code)
    left_out = int((~known).sum())
    few = _too_few(truth, classes)
    if few:
        known_ends = {"accuracy": wilson_interval(values["accuracy"], len(truth))} if "accuracy" in values else {}
        return Scores(len(truth), left_out, values, known_ends, few, constant)
    return Scores(len(truth), left_out, values, intervals(metrics, truth, prediction, code), constant=constant)


def _of_a_constant(metrics: Sequence[Metric], truth: Array, classes: int, code: int) -> dict[str, float]:
    """The scores of the same answer for every row, the one that these rows themselves make the best."""
    found = {}
    for metric in metrics:
        if classes:
            answer = np.tile(np.bincount(truth, minlength=classes) / len(truth), (len(truth), 1))
        else:
            middle = np.median(truth) if metric.name in ABSOLUTE_METRICS else np.mean(truth)
            answer = np.full(len(truth), middle)
        found[metric.name] = metric.score(truth, answer, None, code)
    return found


def _too_few(truth: Array, classes: Sequence[str]) -> tuple[str, ...]:
    """A note where the rows are too few for intervals, or none."""
    if len(truth) < FEWEST_ROWS:
        return (f"{len(truth):,} scored {'row is' if len(truth) == 1 else 'rows are'} too few to tell how good the model is",)
    counts = np.bincount(truth, minlength=len(classes)) if classes else np.zeros(0, np.int64)
    rare = [(int(count), name) for count, name in zip(counts, classes, strict=True) if 0 < count < FEWEST_OF_A_CLASS]
    if not rare or len(classes) > 2:
        return ()
    count, name = min(rare)
    return (f'{count} scored {"row" if count == 1 else "rows"} of "{name}" are too few to tell how good the model is for it',)


def _forecast_scores(model: Model, rows: Any) -> Scores:
    """Of the rows after the last one that the model was trained on, each forecast from an origin at most a horizon back."""
    try:
        truth, quantiles, scale = model.predictor.rolling(rows)
    except PredictorError as error:
        raise InputError(str(error)) from None
    middle = quantiles[:, MEDIAN]
    metrics = [with_scale(metric, [scale]) for metric in metrics_for(Task.FORECAST)]
    values = {metric.name: metric.score(truth, middle) for metric in metrics}
    low, high = (quantiles[:, QUANTILES.index(level)] for level in (0.1, 0.9))
    values["coverage_80"] = float(np.mean((truth >= low) & (truth <= high)))
    return Scores(len(truth), 0, values)
