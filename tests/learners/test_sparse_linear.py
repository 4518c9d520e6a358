"""The linear learner of sparse rows: its graph, its weights, and folds that lack a class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random_array

from automl.core.architecture import Fold, Problem, Training
from automl.core.clock import Deadline
from automl.core.errors import OutOfTimeError
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.learners.sparse_linear import SparseLinearLearner
from tests.encoders.made_up import run_graph

TASKS = {2: Task.BINARY, 3: Task.MULTICLASS, 1: Task.REGRESSION}


def rows(count: int, seed: int = 0) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    words = csr_matrix(random_array((count, 30), density=0.2, rng=generator, dtype=np.float32))
    return {"words_1": words, "dense": generator.normal(size=(count, 3)).astype(np.float32)}


def target(inputs: dict[str, Any], outputs: int) -> Any:
    score = 3 * np.asarray(inputs["words_1"][:, [0, 1, 2]].sum(axis=1)).ravel() + inputs["dense"][:, 0]
    if outputs == 1:
        return score
    return np.searchsorted(np.quantile(score, np.arange(1, outputs) / outputs), score)


def sparse_feed(matrix: Any) -> tuple[Any, Any]:
    """Index and value of the cells that are not zero, filled up with an unknown index."""
    longest = int(np.diff(matrix.indptr).max())
    index = np.full((matrix.shape[0], longest), matrix.shape[1], np.int64)
    value = np.zeros((matrix.shape[0], longest), np.float32)
    for row in range(matrix.shape[0]):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        index[row, : part.stop - part.start], value[row, : part.stop - part.start] = matrix.indices[part], matrix.data[part]
    return index, value


@pytest.mark.parametrize("outputs", TASKS)
@pytest.mark.parametrize("weighting", ["plain", "naive_bayes", "mean"])
def test_the_graph_equals_the_prediction(outputs: int, weighting: str) -> None:
    inputs = rows(200)
    problem = Problem(TASKS[outputs], outputs, "log_loss")
    settings = {"strength": 4.0, "weighting": weighting}
    fitted = SparseLinearLearner().fit(Training(inputs, target(inputs, outputs)), problem, settings, 0, 0)
    new = rows(40, 1)
    builder = GraphBuilder()
    names = {"words_1:index": ("int64", "n"), "words_1:value": ("float32", "n"), "dense": ("float32", 3)}
    tensors = {name: builder.input(name.replace(":", "_"), dtype, width) for name, (dtype, width) in names.items()}  # type: ignore[arg-type]
    index, value = sparse_feed(new["words_1"])
    feeds = {"words_1_index": index, "words_1_value": value, "dense": new["dense"]}
    found = run_graph(builder, {"out": (fitted.graph(builder, tensors), "float32")}, feeds)["out"]
    predicted = fitted.predict(new)
    np.testing.assert_allclose(found, predicted.reshape(len(found), -1), atol=1e-5)
    truth = target(new, outputs)
    if outputs == 1:
        assert np.corrcoef(predicted, truth)[0, 1] > 0.95
    else:
        np.testing.assert_allclose(predicted.sum(axis=1), 1.0, atol=1e-9)
        assert (predicted.argmax(axis=1) == truth).mean() > 0.7


def test_one_block_can_be_used_alone() -> None:
    inputs = rows(100)
    problem = Problem(Task.BINARY, 2, "log_loss")
    fitted = SparseLinearLearner().fit(Training(inputs, target(inputs, 2)), problem, {"strength": 1.0, "use": "words_1"}, 0, 0)
    assert list(fitted.weights) == ["words_1"]


def test_a_class_that_the_rows_lack_is_nearly_impossible_and_one_class_alone_certain() -> None:
    inputs = rows(60)
    learner, problem = SparseLinearLearner(), Problem(Task.MULTICLASS, 3, "log_loss")
    lacking = learner.fit(Training(inputs, target(inputs, 2)), problem, {"strength": 1.0}, 0, 0).predict(inputs)
    assert lacking[:, 2].max() < 1e-3
    alone = learner.fit(Training(inputs, np.ones(60, np.int64)), problem, {"strength": 1.0}, 0, 0).predict(inputs)
    assert alone[:, 1].min() > 0.99


def test_rows_of_weight_count_as_often() -> None:
    inputs, problem = rows(120), Problem(Task.BINARY, 2, "log_loss")
    truth = target(inputs, 2)
    twice = {name: block[np.r_[0:120, 0:40]] for name, block in inputs.items()}
    weight = np.where(np.arange(120) < 40, 2.0, 1.0)
    settings = {"strength": 2.0}
    repeated = SparseLinearLearner().fit(Training(twice, truth[np.r_[0:120, 0:40]]), problem, settings, 0, 0)
    # weights have a mean of 1, so the strength of the penalty is that of 160 rows on 120
    scaled = SparseLinearLearner().fit(
        Training(inputs, truth, weight / weight.mean()), problem, {"strength": 2.0 * weight.mean()}, 0, 0
    )
    np.testing.assert_allclose(repeated.predict(inputs), scaled.predict(inputs), atol=2e-3)


def test_folds_end_at_the_deadline() -> None:
    inputs, problem = rows(60), Problem(Task.BINARY, 2, "log_loss")
    part = Training(inputs, target(inputs, 2))
    learner = SparseLinearLearner()
    result = learner.fit_folds([Fold(part, part)] * 2, problem, {"strength": 1.0}, 0, Deadline(None))
    assert len(result.predictions) == len(result.training_predictions) == 2
    with pytest.raises(OutOfTimeError):
        learner.fit_folds([Fold(part, part)], problem, {"strength": 1.0}, 0, Deadline(0.0))
