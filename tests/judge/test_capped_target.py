"""Laws of the cut-off target: one that was is told with its value and scores; counts, ratings and zeros are not accused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.core.dataset import Dataset
from automl.core.finding import Finding, Severity
from automl.core.tasks import Task
from automl.judge.checks.capped_target import CHECK, cut_off
from tests.judge.made_up import case_of

ROWS = 3000
DRAWN = np.random.default_rng(0)


@pytest.mark.parametrize("largest", [True, False])
def test_a_target_that_was_cut_off_is_told_with_the_scores_of_the_other_rows(largest: bool) -> None:
    case = case_of(Task.REGRESSION, ROWS)
    frame = case.dataset.frame.copy()
    limit = float(np.round(frame["target"].quantile(0.95 if largest else 0.05), 1))
    cut = np.minimum if largest else np.maximum
    frame["target"] = cut(frame["target"], limit)
    truth = cut(case.truth, limit)
    case = replace(case, dataset=Dataset(frame, "made up", "made up", "0" * 64), truth=truth)
    found: list[Finding] = CHECK.run(case)
    (finding,) = found
    assert finding.severity is Severity.TIP
    assert f"exactly the {'largest' if largest else 'smallest'} value" in finding.sentence
    assert f"{limit:g}" in finding.sentence
    numbers, errors = finding.numbers, case.prediction - truth
    assert numbers["fraction"].value == pytest.approx((frame["target"] == limit).mean())
    assert numbers["score_all_rows"].value == pytest.approx(np.sqrt((errors**2).mean()))
    assert numbers["score_without_them"].value == pytest.approx(np.sqrt((errors[truth != limit] ** 2).mean()))
    assert numbers["score_without_them"].value < numbers["score_all_rows"].value
    assert finding.table["rows"][0] == [limit, (frame["target"] == limit).sum()]


@pytest.mark.parametrize(
    "values",
    [
        DRAWN.normal(size=ROWS),
        DRAWN.poisson(3.0, ROWS),
        np.round(DRAWN.exponential(180.0, ROWS)) + 1,  # counts such as rentals an hour, most often few
        DRAWN.integers(3, 10, ROWS),  # ratings
        np.where(DRAWN.random(ROWS) < 0.4, 0.0, DRAWN.lognormal(5, 1, ROWS)),  # amounts, many of them nothing
        np.round(DRAWN.normal(200, 40, ROWS) / 25) * 25 + np.where(DRAWN.random(ROWS) < 0.3, DRAWN.normal(size=ROWS), 0),
        np.round(DRAWN.uniform(0, 100, ROWS)),
        np.full(ROWS, 3.0),
    ],
)
def test_values_that_end_by_their_nature_are_not_accused(values: np.ndarray) -> None:
    assert cut_off(np.asarray(values, np.float64)) == []


def test_few_rows_at_the_end_prove_nothing() -> None:
    values = DRAWN.normal(size=ROWS)
    for at_end, expected in ((9, 0), (60, 1)):
        held = values.copy()
        held[:at_end] = values.max() + 1.0
        assert len(cut_off(held)) == expected
    assert [each.rows for each in cut_off(held)] == [60]


def test_classes_are_not_asked() -> None:
    (finding,) = CHECK.run(case_of(Task.BINARY))
    assert finding.severity is Severity.NOT_APPLICABLE
    (finding,) = CHECK.run(case_of(Task.REGRESSION))
    assert finding.severity is Severity.PASSED
