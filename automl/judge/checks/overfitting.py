"""AML204: how much better the champion is on the rows that it was trained on."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check
from automl.core.evidence import Trial
from automl.core.finding import Finding, Section, Severity, decimals_for
from automl.core.statistics import corrected_resampled_t
from automl.judge.scoring import fold_ratio, headline_metric, not_applicable, title_of
from automl.judge.wording import called, number, percent_text, score_text, unit_of

TITLE = "Overfitting"
LARGE_SHARE = 0.5
"""A gap of half of what the model gained over the baseline is worth a word."""


def run(case: Case) -> list[Finding]:
    trial = _champion_trial(case)
    if trial is None or not trial.training_scores or len(trial.training_scores) != len(trial.fold_scores):
        return not_applicable(
            "AML204",
            TITLE,
            Section.SCORES,
            "The training scores of the chosen model were not kept, so the overfit gap is unknown.",
        )
    metric, unit = headline_metric(case), unit_of(headline_metric(case), case.profile)
    training, unseen = float(np.mean(trial.training_scores)), float(np.mean(trial.fold_scores))
    sign = 1.0 if metric.greater_is_better else -1.0
    gaps = [sign * (seen - held) for seen, held in zip(trial.training_scores, trial.fold_scores, strict=True)]
    gap, low, high, _ = corrected_resampled_t(gaps, fold_ratio(case))
    base = _baseline_score(case)
    earned = metric.gain(unseen, base) if base is not None else float("nan")
    share = gap / earned if earned > 0 else float("nan")
    shown = round(gap, decimals_for(unseen, unit=metric.unit)) > 0
    wide = shown and (share > LARGE_SHARE or earned <= 0)
    large = wide and low > 0
    sentence = (
        f"{title_of(case, trial.architecture)} scores {score_text(metric, training)} on the rows that it was trained on and "
        f"{score_text(metric, unseen)} on unseen rows of the same folds ({called(metric)})"
    )
    if np.isfinite(share):
        sentence += f", a gap of {percent_text(max(0.0, share))} of what it gains over the baseline"
    if wide:
        ends = " to ".join(score_text(metric, end, (gap, low, high)) for end in (low, high))
        chance = "beyond what chance explains" if large else "which chance may explain"
        sentence += f", {chance} (95 % interval of the gap {ends})" if np.isfinite(low) else ", from too few folds to be sure"
    sentence += "; all scores in this report are of unseen rows, so the gap does not flatter them"
    action = ""
    if large:
        action = f"More rows would help most; {_simpler(case, trial.architecture)}fewer columns would narrow it."
    return [
        Finding(
            code="AML204",
            title=TITLE,
            severity=Severity.TIP if large else Severity.PASSED,
            section=Section.SCORES,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers={
                "training": number(training, unit=unit),
                "out_of_fold": number(unseen, unit=unit),
                "gap": number(gap, low, high, unit),
            },
            action=action,
        )
    ]


def _simpler(case: Case, architecture: str) -> str:
    """The lowest rung above the baseline with what it scores, where it is below the chosen one and has a score."""
    level = next((rung.rung for rung in case.plan.ladder if rung.architecture == architecture), 0)
    below = [rung for rung in case.plan.ladder if 0 < rung.rung < level]
    lowest = min(below, key=lambda rung: rung.rung, default=None)
    trial = case.evidence.best_trial(lowest.architecture) if case.evidence is not None and lowest is not None else None
    if lowest is None or trial is None or trial.score is None:
        return ""
    score = score_text(headline_metric(case), trial.score)
    return f"{lowest.title} (`--only {lowest.architecture}`), which scores {score} on unseen rows, or "


def _champion_trial(case: Case) -> Trial | None:
    evidence = case.evidence
    if evidence is None:
        return None
    same = [
        trial for trial in evidence.trials if trial.architecture == evidence.champion and trial.number == evidence.champion_trial
    ]
    return same[0] if same else evidence.best_trial(evidence.champion)


def _baseline_score(case: Case) -> float | None:
    """The score of the bottom rung on the same folds, or on the judged rows where it has no trial."""
    bottom = {rung.architecture for rung in case.plan.rungs if rung.rung == 0}
    trials = case.evidence.trials if case.evidence else ()
    scores = [trial.score for trial in trials if trial.architecture in bottom and trial.score is not None]
    if scores:
        return float(scores[0])
    if not len(case.truth):
        return None
    score = headline_metric(case).score(case.truth, case.baseline, case.weight, case.positive)
    return score if np.isfinite(score) else None


CHECK = Check("AML204", TITLE, Section.SCORES, run)
