"""Laws of splitting: parts are disjoint, classes are spread, groups stay whole, time is never reversed."""

import numpy as np
import pytest

from automl.core.errors import InputError
from automl.core.plan import Split
from automl.core.tasks import Task
from automl.splitting import Splitter, plan_folds, seeds


def classes(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(3, rows, p=[0.7, 0.2, 0.1])


@pytest.mark.parametrize(
    "task, target", [(Task.MULTICLASS, classes(600)), (Task.REGRESSION, np.random.default_rng(1).normal(size=600))]
)
def test_every_row_is_predicted_once_a_repeat_and_never_trained_on_at_the_same_time(task: Task, target: np.ndarray) -> None:
    splitter = Splitter(task, target)
    sealed = splitter.seal(0.2, seed=1)
    rows = np.setdiff1d(np.arange(600), sealed)
    folds = splitter.folds(rows, 5, 2, seed=2)
    assert len(sealed) == pytest.approx(120, abs=3)
    assert len(folds) == 10
    for repeat in range(2):
        predicted = np.concatenate([fold.validation for fold in folds if fold.repeat == repeat])
        assert np.array_equal(np.sort(predicted), rows)
    for fold in folds:
        assert not set(fold.training) & set(fold.validation)
        assert not set(fold.training) & set(sealed)


def test_classes_are_spread_evenly_over_folds_and_sealed_part() -> None:
    target = classes(1000)
    splitter = Splitter(Task.MULTICLASS, target)
    shares = np.bincount(target) / 1000
    parts = [splitter.seal(0.2, 3), *(fold.validation for fold in splitter.folds(np.arange(1000), 5, 1, 3))]
    for part in parts:
        assert np.abs(np.bincount(target[part], minlength=3) / len(part) - shares).max() < 0.01


def test_folds_are_equal_in_size_even_with_many_small_classes() -> None:
    target = np.repeat(np.arange(13), 7)
    sizes = [len(fold.validation) for fold in Splitter(Task.MULTICLASS, target).folds(np.arange(91), 5, 1, 0)]
    assert max(sizes) - min(sizes) <= 3


def test_other_seeds_give_other_folds_and_the_same_seed_the_same() -> None:
    splitter = Splitter(Task.BINARY, classes(300) > 0)
    first, again, other = (splitter.folds(np.arange(300), 5, 1, seed)[0].validation for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_groups_are_never_divided() -> None:
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 80, 600)
    splitter = Splitter(Task.MULTICLASS, classes(600), groups=groups)
    sealed = splitter.seal(0.2, 0)
    rows = np.setdiff1d(np.arange(600), sealed)
    assert not set(groups[sealed]) & set(groups[rows])
    assert 80 < len(sealed) < 160
    for fold in splitter.folds(rows, 5, 2, 0):
        assert not set(groups[fold.training]) & set(groups[fold.validation])
        assert 60 < len(fold.validation) < 140


def test_time_is_never_reversed_and_equal_times_stay_together() -> None:
    times = np.repeat(np.arange(100), 5)[np.random.default_rng(0).permutation(500)]
    splitter = Splitter(Task.REGRESSION, np.arange(500.0), times=times)
    sealed = splitter.seal(0.2, 0)
    rows = np.setdiff1d(np.arange(500), sealed)
    assert times[rows].max() < times[sealed].min()
    for fold in splitter.folds(rows, 5, 2, 0):
        assert times[fold.training].max() < times[fold.validation].min()


def test_classes_too_rare_to_measure_stay_in_training() -> None:
    target = np.array([0] * 60 + [1] * 38 + [2] * 2)
    splitter = Splitter(Task.MULTICLASS, target)
    assert not (target[splitter.seal(0.2, 0)] == 2).any()
    for fold in splitter.folds(np.arange(100), 5, 1, 0):
        assert not (target[fold.validation] == 2).any()
        assert (target[fold.training] == 2).sum() == 2


def test_folds_shrink_to_the_smallest_class() -> None:
    split = Split("stratified", 0.0, 5)
    assert plan_folds(split, np.array([0] * 50 + [1] * 3), Task.BINARY) == 3
    assert plan_folds(split, np.array([0] * 50 + [1] * 30), Task.BINARY) == 5


def test_seeds_differ_by_purpose_and_by_seed() -> None:
    drawn = {seeds(seed)(purpose) for seed in (0, 1) for purpose in ("a", "b")}
    assert len(drawn) == 4
    assert seeds(0)("a") == seeds(0)("a")


def test_a_holdout_is_a_fifth_of_the_rows_with_groups_whole_and_time_in_order() -> None:
    generator = np.random.default_rng(3)
    target = generator.integers(3, size=500)
    groups = generator.integers(120, size=500)
    rows = np.flatnonzero(generator.random(500) < 0.8)
    for splitter in (Splitter(Task.MULTICLASS, target), Splitter(Task.MULTICLASS, target, groups)):
        (fold,) = splitter.folds(rows, 1, 2, 11)
        assert np.array_equal(np.union1d(fold.training, fold.validation), rows)
        assert not np.intersect1d(fold.training, fold.validation).size
        assert 0.15 < len(fold.validation) / len(rows) < 0.25
        assert set(target[fold.validation]) == {0, 1, 2}
        if splitter.groups is not None:
            assert not set(groups[fold.training]) & set(groups[fold.validation])
        assert not np.array_equal(fold.validation, splitter.folds(rows, 1, 2, 12)[0].validation)
    times = generator.permutation(500).astype(float)
    (fold,) = Splitter(Task.REGRESSION, target.astype(float), times=times).folds(rows, 1, 1, 5)
    assert times[fold.training].max() < times[fold.validation].min()


def test_a_holdout_needs_two_groups() -> None:
    with pytest.raises(InputError, match="too few groups"):
        Splitter(Task.REGRESSION, np.arange(30.0), np.zeros(30, int)).folds(np.arange(30), 1, 1, 0)
