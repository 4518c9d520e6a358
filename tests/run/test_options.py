"""Laws of the options: each one does to the split, the learner or the folder what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.core.errors import InputError
from automl.core.metrics import metric
from automl.recipe import options_of
from automl.run import Run, open_run
from tests.run.made_up import arrays, command, fit, read, with_outcome


def folds_of(run: Run, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    kept = arrays(run.folder / "evaluated" / f"{name}.npz")
    count = len(kept) // 3
    return [(kept[f"training_{number}"], kept[f"validation_{number}"]) for number in range(count)]


def sealed(run: Run) -> np.ndarray:
    return arrays(run.folder / "evaluated" / "predictions.npz")["row_ids"]


def test_rows_of_a_group_stay_on_one_side(tmp_path: Path) -> None:
    frame = with_outcome("number")
    frame["town"] = np.random.default_rng(0).integers(0, 60, len(frame))
    run = fit(frame, tmp_path / "run", group="town")
    towns = frame["town"].to_numpy()
    judged = sealed(run)
    rest = np.setdiff1d(np.arange(len(frame)), judged)
    assert 0 < len(judged) < 200
    assert not set(towns[judged]) & set(towns[rest])
    for name in ("search_folds", "fresh_folds"):
        for training, validation in folds_of(run, name):
            assert not set(towns[training]) & set(towns[validation])
    assert "town" not in {column["name"] for column in read(run.folder / "model" / "contract.json")["columns"]}


@pytest.mark.parametrize("rows, groups", [(600, 3), (600, 2), (150, 2)])
def test_few_groups_make_few_folds_or_one_sentence(rows: int, groups: int, tmp_path: Path) -> None:
    frame = with_outcome("number", rows)
    frame["town"] = np.where(frame.index % 7 == 0, 0, frame.index % groups)
    if rows >= 500 and groups == 2:
        with pytest.raises(InputError, match="too few groups"):
            fit(frame, tmp_path / "run", group="town")
        assert not (tmp_path / "run").exists()
        return
    run = fit(frame, tmp_path / "run", group="town")
    assert len(folds_of(run, "search_folds")) == 2
    assert len(folds_of(run, "fresh_folds")) == 4
    assert all(len(validation) for _, validation in folds_of(run, "search_folds"))


@pytest.mark.parametrize("rows", [600, 200])
def test_later_rows_never_predict_earlier_ones(rows: int, tmp_path: Path) -> None:
    frame = with_outcome("bool", rows)
    run = fit(frame, tmp_path / "run", time_column="joined")
    times = pd.to_datetime(frame["joined"]).to_numpy()
    judged = sealed(run)
    if rows >= 500:
        assert times[judged].min() > np.delete(times, judged).max()
        assert len(judged) == pytest.approx(0.2 * rows, abs=5)
    for name in ("search_folds", "fresh_folds"):
        for training, validation in folds_of(run, name):
            assert times[training].max() < times[validation].min()
    assert not np.isnan(arrays(run.folder / "evaluated" / "predictions.npz")["prediction"]).any()


def test_a_number_that_counts_the_rows_is_a_time(tmp_path: Path) -> None:
    frame = with_outcome("number").assign(step=lambda each: 3000 + np.arange(len(each))[::-1])
    run = fit(frame, tmp_path / "run", time_column="step")
    assert np.array_equal(sealed(run), np.arange(120))


def test_a_time_column_with_two_times_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    frame = with_outcome("bool")
    frame["joined"] = np.where(np.arange(len(frame)) % 2, "2020-01-01", "2021-01-01")
    with pytest.raises(InputError, match="times"):
        fit(frame, tmp_path / "run", time_column="joined")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("rows", [600, 150])
def test_a_test_file_is_what_is_judged(rows: int, tmp_path: Path) -> None:
    frame, test = with_outcome("text", rows), with_outcome("text", 90, seed=1)
    frame.to_csv(tmp_path / "train.csv", index=False)
    test[test.columns[::-1]].to_csv(tmp_path / "test.csv", index=False)
    run = fit(tmp_path / "train.csv", tmp_path / "run", test=tmp_path / "test.csv")
    kept = arrays(run.folder / "evaluated" / "predictions.npz")
    assert np.array_equal(kept["row_ids"], np.arange(rows, rows + 90))
    assert [run.profile.classes[code] for code in kept["truth"]] == test["outcome"].tolist()
    for name in ("search_folds", "fresh_folds"):
        for training, validation in folds_of(run, name):
            assert max(training.max(), validation.max()) < rows
    assert "test part of 90 rows" in run.report["facts"]["judged_on"]
    assert np.allclose(kept["prediction"], evaluated(run, test), atol=1e-5)


@pytest.mark.parametrize("option, column", [("group", "town"), ("time_column", "joined")])
def test_beside_a_test_file_the_folds_are_still_made_by_group_or_time(option: str, column: str, tmp_path: Path) -> None:
    frame, test = with_outcome("number", 300), with_outcome("number", 60, seed=1)
    frame["town"], test["town"] = frame.index % 20, 99
    run = fit(frame, tmp_path / "run", test=test, **{option: column})
    assert getattr(options_of(run.plan), option) == column
    assert np.array_equal(sealed(run), np.arange(300, 360))
    values = frame[column].to_numpy()
    for training, validation in folds_of(run, "search_folds"):
        if option == "group":
            assert not set(values[training]) & set(values[validation])
        else:
            assert max(values[training]) < min(values[validation])


@pytest.mark.parametrize("kind", ["bool", "int classes", "number"])
def test_rows_of_weight_nothing_are_as_if_they_were_not_there(kind: str, tmp_path: Path) -> None:
    frame = with_outcome(kind)
    frame["trust"] = np.where(np.arange(len(frame)) % 8, 0.0, 1.0)
    run = fit(frame, tmp_path / "few", weight="trust")
    assert not sealed(run).size or not (sealed(run) % 8).any()
    for training, validation in folds_of(run, "search_folds"):
        assert not (np.concatenate([training, validation]) % 8).any()
    assert any("525 rows" in each.sentence for each in run.findings if each.code == "AML309")
    frame["trust"] = np.where(np.arange(len(frame)) % 300, 0.0, 1.0)
    with pytest.raises(InputError, match=r'"trust" is 0 in 598 of 600 rows'):
        fit(frame, tmp_path / "run", weight="trust")
    if kind == "bool":
        with pytest.raises(InputError, match=r'"trust" is 0 in every row of the class "False"'):
            fit(frame.assign(trust=frame["outcome"].astype(int)), tmp_path / "run", weight="trust")
    assert not (tmp_path / "run").exists()


def test_test_rows_without_a_known_truth_are_left_out_and_told(tmp_path: Path) -> None:
    frame, test = with_outcome("text"), with_outcome("text", 40, seed=1)
    test.loc[:9, "outcome"] = "something new"
    test.loc[10:14, "outcome"] = None
    run = fit(frame, tmp_path / "run", test=test)
    assert np.array_equal(sealed(run), np.arange(615, 640))
    assert any(each.sentence.startswith("15 rows of the test part are not judged") for each in run.findings)
    with pytest.raises(InputError, match="no row of the test part"):
        fit(frame, tmp_path / "none", test=test.head(15))
    assert not (tmp_path / "none").exists()


def evaluated(run: Run, rows: pd.DataFrame) -> np.ndarray:
    """Probabilities by the model that was judged."""
    from automl.core.model import load

    return np.asarray(load(run.folder / "evaluated").predict_proba(rows))


def test_a_weight_of_nothing_keeps_wrong_rows_out_of_the_model(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(600, 3)), columns=list("abc"))
    right = frame["a"] + frame["b"] > 0
    wrong = generator.random(600) < 0.7
    frame["trust"] = np.where(wrong, 0.0, 2.0)
    frame["outcome"] = np.where(wrong, ~right, right)
    weighted = fit(frame, tmp_path / "weighted", weight="trust")
    misled = fit(frame.drop(columns="trust"), tmp_path / "misled")
    assert (weighted.predict(frame) == right).mean() > 0.95
    assert (misled.predict(frame) == right).mean() < 0.1
    assert weighted.report["headline"]["score"]["value"] > 0.95
    kept = arrays(weighted.folder / "evaluated" / "predictions.npz")
    trust = frame["trust"].to_numpy()[kept["row_ids"]]
    again = metric("roc_auc").score(kept["truth"], kept["prediction"], trust, weighted.profile.classes.index("True"))
    assert again == pytest.approx(weighted.report["headline"]["score"]["value"])


def test_a_suspected_leak_is_kept_and_told_unless_it_is_to_be_dropped(tmp_path: Path) -> None:
    frame = with_outcome("bool")
    frame["refund"] = frame["outcome"] * 5.0 + np.random.default_rng(0).random(len(frame))
    kept = fit(frame, tmp_path / "kept")
    dropped = fit(frame, tmp_path / "dropped", drop_leaks=True)
    assert "refund" in {column["name"] for column in read(kept.folder / "model" / "contract.json")["columns"]}
    assert "refund" not in {column["name"] for column in read(dropped.folder / "model" / "contract.json")["columns"]}
    assert any("refund" in each.sentence and each.severity == "issue" for each in kept.findings)
    assert kept.report["headline"]["score"]["value"] > dropped.report["headline"]["score"]["value"]


def test_every_option_of_the_command_arrives(tmp_path: Path) -> None:
    frame = with_outcome("bool").assign(outcome=lambda each: np.where(each["outcome"], "stay", "leave"), share=0.5)
    frame.to_csv(tmp_path / "shop.csv", index=False)
    done = command(
        "fit", "shop.csv", "--target", "outcome", "--positive", "leave", "--metric", "log_loss", "--features", "age,plan,spent",
        "--features", "share", "--weight", "share", "--no-refit", "--folds", 3, "--kind", "age=category", "--only", "linear",
        "--jobs", 1, "--time", 20, "--quiet", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = open_run(tmp_path / "runs" / "shop-1")
    assert (run.profile.positive, run.plan.metric, run.plan.split.folds) == ("leave", "log_loss", 3)
    assert run.report["headline"]["metric"] == "log_loss"
    assert len(folds_of(run, "search_folds")) == 3
    contract = read(run.folder / "model" / "contract.json")
    assert {column["name"]: column["kind"] for column in contract["columns"]}.items() <= {
        "age": "category", "plan": "category", "spent": "number",
    }.items()  # fmt: skip
    assert (run.folder / "model" / "model.onnx").read_bytes() == (run.folder / "evaluated" / "model.onnx").read_bytes()
    assert "not used to train it" in next(each.sentence for each in run.findings if each.code == "AML702")
    words = read(run.folder / "run.json")["command"]
    for flag in ("--positive leave", "--metric log_loss", "--no-refit", "--folds 3", "--kind age=category", "--weight share"):
        assert flag in words


def canaries() -> pd.DataFrame:
    frame = with_outcome("bool")
    generator = np.random.default_rng(1)
    frame["street"] = [f"canary street {generator.integers(0, 250)}" for _ in range(len(frame))]
    frame["remark"] = [f"canary {row} came late and paid {generator.integers(0, 10**6)} in cash" for row in range(len(frame))]
    frame["card"] = [f"canary-{row:05d}" for row in range(len(frame))]
    return frame


SHOWN = ("report.json", "report.html", "MODEL_CARD.md", "findings.json", "model/contract.json", "evaluated/contract.json")


@pytest.mark.parametrize("samples", [True, False])
def test_no_samples_keeps_rows_and_rare_values_out_of_report_and_contract(samples: bool, tmp_path: Path) -> None:
    frame = canaries()
    run = fit(frame, tmp_path / "run", samples=samples)
    tattling = [name for name in SHOWN if "canary" in (run.folder / name).read_text(encoding="utf-8")]
    assert not tattling if not samples else "report.json" in tattling
    assert len(run.predict(frame)) == len(frame)


def test_sensitive_columns_are_judged_by_but_not_seen_and_mitigation_is_told(tmp_path: Path) -> None:
    frame = with_outcome("bool")
    options = {"sensitive": ("plan", "member"), "exclude_sensitive": True, "mitigate": "reweigh"}
    run = fit(frame, tmp_path / "run", **options)
    assert not {"plan", "member"} & {column["name"] for column in read(run.folder / "model" / "contract.json")["columns"]}
    found = {each.code: each for each in run.findings}
    assert {"AML410", "AML411", "AML412", "AML117", "AML414"} <= set(found)
    assert found["AML414"].numbers["change of Accuracy"].low is not None
    assert "basic, yes" in found["AML410"].figures[0].series[0].x
    again = options_of(run.plan)
    assert (again.sensitive, again.exclude_sensitive, again.mitigate) == tuple(options.values())
    assert [str(each) for each in run.verify(frame).differences] == []
