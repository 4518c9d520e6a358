"""One column of texts as weighted n-grams (TF-IDF): a sparse matrix to learn from, a look-up of hashed n-grams in the graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automl.core.table import Category
from automl.core.tokens import COUNT_BITS, ngrams
from automl.encoders.graph import GraphBuilder

Array = np.ndarray[Any, Any]

MOST_FEATURES = 25_000
"""N-grams of one kind that are kept, the most frequent ones; words and characters together make 50,000."""
SMALL_ROWS = 500
"""Fewer rows keep n-grams that stand in one text only."""
KEPT_COUNTS = 4
CHUNK_CELLS = 2_000_000
"""N-grams that one run of the graph looks up."""
INDEX, VALUE = "index", "value"


@dataclass(frozen=True)
class NgramEncoder:
    """Texts as rows of unit length over the n-grams of one kind, `1 + log(count)` times the inverse document frequency.

    of: "words" or "characters"; least, most: lengths of the n-grams. keys: (width,) int64, sorted; idf: (width,) float32.
    longest: n-grams of the longest text seen, known or not.
    """

    column: str
    of: str = "words"
    least: int = 1
    most: int = 2
    keys: Array = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    idf: Array = field(default_factory=lambda: np.zeros(0, np.float32), repr=False)
    longest: int = 1

    @classmethod
    def fit(
        cls,
        values: Category,
        whole: Category,
        column: str,
        of: str = "words",
        least: int = 1,
        most: int = 2,
        features: int = MOST_FEATURES,
    ) -> NgramEncoder:
        """values: the texts of the rows to learn from; whole: all training rows, which do not count here.

        The `features` n-grams that stand in most texts are kept; with many rows only those that stand in two at least.
        """
        counted = counted_ngrams(values.levels, of, least, most)
        matrix = counted.matrix[values.codes]
        frequency = np.bincount(matrix.indices, minlength=len(counted.keys))
        kept = np.flatnonzero(frequency >= (1 if len(values) < SMALL_ROWS else 2))
        if len(kept) > features:
            kept = np.sort(kept[np.argsort(-frequency[kept], kind="stable")[:features]])
        idf = np.log((1.0 + len(values)) / (1.0 + frequency[kept])) + 1.0
        longest = int(np.diff(matrix.indptr).max(initial=1))
        return cls(column, of, least, most, counted.keys[kept], idf.astype(np.float32), longest)

    def transform(self, values: Category) -> Any:
        """(rows, width) float32 as a scipy CSR matrix."""
        from scipy.sparse import csr_matrix

        counted = counted_ngrams(values.levels, self.of, self.least, self.most)
        matrix = counted.matrix
        if not self.width:
            return csr_matrix((len(values), 0), dtype=np.float32)
        place = np.searchsorted(self.keys, counted.keys)
        place[self.keys[np.minimum(place, self.width - 1)] != counted.keys] = self.width
        columns = place[matrix.indices]
        known = columns < self.width
        lengths = np.add.reduceat(np.append(known, False), matrix.indptr[:-1], dtype=np.int64)
        lengths[np.diff(matrix.indptr) == 0] = 0
        columns = columns[known].astype(np.int32)
        data = (1.0 + np.log(matrix.data[known])) * self.idf[columns]
        texts = csr_matrix((data, columns, np.append(0, np.cumsum(lengths))), shape=(matrix.shape[0], self.width))
        texts.data /= np.repeat(np.maximum(np.sqrt(_row_sums(texts, texts.data**2)), 1e-12), lengths)
        return texts.astype(np.float32)[values.codes]

    def graph(self, builder: GraphBuilder, tensor: str) -> dict[str, str]:
        """From the packed n-grams (batch, n-grams) int64 that the parse step makes.

        Returns {"index": (batch, n-grams) int64, width where unknown; "value": (batch, n-grams) float32, 0 where unknown}.
        """
        unit = builder.initializer(np.asarray(1 << COUNT_BITS, np.int64), "count_unit")
        key = builder.node("Div", [tensor, unit])
        count = builder.node("Cast", [builder.node("Mod", [tensor, unit])], to=1)
        if self.width:
            index = builder.node(
                "LabelEncoder",
                [key],
                domain="ai.onnx.ml",
                keys_int64s=self.keys.tolist(),
                values_int64s=list(range(self.width)),
                default_int64=self.width,
            )
        else:
            index = builder.node("Mul", [key, builder.initializer(np.asarray(0, np.int64), "none")])
        one = builder.initializer(np.asarray(1.0, np.float32), "one")
        damped = builder.node("Add", [builder.node("Log", [builder.node("Max", [count, one])]), one])
        idf = builder.initializer(np.append(self.idf, np.float32(0.0)), "idf")
        value = builder.node("Mul", [damped, builder.node("Gather", [idf, index], axis=0)])
        last = builder.initializer(np.asarray([1], np.int64), "axis")
        length = builder.node("ReduceL2", [value, last], keepdims=1)
        length = builder.node("Max", [length, builder.initializer(np.asarray(1e-12, np.float32), "least_length")])
        return {INDEX: index, VALUE: builder.node("Div", [value, length])}

    def parse(self, cells: dict[str, Any]) -> dict[str, Any]:
        """The parse step that makes what the graph takes; cells: the column's own step, {"as": "text", ...}."""
        return {**cells, "as": "ngrams", "of": self.of, "least": self.least, "most": self.most}

    def chunk_rows(self, outputs: int) -> int:
        """Rows that the graph should take at once, so that its tensors stay small."""
        return int(np.clip(CHUNK_CELLS // (self.longest * max(1, outputs)), 16, 4096))

    @property
    def width(self) -> int:
        return len(self.keys)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """N-grams are known by their hashes only."""
        return tuple(f"{self.column} {self.of} {key:012x}" for key in self.keys.tolist())

    def state(self) -> dict[str, Any]:
        return {
            "column": self.column,
            "of": self.of,
            "least": self.least,
            "most": self.most,
            "keys": self.keys.tolist(),
            "idf": [float(value) for value in self.idf],
            "longest": self.longest,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> NgramEncoder:
        arrays = {"keys": np.asarray(state["keys"], np.int64), "idf": np.asarray(state["idf"], np.float32)}
        return cls(**{**state, **arrays})


@dataclass(frozen=True)
class ComponentsEncoder:
    """The n-grams of a column on a few axes that keep most of their variance, for learners of dense columns.

    A truncated singular value decomposition (Halko et al., 2011) of the matrix of an NgramEncoder: latent semantic analysis.
    axes: (width of the n-grams, width) float32.
    """

    ngrams: NgramEncoder
    axes: Array = field(repr=False)

    @classmethod
    def fit(cls, ngrams: NgramEncoder, values: Category, width: int = 32, seed: int = 0) -> ComponentsEncoder:
        """values: the texts of the rows that `ngrams` was fitted on."""
        matrix = ngrams.transform(values)
        wanted = int(min(width, *matrix.shape)) if min(matrix.shape) else 0
        axes = np.zeros((ngrams.width, width), np.float32)
        if wanted:
            generator = np.random.default_rng(seed)
            basis = np.asarray(matrix @ generator.normal(size=(matrix.shape[1], wanted + 8)).astype(np.float32))
            for _ in range(3):
                basis = np.linalg.qr(basis)[0]
                basis = np.asarray(matrix @ (matrix.T @ basis))
            basis = np.linalg.qr(basis)[0]
            _, _, right = np.linalg.svd(np.asarray((matrix.T @ basis).T), full_matrices=False)
            right = right[:wanted]
            right *= np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])[:, None]
            axes[:, : len(right)] = right.T
        return cls(ngrams, axes)

    def transform(self, values: Category) -> Array:
        """(rows, width) float32."""
        return np.asarray(self.ngrams.transform(values) @ self.axes, np.float32)

    def graph(self, builder: GraphBuilder, tensor: str) -> str:
        """(batch, width) from the packed n-grams."""
        return weighted_sum(builder, self.ngrams.graph(builder, tensor), self.axes)

    @property
    def width(self) -> int:
        return int(self.axes.shape[1])

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"{self.ngrams.column} topic {number + 1}" for number in range(self.width))

    def state(self) -> dict[str, Any]:
        return {"ngrams": self.ngrams.state(), "axes": [[float(value) for value in row] for row in self.axes]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ComponentsEncoder:
        ngrams = NgramEncoder.from_state(state["ngrams"])
        return cls(ngrams, np.asarray(state["axes"], np.float32).reshape(ngrams.width, -1))


def weighted_sum(builder: GraphBuilder, sparse: dict[str, str], weight: Array) -> str:
    """A sparse row times a matrix, (batch, outputs). sparse: "index" and "value"; weight: (width, outputs)."""
    rows = np.concatenate([weight, np.zeros((1, weight.shape[1]), weight.dtype)]).astype(np.float32)
    looked_up = builder.node("Gather", [builder.initializer(rows, "weight"), sparse[INDEX]], axis=0)  # (batch, n-grams, outputs)
    middle = builder.initializer(np.asarray([1], np.int64), "axis")
    value = builder.node("Unsqueeze", [sparse[VALUE], middle])  # (batch, 1, n-grams)
    return builder.node("Squeeze", [builder.node("MatMul", [value, looked_up]), middle])


@dataclass(frozen=True)
class _Counted:
    """The n-grams of some texts: keys (n-grams,) sorted; matrix (texts + 1, n-grams) of counts, the last row of "" ."""

    keys: Array
    matrix: Any


_KEPT: dict[tuple[int, str, int, int], tuple[tuple[str, ...], _Counted]] = {}


def counted_ngrams(levels: tuple[str, ...], of: str, least: int, most: int) -> _Counted:
    """Counting takes most of the time and knows nothing of folds, so the last few results are kept."""
    from scipy.sparse import csr_matrix

    place = (id(levels), of, least, most)
    if place not in _KEPT:
        rows, keys, counts = ngrams([*levels, ""], of, least, most)
        known, columns = np.unique(keys, return_inverse=True)
        starts = np.append(0, np.cumsum(np.bincount(rows, minlength=len(levels) + 1)))
        matrix = csr_matrix((counts.astype(np.float32), columns.astype(np.int32), starts), shape=(len(levels) + 1, len(known)))
        _KEPT[place] = (levels, _Counted(known, matrix))
        while len(_KEPT) > KEPT_COUNTS:
            _KEPT.pop(next(iter(_KEPT)))
    return _KEPT[place][1]


def _row_sums(matrix: Any, values: Array) -> Array:
    """Sums of the values of each row of a CSR matrix, empty rows included."""
    sums = np.append(0.0, np.cumsum(values, dtype=np.float64))
    return np.asarray(sums[matrix.indptr[1:]] - sums[matrix.indptr[:-1]])
