"""Laws of nested cross-validation: every row is predicted by a choice that has not seen it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from automl.core.clock import Deadline
from automl.core.evidence import Trial
from automl.search import Prepared, Workshop, nested, nested_cross_validation
from automl.search.context import Context
from tests.search.made_up import Clock, frame_of, prepared_of


def trials_of(context: Context, *names: str) -> list[Trial]:
    from pathlib import Path

    workshop = Workshop(context, Path(), None)
    return [workshop.probe(name, Deadline(None)).trial for name in names]


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepared_of(frame_of(120), only="linear")[1]


def run(prepared: Prepared, candidates: list[Trial], repeats: int = 2, deadline: Deadline | None = None) -> nested.Nested | None:
    splitter, chosen = prepared.splitter, deadline or Deadline(None)
    return nested_cross_validation(prepared.context, splitter, candidates, candidates[0], repeats, chosen)


def test_every_row_is_predicted_and_a_real_gain_is_chosen_in_every_fold(prepared: Prepared) -> None:
    found = run(prepared, trials_of(prepared.context, "baseline", "linear"))
    assert found is not None
    assert len(found.scores) == 2 * 5
    assert found.chosen == {"linear": 10}
    assert found.prediction.shape == found.baseline.shape == (120, 2)
    assert np.allclose(found.prediction.sum(axis=1), 1.0)
    assert np.mean(found.scores) > 0.8
    assert prepared.context.score(np.arange(120), found.prediction) == pytest.approx(np.mean(found.scores), abs=0.1)


def test_noise_is_judged_as_noise_although_the_choice_looked_at_it() -> None:
    frame = frame_of(120)
    frame["target"] = np.random.default_rng(5).permutation(frame["target"].to_numpy())
    prepared = prepared_of(frame, only="linear")[1]
    found = run(prepared, trials_of(prepared.context, "baseline", "linear"))
    assert found is not None
    assert found.chosen.get("baseline", 0) >= 7
    assert abs(np.mean(found.scores) - 0.5) < 0.12


def test_the_choice_in_a_fold_never_sees_its_rows(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    outer: list[np.ndarray] = []
    right_choose, right_fit = nested._choose, nested.fit_trial

    def choose(context: Context, splitter: object, candidates: list[Trial], rows: np.ndarray, deadline: Deadline) -> Trial:
        outer.append(rows)
        return right_choose(context, splitter, candidates, rows, deadline)  # type: ignore[arg-type]

    def fit(context: Context, trial: Trial, rows: np.ndarray, rounds: Any) -> Any:
        seen.append((outer[-1], rows))
        return right_fit(context, trial, rows, rounds)

    monkeypatch.setattr(nested, "_choose", choose)
    monkeypatch.setattr(nested, "fit_trial", fit)
    assert run(prepared, trials_of(prepared.context, "baseline", "linear"), repeats=1) is not None
    assert len(outer) == 5
    assert len(seen) == 5 * (2 * 5 + 2)
    assert all(set(rows) <= set(allowed) for allowed, rows in seen)


def test_a_class_with_two_rows_is_not_judged_and_does_not_disturb(prepared: Prepared) -> None:
    frame = frame_of(120, "multiclass").astype({"target": object})
    frame.loc[[5, 50], "target"] = 9
    rare = prepared_of(frame, only="linear")[1]
    found = run(rare, trials_of(rare.context, "baseline", "linear"))
    assert found is not None
    assert set(np.flatnonzero(np.isnan(found.prediction).any(axis=1))) == {5, 50}
    assert np.isfinite(found.scores).all()


def test_without_time_for_one_shuffling_there_is_none_and_a_part_of_another_is_not_counted(prepared: Prepared) -> None:
    candidates = trials_of(prepared.context, "baseline", "linear")
    assert run(prepared, candidates, deadline=Deadline(0.0)) is None
    clock = Clock()
    deadline = Deadline(10.0, clock=clock)

    class Ticking:
        """Every look at the table takes a second."""

        def __init__(self, table: object) -> None:
            self.table = table

        def take(self, rows: object) -> object:
            clock.now += 0.12
            return self.table.take(rows)  # type: ignore[attr-defined]

        def __getattr__(self, name: str) -> object:
            return getattr(self.table, name)

    context = replace(prepared.context, table=Ticking(prepared.context.table), encoded=prepared.context.encoded)  # type: ignore[arg-type]
    found = nested_cross_validation(context, prepared.splitter, candidates, candidates[0], 9, deadline)
    assert found is not None
    assert len(found.scores) % 5 == 0
    assert 5 <= len(found.scores) < 45
    assert clock.now < 10.0 + 0.12 * 12


@pytest.mark.parametrize("rows, task", [(10, "regression"), (10, "binary"), (12, "multiclass")])
def test_too_few_rows_to_fold_twice_give_none_or_numbers(rows: int, task: str) -> None:
    prepared = prepared_of(frame_of(rows, task, seed=1), only="linear")[1]
    found = run(prepared, trials_of(prepared.context, "baseline", "linear"))
    assert found is None or np.isfinite(found.scores).any()
