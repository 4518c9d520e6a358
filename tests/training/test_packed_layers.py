"""How the layers of packed nets start, and what they compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.training.backend import tensorflow

tensorflow(2)
import keras  # noqa: E402

from automl.training.packed import layers  # noqa: E402

Array = np.ndarray[Any, Any]
SEEDS = (3, 4)


def started(layer: Any, values: Array) -> tuple[Any, Array]:
    """The net of one layer, started on these rows (nets, rows, columns), and what it makes of them."""
    inputs = keras.Input((None, values.shape[-1]), name="numeric", dtype=str(values.dtype))
    net = keras.Model({"numeric": inputs}, layer(inputs))
    layers.start_nets(net, {"numeric": values}, SEEDS)
    return net, np.asarray(net({"numeric": values}))


@pytest.fixture
def values() -> Array:
    return np.random.default_rng(0).normal(2.0, 3.0, (2, 500, 5)).astype(np.float32)


def test_a_dense_layer_starts_with_unit_deviation_and_its_zeros_inside_the_data(values: Array) -> None:
    _, outputs = started(layers.PackedDense(2, 40), values)
    np.testing.assert_allclose(outputs.std(axis=1), 1.0, atol=1e-4)
    assert (outputs.min(axis=1) < 0.0).all()
    assert (outputs.max(axis=1) > 0.0).all()


def test_every_net_starts_by_its_own_seed_and_rows(values: Array) -> None:
    same = np.stack([values[0], values[0]])
    for layer in (layers.PackedDense(2, 8), layers.PackedPeriodic(2), layers.PackedMembers(2, 3, [2, 3])):
        net, _ = started(layer, same)
        assert all(np.abs(weight[0] - weight[1]).max() > 0 for weight in net.get_weights())


def test_the_layers_behind_the_members_start_from_as_many_rows_as_those_before(values: Array) -> None:
    seen: dict[str, int] = {}

    class Counting(layers.PackedDense):
        def start(self, inputs: Any) -> None:
            seen[self.name] = inputs.shape[1]
            super().start(inputs)

    inputs = keras.Input((None, 5), name="numeric")
    dense = Counting(2, 7, name="before")(inputs)
    net = keras.Model({"numeric": inputs}, Counting(2, 4, name="behind")(layers.PackedMembers(2, 16, [3, 4])(dense)))
    layers.start_nets(net, {"numeric": values}, SEEDS)
    assert seen == {"before": 500, "behind": 512}, "the rows of 16 members would take 16 times the memory"
    assert np.asarray(net({"numeric": values})).shape == (2, 8000, 4)


def test_the_pieces_of_a_number_put_it_together_again(values: Array) -> None:
    """Each piece times the width of its bin, added to the lowest edge, is the number, beyond the edges as well."""
    layer = layers.PackedPiecewiseLinear(2, bins=6, width=3)
    net, _ = started(layer, values)
    low, factor = (np.asarray(weight) for weight in (layer.low, layer.factor))
    widths = 1.0 / factor
    layer.slope.assign(np.zeros(layer.slope.shape))
    layer.offset.assign(np.repeat(low[:, :, :1], 3, axis=2))
    layer.bending.assign(np.repeat(widths[..., None], 3, axis=3))
    wide = np.concatenate([values, 10 * values], axis=1)
    again = np.asarray(net({"numeric": wide})).reshape(2, -1, 5, 3)[..., 1]
    np.testing.assert_allclose(again, wide, rtol=1e-3, atol=1e-3)


def test_equal_quantiles_are_one_edge_and_a_constant_has_no_piece() -> None:
    generator = np.random.default_rng(1)
    columns = [np.full(200, 7.0), generator.integers(0, 2, 200), generator.normal(size=200)]
    layer = layers.PackedPiecewiseLinear(1, bins=8, width=2)
    inputs = np.stack(columns, axis=1)[None].astype(np.float32)
    keras_input = keras.Input((None, 3), name="numeric")
    layers.start_nets(keras.Model({"numeric": keras_input}, layer(keras_input)), {"numeric": inputs}, (0,))
    assert (np.asarray(layer.factor)[0] > 0).sum(axis=1).tolist() == [0, 1, 8]


def test_the_robust_scale_centres_and_bounds(values: Array) -> None:
    _, outputs = started(layers.PackedRobustScale(2), values)
    np.testing.assert_allclose(np.median(outputs, axis=1), 0.0, atol=1e-3)
    assert np.abs(outputs).max() < 3.0
    _, flags = started(layers.PackedRobustScale(2), (values > 6).astype(np.float32))
    assert flags.max() == pytest.approx(2 / np.sqrt(1 + 4 / 9))


def test_embeddings_of_unknown_codes_are_that_of_code_zero() -> None:
    codes = np.array([[[1, 0], [2, 5], [9, 99]]] * 2, np.int32)
    _, outputs = started(layers.PackedEmbedding(2, [0, 1], [3, 6], 4), codes)
    assert outputs.shape == (2, 3, 8)
    np.testing.assert_array_equal(outputs[:, 2, 4:], outputs[:, 0, 4:])
    assert np.abs(outputs[0] - outputs[1]).max() > 0


def test_a_pack_as_one_net_says_the_mean_probability() -> None:
    logits = np.random.default_rng(2).normal(size=(3, 7, 4, 2)).astype(np.float32)
    exponents = np.exp(logits)
    expected = (exponents / exponents.sum(axis=-1, keepdims=True)).mean(axis=(0, 2))
    np.testing.assert_allclose(np.exp(np.asarray(layers.MeanOfNets()(logits))), expected, rtol=1e-5)
    of_nets = (exponents / exponents.sum(axis=-1, keepdims=True)).mean(axis=2) ** 0.6
    expected = (of_nets / of_nets.sum(axis=-1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(np.exp(np.asarray(layers.MeanOfNets(sharpness=0.6)(logits))), expected, rtol=1e-5)
    bounded = np.asarray(layers.MeanOfNets((-0.1, 0.1))(logits[..., :1]))
    assert bounded.shape == (7, 1)
    assert np.abs(bounded).max() <= np.float32(0.1)
