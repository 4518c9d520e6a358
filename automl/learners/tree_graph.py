"""LightGBM's text model as one ONNX TreeEnsemble node that branches exactly as LightGBM does on float32 inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from automl.encoders.graph import ML_DOMAIN, GraphBuilder
from automl.learners.arrays import constant_rows

Array = np.ndarray[Any, Any]

BRANCH_LEQ, BRANCH_MEMBER = 0, 6
CATEGORICAL_BIT, DEFAULT_LEFT_BIT, MISSING_SHIFT, MISSING_NAN = 1, 2, 2, 2


@dataclass(frozen=True)
class Tree:
    """One tree of the text model. Children: a node where >= 0, the leaf ~child otherwise.

    thresholds: of the text; for a categorical split the number of its set. sets: the categories that go left.
    """

    leaves: Array
    features: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    thresholds: Array = field(default_factory=lambda: np.zeros(0))
    decisions: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    left: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    right: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    sets: tuple[Array, ...] = ()


def parse_trees(text: str) -> list[Tree]:
    """The trees of `Booster.model_to_string()`."""
    body = text[text.index("\nTree=") : text.index("\nend of trees")] if "\nTree=" in text else ""
    return [_parse_tree(block) for block in body.split("\nTree=")[1:]]


def _parse_tree(block: str) -> Tree:
    entries = dict(line.split("=", 1) for line in block.splitlines()[1:] if "=" in line)
    leaves = _numbers(entries["leaf_value"], np.float64)
    if int(entries["num_leaves"]) <= 1:
        return Tree(leaves)
    sets = []
    if int(entries.get("num_cat", "0")):
        boundaries, words = _numbers(entries["cat_boundaries"], np.int64), _numbers(entries["cat_threshold"], np.uint64)
        for start, end in pairwise(boundaries):
            bits = (words[start:end, None] >> np.arange(32, dtype=np.uint64)) & np.uint64(1)
            sets.append(np.flatnonzero(bits.reshape(-1)))
    return Tree(
        leaves,
        _numbers(entries["split_feature"], np.int64),
        _numbers(entries["threshold"], np.float64),
        _numbers(entries["decision_type"], np.int64),
        _numbers(entries["left_child"], np.int64),
        _numbers(entries["right_child"], np.int64),
        tuple(sets),
    )


def _numbers(entry: str, dtype: Any) -> Array:
    return np.asarray(entry.split(), dtype)


def floor_float32(values: Array) -> Array:
    """The largest float32 that is not above each value: x <= t is then the same for every float32 x."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    above = rounded.astype(np.float64) > values
    rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
    return rounded


def tree_scores(builder: GraphBuilder, trees: Sequence[Tree], outputs: int, tensor: str) -> str:
    """Append the summed leaves of the trees: tree number i adds to output i modulo `outputs`.

    tensor: (batch, features) float32 with NaN. Returns (batch, outputs) float32.
    """
    base = np.zeros(outputs)
    for number, tree in enumerate(trees):
        if not len(tree.features):
            base[number % outputs] += tree.leaves[0]
    growing = [(number % outputs, tree) for number, tree in enumerate(trees) if len(tree.features)]
    if not growing:
        return constant_rows(builder, tensor, base)
    scores = builder.node("TreeEnsemble", [tensor], domain=ML_DOMAIN, n_targets=outputs, **_attributes(growing))
    if not base.any():
        return scores
    return builder.node("Add", [scores, builder.initializer(base.astype(np.float32), "base")])


def _attributes(trees: Sequence[tuple[int, Tree]]) -> dict[str, Any]:
    from onnx import numpy_helper

    nodes = np.cumsum([0, *(len(tree.features) for _, tree in trees)])
    leaves = np.cumsum([0, *(len(tree.leaves) for _, tree in trees)])
    parts: dict[str, list[Array]] = {name: [] for name in ("left", "right", "modes", "splits", "features", "tracks", "targets")}
    members: list[Array] = []
    for (target, tree), first_node, first_leaf in zip(trees, nodes, leaves, strict=False):
        categorical = (tree.decisions & CATEGORICAL_BIT) > 0
        for side, children in (("left", tree.left), ("right", tree.right)):
            parts[side].append(np.where(children >= 0, children + first_node, ~children + first_leaf))
            parts.setdefault(f"{side}_leaf", []).append(children < 0)
        parts["modes"].append(np.where(categorical, BRANCH_MEMBER, BRANCH_LEQ))
        parts["splits"].append(np.where(categorical, 0.0, floor_float32(tree.thresholds)))
        parts["features"].append(tree.features)
        parts["tracks"].append(~categorical & _missing_goes_left(tree))
        parts["targets"].append(np.full(len(tree.leaves), target))
        for number in tree.thresholds[categorical].astype(np.int64):
            members += [tree.sets[number].astype(np.float32), np.asarray([np.nan], np.float32)]

    def integers(name: str) -> list[int]:
        return np.concatenate(parts[name]).astype(np.int64).tolist()

    def tensor(values: Array, name: str) -> Any:
        return numpy_helper.from_array(values, name)

    weights = np.concatenate([tree.leaves for _, tree in trees]).astype(np.float32)
    attributes = {
        "tree_roots": nodes[:-1].tolist(),
        "nodes_featureids": integers("features"),
        "nodes_modes": tensor(np.concatenate(parts["modes"]).astype(np.uint8), "modes"),
        "nodes_splits": tensor(np.concatenate(parts["splits"]).astype(np.float32), "splits"),
        "nodes_missing_value_tracks_true": integers("tracks"),
        "nodes_truenodeids": integers("left"),
        "nodes_falsenodeids": integers("right"),
        "nodes_trueleafs": integers("left_leaf"),
        "nodes_falseleafs": integers("right_leaf"),
        "leaf_targetids": integers("targets"),
        "leaf_weights": tensor(weights, "weights"),
    }
    if members:
        attributes["membership_values"] = tensor(np.concatenate(members), "members")
    return attributes


def _missing_goes_left(tree: Tree) -> Array:
    """A feature without missing values in training takes NaN as 0."""
    sees_nan = (tree.decisions >> MISSING_SHIFT) == MISSING_NAN
    return np.where(sees_nan, (tree.decisions & DEFAULT_LEFT_BIT) > 0, tree.thresholds >= 0.0)
