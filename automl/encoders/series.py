"""Series: gaps filled, channels standardised, and a mask of where each series is; the same in numpy and as a graph."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.encoders.graph import GraphBuilder

Array = np.ndarray[Any, Any]

WIDEST = np.float32(1e6)
"""Standard deviations at which values are clipped."""


@dataclass(frozen=True)
class SeriesEncoder:
    """Brings a column of series to one block without missing values.

    A gap inside a series is filled on the straight line between its neighbours, one at the start with the first known
    value, and one of a single channel at the end with the last; a channel without any value counts as its mean.
    mean, std: (channels,) float32 over the values of the fold's training rows.

    Input shape: (rows, length, channels) float32, NaN where missing and after the end.
    Output shape: (rows, length, channels + 1) float32: channels in standard deviations, 0 after the end; then 1 up to
        the end and 0 after it.
    """

    length: int
    mean: Array
    std: Array

    @classmethod
    def fit(cls, values: Array, whole: Array) -> SeriesEncoder:
        """values: (rows, length, channels) of the fold's training rows; `whole` has no say here."""
        _, length, channels = values.shape
        finite = np.where(np.isfinite(values), values, np.nan).reshape(-1, channels).astype(np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a channel without any value
            mean, std = np.nanmean(finite, axis=0), np.nanstd(finite, axis=0)
        mean = np.nan_to_num(mean)
        steady = ~(std > 1e-6 * np.maximum(1e-12, np.abs(mean)))
        return cls(int(length), mean.astype(np.float32), np.where(steady, 1.0, std).astype(np.float32))

    @property
    def channels(self) -> int:
        return len(self.mean)

    @property
    def width(self) -> tuple[int, int]:
        return self.length, self.channels + 1

    def transform(self, values: Array) -> Array:
        """(rows, length, channels + 1) float32."""
        values = np.where(np.isfinite(values), values, np.float32(np.nan)).astype(np.float32)
        known = np.isfinite(values)
        inside = _up_to_the_last(known.any(axis=2))
        if not known[inside].all():
            values = _filled(values)
        scaled = np.clip((values - self.mean) / self.std, -WIDEST, WIDEST)
        scaled = np.where(np.isfinite(scaled) & inside[:, :, None], scaled, np.float32(0.0))
        return np.concatenate([scaled, inside[:, :, None].astype(np.float32)], axis=2)

    def graph(self, builder: GraphBuilder, tensor: str) -> str:
        """tensor: (batch, length, channels) float32. Returns (batch, length, channels + 1) float32."""
        nan = builder.initializer(np.float32(np.nan), "missing")
        zero = builder.initializer(np.float32(0.0), "zero")
        values = builder.node("Where", [builder.node("IsInf", [tensor]), nan, tensor])
        inside = _inside_graph(builder, values)
        values = _filled_graph(builder, values, self.length, self.channels)
        shifted = builder.node("Sub", [values, builder.initializer(self.mean, "mean")])
        scaled = builder.node("Div", [shifted, builder.initializer(self.std, "std")])
        limits = [builder.initializer(limit, "limit") for limit in (-WIDEST, WIDEST)]
        unknown = builder.node("Or", [builder.node("IsNaN", [scaled]), builder.node("Not", [inside])])
        # Clip first: onnxruntime's Clip makes a number of NaN, and only afterwards are these positions zeroed.
        scaled = builder.node("Where", [unknown, zero, builder.node("Clip", [scaled, *limits])])
        return builder.node("Concat", [scaled, builder.node("Cast", [inside], to=1)], axis=2)

    def state(self) -> dict[str, Any]:
        return {"length": self.length, "mean": self.mean.tolist(), "std": self.std.tolist()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SeriesEncoder:
        return cls(int(state["length"]), np.asarray(state["mean"], np.float32), np.asarray(state["std"], np.float32))


def _up_to_the_last(known: Array) -> Array:
    """(rows, length): whether anything is known here or later."""
    return np.flip(np.maximum.accumulate(np.flip(known, axis=1), axis=1), axis=1)


def _filled(values: Array) -> Array:
    """Straight lines over the gaps of (rows, length, channels); a channel without any value stays NaN."""
    length = values.shape[1]
    time = np.arange(length, dtype=np.float32)[None, :, None]
    known = np.isfinite(values)
    places = np.where(known, np.arange(length)[None, :, None], -1)
    before = np.maximum.accumulate(places, axis=1)
    places = np.where(known, np.arange(length)[None, :, None], length)
    after = np.flip(np.minimum.accumulate(np.flip(places, axis=1), axis=1), axis=1)
    left = np.where(before >= 0, np.take_along_axis(values, np.maximum(before, 0), axis=1), np.float32(np.nan))
    right = np.where(after < length, np.take_along_axis(values, np.minimum(after, length - 1), axis=1), np.float32(np.nan))
    share = (time - before.astype(np.float32)) / np.maximum((after - before).astype(np.float32), np.float32(1.0))
    line = left + share * (right - left)
    return np.where(np.isnan(left), right, np.where(np.isnan(right), left, line)).astype(np.float32)


def _inside_graph(builder: GraphBuilder, values: str) -> str:
    """(batch, length, 1) bool: whether any channel is known here or later."""
    known = builder.node("Cast", [builder.node("Not", [builder.node("IsNaN", [values])])], to=1)
    last_axis = builder.initializer(np.asarray([2], np.int64), "axis")
    known = builder.node("ReduceMax", [known, last_axis], keepdims=1)
    later = builder.node("CumSum", [known, builder.initializer(np.int64(1), "axis")], reverse=1)
    return builder.node("Greater", [later, builder.initializer(np.float32(0.5), "half")])


def _filled_graph(builder: GraphBuilder, values: str, length: int, channels: int) -> str:
    """`_filled`: values travel together with their times, by steps of 1, 2, 4, …, until every gap is crossed."""
    nan = builder.initializer(np.float32(np.nan), "missing")
    time = np.broadcast_to(np.arange(length, dtype=np.float32)[None, :, None], (1, length, channels))
    times = builder.initializer(np.ascontiguousarray(time), "time")
    unknown = builder.node("IsNaN", [values])
    both = builder.node("Concat", [values, builder.node("Where", [unknown, nan, times])], axis=2)
    left = _carried(builder, both, length, forward=True)
    right = _carried(builder, both, length, forward=False)
    cut = builder.initializer(np.asarray([channels, channels], np.int64), "cut")
    left, before = builder.node("Split", [left, cut], 2, axis=2)
    right, after = builder.node("Split", [right, cut], 2, axis=2)
    gap = builder.node("Max", [builder.node("Sub", [after, before]), builder.initializer(np.float32(1.0), "one")])
    share = builder.node("Div", [builder.node("Sub", [times, before]), gap])
    line = builder.node("Add", [left, builder.node("Mul", [share, builder.node("Sub", [right, left])])])
    ended = builder.node("Where", [builder.node("IsNaN", [right]), left, line])
    return builder.node("Where", [builder.node("IsNaN", [left]), right, ended])


def _carried(builder: GraphBuilder, tensor: str, length: int, forward: bool) -> str:
    """NaN replaced by the last value before it (forward), or the next one after it."""
    nan = builder.initializer(np.float32(np.nan), "missing")
    axis = builder.initializer(np.asarray([1], np.int64), "axis")
    step = 1
    while step < length:
        start, end = (0, length - step) if forward else (step, length)
        ends = [builder.initializer(np.asarray([place], np.int64), "place") for place in (start, end)]
        pads = np.asarray([0, step, 0, 0, 0, 0] if forward else [0, 0, 0, 0, step, 0], np.int64)
        moved = builder.node("Slice", [tensor, *ends, axis])
        moved = builder.node("Pad", [moved, builder.initializer(pads, "pads"), nan], mode="constant")
        tensor = builder.node("Where", [builder.node("IsNaN", [tensor]), moved, tensor])
        step *= 2
    return tensor
