"""KerasTuner, and the only place that imports it: an oracle that is rebuilt from the journal, a tuner that runs our trials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.errors import FailedTrialError

from automl.core.evidence import Trial
from automl.core.metrics import Metric
from automl.core.space import Choice, Float, Settings, Space
from automl.search.proposing import next_number, propose
from automl.search.trial import Outcome


class PortfolioOracle(keras_tuner.Oracle):
    """Known good settings first and in order, then points around the best ones and at random within the declared space.

    Trial n is a function of (seed, n) and the trials before, so a rebuilt oracle goes on where the last one stopped.
    """

    def __init__(self, space: Space, metric: Metric, seed: int, recorded: list[Trial]) -> None:
        direction = "max" if metric.greater_is_better else "min"
        super().__init__(
            objective=keras_tuner.Objective("score", direction),
            max_trials=None,
            hyperparameters=hyperparameters(space),
            seed=seed or 1,
            max_consecutive_failed_trials=1_000_000,
        )
        self.space = space
        self.metric = metric
        self.run_seed = seed
        self.recorded = list(recorded)
        self.drawn: list[tuple[int, Settings]] = []
        self.verbose = 0

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        number = next_number(self.recorded)
        settings = propose(self.space, self.run_seed, number, self.recorded, self.metric)
        if settings is None or len(self.trials) >= (self.max_trials or 0):
            return {"status": "STOPPED", "values": {}}
        self.drawn.append((number, settings))
        return {"status": "RUNNING", "values": settings}


class TrialTuner(keras_tuner.Tuner):
    """Runs a trial on the folds. `run` does the work and reports; the tuner hears the score."""

    def __init__(self, oracle: PortfolioOracle, run: Callable[[int, Settings], Outcome], folder: Path) -> None:
        super().__init__(oracle=oracle, hypermodel=None, directory=str(folder), project_name="search", overwrite=True)
        self.run = run

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        number, settings = self.oracle.drawn[-1]
        outcome = self.run(number, settings)
        self.oracle.recorded.append(outcome.trial)
        if outcome.trial.score is None:
            raise FailedTrialError(outcome.trial.message)
        return {"score": outcome.trial.score}


def search_once(tuner: TrialTuner) -> bool:
    """Run one more trial; False where the space is searched out."""
    before = len(tuner.oracle.trials)
    tuner.oracle.max_trials = before + 1
    tuner.search()
    return len(tuner.oracle.trials) > before


def hyperparameters(space: Space) -> Any:
    """A declared space in KerasTuner's terms, conditions included."""
    declared = keras_tuner.HyperParameters()
    for name, dimension in space.dimensions.items():
        with _scope(declared, dimension.when):
            if isinstance(dimension, Choice):
                declared.Choice(name, list(dimension.values), default=dimension.default)
            elif isinstance(dimension, Float):
                sampling = "log" if dimension.log else "linear"
                declared.Float(name, dimension.low, dimension.high, sampling=sampling, default=dimension.default)
            else:
                options: dict[str, Any] = {"sampling": "log"} if dimension.log else {"step": dimension.step}
                declared.Int(name, dimension.low, dimension.high, default=dimension.default, **options)
    return declared


@contextmanager
def _scope(declared: Any, when: tuple[str, tuple[Any, ...]] | None) -> Iterator[None]:
    if when is None:
        yield
        return
    with declared.conditional_scope(when[0], list(when[1])):
        yield
