"""Whole runs over series: wide with a test file, long form with labels beside it; predictions by the folder's own program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import automl
from automl.core.errors import InputError
from automl.run import Run
from tests.floor4.test_series import long, wide

QUICK = {"time": 20, "only": ("random_convolution",), "jobs": 1}


def predict_alone(run: Run, data: Path, out: Path) -> pd.DataFrame:
    done = subprocess.run(
        [sys.executable, "-I", str(run.folder / "model" / "predict.py"), str(data), "-o", str(out)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return pd.read_csv(out)


def test_wide_series_reach_a_verdict_and_predict(tmp_path: Path) -> None:
    wide(80, 24).to_csv(tmp_path / "train.csv", index=False)
    new = wide(30, 24, seed=1)
    new.to_csv(tmp_path / "test.csv", index=False)
    run = automl.fit(tmp_path / "train.csv", test=tmp_path / "test.csv", target="label", out=tmp_path / "run", **QUICK)
    assert run.profile.modality == "series"
    assert not [each.sentence for each in run.findings if each.code == "AML900"]
    codes = {each.code for each in run.findings}
    assert {"AML520", "AML521", "AML522", "AML524"} <= codes
    sheet = next(each for each in run.findings if each.code == "AML522").figures[0]
    shown = wide(80, 24)
    for curve in sheet.series:
        row, label = curve.name.removeprefix("row ").split(": ")
        assert shown["label"].iloc[int(row)] == int(label)
        np.testing.assert_allclose(curve.y, shown.drop(columns="label").iloc[int(row)], atol=1e-4)
    mattered = next(each for each in run.findings if each.code == "AML521")
    assert {figure.kind for figure in mattered.figures} == {"line", "marked_line"}
    alone = predict_alone(run, tmp_path / "test.csv", tmp_path / "out.csv")
    probabilities = run.predict_proba(new)
    np.testing.assert_allclose(alone["probability_1"], probabilities[:, 1], atol=1e-5)
    one = {name: value for name, value in new.iloc[0].items() if name != "label"}
    np.testing.assert_allclose(run.predict_proba(one)[0], probabilities[0], atol=1e-5)
    broken = new.head(3).copy()
    broken.iloc[0, 1:] = np.nan
    assert np.isfinite(run.predict_proba(broken)).all()
    with pytest.raises(InputError, match='"t3" is missing'):
        run.predict(new.drop(columns="t3"))


def test_long_form_with_labels_beside_it(tmp_path: Path) -> None:
    for part, seed in (("train", 0), ("test", 1)):
        frame = long(40, 15, seed)
        frame["x"] += frame["label"] * 3.0
        frame.drop(columns="label").to_csv(tmp_path / f"{part}.csv", index=False)
        frame.groupby("series_id", as_index=False)["label"].first().to_csv(tmp_path / f"{part}_labels.csv", index=False)
    run = automl.fit(tmp_path, target="label", out=tmp_path / "run", **QUICK)
    assert run.profile.modality == "series"
    alone = predict_alone(run, tmp_path / "test.csv", tmp_path / "out.csv")
    assert list(alone.columns[:2]) == ["series_id", "prediction"]
    assert len(alone) == 40
    shuffled = pd.read_csv(tmp_path / "test.csv").sample(frac=1.0, random_state=0)
    by_id = dict(zip(shuffled["series_id"].unique(), run.predict(shuffled), strict=True))
    assert [by_id[name] for name in alone["series_id"]] == alone["prediction"].tolist()


def test_values_are_predicted_from_series_that_are_partly_broken(tmp_path: Path) -> None:
    frame = wide(90, 24)
    steps = [name for name in frame if name != "label"]
    frame["value"] = frame[steps].std(axis=1) + frame[steps[-1]]
    frame.loc[0, steps] = np.nan
    frame.loc[1, steps[1:]] = np.nan
    frame.loc[2, steps] = 5.0
    run = automl.fit(frame.drop(columns="label"), target="value", out=tmp_path / "run", **QUICK)
    assert not [each.sentence for each in run.findings if each.code == "AML900"]
    told = next(each for each in run.findings if each.code == "AML520").sentence
    assert "1 hold no number" in told
    assert "1 have a single point" in told
    predicted = run.predict(frame)
    assert np.isfinite(predicted).all()
    assert np.corrcoef(predicted[3:], frame["value"].to_numpy()[3:])[0, 1] > 0.8
