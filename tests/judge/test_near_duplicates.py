"""Laws of near-duplicates: twins that were planted are found, with their score; tables of few distinct rows are not accused."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.case import Case
from automl.core.clock import Deadline
from automl.core.dataset import Dataset
from automl.core.finding import Finding, Severity
from automl.core.options import Options
from automl.core.table import tabulate
from automl.core.tasks import Task
from automl.judge.checks.near_duplicates import CHECK
from automl.profiling import profile
from automl.profiling.near_duplicates import NearDuplicates, find_near_duplicates
from automl.recommending import recommend
from tests.judge.made_up import case_of

ROWS, PLANTED = 2000, 120


def measured(seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(generator.normal(size=(ROWS, 7)), columns=[f"x{number}" for number in range(7)])
    frame["kind"] = generator.choice(["a", "b", "c"], ROWS)
    frame.loc[generator.choice(ROWS, 100, replace=False), "x6"] = np.nan
    frame["y"] = generator.random(ROWS) < 0.5
    return frame


def with_twins(frame: pd.DataFrame, noise: float, another: str | None) -> pd.DataFrame:
    generator = np.random.default_rng(1)
    twins = frame.head(PLANTED).copy()
    for number in range(7):
        twins[f"x{number}"] += noise * generator.uniform(-1, 1, PLANTED)
    if another is not None:
        twins[another] = np.roll(twins[another], 1)
    return pd.concat([frame, twins], ignore_index=True)


def found_in(frame: pd.DataFrame, **options: Any) -> tuple[Dataset, NearDuplicates]:
    data = Dataset(frame, "made up", "made up", "0" * 64)
    facts = profile(data, Options(target="y", **options))
    return data, find_near_duplicates(list(tabulate(frame, facts.features).columns.values()), len(frame))


@pytest.mark.parametrize("noise, another", [(0.002, None), (0.0, "x3"), (0.002, "kind"), (0.0, "x6")])
def test_planted_twins_are_found_and_no_one_else(noise: float, another: str | None) -> None:
    _, found = found_in(with_twins(measured(), noise, another))
    twins = found.group[:PLANTED] == found.group[ROWS:]
    assert twins.mean() > 0.95
    assert found.twins[PLANTED:ROWS].sum() == 0
    assert found.rows >= 1.9 * PLANTED


def test_rows_that_are_measured_once_and_designs_are_not_accused() -> None:
    assert found_in(measured())[1].rows == 0
    factorial = pd.DataFrame(list(itertools.product("abcd", "abcd", "abc", "abc", "abc", "ab")), columns=list("uvwxzt"))
    boards = pd.DataFrame(np.random.default_rng(0).random((3000, 36)) < 0.2).add_prefix("f")
    for table in (factorial, boards):
        _, found = found_in(table.assign(y=np.arange(len(table)) % 2 == 0), kinds={name: "category" for name in table.columns})
        assert found.rows == 0
        assert found.too_plain


def test_exact_copies_alone_are_another_matter() -> None:
    frame = measured()
    assert found_in(pd.concat([frame, frame.head(50)], ignore_index=True))[1].rows == 0


def judged(frame: pd.DataFrame, **changes: Any) -> Finding:
    """A model that knows the answer of the planted twins that it has seen, and guesses at all others."""
    data = Dataset(frame, "made up", "made up", "0" * 64)
    options = Options(target="y", time=60)
    facts = profile(data, options)
    rows = np.r_[np.arange(ROWS, len(frame)), np.arange(PLANTED, PLANTED + 300)]
    truth = frame["y"].to_numpy()[rows].astype(np.int64)
    sure = np.where(np.arange(len(rows)) < len(frame) - ROWS, np.where(truth == 1, 0.95, 0.05), 0.5)
    case: Case = replace(
        case_of(Task.BINARY, 600), dataset=data, profile=facts, plan=recommend(facts, options), truth=truth, row_ids=rows,
        prediction=np.stack([1 - sure, sure], axis=1), baseline=np.tile([0.5, 0.5], (len(rows), 1)), judged=frame.iloc[rows],
        **changes,
    )  # fmt: skip
    (finding,) = CHECK.run(case)
    return finding


def test_what_exact_copies_do_is_not_blamed_on_near_twins() -> None:
    """A target of noise alone: a copy gives it away, a near-twin of another target gives nothing away."""
    frame = with_twins(measured(), 0.002, None)
    frame.loc[ROWS:, "y"] = np.random.default_rng(5).random(PLANTED) < 0.5
    copied = pd.concat([frame.iloc[PLANTED:ROWS].head(900), frame], ignore_index=True)
    data = Dataset(copied, "made up", "made up", "0" * 64)
    facts = profile(data, Options(target="y"))
    case = replace(case_of(Task.BINARY, 600), dataset=data, profile=facts, plan=recommend(facts, Options(target="y")))
    (finding,) = CHECK.run(case)
    apart, together = (finding.numbers[name].value for name in ("random_split", "twins_together"))
    assert finding.severity is Severity.TIP
    assert abs(apart - together) < 0.02
    assert abs(together - 0.5) < 0.05


def test_a_comparison_that_was_not_made_is_told() -> None:
    finding = judged(with_twins(measured(), 0.002, None), deadline=Deadline(0.0))
    assert "was not compared, for lack of time" in finding.sentence
    assert finding.severity is Severity.TIP
    assert "random_split" not in finding.numbers


def test_the_score_is_told_with_and_without_them() -> None:
    finding = judged(with_twins(measured(), 0.002, None))
    assert finding.severity is not Severity.PASSED
    assert "--group" in finding.action
    numbers = finding.numbers
    assert numbers["score_all_rows"].value > 0.6
    assert numbers["score_without_twins"].value == pytest.approx(0.5)
    assert numbers["random_split"].value > numbers["twins_together"].value
    assert len(finding.table["rows"]) == 20
    assert judged(measured()).severity is Severity.PASSED
