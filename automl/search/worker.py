"""The training worker: a process of its own for KerasTuner and TensorFlow, driven by JSON lines over pipes.

Ending the worker is how a deadline, an interrupt, a memory cap or a native crash is survived.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from automl.core.clock import INNER_FRACTION, Deadline
from automl.core.errors import AutomlError, BeyondMemoryError, OutOfTimeError, TrainingError
from automl.core.evidence import Trial
from automl.core.files import decode, dump_json
from automl.core.memory import GIB, give_back, resident_bytes
from automl.core.openmp import wait_briefly

if TYPE_CHECKING:
    from automl.search.trial import Outcome

POLL_SECONDS = 0.2
OVERTIME_SECONDS = 2.0
"""How far a job may run past its own deadline before the worker is ended."""


@dataclass
class Worker:
    """The parent's end. Jobs run one at a time; a job that outlives its limit ends the process.

    folder: of the run's passing files; where the parent is killed, the process removes it.
    log: what the process writes to stderr goes there.
    limit_bytes: what this process and the worker may take of memory together; the worker is ended where they take more.
    """

    folder: Path
    log: Path
    limit_bytes: int | None = None
    process: subprocess.Popen[bytes] | None = None
    answers: queue.Queue[dict[str, Any] | None] = field(default_factory=queue.Queue)
    listener: threading.Thread | None = None

    def start(self) -> None:
        """Start the process; it imports its libraries while the caller goes on."""
        if self.process is not None and self.process.poll() is None:
            return
        self.stop()
        self.answers = queue.Queue()
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
        wait_briefly(environment)
        environment["PYTHONHASHSEED"] = "0"  # tf2onnx names what it merges in the order of a set
        command = [sys.executable, "-m", "automl.search.worker", str(self.folder)]
        paths = [str(Path(__file__).resolve().parents[2]), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self.listener = threading.Thread(target=_listen, args=(self.process.stdout, self.answers), daemon=True)
        self.listener.start()

    def send(self, job: dict[str, Any]) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write((dump_json(job, indent=None) + "\n").encode())
            self.process.stdin.flush()
        except OSError as error:
            raise TrainingError(f"the training worker ended ({error})") from None

    def ask(self, job: dict[str, Any], deadline: Deadline, optional: bool = False) -> dict[str, Any]:
        """Run a job and wait for its answer. A job that is optional is given up when the user interrupts.

        Raises OutOfTimeError where the job had to be ended or gave up for want of time, TrainingError where it failed
        or the worker died.
        """
        left = deadline.left_seconds()
        limit = None if left == float("inf") else left
        self.send({**job, "until": None if limit is None else time.time() + limit})
        return self.answer(deadline, optional)

    @property
    def answered(self) -> bool:
        """Whether the answer to the job that was sent has come, or the process has ended instead."""
        return not self.answers.empty()

    def answer(self, deadline: Deadline, optional: bool = False) -> dict[str, Any]:
        """Wait for the answer to the job that was sent. Raises as `ask` does."""
        answer = self._wait(deadline, optional)
        if "error" in answer:
            raise (OutOfTimeError if answer["out_of_time"] else TrainingError)(answer["error"])
        return answer

    def _wait(self, deadline: Deadline, optional: bool) -> dict[str, Any]:
        left = deadline.left_seconds()
        until = time.monotonic() + left + OVERTIME_SECONDS
        while True:
            try:
                answer = self.answers.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if optional and deadline.interrupted:
                    self.stop()
                    raise OutOfTimeError("the run was interrupted") from None
                if self._takes_too_much():
                    self.stop()
                    assert self.limit_bytes is not None
                    raise BeyondMemoryError(f"it needed more than the {self.limit_bytes / GIB:.3g} GB of --memory") from None
                if time.monotonic() > until:
                    self.stop()
                    raise OutOfTimeError("the training worker ran out of time and was ended") from None
                continue
            if answer is None:
                code = self.process.wait() if self.process is not None else None
                raise TrainingError(f"the training worker ended with code {code}")
            return answer

    def _takes_too_much(self) -> bool:
        if self.limit_bytes is None or self.process is None:
            return False
        return resident_bytes() + resident_bytes(self.process.pid) > self.limit_bytes

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.listener is not None:
                self.listener.join(5.0)
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # a job that nobody will read any more may still be in the buffer
                        pipe.close()
            self.process = None


def _listen(pipe: IO[bytes] | None, answers: queue.Queue[dict[str, Any] | None]) -> None:
    assert pipe is not None
    for line in pipe:
        answers.put(json.loads(line))
    answers.put(None)


class Session:
    """The worker's end: what a job does."""

    def __init__(self) -> None:
        self.context: Any = None
        self.recorded: dict[str, list[Trial]] = {}
        self.fresh_predictions: dict[tuple[str, int], Any] = {}
        self.folder = Path()

    def answer(self, job: dict[str, Any]) -> dict[str, Any]:
        if job["do"] == "open":
            from automl.search.context import load_context

            seconds = _import_libraries()
            self.folder = Path(job["folder"])
            self.context, self.recorded, self.fresh_predictions = load_context(self.folder), {}, {}
            return {"ready": True, "import_seconds": seconds}
        until = job.get("until")
        deadline = Deadline(None if until is None else max(0.0, until - time.time()) / INNER_FRACTION)
        handlers = {"trial": self.trial, "again": self.again, "fresh": self.fresh, "export": self.export, "sanity": self.sanity}
        return handlers[job["do"]](job, deadline)

    def trial(self, job: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        """One more trial of an architecture, chosen by its oracle. `recorded` are the trials that it has not heard of yet."""
        from automl.search.proposing import best_of
        from automl.search.trial import run_trial, space_of, space_seed
        from automl.search.tuning import PortfolioOracle, TrialTuner, search_once

        context, name = self.context, job["architecture"]
        done: list[Outcome] = []

        def run(number: int, settings: dict[str, Any]) -> Outcome:
            best = next(iter(best_of(recorded, context.metric)), None)
            done.append(run_trial(context, context.architecture(name), number, settings, self.deadline, best))
            return done[-1]

        self.deadline = deadline
        recorded = self.recorded.setdefault(name, [])
        recorded += [decode(Trial, trial) for trial in job["recorded"]]
        space = space_of(context, context.architecture(name))
        oracle = PortfolioOracle(space, context.metric, space_seed(context, name), recorded)
        tuner = TrialTuner(oracle, run, self.folder / "keras_tuner" / name)
        if not search_once(tuner) or not done:
            return {"exhausted": True}
        return self._told(done[0])

    def again(self, job: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        """The settings of a trial that was run before, under another number and on other rows."""
        from automl.search.trial import run_again

        return self._told(run_again(self.context, decode(Trial, job["trial"]), deadline))

    def _told(self, outcome: Outcome) -> dict[str, Any]:
        import numpy as np

        if outcome.predictions is not None:
            np.save(self.folder / "trial.npy", outcome.predictions)
        known = {name: getattr(outcome, name) for name in ("seconds", "once_seconds", "fit_seconds", "thrift")}
        return {"trial": outcome.trial, **known, "predictions": outcome.predictions is not None}

    def fresh(self, job: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        """The predictions of one fresh fold; those that were trained together with it are kept for the next jobs."""
        import numpy as np

        from automl.search.trial import run_fresh

        trial, fold = decode(Trial, job["trial"]), int(job["fold"])
        if (trial.id, fold) not in self.fresh_predictions:
            found = run_fresh(self.context, trial, fold, deadline)
            self.fresh_predictions.update({(trial.id, number): prediction for number, prediction in found.items()})
        prediction = self.fresh_predictions[trial.id, fold]
        np.save(self.folder / "fresh.npy", prediction)
        return {"predicted": len(prediction)}

    def sanity(self, job: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        """A probe of a net; it is short, and ended from outside where it takes too long."""
        from automl.search.sanity import run_probe

        return {"found": run_probe(self.context, job["probe"], decode(Trial, job["trial"]))}

    def export(self, job: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        import numpy as np

        from automl.search.trial import fit_and_export

        rows = np.load(job["rows"])
        return fit_and_export(self.context, decode(Trial, job["trial"]), rows, job["contract"], Path(job["folder"]))


def main() -> None:
    """Answer jobs until standard input ends, which it only does where the parent was killed: it ends the worker itself.

    The argument is the folder with the copy of the data: its owner being dead, it is removed. Standard output carries
    answers only; whatever libraries print goes to stderr.
    """
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    threading.Thread(target=_import_libraries, daemon=True).start()
    folder = Path(sys.argv[1])
    threading.Thread(target=_follow, args=(os.getppid(), folder), daemon=True).start()
    session = Session()
    for line in sys.stdin.buffer:
        try:
            answer = session.answer(json.loads(line))
        except AutomlError as error:
            answer = {"error": str(error), "out_of_time": isinstance(error, OutOfTimeError)}
        except Exception as error:  # the boundary of the process: the parent decides what a failed job means
            import traceback

            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}", "out_of_time": False}
        give_back()
        try:
            answers.write((dump_json(answer, indent=None) + "\n").encode())
        except BrokenPipeError:
            break
    _leave(folder)


def _follow(parent: int, folder: Path) -> None:
    """End with the parent, also where that was killed in the middle of a job."""
    while os.getppid() == parent:
        time.sleep(1.0)
    _leave(folder)


def _leave(folder: Path) -> None:
    """End at once, and leave no copy of the data behind."""
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


_importing = threading.Lock()
_import_seconds: list[float] = []


def _import_libraries() -> float:
    """Import the slow libraries, at once while the parent still reads and profiles. Returns the seconds that it took."""
    with _importing:
        if not _import_seconds:
            started = time.monotonic()
            import automl.search.tuning  # noqa: F401

            _import_seconds.append(time.monotonic() - started)
    return _import_seconds[0]


if __name__ == "__main__":
    main()
