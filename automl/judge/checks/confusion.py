"""AML401: which classes are taken for which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from automl.core.case import Case, Check
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.judge.curves import wilson
from automl.judge.scoring import judged_on, not_applicable
from automl.judge.wording import number, percent_text

TITLE = "Confusion between classes"
MOST_CLASSES = 20
FEWEST_ROWS = 10
"""Recall of a class with fewer judged rows says little."""


@dataclass(frozen=True)
class _PerClass:
    name: str
    rows: int
    called: int
    hits: int

    @property
    def recall(self) -> float | None:
        return self.hits / self.rows if self.rows else None

    @property
    def precision(self) -> float | None:
        return self.hits / self.called if self.called else None


def run(case: Case) -> list[Finding]:
    if not case.profile.task.is_classification:
        return not_applicable("AML401", TITLE, Section.FAILURES, "A confusion matrix does not apply to a regression.")
    if not len(case.truth):
        return not_applicable("AML401", TITLE, Section.FAILURES, "No rows were judged, so there is no confusion matrix.")
    predicted, classes = case.called, case.prediction.shape[1]
    matrix = np.bincount(case.truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)
    names = [case.profile.classes[code] if code < len(case.profile.classes) else str(code) for code in range(classes)]
    each = [
        _PerClass(names[code], int(matrix[code].sum()), int(matrix[:, code].sum()), int(matrix[code, code]))
        for code in range(classes)
    ]
    wrong = int(matrix.sum() - np.trace(matrix))
    return [
        Finding(
            code="AML401",
            title=TITLE,
            severity=Severity.PASSED if _chosen(case) else _severity(each),
            section=Section.FAILURES,
            sentence=_sentence(case, each, matrix, names, wrong),
            about="evaluated",
            numbers={
                "wrong": number(wrong),
                "rows": number(len(case.truth)),
                "smallest_recall": number(_smallest(each), unit="fraction"),
            },
            figures=(_figure(case, matrix, names),),
            table={
                "columns": ["class", "rows", "found (recall)", "low", "high", "correct when called (precision)"],
                "rows": [[one.name, one.rows, one.recall, *_bounds(one), one.precision] for one in each],
            },
            action=_action(case, each),
        )
    ]


def _chosen(case: Case) -> bool:
    """Whether how often a class is found was chosen, with the threshold; those by group are chosen for equal odds."""
    return case.threshold is not None and case.limits is None


def _weak(each: list[_PerClass]) -> list[_PerClass]:
    """Classes with enough judged rows of which less than half are found, worst first."""
    enough = [one for one in each if one.rows >= FEWEST_ROWS and one.hits < 0.5 * one.rows]
    return sorted(enough, key=lambda one: one.recall or 0.0)


def _smallest(each: list[_PerClass]) -> float:
    return min((one.recall for one in each if one.recall is not None), default=float("nan"))


def _bounds(one: _PerClass) -> list[float | None]:
    return list(wilson(one.hits, one.rows)) if one.rows else [None, None]


def _severity(each: list[_PerClass]) -> Severity:
    weak = _weak(each)
    if any(one.hits == 0 for one in weak):
        return Severity.ISSUE
    return Severity.TIP if weak else Severity.PASSED


def _sentence(case: Case, each: list[_PerClass], matrix: np.ndarray, names: list[str], wrong: int) -> str:
    sentence = (
        f"{wrong:,} of {judged_on(case)} {'is' if wrong == 1 else 'are'} put into a wrong class"
        f" ({percent_text(wrong / len(case.truth))})"
    )
    if not case.judged_on:
        sentence = f"{wrong:,} of {len(case.truth):,} judged rows {'is' if wrong == 1 else 'are'} put into a wrong class"
    seen = [one for one in each if one.rows >= FEWEST_ROWS] or [one for one in each if one.rows]
    worst = min(seen, key=lambda one: one.recall or 0.0)
    if wrong:
        sentence += f'; "{worst.name}" is found least often ({worst.hits:,} of {worst.rows:,})'
        off = matrix - np.diag(np.diag(matrix))
        actual, called = divmod(int(off.argmax()), len(names))
        sentence += (
            f', and the most frequent mistake is taking "{names[actual]}" for "{names[called]}" ({int(off.max()):,} times)'
        )
    return f"{sentence}."


def _action(case: Case, each: list[_PerClass]) -> str:
    weak = _weak(each)
    if not weak or _chosen(case):
        return ""
    if case.limits is not None:
        return (
            f'Less than half of "{weak[0].name}" is found at thresholds that are chosen for equal odds: collect more of its rows,'
            " or, if missing one costs more than a false alarm, fit again with `--min-recall 0.8` in place of"
            " `--mitigate thresholds`."
        )
    if weak[0].name == case.profile.positive:
        return (
            f'Less than half of "{weak[0].name}" is found at the usual threshold: call it more often if missing one costs more'
            " than a false alarm, such as by `--min-recall 0.8` or `--cost-fn 5`, or collect more of its rows."
        )
    return (
        f'Less than half of "{weak[0].name}" is found at the usual threshold: lower it for this class if missing one costs more '
        "than a false alarm, or collect more of its rows."
    )


def _figure(case: Case, matrix: np.ndarray, names: list[str]) -> Figure:
    order = list(range(len(names)))
    how = (
        "Rows are what was true, columns what the model said; the diagonal is right, any other large cell is a mistake that is"
        " made often."
    )
    if len(names) > MOST_CLASSES:
        order = sorted(np.argsort(-matrix.sum(axis=1), kind="stable")[: MOST_CLASSES - 1].tolist())
        rest = [code for code in range(len(names)) if code not in order]
        groups = [[code] for code in order] + [rest]
        matrix = np.array([[matrix[np.ix_(rows, columns)].sum() for columns in groups] for rows in groups])
        names = [names[code] for code in order] + ["(all others)"]
        how += f" The {MOST_CLASSES - 1} most frequent classes are shown one by one."
    series = tuple(
        Series(name, tuple(names), tuple(int(count) for count in row)) for name, row in zip(names, matrix, strict=True)
    )
    return Figure(
        "confusion",
        "matrix",
        "Confusion matrix",
        how,
        series,
        f"predicted {case.profile.target}",
        f"actual {case.profile.target}",
    )


CHECK = Check("AML401", TITLE, Section.FAILURES, run)
