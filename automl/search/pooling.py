"""How the predictions of an ensemble's members become one: in numbers, and as a part of the graph.

The linear pool is their weighted mean. The logarithmic pool is the weighted geometric mean of their probabilities, made to
sum to one (Genest and Zidek, "Combining probability distributions", Statistical Science 1986): it is as sure as its members
where these agree, while a mean of calibrated members is less sure than it could be (Ranjan and Gneiting, "Combining
probability forecasts", JRSS B 2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.core.evidence import LINEAR, LOGARITHMIC
from automl.core.tasks import Task

Array = np.ndarray[Any, Any]

LEAST_SAID = 1e-6
"""In a logarithmic pool a member that excludes a class says this: a class is not lost by one member's word."""


def pools_for(task: Task) -> tuple[str, ...]:
    """The pools that there are: logarithms are of probabilities."""
    return (LINEAR, LOGARITHMIC) if task.is_classification else (LINEAR,)


def to_addends(prediction: Array, pool: str) -> Array:
    """What is weighed and summed: the predictions of a member, or their logarithms."""
    return prediction if pool == LINEAR else np.log(np.clip(prediction, LEAST_SAID, 1.0))


def from_sum(total: Array, pool: str) -> Array:
    """The prediction that a weighted sum of addends, with weights of sum one, is; of the same shape."""
    if pool == LINEAR:
        return total
    found = np.exp(total - total.max(axis=-1, keepdims=True))
    return np.asarray(found / found.sum(axis=-1, keepdims=True))


def pooled(predictions: Sequence[Array], weights: Sequence[float], pool: str) -> Array:
    """One prediction from those of the members for the same rows. weights: one a member, with sum one."""
    pairs = zip(predictions, weights, strict=True)
    return from_sum(np.asarray(sum(weight * to_addends(part, pool) for part, weight in pairs)), pool)


def pooled_graph(builder: Any, predictions: Sequence[str], weights: Sequence[float], pool: str, width: int, exact: Any) -> str:
    """As `pooled`, on tensors of an ONNX graph, by a few nodes for all members together.

    predictions: tensors (batch, width). exact: their type, float32 or float64.
    """
    shape = builder.initializer(np.asarray([-1, len(weights), width], np.int64), "shape")
    together = builder.node("Reshape", [builder.node("Concat", list(predictions), axis=1), shape])  # (batch, members, width)
    if pool == LOGARITHMIC:
        least, most = (builder.initializer(exact(each), "bound") for each in (LEAST_SAID, 1.0))
        together = builder.node("Log", [builder.node("Clip", [together, least, most])])
    weighed = builder.node("MatMul", [builder.initializer(np.asarray([weights], exact), "weights"), together])
    total = builder.node("Squeeze", [weighed, builder.initializer(np.asarray([1], np.int64), "axes")])
    return str(builder.node("Softmax", [total], axis=-1) if pool == LOGARITHMIC else total)
