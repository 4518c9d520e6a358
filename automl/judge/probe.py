"""A small boosted model that is fitted in passing: what the columns say about something, on rows it has not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Case
from automl.core.metrics import log_losses, roc_auc_binary
from automl.core.predictor import encode_target
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


def probe(
    columns: Columns,
    target: Array,
    classes: int | None,
    fold: Array,
    seed: int,
    threads: int = 1,
    weight: Array | None = None,
) -> Probed:
    """Predict every row from a model that was fitted on the other folds.

    target: (rows,) class codes, or values where `classes` is None. fold: (rows,) numbers from 0.
    """
    prediction = np.full((len(target), classes) if classes is not None else len(target), np.nan)
    gain = np.zeros(columns.matrix.shape[1])
    for number in range(int(fold.max(initial=-1)) + 1):
        held = fold == number
        prediction[held], of_columns = _fitted(columns, target, classes, (~held, held), seed, threads, weight)
        gain += of_columns
    total = float(gain.sum()) or 1.0
    return Probed(prediction, {name: float(each / total) for name, each in zip(columns.names, gain, strict=True)})


def predicted(
    columns: Columns, target: Array, classes: int | None, parts: tuple[Array, Array], seed: int, threads: int = 1
) -> Array:
    """Predictions for the rows of the second part (rows,) bool by a model that was fitted on those of the first."""
    return _fitted(columns, target, classes, parts, seed, threads)[0]


def _fitted(
    columns: Columns,
    target: Array,
    classes: int | None,
    parts: tuple[Array, Array],
    seed: int,
    threads: int,
    weight: Array | None = None,
) -> tuple[Array, Array]:
    import lightgbm

    several = classes is not None and classes > 2
    objective = {"objective": "regression"} if classes is None else {"objective": "multiclass" if several else "binary"}
    parameters: dict[str, Any] = {**_PARAMETERS, **objective, "seed": seed % 2**31, "num_threads": threads}
    if several:
        parameters["num_class"] = classes
    training, held = parts
    data = lightgbm.Dataset(
        columns.matrix[training],
        target[training],
        weight=None if weight is None else weight[training],
        categorical_feature=list(columns.categorical),
        params=parameters,
    )
    booster = lightgbm.train(parameters, data, ROUNDS if not several else ROUNDS // 2)
    part = np.asarray(booster.predict(columns.matrix[held]))
    return np.stack([1 - part, part], axis=1) if classes == 2 else part, np.asarray(booster.feature_importance("gain"))


@dataclass(frozen=True)
class Sample:
    """At most MOST_ROWS rows of the data that have a target, ready to be probed. rows: their positions in the data."""

    rows: Array
    columns: Columns
    target: Array
    classes: int | None
    seed: int
    threads: int

    def folds(self, groups: Array | None = None) -> Array:
        return folds_of(len(self.rows), self.seed, groups)

    def out_of_fold(self, fold: Array, without: Sequence[str] = ()) -> Array:
        """Predictions of every row, by models that see all columns but those `without`."""
        columns = self.columns.without(*without)
        return probe(columns, self.target, self.classes, fold, self.seed, self.threads).prediction

    def score(self, prediction: Array, rows: Array | slice = slice(None)) -> float:
        """ROC-AUC (mean over the classes), or R2."""
        truth = self.target[rows]
        if self.classes is not None:
            return mean_auc(truth, prediction, 5)
        spread = float(((truth - truth.mean()) ** 2).sum())
        return 1.0 - float(((truth - prediction) ** 2).sum()) / spread if spread > 0 else float("nan")

    def losses(self, prediction: Array, rows: Array | slice = slice(None)) -> Array:
        """(rows,) log loss, or squared error."""
        truth = self.target[rows]
        return log_losses(truth, prediction) if self.classes is not None else (truth - prediction) ** 2

    @property
    def measure(self) -> str:
        return "ROC-AUC" if self.classes is not None else "R2"

    @property
    def floor(self) -> float:
        """The score of knowing nothing."""
        return 0.5 if self.classes is not None else 0.0


FEWEST_ROWS = 200
ENOUGH_SECONDS = 5.0
CELL_SECONDS = 5e-8
"""A round of boosting takes so long for a cell and a class, on two cores."""
PROBES = 2
"""Out-of-fold predictions that a check compares."""


def affordable(case: Case) -> bool:
    """Whether there is time for small models beside what is more important, and rows enough for them to say something."""
    if not _applies(case):
        return False
    several = case.profile.outputs if case.profile.outputs > 2 else 1
    rounds = FOLDS * (ROUNDS if several == 1 else several * ROUNDS // 2)
    seconds = PROBES * CELL_SECONDS * min(case.dataset.rows, MOST_ROWS) * _readable(case) * rounds
    return not case.deadline.lacks(max(ENOUGH_SECONDS, seconds))


def lacking(case: Case) -> str:
    """Why no small model was fitted, in words that follow a comma."""
    if _applies(case) and case.deadline.short:
        return "for lack of time"
    if not (case.trained or case.may_fit):
        return "as no model is fitted here"
    return "for lack of rows with a target" if _readable(case) else "as no column can be read by a small model"


def _applies(case: Case) -> bool:
    return (case.trained or case.may_fit) and case.dataset.rows >= FEWEST_ROWS and _readable(case) > 0


def _readable(case: Case) -> int:
    return sum(each.kind in READABLE for each in case.profile.features)


def sample_of(case: Case) -> Sample | None:
    """None where too few rows have a target."""
    profile, frame = case.profile, case.dataset.frame
    described = {"task": str(profile.task), "target_parse": profile.target_parse, "classes": list(profile.classes)}
    target = encode_target(frame[profile.target], described)
    rows = np.flatnonzero(target >= 0 if profile.task.is_classification else np.isfinite(target))
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(case.plan.seed).choice(rows, MOST_ROWS, replace=False))
    if len(rows) < FEWEST_ROWS:
        return None
    columns = columns_of(frame.iloc[rows].reset_index(drop=True), profile.features)
    classes = len(profile.classes) if profile.task.is_classification else None
    return Sample(rows, columns, target[rows], classes, case.plan.seed, case.plan.jobs)


def loses(sample: Sample, easy: Array, hard: Array, units: Array) -> tuple[float, float]:
    """What the harder split costs: the share of what the easier one gains over knowing nothing, and p that it costs nothing.

    easy, hard: (rows,) losses of the same rows. units: (rows,) rows of one number do not stand for themselves.
    """
    if sample.classes is None:
        of_nothing = float(np.var(sample.target))
    else:
        shares = np.bincount(sample.target, minlength=sample.classes) / len(sample.target)
        of_nothing = float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
    difference = hard - easy
    codes = np.unique(units, return_inverse=True)[1]
    sums, sizes = np.bincount(codes, difference), np.bincount(codes)
    mean = float(difference.mean())
    error = float(np.sqrt(((sums - mean * sizes) ** 2).sum())) / len(difference)
    p = 0.5 * math.erfc(mean / error / math.sqrt(2)) if error > 0 else float(mean <= 0)
    gained = of_nothing - float(easy.mean())
    return (mean / gained if gained > 0.02 * of_nothing else 0.0), p


def mean_auc(target: Array, prediction: Array, fewest: int = 1) -> float:
    """ROC-AUC, the mean over the classes with `fewest` rows where there are more than two; NaN where it is not defined."""
    if prediction.shape[1] == 2:
        return roc_auc_binary(target == 1, prediction[:, 1])
    counts = np.bincount(target, minlength=prediction.shape[1])
    areas = [roc_auc_binary(target == code, prediction[:, code]) for code in np.flatnonzero(counts >= fewest)]
    known = [area for area in areas if np.isfinite(area)]
    return float(np.mean(known)) if known else float("nan")
