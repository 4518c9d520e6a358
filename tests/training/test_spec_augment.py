"""SpecAugment by a seed, and GRU layers as ONNX's own operator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.training.backend import tensorflow
from automl.training.export import export
from automl.training.trunks.audio import augmented_arrays

FRAMES, BANDS = 60, 40


def augment(seed: tuple[int, int] | None, values: Any, **arguments: Any) -> Any:
    tf = tensorflow()
    from automl.training.spec_augment import SpecAugment

    layer = SpecAugment(**arguments)
    layer.seed = None if seed is None else tf.constant(seed, tf.int32)
    return np.asarray(layer(tf.constant(values), training=True))


def test_the_seed_alone_decides() -> None:
    x = np.random.default_rng(0).normal(size=(8, FRAMES, BANDS)).astype(np.float32)
    first, same, other = (augment(seed, x) for seed in ((-1, 3), (-1, 3), (-1, 4)))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
    assert (first != x).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(augment(None, x), x)


def test_predicting_changes_nothing() -> None:
    tf = tensorflow()
    from automl.training.spec_augment import SpecAugment

    layer = SpecAugment.from_config(SpecAugment(time_fraction=0.4, masks=3).get_config())
    assert (layer.time_fraction, layer.masks) == (0.4, 3)
    layer.seed = tf.constant((1, 2), tf.int32)
    x = np.ones((2, FRAMES, BANDS), np.float32)
    np.testing.assert_array_equal(np.asarray(layer(tf.constant(x), training=False)), x)


@pytest.mark.parametrize(("axis", "name"), [(1, "time_fraction"), (2, "band_fraction")])
def test_masks_are_stretches_of_at_most_the_fraction(axis: int, name: str) -> None:
    fractions = {"time_fraction": 0.0, "band_fraction": 0.0, name: 0.25}
    hidden = augment((5, 6), np.ones((400, FRAMES, BANDS), np.float32), masks=1, shift_fraction=0.0, gain=0.0, **fractions) == 0
    assert (hidden.all(axis=3 - axis) == hidden.any(axis=3 - axis)).all()
    lines = hidden.any(axis=3 - axis)  # (rows, places)
    size = lines.shape[1]
    assert lines.sum(axis=1).max() <= round(0.25 * size)
    assert lines.any(axis=0).all()
    assert (np.abs(np.diff(lines.astype(int), axis=1)).sum(axis=1) <= 2).all()
    assert lines.mean() == pytest.approx(0.125, abs=0.03)


def test_the_sheet_of_the_report_hides_as_much_as_the_layer() -> None:
    x = np.ones((400, FRAMES, BANDS), np.float32)
    arguments = {"time_fraction": 0.15, "band_fraction": 0.15, "masks": 2, "shift_fraction": 0.08, "gain": 0.2}
    layer = augment((1, 1), x, **arguments)
    arrays = augmented_arrays(x, {"augment": 1.0}, np.random.default_rng(0))
    assert (arrays == 0).mean() == pytest.approx((layer == 0).mean(), abs=0.03)
    assert arrays.max() == pytest.approx(layer.max(), abs=0.02)
    assert augmented_arrays(x, {"augment": 0.0}, np.random.default_rng(0)) is x


def nets() -> dict[str, Any]:
    """Nets with GRU layers that the operator can stand for."""
    tensorflow()
    import keras

    layers = keras.layers

    def net(body: Any) -> Any:
        keras.utils.set_random_seed(0)
        sound = keras.Input((12, 5), name="sound")
        x = body(sound)
        x = layers.GlobalAveragePooling1D()(x) if len(x.shape) == 3 else x
        return keras.Model({"sound": sound}, layers.Dense(3, name="logits")(x))

    return {
        "one": net(layers.GRU(4, return_sequences=True)),
        "both": net(layers.Bidirectional(layers.GRU(4, return_sequences=True))),
        "last": net(layers.GRU(4)),
        "last of both": net(layers.Bidirectional(layers.GRU(4))),
        "two": net(lambda x: layers.GRU(3, return_sequences=True)(layers.Bidirectional(layers.GRU(4, return_sequences=True))(x))),
    }


@pytest.mark.parametrize("name", ["one", "both", "last", "last of both", "two"])
def test_a_gru_is_exported_without_a_loop(name: str) -> None:
    net = nets()[name]
    generator = np.random.default_rng(0)
    net.set_weights([generator.normal(0, 0.5, weight.shape) for weight in net.get_weights()])
    before = net.get_weights()
    model = export(net, {"sound": generator.normal(size=(7, 12, 5)).astype(np.float32)}, 1e-5)
    operators = [node.op_type for node in model.graph.node]
    assert "Loop" not in operators
    assert operators.count("GRU") == (2 if name == "two" else 1)
    assert all((old == new).all() for old, new in zip(before, net.get_weights(), strict=True))


def test_a_gru_that_the_operator_cannot_stand_for_stays() -> None:
    tensorflow()
    import keras

    from automl.training.recurrent import with_native_gru

    layers = keras.layers
    sound = keras.Input((12, 5), name="sound")
    for body in (
        lambda x: layers.GRU(4)(layers.Masking()(x)),
        layers.GRU(4, activation="relu"),
        layers.GRU(4, reset_after=False),
        layers.GRU(4, go_backwards=True),
        layers.Bidirectional(layers.GRU(4), merge_mode="sum"),
        layers.LSTM(4),
    ):
        net = keras.Model({"sound": sound}, body(sound))
        assert with_native_gru(net) is net
