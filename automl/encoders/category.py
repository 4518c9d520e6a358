"""Categories: strings as one-hot columns, as codes for trees or as indices for embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.table import Category
from automl.encoders.graph import ML_DOMAIN, GraphBuilder

Array = np.ndarray[Any, Any]

STYLES = ("onehot", "codes", "index")
OTHER, MISSING = "other levels", "missing"


@dataclass(frozen=True)
class CategoryEncoder:
    """One column of strings.

    The levels that get a place of their own are those with enough rows in all training rows, so that every fold has the
    same width; of these a fold knows only the ones in its own rows. Every other string is unknown.

    onehot: (rows, width) float32; a column a level, one for the levels without a place and one for missing where these
        occur; two columns in all become one of -1 and +1. Unknown is "other levels" where that exists, else all zeros.
    codes: (rows, 1) float32; the place of the level, by falling frequency; NaN where missing or unknown.
    index: (rows, 1) int32; 1 + the place of the level; 0 where missing or unknown.

    levels: the strings with a place, in order. known: which of them the fold has seen.
    """

    style: str
    column: str
    levels: tuple[str, ...]
    known: tuple[bool, ...]
    other: bool = False
    missing: bool = False

    @classmethod
    def fit(
        cls, values: Category, whole: Category, column: str, style: str, most_levels: int = 1000, least_rows: int = 1
    ) -> CategoryEncoder:
        """values, whole: of the fold's and of all training rows, over the same levels.

        At most `most_levels` levels with at least `least_rows` rows get a place, by falling number of rows.
        """
        counts = np.bincount(whole.codes + 1, minlength=len(whole.levels) + 1)
        present = np.bincount(values.codes + 1, minlength=len(whole.levels) + 1)[1:] > 0
        order = np.argsort(-counts[1:], kind="stable")
        placed = [int(code) for code in order[:most_levels] if counts[code + 1] >= max(1, least_rows)]
        return cls(
            style,
            column,
            tuple(whole.levels[code] for code in placed),
            tuple(bool(present[code]) for code in placed),
            other=style == "onehot" and len(placed) < int((counts[1:] > 0).sum()),
            missing=style == "onehot" and bool(counts[0]),
        )

    @property
    def slots(self) -> tuple[str, ...]:
        """What the one-hot columns stand for."""
        return (*self.levels, *((OTHER,) if self.other else ()), *((MISSING,) if self.missing else ()))

    @property
    def width(self) -> int:
        """0 where the column tells nothing (one-hot: fewer than two slots; else: no level has a place)."""
        if self.style == "onehot":
            return len(self.slots) if len(self.slots) > 2 else max(0, len(self.slots) - 1)
        return min(1, len(self.levels))

    @property
    def cardinality(self) -> int:
        return len(self.levels) + 1

    @property
    def feature_names(self) -> tuple[str, ...]:
        if self.style != "onehot":
            return (self.column,) * self.width
        names = tuple(f"{self.column} = {slot}" for slot in self.slots)
        return names if len(names) > 2 else names[1:]

    def transform(self, values: Category) -> Array:
        """(rows,) to (rows, width); `values` may have levels of its own."""
        places, unknown = self._places()
        lookup = np.array([*(places.get(level, unknown) for level in values.levels), places[""]], np.int64)
        table = self._table()
        return np.asarray(table[lookup[values.codes]])

    def graph(self, builder: GraphBuilder, tensor: str) -> str:
        """tensor: (batch, 1) string. Returns (batch, width) float32, or int64 for the style "index"."""
        places, unknown = self._places()
        table = self._table()
        if self.width == 1:
            kind = "int64s" if self.style == "index" else "floats"
            cast = int if self.style == "index" else float
            named: dict[str, Any] = {f"values_{kind}": [cast(table[place, 0]) for place in places.values()]}
            named[f"default_{kind[:-1]}"] = cast(table[unknown, 0])
            return builder.node("LabelEncoder", [tensor], domain=ML_DOMAIN, keys_strings=list(places), **named)
        place = builder.node(
            "LabelEncoder",
            [tensor],
            domain=ML_DOMAIN,
            keys_strings=list(places),
            values_int64s=list(places.values()),
            default_int64=unknown,
        )
        slots = builder.initializer(np.arange(self.width, dtype=np.int64)[None, :], "slots")
        return builder.node("Cast", [builder.node("Equal", [place, slots])], to=1)

    def _places(self) -> tuple[dict[str, int], int]:
        """The row of the table for each string, "" included, and the row for any other string; -1 is the last row."""
        unknown = self.slots.index(OTHER, len(self.levels)) if self.other else -1
        places = {level: place for place, (level, known) in enumerate(zip(self.levels, self.known, strict=True)) if known}
        places[""] = len(self.slots) - 1 if self.missing else -1
        return places, unknown

    def _table(self) -> Array:
        """(slots + 1, width): what each place becomes; the last row is for missing and unknown."""
        count = len(self.slots)
        if self.style == "codes":
            return np.append(np.arange(count, dtype=np.float32), np.float32(np.nan))[:, None][:, : self.width]
        if self.style == "index":
            return np.append(np.arange(1, count + 1, dtype=np.int32), np.int32(0))[:, None][:, : self.width]
        if self.width == 1:
            return np.array([[-1.0], [1.0], [0.0]], np.float32)
        return np.eye(count + 1, self.width, dtype=np.float32) if self.width else np.zeros((count + 1, 0), np.float32)

    def state(self) -> dict[str, Any]:
        return {
            "style": self.style,
            "column": self.column,
            "levels": list(self.levels),
            "known": list(self.known),
            "other": self.other,
            "missing": self.missing,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CategoryEncoder:
        return cls(**{**state, "levels": tuple(state["levels"]), "known": tuple(state["known"])})
