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
from automl.search.crossing import groups_of, parts_of
from automl.search.group_thresholds import FEWEST_ROWS, GroupedRows, fit_group_thresholds
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
        return _gap(self._compared(rows, happened), probability >= 0.5)

    def measured(self, outcomes: Sequence[Outcome]) -> tuple[FairTrial, ...]:
        """Those that are as good as the best, without and with thresholds by group that were chosen on other rows."""
        return tuple(self._measured(outcome) for outcome in self.as_good(outcomes)[:MOST_TRIALS])

    def _measured(self, outcome: Outcome) -> FairTrial:
        rows, probability, happened = self._known(outcome)
        plan = self.context.plan
        weight = np.ones(len(rows)) if self.context.weight is None else self.context.weight[rows]
        lost = MOST_LOST if plan.max_accuracy_loss is None else plan.max_accuracy_loss
        part = parts_of(groups_of(self.context, rows), np.random.default_rng(seeds(plan.seed)("thresholds by group")))
        _, crossed = fit_group_thresholds(self.by, rows, probability, happened, weight, 0.5, lost, part)
        trial, usual, compared = outcome.trial, probability >= 0.5, self._compared(rows, happened)
        gap = _gap(compared, usual)
        return FairTrial(
            trial.architecture,
            trial.number,
            float(trial.score or 0.0),
            float(np.average(usual == happened, weights=weight)),
            gap,
            float(np.average(crossed.fair == happened, weights=weight)),
            max(0.0, gap - crossed.closes(compared, weight)),
        )

    def _known(self, outcome: Outcome) -> tuple[Array, Array, Array]:
        predictions = np.asarray(outcome.predictions)
        rows = np.flatnonzero(np.isfinite(predictions).all(axis=1))
        if len(rows) > MOST_ROWS:
            generator = np.random.default_rng(seeds(self.context.plan.seed)("rows compared by groups"))
            rows = np.sort(generator.choice(rows, MOST_ROWS, replace=False))
        return rows, predictions[rows, self.context.positive], self.context.target[rows] == self.context.positive

    def _compared(self, rows: Array, happened: Array) -> list[list[Array]]:
        """What is compared: of each column and class, (rows,) bool of every group that has rows enough."""
        found = []
        for column in self.by.columns:
            groups = np.minimum(column.codes(self.by.table.columns[column.name])[rows], len(column.groups))
            for truth in (False, True):
                masks = [(groups == group) & (happened == truth) for group in range(len(column.groups) + 1)]
                found.append([mask for mask in masks if mask.sum() >= FEWEST_ROWS])
        return found


def _gap(compared: Sequence[Sequence[Array]], called: Array) -> float:
    """The largest gap, over columns and classes, of how often the rows of groups are called."""
    rates = [[float(called[mask].mean()) for mask in masks] for masks in compared]
    return max((float(np.ptp(each)) for each in rates if len(each) > 1), default=0.0)
