"""What the learners share: joining blocks, class weights, constant outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.architecture import Arrays, Problem, Training
from automl.encoders.graph import GraphBuilder

Array = np.ndarray[Any, Any]

BALANCED_METRICS = frozenset({"balanced_accuracy", "f1"})
"""Metrics that look at labels and count rare classes in full; class weights would spoil probabilities elsewhere."""


def row_count(inputs: Arrays) -> int:
    return len(next(iter(inputs.values())))


def row_weights(training: Training, problem: Problem, balanced: bool) -> Array | None:
    """Sample weights times, where asked for and sensible, weights that give every class the same sum; mean 1, or None."""
    weight = training.sample_weight
    if balanced and problem.task.is_classification and problem.metric in BALANCED_METRICS:
        base = np.ones(len(training.target)) if weight is None else np.asarray(weight, np.float64)
        sums = np.bincount(training.target, weights=base, minlength=problem.outputs)
        weight = base * (1.0 / np.maximum(sums, 1e-12))[training.target]
    return None if weight is None else np.asarray(weight, np.float64) / np.mean(weight)


def constant_rows(builder: GraphBuilder, tensor: str, values: Array) -> str:
    """(batch, len(values)) with the same values in every row; the batch is that of `tensor`, of any type but strings."""
    batch = builder.node("Shape", [tensor], start=0, end=1)
    width = builder.initializer(np.asarray([len(values)], np.int64), "width")
    shape = builder.node("Concat", [batch, width], axis=0)
    return builder.node("Expand", [builder.initializer(np.asarray(values, np.float32)[None, :], "values"), shape])
