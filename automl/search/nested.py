"""Repeated nested cross-validation for small data: the choice itself is repeated inside every outer fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.clock import Deadline
from automl.core.errors import OutOfTimeError
from automl.core.evidence import Final, Trial
from automl.search.context import Context
from automl.search.deciding import decide
from automl.search.trial import fit_trial, gather, scaled_rounds
from automl.splitting import LEAST_ROWS_OF_A_CLASS, FoldRows, Splitter, plan_folds, seeds

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Nested:
    """What the outer folds said.

    scores: one an outer fold; prediction, baseline: (rows, ...) mean over the repeats, NaN for rows never predicted.
    chosen: how often each architecture won inside.
    """

    scores: tuple[float, ...]
    prediction: Array
    baseline: Array
    chosen: dict[str, int]


def nested_cross_validation(
    context: Context, splitter: Splitter, candidates: list[Trial], baseline: Trial, repeats: int, deadline: Deadline
) -> Nested | None:
    """Score the procedure "choose among the candidates, then fit" on rows that the choice has not seen.

    candidates: the finalists with their settings, simplest first; those were found on all rows, the choice between
    them is repeated inside. None where not even one shuffling of outer folds fits the deadline, or where the rows are
    too few to be folded twice.
    """
    count = len([fold for fold in context.search_folds if fold.repeat == 0])
    outer = splitter.folds(context.training_rows, count, repeats, seeds(context.plan.seed)("outer folds"))
    if len(candidates) > 1 and any(not _can_be_folded(context, fold.training) for fold in outer):
        return None
    folds: list[FoldRows] = []
    predictions, baselines, scores = [], [], []
    chosen: dict[str, int] = {}
    for fold in outer:
        if fold.repeat > 0 and deadline.expired:
            break
        if deadline.left_seconds() <= 0 and len(folds) < count:
            return None
        try:
            winner = _choose(context, splitter, candidates, fold.training, deadline)
        except OutOfTimeError:
            if len(folds) < count:
                return None
            break
        chosen[winner.architecture] = chosen.get(winner.architecture, 0) + 1
        prediction = _predict(context, winner, fold)
        folds.append(fold)
        predictions.append(prediction)
        baselines.append(_predict(context, baseline, fold))
        scores.append(context.score(fold.validation, prediction))
    whole = len(folds) - len(folds) % count
    return Nested(
        tuple(scores[:whole]),
        gather(context, folds[:whole], predictions[:whole]),
        gather(context, folds[:whole], baselines[:whole]),
        chosen,
    )


def _can_be_folded(context: Context, rows: Array) -> bool:
    if not context.profile.task.is_classification:
        return len(rows) >= 4
    return bool((np.bincount(context.target[rows].astype(np.int64)) >= LEAST_ROWS_OF_A_CLASS).sum() >= 2)


def _choose(context: Context, splitter: Splitter, candidates: list[Trial], rows: Array, deadline: Deadline) -> Trial:
    """The climb of the run on inner folds: a higher rung only where the corrected test says so.

    Raises OutOfTimeError where the time ends before the last candidate.
    """
    if len(candidates) == 1:
        return candidates[0]
    inner_count = plan_folds(context.plan.split, context.target[rows], context.profile.task)
    inner = splitter.folds(rows, inner_count, 1, seeds(context.plan.seed)("inner folds"))
    champion: tuple[Trial, Final] | None = None
    titles = {name: declared.title for name, declared in context.architectures.items()}
    for trial in candidates:
        if deadline.expired:
            raise OutOfTimeError("there was no time left")
        scores = tuple(context.score(fold.validation, _predict(context, trial, fold)) for fold in inner)
        final = Final(trial.architecture, trial.number, scores, float(np.nanmean(scores)), 0.0)
        obey = context.plan.preset != "best"
        if champion is None or decide(final, champion[1], context.metric, inner_count, titles, obey).accepted:
            champion = (trial, final)
    assert champion is not None
    return champion[0]


def _predict(context: Context, trial: Trial, fold: FoldRows) -> Array:
    rows = fold.training
    pipeline = fit_trial(context, trial, rows, lambda part: min(part.rounds, scaled_rounds(context, part, rows)))
    return pipeline.predict(context.table.take(fold.validation))
