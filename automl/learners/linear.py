"""Linear models: logistic and ridge or lasso regression by scikit-learn, Gemm (and Softmax) in the graph."""

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
from automl.learners.arrays import row_weights

Array = np.ndarray[Any, Any]

MOST_CELLS = {"l2": 6_000_000, "l1": 1_500_000}
LEAST_ROWS = {"l2": 20_000, "l1": 10_000}
"""A fit sees at most about so many numbers, but not fewer than so many rows: more of them no longer move a line."""
SMALL_CELLS = 2_000_000
ABSENT_CLASS_LOGIT = -20.0


@dataclass(frozen=True)
class FittedLinear:
    """weight: (features, outputs); bias: (outputs,). For two classes the first logit is 0."""

    weight: Array
    bias: Array
    classification: bool

    def predict(self, inputs: Arrays) -> Array:
        scores = _block(inputs) @ self.weight + self.bias
        if not self.classification:
            return np.asarray(scores[:, 0], np.float64)
        exponent = np.exp((scores - scores.max(axis=1, keepdims=True)).astype(np.float64))
        return exponent / exponent.sum(axis=1, keepdims=True)

    def graph(self, builder: GraphBuilder, tensors: dict[str, str]) -> str:
        weight, bias = builder.initializer(self.weight, "weight"), builder.initializer(self.bias, "bias")
        scores = builder.node("Gemm", [_block(tensors), weight, bias])
        return builder.node("Softmax", [scores], axis=1) if self.classification else scores

    def save(self, folder: Path) -> None:
        write_json(Path(folder) / "coefficients.json", {"weight": self.weight.tolist(), "bias": self.bias.tolist()})


class LinearLearner:
    """Needs the encoding "dense".

    Settings: penalty "l2" or "l1"; strength C > 0, the inverse of the penalty as in scikit-learn, for a penalty that is
    added to the sum of the losses; class_weight "none" or "balanced" (obeyed only for metrics of labels).
    """

    def fit_folds(self, folds: list[Fold], problem: Problem, settings: Settings, seed: int, deadline: Deadline) -> FoldsResult:
        validation: list[Array] = []
        training: list[Array] = []
        marks: list[float] = []  # the first fold also waits for scikit-learn to be imported, so it is no measure
        for fold in folds:
            done = len(validation)
            one_fold = (marks[-1] - marks[0]) / (len(marks) - 1) if len(marks) > 1 else 0.0
            if deadline.left_seconds() <= one_fold * (len(folds) - done):
                raise OutOfTimeError(f"the time was up after {done} of {len(folds)} folds")
            model = self.fit(fold.training, problem, settings, 0, seed)
            validation.append(model.predict(fold.validation.inputs))
            training.append(model.predict(fold.training.inputs))
            marks.append(deadline.clock())
        return FoldsResult(validation, training)

    def most_rows(self, settings: Settings, width: int) -> int:
        """Rows of so many encoded columns that a fit looks at."""
        return max(LEAST_ROWS[settings["penalty"]], MOST_CELLS[settings["penalty"]] // width)

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> FittedLinear:
        inputs, target = _block(training.inputs), np.asarray(training.target)
        weight = row_weights(training, problem, settings.get("class_weight") == "balanced")
        most_rows = self.most_rows(settings, inputs.shape[1])
        if len(inputs) > most_rows:
            chosen = _sample(target, most_rows, problem, seed)
            inputs, target, weight = inputs[chosen], target[chosen], None if weight is None else weight[chosen]
        if inputs.size < SMALL_CELLS:
            inputs = inputs.astype(np.float64)
        with blas_threads(1):
            if problem.task.is_classification:
                return _fit_classes(inputs, target, weight, problem.outputs, settings, seed)
            return _fit_values(inputs, target, weight, settings, seed)


def _block(blocks: Mapping[str, Any]) -> Any:
    """The encoded columns; "rows" stands in where no column tells anything."""
    return blocks["dense"] if "dense" in blocks else blocks["rows"]


def _sample(target: Array, count: int, problem: Problem, seed: int) -> Array:
    """Random positions; of every class at least 50 rows where it has them."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(target))
    chosen = order[:count]
    if problem.task.is_classification:
        rare = [order[target[order] == code][:50] for code in range(problem.outputs)]
        chosen = np.unique(np.concatenate([chosen, *rare]))
    return np.sort(chosen)


def _fit_classes(inputs: Array, target: Array, weight: Array | None, outputs: int, settings: Settings, seed: int) -> FittedLinear:
    from sklearn.linear_model import LogisticRegression

    present = np.unique(target)
    features = inputs.shape[1]
    full_weight = np.zeros((features, outputs), np.float32)
    full_bias = np.full(outputs, ABSENT_CLASS_LOGIT, np.float32)
    full_bias[present] = 0.0
    if len(present) == 1:
        return FittedLinear(full_weight, full_bias, True)
    lasso = settings["penalty"] == "l1"
    newton = features * (len(present) if len(present) > 2 else 1) <= 400 and len(inputs) > 5 * features
    solver = "saga" if lasso else "newton-cholesky" if newton else "lbfgs"
    model = LogisticRegression(
        C=settings["strength"],
        l1_ratio=1.0 if lasso else 0.0,
        solver=solver,
        max_iter=_iterations(inputs) if lasso else 300,
        tol=1e-3 if lasso else 1e-4,
        random_state=seed,
    )
    with warnings.catch_warnings():  # not fully converged is a fit like any other: the folds judge it
        warnings.simplefilter("ignore")
        model.fit(inputs, target, sample_weight=weight)
    coefficients, intercept = model.coef_, model.intercept_
    if len(present) == 2:
        coefficients, intercept = np.vstack([0 * coefficients, coefficients]), np.append(0.0, intercept)
    full_weight[:, present] = coefficients.T
    full_bias[present] = intercept
    return _checked(FittedLinear(full_weight, full_bias, True))


def _fit_values(inputs: Array, target: Array, weight: Array | None, settings: Settings, seed: int) -> FittedLinear:
    from sklearn.linear_model import Lasso, Ridge

    if settings["penalty"] == "l1":
        alpha = 1.0 / (settings["strength"] * len(inputs))
        precompute = len(inputs) > inputs.shape[1]
        model = Lasso(alpha=alpha, precompute=precompute, max_iter=1000, tol=1e-3)
    else:
        model = Ridge(alpha=1.0 / settings["strength"], solver="cholesky")
    with warnings.catch_warnings():  # as above
        warnings.simplefilter("ignore")
        model.fit(inputs, target, sample_weight=weight)
    coefficients = np.asarray(model.coef_, np.float32).reshape(1, -1).T
    return _checked(FittedLinear(coefficients, np.asarray([model.intercept_], np.float32).reshape(1), False))


def _iterations(inputs: Array) -> int:
    """Passes over the data: about 150 million multiplications a class, from 30 to 500 passes."""
    return int(np.clip(150_000_000 // inputs.size, 30, 500))


def _checked(fitted: FittedLinear) -> FittedLinear:
    if not (np.isfinite(fitted.weight).all() and np.isfinite(fitted.bias).all()):
        raise TrainingError("the linear model did not converge to finite coefficients")
    return fitted
