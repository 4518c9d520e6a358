"""AML606 tells an ensemble's members, and its honest score beside the one of the rows that chose the weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

from automl.core.evidence import Member, Trial
from automl.core.tasks import Task
from automl.judge.checks.ensemble import run
from tests.judge.made_up import case_of

MEMBERS = (Member("boosting", 2, {}, 1, 50, 0.75), Member("linear", 0, {}, 1, 0, 0.25))
ENSEMBLE = Trial("ensemble", 0, {}, 0, score=0.80, fold_scores=(0.79, 0.81), selection_scores=(0.82, 0.84), members=MEMBERS)


def test_the_members_and_the_flattery_are_told() -> None:
    case = case_of(Task.BINARY)
    assert run(case) == []
    assert case.evidence is not None
    trials = (Trial("boosting", 2, {}, 1, score=0.78), Trial("linear", 0, {}, 1, score=0.7), ENSEMBLE)
    (finding,) = run(replace(case, evidence=replace(case.evidence, trials=trials)))
    assert finding.numbers["score"].value == 0.80
    assert finding.numbers["flattery"].value == pytest.approx(0.03)
    assert finding.numbers["best_member"].value == 0.78
    assert finding.table is not None
    assert [row[1:] for row in finding.table["rows"]] == [["boosting-2", 1, 0.75, 0.78], ["linear-0", 1, 0.25, 0.7]]
    assert "not chosen" in finding.sentence
    chosen = replace(case.evidence, trials=trials, champion="ensemble")
    assert "shipped ensemble" in run(replace(case, evidence=chosen))[0].sentence
