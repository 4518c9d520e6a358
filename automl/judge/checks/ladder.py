"""AML601: which rung was chosen, and what the evidence for it is."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.evidence import Decision, Evidence, Final
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.statistics import corrected_resampled_t
from automl.judge.scoring import fold_ratio, headline_metric, not_applicable, title_of
from automl.judge.wording import called, finite, number, p_text, score_text, unit_of

TITLE = "The chosen rung"


def run(case: Case) -> list[Finding]:
    evidence = case.evidence
    if evidence is None or not evidence.finals:
        return not_applicable(
            "AML601", TITLE, Section.CHOICE, "No rung was run on fresh folds, so there was nothing to choose from."
        )
    metric = headline_metric(case)
    intervals = {final.architecture: _interval(case, final) for final in evidence.finals}
    numbers: dict[str, Number] = dict(intervals)
    for decision in evidence.decisions:
        numbers[f"gain_{decision.candidate}_over_{decision.incumbent}"] = number(
            decision.gain, *decision.interval, unit_of(metric, case.profile), level=0.9
        )
    return [
        Finding(
            code="AML601",
            title=TITLE,
            severity=Severity.PASSED,
            section=Section.CHOICE,
            sentence=_sentence(case, evidence, intervals),
            about="evaluated",
            numbers=numbers,
            figures=(_figure(case, evidence, intervals),),
            table=_table(case, evidence),
            action="" if case.plan.preset == "best" else "To spend more on the last bit of score: --preset best.",
        )
    ]


def _interval(case: Case, final: Final) -> Number:
    """The mean score on the fresh folds; folds share training rows, hence the corrected t."""
    _, low, high, _ = corrected_resampled_t(final.fold_scores, fold_ratio(case))
    return number(final.score, low, high, unit_of(headline_metric(case), case.profile))


def _sentence(case: Case, evidence: Evidence, intervals: dict[str, Number]) -> str:
    metric = headline_metric(case)
    champion = title_of(case, evidence.champion)
    score = intervals.get(evidence.champion)
    told = f"{champion} was chosen"
    if score is not None:
        told += f" ({called(metric)} {score_text(metric, score.value)} on {evidence.fresh_folds} fresh folds)"
    taken = [decision for decision in evidence.decisions if decision.accepted and decision.candidate == evidence.champion]
    refused = [decision for decision in evidence.decisions if not decision.accepted]
    if taken:
        told += f": {_gain(case, taken[-1], 'gains')}"
    elif evidence.decisions:
        told += ": no other rung was better beyond chance"
    if refused:
        told += "; left below it: " + ", ".join(
            f"{title_of(case, each.candidate)} ({_gain(case, each, 'gains')})" for each in refused[:3]
        )
    return f"{told}."


def _gain(case: Case, decision: Decision, verb: str) -> str:
    metric = headline_metric(case)
    low, high = (score_text(metric, bound) for bound in decision.interval)
    return (
        f"it {verb} {score_text(metric, decision.gain)} over {title_of(case, decision.incumbent)}, 90 % interval {low} to {high},"
        f" {p_text(decision.p_value)}"
    )


def _figure(case: Case, evidence: Evidence, intervals: dict[str, Number]) -> Figure:
    metric = headline_metric(case)
    order = {rung.architecture: rung.rung for rung in case.plan.rungs}
    finals = sorted(evidence.finals, key=lambda final: order.get(final.architecture, len(order)))
    shown = [intervals[final.architecture] for final in finals]
    series = Series(
        metric.title,
        tuple(title_of(case, final.architecture) for final in finals),
        tuple(finite(each.value) for each in shown),
        tuple(each.low for each in shown),
        tuple(each.high for each in shown),
    )
    better = "higher" if metric.greater_is_better else "lower"
    how = (
        f"Each point is a rung of the ladder, simplest first, with its 95 % interval on the same fresh folds ({better} is"
        " better). Intervals may overlap although a climb pays, because rungs are compared fold by fold; the table has these"
        " tests."
    )
    return Figure("ladder", "interval", "Score of each rung", how, (series,), "rung", metric.title)


def _table(case: Case, evidence: Evidence) -> dict[str, object]:
    prices = sorted({name for decision in evidence.decisions for name in decision.price})
    rows = [
        [
            title_of(case, each.candidate),
            title_of(case, each.incumbent),
            "climbed" if each.accepted else "stayed",
            finite(each.gain),
            *(finite(bound) for bound in each.interval),
            finite(each.p_value),
            each.test,
            *(each.price.get(name) for name in prices),
        ]
        for each in evidence.decisions
    ]
    return {
        "columns": ["candidate", "against", "decision", "gain", "low (90 %)", "high (90 %)", "p", "test", *prices],
        "rows": rows,
    }


CHECK = Check("AML601", TITLE, Section.CHOICE, run)
