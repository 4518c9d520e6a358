"""Trials that are as good as the best, and how far apart the sensitive groups are in each: the choice is then the user's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.evidence import FairTrial, Trial
from automl.core.options import MOST_LOST
from automl.search.context import Context
from automl.search.group_thresholds import FEWEST_ROWS, GroupedRows, cross_group_thresholds
from automl.search.trial import Outcome
from automl.splitting import seeds

Array = np.ndarray[Any, Any]

MOST_TRIALS, MOST_ROWS = 10, 40_000
"""Trials that are told, the best first; out-of-fold rows that they are compared on."""


def one_standard_error(trial: Trial) -> float:
    """Of the mean over the folds, or over the resamples of one holdout; NaN where there is neither."""
    scores = np.asarray(trial.fold_scores, np.float64)
    scores = scores[np.isfinite(scores)]
    if len(scores) > 1:
        return float(scores.std(ddof=1) / math.sqrt(len(scores)))
    return float(np.std(trial.resampled)) if trial.resampled else math.nan


@dataclass(frozen=True)
class Fairness:
    """Measures trials by the groups of the training rows. by: the sensitive columns of a table with two classes."""

    context: Context
    by: GroupedRows

    def as_good(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Trials whose score is within one standard error of the best of them (Breiman and others, 1984), the best first."""
        gain = self.context.metric.gain
        usable = [each for each in outcomes if each.trial.score is not None and each.predictions is not None]
        usable = [each for each in usable if self.context.architecture(each.trial.architecture).rung > 0]
        usable.sort(key=lambda each: -gain(each.trial.score or 0.0, 0.0))
        if not usable:
            return []
        error = one_standard_error(usable[0].trial)
        return [each for each in usable if gain(usable[0].trial.score or 0.0, each.trial.score or 0.0) <= error]

    def fairest(self, outcomes: Sequence[Outcome]) -> Outcome | None:
        """The one of these that are as good as the best with the smallest gap; the better one on a tie."""
        return min(self.as_good(outcomes), key=self.gap, default=None)

    def gap(self, outcome: Outcome) -> float:
        """In equalised odds, the largest over the columns, out of fold, where the more probable class is called."""
        rows, probability, happened = self._known(outcome)
        return self._gap(rows, happened, probability >= 0.5)

    def measured(self, outcomes: Sequence[Outcome]) -> tuple[FairTrial, ...]:
        """Those that are as good as the best, without and with thresholds by group that were chosen on other rows."""
        return tuple(self._measured(outcome) for outcome in self.as_good(outcomes)[:MOST_TRIALS])

    def _measured(self, outcome: Outcome) -> FairTrial:
        rows, probability, happened = self._known(outcome)
        plan = self.context.plan
        weight = np.ones(len(rows)) if self.context.weight is None else self.context.weight[rows]
        lost = MOST_LOST if plan.max_accuracy_loss is None else plan.max_accuracy_loss
        _, crossed = cross_group_thresholds(self.by, rows, probability, happened, weight, 0.5, lost)
        trial, usual = outcome.trial, probability >= 0.5
        return FairTrial(
            trial.architecture,
            trial.number,
            float(trial.score or 0.0),
            float(np.average(usual == happened, weights=weight)),
            self._gap(rows, happened, usual),
            float(np.average(crossed.fair == happened, weights=weight)),
            crossed.gap(lambda chosen, called: self._gap(rows[chosen], happened[chosen], called[chosen])),
        )

    def _known(self, outcome: Outcome) -> tuple[Array, Array, Array]:
        predictions = np.asarray(outcome.predictions)
        rows = np.flatnonzero(np.isfinite(predictions).all(axis=1))
        if len(rows) > MOST_ROWS:
            generator = np.random.default_rng(seeds(self.context.plan.seed)("rows compared by groups"))
            rows = np.sort(generator.choice(rows, MOST_ROWS, replace=False))
        return rows, predictions[rows, self.context.positive], self.context.target[rows] == self.context.positive

    def _gap(self, rows: Array, happened: Array, called: Array) -> float:
        gaps = [0.0]
        for column in self.by.columns:
            groups = np.minimum(column.codes(self.by.table.columns[column.name])[rows], len(column.groups))
            for truth in (False, True):
                base = happened == truth
                size = np.bincount(groups[base], minlength=len(column.groups) + 1)
                rate = np.bincount(groups[base], called[base].astype(np.float64), len(size)) / np.maximum(size, 1)
                if (size >= FEWEST_ROWS).sum() > 1:
                    gaps.append(float(np.ptp(rate[size >= FEWEST_ROWS])))
        return max(gaps)
