"""AML203: whether the model is better than the baseline at all."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.judge.bootstrap import compare
from automl.judge.scoring import headline_metric, is_nested, judged_on, not_applicable
from automl.judge.wording import number, score_text, unit_of

TITLE = "Better than the baseline"


def run(case: Case) -> list[Finding]:
    if not len(case.truth):
        return not_applicable(
            "AML203", TITLE, Section.SCORES, "No rows were judged, so there is nothing to compare with the baseline."
        )
    metric = headline_metric(case)
    compared = compare(case, [metric])[0]
    gain = compared.gain
    if not np.isfinite(gain.value):
        return not_applicable(
            "AML203", TITLE, Section.SCORES, f"{metric.title} is undefined on the judged rows, so nothing can be compared."
        )
    three = gain.value, gain.low, gain.high
    scores = (
        f"{metric.title} {score_text(metric, compared.model.value)} against {score_text(metric, compared.baseline.value)}; "
        f"gain {', 95 % interval '.join((score_text(metric, gain.value, three), score_text(metric, gain.low, three)))}"
        f" to {score_text(metric, gain.high, three)}"
    )
    if is_nested(case):
        scores += " from resampling the rows of one cross-validation, which leaves out the variation of training"
    severity = Severity.ISSUE
    action = "Do not use it: more rows or more telling columns are needed; look at the data findings first."
    if gain.high < 0:
        sentence = f"The model is worse than the baseline on {judged_on(case)} ({scores})."
    elif gain.low <= 0:
        sentence = f"The model cannot be told from the baseline on {judged_on(case)} ({scores})."
        if len(case.truth) < 1000:
            action = "Collect more rows, or columns that say more about the target; do not rely on it until the gain is certain."
    else:
        severity, action = Severity.PASSED, ""
        sentence = f"The model is better than the baseline on {judged_on(case)} ({scores})."
    return [
        Finding(
            code="AML203",
            title=TITLE,
            severity=severity,
            section=Section.SCORES,
            sentence=sentence,
            about="evaluated",
            numbers={
                "gain": number(gain.value, gain.low, gain.high, unit_of(metric, case.profile)),
                "score": compared.model,
                "baseline": compared.baseline,
                "p_value": number(1.0 if gain.p is None else gain.p),
            },
            action=action,
        )
    ]


CHECK = Check("AML203", TITLE, Section.SCORES, run)
