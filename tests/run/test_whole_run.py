"""Laws of a whole run, from a file to its folder: everything is there, agrees with itself and can be computed again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest

from automl.core.metrics import metric
from automl.run import Run, open_run
from tests.run.made_up import arrays, files, fit, read, with_outcome

RUN_FILES = {
    "MODEL_CARD.md", "background.json", "dataset.json", "evidence.json", "findings.json", "log.txt", "plan.yaml", "profile.json",
    "report.html", "report.json", "run.json", "timing.json", "trials.jsonl",
}  # fmt: skip
MODEL_FILES = {"contract.json", "model.onnx", "predict.py", "requirements.txt", "net/coefficients.json", "net/encoder.json"}
EVIDENCE_FILES = {"clock.json", "predictions.npz", "out_of_fold.npz", "search_folds.npz", "fresh_folds.npz"}

KINDS = {"bool": "binary", "int": "binary", "int classes": "multiclass", "text": "multiclass", "number": "regression"}
MISSING_OUTCOMES = (7, 300)
"""Rows whose outcome is taken away: positions in the data and in the clean table differ after them."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_run(kind: str, tmp_path: Path) -> None:
    frame = with_outcome(kind)
    data = write(frame, tmp_path / ("shop.parquet" if kind == "bool" else "shop.csv"))

    run = fit(data, tmp_path / "run")

    assert run.profile.task == KINDS[kind]
    everything_is_in_the_folder(run.folder)
    nothing_is_pickled(run.folder)
    graphs_are_valid(run.folder)
    findings_are_whole(run)
    the_score_can_be_computed_again(run)
    judged_rows_were_set_apart(run, frame)
    predictions_agree_however_the_rows_come(run, frame, data)
    labels_come_back_as_they_came(run, frame)
    the_run_opens_again(run)


def write(frame: pd.DataFrame, path: Path) -> Path:
    """The rows without some outcomes; Parquet knows booleans, CSV only their names."""
    written = frame.astype({"outcome": object})
    written.loc[list(MISSING_OUTCOMES), "outcome"] = None
    if path.suffix == ".parquet":
        written.to_parquet(path)
    else:
        written.to_csv(path, index=False)
    return path


def everything_is_in_the_folder(folder: Path) -> None:
    expected = {f"{place}/{name}" for place in ("model", "evaluated") for name in MODEL_FILES}
    assert set(files(folder)) == RUN_FILES | expected | {f"evaluated/{name}" for name in EVIDENCE_FILES}
    record = read(folder / "run.json")
    assert record["state"] == "finished"
    assert record["format"] == 1
    assert record["command"].startswith("automl fit ")


def nothing_is_pickled(folder: Path) -> None:
    for path in folder.rglob("*"):
        assert path.suffix not in {".pkl", ".pickle", ".joblib"}
        if path.suffix in {".npz", ".npy"}:
            assert all(array.dtype != object for array in arrays(path).values())


def graphs_are_valid(folder: Path) -> None:
    for place in ("model", "evaluated"):
        onnx.checker.check_model(onnx.load(folder / place / "model.onnx"), full_check=True)


def findings_are_whole(run: Run) -> None:
    assert len(run.findings) > 20
    for finding in run.findings:
        assert re.fullmatch(r"AML\d{3}", finding.code)
        assert finding.sentence.endswith(".")
        assert finding.about in {"evaluated", "shipped", "data"}
    assert run.report["verdict"]["label"] in {"Ready", "Use with care"}


def the_score_can_be_computed_again(run: Run) -> None:
    kept, headline = arrays(run.folder / "evaluated" / "predictions.npz"), run.report["headline"]
    chosen, classes = metric(headline["metric"]), run.profile.classes
    positive = classes.index(run.profile.positive) if run.profile.positive else 1
    for name, said in (("prediction", "score"), ("baseline", "baseline")):
        again = chosen.score(kept["truth"], kept[name], None, positive)
        assert again == pytest.approx(headline[said]["value"], rel=1e-9)
    assert headline["score"]["low"] <= headline["score"]["value"] <= headline["score"]["high"]


def judged_rows_were_set_apart(run: Run, frame: pd.DataFrame) -> None:
    kept = arrays(run.folder / "evaluated" / "predictions.npz")
    known = np.setdiff1d(np.arange(len(frame)), MISSING_OUTCOMES)
    assert 0.15 * len(frame) < len(kept["row_ids"]) < 0.25 * len(frame)
    assert np.isin(kept["row_ids"], known).all()
    outcome = frame["outcome"].to_numpy()[kept["row_ids"]]
    truth = np.asarray([run.profile.classes[code] for code in kept["truth"]]) if run.profile.classes else kept["truth"]
    assert [str(each) for each in truth] == [str(each) for each in outcome]
    for name in ("search_folds", "fresh_folds"):
        for part, positions in arrays(run.folder / "evaluated" / f"{name}.npz").items():
            if not part.startswith("repeat"):
                assert np.isin(positions, known).all()
                assert not np.isin(positions, kept["row_ids"]).any()
    searched = arrays(run.folder / "evaluated" / "out_of_fold.npz")
    assert np.array_equal(searched["row_ids"], known)
    out_of_fold = searched["prediction"].reshape(len(known), -1)
    assert np.array_equal(np.isnan(out_of_fold).any(axis=1), np.isin(known, kept["row_ids"]))


def predictions_agree_however_the_rows_come(run: Run, frame: pd.DataFrame, data: Path) -> None:
    rows, expected = frame.drop(columns="outcome"), run.predict(data)
    assert len(expected) == len(frame)
    for same in (rows, rows[rows.columns[::-1]].assign(further=1), rows.to_dict("records")):
        equal(run.predict(same), expected)
    for place in (0, 1, 2):
        equal(run.predict(rows.iloc[place].to_dict()), expected[[place]])
    if run.profile.classes:
        probabilities = run.predict_proba(data)
        assert np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
        assert np.array_equal([str(each) for each in expected], np.asarray(run.profile.classes)[probabilities.argmax(axis=1)])
        equal(run.predict_proba(rows), probabilities)


def equal(one: Any, other: Any) -> None:
    if np.asarray(one).dtype.kind == "f":
        assert np.allclose(one, other, rtol=1e-5, atol=1e-6)
    else:
        assert np.asarray(one).tolist() == np.asarray(other).tolist()


def labels_come_back_as_they_came(run: Run, frame: pd.DataFrame) -> None:
    labels = run.predict(frame)
    if run.profile.classes:
        assert set(map(type, labels.tolist())) == set(map(type, frame["outcome"].tolist()))
        assert set(labels.tolist()) <= set(frame["outcome"].tolist())
        assert (labels == frame["outcome"].to_numpy()).mean() > 0.6
    else:
        assert labels.dtype == np.float64
        assert np.corrcoef(labels, frame["outcome"])[0, 1] > 0.6


def the_run_opens_again(run: Run) -> None:
    again = open_run(run.folder)
    assert again.evidence == run.evidence
    assert again.plan == run.plan
    assert again.verdict == run.verdict
    assert again.leaderboard()["chosen"].sum() == 1


def test_the_model_folder_predicts_without_automl(tmp_path: Path) -> None:
    frame = with_outcome("text")
    run = fit(frame, tmp_path / "run")
    frame.to_csv(tmp_path / "new.csv", index=False)
    moved = (run.folder / "model").rename(tmp_path / "moved")
    code = (
        "import runpy, sys; sys.argv = ['predict.py', 'new.csv', '-o', 'out.csv']\n"
        "try: runpy.run_path('moved/predict.py', run_name='__main__')\n"
        "finally: assert not {'automl', 'tensorflow', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = pd.read_csv(tmp_path / "out.csv")
    from automl.core.model import load

    assert told["prediction"].tolist() == load(moved).predict(frame).tolist()
