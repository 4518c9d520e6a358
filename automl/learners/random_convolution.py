"""Ridge on many random features: the penalty by leave-one-out in closed form, probabilities by a fitted temperature."""

from __future__ import annotations

from collections.abc import Callable
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

CONVOLUTIONS, STATISTICS = "convolutions", "statistics"
"""The blocks: many features of which each says little, and a few that say more; either may lack."""
PENALTIES = tuple(float(penalty) for penalty in np.logspace(-6, 1, 15))
FEWER_PENALTIES = PENALTIES[1:13:2]
"""In units of the mean square of a row, so that they fit any number of features."""
EXACT_ROWS = 1_200
"""Up to here every row is left out once; beyond it a fifth of the rows is."""
SHARES = (0.05, 0.2, 0.5)
USUAL_SHARE = 0.2
"""Of the squared length of a row that the statistics make up: what is tried, and what is taken on many rows."""
FLOOR = 0.01
"""Added to a feature's spread: one that hardly varies in training must not explode on a new row."""
COLDEST = 60.0


@dataclass(frozen=True)
class FittedRidge:
    """weights: {block: (features, outputs) float32}; bias: (outputs,) float32. The temperature is in both."""

    weights: dict[str, Array]
    bias: Array
    classification: bool
    penalty: float = 0.0

    def predict(self, inputs: Arrays) -> Array:
        scores = self.bias + sum(inputs[name] @ weight for name, weight in self.weights.items())
        if not self.classification:
            return np.asarray(scores[:, 0], np.float64)
        return _softmax(np.asarray(scores, np.float64))

    def graph(self, builder: GraphBuilder, tensors: dict[str, str]) -> str:
        scores = builder.initializer(self.bias, "bias")
        for name, weight in self.weights.items():
            scores = builder.node("Gemm", [tensors[name], builder.initializer(weight, "weight"), scores])
        return builder.node("Softmax", [scores], axis=1) if self.classification else scores

    def save(self, folder: Path) -> None:
        weights = {name: weight.tolist() for name, weight in self.weights.items()}
        write_json(Path(folder) / "coefficients.json", {"weights": weights, "bias": self.bias.tolist(), "penalty": self.penalty})


class RidgeLearner:
    """Needs the blocks "convolutions" and "statistics" (float32), or one of them.

    Settings: class_weight "none" or "balanced" (obeyed only for metrics of labels). The penalty, and the share of the
    statistics, are chosen on rows that a fit did not see, by log loss at its best temperature or by squared error.
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

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> FittedRidge:
        weight = row_weights(training, problem, settings.get("class_weight") == "balanced")
        weight = np.ones(len(training.target)) if weight is None else weight
        kept = np.flatnonzero(weight > 0)
        inputs = {name: np.asarray(training.inputs[name])[kept] for name in (CONVOLUTIONS, STATISTICS) if name in training.inputs}
        target, weight = np.asarray(training.target)[kept], weight[kept] / weight[kept].mean()
        blocks, centres, scales = _standardised(inputs, weight)
        if problem.task.is_classification:
            wanted = np.where(np.arange(problem.outputs) == target[:, None], 1.0, -1.0)
        else:
            wanted = target.astype(np.float64)[:, None]
        found = _fitted(blocks, wanted, weight, _Judge(target, problem, weight), seed)
        coefficients, offset, penalty, temperature = found
        folded = coefficients * scales[:, None] * temperature
        bias = offset * temperature - centres @ folded
        if not (np.isfinite(folded).all() and np.isfinite(bias).all()):
            raise TrainingError("the ridge did not give finite coefficients")
        if problem.task.is_classification:
            bias = np.where(np.isin(np.arange(problem.outputs), target), bias, bias - COLDEST)
        ends = np.cumsum([block.shape[1] for block in inputs.values()])
        parts = dict(zip(inputs, np.split(folded.astype(np.float32), ends[:-1]), strict=True))
        return FittedRidge(parts, bias.astype(np.float32), problem.task.is_classification, penalty)


@dataclass(frozen=True)
class _Judge:
    """How good scores of rows are that the fit did not see."""

    target: Array
    problem: Problem
    weight: Array

    def of(self, rows: Array) -> _Judge:
        return _Judge(self.target[rows], self.problem, self.weight[rows])

    def loss(self, scores: Array) -> tuple[float, float]:
        """(loss, temperature) of scores (rows, outputs): log loss at the best factor before the softmax, or squared error."""
        if not self.problem.task.is_classification:
            return float(np.average((scores[:, 0] - self.target) ** 2, weights=self.weight)), 1.0
        outputs = self.problem.outputs
        # As if one more row than there are had gone wrong: without an error no factor would be large enough.
        doubt = 1.0 / (len(self.target) + 1.0)
        truth = np.where(np.arange(outputs) == self.target[:, None], 1.0 - doubt, doubt / max(1, outputs - 1))

        def loss(factor: float) -> float:
            shifted = factor * (scores - scores.max(axis=1, keepdims=True))
            logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
            return float(-np.average((truth * logs).sum(axis=1), weights=self.weight))

        return _golden(loss, np.log(0.1), np.log(COLDEST))


def _golden(loss: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """The lowest loss over the exponentials between low and high, and where it is; the loss has one valley."""
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(float(np.exp(left))), loss(float(np.exp(right)))
    for _ in range(22):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(float(np.exp(left)))
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(float(np.exp(right)))
    return min(at_left, at_right), float(np.exp(left if at_left <= at_right else right))


def _standardised(inputs: Arrays, weight: Array) -> tuple[list[Array], Array, Array]:
    """Blocks (rows, features) float32, centred and scaled so that a row of each has about length 1; centres and scales."""
    blocks, centres, scales = [], [], []
    for block in inputs.values():
        mean = np.average(block, axis=0, weights=weight)
        centred = block - mean.astype(np.float32)
        variance = np.average(centred**2, axis=0, weights=weight)
        scale = np.where(variance > 0, 1.0 / (np.sqrt(variance) + FLOOR), 0.0)
        scale /= np.sqrt(max(float((variance * scale**2).sum()), 1e-12))
        blocks.append(centred * scale.astype(np.float32))
        centres.append(mean)
        scales.append(scale)
    return blocks, np.concatenate(centres), np.concatenate(scales)


def _factors(blocks: list[Array], share: float) -> list[float]:
    """What each block is multiplied by, so that the second one has this share of a row."""
    return [1.0] if len(blocks) == 1 else [float(np.sqrt(1.0 - share)), float(np.sqrt(share))]


def _fitted(blocks: list[Array], wanted: Array, weight: Array, judge: _Judge, seed: int) -> tuple[Array, Array, float, float]:
    """Coefficients (features, outputs), offset (outputs,), penalty and temperature."""
    root = np.sqrt(weight)[:, None]
    offset = np.average(wanted, axis=0, weights=weight)
    residual = (wanted - offset) * root
    blocks = [block * root.astype(np.float32) for block in blocks]
    few = len(root) <= EXACT_ROWS
    with blas_threads(1 if few else judge.problem.jobs):
        if few:
            grams = [(block @ block.T).astype(np.float64) for block in blocks]
            shares = SHARES if len(blocks) == 2 else (USUAL_SHARE,)
            tried = []
            for share in shares:
                factors = _factors(blocks, share)
                gram = np.sum([factor**2 * each for factor, each in zip(factors, grams, strict=True)], axis=0)
                tried.append((*_by_leaving_one_out(gram, residual, root[:, 0], judge), factors))
            _, dual, penalty, temperature, factors = min(tried, key=lambda each: each[0])
            parts = [factor**2 * (block.T.astype(np.float64) @ dual) for factor, block in zip(factors, blocks, strict=True)]
            return np.concatenate(parts), offset, penalty, temperature
        factors = _factors(blocks, USUAL_SHARE)
        scaled = np.concatenate([np.float32(factor) * block for factor, block in zip(factors, blocks, strict=True)], axis=1)
        penalty, temperature = _by_holdout(scaled, residual, root, judge, seed)
        repeated = np.repeat(factors, [block.shape[1] for block in blocks])[:, None]
        return repeated * _solver(scaled, residual)(penalty * len(root)), offset, penalty, temperature


def _by_leaving_one_out(gram: Array, residual: Array, root: Array, judge: _Judge) -> tuple[float, Array, float, float]:
    """Loss, dual coefficients (rows, outputs), penalty and temperature at the penalty whose leave-one-out scores are best.

    With H the hat matrix (the offset's part included), the score of a row by a fit without it is
    y - (y - Hy) / (1 - h), as for any linear smoother.
    """
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0.0)
    turned, squares = vectors.T @ residual, vectors**2
    offset_part = root**2 / (root**2).sum()
    best: tuple[float, float, float] = (np.inf, PENALTIES[-1], 1.0)
    wanted = residual / root[:, None]
    for penalty in PENALTIES:
        kept = values / (values + penalty * len(root))
        left = residual - vectors @ (kept[:, None] * turned)
        without = left / np.maximum(1.0 - squares @ kept - offset_part, 1e-9)[:, None]
        loss, temperature = judge.loss(wanted - without / root[:, None])
        if loss < best[0]:
            best = (loss, penalty, temperature)
    loss, penalty, temperature = best
    return loss, vectors @ (turned / (values + penalty * len(root))[:, None]), penalty, temperature


def _by_holdout(scaled: Array, residual: Array, root: Array, judge: _Judge, seed: int) -> tuple[float, float]:
    """Penalty and temperature that are best on a fifth of the rows."""
    order = np.random.default_rng(seed).permutation(len(scaled))
    held, used = order[: len(order) // 5], order[len(order) // 5 :]
    part = judge.of(held)
    best: tuple[float, float, float] = (np.inf, FEWER_PENALTIES[-1], 1.0)
    solve = _solver(scaled[used], residual[used])
    for penalty in FEWER_PENALTIES:
        scores = (scaled[held] @ solve(penalty * len(used)).astype(np.float32)) / root[held]
        loss, temperature = part.loss(scores.astype(np.float64))
        if loss < best[0]:
            best = (loss, penalty, temperature)
    return best[1], best[2]


def _solver(scaled: Array, residual: Array) -> Callable[[float], Array]:
    """penalty -> coefficients (features, outputs), over whichever of rows and features are fewer."""
    dual = scaled.shape[0] <= scaled.shape[1]
    gram = (scaled @ scaled.T if dual else scaled.T @ scaled).astype(np.float64)
    right = residual if dual else scaled.T.astype(np.float64) @ residual

    def solve(ridge: float) -> Array:
        system = gram.copy()
        system[np.diag_indices_from(system)] += ridge
        solution = np.linalg.solve(system, right)
        return scaled.T.astype(np.float64) @ solution if dual else solution

    return solve


def _softmax(scores: Array) -> Array:
    exponent = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))
