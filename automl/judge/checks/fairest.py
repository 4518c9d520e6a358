"""AML413: of the trials that are as good as the best, the one that treats the sensitive groups most alike."""

from __future__ import annotations

from automl.core.case import Case, Check, Turn
from automl.core.evidence import FairTrial
from automl.core.finding import Finding, Section, Severity
from automl.core.options import FAIREST, GROUP_THRESHOLDS
from automl.judge.scoring import headline_metric, not_applicable, title_of
from automl.judge.wording import called, figures_text, number, quoted_list, score_text, unit_of

TITLE = "The fairest of the best"
SMALLER_BY = 0.01
"""A gap that is smaller by less than this is no reason to change anything."""


def run(case: Case) -> list[Finding]:
    evidence = case.evidence
    if evidence is None or not evidence.fairness:
        why = "trials are compared by groups where columns were named (--sensitive) and there are two classes"
        return not_applicable("AML413", TITLE, Section.FAILURES, f"The fairest of the best trials was not looked for: {why}.")
    trials, metric = evidence.fairness, headline_metric(case)
    chosen = next((each for each in trials if (each.architecture, each.number) == _champion(case)), None)
    fairest = min(trials, key=lambda each: each.gap)
    least = min(trials, key=lambda each: each.fair_gap)
    best = chosen or trials[0]
    taken = case.plan.mitigate == GROUP_THRESHOLDS
    by = " or ".join(f'"{name}"' for name in case.plan.sensitive)
    between = f"gap in equalised odds by {by}"
    if len(trials) == 1:
        told = f"No other trial is within one standard error of the best out of fold, {_name(case, best)}; its {between} is"
        told += f" {figures_text(best.gap)}"
    else:
        told = f"Of {len(trials)} trials within one standard error of the best out of fold, {_name(case, fairest)} has the"
        told += f" smallest {between}, {figures_text(fairest.gap)} ({called(metric)} {score_text(metric, fairest.score)})"
        said = "chosen" if chosen else "best"
        other = f"{_name(case, best)}, has {figures_text(best.gap)} ({score_text(metric, best.score)})"
        told += f"; it is the {said} one" if fairest is best else f", where the {said} one, {other}"
    told += (
        f"; with thresholds by group {_name(case, least)} comes to {figures_text(least.fair_gap)}, on rows that they were not"
        f" chosen on, at an accuracy of {figures_text(least.fair_accuracy)} instead of {figures_text(least.accuracy)}"
    )
    named, action = quoted_list(case.plan.sensitive), ""
    if not taken and least.fair_gap < min(best.gap, fairest.gap) - SMALLER_BY:
        action = f"To take thresholds by group: `--sensitive {named} --mitigate {GROUP_THRESHOLDS}`."
    if case.plan.mitigate is None and fairest.gap < best.gap - SMALLER_BY:
        action += f" To take the fairest of the best trials as it is: `--sensitive {named} --mitigate {FAIREST}`."
    unit = unit_of(metric, case.profile)
    columns = ["trial", metric.title, "accuracy", "gap", "accuracy, thresholds by group", "gap, thresholds by group"]
    rows = [[_name(case, each), each.score, each.accuracy, each.gap, each.fair_accuracy, each.fair_gap] for each in trials]
    return [
        Finding(
            code="AML413",
            title=TITLE,
            severity=Severity.TIP if action else Severity.PASSED,
            section=Section.FAILURES,
            sentence=f"{told}.",
            about="evaluated",
            numbers={
                "smallest_gap": number(fairest.gap),
                "gap": number(best.gap),
                "score_of_the_fairest": number(fairest.score, unit=unit),
                "score": number(best.score, unit=unit),
                "gap_with_thresholds": number(least.fair_gap),
            },
            table={"columns": columns, "rows": rows},
            action=action.strip(),
        )
    ]


def _champion(case: Case) -> tuple[str, int]:
    assert case.evidence is not None
    return case.evidence.champion, case.evidence.champion_trial


def _name(case: Case, trial: FairTrial) -> str:
    return f"{title_of(case, trial.architecture)}, trial {trial.number}"


CHECK = Check("AML413", TITLE, Section.FAILURES, run, independent=True, turn=Turn.ASKED)
