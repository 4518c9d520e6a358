"""NetLearner: trains a Keras net on folds with one stopping epoch for all, and again for a fixed number of epochs."""

from __future__ import annotations

import json
import math
import re
import time
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from automl.core.architecture import Arrays, Fold, FoldsResult, Problem, Training
from automl.core.clock import Deadline
from automl.core.errors import TrainingError
from automl.core.space import Settings
from automl.core.tasks import Task
from automl.training.backend import tensorflow
from automl.training.batching import by_length
from automl.training.export import export
from automl.training.losses import CLASSIFICATION_LOSSES, check_loss
from automl.training.optimizers import OPTIMIZERS
from automl.training.pace import Pace, within
from automl.training.program import (
    CONSTANTS,
    Data,
    Factors,
    Layout,
    Program,
    dropout_rates,
    no_decay_on_vectors,
    structure,
)
from automl.training.rows import Shapes, batch_size_for, drawn_evenly, epochs_for, sampled, shapes_of, weighted
from automl.training.schedules import per_step
from automl.training.sharpness import STOPPING_ROWS, chosen_sharpness, refined_loss, sharpened, together
from automl.training.validation import validation_loss

Array = np.ndarray[Any, Any]
Build = Callable[[Shapes, Problem, Settings], Any]

REHEARSED_STEPS = 4
BESIDE_EPOCHS = 1.1
"""A fit against its epochs alone: the net is built and the rows are handed over as well."""
PATIENCE_FRACTION = 0.4
STORED_BYTES = 256 * 2**20
"""Weights kept while training, from which the best epoch is taken afterwards."""
MOST_EVALUATIONS = 64
CAPACITY_FACTOR = 1.3
"""Room for the refit on all rows: the folds see the training part, of which a sealed fifth is missing."""
EXACT_ABOVE_ROWS = 300_000
SAMPLE_ROWS = 64
KEPT_PROGRAMS = 4

DEFAULT_LOSSES = {Task.FORECAST: "quantile"}
DEFAULTS: Settings = {
    "optimizer": "adamw",
    "learning_rate": 2e-3,
    "momentum": 0.9,
    "beta_2": 0.99,
    "weight_decay": 1e-2,
    "schedule": "one_cycle",
    "warmup_fraction": 0.2,
    "dropout_schedule": "constant",
    "decay_schedule": "constant",
    "clip_norm": 1.0,
    "label_smoothing": 0.0,
    "focal_gamma": 2.0,
    "huber_delta": 1.0,
    "class_weight": "none",
    "sampling": "shuffled",
    "sharpness": 1.0,
    "jit": True,
}
"""What the training loop reads from the settings, where an architecture leaves it out."""


class Forward(Protocol):
    """The compiled prediction of nets of one structure."""

    @property
    def inputs(self) -> list[str]: ...

    def load(self, weights: list[Array]) -> None: ...

    def predict(self, inputs: Arrays) -> Array: ...


@dataclass
class NetFitted:
    """A trained net: plain Keras layers with the weights in place."""

    net: Any
    problem: Problem
    program: Forward
    sample: Arrays = field(repr=False)

    def predict(self, inputs: Arrays) -> Array:
        """Probabilities (rows, classes), or values (rows,)."""
        self.program.load(self.net.get_weights())
        return finish(self.program.predict(inputs), self.problem)

    def graph(self, builder: Any, tensors: dict[str, str]) -> str:
        """Append the net to an ONNX graph; see automl.core.architecture.Fitted.

        Raises ParityError where onnxruntime and Keras disagree.
        """
        model = export(self.net, self.sample)
        (output,) = builder.merge(model, {name: tensors[name] for name in self.sample}).values()
        return str(builder.node("Softmax", [output], axis=-1) if self.problem.task.is_classification else output)

    def save(self, folder: Any) -> None:
        """Write net.keras: layers and weights, no code. The same net gives the same bytes."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Keras makes numpy arrays of variables in the old way
            self.net.save(Path(folder) / "net.keras")
        _forget_the_moment(Path(folder) / "net.keras")


def _forget_the_moment(path: Path) -> None:
    """Write a .keras archive again without what Keras takes from the clock and from memory addresses."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["metadata.json"] = json.dumps({**json.loads(parts["metadata.json"]), "date_saved": "1980-01-01@00:00:00"}).encode()
    places: dict[bytes, int] = {}
    parts["config.json"] = re.sub(
        rb'(?<="shared_object_id": )\d+',
        lambda found: str(places.setdefault(found.group(), len(places) + 1)).encode(),
        parts["config.json"],
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def load_net(folder: Any) -> Any:
    """The Keras net that NetFitted.save wrote, read in Keras' safe mode."""
    tensorflow()
    import keras

    import automl.training.augment
    import automl.training.layers
    import automl.training.masked_pooling
    import automl.training.packed.layers
    import automl.training.spec_augment  # noqa: F401  these register their layers by name

    return keras.saving.load_model(Path(folder) / "net.keras", compile=False, safe_mode=True)


@dataclass
class _Run:
    """The training of one fold while it goes on: weights and validation losses of the evaluated epochs.

    seconds: of training; epochs: that they were spent on. logits: of classes, of the validation rows, by evaluated epoch.
    """

    fold: Fold
    seconds: float = 0.0
    epochs: int = 0
    weights: dict[int, list[Array]] = field(default_factory=dict)
    losses: dict[int, float] = field(default_factory=dict)
    logits: dict[int, Array] = field(default_factory=dict)


class NetLearner:
    """Trains the nets of one architecture; keeps the compiled program for the next trial of the same structure.

    build: the net, a Keras model; of classes its last layer is a linear Dense, which gives logits.
    lengths: of the rows of some inputs, (rows,), where batches are to be made of rows of like length.
    """

    def __init__(
        self,
        build: Build,
        defaults: Settings | None = None,
        factors: Factors = no_decay_on_vectors,
        lengths: Callable[[Arrays], Array] | None = None,
    ) -> None:
        self.build = build
        self.lengths = lengths
        self.defaults = {**DEFAULTS, **(defaults or {})}
        self.factors = factors
        self.programs: dict[tuple[Any, ...], Program] = {}
        self.made: list[Program] = []

    def fit_folds(self, folds: list[Fold], problem: Problem, settings: Settings, seed: int, deadline: Deadline) -> FoldsResult:
        """Train on every fold in turn; the stopping epoch is the best of the mean validation curve.

        Where the schedule does not fit into the deadline it is compressed: fewer epochs for all folds, told in
        `FoldsResult.settings`, which `fit` takes. So is the batch size, as it depends on the rows, and `most_rows`
        where there was only time for a sample of them.

        Raises TrainingError where not even that fits, or where the loss is not finite.
        """
        self.made = []
        rows = len(folds[0].training.target)
        used = self._complete(settings, rows)
        pace = Pace(deadline, len(folds), int(used["epochs"]))
        result, used = within(pace, used, rows, lambda fitting: self._fit_folds(folds, problem, fitting, seed, pace))
        kept: Settings = {name: used[name] for name in ("epochs", "batch_size", "most_rows") if name in used}
        compiling = sum(program.compile_seconds for program in self.made)
        return replace(result, settings={**settings, **kept, **(result.settings or {})}, once_seconds=compiling)

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> NetFitted:
        """Train once, on the schedule that `fit_folds` used, and stop after `rounds` epochs."""
        used = self._complete(settings, len(training.target))
        rows = len(training.target)
        training = weighted(sampled(training, used, seed), problem, used)
        shapes = shapes_of([training])
        net, program = self._prepare(shapes, problem, used, seed, rows)
        data = program.data(training.inputs, training.target, training.sample_weight)
        trainer = _Trainer(program, net, used, data, seed, self._lengths(training))
        for _ in range(rounds):
            trainer.epoch()
        net.set_weights(program.state())
        if problem.task.is_classification:
            last = _linear_last(net)
            last.set_weights([float(used["sharpness"]) * weight for weight in last.get_weights()])
        return NetFitted(net, problem, program, {name: training.inputs[name][:SAMPLE_ROWS] for name in program.inputs})

    def _fit_folds(self, folds: list[Fold], problem: Problem, used: Settings, seed: int, pace: Pace) -> FoldsResult:
        runs = []
        shapes = shapes_of([part for fold in folds for part in (fold.training, fold.validation)])
        for number, fold in enumerate(folds):
            training = weighted(sampled(fold.training, used, seed + number), problem, used)
            rows = len(fold.training.target) + len(fold.validation.target)
            net, program = self._prepare(shapes, problem, used, seed + number, rows)
            data = program.data(training.inputs, training.target, training.sample_weight)
            trainer = _Trainer(program, net, used, data, seed + number, self._lengths(training))
            if number == 0 and pace.limited:
                program.compile_prediction(fold.validation.inputs)
            if number == 0 and pace.wants_rehearsal and not program.layout.jit:
                pace.expect(trainer.rehearse(), trainer.steps)
                program.load(net.get_weights())
            run = _Run(fold)
            self._run_fold(trainer, run, problem, pace, len(folds))
            runs.append(run)
        result = _result(runs, program, problem)
        compiling = sum(made.compile_seconds for made in self.made)
        return replace(result, fit_seconds=_fit_seconds(runs, result.rounds, "most_rows" in used, compiling))

    def _lengths(self, training: Training) -> Array | None:
        return None if self.lengths is None else self.lengths(training.inputs)

    def _run_fold(self, trainer: _Trainer, run: _Run, problem: Problem, pace: Pace, folds: int) -> None:
        logits = len(run.fold.validation.target) * problem.outputs if problem.task.is_classification else 0
        every = _evaluate_every(int(trainer.settings["epochs"]), trainer.program, folds, logits)
        pace.start_fold(trainer.steps)
        while trainer.done < pace.limit:
            started = time.monotonic()
            trainer.epoch()
            done = run.epochs = trainer.done
            run.seconds += time.monotonic() - started
            if done % every == 0 or done == pace.limit:
                run.weights[done] = trainer.program.state()
                outputs = trainer.program.predict(run.fold.validation.inputs)
                if problem.task.is_classification:
                    run.logits[done] = outputs
                    run.losses[done] = refined_loss([outputs[None]], [run.fold], problem, STOPPING_ROWS // folds)
                else:
                    run.losses[done] = validation_loss(problem, run.fold.validation, finish(outputs, problem))
                best = min(run.losses, key=lambda epoch: run.losses[epoch])
                if done - best > max(10, PATIENCE_FRACTION * int(trainer.settings["epochs"])):
                    pace.limit = done
            pace.epoch_done(done)

    def _complete(self, settings: Settings, rows: int) -> Settings:
        used = {**self.defaults, **settings}
        if used["optimizer"] not in OPTIMIZERS:
            raise TrainingError(f'there is no optimizer called "{used["optimizer"]}"', f"known: {', '.join(OPTIMIZERS)}")
        if used["optimizer"] == "sgd" and "sgd_learning_rate" in settings:
            used["learning_rate"] = settings["sgd_learning_rate"]
        used.setdefault("batch_size", batch_size_for(rows))
        used.setdefault("epochs", epochs_for(rows, int(used["batch_size"])))
        return used

    def _prepare(self, shapes: Shapes, problem: Problem, used: Settings, seed: int, rows: int) -> tuple[Any, Program]:
        """A net with fresh weights and the program that trains nets of its structure, compiled before or new."""
        tensorflow(problem.jobs)
        import keras

        keras.utils.set_random_seed(seed % 2**32)
        net = self.build(shapes, problem, used)
        if problem.task.is_classification:
            _linear_last(net)
        default = "cross_entropy" if problem.task.is_classification else DEFAULT_LOSSES.get(problem.task, "mse")
        loss = check_loss(str(used.get("loss", default)), problem.task)
        key = (structure(net), int(used["batch_size"]), used["optimizer"], loss, bool(used["jit"]), problem.outputs)
        program = self.programs.pop(key, None)
        if program is None or program.layout.capacity < rows:
            capacity = rows if rows > EXACT_ABOVE_ROWS else math.ceil(CAPACITY_FACTOR * rows / 256) * 256
            layout = Layout(capacity, int(used["batch_size"]), str(used["optimizer"]), loss, bool(used["jit"]))
            program = Program(net, layout, self.factors)
            self.made.append(program)
        self.programs[key] = program
        if len(self.programs) > KEPT_PROGRAMS:
            self.programs.pop(next(iter(self.programs)))
        program.load(net.get_weights())
        return net, program


class _Trainer:
    """Epochs of one net on one set of rows, on the schedule of its settings."""

    def __init__(
        self, program: Program, net: Any, settings: Settings, data: Data, seed: int, lengths: Array | None = None
    ) -> None:
        self.lengths = lengths
        balanced = settings["sampling"] == "balanced" and program.layout.loss in CLASSIFICATION_LOSSES
        self.codes = np.asarray(data.target)[: data.rows] if balanced else None
        self.program, self.settings, self.data, self.seed = program, settings, data, seed
        self.rates = dropout_rates(net)
        self.done = 0
        self.steps = program.steps(data.rows)
        self.per_step = per_step(settings, self.steps * int(settings["epochs"]))
        shape = settings["focal_gamma"] if program.layout.loss == "focal" else settings["huber_delta"]
        self.constants = np.asarray([settings["label_smoothing"], shape, settings["clip_norm"], settings["beta_2"]], np.float32)
        assert len(self.constants) == len(CONSTANTS)

    def rehearse(self) -> float:
        """Seconds that an epoch will take, by a few steps after the one that compiles; the weights are spoilt by it."""
        few = min(REHEARSED_STEPS, self.steps)
        for steps in (1, few):
            started = time.monotonic()
            some = replace(self.data, rows=min(self.data.rows, steps * self.program.layout.batch))
            steps = self.program.steps(some.rows)
            self.program.epoch(some, np.arange(some.rows), self.per_step[:steps], self.constants, self.rates, 0)
        return (time.monotonic() - started) * self.steps / steps

    def epoch(self) -> float:
        """Train one more epoch; returns its mean loss. Raises TrainingError where that is not finite."""
        generator = np.random.default_rng([self.seed % 2**32, self.done])
        if self.codes is not None:
            order = drawn_evenly(self.codes, generator)
        elif self.lengths is None:
            order = generator.permutation(self.data.rows)
        else:
            order = by_length(self.lengths, self.program.layout.batch, generator)
        first = self.done * self.steps
        loss = self.program.epoch(
            self.data,
            order,
            self.per_step[first : first + self.steps],
            self.constants,
            self.rates,
            int(generator.integers(2**31)),
        )
        if not math.isfinite(loss):
            raise TrainingError(f"the loss was not finite in epoch {self.done + 1}", "a lower learning rate may help")
        self.done += 1
        return loss


def _evaluate_every(epochs: int, program: Program, folds: int, logits: int) -> int:
    """Epochs between two evaluations, so that weights and logits of all evaluated epochs of all folds fit into memory."""
    size = 4 * (sum(int(np.prod(weight.shape)) for weight in program.weights) + logits)
    evaluations = min(MOST_EVALUATIONS, max(8, STORED_BYTES // (size * folds)))
    return -(-epochs // evaluations)


def finish(outputs: Array, problem: Problem) -> Array:
    """Outputs of the net as probabilities (rows, classes), values (rows,), or as they are for a forecast."""
    if problem.task is Task.FORECAST:
        return outputs
    if not problem.task.is_classification:
        return outputs[:, 0]
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _fit_seconds(runs: list[_Run], rounds: int, sampled: bool, compiling: float) -> float:
    """What a fit of so many epochs on the rows of all folds takes, with what it does beside them.

    sampled: of these rows no more are taken than of those of one fold. compiling: seconds of them that a fit
    does not take.
    """
    epoch = max(0.0, sum(run.seconds for run in runs) - compiling) / sum(run.epochs for run in runs)
    rows = [(len(run.fold.training.target), len(run.fold.validation.target)) for run in runs]
    growth = 1.0 if sampled else sum(map(sum, rows)) / sum(training for training, _ in rows)
    return BESIDE_EPOCHS * rounds * epoch * growth


def _result(runs: list[_Run], program: Program, problem: Problem) -> FoldsResult:
    """Of the epoch whose mean loss is least; of classes, at the sharpness that suits all folds together."""
    shared = sorted(set.intersection(*(set(run.losses) for run in runs)))
    folds = [run.fold for run in runs]
    if not problem.task.is_classification:
        curve = [(epoch, float(np.mean([run.losses[epoch] for run in runs]))) for epoch in shared]
    else:
        curve = [(epoch, refined_loss([run.logits[epoch][None] for run in runs], folds, problem)) for epoch in shared]
    rounds = min(curve, key=lambda point: point[1])[0]
    points = tuple((float(epoch), loss) for epoch, loss in curve)
    found, seen = [], []
    for run in runs:
        program.load(run.weights[rounds])
        found.append(run.logits[rounds] if run.logits else program.predict(run.fold.validation.inputs))
        seen.append(program.predict(run.fold.training.inputs))
    if not problem.task.is_classification:
        return FoldsResult([finish(each, problem) for each in found], [finish(each, problem) for each in seen], rounds, points)
    groups = [logits[None] for logits in found]  # of one net a fold
    sharpness, of_others = chosen_sharpness(groups, folds)
    said = [together(group, fold, problem, each) for group, fold, each in zip(groups, folds, of_others, strict=True)]
    return FoldsResult(said, [sharpened(each, sharpness) for each in seen], rounds, points, {"sharpness": sharpness})


def _linear_last(net: Any) -> Any:
    """The last layer of a net of classes, which gives logits. Raises TrainingError where it does something else."""
    import keras

    last = net.layers[-1]
    if not isinstance(last, keras.layers.Dense) or last.activation is not keras.activations.linear:
        raise TrainingError(
            f'the last layer of a net of classes has to be a linear Dense that gives logits; "{last.name}" is none'
        )
    return last
