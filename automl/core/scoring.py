"""Scores of a model on rows whose target is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.errors import InputError
from automl.core.metrics import METRICS
from automl.core.model import Model
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
    known = truth >= 0 if task.is_classification else np.isfinite(truth)
    if not known.any():
        raise InputError(f'no row has a value of the target "{model.contract["target"]}" that the model knows')
    prediction = model.predict_proba(rows) if task.is_classification else model.predict(rows)
    classes, positive = model.contract.get("classes", []), model.contract.get("positive")
    code = classes.index(positive) if positive in classes else 1
    values = {
        name: metric.score(truth[known], prediction[known], None, code)
        for name, metric in METRICS.items()
        if task in metric.tasks
    }
    return Scores(int(known.sum()), int((~known).sum()), values)
