"""How well each column alone predicts the target, cross-fitted and for all columns at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from automl.core.profile import Kind
from automl.core.table import Category

Array = np.ndarray[Any, Any]
MOST_ROWS = 20_000
MOST_CLASSES = 12
_BINS = 32
_FOLDS = 5
_CELLS = 4_000_000
_PRIOR_ROWS = 5.0


def binned(values: Array | Category, kind: Kind) -> tuple[Array, int]:
    """Codes (rows,) from 0, the last one for missing, and how many codes there are."""
    if isinstance(values, Category):
        return np.where(values.codes < 0, len(values.levels), values.codes), len(values.levels) + 1
    if kind is Kind.DATETIME:
        values = np.where(values == np.iinfo(np.int64).min, np.nan, values.astype(np.float64))
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS)) if len(known) else np.zeros(0)
    codes = np.searchsorted(edges, values, side="left")
    if len(edges) and len(np.unique(known)) <= _BINS:
        levels = np.unique(known)
        return np.where(np.isnan(values), len(levels), np.searchsorted(levels, values)), len(levels) + 1
    return np.where(np.isnan(values), len(edges) + 1, codes), len(edges) + 2


def associations(columns: Mapping[str, tuple[Array, int]], target: Array, classes: int | None) -> dict[str, float]:
    """Cross-fitted score of each column alone: ROC-AUC (mean over classes one against the rest), or R2.

    columns: name to (codes (rows,), number of codes). target: class codes (rows,), or values (rows,) where
    `classes` is None. In each of 5 folds a code is scored by the mean target of its other-fold rows, shrunk
    towards the overall mean by five rows. Empty where no class has a row for every fold.
    """
    fold = np.random.default_rng(0).permutation(len(target)) % _FOLDS
    if classes is None:
        spread = float(np.std(target)) or 1.0
        targets = ((target - np.mean(target)) / spread)[None, :]
    else:
        counts = np.bincount(target, minlength=classes)
        frequent = np.argsort(-counts, kind="stable")[: 1 if classes == 2 else MOST_CLASSES]
        measured = [target == code for code in frequent if counts[code] >= _FOLDS]
        if not measured:
            return {}
        targets = np.stack(measured).astype(np.float64)
    found: dict[str, float] = {}
    for names in _chunks(columns, len(target)):
        width = max(columns[name][1] for name in names)
        codes = np.stack([columns[name][0] for name in names])
        scores = np.mean([_score(codes, width, each, fold, classes is not None) for each in targets], axis=0)
        found |= dict(zip(names, scores.tolist(), strict=True))
    return found


def _chunks(columns: Mapping[str, tuple[Array, int]], rows: int) -> Iterator[list[str]]:
    """Columns of similar width together, within the memory of a few million cells."""
    chunk: list[str] = []
    for name in sorted(columns, key=lambda name: columns[name][1]):
        size = max(columns[name][1] * _FOLDS, rows)
        if chunk and ((len(chunk) + 1) * size > _CELLS or columns[name][1] > 4 * columns[chunk[0]][1] + 32):
            yield chunk
            chunk = []
        chunk.append(name)
    if chunk:
        yield chunk


def _score(codes: Array, width: int, target: Array, fold: Array, classify: bool) -> Array:
    """(columns,) scores of codes (columns, rows)."""
    columns = len(codes)
    flat = ((np.arange(columns)[:, None] * width + codes) * _FOLDS + fold[None, :]).ravel()
    shape = (columns, width, _FOLDS)
    rows = np.bincount(flat, minlength=columns * width * _FOLDS).reshape(shape).astype(np.float64)
    sums = np.bincount(flat, weights=np.tile(target, columns), minlength=columns * width * _FOLDS).reshape(shape)
    prior = (target.sum() - sums.sum(axis=1)) / (len(target) - rows.sum(axis=1))  # (columns, folds)
    outside_rows = rows.sum(axis=2, keepdims=True) - rows
    outside_sums = sums.sum(axis=2, keepdims=True) - sums
    predicted = (outside_sums + _PRIOR_ROWS * prior[:, None, :]) / (outside_rows + _PRIOR_ROWS)
    if classify:
        return _areas(predicted, sums, rows - sums)
    squares = float((target**2).sum())
    error = squares - 2 * (predicted * sums).sum(axis=(1, 2)) + (predicted**2 * rows).sum(axis=(1, 2))
    base = squares - 2 * (prior * sums.sum(axis=1)).sum(axis=1) + (prior**2 * rows.sum(axis=1)).sum(axis=1)
    return np.asarray(1.0 - error / base)


def _areas(score: Array, positives: Array, negatives: Array) -> Array:
    """Mean over folds of the area under the ROC curve; the arrays are (columns, codes, folds)."""
    order = np.argsort(score, axis=1, kind="stable")
    positives, negatives = np.take_along_axis(positives, order, 1), np.take_along_axis(negatives, order, 1)
    below = np.cumsum(negatives, axis=1) - negatives
    total = positives.sum(axis=1) * negatives.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        areas = (positives * (below + 0.5 * negatives)).sum(axis=1) / total
    known = ~np.isnan(areas)
    return np.where(known, areas, 0.0).sum(axis=1) / np.maximum(1, known.sum(axis=1)) + np.where(known.any(axis=1), 0.0, 0.5)


def neighbour_r2(values: Array, target: Array) -> float:
    """R2 of predicting each row by its neighbours in the order of the column: sees a copy of the target at full resolution."""
    known = ~np.isnan(values)
    if known.sum() < 10:
        return 0.0
    order = np.argsort(values[known], kind="stable")
    ordered = target[known][order]
    predicted = 0.5 * (np.r_[ordered[1], ordered[:-1]] + np.r_[ordered[1:], ordered[-2]])
    spread = float(np.sum((ordered - ordered.mean()) ** 2))
    return 1.0 - float(np.sum((ordered - predicted) ** 2)) / spread if spread > 0 else 0.0
