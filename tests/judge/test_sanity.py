"""Laws of the checks of sanity: what is sound passes, a fault stops or is named, chance accuses nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.case import Case
from automl.core.evidence import Evidence, Trial
from automl.core.files import decode, encode
from automl.core.finding import Finding, Section, Severity
from automl.core.probes import Memorised, Probes, RateTest, Repeated, Shuffled
from automl.core.tasks import ALL_TASKS, Task
from automl.judge.checks import (
    constant_input,
    label_errors,
    learned_by_heart,
    learning_rate,
    loss_curves,
    parity,
    same_seed,
    shuffled_labels,
)
from automl.judge.wording import figures_text
from automl.report.verdict import DO_NOT_USE, verdict
from tests.judge.made_up import case_of, predictor

RATES = tuple(10.0 ** (step / 2 - 3) for step in range(-3, 4))
PROBED = (same_seed, shuffled_labels, learned_by_heart, learning_rate)


def probed(champion: str = "linear", task: Task = Task.BINARY, **found: Any) -> Case:
    case = case_of(task)
    assert case.evidence is not None
    evidence = replace(case.evidence, champion=champion, probes=Probes(architecture=champion, net="mlp", **found))
    mlp = Trial("mlp", 0, {"epochs": 20}, 0, score=0.69, fold_scores=(0.69,) * 5, curve=((1.0, 0.7), (2.0, 0.6)))
    return replace(case, evidence=replace(evidence, trials=(*evidence.trials, mlp)))


@pytest.mark.parametrize("task", sorted(ALL_TASKS - {Task.FORECAST}))
def test_a_sound_model_gives_equal_rows_equal_predictions(task: Task) -> None:
    assert constant_input.run(case_of(task))[0].severity is Severity.PASSED


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_a_model_that_looks_at_other_rows_is_stopped(task: Task) -> None:
    sound = predictor(task)

    def centred(frame: pd.DataFrame) -> np.ndarray:
        return sound(frame.assign(signal=frame["signal"] - frame["signal"].mean()))

    def by_place(frame: pd.DataFrame) -> np.ndarray:
        return sound(frame.assign(signal=frame["signal"] + 0.01 * np.arange(len(frame))))

    for predict in (centred, by_place):
        finding = constant_input.run(case_of(task, predict=predict))[0]
        assert finding.severity is Severity.STOP
        assert verdict([finding]).label == DO_NOT_USE


def test_an_export_that_differs_from_what_was_trained_is_stopped() -> None:
    case = case_of(Task.BINARY, model={"parity": {"difference": 0.3, "rows": 100.0, "tolerance": 1e-4}})
    assert parity.run(case)[0].severity is Severity.STOP


@pytest.mark.parametrize(("difference", "severity"), [(0.0, "passed"), (1e-6, "passed"), (0.2, "issue")])
def test_another_model_from_the_same_seed_is_an_issue(difference: float, severity: str) -> None:
    finding = same_seed.run(probed(repeated=Repeated(difference, 500)))[0]
    assert finding.severity == severity
    assert ("last digit" in finding.sentence) == (difference == 0.0)


@pytest.mark.parametrize(
    ("score", "p_value", "severity"),
    [(0.5, 0.4, "passed"), (0.56, 0.02, "passed"), (0.503, 0.0005, "issue"), (0.68, 0.0005, "stop")],
)
def test_labels_that_cannot_be_known_stop_the_run_only_beyond_chance(score: float, p_value: float, severity: str) -> None:
    finding = shuffled_labels.run(probed(shuffled=Shuffled(score, 0.5, p_value, 900)))[0]
    assert finding.severity == severity


def test_what_the_p_of_shuffled_labels_tests_is_told_beside_it() -> None:
    found = Shuffled(0.47, 0.5, 0.043, 900, 0.516, 0.501)
    finding = shuffled_labels.run(probed(shuffled=found))[0]
    assert "the mean probability of the dealt class is 0.516, by chance it would be 0.501, p = 0.043" in finding.sentence
    assert finding.numbers["probability_of_the_dealt_class"].value == 0.516
    older = shuffled_labels.run(probed(shuffled=Shuffled(0.47, 0.5, 0.043, 900)))[0]
    assert "p = 0.043 for the mean probability of the dealt class" in older.sentence


def test_rates_are_told_as_rates_and_losses_as_shares_of_the_constants() -> None:
    test = curve(0.69, 0.68, 0.66, 0.6, 0.5, 0.45, 0.4)
    finding = learning_rate.run(probed("linear", rates=replace(test, constant_loss=0.8)))[0]
    assert "is the highest that was tried" in finding.sentence
    assert finding.section is Section.CHOICE and learning_rate.run(probed("mlp", rates=test))[0].section is Section.TRUST
    assert finding.numbers["best_loss_as_a_share_of_the_constant's"].value == pytest.approx(0.5)
    assert f"The usual rate is {figures_text(RATES[3])}," in finding.figures[0].how_to_read
    assert finding.figures[0].series[0].y[-1] == pytest.approx(0.5) and set(finding.figures[0].series[1].y) == {1.0}
    inside = learning_rate.run(probed("linear", rates=curve(0.69, 0.6, 0.5, 0.55, 0.6, 0.7, 0.7)))[0]
    assert "that was tried" not in inside.sentence


@pytest.mark.parametrize(
    ("loss", "accuracy", "champion", "severity"),
    [
        (0.01, 1.0, "mlp", "passed"),
        (0.30, 0.97, "mlp", "passed"),
        (0.40, 0.8, "mlp", "tip"),
        (0.69, 0.5, "mlp", "stop"),
        (float("nan"), None, "mlp", "stop"),
        (0.69, 0.5, "linear", "issue"),
    ],
)
def test_a_net_that_learns_nothing_by_heart_stops_the_run_where_it_ships(
    loss: float, accuracy: float | None, champion: str, severity: str
) -> None:
    found = Memorised(100, 300, loss, 0.69, accuracy, 1e-3, 1e-3)
    assert learned_by_heart.run(probed(champion, memorised=found))[0].severity == severity


def curve(*losses: float) -> RateTest:
    return RateTest(tuple(zip(RATES, losses, strict=True)), RATES[3], 0.69, 256, 20)


@pytest.mark.parametrize(
    ("losses", "high"),
    [
        ((0.68, 0.66, 0.6, 0.5, 0.45, 0.8, float("nan")), False),
        ((0.6, 0.5, 0.7, 5.0, float("nan"), float("nan"), float("nan")), True),
        ((0.69, 0.69, 0.69, 0.69, 0.69, 0.69, 0.69), False),  # a frozen net: another check's business
        ((0.69, 0.69, 0.688, 0.68, 0.6, 0.5, 0.7), False),
    ],
)
def test_a_rate_is_too_high_where_only_lower_ones_learn(losses: tuple[float, ...], high: bool) -> None:
    finding = learning_rate.run(probed("mlp", rates=curve(*losses)))[0]
    assert (finding.severity is Severity.ISSUE) == high
    assert learning_rate.run(probed("linear", rates=curve(*losses)))[0].severity is (Severity.TIP if high else Severity.PASSED)


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        ((0.7, 0.6, 0.55, 0.53, 0.52, 0.53), "all of them fell"),
        ((0.6, 0.61, 0.65, 0.7, 0.8, 1.1), "all of them fell"),  # overfitting from the first epoch on
        ((0.69, 0.69, 0.6901, 0.69, 0.69, 0.69), "did not move"),
        ((0.7, 0.9, 4.0, 60.0, 900.0, 9e3), "exploded"),
    ],
)
def test_curves_that_do_not_move_or_explode_are_named(losses: tuple[float, ...], told: str) -> None:
    case = probed("mlp")
    assert case.evidence is not None
    points = tuple((float(epoch), loss) for epoch, loss in enumerate(losses))
    trials = tuple(replace(trial, curve=points) if trial.architecture == "mlp" else trial for trial in case.evidence.trials)
    finding = loss_curves.run(replace(case, evidence=replace(case.evidence, trials=trials)))[0]
    assert told in finding.sentence
    assert (finding.severity is Severity.PASSED) == (told == "all of them fell")


def test_what_was_not_probed_is_said_with_its_reason_also_of_older_runs() -> None:
    case = probed(left_out={"repeated": "there was no time for it"})
    assert "there was no time for it" in same_seed.run(case)[0].sentence
    assert case.evidence is not None
    older = encode(case.evidence)
    older.pop("probes")
    read = decode(Evidence, older)
    findings: list[Finding] = [check.run(replace(case, evidence=read))[0] for check in PROBED]
    assert {finding.severity for finding in findings} == {Severity.NOT_APPLICABLE}


def test_a_probe_that_failed_is_an_issue_and_names_the_error() -> None:
    for check, name in zip(PROBED, ("repeated", "shuffled", "memorised", "rates"), strict=True):
        told = check.run(probed(failed={name: "the worker fell over"}))[0]
        assert told.severity is Severity.ISSUE
        assert "the worker fell over" in told.sentence


def labelled(flipped: float, apart: float, classes: int = 3, rows: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(probabilities of a calibrated model, labels as given, rows whose label was changed)."""
    generator = np.random.default_rng(0)
    truth = generator.integers(0, classes, rows)
    # By Bayes' rule for normal scores of unit variance and mean `apart` in the true class.
    odds = apart * (generator.standard_normal((rows, classes)) + apart * np.eye(classes)[truth])
    probabilities = np.exp(odds - odds.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    changed = generator.random(rows) < flipped
    return probabilities, np.where(changed, (truth + 1) % classes, truth), np.flatnonzero(changed)


def test_confident_learning_finds_changed_labels_and_counts_them() -> None:
    probabilities, labels, changed = labelled(0.05, 4.0)
    found = label_errors.confident_learning(probabilities, labels)
    assert np.isin(changed, found.rows).mean() > 0.95
    assert np.isin(found.rows, changed).mean() > 0.9
    assert found.estimated == pytest.approx(len(changed), rel=0.2)
    own = probabilities[found.rows, labels[found.rows]]
    assert (np.diff(own) >= 0).all()


@pytest.mark.parametrize(
    ("flipped", "apart", "severity"),
    [(0.0, 4.0, "passed"), (0.03, 4.0, "tip"), (0.0, 1.0, "not applicable"), (0.03, 1.0, "not applicable")],
)
def test_labels_are_a_tip_only_where_the_classes_lie_apart(flipped: float, apart: float, severity: str) -> None:
    probabilities, labels, _ = labelled(flipped, apart)
    case = case_of(
        Task.MULTICLASS, out_of_fold=probabilities, out_of_fold_truth=labels, out_of_fold_rows=np.arange(len(labels)) + 7
    )
    finding = label_errors.run(case)[0]
    assert finding.severity == severity
    suspects = label_errors.confident_learning(probabilities, labels)
    assert [row[0] for row in finding.table.get("rows", [])] == (suspects.rows[:200] + 7).tolist()
    hidden = label_errors.run(replace(case, plan=replace(case.plan, samples=False)))[0]
    assert not hidden.table
