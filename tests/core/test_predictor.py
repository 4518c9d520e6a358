"""Parse steps mean the same in every container, and a model folder predicts, refuses and writes as promised."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import math
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from onnx import TensorProto, helper

from automl.core import predictor as module
from automl.core.model import as_columns, load
from automl.core.predictor import (
    MISSING_DATE,
    Columns,
    Predictor,
    PredictorError,
    canonical,
    encode_target,
    neutral,
    notes_on,
    parse_column,
    parse_value,
    read_rows,
    write_predictions,
)

NUMBER = {"as": "number", "missing": ["", "?", "NA", "-999"]}
MONEY = {"as": "number", "missing": ["n/a"], "decimal": ".", "thousands": ",", "remove": "$€"}
GERMAN = {"as": "number", "missing": [], "decimal": ",", "thousands": "."}
BOOLEAN = {"as": "boolean", "missing": ["?"], "true": ["Yes", "y"], "false": ["no"]}
CATEGORY = {"as": "category", "missing": ["?", "n/a"], "aliases": {"True": "1"}}
DATE = {"as": "datetime", "missing": ["never"], "formats": ["%d/%m/%Y", "ISO8601"]}
NAN = math.nan


@pytest.mark.parametrize(
    ("value", "spelling"),
    [
        (1, "1"),
        (1.0, "1"),
        ("1", "1"),
        (" 1.0 ", "1"),
        ("2.00", "2"),
        ("-3.0", "-3"),
        (-0.0, "0"),
        ("-0.0", "0"),
        ("007", "007"),
        ("007.0", "007.0"),
        ("1.10", "1.10"),
        (1.5, "1.5"),
        (np.float32(0.1), "0.1"),
        (np.int8(3), "3"),
        (10**17, str(10**17)),
        (1e300, "1e+300"),
        (math.inf, "inf"),
        (True, "True"),
        (np.bool_(False), "False"),
        (Decimal("2.0"), "2"),
        (None, ""),
        (NAN, ""),
        (pd.NA, ""),
        (pd.NaT, ""),
        (np.datetime64("NaT"), ""),
        ("", ""),
        ("   ", ""),
        (date(2024, 5, 1), "2024-05-01"),
        (pd.Timestamp("2024-05-01"), "2024-05-01"),
        (np.datetime64("2024-05-01T10:00"), "2024-05-01 10:00:00"),
        ("naïve 🙂", "naïve 🙂"),
        ("\ud800", "\ufffd"),
        (b"bytes", "bytes"),
    ],
)
def test_one_spelling_of_a_category_value(value: object, spelling: str) -> None:
    assert canonical(value) == spelling
    assert canonical(spelling) == spelling


@pytest.mark.parametrize(
    ("parse", "text", "number"),
    [
        (NUMBER, " 1.5 ", 1.5),
        (NUMBER, "1e3", 1000.0),
        (NUMBER, "na", NAN),
        (NUMBER, "-999", NAN),
        (NUMBER, "-999.0", NAN),
        (NUMBER, "inf", NAN),
        (NUMBER, "1e999", NAN),
        (NUMBER, "1_000", NAN),
        (NUMBER, "1,5", NAN),
        (NUMBER, "12 apples", NAN),
        (NUMBER, "\u22123", -3.0),
        (MONEY, "$1,234.50", 1234.5),
        (MONEY, "-€12", -12.0),
        (MONEY, "($1,234)", -1234.0),
        (MONEY, "$(1,234)", -1234.0),
        (MONEY, "12,34,567", 1234567.0),
        (MONEY, "1,5", NAN),
        (MONEY, "1,2345", NAN),
        (GERMAN, "1.234.567,5", 1234567.5),
        (GERMAN, "0,25", 0.25),
        (GERMAN, "1.5", NAN),
        ({"as": "number", "thousands": " "}, "1\u202f234 567", 1234567.0),
        ({"as": "number", "thousands": "'"}, "1'234", 1234.0),
        ({"as": "number", "remove": "%"}, "12 %", 12.0),
        ({"as": "number", "percent": True}, "12%", 0.12),
        ({"as": "number", "percent": True}, "0.12", 0.12),
    ],
)
def test_numbers_hidden_in_text(parse: dict, text: str, number: float) -> None:
    np.testing.assert_equal(parse_value(text, parse), number)
    np.testing.assert_equal(parse_column([text, text], parse), [number, number])
    np.testing.assert_equal(parse_column(pd.Series([text, None, "x"]), parse), [number, NAN, NAN])


def test_booleans_by_their_words_and_typed() -> None:
    np.testing.assert_equal(parse_column([" YES", "No", "y", "?", "maybe", None], BOOLEAN), [1, 0, 1, NAN, NAN, NAN])
    for typed in (pd.Series([True, False]), pd.Series([1, 0]), pd.Series([1.0, 0.0]), ["true", "False"], [True, 0]):
        np.testing.assert_equal(parse_column(typed, BOOLEAN), [1, 0])
    # Words that say something else about 1 and 0 win.
    coded = {"as": "boolean", "true": ["2"], "false": ["1"]}
    np.testing.assert_equal(parse_column(pd.Series([1.0, 2.0, 0.0]), coded), [0, 1, NAN])


def test_categories_with_missing_words_and_aliases() -> None:
    assert parse_column(["a", " a ", "?", "N/A", None, True, 1, 1.0, "1.0"], CATEGORY).tolist() == [
        "a",
        "a",
        *[""] * 3,
        *["1"] * 4,
    ]
    # True equals 1 for Python; they stay apart where no alias joins them.
    assert parse_column([True, 1, 1.0, False, 0], {"as": "category"}).tolist() == ["True", "1", "1", "False", "0"]


def test_dates_become_epoch_seconds() -> None:
    noon = int(datetime(2024, 2, 1, 12, tzinfo=UTC).timestamp())
    day = noon - 43_200
    cells = ["01/02/2024", "2024-02-01T12:00:00", "2024-02-01 13:00+01:00", "never", "", "rubbish", None, date(2024, 2, 1)]
    assert parse_column(cells, DATE).tolist() == [day, noon, noon, *[MISSING_DATE] * 4, day]
    assert parse_column([20240201, 20240201.0, "20240201"], {"as": "datetime", "formats": ["%Y%m%d"]}).tolist() == [day] * 3
    before = pd.Series(pd.to_datetime(["1969-12-31 23:59:59.5", None]))
    for typed in (before, before.dt.as_unit("ns"), before.dt.tz_localize("UTC"), before.astype("timestamp[us][pyarrow]")):
        assert parse_column(typed, DATE).tolist() == [-1, MISSING_DATE]
    assert parse_value("1969-12-31 23:59:59.5", DATE) == -1


def containers(frame: pd.DataFrame) -> dict[str, object]:
    """The same rows as CSV text, pandas (several backends), polars, pyarrow and dicts."""
    text = pd.read_csv(io.StringIO(frame.to_csv(index=False)), dtype=str, keep_default_na=False)
    records = [{k: None if pd.isna(v) else v for k, v in row.items()} for row in frame.to_dict("records")]
    return {
        "csv": text,
        "csv as object": text.astype(object),
        "csv as list": Columns({name: text[name].tolist() for name in text}),
        "inferred": pd.read_csv(io.StringIO(frame.to_csv(index=False))),
        "pandas": frame,
        "nullable": frame.convert_dtypes(),
        "arrow-backed": frame.convert_dtypes(dtype_backend="pyarrow"),
        "categorical": frame.astype(dict.fromkeys(frame, "category")),
        "polars": as_columns(pl.from_pandas(frame)),
        "pyarrow": as_columns(pa.Table.from_pandas(frame)),
        "dicts": Columns({name: [record[name] for record in records] for name in frame}),
    }


MIXED = pd.DataFrame(
    {
        "whole": [3, 1, 2, 3],
        "holes": [1.0, None, 2.5, -999.0],
        "codes": [1.0, None, 2.0, 1.0],
        "level": ["a", None, "ü ß", 'say "hi", ok'],
        "flag": [True, False, True, True],
        "flag_holes": [True, None, False, True],
        "when": pd.to_datetime(["2024-01-31 10:20:30", None, "1950-06-01 00:00:00", "2024-02-29 23:59:59"]),
        "zoned": pd.to_datetime(["2024-01-31 10:20:30", None, "1950-06-01 00:00:00", "2024-02-29 01:02:03"]).tz_localize(
            "Europe/Berlin"
        ),
    }
)
STEPS = {
    "whole": [NUMBER, CATEGORY],
    "holes": [NUMBER, {"as": "category", "missing": ["-999"]}],
    "codes": [NUMBER, CATEGORY],
    "level": [CATEGORY, NUMBER],
    "flag": [BOOLEAN, CATEGORY],
    "flag_holes": [BOOLEAN, CATEGORY],
    "when": [{"as": "datetime", "formats": ["ISO8601"]}],
    "zoned": [{"as": "datetime", "formats": ["ISO8601"]}],
}


@pytest.mark.parametrize("name", list(STEPS))
def test_a_parse_step_gives_the_same_from_every_container(name: str) -> None:
    for parse in STEPS[name]:
        expected = parse_column(MIXED[name], parse)
        for container, frame in containers(MIXED[[name]].assign(other=1)).items():
            np.testing.assert_equal(parse_column(frame[name], parse), expected, err_msg=f"{container}, {parse}")  # type: ignore[index]
            one_by_one = [parse_value(cell, parse) for cell in list(frame[name])]  # type: ignore[index]
            np.testing.assert_equal(one_by_one, expected.tolist(), err_msg=f"{container}, {parse}, cell by cell")


def test_any_column_through_any_step_raises_nothing() -> None:
    odd = [
        None,
        NAN,
        pd.NA,
        pd.NaT,
        "",
        "x",
        b"x",
        1,
        -1.5,
        10**400,
        True,
        Decimal("1.5"),
        date(2024, 1, 1),
        [1],
        {"a": 1},
        "\ud800",
    ]
    frames = [odd, pd.Series(odd, dtype=object), *(MIXED[name] for name in MIXED), pd.Series(pd.to_timedelta([1, 2], unit="s"))]
    for parse in (NUMBER, MONEY, GERMAN, BOOLEAN, CATEGORY, DATE):
        for values in frames:
            assert len(parse_column(values, parse)) == len(values)
            for cell in values:
                parse_value(cell, parse)


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(PredictorError, match='"embedding" is not known'):
        parse_column(["a"], {"as": "embedding"})


# --- model folders ---------------------------------------------------------------------------------------------------

COLUMNS = [
    {"name": "age", "input": "age", "kind": "number", "dtype": "float32", "parse": NUMBER},
    {"name": "label", "input": "label_in", "kind": "category", "dtype": "string", "parse": CATEGORY},
    {"name": "when", "input": "when", "kind": "datetime", "dtype": "int64", "parse": DATE},
]
ROWS = [
    {"age": 40.0, "label": "good", "when": "01/02/2024", "id": "=1+1"},
    {"age": None, "label": "bad", "when": "", "id": "+12"},
    {"age": 10.0, "label": "never seen", "when": "2024-02-01", "id": "-x"},
]


def write_folder(folder: Path, task: str = "binary", **changes: object) -> Path:
    """A model: P(yes) = sigmoid(age if age is there else -5, +100 if label is "good"); value = age + 1 for regression."""
    inputs = [
        helper.make_tensor_value_info("age", TensorProto.FLOAT, ["batch", 1]),
        helper.make_tensor_value_info("label_in", TensorProto.STRING, ["batch", 1]),
        helper.make_tensor_value_info("when", TensorProto.INT64, ["batch", 1]),
    ]
    nodes = [
        helper.make_node("IsNaN", ["age"], ["nan"]),
        helper.make_node("Where", ["nan", "minus", "age"], ["known"]),
        helper.make_node(
            "LabelEncoder",
            ["label_in"],
            ["bonus"],
            domain="ai.onnx.ml",
            keys_strings=["good"],
            values_floats=[100.0],
            default_float=0.0,
        ),
        helper.make_node("Cast", ["when"], ["date"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["date", "zero"], ["nothing"]),
        helper.make_node("Sum", ["known", "bonus", "nothing"], ["margin"]),
    ]
    if task == "regression":
        nodes.append(helper.make_node("Add", ["margin", "one"], ["value"]))
        outputs = [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["batch", 1])]
    else:
        nodes += [
            helper.make_node("Sigmoid", ["margin"], ["yes"]),
            helper.make_node("Sub", ["one", "yes"], ["no"]),
            helper.make_node("Concat", ["no", "yes"], ["probabilities"], axis=1),
            helper.make_node("ArgMax", ["probabilities"], ["code"], axis=1, keepdims=0),
        ]
        kind = changes.get("class_type", "string")
        to = {"values_strings": changes.get("classes", ["no", "yes"])} if kind == "string" else {"values_int64s": [0, 1]}
        nodes.append(helper.make_node("LabelEncoder", ["code"], ["label"], domain="ai.onnx.ml", keys_int64s=[0, 1], **to))
        dtype = TensorProto.STRING if kind == "string" else TensorProto.INT64
        outputs = [
            helper.make_tensor_value_info("label", dtype, ["batch"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2]),
        ]
    constants = [
        helper.make_tensor(name, TensorProto.FLOAT, [1], [x]) for name, x in (("minus", -5.0), ("zero", 0.0), ("one", 1.0))
    ]
    graph = helper.make_graph(nodes, "model", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 4)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / "model.onnx"))
    contract = {
        "format": 1,
        "automl": "0.1.0",
        "task": task,
        "target": "target",
        "target_parse": NUMBER if task == "regression" else {"as": "category", "missing": []},
        "classes": [] if task == "regression" else ["no", "yes"],
        "class_type": "string",
        "columns": COLUMNS,
        "id_columns": ["id"],
        **changes,
    }
    (folder / "contract.json").write_text(json.dumps(contract))
    shutil.copy(module.__file__, folder / "predict.py")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("model") / "binary")


def test_one_row_many_rows_and_every_frame_agree(folder: Path) -> None:
    model = load(folder)
    frame = pd.DataFrame(ROWS)
    expected = model.predict_proba(ROWS)
    assert expected.shape == (3, 2)
    np.testing.assert_allclose(expected.sum(axis=1), 1.0, atol=1e-6)
    assert model.predict(ROWS).tolist() == ["yes", "no", "yes"]
    shuffled = frame.assign(extra=1)[["extra", "when", "id", "label", "age"]]
    for rows in (
        frame,
        shuffled,
        pl.DataFrame(ROWS),
        pl.DataFrame(ROWS).lazy(),
        pa.Table.from_pylist(ROWS),
        frame.to_dict("list"),
    ):
        np.testing.assert_array_equal(model.predict_proba(rows), expected)
    np.testing.assert_array_equal(np.concatenate([model.predict_proba(row) for row in ROWS]), expected)
    assert model.predict(ROWS[0]).tolist() == ["yes"]


def test_feeds_have_the_types_of_the_graph(folder: Path) -> None:
    predictor = Predictor(folder)
    for rows in (ROWS, ROWS[0]):
        feeds = predictor.feeds(rows)
        assert {name: values.dtype.kind for name, values in feeds.items()} == {"age": "f", "label_in": "O", "when": "i"}
        assert all(values.shape == (len(rows) if isinstance(rows, list) else 1, 1) for values in feeds.values())
    assert all(np.isnan(predictor.feeds(rows)["age"]).all() for rows in ([{**ROWS[0], "age": 1e300}], {**ROWS[0], "age": 1e300}))


def test_large_inputs_go_in_chunks_and_no_rows_are_fine(folder: Path) -> None:
    predictor = Predictor(folder, threads=2)
    many = pd.DataFrame(ROWS * 12_000)
    expected = np.tile(predictor.predict_proba(ROWS), (12_000, 1))
    np.testing.assert_array_equal(predictor.predict_proba(many), expected)
    np.testing.assert_array_equal(Predictor(folder, threads=1).predict_proba(many), expected)
    assert predictor.predict_proba(many.iloc[:0]).shape == (0, 2)


def test_labels_go_back_in_their_type(tmp_path: Path) -> None:
    whole = load(write_folder(tmp_path / "int64", class_type="int64", classes=["0", "1"]))
    assert whole.predict(ROWS).dtype == np.int64
    truth = load(write_folder(tmp_path / "boolean", class_type="boolean", classes=["False", "True"]))
    assert truth.predict(ROWS).tolist() == [True, False, True]
    values = load(write_folder(tmp_path / "regression", task="regression")).predict(ROWS)
    np.testing.assert_allclose(values, [141.0, -4.0, 11.0])
    assert values.dtype == np.float64


def test_a_missing_column_is_named_with_the_nearest(folder: Path) -> None:
    predictor = Predictor(folder)
    lacking = pd.DataFrame(ROWS).rename(columns={"label": "labell"})
    for rows in (lacking, lacking.to_dict("records"), lacking.to_dict("records")[0]):
        with pytest.raises(PredictorError, match=r'column "label" is missing from the new data; is "labell" meant\?'):
            predictor.predict(rows)
    with pytest.raises(PredictorError, match='columns "age", "label" are missing'):
        predictor.predict({"when": ""})
    doubled = pd.concat([pd.DataFrame(ROWS), pd.DataFrame(ROWS)[["age"]]], axis=1)
    with pytest.raises(PredictorError, match='more than one column "age"'):
        predictor.predict(doubled)


def test_names_with_blanks_around_them_are_found(folder: Path) -> None:
    predictor = Predictor(folder)
    padded = pd.DataFrame(ROWS).rename(columns=lambda name: f" {name} ")
    assert predictor.predict(padded).tolist() == predictor.predict(padded.to_dict("records")).tolist() == ["yes", "no", "yes"]
    assert predictor.predict(padded.to_dict("records")[0]).tolist() == ["yes"]


def test_a_named_index_is_a_column(folder: Path, tmp_path: Path) -> None:
    indexed = pd.DataFrame(ROWS).set_index(["id", "age"])
    predictor = Predictor(folder)
    assert predictor.predict(indexed).tolist() == ["yes", "no", "yes"]
    write_predictions(tmp_path / "indexed.csv", indexed, predictor)
    write_predictions(tmp_path / "records.csv", ROWS, predictor)
    assert (tmp_path / "indexed.csv").read_text() == (tmp_path / "records.csv").read_text()


def damaged(folder: Path, copy: Path) -> Path:
    shutil.copytree(folder, copy)
    return copy


def test_bad_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    contract = json.loads((folder / "contract.json").read_text())

    def refuse(name: str, file: str, content: bytes | None, message: str) -> None:
        copy = damaged(folder, tmp_path / name)
        (copy / file).unlink()
        if content is not None:
            (copy / file).write_bytes(content)
        with pytest.raises(PredictorError, match=message):
            Predictor(copy)

    refuse("a", "contract.json", None, "contract.json is missing")
    refuse("b", "model.onnx", None, "model.onnx is missing")
    refuse("c", "contract.json", b"{", "is damaged")
    refuse("d", "contract.json", b"[]", "no format number")
    refuse("e", "contract.json", json.dumps({**contract, "format": 2}).encode(), "made by automl 0.1.0 .format 2.")
    refuse("f", "contract.json", json.dumps({**contract, "columns": [{"name": "age"}]}).encode(), "damaged")
    refuse("g", "contract.json", json.dumps({**contract, "columns": COLUMNS[:2]}).encode(), "do not take the same columns")
    refuse("h", "model.onnx", (folder / "model.onnx").read_bytes()[:200], "damaged")
    refuse("i", "model.onnx", b"rubbish", "damaged")
    refuse("j", "contract.json", json.dumps({**contract, "task": "regression"}).encode(), "does not give value")


def test_external_data_is_refused_wherever_it_stands(folder: Path, tmp_path: Path) -> None:
    def external(tensor: onnx.TensorProto) -> onnx.TensorProto:
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="secret.bin")
        return tensor

    def save(name: str, model: onnx.ModelProto) -> Path:
        copy = damaged(folder, tmp_path / name)
        (copy / "model.onnx").write_bytes(model.SerializeToString())
        return copy

    plain = onnx.load(str(folder / "model.onnx"))
    initializer, constant, harmless = onnx.ModelProto(), onnx.ModelProto(), onnx.ModelProto()
    for model in (initializer, constant, harmless):
        model.CopyFrom(plain)
    external(initializer.graph.initializer[0])
    node = constant.graph.node.add(op_type="Constant", output=["far"])
    node.attribute.append(helper.make_attribute("value", external(helper.make_tensor("t", TensorProto.FLOAT, [1], [1.0]))))
    harmless.doc_string = "the location of the shop"
    for name, model in (("initializer", initializer), ("constant", constant)):
        with pytest.raises(PredictorError, match="other files"):
            Predictor(save(name, model))
    assert Predictor(save("harmless", harmless)).predict(ROWS).tolist() == ["yes", "no", "yes"]


def test_loading_executes_nothing_of_the_folder(folder: Path, tmp_path: Path) -> None:
    copy = damaged(folder, tmp_path / "trap")
    (copy / "predict.py").write_text("raise SystemExit('executed')")
    assert load(copy).predict(ROWS[0]).tolist() == ["yes"]


# --- files -----------------------------------------------------------------------------------------------------------


def new_csv(path: Path, delimiter: str = ",") -> Path:
    pd.DataFrame(ROWS).to_csv(path, index=False, sep=delimiter)
    return path


def test_rows_are_read_from_every_format(folder: Path, tmp_path: Path) -> None:
    predictor = Predictor(folder)
    text = new_csv(tmp_path / "a.csv").read_text()
    for delimiter in ";\t|":
        new_csv(tmp_path / f"{ord(delimiter)}.csv", delimiter)
    (tmp_path / "bom.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (tmp_path / "wide.csv").write_text(text, encoding="utf-16")
    (tmp_path / "windows.csv").write_bytes(text.replace("bad", "schön").encode("cp1252"))
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "packed.csv.xz").write_bytes(lzma.compress(text.encode()))
    (tmp_path / "lines.jsonl").write_text("\n".join(map(json.dumps, ROWS)) + "\n\n")
    (tmp_path / "array.json").write_text(json.dumps(ROWS))
    pd.DataFrame(ROWS).to_parquet(tmp_path / "typed.parquet")
    files = sorted(tmp_path.iterdir())
    assert len(files) == 12
    for path in files:
        assert predictor.predict(read_rows(path, predictor.contract)).tolist() == ["yes", "no", "yes"], path.name


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "is empty"),
        ("header.csv", b"age,label,when\n", "no rows"),
        ("ragged.csv", b'age,label,when\n1,"a\nb",\n2,b\n', "line 4 of ragged.csv has 2 cells where the header has 3"),
        ("quote.csv", b'age,label,when\n1,a,b\n1,a,"b\n2,b,c\n', "line 3 opens a quote"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n\0\0\0", "no text file"),
        ("damaged.csv.gz", b"\x1f\x8bnothing", "damaged"),
        ("damaged.csv.xz", b"nothing", "damaged"),
        ("damaged.parquet", b"PAR1nothing", "no readable Parquet"),
        ("damaged.jsonl", b'{"age": 1}\n{"age"\n', "line 2 of damaged.jsonl"),
        ("number.jsonl", b"1\n", "line 1 of number.jsonl is no JSON object"),
    ],
)
def test_bad_files_are_one_sentence(folder: Path, tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PredictorError, match=message):
        read_rows(tmp_path / name, Predictor(folder).contract)


def test_a_compressed_bomb_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FREE_EXPANSION_BYTES", 1000)
    (tmp_path / "bomb.csv.xz").write_bytes(lzma.compress(b"a" * 10_000_000))
    with pytest.raises(PredictorError, match="unpacks to more than"):
        read_rows(tmp_path / "bomb.csv.xz", Predictor(folder).contract)


def test_the_prediction_file(folder: Path, tmp_path: Path) -> None:
    predictor = Predictor(folder)
    target = tmp_path / "out.csv"
    for rows in (pd.DataFrame(ROWS), read_rows(new_csv(tmp_path / "new.csv"), predictor.contract)):
        assert write_predictions(target, rows, predictor) == 3
        with target.open(encoding="utf-8", newline="") as file:
            written = list(csv.DictReader(file))
        assert list(written[0]) == ["id", "prediction", "probability_no", "probability_yes"]
        assert [row["id"] for row in written] == ["'=1+1", "+12", "'-x"]
        assert [row["prediction"] for row in written] == ["yes", "no", "yes"]
        read_back = [[float(row["probability_no"]), float(row["probability_yes"])] for row in written]
        np.testing.assert_array_equal(np.asarray(read_back, np.float32), predictor.predict_proba(ROWS))


def test_the_prediction_file_is_whole_or_not_there(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor(folder)
    target = tmp_path / "out.csv"
    target.write_text("before")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PredictorError, match=r"cannot be written \(No space left on device\)"):
        write_predictions(target, pd.DataFrame(ROWS), predictor)
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(PredictorError, match="is a directory"):
        write_predictions(tmp_path, pd.DataFrame(ROWS), predictor)


def test_regression_values_are_written_shortest(tmp_path: Path) -> None:
    predictor = Predictor(write_folder(tmp_path / "model", task="regression", id_columns=["prediction"]))
    rows = [{**row, "age": 0.1, "label": "", "prediction": 7.0} for row in ROWS]
    write_predictions(tmp_path / "out.csv", pd.DataFrame(rows), predictor)
    assert (tmp_path / "out.csv").read_text().splitlines() == ["prediction_input,prediction", *["7,1.1"] * 3]


@pytest.mark.parametrize("cell", ["=1+1", "+SUM(A1)", "-cmd", "@a", "\tx", "-"])
def test_formulas_are_neutralised(cell: str) -> None:
    assert neutral(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["-5", "+1.5", "-1e-9", "", "a=b", "<=50K"])
def test_numbers_and_text_stay(cell: str) -> None:
    assert neutral(cell) == cell


def test_predict_py_stands_alone(folder: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", str(folder / "predict.py"), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    new_csv(tmp_path / "new.csv")
    done = run("new.csv", "-o", "out.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "3 rows written to out.csv\n")
    assert run("new.csv").stdout == (tmp_path / "out.csv").read_text()
    missing = run("nowhere.csv", "-o", "never.csv")
    assert (missing.returncode, missing.stderr) == (2, "predict.py: nowhere.csv does not exist\n")
    (tmp_path / "short.csv").write_text("age,when\n1,\n")
    lacking = run("short.csv", "-o", "never.csv")
    assert (lacking.returncode, lacking.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "never.csv").exists()


def test_predictor_imports_only_what_predict_py_may(folder: Path, tmp_path: Path) -> None:
    new_csv(tmp_path / "new.csv")
    code = (
        "import runpy, sys; sys.argv = ['predict.py', 'new.csv', '-o', 'out.csv']\n"
        f"try: runpy.run_path({str(folder / 'predict.py')!r}, run_name='__main__')\n"
        "except SystemExit as error: assert not error.code\n"
        "print(' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not {"automl", "tensorflow", "sklearn", "scipy", "onnx", "polars", "narwhals"} & set(done.stdout.split())


# --- the truth -------------------------------------------------------------------------------------------------------


def test_the_target_is_encoded_by_its_own_step() -> None:
    words = {"task": "binary", "classes": ["no", "yes"], "target_parse": {"as": "category", "missing": ["?"]}}
    assert encode_target(["yes", " no ", "?", None, "maybe"], words).tolist() == [1, 0, -1, -1, -1]
    codes = {"task": "multiclass", "classes": ["0", "1", "2"], "target_parse": {"as": "category", "missing": []}}
    for values in ([0, 2, 1], [0.0, 2.0, 1.0], ["0", "2.0", "1"], pd.Series([0, 2, 1], dtype="Int64")):
        assert encode_target(values, codes).tolist() == [0, 2, 1]
    flags = {"task": "binary", "classes": ["False", "True"], "target_parse": {"as": "category", "missing": []}}
    assert encode_target(pd.Series([True, None, False]), flags).tolist() == [1, -1, 0]
    spoken = {"task": "binary", "classes": ["No", "Yes"], "target_parse": {"as": "boolean", "true": ["yes"], "false": ["no"]}}
    assert encode_target(["YES", "no", ""], spoken).tolist() == [1, 0, -1]
    amounts = {"task": "regression", "target_parse": MONEY}
    np.testing.assert_equal(encode_target(["$1,000", "n/a"], amounts), [1000.0, NAN])


# --- what a reader should know ---------------------------------------------------------------------------------------


def described(**columns: Any) -> dict[str, Any]:
    """A contract with these columns: name to (parse, levels, missing fraction)."""
    listed = [
        {"name": name, "parse": parse, "levels": levels, "missing_fraction": missing} if levels else
        {"name": name, "parse": parse, "missing_fraction": missing}
        for name, (parse, levels, missing) in columns.items()
    ]  # fmt: skip
    return {"columns": listed, "task": "binary", "target": "y", "target_parse": {"as": "category"}, "classes": ["a", "b"]}


@pytest.mark.parametrize("container", [pd.DataFrame, Columns, pl.DataFrame, pa.table])
def test_columns_without_a_value_or_with_unknown_ones_only_are_told(container: Any) -> None:
    contract = described(
        x=(NUMBER, None, 0.0), often=(NUMBER, None, 0.9), when=(DATE, None, 0.0), flag=(BOOLEAN, None, 0.0),
        c=(CATEGORY, ["red", "blue"], 0.0), free=(CATEGORY, None, 0.0), gone=(CATEGORY, ["red"], 0.0),
    )  # fmt: skip
    fine = {"x": ["1", "?"], "often": ["", ""], "when": ["", "1/2/2020"], "flag": ["no", "?"], "c": ["green", "red"]}
    fine |= {"free": ["new", "newer"], "gone": ["red", ""]}
    assert notes_on(as_columns(container(fine)), contract) == []
    odd = {**fine, "x": ["1;5", "n"], "when": ["never", "soon"], "flag": ["2", ""], "c": ["green", ""], "gone": ["", "n/a"]}
    missing, unseen = notes_on(as_columns(container(odd)), contract)
    assert missing.startswith("4 columns have no value")
    assert missing.endswith('"x", "when", "flag" and 1 more')
    assert unseen == '1 column has only values that the training data does not have: "c"'


@pytest.mark.parametrize("container", [pd.DataFrame, Columns, pl.DataFrame])
def test_words_that_stand_for_no_value_are_told_with_their_row(container: Any) -> None:
    contract = described(age=(NUMBER, None, 0.1), when=(DATE, None, 0.1), c=(CATEGORY, ["red"], 0.0))
    rows = {"age": ["40", "?", "forty", ""], "when": ["1/2/2020", "", "soon", "later"], "c": ["red", "red", "blue", ""]}
    age, when = notes_on(as_columns(container(rows)), contract)
    assert age == '"forty" in column "age" (row 2, counted from 0) is no value there and counts as missing'
    assert when == '"soon" in column "when" (row 2, counted from 0) is no value there and counts as missing, and so do others'
    frame = pd.DataFrame({"age": pd.Categorical(["40", "forty"]), "when": pd.to_datetime(["2020-01-02"] * 2), "c": "red"})
    assert notes_on(frame, contract) == [
        '"forty" in column "age" (row 1, counted from 0) is no value there and counts as missing'
    ]


def test_one_value_far_down_is_enough_to_be_silent() -> None:
    contract = described(x=(NUMBER, None, 0.0), c=(CATEGORY, ["red"], 0.0))
    rows = pd.DataFrame({"x": ["?"] * 4999 + ["1"], "c": ["green"] * 4999 + ["red"]})
    assert notes_on(rows, contract) == []
    assert notes_on(rows.iloc[:-1], contract) != []
    assert notes_on({"x": None, "c": "red"}, contract) != []


@pytest.mark.parametrize("parse, written, other", [
    ({**NUMBER, "decimal": "."}, ["1.5", "1200.25", "7", "-0.125", "?"], ["1,5", "1.200,25", "7", "-0,125", "?"]),
    ({**NUMBER, "decimal": ",", "thousands": "."}, ["1,5", "1.200,25", "7"], ["1.5", "1,200.25", "7"]),
    (MONEY, ["$1,200.50", "$3.25", "n/a"], ["$1.200,50", "$3,25", "n/a"]),
])  # fmt: skip
def test_a_file_with_the_other_decimal_sign_is_read_as_it_is_meant(
    parse: dict[str, Any], written: list[str], other: list[str], tmp_path: Path
) -> None:
    contract = described(x=(parse, None, 0.0), name=(CATEGORY, None, 0.0))
    names = [f"a,b.{place}" for place in range(len(written))]
    found = {}
    for kind, cells in (("same", written), ("other", other)):
        pd.DataFrame({"x": cells, "name": names}).to_csv(tmp_path / f"{kind}.csv", sep=";", index=False)
        found[kind] = read_rows(tmp_path / f"{kind}.csv", contract)
        assert found[kind]["name"] == names
    assert found["same"]["x"] == written
    assert found["same"].notes == ()
    np.testing.assert_array_equal(parse_column(found["other"]["x"], parse), parse_column(written, parse))
    assert "decimal" in notes_on(found["other"], contract)[0]


@pytest.mark.parametrize("cells", [["1,234", "2,500", "7"], ["1,5"] + ["2.5"] * 30, ["1,5"] + ["2"] * 30, ["1,2,3", "4,5,6"]])
def test_doubtful_numbers_are_left_as_they_are(cells: list[str], tmp_path: Path) -> None:
    pd.DataFrame({"x": cells, "name": "a"}).to_csv(tmp_path / "new.csv", sep=";", index=False)
    rows = read_rows(tmp_path / "new.csv", described(x=(NUMBER, None, 0.0), name=(CATEGORY, None, 0.0)))
    assert rows["x"] == cells
    assert rows.notes == ()


def test_halves_of_characters_are_replaced_wherever_they_come_from(tmp_path: Path) -> None:
    (tmp_path / "new.jsonl").write_text('{"a\\ud800": "x\\udc00y", "b": "\\ud83d\\ude00"}\n')
    assert read_rows(tmp_path / "new.jsonl", described()) == {"a\ufffd": ["x\ufffdy"], "b": ["\U0001f600"]}
    assert canonical("\ud800 z") == canonical(" \ufffd z") == "\ufffd z"
    assert parse_column(np.asarray(["\udfff", "ok"], dtype=object), CATEGORY).tolist() == ["\ufffd", "ok"]
