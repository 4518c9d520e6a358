"""A Model says in one sentence why a folder or rows cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from onnx import TensorProto, helper

from automl.core.errors import InputError
from automl.core.model import Model, as_columns, load


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder whose model doubles x."""
    folder = tmp_path_factory.mktemp("run") / "model"
    folder.mkdir()
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["value"])],
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1])],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["batch", 1])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(folder / "model.onnx"))
    parse = {"as": "number", "missing": [""]}
    contract = {
        "format": 1,
        "automl": "0.1.0",
        "task": "regression",
        "target": "y",
        "target_parse": parse,
        "columns": [{"name": "x", "input": "x", "kind": "number", "dtype": "float32", "parse": parse}],
    }
    (folder / "contract.json").write_text(json.dumps(contract))
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load(folder)


def test_a_run_folder_leads_to_its_model(folder: Path) -> None:
    model = load(folder.parent)
    assert model.folder == folder
    assert model.size_bytes == (folder / "model.onnx").stat().st_size
    assert model.contract["target"] == "y"


def test_rows_come_from_anywhere(model: Model, tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.5], "y": [2, 5]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    for rows in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame), pa.Table.from_pandas(frame).to_batches()[0]):
        np.testing.assert_array_equal(model.predict(rows), [2.0, 5.0])
    for rows in (frame.to_dict("records"), frame.to_dict("list"), tmp_path / "rows.csv", str(tmp_path / "rows.csv")):
        np.testing.assert_array_equal(model.predict(rows), [2.0, 5.0])
        np.testing.assert_array_equal(model.truth(rows), [2.0, 5.0])
    np.testing.assert_array_equal(model.predict({"x": "2.5"}), [5.0])
    assert model.write_predictions(tmp_path / "out.csv", tmp_path / "rows.csv") == 2
    assert (tmp_path / "out.csv").read_text() == "prediction\n2.0\n5.0\n"


def test_polars_and_arrow_types_become_plain(tmp_path: Path) -> None:
    frame = pl.DataFrame({"category": ["a", None], "whole": [1, None], "flag": [True, None], "wide": [2**60, 1]}).with_columns(
        pl.col("category").cast(pl.Categorical)
    )
    for rows in (frame, frame.lazy(), frame.to_arrow()):
        columns = as_columns(rows)
        assert {name: list(values) for name, values in columns.items()} == {
            "category": ["a", None],
            "whole": [1, None],
            "flag": [True, None],
            "wide": [2**60, 1],
        }


@pytest.mark.parametrize("rows", [7, object(), np.ones((2, 2)), pl.Series([1]), pa.array([1]), pd.Series([1])])
def test_what_is_no_table_is_refused(model: Model, rows: object) -> None:
    with pytest.raises(InputError):
        model.predict(rows)


def test_refusals_are_input_errors(model: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match='column "x" is missing'):
        model.predict(pd.DataFrame({"z": [1]}))
    with pytest.raises(InputError, match="has no probabilities"):
        model.predict_proba({"x": 1})
    with pytest.raises(InputError, match='"y", the target'):
        model.truth(pd.DataFrame({"x": [1]}))
    with pytest.raises(InputError, match="does not exist"):
        model.predict(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"contract\.json is missing"):
        load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is no folder"):
        load(tmp_path / "file")
