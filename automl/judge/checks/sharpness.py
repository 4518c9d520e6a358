"""AML304: how decided the probabilities are."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check
from automl.core.finding import Figure, Finding, Section, Severity
from automl.core.tasks import Task
from automl.judge.curves import histogram_series
from automl.judge.parts import ALL, shares
from automl.judge.scoring import judged_on, not_applicable
from automl.judge.wording import number, percent_text

TITLE = "Confidence of the predictions"
SURE = 0.9


def run(case: Case) -> list[Finding]:
    if not case.profile.task.is_classification or not len(case.truth):
        return not_applicable(
            "AML304", TITLE, Section.TRUST, "There are no judged probabilities, so their confidence does not apply."
        )
    top = case.prediction.max(axis=1)
    sure = top >= SURE
    right = case.called == case.truth
    (share,) = shares(case, sure, [(ALL, np.ones(len(sure), bool))])
    sentence = f"The model is at least {100 * SURE:.0f} % sure of {percent_text(share.value)} of {judged_on(case)}"
    numbers = {"sure_fraction": number(share.value, share.low, share.high, unit="fraction")}
    for name, part, said in (("sure", sure, " and right in {} of these {}"), ("unsure", ~sure, "; on the {1} others in {0}")):
        if part.any():
            (correct,) = shares(case, right, [(name, part)])
            numbers[f"accuracy_when_{name}"] = number(correct.value, correct.low, correct.high, unit="fraction")
            ends = f" (95 % interval {percent_text(correct.low)} to {percent_text(correct.high)})"
            sentence += said.format(percent_text(correct.value), f"{correct.size:,}") + ends
    binary = case.profile.task is Task.BINARY
    shown = case.prediction[:, case.positive] if binary else top
    label = f'probability of "{case.profile.positive}"' if binary else "probability of the predicted class"
    how = "Bars at the ends are rows that the model is sure about; a heap in the middle is where it cannot tell."
    figure = Figure("confidence", "histogram", TITLE, how, (histogram_series("rows", shown, 20, (0.0, 1.0)),), label, "rows")
    return [Finding("AML304", TITLE, Severity.PASSED, Section.TRUST, f"{sentence}.", "evaluated", numbers, (figure,))]


CHECK = Check("AML304", TITLE, Section.TRUST, run)
