"""trials.jsonl and finals.jsonl: the truth about what was tried, appended a line at a time, read after a crash."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.evidence import LINEAR, Trial
from automl.core.files import decode, dump_json
from automl.search.trial import Outcome

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Fresh:
    """A trial's settings on one fresh fold; resampled: the scores of its bootstrap resamples where it is the only one."""

    score: float
    seconds: float
    resampled: tuple[float, ...] = ()


@dataclass(frozen=True)
class Journal:
    """The record of a run. Out-of-fold predictions lie beside it in `predictions`, an array a trial.

    timed: seconds are written into the lines; not where trials are counted, so that a repeated run gives equal bytes.
    """

    folder: Path
    predictions: Path
    timed: bool

    def record(self, outcome: Outcome) -> None:
        self.predictions.mkdir(parents=True, exist_ok=True)
        if outcome.predictions is not None:
            np.save(self.predictions / f"{outcome.trial.id}.npy", outcome.predictions.astype(np.float32))
        line = json.loads(dump_json(outcome.trial))
        if self.timed:
            line["seconds"] = round(outcome.seconds, 3)
        _append(self.folder / "trials.jsonl", line)

    def outcomes(self) -> list[Outcome]:
        """Everything that is on record and whose predictions are there, in order."""
        found = []
        for line in _read(self.folder / "trials.jsonl"):
            trial, path = decode(Trial, line), self.predictions / f"{line['architecture']}-{line['number']}.npy"
            if trial.status != "ok":
                found.append(Outcome(trial, None, line.get("seconds", 0.0)))
            elif path.is_file():
                found.append(Outcome(trial, np.load(path).astype(np.float64), line.get("seconds", 0.0)))
        return found

    def record_fresh(self, trial: Trial, fold: int, fresh: Fresh) -> None:
        line = {"trial": trial.id, "settings": trial.settings, "pool": trial.pool, "fold": fold, "score": fresh.score}
        _append(
            self.predictions / "finals.jsonl", {**line, "seconds": round(fresh.seconds, 3), "resampled": list(fresh.resampled)}
        )

    def fresh(self, trial: Trial) -> dict[int, Fresh]:
        """What is on record of a trial's settings on fresh folds, by fold."""
        lines = _read(self.predictions / "finals.jsonl")
        return {
            line["fold"]: Fresh(line["score"], line["seconds"], tuple(line["resampled"]))
            for line in lines
            if line["trial"] == trial.id
            and line["settings"] == json.loads(dump_json(trial.settings))
            and line.get("pool", LINEAR) == trial.pool
        }


def _append(path: Path, line: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        if file.tell() and _last_byte(file) != b"\n":
            file.write(b"\n")
        file.write((dump_json(line, indent=None) + "\n").encode())
        file.flush()
        os.fsync(file.fileno())


def _last_byte(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    last: bytes = file.read(1)
    return last


def _read(path: Path) -> list[dict[str, Any]]:
    """The whole lines of the file; what a crash tore is ignored."""
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines
