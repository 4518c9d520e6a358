"""AML203: whether the model is better than the baseline at all."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check, Turn
from automl.core.finding import Finding, Section, Severity
from automl.judge.bootstrap import Comparison, compare
from automl.judge.scoring import (
    headline_metric,
    is_nested,
    judged_on,
    more_effort,
    not_applicable,
    remedy,
    ships_baseline,
    title_of,
)
from automl.judge.wording import called, number, score_text, unit_of

TITLE = "Better than the baseline"
NOT_BETTER = "The model is not better than the baseline"
BASELINE_SHIPPED = "The baseline is shipped"
COLLECT = "Do not use it: more rows or more telling columns are needed; look at the data findings first."


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
    if ships_baseline(case):
        return [_baseline_shipped(case, compared)]
    three = gain.value, gain.low, gain.high
    scores = (
        f"{metric.title} {score_text(metric, compared.model.value)} against {score_text(metric, compared.baseline.value)}; "
        f"gain {', 95 % interval '.join((score_text(metric, gain.value, three), score_text(metric, gain.low, three)))}"
        f" to {score_text(metric, gain.high, three)}"
    )
    if is_nested(case):
        scores += " from resampling the rows of one cross-validation, which leaves out the variation of training"
    severity = Severity.ISSUE
    action = COLLECT
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
            title=TITLE if severity is Severity.PASSED else NOT_BETTER,
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


def _baseline_shipped(case: Case, compared: Comparison) -> Finding:
    """There is no gain to test: the baseline would be held against itself."""
    why, action, lacked_time = _why_baseline(case)
    metric = headline_metric(case)
    return Finding(
        code="AML203",
        title=f"{BASELINE_SHIPPED} for want of time" if lacked_time else BASELINE_SHIPPED,
        severity=Severity.ISSUE,
        section=Section.SCORES,
        sentence=(
            f"{BASELINE_SHIPPED}: {why}; its {called(metric)} on {judged_on(case)} is {score_text(metric, compared.model.value)}."
        ),
        about="evaluated",
        numbers={"score": compared.model, "baseline": compared.baseline},
        action=action,
    )


def _why_baseline(case: Case) -> tuple[str, str, bool]:
    """(why the baseline is shipped, what to do, whether time is what was missing)."""
    assert case.evidence is not None
    tried = {trial.architecture for trial in case.evidence.trials if trial.score is not None}
    if case.evidence.unshipped:
        refusal = case.evidence.unshipped[0]
        cause = {"time": "there was no time to fit and export it", "limit": "it is larger or slower than allowed"}
        why = f"{title_of(case, refusal.architecture)} was chosen, but {cause.get(refusal.cause, 'its export failed')}"
        return f"{why} ({refusal.why})", remedy(case, refusal), refusal.cause == "time"
    if tried - {case.evidence.champion}:
        return "no other rung was better beyond chance", COLLECT, False
    if case.evidence.skipped:
        return "there was no time to try another rung", more_effort(case), True
    return "no other rung could be trained", COLLECT, False


CHECK = Check("AML203", TITLE, Section.SCORES, run, turn=Turn.VERDICT, seconds=0.1)
