"""Forests: the mean of trees that each grow to the end, at random, by scikit-learn, and an ONNX graph of our own.

Methods: extremely randomised trees (Geurts, Ernst and Wehenkel, Machine Learning 63, 2006) and random forests (Breiman,
Machine Learning 45, 2001).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.architecture import Arrays, Fold, FoldsResult, Problem, Training
from automl.core.clock import Deadline
from automl.core.errors import OutOfTimeError
from automl.core.space import Settings
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.learners.arrays import row_weights
from automl.learners.tree_graph import DEFAULT_LEFT_BIT, MISSING_NAN, MISSING_SHIFT, Tree, tree_scores
from automl.learners.trees import joined

Array = np.ndarray[Any, Any]

TREES, CHUNK = 150, 5
FEW_TREES, FEWEST_TREES = 50, 10
"""With fewer trees a forest says too little; the deadline alone makes it stop at fewer, down to the fewest."""
MOST_LEAVES = 200_000
"""Of all trees together: larger forests have fewer trees."""
SHARE = 0.15
"""Of the time that is left, a forest of all folds takes this much at most: its trees are fewer then."""
MORE_ROWS = 1.25
"""Seconds of a fit on the rows of all folds against those of one of five folds."""
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Forest:
    """trees: with leaves of one value, or of a probability a class. prior: (classes,) what one tree more would say of every
    row, so that no probability is 0; empty for values."""

    trees: tuple[Any, ...]
    problem: Problem
    prior: Array = field(default_factory=lambda: np.zeros(0))

    def predict(self, inputs: Arrays) -> Array:
        """Probabilities (rows, classes), or values (rows,)."""
        matrix = _matrix(inputs)
        with ThreadPoolExecutor(max(1, self.problem.jobs)) as pool:
            return self.said(sum(pool.map(lambda tree: _answers(tree, matrix, len(self.prior)), self.trees)), len(self.trees))

    def said(self, total: Any, count: int) -> Array:
        """The prediction, from the sum of what so many trees say."""
        return np.asarray((total + self.prior) / (count + 1) if len(self.prior) else total / count, np.float64)

    def graph(self, builder: GraphBuilder, tensors: dict[str, str]) -> str:
        blocks = [tensors[name] for name in ("raw", "codes", "rows") if name in tensors]
        matrix = builder.node("Concat", blocks, axis=1) if len(blocks) > 1 else blocks[0]
        shapes = [_shape(tree.tree_) for tree in self.trees]
        tables = [_leaf_values(tree, len(self.prior)) for tree in self.trees]
        if self.problem.task is Task.REGRESSION:
            return tree_scores(builder, _with_leaves(shapes, [table[:, 0] / len(shapes) for table in tables]), 1, matrix)
        share = 1.0 / (len(shapes) + 1)
        if len(self.prior) == 2:
            rarer = int(np.argmin(self.prior))  # the other never comes near 0, so that it is what is left of one
            tables = [share * table[:, rarer] for table in (*tables, self.prior[None, :])]
            rare = tree_scores(builder, _with_leaves([*shapes, Tree(np.zeros(1))], tables), 1, matrix)
            other = builder.node("Sub", [builder.initializer(np.ones(1, np.float32), "one"), rare])
            return builder.node("Concat", [rare, other] if rarer == 0 else [other, rare], axis=1)
        return self._looked_up(builder, shapes, tables, share, matrix)

    def _looked_up(
        self, builder: GraphBuilder, shapes: Sequence[Tree], tables: Sequence[Array], share: float, matrix: str
    ) -> str:
        """Every tree says the number of the leaf that a row falls into, and a table what the leaf says of each class: so a
        tree stands in the graph once, however many classes there are."""
        first = np.cumsum([0, *(len(table) for table in tables)])
        numbered = [np.arange(start, end, dtype=np.float64) for start, end in pairwise(first)]
        places = builder.node("Cast", [tree_scores(builder, _with_leaves(shapes, numbered), len(shapes), matrix)], to=7)
        table = builder.initializer((share * np.concatenate(tables)).astype(np.float32), "leaves")
        said = builder.node("Gather", [table, places], axis=0)  # (batch, trees, classes)
        axes = builder.initializer(np.asarray([1], np.int64), "axes")
        total = builder.node("ReduceSum", [said, axes], keepdims=0)
        return builder.node("Add", [total, builder.initializer((share * self.prior).astype(np.float32), "prior")])

    def save(self, folder: Path) -> None:
        """forest.npz: the nodes of all trees one after the other, as of `tree_graph.Tree`; (trees, 2) inner nodes and leaves."""
        shapes = [_shape(tree.tree_) for tree in self.trees]
        kinds = {"features": np.int32, "thresholds": np.float64, "decisions": np.int8, "left": np.int32, "right": np.int32}
        parts: dict[str, Any] = {
            name: np.concatenate([getattr(shape, name) for shape in shapes]).astype(kind) for name, kind in kinds.items()
        }
        leaves = np.concatenate([_leaf_values(tree, len(self.prior)) for tree in self.trees]).astype(np.float32)
        sizes = np.asarray([(len(shape.features), len(shape.leaves)) for shape in shapes], np.int32)
        np.savez(Path(folder) / "forest.npz", prior=self.prior, sizes=sizes, leaves=leaves, **parts)


class ForestLearner:
    """Needs the encoding "codes"; categories are split by the order of their codes, missing numbers go to either side.

    Settings: extra_trees (each threshold is drawn at random and all rows are seen; else the best thresholds are sought on
    rows drawn with replacement), max_features (the share of the columns that a split chooses from), min_samples_leaf.
    The rounds are the trees.
    """

    def fit_folds(self, folds: list[Fold], problem: Problem, settings: Settings, seed: int, deadline: Deadline) -> FoldsResult:
        """The folds grow in step until all trees stand or their share of the time is used up.

        Raises OutOfTimeError where the time is up before every fold has FEWEST_TREES.
        """
        started, allowed = time.monotonic(), SHARE * deadline.left_seconds()
        groves = [_Grove(fold.training, problem, settings, seed) for fold in folds]
        matrices = [[_matrix(part.inputs) for part in (fold.validation, fold.training)] for fold in folds]
        totals: list[list[Any]] = [[0.0, 0.0] for _ in folds]
        curve: list[tuple[float, float]] = []
        grown, wanted = 0, TREES
        with ThreadPoolExecutor(max(1, problem.jobs)) as pool:
            while grown < wanted:
                if deadline.expired and grown < FEWEST_TREES:
                    raise OutOfTimeError(f"the time was up before every fold had {FEWEST_TREES} trees")
                numbers = range(grown, min(grown + CHUNK, wanted))
                jobs = [(place, number) for number in numbers for place in range(len(folds))]
                made = list(pool.map(lambda job: groves[job[0]].tree(job[1]), jobs))
                tasks = [(place, side) for place in range(len(folds)) for side in (0, 1)]

                def answers(task: tuple[int, int], made: Any = made, jobs: Any = jobs) -> Any:
                    place, side = task
                    trees = [tree for tree, job in zip(made, jobs, strict=True) if job[0] == place]
                    return sum(_answers(tree, matrices[place][side], groves[place].classes) for tree in trees)

                for (place, side), found in zip(tasks, pool.map(answers, tasks), strict=True):
                    totals[place][side] = totals[place][side] + found
                grown = numbers.stop
                curve.append((float(grown), _mean_loss(folds, groves, totals, grown, problem)))
                leaves = float(np.mean([tree.tree_.n_leaves for tree in made]))
                wanted = int(np.clip(MOST_LEAVES // leaves, FEWEST_TREES, wanted))
                if deadline.expired and grown >= FEWEST_TREES:
                    break
                if grown >= FEW_TREES and time.monotonic() - started > allowed * grown / (grown + CHUNK):
                    break
        said = [[grove.forest(()).said(total, grown) for total in pair] for grove, pair in zip(groves, totals, strict=True)]
        seconds = time.monotonic() - started
        return FoldsResult(
            [validation for validation, _ in said],
            [training for _, training in said],
            rounds=grown,
            curve=tuple(curve),
            settings=settings,
            fit_seconds=seconds / len(folds) * MORE_ROWS,
        )

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> Forest:
        """Grow `rounds` trees."""
        grove = _Grove(training, problem, settings, seed)
        with ThreadPoolExecutor(max(1, problem.jobs)) as pool:
            return grove.forest(tuple(pool.map(grove.tree, range(max(1, rounds)))))


@dataclass
class _Grove:
    """The rows that the trees of one forest grow on; tree number i depends on the seed and i only."""

    training: Training
    problem: Problem
    settings: Settings
    seed: int

    @property
    def classes(self) -> int:
        return self.problem.outputs if self.problem.task.is_classification else 0

    @cached_property
    def matrix(self) -> Array:
        return _matrix(self.training.inputs)

    @cached_property
    def weight(self) -> Array | None:
        return row_weights(self.training, self.problem, False)

    @cached_property
    def prior(self) -> Array:
        if not self.classes:
            return np.zeros(0)
        counts = np.bincount(self.training.target, self.weight, minlength=self.classes) + 1.0 / self.classes
        return np.asarray(counts / counts.sum())

    def forest(self, trees: tuple[Any, ...]) -> Forest:
        return Forest(trees, self.problem, self.prior)

    def tree(self, number: int) -> Any:
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        generator = np.random.default_rng([self.seed % 2**32, number])
        at_random = bool(self.settings.get("extra_trees", True))
        kind = DecisionTreeClassifier if self.classes else DecisionTreeRegressor
        tree = kind(
            splitter="random" if at_random else "best",
            max_features=float(self.settings.get("max_features", 0.5)),
            min_samples_leaf=int(self.settings.get("min_samples_leaf", 1)),
            random_state=int(generator.integers(2**31)),
        )
        target = self.training.target if self.classes else np.asarray(self.training.target, np.float64)
        if at_random:
            return tree.fit(self.matrix, target, self.weight)
        rows, counts = np.unique(generator.integers(len(target), size=len(target)), return_counts=True)
        return tree.fit(self.matrix[rows], target[rows], counts if self.weight is None else counts * self.weight[rows])


def _matrix(inputs: Arrays) -> Array:
    """(rows, features) float32 with NaN, but no infinite numbers, which scikit-learn refuses."""
    matrix, _ = joined(inputs)
    return np.clip(matrix, -LARGEST, LARGEST)


def _answers(tree: Any, matrix: Array, classes: int) -> Array:
    """What a tree says of rows: probabilities of all classes (rows, classes), or values (rows,)."""
    if not classes:
        return np.asarray(tree.predict(matrix), np.float64)
    known = tree.predict_proba(matrix)
    if len(tree.classes_) == classes:
        return np.asarray(known)
    found = np.zeros((len(matrix), classes))
    found[:, tree.classes_.astype(np.int64)] = known
    return found


def _mean_loss(folds: list[Fold], groves: list[_Grove], totals: list[list[Any]], grown: int, problem: Problem) -> float:
    """Log loss, or mean squared error, of the validation rows: the mean over the folds."""
    losses = []
    for fold, grove, (total, _) in zip(folds, groves, totals, strict=True):
        said, target = grove.forest(()).said(total, grown), fold.validation.target
        if problem.task.is_classification:
            losses.append(-np.mean(np.log(np.maximum(said[np.arange(len(target)), target], 1e-15))))
        else:
            losses.append(np.mean((said - target) ** 2))
    return float(np.mean(losses))


def _shape(tree: Any) -> Tree:
    """The tree in the form of `tree_graph`; its leaves are in the order of their nodes and have no values yet."""
    nodes = tree.__getstate__()["nodes"]
    leaf = nodes["left_child"] < 0
    inner = ~leaf
    place = np.where(leaf, ~(np.cumsum(leaf) - 1), np.cumsum(inner) - 1)
    if not inner.any():
        return Tree(np.zeros(1))
    goes_left = nodes["missing_go_to_left"][inner].astype(np.int64)
    return Tree(
        np.zeros(int(leaf.sum())),
        nodes["feature"][inner].astype(np.int64),
        nodes["threshold"][inner],
        (MISSING_NAN << MISSING_SHIFT) | DEFAULT_LEFT_BIT * goes_left,
        place[nodes["left_child"][inner]],
        place[nodes["right_child"][inner]],
    )


def _leaf_values(tree: Any, classes: int) -> Array:
    """(leaves, classes), or (leaves, 1) for values, in the order of the nodes."""
    values = tree.tree_.value[tree.tree_.children_left < 0, 0]
    if not classes or len(tree.classes_) == classes:
        return np.asarray(values)
    found = np.zeros((len(values), classes))
    found[:, tree.classes_.astype(np.int64)] = values
    return found


def _with_leaves(shapes: Sequence[Tree], leaves: Sequence[Array]) -> list[Tree]:
    return [
        Tree(values, shape.features, shape.thresholds, shape.decisions, shape.left, shape.right)
        for shape, values in zip(shapes, leaves, strict=True)
    ]
