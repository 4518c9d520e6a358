"""A readout as a part of the ONNX graph: it computes what `automl.core.readout` does."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.readout import LEAST, Calibrator, Readout


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


def called(builder: Any, probabilities: str, readout: Readout, positive: int) -> str:
    """The tensor of class codes (batch,) int64."""
    if readout.threshold is None:
        return str(builder.node("ArgMax", [probabilities], axis=1, keepdims=0))
    limit = builder.initializer(np.float32(readout.threshold.value), "threshold")
    reached = builder.node("GreaterOrEqual", [_column(builder, probabilities, positive), limit])
    codes = [builder.initializer(np.asarray(code, np.int64), "class_code") for code in (positive, 1 - positive)]
    chosen = builder.node("Where", [reached, *codes])
    return str(builder.node("Squeeze", [chosen, builder.initializer(np.asarray([1], np.int64), "axes")]))


def _column(builder: Any, probabilities: str, positive: int) -> str:
    """The probability of the positive class: (batch, 1)."""
    return str(builder.node("Gather", [probabilities, builder.initializer(np.asarray([positive], np.int64), "positive")], axis=1))
