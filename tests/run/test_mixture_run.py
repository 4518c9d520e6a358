"""A whole run on a table with texts, images and sounds: profile to report, and predict.py alone on new rows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import automl
from automl.run import Run
from tests.modalities.mixed_up import mixture

ROWS, NEW = 560, 25


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("flats")
    frame = mixture(found, ROWS + NEW)
    frame.iloc[:ROWS].to_csv(found / "flats.csv", index=False)
    frame.iloc[ROWS:].drop(columns="price").to_csv(found / "new.csv", index=False)
    return found


@pytest.fixture(scope="module")
def run(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "run"
    return automl.fit(str(place / "flats.csv"), out=out, target="price", trials=2, skip=("fusion",), jobs=1)


def test_all_kinds_of_columns_together_tell_the_price(run: Run) -> None:
    assert run.profile.modality == "mixture"
    assert not [each.sentence for each in run.findings if each.code == "AML900"]
    evidence = json.loads((run.folder / "evidence.json").read_text())
    tried = {trial["architecture"] for trial in evidence["trials"] if trial["status"] == "ok"}
    assert tried == {"baseline", "linear", "boosting"}
    headline = next(each for each in run.findings if each.code == "AML201")
    assert headline.numbers["score"].value < 0.6 * headline.numbers["baseline"].value


def test_each_kind_of_column_is_said_to_be_worth_something(run: Run) -> None:
    (found,) = [each for each in run.findings if each.code == "AML540"]
    values = {name: number.value for name, number in found.numbers.items()}
    assert set(values) == {"texts", "images", "sounds", "numbers_categories_and_dates"}
    assert all(value > 0 for value in values.values())
    (sheet,) = [each for each in run.findings if each.code == "AML541"]
    assert sheet.table["columns"] == ["price", "title", "photo", "call", "size", "colour", "built"]
    codes = {each.code for each in run.findings}
    assert {"AML510", "AML515", "AML525"} <= codes
    assert "AML516" not in codes
    assert "was left unused" in next(each.sentence for each in run.findings if each.code == "AML110")


def test_every_column_has_its_importance(run: Run) -> None:
    (found,) = [each for each in run.findings if each.code == "AML501"]
    named = json.dumps([[series.x for series in figure.series] for figure in found.figures])
    assert all(name in named for name in ("title", "photo", "call", "size"))


def test_predict_py_alone_gives_the_same_for_new_rows(run: Run, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.csv"
    command = [sys.executable, "-I", str(run.folder / "model" / "predict.py"), str(place / "new.csv"), "-o", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    alone = pd.read_csv(out)["prediction"].to_numpy()
    new = pd.read_csv(place / "new.csv")
    for name in ("photo", "call"):
        new[name] = [str(place / cell) for cell in new[name]]
    assert np.allclose(np.asarray(run.predict(new), float), alone, atol=1e-3)
    row = {name: new[name].iloc[3] for name in new.columns}
    assert np.allclose(float(np.asarray(run.predict(pd.DataFrame([row])))[0]), alone[3], atol=1e-3)


def test_the_model_folder_says_what_it_needs(run: Run) -> None:
    contract = json.loads((run.folder / "model" / "contract.json").read_text())
    feeds = {column["name"]: [feed["input"] for feed in column.get("feeds", [column])] for column in contract["columns"]}
    assert feeds["photo"] == ["photo image"] and feeds["size"] == ["size"]
    assert "pillow" in (run.folder / "model" / "requirements.txt").read_text()


def test_a_table_by_force_says_which_texts_it_leaves_out(place: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(place / "flats.csv")
    found = automl.fit(frame, target="price", modality="tabular", out=tmp_path / "run", trials=1, only=("linear",), jobs=1)
    text = next(each for each in found.findings if each.code == "AML110")
    assert text.sentence == '3 columns of texts, images, sounds were not used: "title", "photo" and "call".'
    assert "Leave `--modality tabular` out" in text.action
