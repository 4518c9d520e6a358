"""Predicts the next steps of series with a model folder: history and rows to forecast in, quantiles out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.methods import MEDIAN, QUANTILES, Run, forecast
from automl.core.panel import Panel, PanelError, extended, grid_index, make_panel, season_error
from automl.core.predictor import (
    EXTENSIONS,
    MISSING_DATE,
    NOTHING_MORE,
    Asked,
    PredictorError,
    _id_cells,
    _nearest,
    _open_session,
    _write_csv,
    as_table,
    header_names,
    is_missing,
    make_parser,
)

Array = np.ndarray[Any, Any]
GRAPH_ROWS = 50_000
STATE_FILE, HISTORY_FILE = "forecast.json", "history.npz"


class Forecaster:
    """A model folder of a forecast: contract.json, forecast.json (the method's state), history.npz (the stored past), and
    model.onnx where the method has a graph.

    Raises PredictorError where the folder is incomplete or damaged.
    """

    is_regression = True

    def __init__(self, folder: str | os.PathLike[str], contract: dict[str, Any], threads: int | None = None) -> None:
        self.folder, self.contract = Path(folder), contract
        self.arrangement = contract["arrangement"]
        try:
            content = json.loads((self.folder / STATE_FILE).read_text(encoding="utf-8"))
            self.state, self.levels = content["state"], content["levels"]
            self.names = tuple(content["names"])
            with np.load(self.folder / HISTORY_FILE, allow_pickle=False) as arrays:
                self.tail = dict(arrays)
        except (OSError, ValueError, KeyError) as error:
            raise PredictorError(f"{folder} is incomplete or damaged ({error})") from None
        self._session = _open_session(self.folder / "model.onnx") if self.state["method"] in ("lags", "net") else None

    @property
    def horizon(self) -> int:
        return int(self.state["horizon"])

    @property
    def needed(self) -> list[str]:
        """Columns that rows must have."""
        identity = self.arrangement.get("id")
        return [self.arrangement["time"], *([identity] if identity else []), *self.arrangement["known"]]

    def predict(self, rows: Any) -> Array:
        """The median of every row to forecast, (rows to forecast,); see `quantiles`."""
        return self.quantiles(rows)[:, MEDIAN]

    def quantiles(self, rows: Any) -> Array:
        """Quantiles (rows to forecast, len(QUANTILES)).

        rows: history and rows to forecast in any order, or rows to forecast alone (then the stored past is the history).
        To be forecast are the rows without a target after a series' last known value; where there are none, and nothing
        has to be known ahead, the next `horizon` steps of every series.
        Raises PredictorError where the rows cannot be placed.
        """
        return self._forecast(rows)[1]

    def backtest(self, rows: Any, series: Array, steps: Array, origins: Array) -> Array:
        """Quantiles of (series code, step) pairs as they would have been forecast from an earlier step each.

        rows: history with the target known. series: codes into `names`; steps, origins: of the grid, all (pairs,).
        """
        panel = self._panel(self._parsed(rows))
        place = {name: row for row, name in enumerate(panel.names)}
        codes = np.asarray([place[self.names[each]] for each in series], np.int64)
        return self._quantiles_of(panel, codes, steps - panel.first, origins - panel.first)

    def rolling(self, rows: Any) -> tuple[Array, Array, Array]:
        """Truth (rows,), quantiles (rows, quantiles) and error scale (rows,) of the rows after the stored past.

        Every `horizon` steps is a new origin, up to which the values in the rows are known.
        Raises PredictorError where no known value comes after the stored past.
        """
        parsed = self._parsed(rows)
        panel = self._panel(parsed)
        place = {name: row for row, name in enumerate(panel.names)}
        codes = np.asarray([place[name] for name in parsed["names"]], np.int64)
        columns = parsed["step"] - panel.first
        known = np.isfinite(self.tail["values"])
        last = np.where(known.any(axis=1), known.shape[1] - 1 - known[:, ::-1].argmax(axis=1), -1)
        ends = np.full(len(panel.names), np.iinfo(np.int64).max)
        ends[: len(last)][last >= 0] = last[last >= 0] + int(self.tail["first"]) - panel.first
        kept = np.flatnonzero(np.isfinite(parsed["observed"]) & (columns > ends[codes]))
        if not len(kept):
            target = self.contract["target"]
            raise PredictorError(f'no known value of "{target}" comes after the last one that the model was trained on')
        codes, columns = codes[kept], columns[kept]
        origins = ends[codes] + (columns - ends[codes] - 1) // self.horizon * self.horizon
        scale = self.tail["error_scale"][codes]
        return parsed["observed"][kept], self._quantiles_of(panel, codes, columns, origins), np.where(scale > 0, scale, np.nan)

    # What the model folder holds and what the rows say

    def _forecast(self, rows: Any) -> tuple[Any, Array]:
        """The rows to forecast as columns of cells, and their quantiles."""
        rows = as_table(rows)
        parsed = self._parsed(rows)
        panel = self._panel(parsed)
        place = {name: row for row, name in enumerate(panel.names)}
        codes = np.asarray([place[name] for name in parsed["names"]], np.int64)
        columns = parsed["step"] - panel.first
        asked = np.flatnonzero(~np.isfinite(parsed["observed"]) & (columns > panel.ends[codes]))
        if len(asked):
            cells = {name: [_plain(rows[given])[row] for row in asked] for name, given in self._given(rows).items()}
            codes, columns = codes[asked], columns[asked]
        else:
            cells, codes, columns = self._next_rows(panel)
        return cells, self._quantiles_of(panel, codes, columns, self._origins(panel, codes, columns))

    def _parsed(self, rows: Any) -> dict[str, Any]:
        """Series, step, target and covariates of every row."""
        rows = as_table(rows)
        given = self._given(rows)
        count = len(rows[given[self.arrangement["time"]]])
        parses = {column["name"]: column["parse"] for column in self.contract["columns"]}
        time = self.arrangement["time"]
        seconds = make_parser(parses[time]).column(rows[given[time]])
        unread = np.flatnonzero(seconds == MISSING_DATE if seconds.dtype.kind == "i" else ~np.isfinite(seconds))
        if len(unread):
            raise PredictorError(f'row {int(unread[0]) + 1:,}: the time in column "{time}" is missing or cannot be read')
        target = self.contract["target"]
        observed = np.full(count, np.nan)
        if target in given:
            observed = make_parser(self.contract["target_parse"]).column(rows[given[target]])
        identity = self.arrangement.get("id")
        names = [""] * count if identity is None else list(make_parser(parses[identity]).column(rows[given[identity]]))
        covariates = {}
        for kind in ("known", "past"):
            columns = [
                self._covariate(name, rows[given[name]], parses[name]) if name in given else np.full(count, np.nan)
                for name in self.arrangement[kind]
            ]
            covariates[kind] = np.stack(columns, axis=1) if columns else np.zeros((count, 0))
        step = grid_index(np.asarray(seconds, np.int64), self.arrangement["grid"])
        return {"names": names, "step": step, "observed": observed, **covariates}

    def _given(self, rows: Any) -> dict[str, Any]:
        """Name in the contract to the name in the rows. Raises PredictorError where a needed column is missing."""
        given = dict(zip(header_names(list(rows)), rows, strict=True))
        for name in self.needed:
            if name not in given:
                guess = _nearest(name, given)
                raise PredictorError(
                    f'column "{name}" is missing from the new data' + (f'; is "{guess}" meant?' if guess else "")
                )
        return given

    def _covariate(self, name: str, values: Any, parse: Mapping[str, Any]) -> Array:
        clean = make_parser(parse).column(values)
        if name not in self.levels:
            return np.asarray(clean, np.float64)
        codes = {level: float(code) for code, level in enumerate(self.levels[name])}
        return np.asarray([codes.get(value, np.nan) for value in clean], np.float64)

    def _panel(self, parsed: Mapping[str, Any]) -> Panel:
        """The stored past with the rows over it."""
        names = list(dict.fromkeys([*self.names, *parsed["names"]]))
        code = {name: row for row, name in enumerate(names)}
        series, columns = np.nonzero(np.isfinite(self.tail["values"]))
        rows = {
            "series": np.concatenate([series, np.asarray([code[name] for name in parsed["names"]], np.int64)]),
            "step": np.concatenate([columns + int(self.tail["first"]), parsed["step"]]),
            "observed": np.concatenate([self.tail["values"][series, columns], parsed["observed"]]),
            "known": np.concatenate([self.tail["known"][series, columns], parsed["known"]]),
            "past": np.concatenate([self.tail["past"][series, columns], parsed["past"]]),
        }
        # A row without a target must not take away a value that the stored past knows.
        kept = np.isfinite(rows["observed"])
        kept[len(series) :] |= ~np.isin(_pairs(rows, slice(len(series), None)), _pairs(rows, slice(0, len(series))))
        try:
            return make_panel(
                tuple(names),
                self.arrangement["grid"],
                {name: each[kept] for name, each in rows.items()},
                int(self.state["season"]),
            )
        except PanelError as error:
            raise PredictorError(str(error)) from None

    def _origins(self, panel: Panel, codes: Array, columns: Array) -> Array:
        """The column after which each row is forecast: the one before the first row of its series that is asked for."""
        origins = np.full(len(panel.names), np.iinfo(np.int64).max)
        np.minimum.at(origins, codes, columns - 1)
        origins = origins[codes]
        for row in np.flatnonzero(panel.ends[codes] < 0)[:1]:
            named = f'series "{panel.names[codes[row]]}"' if self.arrangement.get("id") else "the series"
            raise PredictorError(f'{named} has no known value of "{self.contract["target"]}" to forecast from')
        reach = int(self.horizon)
        far = np.flatnonzero((columns - origins > reach) | (origins - panel.ends[codes] > reach))
        for row in far[:1]:
            named = f' of series "{panel.names[codes[row]]}"' if self.arrangement.get("id") else ""
            steps, when = int(columns[row] - panel.ends[codes[row]]), self._time_text(panel.seconds_of(columns[row : row + 1]))[0]
            raise PredictorError(
                f"{when}{named} lies {steps:,} steps after the last known value; the model forecasts {reach:,} steps ahead"
            )
        return origins

    def _next_rows(self, panel: Panel) -> tuple[dict[str, list[Any]], Array, Array]:
        """The next steps of every series that has a past."""
        if self.arrangement["known"]:
            names, target = ", ".join(f'"{name}"' for name in self.arrangement["known"]), self.contract["target"]
            raise PredictorError(
                f'there is no row to forecast: add rows with an empty "{target}" after the last known one, with {names} filled in'
            )
        series = np.flatnonzero(panel.ends >= 0)
        codes = np.repeat(series, self.horizon)
        columns = np.repeat(panel.ends[series], self.horizon) + np.tile(np.arange(1, self.horizon + 1), len(series))
        cells: dict[str, list[Any]] = {self.arrangement["time"]: self._time_text(panel.seconds_of(columns))}
        if self.arrangement.get("id"):
            cells[self.arrangement["id"]] = [panel.names[each] for each in codes]
        return cells, codes, columns

    def _time_text(self, seconds: Array) -> list[Any]:
        """Times as they are written in the training data."""
        grid = self.arrangement["grid"]
        if grid["unit"] == "step":
            return [int(each) for each in seconds]
        parse = next(column["parse"] for column in self.contract["columns"] if column["name"] == self.arrangement["time"])
        written = (parse.get("formats") or ["ISO8601"])[0]
        moments = np.asarray(seconds, np.int64).astype("datetime64[s]")
        if written != "ISO8601":
            return [moment.item().strftime(written) for moment in moments]
        daily = grid["unit"] != "second" or int(grid["size"]) % 86_400 == 0
        return [str(moment.astype("datetime64[D]")) if daily else str(moment).replace("T", " ") for moment in moments]

    def _quantiles_of(self, panel: Panel, codes: Array, columns: Array, origins: Array) -> Array:
        cuts, places = np.unique(np.stack([codes, origins]), axis=1, return_inverse=True)
        reached = np.full(len(panel.names), -1)
        np.maximum.at(reached, cuts[0], cuts[1])
        carried = extended(panel, reached, int(self.state["season"]))
        made = forecast(self.state, carried, cuts[0], cuts[1], self.runner())
        return np.asarray(made[places.reshape(-1), columns - origins - 1])

    def runner(self) -> Run | None:
        """Runs the graph, where the method has one."""
        session = self._session
        if session is None:
            return None

        def run(inputs: dict[str, Array]) -> Array:
            total = len(next(iter(inputs.values())))
            parts = []
            for start in range(0, total, GRAPH_ROWS):
                piece = {
                    name: np.ascontiguousarray(each[start : start + GRAPH_ROWS], np.float32) for name, each in inputs.items()
                }
                parts.append(session.run(["value"], piece)[0])
            return np.concatenate(parts)

        return run

    def interval(self, rows: Any, level: float) -> Array:
        """The ends of the intervals of the rows to forecast, (rows to forecast, 2). Raises PredictorError as `quantiles`, and
        where the level is not between 0 and that of the outermost quantiles."""
        return _ends(self.quantiles(rows), level)

    def write(self, path: str | os.PathLike[str] | None, rows: Any, asked: Asked = NOTHING_MORE) -> int:
        """Write a CSV of the rows to forecast: series, time, prediction, the interval asked for, that of 80 %, all quantiles."""
        if asked._replace(interval=None) != NOTHING_MORE:
            raise PredictorError("a forecast has intervals, and nothing else can be asked for beside it")
        cells, quantiles = self._forecast(rows)
        kept = [
            name
            for name in (self.arrangement.get("id"), self.arrangement["time"], *self.contract.get("id_columns", ()))
            if name in cells
        ]
        shown = {"prediction": quantiles[:, MEDIAN]}
        if asked.interval is not None:
            shown["lower"], shown["upper"] = _ends(quantiles, asked.interval).T
        shown |= {"low_80": quantiles[:, QUANTILES.index(0.1)], "high_80": quantiles[:, QUANTILES.index(0.9)]}
        shown |= {f"quantile_{level:g}": column for level, column in zip(QUANTILES, quantiles.T, strict=True)}
        columns = {f"{name}_input" if name in shown else name: _id_cells(cells[name]) for name in kept}
        _write_csv(path, {**columns, **{name: values.astype(str).tolist() for name, values in shown.items()}})
        return len(quantiles)


def _ends(quantiles: Array, level: float) -> Array:
    """(rows, 2) the quantiles that hold the level between them, straight between those that are forecast."""
    widest = QUANTILES[-1] - QUANTILES[0]
    if not 0 < level <= widest + 1e-9:
        raise PredictorError(f"the level of a forecast's interval lies between 0 and {widest:g}, such as 0.8; {level:g} does not")
    places = np.interp([(1 - level) / 2, (1 + level) / 2], QUANTILES, range(len(QUANTILES)))
    below = np.minimum(places.astype(int), len(QUANTILES) - 2)
    share = places - below
    return np.asarray((1 - share) * quantiles[:, below] + share * quantiles[:, below + 1])


def _pairs(rows: Mapping[str, Array], part: slice) -> Array:
    return rows["series"][part] * np.int64(1 << 40) + rows["step"][part] % np.int64(1 << 40)


def _plain(values: Any) -> list[Any]:
    return [None if is_missing(cell) else cell for cell in (values.tolist() if hasattr(values, "tolist") else list(values))]


def stored_past(panel: Panel, state: Mapping[str, Any]) -> dict[str, Array]:
    """What history.npz holds: as much of the end of the panel as the method looks at, and what errors are measured by."""
    longest = max([int(state["season"]), *(int(season) for season in state.get("seasons", ()))])
    tail = panel.tail(max(int(state["memory"]), int(state.get("length", 0))) + 2 * longest + int(state["horizon"]))
    scale = season_error(panel.values, int(state["season"]))
    return {"values": tail.values, "known": tail.known, "past": tail.past, "first": np.asarray(tail.first), "error_scale": scale}


EXTENSIONS["forecast"] = Forecaster
