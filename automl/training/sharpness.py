"""One over the temperature of nets: stopping where the loss is least once it is right, not where nets are least overconfident.

Method: refine, then calibrate (Berta, Holzmüller, Jordan and Bach, arXiv:2501.19195): the epoch is chosen by the log loss
at the best temperature, which is then part of the net (temperature scaling: Guo et al., ICML 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.core.architecture import Fold, Problem
from automl.training.validation import validation_loss

Array = np.ndarray[Any, Any]

LEAST, MOST = 0.1, 10.0
MOST_ROWS, STOPPING_ROWS = 8_192, 2_048
"""Validation rows of all folds together that the sharpness is found on, and that it is found on after every epoch."""
PRIOR_ROWS = 20.0
"""The sharpness is drawn towards one by so many rows that speak for it: a class that is never missed in few rows is sure."""

SHARED = 0.5
"""Of the logarithm of a sharpness below one, what stays however many nets are averaged: the other half is of each net alone.
An assumption: by benchmarks/sharpness.py the best share is 0.7 on average, from 0 to 1.2 by table, for a net as for five."""


def sharpened(logits: Array, sharpness: float) -> Array:
    """The probabilities of these logits, or log-probabilities, times the sharpness: (..., classes)."""
    scaled = sharpness * np.asarray(logits, np.float32)
    found = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(found / found.sum(axis=-1, keepdims=True))


def sharpness_of(groups: Sequence[Array], folds: Sequence[Fold], most_rows: int = MOST_ROWS) -> float:
    """The sharpness at which the log loss on the validation rows, or so many of them, is least.

    groups: of each fold, logits (nets, rows, classes) of its validation rows.
    """
    from scipy.optimize import minimize_scalar

    step = -(-sum(group.shape[1] for group in groups) // most_rows)
    logits = np.concatenate([group[:, ::step] for group in groups], axis=1)  # (nets, rows, classes)
    truth = np.concatenate([fold.validation.target[::step] for fold in folds])
    weight = np.concatenate([_weight(fold)[::step] for fold in folds])
    rows, total = np.arange(len(truth)), float(weight.sum())

    def loss(logarithm: float) -> float:
        said = sharpened(logits, float(np.exp(logarithm))).mean(axis=0)[rows, truth]
        return float(weight @ -np.log(np.maximum(said, 1e-15)) + PRIOR_ROWS * 0.5 * logarithm**2) / (total + PRIOR_ROWS)

    found = minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded", options={"xatol": 0.01})
    return float(np.exp(found.x)) if loss(float(found.x)) < loss(0.0) else 1.0


def _weight(fold: Fold) -> Array:
    weight = fold.validation.sample_weight
    return np.ones(len(fold.validation.target)) if weight is None else np.asarray(weight, np.float64)


def chosen_sharpness(groups: Sequence[Array], folds: Sequence[Fold]) -> tuple[float, list[float]]:
    """The sharpness on all folds, and for the rows of each what is found on the others: (all, one a fold).

    One everywhere where the log loss is no better with what others found; a single fold is its own measure.
    """
    plain = [1.0] * len(folds)
    whole = sharpness_of(groups, folds)
    if len(folds) == 1:
        return whole, [whole]
    found = []
    for number in range(len(folds)):
        kept = [place for place in range(len(folds)) if place != number]
        found.append(sharpness_of([groups[place] for place in kept], [folds[place] for place in kept]))
    better = _log_loss(groups, folds, found) < _log_loss(groups, folds, plain)
    return (whole, found) if better else (1.0, plain)


def _log_loss(groups: Sequence[Array], folds: Sequence[Fold], sharpness: Sequence[float]) -> float:
    """The mean log loss over the validation rows of all folds, each at its sharpness."""
    lost, total = 0.0, 0.0
    for group, fold, each in zip(groups, folds, sharpness, strict=True):
        truth, weight = fold.validation.target, _weight(fold)
        said = sharpened(group, each).mean(axis=0)[np.arange(len(truth)), truth]
        lost += float(weight @ -np.log(np.maximum(said, 1e-15)))
        total += float(weight.sum())
    return lost / total


def sharpness_for(sharpness: float, scored: int, shipped: int) -> float:
    """Of each net in a mean of `shipped`, where it was found for means of `scored`, which cure less of their overconfidence."""
    return sharpness if sharpness >= 1.0 else float(sharpness ** (SHARED + (1 - SHARED) * min(1.0, scored / shipped)))


def together(group: Array, fold: Fold, problem: Problem, sharpness: float) -> Array:
    """What the nets of a fold say together: probabilities (rows, classes), or values (rows,) within those of its target."""
    if problem.task.is_classification:
        return np.asarray(sharpened(group, sharpness).mean(axis=0))
    target = fold.training.target
    return np.asarray(np.clip(group[:, :, 0].mean(axis=0), target.min(), target.max()))


def refined_loss(groups: Sequence[Array], folds: Sequence[Fold], problem: Problem, most_rows: int = STOPPING_ROWS) -> float:
    """The mean validation loss of the folds at the sharpness that suits all of them best; of values, and areas, as they are.

    most_rows: that the sharpness is found on; the loss is that of all rows.
    """
    bends = problem.task.is_classification and problem.metric != "roc_auc"
    sharpness = sharpness_of(groups, folds, most_rows) if bends else 1.0
    pairs = zip(groups, folds, strict=True)
    return float(
        np.mean([validation_loss(problem, fold.validation, together(group, fold, problem, sharpness)) for group, fold in pairs])
    )
