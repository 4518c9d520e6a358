"""AML112: a table with dates that is split at random, and the score along time."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.case import Case, Check
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.metrics import Metric, metric
from automl.core.profile import ColumnProfile, Kind, Role
from automl.core.statistics import percentile_interval
from automl.judge.bootstrap import score_replicates
from automl.judge.wording import called, finite, number, quoted, score_text, unit_of

TITLE = "Order in time"
PARTS = 4
FEWEST_ROWS = 30


def run(case: Case) -> list[Finding]:
    profile = case.profile
    dated = [column for column in profile.columns if column.kind is Kind.DATETIME and column.role is not Role.TARGET]
    column = next((each for each in dated if each.name == profile.ordered_in_time), dated[0] if dated else None)
    if column is None:
        return [
            Finding(
                "AML112", TITLE, Severity.NOT_APPLICABLE, Section.DATA, "No column holds dates, so order in time does not apply."
            )
        ]
    if case.plan.split.kind == "time":
        sentence = f'The rows were split in time order of "{column.name}": the model is judged on later rows than it has seen.'
        return [Finding("AML112", TITLE, Severity.PASSED, Section.DATA, sentence)]
    ordered = "the rows are sorted by it and" if profile.ordered_in_time == column.name else "the table"
    sentence = (
        f'"{column.name}" holds dates{_span(column)} and'
        f" {ordered} "
        f"{'were' if ordered.startswith('the rows') else 'was'} split at random, so the score is for rows of the same period, not"
        " for the future"
    )
    numbers: dict[str, Number] = {}
    figures: tuple[Figure, ...] = ()
    along = _scores_along_time(case, column) if case.trained and len(case.truth) else None
    if along is not None:
        chosen, labels, parts = along
        figures = (_figure(chosen, column.name, labels, parts),)
        numbers = {"earliest": parts[0], "latest": parts[-1]}
        sentence += (
            f"; within the judged rows the {called(chosen)} is {score_text(chosen, parts[0].value)} in the earliest quarter and "
            f"{score_text(chosen, parts[-1].value)} in the latest"
        )
    return [
        Finding(
            code="AML112",
            title=TITLE,
            severity=Severity.ISSUE if profile.ordered_in_time == column.name else Severity.TIP,
            section=Section.DATA,
            sentence=f"{sentence}.",
            numbers=numbers,
            figures=figures,
            action=(
                "If the model will predict later rows than these, judge it on the latest ones: fit with"
                f" `--time-column {quoted(column.name)}`."
            ),
        )
    ]


def _span(column: ColumnProfile) -> str:
    first, last = (str(column.statistics.get(end) or "")[:10] for end in ("first", "last"))
    return f" ({first} to {last})" if first and last else ""


def _scores_along_time(case: Case, column: ColumnProfile) -> tuple[Metric, list[str], list[Number]] | None:
    """The score in quarters of the judged rows by time, or None where it cannot be told."""
    if column.name not in case.judged.columns or len(case.truth) < PARTS * FEWEST_ROWS:
        return None
    from automl.core.predictor import parse_column

    seconds = np.asarray(parse_column(case.judged[column.name], column.parse))
    known = np.flatnonzero(seconds != np.iinfo(np.int64).min)
    if len(known) < PARTS * FEWEST_ROWS or len(np.unique(seconds[known])) < PARTS:
        return None
    chosen = metric(case.plan.metric)
    labels, parts = [], []
    for part in np.array_split(known[np.argsort(seconds[known], kind="stable")], PARTS):
        truth, prediction = case.truth[part], case.prediction[part]
        weight = None if case.weight is None else case.weight[part]
        score = chosen.score(truth, prediction, weight, case.positive)
        if not np.isfinite(score):
            return None
        bounds = percentile_interval(score_replicates(chosen, truth, prediction, case, weight))
        labels.append(
            str(np.datetime64(int(seconds[part[0]]), "s"))[:10] + " to " + str(np.datetime64(int(seconds[part[-1]]), "s"))[:10]
        )
        parts.append(number(score, *bounds, unit=unit_of(chosen, case.profile)))
    return chosen, labels, parts


def _figure(chosen: Metric, name: str, labels: list[str], parts: list[Number]) -> Figure:
    def column(values: list[Any]) -> tuple[float | None, ...]:
        return tuple(finite(value) for value in values)

    series = Series(
        chosen.title,
        tuple(labels),
        column([each.value for each in parts]),
        column([each.low for each in parts]),
        column([each.high for each in parts]),
    )
    better = "higher" if chosen.greater_is_better else "lower"
    how = (
        f"Each point is the score of a quarter of the judged rows, earliest first ({better} is better); a trend beyond the"
        " intervals says that the world changes. The model has seen other rows of every quarter, so the true future will be"
        " harder."
    )
    return Figure("score_in_time", "interval", f"{chosen.title} along {name}", how, (series,), name, chosen.title)


CHECK = Check("AML112", TITLE, Section.DATA, run, needs_model=False, independent=True)
