"""What findings say follows from what they show: no word that its own numbers contradict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from automl.core.case import Case
from automl.core.tasks import Task
from automl.judge.checks import ladder
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
