"""AML119: rows that share an identifier, so that a random split tests on things that were trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from automl.core.case import Case, Check
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.core.profile import ColumnProfile, Kind, Role
from automl.core.table import Category, tabulate
from automl.judge.probe import Sample, affordable, lacking, loses, sample_of
from automl.judge.scoring import not_applicable
from automl.judge.wording import figures_text, number, p_text, percent_text, quoted
from automl.profiling.names import hints_entity, hints_identifier

TITLE = "Rows that share an identifier"
FEWEST_VALUES, FEWEST_UNHINTED = 20, 50
ROWS_A_VALUE = (1.3, 100.0)
ROWS_A_VALUE_UNHINTED = (1.5, 20.0)
MOST_LOOKED_AT = 3
NOTICEABLE, SIGNIFICANT = 0.1, 0.001


@dataclass(frozen=True)
class Grouped:
    """A column, the scores under a random split and under one that keeps its values together, what that costs, and its p."""

    column: str
    values: int
    hinted: bool
    random: float
    grouped: float
    cost: float
    p: float

    @property
    def leaks(self) -> bool:
        return self.cost >= NOTICEABLE and self.p < SIGNIFICANT


def run(case: Case) -> list[Finding]:
    candidates = _candidates(case)
    if case.plan.split.kind == "grouped":
        sentence = f'Rows of one "{case.plan.split.column}" were kept on one side of every split.'
        return [Finding("AML119", TITLE, Severity.PASSED, Section.DATA, sentence)]
    if not candidates:
        return [Finding("AML119", TITLE, Severity.PASSED, Section.DATA, "No column looks like an identifier that rows share.")]
    sample = sample_of(case) if affordable(case) else None
    named = [column for column in candidates if _hinted(column)]
    if sample is None and named:
        return [_told_only(case, named[0])]
    if sample is None:
        sentence = f"Whether rows that share an identifier flatter the score was not measured, {lacking(case)}."
        return not_applicable("AML119", TITLE, Section.DATA, sentence)
    found = [_grouped(case, sample, column) for column in candidates]
    leaking = [each for each in found if each.leaks]
    told = leaking or [each for each in found if each.hinted]
    if not told:
        sentence = (
            "Keeping rows that share a value of a column with many values on one side of a split costs no column's score much."
        )
        return [Finding("AML119", TITLE, Severity.PASSED, Section.DATA, sentence, figures=(_figure(sample, found),))]
    worst = max(told, key=lambda each: each.cost)
    return [
        Finding(
            code="AML119",
            title=TITLE,
            severity=Severity.ISSUE if leaking else Severity.TIP,
            section=Section.DATA,
            sentence=_sentence(case, sample, worst),
            numbers={"random_split": number(worst.random), "grouped_split": number(worst.grouped)},
            figures=(_figure(sample, found),),
            table={
                "columns": ["column", "values", "random split", "kept together", "cost", "p"],
                "rows": [[each.column, each.values, each.random, each.grouped, each.cost, each.p] for each in found],
            },
            action=_action(worst.column),
        )
    ]


def _candidates(case: Case) -> list[ColumnProfile]:
    """Columns whose values name things that several rows are about, those that say so by their names first."""
    rows = max(1, case.dataset.rows - case.profile.rows_without_target)
    found: list[tuple[bool, ColumnProfile]] = []
    for column in case.profile.columns:
        if column.role in (Role.TARGET, Role.WEIGHT, Role.GROUP) or column.unique < FEWEST_VALUES:
            continue
        each = rows * (1 - column.missing_fraction) / column.unique
        hinted = _hinted(column)
        if hinted and column.kind in (Kind.CATEGORY, Kind.NUMBER, Kind.IDENTIFIER) and _within(each, ROWS_A_VALUE):
            found.append((True, column))
        elif column.kind is Kind.CATEGORY and column.unique >= FEWEST_UNHINTED and _within(each, ROWS_A_VALUE_UNHINTED):
            found.append((False, column))
    found.sort(key=lambda each: not each[0])
    return [column for _, column in found[:MOST_LOOKED_AT]]


def _hinted(column: ColumnProfile) -> bool:
    return hints_identifier(column.name) or hints_entity(column.name)


def _told_only(case: Case, column: ColumnProfile) -> Finding:
    """By its name, where nothing could be measured."""
    sentence = f"{_facts(case, column.name, column.unique)}; what that does to the score was not measured, {lacking(case)}."
    return Finding("AML119", TITLE, Severity.TIP, Section.DATA, sentence, action=_action(column.name))


def _facts(case: Case, name: str, values: int) -> str:
    each = case.dataset.rows / max(1, values)
    return (
        f'"{name}" has {values:,} values for {case.dataset.rows:,} rows ({each:.1f} each), and rows of one value are dealt out to'
        " training and judging alike"
    )


def _action(name: str) -> str:
    return f'If new rows will be of other "{name}" than these, judge the model so: fit again with `--group {quoted(name)}`.'


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _grouped(case: Case, sample: Sample, column: ColumnProfile) -> Grouped:
    """The same small model, without the column itself, under both splits."""
    values = tabulate(case.dataset.frame.iloc[sample.rows], [column]).columns[column.name]
    codes = values.codes if isinstance(values, Category) else np.unique(values, return_inverse=True)[1]
    alone = np.flatnonzero(codes < 0)  # rows without a value belong to no other
    codes = codes.astype(np.int64)
    codes[alone] = codes.max(initial=0) + 1 + np.arange(len(alone))
    easy = sample.out_of_fold(sample.folds(), (column.name,))
    hard = sample.out_of_fold(sample.folds(codes), (column.name,))
    cost, p = loses(sample, sample.losses(easy), sample.losses(hard), codes)
    return Grouped(column.name, column.unique, _hinted(column), sample.score(easy), sample.score(hard), cost, p)


def _sentence(case: Case, sample: Sample, worst: Grouped) -> str:
    told = _facts(case, worst.column, worst.values)
    scores = f"{figures_text(worst.random)} under a random split and {figures_text(worst.grouped)} where they are kept together"
    told += f"; a small model without the column has a {sample.measure} of {scores}"
    return (
        f"{told}: {percent_text(worst.cost)} of what it gains was remembered ({p_text(worst.p)})." if worst.leaks else f"{told}."
    )


def _figure(sample: Sample, found: list[Grouped]) -> Figure:
    labels = tuple(each.column for each in found)
    series = (
        Series("random split", labels, tuple(each.random for each in found)),
        Series("kept together", labels, tuple(each.grouped for each in found)),
    )
    how = (
        f"Each pair is the {sample.measure} of a small model, judged on rows dealt out at random, and on rows whose value of the"
        " column it has never seen. A fall says that the model remembers instead of generalising."
    )
    return Figure("shared_identifiers", "interval", TITLE, how, series, "column", sample.measure)


CHECK = Check("AML119", TITLE, Section.DATA, run, needs_model=False, independent=True, seconds=1)
