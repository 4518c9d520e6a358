"""AML606 tells an ensemble's members, and compares it with the best of them on the same folds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from automl.core.evidence import Final, Member, Trial
from automl.core.finding import Severity
from automl.core.tasks import Task
from automl.judge.checks.ensemble import run
from tests.judge.made_up import case_of

MEMBERS = (Member("boosting", 2, {}, 1, 50, 0.75), Member("linear", 0, {}, 1, 0, 0.25))
ENSEMBLE = Trial("ensemble", 0, {}, 0, score=0.80, fold_scores=(0.79, 0.81), selection_scores=(0.82, 0.84), members=MEMBERS)


def test_the_members_are_told_and_how_much_better_the_weights_look_where_they_were_chosen() -> None:
    case = case_of(Task.BINARY)
    assert run(case) == []
    assert case.evidence is not None
    trials = (Trial("boosting", 2, {}, 1, score=0.78), Trial("linear", 0, {}, 1, score=0.7), ENSEMBLE)
    (finding,) = run(replace(case, evidence=replace(case.evidence, trials=trials)))
    assert finding.numbers["score"].value == 0.80
    assert finding.numbers["so_much_better_it_looks_there"].value == pytest.approx(0.03)
    assert finding.numbers["best_member"].value == 0.78
    assert finding.table is not None
    assert [row[1:] for row in finding.table["rows"]] == [["boosting-2", 1, 0.75, 0.78], ["linear-0", 1, 0.25, 0.7]]
    assert "not chosen" in finding.sentence
    chosen = replace(case.evidence, trials=trials, champion="ensemble")
    assert "shipped ensemble" in run(replace(case, evidence=chosen))[0].sentence


@pytest.mark.parametrize(
    ("ours", "told", "severity"),
    [
        (
            (0.82, 0.83, 0.82, 0.84, 0.83),
            "on fresh folds its ROC-AUC is 0.828, that of the best member that was scored there 0.810",
            Severity.PASSED,
        ),
        (
            (0.82, 0.79, 0.83, 0.78, 0.82),
            "on fresh folds its ROC-AUC is 0.808, that of the best member that was scored there 0.810",
            Severity.PASSED,
        ),
        ((0.76, 0.77, 0.76, 0.75, 0.77), "the member is better beyond chance", Severity.TIP),
    ],
)
def test_the_ensemble_is_compared_with_its_member_on_fresh_folds(ours: tuple[float, ...], told: str, severity: Severity) -> None:
    case = case_of(Task.BINARY)
    assert case.evidence is not None
    trials = (Trial("boosting", 2, {}, 1, score=0.90), Trial("linear", 0, {}, 1, score=0.7), ENSEMBLE)
    theirs = (0.81, 0.80, 0.82, 0.80, 0.82)
    finals = (Final("boosting", 2, theirs, 0.81, 1.0), Final("ensemble", 0, ours, sum(ours) / 5, 1.0))
    (finding,) = run(replace(case, evidence=replace(case.evidence, trials=trials, finals=finals, champion="ensemble")))
    assert told in finding.sentence and finding.severity is severity
    assert finding.numbers["best_member"].value == 0.81
