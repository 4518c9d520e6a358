"""Laws of the time for judging: a quarter of the budget, in order of importance, and what was left out is named."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from automl.core.case import Case, Check, Turn
from automl.core.clock import INNER_FRACTION, Deadline
from automl.core.discovery import declarations
from automl.core.files import dump_json, encode
from automl.core.finding import Finding, Section, Severity
from automl.core.tasks import Task
from automl.judge import CHECKS, LEFT_OUT, Clocks, bounded, judge
from automl.report import render, report
from tests.judge.made_up import case_of

ALWAYS = {check.code for check in declarations(CHECKS, "CHECK") if check.turn is Turn.VERDICT}


def timed(seconds_a_look: float, spent: float = 0.0) -> Case:
    """A case of a run of 60 seconds on a machine so slow that this time passes whenever somebody looks at the clock."""
    ticks = itertools.count(0.0, seconds_a_look)
    case = case_of(Task.BINARY, deadline=bounded(Deadline(60.0, spent, lambda: next(ticks))))
    return replace(case, plan=replace(case.plan, sensitive=("color",)))


def left_out(findings: list[Finding]) -> dict[str, str]:
    """{code: what happened} of the checks that AML901 names."""
    return {row[0]: row[2] for finding in findings if finding.code == LEFT_OUT for row in finding.table["rows"]}


def test_judging_may_take_a_quarter_of_the_budget_and_leaves_time_for_the_pages() -> None:
    ticks = [0.0]
    run = Deadline(60.0, clock=lambda: ticks[0])
    ticks[0] = 20.0
    assert bounded(run).left_seconds() == pytest.approx(15.0)
    assert bounded(run, 4.0).left_seconds() == pytest.approx(11.0)
    ticks[0] = 56.0
    assert bounded(run).left_seconds() == pytest.approx(60.0 * INNER_FRACTION - 56.0 - 1.2)
    ticks[0] = 70.0
    assert bounded(run).expired
    assert bounded(Deadline(None)).left_seconds() == float("inf")


def test_with_time_enough_nothing_is_left_out() -> None:
    assert LEFT_OUT not in {finding.code for finding in judge(timed(0.0))}


@pytest.mark.parametrize("seconds_a_look", [0.1, 0.3, 1.0, 30.0])
def test_what_there_was_no_time_for_is_named_and_the_verdict_never_is(seconds_a_look: float) -> None:
    case = timed(seconds_a_look)
    findings = judge(case)
    named = left_out(findings)
    assert named
    assert "AML201" in render(encode(report(case.profile, case.plan, case.evidence, findings, {})))
    assert not [code for code in ALWAYS if named.get(code) == "not run"]
    of_code = {finding.code: finding for finding in findings}
    not_run = {code for code, said in named.items() if said == "not run"}
    assert all(of_code[code].severity is Severity.NOT_RUN for code in not_run)
    assert of_code["AML201"].numbers["score"].low is not None
    tip = of_code[LEFT_OUT]
    assert (tip.severity is Severity.TIP) == bool(not_run)
    assert ("--time 180" in tip.action) == bool(not_run)
    assert all(code in tip.sentence for code, said in named.items() if said == "cut short")


def test_what_was_not_measured_in_time_counts_as_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    late = Finding("AML399", "Late", Severity.NOT_RUN, Section.TRUST, "There was no time for its probe.")
    check = Check("AML399", "Late", Section.TRUST, lambda case: [late])
    monkeypatch.setattr("automl.judge.declarations", lambda *names: [check])
    findings = judge(timed(0.0))
    assert left_out(findings) == {"AML399": "not run"}
    assert "1 check was not made (Late)" in next(each.sentence for each in findings if each.code == LEFT_OUT)


def test_the_slower_the_machine_the_more_is_left_out() -> None:
    counts = [sum(said == "not run" for said in left_out(judge(timed(each))).values()) for each in (0.0, 0.2, 1.0, 30.0)]
    assert counts == sorted(counts)
    assert counts[-1] > counts[1]


@pytest.mark.parametrize("seconds_a_look", [0.0, 0.3, 1.0])
def test_judging_again_by_the_kept_clock_leaves_out_the_same(seconds_a_look: float) -> None:
    case = timed(seconds_a_look)
    clocks = Clocks(case.deadline.budget_seconds)
    first = judge(case, clocks=clocks)
    kept = Clocks(clocks.budget_seconds, clocks.readings, clocks.left_out, again=True)
    again = judge(replace(case, deadline=Deadline(None)), clocks=kept)
    assert dump_json(again) == dump_json(first)
