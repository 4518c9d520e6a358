"""Columns made for trees: what they are, that no row is told its own target, and that the graph gives the same bits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from automl.core.table import Category, Table
from automl.core.tasks import ALL_TASKS, Task
from automl.encoders.enriched import FEATURES, EnrichedTable, enrich
from automl.encoders.graph import GraphBuilder
from automl.encoders.interactions import indicators
from automl.encoders.table import make_encoder
from automl.encoders.target import TargetEncoder
from tests.encoders.made_up import awkward_table, feeds, make_profile, make_table, run_graph

ROWS = 400
TABLE = make_table(ROWS)
WHOLE = np.arange(ROWS)
ENRICHED = FEATURES[1:]
PRODUCT = np.asarray(TABLE.columns["plain"]) * np.nan_to_num(np.asarray(TABLE.columns["holes"]))
TARGETS = {
    Task.BINARY: (np.median(PRODUCT) < PRODUCT).astype(np.int64),
    Task.MULTICLASS: np.digitize(PRODUCT, np.quantile(PRODUCT, [0.3, 0.6])),
    Task.REGRESSION: PRODUCT,
}


def fitted(features: str, task: Task, rows: Any = WHOLE, weight: Any = None) -> tuple[EnrichedTable, dict[str, Any]]:
    target = TARGETS[task]
    profile = make_profile(TABLE, target, task)
    encoder = enrich(make_encoder(profile, "codes"), features, len(profile.classes))
    assert isinstance(encoder, EnrichedTable)
    return encoder.fit_transform(TABLE, rows, WHOLE, target[rows], weight)


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
@pytest.mark.parametrize("features", ENRICHED)
def test_the_graph_gives_the_same_bits_also_on_rows_never_seen(features: str, task: Task) -> None:
    encoder, blocks = fitted(features, task, WHOLE[::2])
    assert {name: block.shape[1] for name, block in blocks.items()} == {name: each[0] for name, each in encoder.shapes.items()}
    encoder = EnrichedTable.from_state(json.loads(json.dumps(encoder.state())))
    for table in (TABLE, make_table(50, seed=7), awkward_table()):
        arrays = encoder.transform(table)
        builder = GraphBuilder()
        tensors = encoder.graph(builder)
        outputs = {f"out {block}": (tensors[block], shape[1]) for block, shape in encoder.shapes.items()}
        found = run_graph(builder, outputs, feeds(encoder.inputs, table))
        for block, values in arrays.items():
            np.testing.assert_array_equal(found[f"out {block}"], values)
            assert not np.isinf(values).any()
            assert len(encoder.features[block]) == values.shape[1]


@pytest.mark.parametrize("features", ENRICHED)
def test_rows_that_were_not_fitted_on_are_encoded_as_new_rows_are(features: str) -> None:
    encoder, blocks = fitted(features, Task.BINARY, WHOLE[::2])
    for name, block in encoder.transform(TABLE).items():
        np.testing.assert_array_equal(blocks[name][1::2], block[1::2])


@pytest.mark.parametrize(("operation", "name"), [(np.multiply, "huge x plain"), (np.divide, "huge / plain")])
def test_the_arithmetic_of_a_target_is_found(operation: Any, name: str) -> None:
    """Of a ratio the way round that divides by no 0, which says as much."""
    numbers = np.exp(np.random.default_rng(2).normal(size=(4, 1000)))
    columns: dict[str, Any] = dict(zip(("huge", "holes", "plain", "skewed"), numbers, strict=True))
    target = operation(columns["plain"], columns["huge"])
    columns["huge"][::7] = 0.0
    table = Table(columns, 1000)
    encoder = enrich(make_encoder(make_profile(table, target, Task.REGRESSION), "codes"), "arithmetic", 0)
    assert isinstance(encoder, EnrichedTable)
    encoder, blocks = encoder.fit_transform(table, np.arange(1000), np.arange(1000), target)
    assert encoder.arithmetic is not None
    assert name in encoder.arithmetic.feature_names
    assert np.isfinite(blocks["raw"]).all()


def test_a_pair_is_found_where_the_target_depends_on_both_and_on_neither_alone() -> None:
    generator = np.random.default_rng(3)
    drawn = generator.integers(0, 2, (1000, 3))
    columns: dict[str, Any] = {
        name: Category.from_strings(np.array([f"{name} {code}" for code in codes], dtype=object))
        for name, codes in zip(("many", "pair", "label"), drawn.T, strict=True)
    }
    table, target = Table(columns, 1000), np.asarray(drawn[:, 0] ^ drawn[:, 2])
    encoder = enrich(make_encoder(make_profile(table, target, Task.BINARY), "codes"), "crossed", 2)
    assert isinstance(encoder, EnrichedTable)
    encoder, blocks = encoder.fit_transform(table, np.arange(1000), np.arange(1000), target)
    assert encoder.target is not None
    assert encoder.target.feature_names == ("target by many with label",)
    assert ((blocks["raw"][:, -1] > 0) == target).all()


def random_category(rows: int = 2000) -> tuple[Category, Any, TargetEncoder]:
    generator = np.random.default_rng(0)
    category = Category.from_strings(np.array([f"level {code}" for code in generator.integers(0, 600, rows)], dtype=object))
    outputs = indicators(generator.integers(0, 2, rows), 2, 10)
    return category, outputs, TargetEncoder.fit([category], ["many"], outputs)


def test_training_rows_are_not_told_their_own_target() -> None:
    category, outputs, encoder = random_category()
    places = encoder.places([category])
    told = np.corrcoef(encoder.transform(places)[:, 0], outputs[:, 0])[0, 1]
    honest = np.corrcoef(encoder.out_of_fold(places, outputs, None)[:, 0], outputs[:, 0])[0, 1]
    assert told > 0.4  # what the means over all rows would leak
    assert honest < 0.05


def test_levels_never_seen_are_as_good_as_all_rows_together() -> None:
    _, outputs, encoder = random_category()
    unseen = Category.from_strings(np.array(["somewhere else", ""], dtype=object))
    np.testing.assert_allclose(encoder.transform(encoder.places([unseen])), [[outputs.mean(), 0.0]] * 2, rtol=1e-6)


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    category, outputs, _ = random_category()
    weight = np.where(np.arange(len(outputs)) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(len(outputs)), weight.astype(int))
    weighted = TargetEncoder.fit([category], ["many"], outputs, weight)
    repeated = TargetEncoder.fit([category.take(twice)], ["many"], outputs[twice])
    np.testing.assert_allclose(
        weighted.transform(weighted.places([category])), repeated.transform(repeated.places([category])), rtol=1e-6
    )
