"""What findings say follows from what they show: no word that its own numbers contradict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.core.case import Case
from automl.core.conformal import Conformal
from automl.core.errors import TrainingError, in_one_line
from automl.core.evidence import Trial
from automl.core.finding import Severity
from automl.core.plan import Rung
from automl.core.readout import Readout
from automl.core.tasks import Task
from automl.judge.checks import (
    column_importance,
    dependence,
    failed_rungs,
    ladder,
    largest_errors,
    residuals,
    search_effort,
    unshipped,
)
from automl.judge.dependence import Interaction
from automl.judge.importance import permutation_importance
from automl.search.shipping import _refusal
from tests.judge.made_up import case_of, evidence_of


def chosen_by(preset: str, p_value: float) -> Case:
    """Boosting was accepted with this p."""
    evidence = evidence_of(Task.BINARY)
    first, second = evidence.decisions
    taken = replace(second, accepted=True, interval=(-0.002, 0.022), p_value=p_value, level=0.8)
    case = case_of(Task.BINARY, evidence=replace(evidence, champion="boosting", decisions=(first, taken)))
    return replace(case, plan=replace(case.plan, preset=preset))


@pytest.mark.parametrize("preset, p_value, said", [("best", 0.115, True), ("best", 0.01, False), ("balanced", 0.09, False)])
def test_a_higher_mean_that_chance_explains_is_called_so(preset: str, p_value: float, said: bool) -> None:
    (finding,) = ladder.run(chosen_by(preset, p_value))
    assert ("no more than chance; shipped because --preset best takes the higher mean" in finding.sentence) == said
    assert "80 % interval of the gain" in finding.sentence and finding.numbers["gain"].level == 0.8
    assert ("--preset balanced" in finding.action) == said


def test_the_most_confident_mistake_is_the_one_with_the_highest_probability_of_the_wrong_class() -> None:
    case = case_of(Task.MULTICLASS)
    prediction = np.eye(3)[case.truth] * 0.9 + 0.1 / 3
    wrong, other = (np.flatnonzero(case.truth == 0)[at] for at in (0, 1))
    prediction[wrong], prediction[other] = (0.08, 0.90, 0.02), (0.001, 0.51, 0.489)  # the loss of the second is larger
    (finding,) = largest_errors.run(replace(case, prediction=prediction))
    shares = [row[3] for row in finding.table["rows"]]
    assert shares == [0.90, 0.51] and "gives 90.0 %" in finding.sentence


def test_values_that_speak_for_another_class_are_no_reasons() -> None:
    case = case_of(Task.BINARY)
    table = next(iter(largest_errors.run(case))).table
    at = next(place for place, name in enumerate(table["columns"]) if name.endswith("in points"))
    predicted = case.predict
    assert predicted is not None
    for row in table["rows"]:
        place = int(np.flatnonzero(case.row_ids == row[0])[0])
        told = [each for each in row[at].split(", ") if each != "no single value"]
        assert all(float(each.split("(")[1].rstrip(")")) > 0 for each in told)
        for name in ("signal", "weak"):
            changed = case.judged.iloc[[place]].assign(**{name: float(case.judged[name].median())})
            lost = case.prediction[place, case.called[place]] - predicted(changed)[0, case.called[place]]
            assert (name in row[at]) == (lost > 0.02) or 0.005 < lost < 0.02


def test_the_pair_that_acts_together_most_is_the_first_of_the_chart() -> None:
    pairs = [
        Interaction("a", "b", 0.214, 0.174, 0.263, 0.9),
        Interaction("a", "c", 0.415, 0.301, 0.587, 0.5),
        Interaction("b", "c", 0.6, 0.01, 0.9, 0.1),  # may be chance
    ]
    (finding,) = dependence._together(case_of(Task.BINARY), pairs, 0)
    assert finding.sentence.startswith('"a" and "c" act together most: H = 0.415')
    assert finding.figures[0].series[0].x == ("a × c", "a × b", "b × c")


def test_larger_errors_ask_for_nothing_where_the_intervals_follow_them() -> None:
    case = case_of(Task.REGRESSION)
    generator = np.random.default_rng(0)
    prediction = np.linspace(100, 1000, len(case.truth))
    truth = prediction + generator.standard_normal(len(prediction)) * prediction / 10
    knots = ((100.0, 10.0), (1000.0, 100.0))
    told = {}
    for name, conformal in {
        "none": None,
        "one width": Conformal("absolute", {"0.90": 110.0}, 300, 300),
        "follows": Conformal("normalised", {"0.90": 1.8}, 300, 300, knots=knots),
        "follows, too narrow": Conformal("normalised", {"0.90": 0.9}, 300, 300, knots=knots),
    }.items():
        assert case.evidence is not None
        evidence = replace(case.evidence, readout=Readout(conformal=conformal))
        (told[name],) = residuals.run(replace(case, evidence=evidence, truth=truth, prediction=prediction))
    assert {name for name, each in told.items() if each.severity is Severity.PASSED} == {"follows"}
    assert "in every fifth" in told["follows"].sentence and not told["follows"].action


def test_nothing_is_said_of_a_single_column_while_some_are_not_measured() -> None:
    case = case_of(Task.BINARY)
    found = permutation_importance(case)
    assert found is not None
    measured, cut = (column_importance._concentration(case, replace(found, left_out=names)) for names in ((), ("a", "b")))
    assert measured.severity is Severity.ISSUE and "of all columns together" in measured.sentence
    assert cut.severity is Severity.NOT_APPLICABLE
    assert f"of the {len(found.columns)} columns measured; 2 were not" in cut.sentence


def test_a_failed_export_is_a_failure_in_one_short_line() -> None:
    error = TrainingError("ValueError: broken\n\n\x1b[1mDimension 0 must be equal\x1b[0m\n" + "more of it, " * 100)
    refusal = _refusal(Trial("boosting", 0, {}, 0), error)
    assert refusal.why.startswith("ValueError: broken Dimension 0 must be equal more") and len(refusal.why) <= 200
    assert in_one_line("short") == "short"
    case = case_of(Task.BINARY)
    assert case.evidence is not None
    told = {}
    for cause in ("fault", "time"):
        evidence = replace(case.evidence, failures={}, trials=(), unshipped=(replace(refusal, cause=cause),))
        told[cause] = failed_rungs.run(replace(case, evidence=evidence)), unshipped.run(replace(case, evidence=evidence))
    assert [each.severity for each in told["fault"][0]] == [Severity.TIP] and told["fault"][1][0].title == "Export failed"
    assert [each.severity for each in told["time"][0]] == [Severity.PASSED]


def test_time_is_advised_only_for_a_rung_that_lacked_it() -> None:
    case = case_of(Task.BINARY)
    assert case.evidence is not None
    rungs = (*case.plan.rungs, Rung("ensemble", 9, "Ensemble", "puts together"))
    case = replace(case, plan=replace(case.plan, rungs=rungs))
    sentence = "Ensemble was not tried: greedy selection found nothing to put beside linear-0"
    evidence = replace(case.evidence, gained_nothing=False)
    (lacking,) = search_effort.run(replace(case, evidence=replace(evidence, skipped={"ensemble": "no time"})))
    (vain,) = search_effort.run(replace(case, evidence=replace(evidence, unneeded={"ensemble": sentence})))
    assert "--time" in lacking.action and lacking.severity is Severity.TIP
    assert not vain.action and vain.severity is Severity.PASSED and sentence in vain.sentence
    assert "1 rung had been left out before (AML605)" in vain.sentence
