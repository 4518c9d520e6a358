"""AML411: demographic parity, equal opportunity, equalised odds and errors between the sensitive groups."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.case import Case, Check, Turn
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.options import GROUP_THRESHOLDS
from automl.core.statistics import holm
from automl.core.tasks import Task
from automl.judge.fairness import FEWEST_ROWS, MEASURES, ODDS, Gap, Key, measured
from automl.judge.scoring import judged_on, not_applicable
from automl.judge.wording import count_text, figures_text, finite, names_text, number, p_text, quoted_list

TITLE = "Gaps between the sensitive groups"
LARGE = 0.1
"""A gap of a rate that is worth an issue; for errors of a regression, of the standard deviation of the target."""
LARGE_RATIO = 0.8
"""The four-fifths rule: a group that is selected less than this often as another is worth a look."""
SIGNIFICANT = 0.05
OF_ODDS = {"true_positive": "that truly are of the class", "false_positive": "that truly are not of the class"}
MORE_ROWS = "Judge the model on more rows of the groups before anything depends on it; it is no proof that there is no gap."
HARM = ("true_positive", "false_positive", "equalised_odds", "error", "absolute_error", "bias")
"""Measures that compare rows with the same truth, or errors: a gap is a fault of the model. Demographic parity also differs
where the truth does."""


def run(case: Case) -> list[Finding]:
    if not case.plan.sensitive:
        return not_applicable(
            "AML411", TITLE, Section.FAILURES, "No sensitive column was named (--sensitive), so gaps were not measured."
        )
    if not len(case.truth):
        return not_applicable("AML411", TITLE, Section.FAILURES, "No rows were judged, so gaps were not measured.")
    found = measured(case)
    if not found:
        sentence = (
            f"Fewer than two groups of {names_text(case.plan.sensitive)} have {FEWEST_ROWS} rows among {judged_on(case)}, so no"
            " gap can be measured."
        )
        return not_applicable("AML411", TITLE, Section.FAILURES, sentence)
    real = _real(found)
    unit = case.profile.target if case.profile.task is Task.REGRESSION else ""
    issues = [key for key in found if key in real and key[1] in HARM and _large(case, found[key])]
    tips = [key for key in found if key in real and key not in issues and (_large(case, found[key]) or _uneven(key, found[key]))]
    unjudged = _unjudged(case, found)
    severity = Severity.ISSUE if issues else Severity.TIP if tips or unjudged else Severity.PASSED
    return [
        Finding(
            code="AML411",
            title=TITLE,
            severity=severity,
            section=Section.FAILURES,
            sentence=f"{_sentence(case, found, issues, tips)}{unjudged}.",
            about="evaluated",
            numbers={_label(key): _number(gap, unit) for key, gap in found.items()},
            figures=(_figure(found, case),),
            table=_table(found, real),
            action=_action(case, issues or tips) if issues or tips else MORE_ROWS if unjudged else "",
        )
    ]


def _unjudged(case: Case, found: dict[Key, Gap]) -> str:
    """For which columns a half of equalised odds has too few rows, in words; joint groups are left aside."""
    if not case.profile.task.is_classification:
        return ""
    lacking = {each: [name for name in case.plan.sensitive if (name, each) not in found] for each in ODDS}
    few = f"fewer than two groups have {FEWEST_ROWS} rows"
    said = [
        f"{MEASURES[each]} by {names_text(names)} was not judged, as {few} {OF_ODDS[each]}"
        for each, names in lacking.items()
        if names
    ]
    return f"; {'; '.join(said)}; nor was equalised odds there" if said else ""


def _real(found: dict[Key, Gap]) -> set[Key]:
    """The gaps that are more than chance, corrected for all that were looked at; without a test, by their interval."""
    distinct = list({id(gap): gap for gap in found.values()}.values())
    corrected = holm([gap.p if gap.p is not None else float(gap.interval.low <= 0) for gap in distinct])
    real = {id(gap) for gap, p in zip(distinct, corrected, strict=True) if p < SIGNIFICANT}
    return {key for key, gap in found.items() if id(gap) in real}


def _large(case: Case, gap: Gap) -> bool:
    scale = float(np.std(case.truth)) if case.profile.task is Task.REGRESSION else 1.0
    return gap.interval.value > LARGE * scale


def _uneven(key: Key, gap: Gap) -> bool:
    return key[1] == "selection" and bool(gap.ratio < LARGE_RATIO)


def _label(key: Key) -> str:
    return f"{key[0]}: {MEASURES[key[1]]}"


def _number(gap: Gap, unit: str) -> Number:
    return number(gap.interval.value, gap.interval.low, gap.interval.high, unit)


def _sentence(case: Case, found: dict[Key, Gap], issues: list[Key], tips: list[Key]) -> str:
    """The largest gap of those that matter most, and how many more are in the table."""
    if not issues and not tips:
        largest = max(found, key=lambda key: found[key].interval.value)
        return (
            f"On {judged_on(case)} no gap between the groups of {names_text(case.plan.sensitive)} is both large and more than"
            f" chance; the largest is {figures_text(found[largest].interval.value)} ({_label(largest)})"
        )
    first = max(issues or tips, key=lambda key: found[key].interval.value)
    gap = found[first]
    high, low = gap.by.label(gap.highest), gap.by.label(gap.lowest)
    of = f' of "{gap.rate.label}"' if gap.rate.label else ""
    told = (
        f"On {judged_on(case)} the {gap.rate.title}{of} is {figures_text(float(gap.rates[gap.highest]))} for"
        f" {high} and {figures_text(float(gap.rates[gap.lowest]))} for {low}, a gap of"
        f" {figures_text(gap.interval.value)} (95 % interval {figures_text(gap.interval.low)} to"
    )
    told += f" {figures_text(gap.interval.high)}{'' if gap.p is None else f'; that all groups are alike: {p_text(gap.p)}'})"
    more = len(issues) + len(tips) - 1
    if not more:
        return told
    which = "large, or of demographic parity and uneven by the four-fifths rule, and more than chance"
    return f"{told}; {count_text(more, 'more gap')} in the table {'is' if more == 1 else 'are'} {which}"


def _figure(found: dict[Key, Gap], case: Case) -> Figure:
    ordered = sorted(found.items(), key=lambda each: list(MEASURES).index(each[0][1]))
    series = Series(
        "gap",
        tuple(_label(key) if len({name for name, _ in found}) > 1 else MEASURES[key[1]] for key, _ in ordered),
        tuple(finite(gap.interval.value) for _, gap in ordered),
        tuple(finite(gap.interval.low) for _, gap in ordered),
        tuple(finite(gap.interval.high) for _, gap in ordered),
    )
    how = (
        "Each dot is the largest difference of a rate between two groups with at least"
        f" {FEWEST_ROWS} rows (0 is equal treatment; more than {LARGE:g} counts as large), the line its 95 % interval."
        " Demographic parity: how often a group is given the class; equal opportunity: the same where the class is true;"
        " predictive equality: where it is not true (false alarms); equalised odds: the larger of these two. They cannot all be"
        " zero at once where the groups differ in truth."
    )
    if case.profile.task is Task.REGRESSION:
        how = (
            "Each dot is the largest difference between two groups with at least"
            f" {FEWEST_ROWS} rows, the line its 95 % interval. Bias is the mean of predicted minus actual."
        )
    return Figure("group_gaps", "interval", TITLE, how, (series,), "measure", "largest difference", "zero")


def _table(found: dict[Key, Gap], real: set[Key]) -> dict[str, Any]:
    rows = []
    for key, gap in found.items():
        names = gap.by.groups
        rows.append(
            [
                key[0], MEASURES[key[1]], gap.rate.label, gap.interval.value, key in real, names[gap.highest],
                float(gap.rates[gap.highest]), names[gap.lowest], float(gap.rates[gap.lowest]), finite(gap.interval.low),
                finite(gap.interval.high), finite(gap.ratio), gap.p,
            ]
        )  # fmt: skip
    columns = [
        "column",
        "measure",
        "class",
        "difference",
        "more than chance, corrected",
        "highest",
        "its rate",
        "lowest",
        "its rate ",
    ]
    return {"columns": [*columns, "low", "high", "ratio", "p that all groups are alike"], "rows": rows}


def _action(case: Case, notable: list[Key]) -> str:
    named = quoted_list(case.plan.sensitive)
    if case.profile.task is Task.REGRESSION:
        return "Look at how the rows of the worse group came about; more rows of it would help most."
    if case.plan.mitigate:
        return "There is a gap after mitigation: look for the reason in the data, and for more rows of the groups that lose."
    measures = {measure for _, measure in notable}
    if measures <= {"error"}:
        return "No mitigation aims at error rates: look why the rows of the worse group are harder, and for more of them."
    odds = measures != {"selection"}
    aim, how = "give the groups thresholds of their own", GROUP_THRESHOLDS
    if not odds or case.profile.task is not Task.BINARY:
        how, aim = ("reweigh", "the target does not depend on the groups")
        if odds:
            how, aim = ("equalised-odds", "each class is found equally often in every group")
        aim = f"weigh the training rows so that {aim}"
    return f"If such a difference is not wanted, {aim}, and see the price: fit again with `--sensitive {named} --mitigate {how}`."


CHECK = Check("AML411", TITLE, Section.FAILURES, run, independent=True, turn=Turn.ASKED, seconds=0.2)
