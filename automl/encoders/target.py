"""Target encoding: a category, or a pair of categories, as the mean of the target over the rows that have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from automl.core.table import Category
from automl.encoders.graph import ML_DOMAIN, GraphBuilder
from automl.encoders.interactions import PRIOR_ROWS, Unexplained, most_telling

Array = np.ndarray[Any, Any]

INNER_FOLDS = 5
MOST_LEVELS, MOST_CELLS = 5_000, 20_000
MOST_PAIRED, MOST_PAIRS = 40, 8
"""Columns that pairs are made of, and the pairs that are kept."""
DEVIATIONS = 3.0
"""How far beyond chance a pair has to be; see automl.encoders.interactions."""
COUNTED_LEVELS = 32
"""From so many levels on, how frequent a level is may say something."""
UNKNOWN, MISSING, FIRST_LEVEL = 0, 1, 2
"""Places of a string: not seen in training, missing, the first level."""


@dataclass(frozen=True)
class Crossing:
    """One column, or two. columns: positions. keys: the cells that training saw, sorted; table: (keys + 1, width) float32,
    the last row for all other cells.

    A cell is the column's place, or of two columns place_a * places_b + place_b.
    """

    columns: tuple[int, ...]
    keys: Array
    table: Array

    def index(self, cells: Array) -> Array:
        """(rows,) cells to rows of the table."""
        place = np.searchsorted(self.keys, cells)
        return np.where(np.append(self.keys, -1)[place] == cells, place, len(self.keys))


@dataclass(frozen=True)
class TargetEncoder:
    """Categories as smoothed means of the target (Micci-Barreca, SIGKDD Explorations 3, 2001), one column an output.

    A column: (sum + m * mean of all) / (rows + m); where it has many levels, also the number of rows of its level.
    A pair: (sum - rows * expected) / (rows + m), what it adds to the expectation mean_a + mean_b - mean of all; 0 for a
        pair of levels that training has not seen.
    The training rows themselves get out-of-fold values, from the rows outside their part of INNER_FOLDS, so that no row
    is told its own target.

    levels: of each column, the strings that have a place, by falling number of rows. prior: (outputs,) means of all rows.
    """

    columns: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    prior: Array
    crossings: tuple[Crossing, ...] = ()

    @classmethod
    def fit(
        cls, values: Sequence[Category], columns: Sequence[str], outputs: Array, weight: Array | None = None
    ) -> TargetEncoder:
        """Each column of more than two levels, without pairs. values: of the training rows; outputs: (rows, outputs)."""
        levels = tuple(_levels(each) for each in values)
        empty = cls(tuple(columns), levels, np.average(outputs, axis=0, weights=weight))
        singles = [(position,) for position in range(len(columns)) if len(levels[position]) > 2]
        return empty.crossed(empty.places(values), singles, outputs, weight)

    def crossed(self, places: Array, chosen: Sequence[tuple[int, ...]], outputs: Array, weight: Array | None) -> TargetEncoder:
        """With further crossings, fitted on all training rows, singles before pairs. places: (rows, columns)."""
        none = np.zeros(len(places), np.int64)
        made = []
        for columns in chosen:
            keys, index = np.unique(self.cells(places, columns), return_inverse=True)
            means, counts = self._means(places, columns, index, none, outputs, weight)
            default = np.zeros_like(self.prior) if len(columns) == 2 else self.prior
            table = np.vstack([means[:, 0], default])
            if self._counted(columns):
                table = np.concatenate([table, np.append(counts[:, 0], 0.0)[:, None]], axis=1)
            made.append(Crossing(columns, keys, table.astype(np.float32)))
        return replace(self, crossings=(*self.crossings, *made))

    def _means(
        self, places: Array, columns: tuple[int, ...], index: Array, part: Array, outputs: Array, weight: Array | None
    ) -> tuple[Array, Array]:
        """What each cell becomes (cells, parts, outputs), and its weight (cells, parts), by the rows outside of each part.

        index: (rows,) the cell of each row; part: (rows,) numbers from 0, or all 0 for the means over all rows.
        """
        sums, counts = _outside(index, part, outputs, weight)
        if len(columns) == 1:
            return (sums + PRIOR_ROWS * self.prior) / (counts + PRIOR_ROWS)[:, :, None], counts
        expected: Any = -self.prior
        for position in columns:
            means, _ = self._means(places, (position,), places[:, position], part, outputs, weight)
            at = np.zeros(len(counts), np.int64)
            at[index] = places[:, position]
            expected = expected + means[at]
        return (sums - counts[:, :, None] * expected) / (counts + PRIOR_ROWS)[:, :, None], counts

    def _counted(self, columns: tuple[int, ...]) -> bool:
        return len(columns) == 1 and len(self.levels[columns[0]]) >= COUNTED_LEVELS

    def telling_pairs(self, places: Array, outputs: Array, left: Unexplained) -> list[tuple[int, ...]]:
        """The pairs of columns that say most beyond what single columns say, of those that say most alone."""
        whole = Unexplained.of(outputs)
        gains = np.array([whole.gain(places[:, position]) for position in range(places.shape[1])])
        taken = np.sort(np.argsort(-gains, kind="stable")[:MOST_PAIRED]).tolist()
        pairs, cells = [], []
        for pair in combinations(taken, 2):
            keys, index = np.unique(self.cells(places, pair), return_inverse=True)
            if len(keys) <= min(MOST_CELLS, len(places) // 4):
                pairs.append(pair)
                cells.append(index)
        return [pairs[place] for place in most_telling(left, cells, MOST_PAIRS, DEVIATIONS)]

    def places(self, values: Sequence[Category]) -> Array:
        """(rows, columns) int64."""
        made = []
        for each, levels in zip(values, self.levels, strict=True):
            known = {level: FIRST_LEVEL + place for place, level in enumerate(levels)}
            lookup = np.array([*(known.get(level, UNKNOWN) for level in each.levels), MISSING], np.int64)
            made.append(lookup[each.codes])
        return np.stack(made, axis=1)

    def cells(self, places: Array, columns: tuple[int, ...]) -> Array:
        """(rows,) int64."""
        if len(columns) == 1:
            return np.asarray(places[:, columns[0]])
        first, second = columns
        return np.asarray(places[:, first] * self._size(second) + places[:, second])

    def transform(self, places: Array) -> Array:
        """(rows, columns) places to (rows, width) float32, for rows that were not fitted on."""
        return np.concatenate([each.table[each.index(self.cells(places, each.columns))] for each in self.crossings], axis=1)

    def out_of_fold(self, places: Array, outputs: Array, weight: Array | None) -> Array:
        """(rows, width) float32 for the rows that were fitted on."""
        part = np.random.default_rng(len(places)).permutation(len(places)) % INNER_FOLDS
        made = []
        for crossing in self.crossings:
            index = crossing.index(self.cells(places, crossing.columns))
            means, _ = self._means(places, crossing.columns, index, part, outputs, weight)
            made.append(np.concatenate([means[index, part], crossing.table[index, means.shape[2] :]], axis=1))
        return np.concatenate(made, axis=1).astype(np.float32)

    def graph(self, builder: GraphBuilder, tensors: Sequence[str]) -> str:
        """tensors: one (batch, 1) string a column. Returns (batch, width) float32."""
        needed = sorted({position for crossing in self.crossings for position in crossing.columns})
        places = {position: self._place_graph(builder, tensors[position], self.levels[position]) for position in needed}
        parts = []
        for crossing in self.crossings:
            cell = places[crossing.columns[0]]
            if len(crossing.columns) == 2:
                size = builder.initializer(np.int64(self._size(crossing.columns[1])), "places")
                cell = builder.node("Add", [builder.node("Mul", [cell, size]), places[crossing.columns[1]]])
            index = builder.node(
                "LabelEncoder",
                [cell],
                domain=ML_DOMAIN,
                keys_int64s=crossing.keys.tolist(),
                values_int64s=list(range(len(crossing.keys))),
                default_int64=len(crossing.keys),
            )
            looked_up = builder.node("Gather", [builder.initializer(crossing.table, "means"), index], axis=0)
            parts.append(builder.node("Squeeze", [looked_up, builder.initializer(np.array([1], np.int64), "axis")]))
        return builder.node("Concat", parts, axis=1) if len(parts) > 1 else parts[0]

    def _place_graph(self, builder: GraphBuilder, tensor: str, levels: tuple[str, ...]) -> str:
        return builder.node(
            "LabelEncoder",
            [tensor],
            domain=ML_DOMAIN,
            keys_strings=["", *levels],
            values_int64s=list(range(MISSING, FIRST_LEVEL + len(levels))),
            default_int64=UNKNOWN,
        )

    def _size(self, column: int) -> int:
        return FIRST_LEVEL + len(self.levels[column])

    @property
    def width(self) -> int:
        return sum(crossing.table.shape[1] for crossing in self.crossings)

    @property
    def _outputs(self) -> int:
        return len(self.prior)

    @property
    def feature_names(self) -> tuple[str, ...]:
        names: list[str] = []
        for crossing in self.crossings:
            name = " with ".join(self.columns[position] for position in crossing.columns)
            names += [f"target by {name}" + (f", {output + 1}" if self._outputs > 1 else "") for output in range(self._outputs)]
            names += [f"rows of {name}"] * (crossing.table.shape[1] - self._outputs)
        return tuple(names)

    @property
    def sources(self) -> tuple[str, ...]:
        """The column of each feature, the first one of a pair."""
        return tuple(self.columns[each.columns[0]] for each in self.crossings for _ in range(each.table.shape[1]))

    def state(self) -> dict[str, Any]:
        crossings = [
            {"columns": list(each.columns), "keys": each.keys.tolist(), "table": each.table.tolist()} for each in self.crossings
        ]
        levels = [list(each) for each in self.levels]
        return {"columns": list(self.columns), "levels": levels, "prior": self.prior.tolist(), "crossings": crossings}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TargetEncoder:
        crossings = tuple(
            Crossing(tuple(each["columns"]), np.asarray(each["keys"], np.int64), np.asarray(each["table"], np.float32))
            for each in state["crossings"]
        )
        return cls(tuple(state["columns"]), tuple(map(tuple, state["levels"])), np.asarray(state["prior"]), crossings)


def _levels(values: Category) -> tuple[str, ...]:
    counts = np.bincount(values.codes + 1, minlength=len(values.levels) + 1)[1:]
    order = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    return tuple(values.levels[code] for code in order if counts[code])


def _outside(cells: Array, part: Array, outputs: Array, weight: Array | None) -> tuple[Array, Array]:
    """Weighted sums of the outputs (cells, parts, outputs) and weights (cells, parts) over the rows outside of each part.

    With one part there is nothing outside of it: then over all rows.
    """
    parts, size = int(part.max()) + 1, int(cells.max()) + 1
    flat, weighted = cells * parts + part, outputs if weight is None else outputs * weight[:, None]
    counts = np.bincount(flat, weights=weight, minlength=size * parts).astype(np.float64).reshape(size, parts)
    columns = [np.bincount(flat, weights=column, minlength=size * parts) for column in weighted.T]
    sums = np.stack(columns, axis=1).reshape(size, parts, -1)
    if parts == 1:
        return sums, counts
    return sums.sum(axis=1, keepdims=True) - sums, counts.sum(axis=1, keepdims=True) - counts
