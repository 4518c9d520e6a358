"""AML606: what the ensemble is made of, and whether it does better than its best member."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check
from automl.core.evidence import ALPHA, LINEAR, Final, Trial
from automl.core.finding import Finding, Number, Section, Severity
from automl.core.metrics import Metric
from automl.core.statistics import corrected_resampled_t
from automl.judge.scoring import fold_ratio, headline_metric, title_of
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
    searched = {trial.id: trial.score for trial in case.evidence.trials if trial.score is not None}
    fresh = _fresh(case, ensemble)
    scores = {name: final.score for name, final in fresh.items()} if fresh else searched
    alone = [score for member in ensemble.members if (score := scores.get(member.trial.id)) is not None]
    best = max(alone, key=lambda score: metric.gain(score, 0.0), default=float("nan"))
    ours = float(fresh[ensemble.id].score if fresh else ensemble.score or 0.0)
    worse = _worse(case, fresh, ensemble, metric)
    return [
        Finding(
            code="AML606",
            title=TITLE,
            severity=Severity.TIP if worse else Severity.PASSED,
            section=Section.CHOICE,
            sentence=_sentence(case, ensemble, metric, (ours, best), fresh, worse),
            about="evaluated",
            numbers={
                "score": number(ours, unit=unit),
                "best_member": number(best, unit=unit),
                **_choosing(ensemble, metric, unit),
            },
            table={
                "columns": ["member", "trial", "seed", "weight", f"{metric.title} alone, search folds"],
                "rows": [
                    [
                        title_of(case, each.architecture),
                        each.trial.id,
                        each.seed,
                        each.weight,
                        finite(searched.get(each.trial.id)),
                    ]
                    for each in ensemble.members
                ],
            },
            action="To ship the member: `--skip ensemble`." if worse and _ships(case, ensemble) else "",
        )
    ]


def _choosing(ensemble: Trial, metric: Metric, unit: str) -> dict[str, Number]:
    """How the weights look on the folds that chose them, and how much better than with weights found on the others."""
    chosen_on = float(np.nanmean(ensemble.selection_scores)) if ensemble.selection_scores else float("nan")
    if not np.isfinite(chosen_on) or ensemble.score is None:
        return {}
    return {
        "with_weights_of_other_folds": number(ensemble.score, unit=unit),
        "on_the_folds_that_chose_the_weights": number(chosen_on, unit=unit),
        "so_much_better_it_looks_there": number(metric.gain(chosen_on, ensemble.score), unit=unit),
    }


def _fresh(case: Case, ensemble: Trial) -> dict[str, Final]:
    """What the ensemble and members of it scored on fresh folds, by trial; nothing where not both did."""
    finals = {} if case.evidence is None else {f"{each.architecture}-{each.trial}": each for each in case.evidence.finals}
    found = {name: finals[name] for name in (ensemble.id, *(each.trial.id for each in ensemble.members)) if name in finals}
    return found if ensemble.id in found and len(found) > 1 else {}


def _worse(case: Case, fresh: dict[str, Final], ensemble: Trial, metric: Metric) -> bool:
    """Whether its best member is better on fresh folds by more than chance explains."""
    if not fresh:
        return False
    ours = fresh[ensemble.id]
    best = max((final for name, final in fresh.items() if name != ensemble.id), key=lambda each: metric.gain(each.score, 0.0))
    pairs = zip(best.fold_scores, ours.fold_scores, strict=False)
    gains = [metric.gain(theirs, own) for theirs, own in pairs]
    return len(gains) > 1 and corrected_resampled_t(gains, fold_ratio(case))[3] < ALPHA


def _ships(case: Case, ensemble: Trial) -> bool:
    return case.evidence is not None and case.evidence.champion == ensemble.architecture


def _sentence(
    case: Case, ensemble: Trial, metric: Metric, scores: tuple[float, float], fresh: dict[str, Final], worse: bool
) -> str:
    rungs = len({member.architecture for member in ensemble.members})
    trials = len({member.trial.id for member in ensemble.members})
    made = count_text(trials, "trial")
    every = len(fresh) == trials + 1
    three = scores[0], min(scores), max(scores)
    ours, best = (score_text(metric, each, three) for each in scores)
    member = "its best member's" if not fresh or every else "that of the best member that was scored there"
    where = "on fresh folds its" if fresh else "on the search folds, with weights found on other folds, its"
    mean = "mean" if ensemble.pool == LINEAR else "geometric mean"
    told = (
        f"{'The shipped ensemble' if _ships(case, ensemble) else 'An ensemble that was tried but not chosen'} is the weighted"
        f" {mean} of {made} of {count_text(rungs, 'rung')}; {where} {called(metric)} is {ours}, {member} {best}"
    )
    if not fresh:
        told += ", which looks a little too good, as these folds chose the member"
    return f"{told}; the member is better beyond chance." if worse else f"{told}."


CHECK = Check("AML606", TITLE, Section.CHOICE, run)
