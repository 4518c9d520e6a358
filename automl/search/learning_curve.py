"""The chosen model trained on fewer rows: whether more rows would help, and whether other rows lead to the same columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from automl.core.clock import Deadline
from automl.core.evidence import Trial
from automl.core.statistics import corrected_resampled_t
from automl.search.context import Context
from automl.search.fold_importance import fold_importance, importance_columns
from automl.search.trial import failing_as_training_error, fit_trial, needs_worker, scaled_rounds
from automl.splitting import seeds

Array = np.ndarray[Any, Any]
Point = tuple[float, float, float, float]

SHARES = (0.125, 0.25, 0.5, 1.0)
LEAST_ROWS = 20
PRICE, PRICE_OF_A_HOLDOUT = 1.5, 3.0
"""Seconds of the whole curve against the seconds of the champion's trial, at most: over several folds, or over one."""


@dataclass(frozen=True)
class LearningCurve:
    """points: (rows, mean score, low, high), a 90 % interval. importances: by column what its shuffling costs in each fold, of
    the models that learned from all rows of theirs."""

    points: tuple[Point, ...] = ()
    importances: dict[str, tuple[float, ...]] = field(default_factory=dict)


def learning_curve(context: Context, trial: Trial, trial_seconds: float, deadline: Deadline) -> LearningCurve:
    """Scores on the first shuffling of fresh folds by rows trained on, and the importance of columns in each of these folds.

    The settings and rounds are the champion's; fewer rows mean fewer boosting rounds in proportion. Empty where the
    time does not allow it, where the champion trains in the worker, or where there are too few rows.
    Raises TrainingError where a fit on fewer rows fails.
    """
    if context.rolling:  # fewer rows of a series are not a sample of it
        return LearningCurve()
    folds = [fold for fold in context.fresh_folds if fold.repeat == 0]
    folds = [replace(fold, training=context.sample(fold.training, trial.most_rows)) for fold in folds]
    price = PRICE if len(folds) > 1 else PRICE_OF_A_HOLDOUT
    if needs_worker(context, trial) or price * trial_seconds > deadline.searching_seconds():
        return LearningCurve()
    points: list[Point] = []
    losses: list[list[float]] = []
    columns = importance_columns(context) if len(folds) > 1 else []
    for share in SHARES:
        sizes: list[int] = []
        scores: list[float] = []
        resampled: tuple[float, ...] = ()
        for number, fold in enumerate(folds):
            generator = np.random.default_rng(seeds(context.plan.seed)(f"learning curve {number}"))
            rows = np.sort(generator.permutation(fold.training)[: round(share * len(fold.training))])
            if deadline.expired:
                return LearningCurve()
            if len(rows) < LEAST_ROWS or _lacks_a_class(context, rows):
                break
            sizes.append(len(rows))
            with failing_as_training_error():
                pipeline = fit_trial(context, trial, rows, partial(_rounds, context, rows))
                prediction = pipeline.predict(context.table.take(fold.validation))
            scores.append(context.score(fold.validation, prediction))
            resampled = context.resampled(fold.validation, prediction)
            if share == SHARES[-1] and columns and not deadline.expired:
                losses.append(fold_importance(context, pipeline, fold.validation, columns, context.plan.seed + number))
        if len(scores) == len(folds):
            points.append((float(np.mean(sizes)), *_with_interval(scores, resampled)))
    complete = len(losses) == len(folds)
    importances = {name: tuple(values) for name, *values in zip(columns, *losses, strict=True)} if complete else {}
    return LearningCurve(tuple(points), importances)


def _rounds(context: Context, rows: Array, part: Trial) -> int:
    return scaled_rounds(context, part, rows)


def _with_interval(scores: list[float], resampled: tuple[float, ...]) -> tuple[float, float, float]:
    """The mean and its 90 % interval: by the bootstrap of a holdout's rows where there is only one fold."""
    if len(scores) == 1:
        low, high = np.nanquantile(resampled, [0.05, 0.95])
        return scores[0], float(low), float(high)
    mean, low, high, _ = corrected_resampled_t(scores, 1.0 / (len(scores) - 1), 0.90)
    return mean, low, high


def _lacks_a_class(context: Context, rows: Array) -> bool:
    return context.profile.task.is_classification and len(np.unique(context.target[rows])) < context.profile.outputs
