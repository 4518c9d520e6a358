"""Nets over windows of a panel: one net for all series, trained on the pinball loss of all steps ahead at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl.core.architecture import Arrays, Fold, FoldsResult, Problem, Training
from automl.core.clock import Deadline
from automl.core.errors import TrainingError
from automl.core.methods import MEDIAN, QUANTILES, net_inputs
from automl.core.panel import Panel, extended, pick
from automl.core.space import Settings
from automl.learners.lagged import calendar_parts
from automl.learners.panels import Facts, FittedForecaster, ends_of, panel_of, predict_rows, training_rows
from automl.training.learner import NetFitted, NetLearner

Array = np.ndarray[Any, Any]

MOST_WINDOWS = 3_000
LARGEST_TARGET = 20.0
EARLIEST_FOLD = 0.4
"""The share of the steps that even the first fold has to learn from, about."""
DEFAULTS: Settings = {
    "batch_size": 128,
    "epochs": 10,
    "jit": False,
    "learning_rate": 3e-3,
    "weight_decay": 1e-3,
    "transform": "none",
    "windows": MOST_WINDOWS,
}


class WindowedLearner:
    """Wraps a NetLearner: rows of a panel become windows with the next steps as target, and outputs become quantiles."""

    def __init__(self, build: Any) -> None:
        self.nets = NetLearner(build)

    def fit_folds(self, folds: list[Fold], problem: Problem, settings: Settings, seed: int, deadline: Deadline) -> FoldsResult:
        """Every fold's windows before its origin, stopped together on the windows after it."""
        used = {**DEFAULTS, **settings}
        works = [_Windows(fold, problem, used, seed + number) for number, fold in enumerate(folds)]
        result = self.nets.fit_folds([work.fold for work in works], problem, used, seed, deadline)
        predictions = [work.rows_of(output) for work, output in zip(works, result.predictions, strict=True)]
        seen = [work.seen(output) for work, output in zip(works, result.training_predictions, strict=True)]
        return replace(result, predictions=predictions, training_predictions=seen)

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> FittedForecaster:
        used = {**DEFAULTS, **settings}
        facts, panel, state = net_state(problem, training)
        windows, _, _ = training_windows(panel, facts, state, int(used["windows"]), seed)
        fitted = self.nets.fit(windows, problem, used, rounds, seed)
        return FittedForecaster(state, facts, training.inputs, _runner(fitted), fitted.graph, fitted.save)


class _Windows:
    """The windows of one fold, and the way back to its rows."""

    def __init__(self, fold: Fold, problem: Problem, settings: Settings, seed: int) -> None:
        self.facts, self.history, self.state = net_state(problem, fold.training)
        self.validation, self.training = fold.validation.inputs, fold.training.inputs
        training, self.series, self.origins = training_windows(
            self.history, self.facts, self.state, int(settings["windows"]), seed
        )
        self.whole = panel_of([fold.training.inputs, fold.validation.inputs], self.facts)
        self.ends = ends_of(self.history, self.facts) + self.history.first - self.whole.first
        columns = self.validation["step"] - self.whole.first
        offset = columns - self.ends[self.validation["series"]]
        origins = self.ends[self.validation["series"]] + (offset - 1) // self.facts.horizon * self.facts.horizon
        self.cuts = np.unique(np.stack([self.validation["series"], origins]), axis=1)
        reached = np.full(len(self.facts.names), -1)
        np.maximum.at(reached, self.cuts[0], self.cuts[1])
        carried = extended(self.whole, reached, self.facts.season)
        self.fold = Fold(training, _windows(carried, self.facts, self.state, self.cuts[0], self.cuts[1]))

    def rows_of(self, output: Array) -> Array:
        """Quantiles of the validation rows from the net's outputs of their windows, which come in the same order."""

        def run(inputs: Arrays) -> Array:
            return output

        columns = self.validation["step"] - self.whole.first
        return predict_rows(self.state, self.whole, self.ends, self.validation["series"], columns, run)

    def seen(self, output: Array) -> Array:
        """Medians of the training rows that are ahead of some window, NaN elsewhere: (training rows, quantiles)."""
        inputs = net_inputs(self.state, self.history, self.series, self.origins)
        middle = output.reshape(len(self.series), self.facts.horizon, len(QUANTILES))[:, :, MEDIAN]
        values = inputs["level"][:, None] + inputs["scale"][:, None] * middle
        made = np.full((len(self.facts.names), self.history.columns), np.nan)
        ahead = self.origins[:, None] + np.arange(1, self.facts.horizon + 1)
        inside = ahead < self.history.columns
        made[np.broadcast_to(self.series[:, None], ahead.shape)[inside], ahead[inside]] = values[inside]
        rows = made[self.training["series"], self.training["step"] - self.history.first]
        return np.broadcast_to(rows[:, None], (len(rows), len(QUANTILES)))


def net_state(problem: Problem, training: Training) -> tuple[Facts, Panel, dict[str, Any]]:
    """Facts, the panel, and the state that says what the net's inputs are."""
    facts, panel, state = training_rows(problem, training, {})
    longest = facts.length or int((panel.ends - panel.starts).max()) + 1  # the same in all folds, so that one net fits all
    length = window_length(facts, int(EARLIEST_FOLD * longest))
    seasons = [season for season in facts.seasons if 2 * season < longest]
    for name, part in (("known", panel.known), ("past", panel.past)):
        flat = part.reshape(part.shape[0] * part.shape[1], part.shape[2])
        finite = np.isfinite(flat)
        count = np.maximum(finite.sum(axis=0), 1)
        mean = np.where(finite, flat, 0.0).sum(axis=0) / count
        deviation = np.sqrt((np.where(finite, flat - mean, 0.0) ** 2).sum(axis=0) / count)
        state[f"{name}_mean"], state[f"{name}_deviation"] = mean.tolist(), np.where(deviation > 0, deviation, 1.0).tolist()
    state |= {"method": "net", "length": length, "seasons": seasons, "calendar": calendar_parts(facts, longest)}
    shapes = {"values": [length], "covariates": [length, len(facts.known) + len(facts.past)]}
    shapes["future"] = [facts.horizon, len(facts.known) + len(seasons) + 2 * len(state["calendar"]) + 1]
    inputs = {name: shape for name, shape in shapes.items() if shape[-1] > 0}
    return facts, panel, state | {"inputs": inputs, "outputs": facts.horizon * len(QUANTILES)}


def window_length(facts: Facts, longest: int) -> int:
    """Seven seasons up to about 340 steps, at least two; without a season a few horizons."""
    season = facts.season
    wanted = season * int(np.clip(340 // season, 2, 7)) if season > 1 else max(16, 3 * facts.horizon)
    most = max(season, (longest - facts.horizon) // 2)
    return int(wanted if wanted <= most else max(season, most // season * season))


def training_windows(panel: Panel, facts: Facts, state: dict[str, Any], most: int, seed: int) -> tuple[Training, Array, Array]:
    """Windows whose next steps lie in the panel, drawn at random; with the series and the origin of each."""
    first = panel.starts + min(int(state["length"]), 2 * facts.season) - 1
    counts = np.where(panel.ends >= 0, np.maximum(panel.ends - facts.horizon - first + 1, 0), 0)
    total = int(counts.sum())
    if total == 0:
        raise TrainingError("no series is long enough for a window and the steps ahead of it")
    generator = np.random.default_rng([seed % 2**32, 11])
    drawn = np.arange(total) if total <= most else np.sort(generator.choice(total, most, replace=False))
    edges = np.cumsum(counts)
    series = np.searchsorted(edges, drawn, side="right")
    origins = first[series] + drawn - (edges - counts)[series]
    return _windows(panel, facts, state, series, origins), series, origins


def _windows(panel: Panel, facts: Facts, state: dict[str, Any], series: Array, origins: Array) -> Training:
    inputs = net_inputs(state, panel, series, origins)
    ahead = pick(panel.values, series[:, None], origins[:, None] + np.arange(1, facts.horizon + 1))
    target = (ahead - inputs["level"][:, None]) / inputs["scale"][:, None]
    target = np.clip(np.nan_to_num(target), -LARGEST_TARGET, LARGEST_TARGET).astype(np.float32)
    blocks = {name: inputs[name] for name in state["inputs"]}
    shapes = {
        name: (tuple(shape) if len(shape) > 1 else int(shape[0]), "float32", None) for name, shape in state["inputs"].items()
    }
    return Training(blocks, target, None, shapes)


def _runner(fitted: NetFitted) -> Any:
    def run(inputs: dict[str, Array]) -> Array:
        return np.asarray(fitted.predict(inputs))

    return run
