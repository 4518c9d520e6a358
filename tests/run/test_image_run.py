"""A whole run on a folder of digits: profile to report and back through predict.py, with files that are no images in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import automl
from automl.run import Run
from tests.core.test_image_cells import encoded


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and test/ with a folder a class; one file is empty, one cut off, one a JPEG by another name."""
    place = tmp_path_factory.mktemp("digits")
    bunch = load_digits()
    for digit in (0, 1, 7):
        for part, rows in (("train", slice(0, 120)), ("test", slice(120, 160))):
            (place / part / str(digit)).mkdir(parents=True)
            for number in np.flatnonzero(bunch.target == digit)[rows]:
                pixels = np.rint(bunch.images[number] * (255 / 16)).astype(np.uint8)
                (place / part / str(digit) / f"{number}.png").write_bytes(encoded(Image.fromarray(pixels)))
    first = place / "train" / "7"
    whole = next(iter(sorted(first.glob("*.png"))))
    (first / "empty.png").write_bytes(b"")
    (first / "cut.png").write_bytes(whole.read_bytes()[:60])
    (first / "jpeg.png").write_bytes(encoded(Image.open(whole), "JPEG", quality=95))
    (first / "notes.txt").write_text("no image")
    return place


@pytest.fixture(scope="module")
def run(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return automl.fit(str(digits), out=tmp_path_factory.mktemp("runs") / "run", trials=1, only=("cnn",), folds=3, refit=False)


def test_the_run_reads_the_digits_and_says_what_it_left_out(run: Run) -> None:
    assert run.profile.modality == "image"
    assert run.evidence.champion == "cnn"
    (trial,) = (each for each in run.evidence.trials if each.architecture == "cnn")
    assert trial.settings["mirrored"] != "flip_horizontal+flip_vertical"
    findings = {each.code: each for each in run.findings}
    assert not [each.sentence for each in run.findings if each.code == "AML900"]
    assert {"AML510", "AML511", "AML512", "AML513", "AML514"} <= set(findings)
    assert "2 cannot be decoded" in findings["AML513"].sentence
    assert sorted(row[1] for row in findings["AML513"].table["rows"] if row[0] == "unreadable") == [
        "train/7/cut.png",
        "train/7/empty.png",
    ]
    for code in ("AML510", "AML511"):
        assert findings[code].figures[0].series[0].x[0].startswith("data:image/png;base64,")
    assert 'src="data:image/png;base64,' in run.report_path.read_text()


def test_it_predicts_files_arrays_and_bytes(run: Run, digits: Path) -> None:
    paths = sorted((digits / "test").glob("*/*.png"))
    labels = np.asarray([int(path.parent.name) for path in paths])
    by_path = run.predict(pd.DataFrame({"image": [str(path) for path in paths]}))
    assert (by_path == labels).mean() > 0.95
    held: list[Any] = [path.read_bytes() for path in paths]
    np.testing.assert_array_equal(run.predict(pd.DataFrame({"image": pd.Series(held, dtype=object)})), by_path)
    pixels = [np.asarray(Image.open(path)) for path in paths]
    np.testing.assert_array_equal(run.predict(pd.DataFrame({"image": pd.Series(pixels, dtype=object)})), by_path)


def test_predict_py_stands_alone(run: Run, digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.csv"
    program = [sys.executable, str(run.folder / "model" / "predict.py"), str(digits / "test"), "-o", str(out)]
    subprocess.run(program, check=True, cwd=tmp_path)
    found = pd.read_csv(out)
    assert (found["prediction"] == [int(Path(name).parent.name) for name in found["image"]]).mean() > 0.95
    feed = json.loads((run.folder / "model" / "contract.json").read_text())["columns"][0]["feeds"][0]
    assert (feed["dtype"], feed["shape"]) == ("uint8", [8, 8, 1])
    assert "pillow" in (run.folder / "model" / "requirements.txt").read_text()
