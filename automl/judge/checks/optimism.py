"""AML205: whether the search flattered itself: out-of-fold score against sealed score."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.metrics import with_threshold
from automl.core.statistics import percentile_interval
from automl.judge.bootstrap import compare, groups_in, judged_groups, score_replicates
from automl.judge.scoring import headline_metric, is_nested, not_applicable
from automl.judge.wording import number, score_text, unit_of

TITLE = "Optimism of the search"


def run(case: Case) -> list[Finding]:
    unsealed = case.plan.split.kind != "given" and case.plan.split.sealed_fraction == 0.0
    if is_nested(case):
        return not_applicable(
            "AML205",
            TITLE,
            Section.SCORES,
            "No rows were sealed, as there are few; nested cross-validation chose the settings anew for every part that it"
            " judged, so the search could not flatter the score.",
        )
    if not len(case.truth):
        return not_applicable("AML205", TITLE, Section.SCORES, "No rows were judged, so nothing can be held against the search.")
    if unsealed:
        return [_not_independent()]
    if not len(case.out_of_fold) or len(case.out_of_fold) != len(case.out_of_fold_truth):
        return not_applicable(
            "AML205",
            TITLE,
            Section.SCORES,
            "The out-of-fold predictions were not kept, so the optimism of the search is unknown.",
        )
    metric, unit = headline_metric(case), unit_of(headline_metric(case), case.profile)
    on_folds = metric if case.out_of_fold_limits is None else with_threshold(metric, case.out_of_fold_limits)
    truth, prediction, weight = case.out_of_fold_truth, case.out_of_fold, case.out_of_fold_weight
    searched = on_folds.score(truth, prediction, weight, case.positive)
    sealed = metric.score(case.truth, case.prediction, case.weight, case.positive)
    optimism = metric.gain(searched, sealed)
    if not np.isfinite(optimism):
        return not_applicable(
            "AML205", TITLE, Section.SCORES, f"{metric.title} is undefined on one of the two parts, so they cannot be compared."
        )
    sealed_draws = score_replicates(metric, case.truth, case.prediction, case, case.weight, judged_groups(case))
    numbered = len(case.out_of_fold_rows) == len(truth)
    groups = groups_in(case, case.dataset.frame.iloc[case.out_of_fold_rows]) if numbered else None
    searched_draws = score_replicates(on_folds, truth, prediction, case, weight, groups)
    pairs = min(len(sealed_draws), len(searched_draws))
    # Two independent parts: drawing one against the other needs different resamples, hence the reversal.
    drawn = searched_draws[:pairs][::-1] - sealed_draws[:pairs]
    low, high = percentile_interval(drawn if metric.greater_is_better else -drawn)
    told = (
        f"{metric.title} {score_text(metric, searched)} out of fold in the search, {score_text(metric, sealed)} on the sealed"
        " rows"
    )
    numbers = {
        "out_of_fold": number(searched, *percentile_interval(searched_draws), unit=unit),
        "sealed": compare(case, [metric])[0].model,
        "optimism": number(optimism, low, high, unit),
    }
    severity, sentence, action = _said(case, told, low, high)
    return [Finding("AML205", TITLE, severity, Section.SCORES, sentence, "evaluated", numbers, action=action)]


def _said(case: Case, told: str, low: float, high: float) -> tuple[Severity, str, str]:
    """Severity, sentence and action, by the interval of the optimism. told: both scores, in words."""
    if low > 0:
        action = (
            "Trust the sealed score; if the sealed rows are later or other rows than the rest, the model will meet that again."
        )
        return Severity.ISSUE, f"The search was more hopeful than the sealed rows confirm ({told}).", action
    if high < 0:
        sentence = (
            f"The sealed rows were kinder to the model than those of the search, by more than chance explains ({told}); a part of"
            " it may be that the judged model learned from more rows than the models of the folds."
        )
        action = "Expect new rows to score between the two"
        action += ", and rather nearer to the folds, which are more rows." if len(case.out_of_fold) > len(case.truth) else "."
        return Severity.TIP, sentence, action
    return Severity.PASSED, f"The sealed rows and the folds of the search agree as far as chance lets one tell ({told}).", ""


def _not_independent() -> Finding:
    return Finding(
        "AML205",
        TITLE,
        Severity.TIP,
        Section.SCORES,
        "The score is from the same folds that chose the model, so it may be a little too hopeful.",
        "evaluated",
        action="Score it on rows that it has never seen before anything depends on it: `automl score`.",
    )


CHECK = Check("AML205", TITLE, Section.SCORES, run, seconds=0.2)
