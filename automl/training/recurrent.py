"""GRU layers as ONNX's own GRU operator: tf2onnx makes a loop of them that is ten times slower."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from automl.training.backend import tensorflow

Array = np.ndarray[Any, Any]
PLACEHOLDER = "PyFuncStateless"
"""The TensorFlow operation that stands for a GRU while tf2onnx looks at the graph."""


def with_native_gru(net: Any) -> Any:
    """A copy of a net for export only, in which plain GRU layers are placeholders that tf2onnx gives to `HANDLERS`.

    Plain are those without masks, states handed on and other activations than the usual; others stay as they are, and
    a net without any comes back itself.
    """
    found = {layer.name: parts for layer in net.layers if (parts := _plain(layer)) is not None}
    if not found:
        return net
    tensorflow()
    import keras

    def clone(layer: Any) -> Any:
        if layer.name in found:
            return _placeholder()(found[layer.name], layer.name)
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(net, clone_function=clone)
    for layer in net.layers:
        if layer.name not in found:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def _plain(layer: Any) -> list[Any] | None:
    """The GRU layers, one a direction, that the operator can stand for; None where it cannot."""
    parts = [layer]
    if type(layer).__name__ == "Bidirectional" and layer.merge_mode == "concat":
        parts = [layer.forward_layer, layer.backward_layer]
    for number, part in enumerate(parts):
        if type(part).__name__ != "GRU":
            return None
        config = part.get_config()
        usual = config["activation"] == "tanh" and config["recurrent_activation"] == "sigmoid"
        other = config["return_state"] or config["stateful"] or config["go_backwards"] != (number == 1)
        if not usual or not config["reset_after"] or not config["use_bias"] or other:
            return None
    for node in layer._inbound_nodes:
        given = node.arguments.kwargs
        masked = any(getattr(tensor, "_keras_mask", None) is not None for tensor in node.input_tensors)
        if masked or any(given.get(name) is not None for name in ("mask", "initial_state")):
            return None
    return parts


@cache
def _placeholder() -> Any:
    import keras
    import tensorflow as tf

    class NativeGRU(keras.layers.Layer):
        """Input shape: (batch, time, features). Output shape: (batch, time, directions * units), without time for last states."""

        def __init__(self, parts: list[Any], name: str) -> None:
            super().__init__(name=name)
            self.constants, self.width = _operator_weights(parts), sum(int(part.units) for part in parts)
            self.every_step = bool(parts[0].return_sequences)

        def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None) -> Any:
            tensors = [sequences, *map(tf.constant, self.constants), tf.constant(self.every_step)]
            found = tf.numpy_function(_never_run, tensors, tf.float32, stateful=False)
            # The optimizer of the graph forgets a shape that was only stated; a reshape it keeps.
            steps = [sequences.shape[1] or tf.shape(sequences)[1]] if self.every_step else []
            return tf.reshape(found, (-1, *steps, self.width))

        def compute_output_spec(self, sequences: Any, *others: Any, **named: Any) -> Any:
            steps = sequences.shape[1:2] if self.every_step else ()
            return keras.KerasTensor((sequences.shape[0], *steps, self.width), dtype="float32")

    return NativeGRU


def _never_run(*inputs: Array) -> Array:
    raise AssertionError("a placeholder for export was run")


def _operator_weights(parts: list[Any]) -> list[Array]:
    """W (directions, 3 units, features), R (directions, 3 units, units) and B (directions, 6 units); gates z, r, h in both."""
    kernels, recurrent, biases = zip(*(part.get_weights() for part in parts), strict=True)
    return [
        np.stack([kernel.T for kernel in kernels]),
        np.stack([kernel.T for kernel in recurrent]),
        np.stack([bias.reshape(-1) for bias in biases]),
    ]


def _handler(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Replace a placeholder in tf2onnx's graph."""
    inputs, output, dtypes = list(node.input), node.output[0], node.output_dtypes
    directions, units = context.get_tensor_value(inputs[2], as_list=False).shape[::2]
    every_step = bool(context.get_tensor_value(inputs[4], as_list=False))
    context.remove_node(node.name)
    time_first = context.make_node("Transpose", inputs[:1], attr={"perm": [1, 0, 2]})
    attributes = {
        "hidden_size": int(units),
        "linear_before_reset": 1,
        "direction": "bidirectional" if directions == 2 else "forward",
    }
    states = context.make_node("GRU", [time_first.output[0], *inputs[1:4]], attr=attributes, output_count=2)
    # Of every step (time, directions, batch, units), of the last one (directions, batch, units): the batch comes first.
    order = {"perm": [2, 0, 1, 3] if every_step else [1, 0, 2]}
    source = [states.output[0 if every_step else 1]]
    context.make_node("Transpose", source, attr=order, outputs=[output], shapes=[None], dtypes=dtypes)


HANDLERS: dict[str, Any] = {PLACEHOLDER: (_handler, [])}
