"""Dates: epoch seconds as the parts of the calendar, never as a raw epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.encoders.graph import GraphBuilder

Array = np.ndarray[Any, Any]

MISSING = np.iinfo(np.int64).min
FIRST_SECOND, LAST_SECOND = -62135596800, 253402300799
"""0001-01-01 and the end of 9999-12-31; what lies beyond is moved to the nearer one."""
DAY = 86400
SHIFT = 719468 * DAY
"""Seconds from 0000-03-01 to 1970: added so that integer division never meets a negative number."""

PARTS = ("year", "month", "day", "day of week", "hour", "elapsed days")
CYCLES = {"day of year": 365.25, "day of week": 7.0, "hour": 24.0}


@dataclass(frozen=True)
class DateEncoder:
    """Date columns as float32 parts, NaN where missing.

    parts: per column the parts that vary in all training rows. "elapsed days" counts from the first day of the fold's
    rows. "sin X" and "cos X" place a part X on its circle. first: (columns,) epoch seconds of that first day.
    """

    columns: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]
    first: Array

    @classmethod
    def fit(cls, values: Array, whole: Array, columns: Sequence[str], cyclic: bool) -> DateEncoder:
        """values, whole: (rows, columns) int64 epoch seconds. cyclic: add sines and cosines (for linear models and nets)."""
        first = np.zeros(len(columns), np.int64)
        for position in range(len(columns)):
            known = values[values[:, position] != MISSING, position]
            first[position] = np.clip(known.min(), FIRST_SECOND, LAST_SECOND) // DAY * DAY if len(known) else 0
        raw = _calendar(_Numpy(), whole, first)
        chosen = []
        for position in range(len(columns)):
            known_rows = whole[:, position] != MISSING
            varying = [name for name in PARTS if len(np.unique(raw[name][known_rows, position])) > 1]
            circles = [name for name in CYCLES if cyclic and len(np.unique(raw[name][known_rows, position])) > 2]
            chosen.append((*varying, *(f"{wave} {name}" for name in circles for wave in ("sin", "cos"))))
        return cls(tuple(columns), tuple(chosen), first)

    @property
    def width(self) -> int:
        return sum(len(parts) for parts in self.parts)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"{column}: {part}" for column, parts in zip(self.columns, self.parts, strict=True) for part in parts)

    @property
    def sources(self) -> tuple[str, ...]:
        """The column behind each feature."""
        return tuple(column for column, parts in zip(self.columns, self.parts, strict=True) for _ in parts)

    def varying(self) -> DateEncoder | None:
        """The same without the columns that have no part; None where none is left."""
        kept = [position for position, parts in enumerate(self.parts) if parts]
        if not kept:
            return None
        columns, parts = tuple(self.columns[position] for position in kept), tuple(self.parts[position] for position in kept)
        return DateEncoder(columns, parts, self.first[kept])

    def transform(self, values: Array) -> Array:
        """(rows, columns) int64 to (rows, width) float32."""
        parts = _calendar(_Numpy(), values, self.first)
        chosen = [(name, position) for position, names in enumerate(self.parts) for name in names]
        result = np.empty((len(values), len(chosen)), np.float32)
        for place, (name, position) in enumerate(chosen):
            result[:, place] = parts[name][:, position]
            result[values[:, position] == MISSING, place] = np.nan
        return result

    def graph(self, builder: GraphBuilder, inputs: Sequence[str]) -> str:
        """inputs: one tensor (batch, 1) int64 a column. Returns (batch, width) float32."""
        joined = builder.node("Concat", list(inputs), axis=1) if len(inputs) > 1 else inputs[0]
        names = sorted({name for parts in self.parts for name in parts})
        missing = builder.node("Equal", [joined, builder.initializer(np.int64(MISSING), "no_date")])
        calendar = _calendar(_Graph(builder), joined, self.first)
        nan = builder.initializer(np.float32(np.nan), "missing")
        known = [builder.node("Where", [missing, nan, calendar[name]]) for name in names]
        every = builder.node("Concat", known, axis=1) if len(known) > 1 else known[0]
        count = len(self.columns)
        order = [names.index(name) * count + position for position, parts in enumerate(self.parts) for name in parts]
        return builder.node("Gather", [every, builder.initializer(np.asarray(order, np.int64), "parts")], axis=1)

    def state(self) -> dict[str, Any]:
        return {"columns": list(self.columns), "parts": [list(parts) for parts in self.parts], "first": self.first.tolist()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> DateEncoder:
        parts = tuple(tuple(names) for names in state["parts"])
        return cls(tuple(state["columns"]), parts, np.asarray(state["first"], np.int64))


class _Numpy:
    """The operations that the calendar is made of, on arrays."""

    def integer(self, op: str, left: Any, right: Any) -> Any:
        operations: dict[str, Callable[[Any, Any], Any]] = {
            "Add": np.add,
            "Sub": np.subtract,
            "Mul": np.multiply,
            "Div": np.floor_divide,
            "Mod": np.mod,
        }
        return operations[op](left, right)

    def clip(self, value: Any, low: int, high: int) -> Any:
        return np.clip(value, low, high)

    def real(self, value: Any, divisor: float) -> Any:
        return (value.astype(np.float64) / divisor).astype(np.float32)

    def wave(self, name: str, value: Any) -> Any:
        return np.sin(value) if name == "sin" else np.cos(value)


class _Graph:
    """The same operations as nodes. Integer division truncates there, so it is given positive numbers only."""

    def __init__(self, builder: GraphBuilder) -> None:
        self._builder = builder

    def integer(self, op: str, left: Any, right: Any) -> Any:
        return self._builder.node(op, [self._tensor(left), self._tensor(right)])

    def _tensor(self, side: Any) -> str:
        return side if isinstance(side, str) else self._builder.initializer(np.asarray(side, np.int64))

    def clip(self, value: Any, low: int, high: int) -> Any:
        bounds = [self._builder.initializer(np.int64(bound)) for bound in (low, high)]
        return self._builder.node("Clip", [value, *bounds])

    def real(self, value: Any, divisor: float) -> Any:
        double = self._builder.node("Cast", [value], to=11)
        divided = self._builder.node("Div", [double, self._builder.initializer(np.float64(divisor))])
        return self._builder.node("Cast", [divided], to=1)

    def wave(self, name: str, value: Any) -> Any:
        return self._builder.node("Sin" if name == "sin" else "Cos", [value])


def _calendar(ops: _Numpy | _Graph, seconds: Any, first: Array) -> dict[str, Any]:
    """All parts of (rows, columns) int64 epoch seconds, each (rows, columns) float32.

    The civil calendar from a day count, in years that begin on 1 March, so that a leap day is the last day of a year
    (Hinnant, "chrono-compatible low-level date algorithms").
    """
    do = ops.integer
    moment = do("Add", ops.clip(seconds, FIRST_SECOND, LAST_SECOND), SHIFT)
    day = do("Div", moment, DAY)
    second = do("Mod", moment, DAY)
    era = do("Div", day, 146097)
    day_of_era = do("Mod", day, 146097)
    leap = do("Sub", do("Div", day_of_era, 36524), do("Add", do("Div", day_of_era, 1460), do("Div", day_of_era, 146096)))
    year_of_era = do("Div", do("Add", day_of_era, leap), 365)
    days_before = do("Sub", do("Add", do("Mul", year_of_era, 365), do("Div", year_of_era, 4)), do("Div", year_of_era, 100))
    day_of_year = do("Sub", day_of_era, days_before)
    march_month = do("Div", do("Add", do("Mul", day_of_year, 5), 2), 153)
    day_of_month = do("Add", do("Sub", day_of_year, do("Div", do("Add", do("Mul", march_month, 153), 2), 5)), 1)
    after_december = do("Div", march_month, 10)
    month = do("Sub", do("Add", march_month, 3), do("Mul", after_december, 12))
    year = do("Add", do("Add", year_of_era, do("Mul", era, 400)), after_december)
    weekday = do("Mod", do("Add", day, 2), 7)
    elapsed = do("Sub", moment, np.asarray(first, np.int64) + SHIFT)
    parts = {
        "year": ops.real(year, 1.0),
        "month": ops.real(month, 1.0),
        "day": ops.real(day_of_month, 1.0),
        "day of week": ops.real(weekday, 1.0),
        "day of year": ops.real(day_of_year, 1.0),
        "hour": ops.real(second, 3600.0),
        "elapsed days": ops.real(elapsed, float(DAY)),
    }
    circle = {"day of year": day_of_year, "day of week": weekday, "hour": second}
    units = {"day of year": CYCLES["day of year"], "day of week": CYCLES["day of week"], "hour": float(DAY)}
    for name, value in circle.items():
        angle = ops.real(value, units[name] / (2 * np.pi))
        for wave in ("sin", "cos"):
            parts[f"{wave} {name}"] = ops.wave(wave, angle)
    return parts
