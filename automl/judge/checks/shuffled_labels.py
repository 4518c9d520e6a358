"""AML322: whether the model still knows labels that were dealt out at random."""

from __future__ import annotations

from automl.core.case import Case, Check, Turn
from automl.core.finding import Finding, Section, Severity
from automl.judge.scoring import headline_metric, not_probed, title_of
from automl.judge.wording import called, number, p_text, score_text, unit_of

TITLE = "Shuffled labels"
LEVEL = 0.001
LARGE_SHARE = 0.1
"""Of what the model gains over the baseline with the true labels: less than this is nothing to stop for."""


def run(case: Case) -> list[Finding]:
    found = None if case.evidence is None else case.evidence.probes.shuffled
    if case.evidence is None or found is None:
        return not_probed(case, "AML322", TITLE, "shuffled", "trained on shuffled labels")
    metric, of = headline_metric(case), title_of(case, case.evidence.probes.architecture)
    unit = unit_of(metric, case.profile)
    known = found.p_value <= LEVEL
    large = known and _gain(case, found.score, found.baseline) > LARGE_SHARE
    sentence = (
        f"Trained on labels that were dealt out at random, {of} reaches a {called(metric)} of"
        f" {score_text(metric, found.score)} on {found.rows:,} rows that it has not seen, a constant"
        f" {score_text(metric, found.baseline)}: "
    )
    if known:
        sentence += f"it knows labels that nothing but a leak can tell it ({p_text(found.p_value)})"
    else:
        sentence += f"it knows nothing of them, as it should ({p_text(found.p_value)})"
    return [
        Finding(
            code="AML322",
            title=TITLE,
            severity=Severity.STOP if large else Severity.ISSUE if known else Severity.PASSED,
            section=Section.TRUST,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers={
                "shuffled": number(found.score, unit=unit),
                "constant": number(found.baseline, unit=unit),
                "p_value": number(found.p_value),
            },
            action="Do not use the scores: rows or labels of validation reach the training; report it." if known else "",
        )
    ]


def _gain(case: Case, score: float, baseline: float) -> float:
    """The gain on shuffled labels, as a share of what the chosen model gains on the true ones."""
    metric, evidence = headline_metric(case), case.evidence
    assert evidence is not None
    trial = evidence.best_trial(evidence.champion)
    true = None if trial is None or trial.score is None else metric.gain(trial.score, baseline)
    gain = metric.gain(score, baseline)
    return gain / true if true is not None and true > 0 else float(gain > 0)


CHECK = Check("AML322", TITLE, Section.TRUST, run, independent=True, turn=Turn.VERDICT)
