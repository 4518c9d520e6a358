"""Laws of nets that train side by side."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from automl.core.architecture import CATCHING_UP, HALF_WAY, LEAST_GAIN_LEFT, Fold, Incumbent, Problem, Training
from automl.core.clock import Deadline
from automl.core.errors import HopelessError, TrainingError
from automl.core.space import Settings
from automl.core.tasks import Task
from automl.modalities.tabular.ladder import realmlp, tabm
from automl.training.optimizers import CORRECTIONS
from automl.training.packed.learner import ALONE, PackedLearner, _PackedTrainer
from automl.training.packed.program import PackedProgram
from automl.training.rows import batch_size_for

SHAPES = {"numeric": (4, "float32", None), "categorical": (3, "int32", (3, 5, 20))}
BINARY = Problem(Task.BINARY, 2, "log_loss", jobs=2)
VALUE = Problem(Task.REGRESSION, 1, "rmse", jobs=2)
PLAIN: Settings = {"layers": 2, "width": 16, "epochs": 6, "batch_size": 16, "nets": 1}


def rows(count: int, seed: int = 0, regression: bool = False) -> Training:
    """Rows whose target depends on numbers and categories."""
    generator = np.random.default_rng(seed)
    numeric = generator.normal(size=(count, 4)).astype(np.float32)
    categorical = generator.integers(0, (3, 5, 20), size=(count, 3)).astype(np.int32)
    signal = numeric[:, 0] * numeric[:, 1] + numeric[:, 2] + (categorical[:, 1] - 2) + 0.1 * generator.normal(size=count)
    target = signal / 2 if regression else (signal > 0).astype(np.int64)
    return Training({"numeric": numeric, "categorical": categorical}, target, None, SHAPES)


def part(training: Training, kept: Any) -> Training:
    return Training({name: values[kept] for name, values in training.inputs.items()}, training.target[kept], None, SHAPES)


def folds(training: Training, number: int = 3) -> list[Fold]:
    fold_of = np.arange(len(training.target)) % number
    return [Fold(part(training, fold_of != each), part(training, fold_of == each)) for each in range(number)]


@pytest.fixture(scope="module")
def learner() -> PackedLearner:
    learner = realmlp.learner()
    assert isinstance(learner, PackedLearner)
    return learner


def test_folds_find_a_shared_epoch_and_learn(learner: PackedLearner) -> None:
    parts = folds(rows(400))
    result = learner.fit_folds(parts, BINARY, {**PLAIN, "epochs": 24}, 0, Deadline(None))
    evaluated, losses = zip(*result.curve, strict=True)
    assert losses[evaluated.index(result.rounds)] == min(losses)
    assert min(losses) < 0.5
    assert min(losses) < 0.7 * losses[0]
    for fold, prediction, seen in zip(parts, result.predictions, result.training_predictions, strict=True):
        assert prediction.shape == (len(fold.validation.target), 2)
        assert seen.shape == (len(fold.training.target), 2)
        np.testing.assert_allclose(prediction.sum(axis=1), 1.0, atol=1e-5)


def test_fit_repeats_the_first_fold_so_nets_of_a_pack_never_touch(learner: PackedLearner) -> None:
    """The fold's two nets alone, on its rows and with its seed, predict what they predicted beside four others."""
    parts = folds(rows(200))
    problem = replace(BINARY, compact=True)
    result = learner.fit_folds(parts, problem, {**PLAIN, "nets": 2, "epochs": 3}, 3, Deadline(None))
    assert result.settings is not None
    assert result.settings["fit_nets"] == 2
    fitted = learner.fit(parts[0].training, problem, result.settings, result.rounds, 3)
    np.testing.assert_allclose(fitted.predict(parts[0].training.inputs), result.training_predictions[0], atol=1e-4)


def test_a_fit_trains_as_many_nets_as_the_folds_had_and_says_their_mean(learner: PackedLearner) -> None:
    parts = folds(rows(200))
    result = learner.fit_folds(parts, BINARY, {**PLAIN, "epochs": 3, "dropout": 0.0}, 3, Deadline(None))
    settings = result.settings
    assert settings is not None
    assert settings["fit_nets"] == 3
    assert result.fit_seconds is not None
    made = len(learner.made)
    settings = {**settings, "sharpness": 1.0}
    together, inputs = learner.fit(parts[0].training, BINARY, settings, 3, 3), parts[0].validation.inputs
    assert len(learner.made) == made, "the program of the folds trains it"
    alone = [learner.fit(parts[0].training, BINARY, {**settings, "fit_nets": 1}, 3, seed) for seed in (3, 4, 5)]
    mean = np.mean([fitted.predict(inputs) for fitted in alone], axis=0)
    np.testing.assert_allclose(together.predict(inputs), mean, atol=1e-4)


def test_a_fit_for_which_there_is_no_time_trains_one_net(learner: PackedLearner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs that take a second each, where one net alone compiles in no time."""
    parts = folds(rows(201))
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: float(next(ticks)))
    monkeypatch.setattr("automl.training.packed.learner.time", clock)
    monkeypatch.setattr("automl.training.packed.learner.COMPILING_SECONDS", 0.0)
    monkeypatch.setattr("automl.training.packed.learner.FIT_SHARE", 0.0)
    learner.fit_folds(parts, BINARY, {**PLAIN, "epochs": 3}, 3, Deadline(None))
    result = learner.fit_folds(parts, BINARY, {**PLAIN, "epochs": 3}, 3, Deadline(600.0))
    assert result.settings is not None
    assert result.settings["fit_nets"] == 1
    assert result.fit_seconds == pytest.approx(ALONE * 0.5 * result.rounds)


def test_fresh_folds_trained_together_repeat_the_trial_with_what_it_compiled(learner: PackedLearner) -> None:
    parts = folds(rows(200))
    result = learner.fit_folds(parts, BINARY, {**PLAIN, "nets": 2, "epochs": 4}, 3, Deadline(None))
    assert result.settings is not None
    assert result.once_seconds >= 0.0
    programs = len(learner.programs)
    seen = [Fold(fold.training, fold.training) for fold in parts]
    for ours, theirs in zip(
        learner.predict_folds(seen, BINARY, result.settings, result.rounds, 3), result.training_predictions, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    again = learner.predict_folds(parts, BINARY, result.settings, result.rounds, 3)
    assert len(learner.programs) == programs
    mirrored = [Fold(fold.training, part(fold.validation, slice(None, None, -1))) for fold in parts]
    for ours, theirs in zip(learner.predict_folds(mirrored, BINARY, result.settings, result.rounds, 3), again, strict=True):
        np.testing.assert_allclose(ours[::-1], theirs, atol=1e-6)


def test_trials_that_differ_in_scalars_share_the_compiled_program(learner: PackedLearner) -> None:
    training = rows(80)
    first = learner.fit(training, BINARY, PLAIN, 1, 1)
    changed = {**PLAIN, "dropout": 0.4, "learning_rate": 0.01, "weight_decay": 0.1, "scale_rate_factor": 2.0, "sigma": 0.5}
    second = learner.fit(training, BINARY, changed, 1, 1)
    assert second.program.program is first.program.program  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["dropout", "weight_decay", "scale_rate_factor", "first_rate_factor", "clip_norm"])
def test_a_scalar_reaches_the_compiled_program(learner: PackedLearner, name: str) -> None:
    training = rows(80)
    low, high = (learner.fit(training, BINARY, {**PLAIN, name: value}, 2, 1).net.get_weights() for value in (0.01, 0.5))
    assert max(float(np.abs(one - other).max()) for one, other in zip(low, high, strict=True)) > 1e-6


def test_a_trial_far_behind_the_best_one_half_way_ends_there_and_another_is_as_it_was(
    learner: PackedLearner, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, settings = folds(rows(400)), {**PLAIN, "epochs": 24}
    good = learner.fit_folds(parts, BINARY, settings, 0, Deadline(None))
    best = Incumbent(tuple((epoch / 24, loss) for epoch, loss in good.curve))
    again = learner.fit_folds(parts, BINARY, settings, 0, Deadline(None), best)
    assert again.curve == good.curve
    trained: list[int] = []
    epoch = _PackedTrainer.epoch
    monkeypatch.setattr(_PackedTrainer, "epoch", lambda self, last: (trained.append(self.done + 1), epoch(self, last))[1])
    with pytest.raises(HopelessError, match="half way"):
        learner.fit_folds(
            parts, BINARY, {**settings, "learning_rate": 1e-6}, 0, Deadline(None), Incumbent(((0.4, 0.2), (1.0, 0.19)))
        )
    assert trained[-1] == HALF_WAY * 24


@pytest.mark.parametrize("share", [0.5, 0.7, 1.0])
def test_who_is_as_good_as_the_best_trial_was_is_never_outdone_and_who_is_outdone_stays_so_when_worse(share: float) -> None:
    best = Incumbent(((0.1, 0.9), (0.5, 0.5), (0.6, 0.45), (0.9, 0.47)))
    assert (best.loss_at(0.05), best.loss_at(1.0)) == (np.inf, 0.45)
    assert not best.outdoes(share, best.loss_at(share))
    limits = [loss for loss in np.linspace(0.4, 1.0, 601) if best.outdoes(share, loss)]
    gain = 0.05 if share == 0.5 else LEAST_GAIN_LEFT * 0.45
    assert min(limits) == pytest.approx(0.45 + CATCHING_UP * gain, abs=1e-3)
    assert len(limits) == sum(loss >= min(limits) for loss in np.linspace(0.4, 1.0, 601))
    assert not Incumbent(()).outdoes(share, 1e9)


def test_labels_are_smoothed_only_where_labels_are_scored(learner: PackedLearner) -> None:
    training = rows(80)
    accuracy = Problem(Task.BINARY, 2, "accuracy", jobs=2)

    def surest(problem: Problem, smoothing: float) -> float:
        fitted = learner.fit(training, problem, {**PLAIN, "label_smoothing": smoothing, "epochs": 30}, 30, 1)
        return float(fitted.predict(training.inputs).max(axis=1).mean())

    assert surest(BINARY, 0.3) == surest(BINARY, 0.0)
    assert surest(accuracy, 0.3) < surest(accuracy, 0.0) - 0.02


def test_regression_predicts_values_within_those_it_has_seen(learner: PackedLearner) -> None:
    training, unseen = rows(300, regression=True), rows(200, seed=1, regression=True)
    fitted = learner.fit(training, VALUE, {**PLAIN, "epochs": 30, "learning_rate": 0.1, "activation": "mish"}, 30, 0)
    prediction = fitted.predict(unseen.inputs)
    assert prediction.shape == (200,)
    assert np.mean((prediction - unseen.target) ** 2) < 0.5 * np.var(unseen.target)
    assert training.target.min() - 1e-5 <= prediction.min() <= prediction.max() <= training.target.max() + 1e-5


def test_rows_of_weight_zero_change_nothing(learner: PackedLearner) -> None:
    padded = rows(77)
    plain = part(padded, np.arange(57))
    weighted = Training(padded.inputs, padded.target, np.r_[np.ones(57), np.zeros(20)], SHAPES)
    first, second = (learner.fit(training, BINARY, PLAIN, 2, 1).net.get_weights() for training in (plain, weighted))
    assert all((one == other).all() for one, other in zip(first, second, strict=True))


def test_a_diverging_net_says_so(learner: PackedLearner) -> None:
    training = rows(60, regression=True)
    with pytest.raises(TrainingError, match="finite"):
        learner.fit(Training(training.inputs, np.full(60, np.nan), None, SHAPES), VALUE, PLAIN, 1, 0)


def test_a_compressed_training_tells_fit_its_schedule(learner: PackedLearner) -> None:
    """A clock that runs on by a second at every look: the schedule of 200 epochs cannot fit into 100 looks."""
    ticks = itertools.count()
    deadline = Deadline(100.0, clock=lambda: float(next(ticks)))
    result = learner.fit_folds(folds(rows(60)), BINARY, {**PLAIN, "epochs": 200}, 0, deadline)
    assert result.settings is not None
    assert 5 <= result.settings["epochs"] < 200
    assert 1 <= result.rounds <= result.settings["epochs"]


def test_a_hastened_schedule_ends_with_its_end_and_a_plain_one_is_gone_through_step_by_step(learner: PackedLearner) -> None:
    training = rows(200)
    used = learner._complete({**PLAIN, "epochs": 40}, 200, BINARY)
    plain, hasty = (learner._trainer([training, training], SHAPES, BINARY, used, 0, 200)[1] for _ in range(2))
    taken = []
    for last in [40] * 10 + [20] * 5 + [26] * 11:
        taken.append(hasty._next_steps(last))
        hasty.done += 1
    assert hasty.place == pytest.approx(len(hasty.per_step))
    np.testing.assert_array_equal(np.concatenate(taken[:10]), plain.per_step[: 10 * plain.steps])
    np.testing.assert_allclose(taken[-1][-1, 0], plain.per_step[-5:, 0].mean(), atol=0.2 * plain.per_step[:, 0].max())
    rates = np.concatenate(taken)[:, 0]
    assert rates[-1] < 0.1 * rates.max(), "compressed, not cut"
    made = np.concatenate(taken)[:, CORRECTIONS]
    np.testing.assert_array_equal(made, plain.per_step[: len(made), CORRECTIONS])


def test_what_evaluating_compiles_is_not_taken_for_the_pace_of_the_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of its own an epoch takes a second and the first evaluation, where it compiles, 20."""
    now = [0.0]
    epoch, predict = PackedProgram.epoch, PackedProgram.predict_each

    def timed_epoch(self: PackedProgram, *given: Any) -> Any:
        now[0] += 1.0
        return epoch(self, *given)

    def timed_predict(self: PackedProgram, inputs: Any) -> Any:
        now[0] += 0.0 if self._predict.seconds else 20.0
        return predict(self, inputs)

    lasts: list[int] = []
    train = _PackedTrainer.epoch

    def noted(self: _PackedTrainer, last: int | None = None) -> None:
        lasts.append(last or 0)
        train(self, last)

    monkeypatch.setattr(_PackedTrainer, "epoch", noted)
    monkeypatch.setattr(PackedProgram, "epoch", timed_epoch)
    monkeypatch.setattr(PackedProgram, "predict_each", timed_predict)
    settings = {**PLAIN, "epochs": 130, "patience_factor": 9.0}
    result = realmlp.learner().fit_folds(folds(rows(60)), BINARY, settings, 0, Deadline(120.0, clock=lambda: now[0]))
    assert result.settings is not None
    assert min(lasts) > 70
    assert result.settings["epochs"] > 70
    assert now[0] < 120.0


def test_what_is_told_of_a_schedule_whose_pace_changed_is_where_its_best_epoch_stood(learner: PackedLearner) -> None:
    used = learner._complete({**PLAIN, "epochs": 128}, 200, BINARY)
    trainer = learner._trainer([rows(200)] * 2, SHAPES, BINARY, used, 0, 200)[1]
    for last in [128] * 10 + [40] * 13:
        trainer._next_steps(last)
        trainer.done += 1
    share = trainer.place / len(trainer.per_step)
    assert 23 / trainer.epochs_at(trainer.place, 23) == pytest.approx(share, rel=0.02)
    assert share < 0.5, "where 23 of 40 epochs at an even pace are"
    assert trainer.epochs_at(float(7 * trainer.steps), 7) == 128
    while not trainer.finished:
        trainer._next_steps(40)
        trainer.done += 1
    assert trainer.done == trainer.epochs_at(trainer.place, trainer.done) == 40


def test_little_time_makes_a_smaller_tabm() -> None:
    shapes = {"numeric": (50, "float32", None)}
    sizes = [
        tuple(tabm.settings_for(shapes, BINARY, {}, 20_000, 5, seconds)[name] for name in ("members", "width"))
        for seconds in (1e5, 500.0, 20.0)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == ((16, 256), tabm.SIZES[-1])


def test_little_time_makes_fewer_nets_of_realmlp() -> None:
    shapes = {"numeric": (50, "float32", None)}
    nets = [realmlp.settings_for(shapes, BINARY, {"nets": 4}, 1_000, 5, seconds)["nets"] for seconds in (1e5, 10.0)]
    assert nets == [4, 1]


def test_rows_beyond_the_memory_of_a_pack_are_sampled(learner: PackedLearner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.training.packed.learner.PACK_VALUES", 3 * 7 * 50)
    result = learner.fit_folds(folds(rows(200)), BINARY, {**PLAIN, "epochs": 2}, 0, Deadline(None))
    assert result.settings is not None
    assert result.settings["most_rows"] == 50


def test_the_published_schedule_is_shortened_where_its_epochs_are_long() -> None:
    counts = [500, 5_000, 50_000, 500_000]
    for rung in (realmlp, tabm):
        epochs = [rung.epochs_for(count, batch_size_for(count)) for count in counts]
        assert epochs == sorted(epochs, reverse=True)
        assert all(each >= 5 for each in epochs)
