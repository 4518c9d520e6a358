"""The encodings of clips of sound, and the graph fragment that does the same from raw samples."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.core.errors import AutomlError
from automl.core.profile import Kind, Profile
from automl.core.table import Table
from automl.encoders.audio import Framing, LogMelEncoder, SoundStatistics
from automl.encoders.graph import GraphBuilder, input_names

Array = np.ndarray[Any, Any]

ENCODINGS = ("none", "statistics", "logmel")
CHUNK_SAMPLES = 4_000_000


@dataclass(frozen=True)
class AudioEncoder:
    """A column of sounds to blocks of arrays. Until `fit` it only knows the column.

    none: "rows" (rows, 1) zeros, for a learner that listens to nothing.
    statistics: "dense" (rows, width) float32: what can be counted off the spectrogram.
    logmel: "logmel" (rows, frames, bands) float32, the standardised log-mel spectrogram.
    """

    encoding: str
    column: str
    input: str
    parse: dict[str, Any]
    only_wav: bool = True
    spectrogram: LogMelEncoder | None = None
    statistics: SoundStatistics | None = None

    @property
    def learns(self) -> bool:
        return self.encoding != "none"

    def fit(self, table: Table, rows: Array, whole: Array) -> AudioEncoder:
        """A fitted copy. rows: positions of the fold's training rows."""
        if self.encoding == "none":
            return self
        unscaled = self._unscaled
        found = _HEARD.spectrograms(unscaled, np.asarray(table.columns[self.column]), keep=True)[rows]
        spectrogram = unscaled.scaled_by(found)
        if self.encoding == "logmel":
            return replace(self, spectrogram=spectrogram)
        return replace(self, spectrogram=spectrogram, statistics=SoundStatistics.fit(spectrogram.scaled(found)))

    @property
    def _unscaled(self) -> LogMelEncoder:
        return LogMelEncoder.unscaled(self.column, Framing.of(int(self.parse["rate"]), int(self.parse["samples"])))

    def transform(self, table: Table) -> dict[str, Array]:
        """Blocks by name; the first axis is the rows."""
        if self.encoding == "none":
            return {"rows": np.zeros((table.rows, 1), np.float32)}
        assert self.spectrogram is not None
        found = _HEARD.spectrograms(self._unscaled, np.asarray(table.columns[self.column]))
        found = self.spectrogram.scaled(found)
        return {"logmel": found} if self.statistics is None else {"dense": self.statistics.transform(found)}

    def graph(self, builder: GraphBuilder) -> dict[str, str]:
        """Declare the input, (batch, samples) float32, and append the nodes; the tensor of each block."""
        tensor = builder.input(self.input, "float32", (int(self.parse["samples"]),))
        if self.encoding == "none":
            first = builder.node("Slice", [tensor, *(builder.initializer(np.asarray([each], np.int64)) for each in (0, 1, 1))])
            return {"rows": builder.node("Sub", [first, first])}
        assert self.spectrogram is not None
        found = self.spectrogram.graph(builder, tensor)
        return {"logmel": found} if self.statistics is None else {"dense": self.statistics.graph(builder, found)}

    @property
    def shapes(self) -> dict[str, tuple[Any, str, None]]:
        """For each block, (width or shape, dtype, None)."""
        if self.encoding == "none":
            return {"rows": (1, "float32", None)}
        assert self.spectrogram is not None
        if self.statistics is None:
            return {"logmel": (self.spectrogram.shape, "float32", None)}
        return {"dense": (self.statistics.width, "float32", None)}

    @property
    def features(self) -> dict[str, list[tuple[str, str]]]:
        """For each block, (feature name, source column) by position."""
        names = self.statistics.feature_names if self.statistics else ("sound",)
        return {block: [(name, self.column) for name in names] for block in self.shapes}

    @property
    def feeds(self) -> dict[str, list[dict[str, Any]]]:
        """How the graph is fed: the samples of a decoded clip."""
        shape = [int(self.parse["samples"])]
        return {self.column: [{"input": self.input, "dtype": "float32", "shape": shape, "parse": dict(self.parse)}]}

    @property
    def chunk_rows(self) -> int:
        """Clips that are decoded at a time."""
        return int(np.clip(CHUNK_SAMPLES // int(self.parse["samples"]), 8, 1024))

    @property
    def requirements(self) -> list[str]:
        return [] if self.only_wav else ["soundfile>=0.12"]

    def state(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("encoding", "column", "input", "parse", "only_wav")}
        spectrogram = self.spectrogram.state() if self.spectrogram else None
        return {**own, "spectrogram": spectrogram, "statistics": self.statistics.state() if self.statistics else None}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> AudioEncoder:
        return cls(
            **{name: state[name] for name in ("encoding", "column", "input", "parse", "only_wav")},
            spectrogram=LogMelEncoder.from_state(state["spectrogram"]) if state["spectrogram"] else None,
            statistics=SoundStatistics.from_state(state["statistics"]) if state["statistics"] else None,
        )


class _Heard:
    """The unscaled spectrograms of the last table that an encoder was fitted on: they are the same for every fold."""

    def __init__(self) -> None:
        self._kept: tuple[Any, Framing, Array] | None = None

    def spectrograms(self, unscaled: LogMelEncoder, sounds: Array, keep: bool = False) -> Array:
        """(rows, frames, bands) of these sounds."""
        if self._kept is not None and self._kept[0]() is sounds and self._kept[1] == unscaled.framing:
            return self._kept[2]
        found = unscaled.transform(sounds)
        if keep:
            self._kept = weakref.ref(sounds), unscaled.framing, found
        return found


_HEARD = _Heard()


def make_encoder(profile: Profile, encoding: str) -> AudioEncoder:
    """The unfitted encoder of a profile's column of sounds."""
    if encoding not in ENCODINGS:
        raise AutomlError(f'there is no encoding "{encoding}" of sounds; known: {", ".join(ENCODINGS)}')
    columns = profile.features_of(Kind.AUDIO)
    if len(columns) != 1:
        raise AutomlError(f"one column of sounds can be encoded, not {len(columns)}")
    (column,) = columns
    name = input_names([column.name])[column.name]
    return AudioEncoder(encoding, column.name, name, dict(column.parse), bool(column.statistics.get("only_wav", True)))
