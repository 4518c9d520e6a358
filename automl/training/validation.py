"""The loss on validation rows that training stops by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from automl.core import metrics
from automl.core.architecture import Problem, Training
from automl.core.methods import MEDIAN, QUANTILES
from automl.core.tasks import Task

Array = np.ndarray[Any, Any]


def validation_loss(problem: Problem, validation: Training, prediction: Array) -> float:
    """What early stopping minimises: 1 - ROC-AUC, squared or absolute error where these are the metric, else log loss."""
    truth, weight = validation.target, validation.sample_weight
    if problem.task.is_classification:
        if problem.metric == "roc_auc":
            area = metrics.metric("roc_auc").score(truth, prediction, weight)
            if not math.isnan(area):
                return 1.0 - area
        return metrics.metric("log_loss").score(truth, prediction, weight)
    if problem.task is Task.FORECAST:
        prediction = prediction.reshape(*truth.shape, len(QUANTILES))[:, :, MEDIAN]
        return float(np.mean(np.abs(prediction - truth)))
    errors = prediction - truth
    return float(np.average(np.abs(errors) if problem.metric in ("mae", "mape") else errors**2, weights=weight))
