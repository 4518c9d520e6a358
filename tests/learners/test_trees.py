"""Laws of the boosted trees: bins that trials share change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.core.architecture import Fold, Problem, Training
from automl.core.clock import Deadline
from automl.core.space import Settings
from automl.core.tasks import Task
from automl.learners import trees
from automl.learners.trees import TreesLearner
from automl.search.trial import run_trial, space_of
from tests.search.made_up import frame_of, prepared_of

BINARY = Problem(Task.BINARY, 2, "balanced_accuracy", jobs=2)
VALUE = Problem(Task.REGRESSION, 1, "rmse", jobs=2)
PLAIN: Settings = {"learning_rate": 0.2, "num_leaves": 4, "most_rounds": 12, "min_data_in_leaf": 5}


def folds(scale: float = 1.0, weight: Any = None, regression: bool = False) -> list[Fold]:
    """Always the same rows; scale: of the target; weight: of the rows."""
    generator = np.random.default_rng(0)
    raw, codes = generator.normal(size=(300, 3)).astype(np.float32), generator.integers(0, 6, (300, 1)).astype(np.float32)
    signal = raw[:, 0] + (codes[:, 0] > 3) + 0.3 * generator.normal(size=300)
    target = scale * signal if regression else (signal > 1.2).astype(np.int64)

    def part(rows: Any) -> Training:
        return Training({"raw": raw[rows], "codes": codes[rows]}, target[rows], None if weight is None else weight[rows])

    place = np.arange(300) % 3
    return [Fold(part(place != each), part(place == each)) for each in range(3)]


def predicted(parts: list[Fold], problem: Problem, settings: Settings) -> list[Any]:
    result = TreesLearner().fit_folds(parts, problem, {**PLAIN, **settings}, 1, Deadline(None))
    return [*result.predictions, *result.training_predictions]


def sharing(parts: list[Fold], first: list[Fold]) -> list[Fold]:
    """These folds as trials get them after one on the first ones."""
    return [Fold(ours.training, ours.validation, theirs.kept) for ours, theirs in zip(parts, first, strict=True)]


@pytest.mark.parametrize(
    ("problem", "settings", "further"),
    [
        (BINARY, {"class_weight": "balanced"}, {}),
        (BINARY, {"extra_trees": True, "cat_smooth": 30.0}, {}),
        (BINARY, {}, {"weight": np.linspace(0.1, 2.0, 300)}),
        (VALUE, {"num_leaves": 9, "feature_fraction": 0.5}, {"regression": True, "scale": 7.0}),
    ],
)
def test_a_trial_on_bins_of_an_earlier_one_is_what_it_would_be_alone(
    problem: Problem, settings: Settings, further: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = folds(regression=problem is VALUE)
    plain = predicted(first, problem, {})
    alone = predicted(folds(**further), problem, settings)
    assert any(not np.array_equal(ours, theirs) for ours, theirs in zip(plain, alone, strict=True))
    again = folds(regression=problem is VALUE)
    with monkeypatch.context() as patch:
        patch.setattr(trees, "_dataset", None)  # nothing is put into bins again
        together = predicted(sharing(folds(**further), first), problem, settings)
        back = predicted(sharing(again, first), problem, {})
    for ours, theirs in zip([*together, *back], [*alone, *plain], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_one_fold_first_and_then_all_are_trained_on_the_same_bins_whatever_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "ROWS_FOR_THREADS", 0)
    alone, parts = predicted(folds(), BINARY, {}), folds()
    predicted(parts[:1], BINARY, {"num_leaves": 9})
    for ours, theirs in zip(predicted(parts, BINARY, {}), alone, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_rows_that_are_encoded_once_are_put_into_bins_once(monkeypatch: pytest.MonkeyPatch) -> None:
    context = prepared_of(frame_of(300), time=20)[1].context
    declared, made, make = context.architecture("boosting"), [], trees._dataset
    monkeypatch.setattr(trees, "_dataset", lambda part, *rest: (made.append(len(part.target)), make(part, *rest))[1])
    counts = []
    for number, features in enumerate(("plain", "plain", "crossed")):
        settings = {**space_of(context, declared).start(number), "features": features, "most_rounds": 2}
        assert run_trial(context, declared, number, settings, Deadline(None)).trial.score is not None
        counts.append(len(made))
    parts = 2 * len(context.search_folds)
    assert counts == [parts, parts, 2 * parts]
