"""Trees in ONNX branch where LightGBM branches."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest

from automl.encoders.graph import GraphBuilder
from automl.learners.tree_graph import floor_float32, parse_trees, tree_scores
from tests.encoders.made_up import run_graph


def scores(booster: Any, matrix: Any, outputs: int = 1) -> Any:
    builder = GraphBuilder()
    tensor = builder.input("x", "float32", matrix.shape[1])
    result = tree_scores(builder, parse_trees(booster.model_to_string()), outputs, tensor)
    return run_graph(builder, {"out": (result, "float32")}, {"x": matrix})["out"]


def train(matrix: Any, target: Any, rounds: int, categorical: Any = (), **parameters: Any) -> Any:
    base = {"objective": "regression", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 1}
    base |= {"min_data_per_group": 1, "cat_smooth": 1}
    data = lightgbm.Dataset(matrix, target, categorical_feature=list(categorical), params={"verbosity": -1})
    return lightgbm.train({**base, **parameters}, data, rounds)


def test_rounding_down_keeps_every_comparison() -> None:
    generator = np.random.default_rng(0)
    spread = generator.normal(size=2000) * 10.0 ** generator.integers(-30, 30, 2000)
    thresholds = np.concatenate([spread, [0.0, 1e300, -1e300, 1e-35]])
    rounded = floor_float32(thresholds)
    assert (rounded.astype(np.float64) <= thresholds).all()
    inner = rounded[:2000]
    near = np.concatenate([inner, np.nextafter(inner, np.float32(np.inf)), np.nextafter(inner, np.float32(-np.inf))])
    for value in near[::7]:
        np.testing.assert_array_equal(value <= rounded, np.float64(value) <= thresholds)


@pytest.mark.parametrize("missing_in_training", [False, True])
def test_missing_values_and_values_at_the_thresholds(missing_in_training: bool) -> None:
    generator = np.random.default_rng(1)
    matrix = (generator.integers(0, 40, (500, 4)) / 10).astype(np.float32) - 2
    target = np.sin(matrix.sum(axis=1)) + (matrix[:, 0] > 0)
    if missing_in_training:
        matrix[generator.random((500, 4)) < 0.2] = np.nan
    booster = train(matrix, target, 30)
    fresh = np.concatenate([matrix, np.full((1, 4), np.nan, np.float32), np.full((1, 4), 1e30, np.float32)])
    fresh[::3, 1] = np.nan
    fresh[5::7, 2] = 0.0
    np.testing.assert_allclose(scores(booster, fresh)[:, 0], booster.predict(fresh), atol=1e-5)


@pytest.mark.parametrize("most_onehot", [2, 100])
def test_categories_seen_unseen_and_missing(most_onehot: int) -> None:
    generator = np.random.default_rng(2)
    matrix = np.stack([generator.integers(0, 90, 1500), generator.integers(0, 3, 1500)], axis=1).astype(np.float32)
    effect = generator.normal(size=90)
    matrix[::50] = np.nan
    target = np.where(np.isnan(matrix[:, 0]), 3.0, effect[np.nan_to_num(matrix[:, 0]).astype(int)])
    booster = train(matrix, target, 40, categorical=(0, 1), max_cat_to_onehot=most_onehot)
    fresh = np.concatenate([matrix, np.array([[200, 1], [np.nan, 2], [5, 77], [89, np.nan]], np.float32)])
    assert "cat_threshold" in booster.model_to_string()
    np.testing.assert_allclose(scores(booster, fresh)[:, 0], booster.predict(fresh), atol=1e-5)


def test_trees_of_one_leaf() -> None:
    matrix = np.arange(20, dtype=np.float32)[:, None]
    booster = train(matrix, np.full(20, 7.5), 3)
    np.testing.assert_allclose(scores(booster, matrix)[:, 0], booster.predict(matrix), atol=1e-6)
    stump = train(matrix, matrix[:, 0], 1, num_leaves=2)
    np.testing.assert_allclose(scores(stump, matrix)[:, 0], stump.predict(matrix), atol=1e-6)


def test_many_classes_one_of_them_absent() -> None:
    generator = np.random.default_rng(3)
    matrix = generator.normal(size=(300, 3)).astype(np.float32)
    target = np.digitize(matrix[:, 0], [-0.5, 0.5])
    booster = train(matrix, target, 10, objective="multiclass", num_class=4)
    found = scores(booster, matrix, 4)
    np.testing.assert_allclose(found, booster.predict(matrix, raw_score=True), rtol=1e-5, atol=1e-5)
