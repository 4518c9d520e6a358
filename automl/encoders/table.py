"""The encodings of a table: which blocks of arrays its columns become, and the graph fragment that does the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.core.errors import AutomlError
from automl.core.profile import Kind, Profile
from automl.core.space import Settings
from automl.core.table import Category, Table
from automl.encoders.category import CategoryEncoder
from automl.encoders.date import DateEncoder
from automl.encoders.graph import GraphBuilder, input_names
from automl.encoders.number import NumberEncoder
from automl.encoders.scale import ScaleEncoder

Array = np.ndarray[Any, Any]

ENCODINGS = ("none", "dense", "codes", "embedded")
ONEHOT_LEVELS, ONEHOT_WIDTH = 50, 2000
"""The most one-hot columns of one column and of the whole table."""
CODE_LEVELS = 1000


@dataclass(frozen=True)
class InputColumn:
    """A column that the graph takes. dtype: float32, float64, string or int64."""

    name: str
    input: str
    dtype: str
    binary: bool = False


@dataclass(frozen=True)
class TableEncoder:
    """Columns to blocks of arrays. Until `fit` it only knows its columns.

    none: "rows" (rows, 1) zeros, for a learner that looks at no column.
    dense: "dense" (rows, width) float32: scaled numbers and date parts, missing indicators, one-hot levels.
    codes: "raw" (rows, width) float32 with NaN: numbers, date parts and categories of two levels;
        "codes" (rows, width) float32 with NaN: the other categories.
    embedded: "numeric" (rows, width) float32 and "categorical" (rows, width) int32, 0 = missing or unknown.
    A block without columns is left out, and so are the columns that tell nothing; there is always one block.
    """

    encoding: str
    columns: tuple[InputColumn, ...]
    numbers: NumberEncoder | None = None
    dates: DateEncoder | None = None
    scale: ScaleEncoder | None = None
    categories: tuple[CategoryEncoder, ...] = ()

    def fit(self, table: Table, rows: Array, whole: Array) -> TableEncoder:
        """A fitted copy. rows: positions of the fold's training rows; whole: of all training rows (widths, levels)."""
        if self.encoding == "none":
            return self
        number_columns = self._of("float32", "float64")
        date_columns = self._of("int64")
        numbers = dates = scale = None
        if number_columns:
            names = [column.name for column in number_columns]
            every = _stack(table, names)
            numbers = NumberEncoder.fit(every[rows], every[whole], names, [column.dtype for column in number_columns])
        if date_columns:
            names = [column.name for column in date_columns]
            every = _stack(table, names)
            dates = DateEncoder.fit(every[rows], every[whole], names, self.encoding != "codes").varying()
        categories = self._fit_categories(table, rows, whole)
        partly = replace(self, numbers=numbers, dates=dates, categories=categories)
        if self.encoding != "codes" and partly._raw_width:
            raw = partly._raw(table)
            binary = [position for position, column in enumerate(number_columns) if column.binary]
            style = "standard" if self.encoding == "dense" else "robust"
            scale = ScaleEncoder.fit(raw[rows], raw[whole], partly.raw_names, style, binary)
        return replace(partly, scale=scale)

    def transform(self, table: Table) -> dict[str, Array]:
        """Blocks by name; the first axis is the rows."""
        blocks = {}
        for block in self.shapes:
            if block == "rows":
                blocks[block] = np.zeros((table.rows, 1), np.float32)
                continue
            parts = [encoder.transform(self._category(table, encoder)) for encoder in self._encoders(block)]
            if block in ("dense", "raw", "numeric") and self._raw_width:
                raw = self._raw(table)
                parts.insert(0, self.scale.transform(raw) if self.scale else raw)
            blocks[block] = np.ascontiguousarray(np.concatenate(parts, axis=1)) if len(parts) > 1 else parts[0]
        return blocks

    def graph(self, builder: GraphBuilder) -> dict[str, str]:
        """Declare the inputs and append the nodes; the tensor of each block."""
        tensors = {column.name: builder.input(column.input, column.dtype) for column in self.inputs}
        blocks = {}
        for block, (width, dtype, _) in self.shapes.items():
            if block == "rows":
                blocks[block] = _zeros(builder, self.inputs[0].input)
                continue
            parts = [encoder.graph(builder, tensors[encoder.column]) for encoder in self._encoders(block)]
            if block in ("dense", "raw", "numeric") and self._raw_width:
                raw = self._raw_graph(builder, tensors)
                parts.insert(0, self.scale.graph(builder, raw) if self.scale else raw)
            joined = builder.node("Concat", parts, axis=1) if len(parts) > 1 else parts[0]
            blocks[block] = builder.node("Cast", [joined], to=6) if dtype == "int32" else joined
            assert width == len(self.features[block])
        return blocks

    @property
    def inputs(self) -> tuple[InputColumn, ...]:
        """The columns that the graph takes, in the order of the table."""
        used = {source for features in self.features.values() for _, source in features}
        taken = tuple(column for column in self.columns if column.name in used)
        return taken or self.columns[:1]

    @property
    def features(self) -> dict[str, list[tuple[str, str]]]:
        """For each block, (feature name, source column) by position."""
        features = {block: self._block_features(block) for block in self._blocks()}
        return {block: found for block, found in features.items() if found} or {"rows": [("nothing", "")]}

    @property
    def shapes(self) -> dict[str, tuple[int, str, list[int] | None]]:
        """For each block, (width, dtype, cardinalities or None); an index is below its cardinality, 0 is unknown."""
        shapes: dict[str, tuple[int, str, list[int] | None]] = {}
        for block, features in self.features.items():
            if block == "categorical":
                shapes[block] = (len(features), "int32", [encoder.cardinality for encoder in self._encoders(block)])
            else:
                shapes[block] = (len(features), "float32", None)
        return shapes

    def state(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding,
            "columns": [vars(column) for column in self.columns],
            "numbers": self.numbers and self.numbers.state(),
            "dates": self.dates and self.dates.state(),
            "scale": self.scale and self.scale.state(),
            "categories": [encoder.state() for encoder in self.categories],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TableEncoder:
        return cls(
            state["encoding"],
            tuple(InputColumn(**column) for column in state["columns"]),
            NumberEncoder.from_state(state["numbers"]) if state["numbers"] else None,
            DateEncoder.from_state(state["dates"]) if state["dates"] else None,
            ScaleEncoder.from_state(state["scale"]) if state["scale"] else None,
            tuple(CategoryEncoder.from_state(encoder) for encoder in state["categories"]),
        )

    def _of(self, *dtypes: str) -> list[InputColumn]:
        return [column for column in self.columns if column.dtype in dtypes]

    def _blocks(self) -> tuple[str, ...]:
        return {"none": (), "dense": ("dense",), "codes": ("raw", "codes"), "embedded": ("numeric", "categorical")}[self.encoding]

    def _encoders(self, block: str) -> list[CategoryEncoder]:
        """The categories that go into a block; one of at most two levels is a number to a tree."""
        if block == "numeric":
            return []
        if block in ("raw", "codes"):
            return [encoder for encoder in self.categories if (len(encoder.levels) <= 2) == (block == "raw")]
        return list(self.categories)

    def _block_features(self, block: str) -> list[tuple[str, str]]:
        categories = [(name, encoder.column) for encoder in self._encoders(block) for name in encoder.feature_names]
        if block in ("codes", "categorical"):
            return categories
        names = self.scale.feature_names if self.scale else self.raw_names
        sources = self._raw_sources
        if self.scale:
            sources = sources + tuple(sources[position] for position in self.scale.indicated)
        return list(zip(names, sources, strict=True)) + categories

    def _fit_categories(self, table: Table, rows: Array, whole: Array) -> tuple[CategoryEncoder, ...]:
        columns = self._of("string")
        style = {"dense": "onehot", "codes": "codes", "embedded": "index"}[self.encoding]
        most, least = CODE_LEVELS, 2
        if style == "onehot":
            most = max(3, min(ONEHOT_LEVELS, ONEHOT_WIDTH // max(1, len(columns))))
            least = 3 if len(whole) < 1000 else 10
        fitted = []
        for column in columns:
            every = _category(table, column.name)
            fitted.append(CategoryEncoder.fit(every.take(rows), every.take(whole), column.name, style, most, least))
        return tuple(encoder for encoder in fitted if encoder.width)

    def _category(self, table: Table, encoder: CategoryEncoder) -> Category:
        return _category(table, encoder.column)

    @property
    def _raw_width(self) -> int:
        return (self.numbers.width if self.numbers else 0) + (self.dates.width if self.dates else 0)

    @property
    def raw_names(self) -> tuple[str, ...]:
        """The numbers and date parts, which come first in their block, before they are scaled."""
        return (self.numbers.feature_names if self.numbers else ()) + (self.dates.feature_names if self.dates else ())

    @property
    def _raw_sources(self) -> tuple[str, ...]:
        return (self.numbers.columns if self.numbers else ()) + (self.dates.sources if self.dates else ())

    def _raw(self, table: Table) -> Array:
        """Numbers and date parts (rows, width) float32 with NaN."""
        parts = []
        if self.numbers:
            parts.append(self.numbers.transform(_stack(table, self.numbers.columns)))
        if self.dates:
            parts.append(self.dates.transform(_stack(table, self.dates.columns)))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _raw_graph(self, builder: GraphBuilder, tensors: dict[str, str]) -> str:
        parts = []
        if self.numbers:
            parts.append(self.numbers.graph(builder, [tensors[name] for name in self.numbers.columns]))
        if self.dates:
            parts.append(self.dates.graph(builder, [tensors[name] for name in self.dates.columns]))
        return parts[0] if len(parts) == 1 else builder.node("Concat", parts, axis=1)


def make_encoder(profile: Profile, encoding: str, settings: Settings | None = None) -> TableEncoder:
    """The unfitted encoder of a profile's features."""
    if encoding not in ENCODINGS:
        raise AutomlError(f'there is no table encoding "{encoding}"; known: {", ".join(ENCODINGS)}')
    features = [column for column in profile.features if column.kind is not Kind.CONSTANT]
    if not features:
        raise AutomlError("there is no feature to encode")
    names = input_names(column.name for column in features)
    return TableEncoder(
        encoding,
        tuple(InputColumn(column.name, names[column.name], column.dtype, column.kind is Kind.BOOLEAN) for column in features),
    )


def _category(table: Table, name: str) -> Category:
    column = table.columns[name]
    if not isinstance(column, Category):
        raise AutomlError(f'column "{name}" is not a category in this table')
    return column


def _stack(table: Table, columns: Iterable[str]) -> Array:
    return np.stack([np.asarray(table.columns[name]) for name in columns], axis=1)


def _zeros(builder: GraphBuilder, tensor: str) -> str:
    """(batch, 1) zeros, with the batch of a tensor of any type."""
    from onnx import helper

    shape = builder.node("Shape", [tensor])
    return builder.node("ConstantOfShape", [shape], value=helper.make_tensor("zero", 1, [1], [0.0]))
