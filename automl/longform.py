"""Labels in a second file beside the data: train.csv with a row a time step and train_labels.csv with a row a series."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.parsers import make_parser

SUFFIX = "_labels"


def with_labels(dataset: Dataset, path: Path, read: Callable[[Path], Dataset]) -> Dataset:
    """The dataset with the columns of NAME_labels beside NAME, joined by the one column that both have.

    read: reads one file. Every row of a series gets the label of its series; the dataset comes back as it is where there
    is no such file, or none that fits. Raises InputError where the labels name an id twice, or no id of the data.
    """
    beside = _labels_file(path)
    if beside is None:
        return dataset
    labels = read(beside)
    shared = [name for name in labels.frame.columns if name in dataset.frame.columns]
    if len(shared) != 1 or labels.frame.shape[1] < 2:
        return dataset
    key = shared[0]
    spelled = make_parser({"as": "category"})
    known, wanted = spelled.column(labels.frame[key]), spelled.column(dataset.frame[key])
    places: dict[str, int] = {}
    for position, name in enumerate(known.tolist()):
        if name in places:
            raise InputError(f'"{name}" stands more than once in the column "{key}" of {beside.name}', "a series has one label")
        places[name] = position
    found = np.asarray([places.get(name, -1) for name in wanted.tolist()])
    if (found < 0).all():
        raise InputError(f'no "{key}" of {path.name} is in {beside.name}')
    frame = dataset.frame.copy()
    for name in labels.frame.columns:
        if name != key:
            cells = np.append(labels.frame[name].to_numpy(dtype=object), np.asarray([_nothing(labels.frame[name])], dtype=object))
            frame[name] = cells[found]
            if str(labels.frame[name].dtype) in ("str", "string"):
                frame[name] = frame[name].astype(labels.frame[name].dtype)
    digest = hashlib.sha256((dataset.content_hash + labels.content_hash).encode()).hexdigest()
    reading = {**dataset.reading, "labels": {"source": str(beside), "rows": labels.rows, "id": key}}
    return dataclasses.replace(dataset, frame=frame, content_hash=digest, reading=reading)


def _labels_file(path: Path) -> Path | None:
    stem, dot, suffix = path.name.partition(".")
    beside = path.with_name(f"{stem}{SUFFIX}{dot}{suffix}")
    return beside if not stem.endswith(SUFFIX) and beside.is_file() else None


def _nothing(column: Any) -> Any:
    """The empty cell of a column."""
    return "" if str(column.dtype) in ("str", "string", "object") else None
