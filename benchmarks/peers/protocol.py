"""What a system gets and gives: a job in, predictions and facts about the saved model out.

    python -m benchmarks.peers.NAME JOB.json

`fit` trains and saves to `job.artifact`; `load` opens that again and gives the function that predicts. Everything a user
would wait for is inside: the clock of `ready_seconds` starts with the process and ends when the model is saved.
Only numpy and pandas are needed beside the system itself, and this file has to run on the Python of each environment.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROW_CALLS, ROW_SECONDS = 200, 5.0
"""One row is predicted this often, or for so long, after three calls that do not count."""
BATCH_SECONDS = 2.0


@dataclass(frozen=True)
class Job:
    """One cell. task: binary, multiclass or regression; metric: roc_auc, log_loss or rmse; classes: sorted, as text."""

    train: str
    test: str
    target: str
    task: str
    metric: str
    classes: list[str]
    budget_seconds: float
    cores: int
    seed: int
    out: str
    settings: dict[str, Any]

    @property
    def artifact(self) -> Path:
        """Where the model is saved: all of it counts as its size."""
        return Path(self.out, "artifact")

    @property
    def regression(self) -> bool:
        return self.task == "regression"


Predict = Callable[[pd.DataFrame], Any]
"""A frame of features -> (rows, classes) probabilities in the order of job.classes, or (rows,) values."""


def frames(job: Job) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The training rows and the features of the test rows, as pandas reads them; class labels are text.

    A column that is text in one part is read as text in both, as it would be had the file not been split.
    """
    labels = {} if job.regression else {job.target: str}
    train = pd.read_csv(job.train, converters=labels, low_memory=False)
    test = pd.read_csv(job.test, low_memory=False)
    differing = [name for name in test if (train[name].dtype.kind in "OT") != (test[name].dtype.kind in "OT")]
    if differing:
        as_text = dict.fromkeys(differing, str)
        train = pd.read_csv(job.train, converters=labels, dtype=as_text, low_memory=False)
        test = pd.read_csv(job.test, dtype=as_text, low_memory=False)
    return train, test


def in_order(job: Job, probabilities: pd.DataFrame) -> np.ndarray:
    """(rows, classes) of a frame with a column a class; a class that the system does not know gets 0."""
    named = probabilities.rename(columns=str)
    return named.reindex(columns=job.classes, fill_value=0.0).to_numpy(np.float64)


def median_milliseconds(predict: Callable[[Any], Any], rows: list[Any]) -> float:
    """Median of single calls, one row each."""
    for row in rows[:3]:
        predict(row)
    measured, begun = [], time.perf_counter()
    for number in range(ROW_CALLS):
        started = time.perf_counter()
        predict(rows[number % len(rows)])
        measured.append(1000.0 * (time.perf_counter() - started))
        if time.perf_counter() - begun > ROW_SECONDS:
            break
    return statistics.median(measured)


def rows_a_second(predict: Predict, test: pd.DataFrame) -> float:
    """Throughput of the whole test part, repeated until the clock is well above its noise."""
    count, started = 0, time.perf_counter()
    while True:
        predict(test)
        count += len(test)
        elapsed = time.perf_counter() - started
        if elapsed > BATCH_SECONDS:
            return count / elapsed


def size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def age_seconds() -> float:
    """Seconds since this process was started, imports included (Linux)."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def main(
    fit: Callable[[Job, pd.DataFrame], dict[str, Any] | None],
    load: Callable[[Job], Predict],
    packages: tuple[str, ...],
    one_row: Callable[[Job], tuple[Callable[[Any], Any], Callable[[pd.DataFrame], list[Any]]]] | None = None,
) -> None:
    """Run the job named on the command line; leaves predictions.npy and facts.json in its folder.

    one_row: gives a function for a single row in the system's own quickest form, and what turns rows into that form.
    """
    job = Job(**json.loads(Path(sys.argv[1]).read_text()))
    train, test = frames(job)
    job.artifact.mkdir(parents=True)
    started = time.perf_counter()
    facts: dict[str, Any] = dict(fit(job, train) or {})
    facts["fit_seconds"] = time.perf_counter() - started
    facts["ready_seconds"] = age_seconds()
    predict = load(job)
    np.save(Path(job.out, "predictions.npy"), np.asarray(predict(test), np.float64))
    singles = [test.iloc[[number]] for number in range(min(len(test), 50))]
    facts["row_milliseconds"] = median_milliseconds(predict, singles)
    if one_row is not None:
        quickest, as_rows = one_row(job)
        facts["row_milliseconds_quickest"] = median_milliseconds(quickest, as_rows(test.head(50)))
    facts["rows_a_second"] = rows_a_second(predict, test)
    facts["artifact_bytes"] = size_bytes(job.artifact)
    facts["versions"] = {"python": ".".join(map(str, sys.version_info[:3])), **{name: version(name) for name in packages}}
    Path(job.out, "facts.json").write_text(json.dumps(facts))
