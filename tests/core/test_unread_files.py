"""Files that cannot be read at prediction: counted and named, refused where nothing else tells of most of the rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper

from automl.core.errors import InputError
from automl.core.model import load
from automl.core.standalone import bundle, modules_of
from tests.core.test_audio_cells import wav
from tests.core.test_image_cells import encoded, smooth

MEDIA = {
    "image": ({"as": "image", "height": 4, "width": 4, "channels": 1, "fit": "resize"}, "uint8", [4, 4, 1], "png"),
    "audio": ({"as": "audio", "rate": 8000, "samples": 100}, "float32", [100], "wav"),
}


def write_model(folder: Path, kind: str, sized: bool, chunk_rows: int = 3) -> Path:
    """A model of the mean of a file's pixels or samples, plus the number in the column "size" where it is `sized`."""
    parse, dtype, shape, _ = MEDIA[kind]
    columns = [{"name": kind, "input": kind, "dtype": dtype, "parse": parse}]
    inputs = [helper.make_tensor_value_info(kind, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), ["batch", *shape])]
    nodes = [
        helper.make_node("Cast", [kind], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["numbers"], ["flat"]),
        helper.make_node("ReduceMean", ["flat", "axes"], ["mean"], keepdims=1),
        helper.make_node("Sum", ["mean", "size"] if sized else ["mean"], ["value"]),
    ]
    if sized:
        columns.append({"name": "size", "input": "size", "dtype": "float32", "parse": {"as": "number"}})
        inputs.append(helper.make_tensor_value_info("size", TensorProto.FLOAT, ["batch", 1]))
    output = helper.make_tensor_value_info("value", TensorProto.FLOAT, ["batch", 1])
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(nodes, "model", inputs, [output], [axes])
    folder.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), str(folder / "model.onnx"))
    contract = {"format": 1, "task": "regression", "target": "y", "target_parse": {"as": "number"}, "columns": columns}
    (folder / "contract.json").write_text(json.dumps({**contract, "chunk_rows": chunk_rows}))
    (folder / "predict.py").write_text(bundle(modules_of(contract)))
    return folder


def content(kind: str, seed: int) -> bytes:
    if kind == "image":
        return encoded(smooth(seed))
    return wav(np.random.default_rng(seed).uniform(-0.9, 0.9, 100))


def listing(place: Path, kind: str, bad: list[str], good: int = 7) -> Path:
    """A CSV of `good` files, the bad cells spread among them."""
    place.mkdir()
    suffix = MEDIA[kind][3]
    cells = [f"{number}.{suffix}" for number in range(good)]
    for number, name in enumerate(cells):
        (place / name).write_bytes(content(kind, number))
    for number, cell in enumerate(bad):
        cells.insert(2 * number + 1, cell)
    pd.DataFrame({kind: cells, "size": 0.5}).to_csv(place / "new.csv", index=False)
    return place / "new.csv"


def alone(folder: Path, data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-W", "error", str(folder / "predict.py"), str(data), "-o", str(out)],
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_some_are_counted_and_the_first_is_named(kind: str, tmp_path: Path) -> None:
    suffix = MEDIA[kind][3]
    folder = write_model(tmp_path / "model", kind, sized=False)
    data = listing(tmp_path / "data", kind, [f"nope.{suffix}", f"text.{suffix}", ""])
    (data.parent / f"text.{suffix}").write_text("no such thing, whatever its name")
    told = (
        f'3 of 10 files in column "{kind}" could not be read (first: nope.{suffix}: there is no such file); '
        "their predictions say nothing of them"
    )
    model = load(folder)
    rows = model.rows(data)
    assert model.write_predictions(tmp_path / "out.csv", rows) == 10
    assert model.notes(rows) == [told]
    model.predict(rows)
    assert model.notes(rows) == [told]
    done = alone(folder, data, tmp_path / "alone.csv")
    assert done.returncode == 0
    assert done.stderr.splitlines()[0] == f"note: {told}"
    assert (tmp_path / "alone.csv").read_text() == (tmp_path / "out.csv").read_text()


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_most_are_refused_and_nothing_is_written(kind: str, tmp_path: Path) -> None:
    suffix = MEDIA[kind][3]
    folder = write_model(tmp_path / "model", kind, sized=False)
    (tmp_path / f"outside.{suffix}").write_bytes(content(kind, 0))
    data = listing(
        tmp_path / "data", kind, [f"../outside.{suffix}", str(tmp_path / f"outside.{suffix}"), f"link.{suffix}"], good=2
    )
    (data.parent / f"link.{suffix}").symlink_to(tmp_path / f"outside.{suffix}")
    told = f'3 of 5 files in column "{kind}" could not be read (first: ../outside.{suffix}: the path leads outside'
    model = load(folder)
    with pytest.raises(InputError) as error:
        model.predict(data)
    assert told in str(error.value)
    done = alone(folder, data, tmp_path / "out.csv")
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_one_file_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", "image", sized=False)
    (tmp_path / "text.jpg").write_text("no image")
    rows: list[Any] = [{"image": str(tmp_path / "text.jpg")}, tmp_path / "text.jpg"]
    for given in rows:
        with pytest.raises(InputError, match=r"the file cannot be read: .*text\.jpg: it is no image"):
            load(folder).predict(given)


def test_in_a_mixture_they_are_missing_and_told_but_empty_cells_are_not(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", "image", sized=True)
    data = listing(tmp_path / "data", "image", ["", "nope.png", "", "../new.png"], good=2)
    done = alone(folder, data, tmp_path / "out.csv")
    assert done.returncode == 0
    assert '2 of 6 files in column "image" could not be read (first: nope.png: there is no such file); they count' in done.stderr
    found, cells = pd.read_csv(tmp_path / "out.csv"), pd.read_csv(data)["image"]
    assert (found["prediction"][~cells.isin(["0.png", "1.png"])] == 0.5).all()
    for refused in (tmp_path, data.parent / "0.png"):
        with pytest.raises(InputError, match="this model takes a table; name a CSV"):
            load(folder).predict(refused)
