"""Texts, images and sounds as a few dozen numbers a row, for learners of dense columns such as trees.

A tree's answer jumps at its thresholds, so that a rounding error can change it altogether. All sums here are therefore
sums of whole numbers that a float64 holds exactly: arrays and graph agree in every bit, in whatever order they add.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automl.core.table import Category
from automl.core.tokens import COUNT_BITS
from automl.encoders.graph import ML_DOMAIN, GraphBuilder
from automl.encoders.text import ComponentsEncoder, NgramEncoder, counted_ngrams

Array = np.ndarray[Any, Any]

NGRAMS = 4_000
"""N-grams that are known: with MOST_COUNT below, sums stay under 2 ** 53."""
MOST_COUNT = 64
"""A word that stands in a text more often counts so often."""
FREQUENCY_UNIT, AXIS_UNIT = 64, 1 << 20
"""Damped counts and inverse frequencies are multiples of 1/64; coordinates of an n-gram on an axis of 2 ** -20."""
AXES, MARKS = 32, 96
CELLS_AT_ONCE = 4_000_000
FLOAT, DOUBLE = 1, 11


@dataclass(frozen=True)
class CondensedText:
    """A column of texts on the axes of its greatest variance, and marks for the words that tell texts apart.

    The axes are those of a truncated singular value decomposition of weighted n-grams (latent semantic analysis); a mark
    is 1 where the n-gram stands in the text. None of it looks at the target.

    idf: (n-grams,) and axes: (n-grams, axes), whole numbers as float64; marked: (marks,) positions of n-grams.
    """

    ngrams: NgramEncoder
    idf: Array = field(repr=False)
    axes: Array = field(repr=False)
    marked: Array = field(repr=False)
    marks: int = MARKS

    @classmethod
    def fit(cls, values: Category, whole: Category, column: str, axes: int = AXES, marks: int = MARKS) -> CondensedText:
        """values: the texts of the rows to learn from; whole: of all training rows, which do not count here.

        The width is always axes + marks, so that folds have one shape; what a small vocabulary leaves over is 0.
        """
        ngrams = NgramEncoder.fit(values, whole, column, "words", 1, 2, NGRAMS)
        found = ComponentsEncoder.fit(ngrams, values, axes)
        variance = np.asarray(ngrams.transform(values).power(2).sum(axis=0)).ravel()
        marked = np.sort(np.argsort(-variance, kind="stable")[:marks])
        idf = np.rint(ngrams.idf.astype(np.float64) * FREQUENCY_UNIT)
        return cls(ngrams, idf, np.rint(found.axes.astype(np.float64) * AXIS_UNIT), marked, marks)

    def transform(self, values: Category) -> Array:
        """(rows, axes + marks) float32."""
        from scipy.sparse import csr_matrix

        counted = self._counts(values.levels)
        damped = _damped()[np.minimum(counted.data, MOST_COUNT).astype(np.int64)]
        weighted = csr_matrix((damped * self.idf[counted.indices], counted.indices, counted.indptr), shape=counted.shape)
        length = np.sqrt(np.asarray(weighted.power(2).sum(axis=1), np.float64).reshape(-1, 1))
        placed = np.asarray(weighted @ self.axes) / (np.maximum(length, 1.0) * AXIS_UNIT)
        marks = np.zeros((counted.shape[0], self.marks), np.float32)
        marks[:, : len(self.marked)] = (counted[:, self.marked] > 0).toarray()
        return np.concatenate([placed.astype(np.float32), marks], axis=1)[values.codes]

    def _counts(self, levels: tuple[str, ...]) -> Any:
        """How often each n-gram stands in each text and, in the last row, in "": (texts + 1, n-grams) CSR."""
        from scipy.sparse import csr_matrix

        found = counted_ngrams(levels, self.ngrams.of, self.ngrams.least, self.ngrams.most)
        place = np.searchsorted(found.keys, self.ngrams.keys)
        known = np.flatnonzero(np.append(found.keys, -1)[place] == self.ngrams.keys)
        shape = (len(found.keys), self.ngrams.width)
        chosen = csr_matrix((np.ones(len(known), np.float32), (place[known], known)), shape=shape)
        return (found.matrix @ chosen).tocsr()

    def graph(self, builder: GraphBuilder, tensor: str) -> str:
        """(batch, axes + marks) float32 of the packed n-grams (batch, n-grams) int64 that the parse step makes."""
        unit = builder.initializer(np.asarray(1 << COUNT_BITS, np.int64), "count_unit")
        count = builder.node("Mod", [tensor, unit])
        index = builder.node(  # unknown n-grams have the place after the last one
            "LabelEncoder",
            [builder.node("Div", [tensor, unit])],
            domain=ML_DOMAIN,
            keys_int64s=self.ngrams.keys.tolist() or [-1],
            values_int64s=list(range(self.ngrams.width)) or [0],
            default_int64=self.ngrams.width,
        )
        most = builder.initializer(np.asarray(MOST_COUNT, np.int64), "most_count")
        damped = builder.node("Gather", [builder.initializer(_damped(), "damped"), builder.node("Min", [count, most])])
        idf = builder.initializer(np.append(self.idf, 0.0), "idf")
        weighted = builder.node("Mul", [damped, builder.node("Gather", [idf, index])])  # (batch, n-grams)
        last = _whole(builder, [1])
        square = builder.node("ReduceSum", [builder.node("Mul", [weighted, weighted]), last], keepdims=1)
        length = builder.node("Max", [builder.node("Sqrt", [square]), builder.initializer(np.float64(1.0), "one")])
        axes = builder.initializer(np.concatenate([self.axes, np.zeros((1, self.axes.shape[1]))]), "axes")
        looked_up = builder.node("Gather", [axes, index], axis=0)  # (batch, n-grams, axes)
        summed = builder.node("MatMul", [builder.node("Unsqueeze", [weighted, last]), looked_up])
        scale = builder.node("Mul", [length, builder.initializer(np.float64(AXIS_UNIT), "axis_unit")])
        placed = builder.node("Cast", [builder.node("Div", [builder.node("Squeeze", [summed, last]), scale])], to=FLOAT)
        return builder.node("Concat", [placed, self._marks_graph(builder, index)], axis=1)

    def _marks_graph(self, builder: GraphBuilder, index: str) -> str:
        """(batch, marks) float32: every n-gram of a text writes a 1 at the place of its mark, others behind the last one."""
        place = builder.node(
            "LabelEncoder",
            [index],
            domain=ML_DOMAIN,
            keys_int64s=self.marked.tolist() or [-1],
            values_int64s=list(range(len(self.marked))) or [self.marks],
            default_int64=self.marks,
        )
        rows = builder.node("Shape", [index], start=0, end=1)
        shape = builder.node("Concat", [rows, _whole(builder, [self.marks + 1])], axis=0)
        zeros = builder.node("Expand", [builder.initializer(np.zeros((1, 1), np.float32), "zero"), shape])
        ones = builder.node("Expand", [builder.initializer(np.ones((1, 1), np.float32), "one"), builder.node("Shape", [place])])
        written = builder.node("ScatterElements", [zeros, place, ones], axis=1)
        return builder.node("Slice", [written, _whole(builder, [0]), _whole(builder, [self.marks]), _whole(builder, [1])])

    def parse(self, cells: dict[str, Any]) -> dict[str, Any]:
        return self.ngrams.parse(cells)

    def chunk_rows(self) -> int:
        """Rows that the graph should take at once, so that its tensors stay small."""
        return self.ngrams.chunk_rows(2 * self.axes.shape[1])

    @property
    def width(self) -> int:
        return int(self.axes.shape[1]) + self.marks

    @property
    def feature_names(self) -> tuple[str, ...]:
        """N-grams are known by their hashes only."""
        column = self.ngrams.column
        axes = (f"{column} topic {number + 1}" for number in range(self.axes.shape[1]))
        return (*axes, *(f"{column} mark {number + 1}" for number in range(self.marks)))

    def state(self) -> dict[str, Any]:
        whole = {"idf": self.idf.astype(int).tolist(), "axes": self.axes.astype(int).tolist(), "marked": self.marked.tolist()}
        return {"ngrams": self.ngrams.state(), "marks": self.marks, **whole}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CondensedText:
        ngrams = NgramEncoder.from_state(state["ngrams"])
        axes = np.asarray(state["axes"], np.float64).reshape(ngrams.width, -1)
        return cls(ngrams, np.asarray(state["idf"], np.float64), axes, np.asarray(state["marked"], np.int64), state["marks"])


def _damped() -> Array:
    """1 + log(count) in units of 1/64, by count from 0 to MOST_COUNT; 0 for 0."""
    counts = np.arange(1, MOST_COUNT + 1)
    return np.append(0.0, np.rint((1.0 + np.log(counts)) * FREQUENCY_UNIT))


@dataclass(frozen=True)
class CondensedImage:
    """Images as a grid of mean colours, a finer grid of brightness, and how strong edges of four directions are where.

    Input shape: (rows, height, width, channels) uint8.
    """

    column: str
    height: int
    width_pixels: int
    channels: int
    colours: int = 4
    lights: int = 8
    edges: int = 4

    @property
    def _grids(self) -> tuple[int, int, int]:
        """The sides of the grids, at most the pixels that there are."""
        least = max(1, min(self.height, self.width_pixels) - 1)
        return min(self.colours, least), min(self.lights, least), min(self.edges, least)

    @property
    def width(self) -> int:
        colours, lights, edges = self._grids
        return (colours**2 * self.channels if self.channels > 1 else 0) + lights**2 + 4 * edges**2

    @property
    def feature_names(self) -> tuple[str, ...]:
        colours, lights, edges = self._grids
        names = []
        if self.channels > 1:
            places = _places(colours)
            names += [f"{self.column} {('red', 'green', 'blue')[channel]} at {place}" for place in places for channel in range(3)]
        names += [f"{self.column} brightness at {place}" for place in _places(lights)]
        kinds = ("upright", "level", "rising", "falling")
        return (*names, *(f"{self.column} {kind} edges at {place}" for kind in kinds for place in _places(edges)))

    def transform(self, values: Array) -> Array:
        """(rows, width) float32."""
        step = max(1, CELLS_AT_ONCE // max(1, self.height * self.width_pixels * self.channels))
        parts = [self._transformed(values[start : start + step]) for start in range(0, len(values), step)]
        return np.concatenate(parts) if parts else np.zeros((0, self.width), np.float32)

    def _transformed(self, values: Array) -> Array:
        x = values.astype(np.float32)
        colours, lights, edges = self._grids
        parts = [_summed(x, colours)] if self.channels > 1 else []
        light = x.sum(axis=3, keepdims=True)  # (rows, height, width, 1)
        parts.append(_summed(light, lights))
        corner = light[:, :-1, :-1]
        across, down = light[:, :-1, 1:] - corner, light[:, 1:, :-1] - corner
        wide, high = np.abs(across), np.abs(down)
        upright, level = wide > 2 * high, high > 2 * wide
        slanted, rising = ~(upright | level), across * down < 0
        strength = wide + high
        for kind in (upright, level, slanted & rising, slanted & ~rising):
            parts.append(_summed(strength * kind, edges))
        return np.concatenate([part.reshape(len(x), -1) for part in parts], axis=1)

    def graph(self, builder: GraphBuilder, tensor: str) -> str:
        """tensor: (batch, height, width, channels) uint8. Returns (batch, width) float32."""
        node = builder.node
        height, width = self.height, self.width_pixels
        colours, lights, edges = self._grids
        x = node("Cast", [tensor], to=FLOAT)
        parts = [_summed_graph(builder, x, (height, width, self.channels), colours)] if self.channels > 1 else []
        light = node("ReduceSum", [x, _whole(builder, [3])], keepdims=1)
        parts.append(_summed_graph(builder, light, (height, width, 1), lights))

        def moved(down: int, right: int) -> str:
            ends = _whole(builder, [height - 1 + down, width - 1 + right])
            return node("Slice", [light, _whole(builder, [down, right]), ends, _whole(builder, [1, 2])])

        corner = moved(0, 0)
        across, down = node("Sub", [moved(0, 1), corner]), node("Sub", [moved(1, 0), corner])
        wide, high = node("Abs", [across]), node("Abs", [down])
        two, zero = (builder.initializer(np.float32(number), "number") for number in (2, 0))
        upright = node("Greater", [wide, node("Mul", [high, two])])
        level = node("Greater", [high, node("Mul", [wide, two])])
        slanted = node("Not", [node("Or", [upright, level])])
        rising = node("Less", [node("Mul", [across, down]), zero])
        kinds = [upright, level, node("And", [slanted, rising]), node("And", [slanted, node("Not", [rising])])]
        strength = node("Add", [wide, high])
        for kind in kinds:
            parts.append(_summed_graph(builder, node("Where", [kind, strength, zero]), (height - 1, width - 1, 1), edges))
        return node("Concat", parts, axis=1)

    def state(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CondensedImage:
        return cls(**state)


def _places(grid: int) -> list[str]:
    return [f"row {row + 1}, column {column + 1} of {grid}" for row in range(grid) for column in range(grid)]


def _cells(side: int, grid: int) -> int:
    """Pixels a cell; those that are left over at the end belong to none."""
    return side // grid


def _summed(x: Array, grid: int) -> Array:
    """(rows, height, width, channels) to sums over cells (rows, grid, grid, channels)."""
    rows, height, width, channels = x.shape
    high, wide = _cells(height, grid), _cells(width, grid)
    cut = x[:, : high * grid, : wide * grid].reshape(rows, grid, high, grid, wide, channels)
    return np.asarray(cut.sum(axis=(2, 4), dtype=np.float32))


def _summed_graph(builder: GraphBuilder, tensor: str, shape: tuple[int, int, int], grid: int) -> str:
    """`_summed`, flat: (batch, grid * grid * channels)."""
    height, width, channels = shape
    high, wide = _cells(height, grid), _cells(width, grid)
    ends = _whole(builder, [high * grid, wide * grid])
    cut = builder.node("Slice", [tensor, _whole(builder, [0, 0]), ends, _whole(builder, [1, 2])])
    cells = builder.node("Reshape", [cut, _whole(builder, [-1, grid, high, grid, wide, channels])])
    summed = builder.node("ReduceSum", [cells, _whole(builder, [2, 4])], keepdims=0)
    return builder.node("Reshape", [summed, _whole(builder, [-1, grid * grid * channels])])


@dataclass(frozen=True)
class CondensedAudio:
    """Sounds as their energy in bands of one octave and in parts of their time, by Haar's wavelets.

    Input shape: (rows, samples) float32 in [-1, 1].
    """

    column: str
    samples: int
    octaves: int = 8
    parts: int = 4

    @property
    def _octaves(self) -> int:
        return max(0, min(self.octaves, int(math.log2(max(1, self.samples // self.parts)))))

    @property
    def _used(self) -> int:
        """Samples that fill all parts on every octave; a shorter sound is what is left after the last whole one."""
        unit = self.parts * 2**self._octaves
        return self.samples // unit * unit

    @property
    def width(self) -> int:
        return self.parts * (self._octaves + 1) if self._used else 0

    @property
    def feature_names(self) -> tuple[str, ...]:
        bands = [f"octave {number + 1} from the top" for number in range(self._octaves)] + ["the rest"]
        return tuple(f"{self.column} energy of {band}, part {part + 1}" for band in bands for part in range(self.parts))

    def transform(self, values: Array) -> Array:
        """(rows, width) float32."""
        low = np.rint(values[:, : self._used].astype(np.float64) * 4096.0)
        found = []
        for _ in range(self._octaves):
            even, odd = low[:, 0::2], low[:, 1::2]
            found.append(self._energy(even - odd))
            low = even + odd
        return np.concatenate([*found, self._energy(low)], axis=1).astype(np.float32)

    def _energy(self, values: Array) -> Array:
        return np.asarray(np.square(values).reshape(len(values), self.parts, -1).sum(axis=2))

    def graph(self, builder: GraphBuilder, tensor: str) -> str:
        """tensor: (batch, samples) float32. Returns (batch, width) float32."""
        node = builder.node
        cut = node("Slice", [tensor, _whole(builder, [0]), _whole(builder, [self._used]), _whole(builder, [1])])
        scaled = node("Mul", [node("Cast", [cut], to=DOUBLE), builder.initializer(np.float64(4096.0), "scale")])
        low, found, length = node("Round", [scaled]), [], self._used
        for _ in range(self._octaves):
            length //= 2
            pairs = node("Reshape", [low, _whole(builder, [-1, length, 2])])
            even, odd = (node("Gather", [pairs, builder.initializer(np.int64(place), "place")], axis=2) for place in (0, 1))
            found.append(self._energy_graph(builder, node("Sub", [even, odd]), length))
            low = node("Add", [even, odd])
        found.append(self._energy_graph(builder, low, length))
        return node("Cast", [node("Concat", found, axis=1)], to=FLOAT)

    def _energy_graph(self, builder: GraphBuilder, tensor: str, length: int) -> str:
        parts = builder.node("Reshape", [tensor, _whole(builder, [-1, self.parts, length // self.parts])])
        return builder.node("ReduceSum", [builder.node("Mul", [parts, parts]), _whole(builder, [2])], keepdims=0)

    def state(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CondensedAudio:
        return cls(**state)


def _whole(builder: GraphBuilder, values: list[int]) -> str:
    return builder.initializer(np.asarray(values, np.int64), "whole")
