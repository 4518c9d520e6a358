"""AML601: which rung was chosen, and what the evidence for it is."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.evidence import ALPHA, Decision, Evidence, Final
from automl.core.finding import Finding, Number, Section, Severity
from automl.core.statistics import corrected_resampled_t
from automl.judge.scoring import fold_ratio, headline_metric, more_effort, not_applicable, title_of
from automl.judge.wording import called, finite, number, p_text, score_text, unit_of

TITLE = "The chosen rung"
PRICES = {
    "seconds": "more seconds of training",
    "bytes": "more bytes (estimated where a rung was not exported)",
    "milliseconds_a_row": "more milliseconds a row",
}
"""What a climb costs beyond the rung below it."""
BEST = "To spend more on the last bit of score: `--preset best`."


def run(case: Case) -> list[Finding]:
    evidence = case.evidence
    if evidence is None or not (evidence.finals or evidence.decisions):
        return not_applicable(
            "AML601", TITLE, Section.CHOICE, "No rung was run on fresh folds, so there was nothing to choose from."
        )
    metric = headline_metric(case)
    intervals = {final.architecture: _interval(case, final) for final in evidence.finals}
    hurried = decided_in_search(evidence)
    numbers: dict[str, Number] = {"score": intervals[evidence.champion]} if evidence.champion in intervals else {}
    for decision in evidence.decisions:
        if _takes(evidence, decision):
            unit = unit_of(metric, case.profile)
            numbers["gain"] = number(decision.gain, *decision.interval, unit, level=decision.level)
    return [
        Finding(
            code="AML601",
            title="Chosen without fresh folds" if hurried else TITLE,
            severity=Severity.TIP if hurried else Severity.PASSED,
            section=Section.CHOICE,
            sentence=_sentence(case, evidence, intervals),
            about="evaluated",
            numbers=numbers,
            table=_table(case, evidence),
            action=more_effort(case) if hurried and not evidence.without_fresh else _other_preset(case, evidence),
        )
    ]


def _by_mean(case: Case, decision: Decision) -> bool:
    """Whether a climb was made for a higher mean that chance alone could explain: preset best does so."""
    return case.plan.preset == "best" and decision.accepted and decision.p_value >= ALPHA


def _other_preset(case: Case, evidence: Evidence) -> str:
    if case.plan.preset != "best":
        return BEST
    by_mean = any(_by_mean(case, each) for each in evidence.decisions if _takes(evidence, each))
    if by_mean or evidence.without_fresh:
        return "To climb only where a test on fresh folds says that it pays: `--preset balanced`."
    return ""


def decided_in_search(evidence: Evidence) -> bool:
    """Whether the chosen rung was taken without fresh folds of both that were compared."""
    fresh = {final.architecture for final in evidence.finals}
    return any(not {each.candidate, each.incumbent} <= fresh for each in evidence.decisions if _takes(evidence, each))


def _takes(evidence: Evidence, decision: Decision) -> bool:
    return decision.accepted and decision.candidate == evidence.champion


def _interval(case: Case, final: Final) -> Number:
    """The mean score on the fresh folds; folds share training rows, hence the corrected t."""
    metric = headline_metric(case)
    _, low, high, _ = corrected_resampled_t(final.fold_scores, fold_ratio(case))
    return number(final.score, metric.within(low), metric.within(high), unit_of(metric, case.profile))


def _sentence(case: Case, evidence: Evidence, intervals: dict[str, Number]) -> str:
    metric = headline_metric(case)
    champion = title_of(case, evidence.champion)
    score = intervals.get(evidence.champion)
    if evidence.unshipped:
        first = title_of(case, evidence.unshipped[0].architecture)
        return f"{first} was chosen but could not be shipped ({evidence.unshipped[0].why}); {champion} is shipped instead."
    told = f"{champion} was chosen"
    if score is not None:
        told += f" ({called(metric)} {score_text(metric, score.value)} on {evidence.fresh_folds} fresh folds)"
    taken = [decision for decision in evidence.decisions if _takes(evidence, decision)]
    refused = [decision for decision in evidence.decisions if not decision.accepted]
    if taken:
        told += f": it is {_gain(case, taken[-1])}"
        if _by_mean(case, taken[-1]):
            told += ", no more than chance; shipped because --preset best takes the higher mean"
        if decided_in_search(evidence):
            why = evidence.without_fresh or "there was no time for fresh ones: that may be too hopeful"
            told += f", on the folds of the search, as {why}"
    elif evidence.decisions:
        told += ": no other rung was better beyond chance"
    if refused:
        told += "; not accepted: " + "; ".join(f"{title_of(case, each.candidate)}, {_gain(case, each)}" for each in refused[:3])
    return f"{told}."


def _gain(case: Case, decision: Decision) -> str:
    """`0.015 better than Linear model (80 % interval of the gain 0.010 to 0.020, p < 0.001)`."""
    metric = headline_metric(case)
    three = decision.gain, *decision.interval
    gain = score_text(metric, abs(decision.gain), three)
    low, high = (score_text(metric, bound, three) for bound in decision.interval)
    told = f"{gain} {'better' if decision.gain > 0 else 'worse'} than" if decision.gain else "exactly as good as"
    level = f"{100 * decision.level:.0f} %"
    other = title_of(case, decision.incumbent)
    return f"{told} {other} ({level} interval of the gain {low} to {high}, {p_text(decision.p_value)})"


def _table(case: Case, evidence: Evidence) -> dict[str, object]:
    priced = {name for decision in evidence.decisions for name in decision.price}
    prices = [name for name in PRICES if name in priced]
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
    level = " or ".join(sorted({f"{100 * each.level:.0f} %" for each in evidence.decisions}))
    columns = ["candidate", "against", "decision", "gain", f"low ({level})", f"high ({level})", "p", "test"]
    return {"columns": [*columns, *(PRICES[name] for name in prices)], "rows": rows}


CHECK = Check("AML601", TITLE, Section.CHOICE, run)
