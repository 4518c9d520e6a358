"""Laws of the learners that need no TensorFlow, on every task: determinism, parity, probabilities, deadline, weights."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.core.architecture import Architecture, Fold, Problem, Training
from automl.core.clock import Deadline
from automl.core.errors import TrainingError
from automl.core.metrics import default_metric
from automl.core.openmp import wait_briefly
from automl.core.space import Choice
from automl.core.tasks import ALL_TASKS, Task
from automl.encoders.graph import GraphBuilder
from automl.encoders.table import make_encoder
from automl.modalities.tabular.ladder import baseline, boosting, forest, linear
from tests.encoders.made_up import awkward_table, feeds, make_profile, make_table, run_graph

RUNGS = {module.ARCHITECTURE.name: module.ARCHITECTURE for module in (baseline, linear, boosting, forest)}
ROWS = 300
TABLE = make_table(ROWS)
GENERATOR = np.random.default_rng(1)
SIGNAL = (
    np.asarray(TABLE.columns["plain"]) / 10
    + 2.0 * (TABLE.columns["colour"].strings() == "red")  # type: ignore[union-attr]
    + 0.3 * GENERATOR.normal(size=ROWS)
)
TARGETS = {
    Task.BINARY: (np.median(SIGNAL) < SIGNAL).astype(np.int64),
    Task.MULTICLASS: np.digitize(SIGNAL, np.quantile(SIGNAL, [0.3, 0.6])),
    Task.REGRESSION: (SIGNAL - SIGNAL.mean()) / SIGNAL.std(),
}
EVERY = [(name, task) for name in RUNGS for task in sorted(ALL_TASKS)]
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "baseline": [{}],
    "linear": [{}, {"penalty": "l1"}],
    "boosting": [{}, {"num_leaves": 40, "min_data_in_leaf": 1, "max_cat_to_onehot": 4, "cat_smooth": 0.5, "cat_l2": 0.1}],
    "forest": [{}, {"extra_trees": False, "max_features": 1.0, "min_samples_leaf": 5}],
}


class Prepared:
    """A rung with its data on one task."""

    def __init__(self, name: str, task: Task, metric: str = "", jobs: int = 2) -> None:
        self.rung: Architecture = RUNGS[name]
        self.target = TARGETS[task]
        self.profile = make_profile(TABLE, self.target, task)
        self.problem = Problem(task, self.profile.outputs, metric or default_metric(task), jobs)
        self.settings = self.rung.space(self.profile).default()
        whole = np.arange(ROWS)
        self.encoder = make_encoder(self.profile, self.rung.encoding).fit(TABLE, whole[::2], whole)
        self.inputs = self.encoder.transform(TABLE)

    def part(self, rows: Any) -> Training:
        return Training({block: values[rows] for block, values in self.inputs.items()}, self.target[rows])

    def folds(self, count: int = 3) -> list[Fold]:
        number = np.arange(ROWS) % count
        return [Fold(self.part(number != fold), self.part(number == fold)) for fold in range(count)]

    def fit_folds(self, seed: int = 0, deadline: Deadline | None = None) -> Any:
        return self.rung.learner().fit_folds(self.folds(), self.problem, self.settings, seed, deadline or Deadline(None))

    def fit(self, rounds: int = 20, rows: Any = slice(None), seed: int = 0, **settings: Any) -> Any:
        return self.rung.learner().fit(self.part(rows), self.problem, {**self.settings, **settings}, rounds, seed)


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_the_graph_computes_what_the_learner_predicts(name: str, task: Task) -> None:
    prepared = Prepared(name, task)
    for settings in SETTINGS[name]:
        fitted = prepared.fit(rows=slice(0, 200), **settings)
        for table in (TABLE, make_table(40, seed=9), awkward_table()):
            predicted = np.asarray(fitted.predict(prepared.encoder.transform(table)))
            builder = GraphBuilder()
            tensor = fitted.graph(builder, prepared.encoder.graph(builder))
            found = run_graph(builder, {"out": (tensor, "float32")}, feeds(prepared.encoder.inputs, table))["out"]
            assert found.shape == (table.rows, prepared.problem.outputs)
            np.testing.assert_allclose(found.reshape(predicted.shape), predicted, atol=1e-5)


@pytest.mark.parametrize("name", ["boosting", "forest"])
@pytest.mark.parametrize("positive", [0, 1])
def test_logarithms_of_probabilities_near_zero_are_those_of_the_learner(name: str, positive: int) -> None:
    """A geometric mean of members rests on them; the target follows one column, and one class is rare or the other."""
    prepared = Prepared(name, Task.BINARY)
    said = np.asarray(prepared.inputs["raw" if "raw" in prepared.inputs else "rows"])[:, 0]
    rare = np.nan_to_num(said) > np.nanquantile(said, 0.8)
    prepared.target = (rare if positive else ~rare).astype(np.int64)
    settings = {"learning_rate": 0.3, "min_data_in_leaf": 1} if name == "boosting" else {}
    fitted = prepared.fit(rounds=150, **settings)
    builder = GraphBuilder()
    tensor = fitted.graph(builder, prepared.encoder.graph(builder))
    ours = run_graph(builder, {"out": (tensor, "float32")}, feeds(prepared.encoder.inputs, TABLE))["out"]
    theirs = fitted.predict(prepared.inputs)
    assert name == "forest" or theirs.min() < 2e-4
    np.testing.assert_allclose(np.log(ours), np.log(theirs), atol=2e-4)


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_the_same_seed_gives_the_same_predictions(name: str, task: Task) -> None:
    prepared = Prepared(name, task)
    first, second = prepared.fit_folds(), prepared.fit_folds()
    assert first.rounds == second.rounds
    assert first.curve == second.curve
    pairs = [(first.predictions, second.predictions), (first.training_predictions, second.training_predictions)]
    for one, other in [pair for left, right in pairs for pair in zip(left, right, strict=True)]:
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(prepared.fit().predict(prepared.inputs), prepared.fit().predict(prepared.inputs))


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_trees_of_folds_that_grow_side_by_side_are_those_that_grow_alone(task: Task) -> None:
    prepared = Prepared("boosting", task)
    learner = prepared.rung.learner()
    together = learner.predict_folds(prepared.folds(), prepared.problem, prepared.settings, 20, 3)
    for fold, prediction in zip(prepared.folds(), together, strict=True):
        alone = learner.fit(fold.training, prepared.problem, prepared.settings, 20, 3)
        np.testing.assert_array_equal(prediction, alone.predict(fold.validation.inputs))


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_trees_do_not_depend_on_the_threads_that_grow_them(task: Task, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from automl.learners import trees

    expected = Prepared("boosting", task, jobs=1).fit()
    monkeypatch.setattr(trees, "ROWS_FOR_THREADS", 10)
    tried: list[int] = []

    def seconds(dataset: Any, problem: Problem, settings: Any, threads: int) -> float:
        tried.append(threads)
        return -float(threads)  # the most threads seem the quickest

    monkeypatch.setattr(trees, "_seconds_a_round", seconds)
    found = Prepared("boosting", task, jobs=2).fit()
    assert tried == [1, 2]
    assert found.booster.params["num_threads"] == 2
    inputs = Prepared("boosting", task).inputs
    np.testing.assert_array_equal(found.predict(inputs), expected.predict(inputs))
    for name, fitted in (("one", expected), ("two", found)):
        (tmp_path / name).mkdir()
        fitted.save(tmp_path / name)
    assert (tmp_path / "one" / "trees.txt").read_bytes() == (tmp_path / "two" / "trees.txt").read_bytes()


def test_threads_wait_briefly_unless_the_user_wants_them_to_wait_otherwise() -> None:
    for given, spins in (({}, "1000"), ({"OMP_WAIT_POLICY": "passive"}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7")):
        environment = dict(given)
        wait_briefly(environment)
        assert environment["GOMP_SPINCOUNT"] == spins
        assert environment["OMP_WAIT_POLICY"].upper() == "PASSIVE"
    active = {"OMP_WAIT_POLICY": "ACTIVE"}
    wait_briefly(active)
    assert active == {"OMP_WAIT_POLICY": "ACTIVE"}


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_folds_give_finite_predictions_of_all_their_rows(name: str, task: Task) -> None:
    prepared = Prepared(name, task)
    result = prepared.fit_folds()
    folds = prepared.folds()
    for parts, predictions in (
        ([fold.validation for fold in folds], result.predictions),
        ([fold.training for fold in folds], result.training_predictions),
    ):
        for part, prediction in zip(parts, predictions, strict=True):
            expected = (len(part.target), prepared.problem.outputs) if task.is_classification else (len(part.target),)
            assert prediction.shape == expected
            assert np.isfinite(prediction).all()
            if task.is_classification:
                np.testing.assert_allclose(prediction.sum(axis=1), 1, atol=1e-6)
                assert (prediction >= 0).all()


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_it_learns_more_than_the_baseline(name: str, task: Task) -> None:
    def error(prepared: Prepared) -> float:
        losses = []
        for fold, prediction in zip(prepared.folds(), prepared.fit_folds().predictions, strict=True):
            truth = np.eye(prepared.problem.outputs)[fold.validation.target] if task.is_classification else fold.validation.target
            losses.append(float(np.mean((prediction - truth) ** 2)))
        return float(np.mean(losses))

    assert error(Prepared(name, task)) < 0.7 * error(Prepared("baseline", task))


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_weights_matter_and_equal_weights_do_not(name: str, task: Task) -> None:
    prepared = Prepared(name, task)
    whole = prepared.part(slice(None))
    weight = np.where(np.asarray(TABLE.columns["plain"]) > 55, 3.0, 1.0)
    settings = {**prepared.settings, **({"min_samples_leaf": 3} if name == "forest" else {})}  # a row alone is itself
    fitted = [
        prepared.rung.learner().fit(training, prepared.problem, settings, 20, 0)
        for training in (whole, replace(whole, sample_weight=weight / weight.mean()))
    ]
    plain, weighted = (np.asarray(each.predict(prepared.inputs)) for each in fitted)
    assert np.abs(plain - weighted).max() > 1e-6
    alike = prepared.rung.learner().fit(replace(whole, sample_weight=np.ones(ROWS)), prepared.problem, settings, 20, 0)
    np.testing.assert_allclose(alike.predict(prepared.inputs), plain, atol=1e-6)


@pytest.mark.parametrize("name", ["linear", "boosting", "forest"])
def test_a_deadline_that_is_over_is_an_error_of_training(name: str) -> None:
    with pytest.raises(TrainingError, match="time was up"):
        Prepared(name, Task.BINARY).fit_folds(deadline=Deadline(0.0))


def test_a_deadline_cuts_all_folds_at_the_same_round() -> None:
    ticks = iter(range(10**6))
    deadline = Deadline(200.0, clock=lambda: float(next(ticks)))
    result = Prepared("boosting", Task.REGRESSION, jobs=1).fit_folds(deadline=deadline)
    free = Prepared("boosting", Task.REGRESSION, jobs=1).fit_folds()
    last = int(result.curve[-1][0])
    assert 1 <= result.rounds <= last < free.curve[-1][0]
    assert result.curve[0] == free.curve[0]


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS])
@pytest.mark.parametrize("name", list(RUNGS))
def test_a_class_that_the_rows_lack_is_unlikely_not_an_error(name: str, task: Task) -> None:
    prepared = Prepared(name, task)
    rows = np.flatnonzero(prepared.target != prepared.problem.outputs - 1)
    predicted = prepared.fit(rows=rows).predict(prepared.inputs)
    assert predicted.shape == (ROWS, prepared.problem.outputs)
    assert np.isfinite(predicted).all()
    assert predicted[:, -1].max() < 0.05


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
@pytest.mark.parametrize("name", list(RUNGS))
def test_what_is_saved_is_text_or_arrays(name: str, task: Task, tmp_path: Path) -> None:
    Prepared(name, task).fit().save(tmp_path)
    (saved,) = tmp_path.iterdir()
    if saved.suffix == ".json":
        assert json.loads(saved.read_text())
    elif saved.suffix == ".npz":
        with np.load(saved, allow_pickle=False) as kept:
            assert all(np.isfinite(kept[each]).all() for each in kept.files)
            assert tuple(kept["sizes"].sum(axis=0)) == (len(kept["features"]), len(kept["leaves"]))
    else:
        assert saved.read_text().startswith("tree")


@pytest.mark.parametrize("metric", ["balanced_accuracy", "log_loss"])
@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_class_weights_are_for_metrics_of_labels_only(name: str, metric: str) -> None:
    prepared = Prepared(name, Task.BINARY, metric)
    rare = np.sort(np.concatenate([np.flatnonzero(prepared.target == 0), np.flatnonzero(prepared.target == 1)[:30]]))
    plain = prepared.fit(rows=rare, class_weight="none").predict(prepared.inputs)[:, 1].mean()
    balanced = prepared.fit(rows=rare, class_weight="balanced").predict(prepared.inputs)[:, 1].mean()
    assert balanced == pytest.approx(plain) if metric == "log_loss" else balanced > plain + 0.02


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_all_settings_of_the_space_train_without_a_warning(name: str, task: Task) -> None:
    prepared = Prepared(name, task)
    space = prepared.rung.space(prepared.profile)
    drawn = [space.start(number) for number in range(len(space.starts))] + [space.sample(GENERATOR) for _ in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for settings in drawn:
            fitted = prepared.rung.learner().fit(prepared.part(slice(0, 120)), prepared.problem, settings, 5, 3)
            assert np.isfinite(fitted.predict(prepared.inputs)).all()
            cost = prepared.rung.cost(prepared.profile, settings)
            assert cost.seconds > 0
            assert cost.size_bytes > 0


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_the_estimate_of_bytes_is_within_a_factor_of_two(name: str, task: Task) -> None:
    prepared = Prepared(name, task)
    rounds = max(20, round(boosting.expected_rounds(prepared.profile, prepared.settings)) if name == "boosting" else 0)
    cost = prepared.rung.cost(prepared.profile, {**prepared.settings, "rounds": rounds})
    fitted = prepared.fit(rounds=rounds)
    builder = GraphBuilder()
    builder.output(fitted.graph(builder, prepared.encoder.graph(builder)), "out", "float32", ("batch", prepared.problem.outputs))
    size = builder.build().ByteSize()
    assert 0.5 < cost.size_bytes / size < 2, f"{cost.size_bytes} for {size}"


def test_rounds_that_are_known_make_the_price_of_boosting() -> None:
    prepared = Prepared("boosting", Task.BINARY)
    usual = boosting.cost(prepared.profile, prepared.settings)
    rounds = 3 * round(boosting.expected_rounds(prepared.profile, prepared.settings))
    known = boosting.cost(prepared.profile, {**prepared.settings, "rounds": rounds})
    assert known.seconds > usual.seconds
    assert known.size_bytes > 1.8 * usual.size_bytes


def test_every_rung_says_why_in_numbers() -> None:
    prepared = Prepared("boosting", Task.BINARY)
    for rung in RUNGS.values():
        assert rung.fits(prepared.profile) is None
        assert any(character.isdigit() for character in rung.reason(prepared.profile))
    assert "12" in str(RUNGS["boosting"].fits(replace(prepared.profile, rows=12)))


def test_growing_trees_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    import lightgbm

    from automl.learners.trees import _library

    _library()
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(40, 2))
    for target in (inputs[:, 0], np.ones(40)):  # nothing to split in the second: LightGBM warns
        booster = lightgbm.Booster({"objective": "regression", "verbosity": 1}, lightgbm.Dataset(inputs, target))
        booster.update()
    assert capfd.readouterr().out == ""


def test_growing_trees_prints_nothing_from_a_thread_that_did_not_plant_them(capfd: pytest.CaptureFixture[str]) -> None:
    from automl.learners.trees import _library, _threads

    lightgbm, inputs = _library(), np.random.default_rng(0).normal(size=(40, 2))
    silent = {"objective": "regression", "verbosity": -1}
    booster = lightgbm.Booster(silent, lightgbm.Dataset(inputs, np.ones(40), params=silent))  # nothing to split: it warns
    with _threads(1) as threads:
        threads.submit(booster.update).result()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("left_out", [(), ("colour", "pair", "many", "label"), ("plain", "skewed", "holes", "huge", "never")])
@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_the_starts_of_boosting_lie_within_its_space_and_differ(task: Task, left_out: tuple[str, ...]) -> None:
    for rows in (300, 30_000, 300_000):
        profile = replace(make_profile(TABLE, TARGETS[task], task, left_out), rows=rows)
        space = boosting.space(profile)
        starts = [space.start(number) for number in range(len(space.starts))]
        assert len(starts) > 2
        made = len(boosting.enrichments(profile)) > 1
        assert (starts[0].get("features", "plain") != "plain") == (made and task is Task.REGRESSION)
        for number, start in enumerate(starts):
            assert start not in starts[:number]
            for name, dimension in space.dimensions.items():
                if isinstance(dimension, Choice):
                    assert start[name] in dimension.values
                else:
                    assert dimension.low <= start[name] <= dimension.high
