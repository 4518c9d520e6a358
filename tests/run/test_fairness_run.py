"""Laws of a run with thresholds by group: a column that the model does not see is still asked for, and only for the threshold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.core.errors import InputError
from automl.core.model import load
from automl.scoring import score
from tests.run.made_up import arrays, fit, read

ROWS = 1500


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"skill": generator.normal(size=ROWS), "sex": generator.choice(["f", "m"], ROWS)})
    frame.loc[:9, "sex"] = None
    frame["hours"] = generator.normal(size=ROWS) + 1.5 * (frame["sex"] == "m")
    odds = 1.2 * frame["skill"] + 0.8 * frame["hours"] - 0.6
    frame["hired"] = np.where(generator.random(ROWS) < 1 / (1 + np.exp(-odds)), "yes", "no")
    options = {"positive": "yes", "sensitive": "sex", "exclude_sensitive": True, "mitigate": "thresholds"}
    folder = tmp_path_factory.mktemp("fair") / "run"
    return frame, fit(frame, folder, target="hired", max_accuracy_loss=0.05, **options).folder


def test_the_column_is_no_feature_but_an_input_and_only_moves_the_threshold(fair: tuple[pd.DataFrame, Path]) -> None:
    frame, folder = fair
    threshold = read(folder / "evidence.json")["readout"]["threshold"]
    own = {group["groups"][0]: group["value"] for group in threshold["groups"]["own"]}
    assert own["f"] < own["m"]
    for place in ("model", "evaluated"):
        model = load(folder / place)
        assert {column["name"]: column.get("use") for column in model.contract["columns"]} == {
            "skill": None, "hours": None, "sex": "threshold",
        }  # fmt: skip
        probability = model.predict_proba(frame)[:, 1]
        for sex, limit in {**own, "unheard of": 0.5, None: 0.5}.items():
            moved = frame.assign(sex=sex)
            assert np.array_equal(model.predict_proba(moved)[:, 1], probability)
            assert np.array_equal(model.predict(moved) == "yes", probability >= np.float32(limit))
            assert model.predict({**frame.iloc[50].to_dict(), "sex": sex})[0] == model.predict(moved)[50]
        with pytest.raises(InputError, match='"sex" is missing'):
            model.predict(frame.drop(columns="sex"))


def test_report_and_scores_call_by_group_and_tell_it(fair: tuple[pd.DataFrame, Path]) -> None:
    frame, folder = fair
    findings = {each["code"]: each for each in read(folder / "findings.json")}
    assert "AML900" not in findings
    kept, model = arrays(folder / "evaluated" / "predictions.npz"), load(folder / "evaluated")
    judged = frame.iloc[kept["row_ids"]]
    right = (model.predict(judged) == "yes") == (kept["truth"] == 1)
    change = {row[0]: row for row in findings["AML414"]["table"]["rows"]}
    assert change["Accuracy"][2] == pytest.approx(right.mean())
    assert change["Accuracy"][1] == pytest.approx(np.mean(kept["prediction"].argmax(axis=1) == kept["truth"]))
    odds = change["sex: equalised odds"]
    assert odds[3] == pytest.approx(odds[2] - odds[1])
    assert odds[4] <= odds[3] <= odds[5]
    assert findings["AML202"]["numbers"]["accuracy"]["value"] == pytest.approx(right.mean())
    for told in (findings["AML414"]["sentence"], (folder / "MODEL_CARD.md").read_text()):
        assert "no feature" in told
    assert score(load(folder / "model"), frame).values["accuracy"] == pytest.approx(
        np.mean(load(folder / "model").predict(frame) == frame["hired"])
    )


def test_it_verifies_and_a_moved_threshold_is_named(fair: tuple[pd.DataFrame, Path]) -> None:
    from automl.core.files import write_json
    from automl.verifying import verify

    frame, folder = fair
    found = verify(folder, frame)
    assert found.holds, [str(each) for each in found.differences]
    contract = read(folder / "model" / "contract.json")
    contract["readout"]["threshold"]["groups"]["own"][0]["value"] += 0.1
    write_json(folder / "model" / "contract.json", contract)
    assert any("groups.own" in each.where for each in verify(folder, frame).differences)


def test_the_fairest_of_the_best_trials_is_told_taken_where_asked_for_and_verifies(tmp_path: Path) -> None:
    from automl.verifying import verify

    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"skill": generator.normal(size=700), "sex": generator.choice(["f", "m"], 700)})
    odds = 1.5 * frame["skill"] + 1.2 * (frame["sex"] == "m") - 0.6
    frame["hired"] = np.where(generator.random(700) < 1 / (1 + np.exp(-odds)), "yes", "no")
    options = {"target": "hired", "positive": "yes", "sensitive": "sex", "time": None, "trials": 8}
    for mitigate in (None, "fairest"):
        run = fit(frame, tmp_path / str(mitigate), mitigate=mitigate, **options)
        evidence, (finding,) = run.evidence, [each for each in run.findings if each.code == "AML413"]
        best = max(each.score for each in evidence.fairness)
        assert len(evidence.fairness) > 1
        assert len(finding.table["rows"]) == len(evidence.fairness)
        top = next(each for each in evidence.trials if each.score == best)
        error = np.std(top.fold_scores, ddof=1) / np.sqrt(len(top.fold_scores))
        assert all(best - each.score <= error for each in evidence.fairness)
        fairest = min(evidence.fairness, key=lambda each: each.gap)
        assert finding.numbers["smallest_gap"].value == fairest.gap
        if mitigate is not None:
            assert (evidence.champion, evidence.champion_trial) == (fairest.architecture, fairest.number)
        assert verify(run.folder, frame).holds


def test_no_answer_is_given_near_the_threshold_of_the_rows_own_group(fair: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    frame, folder = fair
    model = load(folder / "model")
    sure, probability = model.sure(frame, 0.1), model.predict_proba(frame)[:, 1]
    assert 0.05 < (~sure).mean() < 0.2
    own = {group["groups"][0]: group["value"] for group in model.contract["readout"]["threshold"]["groups"]["own"]}
    limits = frame["sex"].map(own).fillna(0.5).to_numpy()
    near = np.where(probability >= limits, (probability - limits) / (1 - limits), (limits - probability) / limits)
    assert near[~sure].max() < near[sure].min()
    moved = frame.assign(sex=np.where(frame["sex"] == "m", "f", "m"))
    assert (model.sure(moved, 0.1) != sure).any()
    assert model.sure({**frame.iloc[50].to_dict()}, 0.1)[0] == sure[50]
    frame.to_csv(tmp_path / "rows.csv", index=False)
    command = [sys.executable, folder / "model" / "predict.py", tmp_path / "rows.csv"]
    command += ["-o", tmp_path / "out.csv", "--abstain", "0.1"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    assert np.array_equal(pd.read_csv(tmp_path / "out.csv")["reason"].isna(), sure)
