"""What is particular to forecasts in a search: folds by origin, the test over origins, export without raw-column graphs."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.core.dataset import Dataset
from automl.core.errors import InputError, ParityError
from automl.core.files import write_json, write_text
from automl.core.forecasting import HISTORY_FILE, STATE_FILE, Forecaster, stored_past
from automl.core.methods import MEDIAN, QUANTILES, forecast
from automl.core.panel import Panel, PanelError, extended, grid_index, make_panel, season_error
from automl.core.plan import Plan
from automl.core.predictor import PredictorError, encode_target, load_contract
from automl.core.profile import Profile
from automl.core.standalone import bundle, modules_of
from automl.core.table import Category, Table, tabulate
from automl.encoders.panel import OBSERVED, SERIES, STEP, covariates
from automl.learners.panels import Facts, FittedForecaster, ends_of, panel_of
from automl.splitting import ORIGINS, FoldRows, Splitter, sealed_windows

Array = np.ndarray[Any, Any]

FRESH_FOLDS, MANY_FRESH_FOLDS, FEW_ROWS = 4, 6, 5_000
"""Fresh origins; more of them where a fit takes no time."""
FOLDED_SHARE = 0.6
"""The last part of the training steps on which folds are laid."""
LEAST_ROWS_OF_A_SERIES = 3
PARITY_SERIES, PARITY_ORIGINS = 25, 3
TOLERANCE = 1e-4


def facts_of(profile: Profile) -> dict[str, Any]:
    """The facts of the panel as learners and predict.py take them; see automl.learners.panels.Facts."""
    known, past = covariates(profile)
    found = {name: value for name, value in profile.arrangement.items() if name not in ("notes", "gaps", "time_parse")}
    return {**found, "known": list(known), "past": list(past)}


# --- preparing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Placed:
    """Rows on the grid. position: steps to the end of the series' training rows, 0 at the end, negative before it."""

    series: Array
    step: Array
    position: Array
    given: Array
    length: int
    season: int


@dataclass(frozen=True)
class Laid:
    """The sealed rows, the rows of training, and the folds."""

    sealed: Array
    training: Array
    search: tuple[FoldRows, ...]
    fresh: tuple[FoldRows, ...]


def lay_out(placed: Placed, profile: Profile, folds: int) -> Laid:
    """Sealed part and folds: fresh origins spread over the last part of the training steps, search origins between them.

    Raises InputError where the series are too short for the horizon.
    """
    horizon = int(profile.arrangement["horizon"])
    _, windows = sealed_windows(profile.arrangement)
    sealed_steps = 0 if placed.given.any() else windows * horizon
    left = placed.length - sealed_steps
    usual = max(2 * placed.season + 1, int((1.0 - FOLDED_SHARE) * left))
    least = max(LEAST_ROWS_OF_A_SERIES, min(usual, left - 3 * horizon))
    room = left - least - horizon
    if room < horizon // 2 + 1 or left < 2 * horizon + LEAST_ROWS_OF_A_SERIES:
        needed = sealed_steps + LEAST_ROWS_OF_A_SERIES + 2 * horizon + horizon // 2 + 1
        raise InputError(
            f"the longest series has {placed.length:,} steps: too few to learn to forecast {horizon:,} steps ahead and to check "
            f"it (at least {needed:,} are needed)",
            "give a smaller --horizon, or more history",
        )
    most = MANY_FRESH_FOLDS if len(placed.step) < FEW_ROWS else FRESH_FOLDS
    fresh_count = int(np.clip(room // horizon + 1, 2, most if folds == ORIGINS else folds))
    spacing = room / (fresh_count - 1)
    search_count = min(folds, fresh_count)
    wide = max(1, int(min(spacing / 2, FOLDED_SHARE * left / (fresh_count + search_count)) // horizon)) * horizon
    position = placed.position + sealed_steps
    training = np.flatnonzero(~placed.given & (position <= 0))
    fresh = [_fold(position, placed, training, int(number * spacing), wide) for number in range(fresh_count)]
    between = [int((number + 0.5) * spacing) for number in range(search_count)]
    search = [_fold(position, placed, training, min(back, room), wide) for back in between]
    enough = _known_series(placed, training)
    judged = placed.given & (placed.position > 0) if placed.given.any() else position > 0
    sealed = np.flatnonzero(judged & enough[placed.series])
    kept = [fold for fold in search if len(fold.validation)], [fold for fold in fresh if len(fold.validation)]
    if min(len(each) for each in kept) < 2:
        raise InputError(
            "too few series are long enough to check a forecast on them", "give a smaller --horizon, or more history"
        )
    return Laid(sealed, training, tuple(kept[0]), tuple(kept[1]))


def _fold(position: Array, placed: Placed, training: Array, back: int, wide: int) -> FoldRows:
    """The window that ends `back` steps before the end of the training rows, and what comes before it."""
    places = position[training]
    learned = training[places <= -back - wide]
    enough = _known_series(placed, learned)
    window = training[(places > -back - wide) & (places <= -back)]
    return FoldRows(learned, window[enough[placed.series[window]]], 0)


def _known_series(placed: Placed, rows: Array) -> Array:
    """Which series have rows enough among these."""
    counts = np.bincount(placed.series[rows], minlength=int(placed.series.max(initial=0)) + 1)
    return np.asarray(counts >= LEAST_ROWS_OF_A_SERIES)


def place_rows(table: Table, given: Array, profile: Profile) -> tuple[Placed, Array]:
    """The rows on the grid, and which of them belong to a series that has a past (a test part may bring others)."""
    found = profile.arrangement
    step = grid_index(np.asarray(table.columns[found["time"]]).astype(np.int64), found["grid"])
    names = {name: code for code, name in enumerate(found["names"])}
    series = np.zeros(table.rows, np.int64)
    if found["id"] is not None:
        column = table.columns[found["id"]]
        assert isinstance(column, Category)
        codes = np.asarray([names.get(level, -1) for level in column.levels] + [-1], np.int64)
        series = codes[column.codes]
    usable = series >= 0
    ends, starts = np.full(len(names), np.iinfo(np.int64).min), np.full(len(names), np.iinfo(np.int64).max)
    own = usable & ~given
    np.maximum.at(ends, series[own], step[own])
    np.minimum.at(starts, series[own], step[own])
    usable &= ends[series] > np.iinfo(np.int64).min
    lengths = (ends - starts + 1)[ends > np.iinfo(np.int64).min]
    if found["common_end"]:
        ends = np.full(len(names), ends.max())
    usable &= ~given | (step > ends[series])
    season = int(found["seasons"][0]) if found["seasons"] else 1
    return Placed(series, step, np.where(usable, step - ends[series], 0), given, int(lengths.max()), season), usable


def prepare_forecast(dataset: Dataset, profile: Profile, plan: Plan, joined: pd.DataFrame) -> Any:
    """The clean rows on the grid with sealed part and folds. joined: the rows of the data, then those of its test part.

    Raises InputError where the rows cannot be placed or are too few.
    """
    from automl.search.context import Context
    from automl.search.preparing import Prepared

    target = encode_target(joined[profile.target], {"task": "regression", "target_parse": profile.target_parse})
    rows = np.flatnonzero(np.isfinite(target))
    table = tabulate(joined.iloc[rows], profile.features)
    placed, usable = place_rows(table, rows >= dataset.rows, profile)
    if not usable.all():
        rows, table = rows[usable], table.take(np.flatnonzero(usable))
        placed, _ = place_rows(table, rows >= dataset.rows, profile)
    if dataset.test is not None and not placed.given.any():
        raise InputError(
            "no row of the test part comes after the last one of its series", "give later rows with the target in them"
        )
    laid = lay_out(placed, profile, plan.split.folds)
    target = target[rows]
    added = {SERIES: placed.series, STEP: placed.step, OBSERVED: target}
    table = Table({**table.columns, **added}, table.rows)
    context = Context(
        profile=profile,
        plan=plan,
        table=table,
        target=target,
        weight=None,
        training_rows=laid.training,
        search_folds=laid.search,
        fresh_folds=laid.fresh,
        parity=table.take(np.arange(0)),
        error_scale=_error_scale(placed, target, laid.training, profile),
    )
    frame = joined.iloc[rows]
    return Prepared(context, frame, rows, laid.sealed, Splitter(profile.task, target), frame)


def _error_scale(placed: Placed, target: Array, training: Array, profile: Profile) -> Array:
    """The error of the seasonal naive forecast of one step within the training rows of each row's series; NaN where it is 0."""
    nothing = np.zeros((len(training), 0))
    rows = {
        "series": placed.series[training],
        "step": placed.step[training],
        "observed": target[training],
        "known": nothing,
        "past": nothing,
    }
    try:
        panel = make_panel(tuple(profile.arrangement["names"]), profile.arrangement["grid"], rows, placed.season)
    except PanelError as error:
        raise InputError(str(error)) from None
    scale = season_error(panel.values, placed.season)
    return np.where(scale > 0, scale, np.nan)[placed.series]


# --- deciding --------------------------------------------------------------------------------------------------------


def diebold_mariano(gains: Array, steps: int = 1, level: float = 0.90) -> tuple[float, float, float, float]:
    """Mean gain over origins, its interval, and the one-sided p-value (Diebold and Mariano, 1995).

    With the small-sample correction of Harvey, Leybourne and Newbold (1997) and Student's t. gains: (origins,) of blocks
    of windows that do not overlap, so `steps` is 1 and no autocovariance enters; larger ones take steps - 1 of them.
    """
    from scipy import stats

    count = len(gains)
    mean = float(np.mean(gains))
    if count < 2:
        return mean, -math.inf, math.inf, 1.0
    away = gains - mean
    variance = float(np.mean(away**2)) + 2.0 * sum(float(np.sum(away[lag:] * away[:-lag])) / count for lag in range(1, steps))
    correction = (count + 1 - 2 * steps + steps * (steps - 1) / count) / count
    error = math.sqrt(max(variance, 0.0) / count / correction) if correction > 0 else math.inf
    if error <= 1e-12 * max(1.0, abs(mean)):
        return mean, mean, mean, 0.0 if mean > 0 else 1.0
    reach = float(stats.t.ppf(0.5 + level / 2, count - 1)) * error
    return mean, mean - reach, mean + reach, float(stats.t.sf(mean / error, count - 1))


# --- shipping --------------------------------------------------------------------------------------------------------


def write_forecast(pipeline: Any, profile: Profile, contract: dict[str, Any], folder: Path, requirements: str) -> None:
    """A model folder: contract, state, the end of the past, the graph where there is one, predict.py; and parity.npy."""
    import onnx

    fitted: FittedForecaster = pipeline.fitted
    panel = panel_of([fitted.training], fitted.facts)
    contract = {**contract, "arrangement": {name: value for name, value in facts_of(profile).items() if name != "names"}}
    contract["horizon"], contract["quantiles"] = fitted.facts.horizon, list(QUANTILES)
    write_json(folder / "contract.json", contract)
    content = {"state": fitted.state, "names": list(fitted.facts.names), "levels": pipeline.encoder.levels}
    write_json(folder / STATE_FILE, content)
    past = stored_past(panel, fitted.state)
    np.savez_compressed(folder / HISTORY_FILE, **past)  # type: ignore[arg-type]
    model = graph_of(fitted, past)
    if model is not None:
        onnx.save(model, str(folder / "model.onnx"))
    write_text(folder / "predict.py", bundle(modules_of(contract)))
    write_text(folder / "requirements.txt", requirements)
    shutil.rmtree(folder / "net", ignore_errors=True)
    (folder / "net").mkdir(parents=True)
    fitted.save(folder / "net")
    write_json(folder / "net" / "encoder.json", {"encoder": pipeline.encoder.state()})
    np.save(folder / "parity.npy", _expected(fitted, panel))


def graph_of(fitted: FittedForecaster, past: dict[str, Array] | None = None) -> Any:
    """The graph from features or windows to its output, or None where numpy does it all."""
    if fitted.graph_of is None:
        return None
    from automl.encoders.graph import GraphBuilder

    builder = GraphBuilder()
    shapes = fitted.state["inputs"]
    tensors = {
        name: builder.input(name, "float32", tuple(shape) if len(shape) > 1 else int(shape[0])) for name, shape in shapes.items()
    }
    output = fitted.graph(builder, tensors)
    builder.output(output, "value", "float32", ("batch", int(fitted.state["outputs"])))
    return builder.build()


def parity_windows(panel: Panel, ends: Array, horizon: int) -> tuple[Array, Array]:
    """Windows of some series whose whole horizon lies before the end, and one from the very end: (windows,) each."""
    chosen = np.flatnonzero(ends >= 0)
    chosen = chosen[:: max(1, -(-len(chosen) // PARITY_SERIES))]
    series = np.repeat(chosen, PARITY_ORIGINS + 1)
    origins = ends[series] - horizon * np.tile(np.arange(PARITY_ORIGINS + 1), len(chosen))
    kept = (origins >= panel.starts[series]) & (np.minimum(origins, panel.ends[series]) >= 0)
    return series[kept], origins[kept]


def _expected(fitted: FittedForecaster, panel: Panel) -> Array:
    """(windows, 3 + horizon x quantiles): series, the step of the origin, whether it is the end, and the quantiles."""
    ends = ends_of(panel, fitted.facts)
    series, origins = parity_windows(panel, ends, fitted.facts.horizon)
    carried = extended(panel, ends, fitted.facts.season)
    made = forecast(fitted.state, carried, series, origins, fitted.run)
    head = np.stack([series, origins + panel.first, origins == ends[series]], axis=1).astype(np.float64)
    return np.concatenate([head, made.reshape(len(series), -1)], axis=1)


def check_forecast_parity(folder: Path, raw: pd.DataFrame) -> dict[str, float]:
    """Hold the model folder against the fitted learner: from raw rows at earlier origins, and from the stored past alone.

    Raises ParityError where they differ by more than the tolerance, in standard deviations of the target.
    """
    expected = np.load(folder / "parity.npy")
    forecaster = Forecaster(folder, load_contract(folder))
    horizon, scale = forecaster.horizon, forecaster.contract.get("target_standard_deviation") or 1.0
    worst, rows = 0.0, 0
    for at_end, history in ((0.0, raw), (1.0, raw.iloc[:0])):
        part = expected[expected[:, 2] == at_end]
        if not len(part):
            continue
        series, origins = part[:, 0].astype(np.int64).repeat(horizon), part[:, 1].astype(np.int64).repeat(horizon)
        steps = origins + np.tile(np.arange(1, horizon + 1), len(part))
        try:
            found = forecaster.backtest(history, series, steps, origins)
        except PredictorError as error:
            raise ParityError(f"the exported forecast cannot be computed: {error}") from error
        wanted = part[:, 3:].reshape(len(series), -1)
        reach = np.maximum(1.0, np.abs(wanted) / (1000 * scale))
        difference = np.abs(found - wanted) / scale / reach
        if not np.isfinite(difference).all():
            raise ParityError("the exported forecast gives values that are no numbers")
        worst, rows = max(worst, float(difference.max())), rows + len(series)
    if worst > TOLERANCE:
        raise ParityError(f"the exported forecast differs from the trained one by {worst:.2g} (allowed {TOLERANCE:g})")
    (folder / "parity.npy").unlink()
    return {"difference": worst, "rows": float(rows), "tolerance": TOLERANCE}


def forecast_milliseconds(folder: Path) -> float:
    """Median milliseconds a step of forecasting one series from the stored past, its horizon at once."""
    from automl.search.pricing import median_milliseconds

    forecaster = Forecaster(folder, load_contract(folder))
    series = np.zeros(forecaster.horizon, np.int64)
    values = forecaster.tail["values"]
    end = int(forecaster.tail["first"]) + int(np.flatnonzero(np.isfinite(values[0]))[-1]) if np.isfinite(values[0]).any() else 0
    steps = end + np.arange(1, forecaster.horizon + 1)
    rows: dict[str, list[Any]] = {name: [] for name in forecaster.needed}

    def once() -> Any:
        return forecaster.backtest(rows, series, steps, np.full(forecaster.horizon, end))

    once()
    return median_milliseconds(once) / forecaster.horizon


def price_of_forecast(fitted: FittedForecaster) -> tuple[int, float]:
    """(bytes, milliseconds a step) of a fitted method."""
    from automl.core.files import dump_json
    from automl.search.pricing import median_milliseconds

    model = graph_of(fitted)
    size = len(dump_json(fitted.state)) + (0 if model is None else len(model.SerializeToString()))
    panel = panel_of([fitted.training], fitted.facts)
    one = int(np.flatnonzero(panel.ends >= 0)[0])
    series, origins = np.asarray([one]), np.asarray([panel.ends[one]])
    return size, median_milliseconds(lambda: forecast(fitted.state, panel, series, origins, fitted.run)) / fitted.facts.horizon


# --- evaluating ------------------------------------------------------------------------------------------------------


def predict_sealed(folder: Path, prepared: Any) -> Array:
    """Quantiles of the sealed rows by the exported model: every `horizon` steps is a new origin, up to which all is known."""
    context = prepared.context
    forecaster = Forecaster(folder, load_contract(folder))
    series, step = (np.asarray(context.table.columns[name], np.int64) for name in (SERIES, STEP))
    origins = origins_of(context, prepared.sealed, forecaster.horizon)
    return forecaster.backtest(prepared.frame, series[prepared.sealed], step[prepared.sealed], origins)


def origins_of(context: Any, rows: Array, horizon: int) -> Array:
    """The step of the grid after which each of these rows is forecast, (rows,)."""
    series, step = (np.asarray(context.table.columns[name], np.int64) for name in (SERIES, STEP))
    ends = np.full(int(series.max()) + 1, np.iinfo(np.int64).min)
    np.maximum.at(ends, series[context.training_rows], step[context.training_rows])
    if context.profile.arrangement["common_end"]:
        ends[:] = ends.max()
    offset = step[rows] - ends[series[rows]]
    return ends[series[rows]] + (offset - 1) // horizon * horizon


def windows_of(context: Any, rows: Array, origins: Array) -> int:
    """How many windows the rows of the series with the most of them make up."""
    series = np.asarray(context.table.columns[SERIES], np.int64)[rows]
    return int(np.bincount(np.unique(np.stack([series, origins]), axis=1)[0]).max())


def drawn_together(context: Any, rows: Array, horizon: int) -> Array:
    """Rows that a bootstrap draws together: whole series where there are many, else the windows of one origin."""
    series = np.asarray(context.table.columns[SERIES], np.int64)[rows]
    if len(np.unique(series)) >= 20:
        return series
    origins = origins_of(context, rows, horizon)
    return origins if len(np.unique(origins)) >= 8 else np.asarray(context.table.columns[STEP], np.int64)[rows]


def panel_details(context: Any, rows: Array, horizon: int, folder: Path) -> dict[str, Any]:
    """What the explanations need of the judged rows: the whole panel, the series, column and origin of each, the model."""
    encoder = context.modality.encoder(context.profile, "panel", {})
    inputs = encoder.fit(context.table, context.training_rows, context.training_rows).transform(context.table)
    panel = panel_of([inputs], Facts.of(facts_of(context.profile)))
    return {
        "panel": panel,
        "series": inputs["series"][rows],
        "columns": inputs["step"][rows] - panel.first,
        "origins": origins_of(context, rows, horizon) - panel.first,
        "forecaster": Forecaster(folder, load_contract(folder)),
    }


def point(predictions: Array) -> Array:
    """The median of quantiles (rows, quantiles); values (rows,) stay."""
    return predictions[:, MEDIAN] if predictions.ndim == 2 else predictions
