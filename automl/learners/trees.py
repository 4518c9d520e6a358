"""Gradient boosted trees by LightGBM: one stopping round for all folds, and an ONNX graph of our own."""

from __future__ import annotations

import logging
import math
import re
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np

from automl.core.architecture import Arrays, Fold, FoldsResult, Problem, Training
from automl.core.clock import Deadline
from automl.core.errors import OutOfTimeError
from automl.core.files import write_text
from automl.core.space import Settings
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.learners.arrays import row_weights
from automl.learners.baseline import ABSOLUTE_METRICS
from automl.learners.tree_graph import parse_trees, tree_scores

Array = np.ndarray[Any, Any]

MOST_ROUNDS = 3000
LEAST_GAIN = 5e-4
"""Relative fall of the mean loss that counts as progress."""
MOST_CURVE_POINTS = 200
TIMED_ROUNDS = 5
STEPS_TO_ARRIVE = 12.0
"""Rounds times learning rate that most tables need; with less time than that the rate is raised, up to LARGEST_RATE."""
LARGEST_RATE = 0.3
PATIENT_ROWS, LEAST_SHARE, LARGEST_SHARE = 10_000, 0.1, 0.3
"""Up to so many rows, a race goes on for LARGEST_SHARE of its rounds after the last progress."""
MORE_ROWS = 0.95
"""Seconds of a fit on the rows of all folds against those of growing one of five folds, whose loss is looked at besides."""
ROWS_FOR_THREADS = 10_000
"""Below this many rows a second thread inside one booster costs more than it gains."""

PARAMETERS = (
    "learning_rate",
    "num_leaves",
    "max_depth",
    "min_data_in_leaf",
    "min_sum_hessian_in_leaf",
    "feature_fraction",
    "bagging_fraction",
    "lambda_l1",
    "lambda_l2",
    "extra_trees",
    "max_cat_to_onehot",
    "cat_smooth",
    "cat_l2",
    "min_data_per_group",
    "path_smooth",
)
"""Settings that go to LightGBM under the same name."""


def joined(inputs: Arrays) -> tuple[Array, int]:
    """The feature matrix (rows, features) float32, and how many of its columns, the first ones, are plain numbers."""
    blocks = [inputs[name] for name in ("raw", "codes", "rows") if name in inputs]
    matrix = np.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0]
    return np.ascontiguousarray(matrix, np.float32), matrix.shape[1] - (inputs["codes"].shape[1] if "codes" in inputs else 0)


@dataclass(frozen=True)
class FittedTrees:
    """booster: a trained lightgbm.Booster; outputs as of the problem."""

    booster: Any
    problem: Problem

    def predict(self, inputs: Arrays) -> Array:
        matrix, _ = joined(inputs)
        return _as_output(self.booster.predict(matrix, num_threads=self.problem.jobs), self.problem)

    def graph(self, builder: GraphBuilder, tensors: dict[str, str]) -> str:
        blocks = [tensors[name] for name in ("raw", "codes", "rows") if name in tensors]
        matrix = builder.node("Concat", blocks, axis=1) if len(blocks) > 1 else blocks[0]
        outputs = self.problem.outputs if self.problem.task is Task.MULTICLASS else 1
        scores = tree_scores(builder, parse_trees(self.booster.model_to_string()), outputs, matrix)
        if self.problem.task is Task.MULTICLASS:
            return builder.node("Softmax", [scores], axis=1)
        if self.problem.task is Task.REGRESSION:
            return scores
        logits = builder.node("Mul", [scores, builder.initializer(np.asarray([[0.0, 1.0]], np.float32), "second")])
        return builder.node("Softmax", [logits], axis=1)  # to float32's precision even near 0, where Sigmoid is coarse

    def save(self, folder: Path) -> None:
        text = re.sub(r"(?m)^\[num_threads: \d+\]$", "[num_threads: 0]", self.booster.model_to_string())
        write_text(Path(folder) / "trees.txt", text)  # how many threads were quickest is no part of the model


class TreesLearner:
    """Needs the encoding "codes". Settings: PARAMETERS, and class_weight "none" or "balanced" (metrics of labels only),
    most_rounds."""

    rounds_scale_with_rows = True

    def fit_folds(self, folds: list[Fold], problem: Problem, settings: Settings, seed: int, deadline: Deadline) -> FoldsResult:
        """All folds grow in step, so that the mean validation curve is known at every round and a deadline cuts all alike.

        Raises TrainingError where the time is up before every fold has one round.
        """
        workers = max(1, min(problem.jobs, len(folds)))
        with _threads(workers) as pool:
            races = list(pool.map(lambda fold: _Race(fold, problem, settings, seed, workers), folds))
            spared = sum(race.spared_seconds for race in races) / workers
            hastened = _hastened(races, settings, deadline, pool.map)
            if hastened != settings:
                settings = hastened
                races = list(pool.map(lambda fold: _Race(fold, problem, settings, seed, workers), folds))
            started = time.monotonic()
            curve, best = _race(races, settings, deadline, len(folds[0].training.target), pool.map)
            growing = time.monotonic() - started
            outcomes = list(pool.map(lambda race: race.at(best), races))
            reading = time.monotonic() - started - growing
        step = max(1, len(curve) // MOST_CURVE_POINTS)
        points = sorted({*range(step, len(curve) + 1, step), 1, best, len(curve)})
        return FoldsResult(
            [validation for validation, _ in outcomes],
            [training for _, training in outcomes],
            rounds=best,
            curve=tuple((float(number), float(curve[number - 1])) for number in points),
            settings=settings,
            once_seconds=growing * (1 - best / len(curve)) + reading - spared,
            fit_seconds=growing * best / len(curve) * workers / len(folds) * MORE_ROWS,
        )

    def predict_folds(self, folds: list[Fold], problem: Problem, settings: Settings, rounds: int, seed: int) -> list[Array]:
        """Grow all folds side by side for `rounds` rounds, without looking at their validation rows, which are predicted then."""
        workers = max(1, min(problem.jobs, len(folds)))
        with _unwarned(), _threads(workers) as pool:
            fitted = list(pool.map(lambda fold: _fit(fold.training, problem, settings, rounds, seed, workers), folds))
        return [each.predict(fold.validation.inputs) for each, fold in zip(fitted, folds, strict=True)]

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> FittedTrees:
        with _unwarned():
            return _fit(training, problem, settings, rounds, seed)


@contextmanager
def _unwarned() -> Iterator[None]:
    """Without LightGBM's warnings where no split is found any more; not inside a thread, as filters are of the process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _fit(training: Training, problem: Problem, settings: Settings, rounds: int, seed: int, workers: int = 1) -> FittedTrees:
    threads = _threads_of(training, problem, workers)
    dataset = _dataset(training, problem, settings, threads)
    booster = _booster(dataset, problem, settings, seed, _quicker(dataset, problem, settings, threads, workers))
    _grow(booster, max(1, rounds))
    return FittedTrees(booster, problem)


def _grow(booster: Any, rounds: int) -> None:
    """Some rounds more; fewer where no split is found any more."""
    for _ in range(rounds):
        if booster.update():
            break


def _threads_of(training: Training, problem: Problem, workers: int) -> int:
    """The most threads inside one of `workers` boosters that grow side by side; trees do not depend on these."""
    return max(1, problem.jobs // workers) if len(training.target) >= ROWS_FOR_THREADS else 1


def _quicker(dataset: Any, problem: Problem, settings: Settings, threads: int, workers: int) -> int:
    """A booster that grows alone is tried with all threads and with one: on a busy machine threads wait for each other."""
    if workers > 1 or threads == 1:
        return threads
    return min((1, threads), key=lambda count: _seconds_a_round(dataset, problem, settings, count))


def _seconds_a_round(dataset: Any, problem: Problem, settings: Settings, threads: int) -> float:
    booster = _booster(dataset, problem, settings, 0, threads)
    _grow(booster, 1)
    started = time.monotonic()
    _grow(booster, TIMED_ROUNDS)
    return time.monotonic() - started


class _Race:
    """One fold's booster and its validation loss after every round."""

    def __init__(self, fold: Fold, problem: Problem, settings: Settings, seed: int, workers: int) -> None:
        self._problem = problem
        threads = _threads_of(fold.training, problem, workers)
        training, validation, self.spared_seconds = _binned(fold, problem, settings, threads)
        self._booster = _booster(training, problem, settings, seed, _quicker(training, problem, settings, threads, workers))
        self._booster.add_valid(validation, "validation")
        self.losses: list[float] = []
        self._stuck = False

    def grow(self, rounds: int, deadline: Deadline) -> None:
        """Some rounds more, fewer where the time is up. A booster that finds no split any more keeps its loss."""
        for _ in range(rounds):
            if deadline.expired:
                return
            if not self._stuck:
                self._stuck = bool(self._booster.update())
                grown = self._booster.current_iteration()
                if self._stuck and grown <= len(self.losses):
                    self.losses.append(self.losses[-1] if self.losses else np.inf)
                    continue
                self.losses.append(float(self._booster.eval_valid()[0][2]))
            else:
                self.losses.append(self.losses[-1])

    def at(self, rounds: int) -> tuple[Array, Array]:
        """The predictions of validation and training rows after so many rounds."""
        while self._booster.current_iteration() > rounds:
            self._booster.rollback_one_iter()
        caught: list[Array] = []

        def catch(prediction: Array, data: Any) -> tuple[str, float, bool]:
            caught.append(np.array(prediction, np.float64))
            return "caught", 0.0, False

        self._booster.eval_valid(feval=catch)
        self._booster.eval_train(feval=catch)
        return _as_output(caught[0], self._problem), _as_output(caught[1], self._problem)


def _hastened(races: list[_Race], settings: Settings, deadline: Deadline, spread: Callable[..., Any]) -> Settings:
    """The settings, with larger steps where the time would end growing long before small ones arrive."""
    rate, started = float(settings.get("learning_rate", 0.1)), time.monotonic()
    if math.isinf(deadline.left_seconds()):
        return settings
    list(spread(lambda race: race.grow(TIMED_ROUNDS, deadline), races))
    seconds = (time.monotonic() - started) / TIMED_ROUNDS
    fitting = max(1.0, deadline.left_seconds() / max(seconds, 1e-6))
    wanted = STEPS_TO_ARRIVE / rate
    if fitting >= wanted or rate >= LARGEST_RATE:
        return settings
    return {**settings, "learning_rate": round(min(LARGEST_RATE, rate * wanted / fitting), 4)}


def _race(races: list[_Race], settings: Settings, deadline: Deadline, rows: int, spread: Callable[..., Any]) -> tuple[Array, int]:
    """Grow all until the mean curve has not improved for its patience. Returns the mean curve and its best round."""
    rate = float(settings.get("learning_rate", 0.1))
    chunk, most = int(np.clip(0.4 / rate, 5, 20)), int(settings.get("most_rounds", MOST_ROUNDS))
    while True:
        list(spread(lambda race: race.grow(chunk, deadline), races))
        common = min(len(race.losses) for race in races)
        if common == 0:
            raise OutOfTimeError("the time was up before every fold had its first round of boosting")
        curve = np.mean([race.losses[:common] for race in races], axis=0)
        last = _last_progress(curve)
        if deadline.expired or common >= most or common - last >= patience(rate, last, rows):
            return curve, int(np.argmin(curve)) + 1


def _last_progress(curve: Array) -> int:
    """The last round whose loss was clearly below that of every earlier round that counted."""
    last = 0
    for position in np.flatnonzero(curve <= np.minimum.accumulate(curve)):
        if curve[position] < curve[last] - LEAST_GAIN * abs(curve[last]):
            last = int(position)
    return last + 1


def patience(learning_rate: float, last: int, rows: int) -> int:
    """Rounds without progress of the mean curve after which growing ends; slow learners and small data get more.

    benchmarks/patience.py compares such rules: on up to 10,000 rows this one gives away nothing.
    """
    share = float(np.clip(LARGEST_SHARE * PATIENT_ROWS / rows, LEAST_SHARE, LARGEST_SHARE))
    return int(np.clip(2.5 / learning_rate, 25, 250) + share * last)


class _Logger:
    """Takes what LightGBM would print on stdout, which carries results; `verbosity` alone is forgotten between boosters."""

    def info(self, message: str) -> None:
        logging.getLogger("automl.lightgbm").debug(message.rstrip())

    warning = info


@cache
def _library() -> Any:
    import lightgbm

    lightgbm.register_logger(_Logger())
    return lightgbm


def _threads(count: int) -> ThreadPoolExecutor:
    """Threads in which LightGBM is silent: each has a log level of its own, and the logger belongs to one thread alone."""
    _library()  # here, as the logger belongs to the thread that registers it
    pool, together = ThreadPoolExecutor(count, initializer=_silence), Barrier(count)
    list(pool.map(lambda _: together.wait(), range(count)))  # what is made to silence one resets the threads of all boosters
    return pool


def _silence() -> None:
    """Set the log level of this thread, which LightGBM does only while it reads the parameters of something it makes."""
    _library().Dataset(np.zeros((2, 1)), params={"verbosity": -1}).construct()


BINS = "bins"
"""Under which a fold keeps them for further trials."""


def _binned(fold: Fold, problem: Problem, settings: Settings, threads: int) -> tuple[Any, Any, float]:
    """Both parts of a fold in bins, which the settings do not change, with target and weights of this trial; and the seconds that
    it spares that they are there: fresh folds will need bins of their own.
    """
    if BINS not in fold.kept:
        started = time.monotonic()
        training = _dataset(fold.training, problem, settings, threads).construct()
        validation = _dataset(fold.validation, problem, settings, threads, training).construct()
        fold.kept[BINS] = training, validation, time.monotonic() - started
        return training, validation, 0.0
    training, validation, seconds = fold.kept[BINS]
    for dataset, part, judges in ((training, fold.training, False), (validation, fold.validation, True)):
        target, weight = _target_and_weight(part, problem, settings, judges)
        dataset.set_label(target)
        dataset.set_field("weight", weight)  # set_weight would leave those of another trial where there are none
    return training, validation, seconds


def _target_and_weight(part: Training, problem: Problem, settings: Settings, judges: bool) -> tuple[Array, Array | None]:
    """judges: rows that are only predicted, which weigh what they weigh in the score. Without weights where all are 1."""
    weight = row_weights(part, problem, settings.get("class_weight") == "balanced" and not judges)
    if weight is not None:
        weight = None if (weight == 1).all() else weight.astype(np.float32)
    return np.asarray(part.target, np.float64), weight


def _dataset(training: Training, problem: Problem, settings: Settings, threads: int, reference: Any = None) -> Any:
    lightgbm = _library()
    matrix, plain = joined(training.inputs)
    target, weight = _target_and_weight(training, problem, settings, reference is not None)
    return lightgbm.Dataset(
        matrix,
        label=target,
        weight=weight,
        reference=reference,
        categorical_feature=list(range(plain, matrix.shape[1])),
        params=_dataset_parameters(matrix.shape[1], threads),
        free_raw_data=True,
    )


def _dataset_parameters(features: int, threads: int) -> dict[str, Any]:
    return {"verbosity": -1, "num_threads": threads, "feature_pre_filter": False, "max_bin": most_bins(features)}


def most_bins(features: int) -> int:
    """In wide tables looking through the bins, not the rows, costs the time, so there are fewer."""
    return 255 if features <= 100 else 63 if features <= 1000 else 31


def _booster(training: Any, problem: Problem, settings: Settings, seed: int, threads: int) -> Any:
    lightgbm = _library()
    training.construct()
    shared = _dataset_parameters(training.num_feature(), threads)
    return lightgbm.Booster({**shared, **_parameters(problem, settings, seed)}, training)


def _parameters(problem: Problem, settings: Settings, seed: int) -> dict[str, Any]:
    if problem.task is Task.REGRESSION:
        objective, metric = ("regression_l1", "l1") if problem.metric in ABSOLUTE_METRICS else ("regression", "rmse")
    elif problem.task is Task.BINARY:
        objective, metric = "binary", "binary_logloss"
    else:
        objective, metric = "multiclass", "multi_logloss"
    parameters = {
        "objective": objective,
        "metric": metric,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed % 2**31,
        "min_sum_hessian_in_leaf": 1e-3,
        **{name: settings[name] for name in PARAMETERS if name in settings},
    }
    if problem.task is Task.MULTICLASS:
        parameters["num_class"] = problem.outputs
    if settings.get("bagging_fraction", 1.0) < 1.0:
        parameters["bagging_freq"] = 1
    return parameters


def _as_output(prediction: Array, problem: Problem) -> Array:
    """LightGBM's prediction as probabilities (rows, classes) or values (rows,)."""
    if problem.task is Task.REGRESSION:
        return np.asarray(prediction, np.float64)
    if problem.task is Task.BINARY:
        return np.stack([1.0 - prediction, prediction], axis=1)
    if prediction.ndim == 1:
        prediction = prediction.reshape(problem.outputs, -1).T
    return np.asarray(prediction, np.float64)
