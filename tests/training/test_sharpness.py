"""Laws of the sharpness of nets: it is found without the rows that it is applied to, and is part of the net."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from automl.core.architecture import Fold, Problem, Training
from automl.core.clock import Deadline
from automl.core.space import Settings
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.modalities.tabular.ladder import mlp, realmlp, tabm
from automl.training.sharpness import chosen_sharpness, refined_loss, sharpened, sharpness_for, sharpness_of

Array = np.ndarray[Any, Any]
PROBLEM = Problem(Task.MULTICLASS, 3, "log_loss", jobs=2)
SHAPES = {"numeric": (4, "float32", None)}


def said(factor: float, rows: int = 1200, number: int = 3, nets: int = 1) -> tuple[list[Array], list[Fold]]:
    """Log-probabilities that are right, times a factor, in folds with truths drawn from them."""
    generator = np.random.default_rng(0)
    groups, folds = [], []
    for _ in range(number):
        logits = 1.5 * generator.normal(size=(rows // number, 3))
        chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        truth = np.asarray([generator.choice(3, p=each) for each in chance])
        wrong = factor * np.log(chance)
        wrong -= np.log(np.exp(wrong).sum(axis=1, keepdims=True))
        part = Training({}, truth, None, {})
        groups.append(np.stack([wrong] * nets).astype(np.float32))
        folds.append(Fold(part, part))
    return groups, folds


@pytest.mark.parametrize("factor", [0.5, 2.0, 4.0])
@pytest.mark.parametrize("nets", [1, 3])
def test_overconfident_and_timid_nets_are_made_right(factor: float, nets: int) -> None:
    groups, folds = said(factor, nets=nets)
    found, of_others = chosen_sharpness(groups, folds)
    assert found == pytest.approx(1 / factor, rel=0.15)
    assert all(each == pytest.approx(1 / factor, rel=0.25) for each in of_others)
    assert len(set(of_others)) == len(folds)
    np.testing.assert_allclose(refined_loss(groups, folds, PROBLEM), refined_loss(said(1.0)[0], folds, PROBLEM), rtol=2e-3)


def test_the_rows_of_a_fold_have_no_part_in_its_sharpness() -> None:
    groups, folds = said(2.0)
    _, before = chosen_sharpness(groups, folds)
    groups[0] = 3.0 * groups[0]
    _, after = chosen_sharpness(groups, folds)
    assert after[0] == before[0]
    assert after[1] < before[1]


def test_what_is_right_already_is_left_as_it_is_where_others_would_make_it_worse() -> None:
    groups, folds = said(1.0)
    assert chosen_sharpness(groups, folds)[0] == pytest.approx(1.0, abs=0.15)
    contrary = [2.0 * groups[0], 0.5 * groups[1]]
    assert chosen_sharpness(contrary, folds[:2]) == (1.0, [1.0, 1.0])


def test_a_mean_of_nets_is_blunted_less_than_each_alone() -> None:
    found = [sharpness_for(0.6, 1, shipped) for shipped in (1, 2, 5, 1000)]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0.6, pytest.approx(0.6**0.5, rel=0.01))
    assert sharpness_for(0.6, 2, 2) == sharpness_for(0.6, 4, 2) == 0.6
    assert sharpness_for(1.5, 1, 5) == 1.5


def test_few_rows_without_a_mistake_make_no_certainty() -> None:
    truth = np.asarray([0, 1, 0, 1, 0, 1])
    logs = np.log(np.where(truth[:, None] == np.arange(2), 0.8, 0.2)).astype(np.float32)[None]
    part = Training({}, truth, None, {})
    assert 1.0 < sharpness_of([logs], [Fold(part, part)]) < 2.0


def test_rows_of_weight_zero_have_no_part_in_it() -> None:
    groups, folds = said(2.0, number=1)
    weight = np.ones(len(folds[0].validation.target))
    weight[::2] = 0.0
    weighed = Training({}, folds[0].validation.target, weight, {})
    kept = Training({}, folds[0].validation.target[1::2], None, {})
    expected = sharpness_of([groups[0][:, 1::2]], [Fold(kept, kept)])
    assert sharpness_of(groups, [Fold(weighed, weighed)]) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("kind", [mlp, realmlp, tabm])
def test_the_sharpness_is_part_of_what_ships(kind: Any) -> None:
    generator = np.random.default_rng(3)
    numeric = generator.normal(size=(300, 4)).astype(np.float32)
    target = np.digitize(numeric[:, 0] + generator.normal(0, 0.8, 300), [-0.5, 0.5]).astype(np.int64)
    training = Training({"numeric": numeric}, target, None, SHAPES)
    halves = [Training({"numeric": numeric[rows]}, target[rows], None, SHAPES) for rows in (slice(0, None, 2), slice(1, None, 2))]
    learner = kind.learner()
    plain: Settings = {"layers": 2, "blocks": 2, "width": 16, "epochs": 8, "batch_size": 32}
    result = learner.fit_folds([Fold(*halves), Fold(*halves[::-1])], PROBLEM, plain, 0, Deadline(None))
    assert result.settings is not None
    assert result.settings["sharpness"] > 0
    settings = {**result.settings, "sharpness": 0.5, "fit_nets": 1}
    blunt, sharp = (learner.fit(training, PROBLEM, {**settings, "sharpness": each}, 4, 0) for each in (0.5, 1.0))
    ours, theirs = blunt.predict(training.inputs), sharp.predict(training.inputs)
    np.testing.assert_allclose(ours, sharpened(np.log(theirs), 0.5), atol=1e-5)
    builder = GraphBuilder()
    builder.input("numeric", "float32", 4)
    builder.output(blunt.graph(builder, {"numeric": "numeric"}), "probabilities", "float32", ["rows", 3])
    session = onnxruntime.InferenceSession(builder.build().SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"numeric": numeric})[0], ours, atol=1e-5)
