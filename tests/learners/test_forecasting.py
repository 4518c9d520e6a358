"""Laws of the forecasting learners: no look ahead, quantiles in order, better than repeating, and their graphs agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.core.architecture import Fold, Problem, Training
from automl.core.clock import Deadline
from automl.core.methods import MEDIAN, QUANTILES, forecast, smooth, theta
from automl.core.panel import make_panel
from automl.core.tasks import Task
from automl.learners.lagged import LaggedLearner, feature_names, lag_state
from automl.learners.panels import FittedForecaster, spread_of
from automl.learners.statistical import StatisticalLearner

HORIZON, SEASON, STEPS = 6, 12, 400
SMALL = {"learning_rate": 0.1, "num_leaves": 8, "min_data_in_leaf": 5}


def made_up(series: int = 3, seed: int = 0, noise: float = 1.0) -> dict[str, Any]:
    """Seasonal series with a trend; "known" moves the value of its own step, "past" follows it by one step."""
    generator = np.random.default_rng(seed)
    step = np.tile(np.arange(STEPS), series)
    code = np.repeat(np.arange(series), STEPS)
    promotion = (generator.random(len(step)) < 0.2).astype(np.float64)
    values = 50.0 * (code + 1) + 10 * np.sin(2 * np.pi * step / SEASON) + 0.05 * step + 8 * promotion
    values += noise * generator.standard_normal(len(step))
    past = np.roll(values, 1) + generator.standard_normal(len(step))
    return {"series": code, "step": step, "observed": values, "known": promotion[:, None], "past": past[:, None]}


def facts(series: int = 3) -> dict[str, Any]:
    return {
        "names": [f"s{number}" for number in range(series)],
        "grid": {"unit": "second", "size": 3600, "phase": 0},
        "seasons": [SEASON],
        "horizon": HORIZON,
        "common_end": True,
        "known": ["promotion"],
        "past": ["follower"],
    }


def problem(series: int = 3) -> Problem:
    return Problem(Task.FORECAST, len(QUANTILES), "mase", 1, facts(series))


def part(rows: dict[str, Any], chosen: Any) -> Training:
    inputs = {name: values[chosen] for name, values in rows.items()}
    return Training(inputs, inputs["observed"])


def fold(rows: dict[str, Any], end: int = STEPS - 4 * HORIZON) -> Fold:
    return Fold(part(rows, rows["step"] < end), part(rows, rows["step"] >= end))


def learners() -> dict[str, tuple[Any, dict[str, Any], int]]:
    return {
        "naive": (StatisticalLearner("naive"), {}, 0),
        "seasonal_naive": (StatisticalLearner("seasonal_naive"), {}, 0),
        "statistical": (StatisticalLearner("statistical"), {}, 0),
        "statistical-log": (StatisticalLearner("statistical"), {"transform": "log"}, 0),
        "lags": (LaggedLearner(), SMALL, 40),
        "lags-log-last": (LaggedLearner(), {**SMALL, "transform": "log", "base": "last"}, 40),
    }


@pytest.fixture(scope="module")
def fitted() -> dict[str, FittedForecaster]:
    rows = fold(made_up()).training
    return {name: learner.fit(rows, problem(), settings, rounds, 0) for name, (learner, settings, rounds) in learners().items()}


def error(model: FittedForecaster, rows: Training) -> float:
    return float(np.abs(model.predict(rows.inputs)[:, MEDIAN] - rows.target).mean())


@pytest.mark.parametrize("name", learners())
def test_nothing_after_an_origin_is_looked_at(name: str, fitted: dict[str, FittedForecaster]) -> None:
    validation = fold(made_up()).validation
    before = fitted[name].predict(validation.inputs)
    last = validation.inputs["step"] >= STEPS - HORIZON
    changed = {key: values.copy() for key, values in validation.inputs.items()}
    changed["observed"][last] += 1000.0
    changed["past"][last] -= 1000.0
    np.testing.assert_array_equal(fitted[name].predict(changed), before)
    hidden = {key: values.copy() for key, values in validation.inputs.items()}
    hidden["observed"][last] = np.nan
    np.testing.assert_array_equal(fitted[name].predict(hidden), before)


@pytest.mark.parametrize("name", learners())
def test_quantiles_rise_and_hold_what_they_promise(name: str, fitted: dict[str, FittedForecaster]) -> None:
    validation = fold(made_up(seed=1)).validation
    model = learners()[name][0].fit(fold(made_up(seed=1)).training, problem(), learners()[name][1], learners()[name][2], 0)
    quantiles = model.predict(validation.inputs)
    assert quantiles.shape == (len(validation.target), len(QUANTILES))
    assert (np.diff(quantiles, axis=1) >= 0).all()
    inside = (validation.target >= quantiles[:, 1]) & (validation.target <= quantiles[:, -2])
    assert 0.55 <= inside.mean() <= 0.98


def test_each_rung_is_better_than_the_one_below(fitted: dict[str, FittedForecaster]) -> None:
    validation = fold(made_up()).validation
    errors = {name: error(model, validation) for name, model in fitted.items()}
    assert errors["seasonal_naive"] < errors["naive"]
    assert errors["statistical"] < errors["seasonal_naive"]
    assert errors["lags"] < errors["statistical"]  # only the lags know of the promotions


def test_what_is_known_ahead_helps() -> None:
    rows = made_up()
    blind = {**rows, "known": np.zeros_like(rows["known"])}
    sighted, without = (
        LaggedLearner().fit(fold(each).training, problem(), SMALL, 60, 0).predict(fold(each).validation.inputs)[:, MEDIAN]
        for each in (rows, blind)
    )
    truth = fold(rows).validation.target
    assert np.abs(sighted - truth).mean() < 0.7 * np.abs(without - truth).mean()


def test_folds_give_what_a_single_fit_gives() -> None:
    learner, settings, _ = learners()["lags"]
    folds = [fold(made_up()), fold(made_up(), STEPS - 8 * HORIZON)]
    result = learner.fit_folds(folds, problem(), settings, 0, Deadline(None))
    assert result.rounds > 0
    for each, found, seen in zip(folds, result.predictions, result.training_predictions, strict=True):
        again = learner.fit(each.training, problem(), settings, result.rounds, 0).predict(each.validation.inputs)
        np.testing.assert_allclose(found[:, MEDIAN], again[:, MEDIAN], rtol=1e-6)
        known = np.isfinite(seen[:, 0])
        assert known.mean() > 0.5
        assert np.abs(seen[known, MEDIAN] - each.training.target[known]).mean() < 5.0


def test_the_same_seed_gives_the_same_forecast() -> None:
    rows = fold(made_up())
    first, second = (
        LaggedLearner().fit(rows.training, problem(), SMALL, 20, 3).predict(rows.validation.inputs) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", ["lags", "lags-log-last"])
def test_the_graph_agrees_with_the_trees(name: str, fitted: dict[str, FittedForecaster]) -> None:
    import onnxruntime

    from automl.search.forecasting import graph_of

    model = fitted[name]
    session = onnxruntime.InferenceSession(graph_of(model).SerializeToString(), providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, model.state["inputs"]["features"][0])).astype(np.float32)
    features[:, -1] = generator.integers(0, 3, 200)
    features[generator.random(features.shape) < 0.1] = np.nan
    (found,) = session.run(["value"], {"features": features})
    assert model.run is not None
    np.testing.assert_allclose(found, model.run({"features": features}), atol=1e-5)


def test_every_feature_has_a_name(fitted: dict[str, FittedForecaster]) -> None:
    model = fitted["lags"]
    names = feature_names(model.state, model.facts)
    assert len(names) == model.state["inputs"]["features"][0]
    assert {group for _, group in names} >= {"past values", "promotion", "follower", "series", "steps ahead"}


def test_short_gappy_and_constant_series_are_forecast_all_the_same() -> None:
    rows = made_up()
    rows["observed"][rows["series"] == 1] = 7.0
    rows["observed"][(rows["series"] == 2) & (rows["step"] < STEPS - 40)] = np.nan
    rows["observed"][(rows["series"] == 0) & (rows["step"] % 7 == 0)] = np.nan
    known = np.isfinite(rows["observed"])
    rows = {name: values[known] for name, values in rows.items()}
    for learner, settings, rounds in learners().values():
        each = fold(rows)
        quantiles = learner.fit(each.training, problem(), settings, rounds, 0).predict(each.validation.inputs)
        assert np.isfinite(quantiles).all()
        constant = quantiles[each.validation.inputs["series"] == 1, MEDIAN]
        np.testing.assert_allclose(constant, 7.0, atol=1.5)


def test_intervals_grow_with_the_errors() -> None:
    errors = np.random.default_rng(0).normal(size=(400, 10)) * np.arange(1, 11)
    spread = spread_of(errors)
    assert (np.diff(spread[:, -1]) > 0).all()
    assert spread[:, MEDIAN].tolist() == [0.0] * 10
    np.testing.assert_allclose(spread[4, [1, -2]], [-1.28 * 5, 1.28 * 5], rtol=0.15)


# --- the recursions --------------------------------------------------------------------------------------------------


def test_smoothing_is_the_textbook_recursion() -> None:
    """Hyndman et al. (2008), ETS(A,Ad,A), value by value."""
    values = made_up(1)["observed"][:60]
    alpha, beta, gamma, phi = 0.3, 0.1, 0.2, 0.9
    first, second = values[:SEASON].mean(), values[SEASON : 2 * SEASON].mean()
    trend = (second - first) / SEASON
    level = first - trend * (SEASON + 1) / 2
    line = first + trend * (np.arange(2 * SEASON) - (SEASON - 1) / 2)
    season = list((values[: 2 * SEASON] - line).reshape(2, SEASON).mean(axis=0))
    season = [each - float(np.mean(season)) for each in season]
    for step, value in enumerate(values):
        gap = value - (level + phi * trend + season[step % SEASON])
        level, trend = level + phi * trend + alpha * gap, phi * trend + beta * gap
        season[step % SEASON] += gamma * gap
    expected = [
        level + trend * sum(phi**power for power in range(1, ahead + 1)) + season[(59 + ahead) % SEASON] for ahead in range(1, 9)
    ]
    parameters = np.asarray([[alpha, beta, gamma, phi, 1.0]])
    np.testing.assert_allclose(smooth(values[None], parameters, SEASON, 8, [60])[0][0], expected)


def test_smoothing_agrees_with_statsmodels() -> None:
    ets = pytest.importorskip("statsmodels.tsa.exponential_smoothing.ets")
    values = made_up(1)["observed"][:96]
    parameters = np.asarray([[0.4, 0.05, 0.1, 0.0, 0.0]])
    ours = smooth(values[None], parameters, 1, 5, [96])[0][0]
    model = ets.ETSModel(values, error="add", trend=None, seasonal=None, initialization_method="known", initial_level=values[0])
    np.testing.assert_allclose(ours, model.smooth([0.4]).forecast(5), rtol=1e-6)


def test_theta_agrees_with_statsmodels() -> None:
    module = pytest.importorskip("statsmodels.tsa.forecasting.theta")
    values = made_up(1)["observed"][:120]
    fit = module.ThetaModel(values, period=1, deseasonalize=False).fit(use_mle=False)
    alpha = float(fit.params["alpha"])
    ours = theta(values[None], np.asarray([alpha]), 1, 6)[0]
    np.testing.assert_allclose(ours, fit.forecast(6), rtol=0.01)


def test_a_row_with_a_missing_beginning_is_smoothed_from_where_it_begins() -> None:
    values = made_up(1)["observed"][:60]
    late = np.concatenate([np.full(24, np.nan), values])[None]
    parameters = np.asarray([[0.3, 0.05, 0.1, 1.0, 1.0]])
    alone = smooth(values[None], parameters, SEASON, 4, [60])[0]
    np.testing.assert_allclose(smooth(late, parameters, SEASON, 4, [84])[0], alone)


def test_the_state_says_everything_that_a_forecast_needs(fitted: dict[str, FittedForecaster]) -> None:
    """Through JSON and back, on a panel made anew."""
    import json

    rows = fold(made_up()).training.inputs
    panel = make_panel(tuple(facts()["names"]), facts()["grid"], rows, SEASON)
    series, origins = np.arange(3), panel.ends
    for model in fitted.values():
        state = json.loads(json.dumps(model.state))
        np.testing.assert_allclose(
            forecast(state, panel, series, origins, model.run), forecast(model.state, panel, series, origins, model.run)
        )


def test_a_series_without_history_enough_is_told() -> None:
    rows = {name: values[:1] for name, values in made_up(1).items()}
    with pytest.raises(Exception, match="nothing to learn lags from"):
        LaggedLearner().fit(Training(rows, rows["observed"]), problem(1), SMALL, 5, 0)
    assert (
        lag_state(problem(1), Training(rows, rows["observed"]), {**SMALL, "base": "seasonal", "cycles": 4})[2]["base"] == "last"
    )


@pytest.mark.parametrize("name", learners())
def test_the_stored_past_of_series_with_other_ends_gives_the_same_forecast(name: str) -> None:
    from automl.core.forecasting import stored_past

    rows = made_up()
    rows = {key: values[(rows["series"] != 1) | (rows["step"] < STEPS - 150)] for key, values in rows.items()}
    own = Problem(Task.FORECAST, len(QUANTILES), "mase", 1, {**facts(), "common_end": False})
    learner, settings, rounds = learners()[name]
    model = learner.fit(Training(rows, rows["observed"]), own, settings, rounds, 0)
    panel = make_panel(tuple(facts()["names"]), facts()["grid"], rows, SEASON)
    past = stored_past(panel, model.state)
    series, columns = np.nonzero(np.isfinite(past["values"]))
    kept = {"series": series, "step": columns + int(past["first"]), "observed": past["values"][series, columns]}
    kept |= {kind: past[kind][series, columns] for kind in ("known", "past")}
    again = make_panel(tuple(facts()["names"]), facts()["grid"], kept, SEASON)
    found = forecast(model.state, again, np.arange(3), again.ends, model.run)
    np.testing.assert_allclose(found, forecast(model.state, panel, np.arange(3), panel.ends, model.run), rtol=1e-6)
