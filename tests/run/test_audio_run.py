"""A whole run on a folder of sounds: profile to report and back through predict.py, with files that are no sounds in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import automl
from automl.run import Run
from tests.core.test_audio_cells import wav

RATE = 8000


def clip(label: str, generator: np.random.Generator) -> Any:
    """A low or a high tone with noise over it."""
    time = np.arange(RATE // 5) / RATE
    hertz = generator.uniform(300, 900) + 900 * (label == "high")
    return generator.uniform(0.1, 0.6) * np.sin(2 * np.pi * hertz * time) + 0.02 * generator.normal(size=len(time))


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and test/ with a folder a class; one file is empty, one cut off, one of another rate, one stereo."""
    place = tmp_path_factory.mktemp("sounds")
    generator = np.random.default_rng(0)
    for part, count in (("train", 40), ("test", 15)):
        for label in ("high", "low"):
            (place / part / label).mkdir(parents=True)
            for number in range(count):
                (place / part / label / f"{number}.wav").write_bytes(wav(clip(label, generator)))
    low = place / "train" / "low"
    (low / "empty.wav").write_bytes(b"")
    (low / "cut.wav").write_bytes((low / "0.wav").read_bytes()[:500])
    (low / "stereo.wav").write_bytes(wav(np.stack([clip("low", generator)] * 2, axis=1), bits=24))
    (low / "fast.wav").write_bytes(wav(np.repeat(clip("low", generator), 2), 2 * RATE))
    (low / "notes.txt").write_text("no sound")
    return place


@pytest.fixture(scope="module")
def run(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return automl.fit(str(sounds), out=tmp_path_factory.mktemp("runs") / "run", time=20, only=("linear",), jobs=1)


def test_the_run_hears_the_difference_and_says_what_it_left_out(run: Run) -> None:
    assert run.profile.modality == "audio"
    assert run.evidence.champion == "linear"
    findings = {each.code: each for each in run.findings}
    assert not [each.sentence for each in run.findings if each.code == "AML900"]
    assert {"AML525", "AML526", "AML527", "AML528"} <= set(findings)
    assert "cannot be decoded: 2" in findings["AML526"].sentence
    assert [row[1] for row in findings["AML526"].table["rows"]] == ["train/low/cut.wav", "train/low/empty.wav"]
    assert findings["AML525"].figures[0].series[0].x[0].startswith("data:image/png;base64,")
    assert 'src="data:image/png;base64,' in run.report_path.read_text()


def test_it_predicts_files_folders_arrays_and_bytes(run: Run, sounds: Path) -> None:
    paths = sorted((sounds / "test").glob("*/*.wav"))
    labels = np.asarray([path.parent.name for path in paths])
    by_path = run.predict(pd.DataFrame({"audio": [str(path) for path in paths]}))
    assert (by_path == labels).mean() > 0.9
    held = [path.read_bytes() for path in paths]
    np.testing.assert_array_equal(run.predict(pd.DataFrame({"audio": pd.Series(held, dtype=object)})), by_path)


def test_predict_py_stands_alone(run: Run, sounds: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.csv"
    program = [sys.executable, str(run.folder / "model" / "predict.py"), str(sounds / "test"), "-o", str(out)]
    subprocess.run(program, check=True, cwd=tmp_path)
    found = pd.read_csv(out)
    assert (found["prediction"] == [Path(name).parent.name for name in found["audio"]]).mean() > 0.9
    feed = json.loads((run.folder / "model" / "contract.json").read_text())["columns"][0]["feeds"][0]
    assert feed["parse"] == {"as": "audio", "rate": RATE, "samples": 1600}
