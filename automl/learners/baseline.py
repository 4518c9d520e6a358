"""The zero point of every score: class frequencies, or the mean (median for absolute errors)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.architecture import Arrays, Fold, FoldsResult, Problem, Training
from automl.core.clock import Deadline
from automl.core.files import write_json
from automl.core.space import Settings
from automl.encoders.graph import GraphBuilder
from automl.learners.arrays import constant_rows, row_count

Array = np.ndarray[Any, Any]

ABSOLUTE_METRICS = frozenset({"mae", "mape"})


@dataclass(frozen=True)
class FittedBaseline:
    """values: the probabilities (classes,), or the one value (1,)."""

    values: Array
    classification: bool

    def predict(self, inputs: Arrays) -> Array:
        rows = np.tile(self.values, (row_count(inputs), 1))
        return rows if self.classification else rows[:, 0]

    def graph(self, builder: GraphBuilder, tensors: dict[str, str]) -> str:
        return constant_rows(builder, next(iter(tensors.values())), self.values)

    def save(self, folder: Path) -> None:
        write_json(Path(folder) / "baseline.json", {"values": self.values.tolist()})


class BaselineLearner:
    """Looks at the target only."""

    def fit_folds(self, folds: list[Fold], problem: Problem, settings: Settings, seed: int, deadline: Deadline) -> FoldsResult:
        fitted = [self.fit(fold.training, problem, settings, 0, seed) for fold in folds]
        return FoldsResult(
            [model.predict(fold.validation.inputs) for model, fold in zip(fitted, folds, strict=True)],
            [model.predict(fold.training.inputs) for model, fold in zip(fitted, folds, strict=True)],
        )

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> FittedBaseline:
        target, weight = np.asarray(training.target), training.sample_weight
        if problem.task.is_classification:
            counts = np.bincount(target, weights=weight, minlength=problem.outputs).astype(np.float64)
            if not counts.all():  # a class that this fold lacks is not impossible
                counts += 0.5
            return FittedBaseline((counts / counts.sum()).astype(np.float32), True)
        value = _median(target, weight) if problem.metric in ABSOLUTE_METRICS else np.average(target, weights=weight)
        return FittedBaseline(np.asarray([value], np.float32), False)


def _median(target: Array, weight: Array | None) -> float:
    if weight is None:
        return float(np.median(target))
    order = np.argsort(target)
    cumulated = np.cumsum(np.asarray(weight)[order])
    return float(target[order][np.searchsorted(cumulated, 0.5 * cumulated[-1])])
