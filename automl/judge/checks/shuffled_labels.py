"""AML322: whether the model still knows labels that were dealt out at random."""

from __future__ import annotations

from automl.core.case import Case, Check, Turn
from automl.core.finding import Finding, Number, Section, Severity
from automl.core.probes import Shuffled
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
    sentence += "it knows labels that nothing but a leak can tell it" if known else "it knows nothing of them, as it should"
    sentence += f" ({_tested(case, found)})"
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
                **_agreement(case, found),
                "p_value": number(found.p_value),
            },
            action="Do not use the scores: rows or labels of validation reach the training; report it." if known else "",
        )
    ]


def _agreement(case: Case, found: Shuffled) -> dict[str, Number]:
    """What p tests; probes of earlier versions did not keep it."""
    if found.agreement is None or found.by_chance is None:
        return {}
    name = "probability_of_the_dealt_class" if case.profile.task.is_classification else "correlation_with_the_dealt_labels"
    return {name: number(found.agreement), f"{name}_by_chance": number(found.by_chance)}


def _tested(case: Case, found: Shuffled) -> str:
    """What p is the probability of: not of the score, which also tells how far the predictions are off."""
    what = "the mean probability of the dealt class" if case.profile.task.is_classification else "the correlation with the labels"
    if found.agreement is None or found.by_chance is None:
        return f"{p_text(found.p_value)} for {what}, by permutation"
    by_chance = "near 0" if abs(found.by_chance) < 5e-4 else f"{found.by_chance:.3f}"
    told = f"{what} is {found.agreement:.3f}, by chance it would be {by_chance}, {p_text(found.p_value)}"
    return told if found.deals == 1 else f"{told} over {found.deals} deals"


def _gain(case: Case, score: float, baseline: float) -> float:
    """The gain on shuffled labels, as a share of what the chosen model gains on the true ones."""
    metric, evidence = headline_metric(case), case.evidence
    assert evidence is not None
    trial = evidence.best_trial(evidence.champion)
    true = None if trial is None or trial.score is None else metric.gain(trial.score, baseline)
    gain = metric.gain(score, baseline)
    return gain / true if true is not None and true > 0 else float(gain > 0)


CHECK = Check("AML322", TITLE, Section.TRUST, run, independent=True, turn=Turn.VERDICT)
