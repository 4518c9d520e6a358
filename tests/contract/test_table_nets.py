"""The nets of a table: each trained for one epoch and exported once; these two serve all laws."""

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
from automl.modalities.tabular.ladder import mlp, realmlp, tabm
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


SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"width": 32, "learning_rate": 1e-2, "dropout": 0.1},
    "realmlp": {"width": 32, "nets": 2, "schedule": "constant"},
    "tabm": {"width": 32, "members": 4, "bins": 8, "embedding": 4, "learning_rate": 5e-3, "fit_nets": 2},
}
ONE_EPOCH: dict[str, Any] = {"batch_size": 16, "epochs": 1, "jit": False}


@pytest.fixture(scope="module", params=[mlp, realmlp, tabm], ids=lambda module: module.ARCHITECTURE.name)
def rung(request: pytest.FixtureRequest) -> Any:
    """The module of a rung."""
    return request.param


@pytest.fixture(scope="module")
def trained(rung: Any) -> tuple[NetFitted, NetFitted]:
    """The default net before and after one epoch."""
    learner = rung.learner()
    settings = {**rung.space(profile()).default(), **SMALL[rung.ARCHITECTURE.name], **ONE_EPOCH}
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
    before, after = (log_loss(fitted, rows(300)) for fitted in trained)
    assert before < 1.5 * np.log(3)
    assert after < 0.95 * min(before, np.log(3))


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


def test_the_same_net_is_saved_as_the_same_bytes(trained: tuple[NetFitted, NetFitted], tmp_path: Path) -> None:
    contents = []
    for name in ("first", "second"):
        trained[1].save(tmp_path / name)
        contents.append((tmp_path / name / "net.keras").read_bytes())
    assert contents[0] == contents[1]


def test_the_estimate_of_size_and_work_is_within_a_factor_of_two(rung: Any) -> None:
    columns = tuple(column(f"n{each}", Kind.NUMBER) for each in range(3))
    categories = tuple(column(f"c{each}", Kind.CATEGORY, levels) for each, levels in enumerate((2, 5, 29)))
    settings = {**rung.space(profile()).default(), "width": 256}
    estimate = rung.cost(profile(300, columns + categories), settings)
    fitted = rung.learner().fit(rows(300), PROBLEM, {**settings, **ONE_EPOCH}, 0, 0)
    size = sum(weight.nbytes for weight in fitted.net.get_weights())
    assert size / 2 < estimate.size_bytes < size * 2
    shared = [weight for weight in fitted.net.weights if "hidden" in weight.path or weight.path.endswith("kernel")]
    times = [settings.get("members", 1) if "hidden" in weight.path else 1 for weight in shared]
    work = 2 * sum(time * int(np.prod(weight.shape)) for time, weight in zip(times, shared, strict=True))
    assert work / 2 < estimate.flops_a_row < work * 2
    assert estimate.seconds > 0


@pytest.mark.parametrize("block", ["numeric", "categorical"])
def test_it_learns_from_either_block_alone(rung: Any, block: str) -> None:
    settings = {**rung.space(profile()).default(), **SMALL[rung.ARCHITECTURE.name], **ONE_EPOCH}
    both = rows(100)
    alone = Training({block: both.inputs[block]}, both.target, None, {block: SHAPES[block]})
    fitted = rung.learner().fit(alone, PROBLEM, settings, 1, 0)
    assert fitted.predict(alone.inputs).shape == (100, 3)


def test_every_start_and_random_settings_build(rung: Any) -> None:
    space = rung.space(profile())
    generator = np.random.default_rng(0)
    points = [space.start(number) for number in range(len(space.starts))] + [space.sample(generator) for _ in range(3)]
    packed = () if rung is mlp else (2,)
    for settings in points:
        assert rung.build(SHAPES, PROBLEM, settings, *packed).output_shape[-1] == 3


def test_it_refuses_with_a_sentence_what_it_cannot_serve(rung: Any) -> None:
    assert rung.fits(profile()) is None
    assert f"{rung.LEAST_ROWS} rows" in str(rung.fits(profile(rows=150)))
    wide = tuple(column(f"n{each}", Kind.NUMBER) for each in range(3_500))
    assert "columns when encoded" in str(rung.fits(profile(columns=wide)))
    assert "no feature" in str(rung.fits(profile(columns=())))
    assert len(rung.reason(profile())) > 20


def test_embeddings_are_a_reason_where_there_are_categories() -> None:
    assert "embeddings" in mlp.reason(profile())
    numbers = replace(profile(), columns=(column("a", Kind.NUMBER),))
    assert "embeddings" not in mlp.reason(numbers)
