"""AML112: a table with dates that is split at random, and the score along time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Case, Check
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.metrics import Metric
from automl.core.predictor import parse_column
from automl.core.profile import ColumnProfile, Kind, Role
from automl.core.statistics import percentile_interval
from automl.judge.bootstrap import judged_groups, score_replicates
from automl.judge.probe import Sample, affordable, loses, predicted, sample_of
from automl.judge.scoring import headline_metric
from automl.judge.wording import called, figures_text, finite, number, quoted, score_text, unit_of

TITLE = "Order in time"
PARTS = 4
FEWEST_ROWS = 30
FEWEST_AHEAD = 100
NOTICEABLE, SIGNIFICANT = 0.1, 0.001


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
    if case.plan.split.folds_kind == "time":
        return [_split_in_time(case, column)]
    if _is_given(case):
        return [_judged_as_given(case, column)]
    ordered = "the rows are sorted by it and" if profile.ordered_in_time == column.name else "the table"
    sentence = (
        f'"{column.name}" holds dates{_span(column)} and'
        f" {ordered} "
        f"{'were' if ordered.startswith('the rows') else 'was'} split at random, so the score is for rows of the same period, not"
        " for the future"
    )
    numbers: dict[str, Number] = {}
    figures: tuple[Figure, ...] = ()
    falls = False
    along = _scores_along_time(case, column) if case.trained and len(case.truth) else None
    if along is not None:
        chosen, labels, parts = along
        figures = (_figure(chosen, column.name, labels, parts),)
        numbers = {"earliest": parts[0], "latest": parts[-1]}
        sentence += (
            f"; within the judged rows the {called(chosen)} is {score_text(chosen, parts[0].value)} in the earliest quarter and "
            f"{score_text(chosen, parts[-1].value)} in the latest"
        )
    ahead = _ahead(case, column)
    if ahead is not None:
        sample, random, temporal, cost, p = ahead
        numbers |= {"random_split": number(random), "temporal_split": number(temporal)}
        sentence += (
            f"; a small model has a {sample.measure} of {figures_text(random)} on the latest third when trained on rows of all"
            f" times, and of {figures_text(temporal)} when trained on earlier rows only"
        )
        falls = cost >= NOTICEABLE and p < SIGNIFICANT
    return [
        Finding(
            code="AML112",
            title=TITLE,
            severity=Severity.ISSUE if falls or profile.ordered_in_time == column.name else Severity.TIP,
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


def _split_in_time(case: Case, column: ColumnProfile) -> Finding:
    sentence = f'The rows were split in time order of "{column.name}": the model is judged on later rows than it has seen.'
    if _is_given(case):
        sentence = (
            f'The folds follow the time order of "{column.name}": settings are chosen on later rows than those learned from;'
            " which rows judge the model, the test file decides."
        )
    return Finding("AML112", TITLE, Severity.PASSED, Section.DATA, sentence)


def _is_given(case: Case) -> bool:
    return case.plan.split.kind == "given"


def _judged_as_given(case: Case, column: ColumnProfile) -> Finding:
    """Of a test file only the folds are at random, on which settings are chosen; whether it is later is told by its dates."""
    grouped = case.plan.split.folds_kind == "grouped"
    sentence = (
        f'"{column.name}" holds dates{_span(column)}; settings were chosen on folds'
        f" {'of groups' if grouped else 'drawn at random'}, so on rows of the same period, and the score is that of the rows of"
        " the test file"
    )
    if column.name in case.judged.columns:
        first, last = (_seconds(frame, column) for frame in (case.judged, case.dataset.frame))
        if len(first) and len(last):
            later = first.min() > last.max()
            sentence += ", which are all later" if later else ", which are not all later than those learned from"
    action = (
        f"If the model will predict later rows than these, choose its settings so too: `--time-column {quoted(column.name)}`."
    )
    return Finding("AML112", TITLE, Severity.TIP, Section.DATA, f"{sentence}.", action="" if grouped else action)


def _seconds(frame: pd.DataFrame, column: ColumnProfile) -> np.ndarray:
    """The known times of a column."""
    seconds = np.asarray(parse_column(frame[column.name], column.parse))
    return seconds[seconds != np.iinfo(np.int64).min]


def _ahead(case: Case, column: ColumnProfile) -> tuple[Sample, float, float, float, float] | None:
    """(sample, score of a random split, of a split in time, what that costs, p), both judged on the latest third, with as many
    rows to train on; or None where it cannot be told."""
    sample = sample_of(case) if affordable(case) else None
    if sample is None:
        return None
    seconds = np.asarray(parse_column(case.dataset.frame[column.name].iloc[sample.rows], column.parse))
    known = seconds != np.iinfo(np.int64).min
    edge = np.quantile(seconds[known], 2 / 3) if known.any() else 0
    late, early = known & (seconds > edge), known & (seconds <= edge)
    if min(late.sum(), early.sum()) < FEWEST_AHEAD:
        return None
    if sample.classes is not None and len(np.unique(sample.target[early])) < sample.classes:
        return None
    without = (column.name,)  # a date of the future is beyond all that was seen
    columns = sample.columns.without(*without)
    mixed = sample.out_of_fold(sample.folds(), without)[late]
    later = predicted(columns, sample.target, sample.classes, (early, late), sample.seed, sample.threads)
    before, after = sample.losses(mixed, late), sample.losses(later, late)
    cost, p = loses(sample, before, after, seconds[late])
    return sample, sample.score(mixed, late), sample.score(later, late), cost, p


def _span(column: ColumnProfile) -> str:
    first, last = (str(column.statistics.get(end) or "")[:10] for end in ("first", "last"))
    return f" ({first} to {last})" if first and last else ""


def _scores_along_time(case: Case, column: ColumnProfile) -> tuple[Metric, list[str], list[Number]] | None:
    """The score in quarters of the judged rows by time, or None where it cannot be told."""
    if column.name not in case.judged.columns or len(case.truth) < PARTS * FEWEST_ROWS:
        return None
    seconds = np.asarray(parse_column(case.judged[column.name], column.parse))
    known = np.flatnonzero(seconds != np.iinfo(np.int64).min)
    if len(known) < PARTS * FEWEST_ROWS or len(np.unique(seconds[known])) < PARTS:
        return None
    labels, parts, groups = [], [], judged_groups(case)
    for part in np.array_split(known[np.argsort(seconds[known], kind="stable")], PARTS):
        chosen, truth, prediction = headline_metric(case, part), case.truth[part], case.prediction[part]
        weight = None if case.weight is None else case.weight[part]
        score = chosen.score(truth, prediction, weight, case.positive)
        if not np.isfinite(score):
            return None
        drawn = score_replicates(chosen, truth, prediction, case, weight, None if groups is None else groups[part])
        bounds = percentile_interval(drawn)
        labels.append(
            str(np.datetime64(int(seconds[part[0]]), "s"))[:10] + " to " + str(np.datetime64(int(seconds[part[-1]]), "s"))[:10]
        )
        parts.append(number(score, *bounds, unit=unit_of(chosen, case.profile)))
    return headline_metric(case), labels, parts


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


CHECK = Check("AML112", TITLE, Section.DATA, run, needs_model=False, independent=True, seconds=1)
