"""Boosted lags: one LightGBM for all steps ahead and all series, on lags, seasonal lags, means, calendar and covariates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.core.architecture import Arrays, Fold, FoldsResult, Problem, Training
from automl.core.clock import Deadline
from automl.core.errors import TrainingError
from automl.core.methods import QUANTILES, LagRows, lag_names, lag_rows
from automl.core.panel import Panel, extended
from automl.core.space import Settings
from automl.core.tasks import Task
from automl.learners.panels import (
    Facts,
    FittedForecaster,
    ends_of,
    panel_of,
    spread_of,
    training_rows,
    truth_of,
)
from automl.learners.trees import FittedTrees, TreesLearner

Array = np.ndarray[Any, Any]

DEFAULTS: Settings = {
    "base": "seasonal",
    "transform": "none",
    "loss": "l1",
    "cycles": 4,
    "training_rows": 100_000,
    "most_rounds": 400,
}
MOST_CODES = 1_000
LARGEST_TARGET = 30.0
"""In units of the window's scale; what lies beyond is cut, so that one outlier does not make the trees."""
CALIBRATED_SHARE = 0.2
"""The last part of the history on which the intervals are measured with trees that have not seen it."""
CALIBRATION_PAIRS, CALIBRATION_RATE = 25_000, 0.25


@dataclass(frozen=True)
class Pairs:
    """(series, origin, lead) triples, each (pairs,)."""

    series: Array
    origins: Array
    leads: Array

    def take(self, rows: Array) -> Pairs:
        return Pairs(self.series[rows], self.origins[rows], self.leads[rows])

    @property
    def targets(self) -> Array:
        return self.origins + self.leads


class LaggedLearner:
    """Settings: DEFAULTS and those of automl.learners.trees. base: what the trees correct (the value one season before,
    the last value, or the level of the last season)."""

    rounds_scale_with_rows = False

    def __init__(self) -> None:
        self.trees = TreesLearner()

    def fit_folds(self, folds: list[Fold], problem: Problem, settings: Settings, seed: int, deadline: Deadline) -> FoldsResult:
        """The folds become tables of lags, on which boosting stops at one shared round; intervals of a fold come from
        the errors on the others."""
        used = {**DEFAULTS, **settings}
        works = [_FoldWork(fold, problem, used, seed) for fold in folds]
        result = self.trees.fit_folds([work.fold for work in works], _tree_problem(problem, used), used, seed, deadline)
        points = [work.points(found) for work, found in zip(works, result.predictions, strict=True)]
        errors = [work.errors(point) for work, point in zip(works, points, strict=True)]
        predictions = []
        for number, (work, point) in enumerate(zip(works, points, strict=True)):
            others = [each for place, each in enumerate(errors) if place != number] or errors
            predictions.append(work.quantiles(point, spread_of(np.concatenate(others))))
        seen = [work.seen(found) for work, found in zip(works, result.training_predictions, strict=True)]
        grown = {**settings, **{name: (result.settings or used)[name] for name in ("learning_rate",) if name in used}}
        return FoldsResult(predictions, seen, result.rounds, result.curve, grown)

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> FittedForecaster:
        used = {**DEFAULTS, **settings}
        facts, panel, state = lag_state(problem, training, used)
        seen = panel.transformed(state["log"])
        pairs = sample_pairs(seen, facts, seed, int(used["training_rows"]))
        rows = lag_rows(state, seen, pairs.series, pairs.origins, pairs.leads)
        target = _scaled_target(seen, pairs, rows)
        as_trees = _tree_problem(problem, used)
        fitted = self.trees.fit(_training(rows, target, state), as_trees, used, rounds, seed)
        spread = self._spread(state, seen, facts, (pairs, rows, target), as_trees, used, rounds, seed)
        state = {**state, "spread": spread.tolist(), "inputs": {"features": [rows.features.shape[1]]}, "outputs": 1}

        def graph(builder: Any, tensors: dict[str, str]) -> str:
            return fitted.graph(builder, {"raw": tensors["features"]})

        return FittedForecaster(state, facts, training.inputs, _runner(fitted), graph, fitted.save)

    def _spread(
        self,
        state: dict[str, Any],
        panel: Panel,
        facts: Facts,
        learned: tuple[Pairs, LagRows, Array],
        problem: Problem,
        settings: Settings,
        rounds: int,
        seed: int,
    ) -> Array:
        """From the errors on the last part of the history, of trees that were grown before it."""
        pairs, rows, target = learned
        ends, starts = panel.ends, panel.starts
        held = np.maximum((CALIBRATED_SHARE * (ends - starts)).astype(np.int64), facts.horizon)
        cut = (ends - held)[pairs.series]
        early = np.flatnonzero(pairs.targets <= cut)
        if len(early) < 50:
            early = np.arange(len(pairs.series))
        early = np.random.default_rng(seed).permutation(early)[:CALIBRATION_PAIRS]
        part = LagRows(rows.features[early], rows.base[early], rows.scale[early])
        rate = float(settings.get("learning_rate", 0.1))
        faster = float(np.clip(CALIBRATION_RATE / rate, 1.0, 4.0))  # fewer and larger steps: the size of errors is all we need
        hastened = {**settings, "learning_rate": rate * faster}
        trees = self.trees.fit(_training(part, target[early], state), problem, hastened, max(1, round(rounds / faster)), seed)
        checked = calibration_pairs(panel, facts, held)
        found = lag_rows(state, panel, checked.series, checked.origins, checked.leads)
        point = found.base + found.scale * _runner(trees)({"features": found.features}).reshape(-1)
        starts_at = slice(None, None, facts.horizon)
        values = truth_of(panel, checked.series[starts_at], checked.origins[starts_at], facts.horizon)
        return spread_of((values - point.reshape(values.shape)) / found.scale.reshape(values.shape))


class _FoldWork:
    """One fold as tables of lags, and the way back to its rows."""

    def __init__(self, fold: Fold, problem: Problem, settings: Settings, seed: int) -> None:
        self.facts, history, self.state = lag_state(problem, fold.training, settings)
        self.training = fold.training
        seen = history.transformed(self.state["log"])
        self.pairs = sample_pairs(seen, self.facts, seed, int(settings["training_rows"]))
        self.rows = lag_rows(self.state, seen, self.pairs.series, self.pairs.origins, self.pairs.leads)
        target = _scaled_target(seen, self.pairs, self.rows)
        whole = panel_of([fold.training.inputs, fold.validation.inputs], self.facts)
        ends = ends_of(history, self.facts) + history.first - whole.first
        self.ahead = pairs_of_rows(fold.validation.inputs, ends, whole, self.facts)
        carried = extended(whole, ends, self.facts.season).transformed(self.state["log"])
        self.found = lag_rows(self.state, carried, self.ahead.series, self.ahead.origins, self.ahead.leads)
        self.truth = np.log(np.maximum(fold.validation.target, 1e-12)) if self.state["log"] else fold.validation.target
        scaled = np.clip((self.truth - self.found.base) / self.found.scale, -LARGEST_TARGET, LARGEST_TARGET)
        self.fold = Fold(_training(self.rows, target, self.state), _training(self.found, scaled, self.state))
        self.history = history

    def points(self, output: Array) -> Array:
        return self.found.base + self.found.scale * output

    def errors(self, point: Array) -> Array:
        """Scaled errors by window and lead, (windows, horizon), NaN where there is no row."""
        cuts, places = np.unique(np.stack([self.ahead.series, self.ahead.origins]), axis=1, return_inverse=True)
        errors = np.full((cuts.shape[1], self.facts.horizon), np.nan)
        errors[places.reshape(-1), self.ahead.leads - 1] = (self.truth - point) / self.found.scale
        return errors

    def quantiles(self, point: Array, spread: Array) -> Array:
        made = np.sort(point[:, None] + self.found.scale[:, None] * spread[self.ahead.leads - 1], axis=1)
        return self._back(made)

    def seen(self, output: Array) -> Array:
        """Training predictions where a row was among the pairs, NaN elsewhere: (training rows, quantiles)."""
        inputs = self.training.inputs
        place = np.full((len(self.facts.names), self.history.columns), -1)
        place[inputs["series"], inputs["step"] - self.history.first] = np.arange(len(inputs["step"]))
        rows = place[self.pairs.series, self.pairs.targets]
        middle = np.full(len(inputs["step"]), np.nan)
        middle[rows[rows >= 0]] = (self.rows.base + self.rows.scale * output)[rows >= 0]
        return np.broadcast_to(self._back(middle)[:, None], (len(middle), len(QUANTILES)))

    def _back(self, values: Array) -> Array:
        values = np.exp(np.minimum(values, 700.0)) if self.state["log"] else values
        return values if self.state["lowest"] is None else np.maximum(values, self.state["lowest"])


def lag_state(problem: Problem, training: Training, settings: Settings) -> tuple[Facts, Panel, dict[str, Any]]:
    """Facts, the panel, and the state that says which features there are."""
    facts, panel, state = training_rows(problem, training, settings)
    longest = int((panel.ends - panel.starts).max()) + 1
    seasons = [season for season in facts.seasons if 2 * season < longest]
    main = seasons[0] if seasons else min(4, max(1, longest // 8))
    recent = sorted({0, 1, 2, 3, 5, 7, 11} | ({main // 2} if main > 8 else set()))
    windows = [main, *(2 * main, 7 * main), *seasons[1:]] if main > 1 else [4, 12]
    coded = 1 < len(facts.names) <= MOST_CODES
    return (
        facts,
        panel,
        state
        | {
            "method": "lags",
            "base": str(settings["base"]) if seasons or settings["base"] != "seasonal" else "last",
            "seasons": seasons,
            "cycles": int(settings["cycles"]),
            "recent": [lag for lag in recent if lag < max(2, longest // 3)],
            "windows": sorted({length for length in windows if length < longest}) or [1],
            "calendar": calendar_parts(facts, longest),
            "phases": [] if facts.grid["unit"] != "step" or not facts.common_end else seasons,
            "codes": list(facts.names) if coded else [],
            "memory": max(int(state["memory"]), int(settings["cycles"] + 1) * max([1, *seasons]) + facts.horizon),
        },
    )


def calendar_parts(facts: Facts, longest: int) -> list[str]:
    """The parts of the calendar that differ from step to step, and have been seen more than once."""
    unit, size = facts.grid["unit"], int(facts.grid["size"])
    if unit == "step":
        return []
    if unit == "month":
        return ["month"] if size < 12 else []
    day = 86_400 if unit == "weekday" else size
    parts = ["minute of the day"] if day < 86_400 else []
    if day <= 86_400 and longest * day > 14 * 86_400:
        parts.append("day of the week")
    if day <= 86_400 and longest * day > 120 * 86_400:
        parts.append("day of the month")
    if longest * day > 400 * 86_400:
        parts.append("day of the year")
    return parts


def sample_pairs(panel: Panel, facts: Facts, seed: int, most: int) -> Pairs:
    """Pairs whose target is known, drawn at random; origins have at least a season of history where there is that much."""
    horizon = facts.horizon
    lengths = np.where(panel.ends >= 0, panel.ends - panel.starts + 1, 0)
    least = min(facts.season, max(1, int(lengths.max()) - 2 * horizon, int(lengths.max()) // 3))
    first, last = panel.starts + least - 1, panel.ends - 1
    counts = np.where(panel.ends >= 0, np.maximum(last - first + 1, 0), 0)
    total = int(counts.sum())
    if total == 0:
        raise TrainingError(f"no series is longer than {least} steps, so there is nothing to learn lags from")
    generator = np.random.default_rng([seed % 2**32, 7])
    if total * horizon <= most:
        drawn, leads = np.repeat(np.arange(total), horizon), np.tile(np.arange(1, horizon + 1), total)
    else:
        drawn, leads = generator.integers(0, total, int(1.1 * most)), generator.integers(1, horizon + 1, int(1.1 * most))
    edges = np.cumsum(counts)
    series = np.searchsorted(edges, drawn, side="right")
    origins = first[series] + drawn - (edges - counts)[series]
    pairs = Pairs(series, origins, leads)
    inside = pairs.targets <= panel.ends[series]
    kept = np.flatnonzero(inside)
    kept = kept[panel.observed[series[kept], pairs.targets[kept]]][:most]
    if not len(kept):
        raise TrainingError("no step ahead of any origin is known, so there is nothing to learn lags from")
    return pairs.take(kept)


def calibration_pairs(panel: Panel, facts: Facts, held: Array) -> Pairs:
    """All leads of origins in the last `held` (series,) steps of each series, a horizon apart where there are many."""
    series, origins = [], []
    rows = np.flatnonzero(panel.ends >= 0)
    most = max(1, 1500 // max(1, len(rows)))
    for row in rows:
        last, first = int(panel.ends[row]) - facts.horizon, max(int(panel.ends[row]) - int(held[row]), int(panel.starts[row]))
        if last < first:
            last = first = max(int(panel.starts[row]), last)
        stride = max(1, (last - first) // most)
        chosen = np.arange(last, first - 1, -stride)[:most]
        series.append(np.full(len(chosen), row))
        origins.append(chosen)
    series_all, origins_all = np.concatenate(series), np.concatenate(origins)
    if len(series_all) > 1500:
        kept = np.sort(np.random.default_rng(0).choice(len(series_all), 1500, replace=False))
        series_all, origins_all = series_all[kept], origins_all[kept]
    leads = np.tile(np.arange(1, facts.horizon + 1), len(series_all))
    return Pairs(np.repeat(series_all, facts.horizon), np.repeat(origins_all, facts.horizon), leads)


def pairs_of_rows(inputs: Arrays, ends: Array, panel: Panel, facts: Facts) -> Pairs:
    """The pair of every row after the ends: every `horizon` steps is a new origin."""
    offset = inputs["step"] - panel.first - ends[inputs["series"]]
    if (offset <= 0).any() or (ends[inputs["series"]] < 0).any():
        raise TrainingError("rows to be predicted lie before the end of the history")
    leads = (offset - 1) % facts.horizon + 1
    return Pairs(inputs["series"], ends[inputs["series"]] + offset - leads, leads)


def feature_names(state: dict[str, Any], facts: Facts) -> list[tuple[str, str]]:
    return lag_names(state, list(facts.known), list(facts.past))


def _scaled_target(panel: Panel, pairs: Pairs, rows: LagRows) -> Array:
    values = panel.values[pairs.series, pairs.targets]
    return np.clip((values - rows.base) / rows.scale, -LARGEST_TARGET, LARGEST_TARGET)


def _training(rows: LagRows, target: Array, state: dict[str, Any]) -> Training:
    plain = rows.features.shape[1] - bool(state["codes"])
    blocks = {"raw": rows.features[:, :plain]} | ({"codes": rows.features[:, plain:]} if state["codes"] else {})
    return Training(blocks, np.asarray(target, np.float64))


def _tree_problem(problem: Problem, settings: Settings) -> Problem:
    return replace(problem, task=Task.REGRESSION, outputs=1, metric="mae" if settings["loss"] == "l1" else "rmse")


def _runner(fitted: FittedTrees) -> Any:
    def run(inputs: dict[str, Array]) -> Array:
        return np.asarray(fitted.predict({"raw": inputs["features"]}))[:, None]

    return run
