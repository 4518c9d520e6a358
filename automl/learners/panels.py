"""What the forecasting learners share: rows to a panel, rolling windows, and intervals from the errors of a backtest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.architecture import Arrays, Problem, Training
from automl.core.errors import TrainingError
from automl.core.files import write_json
from automl.core.methods import MEDIAN, QUANTILES, Run, forecast, window_scale
from automl.core.panel import Panel, extended, make_panel, pick, season_error
from automl.core.space import Settings

Array = np.ndarray[Any, Any]

MOST_WINDOWS = 3_000
"""Windows of a backtest from which intervals are learned."""
WINDOWS_A_SERIES = 80


@dataclass(frozen=True)
class Facts:
    """What a learner must know of the panel; see automl.modalities.forecast. seasons rise; the first one is the main one;
    length: steps of the longest series, 0 where that is not known."""

    names: tuple[str, ...]
    grid: dict[str, Any]
    seasons: tuple[int, ...]
    horizon: int
    common_end: bool
    known: tuple[str, ...]
    past: tuple[str, ...]
    length: int = 0

    @property
    def season(self) -> int:
        return self.seasons[0] if self.seasons else 1

    @classmethod
    def of(cls, found: dict[str, Any]) -> Facts:
        return cls(
            tuple(found["names"]),
            dict(found["grid"]),
            tuple(int(season) for season in found["seasons"]),
            int(found["horizon"]),
            bool(found["common_end"]),
            tuple(found["known"]),
            tuple(found["past"]),
            int(found.get("length", 0)),
        )


def facts_of(problem: Problem) -> Facts:
    if not problem.forecast:
        raise TrainingError("a forecasting learner needs the facts of the panel")
    return Facts.of(problem.forecast)


def memory_of(facts: Facts, longest: int) -> int:
    """How many steps of the past the methods look at: twenty seasons, but at most about 500 steps or four seasons."""
    season = facts.season
    return int(min(longest, max(100, min(20 * season, max(480, 4 * season)), 2 * facts.horizon)))


def panel_of(parts: list[Arrays], facts: Facts) -> Panel:
    """The panel of the rows of all parts."""
    rows = {name: np.concatenate([part[name] for part in parts]) for name in ("series", "step", "observed", "known", "past")}
    return make_panel(facts.names, facts.grid, rows, facts.season)


def ends_of(panel: Panel, facts: Facts) -> Array:
    """The column after which each series is forecast: its own last one, or the last of all; -1 where it has no value."""
    if not facts.common_end:
        return panel.ends
    return np.where(panel.ends >= 0, panel.ends.max(initial=-1), -1)


@dataclass(frozen=True)
class FittedForecaster:
    """A method's state, and the rows that it was fitted on as the history of what it predicts.

    graph_of: appends the method's graph to a builder and returns its output tensor, None where numpy does it all.
    """

    state: dict[str, Any]
    facts: Facts
    training: Arrays
    run: Run | None = None
    graph_of: Any = None
    saved: Any = None

    def predict(self, inputs: Arrays) -> Array:
        """Quantiles (rows, len(QUANTILES)) of rows after the training rows: every `horizon` steps is a new origin.

        What later origins may know (values of earlier windows) is taken from `inputs`.
        """
        history = panel_of([self.training], self.facts)
        whole = panel_of([self.training, inputs], self.facts)
        ends = ends_of(history, self.facts) + history.first - whole.first
        columns = inputs["step"] - whole.first
        return predict_rows(self.state, whole, ends, inputs["series"], columns, self.run)

    def graph(self, builder: Any, tensors: dict[str, str]) -> str:
        """Append the method's graph. Raises TrainingError where it has none."""
        if self.graph_of is None:
            raise TrainingError("this method is computed without a graph")
        return str(self.graph_of(builder, tensors))

    def save(self, folder: Any) -> None:
        """Write state.json, and what the method itself keeps."""
        write_json(Path(folder) / "state.json", self.state)
        if self.saved is not None:
            self.saved(folder)


def predict_rows(state: dict[str, Any], panel: Panel, ends: Array, series: Array, columns: Array, run: Run | None) -> Array:
    """Quantiles of rows after the ends, (rows, len(QUANTILES)); NaN for rows before them and of series without a past."""
    horizon = int(state["horizon"])
    offset = columns - ends[series]
    asked = np.flatnonzero((offset > 0) & (ends[series] >= 0))
    predicted = np.full((len(series), len(QUANTILES)), np.nan)
    if not len(asked):
        return predicted
    origins = ends[series[asked]] + (offset[asked] - 1) // horizon * horizon
    cuts, places = np.unique(np.stack([series[asked], origins]), axis=1, return_inverse=True)
    reached = np.full(len(panel.names), -1)
    np.maximum.at(reached, cuts[0], cuts[1])
    carried = extended(panel, np.where(reached >= 0, reached, -1), int(state["season"]))
    made = forecast(state, carried, cuts[0], cuts[1], run)
    predicted[asked] = made[places.reshape(-1), (offset[asked] - 1) % horizon]
    return predicted


# --- backtests and intervals -----------------------------------------------------------------------------------------


def backtest_windows(
    panel: Panel, horizon: int, least: int, most: int = MOST_WINDOWS, each: int = WINDOWS_A_SERIES
) -> tuple[Array, Array]:
    """Origins inside of the panel whose whole horizon is known: (windows,) series and (windows,) columns.

    least: steps of history that an origin needs. The last origins of every series come first; none overlaps more than
    it must.
    """
    count = max(1, min(each, most // max(1, int((panel.ends >= 0).sum()))))
    found_series, found_origins = [], []
    for row in np.flatnonzero(panel.ends >= 0):
        last, first = int(panel.ends[row]) - horizon, int(panel.starts[row]) + least - 1
        if last < first:
            continue
        stride = max(1, min(horizon, (last - first) // count))
        origins = last - stride * np.arange(min(count, (last - first) // stride + 1))
        found_series.append(np.full(len(origins), row))
        found_origins.append(origins)
    if not found_series:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    series, origins = np.concatenate(found_series), np.concatenate(found_origins)
    if len(series) > most:
        kept = np.sort(np.random.default_rng(0).choice(len(series), most, replace=False))
        series, origins = series[kept], origins[kept]
    return series, origins


def truth_of(panel: Panel, series: Array, origins: Array, horizon: int) -> Array:
    """The known values after each origin, (windows, horizon), NaN where none was given."""
    columns = origins[:, None] + np.arange(1, horizon + 1)
    given = pick(panel.observed.astype(np.float64), series[:, None], columns) > 0
    return np.where(given, pick(panel.values, series[:, None], columns), np.nan)


def usual_scale(panel: Panel, season: int) -> float:
    """The median over the series of the mean absolute seasonal difference; 1 where nothing ever changes."""
    errors = season_error(panel.values, season)
    if not np.isfinite(errors).any() or not np.nanmax(errors) > 0:
        errors = season_error(panel.values, 1)
    errors = errors[np.isfinite(errors) & (errors > 0)]
    return float(np.median(errors)) if len(errors) else 1.0


def with_spread(state: dict[str, Any], panel: Panel, run: Run | None, least: int, inflate: float = 1.0) -> dict[str, Any]:
    """The state with the quantiles of its own errors in a backtest over the panel, by lead, in units of the window's scale."""
    horizon = int(state["horizon"])
    empty = {**state, "spread": np.zeros((horizon, len(QUANTILES))).tolist()}
    series, origins = backtest_windows(panel, horizon, least)
    if not len(series):
        return empty
    seen = panel.transformed(bool(state.get("log")))
    free = {**empty, "log": False, "lowest": None}
    made = forecast(free, seen, series, origins, run)[:, :, MEDIAN]
    errors = (truth_of(seen, series, origins, horizon) - made) / window_scale(seen, series, origins, free)[:, None]
    return {**state, "spread": (inflate * spread_of(errors)).tolist()}


def spread_of(errors: Array) -> Array:
    """Conformal quantiles of scaled errors (windows, horizon) by lead, (horizon, len(QUANTILES)); the median is 0.

    The size of an error is smoothed over neighbouring leads; its shape is pooled over all of them, as one lead alone has
    too few errors in a short series.
    """
    horizon = errors.shape[1]
    finite = np.isfinite(errors)
    counts = finite.sum(axis=0)
    if not counts.sum():
        return np.zeros((horizon, len(QUANTILES)))
    sums = np.where(finite, np.abs(errors), 0.0).sum(axis=0)
    reach = max(1, horizon // 8)
    kernel = np.ones(2 * reach + 1)
    size = np.convolve(sums, kernel, "same") / np.maximum(np.convolve(counts, kernel, "same"), 1e-9)
    size = np.maximum(size, 1e-9)
    shape = (errors / size)[finite]
    windows = max(1, int(counts.max()))
    centred = np.asarray(QUANTILES) - 0.5
    levels = np.clip(0.5 + centred * (windows + 1) / windows, 0.0, 1.0)
    quantiles = np.quantile(shape, levels)
    quantiles[:MEDIAN], quantiles[MEDIAN + 1 :] = np.minimum(quantiles[:MEDIAN], 0.0), np.maximum(quantiles[MEDIAN + 1 :], 0.0)
    quantiles[MEDIAN] = 0.0
    return size[:, None] * quantiles[None]


def training_rows(problem: Problem, training: Training, settings: Settings) -> tuple[Facts, Panel, dict[str, Any]]:
    """Facts, the panel of the training rows, and the part of a state that every method has.

    Raises TrainingError where no value is known.
    """
    facts = facts_of(problem)
    panel = panel_of([training.inputs], facts)
    if not (panel.ends >= 0).any():
        raise TrainingError("no value of the target is known before the origin")
    positive = bool(np.nanmin(panel.values) > 0)
    log = positive and settings.get("transform", "none") == "log"
    seen = panel.transformed(log)
    longest = int((panel.ends - panel.starts).max()) + 1
    state = {
        "horizon": facts.horizon,
        "season": facts.season,
        "memory": memory_of(facts, longest),
        "log": log,
        "scale": usual_scale(seen, facts.season),
        "lowest": 0.0 if np.nanmin(panel.values) >= 0 else None,
    }
    return facts, panel, state
