"""AML101: rows that stand in the data more than once, and what they would do to a random split."""

from __future__ import annotations

import numpy as np
import pandas as pd

from automl.core.architecture import Modality
from automl.core.case import Array, Case, Check
from automl.core.discovery import declarations
from automl.core.finding import Finding, Number, Section, Severity
from automl.core.metrics import Metric
from automl.core.profile import Kind, Role
from automl.judge.probe import affordable, sample_of
from automl.judge.scoring import headline_metric, not_run, score_on
from automl.judge.wording import called, count_text, figures_text, number, percent_text, score_text, unit_of

TITLE = "Duplicate rows"
WORTH_MEASURING, WORTH_ASKING = 0.01, 0.05
_NOT_COMPARED = "the rows of the test file were not compared with them"
LEAST_SECONDS = 0.5
"""Comparing every row by its hash takes less, but for the largest tables."""
FEWEST_ROWS = 50
"""A score on fewer rows without a copy would say nothing."""


def run(case: Case) -> list[Finding]:
    duplicates, split = case.profile.duplicates, case.plan.split
    given = split.kind == "given" and case.trained and len(case.truth) > 0
    copies = _copies(case) if duplicates.rows or given else None
    shared = int(copies.sum()) if copies is not None and given else 0
    if not duplicates.rows and not shared:
        if given and copies is None:
            return _not_compared(case)
        return [Finding("AML101", TITLE, Severity.PASSED, Section.DATA, "No duplicate rows.")]
    sentence = (
        f"{count_text(duplicates.rows, 'row')} ({percent_text(duplicates.fraction)}) "
        f"{'has' if duplicates.rows == 1 else 'have'} an exact copy; "
        f"{percent_text(duplicates.straddling_fraction)} of a random 20 % part would have a copy in the other 80 %"
    )
    if not duplicates.rows:
        sentence = "No row of the data has an exact copy in it"
    if duplicates.conflicting:
        sentence += (
            f", and {count_text(duplicates.conflicting, 'row')} with equal features"
            f" {'differs' if duplicates.conflicting == 1 else 'differ'} in the target"
        )
    numbers = {
        "rows": number(duplicates.rows),
        "straddling_fraction": number(duplicates.straddling_fraction, unit="fraction"),
        "conflicting": number(duplicates.conflicting),
    }
    if shared:
        numbers["rows_of_the_test_file"] = number(shared)
    told, severity, action = _across(case, shared)
    sentence += told
    if given and copies is None:
        sentence += f"; {_NOT_COMPARED}"
    without = None if copies is None else _score_without(case, copies)
    if without is not None:
        chosen, everything, alone, rows = without
        sentence += (
            f"; on the {rows:,} judged rows without a copy elsewhere the {called(chosen)} is {score_text(chosen, alone.value)} "
            f"instead of {score_text(chosen, everything.value)}"
        )
        numbers |= {"score_all_rows": everything, "score_without_copies": alone}
    remembered = _remembered(case) if duplicates.distinctive and duplicates.straddling_fraction >= WORTH_MEASURING else None
    if remembered is not None:
        measure, apart, together = remembered
        sentence += (
            f"; a small model has a {measure} of {figures_text(apart)} where copies are dealt out at random, and of"
            f" {figures_text(together)} where they stay on one side"
        )
        numbers |= {"random_split": number(apart), "copies_together": number(together)}
    return [Finding("AML101", TITLE, severity, Section.DATA, f"{sentence}.", numbers=numbers, action=action)]


def _across(case: Case, shared: int) -> tuple[str, Severity, str]:
    """(words, severity, action) of what copies do to the scores. shared: rows of a test file that stand in the data, too."""
    duplicates, split = case.profile.duplicates, case.plan.split
    if shared:
        verb = "has" if shared == 1 else "have"
        told = f"; of the {len(case.truth):,} rows of the test file {shared:,} {verb} a copy in the data"
        if duplicates.rows and not duplicates.distinctive:
            return told, Severity.PASSED, ""
        severity = Severity.ISSUE if shared > WORTH_MEASURING * len(case.truth) else Severity.TIP
        return told, severity, "Judge on rows that are not in the data: a model can remember a row that it learned from."
    if _keeps_alike_together(case):
        return "; rows of one origin, such as near-duplicates, were kept on one side of every split", Severity.PASSED, ""
    if split.keep_together:
        told = "; equal rows were kept on one side of every split, so they do not flatter the scores"
        if duplicates.fraction < WORTH_ASKING:
            return told, Severity.PASSED, ""
        return told, Severity.TIP, "Ask why so many rows are there again; copies by mistake weigh twice and should go."
    if not duplicates.distinctive:
        return "; the rows are too plain to call them copies, so nothing was done", Severity.PASSED, ""
    severity = Severity.ISSUE if duplicates.straddling_fraction > WORTH_MEASURING else Severity.TIP
    return "", severity, "Remove the copies from the data and fit again: a model can remember a row that it is tested on."


def _not_compared(case: Case) -> list[Finding]:
    sentence = f"No row of the data has an exact copy in it; {_NOT_COMPARED}"
    if _holds_files(case):
        return [Finding("AML101", TITLE, Severity.PASSED, Section.DATA, f"{sentence}, as they name files.")]
    return not_run("AML101", TITLE, Section.DATA, f"{sentence}, for lack of time.")


def _holds_files(case: Case) -> bool:
    return any(column.kind in (Kind.IMAGE, Kind.AUDIO) for column in case.profile.features)


def _keeps_alike_together(case: Case) -> bool:
    """Whether the splits go by what the modality itself says must not be divided, such as near-duplicate texts."""
    if case.plan.split.folds_kind in ("grouped", "time"):
        return False
    known: list[Modality] = declarations("automl.modalities", "MODALITY")
    return any(each.together is not None for each in known if each.name == case.profile.modality)


def _remembered(case: Case) -> tuple[str, float, float] | None:
    """(measure, score under random folds, score where copies stay together) of a small model; None for lack of time or rows."""
    sample = sample_of(case) if affordable(case) else None
    if sample is None:
        return None
    compared = [column.name for column in case.profile.features]
    copies = pd.util.hash_pandas_object(case.dataset.frame[compared].iloc[sample.rows], index=False).to_numpy()
    apart, together = (sample.score(sample.out_of_fold(sample.folds(groups))) for groups in (None, copies))
    return sample.measure, apart, together


def _copies(case: Case) -> Array | None:
    """(judged rows,) whether a row that the model learned from is the same; None where it cannot be told."""
    frame, given = case.dataset.frame, case.dataset.test is not None
    if not case.trained or not len(case.truth) or len(case.judged) != len(case.truth) or case.deadline.lacks(LEAST_SECONDS):
        return None
    if given and _holds_files(case):
        return None
    if not given and (len(case.row_ids) != len(case.truth) or len(frame) <= len(case.truth) or case.row_ids.max() >= len(frame)):
        return None
    compared = [column.name for column in case.profile.columns if column.role is not Role.IDENTIFIER]
    judged = case.judged[compared] if given else frame[compared].iloc[case.row_ids]
    both = pd.concat([frame[compared], judged], ignore_index=True)  # with common types, as equal cells of others differ in hash
    cells = {name: _plain(both[name]) for name in compared}
    hashes = pd.util.hash_pandas_object(pd.DataFrame(cells), index=False).to_numpy()
    outside = np.ones(len(frame), dtype=bool)
    outside[[] if given else case.row_ids] = False
    return np.asarray(np.isin(hashes[len(frame) :], hashes[: len(frame)][outside]))


def _plain(cells: pd.Series) -> pd.Series:
    """Cells that can be hashed: of arrays, as those of series are, their bytes."""
    if len(cells) and isinstance(cells.iloc[0], np.ndarray):
        return cells.map(lambda cell: np.ascontiguousarray(cell).tobytes())
    return cells


def _score_without(case: Case, copies: Array) -> tuple[Metric, Number, Number, int] | None:
    """(metric, score on all judged rows, score on those that have no copy outside, their number), or None."""
    alone = np.flatnonzero(~copies)
    if len(alone) == len(copies) or len(alone) < FEWEST_ROWS:
        return None
    chosen = headline_metric(case)
    every, only = score_on(case, np.arange(len(copies))), score_on(case, alone)
    unit = unit_of(chosen, case.profile)
    return chosen, Number(every, unit=unit), Number(only, unit=unit), len(alone)


CHECK = Check("AML101", TITLE, Section.DATA, run, needs_model=False, independent=True, seconds=0.5)
