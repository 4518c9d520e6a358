"""Laws of the training worker: what it cannot do in time, or at all, ends in a sentence and never in waiting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import automl
from automl.core.clock import Deadline
from automl.core.errors import OutOfTimeError, TrainingError
from automl.search import Prepared, Worker, Workshop
from automl.search.trial import run_trial
from tests.search.made_up import frame_of, prepared_of

NEVER = Deadline(None)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(tmp_path, tmp_path / "worker.log")
    worker.start()
    yield worker
    worker.stop()


def test_an_unknown_job_is_an_error_and_the_worker_lives_on(worker: Worker) -> None:
    started = worker.process
    with pytest.raises(TrainingError, match="nonsense"):
        worker.ask({"do": "nonsense"}, NEVER)
    with pytest.raises(TrainingError, match="nonsense"):
        worker.ask({"do": "nonsense"}, NEVER)
    worker.start()
    assert worker.process is started
    assert "Traceback" in worker.log.read_text()


def test_a_job_that_outlives_its_deadline_ends_the_worker(worker: Worker, tmp_path: Path) -> None:
    """Opening waits for libraries that take longer to import than is allowed here."""
    assert worker.process is not None
    pid, asked = worker.process.pid, time.monotonic()
    with pytest.raises(OutOfTimeError, match="ran out of time and was ended"):
        worker.ask({"do": "open", "folder": str(tmp_path)}, Deadline(0.05))
    assert time.monotonic() - asked < 4.0
    assert worker.process is None
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("trial", [{"do": "trial", "architecture": "mlp", "recorded": []}, {"do": "open", "folder": "x"}])
def test_an_interrupt_ends_what_the_result_can_do_without(trial: dict[str, object], worker: Worker, tmp_path: Path) -> None:
    worker.send({"do": "open", "folder": str(tmp_path)})
    deadline = Deadline(100.0)
    threading.Timer(0.3, deadline.interrupt).start()
    asked = time.monotonic()
    with pytest.raises(OutOfTimeError, match="interrupted"):
        worker.ask(trial, deadline.until(), optional=True)
    assert time.monotonic() - asked < 2.0
    assert worker.process is None


def test_an_interrupt_does_not_end_what_the_result_needs(worker: Worker) -> None:
    deadline = Deadline(100.0)
    deadline.interrupt()
    with pytest.raises(TrainingError, match="nonsense"):
        worker.ask({"do": "nonsense"}, deadline)
    assert worker.process is not None


def test_a_worker_that_dies_is_told_and_can_be_started_again(worker: Worker, tmp_path: Path) -> None:
    assert worker.process is not None
    threading.Timer(0.2, os.kill, (worker.process.pid, signal.SIGKILL)).start()
    with pytest.raises(TrainingError, match="the training worker ended with code -9"):
        worker.ask({"do": "open", "folder": str(tmp_path)}, NEVER)
    with pytest.raises(TrainingError, match="the training worker ended"):
        worker.ask({"do": "open", "folder": str(tmp_path)}, NEVER)
    worker.start()
    with pytest.raises(TrainingError, match="nonsense"):
        worker.ask({"do": "nonsense"}, NEVER)


def test_without_a_worker_a_net_fails_with_a_sentence(tmp_path: Path) -> None:
    prepared = prepared_of(frame_of())[1]
    outcome = Workshop(prepared.context, tmp_path, None).probe("mlp", Deadline(10.0))
    assert outcome.trial.status == "out of time"
    assert "no time for the training worker" in outcome.trial.message


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    frame = frame_of(300, "multiclass").assign(weight=np.random.default_rng(0).integers(0, 3, 300))
    frame["when"] = np.datetime64("2024-01-01") + np.arange(300).astype("timedelta64[D]")
    return prepared_of(frame, only=["linear", "boosting"], weight="weight")[1]


@pytest.mark.slow
def test_the_worker_trains_what_this_process_would(prepared: Prepared, tmp_path: Path) -> None:
    """The context travels whole: weights, dates, categories, folds; the same settings give the same numbers there."""
    worker = Worker(tmp_path, tmp_path / "worker.log")
    workshop = Workshop(prepared.context, tmp_path / "context", worker)
    try:
        for name in ("linear", "boosting"):
            here = workshop.probe(name, NEVER)
            there = workshop.search(name, [], NEVER)
            assert there is not None
            assert there.trial == here.trial
            assert np.array_equal(there.predictions, here.predictions, equal_nan=True)  # type: ignore[arg-type]
            second = workshop.search(name, [there.trial], NEVER)
            assert second is not None
            assert (second.trial.number, second.trial.status) == (1, "ok")
            declared = prepared.context.architecture(name)
            assert run_trial(prepared.context, declared, 1, second.trial.settings, NEVER).trial == second.trial
        cut_short = workshop.search("boosting", [here.trial], Deadline(0.0))
        assert cut_short is not None
        assert cut_short.trial.score is None or cut_short.trial.rounds > 0
    finally:
        workshop.close()
    assert worker.process is None


@pytest.mark.slow
def test_a_worker_that_has_grown_is_renewed_and_goes_on_where_it_was(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a worker holds after its first trial is not growth; one that grew is renewed, and the next trial is the one that it
    would have made."""
    worker = Worker(tmp_path, tmp_path / "worker.log")
    workshop = Workshop(prepared.context, tmp_path / "context", worker)
    try:
        monkeypatch.setattr("automl.search.workshop.GROWN_BYTES", 1 << 50)
        workshop.open(NEVER)
        first = workshop.search("boosting", [], NEVER)
        assert first is not None
        process = worker.process
        assert workshop.held > 0
        assert workshop.has_compiled(first.trial)
        monkeypatch.setattr("automl.search.workshop.GROWN_BYTES", -(1 << 50))
        second = workshop.search("boosting", [first.trial], NEVER)
        assert second is not None
        assert worker.process is not process
        assert workshop.held == 0
        assert not workshop.has_compiled(first.trial)
        monkeypatch.setattr("automl.search.workshop.GROWN_BYTES", 1 << 50)
        workshop.open(NEVER)
        third = workshop.search("boosting", [first.trial, second.trial], NEVER)
        assert third is not None
        assert workshop.has_compiled(third.trial)
        declared = prepared.context.architecture("boosting")
        assert run_trial(prepared.context, declared, 2, third.trial.settings, NEVER).trial == third.trial
    finally:
        workshop.close()


@pytest.mark.parametrize("busy", [False, True])
def test_a_worker_whose_parent_is_killed_ends_and_removes_its_copy_of_the_data(busy: bool, tmp_path: Path) -> None:
    folder = tmp_path / "automl-scratch"
    folder.mkdir()
    job = {"do": "open", "folder": str(folder / "context"), "until": None}
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from automl.search import Worker\n"
        "worker = Worker(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "worker.start()\n"
        f"worker.send({job!r}) if {busy} else None\n"
        "(Path(sys.argv[1]) / 'data.npz').write_text('a copy')\n"
        "print(worker.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(automl.__file__).parents[1])}
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "worker.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        time.sleep(0.5 if busy else 0.0)
        assert (folder / "data.npz").exists()
        parent.kill()
    gone_by = time.monotonic() + 20.0
    while folder.exists() or Path(f"/proc/{worker}").exists():
        assert time.monotonic() < gone_by, "the worker or its files outlived the parent"
        time.sleep(0.05)
