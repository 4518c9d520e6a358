"""AML410: every metric for every sensitive group, and for their intersections."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.core.case import Array, Case, Check, Turn
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.groups import Grouping
from automl.core.metrics import METRICS, Metric, metrics_for
from automl.core.statistics import percentile_interval
from automl.judge.bootstrap import HURRY_SECONDS, count_blocks, judged_groups, replicator
from automl.judge.curves import wilson
from automl.judge.fairness import FEWEST_ROWS, Rate, around, group_intervals, means, rates_of, replicated, sensitive_groupings
from automl.judge.scoring import headline_metric, judged_on, not_applicable, scaled
from automl.judge.wording import called, count_text, finite, interval_text, names_text, number, score_text, unit_of

TITLE = "Scores of the sensitive groups"
RESAMPLES, FEWEST_RESAMPLES = 200, 100
_CELLS = 1_000_000
MOST_GROUPS = 60
LEAST_SECONDS, SHARE_OF_TIME = 0.3, 0.5


@dataclass(frozen=True)
class Group:
    """The judged rows of one group."""

    label: str
    rows: Array
    scores: dict[str, Number]

    @property
    def few(self) -> bool:
        return len(self.rows) < FEWEST_ROWS


def run(case: Case) -> list[Finding]:
    if not case.plan.sensitive:
        return not_applicable(
            "AML410", TITLE, Section.FAILURES, "No sensitive column was named (--sensitive), so groups were not compared."
        )
    if not len(case.truth):
        return not_applicable("AML410", TITLE, Section.FAILURES, "No rows were judged, so groups were not compared.")
    case = replace(case, deadline=case.deadline.until(share=SHARE_OF_TIME))
    parts = sensitive_groupings(case)
    headline = headline_metric(case)
    hurried = case.deadline.lacks(HURRY_SECONDS)
    metrics = [headline, *(each for each in metrics_for(case.profile.task) if each.name != headline.name and not hurried)]
    groups = [group for by in parts for group in _groups(case, by, metrics)]
    empty = sum(int((by.sizes == 0).sum()) for by in parts)
    left_out = sum(max(0, int((by.sizes > 0).sum()) - MOST_GROUPS) for by in parts)
    return [
        Finding(
            code="AML410",
            title=TITLE,
            severity=Severity.PASSED,
            section=Section.FAILURES,
            sentence=_sentence(case, headline, groups, empty, left_out),
            about="evaluated",
            numbers={group.label: group.scores[headline.name] for group in groups if headline.name in group.scores},
            figures=tuple(each for each in (_figure(headline, groups), *_rates(case, parts)) if each.series[0].x),
            table=_table(metrics, groups),
        )
    ]


def _groups(case: Case, by: Grouping, metrics: list[Metric]) -> list[Group]:
    """The groups that have judged rows, the largest first."""
    order = np.argsort(-by.sizes, kind="stable")[:MOST_GROUPS]
    members = [(by.label(code), np.flatnonzero(by.codes == code)) for code in order.tolist() if by.sizes[code]]
    return [Group(label, rows, _scores(case, metrics, rows)) for label, rows in members]


def _scores(case: Case, metrics: list[Metric], rows: Array) -> dict[str, Number]:
    """Metrics of these rows, with the intervals of one bootstrap while there is time; those not defined on them are left out."""
    truth, prediction = case.truth[rows], case.prediction[rows]
    weight = None if case.weight is None else case.weight[rows]
    clusters = judged_groups(case)
    metrics = [scaled(case, METRICS[each.name], rows) for each in metrics]
    values = {each.name: each.score(truth, prediction, weight, case.positive) for each in metrics}
    defined = [each for each in metrics if np.isfinite(values[each.name])]
    if not defined:
        return {}
    if case.deadline.lacks(LEAST_SECONDS):
        return {each.name: number(values[each.name], unit=unit_of(each, case.profile)) for each in defined}
    total = int(np.clip(_CELLS // len(rows), FEWEST_RESAMPLES, RESAMPLES))
    replicate = [replicator(each, truth, prediction, case.positive) for each in defined]
    replicates: list[list[Array]] = [[] for _ in defined]
    for block in count_blocks(len(rows), total, case.plan.seed, None if clusters is None else clusters[rows], weight):
        for position, each in enumerate(replicate):
            replicates[position].append(each(block))
    return {
        each.name: number(
            values[each.name],
            *around(values[each.name], *percentile_interval(np.concatenate(replicates[position]))),
            unit=unit_of(each, case.profile),
        )
        for position, each in enumerate(defined)
    }


def _sentence(case: Case, headline: Metric, groups: list[Group], empty: int, left_out: int) -> str:
    known = [group for group in groups if headline.name in group.scores and not group.few]
    if not known:
        told = f"No group of {names_text(case.plan.sensitive)} has enough rows among {judged_on(case)} to be scored"
    else:
        ordered = sorted(known, key=lambda group: group.scores[headline.name].value, reverse=headline.greater_is_better)
        best, worst = ordered[0], ordered[-1]
        told = (
            f"On {judged_on(case)} the {called(headline)} is best for {best.label},"
            f" {score_text(headline, best.scores[headline.name].value)}, and worst for {worst.label},"
            f" {interval_text(headline, worst.scores[headline.name])}"
        )
        told += f" (of the groups with {FEWEST_ROWS} rows or more)" if len(known) < len(groups) else ""
    few = [group for group in groups if group.few]
    if few:
        drawn = "is drawn pale" if len(few) == 1 else "are drawn pale"
        told += f"; {count_text(len(few), 'group')} with fewer than {FEWEST_ROWS} rows {drawn}"
    if empty:
        told += f"; {count_text(empty, 'combination')} {'has' if empty == 1 else 'have'} no judged row"
    if left_out:
        told += f"; the {count_text(left_out, 'smallest group')} {'is' if left_out == 1 else 'are'} left out"
    return f"{told}."


def _figure(headline: Metric, groups: list[Group]) -> Figure:
    shown = [group for group in groups if headline.name in group.scores]
    scores = [group.scores[headline.name] for group in shown]
    better = "higher" if headline.greater_is_better else "lower"
    return Figure(
        "group_scores",
        "interval",
        f"{headline.title} by group",
        f"Each dot is the score of one group ({better} is better), the line through it its 95 % interval by bootstrap; pale ones"
        f" rest on fewer than {FEWEST_ROWS} rows. Scores of a group depend on how hard its rows are, too.",
        (_series(headline.title, [(group, each.value, each.low, each.high) for group, each in zip(shown, scores, strict=True)]),),
        "group",
        headline.title,
    )


def _series(name: str, points: list[tuple[Group, float, float | None, float | None]]) -> Series:
    return Series(
        name,
        tuple(group.label for group, *_ in points),
        tuple(finite(value) for _, value, _, _ in points),
        tuple(finite(low) for _, _, low, _ in points),
        tuple(finite(high) for _, _, _, high in points),
        tuple(len(group.rows) for group, *_ in points),
        tuple(group.few for group, *_ in points),
    )


def _rates(case: Case, parts: list[Grouping]) -> tuple[Figure, ...]:
    """One figure a rate, or error, of the last class that is looked at (the positive one of a binary task)."""
    rates = rates_of(case)
    shown = [rate for rate in rates if rate.label in ("", rates[-1].label)]
    if case.deadline.lacks(LEAST_SECONDS):
        return ()
    replicates = [replicated(case, shown, by) for by in parts]
    return tuple(_rate_figure(case, rate, parts, [each[at] for each in replicates]) for at, rate in enumerate(shown))


def _rate_figure(case: Case, rate: Rate, parts: list[Grouping], replicates: list[Array]) -> Figure:
    columns: list[list[Any]] = [[] for _ in range(6)]
    for by, drawn in zip(parts, replicates, strict=True):
        values, rows = means(rate, by, case.weight), np.bincount(by.codes[rate.base], minlength=len(by.groups))
        low, high = group_intervals(values, drawn)
        for code in np.argsort(-rows, kind="stable")[:MOST_GROUPS].tolist():
            if rows[code]:
                ends = low[code], high[code]
                if ends[0] == ends[1] and rate.measure not in ("absolute_error", "bias"):  # resamples of equal rows are equal
                    ends = wilson(round(values[code] * rows[code]), int(rows[code]))
                point = (by.label(code), finite(values[code]), finite(ends[0]), finite(ends[1]))
                for column, cell in zip(columns, (*point, int(rows[code]), bool(rows[code] < FEWEST_ROWS)), strict=True):
                    column.append(cell)
    of = f' of "{rate.label}"' if rate.label else ""
    name = f"{rate.title[:1].upper()}{rate.title[1:]}{of}"
    how = {
        "selection": "how often the model gives the class to rows of the group",
        "true_positive": "how often it gives the class where it is true",
        "false_positive": "how often it gives the class where it is not true",
        "error": "how often it gives a wrong class",
        "absolute_error": "how far it is off on average",
        "bias": "how much too high (above zero) or too low it is on average",
    }[rate.measure]
    return Figure(
        f"group_{rate.measure}",
        "interval",
        f"{name} by group",
        f"Each dot is {how}, with a 95 % interval by bootstrap, or Wilson's where all rows are alike; groups whose intervals lie"
        " apart are treated differently.",
        (Series(name, *(tuple(column) for column in columns)),),
        "group",
        name,
        "zero" if rate.measure == "bias" else "",
    )


def _table(metrics: list[Metric], groups: list[Group]) -> dict[str, Any]:
    def cell(group: Group, metric: Metric) -> str | None:
        found = group.scores.get(metric.name)
        if found is None:
            return None
        if found.low is None or found.high is None:
            return score_text(metric, found.value)
        three = found.value, found.low, found.high
        value, low, high = (score_text(metric, each, three) for each in three)
        return f"{value} ({low} to {high})"

    return {
        "columns": ["group", "rows", "enough rows", *(each.title for each in metrics)],
        "rows": [[group.label, len(group.rows), not group.few, *(cell(group, each) for each in metrics)] for group in groups],
    }


CHECK = Check("AML410", TITLE, Section.FAILURES, run, independent=True, turn=Turn.ASKED, seconds=0.4)
