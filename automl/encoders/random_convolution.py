"""Random convolution features: MiniRocket (Dempster, Schmidt and Webb, KDD 2021) with masks, in numpy and as a graph."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.blas import blas_threads
from automl.encoders.graph import GraphBuilder

Array = np.ndarray[Any, Any]

TAPS = 9
PATTERNS = np.asarray(
    [[2.0 if tap in chosen else -1.0 for tap in range(TAPS)] for chosen in itertools.combinations(range(TAPS), 3)], np.float32
)
"""(84, 9): the kernels, all that have three weights of 2 and six of -1; their sum is zero."""
KERNELS = len(PATTERNS)
FEATURES = 9_996
MOST_DILATIONS = 32
MOST_CHANNELS = 9
"""Channels that one kernel adds up."""
SAMPLED_SERIES = 48
"""Series from whose convolutions the thresholds are taken."""
APART = 1e-4
"""Values closer than this, in standard deviations, count as one when a threshold is put between them."""
STEPS = np.float32(1 << 14)
"""Values are rounded to one part of this: sums of so few digits are exact, and so the same whoever adds them up."""
LARGEST = np.float32(1 << 10)
"""Values beyond this, in standard deviations, count as this."""
OUTSIDE = np.float32(-3e38)
"""Below every threshold: what stands where a convolution has no meaning."""
CHUNK_CELLS = 1 << 22
"""Cells of an array that numpy works on at once; about what stays in the cache."""
STATISTICS = ("mean", "std", "minimum", "maximum", "first", "last")


@dataclass(frozen=True)
class Dilation:
    """The kernels at one dilation. weights: (84, channels, 9); biases: (84, features); padded: (84,) bool."""

    dilation: int
    weights: Array
    biases: Array
    padded: Array

    @property
    def reach(self) -> int:
        """Steps between the middle and the end of a kernel."""
        return self.dilation * (TAPS // 2)


@dataclass(frozen=True)
class RandomConvolutionEncoder:
    """The share of a series in which each of many random convolutions lies above a threshold.

    Takes what SeriesEncoder gives. Thresholds are quantiles of the convolutions of random training series, put midway
    between values that are told apart, so that rounding decides no comparison. Half of the kernels see zeros beyond the
    ends of a series, the others only look where they lie inside it. Kernels sum to zero and so do not see the level:
    mean, spread, extremes and ends of each channel and the length stand beside them.

    Input shape: (rows, length, channels + 1). Output shape: (rows, width) float32.
    """

    length: int
    channels: int
    dilations: tuple[Dilation, ...]

    @classmethod
    def fit(cls, series: Array, features: int = FEATURES, seed: int = 0) -> RandomConvolutionEncoder:
        """series: (rows, length, channels + 1) of the fold's training rows."""
        generator = np.random.default_rng([seed, 9])
        rows, length, channels = len(series), series.shape[1], series.shape[2] - 1
        sizes = series[:, :, -1].sum(axis=1)
        usual = int(np.quantile(sizes, 0.75)) if rows else length
        sample = series[generator.choice(rows, min(rows, SAMPLED_SERIES), replace=False)]
        number = 0
        found: list[Dilation] = []
        for dilation, count in dilations_for(usual, features // KERNELS):
            weights = PATTERNS[:, None, :] * _channel_masks(generator, channels)[:, :, None]
            padded = (np.arange(KERNELS) + len(found)) % 2 == 0
            unset = Dilation(dilation, weights.astype(np.float32), np.zeros((KERNELS, count), np.float32), padded)
            found.append(_with_biases(unset, sample, number, generator))
            number += KERNELS * count
        return cls(length, channels, tuple(found))

    @property
    def width(self) -> int:
        return sum(each.biases.size for each in self.dilations) + len(STATISTICS) * self.channels + 1

    @property
    def statistics(self) -> int:
        """How many of the features, at the end, are no convolutions."""
        return len(STATISTICS) * self.channels + 1

    @property
    def feature_names(self) -> tuple[str, ...]:
        convolutions = (
            f"convolution {kernel} at dilation {each.dilation}, threshold {threshold}"
            for each in self.dilations
            for kernel in range(KERNELS)
            for threshold in range(each.biases.shape[1])
        )
        channels = (f"{name} of channel {channel}" for name in STATISTICS for channel in range(self.channels))
        return (*convolutions, *channels, "length")

    @property
    def chunk_rows(self) -> int:
        """Rows whose comparisons take about 64 MB in the graph."""
        most = max(each.biases.size for each in self.dilations)
        return int(np.clip((1 << 26) // (5 * most * self.length), 1, 1024))

    def transform(self, series: Array) -> Array:
        """(rows, width) float32."""
        rows = len(series)
        features = np.empty((rows, self.width), np.float32)
        step = max(1, CHUNK_CELLS // (KERNELS * self.length))
        with blas_threads(1):
            for start in range(0, rows, step):
                features[start : start + step] = self._transform(series[start : start + step])
        return features

    def graph(self, builder: GraphBuilder, series: str) -> str:
        """series: (batch, length, channels + 1). Returns (batch, width) float32."""
        cut = builder.initializer(np.asarray([self.channels, 1], np.int64), "cut")
        values, mask = builder.node("Split", [builder.node("Transpose", [series], perm=[0, 2, 1]), cut], 2, axis=1)
        limits = [builder.initializer(limit, "limit") for limit in (-LARGEST, LARGEST)]
        steps = builder.initializer(STEPS, "steps")
        rounded = builder.node("Round", [builder.node("Mul", [builder.node("Clip", [values, *limits]), steps])])
        values = builder.node("Div", [rounded, steps])
        parts = [_dilation_graph(builder, each, values, mask) for each in self.dilations]
        return builder.node("Concat", [*parts, _statistics_graph(builder, values, mask)], axis=1)

    def state(self) -> dict[str, Any]:
        dilations = [
            {
                "dilation": each.dilation,
                "channels": (each.weights[:, :, 0] != 0).astype(int).tolist(),
                "biases": [[float(f"{bias:.9g}") for bias in row] for row in each.biases.tolist()],
                "padded": each.padded.astype(int).tolist(),
            }
            for each in self.dilations
        ]
        return {"length": self.length, "channels": self.channels, "dilations": dilations}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> RandomConvolutionEncoder:
        dilations = []
        for each in state["dilations"]:
            weights = PATTERNS[:, None, :] * np.asarray(each["channels"], np.float32)[:, :, None]
            biases, padded = np.asarray(each["biases"], np.float32), np.asarray(each["padded"], bool)
            dilations.append(Dilation(int(each["dilation"]), weights, biases.reshape(KERNELS, -1), padded))
        return cls(int(state["length"]), int(state["channels"]), tuple(dilations))

    def _transform(self, series: Array) -> Array:
        values, mask = _taken_apart(series)
        parts = []
        for each in self.dilations:
            convolved = _convolved(values, each)
            counted = _counted_at(mask, each)
            totals = [np.maximum(places.sum(axis=1), 1).astype(np.float32)[:, None] for places in counted]
            everywhere = [bool(places.all()) for places in counted]
            shares = np.empty((len(series), *each.biases.shape), np.float32)
            for kernel, kind in enumerate(each.padded.astype(int)):
                inside = convolved[kernel] if everywhere[kind] else np.where(counted[kind], convolved[kernel], OUTSIDE)
                shares[:, kernel] = _counts_above(inside, each.biases[kernel]) / totals[kind]
            parts.append(shares.reshape(len(series), -1))
        return np.concatenate([*parts, _statistics(values, mask)], axis=1)


def dilations_for(length: int, thresholds: int) -> list[tuple[int, int]]:
    """(dilation, thresholds of each kernel) for series of a length: from 1 to where a kernel spans the series, in equal
    ratios; small dilations, which more of the ratios round to, get more thresholds."""
    count = min(thresholds, MOST_DILATIONS)
    highest = np.log2(max(1.0, (length - 1) / (TAPS - 1)))
    dilations, times = np.unique(np.logspace(0, highest, count, base=2.0).astype(np.int64), return_counts=True)
    shares = (times * thresholds / count).astype(np.int64)
    for extra in range(thresholds - int(shares.sum())):
        shares[extra % len(shares)] += 1
    return [(int(dilation), int(share)) for dilation, share in zip(dilations, shares, strict=True) if share]


def _channel_masks(generator: np.random.Generator, channels: int) -> Array:
    """(84, channels) of 0 and 1: which channels each kernel adds up; few more often than many."""
    highest = np.log2(min(channels, MOST_CHANNELS) + 1)
    counts = (2.0 ** generator.uniform(0, highest, KERNELS)).astype(np.int64)
    masks = np.zeros((KERNELS, channels), np.float32)
    for kernel, count in enumerate(np.minimum(counts, channels)):
        masks[kernel, generator.choice(channels, count, replace=False)] = 1.0
    return masks


def _with_biases(unset: Dilation, sample: Array, number: int, generator: np.random.Generator) -> Dilation:
    """With thresholds at low-discrepancy quantiles of the convolution of one random series a kernel."""
    values, mask = _taken_apart(sample)
    convolved = _convolved(values, unset)
    counted = _counted_at(mask, unset)
    thresholds = unset.biases.shape[1]
    biases = np.zeros_like(unset.biases)
    golden = (np.sqrt(5.0) + 1.0) / 2.0
    for kernel in range(KERNELS):
        row = int(generator.integers(len(sample)))
        values = convolved[kernel, row][counted[int(unset.padded[kernel])][row]]
        quantiles = (np.arange(number + 1, number + thresholds + 1) * golden) % 1.0
        number += thresholds
        biases[kernel] = _between(values, quantiles)
    return Dilation(unset.dilation, unset.weights, biases, unset.padded)


def _between(values: Array, quantiles: Array) -> Array:
    """Quantiles of the values, each moved to the middle between the two distinct values next to it."""
    if not len(values):
        return np.full(len(quantiles), 0.5 * APART)
    ordered = np.sort(values.astype(np.float64))
    last = np.append(np.diff(ordered) > APART, True)
    distinct = ordered[last]
    reached = np.cumsum(np.bincount(np.cumsum(np.append(0, last[:-1])), minlength=len(distinct))) / len(ordered)
    place = np.minimum(np.searchsorted(reached, quantiles), len(distinct) - 1)
    above = np.append(distinct[1:], distinct[-1] + 2 * APART)[place]
    return np.asarray(0.5 * (distinct[place] + above))


def _taken_apart(series: Array) -> tuple[Array, Array]:
    """(channels, rows, length) rounded values, and (rows, length) bool where they are inside the series."""
    values = np.round(np.clip(series[:, :, :-1], -LARGEST, LARGEST) * STEPS) / STEPS
    return np.ascontiguousarray(np.moveaxis(values, 2, 0)), series[:, :, -1] > 0.5


def _convolved(values: Array, each: Dilation) -> Array:
    """values: (channels, rows, length). Returns (84, rows, length), zeros taken beyond the ends."""
    channels, rows, length = values.shape
    padded = np.pad(values, ((0, 0), (0, 0), (each.reach, each.reach)))
    shifted = [padded[:, :, tap * each.dilation : tap * each.dilation + length] for tap in range(TAPS)]
    columns = np.stack(shifted, axis=1).reshape(channels * TAPS, rows * length)
    return np.asarray(each.weights.reshape(KERNELS, channels * TAPS) @ columns).reshape(KERNELS, rows, length)


def _counted_at(mask: Array, each: Dilation) -> tuple[Array, Array]:
    """(rows, length) bool: where a kernel lies inside the series as a whole, and where its middle does."""
    inner = np.zeros_like(mask)
    reach, length = each.reach, mask.shape[1]
    if length > 2 * reach:
        inner[:, reach : length - reach] = mask[:, 2 * reach :]
    return inner, mask


def _counts_above(values: Array, biases: Array) -> Array:
    """values: (rows, length). Returns (rows, biases): how many values lie above each threshold."""
    rows, length = values.shape
    words = -(-length // 64)
    wide = np.full((rows, words * 64), OUTSIDE, np.float32)
    wide[:, :length] = values
    counts = np.empty((rows, len(biases)), np.int64)
    step = max(1, CHUNK_CELLS // (4 * wide.size))
    for start in range(0, len(biases), step):
        above = wide > biases[start : start + step, None, None]
        bits = np.packbits(above).view(np.uint64).reshape(len(above), rows, words)
        counts[:, start : start + step] = np.bitwise_count(bits).sum(axis=2, dtype=np.int64).T
    return counts


def _dilation_graph(builder: GraphBuilder, each: Dilation, values: str, mask: str) -> str:
    """values: (batch, channels, length), mask: (batch, 1, length). Returns (batch, 84 * thresholds)."""
    weights = builder.initializer(each.weights, "kernels")
    edges: dict[str, Any] = {"dilations": [each.dilation], "pads": [each.reach, each.reach], "kernel_shape": [TAPS]}
    convolved = builder.node("Conv", [values, weights], **edges)
    half = builder.initializer(np.float32(0.5), "half")
    ends = builder.initializer(np.asarray([[[1.0, *[0.0] * (TAPS - 2), 1.0]]], np.float32), "ends")
    # Both ends of a kernel inside: the mask has no holes, so what is between them is inside as well.
    whole = builder.node("Greater", [builder.node("Conv", [mask, ends], **edges), builder.initializer(np.float32(1.5), "both")])
    kinds = builder.initializer(each.padded[None, :, None], "padded")
    middle = builder.node("And", [kinds, builder.node("Greater", [mask, half])])
    counted = builder.node("Or", [middle, whole])  # (batch, 84, length)
    outside = builder.initializer(OUTSIDE, "outside")
    convolved = builder.node("Where", [counted, convolved, outside])
    third = builder.initializer(np.asarray([2], np.int64), "axis")
    last = builder.initializer(np.asarray([3], np.int64), "axis")
    biases = builder.initializer(each.biases[None, :, :, None], "biases")
    above = builder.node("Greater", [builder.node("Unsqueeze", [convolved, third]), biases])
    counts = builder.node("ReduceSum", [builder.node("Cast", [above], to=1), last], keepdims=0)
    total = builder.node("ReduceSum", [builder.node("Cast", [counted], to=1), third], keepdims=1)
    total = builder.node("Max", [total, builder.initializer(np.float32(1.0), "one")])
    return builder.node("Flatten", [builder.node("Div", [counts, total])], axis=1)


def _statistics(values: Array, mask: Array) -> Array:
    """values: (channels, rows, length). Returns (rows, 6 * channels + 1), in the order of STATISTICS."""
    length = mask.shape[1]
    inside = mask.astype(np.float32)
    total = np.maximum(inside.sum(axis=1), np.float32(1.0))
    mean = (values * inside).sum(axis=2) / total
    spread = np.sqrt((((values - mean[:, :, None]) * inside) ** 2).sum(axis=2) / total)
    empty = ~mask.any(axis=1)
    low = np.where(empty, 0.0, np.where(mask, values, -OUTSIDE).min(axis=2))
    high = np.where(empty, 0.0, np.where(mask, values, OUTSIDE).max(axis=2))
    end = np.append(np.diff(inside, axis=1) < 0, mask[:, -1:], axis=1)
    parts = [mean, spread, low, high, values[:, :, 0], (values * end).sum(axis=2)]
    size = inside.sum(axis=1) / np.float32(length)
    return np.concatenate([*(part.T for part in parts), size[:, None]], axis=1).astype(np.float32)


def _statistics_graph(builder: GraphBuilder, values: str, mask: str) -> str:
    def constant(value: Any, kind: Any = np.float32) -> str:
        return builder.initializer(np.asarray(value, kind), "constant")

    axis = constant([2], np.int64)
    total = builder.node("Max", [builder.node("ReduceSum", [mask, axis], keepdims=1), constant(1.0)])
    mean = builder.node("Div", [builder.node("ReduceSum", [builder.node("Mul", [values, mask]), axis], keepdims=1), total])
    off = builder.node("Mul", [builder.node("Sub", [values, mean]), mask])
    squares = builder.node("ReduceSum", [builder.node("Mul", [off, off]), axis], keepdims=1)
    spread = builder.node("Sqrt", [builder.node("Div", [squares, total])])
    inside = builder.node("Greater", [mask, constant(0.5)])
    filled = builder.node("ReduceMax", [mask, axis], keepdims=1)
    low = builder.node("ReduceMin", [builder.node("Where", [inside, values, constant(-OUTSIDE)]), axis], keepdims=1)
    high = builder.node("ReduceMax", [builder.node("Where", [inside, values, constant(OUTSIDE)]), axis], keepdims=1)
    first = builder.node("Slice", [values, constant([0], np.int64), constant([1], np.int64), axis])
    moved = builder.node("Slice", [mask, constant([1], np.int64), constant([np.iinfo(np.int64).max], np.int64), axis])
    moved = builder.node("Pad", [moved, constant([0, 0, 0, 0, 0, 1], np.int64), constant(0.0)])
    end = builder.node("Mul", [values, builder.node("Sub", [mask, moved])])
    last = builder.node("ReduceSum", [end, axis], keepdims=1)
    size = builder.node("ReduceMean", [mask, axis], keepdims=1)
    extremes = [builder.node("Mul", [each, filled]) for each in (low, high)]
    return builder.node("Flatten", [builder.node("Concat", [mean, spread, *extremes, first, last, size], axis=1)], axis=1)
