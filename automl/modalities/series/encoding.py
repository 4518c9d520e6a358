"""The encodings of series: random convolution features for a linear model, or the scaled series for a net."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.core.errors import AutomlError
from automl.core.profile import Kind, Profile
from automl.core.space import Settings
from automl.core.table import Table
from automl.encoders.graph import GraphBuilder, input_names
from automl.encoders.random_convolution import FEATURES, KERNELS, RandomConvolutionEncoder
from automl.encoders.series import SeriesEncoder

Array = np.ndarray[Any, Any]

ENCODINGS = ("none", "convolutions", "sequence")
MOST_CELLS = 120_000_000
"""Features times rows in memory (half a gigabyte); with more rows each gets fewer features."""
LEAST_FEATURES = 12 * KERNELS
SAMPLED_ROWS = 2_000


@dataclass(frozen=True)
class SeriesTableEncoder:
    """The column of series as blocks of arrays. Until `fit` it only knows its column.

    none: "rows" (rows, 1) zeros, for a learner that looks at nothing.
    convolutions: "convolutions" and "statistics" (rows, width) float32, see RandomConvolutionEncoder.
    sequence: "sequence" (rows, length, channels + 1) float32, see SeriesEncoder.
    """

    encoding: str
    column: str
    input: str
    parse: dict[str, Any]
    series: SeriesEncoder | None = None
    convolutions: RandomConvolutionEncoder | None = None

    def fit(self, table: Table, rows: Array, whole: Array) -> SeriesTableEncoder:
        """A fitted copy. rows: positions of the fold's training rows; whole: of all training rows."""
        if self.encoding == "none":
            return self
        values = np.asarray(table.columns[self.column])
        series = SeriesEncoder.fit(values[rows], values[whole])
        if self.encoding == "sequence":
            return replace(self, series=series)
        sample = rows if len(rows) <= SAMPLED_ROWS else np.random.default_rng(0).choice(rows, SAMPLED_ROWS, replace=False)
        count = feature_count(table.rows)
        return replace(self, series=series, convolutions=RandomConvolutionEncoder.fit(series.transform(values[sample]), count))

    def transform(self, table: Table) -> dict[str, Array]:
        """Blocks by name; the first axis is the rows."""
        if self.series is None:
            return {"rows": np.zeros((table.rows, 1), np.float32)}
        sequence = self.series.transform(np.asarray(table.columns[self.column]))
        if self.convolutions is None:
            return {"sequence": sequence}
        features = self.convolutions.transform(sequence)
        cut = self.convolutions.width - self.convolutions.statistics
        return {"convolutions": features[:, :cut], "statistics": features[:, cut:]}

    def graph(self, builder: GraphBuilder) -> dict[str, str]:
        """Declare the input and append the nodes; the tensor of each block."""
        length, channels = int(self.parse["length"]), int(self.parse["channels"])
        tensor = builder.input(self.input, "float32", (length, channels))
        if self.series is None:
            first = builder.node("Slice", [builder.node("Flatten", [tensor], axis=1), *_ints(builder, 0, 1, 1)])
            zero = builder.initializer(np.float32(0.0), "zero")
            return {"rows": builder.node("Where", [builder.node("IsNaN", [first]), zero, builder.node("Mul", [first, zero])])}
        sequence = self.series.graph(builder, tensor)
        if self.convolutions is None:
            return {"sequence": sequence}
        features = self.convolutions.graph(builder, sequence)
        cut = self.convolutions.width - self.convolutions.statistics
        sizes = builder.initializer(np.asarray([cut, self.convolutions.statistics], np.int64), "sizes")
        first, second = builder.node("Split", [features, sizes], 2, axis=1)
        return {"convolutions": first, "statistics": second}

    @property
    def feeds(self) -> dict[str, list[dict[str, Any]]]:
        shape = [int(self.parse["length"]), int(self.parse["channels"])]
        return {self.column: [{"input": self.input, "dtype": "float32", "shape": shape, "parse": self.parse}]}

    @property
    def chunk_rows(self) -> int:
        if self.convolutions is not None:
            return self.convolutions.chunk_rows
        return int(np.clip((1 << 22) // (int(self.parse["length"]) * int(self.parse["channels"])), 16, 1024))

    @property
    def features(self) -> dict[str, list[tuple[str, str]]]:
        """For each block, (feature name, source column) by position."""
        if self.convolutions is not None:
            names = [(name, self.column) for name in self.convolutions.feature_names]
            cut = self.convolutions.width - self.convolutions.statistics
            return {"convolutions": names[:cut], "statistics": names[cut:]}
        return {"rows": [("nothing", "")]} if self.series is None else {"sequence": [(self.column, self.column)]}

    @property
    def shapes(self) -> dict[str, tuple[Any, str, None]]:
        """For each block, (width or shape, dtype, None)."""
        if self.encoding == "sequence":
            return {"sequence": ((int(self.parse["length"]), int(self.parse["channels"]) + 1), "float32", None)}
        if self.convolutions is None:
            return {"rows": (1, "float32", None)}
        cut = self.convolutions.width - self.convolutions.statistics
        return {"convolutions": (cut, "float32", None), "statistics": (self.convolutions.statistics, "float32", None)}

    def state(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding,
            "column": self.column,
            "input": self.input,
            "parse": self.parse,
            "series": self.series and self.series.state(),
            "convolutions": self.convolutions and self.convolutions.state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SeriesTableEncoder:
        return cls(
            state["encoding"],
            state["column"],
            state["input"],
            state["parse"],
            SeriesEncoder.from_state(state["series"]) if state["series"] else None,
            RandomConvolutionEncoder.from_state(state["convolutions"]) if state["convolutions"] else None,
        )


def feature_count(rows: int) -> int:
    """Random convolution features of each row, a multiple of the kernels."""
    return int(np.clip(MOST_CELLS // max(1, rows), LEAST_FEATURES, FEATURES)) // KERNELS * KERNELS


def make_encoder(profile: Profile, encoding: str, settings: Settings | None = None) -> SeriesTableEncoder:
    """The unfitted encoder of a profile's column of series."""
    if encoding not in ENCODINGS:
        raise AutomlError(f'there is no series encoding "{encoding}"; known: {", ".join(ENCODINGS)}')
    found = profile.features_of(Kind.SERIES)
    if not found:
        raise AutomlError("there is no column of series to encode")
    names = input_names(column.name for column in profile.features)
    return SeriesTableEncoder(encoding, found[0].name, names[found[0].name], dict(found[0].parse))


def _ints(builder: GraphBuilder, *values: int) -> list[str]:
    return [builder.initializer(np.asarray([value], np.int64), "place") for value in values]
