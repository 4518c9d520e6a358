"""The same table is read from every container, and every bad input is one sentence."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from automl.core.errors import InputError
from automl.core.predictor import parse_csv
from automl.reading import content_hash, find_delimiter, read

FRAME = pd.DataFrame(
    {
        "id": ["007", "008", "009"],
        "amount": ["1,5", "2", "NA"],
        "text": ['say "hi"', "two\nlines", "tab\there; semicolon, comma | bar"],
        "empty": ["", "x", ""],
        "emoji 🙂": ["é", "ß", "日本"],
    }
)


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_csv_round_trip_keeps_every_cell(tmp_path: Path, delimiter: str, encoding: str, newline: str) -> None:
    text = FRAME.to_csv(index=False, sep=delimiter, lineterminator=newline)
    dataset = read(write(tmp_path / "a.b.csv", text.encode(encoding)))
    pd.testing.assert_frame_equal(dataset.frame, FRAME)
    assert dataset.name == "a.b"
    assert dataset.reading["delimiter"] == delimiter
    assert dataset.reading["encoding"] == encoding
    assert all(isinstance(cell, str) for cell in dataset.frame.to_numpy().ravel())


def test_packed_files_and_their_names(tmp_path: Path) -> None:
    text = FRAME.to_csv(index=False).encode()
    for name, content in (("x.csv.gz", gzip.compress(text)), ("x.tsv.xz", lzma.compress(text)), ("x.gz", gzip.compress(text))):
        dataset = read(str(write(tmp_path / name, content)))
        pd.testing.assert_frame_equal(dataset.frame, FRAME)
        assert dataset.name == "x"


def test_windows_text_is_read_and_said(tmp_path: Path) -> None:
    dataset = read(write(tmp_path / "a.csv", "name,city\nJosé,Köln\nZoë,Århus\n".encode("cp1252")))
    assert dataset.frame["city"].tolist() == ["Köln", "Århus"]
    assert "Windows-1252" in dataset.reading["note"]


def test_headers_are_trimmed_and_named(tmp_path: Path) -> None:
    frame = read(write(tmp_path / "a.csv", ",  age ,city\n0,1,a\n\n1,2,b\n   \n")).frame
    assert list(frame.columns) == ["Unnamed: 0", "age", "city"]
    assert len(frame) == 2


def test_wide_and_long_cells(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(5000)]
    wide = ",".join(names) + "\n" + (",".join("1" for _ in names) + "\n") * 3
    assert read(write(tmp_path / "wide.csv", wide)).frame.shape == (3, 5000)
    long = "a,b\n1," + "x" * 300_000 + "\n2,y\n"
    assert read(write(tmp_path / "long.csv", long)).frame["b"].str.len().tolist() == [300_000, 1]


@pytest.mark.parametrize(
    "text",
    ['a,b\n5" pipe,2\n6" pipe,3\n', 'a,b\n"x"y,2\n"p""q",3\n', "a,b\n'x,y\nz',w\n", 'a,b\n"1\r\n2",3\n4,5\n', "a,b\n,\n,\n"],
)
def test_the_quick_and_the_exact_way_agree(tmp_path: Path, text: str) -> None:
    exact = pd.DataFrame(dict(parse_csv(text, ",", "a.csv")), dtype=str)
    pd.testing.assert_frame_equal(read(write(tmp_path / "a.csv", text)).frame, exact)


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a;b;c\n1,5;2,5;3,5\n1,5;2,5;3,5\n", ";"),
        ("a,b\n1;2;3,x\n4;5;6,y\n", ","),
        ("a\tb\n1,2\t3,4\n", "\t"),
        ('a|b\n"x,y"|2\n', "|"),
        ("a,b;c,d\n1,2,3\n1,2,3\n", ","),
        ("only\n1\n2\n", ","),
    ],
)
def test_the_delimiter_is_found(text: str, delimiter: str) -> None:
    assert find_delimiter(text) == delimiter


def test_typed_files_keep_their_types(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1, 2], "y": [0.5, None], "z": ["a", None], "t": pd.to_datetime(["2024-01-01", None])})
    frame.to_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read(tmp_path / "a.parquet").frame, frame)
    lines = [{"x": 1, "y": 0.5, "z": "a"}, {"x": 2, "y": None, "w": True}]
    for name, text in (("a.jsonl", "\n".join(map(json.dumps, lines))), ("a.json", json.dumps(lines))):
        read_back = read(write(tmp_path / name, text)).frame
        assert list(read_back.columns) == ["x", "y", "z", "w"]
        assert read_back["x"].tolist() == [1, 2]


def test_frames_of_every_library_are_one_dataset() -> None:
    frame = pd.DataFrame({"x": [1, 2, 3], "y": [0.5, None, -1.0], "z": ["a", None, "ü"], "flag": [True, False, True]})
    sources: list[Any] = [
        frame,
        frame.astype({"z": object, "x": float}),
        frame.convert_dtypes(),
        frame.convert_dtypes(dtype_backend="pyarrow"),
        frame.astype({"z": "category"}),
        pl.from_pandas(frame),
        pl.from_pandas(frame).lazy(),
        pa.Table.from_pandas(frame),
        frame.to_dict("list"),
        frame.to_dict("records"),
        frame.set_axis([5, 6, 7]),
    ]
    datasets = [read(source) for source in sources]
    assert {dataset.content_hash for dataset in datasets} == {datasets[0].content_hash}
    assert {dataset.name for dataset in datasets} == {"data"}
    for dataset in datasets:
        assert list(dataset.frame.columns) == list(frame.columns)
        assert dataset.rows == 3
    assert read(frame.iloc[::-1]).content_hash != datasets[0].content_hash
    assert read(frame.rename(columns={"x": "X"})).content_hash != datasets[0].content_hash


def test_a_frame_is_not_changed_and_its_names_become_text() -> None:
    frame = pd.DataFrame({0: [1, 2], " a ": [3, 4]}, index=pd.Index(["p", "q"], name="key"))
    before = frame.copy()
    assert list(read(frame).frame.columns) == ["key", "0", "a"]
    pd.testing.assert_frame_equal(frame, before)


def test_content_hash_sees_every_cell() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0], "t": pd.to_datetime(["2024-01-01", None]), "s": ["a", "b"]})
    hashes = {content_hash(frame)}
    for name, value in (("x", np.nan), ("t", pd.Timestamp("2024-01-02")), ("s", "c"), ("s", "")):
        changed = frame.copy()
        changed.loc[1, name] = value
        hashes.add(content_hash(changed))
    assert len(hashes) == 5


def test_a_test_part_is_aligned(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "a,b,y\n1,2,3\n4,5,6\n")
    write(tmp_path / "test.csv", "y,extra,b,a\n9,0,8,7\n")
    for dataset in (read(tmp_path), read(tmp_path / "train.csv", tmp_path / "test.csv")):
        assert dataset.test is not None
        assert dataset.test.to_dict("list") == {"a": ["7"], "b": ["8"], "y": ["9"]}
        assert dataset.content_hash != read(tmp_path / "train.csv").content_hash
    assert read(tmp_path).name == tmp_path.name
    write(tmp_path / "test.csv", "a,bb\n1,2\n")
    with pytest.raises(InputError, match=r'column "b" .and 1 more. is in .*train.csv but not in .*test.csv; did you mean "bb"'):
        read(tmp_path)


BAD_FILES: list[tuple[str, bytes, str]] = [
    ("empty.csv", b"", "is empty"),
    ("blank.csv", b"\n \n", "is empty"),
    ("header.csv", b"a,b\n", "has a header but no rows"),
    ("one.csv", b"a,b\n1,2\n", "has only one row"),
    ("few.csv", b"a,b\n1,2\n3\n", "line 3 of few.csv has 1 cell where the header has 2"),
    ("many.csv", b'a,b\n"1\n1",2\n3,4,5\n', "line 4 of many.csv has 3 cells where the header has 2"),
    ("all.csv", b"a,b\n1,2,3\n4,5,6\n", "line 2 of all.csv has 3 cells"),
    ("quote.csv", b'a,b\n1,2\n3,"4\n5,6\n7,8\n', "line 3 opens a quote that is never closed"),
    ("twice.csv", b"a,b, a\n1,2,3\n4,5,6\n", 'column name "a" stands more than once'),
    ("nul.csv", b"a,b\n1,\x00\n3,4\n", "NUL"),
    ("picture.csv", b"\x89PNG\r\n\x1a\n\x00", "is a PNG image"),
    ("workbook.csv", b"PK\x03\x04", "zip archive or an Excel workbook"),
    ("nothing.csv", b"a,b\n\x81\x8d,2\n\x90,1\n", "no text in UTF-8"),
    ("wide.csv", b"\xff\xfea\x00,\x00b", "no text|has a header but no rows|is empty"),
    ("data.csv.gz", b"a,b\n1,2\n", "is damaged"),
    ("data.parquet", b"PAR1", "no readable Parquet"),
    ("data.jsonl", b'{"a": 1}\n{"a": \n', "line 2 of data.jsonl is no JSON"),
    ("array.json", b"[1, 2]", "JSON objects"),
    ("nested.jsonl", b'{"a": [1], "b": 1}\n{"a": [2], "b": 2}\n', 'column "a" .* holds lists or objects'),
    ("old.xls", b"\xd0\xcf\x11\xe0", "save it as .xlsx or CSV"),
    ("data.pkl", b"x", '".pkl", which is not supported'),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD_FILES, ids=[name for name, _, _ in BAD_FILES])
def test_bad_files_are_one_sentence(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(write(tmp_path / name, content))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    write(tmp_path / "data.csv", "a,b\n1,2\n3,4\n")
    with pytest.raises(InputError, match=r'dota.csv does not exist; did you mean "data.csv"\?'):
        read(tmp_path / "dota.csv")
    with pytest.raises(InputError, match=r"without a train\.csv"):
        read(tmp_path)
    with pytest.raises(InputError, match="only local files"):
        read("https://example.org/data.csv")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs Unix permissions")
def test_no_permission(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", "a,b\n1,2\n3,4\n")
    path.chmod(0)
    if os.geteuid():
        with pytest.raises(InputError, match="no permission"):
            read(path)
        return
    # Root may read everything: drop the rights in a process of its own.
    tmp_path.chmod(0o755)
    code = (
        f"import os; from automl.reading import read; os.setuid(65534)\ntry: read({str(path)!r})\nexcept Exception as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cannot be read" in done.stdout


BAD_FRAMES: list[tuple[Any, str]] = [
    (pd.DataFrame({"a": [1, 2]}).join(pd.DataFrame({"b": [1, 2]})).set_axis(["a", "a"], axis=1), 'column name "a" stands'),
    (pd.DataFrame({1: [1, 2], "1": [3, 4]}), 'column name "1" stands'),
    (pd.DataFrame([[1, 2]] * 2, columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])), "names of 2 levels"),
    (pd.DataFrame(), "has no columns"),
    (pd.DataFrame({"a": []}), "no rows"),
    (pd.DataFrame({"a": [1]}), "only one row"),
    (pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1])}), 'column "a" .* is sparse'),
    (pd.DataFrame({"a": [[1], [2]]}), 'column "a" .* lists or objects'),
    (pl.DataFrame({"a": [[1], [2]]}), 'column "a" .* lists or objects'),
    (pl.DataFrame({"a": [{"b": 1}, {"b": 2}]}), 'column "a" .* lists or objects'),
    (pd.DataFrame({"a": [1j, 2j]}), "complex"),
    ({"a": [1, 2], "b": [1]}, "make no table"),
    ({"a": 1, "b": 2}, "make no table"),
    (np.ones((3, 2)), "cannot be read from ndarray"),
    (pd.Series([1, 2]), "cannot be read from Series"),
    (pl.Series([1, 2]), "cannot be read from Series"),
    (7, "cannot be read from int"),
    (None, "cannot be read from NoneType"),
    ([], "cannot be read from list"),
]


@pytest.mark.parametrize(("source", "message"), BAD_FRAMES)
def test_bad_frames_are_one_sentence(source: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(source)
    assert "\n" not in str(caught.value)


def test_sparse_matrices_are_refused() -> None:
    from scipy.sparse import eye

    with pytest.raises(InputError, match="sparse matrices are not supported"):
        read(eye(3).tocsr())


def test_reading_imports_nothing_that_trains() -> None:
    code = (
        "import sys, automl.reading; print([n for n in ('tensorflow', 'sklearn', 'scipy', 'onnx', 'shap') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
