"""PackedLearner: trains all folds of a configuration as one pack of nets, and the nets of a fit as another."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

import numpy as np

from automl.core.architecture import HALF_WAY, Arrays, Fold, FoldsResult, Incumbent, Problem, Training
from automl.core.clock import Deadline
from automl.core.errors import HopelessError, TrainingError
from automl.core.space import Settings
from automl.training.backend import tensorflow
from automl.training.learner import (
    EXACT_ABOVE_ROWS,
    KEPT_PROGRAMS,
    MOST_EVALUATIONS,
    REHEARSED_STEPS,
    SAMPLE_ROWS,
    NetFitted,
)
from automl.training.losses import check_loss
from automl.training.optimizers import CORRECTIONS, OPTIMIZERS
from automl.training.pace import Pace, within
from automl.training.packed.program import Factors, PackedData, PackedProgram
from automl.training.program import Layout, dropout_rates, structure
from automl.training.rows import Shapes, batch_size_for, epochs_for, sampled, shapes_of, weighted
from automl.training.schedules import per_step
from automl.training.sharpness import chosen_sharpness, refined_loss, sharpness_for, together

Array = np.ndarray[Any, Any]
PackedBuild = Callable[[Shapes, Problem, Settings, int], Any]
"""(shapes, problem, settings, nets) -> a Keras net of packed layers."""
Sized = Callable[[Shapes, Problem, Settings, int, int, float], Settings]
"""(shapes, problem, settings, rows of a fold, folds, seconds) -> the settings of nets that these seconds can pay."""

LABEL_METRICS = frozenset({"accuracy", "balanced_accuracy", "f1"})
"""Metrics that look at labels only: elsewhere label smoothing would bend the probabilities that are scored."""
PACK_VALUES = 1 << 28
"""Values that the rows of all nets may have together; beyond that each net gets a sample of its rows."""
START_ROWS, FEWER_ROWS, FEWEST_ROWS = 4096, 1024, 256
START_VALUES = 1 << 23
"""Training rows of each net that choose its weights at the start: as many as make so many values within the net, but FEWER_ROWS
where these make up to four times as many, and FEWEST_ROWS of any table."""
FEWEST_COMPILED_STEPS = 400
"""A fit of fewer steps is done by the plain graph before XLA has compiled it."""
NO_CLIPPING = 1e9
FIT_SHARE = 0.5
"""A fit of as many nets as all folds had may take this share of what their training was allowed to take, ..."""
COMPILING_SECONDS = 2.5
"""... or as much as fitting one net with the program that has to be compiled for it: where it is not known, so much."""
ALONE = 1.25
"""What a net of its own takes against its share of a pack (benchmarks/packed_step.py)."""
CAPACITY_FACTOR = 1.6
"""Room for the rows of every fit: the folds lack a validation part, and both lack the sealed fifth of the last one."""

DEFAULTS: Settings = {
    "nets": 1,
    "optimizer": "adamw",
    "learning_rate": 2e-3,
    "momentum": 0.9,
    "beta_2": 0.999,
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup_fraction": 0.2,
    "dropout_schedule": "constant",
    "decay_schedule": "constant",
    "clip_norm": NO_CLIPPING,
    "label_smoothing": 0.0,
    "focal_gamma": 2.0,
    "huber_delta": 1.0,
    "class_weight": "none",
    "patience_factor": 1.0,
    "patience_epochs": 16,
    "sharpness": 1.0,
    "jit": True,
}
"""What the loop reads from the settings, where an architecture leaves it out. Training stops once the epochs are beyond
patience_factor * best epoch + patience_epochs."""


@dataclass
class Together:
    """The nets of a fit as one predictor of outputs, (rows, outputs); see NetFitted. bounds: of values."""

    program: PackedProgram
    bounds: tuple[float, float] | None
    sharpness: float = 1.0

    @property
    def inputs(self) -> list[str]:
        return self.program.inputs

    def load(self, weights: list[Array]) -> None:
        self.program.load(weights)

    def predict(self, inputs: Arrays) -> Array:
        outputs = self.program.predict(inputs, self.sharpness)
        return outputs if self.bounds is None else np.clip(outputs, *self.bounds)


class PackedLearner:
    """Trains the nets of one architecture; keeps the compiled programs for trials of the same structure.

    Setting "nets": so many nets a fold, of different seeds, whose mean probability or value is the prediction. A fit
    trains "fit_nets" of them: as many as all folds had together where the time pays for these, which the program of the
    folds does without compiling anew, and whose mean errs less than one net that is fitted alone. What is scored on the
    folds are "nets", so that the score errs on the safe side. settings_for: what a time limit makes of the settings
    before anything is built.
    """

    halves = True
    """Takes `to_beat` of fit_folds, and ends a hopeless trial half way."""

    def __init__(
        self,
        build: PackedBuild,
        defaults: Settings,
        factors: Factors,
        epochs_for: Callable[[int, int], int] = epochs_for,
        settings_for: Sized | None = None,
    ) -> None:
        self.build, self.factors, self.epochs_for, self.settings_for = build, factors, epochs_for, settings_for
        self.defaults = {**DEFAULTS, **defaults}
        self.programs: dict[tuple[Any, ...], PackedProgram] = {}
        self.made: list[PackedProgram] = []

    def fit_folds(
        self,
        folds: list[Fold],
        problem: Problem,
        settings: Settings,
        seed: int,
        deadline: Deadline,
        to_beat: Incumbent | None = None,
    ) -> FoldsResult:
        """Train all folds at once; the stopping epoch is the best of the mean validation curve.

        Where the schedule does not fit into the deadline it is compressed: fewer epochs, then fewer rows.
        `FoldsResult.settings` are those that were used. Raises as NetLearner.fit_folds does, and HopelessError half way where
        the trial to beat is far ahead.
        """
        self.made = []
        allowed = deadline.left_seconds()
        rows = len(folds[0].training.target)
        shapes = shapes_of([part for fold in folds for part in (fold.training, fold.validation)])
        if self.settings_for is not None and deadline.budget_seconds is not None:
            settings = self.settings_for(shapes, problem, settings, rows, len(folds), deadline.left_seconds())
        used = self._complete(settings, rows, problem)
        most = _most_rows(shapes, len(folds) * int(used["nets"]))
        if rows > most:
            used["most_rows"] = min(most, int(used.get("most_rows", most)))
        pace = Pace(deadline, 1, int(used["epochs"]), follows=True)
        result, used = within(pace, used, rows, lambda now: self._fit_folds(folds, shapes, problem, now, seed, pace, to_beat))
        taken = ("epochs", "batch_size", "most_rows", "nets", "label_smoothing")
        settings = {**settings, **{name: used[name] for name in taken if name in used}}
        compiling = sum(each.compile_seconds for each in self.made)
        assert result.fit_seconds is not None
        apart = ALONE * result.fit_seconds / len(folds) + (compiling or COMPILING_SECONDS)
        several = not problem.compact and result.fit_seconds <= max(apart, FIT_SHARE * allowed)
        settings = {**settings, **(result.settings or {}), "fit_nets": int(used["nets"]) * (len(folds) if several else 1)}
        seconds = result.fit_seconds if several else apart
        thrift = ({"fit_nets": int(used["nets"])}, apart) if several and apart < seconds else None
        return replace(result, settings=settings, once_seconds=compiling, fit_seconds=seconds, thrift=thrift)

    def predict_folds(self, folds: list[Fold], problem: Problem, settings: Settings, rounds: int, seed: int) -> list[Array]:
        """Train all folds at once for `rounds` epochs, without looking at their validation rows, which are predicted then.

        The program that `fit_folds` compiled for as many folds serves again.
        """
        rows, nets = len(folds[0].training.target), int({**self.defaults, **settings}["nets"])
        shapes = shapes_of([part for fold in folds for part in (fold.training, fold.validation)])
        used = self._complete(settings, rows, problem)
        parts = [fold.training for fold in folds for _ in range(nets)]
        most = max(len(fold.training.target) + len(fold.validation.target) for fold in folds)
        _, trainer = self._trainer(parts, shapes, problem, used, seed, most)
        for _ in range(rounds):
            trainer.epoch()
        groups = _apart(trainer.program, [fold.validation for fold in folds], nets)
        return [together(group, fold, problem, float(used["sharpness"])) for group, fold in zip(groups, folds, strict=True)]

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> NetFitted:
        """Train `fit_nets` nets on the schedule that `fit_folds` used, and stop after `rounds` epochs."""
        rows = len(training.target)
        used = self._complete(settings, rows, problem)
        steps, nets = rounds * -(-rows // int(used["batch_size"])), int({"fit_nets": used["nets"], **used}["fit_nets"])
        if nets == int(used["nets"]):
            used["jit"] = bool(used["jit"]) and steps >= FEWEST_COMPILED_STEPS
        parts = [training] * nets
        shapes = shapes_of([training])
        net, trainer = self._trainer(parts, shapes, problem, used, seed, rows)
        for _ in range(rounds):
            trainer.epoch()
        net.set_weights(trainer.program.state())
        bounds = None if problem.task.is_classification else (float(training.target.min()), float(training.target.max()))
        sharpness = sharpness_for(float(used["sharpness"]), int(used["nets"]), nets)
        whole = as_one_net(net, shapes, bounds, sharpness)
        sample = {name: training.inputs[name][:SAMPLE_ROWS] for name in trainer.program.inputs}
        return NetFitted(whole, problem, Together(trainer.program, bounds, sharpness), sample)

    def _fit_folds(
        self,
        folds: list[Fold],
        shapes: Shapes,
        problem: Problem,
        used: Settings,
        seed: int,
        pace: Pace,
        to_beat: Incumbent | None = None,
    ) -> FoldsResult:
        nets = int(used["nets"])
        parts = [fold.training for fold in folds for _ in range(nets)]
        rows = max(len(fold.training.target) + len(fold.validation.target) for fold in folds)
        _, trainer = self._trainer(parts, shapes, problem, used, seed, rows)
        validations = [fold.validation for fold in folds]
        if pace.wants_rehearsal:
            trainer.program.compile_prediction([fold.inputs for fold in validations for _ in range(nets)])
            pace.expect(trainer.rehearse(), trainer.steps)
        pace.start_fold(trainer.steps)
        every = -(-int(used["epochs"]) // MOST_EVALUATIONS)
        curve: list[tuple[float, float]] = []
        marks: list[float] = []
        best, place, weights, groups = (0, math.inf), 0.0, trainer.program.state(), []
        while trainer.done < pace.limit and not trainer.finished:
            trainer.epoch(pace.limit)
            done = trainer.done
            pace.epoch_done(done)
            if done % every == 0 or done >= pace.limit or trainer.finished:
                found = _apart(trainer.program, validations, nets)
                loss = refined_loss(found, folds, problem)
                curve.append((float(done), loss))
                if loss <= best[1]:
                    best, place, weights, groups = (done, loss), trainer.place, trainer.program.state(), found
                if to_beat is not None and trainer.share >= HALF_WAY and done < pace.limit and not trainer.finished:
                    _check_hope(to_beat, trainer.share, best[1])
                    to_beat = None
            marks.append(time.monotonic())
            if done > float(used["patience_factor"]) * best[0] + int(used["patience_epochs"]):
                break
        trainer.program.load(weights)
        sharpness, of_others = chosen_sharpness(groups, folds) if problem.task.is_classification else (1.0, [1.0] * len(folds))
        predictions = [together(*each) for each in zip(groups, folds, repeat(problem), of_others, strict=False)]
        apart = _apart(trainer.program, [fold.training for fold in folds], nets)
        seen = [together(group, fold, problem, sharpness) for group, fold in zip(apart, folds, strict=True)]
        growth = max((len(fold.training.target) + len(fold.validation.target)) / len(fold.training.target) for fold in folds)
        expected = growth * best[0] * (marks[-1] - marks[0]) / max(1, len(marks) - 1)
        chosen: Settings = {"sharpness": sharpness} if problem.task.is_classification else {}
        chosen["epochs"] = trainer.epochs_at(place, best[0])
        return FoldsResult(predictions, seen, best[0], tuple(curve), chosen, fit_seconds=expected)

    def _complete(self, settings: Settings, rows: int, problem: Problem) -> Settings:
        used = {**self.defaults, **settings}
        if used["optimizer"] not in OPTIMIZERS:
            raise TrainingError(f'there is no optimizer called "{used["optimizer"]}"', f"known: {', '.join(OPTIMIZERS)}")
        if problem.metric not in LABEL_METRICS:
            used["label_smoothing"] = 0.0
        used.setdefault("batch_size", batch_size_for(rows))
        used.setdefault("epochs", self.epochs_for(rows, int(used["batch_size"])))
        return used

    def _trainer(
        self, parts: list[Training], shapes: Shapes, problem: Problem, used: Settings, seed: int, rows: int
    ) -> tuple[Any, _PackedTrainer]:
        """A pack with fresh weights, one net a part, and what trains it on the rows of the parts."""
        tensorflow(problem.jobs)
        from automl.training.packed.layers import start_nets

        seeds = [seed + number for number in range(len(parts))]
        parts = [weighted(sampled(part, used, each), problem, used) for part, each in zip(parts, seeds, strict=True)]
        net = self.build(shapes, problem, used, len(parts))
        start_nets(net, _start_rows(parts, [tensor.name for tensor in net.inputs], seeds), seeds)
        loss = check_loss(str(used.get("loss", "cross_entropy" if problem.task.is_classification else "mse")), problem.task)
        program = self._program(net, len(parts), used, loss, rows)
        program.load(net.get_weights())
        rates = [self.factors(name, used) for name in program.names]
        return net, _PackedTrainer(program, used, program.data(parts), seeds, dropout_rates(net), np.asarray(rates, np.float32))

    def _program(self, net: Any, nets: int, used: Settings, loss: str, rows: int) -> PackedProgram:
        """The program that trains packs of this structure, compiled before or new."""
        key = (structure(net), nets, int(used["batch_size"]), used["optimizer"], loss, bool(used["jit"]))
        program = self.programs.pop(key, None)
        if program is None or program.layout.capacity < rows:
            capacity = rows if rows > EXACT_ABOVE_ROWS else math.ceil(CAPACITY_FACTOR * rows / 256) * 256
            layout = Layout(capacity, int(used["batch_size"]), str(used["optimizer"]), loss, bool(used["jit"]))
            program = PackedProgram(net, nets, layout)
            self.made.append(program)
        self.programs[key] = program
        if len(self.programs) > KEPT_PROGRAMS:
            self.programs.pop(next(iter(self.programs)))
        return program


class _PackedTrainer:
    """Epochs of one pack on the rows of its nets, on the schedule of its settings."""

    def __init__(
        self, program: PackedProgram, settings: Settings, data: PackedData, seeds: list[int], rates: Array, factors: Array
    ) -> None:
        self.program, self.data, self.seeds, self.rates, self.factors = program, data, seeds, rates, factors
        self.done = 0
        self.steps = program.steps(max(data.rows))
        self.epochs = int(settings["epochs"])
        self.per_step = per_step(settings, self.steps * self.epochs)
        self.place = 0.0  # in the schedule, in steps of it
        shape = settings["focal_gamma"] if program.layout.loss == "focal" else settings["huber_delta"]
        self.constants = np.asarray([settings["label_smoothing"], shape, settings["clip_norm"], settings["beta_2"]], np.float32)

    def rehearse(self) -> float:
        """Seconds that an epoch will take, by a few steps after the one that compiles; the weights stay as they were.

        What a call takes besides its steps is told apart by one of a single step.
        """
        weights = self.program.state()
        few, taken = min(REHEARSED_STEPS, self.steps), []
        for steps in (1, 1, few):
            started = time.monotonic()
            self._train(self.per_step[:steps], [np.arange(rows) for rows in self.data.rows], 0)
            taken.append(time.monotonic() - started)
        self.program.load(weights)
        one, several = taken[1:]
        return max(several, one + (self.steps - 1) * max(0.0, several - one) / max(1, few - 1))

    def epoch(self, last: int | None = None) -> None:
        """Train one more epoch. Raises TrainingError where a loss is not finite.

        last: the number of the last epoch, with which the schedule ends: where that is another than planned, what is left of
        the schedule goes faster, or slower.
        """
        generators = [np.random.default_rng([seed % 2**32, self.done]) for seed in self.seeds]
        orders = [generator.permutation(rows) for generator, rows in zip(generators, self.data.rows, strict=True)]
        losses = self._train(self._next_steps(last or self.epochs), orders, int(generators[0].integers(2**31)))
        if not np.isfinite(losses).all():
            raise TrainingError(f"the loss was not finite in epoch {self.done + 1}", "a lower learning rate may help")
        self.done += 1

    @property
    def share(self) -> float:
        """Of the schedule that is done."""
        return self.place / len(self.per_step)

    @property
    def finished(self) -> bool:
        """Whether the schedule has ended, however many epochs it took."""
        return self.place > len(self.per_step) - 0.5

    def epochs_at(self, place: float, done: int) -> int:
        """Of a schedule at an even pace that is at this place after so many epochs."""
        return max(done, round(done * len(self.per_step) / place)) if place else self.epochs

    def _next_steps(self, last: int) -> Array:
        """The values of the steps of the next epoch, behind which `place` is then; the corrections of Adam are those of the
        steps that were made."""
        ahead = (len(self.per_step) - self.place) / (last - self.done)
        rows = (self.place + ahead * np.arange(self.steps) / self.steps).astype(int)
        now, made = self.per_step[np.minimum(rows, len(self.per_step) - 1)], self.done * self.steps
        now[:, CORRECTIONS] = self.per_step[made : made + self.steps, CORRECTIONS]
        self.place += ahead
        return now

    def _train(self, now: Array, orders: list[Array], seed: int) -> Array:
        return self.program.epoch(self.data, orders, now, self.constants, self.rates, self.factors, seed)


def _check_hope(to_beat: Incumbent, share: float, loss: float) -> None:
    """Successive halving over epochs (Jamieson and Talwalkar, 2016) with one step: half of the schedule, then all of it."""
    if to_beat.outdoes(share, loss):
        then, last = to_beat.loss_at(share), to_beat.loss_at(1.0)
        raise HopelessError(f"a loss of {loss:.4g} half way, where the best trial had {then:.4g}, and {last:.4g} in the end")


def _apart(program: PackedProgram, parts: list[Training], nets: int) -> list[Array]:
    """What every net of every fold says of its rows in `parts`: (nets, rows, outputs) log-probabilities or values a fold."""
    apart = program.predict_each([part.inputs for part in parts for _ in range(nets)])
    return [np.stack(apart[first : first + nets]) for first in range(0, len(apart), nets)]


def as_one_net(net: Any, shapes: Shapes, bounds: tuple[float, float] | None, sharpness: float = 1.0) -> Any:
    """A plain Keras net from (batch, columns) to (batch, outputs) that holds the pack: the mean of its nets.

    bounds, sharpness: as of MeanOfNets.
    """
    import keras

    from automl.training.packed.layers import ForAllNets, MeanOfNets

    inputs = {
        tensor.name: keras.Input((int(shapes[tensor.name][0]),), name=tensor.name, dtype=tensor.dtype) for tensor in net.inputs
    }
    outputs = net({name: ForAllNets()(tensor) for name, tensor in inputs.items()})
    return keras.Model(inputs, MeanOfNets(bounds, sharpness)(outputs))


def _most_rows(shapes: Shapes, nets: int) -> int:
    """Rows of each net that fit into memory together."""
    return PACK_VALUES // (nets * max(1, sum(int(shape[0]) for shape in shapes.values())))


def _start_rows(parts: list[Training], names: list[str], seeds: list[int]) -> dict[str, Array]:
    """Rows of each net that its weights are chosen by: {block: (nets, rows, columns)}."""
    columns = sum(int(parts[0].inputs[name].shape[1]) for name in names)
    values = 32 * len(parts) * max(1, columns)
    room = max(START_VALUES // values, min(FEWER_ROWS, 4 * START_VALUES // values), FEWEST_ROWS)
    count = min(START_ROWS, room, *(len(part.target) for part in parts))
    kept = [
        np.random.default_rng([seed % 2**32, 1]).permutation(len(part.target))[:count]
        for part, seed in zip(parts, seeds, strict=True)
    ]
    return {name: np.stack([part.inputs[name][rows] for part, rows in zip(parts, kept, strict=True)]) for name in names}
