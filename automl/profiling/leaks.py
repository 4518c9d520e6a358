"""Columns that may give the target away: too good alone to be honest, or exact parts of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from automl.core.profile import Suspicion
from automl.core.tasks import Task
from automl.profiling.association import neighbour_r2

Array = np.ndarray[Any, Any]
SUSPICIOUS_AUC = 0.995
SUSPICIOUS_R2 = 0.98
SUSPICIOUS_MISSING_AUC = 0.9
SUSPICIOUS_INDICATOR_AUC = 0.995
SUSPICIOUS_RECALL = 0.95
SUSPICIOUS_PRECISION, MOST_OF_A_CLASS = 0.99, 0.5
"""Of the filled cells of a column so many are of one class, which so many of all rows are at most."""
FEWEST_MISSING = 20
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
            made = f"{second} {sign[0]} {first}" if sign.endswith("r") else f"{first} {sign} {second}"
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


def hidden(
    task: Task, columns: Mapping[str, tuple[Array, int]], target: Array, classes: Sequence[str], name: str
) -> list[Suspicion]:
    """The target in another form: in which cells are filled, in the values of a column, in one column of a one-hot.

    columns: codes (rows,), the last one for missing, and how many codes there are. One suspicion a column.
    """
    missing = {column: codes == count - 1 for column, (codes, count) in columns.items()}
    found = hidden_in_missing(missing, task, target, name)
    if task.is_classification:
        found += filled_for_one_class({name: ~each for name, each in missing.items()}, target, classes, name)
        few = {column: codes for column, (codes, count) in columns.items() if count <= len(classes) + 2}
        found += renamed(few, target, classes, name)
    if task is Task.MULTICLASS:
        two = {column: codes for column, (codes, count) in columns.items() if count <= 4 and len(np.unique(codes)) == 2}
        found += indicators(two, target, classes, name)
    return list({suspicion.column: suspicion for suspicion in reversed(found)}.values())


def hidden_in_missing(columns: Mapping[str, Array], task: Task, target: Array, name: str) -> list[Suspicion]:
    """Columns whose cells are filled, or missing, where one class (or the high values) of the target is: known after the fact.

    columns: (rows,) bool, which cells are missing.
    """
    if len(target) < _FEWEST_ROWS:
        return []
    if task is Task.REGRESSION:
        cuts = np.unique(np.quantile(target, [0.1, 0.25, 0.5, 0.75, 0.9]))
        events = {f'"{name}" above {cut:.4g}': (target > cut).astype(np.int64) for cut in cuts.tolist()}
    else:
        events = {f'the class of "{name}"': target}
    found = []
    for column, missing in columns.items():
        if not FEWEST_MISSING <= missing.sum() <= len(missing) - FEWEST_MISSING:
            continue
        score, event = max((_told_by(missing, codes)[0], event) for event, codes in events.items())
        if score >= SUSPICIOUS_MISSING_AUC:
            found.append(
                Suspicion(
                    column,
                    score,
                    "ROC-AUC",
                    f'Whether "{column}" is filled tells {event} with a ROC-AUC of {score:.3f}: is it written down only after the'
                    " target is known?",
                )
            )
    return found


def filled_for_one_class(columns: Mapping[str, Array], target: Array, classes: Sequence[str], name: str) -> list[Suspicion]:
    """Columns that have a value only in rows of one class, though that is no frequent one: written down when it was known.

    columns: (rows,) bool, which cells are filled.
    """
    shares = np.bincount(target, minlength=len(classes)) / max(1, len(target))
    found = []
    for column, filled in columns.items():
        count = int(filled.sum())
        if count < FEWEST_MISSING or count > len(filled) - FEWEST_MISSING:
            continue
        of_class = np.bincount(target[filled], minlength=len(classes))
        code = int(of_class.argmax())
        precision = float(of_class[code]) / count
        if precision >= SUSPICIOUS_PRECISION and shares[code] <= MOST_OF_A_CLASS:
            hits = f'"{name}" is "{classes[code]}" in {int(of_class[code]):,} of them'
            sentence = (
                f'"{column}" has a value in {count:,} rows, and {hits}, where it is so in {shares[code]:.1%} of all rows: is it'
                " written down only after the target is known?"
            )
            found.append(Suspicion(column, precision, "precision", sentence))
    return found


def _told_by(flag: Array, target: Array) -> tuple[float, int]:
    """The best ROC-AUC of a flag for one class against the rest, and that class; classes of few rows are left out."""
    counts = np.bincount(target)
    flagged = np.bincount(target, flag, len(counts))
    rest = len(target) - counts
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(flagged / counts - (flag.sum() - flagged) / rest)
    apart = np.where((counts >= FEWEST_MISSING) & (rest >= FEWEST_MISSING), apart, 0.0)
    code = int(np.argmax(apart))
    return 0.5 + 0.5 * float(apart[code]), code


def indicators(columns: Mapping[str, Array], target: Array, classes: Sequence[str], name: str) -> list[Suspicion]:
    """Columns of two values that are one class of several written down: the target, one-hot.

    columns: (rows,) codes of columns with two values.
    """
    found = []
    for column, codes in columns.items():
        score, code = _told_by(codes == codes[0], target)
        if score >= SUSPICIOUS_INDICATOR_AUC:
            sentence = f'"{column}" says whether "{name}" is "{classes[code]}" (ROC-AUC {score:.4f}): is it made from the target?'
            found.append(Suspicion(column, score, "ROC-AUC", sentence))
    return found


def renamed(columns: Mapping[str, Array], target: Array, classes: Sequence[str], name: str) -> list[Suspicion]:
    """Columns with about as many values as there are classes, one for each class: the target in other words, also with noise.

    columns: (rows,) codes.
    """
    found: list[Suspicion] = []
    sizes = np.bincount(target, minlength=len(classes))
    if len(target) < _FEWEST_ROWS or (sizes == 0).any():
        return found
    for column, codes in columns.items():
        values = np.unique(codes)
        if not len(classes) <= len(values) <= len(classes) + 1:
            continue
        table = np.stack([np.bincount(target[codes == value], minlength=len(classes)) for value in values])
        meant = table.argmax(axis=1)  # the class that each value stands for
        recall = np.asarray([table[meant == code, code].sum() for code in range(len(classes))]) / sizes
        if len(set(meant.tolist())) == len(classes) and recall.mean() >= SUSPICIOUS_RECALL:
            sentence = (
                f'"{column}" has one value for each class of "{name}" and names the right one in {recall.mean():.1%} of the rows'
                " of"
                " a class on average: is it made from the target?"
            )
            found.append(Suspicion(column, float(recall.mean()), "recall", sentence))
    return found


def _part_of(first: Array, second: Array, target: Array) -> str:
    """ "+", "-", "-r" (reversed), "×", "÷" or "÷r" where the target is made of both like this in every row; else ""."""
    scale = float(np.std(target)) * 1e-6
    known = ~(np.isnan(first) | np.isnan(second))
    if known.mean() < 0.5:
        return ""
    first, second, target = first[known], second[known], target[known]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ways = {
            "+": first + second, "-": first - second, "-r": second - first,
            "×": first * second, "÷": first / second, "÷r": second / first,
        }  # fmt: skip
    for sign, made in ways.items():
        if (np.abs(made - target) <= scale).mean() > 0.999:
            return sign
    return ""
