"""Laws of the target's scale: there and back is the identity, and the graph goes back as numpy does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.core.profile import Profile
from automl.core.space import Float, Space
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.search.target import SETTING, TargetScale, with_target_scale

GENERATOR = np.random.default_rng(0)
TARGETS = {
    "usual": GENERATOR.normal(3.0, 2.0, 200),
    "skewed": np.exp(GENERATOR.normal(3.0, 2.0, 200)),
    "with zeros": np.maximum(0.0, GENERATOR.normal(0.0, 50.0, 200)),
    "far from zero": 1e9 + np.exp(GENERATOR.normal(0.0, 1.0, 200)),
    "negative": -1000.0 + np.exp(GENERATOR.normal(3.0, 1.0, 200)),
    "tiny": 1e-9 * GENERATOR.random(200),
    "constant": np.full(50, 0.1),
    "one row": np.array([7.5]),
}


def through_graph(scale: TargetScale, scaled: np.ndarray) -> np.ndarray:
    import onnxruntime

    builder = GraphBuilder()
    builder.output(scale.graph(builder, builder.input("scaled", "float32")), "value", "float64", ("batch", 1))
    session = onnxruntime.InferenceSession(builder.build().SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"scaled": scaled.astype(np.float32).reshape(-1, 1)})[0])[:, 0]


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("name", TARGETS)
def test_there_and_back_is_the_identity(name: str, log: bool) -> None:
    target = TARGETS[name]
    scale = TargetScale.fit(target, log)
    scaled = scale.forward(target)
    assert np.isfinite(scaled).all()
    assert np.abs(scaled).max() < 1e3
    assert np.allclose(scale.inverse(scaled), target, rtol=1e-9, atol=1e-9 * np.ptp(target))
    if len(np.unique(target)) > 1:
        assert scaled.mean() == pytest.approx(0.0, abs=1e-6)
        assert scaled.std() == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("name", TARGETS)
def test_the_graph_goes_back_as_numpy_does(name: str, log: bool) -> None:
    target = TARGETS[name]
    scale = TargetScale.fit(target, log)
    outputs = np.r_[scale.forward(target), -50.0, -3.0, 0.0, 3.0, 50.0].astype(np.float32)
    expected = scale.inverse(outputs.astype(np.float64))
    assert np.isfinite(expected).all()
    assert np.allclose(through_graph(scale, outputs), expected, rtol=1e-9, atol=1e-6 * np.std(target))


def test_the_logarithm_does_not_explode_beyond_what_was_seen() -> None:
    target = TARGETS["skewed"]
    scale = TargetScale.fit(target, True)
    highest = float(scale.inverse(np.array([1e6]))[0])
    assert target.max() < highest < target.max() * np.ptp(target + 1.0) ** 0.6
    assert scale.inverse(np.array([-1e6]))[0] <= target.min()


def profile(task: Task = Task.REGRESSION, **statistics: float) -> Profile:
    usual = {"minimum": 0.0, "skew": 3.0}
    return Profile("tabular", "", task, "", "y", "", {}, 100, (), target_statistics={**usual, **statistics})


SPACE = Space({"strength": Float(0.1, 1.0, 0.5)}, ({"strength": 0.2}, {"strength": 0.9}))


def test_the_logarithm_is_tried_second_where_the_target_is_skewed() -> None:
    space = with_target_scale(SPACE, profile())
    assert [space.start(number) for number in range(len(space.starts))] == [
        {"strength": 0.2, SETTING: "plain"},
        {"strength": 0.2, SETTING: "log"},
        {"strength": 0.9, SETTING: "plain"},
    ]


@pytest.mark.parametrize("unfit", [{"minimum": -1.0}, {"skew": 0.2}, {"task": Task.BINARY}])
def test_the_logarithm_is_left_out_elsewhere(unfit: dict[str, object]) -> None:
    described = replace(profile(), task=unfit["task"]) if "task" in unfit else profile(**unfit)  # type: ignore[arg-type]
    assert with_target_scale(SPACE, described) is SPACE
