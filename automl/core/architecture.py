"""Architecture: a rung of a ladder, declared in one file and found by discovery."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from automl.core.clock import Deadline
from automl.core.profile import Kind, Profile
from automl.core.space import Settings, Space
from automl.core.tasks import Task

Arrays = dict[str, Any]
"""Encoded inputs by block name; every value is a numpy array whose first axis is the rows."""


@dataclass(frozen=True)
class Training:
    """Encoded rows to learn from.

    inputs: {block: (rows, ...)} from the encoder; target: (rows,) class codes as int64, or standardised float64
    values; sample_weight: (rows,) float64 with mean 1, or None.
    shapes: {block: (width or shape, dtype name, cardinalities or None)} as the encoder declares them; without them a
    net takes the highest code that it sees for a column's cardinality.
    """

    inputs: Arrays
    target: Any
    sample_weight: Any = None
    shapes: dict[str, tuple[Any, str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Fold:
    """The training rows of a fold and the rows that are predicted and stopped on.

    kept: what a learner has made of their inputs for whatever settings, and finds again in the next trial on the same ones.
    """

    training: Training
    validation: Training
    kept: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)


HALF_WAY, CATCHING_UP, LEAST_GAIN_LEFT = 0.5, 3.0, 0.004
"""Share of a schedule, factor and share of the loss of the rule of `Incumbent`, which benchmarks/halving.py replays."""


@dataclass(frozen=True)
class Incumbent:
    """The best trial of a rung so far, which further ones are measured against half way through their schedule.

    curve: mean validation losses after shares of its schedule, at an even pace, as (share, loss), ascending. catching_up: a trial
    is hopeless where it would have to gain more than so many times what this one still gained, or that share of its loss which
    LEAST_GAIN_LEFT is, where that is more.
    """

    curve: tuple[tuple[float, float], ...]
    catching_up: float = CATCHING_UP

    def loss_at(self, share: float) -> float:
        """The best loss up to that share; infinite before the first one."""
        return min((loss for place, loss in self.curve if place <= share + 1e-9), default=math.inf)

    def outdoes(self, share: float, loss: float) -> bool:
        """Whether a trial with this loss at that share of its schedule is hopeless."""
        last = self.loss_at(1.0)
        left = max(self.loss_at(share) - last, LEAST_GAIN_LEFT * abs(last))
        return math.isfinite(left) and loss - last > self.catching_up * left


@dataclass(frozen=True)
class FoldsResult:
    """What training on folds with early stopping found.

    predictions: one array a fold, of its validation rows at the shared stopping round: probabilities
        (rows, classes), or values (rows,) on the scale of the target that went in.
    rounds: the stopping round shared by all folds (0 where the learner has none).
    curve: mean over the folds of the validation loss after each evaluated round, as (round, loss).
    training_predictions: like predictions, of the training rows.
    settings: as used, where the learner changed or completed them (a schedule compressed to fit the deadline);
        `fit` with these repeats the training.
    once_seconds: what the same training would not take again, without looking at validation rows: compiling, rounds past
        the best one; less what it would take besides, as it found something that was made before.
    fit_seconds: what `fit` on the rows of all folds will take, where the learner can tell from this training.
    thrift: settings whose `fit` takes less, and its seconds, where there are such: what is scored is the same.
    """

    predictions: list[Any]
    training_predictions: list[Any]
    rounds: int = 0
    curve: tuple[tuple[float, float], ...] = ()
    settings: Settings | None = None
    once_seconds: float = 0.0
    fit_seconds: float | None = None
    thrift: tuple[Settings, float] | None = None


class Fitted(Protocol):
    """A trained learner that predicts and can say itself in ONNX."""

    def predict(self, inputs: Arrays) -> Any:
        """Probabilities (rows, classes), or values (rows,) on the scale of the target that was fitted."""

    def graph(self, builder: Any, tensors: dict[str, str]) -> str:
        """Append the learner to an automl.encoders.graph.GraphBuilder.

        tensors: block name to the tensor that holds it. Returns the tensor of the probabilities
        (batch, classes), or of the values (batch, 1).
        """

    def save(self, folder: Any) -> None:
        """Write what training on or explaining needs (net.keras, trees.txt, coefficients.json)."""


@dataclass(frozen=True)
class Problem:
    """What a learner must know besides the arrays. forecast: the facts of the panel, see automl.learners.panels.Facts.

    compact: the model has limits of size or latency, so that nothing is to be fitted several times for a better mean.
    """

    task: Task
    outputs: int
    metric: str
    jobs: int = 1
    forecast: dict[str, Any] | None = None
    compact: bool = False


class Learner(Protocol):
    """How an architecture is trained. Both ways are deterministic given the seed."""

    def fit_folds(self, folds: list[Fold], problem: Problem, settings: Settings, seed: int, deadline: Deadline) -> FoldsResult:
        """Train on every fold, with one stopping round shared by all (the best mean curve)."""

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> Fitted:
        """Train once for a fixed number of rounds, without looking at any other row."""


@dataclass(frozen=True)
class Cost:
    """An estimate that needs no training: seconds for one cross-validated fit on two cores, bytes exported."""

    seconds: float
    size_bytes: int
    flops_a_row: float = 0.0


@dataclass(frozen=True)
class Architecture:
    """A declaration. A newcomer adds one file that holds one of these, called ARCHITECTURE.

    rung: place in the ladder, 0 is the baseline. encoding: name of the modality's encoding that it takes.
    fits: None, or the sentence why the rung is left out for a profile. reason: why it is worth trying.
    learner: makes the learner; heavy libraries are imported inside it. None: the rung is an ensemble of trials of the rungs
        below it (automl.search.ensembling). needs_tensorflow: trains in the worker.
    cost: what the settings are expected to take; they hold "rounds" where a trial has found how many are trained.
    seeds_differ: a fit with another seed is another model, as good as the first, so that the mean of a few is better.
    """

    name: str
    title: str
    rung: int
    tasks: frozenset[Task]
    encoding: str
    fits: Callable[[Profile], str | None]
    reason: Callable[[Profile], str]
    space: Callable[[Profile], Space]
    cost: Callable[[Profile, Settings], Cost]
    learner: Callable[[], Learner] | None
    needs_tensorflow: bool = False
    seeds_differ: bool = False
    paper: str = ""

    @property
    def combines(self) -> bool:
        """Whether it is made of the other rungs' trials instead of being trained."""
        return self.learner is None


@dataclass(frozen=True)
class Modality:
    """What a kind of data brings: how to recognise it, its encodings and its ladder.

    sense: (dataset, column profiles) -> (confidence from 0 to 1, the evidence in one sentence).
    encoder: (profile, encoding name, settings) -> an unfitted encoder with fit, transform, graph and state. A fitted
        one may have `feeds`, `files`, `chunk_rows` and `requirements`, see automl.search.trial.described. One that
        declares `supervised = True` has fit_transform instead of fit, see automl.encoders.enriched.
    ladder: the package whose modules declare ARCHITECTURE.
    kinds: of the columns that it learns from; others are left out.
    arrange: (dataset, options) -> a Dataset with one row an example, or None where this is not its form of data. How
        to do the same to new data is put under "arrangement" in the dataset's `reading`.
    examine: (dataset, column profiles) -> the profiles with parse step and statistics of its kinds filled in.
    together: (clean table, profile) -> (rows,) integer groups of near-duplicates, which no split divides, or None.
    folds: profile -> folds that its training can afford, 1 is a holdout; None leaves the usual number.
    explain: case -> findings that show what the model looks at, what it saw in training, and where it errs.
    """

    name: str
    sense: Callable[..., tuple[float, str]]
    encoder: Callable[..., Any]
    ladder: str
    kinds: frozenset[Kind] = frozenset({Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY, Kind.DATETIME})
    arrange: Callable[..., Any] | None = None
    examine: Callable[..., Any] | None = None
    together: Callable[..., Any] | None = None
    folds: Callable[[Profile], int | None] | None = None
    explain: Callable[..., Any] | None = None
