"""The MLP rung: one net, trained for one epoch and exported once, serves all laws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.core.architecture import Problem, Training
from automl.core.profile import ColumnProfile, Kind, Profile
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.modalities.tabular.ladder import mlp
from automl.training.learner import NetFitted, load_net

SHAPES = {"numeric": (3, "float32", None), "categorical": (3, "int32", (3, 6, 30))}
PROBLEM = Problem(Task.MULTICLASS, 3, "log_loss", jobs=2)


def column(name: str, kind: Kind, unique: int = 100) -> ColumnProfile:
    return ColumnProfile(name, kind, "made up", {"as": "number"}, "float32", unique=unique)


def profile(rows: int = 1_000, columns: tuple[ColumnProfile, ...] | None = None) -> Profile:
    columns = columns if columns is not None else (column("a", Kind.NUMBER), column("b", Kind.CATEGORY, 29))
    return Profile(
        "tabular", "", Task.MULTICLASS, "", "y", "", {}, rows, columns, classes=("p", "q", "r"), class_counts=(rows - 20, 10, 10)
    )


def rows(count: int, seed: int = 0) -> Training:
    generator = np.random.default_rng(seed)
    numeric = generator.normal(size=(count, 3)).astype(np.float32)
    categorical = generator.integers(0, (3, 6, 30), size=(count, 3)).astype(np.int32)
    target = ((numeric[:, 0] > 0).astype(np.int64) + (categorical[:, 2] > 15)).astype(np.int64)
    return Training({"numeric": numeric, "categorical": categorical}, target, None, SHAPES)


@pytest.fixture(scope="module")
def trained() -> tuple[NetFitted, NetFitted]:
    """The default net before and after one epoch."""
    learner = mlp.learner()
    settings = {
        **mlp.space(profile()).default(),
        "width": 32,
        "batch_size": 16,
        "epochs": 1,
        "learning_rate": 1e-2,
        "dropout": 0.1,
        "jit": False,
    }
    before, after = (learner.fit(rows(300), PROBLEM, settings, epochs, 0) for epochs in (0, 1))
    assert isinstance(before, NetFitted)
    assert isinstance(after, NetFitted)
    return before, after


@pytest.fixture(scope="module")
def graph(trained: tuple[NetFitted, NetFitted]) -> Any:
    builder = GraphBuilder()
    numeric = builder.input("numbers", "float32", 3)
    codes = builder.input("codes", "int32", 3)
    output = trained[1].graph(builder, {"numeric": numeric, "categorical": codes})
    builder.output(output, "probabilities", "float32", ("batch", 3))
    return builder.build()


def log_loss(fitted: NetFitted, training: Training) -> float:
    probabilities = fitted.predict(training.inputs)
    return float(-np.log(probabilities[np.arange(len(training.target)), training.target]).mean())


def test_the_loss_falls_in_one_epoch(trained: tuple[NetFitted, NetFitted]) -> None:
    before, after = trained
    assert log_loss(before, rows(300)) == pytest.approx(np.log(3), abs=0.01)
    assert log_loss(after, rows(300)) < 0.95 * np.log(3)


def test_probabilities_sum_to_one(trained: tuple[NetFitted, NetFitted]) -> None:
    probabilities = trained[1].predict(rows(50, 1).inputs)
    assert probabilities.shape == (50, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)


def test_onnx_agrees_on_unseen_rows_and_edges(trained: tuple[NetFitted, NetFitted], graph: Any) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    unseen = rows(200, 2).inputs
    unseen["numeric"][0], unseen["categorical"][0] = 0.0, 0
    unseen["numeric"][1] = (3.0, -3.0, 3.0)
    unseen["categorical"][2] = (2, 5, 999)
    (found,) = session.run(None, {"numbers": unseen["numeric"], "codes": unseen["categorical"]})
    np.testing.assert_allclose(found, trained[1].predict(unseen), atol=1e-5)


def test_a_saved_net_predicts_the_same(trained: tuple[NetFitted, NetFitted], tmp_path: Path) -> None:
    trained[1].save(tmp_path)
    unseen = rows(40, 3).inputs
    loaded, kept = (np.asarray(net(unseen, training=False)) for net in (load_net(tmp_path), trained[1].net))
    np.testing.assert_allclose(loaded, kept, atol=1e-6)


def test_the_estimate_of_size_and_work_is_within_a_factor_of_two(graph: Any) -> None:
    columns = tuple(column(f"n{each}", Kind.NUMBER) for each in range(3))
    categories = tuple(column(f"c{each}", Kind.CATEGORY, levels) for each, levels in enumerate((2, 5, 29)))
    settings = {**mlp.space(profile()).default(), "width": 256}
    estimate = mlp.cost(profile(300, columns + categories), settings)
    net = mlp.build(SHAPES, PROBLEM, settings)
    size = 4 * sum(int(np.prod(weight.shape)) for weight in net.get_weights())
    assert size / 2 < estimate.size_bytes < size * 2
    kernels = 2 * sum(int(np.prod(weight.shape)) for weight in net.get_weights() if weight.ndim == 2)
    assert kernels / 2 < estimate.flops_a_row < kernels * 2
    assert estimate.seconds > 0


@pytest.mark.parametrize("block", ["numeric", "categorical"])
def test_it_builds_from_either_block_alone(block: str) -> None:
    net = mlp.build({block: SHAPES[block]}, PROBLEM, mlp.space(profile()).default())
    assert [each.name for each in net.inputs] == [block]
    assert net.output_shape == (None, 3)


def test_every_start_and_random_settings_build() -> None:
    space = mlp.space(profile())
    generator = np.random.default_rng(0)
    points = [space.start(number) for number in range(len(space.starts))] + [space.sample(generator) for _ in range(5)]
    for settings in points:
        assert mlp.build(SHAPES, PROBLEM, settings).output_shape == (None, 3)


def test_it_refuses_with_a_sentence_what_it_cannot_serve() -> None:
    assert mlp.fits(profile()) is None
    assert "200 rows" in str(mlp.fits(profile(rows=150)))
    wide = tuple(column(f"n{each}", Kind.NUMBER) for each in range(3_500))
    assert "3,500 columns" in str(mlp.fits(profile(columns=wide)))
    assert "no feature" in str(mlp.fits(profile(columns=())))
    assert "embeddings" in mlp.reason(profile())
    numbers = replace(profile(), columns=(column("a", Kind.NUMBER),))
    assert "embeddings" not in mlp.reason(numbers)
