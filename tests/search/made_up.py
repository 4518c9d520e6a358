"""A real, small context, and a workshop whose outcomes are made up: scores and seconds by rung, on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.core.clock import Deadline
from automl.core.dataset import Dataset
from automl.core.errors import OutOfTimeError
from automl.core.events import Event
from automl.core.evidence import Trial
from automl.core.options import make_options
from automl.profiling import profile
from automl.reading import read
from automl.recommending import recommend
from automl.search import Climb, Journal, Prepared, prepare
from automl.search.context import Context
from automl.search.trial import Outcome

FOLDS = 5
LADDER = ("baseline", "linear", "boosting", "mlp")


def frame_of(rows: int = 600, task: str = "binary", seed: int = 0) -> pd.DataFrame:
    """Two numbers and a category that tell something about the target."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(generator.normal(size=(rows, 2)), columns=["a", "b"])
    frame["c"] = generator.choice(["x", "y", "z"], rows)
    signal = frame["a"] + (frame["c"] == "x") + generator.normal(0, 0.5, rows)
    values = {"binary": signal > 0.5, "multiclass": np.digitize(signal, [0.0, 1.0]), "regression": signal}[task]
    return frame.assign(target=values)


def prepared_of(frame: pd.DataFrame, **options: Any) -> tuple[Dataset, Prepared]:
    chosen = make_options({"target": "target", "jobs": 1, **options})
    dataset = read(frame)
    found = profile(dataset, chosen)
    return dataset, prepare(dataset, found, recommend(found, chosen))


@dataclass
class Clock:
    """Seconds that pass only where work is done."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Rung:
    """How a rung fares: its scores on search and fresh folds, and what a trial (all folds) costs."""

    search: Sequence[float]
    fresh: Sequence[float]
    seconds: float = 0.1
    status: str = "ok"


def around(mean: float, noise: float = 0.004, seed: int = 0, count: int = 2 * FOLDS) -> tuple[float, ...]:
    generator = np.random.default_rng(seed)
    drawn = generator.normal(0.0, noise, count)
    return tuple((mean + drawn - drawn.mean()).tolist())


@dataclass
class MadeUpWorkshop:
    """Stands in for Workshop. `asked` keeps every job in order, with the time at which it was begun."""

    rungs: dict[str, Rung]
    clock: Clock
    context: Context
    searches: dict[str, int] = field(default_factory=dict)
    worker: object | None = None
    asked: list[tuple[str, str, float]] = field(default_factory=list)
    broken: bool = False
    slowness: float = 1.0
    compiled: tuple[int, ...] = ()

    def ready(self) -> bool:
        return self.worker is not None

    def open(self, deadline: Deadline) -> None:
        if self.worker is None:
            raise OutOfTimeError("the budget leaves no time for the training worker")

    def probe(self, architecture: str, deadline: Deadline) -> Outcome:
        return self._run("probe", architecture, 0, deadline)

    def search(self, architecture: str, recorded: list[Trial], deadline: Deadline) -> Outcome | None:
        if len(recorded) > self.searches.get(architecture, 10**6):
            return None
        return self._run("search", architecture, len(recorded), deadline)

    def fresh(self, trial: Trial, fold: int, deadline: Deadline) -> tuple[float, tuple[float, ...]]:
        self.asked.append(("fresh", trial.architecture, self.clock.now))
        rung = self.rungs[trial.architecture]
        if deadline.expired or deadline.left_seconds() < rung.seconds / FOLDS:
            raise OutOfTimeError("there was no time left")
        self.clock.now += rung.seconds / FOLDS
        return rung.fresh[fold], ()

    def price(self, trial: Trial) -> tuple[int, float] | None:
        return 1000, 0.1

    def has_compiled(self, trial: Trial) -> bool:
        return trial.number in self.compiled

    def _run(self, what: str, architecture: str, number: int, deadline: Deadline) -> Outcome:
        self.asked.append((what, architecture, self.clock.now))
        rung = self.rungs[architecture]
        self.clock.now += min(rung.seconds, deadline.left_seconds())
        if rung.status != "ok":
            return Outcome(Trial(architecture, number, {}, 7, status=rung.status, message="it would not"), None, rung.seconds)
        scores = tuple(rung.search) if number == 0 else tuple(score - 0.001 for score in rung.search)
        trial = Trial(architecture, number, self._settings(architecture), 7, score=float(np.mean(scores)), fold_scores=scores)
        return Outcome(trial, np.zeros((len(self.context.target), 2)), rung.seconds)

    def _settings(self, architecture: str) -> dict[str, Any]:
        return self.context.architecture(architecture).space(self.context.profile).default()


def climb_of(
    context: Context, rungs: dict[str, Rung], folder: Path, budget: float | None = None, **workshop: Any
) -> tuple[Climb, MadeUpWorkshop, list[Event]]:
    clock = Clock()
    heard: list[Event] = []
    made_up: Any = MadeUpWorkshop(rungs, clock, context, **workshop)
    deadline = Deadline(budget, clock=clock)
    listen: Callable[[Event], None] = heard.append
    journal = Journal(folder, folder / "work", timed=context.plan.trials is None)
    return Climb(context, journal, made_up, deadline, listen), made_up, heard
