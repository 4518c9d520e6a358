"""How the rungs stand after the trials so far: their finalists, who leads, and who is out of the running."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from automl.core.evidence import Trial, scores_of_choice
from automl.search.context import Context
from automl.search.deciding import BEYOND_DOUBT, LIKELY, worse
from automl.search.trial import Outcome

SLOW_SECONDS, SLOW_SHARE = 5.0, 0.02
"""Rungs whose trials take this, or such a share of the budget, and that are worse beyond doubt get no fresh folds."""


@dataclass
class Standing:
    """The trials on the search folds. `outcomes` only grows; everything else is derived from it."""

    context: Context
    outcomes: list[Outcome] = field(default_factory=list)
    _by_rung: dict[str, list[Outcome]] = field(default_factory=dict, init=False, repr=False)
    _best: dict[str, Outcome] = field(default_factory=dict, init=False, repr=False)
    _worse: dict[tuple[str, str, float], bool] = field(default_factory=dict, init=False, repr=False)

    def add(self, outcome: Outcome) -> None:
        name = outcome.trial.architecture
        self.outcomes.append(outcome)
        self._by_rung.setdefault(name, []).append(outcome)
        known = self._best.get(name)
        if outcome.trial.score is not None and (known is None or self._rank(outcome) > self._rank(known)):
            self._best[name] = outcome

    def prefer(self, outcomes: Mapping[str, Outcome]) -> None:
        """Let these stand for their rungs instead of the best."""
        self._best |= outcomes

    @property
    def folds(self) -> int:
        """Folds of one shuffling."""
        return sum(fold.repeat == 0 for fold in self.context.search_folds)

    def of(self, architecture: str) -> list[Outcome]:
        """The trials of a rung in their order."""
        return self._by_rung.get(architecture, [])

    def best(self, architecture: str) -> Outcome | None:
        """The rung's finalist: the best score on the search folds, the earlier trial on a tie."""
        return self._best.get(architecture)

    def finalists(self) -> list[Outcome]:
        """Of every rung that has one, the simplest rung first."""
        found = [self.best(rung.architecture) for rung in self.context.plan.ladder]
        return [outcome for outcome in found if outcome is not None]

    def leader(self) -> Outcome | None:
        """The best finalist of all rungs on the search folds."""
        return max(self.finalists(), key=self.value, default=None)

    def contenders(self) -> list[Outcome]:
        """The finalists that fresh folds will be spent on: all but slow ones that are worse, see `doubt`."""
        return [each for each in self.finalists() if not self.is_slow(each) or not self.is_hopeless(each, self.doubt)]

    def value(self, outcome: Outcome) -> float:
        """The score, greater is better; minus infinity without one."""
        score = outcome.trial.score
        return -math.inf if score is None else self.context.metric.gain(score, 0.0)

    def _rank(self, outcome: Outcome) -> tuple[float, float, int]:
        """Settings that were tried again on more rows stand for their rung, as they were the best on fewer."""
        return self.context.rows_a_fit(outcome.trial.most_rows), self.value(outcome), -outcome.trial.number

    def usual_seconds(self, architecture: str) -> float:
        """What a trial of the rung takes that is not stopped early."""
        whole = [each.seconds for each in self.of(architecture) if each.trial.status != "stopped"]
        return statistics.median(whole or [each.seconds for each in self.of(architecture)])

    def vain_trials(self, architecture: str) -> int:
        """Trials of a rung since its best one."""
        best = self.best(architecture)
        return sum(best is None or each.trial.number > best.trial.number for each in self.of(architecture))

    def scores_of_choice(self, trial: Trial) -> tuple[float, ...]:
        """What choosing a rung's finalist brings on the search folds."""
        tried = [each.trial for each in self.of(trial.architecture)]
        return scores_of_choice(trial, tried, self.context.metric.greater_is_better)

    @property
    def doubt(self) -> float:
        """The interval of the difference on the search folds that has to lie below zero where a slow rung is not run again.

        The preset best goes by the better mean, so that less speaks for another look at the worse one.
        """
        return LIKELY if self.context.plan.preset == "best" else BEYOND_DOUBT

    def is_slow(self, outcome: Outcome) -> bool:
        """Of an ensemble most is done: its members were run on fresh folds for themselves, or are few."""
        share = SLOW_SHARE * (self.context.plan.budget_seconds or math.inf)
        return not outcome.trial.members and outcome.seconds > min(SLOW_SECONDS, share)

    def is_hopeless(self, outcome: Outcome, level: float = BEYOND_DOUBT) -> bool:
        """Whether it is worse than the leader."""
        leader = self.leader()
        return leader is not None and self.is_worse(outcome, leader, level)

    def is_worse(self, outcome: Outcome, other: Outcome, level: float) -> bool:
        """Whether the interval of the difference at this level says that it is worse than the other."""
        known = outcome.trial.id, other.trial.id, level
        if known not in self._worse:
            self._worse[known] = worse(outcome.trial, other.trial, self.context.metric, self.folds, self.context.rolling, level)
        return self._worse[known]
