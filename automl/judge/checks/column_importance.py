"""AML501, AML502: which columns the score rests on."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.case import Case, Check, Turn
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.judge.importance import Importance, permutation_importance
from automl.judge.scoring import is_nested, not_applicable
from automl.judge.wording import called, count_text, drop_command, names_text, number, percent_text, score_text, unit_of

TITLE = "Importance of the columns"
MOST_BARS = 20
MOST_ROWS = 300
ALMOST_ALL = 0.7
NEARLY_ALL = 0.95


def run(case: Case) -> list[Finding]:
    found = permutation_importance(case)
    if found is None:
        why = "no time was left" if case.deadline.short else "no score is defined on the judged rows"
        return not_applicable("AML501", TITLE, Section.WHY, f"The importance of the columns was not measured, because {why}.")
    return [_importance(case, found), _concentration(case, found)]


def _importance(case: Case, found: Importance) -> Finding:
    metric, unit = found.metric, unit_of(found.metric, case.profile)
    certain = [each for each in found.columns if each.low > 0]
    ignored = [each.column for each in found.columns if not each.used]
    worse = "falls" if metric.greater_is_better else "rises"
    if certain:
        told = ", ".join(f'"{each.column}" ({score_text(metric, each.value)})' for each in certain[:3])
        sentence = f"{metric.title} {worse} most when these columns are shuffled: {told}"
    else:
        sentence = f"Shuffling any single column does not change the {called(metric)} beyond chance"
    if ignored:
        sentence += f"; {count_text(len(ignored), 'column')} changed nothing: {names_text(ignored)}"
    action = ""
    if ignored:
        rows = f"No prediction for the {found.rows:,} rows that were looked at depends on {'it' if len(ignored) == 1 else 'them'}"
        action = f"{rows}; whether a run without does as well is found out by `{drop_command(ignored)}`."
    if found.left_out:
        sentence += (
            f"; {count_text(len(found.left_out), 'column')} could not be measured in the time: {names_text(found.left_out)}"
        )
    if is_nested(case):
        sentence += "; these are rows that the model was trained on, so columns that it memorised look too important"
    return Finding(
        code="AML501",
        title=TITLE,
        severity=Severity.PASSED,
        section=Section.WHY,
        sentence=f"{sentence}.",
        about="evaluated",
        numbers={each.column: number(each.value, each.low, each.high, unit) for each in found.columns[:MOST_BARS]},
        figures=(_figure(found),),
        table=_table(found) if len(found.columns) > MOST_BARS else {},
        action=action,
    )


def _table(found: Importance) -> dict[str, Any]:
    """Every column, where the figure shows only the most important ones."""
    return {
        "columns": ["column", f"what {called(found.metric)} gets worse by", "low", "high"],
        "rows": [[each.column, each.value, each.low, each.high] for each in found.columns[:MOST_ROWS]],
    }


def _figure(found: Importance) -> Figure:
    shown = found.columns[:MOST_BARS]
    series = Series(
        "importance",
        tuple(each.column for each in shown),
        tuple(each.value for each in shown),
        tuple(each.low for each in shown),
        tuple(each.high for each in shown),
    )
    how = (
        f"Each bar is how much worse the {called(found.metric)} gets on {found.rows:,} judged rows when the values of the column"
        f" are shuffled ({found.repeats} times; 95 % interval over rows); a bar whose interval touches zero may be chance."
        " Columns that say the same share their importance."
    )
    if len(found.columns) > MOST_BARS:
        how += f" The {MOST_BARS} largest of {len(found.columns):,} are shown."
    return Figure("importance", "bar", TITLE, how, (series,), "column", f"what {called(found.metric)} gets worse by", "zero")


def _concentration(case: Case, found: Importance) -> Finding:
    values = np.array([max(0.0, each.value) for each in found.columns])
    title = "Weight of a single column"
    if values.sum() <= 0 or len(values) < 2:
        return not_applicable(
            "AML502", title, Section.WHY, "No column carries the score measurably, so none carries almost all of it."
        )[0]
    top, share = found.columns[0], float(values[0] / values.sum())
    told = f'"{top.column}" carries {percent_text(share)} of the importance'
    if found.left_out:
        told += f" of the {len(values):,} columns measured; {len(found.left_out):,} were not, so nothing is said of a single one"
        return not_applicable("AML502", title, Section.WHY, f"{told}.")[0]
    told += " of all columns together"
    alone = share > ALMOST_ALL and top.low > 0 and len(values) >= 3
    return Finding(
        code="AML502",
        title=title,
        severity=(Severity.ISSUE if share > NEARLY_ALL else Severity.TIP) if alone else Severity.PASSED,
        section=Section.WHY,
        sentence=f"{told}: {_rests(share) if alone else 'the score rests on more than one column'}.",
        about="evaluated",
        numbers={"share": number(share, unit="fraction")},
        action=(
            f'Make sure that "{top.column}" is known at the time of the prediction and not made from the target; compare with'
            f" `{drop_command([top.column])}`."
            if alone
            else ""
        ),
    )


def _rests(share: float) -> str:
    return "nearly everything rests on it" if share > NEARLY_ALL else "most rests on it"


CHECK = Check("AML501", TITLE, Section.WHY, run, independent=True, turn=Turn.EXTRA, seconds=3.5)
