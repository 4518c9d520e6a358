"""The encodings of texts: weighted n-grams for linear models, tokens for nets; a column at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.core.errors import AutomlError
from automl.core.profile import Kind, Profile
from automl.core.space import Settings
from automl.core.table import Category, Table
from automl.encoders.graph import GraphBuilder, input_names
from automl.encoders.text import INDEX, VALUE, NgramEncoder
from automl.encoders.tokens import TokensEncoder

Array = np.ndarray[Any, Any]

ENCODINGS = ("none", "ngrams", "tokens")
NGRAMS: dict[str, dict[str, Any]] = {
    "words": {"of": "words", "least": 1, "most": 2},
    "characters": {"of": "characters", "least": 2, "most": 5},
}
MOST_FEATURES = 50_000
"""N-grams of all columns together."""
VOCABULARY, MOST_LENGTH = 8000, 256


@dataclass(frozen=True)
class TextColumn:
    """A column of texts, its graph input and the parse step of its cells."""

    name: str
    input: str
    parse: dict[str, Any]


@dataclass(frozen=True)
class TextEncoder:
    """Columns of texts to blocks. Until `fit` it only knows its columns.

    none: "rows" (rows, 1) zeros. ngrams: "words_1" and "characters_1", ... CSR matrices (rows, n-grams).
    tokens: "tokens_1", ... (rows, length) int32.
    """

    encoding: str
    columns: tuple[TextColumn, ...]
    outputs: int = 1
    vocabulary: int = VOCABULARY
    most_length: int = MOST_LENGTH
    ngrams: tuple[tuple[str, NgramEncoder], ...] = ()
    tokens: tuple[TokensEncoder, ...] = ()

    def fit(self, table: Table, rows: Array, whole: Array) -> TextEncoder:
        """A fitted copy. rows: positions of the fold's training rows; whole: of all training rows (lengths)."""
        if self.encoding == "ngrams":
            each = MOST_FEATURES // (len(NGRAMS) * len(self.columns))
            found = []
            for column in self.columns:
                values = _texts(table, column.name)
                for name, form in NGRAMS.items():
                    part, everything = values.take(rows), values.take(whole)
                    found.append((name, NgramEncoder.fit(part, everything, column.name, features=each, **form)))
            return replace(self, ngrams=tuple(found))
        if self.encoding == "tokens":
            tokens = []
            for column in self.columns:
                values = _texts(table, column.name)
                limits = (self.vocabulary, self.most_length)
                tokens.append(TokensEncoder.fit(values.take(rows), values.take(whole), column.name, *limits))
            return replace(self, tokens=tuple(tokens))
        return self

    def transform(self, table: Table) -> dict[str, Any]:
        """Blocks by name; the first axis is the rows."""
        blocks: dict[str, Any] = {}
        for block, encoder in self._encoders.items():
            blocks[block] = encoder.transform(_texts(table, encoder.column))
        return blocks or {"rows": np.zeros((table.rows, 1), np.float32)}

    def graph(self, builder: GraphBuilder) -> dict[str, str]:
        """Declare the inputs and append the nodes; the tensor of each block, of n-grams "<block>:index" and "<block>:value"."""
        tensors: dict[str, str] = {}
        inputs = {
            block: builder.input(feed["input"], feed["dtype"], feed["shape"][0])
            for (block, _), feed in zip(self._encoders.items(), self._all_feeds(), strict=True)
        }
        for block, encoder in self._encoders.items():
            made = encoder.graph(builder, inputs[block])
            tensors |= {f"{block}:{part}": made[part] for part in (INDEX, VALUE)} if isinstance(made, dict) else {block: made}
        return tensors or {"rows": _zeros(builder, builder.input(self.columns[0].input, "string"))}

    @property
    def feeds(self) -> dict[str, list[dict[str, Any]]]:
        """What the graph takes in place of a column's text."""
        feeds: dict[str, list[dict[str, Any]]] = {}
        for encoder, feed in zip(self._encoders.values(), self._all_feeds(), strict=True):
            feeds.setdefault(encoder.column, []).append(feed)
        return feeds

    @property
    def files(self) -> dict[str, bytes]:
        """The tokenizers, for the model folder."""
        return {self._file(number): each.tokenizer.encode() for number, each in enumerate(self.tokens)}

    @property
    def requirements(self) -> list[str]:
        return ["tokenizers>=0.20"] if self.tokens else []

    @property
    def chunk_rows(self) -> int | None:
        if self.tokens:
            return min(each.chunk_rows for each in self.tokens)
        return min((each.chunk_rows(self.outputs) for _, each in self.ngrams), default=None)

    @property
    def key(self) -> str:
        """The settings that the encoding depends on."""
        return f"{self.vocabulary} {self.most_length}" if self.encoding == "tokens" else ""

    @property
    def features(self) -> dict[str, list[tuple[str, str]]]:
        """For each block, (feature name, source column) by position."""
        features: dict[str, list[tuple[str, str]]] = {}
        for block, encoder in self._encoders.items():
            if isinstance(encoder, TokensEncoder):
                features[block] = [(f"token {place + 1}", encoder.column) for place in range(encoder.length)]
            else:
                features[block] = [(name, encoder.column) for name in encoder.feature_names]
        return features or {"rows": [("nothing", "")]}

    @property
    def shapes(self) -> dict[str, tuple[Any, str, Any]]:
        """For each block, (shape, dtype, vocabulary of tokens or None)."""
        shapes: dict[str, tuple[Any, str, Any]] = {}
        for block, encoder in self._encoders.items():
            if isinstance(encoder, TokensEncoder):
                shapes[block] = (encoder.length, "int32", encoder.vocabulary)
            else:
                shapes[block] = (encoder.width, "float32", None)
        return shapes or {"rows": (1, "float32", None)}

    def state(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding,
            "columns": [vars(column) for column in self.columns],
            "outputs": self.outputs,
            "vocabulary": self.vocabulary,
            "most_length": self.most_length,
            "ngrams": [[name, encoder.state()] for name, encoder in self.ngrams],
            "tokens": [encoder.state() for encoder in self.tokens],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TextEncoder:
        return cls(
            **{
                **state,
                "columns": tuple(TextColumn(**column) for column in state["columns"]),
                "ngrams": tuple((name, NgramEncoder.from_state(encoder)) for name, encoder in state["ngrams"]),
                "tokens": tuple(TokensEncoder.from_state(encoder) for encoder in state["tokens"]),
            }
        )

    @property
    def _encoders(self) -> dict[str, Any]:
        """The encoder of each block."""
        numbers = {column.name: number for number, column in enumerate(self.columns, start=1)}
        found: dict[str, Any] = {f"{name}_{numbers[encoder.column]}": encoder for name, encoder in self.ngrams}
        return found | {f"tokens_{numbers[encoder.column]}": encoder for encoder in self.tokens}

    def _all_feeds(self) -> list[dict[str, Any]]:
        """One a block, in the order of `_encoders`."""
        columns = {column.name: column for column in self.columns}
        feeds = []
        for number, (block, encoder) in enumerate(self._encoders.items()):
            column = columns[encoder.column]
            shape: int | str
            if isinstance(encoder, TokensEncoder):
                parse, shape = encoder.parse(column.parse, self._file(number)), encoder.length
            else:
                parse, shape = encoder.parse(column.parse), f"ngrams_of_{block}"
            kind = block.rpartition("_")[0]
            feeds.append({"input": f"{column.input} {kind}", "dtype": "int64", "shape": [shape], "parse": parse})
        return feeds

    def _file(self, number: int) -> str:
        return "tokenizer.json" if number == 0 else f"tokenizer_{number + 1}.json"


def make_encoder(profile: Profile, encoding: str, settings: Settings | None = None) -> TextEncoder:
    """The unfitted encoder of a profile's columns of texts."""
    if encoding not in ENCODINGS:
        raise AutomlError(f'there is no text encoding "{encoding}"; known: {", ".join(ENCODINGS)}')
    features = profile.features_of(Kind.TEXT)
    if not features:
        raise AutomlError("there is no text to encode")
    settings = settings or {}
    names = input_names(column.name for column in features)
    return TextEncoder(
        encoding,
        tuple(TextColumn(column.name, names[column.name], dict(column.parse)) for column in features),
        profile.outputs,
        int(settings.get("vocabulary", VOCABULARY)),
        int(settings.get("most_length", MOST_LENGTH)),
    )


def _texts(table: Table, name: str) -> Category:
    column = table.columns[name]
    if not isinstance(column, Category):
        raise AutomlError(f'column "{name}" holds no texts in this table')
    return column


def _zeros(builder: GraphBuilder, tensor: str) -> str:
    """(batch, 1) zeros, with the batch of a tensor of any type."""
    from onnx import helper

    shape = builder.node("Shape", [tensor])
    return builder.node("ConstantOfShape", [shape], value=helper.make_tensor("zero", 1, [1], [0.0]))
