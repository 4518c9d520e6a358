"""Naive, seasonal naive, drift, exponential smoothing and Theta: a few parameters a series, found without any library."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from automl.core.architecture import Fold, FoldsResult, Problem, Training
from automl.core.clock import Deadline
from automl.core.errors import OutOfTimeError
from automl.core.methods import FORMS, drift, smooth, theta
from automl.core.panel import Panel, window
from automl.core.space import Settings
from automl.learners.panels import Facts, FittedForecaster, training_rows, with_spread

Array = np.ndarray[Any, Any]

ORIGINS = 10
"""Origins inside of the history whose forecasts are compared to choose parameters."""
REFINED, ROUNDS_OF_REFINING = 12, 2
MOST_CELLS = 3_000_000
"""Rows times season of one smoothing call."""
OVERFIT = 1.1
"""In-sample errors are this much too small, roughly: the parameters were chosen on them."""


class StatisticalLearner:
    """Fits one of the methods "naive", "seasonal_naive" and "statistical" (setting "form": auto, or one of FORMS)."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.deadline = Deadline(None)

    def fit_folds(self, folds: list[Fold], problem: Problem, settings: Settings, seed: int, deadline: Deadline) -> FoldsResult:
        """Every fold in turn; nothing is stopped early. Raises OutOfTimeError where the time does not reach."""
        predictions, seen = [], []
        for fold in folds:
            self.deadline = deadline
            try:
                fitted = self.fit(fold.training, problem, settings, 0, seed)
            finally:
                self.deadline = Deadline(None)
            predictions.append(fitted.predict(fold.validation.inputs))
            seen.append(np.broadcast_to(np.nan, (len(fold.training.target), predictions[0].shape[1])))
        return FoldsResult(predictions, seen)

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> FittedForecaster:
        facts, panel, state = training_rows(problem, training, settings)
        state = {"method": self.method, **state}
        if self.method == "statistical":
            state |= fit_statistical(panel.transformed(state["log"]), facts, state, settings, seed, self.deadline)
        least = max(2 * facts.season + 1, 3) if self.method == "statistical" else facts.season + 1
        inflate = OVERFIT if self.method == "statistical" else 1.0
        return FittedForecaster(with_spread(state, panel, None, least, inflate), facts, training.inputs)


@dataclass(frozen=True)
class Candidates:
    """Parameters to try, (candidates, 6) as automl.core.methods.statistical_points takes them."""

    parameters: Array

    def of(self, form: str) -> Array:
        return self.parameters[self.parameters[:, 0] == FORMS.index(form)]


def candidates(form: str, season: int, length: int) -> Candidates:
    """A grid over forms and parameters. Seasonal ones only where the history holds two seasons and some steps more."""
    rows: list[tuple[float, ...]] = []
    seasonal = season > 1 and length > 2 * season + 2
    if form in ("auto", "ets"):
        trends = ((0.0, 0.0), (0.02, 1.0), (0.1, 1.0), (0.05, 0.98), (0.1, 0.9))
        gammas = (None, 0.0, 0.1, 0.3, 0.6) if seasonal else (None,)
        for alpha, (share, phi), gamma in product((0.03, 0.1, 0.25, 0.5, 0.75, 0.95), trends, gammas):
            rest = 0.0 if gamma is None else gamma * (1 - alpha)
            rows.append((FORMS.index("ets"), alpha, share * alpha, rest, phi, float(gamma is not None)))
    if form in ("auto", "theta"):
        for alpha, with_season in product((0.05, 0.2, 0.4, 0.6, 0.8, 0.98), (0.0, 1.0) if seasonal else (0.0,)):
            rows.append((FORMS.index("theta"), alpha, 0.0, 0.0, 0.0, with_season))
    if form in ("auto", "drift"):
        rows.append((FORMS.index("drift"), 0.0, 0.0, 0.0, 0.0, 0.0))
    return Candidates(np.asarray(rows, np.float64))


def fit_statistical(
    panel: Panel, facts: Facts, state: dict[str, Any], settings: Settings, seed: int, deadline: Deadline
) -> dict[str, Any]:
    """Names, parameters of each series, and those for a series that was never seen (the median of all).

    Raises OutOfTimeError where the deadline comes before every series is fitted.
    """
    series = np.flatnonzero(panel.ends >= 0)
    horizon, season, memory = facts.horizon, facts.season, int(state["memory"])
    length = min(panel.columns, memory + horizon + ORIGINS * max(1, horizon // 2))
    histories = window(panel, series, panel.ends[series], length)
    grid = candidates(str(settings.get("form", "auto")), season, int(np.isfinite(histories).sum(axis=1).max()))
    best = np.zeros((len(series), 6))
    block = max(1, MOST_CELLS // (len(grid.parameters) * max(season, 24)))
    for start in range(0, len(series), block):
        if deadline.expired:
            raise OutOfTimeError(f"the time was up after {start:,} of {len(series):,} series were fitted")
        rows = slice(start, start + block)
        best[rows] = _best_of(histories[rows], grid, facts, seed)
    fallback = best[np.argmin(np.abs(best[:, 1] - np.median(best[:, 1])))]
    names = [panel.names[each] for each in series]
    return {"names": names, "parameters": best.tolist(), "fallback": fallback.tolist()}


def _best_of(histories: Array, grid: Candidates, facts: Facts, seed: int) -> Array:
    """The parameters whose forecasts inside of each history were the closest, (rows, 6)."""
    after = _cuts(histories, facts)
    loss, found = _losses(histories, grid.parameters[None].repeat(len(histories), 0), facts, after)
    chosen = np.arange(len(histories)), loss.argmin(axis=1)
    best, lowest = found[chosen], loss[chosen]
    generator = np.random.default_rng(seed)
    for turn in range(ROUNDS_OF_REFINING):
        moved = _moved(best, generator, 0.5 / (turn + 1))
        loss, found = _losses(histories, moved, facts, after)
        chosen = np.arange(len(histories)), loss.argmin(axis=1)
        better = loss[chosen] < lowest
        best = np.where(better[:, None], found[chosen], best)
        lowest = np.where(better, loss[chosen], lowest)
    return best


def _cuts(histories: Array, facts: Facts) -> list[int]:
    """After how many columns the forecasts are made that parameters are judged by."""
    length = histories.shape[1]
    least = max(2 * facts.season + 1, 3)
    last = length - facts.horizon
    if last < least:
        last = max(2, length - max(1, length // 4))
        return [last]
    stride = max(1, min(max(1, facts.horizon // 2), (last - least) // ORIGINS or 1))
    return sorted(last - stride * each for each in range(ORIGINS) if last - stride * each >= least)


def _moved(best: Array, generator: np.random.Generator, width: float) -> Array:
    """Points around the best ones, (rows, REFINED, 6); form, damping and season stay."""
    moved = best[:, None].repeat(REFINED, 1)
    factor = np.exp(width * generator.standard_normal((1, REFINED, 3)))
    moved[:, :, 1:4] = np.clip(moved[:, :, 1:4] * factor, 0.0, 0.995)
    moved[:, :, 3] = np.minimum(moved[:, :, 3], 0.98 * (1 - moved[:, :, 1]))
    return moved


def _losses(histories: Array, parameters: Array, facts: Facts, after: list[int]) -> tuple[Array, Array]:
    """Mean absolute error of every candidate over the cuts, (rows, candidates); parameters: (rows, candidates, 6)."""
    rows, count, _ = parameters.shape
    flat, repeated = parameters.reshape(rows * count, 6), np.repeat(np.arange(rows), count)
    errors = np.zeros(rows * count)
    made = np.zeros(rows * count)
    for number, form in enumerate(FORMS):
        places = np.flatnonzero(flat[:, 0] == number)
        if not len(places):
            continue
        history = histories[repeated[places]]
        for cut, points in zip(after, _points_after(form, history, flat[places], facts, after), strict=True):
            truth = history[:, cut : cut + facts.horizon]
            gaps = np.abs(points[:, : truth.shape[1]] - truth)
            errors[places] += np.nansum(gaps, axis=1)
            made[places] += np.isfinite(gaps).sum(axis=1)
    loss = np.where(made > 0, errors / np.maximum(made, 1), np.inf)
    return np.where(np.isfinite(loss), loss, 1e300).reshape(rows, count), parameters


def _points_after(form: str, history: Array, parameters: Array, facts: Facts, after: list[int]) -> list[Array]:
    if form == "ets":
        with np.errstate(over="ignore", invalid="ignore"):
            return smooth(history, parameters[:, 1:], facts.season, facts.horizon, after)
    points = []
    for cut in after:
        if form == "drift":
            points.append(drift(history[:, :cut], facts.horizon))
            continue
        made = np.zeros((len(history), facts.horizon))
        for seasonal in (False, True):
            rows = np.flatnonzero((parameters[:, 5] > 0) == seasonal)
            if len(rows):
                made[rows] = theta(history[rows, :cut], parameters[rows, 1], facts.season if seasonal else 1, facts.horizon)
        points.append(made)
    return points
