"""Metrics in numpy, each in its own direction and unit.

Truth: class codes (rows,) as integers, or values (rows,). Prediction: probabilities (rows, classes) with the
classes in sorted order, or values (rows,). `positive` is the code of the positive class of a binary task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from automl.core.errors import InputError, nearest
from automl.core.readout import called
from automl.core.tasks import ALL_TASKS, CLASSIFICATION, Task

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Metric:
    """How a prediction is scored.

    compute: (truth, prediction, weight or None, positive) -> float, NaN where it is not defined.
    unit: "" for a pure number, "target" for the unit of the target, "percent".
    scaled: errors count in units of each row's own scale; scales: these units, see `with_scale`.
    calls: it counts classes that are called, not probabilities; see `with_threshold`.
    """

    name: str
    title: str
    tasks: frozenset[Task]
    greater_is_better: bool
    compute: Callable[[Array, Array, Array | None, int], float]
    unit: str = ""
    short: str = ""
    scaled: bool = False
    calls: bool = False
    scales: tuple[Array, ...] = field(default=(), compare=False, repr=False)
    threshold: float | Array | None = field(default=None, compare=False)

    def score(self, truth: Array, prediction: Array, weight: Array | None = None, positive: int = 1) -> float:
        return float(self.compute(truth, prediction, weight, positive))

    def gain(self, candidate: float, incumbent: float) -> float:
        """How much better the candidate is; positive is better whatever the direction of the metric."""
        return candidate - incumbent if self.greater_is_better else incumbent - candidate

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value that the metric can take."""
        if not self.greater_is_better:
            return 0.0, np.inf
        return (-np.inf if self.name == "r2" else 0.0), 1.0

    def within(self, value: float | None) -> float | None:
        """An end of an interval, cut where the metric itself ends."""
        return None if value is None else float(min(max(value, self.bounds[0]), self.bounds[1]))

    @property
    def worst(self) -> float:
        return -np.inf if self.greater_is_better else np.inf


def metric(name: str) -> Metric:
    """The metric of this name.

    Raises InputError, with the nearest name, where there is none.
    """
    if name not in METRICS:
        raise InputError(f'there is no metric called "{name}"', nearest(name, METRICS) or f"known: {', '.join(METRICS)}")
    return METRICS[name]


def default_metric(task: Task) -> str:
    return {Task.BINARY: "roc_auc", Task.MULTICLASS: "log_loss", Task.REGRESSION: "rmse", Task.FORECAST: "mase"}[task]


def metrics_for(task: Task) -> tuple[Metric, ...]:
    return tuple(each for each in METRICS.values() if task in each.tasks)


def roc_auc_binary(is_positive: Array, score: Array, weight: Array | None = None) -> float:
    """Area under the ROC curve by ranks, ties counted half; NaN where only one class is there."""
    order = np.argsort(score, kind="stable")
    sorted_score, positive = score[order], is_positive[order].astype(np.float64)
    weights = np.ones(len(score)) if weight is None else np.asarray(weight, np.float64)[order]
    boundaries = np.flatnonzero(np.r_[True, sorted_score[1:] != sorted_score[:-1]])
    positives = np.add.reduceat(positive * weights, boundaries)
    negatives = np.add.reduceat((1.0 - positive) * weights, boundaries)
    total = positives.sum() * negatives.sum()
    if total == 0:
        return float("nan")
    below = np.r_[0.0, np.cumsum(negatives)[:-1]]
    return float(np.sum(positives * (below + 0.5 * negatives)) / total)


def average_precision_binary(is_positive: Array, score: Array, weight: Array | None = None) -> float:
    """Area under the precision-recall curve as average precision: sum of precision x gain in recall."""
    weights = np.ones(len(score)) if weight is None else np.asarray(weight, np.float64)
    order = np.argsort(-score, kind="stable")
    sorted_score, positive, weights = score[order], is_positive[order].astype(np.float64), weights[order]
    ends = np.flatnonzero(np.r_[sorted_score[1:] != sorted_score[:-1], True])
    hits, seen = np.cumsum(positive * weights)[ends], np.cumsum(weights)[ends]
    if hits[-1] == 0:
        return float("nan")
    precision = np.divide(hits, seen, out=np.zeros_like(hits), where=seen > 0)  # the first rows may weigh nothing
    return float(np.sum(precision * np.diff(np.r_[0.0, hits / hits[-1]])))


def _mean(values: Array, weight: Array | None) -> float:
    """NaN where no row has a weight."""
    return float(np.average(values, weights=weight)) if weight is None or np.any(weight) else float("nan")


def _roc_auc(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    if prediction.shape[1] == 2:
        return roc_auc_binary(truth == positive, prediction[:, positive], weight)
    areas = [roc_auc_binary(truth == code, prediction[:, code], weight) for code in range(prediction.shape[1])]
    defined = [area for area in areas if not np.isnan(area)]
    return float(np.mean(defined)) if defined else float("nan")


def _average_precision(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    return average_precision_binary(truth == positive, prediction[:, positive], weight)


def log_losses(truth: Array, prediction: Array) -> Array:
    """Cross-entropy of each row, probabilities clipped at 1e-15 and renormalised."""
    clipped = np.clip(np.asarray(prediction, np.float64), 1e-15, 1.0)
    clipped /= clipped.sum(axis=1, keepdims=True)
    return np.asarray(-np.log(clipped[np.arange(len(truth)), truth]))


def _log_loss(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    return _mean(log_losses(truth, prediction), weight)


def _brier(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    if prediction.shape[1] == 2:
        return _mean((prediction[:, positive] - (truth == positive)) ** 2, weight)
    hot = np.eye(prediction.shape[1])[truth]
    return _mean(((prediction - hot) ** 2).sum(axis=1), weight)


def _accuracy(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    return _mean((prediction.argmax(axis=1) == truth).astype(np.float64), weight)


def _recalls(truth: Array, predicted: Array, weight: Array | None, code: int) -> tuple[float, float, float]:
    weights = np.ones(len(truth)) if weight is None else weight
    hit = float(weights[(truth == code) & (predicted == code)].sum())
    return hit, float(weights[truth == code].sum()), float(weights[predicted == code].sum())


def _balanced_accuracy(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    predicted = prediction.argmax(axis=1)
    parts = [_recalls(truth, predicted, weight, code) for code in np.unique(truth)]
    return float(np.mean([hit / actual for hit, actual, _ in parts]))


def _f1(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    predicted = prediction.argmax(axis=1)
    codes = [positive] if prediction.shape[1] == 2 else np.unique(truth).tolist()
    parts = [_recalls(truth, predicted, weight, code) for code in codes]
    return float(np.mean([2 * hit / (actual + called) if actual + called else 0.0 for hit, actual, called in parts]))


def _mse(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    return _mean((prediction - truth) ** 2, weight)


def _rmse(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    return float(np.sqrt(_mse(truth, prediction, weight, positive)))


def _mae(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    return _mean(np.abs(prediction - truth), weight)


def _r2(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    spread = _mean((truth - np.average(truth, weights=weight)) ** 2, weight)
    return 1.0 - _mse(truth, prediction, weight, positive) / spread if spread > 0 else float("nan")


def _mape(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    known = truth != 0
    if not known.any():
        return float("nan")
    return 100.0 * _mean(np.abs((prediction[known] - truth[known]) / truth[known]), None if weight is None else weight[known])


def _smape(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    size = (np.abs(truth) + np.abs(prediction)) / 2
    known = size > 0
    if not known.any():
        return float("nan")
    return 100.0 * _mean(np.abs(prediction - truth)[known] / size[known], None if weight is None else weight[known])


def _mase(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
    """Without a scale a mean absolute error; `with_scale` gives it one."""
    return _mae(truth, prediction, weight, positive)


def with_threshold(metric: Metric, threshold: float | Array | None) -> Metric:
    """A metric of called classes where the positive one of two is called from a threshold on; any other stays as it is.

    threshold: a number, or (rows,) one for each of the rows that will be scored.
    """
    if threshold is None or not metric.calls:
        return metric

    def compute(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
        return metric.compute(truth, at_half(prediction, threshold, positive), weight, positive)

    return replace(metric, compute=compute, threshold=threshold)


def at_half(prediction: Array, threshold: float | Array | None, positive: int) -> Array:
    """(rows, 2) with certainty for the class that is called, so that the more probable one is that class."""
    if threshold is None:
        return prediction
    return np.eye(2)[called(prediction, threshold, positive)]


def with_scale(metric: Metric, scales: Sequence[Array]) -> Metric:
    """A scaled metric (MASE) of rows whose scales are known; any other metric stays as it is.

    scales: the error scale of the rows of each set that will be scored, told apart by their number; NaN where a row's
    series never changes, and such rows do not count.
    """
    if not metric.scaled:
        return metric

    known_scales = tuple(scales)

    def compute(truth: Array, prediction: Array, weight: Array | None, positive: int) -> float:
        errors = scaled_errors(truth, prediction, known_scales)
        known = np.isfinite(errors)
        return _mean(errors[known], None if weight is None else weight[known]) if known.any() else float("nan")

    return replace(metric, compute=compute, scales=known_scales)


def scaled_errors(truth: Array, prediction: Array, scales: Sequence[Array]) -> Array:
    """Absolute errors in units of the scales of as many rows, (rows,); in the unit of the target where there are none."""
    errors = np.abs(prediction - truth)
    if not scales:
        return errors
    scale = next((each for each in scales if len(each) == len(truth)), np.full(len(truth), np.nan))
    return np.asarray(errors / scale)


_BINARY, _REGRESSION = frozenset({Task.BINARY}), frozenset({Task.REGRESSION})
_FORECAST = frozenset({Task.FORECAST})
_VALUES = _REGRESSION | _FORECAST
assert CLASSIFICATION | _REGRESSION == ALL_TASKS

METRICS: dict[str, Metric] = {
    each.name: each
    for each in (
        Metric("roc_auc", "ROC-AUC", CLASSIFICATION, True, _roc_auc),
        Metric("average_precision", "PR-AUC (average precision)", _BINARY, True, _average_precision, short="PR-AUC"),
        Metric("log_loss", "Log loss", CLASSIFICATION, False, _log_loss),
        Metric("brier", "Brier score", CLASSIFICATION, False, _brier),
        Metric("f1", "F1", CLASSIFICATION, True, _f1, calls=True),
        Metric("accuracy", "Accuracy", CLASSIFICATION, True, _accuracy, calls=True),
        Metric("balanced_accuracy", "Balanced accuracy", CLASSIFICATION, True, _balanced_accuracy, calls=True),
        Metric("r2", "R2", _REGRESSION, True, _r2),
        Metric("mase", "MASE", _FORECAST, False, _mase, scaled=True),
        Metric("rmse", "RMSE", _VALUES, False, _rmse, unit="target"),
        Metric("mae", "MAE", _VALUES, False, _mae, unit="target"),
        Metric("mape", "MAPE", _VALUES, False, _mape, unit="percent"),
        Metric("smape", "sMAPE", _FORECAST, False, _smape, unit="percent"),
    )
}
