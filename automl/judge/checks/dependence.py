"""AML506, AML507: how the predictions follow the columns that move them most, and which of these act together."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from automl.core.case import Case, Check, Turn
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.core.profile import Kind
from automl.judge.curves import sampled
from automl.judge.dependence import Dependence, Interaction, alone, dependence, interaction
from automl.judge.examples import class_name
from automl.judge.margins import Cells, Margins, Player, ease, explainable, positive_of, taken
from automl.judge.scoring import not_applicable, not_run
from automl.judge.shapley import influence
from automl.judge.wording import count_text, figures_text, number, percent_text

TITLE = "How the predictions follow a column"
TOGETHER = "Columns that act together"
MOST_COLUMNS, MOST_TOGETHER = 4, 5
MOST_ROWS, PAIRED_ROWS, RANKING_ROWS, CURVES = 60, 50, 40, 30
FEWEST_ROWS = 30
CELLS = 1.5e7
"""Cells that are predicted in all."""
LEAST_SECONDS, SHARE_OF_TIME = 0.4, 0.25
MATTERS = 0.1
"""H from which on two columns are said to act together: 1 % of the variance of their joint dependence."""


def run(case: Case) -> list[Finding]:
    model = explainable(case, LEAST_SECONDS)
    if isinstance(model, str):
        return not_applicable("AML506", TITLE, Section.WHY, f"Nothing was found out about single columns, because {model}.")
    limit = case.deadline.until(share=SHARE_OF_TIME)
    most = max(FEWEST_ROWS, round(MOST_ROWS * ease(case) ** 0.5))
    rows = model.read(case.judged.iloc[sampled(len(case.truth), case.plan.seed, most)].reset_index(drop=True))
    output = 0 if positive_of(case) is not None or not case.profile.task.is_classification else _usual_class(case)
    order = _by_influence(model, rows, len(case.profile.features), case.plan.seed)
    curves: list[Dependence] = []
    for player in order[:MOST_COLUMNS]:
        if curves and limit.expired:
            break
        found = dependence(model, player, rows, output)
        if found is not None and (found.mean != found.mean[0]).any() and _may_be_shown(case, found):
            curves.append(found)
    case.deadline.short |= limit.expired
    if not curves:
        hidden = "" if case.plan.samples else ", or only columns whose values --no-samples keeps out of the report"
        return not_applicable("AML506", TITLE, Section.WHY, f"No column moves the predictions by itself{hidden}.")
    together = [] if limit.expired else _pairs(case, model, order, rows, output)
    return [_curves(case, curves, output), *_together(case, together, output)]


def _may_be_shown(case: Case, found: Dependence) -> bool:
    """With --no-samples no value of a category that few rows have."""
    return case.plan.samples or found.numbers is not None or not case.profile.column(found.column).tells_rows


def _usual_class(case: Case) -> int:
    return int(np.bincount(case.called).argmax())


def _by_influence(model: Margins, rows: Cells, columns: int, seed: int) -> list[Player]:
    count = len(next(iter(rows.values())))
    few = taken(rows, np.arange(min(count, max(5, min(RANKING_ROWS, int(CELLS / columns**2))))))
    moved = influence(model, few, rows, seed)
    return [model.players[at] for at in np.argsort(-moved, kind="stable").tolist()]


def _pairs(case: Case, model: Margins, order: list[Player], rows: Cells, output: int) -> list[Interaction]:
    count, columns = len(next(iter(rows.values()))), len(case.profile.features)
    used = min(count, round(PAIRED_ROWS * ease(case) ** 0.5), max(15, int(np.sqrt(CELLS / (15 * columns)))))
    rows, players = taken(rows, np.arange(used)), order[:MOST_TOGETHER]
    singles = [alone(model, player, rows, output) for player in players]
    found = []
    for first in range(len(players)):
        for second in range(first + 1, len(players)):
            pair, parts = (players[first], players[second]), (singles[first], singles[second])
            found.append(interaction(model, pair, parts, rows, output, case.plan.seed))
    return sorted(found, key=lambda each: -each.size)


# --- words -----------------------------------------------------------------------------------------------------------


def _about(case: Case, output: int) -> str:
    if not case.profile.task.is_classification:
        return f'"{case.profile.target}"'
    positive = positive_of(case)
    return f'the log-odds of "{class_name(case, output if positive is None else positive)}"'


_SAID = {"rises": "rises all the way", "falls": "falls all the way", "both ways": "goes up and down", "flat": "stays level"}


def _curves(case: Case, curves: list[Dependence], output: int) -> Finding:
    about = _about(case, output)
    parts = []
    for each in curves:
        if each.numbers is None:
            best, worst = int(np.argmax(each.mean)), int(np.argmin(each.mean))
            names = _labels(case, each)
            parts.append(f'"{each.column}" is highest for "{names[best]}" and lowest for "{names[worst]}"')
        elif each.direction in ("rises", "falls"):
            also = "every" if each.agreeing == 1 else percent_text(each.agreeing) + " of the"
            parts.append(
                f'with "{each.column}" it {_SAID[each.direction]} (so does that of {also} single row{"s" * (also != "every")})'
            )
        else:
            parts.append(f'with "{each.column}" it {_SAID[each.direction]}')
    rows = [
        [
            each.column,
            _SAID.get(each.direction, "a category"),
            float(np.ptp(each.mean)),
            each.agreeing if each.direction else None,
        ]
        for each in curves
    ]
    told = "; ".join(parts)
    return Finding(
        code="AML506",
        title=TITLE,
        severity=Severity.PASSED,
        section=Section.WHY,
        sentence=f"{about[:1].upper()}{about[1:]}, averaged over {count_text(len(curves[0].curves), 'judged row')}: {told}.",
        about="evaluated",
        figures=tuple(_figure(case, each, about, at) for at, each in enumerate(curves)),
        table={"columns": ["column", "direction", "range of the mean curve", "rows that go the same way"], "rows": rows},
        action="The curves set one column and leave the others: where columns go together, some such rows cannot exist.",
    )


def _labels(case: Case, each: Dependence) -> list[str]:
    """The values of a category as they are written, or dates."""
    kind = next((column.kind for column in case.profile.features if column.name == each.column), None)
    if each.numbers is not None and kind is Kind.DATETIME:
        return [datetime.datetime.fromtimestamp(moment, datetime.UTC).date().isoformat() for moment in each.numbers.tolist()]
    if each.numbers is not None:
        return [figures_text(value) for value in each.numbers.tolist()]
    return each.levels


def _figure(case: Case, each: Dependence, about: str, at: int) -> Figure:
    title = f"How {about} follows {each.column}"
    if each.numbers is None:
        low, high = np.quantile(each.curves, [0.1, 0.9], axis=0)
        order = np.argsort(-each.mean, kind="stable")
        names = [_labels(case, each)[place] or "missing" for place in order.tolist()]
        series = Series("", tuple(names), *(tuple(part[order].tolist()) for part in (each.mean, low, high)))
        how = (
            f"Each dot is the mean of {about} when every row has this value of the column, the line through it where the middle"
            " 80 % of the rows are then."
        )
        return Figure(f"dependence_{at}", "interval", title, how, (series,), each.column, about)
    kind = next((column.kind for column in case.profile.features if column.name == each.column), None)
    places: tuple[Any, ...] = tuple(_labels(case, each)) if kind is Kind.DATETIME else tuple(each.numbers.tolist())
    if not case.plan.samples:
        how = f"The line is the mean of {about} when the column is set to a value in every row; no row is shown (--no-samples)."
        rounded = places if kind is Kind.DATETIME else tuple(float(f"{value:.3g}") for value in places)
        mean = Series("mean", rounded, tuple(each.mean.tolist()))
        return Figure(f"dependence_{at}", "dependence", title, how, (mean,), each.column, about)
    single = [Series(f"row {row}", places, tuple(curve.tolist())) for row, curve in enumerate(each.curves[:CURVES])]
    how = (
        f"The thick line is the mean of {about} when the column is set to a value in every row; a thin line is one row. Where the"
        " thin lines are not parallel, what the column does depends on other columns."
    )
    mean = Series("mean", places, tuple(each.mean.tolist()))
    return Figure(f"dependence_{at}", "dependence", title, how, (mean, *single), each.column, about)


def _together(case: Case, found: list[Interaction], output: int) -> list[Finding]:
    if not found:
        why = "no time was left to look for them" if case.deadline.short else "there is only one column that matters"
        unmade = not_run if case.deadline.short else not_applicable
        return unmade("AML507", TOGETHER, Section.WHY, f"Columns that act together were not looked for: {why}.")
    found = sorted(found, key=lambda each: (each.low <= MATTERS, -each.value))
    sure = [each for each in found if each.low > MATTERS]
    top = sure[0] if sure else found[0]
    if sure:
        sentence = (
            f'"{top.first}" and "{top.second}" act together most: H = {figures_text(top.value)} (95 % interval'
            f" {figures_text(top.low)} to {figures_text(top.high)}), so {percent_text(top.value**2)} of how"
            f" {_about(case, output)} varies with the two is not the sum of what each does alone"
        )
    else:
        sentence = (
            f"Of the {count_text(len(found), 'pair')} of the columns that matter most none surely acts together: what they do"
            f" adds up (the largest H is {max(each.value for each in found):.2f})"
        )
    series = Series(
        "H",
        tuple(f"{each.first} × {each.second}" for each in found),
        tuple(each.value for each in found),
        tuple(each.low for each in found),
        tuple(each.high for each in found),
    )
    how = (
        "Friedman's H: 0 where what the two columns do adds up, 1 where nothing but their combination matters; the line is a 95 %"
        f" interval over rows. Pairs whose interval lies above {MATTERS:g} stand first; among them, and among the others, the"
        " larger H is first. H is a share of how the predictions vary with the two, so two columns that hardly matter can have"
        " a large one."
    )
    return [
        Finding(
            code="AML507",
            title=TOGETHER,
            severity=Severity.PASSED,
            section=Section.WHY,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers={f"{each.first} × {each.second}": number(each.value, each.low, each.high) for each in found},
            figures=(Figure("interactions", "interval", TOGETHER, how, (series,), "pair", "H", "zero"),),
        )
    ]


CHECK = Check("AML506", TITLE, Section.WHY, run, independent=True, turn=Turn.EXTRA, seconds=1.5)
