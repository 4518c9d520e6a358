"""`automl explain`: the way to a prediction adds up, what would change it does, and what cannot be explained is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import automl
from automl.core.errors import InputError
from automl.core.predictor import canonical
from automl.explaining import explain
from automl.judge import background
from automl.report.numbers import number
from automl.run import Run
from tests.run.made_up import fit, with_outcome


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return with_outcome("int")


@pytest.fixture(scope="module")
def run(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("explained")
    table.sort_values("outcome", kind="stable").to_csv(folder / "shop.csv", index=False)
    return fit(folder / "shop.csv", folder / "run", sensitive=("age",))


def test_the_way_adds_up_to_the_prediction(run: Run, table: pd.DataFrame) -> None:
    found = run.explain(table.head(8))
    classes, chances = run.model.contract["classes"], run.predict_proba(table.head(8))
    assert [each.row for each in found.rows] == list(range(8))
    for each, chance, label in zip(found.rows, chances, run.predict(table.head(8)), strict=True):
        assert each.base + sum(part.adds for part in each.contributions) == pytest.approx(each.output, abs=1e-9)
        assert each.output_probability == pytest.approx(chance[classes.index(each.about)], abs=1e-6)
        assert each.prediction == label
        # A linear model on log-odds is explained exactly.
        assert max(part.error for part in each.contributions) < 1e-5
    assert {part.column for part in found.rows[0].contributions} == {each["name"] for each in run.model.contract["columns"]}


def test_rows_are_compared_with_all_of_the_background_though_the_file_is_sorted_by_the_target(
    run: Run, table: pd.DataFrame
) -> None:
    found, kept = run.explain(table.head(1)), background.kept(run.folder)
    assert kept is not None
    share = run.predict_proba(kept)[:, run.model.contract["classes"].index(found.rows[0].about)]
    odds = np.log(share / (1 - share))
    error = odds.std() / np.sqrt(found.background_rows)
    assert abs(odds[: found.background_rows].mean() - odds.mean()) > 2.5 * error
    assert abs(found.rows[0].base - odds.mean()) < 1.5 * error


def test_what_would_change_a_decision_does_and_leaves_alone_what_is_held(run: Run, table: pd.DataFrame) -> None:
    found = run.explain(table.head(8), hold=("plan",))
    assert set(found.held) == {"plan", "age"}  # "age" is sensitive in this run
    values = background.kept(run.folder)
    answered = [each for each in found.rows if each.counterfactuals]
    assert answered
    for each in answered:
        for answer in each.counterfactuals:
            changed = table.iloc[[each.row]].copy()
            assert 1 <= len(answer.changes) <= 3
            for part in answer.changes:
                assert part.column not in found.held
                cell = next(cell for cell in values[part.column].dropna() if canonical(cell) == part.instead)
                changed[part.column] = pd.Series([cell], index=changed.index, dtype=object)
            assert run.predict(changed)[0] == answer.prediction != each.prediction
            assert bool(answer.unusual) == bool(run.model.unusual(changed))


def test_a_row_unlike_the_training_data_is_told_before_it_is_explained(run: Run, table: pd.DataFrame) -> None:
    from automl.terminal import describe_explanations

    found = run.explain(pd.concat([table.head(1), table.head(1).assign(age=9000.0)]))
    usual, odd = found.rows
    assert usual.unusual == ()
    assert any(reason.startswith("age 9000 is outside") for reason in odd.unusual)
    for told in (describe_explanations(found), found.html(), found._repr_html_()):
        assert told.count("unlike the training data, so trust neither") == 1


def test_a_wanted_value_is_reached(tmp_path: Path) -> None:
    table = with_outcome("number")
    run = fit(table, tmp_path / "run")
    predicted = run.predict(table.head(3))
    wanted = float(predicted.max() + 5)
    found = run.explain(table.head(3), want=wanted)
    assert found.goal == found.as_json()["goal"] == wanted
    assert f"takes “outcome” to {number(wanted)}" in found.html()
    kept = background.kept(run.folder)
    assert run.explain(table.head(1)).goal == pytest.approx(run.predict(kept).mean(), rel=1e-5)
    for each in found.rows:
        assert all(answer.prediction >= wanted for answer in each.counterfactuals)
        assert each.counterfactuals or each.note
        assert each.probability is None and each.about == "outcome"
    with pytest.raises(InputError, match="is no number"):
        run.explain(table.head(1), want="much")


def test_changes_that_keep_to_the_training_data_come_first(tmp_path: Path) -> None:
    """Two columns that go together: changing one alone leads out of the data, changing both does not."""
    generator = np.random.default_rng(0)
    first = generator.normal(0, 1, 600)
    second = first + generator.normal(0, 0.05, 600)
    outcome = np.where(first + second + generator.normal(0, 0.3, 600) > 0, "high", "low")
    table = pd.DataFrame({"first": first, "second": second, "outcome": outcome})
    run = fit(table, tmp_path / "run")
    (each,) = run.explain({"first": -1.5, "second": -1.5}).rows
    assert {part.column for part in each.counterfactuals[0].changes} == {"first", "second"}
    assert not each.counterfactuals[0].unusual
    alone = [answer for answer in each.counterfactuals if len(answer.changes) == 1]
    assert all(answer.unusual for answer in alone)


def test_background_rows_are_raw_training_rows_of_the_features_only(run: Run, table: pd.DataFrame) -> None:
    kept = background.kept(run.folder)
    assert "outcome" not in kept and "order" not in kept and len(kept) <= background.MOST_ROWS
    assert set(kept["plan"]) <= set(table["plan"])
    again = run.model.predict(kept)
    assert len(again) == len(kept)


def test_a_run_without_samples_keeps_none_and_reads_its_data(run: Run, table: pd.DataFrame, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy)
    (copy / background.NAME).unlink()
    found = automl.load(copy).explain(table.head(2))
    assert [each.prediction for each in found.rows] == list(run.predict(table.head(2)))
    other = tmp_path / "other.csv"
    table.head(100).to_csv(other, index=False)
    with pytest.raises(InputError, match="is not the data that the run was made from"):
        automl.load(copy).explain(table.head(2), data=other)
    quiet = fit(table, tmp_path / "quiet", samples=False)
    assert not (quiet.folder / background.NAME).exists()
    with pytest.raises(InputError, match="keeps no training rows"):
        quiet.explain(table.head(1))
    assert len(quiet.explain(table.head(1), data=table).rows) == 1


def test_what_cannot_be_explained_is_one_sentence(run: Run, table: pd.DataFrame, tmp_path: Path) -> None:
    for wrong, said in (
        ({"row": 5}, "there is no row 5"),
        ({"hold": ("colour",)}, '"colour", which is to be held'),
        ({"want": "7"}, 'there is no class "7"'),
    ):
        with pytest.raises(InputError, match=said):
            run.explain(table.head(3), **wrong)
    with pytest.raises(InputError, match="more than the 500"):
        run.explain(pd.concat([table] * 2))
    copy = tmp_path / "images"
    shutil.copytree(run.folder, copy)
    profile = json.loads((copy / "profile.json").read_text())
    (copy / "profile.json").write_text(json.dumps({**profile, "modality": "image"}))
    record = json.loads((copy / "run.json").read_text())
    del record["files"]["profile.json"]
    (copy / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"data is of another kind .image."):
        explain(copy, table.head(1))


def test_pages_hold_hostile_cells_as_text_and_load_nothing(run: Run, table: pd.DataFrame) -> None:
    hostile = table.head(1).copy()
    hostile["plan"] = "<script>alert(1)</script>"
    found = run.explain(hostile)
    for shown in (found.html(), found._repr_html_()):
        assert "<script" not in shown and "&lt;script&gt;" in shown
        assert "http:" not in shown and "https:" not in shown


def test_shap_gets_what_its_plots_need(run: Run, table: pd.DataFrame) -> None:
    shap = pytest.importorskip("shap")
    found = run.explain(table.head(4))
    given = found.shap()
    assert isinstance(given, shap.Explanation)
    assert np.allclose(given.values.sum(axis=1) + given.base_values, [each.output for each in found.rows])
