"""Turns a Keras net into an ONNX model, and proves on sample rows that it computes the same."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from automl.core.architecture import Arrays
from automl.core.errors import ParityError
from automl.training.backend import tensorflow

Array = np.ndarray[Any, Any]
OPSET = 18
TOLERANCE = 1e-4
OUTPUT = "output"


def export(net: Any, sample: Arrays, tolerance: float = TOLERANCE) -> Any:
    """The net as a checked onnx.ModelProto, opset 18.

    net: a Keras model whose input is a dict of tensors and whose output is one tensor (batch, outputs).
    sample: {input name: (rows, ...)} rows on which onnxruntime and Keras are compared.
    Inputs keep their names and have a free first dimension called batch; the output is called "output".

    Raises ParityError where an operation has no ONNX form or the outputs differ by more than `tolerance`
    relative to the larger of 1 and their size.
    """
    model = _convert(net, sample)
    check_parity(model, net, sample, tolerance)
    return model


def check_parity(model: Any, net: Any, sample: Arrays, tolerance: float = TOLERANCE) -> float:
    """The largest difference between onnxruntime and Keras; raises ParityError where it is beyond the tolerance."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {name: np.asarray(values) for name, values in sample.items()})
    tf = tensorflow()
    expected = np.asarray(net({name: tf.constant(values) for name, values in sample.items()}, training=False))
    difference = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
    worst = float(difference.max(initial=0.0))
    if found.shape != expected.shape or not worst <= tolerance:
        raise ParityError(f"the exported net differs from the trained one by {worst:.2g}, more than {tolerance:.0e}")
    return worst


def _convert(net: Any, sample: Arrays) -> Any:
    tf = tensorflow()
    with _quiet():
        import tf2onnx

        _register_erfc()
        names = sorted(sample)
        signature = [tf.TensorSpec((None, *sample[name].shape[1:]), sample[name].dtype, name=name) for name in names]

        @tf.function(input_signature=signature, autograph=False)
        def call(*tensors: Any) -> Any:
            inputs = dict(zip(names, tensors, strict=True))
            return tf.identity(net(inputs, training=False), name=OUTPUT)

        model, _ = tf2onnx.convert.from_function(call, input_signature=signature, opset=OPSET)
        captures = _captured_constants(call.get_concrete_function())
    _captures_to_initializers(model, captures)
    _rename(model, names)
    _drop_unused(model)
    return _checked(model)


@contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx logs what the check and the comparison afterwards find more reliably; its imports warn of old APIs."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@cache
def _register_erfc() -> None:
    """tf2onnx has no handler for Erfc, which Keras' exact GELU uses: 1 - Erf."""
    from tf2onnx.handler import tf_op

    class Erfc:
        @classmethod
        def version_9(cls, ctx: Any, node: Any, **kwargs: Any) -> None:
            inputs, outputs, shapes, dtypes = node.input[:], node.output[:], node.output_shapes, node.output_dtypes
            ctx.remove_node(node.name)
            erf = ctx.make_node("Erf", inputs)
            one = ctx.make_const(f"{node.name}_one", np.asarray(1.0, np.float32))
            ctx.make_node("Sub", [one.output[0], erf.output[0]], outputs=outputs, shapes=shapes, dtypes=dtypes)

    tf_op("Erfc")(Erfc)


def _captured_constants(function: Any) -> dict[str, Array]:
    """Eager tensors that the function closed over; tf2onnx makes graph inputs of them."""
    tf = tensorflow()
    return {inner.name: outer.numpy() for outer, inner in function.graph.captures if outer.dtype != tf.resource}


def _captures_to_initializers(model: Any, captures: dict[str, Array]) -> None:
    from onnx import numpy_helper

    kept = [value for value in model.graph.input if value.name not in captures]
    found = [value.name for value in model.graph.input if value.name in captures]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    model.graph.initializer.extend(numpy_helper.from_array(captures[name], name) for name in found)


def _rename(model: Any, names: list[str]) -> None:
    """Plain names for inputs and output, and a first dimension called batch."""
    graph = model.graph
    mapping = {f"{name}:0": name for name in names} | {graph.output[0].name: OUTPUT}
    for node in graph.node:
        node.input[:] = [mapping.get(name, name) for name in node.input]
        node.output[:] = [mapping.get(name, name) for name in node.output]
    for value in [*graph.input, *graph.output]:
        value.name = mapping.get(value.name, value.name)
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.value_info[:]


def _drop_unused(model: Any) -> None:
    used = {name for node in model.graph.node for name in node.input} | {value.name for value in model.graph.output}
    for node in model.graph.node:
        used |= {name for attribute in node.attribute for name in _outer_names(attribute)}
    kept = [initializer for initializer in model.graph.initializer if initializer.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _outer_names(attribute: Any) -> set[str]:
    """Tensors that the bodies of loops and branches may take from outside."""
    graphs = [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
    names = {name for graph in graphs for node in graph.node for name in node.input}
    return names.union(*(_outer_names(inner) for graph in graphs for node in graph.node for inner in node.attribute))


def _checked(model: Any) -> Any:
    """tf2onnx does not raise on an operation it does not know: it writes an invalid model."""
    from onnx import checker, shape_inference

    try:
        checker.check_model(model, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError) as error:
        raise ParityError(f"the net cannot be written as ONNX: {error}") from error
    return model
