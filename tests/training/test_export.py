"""Nets of several kinds as ONNX: the same outputs, plain names, nothing superfluous."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.core.errors import ParityError
from automl.training.backend import tensorflow
from automl.training.export import check_parity, export


@pytest.fixture(scope="module")
def keras() -> Any:
    tensorflow(2)
    import keras

    keras.utils.set_random_seed(0)
    return keras


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    return {"numeric": np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)}


def net(keras: Any, activation: str) -> Any:
    inputs = keras.Input((5,), name="numeric")
    x = keras.layers.BatchNormalization()(keras.layers.Dense(8)(inputs))
    x = keras.layers.LayerNormalization()(keras.layers.Activation(activation)(x))
    return keras.Model({"numeric": inputs}, keras.layers.Dense(3)(keras.layers.Dropout(0.5)(x)))


@pytest.mark.parametrize("activation", ["gelu", "selu", "mish"])
def test_outputs_agree_on_unseen_rows(keras: Any, sample: dict[str, Any], activation: str) -> None:
    made = net(keras, activation)
    model = export(made, sample)
    assert [value.name for value in model.graph.input] == ["numeric"]
    assert [value.name for value in model.graph.output] == ["output"]
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"
    unseen = {"numeric": (10 * np.random.default_rng(1).normal(size=(33, 5))).astype(np.float32)}
    assert check_parity(model, made, unseen) < 1e-4


def test_constants_that_a_net_closes_over_are_no_inputs(keras: Any, sample: dict[str, Any]) -> None:
    normalization = keras.layers.Normalization()
    normalization.adapt(sample["numeric"])
    inputs = keras.Input((5,), name="numeric")
    model = export(keras.Model({"numeric": inputs}, keras.layers.Dense(2)(normalization(inputs))), sample)
    assert [value.name for value in model.graph.input] == ["numeric"]
    used = {name for node in model.graph.node for name in node.input}
    assert {initializer.name for initializer in model.graph.initializer} <= used


def test_a_graph_that_computes_something_else_is_refused(keras: Any, sample: dict[str, Any]) -> None:
    made = net(keras, "relu")
    model = export(made, sample)
    made.set_weights([1.1 * weight for weight in made.get_weights()])
    with pytest.raises(ParityError, match="differs"):
        check_parity(model, made, sample)


def test_an_operation_without_an_onnx_form_is_refused(keras: Any, sample: dict[str, Any]) -> None:
    tf = tensorflow()

    class Odd(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, inputs: Any) -> Any:
            return tf.math.bessel_i1e(inputs)

    inputs = keras.Input((5,), name="numeric")
    with pytest.raises(ParityError, match="ONNX"):
        export(keras.Model({"numeric": inputs}, Odd()(inputs)), sample)
