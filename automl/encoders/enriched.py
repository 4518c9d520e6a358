"""A table for trees with columns made for it: means of the target by category and pair of categories, and arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from automl.core.errors import AutomlError
from automl.core.table import Category, Table
from automl.encoders.arithmetic import ArithmeticEncoder
from automl.encoders.graph import GraphBuilder
from automl.encoders.interactions import beyond_single_columns, binned, indicators, looked_at
from automl.encoders.table import InputColumn, TableEncoder
from automl.encoders.target import TargetEncoder

Array = np.ndarray[Any, Any]

FEATURES = ("plain", "target", "arithmetic", "crossed")
"""Values of the setting "features"; "plain" is the table as it is."""
MOST_OUTPUTS, MOST_MEANS = 10, 100
"""Classes of which a category gets means, and columns that all categories may get."""
MOST_SINGLES = 100
"""Columns whose means are taken off the target before pairs are looked at."""


@dataclass(frozen=True)
class EnrichedTable:
    """The encoding "codes" of a table, with further columns at the end of the block "raw".

    target: the means of the target by category (TargetEncoder), beside the codes.
    arithmetic: differences, ratios and products of numbers (ArithmeticEncoder).
    crossed: both, and the means by pairs of categories.
    classes: 0 for regression.

    It is supervised: it is fitted with the target of its training rows, and those rows are encoded as if each had not
    been among them, which is why fitting and encoding are one step.
    """

    supervised: ClassVar[bool] = True

    base: TableEncoder
    enriched: str
    classes: int
    target: TargetEncoder | None = None
    arithmetic: ArithmeticEncoder | None = None

    @property
    def key(self) -> str:
        return self.enriched

    def fit_transform(
        self, table: Table, rows: Array, whole: Array, target: Array, weight: Array | None = None
    ) -> tuple[EnrichedTable, dict[str, Array]]:
        """A fitted copy, and the blocks of the whole table with out-of-fold values in the training rows.

        rows: positions of the fold's training rows; whole: of all training rows. target, weight: of `rows` alone.
        """
        base = self.base.fit(table, rows, whole)
        fitted = replace(self, base=base)
        each = max(2, min(MOST_OUTPUTS, MOST_MEANS // max(1, len(base.categories))))
        outputs, sample = indicators(target, self.classes, each), looked_at(len(rows))
        raw = base.transform(table).get("raw", np.zeros((table.rows, 0), np.float32))
        numbers = raw[rows[sample]][:, : fitted._numbers]
        categories = [each.take(rows) for each in fitted._categories(table)]
        means = TargetEncoder.fit(categories, [each.column for each in base.categories], outputs, weight) if categories else None
        places = means.places(categories) if means else np.zeros((len(rows), 0), np.int64)
        singles = [binned(column) for column in numbers.T] + list(places[sample].T)
        left = beyond_single_columns(outputs[sample], singles[:MOST_SINGLES])
        if means and self.enriched == "crossed":
            means = means.crossed(places, means.telling_pairs(places[sample], outputs[sample], left), outputs, weight)
        if means and self.enriched in ("target", "crossed"):
            fitted = replace(fitted, target=means if means.crossings else None)
        if self.enriched in ("arithmetic", "crossed"):
            made = ArithmeticEncoder.fit(numbers, outputs[sample], left, base.raw_names)
            fitted = replace(fitted, arithmetic=made if made.terms else None)
        blocks = fitted.transform(table)
        if fitted.target is not None:
            blocks["raw"][rows, -fitted.target.width :] = fitted.target.out_of_fold(places, outputs, weight)
        return fitted, blocks

    def transform(self, table: Table) -> dict[str, Array]:
        """Blocks by name, for rows that were not fitted on; the first axis is the rows."""
        blocks = self.base.transform(table)
        parts = [blocks["raw"]] if "raw" in blocks else []
        if self.arithmetic is not None:
            parts.append(self.arithmetic.transform(blocks["raw"][:, : self._numbers]))
        if self.target is not None:
            parts.append(self.target.transform(self.target.places(self._categories(table))))
        return self._joined(blocks, np.concatenate(parts, axis=1) if parts else None)

    def graph(self, builder: GraphBuilder) -> dict[str, str]:
        """Declare the inputs and append the nodes; the tensor of each block."""
        inputs = {column.name: builder.input(column.input, column.dtype) for column in self.inputs}
        blocks = self.base.graph(builder)
        parts = [blocks["raw"]] if "raw" in blocks else []
        if self.arithmetic is not None:
            numbers = builder.initializer(np.arange(self._numbers), "numbers")
            parts.append(self.arithmetic.graph(builder, builder.node("Gather", [blocks["raw"], numbers], axis=1)))
        if self.target is not None:
            parts.append(self.target.graph(builder, [inputs[name] for name in self.target.columns]))
        return self._joined(blocks, builder.node("Concat", parts, axis=1) if len(parts) > 1 else parts[0] if parts else None)

    @property
    def inputs(self) -> tuple[InputColumn, ...]:
        return self.base.inputs

    @property
    def features(self) -> dict[str, list[tuple[str, str]]]:
        """For each block, (feature name, source column) by position; of several columns the first is the source."""
        features = self.base.features
        made = list(features.get("raw", []))
        if self.arithmetic is not None:
            sources = [features["raw"][left][1] for _, left, _ in self.arithmetic.terms]
            made += zip(self.arithmetic.feature_names, sources, strict=True)
        if self.target is not None:
            made += zip(self.target.feature_names, self.target.sources, strict=True)
        return self._joined(features, made or None)

    @property
    def shapes(self) -> dict[str, tuple[int, str, list[int] | None]]:
        return {block: (len(features), "float32", None) for block, features in self.features.items()}

    def state(self) -> dict[str, Any]:
        return {
            "base": self.base.state(),
            "enriched": self.enriched,
            "classes": self.classes,
            "target": self.target and self.target.state(),
            "arithmetic": self.arithmetic and self.arithmetic.state(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> EnrichedTable:
        return cls(
            TableEncoder.from_state(state["base"]),
            state["enriched"],
            state["classes"],
            TargetEncoder.from_state(state["target"]) if state["target"] else None,
            ArithmeticEncoder.from_state(state["arithmetic"]) if state["arithmetic"] else None,
        )

    def _joined(self, blocks: dict[str, Any], raw: Any) -> dict[str, Any]:
        """The blocks with another one in the place of "raw", or of "rows" where the columns by themselves told nothing."""
        return blocks if raw is None else {"raw": raw, **({"codes": blocks["codes"]} if "codes" in blocks else {})}

    @property
    def _numbers(self) -> int:
        """Columns of "raw" that are numbers and date parts; categories of two levels come after them."""
        return len(self.base.raw_names)

    def _categories(self, table: Table) -> list[Category]:
        columns = [table.columns[encoder.column] for encoder in self.base.categories]
        assert all(isinstance(column, Category) for column in columns)
        return columns  # type: ignore[return-value]


def enrich(base: TableEncoder, enriched: str, classes: int) -> TableEncoder | EnrichedTable:
    """The unfitted encoder with what the setting "features" asks for. classes: 0 for regression."""
    if enriched not in FEATURES:
        raise AutomlError(f'there are no features "{enriched}"; known: {", ".join(FEATURES)}')
    return base if enriched == "plain" else EnrichedTable(base, enriched, classes)
