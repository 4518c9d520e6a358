"""Whether models of other folds rest on the same columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from automl.core.finding import Finding, Severity
from automl.core.tasks import Task
from automl.judge.checks import fold_importance
from tests.judge.made_up import case_of


def finding(importances: dict[str, tuple[float, ...]]) -> Finding:
    case = case_of(Task.BINARY)
    assert case.evidence is not None
    (found,) = fold_importance.run(replace(case, evidence=replace(case.evidence, fold_importances=importances)))
    return found


def test_folds_that_agree_pass_and_those_that_do_not_are_a_tip() -> None:
    agreed = finding({"a": (0.3, 0.2, 0.4), "b": (0.1, 0.1, 0.2), "c": (0.0, 0.01, 0.02), "d": (-0.01, 0.0, 0.0)})
    assert agreed.severity is Severity.PASSED
    assert agreed.numbers["columns_in_every_fold"].value == 2
    assert "all rest most on the same column" in agreed.sentence
    generator = np.random.default_rng(0)
    chance = finding({name: tuple(generator.normal(0, 1, 5).tolist()) for name in "abcdefgh"})
    assert chance.severity is Severity.TIP
    assert chance.action
    assert "not all rest" in chance.sentence


def test_what_was_not_measured_is_said() -> None:
    assert finding({}).severity is Severity.NOT_APPLICABLE
    assert finding({"a": (0.1, 0.2), "b": (0.1, 0.2), "c": (0.1, 0.2)}).severity is Severity.NOT_APPLICABLE
