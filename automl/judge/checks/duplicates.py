"""AML101: rows that stand in the data more than once, and what they would do to a random split."""

from __future__ import annotations

import numpy as np
import pandas as pd

from automl.core.architecture import Modality
from automl.core.case import Case, Check
from automl.core.discovery import declarations
from automl.core.finding import Finding, Number, Section, Severity
from automl.core.metrics import Metric, metric
from automl.core.profile import Role
from automl.judge.bootstrap import HURRY_SECONDS
from automl.judge.probe import affordable, sample_of
from automl.judge.wording import called, count_text, figures_text, number, percent_text, score_text, unit_of

TITLE = "Duplicate rows"
WORTH_MEASURING = 0.01
FEWEST_ROWS = 50
"""A score on fewer rows without a copy would say nothing."""


def run(case: Case) -> list[Finding]:
    duplicates, split = case.profile.duplicates, case.plan.split
    if not duplicates.rows:
        return [Finding("AML101", TITLE, Severity.PASSED, Section.DATA, "No duplicate rows.")]
    sentence = (
        f"{count_text(duplicates.rows, 'row')} ({percent_text(duplicates.fraction)}) "
        f"{'has' if duplicates.rows == 1 else 'have'} an exact copy; "
        f"{percent_text(duplicates.straddling_fraction)} of a random 20 % part would have a copy in the other 80 %"
    )
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
    severity, action = Severity.PASSED, ""
    if _keeps_alike_together(case):
        sentence += "; rows of one origin, such as near-duplicates, were kept on one side of every split"
    elif split.keep_together:
        sentence += "; equal rows were kept on one side of every split, so they do not flatter the scores"
    elif not duplicates.distinctive:
        sentence += "; the rows are too plain to call them copies, so nothing was done"
    else:
        severity = Severity.ISSUE if duplicates.straddling_fraction > 0.01 else Severity.TIP
        action = "Remove the copies from the data and fit again: a model can remember a row that it is tested on."
    without = _score_without_copies(case)
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


def _keeps_alike_together(case: Case) -> bool:
    """Whether the splits go by what the modality itself says must not be divided, such as near-duplicate texts."""
    if {case.plan.split.kind, case.plan.split.folds_by} & {"grouped", "time"}:
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


def _score_without_copies(case: Case) -> tuple[Metric, Number, Number, int] | None:
    """(metric, score on all judged rows, score on those that have no copy outside, their number), or None."""
    frame = case.dataset.frame
    if not case.trained or not len(case.truth) or len(case.row_ids) != len(case.truth) or len(frame) <= len(case.truth):
        return None
    hurried = case.deadline.lacks(HURRY_SECONDS)
    if hurried or case.dataset.test is not None or case.row_ids.max() >= len(frame):
        return None
    compared = [column.name for column in case.profile.columns if column.role is not Role.IDENTIFIER]
    hashes = pd.util.hash_pandas_object(frame[compared], index=False).to_numpy()
    outside = np.ones(len(frame), dtype=bool)
    outside[case.row_ids] = False
    alone = ~np.isin(hashes[case.row_ids], hashes[outside])
    if alone.all() or alone.sum() < FEWEST_ROWS:
        return None
    chosen = metric(case.plan.metric)
    weight = case.weight
    every = chosen.score(case.truth, case.prediction, weight, case.positive)
    only = chosen.score(case.truth[alone], case.prediction[alone], None if weight is None else weight[alone], case.positive)
    unit = unit_of(chosen, case.profile)
    return chosen, Number(every, unit=unit), Number(only, unit=unit), int(alone.sum())


CHECK = Check("AML101", TITLE, Section.DATA, run, needs_model=False, independent=True, seconds=0.5)
