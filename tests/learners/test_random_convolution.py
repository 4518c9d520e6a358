"""The ridge: its leave-one-out is the real one, its graph computes what it predicts, its probabilities are sound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.core.architecture import Fold, Problem, Training
from automl.core.clock import Deadline
from automl.core.errors import OutOfTimeError
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.learners import random_convolution
from automl.learners.random_convolution import RidgeLearner, _by_leaving_one_out, _Judge

BINARY, MULTICLASS = Problem(Task.BINARY, 2, "roc_auc"), Problem(Task.MULTICLASS, 3, "log_loss")
VALUE = Problem(Task.REGRESSION, 1, "rmse")


def rows(count: int, problem: Problem, seed: int = 0, weight: Any = None) -> Training:
    generator = np.random.default_rng(seed)
    features = generator.random((count, 60)).astype(np.float32)
    statistics = generator.normal(size=(count, 5)).astype(np.float32)
    features[:, 7] = 0.5
    signal = 4 * (features[:, 0] - features[:, 1]) + statistics[:, 0] + 0.3 * generator.normal(size=count)
    target: Any = signal / signal.std()
    if problem.task.is_classification:
        target = np.digitize(signal, [0.0] if problem.outputs == 2 else [-0.7, 0.7])
    return Training({"convolutions": features, "statistics": statistics}, target, weight)


def part(training: Training, kept: Any) -> Training:
    weight = None if training.sample_weight is None else training.sample_weight[kept]
    return Training({name: block[kept] for name, block in training.inputs.items()}, training.target[kept], weight)


@pytest.mark.parametrize("problem", [BINARY, MULTICLASS, VALUE], ids=lambda problem: str(problem.task))
def test_the_graph_computes_what_it_predicts(problem: Problem) -> None:
    import onnxruntime

    fitted = RidgeLearner().fit(rows(80, problem), problem, {}, 0, 0)
    unseen = rows(30, problem, 1).inputs
    builder = GraphBuilder()
    tensors = {name: builder.input(name, "float32", block.shape[1]) for name, block in unseen.items()}
    builder.output(fitted.graph(builder, tensors), "out", "float32", ("batch", problem.outputs))
    (found,) = onnxruntime.InferenceSession(builder.build().SerializeToString()).run(None, unseen)
    np.testing.assert_allclose(found.reshape(fitted.predict(unseen).shape), fitted.predict(unseen), atol=1e-5)


def test_it_learns_and_its_probabilities_sum_to_one() -> None:
    fitted = RidgeLearner().fit(rows(200, MULTICLASS), MULTICLASS, {}, 0, 0)
    unseen = rows(400, MULTICLASS, 1)
    probabilities = fitted.predict(unseen.inputs)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (probabilities.argmax(axis=1) == unseen.target).mean() > 0.6
    assert -np.log(probabilities[np.arange(400), unseen.target]).mean() < 0.9 * np.log(3)


def test_leave_one_out_in_closed_form_is_leaving_one_out(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(25, 40))
    target, weight = generator.normal(size=25), generator.random(25) + 0.5
    penalty = 0.01
    monkeypatch.setattr(random_convolution, "PENALTIES", (penalty,))
    centred = features - np.average(features, axis=0, weights=weight)
    root, offset = np.sqrt(weight), np.average(target, weights=weight)
    scaled = centred * root[:, None]
    judge = _Judge(target - offset, VALUE, np.ones(25))
    loss, *_ = _by_leaving_one_out(scaled @ scaled.T, ((target - offset) * root)[:, None], root, judge)
    errors = []
    for left in range(25):
        kept = np.arange(25) != left
        design = np.column_stack([features[kept], np.ones(24)]) * root[kept, None]
        ridge = np.diag([penalty * 25] * 40 + [0.0])
        solution = np.linalg.solve(design.T @ design + ridge, design.T @ (target[kept] * root[kept]))
        errors.append((target[left] - features[left] @ solution[:-1] - solution[-1]) ** 2)
    assert loss == pytest.approx(np.mean(errors), rel=1e-6)


@pytest.mark.parametrize("problem", [BINARY, VALUE], ids=lambda problem: str(problem.task))
def test_many_rows_go_by_a_holdout_to_about_the_same_model(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    training, unseen = rows(600, problem), rows(100, problem, 1).inputs
    exact = RidgeLearner().fit(training, problem, {}, 0, 0).predict(unseen)
    monkeypatch.setattr(random_convolution, "EXACT_ROWS", 100)
    held = RidgeLearner().fit(training, problem, {}, 0, 0).predict(unseen)
    few = RidgeLearner().fit(part(training, slice(0, 101)), problem, {}, 0, 0).predict(unseen)
    column = 1 if problem is BINARY else None
    assert np.corrcoef(exact.T[column].ravel(), held.T[column].ravel())[0, 1] > 0.97
    assert np.isfinite(few).all()


def test_rows_of_weight_zero_change_nothing() -> None:
    weighted = rows(90, BINARY, weight=np.r_[np.ones(60), np.zeros(30)])
    plain = part(rows(90, BINARY), slice(0, 60))
    unseen = rows(20, BINARY, 1).inputs
    first, second = (RidgeLearner().fit(each, BINARY, {}, 0, 0).predict(unseen) for each in (weighted, plain))
    np.testing.assert_allclose(first, second, atol=1e-9)


def test_a_class_that_is_absent_is_improbable_and_one_class_alone_is_certain() -> None:
    training = rows(80, MULTICLASS)
    kept = np.flatnonzero(training.target != 2)
    fitted = RidgeLearner().fit(part(training, kept), MULTICLASS, {}, 0, 0)
    assert fitted.predict(training.inputs)[:, 2].max() < 1e-6
    alone = RidgeLearner().fit(part(training, np.flatnonzero(training.target == 1)), MULTICLASS, {}, 0, 0)
    assert alone.predict(training.inputs)[:, 1].min() > 0.9


def test_separable_rows_do_not_make_it_sure_beyond_reason() -> None:
    generator = np.random.default_rng(0)
    target = np.arange(40) % 2
    features = (generator.random((40, 50)) + target[:, None]).astype(np.float32)
    fitted = RidgeLearner().fit(Training({"convolutions": features}, target), BINARY, {}, 0, 0)
    assert 0.9 < fitted.predict({"convolutions": features}).max() < 1.0 - 1e-6


def test_folds_are_deterministic_and_obey_the_deadline() -> None:
    training = rows(60, BINARY)
    folds = [Fold(part(training, np.arange(60) % 2 != each), part(training, np.arange(60) % 2 == each)) for each in (0, 1)]
    first, second = (RidgeLearner().fit_folds(folds, BINARY, {}, 0, Deadline(None)) for _ in range(2))
    for one, other in zip(first.predictions, second.predictions, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(OutOfTimeError):
        RidgeLearner().fit_folds(folds, BINARY, {}, 0, Deadline(1e-9))


def test_an_extreme_row_stays_finite() -> None:
    fitted = RidgeLearner().fit(rows(60, VALUE), VALUE, {}, 0, 0)
    extreme = {"convolutions": np.ones((1, 60), np.float32), "statistics": np.full((1, 5), 1e3, np.float32)}
    assert np.isfinite(fitted.predict(extreme)).all()
