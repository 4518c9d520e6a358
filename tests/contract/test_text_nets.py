"""The nets for texts: each is built, trained for two epochs and exported once; all laws look at that one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.core.architecture import Problem, Training
from automl.core.profile import ColumnProfile, Kind, Profile
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.modalities.text.ladder import cnn, gru
from automl.training.learner import NetFitted, load_net

LENGTH, VOCABULARY = 24, 40
SHAPES = {"tokens_1": (LENGTH, "int32", VOCABULARY)}
PROBLEM = Problem(Task.MULTICLASS, 3, "log_loss", jobs=2)
SMALL = {"filters": 16, "embedding": 16, "units": 12, "batch_size": 32, "epochs": 2, "learning_rate": 2e-2}


def profile(rows: int = 1_000, words: float = 12.0) -> Profile:
    statistics = {"words": {"median": words, "max": 90}, "characters": {"median": 60, "mean": 5 * words, "max": 400}}
    column = ColumnProfile("text", Kind.TEXT, "", {"as": "text"}, "string", statistics=statistics)
    counts = (rows - 20, 10, 10)
    return Profile("text", "", Task.MULTICLASS, "", "y", "", {}, rows, (column,), classes=("p", "q", "r"), class_counts=counts)


def rows(count: int, seed: int = 0) -> Training:
    """Texts whose class is told by a token that stands somewhere in them."""
    generator = np.random.default_rng(seed)
    tokens = generator.integers(5, VOCABULARY, (count, LENGTH)).astype(np.int32)
    lengths = generator.integers(3, LENGTH + 1, count)
    target = generator.integers(0, 3, count)
    tokens[np.arange(count), generator.integers(0, lengths)] = 2 + target
    tokens[np.arange(LENGTH)[None, :] >= lengths[:, None]] = 0
    return Training({"tokens_1": tokens}, target, None, SHAPES)


@dataclass
class Trained:
    """A rung, its net before and after two epochs, and its graph."""

    rung: Any
    before: NetFitted
    after: NetFitted
    graph: Any


@pytest.fixture(scope="module", params=[cnn, gru], ids=["cnn", "gru"])
def trained(request: pytest.FixtureRequest) -> Trained:
    rung = request.param
    learner = rung.learner()
    settings = {**rung.space(profile()).default(), **SMALL}
    before, after = (learner.fit(rows(600), PROBLEM, settings, epochs, 0) for epochs in (0, 2))
    builder = GraphBuilder()
    tensor = builder.node("Cast", [builder.input("tokens", "int64", LENGTH)], to=6)
    builder.output(after.graph(builder, {"tokens_1": tensor}), "probabilities", "float32", ("batch", 3))
    return Trained(rung, before, after, builder.build())


def log_loss(fitted: NetFitted, training: Training) -> float:
    probabilities = fitted.predict(training.inputs)
    return float(-np.log(probabilities[np.arange(len(training.target)), training.target]).mean())


def run(graph: Any, tokens: Any) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"tokens": np.asarray(tokens, np.int64)})[0]


def test_the_loss_falls(trained: Trained) -> None:
    assert log_loss(trained.before, rows(600)) == pytest.approx(np.log(3), abs=0.01)
    assert log_loss(trained.after, rows(600)) < 0.97 * np.log(3)


def test_onnx_agrees_on_unseen_and_empty_texts(trained: Trained) -> None:
    unseen = rows(100, 2).inputs["tokens_1"]
    unseen[0] = 0
    unseen[1, 1:] = 0
    expected = trained.after.predict({"tokens_1": unseen})
    np.testing.assert_allclose(run(trained.graph, unseen), expected, atol=1e-5)
    np.testing.assert_allclose(expected.sum(axis=1), 1.0, atol=1e-5)


def test_a_text_alone_is_predicted_as_among_longer_ones(trained: Trained) -> None:
    tokens = rows(40, 3).inputs["tokens_1"]
    tokens[0], tokens[1, 2:] = 0, 0
    together = run(trained.graph, tokens)
    for row in (0, 1, 2, 17):
        np.testing.assert_allclose(run(trained.graph, tokens[row : row + 1]), together[row : row + 1], atol=1e-5)


def test_no_loop_is_left_in_the_graph(trained: Trained) -> None:
    assert not {"Loop", "Scan"} & {node.op_type for node in trained.graph.graph.node}


def test_a_saved_net_predicts_the_same(trained: Trained, tmp_path: Path) -> None:
    trained.after.save(tmp_path)
    unseen = rows(40, 4).inputs
    loaded, kept = (np.asarray(net(unseen, training=False)) for net in (load_net(tmp_path), trained.after.net))
    np.testing.assert_allclose(loaded, kept, atol=1e-6)


def test_the_estimate_of_size_is_within_a_factor_of_two(trained: Trained) -> None:
    settings = trained.rung.space(profile()).default()
    shapes = {"tokens_1": (LENGTH, "int32", settings["vocabulary"])}
    net = trained.rung.build(shapes, PROBLEM, settings)
    size = 4 * sum(int(np.prod(weight.shape)) for weight in net.get_weights())
    estimate = trained.rung.cost(profile(), settings)
    assert size / 2 < estimate.size_bytes < size * 2
    assert estimate.seconds > 0


@pytest.mark.parametrize("rung", [cnn, gru], ids=["cnn", "gru"])
def test_every_start_and_random_settings_build_also_for_two_columns(rung: Any) -> None:
    space = rung.space(profile())
    generator = np.random.default_rng(0)
    points = [space.start(number) for number in range(len(space.starts))] + [space.sample(generator) for _ in range(3)]
    shapes = {**SHAPES, "tokens_2": (8, "int32", 30)}
    for settings in points:
        assert rung.build(shapes, PROBLEM, settings).output_shape == (None, 3)


def test_they_refuse_with_a_sentence_what_they_cannot_serve() -> None:
    for rung in (cnn, gru):
        assert rung.fits(profile()) is None
        assert "texts" in str(rung.fits(profile(rows=100)))
        assert rung.reason(profile())
    assert "word by word" in str(gru.fits(profile(words=700.0)))
    assert cnn.fits(profile(words=700.0)) is None
