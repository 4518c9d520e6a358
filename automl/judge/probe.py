"""A small boosted model that is fitted in passing: what the columns say about something, on rows it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl.core.metrics import roc_auc_binary
from automl.core.profile import ColumnProfile, Kind
from automl.core.table import Category, tabulate

Array = np.ndarray[Any, Any]

MOST_ROWS = 10_000
ROUNDS = 60
FOLDS = 3
READABLE = (Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY, Kind.DATETIME)
_MOST_LEVELS = 1000
_PARAMETERS = {
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.8,
    "max_cat_to_onehot": 1,
    "min_data_per_group": 50,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
    "max_bin": 63,
}


@dataclass(frozen=True)
class Columns:
    """Features as a matrix (rows, features) with NaN for missing; `categorical` are the columns that hold codes."""

    names: tuple[str, ...]
    matrix: Array
    categorical: tuple[int, ...]

    def without(self, *names: str) -> Columns:
        kept = [place for place, name in enumerate(self.names) if name not in names]
        moved = tuple(at for at, place in enumerate(kept) if place in self.categorical)
        return Columns(tuple(self.names[place] for place in kept), self.matrix[:, kept], moved)

    def take(self, rows: Array) -> Columns:
        return Columns(self.names, self.matrix[rows], self.categorical)


@dataclass(frozen=True)
class Probed:
    """Out-of-fold predictions (probabilities (rows, classes), or values (rows,)) and the gain of each column, adding up to 1."""

    prediction: Array
    gain: dict[str, float]


def columns_of(frame: pd.DataFrame, columns: Sequence[ColumnProfile]) -> Columns:
    """The columns that a small model can read; levels of very many are told apart by how frequent they are only."""
    readable = [column for column in columns if column.kind in READABLE]
    table = tabulate(frame, readable)
    blocks, categorical = [], []
    for place, column in enumerate(readable):
        values = table.columns[column.name]
        if isinstance(values, Category):
            counts = np.bincount(values.codes[values.codes >= 0], minlength=len(values.levels)).astype(np.float64)
            if len(values.levels) <= _MOST_LEVELS:
                categorical.append(place)
                counts = np.arange(len(values.levels), dtype=np.float64)
            blocks.append(np.append(counts, np.nan)[values.codes])
        elif values.dtype.kind == "i":
            blocks.append(np.where(values == np.iinfo(np.int64).min, np.nan, values.astype(np.float64)))
        else:
            blocks.append(values.astype(np.float64))
    matrix = np.stack(blocks, axis=1) if blocks else np.zeros((len(frame), 0))
    return Columns(tuple(column.name for column in readable), matrix, tuple(categorical))


def folds_of(rows: int, seed: int, groups: Array | None = None) -> Array:
    """(rows,) the fold of each row, dealt out at random; rows of one group in one fold."""
    generator = np.random.default_rng(seed)
    if groups is None:
        return generator.permutation(rows) % FOLDS
    codes = np.unique(groups, return_inverse=True)[1]
    return np.asarray((generator.permutation(int(codes.max(initial=0)) + 1) % FOLDS)[codes])


def probe(columns: Columns, target: Array, classes: int | None, fold: Array, seed: int, threads: int = 1) -> Probed:
    """Predict every row from a model that was fitted on the other folds.

    target: (rows,) class codes, or values where `classes` is None. fold: (rows,) numbers from 0.
    """
    import lightgbm

    several = classes is not None and classes > 2
    objective = {"objective": "regression"} if classes is None else {"objective": "multiclass" if several else "binary"}
    parameters = {**_PARAMETERS, **objective, "seed": seed % 2**31, "num_threads": threads}
    if several:
        parameters["num_class"] = classes
    prediction = np.full((len(target), classes) if classes is not None else len(target), np.nan)
    gain = np.zeros(columns.matrix.shape[1])
    for number in range(int(fold.max(initial=-1)) + 1):
        held = fold == number
        data = lightgbm.Dataset(
            columns.matrix[~held], target[~held], categorical_feature=list(columns.categorical), params=parameters
        )
        booster = lightgbm.train(parameters, data, ROUNDS)
        part = np.asarray(booster.predict(columns.matrix[held]))
        prediction[held] = np.stack([1 - part, part], axis=1) if classes == 2 else part
        gain += booster.feature_importance("gain")
    total = float(gain.sum()) or 1.0
    return Probed(prediction, {name: float(each / total) for name, each in zip(columns.names, gain, strict=True)})


def mean_auc(target: Array, prediction: Array, fewest: int = 1) -> float:
    """ROC-AUC, the mean over the classes with `fewest` rows where there are more than two; NaN where it is not defined."""
    if prediction.shape[1] == 2:
        return roc_auc_binary(target == 1, prediction[:, 1])
    counts = np.bincount(target, minlength=prediction.shape[1])
    areas = [roc_auc_binary(target == code, prediction[:, code]) for code in np.flatnonzero(counts >= fewest)]
    known = [area for area in areas if np.isfinite(area)]
    return float(np.mean(known)) if known else float("nan")
