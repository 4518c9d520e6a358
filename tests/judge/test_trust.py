"""Laws of what a level, a share and an error rate rest on: every true class is shown, every share has its rows and interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.core.case import Case
from automl.core.clock import Deadline
from automl.core.conformal import LEVELS, RATES, Conformal
from automl.core.discovery import declarations
from automl.core.finding import Finding, Severity
from automl.core.metrics import METRICS
from automl.core.probes import NO_TIME, Probes
from automl.core.readout import Readout
from automl.core.statistics import wilson_interval
from automl.core.tasks import Task
from automl.judge import judge, run_check
from automl.judge.bootstrap import intervals
from automl.judge.parts import parts_grouped, parts_sliced
from tests.judge.made_up import case_of, evidence_of


def finding(case: Case, code: str) -> Finding:
    (check,) = [each for each in declarations("automl.judge.checks", "CHECK") if each.code == code]
    (found,) = run_check(check, case)
    assert found.code == code
    return found


def with_rare_class(rare: int, held_of_rare: float, rows: int = 1000) -> Case:
    """Sets are the called class alone: always right for "no", and for that share of the rare "yes"."""
    truth = (np.arange(rows) < rare).astype(np.int64)
    says_yes = np.arange(rows) < held_of_rare * rare
    sure = np.where(says_yes, 0.99, 0.01)
    conformal = Conformal("margin", {f"{level:.2f}": 0.5 for level in LEVELS}, rows, rows, cuts={f"{r:.2f}": 0.5 for r in RATES})
    evidence = replace(evidence_of(Task.BINARY), readout=Readout(conformal=conformal))
    prediction, baseline = np.stack([1 - sure, sure], axis=1), np.tile([0.9, 0.1], (rows, 1))
    case = case_of(Task.BINARY, 2 * rows, evidence=evidence, truth=truth, prediction=prediction, baseline=baseline)
    return replace(case, judged=case.judged.drop(columns=["signal", "weak"]).assign(signal=0.0, weak=0.0))


def test_a_rare_class_that_sets_miss_is_not_hidden() -> None:
    found = finding(with_rare_class(45, 0.6), "AML330")
    assert found.severity is Severity.TIP  # 45 rows are too few for more
    assert 'of the 45 rows that truly are "yes", 40.0 % get a set without "yes"' in found.sentence
    assert 'does not rule "yes" out' in found.action
    rows = {row[0]: row for row in found.table["rows"]}
    share = rows['target truly is "yes"']
    assert share[1:3] == [45, pytest.approx(0.6)]
    assert share[3] < 0.6 < share[4]
    (series,) = found.figures[0].series
    assert [text for text, faint in zip(series.x, series.faint, strict=True) if faint] == ['target truly is "yes"']


def test_a_part_below_the_promise_is_told_and_no_issue_as_the_promise_is_for_all_rows_together() -> None:
    assert finding(with_rare_class(80, 0.6), "AML330").severity is Severity.TIP
    assert finding(with_rare_class(80, 0.85), "AML330").severity is Severity.PASSED
    few = finding(with_rare_class(5, 0.0), "AML330")
    assert few.severity is Severity.PASSED  # five rows prove nothing, but are shown
    assert [row[1:3] for row in few.table["rows"] if "yes" in row[0]] == [[5, 0.0]]


def test_a_group_is_not_shown_again_as_a_slice_of_its_column() -> None:
    case = case_of(Task.BINARY)
    case = replace(case, plan=replace(case.plan, sensitive=("color",)))
    groups = parts_grouped(case)
    told = [rows.tobytes() for _, rows in groups]
    assert set(told) & {rows.tobytes() for _, rows in parts_sliced(case)}
    assert not set(told) & {rows.tobytes() for _, rows in parts_sliced(case, groups)}


def test_the_interval_of_a_share_holds_it_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    for rows, share in ((25, 0.9), (45, 0.7), (400, 0.02)):
        ends = np.asarray([wilson_interval(hits / rows, rows) for hits in generator.binomial(rows, share, 4000)])
        held = ((ends[:, 0] <= share) & (share <= ends[:, 1])).mean()
        assert 0.92 <= held <= 0.98
    assert wilson_interval(1.0, 25) == (pytest.approx(25 / (25 + 1.96**2), abs=1e-4), 1.0)
    assert wilson_interval(0.0, 0) == (0.0, 1.0)


def test_what_there_was_no_time_for_is_not_called_not_applicable() -> None:
    """A column that nearly tells the target is compared with the others, if there is time."""
    case = case_of(Task.BINARY, 600)
    columns = tuple(replace(each, association=0.95) if each.name == "signal" else each for each in case.profile.columns)
    case = replace(case, profile=replace(case.profile, columns=columns))
    late, enough = ({each.code: each for each in judge(replace(case, deadline=Deadline(seconds)))} for seconds in (3.0, None))
    assert late["AML118"].severity is Severity.NOT_RUN
    assert late["AML118"].sentence.endswith("for lack of time.")
    assert enough["AML118"].severity not in (Severity.NOT_RUN, Severity.NOT_APPLICABLE)
    assert Severity.NOT_RUN not in {each.severity for each in enough.values()}
    assert Severity.NOT_APPLICABLE in {each.severity for each in enough.values()}


def test_a_probe_is_not_run_for_lack_of_time_and_not_applicable_otherwise() -> None:
    case = case_of(Task.BINARY)
    for why, expected in ((NO_TIME, Severity.NOT_RUN), ("the model is no net", Severity.NOT_APPLICABLE)):
        evidence = replace(evidence_of(Task.BINARY), probes=Probes(left_out={"shuffled": why}))
        assert finding(replace(case, evidence=evidence), "AML322").severity is expected


def test_shares_of_few_rows_come_with_their_number_and_interval() -> None:
    case = with_rare_class(45, 0.6)
    weight = np.where(case.truth == 1, 3.0, 1.0)
    numbers = finding(replace(case, weight=weight), "AML304").numbers["accuracy_when_sure"]
    assert numbers.value == pytest.approx(np.average(case.called == case.truth, weights=weight))
    assert numbers.low < numbers.value < numbers.high
    few = case.prediction.copy()
    few[25:] = 0.6, 0.4
    said = finding(replace(case, prediction=few), "AML304").sentence
    assert "right in 100 % of these 25 (95 % interval 86.7 % to 100 %)" in said


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_the_loss_of_answered_rows_comes_with_its_rows_and_interval(task: Task) -> None:
    case = case_of(task, 2000)
    knots = ((60.0, 1.0), (140.0, 5.0)) if task is Task.REGRESSION else ()
    sure = -np.interp(case.prediction, *np.transpose(knots)) if knots else case.prediction.max(axis=1)
    cuts = {f"{rate:.2f}": float(np.quantile(sure, rate)) for rate in RATES}
    conformal = Conformal("margin", {"0.90": 0.5}, 1000, 1000, knots=knots, cuts=cuts)
    found = finding(replace(case, evidence=replace(evidence_of(task), readout=Readout(conformal=conformal))), "AML331")
    loss = np.abs(case.prediction - case.truth) if task is Task.REGRESSION else (case.called != case.truth).astype(float)
    for rate, share, rows, value, low, high, without, *_ in found.table["rows"]:
        kept = sure >= cuts[f"{rate:.2f}"]
        assert (rows, without) == (kept.sum(), (~kept).sum())
        assert share == pytest.approx((~kept).mean())
        assert value == pytest.approx(loss[kept].mean())
        assert low < value < high
    assert found.numbers["loss_answered"].low is not None
    assert "the other 900" in found.sentence


def test_a_score_of_new_rows_has_the_interval_that_so_many_rows_allow() -> None:
    """Over many draws of rows the interval holds the score of very many; a perfect score of few has none."""
    generator, metrics = np.random.default_rng(0), [METRICS[name] for name in ("roc_auc", "log_loss", "accuracy")]

    def drawn(rows: int) -> tuple[np.ndarray, np.ndarray]:
        signal = generator.standard_normal(rows)
        share = 1 / (1 + np.exp(-1.5 * signal))
        return (generator.random(rows) < share).astype(np.int64), np.stack([1 - share, share], axis=1)

    true = {each.name: each.score(*drawn(200_000)) for each in metrics}
    held = dict.fromkeys(true, 0)
    for _ in range(60):
        for name, (low, high) in intervals(metrics, *drawn(150), 1).items():
            held[name] += low <= true[name] <= high
    assert all(count >= 48 for count in held.values())
    for outlier in (20.0, 100.0, 1e6):  # a row that makes most of a mean loss: its logarithm says nothing about the others
        errors = np.r_[generator.standard_normal(499), outlier]
        low, high = intervals([METRICS["rmse"]], np.zeros(500), errors, 0)["rmse"]
        assert low < np.sqrt(np.mean(errors**2)) < high < 1.5 * outlier
    perfect = np.arange(60) % 2
    assert "roc_auc" not in intervals(metrics, perfect, np.eye(2)[perfect], 1)
