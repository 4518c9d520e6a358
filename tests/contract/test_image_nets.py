"""The rungs for images: one net each, trained for two epochs and exported once, serves all laws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.core.architecture import Architecture, Fold, Problem, Training
from automl.core.clock import Deadline
from automl.core.profile import ColumnProfile, Kind, Profile
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.modalities.image.ladder import cnn, residual
from automl.training.learner import NetFitted, load_net
from automl.training.rows import drawn_evenly

SHAPE = (12, 12, 1)
PROBLEM = Problem(Task.MULTICLASS, 3, "log_loss", jobs=2)
RUNGS = pytest.mark.parametrize("rung", [cnn.ARCHITECTURE, residual.ARCHITECTURE], ids=lambda each: each.name)


def profile(rows: int = 300, shape: tuple[int, int, int] = SHAPE, columns: int = 1) -> Profile:
    height, width, channels = shape
    parse = {"as": "image", "height": height, "width": width, "channels": channels}
    images = tuple(ColumnProfile(f"image{number}", Kind.IMAGE, "made up", parse, "uint8") for number in range(columns))
    return Profile(
        "image", "", Task.MULTICLASS, "", "y", "", {}, rows, images, classes=("p", "q", "r"), class_counts=(rows - 20, 10, 10)
    )


def rows(count: int, seed: int = 0, columns: int = 1) -> Training:
    """Bright squares in the upper left, the middle, or nowhere."""
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 3, count)
    images = generator.integers(0, 60, (count, *SHAPE)).astype(np.uint8)
    images[target == 1, 1:5, 1:5] += 150
    images[target == 2, 5:9, 5:9] += 150
    names = [f"image_{number}" for number in range(columns)]
    return Training(dict.fromkeys(names, images), target, None, {name: (SHAPE, "uint8", None) for name in names})


SETTINGS: dict[str, Any] = {"filters": 4, "units": 16, "batch_size": 16, "epochs": 2, "augment": 0.5, "learning_rate": 1e-2}


@pytest.fixture(scope="module", params=[cnn.ARCHITECTURE, residual.ARCHITECTURE], ids=lambda each: each.name)
def trained(request: pytest.FixtureRequest) -> tuple[NetFitted, NetFitted, NetFitted]:
    """A net before and after two epochs, and once more."""
    rung: Architecture = request.param
    settings = {**rung.space(profile()).default(), **SETTINGS}
    learner = rung.learner()
    fitted = [learner.fit(rows(240), PROBLEM, settings, epochs, 0) for epochs in (0, 2, 2)]
    return fitted[0], fitted[1], fitted[2]


def log_loss(fitted: NetFitted) -> float:
    unseen = rows(200, 1)
    return float(-np.log(fitted.predict(unseen.inputs)[np.arange(200), unseen.target]).mean())


def test_the_loss_falls(trained: tuple[NetFitted, NetFitted, NetFitted]) -> None:
    assert log_loss(trained[0]) == pytest.approx(np.log(3), abs=0.01)
    assert log_loss(trained[1]) < 0.8 * np.log(3)


def test_the_same_seed_gives_the_same_weights(trained: tuple[NetFitted, NetFitted, NetFitted]) -> None:
    for one, other in zip(trained[1].net.get_weights(), trained[2].net.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_saved_and_exported_nets_predict_the_same(trained: tuple[NetFitted, NetFitted, NetFitted], tmp_path: Path) -> None:
    import onnxruntime

    fitted, unseen = trained[1], rows(50, 2)
    wanted = fitted.predict(unseen.inputs)
    fitted.save(tmp_path)
    logits = np.asarray(load_net(tmp_path)({"image_0": unseen.inputs["image_0"]}, training=False))
    again = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(again, wanted, atol=1e-5)
    builder = GraphBuilder()
    tensor = builder.input("image", "uint8", SHAPE)
    builder.output(fitted.graph(builder, {"image_0": tensor}), "probabilities", "float32", ("batch", 3))
    session = onnxruntime.InferenceSession(builder.build().SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": unseen.inputs["image_0"]})
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@RUNGS
@pytest.mark.parametrize("shape", [(8, 8, 1), (12, 12, 1), (28, 28, 1), (40, 64, 3), (64, 64, 3)])
def test_weights_and_multiplications_are_as_estimated(rung: Architecture, shape: tuple[int, int, int]) -> None:
    import keras

    known = profile(shape=shape)
    settings = rung.space(known).default()
    build = {"cnn": cnn.build, "residual": residual.build}[rung.name]
    net = build({"image_0": (shape, "uint8", None)}, PROBLEM, settings)
    work = 0
    for layer in net.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            places = np.prod(layer.output.shape[1:-1]) if isinstance(layer, keras.layers.Conv2D) else 1
            work += int(places * np.prod(layer.kernel.shape))
    estimate = rung.cost(known, settings)
    assert estimate.flops_a_row / 2 == pytest.approx(work, rel=0.1)
    assert 0.5 < estimate.size_bytes / (4 * net.count_params()) < 2


@RUNGS
def test_every_setting_of_the_space_builds(rung: Architecture) -> None:
    generator = np.random.default_rng(0)
    build = {"cnn": cnn.build, "residual": residual.build}[rung.name]
    for _ in range(3):
        net = build({"image_0": (SHAPE, "uint8", None)}, PROBLEM, rung.space(profile()).sample(generator))
        assert net.output_shape == (None, 3)


def test_several_images_a_row_have_a_trunk_each() -> None:
    fitted = cnn.learner().fit(rows(64, columns=2), PROBLEM, {**SETTINGS, "mirrored": "none"}, 1, 0)
    assert sorted(each.name for each in fitted.net.inputs) == ["image_0", "image_1"]
    assert fitted.predict(rows(10, 1, 2).inputs).shape == (10, 3)


def test_what_was_measured_is_told_and_used_again() -> None:
    learner = cnn.learner()
    fold = Fold(rows(200), rows(60, 1))
    result = learner.fit_folds([fold], PROBLEM, SETTINGS, 0, Deadline(None))
    assert result.settings is not None
    assert result.settings["mirrored"] in ("none", "flip_horizontal", "flip_vertical", "flip_horizontal+flip_vertical")
    assert result.settings["photos"] is False
    assert result.predictions[0].shape == (60, 3)


def test_a_short_deadline_gives_a_short_schedule() -> None:
    learner = cnn.learner()
    fold = Fold(rows(800), rows(100, 1))
    settings = {**SETTINGS, "epochs": 5_000}
    result = learner.fit_folds([fold], PROBLEM, settings, 0, Deadline(20))
    assert result.settings is not None
    assert 2 <= result.settings["epochs"] < 5_000


def test_rare_classes_are_drawn_as_often_as_others() -> None:
    codes = np.repeat([0, 1, 2], [90, 9, 1])
    order = drawn_evenly(codes, np.random.default_rng(0))
    assert len(order) == 100
    assert np.bincount(codes[order]).min() >= 32


@RUNGS
def test_few_images_are_refused_and_imbalance_widens_the_space(rung: Architecture) -> None:
    assert "60 images" in str(rung.fits(profile(40)))
    assert rung.fits(profile(100)) is None
    assert {"class_weight", "sampling", "loss", "label_smoothing"} <= set(rung.space(profile()).dimensions)
