"""Successive sampling: settings are chosen on a small sample, and the best of each rung is trained on all that time allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from automl.core.evidence import Trial
from automl.search import budget
from automl.search.context import Context
from automl.search.trial import Outcome, learner_of

LAST_SHARE = 0.5
"""The most of the time after preparing that training on more rows than the sample may take: finals and last fits."""
LEAST_GROWTH = 1.5
"""Below this multiple of the sample more rows are not worth another round of fits."""
FINALS_SHARE = 2.0
"""Seconds of a finalist against its trial, on as many rows: stopped anew on the search folds, and scored on the fresh ones."""
USUAL = 1.7
"""Rounds grow with the rows, so that seconds grow somewhat faster."""


def final_rows(context: Context, finalists: Iterable[Outcome], left_seconds: float) -> int | None:
    """How many rows the finals learn from, where so many seconds were left before the search; None for all of them.

    The sample of the search where the time allows no more than that.
    """
    sample = context.plan.split.search_rows
    if sample is None or context.plan.trials is not None:
        return None
    growing = [outcome for outcome in finalists if takes_more(context, outcome)]
    others = sum(outcome.seconds for outcome in finalists if outcome not in growing)
    seconds = [USUAL * outcome.seconds / context.rows_a_fit(outcome.trial.most_rows) for outcome in growing]
    if not seconds:
        return sample
    fits = 2 * budget.SAMPLED_SHARE
    affordable = (LAST_SHARE * left_seconds - others) / max(1e-9, FINALS_SHARE * sum(seconds) + fits * max(seconds))
    if affordable >= context.rows_a_fit(None):
        return None
    return int(affordable) if affordable >= LEAST_GROWTH * context.rows_a_fit(sample) else sample


def growth_of_seconds(growth: float) -> float:
    """What a fit on so many times the rows takes, where its rounds may grow with them."""
    return growth if growth <= LEAST_GROWTH else growth * USUAL


def takes_more(context: Context, outcome: Outcome) -> bool:
    """Whether more rows change what is learned: not for a baseline, nor where a learner looks at a sample of its own."""
    architectures = [context.architecture(part.architecture) for part in outcome.trial.parts]
    return any(
        each.needs_tensorflow or (each.rung > 0 and not hasattr(learner_of(context, each), "most_rows")) for each in architectures
    )


def grown(context: Context, outcome: Outcome, rows: int | None) -> Outcome:
    """The outcome with the seconds that it would take on more rows."""
    growth = context.rows_a_fit(rows) / context.rows_a_fit(outcome.trial.most_rows)
    return (
        outcome
        if growth <= 1.0 or not takes_more(context, outcome)
        else replace(outcome, seconds=USUAL * growth * outcome.seconds, fit_seconds=None)
    )


def larger(context: Context, outcome: Outcome, number: int, rows: int | None) -> Trial | None:
    """The trial that tries an outcome's settings again on more rows; None where there are no more."""
    trial = outcome.trial
    if trial.members or context.rows_a_fit(rows) <= context.rows_a_fit(trial.most_rows) or not takes_more(context, outcome):
        return None
    return Trial(trial.architecture, number, trial.settings, trial.seed, rows=rows)


def affordable_rows(context: Context, outcome: Outcome, left_seconds: float) -> int | None:
    """How many rows one last fit can learn from in so many seconds: not fewer than the trial's; None for all."""
    if outcome.trial.most_rows is None or not takes_more(context, outcome):
        return None
    seconds = budget.SAMPLED_SHARE * outcome.seconds / context.rows_a_fit(outcome.trial.most_rows)
    rows = max(int(left_seconds / max(1e-9, USUAL * seconds)), outcome.trial.most_rows)
    return None if rows >= len(context.training_rows) else rows
