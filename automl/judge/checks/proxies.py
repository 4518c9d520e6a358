"""AML117: whether the columns that the model sees give a sensitive column away that it does not see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.groups import grouping
from automl.core.profile import Kind, Role
from automl.judge.probe import MOST_ROWS, READABLE, affordable, columns_of, folds_of, lacking, mean_auc, probe
from automl.judge.scoring import not_applicable
from automl.judge.wording import drop_command, figures_text, names_text, number
from automl.profiling.association import associations, binned

TITLE = "Proxies of the sensitive columns"
WORTH_A_WORD, NEARLY_KNOWN = 0.7, 0.9
FEWEST_OF_A_GROUP = 30
SHOWN = 5
CARRIES = 0.1


@dataclass(frozen=True)
class Proxied:
    """A sensitive column as the features know it. columns: (name, share of the gain, ROC-AUC alone), the strongest first."""

    name: str
    auc: float
    columns: tuple[tuple[str, float, float | None], ...]


def run(case: Case) -> list[Finding]:
    unseen = [name for name in case.plan.sensitive if case.profile.column(name).role is not Role.FEATURE]
    features = [column for column in case.profile.features if column.kind in READABLE]
    if not unseen or not features or not affordable(case):
        why = (
            "every sensitive column that was named is a feature itself (--exclude-sensitive keeps them out)"
            if case.plan.sensitive and not unseen
            else "no sensitive column was named"
            if not unseen
            else ""
        )
        why = f"as {why}" if why else lacking(case)
        return not_applicable("AML117", TITLE, Section.DATA, f"Proxies of sensitive columns were not looked for, {why}.")
    found = [each for name in unseen if (each := _proxied(case, name)) is not None]
    if not found:
        return not_applicable("AML117", TITLE, Section.DATA, "No sensitive column has two groups that are large enough.")
    worst = max(found, key=lambda each: each.auc)
    carriers = [name for name, gain, _ in worst.columns[:SHOWN] if gain >= CARRIES]
    known = worst.auc >= WORTH_A_WORD
    sentence = (
        f'The columns that the model sees predict "{worst.name}" with a ROC-AUC of {figures_text(worst.auc)} on rows that were'
        " not learned from (0.5 is guessing)"
    )
    sentence += f", most through {names_text(carriers)}: leaving the column out does not hide it" if known else ""
    return [
        Finding(
            code="AML117",
            title=TITLE,
            severity=Severity.ISSUE if worst.auc >= NEARLY_KNOWN else Severity.TIP if known else Severity.PASSED,
            section=Section.DATA,
            sentence=f"{sentence}.",
            numbers={each.name: number(each.auc) for each in found},
            table={
                "columns": ["sensitive column", "known through", "share of the gain", "ROC-AUC alone"],
                "rows": [[each.name, *column] for each in found for column in each.columns[:SHOWN]],
            },
            action=(
                f"See what the proxies are worth: fit again with `{drop_command(carriers)}`, and compare the gaps."
                if known and carriers
                else ""
            ),
        )
    ]


def _proxied(case: Case, name: str) -> Proxied | None:
    frame = case.dataset.frame
    rows = np.arange(len(frame))
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(case.plan.seed).choice(rows, MOST_ROWS, replace=False))
    part = frame.iloc[rows].reset_index(drop=True)
    codes = grouping(case.profile.column(name), frame, part).codes
    sizes = np.bincount(codes)
    kept = np.flatnonzero(sizes[codes] >= FEWEST_OF_A_GROUP)
    if len(np.unique(codes[kept])) < 2:
        return None
    target = np.unique(codes[kept], return_inverse=True)[1]
    classes = int(target.max()) + 1
    features = columns_of(part, case.profile.features).take(kept)
    found = probe(features, target, classes, folds_of(len(kept), case.plan.seed), case.plan.seed, case.plan.jobs)
    binned_columns = {column: binned(features.matrix[:, at], Kind.NUMBER) for at, column in enumerate(features.names)}
    alone = associations(binned_columns, target, classes)
    strongest = sorted(found.gain.items(), key=lambda each: -each[1])
    columns = tuple((column, gain, alone.get(column)) for column, gain in strongest)
    return Proxied(name, mean_auc(target, found.prediction), columns)


CHECK = Check("AML117", TITLE, Section.DATA, run, needs_model=False, independent=True, seconds=1)
