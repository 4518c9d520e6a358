"""Laws of small data: no rows are set aside, the choice is judged inside nested folds, and a handful of rows is enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from automl.core.errors import InputError
from automl.core.finding import Severity
from automl.run import Run
from tests.run.made_up import arrays, fit, with_outcome


def finding(run: Run, code: str) -> str:
    return next(each.sentence for each in run.findings if each.code == code)


def test_below_500_rows_nested_cross_validation_judges_all_rows(tmp_path: Path) -> None:
    run = fit(load_iris(as_frame=True).frame, tmp_path / "run", target="target", only=("linear", "boosting"))
    assert run.plan.split.sealed_fraction == 0.0
    assert "nested cross-validation" in run.report["facts"]["judged_on"]
    assert len(run.evidence.nested) % run.plan.split.folds == 0
    assert len(run.evidence.nested) >= 2 * run.plan.split.folds
    kept, score = arrays(run.folder / "evaluated" / "predictions.npz"), run.report["headline"]["score"]
    assert np.array_equal(kept["row_ids"], np.arange(150))
    assert score["value"] == pytest.approx(np.mean(run.evidence.nested))
    assert score["low"] < score["value"] < score["high"]
    assert (run.folder / "model" / "model.onnx").read_bytes() == (run.folder / "evaluated" / "model.onnx").read_bytes()
    assert "150 rows" in finding(run, "AML107")


def test_rows_of_a_class_with_two_rows_stay_in_training_and_the_report_says_so(tmp_path: Path) -> None:
    frame = with_outcome("text", 200)
    frame.loc[[3, 150], "outcome"] = "almost never"
    run = fit(frame, tmp_path / "run")
    kept = arrays(run.folder / "evaluated" / "predictions.npz")
    assert set(kept["row_ids"]) == set(range(200)) - {3, 150}
    for name in ("search_folds", "fresh_folds"):
        folds = arrays(run.folder / "evaluated" / f"{name}.npz")
        for part, rows in folds.items():
            if part.startswith("training"):
                assert {3, 150} <= set(rows)
            elif part.startswith("validation"):
                assert not {3, 150} & set(rows)
    rare = next(each for each in run.findings if each.code == "AML106")
    assert rare.severity is Severity.ISSUE
    assert "almost never" in rare.sentence
    assert "almost never" in run.profile.classes
    assert run.predict_proba(frame).shape == (200, 4)


@pytest.mark.parametrize("kind", ["bool", "text", "number"])
@pytest.mark.parametrize("rows", [10, 14, 20])
def test_a_handful_of_rows_gives_a_run_or_one_sentence(kind: str, rows: int, tmp_path: Path) -> None:
    frame = with_outcome(kind, rows, seed=rows)
    try:
        run = fit(frame, tmp_path / "run", only=())
    except InputError as error:
        assert 20 < len(str(error)) < 300
        assert "\n" not in str(error)
        assert not (tmp_path / "run").exists()
    else:
        assert len(run.predict(frame)) == rows
        assert next(each for each in run.findings if each.code == "AML107").severity is Severity.ISSUE


def test_rows_that_cannot_be_split_leave_nothing_behind(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(12), "outcome": [*"aaaaaaaaaa", "b", "c"]})
    with pytest.raises(InputError, match="rows"):
        fit(frame, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("rows", [12, 40])
def test_few_rows_in_time_order(rows: int, tmp_path: Path) -> None:
    frame = with_outcome("number", rows)
    try:
        run = fit(frame, tmp_path / "run", time_column="joined")
    except InputError as error:
        assert not (tmp_path / "run").exists(), error
        assert rows < 20
    else:
        assert run.report["headline"]["score"]["value"] > 0
