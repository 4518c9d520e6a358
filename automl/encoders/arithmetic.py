"""Differences, ratios and products of numbers, as columns of their own: trees can only approach them by steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from automl.encoders.graph import GraphBuilder
from automl.encoders.interactions import Unexplained, binned, most_telling

Array = np.ndarray[Any, Any]

OPERATIONS = {"-": ("Sub", np.subtract), "/": ("Div", np.divide), "x": ("Mul", np.multiply)}
MOST_COLUMNS, MOST_TERMS = 12, 12
DEVIATIONS = 1.0
"""How far beyond chance a term has to be; see automl.encoders.interactions."""
LEAST_DISTINCT = 8
"""Numbers with fewer different values are as good as categories."""


@dataclass(frozen=True)
class ArithmeticEncoder:
    """terms: (operation, left, right) with positions in a block of numbers; what is not finite is missing.

    All is computed in float32, so that the graph gives the same bits.
    """

    names: tuple[str, ...]
    terms: tuple[tuple[str, int, int], ...]

    @classmethod
    def fit(cls, values: Array, outputs: Array, left: Unexplained, names: Sequence[str]) -> ArithmeticEncoder:
        """values: (rows, columns) float32 with NaN; outputs: (rows, outputs) of the target; left: what single columns leave.

        Of the MOST_COLUMNS numbers that say most about the target alone, the pairs that say most beyond that.
        """
        whole = Unexplained.of(outputs)
        many = [place for place in range(values.shape[1]) if len(np.unique(values[:, place])) >= LEAST_DISTINCT]
        gains = np.array([whole.gain(binned(values[:, place])) for place in many])
        taken = [many[place] for place in np.sort(np.argsort(-gains, kind="stable")[:MOST_COLUMNS])] if many else []
        candidates = [term for pair in combinations(taken, 2) for term in _terms_of(values, *pair)]
        columns = cls(tuple(names), tuple(candidates)).transform(values)
        chosen = most_telling(left, [binned(column) for column in columns.T], MOST_TERMS, DEVIATIONS)
        ordered = sorted((candidates[place] for place in chosen), key=lambda term: (list(OPERATIONS).index(term[0]), *term[1:]))
        return cls(tuple(names), tuple(ordered))

    @property
    def width(self) -> int:
        return len(self.terms)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"{self.names[left]} {operation} {self.names[right]}" for operation, left, right in self.terms)

    def transform(self, values: Array) -> Array:
        """(rows, columns) to (rows, width) float32 with NaN."""
        made = np.empty((len(values), self.width), np.float32)
        with np.errstate(all="ignore"):
            for place, (operation, left, right) in enumerate(self.terms):
                made[:, place] = OPERATIONS[operation][1](values[:, left], values[:, right])
        made[~np.isfinite(made)] = np.nan
        return made

    def graph(self, builder: GraphBuilder, tensor: str) -> str:
        """tensor: (batch, columns) float32 with NaN. Returns (batch, width) float32."""
        parts = []
        for operation, (op_type, _) in OPERATIONS.items():  # the terms are in this order
            terms = [term for term in self.terms if term[0] == operation]
            if terms:
                sides = [builder.initializer(np.array([term[side] for term in terms], np.int64), "columns") for side in (1, 2)]
                parts.append(builder.node(op_type, [builder.node("Gather", [tensor, side], axis=1) for side in sides]))
        joined = builder.node("Concat", parts, axis=1) if len(parts) > 1 else parts[0]
        nan = builder.initializer(np.float32(np.nan), "missing")
        return builder.node("Where", [builder.node("IsInf", [joined]), nan, joined])

    def state(self) -> dict[str, Any]:
        return {"names": list(self.names), "terms": [list(term) for term in self.terms]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ArithmeticEncoder:
        return cls(tuple(state["names"]), tuple((str(term[0]), int(term[1]), int(term[2])) for term in state["terms"]))


def _terms_of(values: Array, first: int, second: int) -> list[tuple[str, int, int]]:
    """Of a ratio, the way round in which fewer rows are divided by 0."""
    zeros = [int((values[:, place] == 0).sum()) for place in (first, second)]
    ratio = (second, first) if zeros[0] < zeros[1] else (first, second)
    return [("-", first, second), ("/", *ratio), ("x", first, second)]
