"""Builds one ONNX model out of the fragments of encoders, learners and converted nets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

import numpy as np

from automl.core.errors import AutomlError

OPSET = 18
ML_DOMAIN, ML_OPSET = "ai.onnx.ml", 5
IR_VERSION = 10
OUTPUT_NAMES = frozenset({"label", "probabilities", "value"})


def input_names(columns: Iterable[str]) -> dict[str, str]:
    """The graph input of each column: its own name, with "_in" appended where that is the name of an output."""
    columns = list(columns)
    taken = set(columns) | OUTPUT_NAMES
    names = {}
    for column in columns:
        name = column
        while name in OUTPUT_NAMES or (name != column and name in taken):
            name += "_in"
        taken.add(name)
        names[column] = name
    return names


def _element_type(dtype: str) -> int:
    from onnx import TensorProto

    kinds = {
        "float32": "FLOAT",
        "float64": "DOUBLE",
        "string": "STRING",
        "int64": "INT64",
        "int32": "INT32",
        "bool": "BOOL",
        "uint8": "UINT8",
    }
    return int(getattr(TensorProto, kinds[dtype]))


class GraphBuilder:
    """Collects nodes in the order in which they are computed; declare the graph's inputs before the first node.

    Tensors are known by their names (str). `prefix` goes before every name that the builder makes up. `reserved` are names
    kept for inputs that may be declared after nodes.
    """

    def __init__(self, prefix: str = "", reserved: Iterable[str] = ()) -> None:
        self._prefix = prefix
        self._reserved = frozenset(reserved)
        self._used: set[str] = {*OUTPUT_NAMES, *self._reserved}
        self._counts: dict[str, int] = {}
        self._inputs: dict[str, Any] = {}
        self._initializers: list[Any] = []
        self._nodes: list[Any] = []
        self._outputs: list[Any] = []
        self._functions: dict[tuple[str, str], Any] = {}

    def input(self, name: str, dtype: str, width: int | tuple[int, ...] = 1) -> str:
        """Declare a graph input of shape ("batch", *width); asking for the same one again gives the same tensor."""
        from onnx import helper

        if name not in self._inputs:
            if name in self._used and name not in self._reserved:
                raise AutomlError(f'the graph input "{name}" is declared after a tensor took its name')
            self._used.add(name)
            self._inputs[name] = helper.make_tensor_value_info(
                name, _element_type(dtype), ["batch", *np.atleast_1d(width).tolist()]
            )
        return name

    def initializer(self, array: Any, hint: str = "constant") -> str:
        """A constant; strings come as an object array."""
        from onnx import numpy_helper

        name = self._name(hint)
        self._initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    @overload
    def node(self, op_type: str, inputs: Sequence[str], *, domain: str = "", **attributes: Any) -> str: ...

    @overload
    def node(self, op_type: str, inputs: Sequence[str], outputs: int, domain: str = "", **attributes: Any) -> Any: ...

    def node(self, op_type: str, inputs: Sequence[str], outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Append a node. Returns the name of its output, or a list of names where `outputs` is more than one."""
        from onnx import helper

        names = [self._name(op_type) for _ in range(outputs)]
        self._nodes.append(helper.make_node(op_type, list(inputs), names, name=names[0], domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def merge(self, model: Any, inputs: Mapping[str, str]) -> dict[str, str]:
        """Append a whole onnx.ModelProto. `inputs`: its graph inputs to the tensors that feed them.

        Returns its graph outputs by name, as tensors of this graph. Raises AutomlError where an input is not fed or
        the model was made for another opset.
        """
        self._check_mergeable(model, inputs)
        mapping = dict(inputs)

        def renamed(name: str) -> str:
            if name and name not in mapping:
                mapping[name] = self._name(name)
            return mapping.get(name, "")

        for initializer in model.graph.initializer:
            copy = type(initializer).FromString(initializer.SerializeToString())
            copy.name = renamed(initializer.name)
            self._initializers.append(copy)
        for node in model.graph.node:
            copy = type(node).FromString(node.SerializeToString())
            _rename_node(copy, renamed)
            self._nodes.append(copy)
        for function in model.functions:
            self._functions.setdefault((function.domain, function.name), function)
        return {output.name: renamed(output.name) for output in model.graph.output}

    def output(self, tensor: str, name: str, dtype: str, shape: Sequence[str | int]) -> None:
        """Give a tensor out under a public name, such as ("batch", 3) float32 "probabilities"."""
        from onnx import helper

        self._nodes.append(helper.make_node("Identity", [tensor], [name], name=self._name(f"output {name}")))
        self._outputs.append(helper.make_tensor_value_info(name, _element_type(dtype), list(shape)))

    def build(self, name: str = "automl") -> Any:
        """The checked onnx.ModelProto. Nodes and constants that no output needs are left out; inputs all stay."""
        from onnx import checker, helper

        needed = {output.name for output in self._outputs}
        nodes = []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                needed.update(_consumed(node))
                nodes.append(node)
        graph = helper.make_graph(
            nodes[::-1],
            name,
            list(self._inputs.values()),
            self._outputs,
            [initializer for initializer in self._initializers if initializer.name in needed],
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
        used = {domain for domain, _ in self._functions}
        opsets += [helper.make_opsetid(domain, 1) for domain in sorted(used - {"", ML_DOMAIN})]
        model = helper.make_model(graph, opset_imports=opsets, functions=list(self._functions.values()), producer_name="automl")
        model.ir_version = IR_VERSION
        checker.check_model(model)
        return model

    def _name(self, hint: str) -> str:
        base = name = f"{self._prefix}{hint}"
        while name in self._used:
            self._counts[base] = self._counts.get(base, 1) + 1
            name = f"{base}_{self._counts[base]}"
        self._used.add(name)
        return name

    def _check_mergeable(self, model: Any, inputs: Mapping[str, str]) -> None:
        constants = {initializer.name for initializer in model.graph.initializer}
        unfed = [value.name for value in model.graph.input if value.name not in inputs and value.name not in constants]
        if unfed:
            raise AutomlError(f"the merged graph's inputs {unfed} are not fed; given {sorted(inputs)}")
        wanted = {"": OPSET, ML_DOMAIN: ML_OPSET}
        for opset in model.opset_import:
            if any(node.domain == opset.domain for node in model.graph.node) and opset.version != wanted.get(opset.domain, 1):
                raise AutomlError(f'the merged graph is of opset {opset.version} of "{opset.domain}"; ours are {wanted}')


def _rename_node(node: Any, renamed: Any) -> None:
    """Rename all tensors of a node in place, those in the bodies of loops and branches too."""
    node.name = renamed(node.name) if node.name else ""
    node.input[:] = [renamed(name) for name in node.input]
    node.output[:] = [renamed(name) for name in node.output]
    for graph in _bodies(node):
        for value in [*graph.input, *graph.output, *graph.value_info, *graph.initializer]:
            value.name = renamed(value.name)
        for inner in graph.node:
            _rename_node(inner, renamed)


def _bodies(node: Any) -> list[Any]:
    found = []
    for attribute in node.attribute:
        if attribute.HasField("g"):
            found.append(attribute.g)
        found.extend(attribute.graphs)
    return found


def _consumed(node: Any) -> set[str]:
    """Tensors that a node reads, those read inside its bodies included."""
    names = set(node.input)
    for graph in _bodies(node):
        names.update(value.name for value in graph.output)
        for inner in graph.node:
            names |= _consumed(inner)
    return names
