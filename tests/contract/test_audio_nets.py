"""The nets of the ladder for sounds: each is trained for one epoch and exported once, which serves all laws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.core.architecture import Problem, Training
from automl.core.profile import ColumnProfile, Kind, Profile
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.modalities.audio.ladder import cnn, gru, linear, nets
from automl.training.learner import NetFitted, load_net

RATE, SAMPLES = 8000, 2600
PROBLEM = Problem(Task.MULTICLASS, 3, "log_loss", jobs=2)
ARCHITECTURES = {"cnn": cnn.ARCHITECTURE, "gru": gru.ARCHITECTURE}
QUICK: dict[str, Any] = {"filters": 8, "blocks": 3, "units": 8, "augment": 0.0, "dropout": 0.1, "epochs": 1, "batch_size": 8}


def profile(rows: int = 500, task: Task = Task.MULTICLASS, samples: int = SAMPLES) -> Profile:
    column = ColumnProfile(
        "sound", Kind.AUDIO, "made up", {"as": "audio", "rate": RATE, "samples": samples}, "float32", unique=rows
    )
    classes = ("p", "q", "r") if task.is_classification else ()
    counts = (rows - 20, 10, 10) if classes else ()
    return Profile("audio", "", task, "", "y", "", {}, rows, (column,), classes=classes, class_counts=counts)


SHAPE = nets.shape_of(profile())
SHAPES = {"logmel": (SHAPE, "float32", None)}


def rows(count: int, seed: int = 0) -> Training:
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 3, count)
    spectrograms = generator.normal(0, 0.5, (count, *SHAPE))
    for row, code in enumerate(target):
        spectrograms[row, :, 12 * code : 12 * code + 8] += 1.0
    return Training({"logmel": spectrograms.astype(np.float32)}, target.astype(np.int64), None, SHAPES)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def trained(request: Any) -> tuple[str, NetFitted, NetFitted]:
    """A net before and after one epoch."""
    learner = ARCHITECTURES[request.param].learner()
    before, after = (learner.fit(rows(240), PROBLEM, {**QUICK, "augment": 1.0 * epochs}, epochs, 0) for epochs in (0, 1))
    assert isinstance(before, NetFitted)
    assert isinstance(after, NetFitted)
    return request.param, before, after


def log_loss(fitted: NetFitted, training: Training) -> float:
    probabilities = fitted.predict(training.inputs)
    return float(-np.log(probabilities[np.arange(len(training.target)), training.target]).mean())


def test_the_loss_falls_in_one_epoch(trained: tuple[str, NetFitted, NetFitted]) -> None:
    assert log_loss(trained[1], rows(100)) == pytest.approx(np.log(3), abs=0.01)
    assert log_loss(trained[2], rows(100)) < 0.9 * np.log(3)


def test_onnx_agrees_and_has_no_loop(trained: tuple[str, NetFitted, NetFitted]) -> None:
    import onnxruntime

    builder = GraphBuilder()
    tensor = builder.input("sound", "float32", SHAPE)
    builder.output(trained[2].graph(builder, {"logmel": tensor}), "probabilities", "float32", ("batch", 3))
    graph = builder.build()
    assert "Loop" not in {node.op_type for node in graph.graph.node}
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    unseen = rows(40, 2).inputs
    unseen["logmel"][0], unseen["logmel"][1], unseen["logmel"][2] = 0.0, 8.0, -3.0
    (found,) = session.run(None, {"sound": unseen["logmel"]})
    np.testing.assert_allclose(found, trained[2].predict(unseen), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)


def test_save_and_load_give_equal_predictions(trained: tuple[str, NetFitted, NetFitted], tmp_path: Path) -> None:
    trained[2].save(tmp_path)
    inputs = rows(20, 3).inputs
    logits = np.asarray(load_net(tmp_path)(inputs, training=False))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, trained[2].predict(inputs), atol=1e-5)


def test_the_same_seed_gives_the_same_weights(trained: tuple[str, NetFitted, NetFitted]) -> None:
    again = ARCHITECTURES[trained[0]].learner().fit(rows(240), PROBLEM, {**QUICK, "augment": 1.0}, 1, 0)
    assert isinstance(again, NetFitted)
    for first, second in zip(trained[2].net.get_weights(), again.net.get_weights(), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_cost_counts_the_weights_and_more_work_for_longer_sounds(name: str) -> None:
    architecture = ARCHITECTURES[name]
    settings = architecture.space(profile()).default()
    from automl.training.trunks import audio

    size = audio.cnn_size if name == "cnn" else audio.gru_size
    net = (cnn.build if name == "cnn" else gru.build)(SHAPES, PROBLEM, settings)
    counted = size(SHAPE, settings)[0]
    assert counted / 1.5 < net.count_params() < 1.5 * counted + 10_000
    short, long = (architecture.cost(profile(samples=samples), settings) for samples in (SAMPLES, 4 * SAMPLES))
    assert 2 < long.flops_a_row / short.flops_a_row < 6
    assert architecture.cost(profile(2_000), settings).seconds > architecture.cost(profile(1_000), settings).seconds / 2


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.REGRESSION])
@pytest.mark.parametrize("architecture", [*ARCHITECTURES.values(), linear.ARCHITECTURE], ids=lambda each: each.name)
def test_every_space_has_a_default_for_every_task(architecture: Any, task: Task) -> None:
    settings = architecture.space(profile(task=task)).default()
    assert architecture.cost(profile(task=task), settings).seconds > 0
    assert architecture.reason(profile(task=task))
    assert architecture.fits(profile(task=task)) is None


def test_a_net_is_left_out_of_few_clips() -> None:
    assert "needs about 100 clips" in str(nets.fits(profile(60)))
