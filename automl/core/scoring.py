"""Scores of a model on rows whose target is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.errors import InputError
from automl.core.methods import MEDIAN, QUANTILES
from automl.core.metrics import METRICS, metrics_for, with_scale, with_threshold
from automl.core.model import Model
from automl.core.predictor import PredictorError, encode_target
from automl.core.tasks import Task


@dataclass(frozen=True)
class Scores:
    """Every metric of the task by name, each in its own direction and unit.

    rows: how many were scored; left_out: rows whose target is missing or is no class of the model.
    """

    rows: int
    left_out: int
    values: dict[str, float]


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
    values = {
        name: with_threshold(metric, limit).score(truth[known], prediction[known], None, code)
        for name, metric in METRICS.items()
        if task in metric.tasks
    }
    return Scores(int(known.sum()), int((~known).sum()), values)


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
