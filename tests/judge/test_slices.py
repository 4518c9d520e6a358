"""Laws of the search for weak slices and of the reasons for single predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.core.case import Case
from automl.core.discovery import declarations
from automl.core.finding import Finding, Severity
from automl.core.tasks import Task
from automl.judge import run_check
from automl.judge.examples import reasons
from automl.judge.slices import Condition, conditions, halves, weakest
from tests.judge.made_up import case_of


def finding(case: Case, code: str) -> Finding:
    (check,) = [each for each in declarations("automl.judge.checks", "CHECK") if each.code == code]
    (found,) = run_check(check, case)
    assert found.code == code
    return found


def failing_where(case: Case, rows: np.ndarray) -> Case:
    """The model knows nothing on these rows, and gives a wrong answer surely."""
    prediction = case.prediction.copy()
    if case.profile.task is Task.REGRESSION:
        prediction[rows] += 60.0
    else:
        wrong = np.eye(prediction.shape[1])[(case.truth[rows] + 1) % prediction.shape[1]]
        prediction[rows] = 0.1 * prediction[rows] + 0.9 * wrong
    return replace(case, prediction=prediction)


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS, Task.REGRESSION])
def test_a_planted_pair_of_conditions_is_found_and_worse_than_the_baseline(task: Task) -> None:
    case = case_of(task, 4000)
    planted = ((case.judged["color"] == "red") & (case.judged["noise"] > case.judged["noise"].quantile(0.75))).to_numpy()
    found = finding(failing_where(case, planted), "AML403")
    assert found.severity is Severity.ISSUE
    assert 'color is "red"' in found.sentence
    assert "noise is above" in found.sentence
    assert "worse than the baseline" in found.sentence
    (worst, *_) = found.table["rows"]
    assert worst[3] > 2 * worst[6]
    assert worst[7] < 0.05


def test_every_number_of_a_slice_comes_with_the_rows_that_it_rests_on() -> None:
    case = case_of(Task.REGRESSION, 4000)
    planted = (case.judged["color"] == "red").to_numpy()
    case = failing_where(case, planted)
    found = finding(case, "AML403")
    loss, tested = np.abs(case.prediction - case.truth), halves(case)[1]
    (text, rows, measured, mean, *_), *_ = found.table["rows"]
    assert (text, rows, measured) == ('color is "red"', planted.sum(), (planted & tested).sum())
    assert mean == pytest.approx(loss[planted & tested].mean())
    assert f"on the {measured:,} of its {rows:,} judged rows that were not used to find it" in found.sentence
    (series,) = found.figures[0].series
    assert series.x[-1] == "outside of all of these"
    assert series.counts[-1] == (~planted & tested).sum()
    assert series.y[-1] == pytest.approx(loss[~planted & tested].mean())
    assert series.low[-1] <= series.y[-1] <= series.high[-1]


def test_a_pair_is_told_only_where_both_conditions_count_and_a_range_only_once() -> None:
    case = case_of(Task.REGRESSION, 4000)
    noise, red, first = case.judged["noise"].to_numpy(), (case.judged["color"] == "red").to_numpy(), halves(case)[0]
    prediction = case.prediction + 30 * (noise < np.quantile(noise, 0.4)) * np.random.default_rng(0).random(len(noise))
    prediction += 40 * (noise < np.quantile(noise, 0.4)) * red * first  # of no account on the half that tests
    case = replace(case, prediction=prediction)
    found = [each.text for each in weakest(case, conditions(case))[0]]
    assert found
    assert not [text for text in found if "red" in text]
    below = [text for text in found if text.startswith("noise is up to") and " and " not in text]
    assert len(below) <= 1


def test_of_ranges_within_each_other_the_worst_that_holds_is_told() -> None:
    case = case_of(Task.REGRESSION, 4000)
    noise, first = case.judged["noise"].to_numpy(), halves(case)[0]
    tenth, quarter = noise <= np.quantile(noise, 0.1), noise <= np.quantile(noise, 0.25)
    wrong, more = np.random.default_rng(0).standard_exponential((2, len(noise))) * [[20.0], [15.0]]
    for extra, expected in ((more, tenth), (more * first, quarter)):  # worse on both halves, or only where it was found
        broken = replace(case, prediction=case.prediction + wrong * quarter + extra * tenth)
        every = weakest(broken, [each for each in conditions(broken) if each.column == "noise"])[0]
        found = [each for each in every if each.text.startswith("noise is up to")]
        assert len(found) == 1
        assert np.mean(found[0].rows == expected) > 0.99


def test_chance_is_seldom_a_slice() -> None:
    """The true model fails nowhere more than its losses say: absolute errors are of one spread everywhere."""
    false_alarms = 0
    for seed in range(10):
        case = case_of(Task.REGRESSION, 800)
        noise = np.random.default_rng(seed).normal(0, 1, len(case.truth))
        false_alarms += finding(replace(case, prediction=case.truth + noise), "AML403").severity is not Severity.PASSED
    assert false_alarms <= 2


def test_the_rows_that_test_a_slice_did_not_find_it() -> None:
    case = case_of(Task.REGRESSION, 2000)
    groups = np.arange(len(case.truth)) // 7
    first, second = halves(replace(case, groups=groups))
    assert not (first & second).any()
    assert (first | second).all()
    assert not set(groups[first]) & set(groups[second])
    only_first = failing_where(case, np.flatnonzero(halves(case)[0] & (case.judged["color"] == "red").to_numpy()))
    assert weakest(only_first, conditions(only_first))[0] == []


def test_conditions_say_what_they_hold() -> None:
    case = case_of(Task.BINARY, 600)
    case = replace(case, judged=case.judged.assign(noise=case.judged["noise"].mask(case.judged.index % 5 == 0)))
    found = {each.text: each for each in conditions(case)}
    assert np.array_equal(found["noise is missing"].rows, case.judged["noise"].isna().to_numpy())
    assert np.array_equal(found['color is "red"'].rows, (case.judged["color"] == "red").to_numpy())
    above = [each for text, each in found.items() if text.startswith("noise is above") and " to " not in text]
    for each in above:
        assert np.array_equal(each.rows, (case.judged["noise"] > float(each.text.split()[-1])).to_numpy())
    assert isinstance(above[0], Condition)


def test_reasons_name_the_column_that_decides() -> None:
    for task in (Task.BINARY, Task.REGRESSION):
        case = case_of(task, 600)
        far = np.argsort(-case.judged["signal"].to_numpy())[:3]
        for told in reasons(case, far):
            assert told.startswith("signal ")
            assert ("(+" in told) == (task is Task.REGRESSION)
        assert reasons(case, np.zeros(0, np.int64)) == []


def test_best_predictions_are_right_and_sure() -> None:
    case = case_of(Task.BINARY)
    rows = finding(case, "AML404").table["rows"]
    assert all(row[1] == row[2] and row[3] > 0.9 for row in rows)
    assert finding(replace(case, plan=replace(case.plan, samples=False)), "AML404").table == {}
