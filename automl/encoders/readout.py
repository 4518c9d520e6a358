"""A readout as a part of the ONNX graph: it computes what `automl.core.readout` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from automl.core.groups import GroupColumn
from automl.core.readout import LEAST, Calibrator, Readout, Threshold
from automl.encoders.graph import ML_DOMAIN

DOUBLE, INT64 = 11, 7
"""Element types of ONNX."""


def calibrated(builder: Any, probabilities: str, readout: Readout, positive: int) -> str:
    """The tensor of calibrated probabilities (batch, classes) float32."""
    found = readout.calibrator
    if found is None:
        return probabilities
    if found.method == "temperature":
        least, most = (builder.initializer(np.float32(each), "bound") for each in (LEAST, 1.0))
        logits = builder.node("Log", [builder.node("Clip", [probabilities, least, most])])
        sharper = builder.node("Mul", [logits, builder.initializer(np.float32(found.sharpness), "sharpness")])
        return str(builder.node("Softmax", [sharper], axis=1))
    return _isotonic(builder, probabilities, found, positive)


def _isotonic(builder: Any, probabilities: str, found: Calibrator, positive: int) -> str:
    """The first value, and a clipped ramp between each two knots: (batch, ramps) times their slopes."""
    places, values = np.asarray(found.knots, np.float64).T
    probability = _column(builder, probabilities, positive)
    low, high = (builder.initializer(part.astype(np.float32)[None, :], "knots") for part in (places[:-1], places[1:]))
    ramps = builder.node("Sub", [builder.node("Min", [builder.node("Max", [probability, low]), high]), low])
    slopes = builder.initializer((np.diff(values) / np.diff(places)).astype(np.float32)[:, None], "slopes")
    raised = builder.node("MatMul", [ramps, slopes])
    calibrated = builder.node("Add", [raised, builder.initializer(np.float32(values[0]), "first")])
    other = builder.node("Sub", [builder.initializer(np.float32(1.0), "one"), calibrated])
    return str(builder.node("Concat", [other, calibrated] if positive == 1 else [calibrated, other], axis=1))


def called(
    builder: Any, probabilities: str, readout: Readout, positive: int, inputs: Mapping[str, tuple[str, str]] | None = None
) -> str:
    """The tensor of class codes (batch,) int64. inputs: (graph input, its type) of the columns that thresholds go by."""
    if readout.threshold is None:
        return str(builder.node("ArgMax", [probabilities], axis=1, keepdims=0))
    limit = _limit(builder, readout.threshold, inputs or {})
    reached = builder.node("GreaterOrEqual", [_column(builder, probabilities, positive), limit])
    codes = [builder.initializer(np.asarray(code, np.int64), "class_code") for code in (positive, 1 - positive)]
    chosen = builder.node("Where", [reached, *codes])
    return str(builder.node("Squeeze", [chosen, builder.initializer(np.asarray([1], np.int64), "axes")]))


def _limit(builder: Any, threshold: Threshold, inputs: Mapping[str, tuple[str, str]]) -> str:
    """The threshold: one number, or (batch, 1) by the groups of the rows."""
    groups = threshold.groups
    if groups is None:
        return str(builder.initializer(np.float32(threshold.value), "threshold"))
    place = ""
    for column, size in zip(groups.columns, groups.shape, strict=True):
        code = _group(builder, builder.input(*inputs[column.name]), column)
        if place:
            place = builder.node("Mul", [place, builder.initializer(np.asarray(size, np.int64), "groups")])
        place = builder.node("Add", [place, code]) if place else code
    table = builder.initializer(groups.table(threshold.value).astype(np.float32), "thresholds")
    return str(builder.node("Gather", [table, place], axis=0))


def _group(builder: Any, tensor: str, column: GroupColumn) -> str:
    """The group of each row (batch, 1) int64; beyond the last where it is none of them, or missing."""
    count = len(column.groups)
    if column.edges is None:
        places = list(range(count))
        known = {"keys_strings": list(column.groups), "values_int64s": places, "default_int64": count}
        return str(builder.node("LabelEncoder", [tensor], domain=ML_DOMAIN, **known))
    number = builder.node("Cast", [tensor], to=DOUBLE)
    edges = builder.initializer(np.asarray(column.edges, np.float64)[None, :], "edges")
    above = builder.node("Cast", [builder.node("Greater", [number, edges])], to=INT64)
    axes = builder.initializer(np.asarray([1], np.int64), "axes")
    code = builder.node("ReduceSum", [above, axes], keepdims=1)
    beyond = builder.initializer(np.asarray(count, np.int64), "beyond")
    return str(builder.node("Where", [builder.node("IsNaN", [number]), beyond, code]))


def _column(builder: Any, probabilities: str, positive: int) -> str:
    """The probability of the positive class: (batch, 1)."""
    return str(builder.node("Gather", [probabilities, builder.initializer(np.asarray([positive], np.int64), "positive")], axis=1))
