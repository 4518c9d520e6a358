"""AML302: what the errors of a regression look like."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check
from automl.core.conformal import interval_at
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.core.metrics import METRICS
from automl.core.statistics import percentile_interval
from automl.judge.bootstrap import count_blocks, judged_groups, resamples_for
from automl.judge.curves import MOST_DOTS, histogram_series, plain, sampled
from automl.judge.scoring import judged_on, not_applicable
from automl.judge.wording import figures_text, number, score_text

TITLE = "Residuals"
NOTICEABLE_BIAS = 0.02
LARGE_BIAS = 0.1
FUNNEL = 3.0
FEWEST_ROWS = 50
LEVEL, FIFTHS = 0.9, 5


def run(case: Case) -> list[Finding]:
    if case.profile.task.is_classification:
        return not_applicable("AML302", TITLE, Section.TRUST, "Residuals do not apply to a classification.")
    if not len(case.truth):
        return not_applicable("AML302", TITLE, Section.TRUST, "No rows were judged, so there are no residuals.")
    target, residual = case.profile.target, case.prediction - case.truth
    bias = float(np.average(residual, weights=case.weight))
    low, high = _bias_interval(case, residual)
    spread = float(np.std(case.truth))
    share = abs(bias) / spread if spread > 0 else 0.0
    biased = (low > 0 or high < 0) and share > NOTICEABLE_BIAS
    half = float(np.median(np.abs(residual)))
    rmse, three = METRICS["rmse"], (bias, low, high)
    sentence = (
        f'On {judged_on(case)} half of the predictions of "{target}" are off by less than {figures_text(half)}; on average they'
        " are "
        f"{score_text(rmse, abs(bias), three)} too {'high' if bias > 0 else 'low'} (95 % interval of the bias"
        f" {score_text(rmse, low, three)} to {score_text(rmse, high, three)})"
    )
    funnel = _funnel(case, residual)
    met = funnel > FUNNEL and _intervals_follow(case)
    if funnel > FUNNEL:
        sentence += (
            f", and errors are {figures_text(funnel)} times as large in the fifth of the rows with the highest predictions as in"
            " that with the lowest"
        )
        sentence += "; the intervals follow that, and hold what they promise in every fifth" if met else ""
    action = "Predictions are shifted: look whether the judged rows are like the training rows." if biased else ""
    if funnel > FUNNEL and not (biased or met):
        action = _too_even(case)
    return [
        Finding(
            code="AML302",
            title=TITLE,
            severity=(
                Severity.ISSUE
                if biased and share > LARGE_BIAS
                else Severity.TIP
                if biased or (funnel > FUNNEL and not met)
                else Severity.PASSED
            ),
            section=Section.TRUST,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers={
                "bias": number(bias, low, high, target),
                "median_absolute_error": number(half, unit=target),
                "error_at_high_over_low_predictions": number(funnel),
            },
            figures=_figures(case, residual),
            action=action,
        )
    ]


def _too_even(case: Case) -> str:
    """What to make of errors that grow with the prediction, where the intervals do not grow as much."""
    conformal = None if case.evidence is None else case.evidence.readout.conformal
    if conformal is None or f"{LEVEL:.2f}" not in conformal.quantiles:
        return "Expect larger errors for larger predictions: one error for all rows would mislead."
    if conformal.knots:
        return "Expect larger errors for larger predictions than the intervals (`--interval 0.9`) say."
    return (
        "Expect larger errors for larger predictions: the intervals (`--interval 0.9`) are equally wide for all rows, as"
        " those that follow the prediction were no better out of fold beyond chance, or the rows too few to tell."
    )


def _bias_interval(case: Case, residual: np.ndarray) -> tuple[float, float]:
    total = resamples_for(len(residual), 1, case)
    blocks = count_blocks(len(residual), total, case.plan.seed, judged_groups(case), case.weight)
    return percentile_interval(np.concatenate([block @ residual / np.maximum(block.sum(axis=1), 1e-300) for block in blocks]))


def _funnel(case: Case, residual: np.ndarray) -> float:
    """Median absolute error of the fifth with the highest predictions over that of the lowest; 1 where it cannot be told."""
    if len(residual) < FEWEST_ROWS or np.ptp(case.prediction) == 0:
        return 1.0
    low, high = np.quantile(case.prediction, [0.2, 0.8])
    below, above = (np.median(np.abs(residual[rows])) for rows in (case.prediction <= low, case.prediction >= high))
    return float(above / below) if below > 0 else 1.0


def _intervals_follow(case: Case) -> bool:
    """Whether intervals are wider where errors are, and hold the truth in each fifth of the predictions, but for chance."""
    conformal = None if case.evidence is None else case.evidence.readout.conformal
    if conformal is None or not conformal.knots or f"{LEVEL:.2f}" not in conformal.quantiles:
        return False
    ends = interval_at(conformal, case.prediction, LEVEL)
    held = (case.truth >= ends[:, 0]) & (case.truth <= ends[:, 1])
    order = np.argsort(case.prediction, kind="stable")
    chance = 2.0 * np.sqrt(LEVEL * (1 - LEVEL) / (len(held) / FIFTHS))
    return all(held[part].mean() >= LEVEL - chance for part in np.array_split(order, FIFTHS))


def _figures(case: Case, residual: np.ndarray) -> tuple[Figure, ...]:
    target = case.profile.target
    rows = sampled(len(residual), case.plan.seed)
    drawn = f" {MOST_DOTS} rows drawn at random are shown." if len(rows) < len(residual) else ""
    dots = Series("rows", plain(case.prediction[rows]), plain(residual[rows]))
    scatter = Figure(
        "residuals",
        "scatter",
        "Residual against prediction",
        "Each dot is a judged row, above zero it was predicted too high; an even band around zero is good, a funnel or a bend is"
        f" structure that the model missed.{drawn}",
        (dots,),
        f"predicted {target}",
        "predicted - actual",
        "zero",
    )
    how = "How often errors of each size occur; a narrow peak at zero is good, a long tail means that some rows are far off."
    histogram = Figure(
        "residual_histogram",
        "histogram",
        "Size of the errors",
        how,
        (histogram_series("rows", residual),),
        "predicted - actual",
        "rows",
    )
    return scatter, histogram


CHECK = Check("AML302", TITLE, Section.TRUST, run)
