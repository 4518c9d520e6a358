"""Laws of every encoder: its arrays equal its graph on rows it has never seen, its state is JSON, folds have one shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from automl.core.table import Table
from automl.core.tasks import Task
from automl.encoders.category import STYLES, CategoryEncoder
from automl.encoders.date import DateEncoder
from automl.encoders.graph import GraphBuilder
from automl.encoders.number import NumberEncoder
from automl.encoders.scale import ScaleEncoder
from automl.encoders.table import ENCODINGS, TableEncoder, make_encoder
from tests.encoders.made_up import DTYPES, awkward_table, feeds, make_profile, make_table, run_graph

ROWS = 400
TRAINING = make_table(ROWS)
PROFILE = make_profile(TRAINING, np.arange(ROWS) % 2, Task.BINARY)
WHOLE = np.arange(ROWS)


def stack(table: Table, names: list[str]) -> Any:
    return np.stack([np.asarray(table.columns[name]) for name in names], axis=1)


@dataclass(frozen=True)
class Case:
    """One encoder: how it is fitted on some rows, and which values it takes from a table."""

    fit: Callable[[Any, Any], Any]
    values: Callable[[Table], Any]
    graph_inputs: list[str]
    restore: Callable[[dict[str, Any]], Any]


NUMBERS = [name for name, dtype in DTYPES.items() if dtype.startswith("float")]


def scaled(style: str) -> Case:
    def values(table: Table) -> Any:
        with np.errstate(over="ignore"):
            raw = stack(table, NUMBERS).astype(np.float32)
        return np.where(np.isfinite(raw), raw, np.float32(np.nan))

    binary = [NUMBERS.index("flag")]
    return Case(
        lambda rows, whole: ScaleEncoder.fit(rows, whole, NUMBERS, style, binary), values, NUMBERS, ScaleEncoder.from_state
    )


def category(style: str, column: str, **limits: int) -> Case:
    return Case(
        lambda rows, whole: CategoryEncoder.fit(rows, whole, column, style, **limits),
        lambda table: table.columns[column],
        [column],
        CategoryEncoder.from_state,
    )


def dates(cyclic: bool) -> Case:
    names = ["when", "day"]
    return Case(
        lambda rows, whole: DateEncoder.fit(rows, whole, names, cyclic),
        lambda table: stack(table, names),
        names,
        DateEncoder.from_state,
    )


CASES = {
    "number": Case(
        lambda rows, whole: NumberEncoder.fit(rows, whole, NUMBERS, [DTYPES[name] for name in NUMBERS]),
        lambda table: stack(table, NUMBERS),
        NUMBERS,
        NumberEncoder.from_state,
    ),
    "scale-standard": scaled("standard"),
    "scale-robust": scaled("robust"),
    "dates-cyclic": dates(True),
    "dates": dates(False),
    **{f"{style}-{column}": category(style, column) for style in STYLES for column in ("colour", "pair", "label")},
    **{f"{style}-many": category(style, "many", most_levels=20, least_rows=3) for style in STYLES},
}


def graph_of(case: Case, encoder: Any, table: Table) -> Any:
    builder = GraphBuilder()
    if isinstance(encoder, ScaleEncoder):
        values = case.values(table)
        tensor = builder.input("values", "float32", values.shape[1])
        inputs = {"values": values}
        result = encoder.graph(builder, tensor)
    else:
        columns = [column for column in make_encoder(PROFILE, "codes").columns if column.name in case.graph_inputs]
        inputs = feeds(columns, table)
        tensors = [builder.input(column.input, column.dtype) for column in columns]
        result = encoder.graph(builder, tensors[0] if isinstance(encoder, CategoryEncoder) else tensors)
    dtype = "int64" if getattr(encoder, "style", "") == "index" else "float32"
    return run_graph(builder, {"out": (result, dtype)}, inputs)["out"]


@pytest.mark.parametrize("name", CASES)
def test_arrays_equal_the_graph_also_on_rows_never_seen(name: str) -> None:
    case = CASES[name]
    training = case.values(TRAINING)
    half = training.take(WHOLE[::2]) if hasattr(training, "take") and hasattr(training, "codes") else training[::2]
    encoder = case.fit(half, training)
    for table in (TRAINING, make_table(50, seed=7), awkward_table()):
        arrays = encoder.transform(case.values(table))
        assert arrays.shape == (table.rows, encoder.width)
        assert len(encoder.feature_names) == encoder.width
        np.testing.assert_allclose(graph_of(case, encoder, table), arrays, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_state_is_json_and_restores_the_encoder(name: str) -> None:
    case = CASES[name]
    values = case.values(TRAINING)
    encoder = case.fit(values, values)
    restored = case.restore(json.loads(json.dumps(encoder.state())))
    awkward = case.values(awkward_table())
    np.testing.assert_array_equal(restored.transform(awkward), encoder.transform(awkward))
    assert restored.feature_names == encoder.feature_names


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_table_equals_its_graph_also_on_rows_never_seen(encoding: str) -> None:
    encoder = make_encoder(PROFILE, encoding).fit(TRAINING, WHOLE[::3], WHOLE)
    encoder = TableEncoder.from_state(json.loads(json.dumps(encoder.state())))
    for table in (TRAINING, make_table(50, seed=7), awkward_table()):
        blocks = encoder.transform(table)
        builder = GraphBuilder()
        tensors = encoder.graph(builder)
        outputs = {f"out {block}": (tensors[block], shape[1]) for block, shape in encoder.shapes.items()}
        found = run_graph(builder, outputs, feeds(encoder.inputs, table))
        for block, (width, dtype, cardinalities) in encoder.shapes.items():
            assert blocks[block].shape == (table.rows, width)
            assert str(blocks[block].dtype) == dtype == str(found[f"out {block}"].dtype)
            np.testing.assert_allclose(found[f"out {block}"], blocks[block], rtol=1e-6, atol=1e-6)
            if cardinalities is not None:
                assert blocks[block].min() >= 0
                assert (blocks[block].max(axis=0) < cardinalities).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_fold_has_the_same_shapes(encoding: str) -> None:
    folds = [np.flatnonzero(fold != WHOLE % 5) for fold in range(5)] + [WHOLE[:10], WHOLE]
    shapes = [make_encoder(PROFILE, encoding).fit(TRAINING, rows, WHOLE).shapes for rows in folds]
    assert all(shape == shapes[0] for shape in shapes)
    features = [make_encoder(PROFILE, encoding).fit(TRAINING, rows, WHOLE).features for rows in folds]
    assert all(feature == features[0] for feature in features)


@pytest.mark.parametrize("encoding", ["dense", "embedded"])
def test_no_value_is_missing_or_out_of_bounds_for_linear_models_and_nets(encoding: str) -> None:
    encoder = make_encoder(PROFILE, encoding).fit(TRAINING, WHOLE, WHOLE)
    for block in encoder.transform(awkward_table()).values():
        assert np.isfinite(block).all()
        assert np.abs(block).max() <= 1000


def test_a_fold_does_not_know_what_its_rows_do_not_hold() -> None:
    rows = np.flatnonzero(TRAINING.columns["colour"].strings() != "red")  # type: ignore[union-attr]
    encoder = make_encoder(PROFILE, "codes").fit(TRAINING, rows, WHOLE)
    position = [name for name, _ in encoder.features["codes"]].index("colour")
    codes = encoder.transform(TRAINING)["codes"][:, position]
    red = TRAINING.columns["colour"].strings() == "red"  # type: ignore[union-attr]
    assert np.isnan(codes[red]).all()
    assert not np.isnan(codes[TRAINING.columns["colour"].strings() == "blue"]).any()  # type: ignore[union-attr]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_column_that_tells_nothing_is_no_input(encoding: str) -> None:
    table = Table({"many": TRAINING.columns["many"], "label": TRAINING.columns["label"]}, ROWS)
    strings = np.array([f"only {row}" for row in range(ROWS)], dtype=object)
    table = Table({**table.columns, "many": type(table.columns["label"]).from_strings(strings)}, ROWS)  # type: ignore[union-attr]
    profile = make_profile(table, np.arange(ROWS) % 2, Task.BINARY)
    encoder = make_encoder(profile, encoding).fit(table, WHOLE, WHOLE)
    if encoding != "none":
        assert [column.name for column in encoder.inputs] == ["label"]
        assert [column.input for column in encoder.inputs] == ["label_in"]
    alone = make_profile(table, np.arange(ROWS) % 2, Task.BINARY, leave_out=("label",))
    encoder = make_encoder(alone, encoding).fit(table, WHOLE, WHOLE)
    assert list(encoder.shapes) == ["rows"]
    assert encoder.transform(table)["rows"].shape == (ROWS, 1)
