"""Laws of the training loop, on the net of the MLP rung."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from automl.core.architecture import Fold, Problem, Training
from automl.core.clock import Deadline
from automl.core.errors import TrainingError
from automl.core.space import Settings
from automl.core.tasks import Task
from automl.modalities.tabular.ladder import mlp
from automl.training.learner import BESIDE_EPOCHS, NetFitted, NetLearner, _fit_seconds, _Run
from automl.training.pace import Pace
from automl.training.program import structure
from automl.training.rows import batch_size_for, epochs_for

SHAPES = {"numeric": (4, "float32", None), "categorical": (3, "int32", (3, 5, 20))}
BINARY = Problem(Task.BINARY, 2, "roc_auc", jobs=2)
VALUE = Problem(Task.REGRESSION, 1, "rmse", jobs=2)
PLAIN: Settings = {"blocks": 2, "width": 16, "dropout": 0.2, "epochs": 6, "batch_size": 16}


def rows(count: int, seed: int = 0, regression: bool = False, weight: Any = None) -> Training:
    """Rows whose target depends on numbers and categories."""
    generator = np.random.default_rng(seed)
    numeric = generator.normal(size=(count, 4)).astype(np.float32)
    categorical = generator.integers(0, (3, 5, 20), size=(count, 3)).astype(np.int32)
    signal = numeric[:, 0] * numeric[:, 1] + numeric[:, 2] + (categorical[:, 1] - 2) + 0.1 * generator.normal(size=count)
    target = signal / 2 if regression else (signal > 0).astype(np.int64)
    return Training({"numeric": numeric, "categorical": categorical}, target, weight, SHAPES)


def part(training: Training, kept: Any) -> Training:
    weight = None if training.sample_weight is None else training.sample_weight[kept]
    return Training({name: values[kept] for name, values in training.inputs.items()}, training.target[kept], weight, SHAPES)


def folds(training: Training, number: int = 2) -> list[Fold]:
    fold_of = np.arange(len(training.target)) % number
    return [Fold(part(training, fold_of != each), part(training, fold_of == each)) for each in range(number)]


@pytest.fixture(scope="module")
def learner() -> NetLearner:
    return NetLearner(mlp.build, factors=mlp.factors)


def weights_of(fitted: NetFitted) -> list[Any]:
    return list(fitted.net.get_weights())


def far_apart(first: list[Any], second: list[Any]) -> float:
    return max(float(np.abs(one - other).max()) for one, other in zip(first, second, strict=True))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(learner: NetLearner) -> None:
    training = rows(57)
    first, again, other = (learner.fit(training, BINARY, PLAIN, 3, seed) for seed in (5, 5, 6))
    assert far_apart(weights_of(first), weights_of(again)) == 0.0
    assert far_apart(weights_of(first), weights_of(other)) > 1e-3


def test_rows_of_weight_zero_change_nothing(learner: NetLearner) -> None:
    weight = np.r_[np.ones(57), np.zeros(20)]
    padded = rows(77, weight=weight)
    plain = part(padded, np.arange(57))
    settings = {**PLAIN, "normalization": "batch"}
    first, second = (learner.fit(training, BINARY, settings, 3, 1) for training in (plain, padded))
    assert far_apart(weights_of(first), weights_of(second)) == 0.0


def test_the_capacity_of_the_program_changes_nothing(learner: NetLearner) -> None:
    fresh = NetLearner(mlp.build, factors=mlp.factors)
    fresh.fit(rows(900), BINARY, PLAIN, 1, 0)
    training = rows(57)
    small, large = learner.fit(training, BINARY, PLAIN, 3, 1), fresh.fit(training, BINARY, PLAIN, 3, 1)
    assert large.program.layout.capacity > small.program.layout.capacity
    assert far_apart(weights_of(small), weights_of(large)) < 1e-6


def test_trials_that_differ_in_scalars_share_the_compiled_program(learner: NetLearner) -> None:
    training = rows(80)
    first = learner.fit(training, BINARY, PLAIN, 1, 1)
    changed = {**PLAIN, "dropout": 0.4, "learning_rate": 1e-4, "weight_decay": 0.1, "label_smoothing": 0.1, "clip_norm": 0.5}
    second = learner.fit(training, BINARY, {**changed, "epochs": 20, "schedule": "cosine"}, 1, 1)
    assert second.program is first.program
    assert learner.fit(training, BINARY, {**PLAIN, "width": 24}, 1, 1).program is not first.program
    assert far_apart(weights_of(first), weights_of(second)) > 1e-4


def test_the_names_that_keras_gives_are_no_part_of_a_structure() -> None:
    """Else the first net of a process, whose layers go by other names than those of later ones, is compiled for itself."""
    import keras

    def named(first: str, second: str) -> str:
        inputs = keras.Input((3,), name="numeric")
        x = keras.layers.Activation("relu", name=first)(keras.layers.Dense(4, name=second)(inputs))
        return structure(keras.Model({"numeric": inputs}, keras.layers.Dense(2, name="logits")(x)))

    assert named("activation", "dense") == named("activation_7", "dense_12")


@pytest.mark.parametrize("name", ["dropout", "weight_decay", "label_smoothing"])
def test_a_scalar_reaches_the_compiled_program(learner: NetLearner, name: str) -> None:
    training = rows(80)
    low, high = (learner.fit(training, BINARY, {**PLAIN, name: value}, 2, 1) for value in (0.0, 0.3))
    assert far_apart(weights_of(low), weights_of(high)) > 1e-6


def test_folds_find_a_shared_epoch_and_learn(learner: NetLearner) -> None:
    training = rows(400)
    result = learner.fit_folds(folds(training, 3), BINARY, {**PLAIN, "epochs": 30, "learning_rate": 1e-2}, 0, Deadline(None))
    evaluated, losses = zip(*result.curve, strict=True)
    assert result.rounds == evaluated[int(np.argmin(losses))]
    assert min(losses) < losses[0]
    assert min(losses) < 0.25
    for fold, prediction, seen in zip(folds(training, 3), result.predictions, result.training_predictions, strict=True):
        assert prediction.shape == (len(fold.validation.target), 2)
        assert seen.shape == (len(fold.training.target), 2)
        np.testing.assert_allclose(prediction.sum(axis=1), 1.0, atol=1e-5)
    assert result.settings is not None
    assert result.settings["epochs"] == 30


def test_fit_follows_the_schedule_of_the_folds(learner: NetLearner) -> None:
    """Fitting the first fold's rows with its seed for the shared epochs gives what that fold said of them."""
    parts = folds(rows(200))
    result = learner.fit_folds(parts, BINARY, PLAIN, 3, Deadline(None))
    assert result.settings is not None
    fitted = learner.fit(parts[0].training, BINARY, result.settings, result.rounds, 3)
    np.testing.assert_allclose(fitted.predict(parts[0].training.inputs), result.training_predictions[0], atol=1e-5)


def test_what_a_fit_takes_follows_the_epochs_of_the_folds_and_the_rows() -> None:
    training, validation = (Training({}, np.zeros(rows)) for rows in (80, 20))
    runs = [_Run(Fold(training, validation), seconds=seconds, epochs=10) for seconds in (6.0, 4.0)]
    assert _fit_seconds(runs, 8, False, 0.0) == pytest.approx(BESIDE_EPOCHS * 8 * 0.5 * 100 / 80)
    assert _fit_seconds(runs, 8, True, 0.0) == pytest.approx(BESIDE_EPOCHS * 8 * 0.5)
    assert _fit_seconds(runs, 8, True, 5.0) == pytest.approx(BESIDE_EPOCHS * 8 * 0.25)


def test_regression_predicts_values(learner: NetLearner) -> None:
    settings = {**PLAIN, "epochs": 40, "learning_rate": 1e-2, "dropout": 0.0, "loss": "huber"}
    fitted = learner.fit(rows(300, regression=True), VALUE, settings, 40, 0)
    unseen = rows(200, seed=1, regression=True)
    prediction = fitted.predict(unseen.inputs)
    assert prediction.shape == (200,)
    assert np.mean((prediction - unseen.target) ** 2) < 0.5 * np.var(unseen.target)


def test_balanced_weights_help_the_rare_class_where_labels_are_scored(learner: NetLearner) -> None:
    training = rows(400)
    rare = part(training, np.flatnonzero((training.target == 0) | (np.arange(400) % 12 == 0)))
    f1 = Problem(Task.BINARY, 2, "f1", jobs=2)
    settings = {**PLAIN, "learning_rate": 1e-2}
    plain, balanced, ignored = (
        learner.fit(rare, problem, {**settings, "class_weight": name}, 6, 0).predict(rare.inputs)[:, 1].mean()
        for problem, name in ((f1, "none"), (f1, "balanced"), (BINARY, "balanced"))
    )
    assert balanced > plain + 0.05
    assert ignored == plain


CASES = list(
    itertools.zip_longest(
        mlp.ACTIVATIONS,
        itertools.islice(itertools.cycle(mlp.NORMALIZATIONS), len(mlp.ACTIVATIONS)),
        ["adamw", "sgd"] * 3,
        ["cross_entropy", "focal", "mse", "huber", "cross_entropy", "focal"],
        ["one_cycle", "cosine", "coslog4", "constant", "one_cycle", "cosine"],
    )
)


@pytest.mark.parametrize(("activation", "normalization", "optimizer", "loss", "schedule"), CASES)
def test_every_ingredient_trains(activation: str, normalization: str, optimizer: str, loss: str, schedule: str) -> None:
    regression = loss in ("mse", "huber")
    ingredients = {"activation": activation, "normalization": normalization, "optimizer": optimizer, "loss": loss}
    settings = {**PLAIN, **ingredients, "schedule": schedule, "residual": True, "jit": False, "learning_rate": 1e-2}
    fitted = NetLearner(mlp.build).fit(rows(64, regression=regression), VALUE if regression else BINARY, settings, 1, 0)
    assert np.isfinite(fitted.predict(rows(10, seed=1).inputs)).all()
    assert np.abs(fitted.net.get_weights()[-2]).max() > 0


def test_what_is_not_known_is_refused(learner: NetLearner) -> None:
    with pytest.raises(TrainingError, match="cross_entropy"):
        learner.fit(rows(20), BINARY, {**PLAIN, "loss": "mse"}, 1, 0)
    with pytest.raises(TrainingError, match="adamw"):
        learner.fit(rows(20), BINARY, {**PLAIN, "optimizer": "lion"}, 1, 0)


def test_a_net_of_classes_that_does_not_end_in_logits_is_refused_before_it_is_trained() -> None:
    def build(shapes: Any, problem: Problem, settings: Any) -> Any:
        import keras

        plain = mlp.build(shapes, problem, settings)
        return keras.Model(plain.inputs, keras.layers.Softmax(name="chances")(plain.outputs[0]))

    with pytest.raises(TrainingError, match=r'linear Dense.*"chances" is none'):
        NetLearner(build, factors=mlp.factors).fit_folds(folds(rows(200)), BINARY, PLAIN, 3, Deadline(None))


def test_a_diverging_net_says_so(learner: NetLearner) -> None:
    training = rows(60, regression=True)
    broken = Training(training.inputs, np.full(60, np.nan), None, SHAPES)
    with pytest.raises(TrainingError, match="finite"):
        learner.fit(broken, VALUE, PLAIN, 1, 0)


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def epochs_done(pace: Pace, clock: Clock, seconds: float, first: int, last: int) -> None:
    for epoch in range(first, last + 1):
        clock.now += seconds
        pace.epoch_done(epoch)


def test_without_a_limit_the_clock_is_never_read() -> None:
    def clock() -> float:
        raise AssertionError("read")

    deadline = Deadline(None, clock=Clock())
    deadline.clock = clock
    pace = Pace(deadline, 5, 100)
    pace.start_fold()
    for epoch in range(100):
        pace.epoch_done(epoch + 1)
    assert pace.limit == 100


def test_a_slow_first_fold_compresses_the_schedule() -> None:
    clock = Clock()
    pace = Pace(Deadline(100.0, clock=clock), 5, 100)
    pace.start_fold()
    with pytest.raises(Exception, match="epochs fit") as raised:
        epochs_done(pace, clock, 1.0, 1, 100)
    shorter = raised.value.epochs  # type: ignore[attr-defined]
    assert 10 <= shorter <= 20
    pace.compress(shorter)
    for _ in range(5):
        pace.start_fold()
        epochs_done(pace, clock, 1.0, 1, pace.limit)
    assert clock.now <= 97.0


def test_a_machine_that_slows_down_later_shortens_all_folds_on_the_same_schedule() -> None:
    clock = Clock()
    pace = Pace(Deadline(100.0, clock=clock), 5, 15)
    pace.start_fold()
    epochs_done(pace, clock, 1.0, 1, 15)
    for _ in range(4):
        pace.start_fold()
        done = 0
        while done < pace.limit:
            done += 1
            epochs_done(pace, clock, 1.7, done, done)
    assert pace.epochs == 15
    assert 5 <= pace.limit < 15
    assert clock.now <= 100.0


def test_a_schedule_that_follows_the_time_is_shortened_and_lengthened_and_never_begun_again() -> None:
    clock = Clock()
    pace = Pace(Deadline(100.0, clock=clock), 1, 200, follows=True)
    pace.start_fold(20)
    limits = []
    for done in range(1, 201):
        clock.now += 3.0 if done < 4 else 0.8  # a slow beginning, as where something is compiled once more
        pace.epoch_done(done)
        limits.append(pace.limit)
        if done >= pace.limit:
            break
    assert min(limits) == limits[0] < 40
    assert 90 <= pace.limit == done < 120, "the time that there was after all is used"
    assert clock.now <= 97.0


def test_too_little_time_is_an_error_with_a_sentence() -> None:
    clock = Clock()
    pace = Pace(Deadline(10.0, clock=clock), 5, 50)
    pace.start_fold()
    with pytest.raises(TrainingError, match="epochs on 5 folds"):
        epochs_done(pace, clock, 1.0, 1, 50)


def test_long_epochs_are_compressed_to_fewer_and_then_to_a_sample_of_the_rows() -> None:
    """An epoch of 300 steps takes a second: of 20 epochs a fold some fit, or one and a half, or next to nothing."""
    cases = ((40.0, "6 epochs fit"), (10.0, r"2 epochs fit on \d\d% of the rows"), (4.5, "would have fitted the time"))
    for budget, told in cases:
        clock = Clock()
        pace = Pace(Deadline(budget, clock=clock), 5, 20)
        pace.start_fold(300)
        with pytest.raises(Exception, match=told):
            epochs_done(pace, clock, 1.0, 1, 20)


def test_a_net_trained_on_a_sample_of_the_rows_repeats_it(learner: NetLearner) -> None:
    training = rows(200)
    settings = {**PLAIN, "most_rows": 64}
    first, again, whole = (learner.fit(training, BINARY, each, 2, 1) for each in (settings, settings, PLAIN))
    assert far_apart(weights_of(first), weights_of(again)) == 0.0
    assert far_apart(weights_of(first), weights_of(whole)) > 1e-4


def test_a_compressed_training_tells_fit_its_schedule(learner: NetLearner) -> None:
    """A clock that runs on by a second at every look: the schedule of 40 epochs cannot fit into 100 looks."""
    ticks = itertools.count()
    deadline = Deadline(100.0, clock=lambda: float(next(ticks)))
    result = learner.fit_folds(folds(rows(60)), BINARY, {**PLAIN, "epochs": 200}, 0, deadline)
    assert result.settings is not None
    assert 5 <= result.settings["epochs"] < 200
    assert 1 <= result.rounds <= result.settings["epochs"]


def test_sizes_follow_the_rows() -> None:
    counts = [57, 600, 5_000, 30_000, 500_000]
    batches = [batch_size_for(count) for count in counts]
    assert batches == sorted(batches)
    epochs = [epochs_for(count, batch) for count, batch in zip(counts, batches, strict=True)]
    assert epochs == sorted(epochs, reverse=True)
    assert all(each >= 5 for each in epochs)
