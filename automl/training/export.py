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
from automl.training.recurrent import HANDLERS, with_native_gru

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

        exported = with_native_gru(net)

        @tf.function(input_signature=signature, autograph=False)
        def call(*tensors: Any) -> Any:
            inputs = dict(zip(names, tensors, strict=True))
            return tf.identity(exported(inputs, training=False), name=OUTPUT)

        model, _ = tf2onnx.convert.from_function(call, input_signature=signature, opset=OPSET, custom_op_handlers=HANDLERS)
        captures = _captured_constants(call.get_concrete_function())
    _captures_to_initializers(model, captures)
    _rename(model, names)
    _drop_unused(model)
    _order_and_name(model)
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


def _order_and_name(model: Any) -> None:
    """Nodes and constants in an order and under names that follow from the net alone; tf2onnx takes both from sets."""
    graph = model.graph
    nodes = list(graph.node)
    made_by = {name: place for place, node in enumerate(nodes) for name in node.output}
    order: list[int] = []
    waiting = [made_by[value.name] for value in reversed(graph.output) if value.name in made_by]
    while waiting:
        unmade = [made_by[name] for name in _read(nodes[waiting[-1]]) if name in made_by and made_by[name] not in order]
        if unmade:
            waiting.append(unmade[0])
        elif (place := waiting.pop()) not in order:
            order.append(place)
    names = {value.name: value.name for value in [*graph.input, *graph.output]} | {"": ""}
    for place in order:
        for name in [*_read(nodes[place]), *nodes[place].output]:
            names.setdefault(name, f"net_{len(names)}")
    named = [_renamed(nodes[place], names, f"{nodes[place].op_type}_{number}") for number, place in enumerate(order)]
    constants = {initializer.name: initializer for initializer in graph.initializer}
    kept = [constants[name] for name in names if name in constants]
    for initializer in kept:
        initializer.name = names[initializer.name]
    for field, content in ((graph.node, named), (graph.initializer, kept)):
        copies = [type(each).FromString(each.SerializeToString()) for each in content]
        del field[:]
        field.extend(copies)


def _read(node: Any) -> list[str]:
    """The tensors that a node reads; those that its bodies take from outside come last."""
    made = {name for each in _inner_nodes(node) for name in each.output}
    made |= {value.name for graph in _bodies(node) for value in (*graph.input, *graph.initializer)}
    outer = {name for attribute in node.attribute for name in _outer_names(attribute)}
    return [*node.input, *sorted(outer - made)]


def _renamed(node: Any, names: dict[str, str], own_name: str) -> Any:
    """The node with other names of tensors; the names inside its bodies stay, but for what they take from outside."""
    outer = {name: names[name] for name in _read(node)}
    node.name = own_name
    for each in [node, *_inner_nodes(node)]:
        each.input[:] = [outer.get(name, name) for name in each.input]
    node.output[:] = [names[name] for name in node.output]
    return node


def _bodies(node: Any) -> list[Any]:
    """The graphs inside a node, those inside them included."""
    own = [graph for each in node.attribute for graph in (*each.graphs, *([each.g] if each.HasField("g") else []))]
    return [*own, *(deeper for graph in own for inner in graph.node for deeper in _bodies(inner))]


def _inner_nodes(node: Any) -> list[Any]:
    return [inner for graph in _bodies(node) for inner in graph.node]


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
