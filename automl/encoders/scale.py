"""Scaling: imputes, centres, scales and bounds numbers, with an indicator where values are missing in the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.encoders.graph import GraphBuilder

Array = np.ndarray[Any, Any]

STYLES = ("standard", "robust")
HEAVY_TAIL = 4.0
"""Columns of which half a percent lie this many quartile ranges from the median are taken to asinh."""
FARTHEST = 1e4
"""Values are cut at this many quartile ranges, so that their squares stay finite in float32."""
MOST_CELLS = 2_000_000
"""Cells that are sorted at once."""
STANDARD_BOUND = 10.0
SMOOTH_BOUND = 3.0
BINARY_FACTOR = 2.0 / np.sqrt(1.0 - 1.0 / SMOOTH_BOUND**2)
"""Takes 0 and 1, centred at 1/2, to -1 and +1 after the smooth clip."""


@dataclass(frozen=True)
class ScaleEncoder:
    """Scaled numbers, followed by missing indicators.

    z = (x - median) / (quartile range), or, where that is 0, / (median distance of the values that are not the median).
    standard: heavy tails through asinh(z); then mean 0, standard deviation 1, cut at +-10; missing = median.
    robust: z / sqrt(1 + (z / 3)^2), within (-3, 3) (RealMLP, arXiv:2407.04491); missing = 0.
    Columns that are binary become -1 and +1, and 0 where missing.

    center, factor, mean, deviation: (columns,) float32; heavy, indicated: positions of columns.
    """

    style: str
    columns: tuple[str, ...]
    center: Array
    factor: Array
    mean: Array
    deviation: Array
    heavy: tuple[int, ...]
    binary: tuple[int, ...]
    indicated: tuple[int, ...]

    @classmethod
    def fit(cls, values: Array, whole: Array, columns: Sequence[str], style: str, binary: Sequence[int] = ()) -> ScaleEncoder:
        """values, whole: (rows, columns) float32 with NaN. Indicators are made where `whole` has missing values."""
        count = len(columns)
        center, factor, heavy = np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros(count, bool)
        mean, deviation = np.zeros(count, np.float32), np.ones(count, np.float32)
        center[list(binary)], factor[list(binary)] = 0.5, 2.0 if style == "standard" else BINARY_FACTOR
        for positions, known in _alike(values, np.setdiff1d(np.arange(count), binary)):
            center[positions] = known[:, 0]
            varying = known[:, 0] != known[:, -1]
            positions, known = positions[varying], known[varying]
            if not len(positions):
                continue
            center[positions], factor[positions] = _robust(known)
            if style != "standard":
                continue
            scaled = np.clip((known - center[positions, None]) * factor[positions, None], -FARTHEST, FARTHEST)
            length = scaled.shape[1]
            tails = np.maximum(-scaled[:, int(0.005 * length)], scaled[:, int(0.995 * (length - 1))]) > HEAVY_TAIL
            heavy[positions] = tails
            scaled[tails] = np.arcsinh(scaled[tails])
            mean[positions], deviation[positions] = scaled.mean(axis=1), np.maximum(scaled.std(axis=1), 1e-6)
        tailed = tuple(np.flatnonzero(heavy).tolist())
        indicated = tuple(np.flatnonzero(np.isnan(whole).any(axis=0)).tolist())
        return cls(style, tuple(columns), center, factor, mean, deviation, tailed, tuple(binary), indicated)

    @property
    def width(self) -> int:
        return len(self.columns) + len(self.indicated)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return (*self.columns, *(f"{self.columns[position]} is missing" for position in self.indicated))

    def transform(self, values: Array) -> Array:
        """(rows, columns) float32 with NaN to (rows, width) float32 without."""
        missing = np.isnan(values)
        z = np.clip((values - self.center) * self.factor, np.float32(-FARTHEST), np.float32(FARTHEST))
        if self.style == "standard":
            if self.heavy:
                z[:, self.heavy] = np.arcsinh(z[:, self.heavy])
            z = np.clip((z - self.mean) * (1 / self.deviation), np.float32(-STANDARD_BOUND), np.float32(STANDARD_BOUND))
        else:
            z = z / np.sqrt(np.float32(1) + (z * np.float32(1 / SMOOTH_BOUND)) ** 2)
        z = np.where(missing, self._fill(), z)
        return np.concatenate([z, missing[:, self.indicated].astype(np.float32)], axis=1) if self.indicated else z

    def graph(self, builder: GraphBuilder, tensor: str) -> str:
        """tensor: (batch, columns) float32 with NaN. Returns (batch, width) float32."""

        def constant(value: Any, hint: str) -> str:
            return builder.initializer(np.asarray(value, np.float32), hint)

        missing = builder.node("IsNaN", [tensor])
        centred = builder.node("Sub", [tensor, constant(self.center, "center")])
        z = builder.node("Mul", [centred, constant(self.factor, "factor")])
        z = builder.node("Clip", [z, constant(-FARTHEST, "low"), constant(FARTHEST, "high")])
        if self.style == "standard":
            if self.heavy:
                heavy = np.isin(np.arange(len(self.columns)), self.heavy)
                z = builder.node("Where", [builder.initializer(heavy, "heavy"), builder.node("Asinh", [z]), z])
            z = builder.node("Sub", [z, constant(self.mean, "mean")])
            z = builder.node("Mul", [z, constant(1 / self.deviation, "deviation")])
            z = builder.node("Clip", [z, constant(-STANDARD_BOUND, "low"), constant(STANDARD_BOUND, "high")])
        else:
            third = builder.node("Mul", [z, constant(1 / SMOOTH_BOUND, "third")])
            square = builder.node("Mul", [third, third])
            z = builder.node("Div", [z, builder.node("Sqrt", [builder.node("Add", [square, constant(1.0, "one")])])])
        z = builder.node("Where", [missing, constant(self._fill(), "fill"), z])
        if not self.indicated:
            return z
        positions = builder.initializer(np.asarray(self.indicated, np.int64), "indicated")
        indicator = builder.node("Cast", [builder.node("Gather", [missing, positions], axis=1)], to=1)
        return builder.node("Concat", [z, indicator], axis=1)

    def _fill(self) -> Array:
        """What a missing value becomes: the median, scaled as the others."""
        if self.style == "robust":
            return np.zeros(len(self.columns), np.float32)
        return np.clip(-self.mean * (1 / self.deviation), -STANDARD_BOUND, STANDARD_BOUND).astype(np.float32)

    def state(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in ("center", "factor", "mean", "deviation")}
        positions = {name: list(getattr(self, name)) for name in ("heavy", "binary", "indicated")}
        return {"style": self.style, "columns": list(self.columns), **arrays, **positions}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ScaleEncoder:
        arrays = (np.asarray(state[name], np.float32) for name in ("center", "factor", "mean", "deviation"))
        center, factor, mean, deviation = arrays
        heavy, binary, indicated = (tuple(state[name]) for name in ("heavy", "binary", "indicated"))
        return cls(state["style"], tuple(state["columns"]), center, factor, mean, deviation, heavy, binary, indicated)


def _alike(values: Array, positions: Array) -> Iterator[tuple[Array, Array]]:
    """Columns with equally many known values: (positions, sorted values (columns, known)); a few million cells at a time."""
    step = max(1, MOST_CELLS // max(1, len(values)))
    for start in range(0, len(positions), step):
        chunk = positions[start : start + step]
        ordered = np.sort(np.ascontiguousarray(values[:, chunk].T, np.float64), axis=1)  # NaN goes last
        counts = (~np.isnan(ordered)).sum(axis=1)
        for count in np.unique(counts[counts > 0]).tolist():
            alike = np.flatnonzero(counts == count)
            yield chunk[alike], ordered[alike, :count]


def _robust(known: Array) -> tuple[Array, Array]:
    """Median and 1 / spread of each row of sorted values (columns, known) that are not all equal."""
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75], axis=1)
    spread = high - low
    for row in np.flatnonzero(spread <= 0):
        distance = np.abs(known[row] - middle[row])
        spread[row] = np.median(distance[distance > 0])
    return middle, 1.0 / np.maximum(spread, 1e-30)
