"""The encodings of columns of images, and the graph fragment that does the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.errors import AutomlError
from automl.core.profile import Kind, Profile
from automl.core.table import Table
from automl.encoders.graph import GraphBuilder, input_names
from automl.encoders.image import REQUIREMENTS, ImageEncoder

Array = np.ndarray[Any, Any]

ENCODINGS = ("none", "pixels")
BLOCK = "image"


@dataclass(frozen=True)
class ImagesEncoder:
    """Columns of images to blocks of arrays.

    none: "rows" (rows, 1) zeros, for a learner that looks at nothing.
    pixels: "image_0", "image_1", … of (rows, height, width, channels) uint8, one a column.
    """

    encoding: str
    images: tuple[ImageEncoder, ...]
    learns = False

    def fit(self, table: Table, rows: Array, whole: Array) -> ImagesEncoder:
        """Itself: pixels need no fitting, and the net finds their scale in training."""
        return self

    def transform(self, table: Table) -> dict[str, Array]:
        """Blocks by name; the first axis is the rows."""
        if self.encoding == "none":
            return {"rows": np.zeros((table.rows, 1), np.float32)}
        return {name: each.transform(np.asarray(table.columns[each.column])) for name, each in self._named.items()}

    def graph(self, builder: GraphBuilder) -> dict[str, str]:
        """Declare the inputs and append the nodes; the tensor of each block."""
        if self.encoding == "none":
            from onnx import TensorProto

            tensor = self.images[0].graph(builder)
            flat = builder.node("Cast", [builder.node("Flatten", [tensor], axis=1)], to=TensorProto.FLOAT)
            first = builder.node("Slice", [flat, *(builder.initializer(np.asarray([each], np.int64)) for each in (0, 1, 1))])
            return {"rows": builder.node("Sub", [first, first])}
        return {name: each.graph(builder) for name, each in self._named.items()}

    @property
    def _named(self) -> dict[str, ImageEncoder]:
        return {f"{BLOCK}_{number}": each for number, each in enumerate(self.images)}

    @property
    def shapes(self) -> dict[str, tuple[Any, str, None]]:
        """For each block, (width or shape, dtype, None)."""
        if self.encoding == "none":
            return {"rows": (1, "float32", None)}
        return {name: (each.shape, "uint8", None) for name, each in self._named.items()}

    @property
    def features(self) -> dict[str, list[tuple[str, str]]]:
        """For each block, (feature name, source column)."""
        if self.encoding == "none":
            return {"rows": [("nothing", "")]}
        return {name: [("pixels", each.column)] for name, each in self._named.items()}

    @property
    def feeds(self) -> dict[str, list[dict[str, Any]]]:
        return {each.column: [each.feed] for each in self.images}

    @property
    def chunk_rows(self) -> int:
        return min(each.chunk_rows for each in self.images)

    @property
    def requirements(self) -> list[str]:
        return list(REQUIREMENTS)

    def state(self) -> dict[str, Any]:
        return {"encoding": self.encoding, "images": [each.state() for each in self.images]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ImagesEncoder:
        return cls(state["encoding"], tuple(ImageEncoder.from_state(each) for each in state["images"]))


def make_encoder(profile: Profile, encoding: str) -> ImagesEncoder:
    """The encoder of a profile's columns of images."""
    if encoding not in ENCODINGS:
        raise AutomlError(f'there is no encoding "{encoding}" of images; known: {", ".join(ENCODINGS)}')
    columns = profile.features_of(Kind.IMAGE)
    if not columns:
        raise AutomlError("there is no column of images to encode")
    names = input_names(column.name for column in columns)
    return ImagesEncoder(encoding, tuple(ImageEncoder(column.name, names[column.name], dict(column.parse)) for column in columns))
