"""Columns that may give the target away: too good alone to be honest, or exact parts of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from automl.core.profile import Suspicion
from automl.core.tasks import Task
from automl.profiling.association import neighbour_r2

Array = np.ndarray[Any, Any]
SUSPICIOUS_AUC = 0.995
SUSPICIOUS_R2 = 0.98
_FEWEST_ROWS = 50
_MOST_PARTS = 20


def suspicions(
    task: Task, scores: Mapping[str, float], numbers: Mapping[str, Array], target: Array, name: str
) -> list[Suspicion]:
    """Suspected leaks, the strongest first.

    scores: association by column; numbers: the number columns, (rows,) with NaN, over the same rows as the target.
    """
    if len(target) < _FEWEST_ROWS:
        return []
    if task is Task.REGRESSION:
        found = _regression(scores, numbers, target, name)
    else:
        found = [
            Suspicion(
                column,
                score,
                "ROC-AUC",
                f'"{column}" alone predicts "{name}" with a ROC-AUC of {score:.4f} on rows it was not fitted on, '
                "which is nearly perfect: is it known before the target is, or made from it?",
            )
            for column, score in scores.items()
            if score >= SUSPICIOUS_AUC
        ]
    return sorted(found, key=lambda suspicion: -suspicion.score)


def _regression(scores: Mapping[str, float], numbers: Mapping[str, Array], target: Array, name: str) -> list[Suspicion]:
    found: dict[str, Suspicion] = {}
    for column, score in scores.items():
        if column in numbers and score > 0.5:
            score = max(score, neighbour_r2(numbers[column], target))
        if score >= SUSPICIOUS_R2:
            found[column] = Suspicion(
                column,
                score,
                "R2",
                f'"{column}" alone explains {score:.1%} of the variance of "{name}" on rows it was not fitted on: '
                "is it known before the target is, or made from it?",
            )
    strongest = sorted((column for column in numbers if scores.get(column, 0.0) > 0.05), key=lambda column: -scores[column])[
        :_MOST_PARTS
    ]
    for first, second in combinations(strongest, 2):
        sign = _part_of(numbers[first], numbers[second], target)
        for column, other in ((first, second), (second, first)) if sign else ():
            made = f"{first} {sign} {second}" if sign != "-r" else f"{second} - {first}"
            found.setdefault(
                column,
                Suspicion(
                    column,
                    scores[column],
                    "R2",
                    f'"{name}" is exactly {made}, so "{column}" with "{other}" gives it away: '
                    "are both known before the target is?",
                ),
            )
    return list(found.values())


def _part_of(first: Array, second: Array, target: Array) -> str:
    """ "+", "-" or "-r" (reversed) where the target is their sum or difference in every row; else ""."""
    scale = float(np.std(target)) * 1e-6
    known = ~(np.isnan(first) | np.isnan(second))
    if known.mean() < 0.5:
        return ""
    first, second, target = first[known], second[known], target[known]
    for sign, made in (("+", first + second), ("-", first - second), ("-r", second - first)):
        if (np.abs(made - target) <= scale).mean() > 0.999:
            return sign
    return ""
