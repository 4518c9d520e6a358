"""AML402: the rows that the model is most wrong about."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check, Turn
from automl.core.finding import Finding, Section, Severity
from automl.judge.examples import MOST_EXPLAINED, class_name, table_of_rows
from automl.judge.scoring import not_applicable
from automl.judge.wording import figures_text, number, percent_text

MOST_ROWS = 10
SURE = 0.95
OUTLYING = 5.0


def run(case: Case) -> list[Finding]:
    classification = case.profile.task.is_classification
    title = "Most confident mistakes" if classification else "Largest errors"
    if not len(case.truth):
        return not_applicable("AML402", title, Section.FAILURES, "No rows were judged, so there are no errors to show.")
    order = _mistakes(case) if classification else np.argsort(-np.abs(case.prediction - case.truth), kind="stable")
    if not len(order):
        return [
            Finding(
                "AML402", title, Severity.PASSED, Section.FAILURES, "The model makes no mistake on the judged rows.", "evaluated"
            )
        ]
    worst = int(order[0])
    row = case.row_number(worst)
    if classification:
        predicted = int(case.called[worst])
        told = (
            f"The most confident mistake gives {percent_text(float(case.prediction[worst, predicted]))} to"
            f' "{class_name(case, predicted)}" where "{class_name(case, int(case.truth[worst]))}" is true'
        )
    else:
        told = (
            f"The largest error is {figures_text(abs(float(case.prediction[worst] - case.truth[worst])))}: predicted "
            f"{figures_text(float(case.prediction[worst]))} where {figures_text(float(case.truth[worst]))} is true"
        )
    shown, many = case.plan.samples, case.profile.modality == "tabular" and len(case.profile.features) > MOST_EXPLAINED
    unexplained = f" Of more than {MOST_EXPLAINED} columns no reasons are told here; `automl explain` finds them." if many else ""
    return [
        Finding(
            code="AML402",
            title=title,
            severity=Severity.TIP if _stands_out(case, worst) else Severity.PASSED,
            section=Section.FAILURES,
            sentence=f"{told} (row {row:,})." if shown else f"{told}; rows are not shown because of --no-samples.",
            about="evaluated",
            numbers=(
                {}
                if classification
                else {"largest_error": number(abs(float(case.prediction[worst] - case.truth[worst])), unit=case.profile.target)}
            ),
            table=table_of_rows(case, order[:MOST_ROWS]) if shown else {},
            action=(
                "Look at the rows of the largest errors: wrong labels, rare situations and broken values stand out here first."
                f" {case.counting}{unexplained}"
                if shown
                else ""
            ),
        )
    ]


def _stands_out(case: Case, worst: int) -> bool:
    """Nearly certain of a wrong class, or many times the usual error."""
    if case.profile.task.is_classification:
        return bool(case.prediction[worst, case.called[worst]] >= SURE)
    errors = np.abs(case.prediction - case.truth)
    return bool(errors[worst] > OUTLYING * np.sqrt(np.mean(errors**2)))


def _mistakes(case: Case) -> np.ndarray:
    """Rows put into a wrong class, those with the highest probability of it first."""
    wrong = np.flatnonzero(case.called != case.truth)
    return np.asarray(wrong[np.argsort(-case.prediction[wrong, case.called[wrong]], kind="stable")])


CHECK = Check("AML402", "Largest errors", Section.FAILURES, run, turn=Turn.EXTRA, seconds=0.1)
