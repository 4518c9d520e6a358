"""AML606: what the ensemble is made of, and how much its selection flattered itself."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check
from automl.core.evidence import Trial
from automl.core.finding import Finding, Section, Severity
from automl.core.metrics import Metric
from automl.judge.scoring import headline_metric, title_of
from automl.judge.wording import called, count_text, finite, number, score_text, unit_of

TITLE = "Members of the ensemble"


def run(case: Case) -> list[Finding]:
    """Nothing where no ensemble was made."""
    if case.evidence is None:
        return []
    made = [trial for trial in case.evidence.trials if trial.members and trial.score is not None]
    if not made:
        return []
    ensemble, metric = made[-1], headline_metric(case)
    unit = unit_of(metric, case.profile)
    scores = {trial.id: trial.score for trial in case.evidence.trials if trial.score is not None}
    alone = [score for member in ensemble.members if (score := scores.get(member.trial.id)) is not None]
    best = max(alone, key=lambda score: metric.gain(score, 0.0), default=float("nan"))
    chosen_on, honest = float(np.nanmean(ensemble.selection_scores)), float(ensemble.score or 0.0)
    return [
        Finding(
            code="AML606",
            title=TITLE,
            severity=Severity.PASSED,
            section=Section.CHOICE,
            sentence=_sentence(case, ensemble, metric, honest, best),
            about="evaluated",
            numbers={
                "score": number(honest, unit=unit),
                "score_on_the_rows_that_chose": number(chosen_on, unit=unit),
                "flattery": number(metric.gain(chosen_on, honest), unit=unit),
                "best_member": number(best, unit=unit),
            },
            table={
                "columns": ["member", "trial", "seed", "weight", f"{metric.title} alone"],
                "rows": [
                    [title_of(case, each.architecture), each.trial.id, each.seed, each.weight, finite(scores.get(each.trial.id))]
                    for each in ensemble.members
                ],
            },
        )
    ]


def _sentence(case: Case, ensemble: Trial, metric: Metric, honest: float, best: float) -> str:
    rungs = len({member.architecture for member in ensemble.members})
    fits, trials = len(ensemble.members), len({member.trial.id for member in ensemble.members})
    made = count_text(trials, "trial") if fits == trials else f"{fits:,} fits of {count_text(trials, 'trial')}"
    shipped = case.evidence is not None and case.evidence.champion == ensemble.architecture
    three = honest, best, honest
    return (
        f"{'The shipped ensemble' if shipped else 'An ensemble that was tried but not chosen'} is the weighted mean of "
        f"{made} of {count_text(rungs, 'rung')}; with weights found on other folds its "
        f"{called(metric)} is {score_text(metric, honest, three)}, its best member's {score_text(metric, best, three)}."
    )


CHECK = Check("AML606", TITLE, Section.CHOICE, run)
