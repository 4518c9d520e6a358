"""Laws of the forecasting nets: one net of each kind, trained for one epoch and exported once, serves all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.core.clock import Deadline
from automl.core.methods import MEDIAN, QUANTILES
from automl.core.profile import Profile
from automl.core.tasks import Task
from automl.learners.windowed import WindowedLearner, net_state, training_windows
from automl.modalities.forecast.ladder import cnn, gru
from automl.training.learner import load_net
from tests.learners.test_forecasting import HORIZON, fold, made_up, problem

RUNGS = {"cnn": cnn, "gru": gru}
SETTINGS: dict[str, Any] = {
    "filters": 8, "units": 8, "width": 8, "steps": 7, "windows": 300, "batch_size": 32, "epochs": 1, "jit": False,
    "learning_rate": 1e-2,
}  # fmt: skip


@pytest.fixture(scope="module", params=RUNGS)
def trained(request: pytest.FixtureRequest) -> tuple[str, Any, Any]:
    """The net of a rung before and after one epoch."""
    learner = WindowedLearner(RUNGS[request.param].build)
    rows = fold(made_up()).training
    before, after = (learner.fit(rows, problem(), SETTINGS, rounds, 0) for rounds in (0, 1))
    return request.param, before, after


def loss(model: Any) -> float:
    validation = fold(made_up()).validation
    errors = validation.target[:, None] - model.predict(validation.inputs)
    levels = np.asarray(QUANTILES)
    return float(np.maximum(levels * errors, (levels - 1) * errors).mean())


def test_the_loss_falls_in_one_epoch(trained: tuple[str, Any, Any]) -> None:
    _, before, after = trained
    assert loss(after) < 0.9 * loss(before)


def test_nothing_after_an_origin_is_looked_at_and_quantiles_rise(trained: tuple[str, Any, Any]) -> None:
    _, _, model = trained
    inputs = {name: values.copy() for name, values in fold(made_up()).validation.inputs.items()}
    expected = model.predict(inputs)
    assert (np.diff(expected, axis=1) >= 0).all()
    last = inputs["step"] > inputs["step"].max() - HORIZON
    inputs["observed"][last] = np.nan
    inputs["past"][last] += 100.0
    np.testing.assert_array_equal(model.predict(inputs), expected)


def test_onnx_agrees_and_a_saved_net_predicts_the_same(trained: tuple[str, Any, Any], tmp_path: Path) -> None:
    import onnxruntime

    from automl.search.forecasting import graph_of

    _, _, model = trained
    _, panel, state = net_state(problem(), fold(made_up()).training)
    windows, _, _ = training_windows(panel, model.facts, state, 40, 1)
    session = onnxruntime.InferenceSession(graph_of(model).SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["value"], windows.inputs)
    np.testing.assert_allclose(found, model.run(windows.inputs), atol=1e-5)
    model.save(tmp_path)
    np.testing.assert_allclose(np.asarray(load_net(tmp_path)(windows.inputs, training=False)), found, atol=1e-5)


def test_folds_are_predicted_by_rows(trained: tuple[str, Any, Any]) -> None:
    name, _, _ = trained
    folds = [fold(made_up())]
    result = WindowedLearner(RUNGS[name].build).fit_folds(folds, problem(), {**SETTINGS, "epochs": 2}, 0, Deadline(None))
    assert result.predictions[0].shape == (len(folds[0].validation.target), len(QUANTILES))
    assert np.isfinite(result.predictions[0]).all()
    seen = result.training_predictions[0][:, MEDIAN]
    assert np.isfinite(seen).mean() > 0.3


@pytest.mark.parametrize("name", RUNGS)
def test_random_settings_build_and_the_sentences_are_there(name: str) -> None:
    rung = RUNGS[name]
    arrangement = {"names": ["a", "b"], "seasons": [12], "horizon": 6, "length": 400}
    profile = Profile("forecast", "", Task.FORECAST, "", "y", "", {}, 800, (), arrangement=arrangement)
    assert rung.fits(profile) is None
    assert "windows" in str(rung.fits(Profile("forecast", "", Task.FORECAST, "", "y", "", {}, 60, (), arrangement=arrangement)))
    assert "2 series" in rung.reason(profile)
    generator = np.random.default_rng(0)
    shapes = {"values": (84, "float32", None), "future": ((6, 5), "float32", None)}
    for settings in [rung.space(profile).default(), *(rung.space(profile).sample(generator) for _ in range(3))]:
        assert rung.build(shapes, problem(), settings).output_shape == (None, 6 * len(QUANTILES))
    assert rung.cost(profile, {}).seconds > 0
