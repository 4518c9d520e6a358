"""The graph builder: names, merging, pruning."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from automl.core.errors import AutomlError
from automl.encoders.graph import GraphBuilder, input_names
from tests.encoders.made_up import run_graph


def small_model() -> object:
    """y = x + 1 while a loop of three turns: a graph with a body that reads an outer tensor."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "one"], ["state_out"]),
            helper.make_node("Identity", ["going"], ["going_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("going_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_out", TensorProto.FLOAT, None),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["turns", "", "x"], ["y"], body=body)],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1])],
        [helper.make_tensor("turns", TensorProto.INT64, [], [3]), helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def test_merged_twice_each_copy_keeps_to_itself() -> None:
    builder = GraphBuilder()
    x = builder.input("x", "float32")
    once = builder.merge(small_model(), {"x": x})["y"]
    twice = builder.merge(small_model(), {"x": once})["y"]
    values = np.array([[0.5], [2.0]], np.float32)
    found = run_graph(builder, {"once": (once, "float32"), "twice": (twice, "float32")}, {"x": values})
    np.testing.assert_array_equal(found["once"], values + 3)
    np.testing.assert_array_equal(found["twice"], values + 6)


def test_an_unfed_input_is_refused() -> None:
    with pytest.raises(AutomlError, match="not fed"):
        GraphBuilder().merge(small_model(), {})


def test_what_no_output_needs_is_left_out() -> None:
    builder = GraphBuilder()
    x = builder.input("x", "float32")
    builder.node("Add", [x, builder.initializer(np.ones(1000, np.float32))])
    builder.output(builder.node("Neg", [x]), "value", "float32", ("batch", 1))
    model = builder.build()
    assert [node.op_type for node in model.graph.node] == ["Neg", "Identity"]
    assert not model.graph.initializer


def test_columns_named_like_outputs_get_another_input_name() -> None:
    names = input_names(["age", "label", "label_in", "value", "Probabilities"])
    assert names == {
        "age": "age",
        "label": "label_in_in",
        "label_in": "label_in",
        "value": "value_in",
        "Probabilities": "Probabilities",
    }


def test_columns_named_like_nodes_do_no_harm() -> None:
    builder = GraphBuilder()
    tensors = [builder.input(name, "float32") for name in ("Concat", "constant", "a b/c", "Σ\"'")]
    joined = builder.node("Concat", [*tensors, builder.initializer(np.zeros((1, 1), np.float32))], axis=1)
    one = np.ones((1, 1), np.float32)
    found = run_graph(builder, {"value": (joined, "float32")}, {name: one for name in ("Concat", "constant", "a b/c", "Σ\"'")})
    np.testing.assert_array_equal(found["value"], [[1, 1, 1, 1, 0]])
