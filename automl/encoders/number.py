"""Numbers: many columns at once, as float32 with NaN where a value is missing or infinite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.encoders.graph import GraphBuilder

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class NumberEncoder:
    """Brings number columns to float32.

    Columns whose graph input is float64 hold values that float32 cannot tell apart (integers beyond 2**24): an offset is
    subtracted in double precision before the cast.

    columns, dtypes: names and graph input types ("float32" or "float64"); offsets: (columns,) float64.
    """

    columns: tuple[str, ...]
    dtypes: tuple[str, ...]
    offsets: Array

    @classmethod
    def fit(cls, values: Array, whole: Array, columns: Sequence[str], dtypes: Sequence[str]) -> NumberEncoder:
        """values: (rows, columns) float64 of the fold's training rows; `whole` has no say here."""
        offsets = np.zeros(len(columns))
        for position in (place for place, dtype in enumerate(dtypes) if dtype == "float64"):
            column = values[:, position]
            finite = column[np.isfinite(column)]
            if len(finite):
                offsets[position] = np.sort(finite)[len(finite) // 2]
        return cls(tuple(columns), tuple(dtypes), offsets)

    @property
    def width(self) -> int:
        return len(self.columns)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.columns

    def transform(self, values: Array) -> Array:
        """(rows, columns) float64 to float32."""
        with np.errstate(over="ignore", invalid="ignore"):
            raw = (values - self.offsets if self.offsets.any() else values).astype(np.float32)
        raw[~np.isfinite(raw)] = np.nan
        return raw

    def graph(self, builder: GraphBuilder, inputs: Sequence[str]) -> str:
        """inputs: one tensor (batch, 1) a column. Returns (batch, columns) float32."""
        tensors = []
        for tensor, dtype, offset in zip(inputs, self.dtypes, self.offsets, strict=True):
            if dtype == "float64":
                shifted = builder.node("Sub", [tensor, builder.initializer(np.float64(offset), "offset")])
                tensor = builder.node("Cast", [shifted], to=1)
            tensors.append(tensor)
        joined = builder.node("Concat", tensors, axis=1) if len(tensors) > 1 else tensors[0]
        nan = builder.initializer(np.float32(np.nan), "missing")
        return builder.node("Where", [builder.node("IsInf", [joined]), nan, joined])

    def state(self) -> dict[str, Any]:
        return {"columns": list(self.columns), "dtypes": list(self.dtypes), "offsets": self.offsets.tolist()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> NumberEncoder:
        return cls(tuple(state["columns"]), tuple(state["dtypes"]), np.asarray(state["offsets"], np.float64))
