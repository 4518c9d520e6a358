"""Evidence: what was tried, how it scored, and each decision to climb or not with its test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automl.core.probes import Probes
from automl.core.readout import Readout

ALPHA = 0.10
"""One-sided level of the test that a climb has to pass."""
LINEAR, LOGARITHMIC = "linear", "logarithmic"
"""How an ensemble puts predictions together: by their weighted mean, or the weighted geometric mean of probabilities."""


@dataclass(frozen=True)
class Member:
    """A trial that is part of an ensemble, with what fitting it again takes. The weights of an ensemble sum to one.

    rows: as of the Trial.
    """

    architecture: str
    number: int
    settings: dict[str, Any]
    seed: int
    rounds: int
    weight: float
    rows: int | None = None

    @classmethod
    def of(cls, trial: Trial, weight: float = 1.0) -> Member:
        return cls(trial.architecture, trial.number, trial.settings, trial.seed, trial.rounds, weight, trial.rows)

    @property
    def trial(self) -> Trial:
        return Trial(self.architecture, self.number, self.settings, self.seed, rounds=self.rounds, rows=self.rows)


@dataclass(frozen=True)
class Trial:
    """One set of settings of one architecture, trained on the search folds (a line of trials.jsonl).

    score: mean over the folds in the metric's own direction; None where the trial failed.
    rounds: the stopping round (boosting rounds or epochs) that all folds share; 0 where there is none.
    curve: mean validation score after each evaluated round, as [round, score] pairs.
    resampled: with one holdout instead of folds, the scores of its bootstrap resamples, the same ones for every trial.
    rows: the most training rows that each fit learned from, a sample of the fold's; None where it learned from all.
    status: "ok", "failed", "out of time" or "stopped" (hopeless on the first fold, or half way through the epochs); message: why
        there is no score.
    members: of an ensemble: the trials whose predictions are put together; then `settings` are their weights by id, `score` and
        `fold_scores` come from members and weights that were found on the other folds. Of another trial: its fits with
        several seeds, see automl.search.seeding.
    pool: how the members' predictions become one, LINEAR or LOGARITHMIC; see automl.search.pooling.
    selection_scores: of an ensemble: the fold scores of the weights that ship, on the rows that chose them.
    """

    architecture: str
    number: int
    settings: dict[str, Any]
    seed: int
    status: str = "ok"
    score: float | None = None
    fold_scores: tuple[float, ...] = ()
    resampled: tuple[float, ...] = ()
    training_scores: tuple[float, ...] = ()
    rounds: int = 0
    curve: tuple[tuple[float, float], ...] = ()
    message: str = ""
    members: tuple[Member, ...] = ()
    selection_scores: tuple[float, ...] = ()
    rows: int | None = None
    pool: str = LINEAR

    @property
    def id(self) -> str:
        return f"{self.architecture}-{self.number}"

    @property
    def parts(self) -> tuple[Trial, ...]:
        """The trials that are fitted: its members', or itself."""
        return tuple(member.trial for member in self.members) or (self,)

    @property
    def most_rows(self) -> int | None:
        """As `rows`; of an ensemble, what its members learned from at most."""
        limits = [part.rows for part in self.parts]
        return None if None in limits else max(limit for limit in limits if limit is not None)


@dataclass(frozen=True)
class Final:
    """A rung's best settings, run again on fresh folds (fold seed B). resampled: as of a Trial, on the fresh holdout.

    size_bytes: of its graph where that was written, else an estimate.
    """

    architecture: str
    trial: int
    fold_scores: tuple[float, ...]
    score: float
    seconds: float
    size_bytes: int | None = None
    row_milliseconds: float | None = None
    resampled: tuple[float, ...] = ()
    size_measured: bool = False

    @property
    def measured(self) -> bool:
        """Whether the size is that of a written graph, whose rows were timed (all that runs of earlier versions tell)."""
        return self.size_measured or self.row_milliseconds is not None


@dataclass(frozen=True)
class Decision:
    """One climb, taken or not. `gain` is positive where the candidate is better, in the metric's unit.

    interval: confidence interval of the gain, two-sided at `level` (runs of earlier versions have 0.9); p_value: one-sided, of
    the test named in `test`. price: what the climb costs, such as {"seconds": 12.0, "bytes": 400000, "milliseconds_a_row": 0.1}.
    """

    candidate: str
    incumbent: str
    accepted: bool
    gain: float
    interval: tuple[float, float]
    p_value: float
    test: str
    sentence: str
    price: dict[str, float] = field(default_factory=dict)
    level: float = 0.9


@dataclass(frozen=True)
class FairTrial:
    """A trial that is as good as the best, out of fold. gap: the largest in equalised odds over the sensitive columns;
    fair_accuracy, fair_gap: with thresholds by group, what they bring told by rows that they were not chosen on."""

    architecture: str
    number: int
    score: float
    accuracy: float
    gap: float
    fair_accuracy: float
    fair_gap: float


@dataclass(frozen=True)
class Refusal:
    """A trial that was to be shipped and could not be.

    cause: "time" where that ran out, "limit" where the model is larger or slower than allowed, else "fault".
    why: the sentence that the export or the gate gave.
    """

    architecture: str
    cause: str
    why: str


@dataclass(frozen=True)
class Evidence:
    """Everything that the choice of the model rests on.

    fresh_folds: how many folds the climbs were decided on.
    searched: every rung on the search folds, by what choosing among its trials brings; for climbs without fresh folds.
    without_fresh: why there were none, where the preset left them out though there was time.
    champion: the architecture that was chosen; champion_trial: the number of its trial.
    failures: architecture to the sentence why it was left out after it failed.
    skipped: architecture to the sentence why there was no time for it; unneeded: why it was left out though there was.
    unshipped: what was to be shipped before `champion` and could not be, the chosen trial first.
    nested: fold scores of the repeated nested cross-validation (small data), else empty.
    readout: what is made of the probabilities of the model: calibrator and threshold, with what was tried.
    stopped: why the search ended, in words; gained_nothing: it ended before its time, as further trials brought nothing, so
        that time is not what it lacked.
    probes: what small experiments with the champion's form found.
    fairness: the trials that are as good as the best, by sensitive groups; finalists: the trial of each rung that was taken as
        the fairest of its best, where that was asked for.
    learning_curve: champion's score by share of the training rows, as [rows, mean score, low, high].
    fold_importances: by column what its shuffling costs in each fold, in the plan's metric, of the champion trained on the
        other folds; empty where that was not measured.
    """

    metric: str
    trials: tuple[Trial, ...]
    finals: tuple[Final, ...]
    decisions: tuple[Decision, ...]
    champion: str
    champion_trial: int
    fresh_folds: int
    rounds: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    nested: tuple[float, ...] = ()
    learning_curve: tuple[tuple[float, float, float, float], ...] = ()
    fold_importances: dict[str, tuple[float, ...]] = field(default_factory=dict)
    stopped: str = ""
    gained_nothing: bool = False
    readout: Readout = field(default_factory=Readout)
    unshipped: tuple[Refusal, ...] = ()
    fairness: tuple[FairTrial, ...] = ()
    finalists: dict[str, int] = field(default_factory=dict)
    probes: Probes = field(default_factory=Probes)
    unneeded: dict[str, str] = field(default_factory=dict)
    searched: tuple[Final, ...] = ()
    without_fresh: str = ""

    def best_trial(self, architecture: str) -> Trial | None:
        """The trial that the rung went on with, or None."""
        chosen = {**{final.architecture: final.trial for final in self.finals}, self.champion: self.champion_trial}
        for trial in self.trials:
            if trial.architecture == architecture and trial.number == chosen.get(architecture):
                return trial
        return None


def scores_of_choice(trial: Trial, tried: Iterable[Trial], greater_is_better: bool) -> tuple[float, ...]:
    """What choosing the best of a rung's trials brings: on every fold the score of the one that is best on the others.

    The best of many trials scores too well on the folds that it was chosen on; an ensemble's own scores are such already.
    trial: the one that was chosen; tried: all of its rung.
    """
    scores = trial.fold_scores
    alike = np.asarray([each.fold_scores for each in tried if each.score is not None and len(each.fold_scores) == len(scores)])
    if trial.members or len(scores) < 2 or len(alike) < 2:
        return scores
    value = alike if greater_is_better else -alike
    others = np.nansum(value, axis=1, keepdims=True) - np.nan_to_num(value)
    return tuple(float(alike[others[:, fold].argmax(), fold]) for fold in range(len(scores)))
