"""What is said of the choice: a model that could not be shipped, a climb without fresh folds, time that was not lacking."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from automl.core.case import Case
from automl.core.evidence import Evidence, Final, Refusal
from automl.core.files import encode
from automl.core.finding import Finding, Severity
from automl.core.plan import Rung
from automl.core.tasks import Task
from automl.judge import judge
from automl.judge.checks import duplicates, headline_score, ladder, overfitting, search_effort
from automl.report import render, report, summary
from tests.judge.made_up import case_of, data_case, evidence_of

OUT_OF_TIME = Refusal("boosting", "time", "the training worker ran out of time and was ended")


def with_evidence(case: Case, **changes: Any) -> Case:
    assert case.evidence is not None
    return replace(case, evidence=replace(case.evidence, **changes))


def baseline_instead(refusal: Refusal = OUT_OF_TIME) -> Case:
    """Boosting was chosen, the baseline is shipped."""
    case = case_of(Task.BINARY)
    accepted = tuple(replace(each, accepted=True) for each in evidence_of(Task.BINARY).decisions)
    case = with_evidence(case, champion="baseline", champion_trial=0, decisions=accepted, unshipped=(refusal,))
    return replace(case, prediction=case.baseline)


def content_of(case: Case, findings: list[Finding]) -> dict[str, Any]:
    return encode(report(case.profile, case.plan, case.evidence, findings, {}))


@pytest.fixture(scope="module")
def out_of_time() -> tuple[list[Finding], dict[str, Any]]:
    case = baseline_instead()
    found = judge(case)
    return found, content_of(case, found)


def test_a_model_that_was_not_shipped_for_want_of_time_asks_for_time(out_of_time: tuple[list[Finding], Any]) -> None:
    found, content = out_of_time
    by_code = {each.code: each for each in found}
    for code in ("AML203", "AML306"):
        assert by_code[code].action == "Give it more time: `--time 180`."
        assert OUT_OF_TIME.why in by_code[code].sentence
    assert by_code["AML306"].severity is Severity.TIP
    assert by_code["AML203"].sentence.startswith("The baseline is shipped: Gradient boosting was chosen, but there was no time")
    assert "gain" not in by_code["AML203"].numbers
    assert "baseline reaches" not in by_code["AML201"].sentence
    assert "Gradient boosting was chosen but could not be shipped" in by_code["AML601"].sentence
    assert "The baseline is shipped for want of time (AML203)" in content["verdict"]["reason"]
    assert content["actions"][0]["text"] == "Give it more time: `--time 180`."
    assert "Next: Give it more time: `--time 180`." in summary(content)


def test_the_ladder_shows_only_what_is_shipped_as_chosen(out_of_time: tuple[list[Finding], Any]) -> None:
    content = out_of_time[1]
    assert [row["architecture"] for row in content["ladder"] if row["chosen"]] == ["baseline"]
    page = render(content)
    assert page.count('<tbody class="chosen">') == 1
    assert page.count('<tbody class="not-shipped">') == 1
    assert "It could not be shipped: the training worker ran out of time and was ended." in page


@pytest.mark.parametrize(
    ("cause", "severity", "asked"), [("limit", Severity.TIP, "Allow a larger"), ("fault", Severity.ISSUE, "Report this run")]
)
def test_other_refusals_ask_for_no_time(cause: str, severity: Severity, asked: str) -> None:
    case = baseline_instead(Refusal("boosting", cause, "it was not right"))
    found = {each.code: each for each in judge(case)}
    assert found["AML306"].severity is severity
    assert found["AML306"].action.startswith(asked)
    assert found["AML203"].title == "The baseline is shipped"
    assert found["AML203"].action == found["AML306"].action


def test_a_baseline_that_nothing_beats_is_told_so() -> None:
    case = replace(
        with_evidence(case_of(Task.BINARY), champion="baseline", decisions=()), prediction=case_of(Task.BINARY).baseline
    )
    found = {each.code: each for each in judge(case)}
    assert "no other rung was better beyond chance" in found["AML203"].sentence
    assert "AML306" not in found
    alone = tuple(each for each in evidence_of(Task.BINARY).trials if each.architecture == "baseline")
    hurried = judge(with_evidence(case, trials=alone, skipped={"linear": "Linear was not tried: there was no time left for it"}))
    finding = next(each for each in hurried if each.code == "AML203")
    assert "there was no time to try another rung" in finding.sentence
    assert "--time 180" in finding.action


def in_search(case: Case) -> Case:
    """The chosen rung has no fresh folds."""
    evidence = evidence_of(case.profile.task)
    finals = tuple(each for each in evidence.finals if each.architecture == "baseline")
    trials = [trial for trial in evidence.trials if trial.score is not None and trial.number == 0]
    searched = [Final(each.architecture, 0, each.fold_scores, each.score or 0.0, 1.5, 2048) for each in trials]
    return with_evidence(case, finals=finals, searched=tuple(searched))


def test_a_climb_without_fresh_folds_is_a_tip_and_the_chart_shows_the_chosen_rung() -> None:
    case = in_search(case_of(Task.BINARY))
    found = ladder.run(case)
    assert found[0].severity is Severity.TIP
    assert "no time for fresh ones" in found[0].sentence
    assert "--time 180" in found[0].action
    content = content_of(case, found)
    assert {row["folds"] for row in content["ladder"]} == {"search"}
    scores = {row["architecture"]: row["score"] for row in content["ladder"]}
    assert scores["linear"] == pytest.approx(evidence_of(Task.BINARY).trials[1].score)
    page = render(content)
    assert "on the folds of the search, simplest rung first" in page
    assert "Linear" in page.split("<h3>The ladder</h3>")[1].split('<table class="ladder">')[0]
    whole = ladder.run(case_of(Task.BINARY))[0]
    assert whole.severity is Severity.PASSED
    assert "no time" not in whole.sentence


def test_fresh_folds_that_the_preset_left_out_are_no_lack_of_time() -> None:
    evidence = evidence_of(Task.BINARY)
    case = with_evidence(in_search(case_of(Task.BINARY)), without_fresh="fresh ones would have taken too long")
    case = replace(case, plan=replace(case.plan, preset="best"), evidence=replace(case.evidence or evidence, finals=()))
    found = ladder.run(case)
    assert found[0].severity is Severity.TIP
    assert "on the folds of the search, as fresh ones would have taken too long" in found[0].sentence
    assert "no time" not in found[0].sentence
    assert "--preset balanced" in found[0].action
    page = render(content_of(case, found))
    assert "scores on the folds of the search, as fresh ones would have taken too long" in page
    assert "training 1.5 s" in page and "about 2.05 kB (estimated)" in page


def with_gaps(case: Case, gaps: list[float], champion: str = "boosting") -> Case:
    """The champion's training scores are so much better than its fold scores."""
    sign = -1.0
    trials = tuple(
        replace(each, training_scores=tuple(np.asarray(each.fold_scores) + sign * np.asarray(gaps)))
        if each.architecture == champion and each.score is not None
        else each
        for each in evidence_of(case.profile.task).trials
    )
    return with_evidence(case, trials=trials, champion=champion)


def test_overfitting_recommends_a_rung_of_the_ladder_or_none() -> None:
    case = case_of(Task.REGRESSION)
    high = overfitting.run(with_gaps(case, [0.3, 0.31, 0.29, 0.3, 0.3]))[0]
    assert high.severity is Severity.TIP
    assert "`--only linear`" in high.action
    low = overfitting.run(with_gaps(case, [0.3, 0.31, 0.29, 0.3, 0.3], "linear"))[0]
    assert low.severity is Severity.TIP
    assert "--only" not in low.action
    renamed = tuple(replace(each, architecture="lines") if each.architecture == "linear" else each for each in case.plan.rungs)
    other = with_gaps(replace(case, plan=replace(case.plan, rungs=renamed)), [0.3, 0.31, 0.29, 0.3, 0.3])
    assert "--only" not in overfitting.run(other)[0].action  # a rung that was not tried has no score to tell
    assert other.evidence is not None
    trials, finals = (
        tuple(replace(each, architecture="lines") if each.architecture == "linear" else each for each in parts)
        for parts in (other.evidence.trials, other.evidence.finals)
    )
    tried = replace(other, evidence=replace(other.evidence, trials=trials, finals=finals))
    assert "(`--only lines`), which scores" in overfitting.run(tried)[0].action


def test_the_same_gap_is_judged_by_its_interval_and_says_so() -> None:
    case = case_of(Task.REGRESSION)
    sure, unsure = (
        overfitting.run(with_gaps(case, gaps))[0] for gaps in ([0.3, 0.31, 0.29, 0.3, 0.3], [0.9, -0.3, 0.9, -0.3, 0.3])
    )
    assert sure.numbers["gap"].value == pytest.approx(unsure.numbers["gap"].value)
    assert (sure.severity, unsure.severity) == (Severity.TIP, Severity.PASSED)
    assert "beyond what chance explains (95 % interval of the gap" in sure.sentence
    assert "which chance may explain (95 % interval of the gap" in unsure.sentence


def test_a_gap_that_no_score_shows_is_no_overfitting() -> None:
    case = with_gaps(case_of(Task.REGRESSION), [2e-4, 2.1e-4, 1.9e-4, 2e-4, 2e-4], "baseline")
    assert overfitting.run(case)[0].severity is Severity.PASSED


def untried(stopped: str, gained_nothing: bool) -> Finding:
    case = with_evidence(case_of(Task.BINARY), stopped=stopped, gained_nothing=gained_nothing, failures={})
    rungs = (*case.plan.rungs, Rung("tabm", 4, "TabM", "an ensemble in one net"))
    return search_effort.run(replace(case, plan=replace(case.plan, rungs=rungs)))[0]


def test_more_time_is_advised_only_where_time_was_lacking() -> None:
    lacking = untried("the time for the search was used up after 3 search trials", False)
    assert (lacking.severity, "--time 180" in lacking.action) == (Severity.TIP, True)
    early = untried("ended early after 12 search trials; about 50 s were left", True)
    assert (early.severity, early.action) == (Severity.PASSED, "")
    assert "TabM was not tried" in early.sentence


@pytest.mark.parametrize(("modality", "told"), [("text", "rows of one origin"), ("tabular", "too plain")])
def test_copies_that_nothing_is_to_be_done_about_ask_for_nothing(modality: str, told: str) -> None:
    case = data_case(Task.BINARY)
    copies = replace(case.profile.duplicates, distinctive=False)
    finding = duplicates.run(replace(case, profile=replace(case.profile, modality=modality, duplicates=copies)))[0]
    assert told in finding.sentence
    assert (finding.severity, finding.action) == (Severity.PASSED, "")


def test_the_headline_of_another_model_still_names_the_baseline() -> None:
    assert "the baseline reaches" in headline_score.run(case_of(Task.BINARY))[0].sentence


def test_the_settings_of_a_champion_without_fresh_folds_are_known() -> None:
    evidence: Evidence | None = in_search(case_of(Task.BINARY)).evidence
    assert evidence is not None
    trial = evidence.best_trial("linear")
    assert trial is not None
    assert trial.number == evidence.champion_trial
