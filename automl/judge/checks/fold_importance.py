"""AML509: whether models that learned from other rows rest on the same columns."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from automl.core.case import Array, Case, Check
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.judge.scoring import headline_metric, not_applicable
from automl.judge.wording import called, count_text, names_text, number

TITLE = "Columns that models of other folds rest on"
MOST_TOLD = 3
AGREEING = 0.5
"""Mean rank correlation from which on the folds agree."""


def run(case: Case) -> list[Finding]:
    losses = {} if case.evidence is None else case.evidence.fold_importances
    names = [name for name, values in losses.items() if np.isfinite(values).all()]
    folds = len(losses[names[0]]) if names else 0
    if len(names) < 3 or folds < 3:
        why = "the models of single folds were not asked, for want of time, folds or columns"
        return not_applicable("AML509", TITLE, Section.WHY, f"Whether other rows lead to the same columns is not known: {why}.")
    matrix = np.array([losses[name] for name in names])  # (columns, folds)
    means = matrix.mean(axis=1)
    order = np.argsort(-means, kind="stable").tolist()
    pairs = [_rank_correlation(matrix[:, one], matrix[:, other]) for one, other in combinations(range(folds), 2)]
    mean, low, high = float(np.mean(pairs)), float(np.min(pairs)), float(np.max(pairs))
    always = [names[at] for at in order if (matrix[at] > 0).all()]
    first = {names[int(np.argmax(matrix[:, fold]))] for fold in range(folds)}
    agreeing = mean >= AGREEING
    same = "all rest" if len(first) == 1 else "not all rest"
    sentence = (
        f"Of {folds} models that learned without one fold each, {same} most on the same column ({names_text(sorted(first))});"
        f" {count_text(len(always), 'column')} of {len(names)} {'is' if len(always) == 1 else 'are'} worth something in every"
        f" one ({names_text(always[: 2 * MOST_TOLD])}); the mean rank correlation of two folds is {mean:.2f} ({low:.2f} to"
        f" {high:.2f})"
    )
    action = "Which columns matter hangs on the rows learned from: do not read meaning into the order of the columns."
    return [
        Finding(
            code="AML509",
            title=TITLE,
            severity=Severity.PASSED if agreeing else Severity.TIP,
            section=Section.WHY,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers={"mean_rank_correlation": number(mean), "lowest": number(low), "columns_in_every_fold": number(len(always))},
            figures=(_figure(case, names, matrix, order),),
            action="" if agreeing else action,
        )
    ]


def _rank_correlation(first: Array, second: Array) -> float:
    """Spearman's, with mean ranks for ties; 0 where one has no order."""
    ranks = [pd.Series(values).rank().to_numpy() for values in (first, second)]
    return 0.0 if any(np.ptp(each) == 0 for each in ranks) else float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _figure(case: Case, names: list[str], matrix: Array, order: list[int]) -> Figure:
    metric = headline_metric(case)
    series = Series(
        "importance",
        tuple(names[at] for at in order),
        tuple(float(matrix[at].mean()) for at in order),
        tuple(float(matrix[at].min()) for at in order),
        tuple(float(matrix[at].max()) for at in order),
    )
    how = (
        f"Each dot is how much worse the {called(metric)} gets on the rows of a fold when the column is shuffled, the mean over"
        " the models of the folds; the line leads from the fold where it is least to the one where it is most."
    )
    return Figure("fold_importance", "interval", TITLE, how, (series,), "column", f"what {called(metric)} gets worse by", "zero")


CHECK = Check("AML509", TITLE, Section.WHY, run, independent=True)
