"""Cells: which system, data, split and budget; their rows, their results, and which of them are still to be measured."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
GREATER_IS_BETTER = {"roc_auc": True, "log_loss": False, "rmse": False}
TEST_FRACTION = 0.25
SMALL_ROWS, SMALL_SPLITS, SPLITS = 3000, 10, 3


@dataclass(frozen=True)
class Table:
    """A data set as the catalog tells it. drop: columns that no system sees."""

    name: str
    task: str
    target: str
    rows: int
    drop: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        return METRICS[self.task]

    @property
    def splits(self) -> int:
        """How many repeated splits this table needs: small test parts are noisy."""
        return SMALL_SPLITS if self.rows < SMALL_ROWS else SPLITS


@dataclass(frozen=True)
class Cell:
    """duplicates: "across" leaves the rows as they are; "removed" keeps the first of equal rows before the split.

    folds: into how many parts the rows are divided, of which part `split` is the test; 0: 75/25 at random, seeded by `split`.
    """

    system: str
    data: str
    split: int
    budget_seconds: float
    duplicates: str = "across"
    folds: int = 0


def key(line: dict[str, Any]) -> Cell:
    """The cell that a line of results is about."""
    return Cell(line["system"], line["data"], line["split"], line["budget_seconds"], line["duplicates"], line.get("folds", 0))


def read_catalog(path: Path) -> list[Table]:
    """The tables of a catalog, smallest first: a JSON list of objects with name, modality, task, target, rows, drop_columns."""
    tables = [
        Table(each["name"], each["task"], each["target"], each["rows"], tuple(each.get("drop_columns") or ()))
        for each in json.loads(path.read_text(encoding="utf-8"))
        if each.get("modality") == "tabular" and each.get("task") in METRICS
    ]
    return sorted(tables, key=lambda table: (table.rows, table.name))


def read_rows(data: Path, table: Table, duplicates: str = "across") -> pd.DataFrame:
    """Every cell as the text that it is in the file; rows without a target are left out."""
    folder = data / table.name
    if (folder / "data.csv").exists():
        frame = pd.read_csv(folder / "data.csv", dtype=str, keep_default_na=False)
    else:
        frame = pd.read_parquet(folder / "data.parquet")
    frame = frame.drop(columns=list(table.drop))
    frame = frame[frame[table.target].notna() & ~frame[table.target].isin(["", "NA", "?"])]
    if duplicates == "removed":
        frame = frame.drop_duplicates()
    return frame.reset_index(drop=True)


def split_rows(frame: pd.DataFrame, table: Table, seed: int, folds: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """75/25, stratified by class; a class of a single row stays in training. With folds, part `seed` of them is the test."""
    from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

    if folds:
        kind = KFold if table.task == "regression" else StratifiedKFold
        parts = kind(folds, shuffle=True, random_state=0).split(frame, frame[table.target])
        learned, tested = list(parts)[seed]
        return frame.iloc[learned], frame.iloc[tested]
    if table.task == "regression":
        train, test = train_test_split(frame, test_size=TEST_FRACTION, random_state=seed)
        return train, test
    counts = frame[table.target].map(frame[table.target].value_counts())
    several, single = frame[counts > 1], frame[counts == 1]
    train, test = train_test_split(several, test_size=TEST_FRACTION, random_state=seed, stratify=several[table.target])
    return pd.concat([train, single]), test


def unseen(train: pd.DataFrame, test: pd.DataFrame, target: str) -> np.ndarray:
    """(test rows,) True where no training row has the same features."""
    known = pd.util.hash_pandas_object(train.drop(columns=target), index=False)
    return ~pd.util.hash_pandas_object(test.drop(columns=target), index=False).isin(known).to_numpy()


def score(table: Table, classes: list[str], truth: pd.Series, prediction: np.ndarray) -> float:
    """The table's metric, by the same code for every system.

    prediction: (rows, classes) in the order of `classes`, or (rows,). Raises ValueError where it is not usable.
    """
    from automl.core.metrics import metric

    expected = (len(truth),) if table.task == "regression" else (len(truth), len(classes))
    if prediction.shape != expected:
        raise ValueError(f"predictions have shape {prediction.shape}, not {expected}")
    if not np.isfinite(prediction).all():
        raise ValueError(f"{int((~np.isfinite(prediction)).sum())} predictions are not finite")
    if table.task == "regression":
        return metric(table.metric).score(pd.to_numeric(truth).to_numpy(np.float64), prediction)
    codes = np.array([classes.index(str(label)) for label in truth])
    return metric(table.metric).score(codes, prediction)


def gain(metric_name: str, candidate: float, incumbent: float) -> float:
    """How much better the candidate is, in the metric's unit."""
    return candidate - incumbent if GREATER_IS_BETTER[metric_name] else incumbent - candidate


def read_lines(path: Path) -> list[dict[str, Any]]:
    """One line a cell, the last one measured; a torn last line is ignored."""
    if not path.exists():
        return []
    latest: dict[Cell, dict[str, Any]] = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        latest.pop(key(line), None)
        latest[key(line)] = line
    return list(latest.values())


def append_line(path: Path, line: dict[str, Any]) -> None:
    """Written at once; starts on a new line even after one that was torn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with open(path, "a", encoding="utf-8") as file:
        file.write("\n" * torn + json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def plan(
    systems: Sequence[str],
    tables: Iterable[Table],
    splits: Sequence[int] | None,
    budget_seconds: float,
    duplicates: str,
    folds: int = 0,
) -> list[Cell]:
    """All cells in the order in which they are measured: systems side by side on a split, all tables before the next split.

    splits: which ones; None: as many as each table needs, or all folds.
    """
    tables = list(tables)
    wanted = {table.name: range(folds or table.splits) if splits is None else splits for table in tables}
    numbers = sorted({number for chosen in wanted.values() for number in chosen})
    return [
        Cell(system, table.name, number, budget_seconds, duplicates, folds)
        for number in numbers
        for table in tables
        if number in wanted[table.name]
        for system in systems
    ]


def still_to_do(
    cells: Iterable[Cell], lines: Iterable[dict[str, Any]], outdated: Callable[[dict[str, Any]], bool] = lambda line: False
) -> list[Cell]:
    """The cells without a line, and those whose line is `outdated`."""
    done = {key(line) for line in lines if not outdated(line)}
    return [cell for cell in cells if cell not in done]
