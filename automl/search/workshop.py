"""Where jobs are run: in this process, or in the training worker for what needs TensorFlow; and what each one cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.architecture import Architecture
from automl.core.clock import Deadline
from automl.core.errors import AutomlError, OutOfTimeError, TrainingError
from automl.core.evidence import Trial
from automl.core.files import decode
from automl.core.memory import GIB, resident_bytes
from automl.core.probes import Memorised, RateTest, Repeated, Shuffled
from automl.search.budget import slowness_of
from automl.search.context import Context, save_context
from automl.search.pooling import pooled
from automl.search.pricing import price_of
from automl.search.proposing import best_of, next_number, propose
from automl.search.trial import (
    Outcome,
    failing_as_training_error,
    fit_and_export,
    needs_worker,
    run_again,
    run_fresh,
    run_trial,
    space_of,
    space_seed,
)
from automl.search.worker import Worker
from automl.training.learner import KEPT_PROGRAMS

Array = np.ndarray[Any, Any]


GROWN_BYTES = int(0.7 * GIB)
"""A training worker that holds so much more than after its first trial, which had all the data, is ended after a trial, and a new
one started: compiled nets are never given back."""


@dataclass
class Workshop:
    """Runs trials, fresh folds and exports of any architecture, wherever it has to run.

    worker: None where the budget leaves no time for one; architectures that need TensorFlow fail there.
    slowness: of the machine against two idle cores, known once the worker has its libraries.
    heard: trials of each architecture that the worker knows of.
    predicted: what a trial predicted on a fresh fold, which an ensemble needs again.
    compiled: numbers of the trials of each architecture that the worker which runs now has trained. held: its bytes after
    the first of them.
    """

    context: Context
    folder: Path
    worker: Worker | None
    opened: bool = field(default=False, init=False)
    opening: bool = field(default=False, init=False)
    broken: bool = field(default=False, init=False)
    slowness: float = field(default=1.0, init=False)
    heard: dict[str, int] = field(default_factory=dict, init=False)
    predicted: dict[tuple[str, int], Array] = field(default_factory=dict, init=False, repr=False)
    compiled: dict[str, list[int]] = field(default_factory=dict, init=False, repr=False)
    held: int = field(default=0, init=False, repr=False)

    def probe(self, architecture: str, deadline: Deadline) -> Outcome:
        """The first trial of a rung: its default settings."""
        declared = self.context.architecture(architecture)
        if declared.needs_tensorflow:
            outcome = self.search(architecture, [], deadline)
            assert outcome is not None
            return outcome
        return run_trial(self.context, declared, 0, space_of(self.context, declared).default(), deadline)

    def search(self, architecture: str, recorded: list[Trial], deadline: Deadline) -> Outcome | None:
        """The next trial that the oracle proposes, or None where the space is searched out.

        recorded: the rung's trials so far, in order. Against the clock, what needs no TensorFlow is trained here until
        the worker has its libraries: the same settings, as they depend on the seed, the number and `recorded` only.
        """
        declared = self.context.architecture(architecture)
        if not declared.needs_tensorflow and self.context.plan.trials is None and not self.ready():
            return self._search_here(declared, recorded, deadline)
        number = next_number(recorded)
        return self._tried(lambda: self._search_job(architecture, recorded), Trial(architecture, number, {}, 0), deadline)

    def again(self, trial: Trial, deadline: Deadline) -> Outcome:
        """The settings of an earlier trial once more under the number and on the rows of this one."""
        if self.context.architecture(trial.architecture).needs_tensorflow:
            outcome = self._tried(lambda: {"do": "again", "trial": trial}, trial, deadline)
            assert outcome is not None
            return outcome
        return run_again(self.context, trial, deadline)

    def _search_job(self, architecture: str, recorded: list[Trial]) -> dict[str, Any]:
        return {"do": "trial", "architecture": architecture, "recorded": self._news(architecture, recorded)}

    def _tried(self, job: Callable[[], dict[str, Any]], trial: Trial, deadline: Deadline) -> Outcome | None:
        """What the worker makes of a job, which is put together once it is open; `trial` stands for a job without an answer."""
        started = time.monotonic()
        try:
            self.open(deadline)
            answer = self._ask(job(), deadline)
        except TrainingError as error:
            status = "out of time" if isinstance(error, OutOfTimeError) else "failed"
            return Outcome(replace(trial, status=status, message=str(error)), None, time.monotonic() - started)
        if answer.get("exhausted"):
            return None
        predictions = np.load(self.folder / "trial.npy") if answer["predictions"] else None
        known = (answer[name] for name in ("seconds", "once_seconds", "fit_seconds", "thrift"))
        outcome = Outcome(decode(Trial, answer["trial"]), predictions, *known)
        self.compiled.setdefault(outcome.trial.architecture, []).append(outcome.trial.number)
        self._renew()
        return outcome

    def has_compiled(self, trial: Trial) -> bool:
        """Whether the worker has the programs of a trial still: a learner keeps those that it used last."""
        return trial.number in self.compiled.get(trial.architecture, [])[-KEPT_PROGRAMS:]

    def _search_here(self, declared: Architecture, recorded: list[Trial], deadline: Deadline) -> Outcome | None:
        number, space = next_number(recorded), space_of(self.context, declared)
        settings = propose(space, space_seed(self.context, declared.name), number, recorded, self.context.metric)
        best = next(iter(best_of(recorded, self.context.metric)), None)
        return None if settings is None else run_trial(self.context, declared, number, settings, deadline, best)

    def _news(self, architecture: str, recorded: list[Trial]) -> list[Trial]:
        """The trials that the worker has not heard of, without what neither its oracle nor a trial to be stopped asks for."""
        known = self.heard.get(architecture, 0)
        self.heard[architecture] = len(recorded)
        return [replace(trial, training_scores=(), resampled=()) for trial in recorded[known:]]

    def fresh(self, trial: Trial, fold: int, deadline: Deadline) -> tuple[float, tuple[float, ...]]:
        """The score of a trial's settings on one fresh fold, and on resamples of it where it is the only one."""
        rows = self.context.fresh_folds[fold].validation
        if trial.members:
            parts = [self._fresh_prediction(member.trial, fold, deadline) for member in trial.members]
            prediction = pooled(parts, [member.weight for member in trial.members], trial.pool)
        else:
            prediction = self._fresh_prediction(trial, fold, deadline)
        return self.context.score(rows, prediction), self.context.resampled(rows, prediction)

    def _fresh_prediction(self, trial: Trial, fold: int, deadline: Deadline) -> Array:
        """What a trial's settings, fitted on the training rows of a fresh fold, predict for its validation rows."""
        key = trial.id, fold
        if key in self.predicted:
            return self.predicted[key]
        if needs_worker(self.context, trial):
            self._ask({"do": "fresh", "trial": trial, "fold": fold}, deadline)
            self.predicted[key] = np.load(self.folder / "fresh.npy")
        else:
            with failing_as_training_error():
                found = run_fresh(self.context, trial, fold, deadline)
            self.predicted.update({(trial.id, number): prediction for number, prediction in found.items()})
        return self.predicted[key]

    def price(self, trial: Trial) -> tuple[int, float] | None:
        """Bytes and milliseconds a row of the trial's graph.

        None where only the worker could tell, which is slow, or where there is no such graph: shipping will say why.
        """
        if needs_worker(self.context, trial):
            return None
        try:
            with failing_as_training_error():
                return price_of(self.context, trial)
        except AutomlError:
            return None

    def export(self, trial: Trial, rows: Array, contract: dict[str, Any], folder: Path, deadline: Deadline) -> dict[str, Any]:
        """Fit on `rows` and write a model folder; `parity.npy` in it waits for the gate."""
        if not needs_worker(self.context, trial):
            with failing_as_training_error():
                return fit_and_export(self.context, trial, rows, contract, folder)
        np.save(self.folder / "rows.npy", rows)
        job = {"do": "export", "trial": trial, "rows": str(self.folder / "rows.npy"), "contract": contract, "folder": str(folder)}
        return self._ask(job, deadline)

    def sanity(self, probe: str, trial: Trial, deadline: Deadline) -> Any:
        """What a probe of a net finds; see automl.search.sanity."""
        answer = self._ask({"do": "sanity", "probe": probe, "trial": trial}, deadline)
        return decode(
            {"repeated": Repeated, "shuffled": Shuffled, "memorised": Memorised, "rates": RateTest}[probe], answer["found"]
        )

    def open(self, deadline: Deadline, optional: bool = True) -> None:
        """Wait until the worker has its libraries and the data. optional: not any longer once the user interrupts.

        Raises OutOfTimeError where there is no worker or it does not get ready in time.
        """
        worker = self._begin_opening()
        if not self.opened:
            self.opening = False
            self.slowness = slowness_of(worker.answer(deadline, optional)["import_seconds"])
            self.opened = True

    def ready(self) -> bool:
        """Whether the worker could begin a job at once."""
        if self.worker is None or self.broken:
            return False
        try:
            if self._begin_opening().answered and not self.opened:
                self.open(Deadline(None))
        except TrainingError:
            self.broken = True
        return self.opened

    def _begin_opening(self) -> Worker:
        """Hand the data to the worker, without waiting for it to have its libraries."""
        if self.worker is None:
            raise OutOfTimeError("the budget leaves no time for the training worker")
        if self.worker.process is None or (self.worker.process.poll() is not None and not self.opening):
            self.worker.start()
            self.opened = self.opening = False
        if not self.opened and not self.opening:
            if not (self.folder / "profile.json").is_file():
                save_context(self.context, self.folder)
            self.worker.send({"do": "open", "folder": str(self.folder)})
            self.opening, self.heard, self.compiled, self.held = True, {}, {}, 0
        return self.worker

    def _renew(self) -> None:
        """End a worker that has grown, and start another, which gets its libraries while trees are searched here."""
        assert self.worker is not None
        holds = 0 if self.worker.process is None else resident_bytes(self.worker.process.pid)
        self.held = self.held or holds
        if holds > self.held + GROWN_BYTES:
            self.worker.stop()
            self.opened = self.opening = False
            self._begin_opening()

    def _ask(self, job: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        optional = job["do"] in ("trial", "again", "sanity")
        self.open(deadline, optional)
        assert self.worker is not None
        return self.worker.ask(job, deadline, optional)

    def close(self) -> None:
        if self.worker is not None:
            self.worker.stop()
