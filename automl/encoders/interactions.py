"""Which pairs of columns say something about the target together that neither says alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BINS = 24
PASSES = 2
PRIOR_ROWS = 10.0
"""A mean is drawn towards the mean of all rows as if that many rows of it were in every cell."""
LOOKED_AT = 5_000
"""Rows, drawn at random, that the choice is made on."""
SHORTLIST = 40


def indicators(target: Array, classes: int, most: int) -> Array:
    """The target as what means are taken of: (rows, outputs) float64.

    classes: 0 for regression, which has one column; two classes have one, of the second; more have one a class, of the
    `most` frequent ones.
    """
    if not classes:
        return target.astype(np.float64)[:, None]
    if classes == 2:
        return (target == 1).astype(np.float64)[:, None]
    frequent = np.argsort(-np.bincount(target, minlength=classes), kind="stable")[: min(classes, most)]
    return np.asarray(target[:, None] == np.sort(frequent)[None, :], np.float64)


def looked_at(rows: int) -> Array:
    """Positions of the rows that the choice is made on, the same ones for as many rows."""
    if rows <= LOOKED_AT:
        return np.arange(rows)
    return np.sort(np.random.default_rng(rows).choice(rows, LOOKED_AT, replace=False))


def binned(values: Array) -> Array:
    """Numbers with NaN as cells of about equally many rows: (rows,) int64, 0 where missing."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.zeros(len(values), np.int64)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.where(np.isfinite(values), 1 + np.searchsorted(edges, values, side="left"), 0)


@dataclass(frozen=True)
class Unexplained:
    """What is left of the target: residual (rows, outputs), and the sum of squares that there was at first."""

    residual: Array
    total: float

    @classmethod
    def of(cls, outputs: Array) -> Unexplained:
        residual = outputs - outputs.mean(axis=0)
        return cls(residual, float(np.square(residual).sum()))

    def gain(self, cells: Array, deviations: float = 0.0) -> float:
        """The share of the residual's sum of squares that the means of the cells explain, above what chance would.

        Below 0 where it is not so many standard deviations beyond chance. cells: (rows,) numbers from 0.
        """
        left = float(np.square(self.residual).sum())
        if left <= 1e-9 * self.total or self.total <= 0:
            return -1.0
        counts, sums = self._sums(cells)
        used = counts > 0
        explained = float((np.square(sums[used]) / counts[used, None]).sum()) / left
        free, rows = max(1, int(used.sum()) - 1), len(cells)
        return explained - (free + deviations * np.sqrt(2 * free)) / rows

    def without(self, cells: Array) -> Unexplained:
        """What is left once the cells' means, drawn towards 0, are taken off."""
        counts, sums = self._sums(cells)
        return Unexplained(self.residual - (sums / (counts + PRIOR_ROWS)[:, None])[cells], self.total)

    def _sums(self, cells: Array) -> tuple[Array, Array]:
        counts = np.bincount(cells).astype(np.float64)
        return counts, np.stack([np.bincount(cells, weights=column) for column in self.residual.T], axis=1)


def beyond_single_columns(outputs: Array, columns: Sequence[Array]) -> Unexplained:
    """What the columns, each by itself, leave of the target: their means are taken off in turn (backfitting)."""
    left = Unexplained.of(outputs)
    for _ in range(PASSES):
        for cells in columns:
            left = left.without(cells)
    return left


def most_telling(left: Unexplained, candidates: Sequence[Array], most: int, deviations: float) -> list[int]:
    """Positions of at most `most` candidates, each the one that explains most of what those before it leave."""
    gains = np.array([left.gain(cells, deviations) for cells in candidates])
    short = [int(place) for place in np.argsort(-gains, kind="stable")[:SHORTLIST] if gains[place] > 0]
    chosen: list[int] = []
    while short and len(chosen) < most:
        gains = np.array([left.gain(candidates[place], deviations) for place in short])
        if gains.max() <= 0:
            break
        best = short.pop(int(gains.argmax()))
        left = left.without(candidates[best])
        chosen.append(best)
    return chosen
