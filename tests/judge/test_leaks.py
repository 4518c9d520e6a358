"""Planted leaks are named, with both scores where a split is to blame, and honest columns are not accused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from automl.core.case import Case
from automl.core.dataset import Dataset
from automl.core.discovery import declarations
from automl.core.finding import Finding, Severity
from automl.core.options import Options
from automl.judge import run_check
from automl.judge.probe import folds_of, loses, sample_of
from automl.profiling import profile
from automl.recommending import recommend

ROWS = 1500


def honest(seed: int = 0, rows: int = ROWS) -> pd.DataFrame:
    """Five numbers and a category, three of which matter."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(generator.normal(size=(rows, 5)), columns=list("abcde"))
    frame["kind"] = generator.choice(["x", "y", "z"], rows)
    drive = frame["a"] + 0.7 * frame["b"] * (frame["kind"] == "x") + 0.5 * frame["c"]
    return frame.assign(target=np.where(drive + generator.normal(size=rows) > 0.5, "yes", "no"), value=10 + drive)


def case_of(frame: pd.DataFrame, target: str = "target", **options: object) -> Case:
    data, chosen = Dataset(frame, "made up", "", ""), Options(target=target, jobs=1, **options)
    facts = profile(data, chosen)
    return Case(data, facts, recommend(facts, chosen), may_fit=True)


def finding(case: Case, code: str) -> Finding:
    (check,) = [each for each in declarations("automl.judge.checks", "CHECK") if each.code == code]
    (found,) = run_check(check, case)
    assert found.code == code
    return found


@pytest.mark.parametrize("target", ["target", "value"])
def test_what_is_filled_after_the_event_is_suspected_and_other_gaps_are_not(target: str) -> None:
    frame = honest().drop(columns={"target": "value", "value": "target"}[target])
    generator = np.random.default_rng(1)
    event = frame[target] == "yes" if target == "target" else frame[target] > frame[target].quantile(0.75)
    frame["paid"] = np.where(event & (generator.random(ROWS) < 0.95), generator.lognormal(size=ROWS), np.nan)
    frame["a"] = frame["a"].mask(generator.random(ROWS) < np.where(event, 0.5, 0.2))
    (leak,) = case_of(frame, target).profile.suspected_leaks
    assert leak.column == "paid"
    assert "is filled" in leak.sentence
    assert leak.score > 0.9


def test_what_has_a_value_for_one_class_only_is_suspected_whatever_share_of_it() -> None:
    frame, generator = honest().drop(columns="value"), np.random.default_rng(8)
    seldom = (frame["target"] == "yes") & (generator.random(ROWS) < 0.4)
    paid = np.where(seldom, generator.lognormal(size=ROWS), np.nan)
    (leak,) = case_of(frame.assign(paid=paid)).profile.suspected_leaks
    assert leak.column == "paid"
    assert f"has a value in {seldom.sum():,} rows" in leak.sentence
    left = case_of(frame.assign(paid=paid), drop_leaks=True).profile
    assert "paid" not in [column.name for column in left.features]
    usual = np.where((frame["target"] == "no") & (generator.random(ROWS) < 0.4), 1.0 + generator.random(ROWS), np.nan)
    assert (frame["target"] == "no").mean() > 0.5
    assert not case_of(frame.assign(paid=usual)).profile.suspected_leaks, "of the frequent class it may be chance"


def test_one_column_of_a_one_hot_target_is_suspected() -> None:
    frame = honest().drop(columns="value")
    frame["target"] = np.where(frame["d"] > 0.8, "maybe", frame["target"])
    frame["flag"] = np.where(frame["target"] == "no", 1.0, 0.0)
    assert "flag" in {leak.column for leak in case_of(frame).profile.suspected_leaks}


def test_a_product_or_ratio_that_is_the_target_is_suspected() -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.uniform(1, 5, (ROWS, 3)), columns=["price", "amount", "other"])
    for made in (frame["price"] * frame["amount"], frame["price"] / frame["amount"], frame["amount"] / frame["price"]):
        suspects = {leak.column for leak in case_of(frame.assign(total=made), "total").profile.suspected_leaks}
        assert suspects == {"price", "amount"}


def test_a_noisy_copy_outdoes_all_others_and_a_strong_honest_column_does_not() -> None:
    frame = honest().drop(columns="value")
    shuffled = np.random.default_rng(3).permutation(frame["target"].to_numpy())
    drawn = np.random.default_rng(4).random(ROWS) < 0.12
    copied = case_of(frame.assign(copy=np.where(drawn, shuffled, frame["target"])))
    assert not copied.profile.suspected_leaks
    found = finding(copied, "AML118")
    assert found.severity in (Severity.TIP, Severity.ISSUE)
    assert "--drop copy" in found.action
    assert finding(case_of(frame), "AML118").severity is Severity.PASSED
    drive = 3 * frame["a"] + frame["b"] + frame["c"] + 0.5 * np.random.default_rng(5).normal(size=ROWS)
    assert finding(case_of(frame.drop(columns="target").assign(target=drive)), "AML118").severity is Severity.PASSED


def test_a_copy_that_is_mostly_noise_is_told_from_causes_that_complete_each_other() -> None:
    generator = np.random.default_rng(6)
    frame = honest().drop(columns="target").rename(columns={"value": "target"})
    frame["target"] += 1.5 * generator.normal(size=ROWS)
    assert finding(case_of(frame), "AML118").severity is Severity.PASSED
    copy = frame["target"] + 0.7 * frame["target"].std() * generator.normal(size=ROWS)
    found = finding(case_of(frame.assign(copy=copy)), "AML118")
    assert found.severity is Severity.TIP
    assert "--drop copy" in found.action
    causes = honest().drop(columns=["target", "value"])  # as strong a column, beside which the others say all that is left
    drive = 1.8 * causes["a"] + causes["b"] + 0.1 * generator.normal(size=ROWS)
    honestly = finding(case_of(causes.assign(target=drive)), "AML118")
    assert honestly.severity is Severity.PASSED
    assert honestly.table["rows"][0][1] > 0.6
    assert "does not look like a copy" in honestly.sentence


def test_the_only_cause_that_there_is_is_not_accused_and_few_columns_are_not_compared() -> None:
    frame = honest().drop(columns=["target", "value"])
    lone = finding(case_of(frame.assign(target=2 * frame["d"] + np.random.default_rng(7).normal(size=ROWS))), "AML118")
    assert lone.table["rows"][0][0] == "d"
    assert lone.severity is Severity.PASSED
    assert finding(case_of(frame[["a", "b"]].assign(target=frame["a"])), "AML118").severity is Severity.NOT_APPLICABLE


def near_copies(name: str, seed: int = 0) -> pd.DataFrame:
    """Three noisy rows of each of 500 things."""
    generator = np.random.default_rng(seed)
    first = honest(seed, 500).drop(columns="value")
    first["target"] = generator.choice(["no", "yes"], 500)
    parts = [first.assign(**{each: first[each] + 0.01 * generator.normal(size=500) for each in "abcde"}) for _ in range(3)]
    whole = pd.concat([part.assign(**{name: [f"n{number:04d}" for number in range(500)]}) for part in parts])
    return whole.iloc[generator.permutation(1500)].reset_index(drop=True)


@pytest.mark.parametrize("name", ["patient_id", "thing"])
def test_shared_identifiers_that_flatter_are_an_issue_with_both_scores(name: str) -> None:
    found = finding(case_of(near_copies(name)), "AML119")
    assert found.severity is Severity.ISSUE
    assert f"--group {name}" in found.action
    assert found.numbers["random_split"].value > 0.8
    assert abs(found.numbers["grouped_split"].value - 0.5) < 0.1
    assert finding(case_of(near_copies(name), group=name), "AML119").severity is Severity.PASSED


def test_identifiers_that_say_nothing_are_a_tip_where_named_so_and_else_nothing() -> None:
    frame = honest().drop(columns="value")
    numbers = np.random.default_rng(2).integers(0, 400, ROWS)
    assert finding(case_of(frame.assign(customer_id=numbers)), "AML119").severity is Severity.TIP
    light = replace(case_of(frame.assign(customer_id=numbers)), may_fit=False)
    assert finding(light, "AML119").severity is Severity.TIP
    assert finding(light, "AML119").numbers == {}
    assert finding(case_of(frame.assign(town=[f"t{each}" for each in numbers])), "AML119").severity is Severity.PASSED
    assert finding(case_of(frame), "AML119").severity is Severity.PASSED


def test_a_split_in_time_shows_what_a_random_one_hides() -> None:
    frame = honest().drop(columns="value")
    order = np.random.default_rng(7).permutation(ROWS)
    late = order >= 2 * ROWS // 3  # the world changes, as one column tells
    frame["d"] += 6.0 * late
    turning = np.where(late, -frame["a"], frame["a"])
    frame["target"] = np.where(turning + 0.3 * frame["b"] > 0, "yes", "no")
    frame["day"] = (pd.Timestamp("2020-01-01") + pd.to_timedelta(order, unit="D")).strftime("%Y-%m-%d")
    found = finding(case_of(frame), "AML112")
    assert found.severity is Severity.ISSUE
    assert found.numbers["temporal_split"].value < 0.5 < found.numbers["random_split"].value
    steady = frame.drop(columns="d").assign(target=np.where(frame["a"] > 0, "yes", "no"))
    assert finding(case_of(steady), "AML112").severity is Severity.TIP


def test_copies_show_what_they_flatter() -> None:
    frame = near_copies("thing").drop(columns="thing")
    first = frame.iloc[:700].assign(target=np.random.default_rng(0).choice(["no", "yes"], 700))
    copies = pd.concat([first, first]).sample(frac=1, random_state=0).reset_index(drop=True)
    copies["row"] = [f"r{number}" for number in range(len(copies))]  # an identifier does not hide that they are equal
    found = finding(case_of(copies), "AML101")
    assert found.numbers["random_split"].value > found.numbers["copies_together"].value + 0.1


def test_what_a_split_costs_is_nothing_for_equal_losses_and_grouped_folds_keep_groups() -> None:
    sample = sample_of(case_of(honest().drop(columns="value")))
    assert sample is not None
    easy = np.full(ROWS, 0.4)
    assert loses(sample, easy, easy, np.arange(ROWS)) == (0.0, 1.0)
    cost, p = loses(sample, easy, easy + 0.1 + 0.01 * np.random.default_rng(0).normal(size=ROWS), np.arange(ROWS))
    assert cost > 0.1
    assert p < 0.001
    groups = np.random.default_rng(0).integers(0, 40, 300)
    fold = folds_of(300, 0, groups)
    assert all(len(set(fold[groups == group])) == 1 for group in range(40))
