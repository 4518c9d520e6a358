"""AML404: the rows that the model is most right about."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check, Turn
from automl.core.finding import Finding, Section, Severity
from automl.judge.examples import class_name, table_of_rows
from automl.judge.scoring import not_applicable
from automl.judge.wording import figures_text, percent_text

TITLE = "Best predictions"
MOST_ROWS = 5


def run(case: Case) -> list[Finding]:
    if not len(case.truth):
        return not_applicable("AML404", TITLE, Section.FAILURES, "No rows were judged, so there are no best predictions to show.")
    if not case.plan.samples:
        return not_applicable("AML404", TITLE, Section.FAILURES, "Rows are not shown because of --no-samples.")
    order = _order(case)
    if not len(order):
        return not_applicable("AML404", TITLE, Section.FAILURES, "The model is right about no judged row.")
    best = int(order[0])
    if case.profile.task.is_classification:
        sure = float(case.prediction[best, case.called[best]])
        told = (
            f'The model is surest, and right, where it gives {percent_text(sure)} to "{class_name(case, int(case.truth[best]))}"'
        )
    else:
        told = (
            f"The row furthest from the mean that is predicted within the smallest tenth of errors has"
            f" {figures_text(float(case.truth[best]))}, and is predicted as {figures_text(float(case.prediction[best]))}"
        )
    return [
        Finding(
            "AML404",
            TITLE,
            Severity.PASSED,
            Section.FAILURES,
            f"{told}.",
            "evaluated",
            table=table_of_rows(case, order[:MOST_ROWS]),
        )
    ]


def _order(case: Case) -> np.ndarray:
    """Right and sure first; of a regression, those with small errors that are no matter of course."""
    if case.profile.task.is_classification:
        right = np.flatnonzero(case.called == case.truth)
        return np.asarray(right[np.argsort(-case.prediction[right, case.called[right]], kind="stable")])
    error = np.abs(case.prediction - case.truth)
    small = np.flatnonzero(error <= np.quantile(error, 0.1))
    return np.asarray(small[np.argsort(-np.abs(case.truth[small] - case.truth.mean()), kind="stable")])


CHECK = Check("AML404", TITLE, Section.FAILURES, run, independent=True, turn=Turn.EXTRA, seconds=0.1)
