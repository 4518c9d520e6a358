"""The encodings of a mixture: the table's own blocks, and beside them what each column of texts, images or sounds becomes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.core.errors import AutomlError
from automl.core.profile import Kind, Profile
from automl.core.space import Settings
from automl.core.table import Category, Table
from automl.encoders.audio import LogMelEncoder
from automl.encoders.condensed import CondensedAudio, CondensedImage, CondensedText
from automl.encoders.graph import OUTPUT_NAMES, GraphBuilder, input_names
from automl.encoders.scale import ScaleEncoder
from automl.encoders.table import InputColumn, TableEncoder
from automl.encoders.text import INDEX, VALUE, NgramEncoder
from automl.encoders.tokens import TokensEncoder

Array = np.ndarray[Any, Any]

TABLE_KINDS = (Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY, Kind.DATETIME)
RICH_KINDS = (Kind.TEXT, Kind.IMAGE, Kind.AUDIO)
TABLE_ENCODING = {"none": "none", "side_by_side": "dense", "codes": "codes", "fused": "embedded"}
NGRAMS: dict[str, dict[str, Any]] = {
    "words": {"of": "words", "least": 1, "most": 2},
    "characters": {"of": "characters", "least": 2, "most": 5},
}
MOST_FEATURES = 50_000
"""N-grams of all columns together."""
VOCABULARY, MOST_LENGTH = 8000, 128
CHUNK_BYTES = 64 * 2**20
"""Decoded images or sounds that are in memory at once."""
REQUIREMENTS = {"image": "pillow>=10.3", "tokens": "tokenizers>=0.20"}
_ENCODERS: dict[str, Any] = {
    "words": NgramEncoder,
    "characters": NgramEncoder,
    "tokens": TokensEncoder,
    "condensed_text": CondensedText,
    "condensed_image": CondensedImage,
    "condensed_audio": CondensedAudio,
    "log_mel": LogMelEncoder,
}


@dataclass(frozen=True)
class RichColumn:
    """A column of texts, images or sounds.

    number: from 1 among those of its kind. input: the stem of its graph inputs. parse: of its cells.
    """

    name: str
    kind: str
    number: int
    input: str
    parse: dict[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one decoded cell, where that is an array."""
        names = {"image": ("height", "width", "channels"), "audio": ("samples",)}.get(self.kind, ())
        return tuple(int(self.parse[name]) for name in names)


@dataclass(frozen=True)
class Part:
    """What one encoder makes of one column. An image that goes into a net as it is has no encoder.

    name: of the encoder, see _ENCODERS, or "pixels". scale: brings the numbers of a condensed column to one unit.
    """

    name: str
    column: RichColumn
    encoder: Any = None
    scale: ScaleEncoder | None = None

    def transform(self, table: Table) -> Any:
        """(rows, ...) array, or a CSR matrix of n-grams."""
        values: Any = table.columns[self.column.name]
        if self.column.kind == "text" and not isinstance(values, Category):
            raise AutomlError(f'column "{self.column.name}" holds no texts in this table')
        found = values if self.encoder is None else self.encoder.transform(values)
        return found if self.scale is None else self.scale.transform(found)

    def graph(self, builder: GraphBuilder, tensor: str) -> Any:
        found = tensor if self.encoder is None else self.encoder.graph(builder, tensor)
        return found if self.scale is None else self.scale.graph(builder, found)

    @property
    def feed(self) -> dict[str, Any]:
        """What the graph takes for it."""
        column, cells = self.column, self.column.parse
        if column.kind != "text":
            dtype = "uint8" if column.kind == "image" else "float32"
            return {"input": f"{column.input} {column.kind}", "dtype": dtype, "shape": list(column.shape), "parse": dict(cells)}
        if self.name == "tokens":
            parse, shape = self.encoder.parse(cells, self.file), [self.encoder.length]
        else:
            parse, shape = self.encoder.parse(cells), [f"{self.name} of {column.input}"]
        return {"input": f"{column.input} {self.name}", "dtype": "int64", "shape": shape, "parse": parse}

    @property
    def file(self) -> str:
        """Where the tokenizer is kept."""
        return "tokenizer.json" if self.column.number == 1 else f"tokenizer_{self.column.number}.json"

    @property
    def shape(self) -> tuple[Any, str, Any]:
        """(width or shape, dtype, vocabulary of tokens or None)."""
        if self.encoder is None:
            return self.column.shape, "uint8", None
        if self.name == "tokens":
            return self.encoder.length, "int32", self.encoder.vocabulary
        if self.name == "log_mel":
            return self.encoder.shape, "float32", None
        return (self.encoder if self.scale is None else self.scale).width, "float32", None

    def chunk_rows(self, outputs: int) -> int:
        """Rows that should be parsed and run at a time."""
        if self.column.kind != "text":
            size = {"image": 1, "audio": 8}[self.column.kind] * int(np.prod(self.column.shape))
            return int(np.clip(CHUNK_BYTES // (8 * size), 16, 4096))
        if self.name == "tokens":
            return int(self.encoder.chunk_rows)
        return int(self.encoder.chunk_rows() if self.name == "condensed_text" else self.encoder.chunk_rows(outputs))

    def state(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "column": vars(self.column),
            "encoder": self.encoder and self.encoder.state(),
            "scale": self.scale and self.scale.state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Part:
        encoder = _ENCODERS[state["name"]].from_state(state["encoder"]) if state["encoder"] else None
        scale = ScaleEncoder.from_state(state["scale"]) if state["scale"] else None
        return cls(state["name"], RichColumn(**state["column"]), encoder, scale)


@dataclass(frozen=True)
class MixtureEncoder:
    """Columns of all kinds to blocks. Until `fit` it only knows its columns. Columns of a kind are numbered from 1.

    none: "rows" (rows, 1) zeros.
    side_by_side, for linear models: "dense" of the table; "words_1", "characters_1" CSR matrices; "image_1", "audio_1"
        (rows, width) standardised.
    codes, for trees: "raw" and "codes" of the table, the condensed columns at the end of "raw".
    fused, for nets: "numeric" and "categorical" of the table; "tokens_1" (rows, length) int32; "image_1" uint8 pixels;
        "audio_1" (rows, frames, bands).
    """

    encoding: str
    table: TableEncoder | None
    columns: tuple[RichColumn, ...]
    outputs: int = 1
    parts: tuple[Part, ...] = ()

    def fit(self, table: Table, rows: Array, whole: Array) -> MixtureEncoder:
        """A fitted copy. rows: positions of the fold's training rows; whole: of all training rows (widths, lengths)."""
        fitted = None if self.table is None else self.table.fit(table, rows, whole)
        parts = tuple(part for column in self.columns for part in self._fitted_parts(column, table, rows, whole))
        return replace(self, table=fitted, parts=parts)

    def transform(self, table: Table) -> dict[str, Any]:
        """Blocks by name; the first axis is the rows."""
        blocks: dict[str, Any] = {} if self.table is None else dict(self.table.transform(table))
        if self.encoding == "none":
            return blocks or {"rows": np.zeros((table.rows, 1), np.float32)}
        found = {block: part.transform(table) for block, part in self._named_parts().items()}
        if self.encoding == "codes":
            found = {"raw": np.concatenate([*(blocks[name] for name in ("raw",) if name in blocks), *found.values()], axis=1)}
        return _telling({**blocks, **found})

    def graph(self, builder: GraphBuilder) -> dict[str, str]:
        """Declare the inputs and append the nodes; the tensor of each block, of n-grams "<block>:index" and "<block>:value"."""
        feeds = {part.feed["input"]: part.feed for part in (self.parts or self._standing_in())}
        tensors = {name: builder.input(name, feed["dtype"], tuple(feed["shape"])) for name, feed in feeds.items()}
        blocks = {} if self.table is None else dict(self.table.graph(builder))
        if self.encoding == "none":
            return blocks or {"rows": next(iter(tensors.values()))}
        found: dict[str, str] = {}
        for block, part in self._named_parts().items():
            made = part.graph(builder, tensors[part.feed["input"]])
            found |= {f"{block}:{each}": made[each] for each in (INDEX, VALUE)} if isinstance(made, dict) else {block: made}
        if self.encoding == "codes":
            joined = [*(blocks[name] for name in ("raw",) if name in blocks), *found.values()]
            found = {"raw": builder.node("Concat", joined, axis=1)}
        return _telling({**blocks, **found})

    @property
    def feeds(self) -> dict[str, list[dict[str, Any]]]:
        """What the graph takes in place of a column's cells."""
        feeds: dict[str, dict[str, dict[str, Any]]] = {}
        for part in self.parts or self._standing_in():
            feeds.setdefault(part.column.name, {})[part.feed["input"]] = part.feed
        return {column: list(each.values()) for column, each in feeds.items()}

    @property
    def files(self) -> dict[str, bytes]:
        """The tokenizers, for the model folder."""
        return {part.file: part.encoder.tokenizer.encode() for part in self.parts if part.name == "tokens"}

    @property
    def requirements(self) -> list[str]:
        needed = {part.column.kind for part in self.parts} | {part.name for part in self.parts}
        return [line for name, line in REQUIREMENTS.items() if name in needed]

    @property
    def chunk_rows(self) -> int | None:
        return min((part.chunk_rows(self.outputs) for part in self.parts), default=None)

    @property
    def shapes(self) -> dict[str, tuple[Any, str, Any]]:
        """For each block, (width or shape, dtype, cardinalities, vocabulary of tokens or None)."""
        shapes: dict[str, tuple[Any, str, Any]] = {} if self.table is None else dict(self.table.shapes)
        found = {block: part.shape for block, part in self._named_parts().items()}
        if self.encoding == "codes":
            width = shapes.get("raw", (0,))[0] + sum(shape[0] for shape in found.values())
            found = {"raw": (width, "float32", None)}
        return _telling({**shapes, **found}) or {"rows": (1, "float32", None)}

    @property
    def features(self) -> dict[str, list[tuple[str, str]]]:
        """For each block of plain columns, (feature name, source column) by position."""
        features = {} if self.table is None else dict(self.table.features)
        found = {}
        for block, part in self._named_parts().items():
            names = getattr(part.encoder, "feature_names", ())
            found[block] = [(name, part.column.name) for name in names]
        if self.encoding == "codes":
            found = {"raw": features.get("raw", []) + [each for names in found.values() for each in names]}
        return _telling({**features, **found})

    def state(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding,
            "table": self.table and self.table.state(),
            "columns": [vars(column) for column in self.columns],
            "outputs": self.outputs,
            "parts": [part.state() for part in self.parts],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> MixtureEncoder:
        return cls(
            state["encoding"],
            TableEncoder.from_state(state["table"]) if state["table"] else None,
            tuple(RichColumn(**column) for column in state["columns"]),
            state["outputs"],
            tuple(Part.from_state(part) for part in state["parts"]),
        )

    def _fitted_parts(self, column: RichColumn, table: Table, rows: Array, whole: Array) -> list[Part]:
        values = table.columns[column.name]
        if self.encoding == "none":
            return []
        if isinstance(values, Category):
            return self._text_parts(column, values.take(rows), values.take(whole))
        if self.encoding == "fused":
            if column.kind == "image":
                return [Part("pixels", column)]
            return [Part("log_mel", column, LogMelEncoder.fit(values[rows], column.name, int(column.parse["rate"])))]
        encoder: Any
        if column.kind == "image":
            encoder = CondensedImage(column.name, *column.shape)
        else:
            encoder = CondensedAudio(column.name, *column.shape)
        part = Part(f"condensed_{column.kind}", column, encoder)
        if self.encoding == "codes":
            return [part]
        found = part.transform(table)
        scale = ScaleEncoder.fit(found[rows], found[whole], list(encoder.feature_names), "standard", [])
        return [replace(part, scale=scale)]

    def _text_parts(self, column: RichColumn, values: Category, whole: Category) -> list[Part]:
        if self.encoding == "codes":
            return [Part("condensed_text", column, CondensedText.fit(values, whole, column.name))]
        if self.encoding == "fused":
            return [Part("tokens", column, TokensEncoder.fit(values, whole, column.name, VOCABULARY, MOST_LENGTH))]
        each = MOST_FEATURES // (len(NGRAMS) * sum(each.kind == "text" for each in self.columns))
        fitted = {name: NgramEncoder.fit(values, whole, column.name, features=each, **form) for name, form in NGRAMS.items()}
        return [Part(name, column, encoder) for name, encoder in fitted.items()]

    def _named_parts(self) -> dict[str, Part]:
        """The parts by the names of their blocks."""
        stems = {"condensed_text": "text", **{name: name for name in (*NGRAMS, "tokens")}}
        return {f"{stems.get(part.name, part.column.kind)}_{part.column.number}": part for part in self.parts}

    def _standing_in(self) -> tuple[Part, ...]:
        """Where no column is looked at and there is no table, one column tells how many rows there are."""
        if self.table is not None:
            return ()
        column = min(self.columns, key=lambda each: each.kind != "text")
        empty = NgramEncoder(column.name, most=1)
        return (Part("words", column, empty),) if column.kind == "text" else (Part("pixels", column),)


def _telling(blocks: dict[str, Any]) -> dict[str, Any]:
    """Without the block "rows" of a table whose columns tell nothing, where there are others."""
    return {name: block for name, block in blocks.items() if name != "rows" or len(blocks) == 1}


def make_encoder(profile: Profile, encoding: str, settings: Settings | None = None) -> MixtureEncoder:
    """The unfitted encoder of a profile's features."""
    if encoding not in TABLE_ENCODING:
        raise AutomlError(f'there is no encoding "{encoding}" of mixtures; known: {", ".join(TABLE_ENCODING)}')
    names = input_names(column.name for column in profile.features)
    plain = [column for column in profile.features if column.kind in TABLE_KINDS]
    taken = set(names.values()) | OUTPUT_NAMES
    table = None
    if plain:
        columns = tuple(InputColumn(each.name, names[each.name], each.dtype, each.kind is Kind.BOOLEAN) for each in plain)
        table = TableEncoder(TABLE_ENCODING[encoding], columns)
    rich, counts = [], dict.fromkeys(RICH_KINDS, 0)
    for column in profile.features_of(*RICH_KINDS):
        counts[column.kind] += 1
        stem = _stem(names[column.name], taken)
        rich.append(RichColumn(column.name, str(column.kind), counts[column.kind], stem, dict(column.parse)))
    return MixtureEncoder(encoding, table, tuple(rich), profile.outputs)


def _stem(name: str, taken: set[str]) -> str:
    """The name, with underscores where one of its inputs ("review words", ...) could be the name of another column."""
    while any(each.startswith(f"{name} ") for each in taken):
        name += "_"
    return name
