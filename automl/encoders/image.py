"""Images: uint8 pixels as they are decoded, which the net itself brings to scale; as arrays and as a graph fragment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.encoders.graph import GraphBuilder

Array = np.ndarray[Any, Any]

CHUNK_VALUES = 8_000_000
REQUIREMENTS = ("pillow>=10.3",)
"""What predict.py needs to decode images."""


@dataclass(frozen=True)
class ImageEncoder:
    """A column of images, (rows, height, width, channels) uint8. Nothing is learned from the rows.

    input: the graph's input, of the same shape. parse: {"as": "image", "height", "width", "channels", ...}.
    """

    column: str
    input: str
    parse: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return int(self.parse["height"]), int(self.parse["width"]), int(self.parse["channels"])

    def transform(self, values: Array) -> Array:
        """The images themselves."""
        return np.ascontiguousarray(values, dtype=np.uint8)

    def graph(self, builder: GraphBuilder) -> str:
        """Declare the input; its tensor, (batch, height, width, channels) uint8."""
        return builder.input(self.input, "uint8", self.shape)

    @property
    def feed(self) -> dict[str, Any]:
        """How predict.py feeds the graph."""
        return {"input": self.input, "dtype": "uint8", "shape": list(self.shape), "parse": dict(self.parse)}

    @property
    def chunk_rows(self) -> int:
        """Images that predict.py decodes and runs at a time: beyond it memory grows and speed does not."""
        return int(np.clip(CHUNK_VALUES // (32 * int(np.prod(self.shape))), 8, 1024))

    def state(self) -> dict[str, Any]:
        return {"column": self.column, "input": self.input, "parse": dict(self.parse)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ImageEncoder:
        return cls(state["column"], state["input"], dict(state["parse"]))
