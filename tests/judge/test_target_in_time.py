"""The date from which the target is at another level is found, and what keeps its level is not accused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl.core.finding import Severity
from tests.judge.test_leaks import case_of, finding, honest

ROWS = 1500
ORDER = np.random.default_rng(3).permutation(ROWS)
DAY = (pd.Timestamp("2020-01-01") + pd.to_timedelta(ORDER, unit="D")).strftime("%Y-%m-%d")
LATE = ORDER >= 1200


def dated(target: object) -> pd.DataFrame:
    return honest(rows=ROWS).drop(columns="value").assign(day=DAY, target=target)


def test_a_jump_of_a_class_is_named_with_its_date_and_both_shares() -> None:
    drawn = np.random.default_rng(4).random(ROWS)
    found = finding(case_of(dated(np.where(drawn < np.where(LATE, 0.95, 0.35), "yes", "no"))), "AML122")
    assert found.severity is Severity.ISSUE
    assert found.numbers["before"].value == pytest.approx(0.35, abs=0.05)
    assert found.numbers["after"].value == pytest.approx(0.95, abs=0.05)
    assert found.numbers["rows_before"].value == 1200
    assert "2023-04-15" in found.sentence  # 1,200 days after the first one
    assert "--time-column day" in found.action
    (figure,) = found.figures
    assert len(figure.series[0].x) == 20


def test_a_jump_of_one_class_of_three_and_of_a_mean() -> None:
    generator = np.random.default_rng(5)
    three = np.where(LATE, generator.choice(["a", "c"], ROWS), generator.choice(["a", "b", "c"], ROWS))
    found = finding(case_of(dated(three)), "AML122")
    assert found.severity is Severity.ISSUE
    assert '"b"' in found.sentence
    values = generator.normal(size=ROWS) + 4.0 * LATE
    found = finding(case_of(dated(values)), "AML122")
    assert found.severity is Severity.ISSUE
    assert found.numbers["after"].value - found.numbers["before"].value == pytest.approx(4.0, abs=0.3)


def test_what_keeps_its_level_is_not_accused() -> None:
    generator = np.random.default_rng(6)
    for target in (generator.choice(["no", "yes"], ROWS), generator.normal(size=ROWS), generator.normal(size=ROWS) + 0.3 * LATE):
        assert finding(case_of(dated(target)), "AML122").severity is Severity.PASSED


def test_it_is_not_asked_without_dates_or_with_few_rows() -> None:
    assert finding(case_of(honest().drop(columns="value")), "AML122").severity is Severity.NOT_APPLICABLE
    few = dated(np.where(LATE, "yes", "no")).iloc[:300]
    assert finding(case_of(few), "AML122").severity is Severity.NOT_APPLICABLE
    one_day = dated(np.where(LATE, "yes", "no")).assign(day="2020-01-01")
    assert finding(case_of(one_day), "AML122").severity is Severity.NOT_APPLICABLE  # a constant is no date
