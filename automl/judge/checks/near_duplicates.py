"""AML121: rows of a table that are all but equal, and the score with and without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.case import Array, Case, Check, Turn
from automl.core.finding import Finding, Number, Section, Severity
from automl.core.table import Category, Column, tabulate
from automl.judge.bootstrap import HURRY_SECONDS
from automl.judge.probe import Sample, affordable, lacking, loses, sample_of
from automl.judge.scoring import headline_metric, score_on
from automl.judge.wording import called, count_text, figures_text, number, percent_text, score_text, unit_of
from automl.profiling.near_duplicates import MOST_ROWS, NearDuplicates, find_near_duplicates

TITLE = "Near-duplicate rows"
MOST_CELLS = 12_000_000
FEWEST_ROWS = 100
FEWEST_ALONE = 50
"""A score on fewer rows without a twin would say nothing."""
TEST_SHARE = 0.2
WORTH_A_LOOK, NOTICEABLE, SIGNIFICANT = 0.01, 0.02, 0.01
MOST_SHOWN = 20


@dataclass(frozen=True)
class _Looked:
    """Rows of the data that were looked at (positions), their clean columns, and what was found."""

    rows: Array
    columns: dict[str, Column]
    found: NearDuplicates

    @property
    def straddling(self) -> float:
        """Share of the rows of a random 20 % part that have a near-duplicate in the other 80 %."""
        size = np.bincount(self.found.group)[self.found.group]
        return float((1.0 - TEST_SHARE ** (size[self.found.twins] - 1.0)).sum() / max(1, len(self.rows)))


def run(case: Case) -> list[Finding]:
    if case.profile.modality != "tabular" or case.dataset.rows < FEWEST_ROWS or not case.profile.features:
        return [_without(Severity.NOT_APPLICABLE, f"Near-duplicates are looked for in tables of {FEWEST_ROWS} rows or more.")]
    looked = _look(case)
    found, among = (
        looked.found,
        "" if len(looked.rows) == case.dataset.rows else f" (of {len(looked.rows):,} that were looked at)",
    )
    if found.too_plain:
        sentence = "The columns say too little to tell near-duplicates from rows that are alike by chance or by design."
        return [_without(Severity.NOT_APPLICABLE, sentence)]
    if not found.rows:
        return [_without(Severity.PASSED, f"No near-duplicate rows{among}.")]
    few = f", or differ in at most {count_text(found.differing, 'column')}" if found.differing else ""
    sentence = (
        f"{count_text(found.rows, 'row')} ({percent_text(found.rows / len(looked.rows))}){among}"
        f" {'has' if found.rows == 1 else 'have'} a twin that is the same but for rounding{few};"
        f" {percent_text(looked.straddling)} of a random 20 % part would have one in the other 80 %"
    )
    numbers = {"rows": number(found.rows), "straddling_fraction": number(looked.straddling, unit="fraction")}
    scored, told = _score_without(case, looked)
    numbers, sentence = numbers | scored, sentence + told
    severity = Severity.TIP if looked.straddling >= WORTH_A_LOOK else Severity.PASSED
    compared = looked.straddling >= WORTH_A_LOOK
    remembered = _remembered(case, looked) if compared else None
    if compared and remembered is None:
        sentence += f"; what they do to the score was not compared, {lacking(case)}"
    if remembered is not None:
        sample, apart, together, cost, p = remembered
        sentence += (
            f"; a small model reaches {sample.measure} {figures_text(apart)} where twins are dealt out at random, and"
            f" {figures_text(together)} where they stay on one side (exact copies do so in both)"
        )
        numbers |= {"random_split": number(apart), "twins_together": number(together)}
        flattered = cost >= NOTICEABLE and p < SIGNIFICANT and case.plan.split.folds_kind not in ("grouped", "time")
        severity = Severity.ISSUE if flattered else Severity.TIP
    return [
        Finding(
            code="AML121",
            title=TITLE,
            severity=severity,
            section=Section.DATA,
            sentence=f"{sentence}.",
            numbers=numbers,
            table=_table(looked),
            action=""
            if severity is Severity.PASSED
            else (
                "If such rows are one thing measured or entered twice, keep them on one side of every split by a column that says"
                " so (`--group COLUMN`), or keep one of each."
            ),
        )
    ]


def _without(severity: Severity, sentence: str) -> Finding:
    return Finding("AML121", TITLE, severity, Section.DATA, sentence)


def _look(case: Case) -> _Looked:
    features, rows = case.profile.features, np.arange(case.dataset.rows)
    most = min(MOST_ROWS, max(FEWEST_ROWS, MOST_CELLS // len(features)))
    frame = case.dataset.frame
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(case.plan.seed).choice(rows, most, replace=False))
        frame = frame.iloc[rows].reset_index(drop=True)
    columns = dict(tabulate(frame, features).columns)
    return _Looked(rows, columns, find_near_duplicates(list(columns.values()), len(rows), case.plan.seed))


def _score_without(case: Case, looked: _Looked) -> tuple[dict[str, Number], str]:
    """The score on the judged rows that were looked at, and on those of them without a twin outside; nothing where few are."""
    if not case.trained or not len(case.truth) or case.dataset.test is not None or len(case.row_ids) != len(case.truth):
        return {}, ""
    if len(case.row_ids) >= case.dataset.rows or case.deadline.lacks(HURRY_SECONDS):
        return {}, ""
    judged = np.flatnonzero(np.isin(case.row_ids, looked.rows))
    places = np.searchsorted(looked.rows, case.row_ids[judged])
    outside = np.ones(len(looked.rows), bool)
    outside[places] = False
    beside = np.isin(looked.found.group[places], looked.found.group[outside & looked.found.twins])
    alone = judged[~beside]
    if not beside.any() or len(alone) < FEWEST_ALONE:
        return {}, ""
    chosen = headline_metric(case)
    values = [score_on(case, rows) for rows in (judged, alone)]
    unit = unit_of(chosen, case.profile)
    told = (
        f"; on the {len(alone):,} judged rows without a twin elsewhere the {called(chosen)} is {score_text(chosen, values[1])}"
        f" instead of {score_text(chosen, values[0])}"
    )
    return {"score_all_rows": Number(values[0], unit=unit), "score_without_twins": Number(values[1], unit=unit)}, told


def _remembered(case: Case, looked: _Looked) -> tuple[Sample, float, float, float, float] | None:
    """(sample, score under random folds, score where twins stay together, what that costs, p) of a small model, or None.

    Exact copies stay together in both, and only rows of twins that the random folds divide are moved to another fold: the
    price is that of near-twins alone.
    """
    sample = sample_of(case) if affordable(case) else None
    if sample is None:
        return None
    copies, units = (_of_every_row(case, looked, each)[sample.rows] for each in (looked.found.copies, looked.found.group))
    apart = sample.folds(copies)
    first, code = np.unique(units, return_index=True, return_inverse=True)[1:]
    easy, hard = (sample.out_of_fold(fold) for fold in (apart, apart[first][code.ravel()]))
    cost, p = loses(sample, sample.losses(easy), sample.losses(hard), units)
    return sample, sample.score(easy), sample.score(hard), cost, p


def _of_every_row(case: Case, looked: _Looked, codes: Array) -> Array:
    """(rows of the data,) codes of the rows that were looked at; each of the others has one of its own."""
    every = np.arange(case.dataset.rows) + len(looked.rows)
    every[looked.rows] = codes
    return every


def _table(looked: _Looked) -> dict[str, Any]:
    """Rows of the largest groups by their number in the data, and the columns that they do not share."""
    group = looked.found.group
    size = np.bincount(group[looked.found.twins], minlength=int(group.max()) + 1)
    shown = []
    for code in np.argsort(-size, kind="stable")[:MOST_SHOWN].tolist():
        places = np.flatnonzero(group == code)[:4]
        if len(places) < 2 or not size[code]:
            continue
        differing = [name for name, column in looked.columns.items() if _varies(column, places)]
        rows = ", ".join(f"{row:,}" for row in looked.rows[places].tolist())
        shown.append([rows, int(size[code]), ", ".join(differing[:6]) + (", ..." if len(differing) > 6 else "")])
    return {"columns": ["rows, the first few", "how many", "columns that differ"], "rows": shown}


def _varies(column: Column, places: Array) -> bool:
    values = column.codes[places] if isinstance(column, Category) else column[places]
    known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    return len(np.unique(known)) > 1 or 0 < len(known) < len(values)


CHECK = Check("AML121", TITLE, Section.DATA, run, needs_model=False, independent=True, turn=Turn.EXTRA, seconds=2)
