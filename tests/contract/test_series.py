"""The rungs for series: nets trained for one epoch and exported once, which serve all laws, and what is arranged and seen."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from automl.core.architecture import Problem, Training
from automl.core.profile import ColumnProfile, Kind, Profile
from automl.core.table import Table
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.modalities.series.encoding import ENCODINGS, SeriesTableEncoder, make_encoder
from automl.modalities.series.ladder import baseline, gru, inception, random_convolution
from automl.training.learner import NetFitted, load_net

LENGTH, CHANNELS = 30, 2
PROBLEM = Problem(Task.MULTICLASS, 3, "log_loss", jobs=2)
SMALL: dict[str, Any] = {"filters": 8, "depth": 2, "kernel": 11, "units": 8, "dropout": 0.1, "learning_rate": 1e-2}
QUICK = {"batch_size": 16, "epochs": 1, "jit": False}
NETS = [(inception, {}), (gru, {}), (gru, {"cell": "gru"})]


def profile(rows: int = 300, length: int = LENGTH, channels: int = CHANNELS, task: Task = Task.MULTICLASS) -> Profile:
    parse = {"as": "series", "length": length, "channels": channels}
    column = ColumnProfile("curve", Kind.SERIES, "made up", parse, "float32", unique=rows)
    classes = ("p", "q", "r") if task.is_classification else ()
    counts = (rows - 20, 10, 10) if task.is_classification else ()
    return Profile("series", "", task, "", "y", "", {}, rows, (column,), classes=classes, class_counts=counts)


def table(rows: int, seed: int = 0) -> tuple[Table, Any]:
    """Waves of three shapes, of unequal length and with gaps."""
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 3, rows)
    time = np.arange(LENGTH)
    waves = np.stack([np.sin(time / 2), np.sign(np.sin(time / 2)), np.sin(time / 5)])[target]
    values = np.repeat(waves[:, :, None], CHANNELS, axis=2) + 0.2 * generator.normal(size=(rows, LENGTH, CHANNELS))
    values[generator.random(values.shape) < 0.05] = np.nan
    for row in range(0, rows, 4):
        values[row, generator.integers(LENGTH // 2, LENGTH) :] = np.nan
    return Table({"curve": values.astype(np.float32)}, rows), target


def encoded(encoding: str, rows: int = 300) -> tuple[SeriesTableEncoder, Table, Training]:
    given, target = table(rows)
    whole = np.arange(rows)
    encoder = make_encoder(profile(rows), encoding).fit(given, whole, whole)
    return encoder, given, Training(encoder.transform(given), target, None, encoder.shapes)


@pytest.fixture(scope="module", params=NETS, ids=lambda net: f"{net[0].ARCHITECTURE.name}-{net[1].get('cell', '')}")
def net(request: pytest.FixtureRequest) -> tuple[ModuleType, dict[str, Any], NetFitted, NetFitted, SeriesTableEncoder]:
    """A net before and after one epoch."""
    module, further = request.param
    settings = {**module.space(profile()).default(), **SMALL, **further, **QUICK}
    encoder, _, training = encoded("sequence")
    before, after = (module.learner().fit(training, PROBLEM, settings, epochs, 0) for epochs in (0, 1))
    return module, settings, before, after, encoder


def log_loss(fitted: Any, training: Training) -> float:
    probabilities = fitted.predict(training.inputs)
    return float(-np.log(probabilities[np.arange(len(training.target)), training.target]).mean())


def test_the_loss_falls_in_one_epoch(net: Any) -> None:
    _, _, before, after, _ = net
    training = encoded("sequence")[2]
    assert log_loss(before, training) == pytest.approx(np.log(3), abs=0.01)
    assert log_loss(after, training) < 0.97 * np.log(3)


def awkward() -> Any:
    rows = np.random.default_rng(5).normal(size=(6, LENGTH, CHANNELS)).astype(np.float32)
    rows[0] = np.nan
    rows[1, 1:] = np.nan
    rows[2] = 1e30
    rows[3, :, 1] = np.nan
    rows[4] = 2.0
    return rows


def run(encoder: SeriesTableEncoder, fitted: Any, values: Any) -> Any:
    import onnxruntime

    builder = GraphBuilder()
    builder.output(fitted.graph(builder, encoder.graph(builder)), "probabilities", "float32", ("batch", 3))
    model = builder.build()
    if isinstance(fitted, NetFitted):
        assert not {"Loop", "Scan"} & {node.op_type for node in model.graph.node}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"curve": values})[0]


def test_onnx_agrees_on_unseen_and_awkward_series(net: Any) -> None:
    _, _, _, after, encoder = net
    for values in (np.asarray(table(40, 2)[0].columns["curve"]), awkward()):
        expected = after.predict(encoder.transform(Table({"curve": values}, len(values))))
        np.testing.assert_allclose(run(encoder, after, values), expected, atol=1e-5)
        np.testing.assert_allclose(expected.sum(axis=1), 1.0, atol=1e-5)


def test_a_saved_net_predicts_the_same(net: Any, tmp_path: Path) -> None:
    _, _, _, after, _ = net
    after.save(tmp_path)
    unseen = {"sequence": encoded("sequence", 20)[2].inputs["sequence"]}
    loaded, kept = (np.asarray(each(unseen, training=False)) for each in (load_net(tmp_path), after.net))
    np.testing.assert_allclose(loaded, kept, atol=1e-6)


def test_the_same_seed_gives_the_same_weights(net: Any) -> None:
    module, settings, _, after, _ = net
    again = module.learner().fit(encoded("sequence")[2], PROBLEM, settings, 1, 0)
    for one, other in zip(after.net.get_weights(), again.net.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("module", [inception, gru], ids=["inception", "gru"])
@pytest.mark.parametrize(("length", "channels"), [(1, 1), (7, 2), (150, 1), (700, 3)])
def test_size_and_work_are_estimated_within_a_factor_of_two(module: ModuleType, length: int, channels: int) -> None:
    given = profile(300, length, channels)
    shapes = {"sequence": ((length, channels + 1), "float32", None)}
    for number in range(3):
        settings = module.space(given).start(number)
        built = module.build(shapes, PROBLEM, settings)
        assert built.output_shape == (None, 3)
        size = 4 * sum(int(np.prod(weight.shape)) for weight in built.get_weights())
        assert size / 2 < module.cost(given, settings).size_bytes < 2 * size + 30_000
        assert module.cost(given, settings).seconds > 0


@pytest.mark.parametrize("module", [inception, gru], ids=["inception", "gru"])
def test_every_start_and_random_settings_build(module: ModuleType) -> None:
    space, generator = module.space(profile()), np.random.default_rng(0)
    points = [space.start(number) for number in range(len(space.starts))] + [space.sample(generator) for _ in range(4)]
    if module is gru:
        points.append({**space.default(), "cell": "rnn", "layers": 2})
    for settings in points:
        net = module.build({"sequence": ((LENGTH, CHANNELS + 1), "float32", None)}, PROBLEM, settings)
        assert net.output_shape == (None, 3)


@pytest.mark.parametrize("module", [baseline, random_convolution], ids=["baseline", "random_convolution"])
def test_the_simple_rungs_learn_and_agree_with_their_graph(module: ModuleType) -> None:
    architecture = module.ARCHITECTURE
    encoder, given, training = encoded(architecture.encoding, 120)
    assert {name: block.shape[1:] for name, block in training.inputs.items()} == {
        name: (shape,) if isinstance(shape, int) else shape for name, (shape, _, _) in encoder.shapes.items()
    }
    settings = architecture.space(profile()).default()
    fitted = architecture.learner().fit(training, PROBLEM, settings, 0, 0)
    for values in (np.asarray(given.columns["curve"]), awkward()):
        expected = fitted.predict(encoder.transform(Table({"curve": values}, len(values))))
        np.testing.assert_allclose(run(encoder, fitted, values), expected, atol=2e-5)
    if module is random_convolution:
        unseen, truth = table(100, 3)
        assert (fitted.predict(encoder.transform(unseen)).argmax(axis=1) == truth).mean() > 0.95
    again = SeriesTableEncoder.from_state(encoder.state())
    for name, block in again.transform(given).items():
        np.testing.assert_array_equal(block, training.inputs[name])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encoders_say_what_the_graph_takes(encoding: str) -> None:
    encoder, _, _ = encoded(encoding, 40)
    (feed,) = encoder.feeds["curve"]
    assert feed["shape"] == [LENGTH, CHANNELS]
    assert 1 <= encoder.chunk_rows <= 1024
    assert all(len(encoder.features[name]) for name in encoder.shapes)


def test_rungs_refuse_with_a_sentence_what_they_cannot_serve() -> None:
    assert "40 series" in str(inception.fits(profile(30)))
    assert "100 series" in str(gru.fits(profile(90)))
    for module in (random_convolution, inception, gru):
        assert module.fits(profile()) is None
        assert module.reason(profile())
    few, many = (random_convolution.cost(profile(rows), {}) for rows in (100, 10_000))
    assert 0 < few.seconds < many.seconds
