"""Laws of a run with intervals and sets: predict.py, Python and the command give the same, and the report measures it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.errors import InputError
from automl.core.files import write_json
from automl.core.model import load
from automl.core.predictor import Asked
from tests.run.made_up import arrays, fit, read, with_outcome


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"size": generator.uniform(1, 10, 900), "kind": generator.choice(["a", "b"], 900)})
    frame["outcome"] = 100 * frame["size"] + 15 * frame["size"] * generator.standard_normal(900)
    return frame, fit(frame, tmp_path_factory.mktemp("numbers") / "run").folder


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    frame = with_outcome("bool", 900)
    return frame, fit(frame, tmp_path_factory.mktemp("classes") / "run").folder


def command(*arguments: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "automl", *map(str, arguments)], capture_output=True, text=True, check=False)


def test_intervals_are_the_same_everywhere(numbers: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    frame, folder = numbers
    frame.head(50).to_csv(tmp_path / "new.csv", index=False)
    done = command("predict", folder, tmp_path / "new.csv", "-o", tmp_path / "out.csv", "--interval", 0.9, "--abstain", 0.2)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(tmp_path / "out.csv")
    assert list(found) == ["prediction", "lower", "upper", "reason"]
    ends = load(folder).predict_interval(frame.head(50), 0.9)
    np.testing.assert_allclose(found[["lower", "upper"]], ends)
    assert np.ptp(ends[:, 1] - ends[:, 0]) > 0
    silent = found["prediction"].isna()
    assert 0 < silent.sum() < 25
    assert (found["reason"].eq("unsure") == silent).all()
    assert (silent == ~load(folder).sure(frame.head(50), 0.2)).all()
    assert f"{silent.sum()} of 50 rows have no answer" in done.stderr
    alone = [
        sys.executable,
        "-I",
        folder / "model" / "predict.py",
        "new.csv",
        "-o",
        "own.csv",
        "--interval",
        "0.9",
        "--abstain",
        "0.2",
    ]
    own = subprocess.run(alone, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert own.returncode == 0, own.stderr
    assert (tmp_path / "own.csv").read_text() == (tmp_path / "out.csv").read_text()


def test_sets_are_the_same_everywhere_and_the_queue_holds_who_has_no_answer(
    classes: tuple[pd.DataFrame, Path], tmp_path: Path
) -> None:
    frame, folder = classes
    frame.to_parquet(tmp_path / "new.parquet")
    asked = ["--interval", 0.9, "--abstain", 0.1, "--review", tmp_path / "review.csv"]
    done = command("predict", folder, tmp_path / "new.parquet", "-o", tmp_path / "out.csv", *asked)
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False)
    sets = load(folder).predict_set(frame, 0.9)
    assert ["|".join(map(str, each)) for each in sets] == found["set"].tolist()
    assert [len(each) for each in sets] == found["set_size"].astype(int).tolist()
    predicted = load(folder).predict(frame)
    assert all(each[0] == label for each, label in zip(sets, predicted, strict=True))
    assert type(sets[0][0]) is bool
    queue = pd.read_csv(tmp_path / "review.csv", dtype=str, keep_default_na=False)
    silent = np.flatnonzero(found["prediction"] == "")
    assert set(silent) <= set(queue["row"].astype(int))
    assert list(queue)[:3] == ["row", "reason", "prediction"]
    assert set(frame.columns) <= set(queue)
    assert (queue["reason"] != "").all()


def test_of_few_rows_at_most_half_are_among_the_least_sure(classes: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    frame, folder = classes
    model = load(folder)
    usual = frame[[not model.unusual(frame.iloc[[row]]) for row in range(60)] + [False] * (len(frame) - 60)]
    for many, most in ((1, 0), (5, 2), (40, 10)):
        new = usual.head(many)
        model.write_predictions(tmp_path / "out.csv", new, Asked(review=tmp_path / "review.csv"))
        queue = pd.read_csv(tmp_path / "review.csv")
        sure = model.predict_proba(new).max(axis=1)
        assert queue["row"].tolist() == np.argsort(sure, kind="stable")[:most].tolist()


def test_rows_unlike_the_training_data_are_flagged_replaced_and_queued(
    numbers: tuple[pd.DataFrame, Path], tmp_path: Path
) -> None:
    frame, folder = numbers
    new = frame.head(40).astype({"kind": object})
    new.loc[3, "size"], new.loc[7, "kind"] = 1000.0, "never seen"
    new.to_csv(tmp_path / "new.csv", index=False)
    asked = ["--flags", "--fallback", "-1", "--interval", 0.8, "--review", tmp_path / "review.csv"]
    done = command("predict", folder, tmp_path / "new.csv", "-o", tmp_path / "out.csv", *asked)
    assert done.returncode == 0, done.stderr
    assert "2 of 40 rows have the fallback" in done.stderr
    found = pd.read_csv(tmp_path / "out.csv", keep_default_na=False)
    assert found.index[found["reason"] != ""].tolist() == [3, 7]
    assert found.loc[3, "reason"].startswith("size 1000 is outside of")
    assert found.index[found["prediction"] == -1].tolist() == found.index[found["lower"].astype(str) == ""].tolist() == [3, 7]
    queue = pd.read_csv(tmp_path / "review.csv")
    assert queue["row"].head(2).tolist() == [3, 7]
    assert queue["size"].iloc[0] == 1000.0
    own = load(folder).predict(new)
    assert queue["prediction"].head(2).to_numpy() == pytest.approx(
        np.asarray(own)[[3, 7]]
    )  # what the model says, not the fallback
    assert (queue["lower"] < queue["upper"]).all()
    assert list(load(folder).unusual(new)) == [3, 7]
    assert list(load(folder).unusual({"size": 1000.0, "kind": "a"})) == [0]
    plain = command("predict", folder, tmp_path / "new.csv", "-o", tmp_path / "plain.csv")
    assert "2 of 40 rows are unlike the training data" in plain.stderr
    wrong = command("predict", folder, tmp_path / "new.csv", "-o", tmp_path / "no.csv", "--fallback", "ask")
    assert (wrong.returncode, (tmp_path / "no.csv").exists()) == (2, False)


def test_what_cannot_be_asked_for_is_one_sentence(
    numbers: tuple[pd.DataFrame, Path], classes: tuple[pd.DataFrame, Path], tmp_path: Path
) -> None:
    frame, folder = numbers
    frame.to_csv(tmp_path / "new.csv", index=False)
    done = command("predict", folder, tmp_path / "new.csv", "-o", tmp_path / "out.csv", "--interval", 90)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "out.csv").exists()
    new = (tmp_path / "new.csv").read_text()
    for output, review in (("out.csv", "new.csv"), ("out.csv", "out.csv")):
        done = command("predict", folder, tmp_path / "new.csv", "-o", tmp_path / output, "--review", tmp_path / review)
        assert (done.returncode, (tmp_path / "new.csv").read_text() == new) == (2, True)
    assert not (tmp_path / "out.csv").exists()
    with pytest.raises(InputError, match="predict_interval"):
        load(folder).predict_set(frame)
    with pytest.raises(InputError, match="predict_set"):
        load(classes[1]).predict_interval(classes[0])


def test_a_promise_for_certain_rows_only_is_told_with_every_file(numbers: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    frame, folder = numbers
    shutil.copytree(folder / "model", tmp_path / "model")
    contract = read(tmp_path / "model" / "contract.json")
    contract["readout"]["conformal"]["holds_for"] = 'rows of other groups by "shop"'
    write_json(tmp_path / "model" / "contract.json", contract)
    frame.head(5).to_csv(tmp_path / "new.csv", index=False)
    model = load(tmp_path / "model")
    rows = model.rows(tmp_path / "new.csv")
    model.write_predictions(tmp_path / "out.csv", rows, Asked(interval=0.8))
    assert 'the level 0.8 is promised for rows of other groups by "shop" and for no others' in model.notes(rows)


@pytest.mark.parametrize(
    "asked", [Asked(interval=0.9), Asked(abstain=0.1), Asked(flags=True), Asked(fallback="0"), Asked(review="r")]
)
def test_a_model_of_an_earlier_version_predicts_and_says_what_it_lacks(
    numbers: tuple[pd.DataFrame, Path], tmp_path: Path, asked: Asked
) -> None:
    frame, folder = numbers
    shutil.copytree(folder / "model", tmp_path / "model")
    contract = {
        name: value for name, value in read(folder / "model" / "contract.json").items() if name not in ("readout", "guardrail")
    }
    write_json(tmp_path / "model" / "contract.json", contract)
    model = load(tmp_path / "model")
    np.testing.assert_array_equal(model.predict(frame), load(folder).predict(frame))
    assert model.notes(frame) == []
    with pytest.raises(InputError, match=r"this model|which rows to review"):
        model.write_predictions(tmp_path / "out.csv", frame, asked)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("name", ["numbers", "classes"])
def test_the_report_measures_the_judged_rows_and_verifies(name: str, request: pytest.FixtureRequest) -> None:
    from automl.core.conformal import conformal_of, interval_at, set_at
    from automl.verifying import verify

    frame, folder = request.getfixturevalue(name)
    findings = {each["code"]: each for each in read(folder / "findings.json")}
    kept, conformal = arrays(folder / "evaluated" / "predictions.npz"), conformal_of(read(folder / "evaluated" / "contract.json"))
    assert conformal is not None
    truth, prediction = kept["truth"], kept["prediction"]
    if name == "numbers":
        low, high = interval_at(conformal, prediction, 0.9).T
        held = (truth >= low) & (truth <= high)
        assert findings["AML330"]["numbers"]["mean_width_90"]["value"] == pytest.approx(np.mean(high - low))
    else:
        held = set_at(conformal, prediction, 0.9, prediction.argmax(axis=1))[np.arange(len(truth)), truth]
    coverage = findings["AML330"]["numbers"]["coverage_90"]
    assert coverage["value"] == pytest.approx(held.mean())
    assert coverage["low"] <= coverage["value"] <= coverage["high"]
    assert 0.8 < coverage["value"] <= 1.0
    assert "no others" not in findings["AML330"]["sentence"]
    assert findings["AML332"]["severity"] == "passed"
    assert findings["AML332"]["numbers"]["flagged_fraction"]["value"] < 0.05
    gain = findings["AML331"]["numbers"]["gain"]
    assert gain["value"] > 0
    assert verify(folder, frame).holds
    contract = read(folder / "model" / "contract.json")
    contract["readout"]["conformal"]["quantiles"]["0.90"] *= 0.5
    contract["guardrail"]["most_missing"] += 1
    write_json(folder / "model" / "contract.json", contract)
    differing = {each.where for each in verify(folder, frame).differences}
    assert {"readout.conformal.quantiles.0.90", "guardrail.most_missing"} <= differing
