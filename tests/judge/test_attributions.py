"""Shapley values: what they must be by definition, and whether the test of their worth can tell."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest

from automl.core.clock import Deadline
from automl.core.finding import Severity
from automl.core.tasks import ALL_TASKS, Task
from automl.judge.checks import attributions
from automl.judge.deletion import deletion
from automl.judge.margins import OTHERS, log_odds, margins_of_predict, probability_of
from automl.judge.shapley import Attribution, attribute, influence, strongest
from automl.report import svg
from tests.judge.made_up import case_of

NAMES = ("a", "b", "c", "d")


def bent(frame: pd.DataFrame) -> np.ndarray:
    """Columns that act together, one with words and one with missing cells; "d" is ignored."""
    red = (frame["c"] == "red").to_numpy(np.float64)
    b = frame["b"].fillna(-1.0).to_numpy(np.float64)
    return frame["a"].to_numpy(np.float64) * (1 + 2 * red) + np.maximum(b, 0) * frame["a"].to_numpy(np.float64) + 3 * red


def table(rows: int, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(generator.standard_normal((rows, 2)), columns=["a", "b"])
    frame.loc[::4, "b"] = np.nan
    frame["c"] = generator.choice(["red", "green"], rows)
    frame["d"] = generator.standard_normal(rows)
    return frame


def by_definition(predict, rows: pd.DataFrame, background: pd.DataFrame) -> np.ndarray:
    """Every coalition of the columns, weighed as Shapley (1953) does."""

    def worth(row: pd.Series, coalition: tuple[str, ...]) -> float:
        mixed = background.copy()
        for name in coalition:
            mixed[name] = row[name]
        return float(predict(mixed).mean())

    found = np.zeros((len(rows), len(NAMES)))
    for at, (_, row) in enumerate(rows.iterrows()):
        for place, name in enumerate(NAMES):
            rest = [each for each in NAMES if each != name]
            for size in range(len(NAMES)):
                weight = factorial(size) * factorial(len(rest) - size) / factorial(len(NAMES))
                for coalition in combinations(rest, size):
                    found[at, place] += weight * (worth(row, (*coalition, name)) - worth(row, coalition))
    return found


def test_sampled_values_are_those_of_the_definition_within_their_error() -> None:
    def of_three(frame: pd.DataFrame) -> np.ndarray:
        return bent(frame) * (1 + (frame["d"].to_numpy(float) > 0))

    rows, background = table(12, 0), table(40, 1)
    model = margins_of_predict(of_three, NAMES, True, None)
    found = attribute(model, model.read(rows), model.read(background), seed=0, rounds=8)
    exact = by_definition(of_three, rows, background)
    wrong = np.sqrt(((found.values[:, :, 0] - exact) ** 2).mean())
    assert 0.5 < wrong / np.sqrt((found.errors**2).mean()) < 2
    assert wrong < 0.02 * exact.std()
    assert np.allclose(found.base + found.values.sum(axis=1), found.output, atol=1e-9)
    once = attribute(model, model.read(rows), model.read(background), seed=0)
    assert np.all(np.abs(once.values[:, :, 0] - exact) <= 3 * once.errors[:, :, 0] + 1e-9)


def test_where_two_columns_act_together_both_ways_of_an_order_are_exact() -> None:
    rows, background = table(5, 0), table(40, 1)
    model = margins_of_predict(bent, NAMES, True, None)
    found = attribute(model, model.read(rows), model.read(background), seed=0)
    assert np.allclose(found.values[:, :, 0], by_definition(bent, rows, background), atol=1e-9)
    assert not found.values[:, NAMES.index("d")].any()


def test_an_additive_model_is_explained_exactly() -> None:
    rows, background = table(6, 0), table(30, 1)
    model = margins_of_predict(lambda frame: 2.0 * frame["a"].to_numpy(float) - frame["d"].to_numpy(float), NAMES, True, None)
    found = attribute(model, model.read(rows), model.read(background), seed=3)
    assert np.allclose(found.values[:, 0, 0], 2 * (rows["a"] - background["a"].mean()))
    assert np.allclose(found.values[:, 3, 0], background["d"].mean() - rows["d"])
    assert np.allclose(found.errors, 0, atol=1e-12)


def test_weak_columns_are_put_together_and_time_cuts_rows() -> None:
    rows, background = table(400, 0), table(100, 1)
    model = margins_of_predict(bent, NAMES, True, None)
    cells = model.read(rows), model.read(background)
    assert influence(model, *cells, 0)[NAMES.index("d")] == 0
    few = strongest(model, *cells, most=3, seed=0)
    assert [player.name for player in few.players][-1] == OTHERS and len(few.players) == 3
    found = attribute(few, *cells, seed=0, limit=Deadline(0.0))
    assert 0 < len(found) < 400
    assert np.allclose(found.base + found.values.sum(axis=1), found.output)


def test_log_odds_do_not_lose_what_float32_rounds_away() -> None:
    small = np.array([[1.0, 1e-6]], np.float32)
    assert log_odds(small, 1)[0, 0] == pytest.approx(np.log(1e-6), rel=1e-6)
    three = np.array([[0.5, 0.3, 0.2]])
    assert np.allclose(probability_of(log_odds(three, None)), three)


@pytest.mark.parametrize("wrong", [False, True])
def test_the_deletion_test_tells_explanations_from_made_up_ones(wrong: bool) -> None:
    rows, background, others = table(60, 0), table(30, 1), table(8, 2)
    model = margins_of_predict(bent, NAMES, True, None)
    cells = model.read(rows)
    found = attribute(model, cells, model.read(background), seed=0)
    if wrong:
        found = Attribution(found.columns, -found.values, found.errors, found.base, found.output)
    told = deletion(model, cells, found, np.zeros(60, int), model.read(others), seed=0)
    assert told.low <= told.area <= told.high
    assert told.high < 0 if wrong else told.low > 0
    assert told.ordered[0] == pytest.approx(0, abs=1e-9)
    assert told.ordered[-1] == pytest.approx(told.random[-1])


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_findings_name_what_moves_the_predictions(task: Task) -> None:
    found = attributions.run(case_of(task))
    assert [each.code for each in found] == ["AML503", "AML504", "AML505", "AML508"]
    assert all(each.severity is Severity.PASSED for each in found), [each.sentence for each in found]
    assert next(iter(found[0].numbers)) == "signal"
    assert '"noise"' in found[0].sentence and found[0].numbers["noise"].value == 0
    for finding in found:
        for figure in finding.figures:
            drawn = svg.draw(figure, "x")
            assert "nan" not in drawn and drawn.count("<") < 400
            assert svg.table(figure)["rows"]
    waterfall = found[1].figures[0].series[0]
    assert svg.table(found[1].figures[0])["rows"][-1][1] == pytest.approx(sum(waterfall.y))


def test_the_way_starts_at_a_mean_of_margins_that_is_not_called_a_mean_of_probabilities() -> None:
    single = attributions.run(case_of(Task.BINARY))[1]
    waterfall = single.figures[0]
    share = 100 * float(probability_of(waterfall.series[0].y[0]))
    assert waterfall.series[0].x[0] == "mean margin"
    for told in (single.sentence, waterfall.how_to_read):
        assert f"({share:.1f} %), the mean margin of the background rows" in told and "starts at log-odds" in told
        assert "mean prediction" not in told and "mean of" not in told.split("The mean is taken")[0]
    assert attributions.run(case_of(Task.REGRESSION))[1].figures[0].series[0].x[0] == "mean prediction"


def test_rows_are_not_shown_without_samples_and_nothing_without_time() -> None:
    case = case_of(Task.BINARY)
    quiet = attributions.run(case_of(Task.BINARY, plan=case.plan.__class__(**{**vars(case.plan), "samples": False})))
    assert quiet[1].severity is Severity.NOT_APPLICABLE and not quiet[1].table and not quiet[1].figures
    late = attributions.run(case_of(Task.BINARY, deadline=Deadline(0.0)))
    assert [each.severity for each in late] == [Severity.NOT_APPLICABLE]
