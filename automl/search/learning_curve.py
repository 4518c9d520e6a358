"""The chosen model trained on fewer rows: whether more rows would help."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl.core.clock import Deadline
from automl.core.evidence import Trial
from automl.core.statistics import corrected_resampled_t
from automl.search.context import Context
from automl.search.trial import failing_as_training_error, fit_and_predict, needs_worker
from automl.splitting import seeds

Array = np.ndarray[Any, Any]
Point = tuple[float, float, float, float]

SHARES = (0.125, 0.25, 0.5, 1.0)
LEAST_ROWS = 20
PRICE, PRICE_OF_A_HOLDOUT = 1.5, 3.0
"""Seconds of the whole curve against the seconds of the champion's trial, at most: over several folds, or over one."""


def learning_curve(context: Context, trial: Trial, trial_seconds: float, deadline: Deadline) -> tuple[Point, ...]:
    """Scores on the first shuffling of fresh folds, by rows trained on: (rows, mean, low, high) with a 90 % interval.

    The settings and rounds are the champion's; fewer rows mean fewer boosting rounds in proportion. Empty where the
    time does not allow it, where the champion trains in the worker, or where there are too few rows.
    Raises TrainingError where a fit on fewer rows fails.
    """
    if context.rolling:  # fewer rows of a series are not a sample of it
        return ()
    folds = [fold for fold in context.fresh_folds if fold.repeat == 0]
    folds = [replace(fold, training=context.sample(fold.training, trial.most_rows)) for fold in folds]
    price = PRICE if len(folds) > 1 else PRICE_OF_A_HOLDOUT
    if needs_worker(context, trial) or price * trial_seconds > deadline.searching_seconds():
        return ()
    points: list[Point] = []
    for share in SHARES:
        sizes: list[int] = []
        scores: list[float] = []
        resampled: tuple[float, ...] = ()
        for number, fold in enumerate(folds):
            generator = np.random.default_rng(seeds(context.plan.seed)(f"learning curve {number}"))
            rows = np.sort(generator.permutation(fold.training)[: round(share * len(fold.training))])
            if deadline.expired:
                return ()
            if len(rows) < LEAST_ROWS or _lacks_a_class(context, rows):
                break
            sizes.append(len(rows))
            with failing_as_training_error():
                prediction = fit_and_predict(context, trial, rows, fold.validation)
            scores.append(context.score(fold.validation, prediction))
            resampled = context.resampled(fold.validation, prediction)
        if len(scores) == len(folds):
            points.append((float(np.mean(sizes)), *_with_interval(scores, resampled)))
    return tuple(points)


def _with_interval(scores: list[float], resampled: tuple[float, ...]) -> tuple[float, float, float]:
    """The mean and its 90 % interval: by the bootstrap of a holdout's rows where there is only one fold."""
    if len(scores) == 1:
        low, high = np.nanquantile(resampled, [0.05, 0.95])
        return scores[0], float(low), float(high)
    mean, low, high, _ = corrected_resampled_t(scores, 1.0 / (len(scores) - 1), 0.90)
    return mean, low, high


def _lacks_a_class(context: Context, rows: Array) -> bool:
    return context.profile.task.is_classification and len(np.unique(context.target[rows])) < context.profile.outputs
