"""How each forecasting method goes from the past of a series to quantiles of its next steps, in numpy.

A method is a dict of plain values, its state: what fitting found. The same functions serve training, backtests and
predict.py, so that there is one implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from automl.core.panel import CALENDAR, Panel, calendar, pick, season_error, window

Array = np.ndarray[Any, Any]
State = Mapping[str, Any]
Run = Callable[[dict[str, Array]], Array]
"""Runs the graph of a method that has one: its inputs by name, (rows, ...), to its output (rows, outputs)."""

QUANTILES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
MEDIAN = QUANTILES.index(0.5)


def forecast(state: State, panel: Panel, series: Array, origins: Array, run: Run | None = None) -> Array:
    """Quantiles of the `horizon` steps after each origin, (windows, horizon, len(QUANTILES)), in rising order.

    series, origins: (windows,) which series, and the last column of the panel that may be looked at; of covariates that
    are known ahead the columns up to origin + horizon.
    """
    log = bool(state.get("log"))
    seen = panel.transformed(log)
    if state["method"] == "net":
        quantiles = _net(state, seen, series, origins, run)
    else:
        point = POINTS[state["method"]](state, seen, series, origins, run)  # (windows, horizon)
        scale = window_scale(seen, series, origins, state)
        quantiles = point[:, :, None] + scale[:, None, None] * np.asarray(state["spread"], np.float64)[None]
    quantiles = np.sort(quantiles, axis=2)
    quantiles = np.exp(np.minimum(quantiles, 700.0)) if log else quantiles
    lowest = state.get("lowest")
    return quantiles if lowest is None else np.maximum(quantiles, lowest)


def window_scale(panel: Panel, series: Array, origins: Array, state: State) -> Array:
    """The unit of a window's errors, (windows,): its mean absolute seasonal difference; the usual one where it has none."""
    season, memory = int(state["season"]), int(state["memory"])
    scale = season_error(window(panel, series, origins, memory), season)
    usual = float(state.get("scale", 1.0))
    return np.where(np.isfinite(scale) & (scale > 1e-3 * usual), scale, usual)


# --- naive methods ---------------------------------------------------------------------------------------------------


def _naive(state: State, panel: Panel, series: Array, origins: Array, run: Run | None) -> Array:
    last = pick(panel.values, series, origins)
    return np.repeat(last[:, None], int(state["horizon"]), axis=1)


def _seasonal_naive(state: State, panel: Panel, series: Array, origins: Array, run: Run | None) -> Array:
    last = seasonal_base(panel, series, origins, int(state["horizon"]), int(state["season"]))
    return np.where(np.isfinite(last), last, pick(panel.values, series, origins)[:, None])


def seasonal_base(panel: Panel, series: Array, origins: Array, horizon: int, season: int) -> Array:
    """The value at the same place of the last whole season, (windows, horizon)."""
    leads = np.arange(1, horizon + 1)
    back = season * (-(-leads // season))
    return pick(panel.values, series[:, None], origins[:, None] + leads - back)


# --- exponential smoothing, Theta and drift --------------------------------------------------------------------------

FORMS = ("ets", "theta", "drift")


def _statistical(state: State, panel: Panel, series: Array, origins: Array, run: Run | None) -> Array:
    history = window(panel, series, origins, int(state["memory"]))
    known = {name: row for row, name in enumerate(state["names"])}
    fallback = np.asarray(state["fallback"], np.float64)
    table = np.asarray(state["parameters"], np.float64).reshape(-1, len(fallback))
    rows = np.asarray([known.get(panel.names[each], -1) for each in series])
    parameters = np.where((rows >= 0)[:, None], table[np.maximum(rows, 0)] if len(table) else fallback, fallback)
    return statistical_points(history, parameters, int(state["season"]), int(state["horizon"]))


def statistical_points(history: Array, parameters: Array, season: int, horizon: int) -> Array:
    """Forecasts (rows, horizon) of each row's own form.

    history: (rows, length), NaN before a row begins. parameters: (rows, 6): the number of the form in FORMS, alpha,
    beta, gamma, phi (0: no trend) and whether there is a season.
    """
    points = np.full((len(history), horizon), np.nan)
    seasonal = parameters[:, 5] > 0
    for number, form in enumerate(FORMS):
        for with_season in (False, True):
            rows = np.flatnonzero((parameters[:, 0] == number) & (seasonal == with_season))
            if not len(rows):
                continue
            if form == "ets":
                points[rows] = smooth(history[rows], parameters[rows, 1:], season, horizon, [history.shape[1]])[0]
            elif form == "theta":
                points[rows] = theta(history[rows], parameters[rows, 1], season if with_season else 1, horizon)
            else:
                points[rows] = drift(history[rows], horizon)
    return points


def smooth(history: Array, parameters: Array, season: int, horizon: int, after: list[int]) -> list[Array]:
    """Exponential smoothing with additive errors, trend and season (Hyndman et al., 2008), run over each row.

    parameters: (rows, 5) of alpha, beta, gamma, phi (1: linear trend, below: damped, 0: none) and 1 where there is a
    season. Start: level and season from the first two seasons, trend from their difference.
    Returns the forecasts (rows, horizon) made after so many columns, one array for each entry of `after`.
    """
    alpha, beta, gamma, phi, seasonal = parameters.T
    level, trend, seasons, begin = _start(history, season, seasonal > 0)
    trend, gamma = np.where(phi > 0, trend, 0.0), np.where(seasonal > 0, gamma, 0.0)
    made: dict[int, Array] = {}
    wanted = set(after)
    for column in range(history.shape[1]):
        value, place = history[:, column], column % season
        active = np.isfinite(value) & (column >= begin)
        expected = level + phi * trend + seasons[:, place]
        error = np.where(active, value - expected, 0.0)
        level = np.where(active, level + phi * trend + alpha * error, level)
        trend = np.where(active, phi * trend + beta * error, trend)
        seasons[:, place] += gamma * error
        if column + 1 in wanted:
            made[column + 1] = _ahead(level, trend, seasons, phi, column + 1, horizon)
    return [made[each] for each in after]


def _ahead(level: Array, trend: Array, seasons: Array, phi: Array, column: int, horizon: int) -> Array:
    leads = np.arange(1, horizon + 1)
    damped = np.cumsum(phi[:, None] ** leads, axis=1)  # (rows, horizon)
    return level[:, None] + trend[:, None] * damped + seasons[:, (column + leads - 1) % seasons.shape[1]]


def _start(history: Array, season: int, seasonal: Array) -> tuple[Array, Array, Array, Array]:
    """Level, trend, seasons (rows, season) by column modulo season, and the column at which smoothing begins, (rows,)."""
    rows, length = history.shape
    finite = np.isfinite(history)
    begin = np.where(finite.any(axis=1), finite.argmax(axis=1), length)
    first = _mean_of(history, begin, season)
    second = _mean_of(history, begin + season, season)
    enough = np.isfinite(second) & (begin + 2 * season <= length)
    slope = np.where(enough, (second - first) / season, 0.0)
    places = begin[:, None] + np.arange(2 * season)
    values = np.take_along_axis(history, np.minimum(places, length - 1), axis=1)
    line = first[:, None] + slope[:, None] * (np.arange(2 * season) - (season - 1) / 2)
    away = np.where((enough & seasonal)[:, None], values - line, 0.0).reshape(rows, 2, season).mean(axis=1)
    away = np.nan_to_num(away - away.mean(axis=1, keepdims=True))
    seasons = np.zeros((rows, season))
    np.put_along_axis(seasons, (begin[:, None] + np.arange(season)) % season, away, axis=1)
    given = history[np.arange(rows), np.minimum(begin, length - 1)]
    level = np.where(seasonal & enough, first - slope * (season + 1) / 2, given)
    return np.nan_to_num(level), slope, seasons, begin


def _mean_of(history: Array, begin: Array, count: int) -> Array:
    places = begin[:, None] + np.arange(count)
    inside = places < history.shape[1]
    values = np.take_along_axis(history, np.minimum(places, history.shape[1] - 1), axis=1)
    kept = inside & np.isfinite(values)
    return np.where(kept, values, 0.0).sum(axis=1) / np.where(kept.any(axis=1), kept.sum(axis=1), np.nan)


def theta(history: Array, alpha: Array, season: int, horizon: int) -> Array:
    """The Theta method (Assimakopoulos and Nikolopoulos, 2000) as simple smoothing with half the trend as drift.

    The season is taken out as means of the detrended history by place, and put back.
    """
    length = history.shape[1]
    finite = np.isfinite(history)
    count = finite.sum(axis=1)
    clock = np.where(finite, np.arange(length), 0.0)
    middle = clock.sum(axis=1) / np.maximum(count, 1)
    away = np.where(finite, np.arange(length) - middle[:, None], 0.0)
    values = np.where(finite, history, 0.0)
    mean = values.sum(axis=1) / np.maximum(count, 1)
    slope = (away * values).sum(axis=1) / np.maximum((away**2).sum(axis=1), 1e-12)
    seasons = _places(np.where(finite, history - mean[:, None] - slope[:, None] * away, np.nan), season, count >= 2 * season)
    level, begin = np.zeros(len(history)), finite.argmax(axis=1)
    for column in range(length):
        value = values[:, column] - seasons[:, column % season]
        step = np.where(column == begin, 1.0, alpha)
        level = np.where(finite[:, column], level + step * (value - level), level)
    leads = np.arange(1, horizon + 1)
    alpha = np.maximum(alpha, 1e-3)
    lag = (1.0 - (1.0 - alpha) ** count) / alpha
    return level[:, None] + 0.5 * slope[:, None] * (leads - 1 + lag[:, None]) + seasons[:, (length + leads - 1) % season]


def _places(detrended: Array, season: int, enough: Array) -> Array:
    """The mean of each place of the season, (rows, season), summing to zero; zeros where a row is too short."""
    seasons = np.zeros((len(detrended), season))
    if season > 1:
        for place in range(season):
            values = detrended[:, place::season]
            counts = np.isfinite(values).sum(axis=1)
            seasons[:, place] = np.nansum(values, axis=1) / np.maximum(counts, 1)
        seasons -= seasons.mean(axis=1, keepdims=True)
    return np.where(enough[:, None], seasons, 0.0)


def drift(history: Array, horizon: int) -> Array:
    """The last value, and the mean step of the whole history on from it."""
    finite = np.isfinite(history)
    begin, length = finite.argmax(axis=1), history.shape[1]
    last, first = history[:, -1], history[np.arange(len(history)), begin]
    slope = (last - first) / np.maximum(length - 1 - begin, 1)
    return last[:, None] + slope[:, None] * np.arange(1, horizon + 1)


# --- lags for trees --------------------------------------------------------------------------------------------------


def _lags(state: State, panel: Panel, series: Array, origins: Array, run: Run | None) -> Array:
    assert run is not None
    leads = np.arange(1, int(state["horizon"]) + 1)
    windows = np.repeat(np.arange(len(series)), len(leads))
    rows = lag_rows(state, panel, series[windows], origins[windows], np.tile(leads, len(series)))
    output = np.asarray(run({"features": rows.features}), np.float64).reshape(-1)
    return (rows.base + rows.scale * output).reshape(len(series), len(leads))


class LagRows:
    """What trees see of (window, lead) pairs: features (rows, width) float32; the value that they predict is
    (target - base) / scale, each (rows,)."""

    def __init__(self, features: Array, base: Array, scale: Array) -> None:
        self.features, self.base, self.scale = features, base, scale


def lag_rows(state: State, panel: Panel, series: Array, origins: Array, leads: Array) -> LagRows:
    """Features of each (series, origin, lead), all (rows,). Nothing after the origin is read, but what is known ahead."""
    seasons = [int(season) for season in state["seasons"]] or [1]
    targets = origins + leads
    cuts, places = np.unique(np.stack([series, origins]), axis=1, return_inverse=True)
    level_table, scale_table, rolling = _levels(state, panel, cuts[0], cuts[1])
    level, scale = level_table[places.reshape(-1)], scale_table[places.reshape(-1)]
    columns = [np.asarray(leads, np.float64), np.log1p(np.abs(level) / scale)]
    columns += [(part[places.reshape(-1)] - level) / scale for part in rolling]
    columns += [(pick(panel.values, series, origins - lag) - level) / scale for lag in state["recent"]]
    seasonal = []
    for season in seasons:
        back = season * (-(-leads // season))
        cycles = [pick(panel.values, series, targets - back - season * each) for each in range(int(state["cycles"]))]
        seasonal.append(cycles)
        columns += [(each - level) / scale for each in cycles]
        with np.errstate(invalid="ignore"):
            columns.append((np.mean(cycles, axis=0) - level) / scale)
        near = [pick(panel.values, series, np.minimum(targets - back + side, origins)) for side in (-1, 1)]
        columns += [(each - level) / scale for each in near]
    columns += _covariates(state, panel, series, origins, targets, seasons[0] * (-(-leads // seasons[0])))
    if state["calendar"]:
        parts = calendar(panel.seconds_of(targets))
        columns += [parts[:, CALENDAR.index(name)] for name in state["calendar"]]
    columns += [np.asarray(targets % season, np.float64) for season in state["phases"]]
    if state["codes"]:
        known = {name: row for row, name in enumerate(state["codes"])}
        codes = np.asarray([known.get(name, -1) for name in panel.names], np.float64)
        columns.append(np.where(codes < 0, np.nan, codes)[series])
    base = {"last": pick(panel.values, series, origins), "level": level, "seasonal": seasonal[0][0]}[state["base"]]
    return LagRows(np.stack(columns, axis=1).astype(np.float32), np.where(np.isfinite(base), base, level), scale)


def lag_names(state: State, known: list[str], past: list[str]) -> list[tuple[str, str]]:
    """(feature, what it belongs to) for every feature of `lag_rows`, in order."""
    target = "past values"
    names = [("steps ahead", "steps ahead"), ("level", target)]
    names += [(f"mean of the last {length}", target) for length in state["windows"]]
    names += [(f"{lag} before the origin" if lag else "last value", target) for lag in state["recent"]]
    for season in [int(season) for season in state["seasons"]] or [1]:
        names += [(f"{each + 1} x {season} before", target) for each in range(int(state["cycles"]))]
        names += [(f"mean of those {season} apart", target), (f"{season} before, -1", target), (f"{season} before, +1", target)]
    for name in known:
        names += [(name, name), (f"{name}, change to one season before", name), (f"{name}, mean of one season", name)]
    for name in past:
        names += [(f"{name}, last", name), (f"{name}, one season before", name), (f"{name}, mean of one season", name)]
    names += [(name, "calendar") for name in state["calendar"]]
    names += [(f"place in {season}", "calendar") for season in state["phases"]]
    return names + ([("series", "series")] if state["codes"] else [])


def _levels(state: State, panel: Panel, series: Array, origins: Array) -> tuple[Array, Array, list[Array]]:
    """Level, scale and rolling means of each window; the level is the mean of the first of them."""
    sums, counts = state_sums(panel)
    rolling = [_rolling_mean(sums, counts, series, origins, int(length)) for length in state["windows"]]
    level = np.where(np.isfinite(rolling[0]), rolling[0], pick(panel.values, series, origins))
    season, memory = int(state["season"]), int(state["memory"])
    differences = np.full(panel.values.shape, np.nan)
    if panel.columns > season:
        differences[:, season:] = np.abs(panel.values[:, season:] - panel.values[:, :-season])
    scale = _rolling_mean(*running_sums(differences), series, origins, max(1, memory - season))
    usual = float(state.get("scale", 1.0))
    return level, np.where(np.isfinite(scale) & (scale > 1e-3 * usual), scale, usual), rolling


def state_sums(panel: Panel) -> tuple[Array, Array]:
    return running_sums(panel.values)


def running_sums(values: Array) -> tuple[Array, Array]:
    """Sums and counts of the finite values before each column, (series, columns + 1)."""
    finite = np.isfinite(values)
    zero = np.zeros((len(values), 1))
    sums = np.concatenate([zero, np.cumsum(np.where(finite, values, 0.0), axis=1)], axis=1)
    return sums, np.concatenate([zero, np.cumsum(finite, axis=1)], axis=1)


def _rolling_mean(sums: Array, counts: Array, series: Array, ends: Array, length: int) -> Array:
    """Mean of the last `length` columns up to `ends` included; NaN where there is no value."""
    most = sums.shape[1] - 1
    high, low = np.clip(ends + 1, 0, most), np.clip(ends + 1 - length, 0, most)
    count = counts[series, high] - counts[series, low]
    return np.where(count > 0, (sums[series, high] - sums[series, low]) / np.maximum(count, 1), np.nan)


def _covariates(state: State, panel: Panel, series: Array, origins: Array, targets: Array, back: Array) -> list[Array]:
    columns: list[Array] = []
    season = max(2, int(state["season"]))
    for number in range(panel.known.shape[2]):
        values = panel.known[:, :, number]
        now, before = pick(values, series, targets), pick(values, series, targets - back)
        columns += [now, now - before, _rolling_mean(*running_sums(values), series, targets, season)]
    for number in range(panel.past.shape[2]):
        values = panel.past[:, :, number]
        columns += [pick(values, series, origins), pick(values, series, targets - back)]
        columns.append(_rolling_mean(*running_sums(values), series, origins, season))
    return columns


# --- windows for nets ------------------------------------------------------------------------------------------------


def _net(state: State, panel: Panel, series: Array, origins: Array, run: Run | None) -> Array:
    assert run is not None
    inputs = net_inputs(state, panel, series, origins)
    output = np.asarray(run({name: inputs[name] for name in state["inputs"]}), np.float64)
    quantiles = output.reshape(len(series), int(state["horizon"]), len(QUANTILES))
    spread = np.asarray(state.get("stretch", 1.0), np.float64)
    middle = quantiles[:, :, MEDIAN : MEDIAN + 1]
    quantiles = middle + spread * (np.sort(quantiles, axis=2) - middle)
    return inputs["level"][:, None, None] + inputs["scale"][:, None, None] * quantiles


def net_inputs(state: State, panel: Panel, series: Array, origins: Array) -> dict[str, Array]:
    """What a net sees of each window.

    "values": (windows, length) float32, scaled by the window's own mean and deviation; missing ones are 0.
    "covariates": (windows, length, channels) float32, standardised, where there are any. "future": (windows, horizon,
    channels) float32: known covariates, the calendar as sines and cosines, and the values one season before.
    "level", "scale": (windows,).
    """
    length, horizon = int(state["length"]), int(state["horizon"])
    values = window(panel, series, origins, length)
    finite = np.isfinite(values)
    count = np.maximum(finite.sum(axis=1), 1)
    level = np.where(finite, values, 0.0).sum(axis=1) / count
    usual = float(state.get("scale", 1.0))
    deviation = np.sqrt((np.where(finite, values - level[:, None], 0.0) ** 2).sum(axis=1) / count)
    scale = np.where(deviation > 1e-3 * usual, deviation, usual)
    past_steps = origins[:, None] + np.arange(1 - length, 1)
    ahead = origins[:, None] + np.arange(1, horizon + 1)
    history = []
    for name, part in (("past", panel.past), ("known", panel.known)):
        history.append(_standard(pick(part, series[:, None], past_steps), state[f"{name}_mean"], state[f"{name}_deviation"]))
    future = [_standard(pick(panel.known, series[:, None], ahead), state["known_mean"], state["known_deviation"])]
    for season in state["seasons"]:
        base = seasonal_base(panel, series, origins, horizon, int(season))
        future.append(((base - level[:, None]) / scale[:, None])[:, :, None])
    if state["calendar"]:
        future.append(_circles(panel.seconds_of(ahead.reshape(-1)), state["calendar"]).reshape(*ahead.shape, -1))
    future.append(np.broadcast_to(np.linspace(-1.0, 1.0, horizon)[None, :, None], (len(series), horizon, 1)))
    return {
        "values": np.nan_to_num((values - level[:, None]) / scale[:, None]).clip(-20, 20).astype(np.float32),
        "covariates": np.nan_to_num(np.concatenate(history, axis=2)).clip(-20, 20).astype(np.float32),
        "future": np.nan_to_num(np.concatenate(future, axis=2)).clip(-20, 20).astype(np.float32),
        "level": level,
        "scale": scale,
    }


def _standard(values: Array, mean: Any, deviation: Any) -> Array:
    return (values - np.asarray(mean, np.float64)) / np.asarray(deviation, np.float64)


_PERIODS = {
    "minute of the day": 1440.0,
    "day of the week": 7.0,
    "day of the month": 31.0,
    "day of the year": 365.25,
    "month": 12.0,
}


def _circles(seconds: Array, names: list[str]) -> Array:
    """(rows, 2 a name): each part of the calendar as a place on a circle."""
    parts = calendar(seconds)
    angles = np.stack([2 * np.pi * parts[:, CALENDAR.index(name)] / _PERIODS[name] for name in names], axis=1)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


POINTS: dict[str, Callable[[State, Panel, Array, Array, Run | None], Array]] = {
    "naive": _naive,
    "seasonal_naive": _seasonal_naive,
    "statistical": _statistical,
    "lags": _lags,
}
