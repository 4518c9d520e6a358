"""AML330: whether intervals and sets hold the truth as often as they promise, over all judged rows and in parts of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.case import Case, Check
from automl.core.conformal import ANY_ROWS, Conformal, interval_at, set_at
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.judge.bootstrap import HURRY_SECONDS
from automl.judge.parts import ALL, FEWEST_ROWS, Share, below, parts_grouped, parts_of_target, parts_sliced, shares, true_classes
from automl.judge.scoring import is_nested, judged_on, not_applicable
from automl.judge.wording import count_text, figures_text, finite, number, percent_text

TITLE = "Coverage of intervals and sets"
Array = np.ndarray[Any, Any]

LEVELS = (0.8, 0.9, 0.95)
SHOWN = 0.9
SLACK = 0.02
"""Coverage may be so much lower than promised before it is an issue, or worth telling of a part."""
MOST_SLICES = 8


def run(case: Case) -> list[Finding]:
    conformal = None if case.evidence is None else case.evidence.readout.conformal
    if not case.profile.task.is_classification and case.quantiles is not None:
        return not_applicable(
            "AML330", TITLE, Section.TRUST, "A forecast has quantiles of its own, whose coverage is told there."
        )
    if conformal is None or not len(case.truth):
        why = "there are too few out-of-fold predictions, so the model has no intervals or sets"
        return not_applicable("AML330", TITLE, Section.TRUST, f"Coverage was not measured, as {why}.")
    levels = [level for level in LEVELS if f"{level:.2f}" in conformal.quantiles]
    if not levels:
        levels = [max(map(float, conformal.quantiles))]
    level = SHOWN if SHOWN in levels else levels[-1]
    measured = {each: _measured(case, conformal, each) for each in levels}
    held, size = measured[level]
    overall = {each: shares(case, measured[each][0], [(ALL, np.ones(len(held), bool))])[0] for each in levels}
    lacking, fixed = _parts(case, held, level)
    worst = [share for share in lacking if share.value < level - SLACK]
    broken = overall[level].high < level - SLACK
    short = overall[level].high < level
    return [
        Finding(
            code="AML330",
            title=TITLE,
            severity=Severity.ISSUE if broken else Severity.TIP if short or worst else Severity.PASSED,
            section=Section.TRUST,
            sentence=_sentence(case, conformal, level, overall[level], size, worst),
            about="evaluated",
            numbers=_numbers(case, measured, overall),
            figures=(_figure(case, level, overall[level], fixed, worst),),
            table=_table(case, level, [overall[level], *fixed, *lacking], size),
            action=_action(case, level, broken or short, worst, {each: held for each, (held, _) in measured.items()}),
        )
    ]


def _measured(case: Case, conformal: Conformal, level: float) -> tuple[Array, Array]:
    """(rows,) whether the truth is held, and the width of the interval or the number of classes."""
    if case.profile.task.is_classification:
        members = set_at(conformal, case.prediction, level, case.called)
        return members[np.arange(len(members)), case.truth], members.sum(axis=1)
    ends = interval_at(conformal, case.prediction, level)
    return (case.truth >= ends[:, 0]) & (case.truth <= ends[:, 1]), ends[:, 1] - ends[:, 0]


def _parts(case: Case, held: Array, level: float) -> tuple[list[Share], list[Share]]:
    """The slices in which it holds too rarely beyond chance, and the parts that are always shown."""
    fixed = [*parts_of_target(case), *parts_grouped(case)]
    hurried = case.deadline.lacks(0.3 * HURRY_SECONDS)
    tested = [part for part in (fixed, [] if hurried else parts_sliced(case, fixed)) if part]
    found = sorted((each for part in tested for each in below(case, held, level, part)), key=lambda each: each[0])[:MOST_SLICES]
    lacking = shares(case, held, [(text, rows) for _, text, rows in found]) if found else []
    lacking = [
        Share(each.text, each.rows, each.value, each.low, each.high, p) for each, (p, _, _) in zip(lacking, found, strict=True)
    ]
    names = {each.text for each in lacking}
    shown = [each for each in fixed if each[0] not in names]
    return sorted(lacking, key=lambda each: each.value), shares(case, held, shown) if shown else []


def _sentence(case: Case, conformal: Conformal, level: float, overall: Share, size: Array, worst: list[Share]) -> str:
    mean = float(np.average(size, weights=case.weight))
    if case.profile.task.is_classification:
        what = f"Sets of classes (`--interval {level:g}`)"
        single = float(np.average(size == 1, weights=case.weight))
        many = figures_text(mean)
        told = (
            f"have {many} {'class' if many == '1' else 'classes'} on average, a single one for {percent_text(single)} of the rows"
        )
        if overall.value > level + SLACK and mean < 1.05:
            told += "; the most probable class alone is right more often than that"
    else:
        what = f"Intervals (`--interval {level:g}`)"
        told = f'are {figures_text(mean)} wide on average in the unit of "{case.profile.target}"'
        told += ", wider where errors are usually larger" if conformal.knots else ", equally wide for all rows"
    ends = f"95 % interval {percent_text(overall.low)} to {percent_text(overall.high)}"
    said = f"{what} hold the truth of {percent_text(overall.value)} of {judged_on(case)} ({ends}), and {told}"
    if is_nested(case):
        said += " (the rows that they were fitted on, so a little less is to be expected)"
    if worst:
        part, of_class = worst[0], true_classes(case)
        if part.text in of_class:
            missed, name = percent_text(1 - part.value), of_class[part.text]
            said += f'; of the {count_text(part.size, "row")} that truly are "{name}", {missed} get a set without "{name}"'
        else:
            said += f"; where {part.text}, they hold {percent_text(part.value)} of {count_text(part.size, 'row')}"
        more = len(worst) - 1
        said += f", and {count_text(more, 'further slice')} {'is' if more == 1 else 'are'} below the promise too" if more else ""
    if conformal.holds_for != ANY_ROWS:
        said += f"; the promise is for {conformal.holds_for} and for no others"
    return f"{said}."


def _numbers(case: Case, measured: dict[float, tuple[Array, Array]], overall: dict[float, Share]) -> dict[str, Number]:
    classes = case.profile.task.is_classification
    found = {}
    for level, (_, size) in measured.items():
        share, name = overall[level], f"{100 * level:g}"
        found[f"coverage_{name}"] = number(share.value, share.low, share.high, unit="fraction")
        mean = float(np.average(size, weights=case.weight))
        found[f"mean_{'set_size' if classes else 'width'}_{name}"] = number(mean, unit="" if classes else case.profile.target)
        if classes:
            found[f"single_class_{name}"] = number(float(np.average(size == 1, weights=case.weight)), unit="fraction")
    return found


def _figure(case: Case, level: float, overall: Share, fixed: list[Share], worst: list[Share]) -> Figure:
    shown = [overall, *fixed, *worst]
    series = Series(
        "coverage",
        tuple(each.text for each in shown),
        tuple(finite(each.value) for each in shown),
        tuple(finite(each.low) for each in shown),
        tuple(finite(each.high) for each in shown),
        tuple(each.size for each in shown),
        tuple(each.size < FEWEST_ROWS for each in shown),
    )
    what = "set" if case.profile.task.is_classification else "interval"
    how = (
        f"Each dot is how often the {what} holds the truth in a part of the judged rows, with its 95 % interval; {level:g} is"
        " promised for all rows together, not for every part. Parts by single columns are shown only where they are below that"
        f" beyond chance, pale ones have fewer than {FEWEST_ROWS} rows."
    )
    return Figure("coverage", "interval", f"Coverage where {level:g} is promised", how, (series,), "rows", "share that is held")


def _table(case: Case, level: float, parts: list[Share], size: Array) -> dict[str, Any]:
    name = "mean set size" if case.profile.task.is_classification else "mean width"
    rows = []
    for each in parts:
        weight = None if case.weight is None else case.weight[each.rows]
        mean = float(np.average(size[each.rows], weights=weight))
        rows.append([each.text, each.size, each.value, finite(each.low), finite(each.high), mean, finite(each.p)])
    return {"columns": ["rows where", "rows", f"coverage at {level:g}", "low", "high", name, "p"], "rows": rows}


def _action(case: Case, level: float, short: bool, worst: list[Share], held: dict[float, Array]) -> str:
    if short:
        return "Ask for a higher level than you need, and look whether the judged rows are like the training rows."
    if not worst:
        return ""
    part, name = worst[0], true_classes(case).get(worst[0].text)
    if name is None:
        return f"Do not rely on the level where {part.text}: the promise is for all rows together."
    said = f'A set without "{name}" does not rule "{name}" out, as the promise is for all classes together'
    higher = max(held)
    if higher > level:
        held_then = percent_text(shares(case, held[higher], [(part.text, part.rows)])[0].value)
        said += f"; `automl predict ... --interval {higher:g}` holds {held_then} of such rows"
    return f"{said}."


CHECK = Check("AML330", TITLE, Section.TRUST, run, seconds=0.7)
