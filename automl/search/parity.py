"""The gate: an exported model must give, for raw rows, what the trained pipeline gives for clean ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.core.errors import ParityError
from automl.core.parsers import Predictor
from automl.core.profile import ColumnProfile, Kind
from automl.core.readout import called

Array = np.ndarray[Any, Any]

TOLERANCE = 1e-4
"""On probabilities, and on values in units of the target's standard deviation."""
MOST_ROWS, LEAST_ROWS = 2000, 50
EDGE_COLUMNS = 50
"""Columns that are made missing and unknown one at a time; fewer in very wide tables."""
MOST_CELLS = 300_000
"""Cells to compare on: with thousands of columns fewer rows say as much and cost as much."""


def parity_rows(columns: Sequence[ColumnProfile], frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Raw rows of these columns to compare on: rows of `frame` and edge rows (all missing, unseen, extreme)."""
    names = [column.name for column in columns]
    generator = np.random.default_rng(seed)
    most = int(np.clip(MOST_CELLS // len(names), LEAST_ROWS, MOST_ROWS))
    chosen = np.sort(generator.choice(len(frame), min(most, len(frame)), replace=False))
    usual = frame.iloc[chosen][names].astype(object)
    template = {str(name): value for name, value in usual.iloc[0].items()}
    edges: list[dict[str, Any]] = [
        {column.name: None for column in columns},
        {column.name: _unseen(column) for column in columns},
        {column.name: _extreme(column, 10.0) for column in columns},
        {column.name: _extreme(column, -10.0) for column in columns},
    ]
    for column in columns[: max(10, min(EDGE_COLUMNS, MOST_CELLS // 3 // len(names)))]:
        edges.append({**template, column.name: None})
        edges.append({**template, column.name: _unseen(column)})
    return pd.concat([usual, pd.DataFrame(edges, columns=names, dtype=object)], ignore_index=True)


def _unseen(column: ColumnProfile) -> Any:
    if column.kind in (Kind.NUMBER, Kind.BOOLEAN):
        return "0.123456789"
    if column.kind is Kind.SERIES:
        return np.zeros((1, int(column.parse["channels"])))
    return "1931-07-09" if column.kind is Kind.DATETIME else "a level that was never seen \N{SNOWMAN}"


def _extreme(column: ColumnProfile, factor: float) -> Any:
    if column.kind in (Kind.NUMBER, Kind.BOOLEAN):
        return repr(factor * max(abs(float(column.statistics.get(end) or 0.0)) for end in ("minimum", "maximum")) + factor)
    if column.kind is Kind.SERIES:
        return np.full((int(column.parse["length"]) + 3, int(column.parse["channels"])), factor)
    if column.kind is Kind.TEXT:
        return "word " * 3000 if factor > 0 else "?"
    return ("2199-12-31" if factor > 0 else "1900-01-01") if column.kind is Kind.DATETIME else ""


def check_parity(folder: Path, raw: pd.DataFrame, root: str = "", limits: float | Array | None = None) -> dict[str, float]:
    """Hold the model folder against the predictions that were left in it.

    limits: from which probability on the positive class is called, one number or one a row; None: the most probable class is.
    Returns {"difference": largest difference, "rows": rows compared, "tolerance": ...}; the difference of a value is
    in standard deviations of the target. Raises ParityError beyond the tolerance or where a label flips that is no tie.
    """
    expected = np.load(folder / "parity.npy")
    predictor = Predictor(folder, root=root, most_unread=1.0)
    scale = predictor.contract.get("target_standard_deviation") or 1.0
    if predictor.contract["task"] == "regression":
        found = np.asarray(predictor.predict(raw), np.float64)
        reach = np.maximum(1.0, np.abs(expected) / (1000 * scale))  # float32 has seven digits inside the graph
        difference = float(np.max(np.abs(found - expected) / scale / reach))
    else:
        found = np.asarray(predictor.predict_proba(raw), np.float64)
        difference = float(np.max(np.abs(found - expected)))
        _check_labels(predictor, raw, expected, limits)
    if not np.isfinite(found).all() or not difference <= TOLERANCE:
        raise ParityError(f"the exported graph differs from the trained model by {difference:.2g} (allowed {TOLERANCE:g})")
    (folder / "parity.npy").unlink()
    return {"difference": difference, "rows": float(len(expected)), "tolerance": TOLERANCE}


def _check_labels(predictor: Predictor, raw: pd.DataFrame, expected: Array, limits: float | Array | None) -> None:
    classes = np.asarray(predictor.contract["classes"], dtype=object)
    contract = predictor.contract
    positive = 1 if limits is None else contract["classes"].index(contract["positive"])
    labels = np.asarray([str(label) for label in predictor.predict(raw)], dtype=object)
    top = np.sort(expected, axis=1)
    margin = top[:, -1] - top[:, -2] if limits is None else 2 * np.abs(expected[:, positive] - limits)
    clear = margin > 2 * TOLERANCE
    if (labels[clear] != classes[called(expected, limits, positive)][clear]).any():
        raise ParityError("the exported graph gives another label than the trained model")
