"""Linear models on sparse rows such as weighted n-grams: logistic and ridge regression, naive Bayes weights on request."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.architecture import Arrays, Fold, FoldsResult, Problem, Training
from automl.core.blas import blas_threads
from automl.core.clock import Deadline
from automl.core.errors import OutOfTimeError, TrainingError
from automl.core.files import write_json
from automl.core.space import Settings
from automl.encoders.graph import GraphBuilder
from automl.encoders.text import INDEX, VALUE, weighted_sum
from automl.learners.arrays import constant_rows, row_weights

Array = np.ndarray[Any, Any]

ABSENT_CLASS_LOGIT = -20.0
PRIOR = 0.1
"""Added to the sums of the features of a class before their ratio is taken."""
MOST_ITERATIONS = 50
"""Of Newton's method, which on these wide and sparse rows takes a fifteenth of the time of L-BFGS."""


@dataclass(frozen=True)
class FittedSparseLinear:
    """weights: {block: (features, outputs)}; bias: (outputs,). For two classes the first logit is 0."""

    weights: dict[str, Array]
    bias: Array
    classification: bool

    def predict(self, inputs: Arrays) -> Array:
        scores = self.bias + sum(np.asarray(inputs[name] @ weight) for name, weight in self.weights.items())
        if not self.classification:
            return np.asarray(scores[:, 0], np.float64)
        exponent = np.exp((scores - scores.max(axis=1, keepdims=True)).astype(np.float64))
        return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))

    def graph(self, builder: GraphBuilder, tensors: Mapping[str, str]) -> str:
        """A sparse block comes as two tensors, "<block>:index" and "<block>:value"; see NgramEncoder.graph."""
        two = self.classification and len(self.bias) == 2
        scores = ""
        for name, weight in self.weights.items():
            used = weight[:, 1:] if two else weight
            if f"{name}:{INDEX}" in tensors:
                part = weighted_sum(builder, {each: tensors[f"{name}:{each}"] for each in (INDEX, VALUE)}, used)
            else:
                part = builder.node("MatMul", [tensors[name], builder.initializer(used, "weight")])
            scores = builder.node("Add", [scores, part]) if scores else part
        scores = builder.node("Add", [scores, builder.initializer(self.bias[1:] if two else self.bias, "bias")])
        if two:
            scores = builder.node("Concat", [constant_rows(builder, scores, np.zeros(1, np.float32)), scores], axis=1)
        return builder.node("Softmax", [scores], axis=1) if self.classification else scores

    def save(self, folder: Path) -> None:
        weights = {name: np.round(weight.astype(np.float64), 6).tolist() for name, weight in self.weights.items()}
        write_json(Path(folder) / "coefficients.json", {"weights": weights, "bias": self.bias.tolist()})


class SparseLinearLearner:
    """Takes any blocks (rows, width), CSR matrices or arrays, and learns from all of them side by side.

    Settings: strength C > 0, the inverse of the penalty as in scikit-learn; weighting "plain", "naive_bayes" (for two
    classes each feature is multiplied by the log of its ratio between the classes: NBSVM, Wang and Manning, 2012) or
    "mean", the mean coefficients of both; use "all" or the name of one block; class_weight "none" or "balanced" (obeyed
    only for metrics of labels).
    """

    def fit_folds(self, folds: list[Fold], problem: Problem, settings: Settings, seed: int, deadline: Deadline) -> FoldsResult:
        validation: list[Array] = []
        training: list[Array] = []
        for fold in folds:
            if deadline.expired:
                raise OutOfTimeError(f"the time was up after {len(validation)} of {len(folds)} folds")
            model = self.fit(fold.training, problem, settings, 0, seed)
            validation.append(model.predict(fold.validation.inputs))
            training.append(model.predict(fold.training.inputs))
        return FoldsResult(validation, training)

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> FittedSparseLinear:
        names = _used(training.inputs, settings)
        widths = [training.inputs[name].shape[1] for name in names]
        inputs = _side_by_side([training.inputs[name] for name in names])
        target = np.asarray(training.target)
        weight = row_weights(training, problem, settings.get("class_weight") == "balanced")
        with blas_threads(1):
            if problem.task.is_classification:
                coefficients, bias = _fit_classes(inputs, target, weight, problem.outputs, settings, seed)
            else:
                coefficients, bias = _fit_values(inputs, target, weight, settings)
        if not (np.isfinite(coefficients).all() and np.isfinite(bias).all()):
            raise TrainingError("the linear model did not converge to finite coefficients")
        ends = np.cumsum(widths)
        parts = {name: coefficients[end - width : end] for name, width, end in zip(names, widths, ends, strict=True)}
        return FittedSparseLinear(parts, bias, problem.task.is_classification)


def _used(inputs: Arrays, settings: Settings) -> list[str]:
    """The blocks in a fixed order; where the one that is asked for tells nothing, all."""
    wanted = str(settings.get("use", "all"))
    return [wanted] if wanted in inputs and inputs[wanted].shape[1] else sorted(inputs)


def _side_by_side(blocks: list[Any]) -> Any:
    from scipy.sparse import csr_matrix, hstack

    return hstack([csr_matrix(block) for block in blocks], format="csr", dtype=np.float32)


def _fit_classes(
    inputs: Any, target: Array, weight: Array | None, outputs: int, settings: Settings, seed: int
) -> tuple[Array, Array]:
    present = np.unique(target)
    coefficients = np.zeros((inputs.shape[1], outputs), np.float32)
    bias = np.full(outputs, ABSENT_CLASS_LOGIT, np.float32)
    if len(present) == 1 or not inputs.shape[1]:
        shares = np.bincount(target, weights=weight, minlength=outputs)[present]
        bias[present] = np.log(shares / shares.max())
        return coefficients, bias
    weighting = str(settings.get("weighting", "plain")) if len(present) == 2 else "plain"
    fits = []
    if weighting != "naive_bayes":
        fits.append(_logistic(inputs, target, weight, settings, seed))
    if weighting != "plain":
        ratio = _log_ratio(inputs, target == present[1], weight)
        weighted = inputs.copy()
        weighted.data *= ratio[inputs.indices]
        found, intercept = _logistic(weighted, target, weight, settings, seed)
        fits.append((found * ratio, intercept))
    found, intercept = (np.mean(each, axis=0) for each in zip(*fits, strict=True))
    if len(present) == 2:
        found, intercept = np.vstack([0 * found, found]), np.append(0.0, intercept)
    coefficients[:, present] = found.T
    bias[present] = intercept
    return coefficients, bias


def _logistic(inputs: Any, target: Array, weight: Array | None, settings: Settings, seed: int) -> tuple[Array, Array]:
    """Coefficients (classes, features) and intercepts (classes,), one row for two classes."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=settings["strength"], solver="newton-cg", max_iter=MOST_ITERATIONS, tol=1e-4, random_state=seed)
    with warnings.catch_warnings():  # not fully converged is a fit like any other: the folds judge it
        warnings.simplefilter("ignore")
        model.fit(inputs, target, sample_weight=weight)
    return np.asarray(model.coef_), np.asarray(model.intercept_)


def _log_ratio(inputs: Any, positive: Array, weight: Array | None) -> Array:
    """log(share of a feature in the positive class / share in the negative class), (features,) float32."""
    weight = np.ones(len(positive)) if weight is None else weight
    sums = [np.asarray(inputs.T @ (weight * chosen)).ravel() for chosen in (positive, ~positive)]
    more, less = (np.maximum(each, 0.0) + PRIOR for each in sums)
    return np.asarray(np.log((more / more.sum()) / (less / less.sum())), np.float32)


def _fit_values(inputs: Any, target: Array, weight: Array | None, settings: Settings) -> tuple[Array, Array]:
    from sklearn.linear_model import Ridge

    if not inputs.shape[1]:
        return np.zeros((0, 1), np.float32), np.asarray([np.average(target, weights=weight)], np.float32)
    model = Ridge(alpha=1.0 / settings["strength"], solver="sparse_cg", max_iter=500, tol=1e-4)
    with warnings.catch_warnings():  # as above
        warnings.simplefilter("ignore")
        model.fit(inputs, target, sample_weight=weight)
    return np.asarray(model.coef_, np.float32).reshape(-1, 1), np.asarray([model.intercept_], np.float32).reshape(1)
