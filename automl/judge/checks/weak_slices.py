"""AML403: the slices of rows on which the model does worst, confirmed on rows that they were not found on."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.case import Case, Check, Turn
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.core.metrics import METRICS, Metric
from automl.judge.bootstrap import HURRY_SECONDS
from automl.judge.scoring import headline_metric, judged_on, not_applicable
from automl.judge.slices import FEWEST_ROWS, OTHERS, Slice, conditions, outside, weakest
from automl.judge.wording import called, count_text, finite, number, score_text, unit_of

TITLE = "Weakest slices"


def run(case: Case) -> list[Finding]:
    hurried = case.deadline.lacks(0.3 * HURRY_SECONDS)
    if len(case.truth) < FEWEST_ROWS or len(case.judged) != len(case.truth) or hurried:
        why = "there was no time" if hurried else f"that takes {FEWEST_ROWS} judged rows"
        return not_applicable("AML403", TITLE, Section.FAILURES, f"Slices with higher losses were not searched for, as {why}.")
    every = conditions(case)
    found, looked = weakest(case, every)
    measure = METRICS["log_loss" if case.profile.task.is_classification else "mae"]
    if not found:
        sentence = (
            f"Among {count_text(looked, 'slice')} of {judged_on(case)}, by one or two columns, none is much worse than the rest"
            " on rows other than those that it was found on."
        )
        return [Finding("AML403", TITLE, Severity.PASSED, Section.FAILURES, sentence, "evaluated", {"slices": number(looked)})]
    beaten = [each for each in found if each.worse_than_baseline]
    unit = unit_of(measure, case.profile)
    return [
        Finding(
            code="AML403",
            title=TITLE,
            severity=Severity.ISSUE if beaten else Severity.TIP,
            section=Section.FAILURES,
            sentence=_sentence(measure, found, beaten, looked),
            about="evaluated",
            numbers={each.text: number(each.loss, each.low, each.high, unit) for each in found},
            figures=(_figure(case, measure, found),),
            table=_table(case, measure, found),
            action=(
                "Do not use the predictions for such rows, or collect more of them and a column that tells them apart."
                if beaten
                else "More rows like these, or a column that tells them apart, would help there most."
            ),
        )
    ]


def _sentence(measure: Metric, found: list[Slice], beaten: list[Slice], looked: int) -> str:
    worst = (beaten or found)[0]
    told = (
        f"Where {worst.text}, the {called(measure)} is {score_text(measure, worst.loss)} against"
        f" {score_text(measure, worst.rest)} on {OTHERS}"
    )
    if beaten:
        told += ", worse than the baseline, which looks at no column"
    told += f" (on the {worst.tested:,} of its {count_text(int(worst.rows.sum()), 'judged row')} that were not used to find it)"
    more = len(found) - 1
    others = f"{count_text(more, 'further slice')} of {looked:,} looked at {'is' if more == 1 else 'are'} worse too"
    return f"{told}; {others}." if more else f"{told}."


def _figure(case: Case, measure: Metric, found: list[Slice]) -> Figure:
    others = outside(case, found)
    shown = found if others is None else [*found, others]
    series = Series(
        measure.title,
        tuple(each.text for each in shown),
        tuple(each.loss for each in shown),
        tuple(finite(each.low) for each in shown),
        tuple(finite(each.high) for each in shown),
        tuple(each.tested for each in shown),
    )
    how = (
        f"Each dot is the {called(measure)} of the rows that meet the condition (lower is better), with its 95 % interval,"
        " measured on the half of the judged rows that the slice was not found on; the lowest dot is the rows outside of"
        " all of these. Only slices that stay worse there, corrected for how many were tried, are shown."
    )
    return Figure("weak_slices", "interval", TITLE, how, (series,), "rows where", measure.title)


def _table(case: Case, measure: Metric, found: list[Slice]) -> dict[str, Any]:
    headline = headline_metric(case)
    rows = []
    for each in found:
        inside = np.flatnonzero(each.rows)
        weight = None if case.weight is None else case.weight[inside]
        score = headline.score(case.truth[inside], case.prediction[inside], weight, case.positive)
        gap = each.over_baseline[0]
        measured = [len(inside), each.tested, each.loss, finite(each.low), finite(each.high), each.rest, each.p, -gap]
        rows.append([each.text, *measured, finite(score)])
    name = measure.title
    columns = ["rows where", "rows", "rows tested", name, "low", "high", f"{name} of the others", "p"]
    return {"columns": [*columns, "gain over the baseline", f"{headline.title} of all its rows"], "rows": rows}


CHECK = Check("AML403", TITLE, Section.FAILURES, run, independent=True, turn=Turn.EXTRA, seconds=0.3)
