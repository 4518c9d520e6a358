"""Whether a higher rung pays: the corrected paired test on fresh folds, and the sentence that says so."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.evidence import ALPHA, Decision, Final
from automl.core.finding import decimals_for
from automl.core.metrics import Metric
from automl.core.statistics import corrected_resampled_t
from automl.search.forecasting import diebold_mariano

LEVEL = 1 - 2 * ALPHA
"""Of the two-sided interval that is shown beside the test: its lower end is above zero where the test accepts, and only there."""
BEYOND_DOUBT, LIKELY = 0.90, 0.60
"""Levels of the interval of a difference that has to lie below zero where a trial counts as worse."""


def decide(
    candidate: Final, incumbent: Final, metric: Metric, folds: int, titles: dict[str, str], obey: bool, rolling: bool = False
) -> Decision:
    """Compare two finals on the folds that both were scored on. rolling: the folds are origins in time.

    folds: folds of one shuffling; the corrected variance uses 1 / (folds - 1) as the ratio of test to training rows.
    obey: the test decides; otherwise (preset best) the better mean does and the test is shown.
    """
    mean, low, high, p_value = gain_of(candidate, incumbent, metric, folds, rolling)
    accepted = bool(p_value < ALPHA if obey else mean > 0)
    count = min(len(candidate.fold_scores), len(incumbent.fold_scores))
    test = f"one-sided corrected resampled t over {count} fresh folds (Nadeau-Bengio)"
    if rolling:
        test = f"Diebold-Mariano with the Harvey correction over the windows after {count} fresh origins, one-sided"
    elif folds == 1:
        test = f"paired bootstrap of the rows of one holdout, {len(candidate.resampled)} resamples, on fresh folds"
    return Decision(
        candidate.architecture,
        incumbent.architecture,
        accepted,
        mean,
        (low, high),
        p_value,
        test,
        _sentence(candidate, incumbent, accepted, mean, p_value, metric, titles, obey),
        price(candidate, incumbent),
        LEVEL,
    )


def gain_of(
    candidate: Any, incumbent: Any, metric: Metric, folds: int, rolling: bool = False, level: float = LEVEL
) -> tuple[float, float, float, float]:
    """The mean gain, its two-sided interval at `level` and the one-sided p-value of two scored candidates (Trials or Finals).

    With one holdout by the paired bootstrap of its rows, over origins in time by the test of Diebold and Mariano,
    otherwise by the corrected resampled t over the folds.
    """
    if folds == 1 and not rolling:
        mean = metric.gain(candidate.fold_scores[0], incumbent.fold_scores[0])
        pairs = zip(candidate.resampled, incumbent.resampled, strict=True)
        gains = np.asarray([metric.gain(ours, theirs) for ours, theirs in pairs])
        gains = gains[np.isfinite(gains)]
        if not len(gains):
            return mean, -np.inf, np.inf, 1.0
        low, high = np.quantile(gains, [0.5 - level / 2, 0.5 + level / 2])
        return mean, float(low), float(high), float((1 + (gains <= 0).sum()) / (1 + len(gains)))
    count = min(len(candidate.fold_scores), len(incumbent.fold_scores))
    pairs = zip(candidate.fold_scores[:count], incumbent.fold_scores[:count], strict=True)
    differences = np.asarray([metric.gain(ours, theirs) for ours, theirs in pairs])
    if rolling:
        return diebold_mariano(differences, level=level)
    return corrected_resampled_t(differences, 1.0 / (folds - 1), level)


def price(candidate: Final, incumbent: Final) -> dict[str, float]:
    """What the climb costs beyond the incumbent, in seconds of training a fold set, bytes and milliseconds a row."""
    cost: dict[str, float] = {}
    if candidate.seconds or incumbent.seconds:
        cost["seconds"] = candidate.seconds - incumbent.seconds
    if candidate.size_bytes is not None and incumbent.size_bytes is not None:
        cost["bytes"] = float(candidate.size_bytes - incumbent.size_bytes)
    if candidate.row_milliseconds is not None and incumbent.row_milliseconds is not None:
        cost["milliseconds_a_row"] = candidate.row_milliseconds - incumbent.row_milliseconds
    return cost


def _sentence(
    candidate: Final, incumbent: Final, accepted: bool, mean: float, p: float, metric: Metric, titles: dict[str, str], obey: bool
) -> str:
    ours, theirs = titles[candidate.architecture], titles[incumbent.architecture]
    scores = f"{metric.title} {against(candidate.score, incumbent.score, metric)}"
    chance = f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
    if accepted and obey:
        return f"{ours} beats {theirs} on fresh folds ({scores}, {chance}): the climb pays."
    if accepted:
        return f"{ours} has a better mean score than {theirs} ({scores}, {chance}), which is what the preset best goes by."
    if mean <= 0:
        return f"{ours} is no better than {theirs} on fresh folds ({scores}): the simpler rung is enough."
    return f"{ours} is ahead of {theirs} on fresh folds ({scores}), but by no more than chance explains ({chance}): not climbed."


def against(ours: float, theirs: float, metric: Metric) -> str:
    """`66,811 against 115,476`: with decimals that tell the two apart."""
    low, high = sorted((ours, theirs))
    decimals = decimals_for(high, low, high, metric.unit)
    return f"{ours:,.{decimals}f} against {theirs:,.{decimals}f}{' %' if metric.unit == 'percent' else ''}"


def worse(candidate: Any, incumbent: Any, metric: Metric, folds: int, rolling: bool = False, level: float = BEYOND_DOUBT) -> bool:
    """Whether a trial's own search folds already say that it is worse: its interval at this level lies below zero."""
    return gain_of(candidate, incumbent, metric, folds, rolling, level)[2] < 0
