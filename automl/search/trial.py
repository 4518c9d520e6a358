"""One trial on the search folds, one final on the fresh folds, one fit that is exported: what both processes run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.architecture import Architecture, Cost, FoldsResult, Incumbent
from automl.core.clock import Deadline
from automl.core.errors import AutomlError, HopelessError, OutOfTimeError, TrainingError, in_one_line
from automl.core.evidence import Trial
from automl.core.files import decode, write_json, write_text
from automl.core.forecasting import STATE_FILE
from automl.core.readout import Readout
from automl.core.space import Settings, Space
from automl.core.standalone import bundle, modules_of
from automl.search.context import Context
from automl.search.forecasting import write_forecast
from automl.search.guarding import fit_guardrail, guarded_rows
from automl.search.pipeline import Blend, Pipeline, as_prediction, build_graph, encode_folds, fit_pipeline
from automl.search.target import SETTING, with_target_scale
from automl.splitting import FoldRows, seeds

Array = np.ndarray[Any, Any]

MOST_MESSAGE = 300
"""Characters of a library's message that are told."""


@dataclass(frozen=True)
class Outcome:
    """A trial with the out-of-fold predictions that its score was computed from, and the seconds it took.

    once_seconds: the part of them that the same training does not take again. fit_seconds: what a fit on the rows of all
    folds takes, where the learner could tell. thrift: settings that are scored alike and whose fit takes less, and its
    seconds, if there are any. fits: that there is time for: one for the verdict, and one more on all rows.
    """

    trial: Trial
    predictions: Array | None
    seconds: float
    once_seconds: float = 0.0
    fit_seconds: float | None = None
    thrift: tuple[Settings, float] | None = None
    fits: int = 2

    def thrifty(self) -> Outcome:
        """The outcome with the settings whose fit takes less; itself where there are none."""
        return self if self.thrift is None else self.fitted_with({**self.trial.settings, **self.thrift[0]})

    def fitted_with(self, settings: Settings) -> Outcome:
        """The outcome with these settings, its own or the thrifty ones, and the seconds of their fit."""
        if self.thrift is None or settings == self.trial.settings:
            return self
        return replace(self, trial=replace(self.trial, settings=settings), fit_seconds=self.thrift[1], thrift=None)

    @property
    def again_seconds(self) -> float:
        """What the same training takes once more, on fresh folds: everything is compiled, and the round to stop at is known."""
        return self.seconds - self.once_seconds


def space_of(context: Context, architecture: Architecture) -> Space:
    """The architecture's space for this profile, with what every learner can choose."""
    return with_target_scale(architecture.space(context.profile), context.profile)


def space_seed(context: Context, architecture: str) -> int:
    """The seed of the settings that are drawn at random."""
    return seeds(context.plan.seed)(f"space {architecture}")


def trial_seed(context: Context, architecture: str, number: int) -> int:
    return seeds(context.plan.seed)(f"trial {architecture} {number}")


def run_trial(
    context: Context, architecture: Architecture, number: int, settings: Settings, deadline: Deadline, best: Trial | None = None
) -> Outcome:
    """A trial of the search: on the sample of the plan, where it has one. See `run_again`."""
    seed = trial_seed(context, architecture.name, number)
    trial = Trial(architecture.name, number, settings, seed, rows=context.plan.split.search_rows)
    return run_again(context, trial, deadline, best)


def run_again(context: Context, trial: Trial, deadline: Deadline, best: Trial | None = None) -> Outcome:
    """Train on the search folds with shared stopping. An architecture that fails gives a failed trial, not an error.

    trial: its number, settings, seed and rows; the outcome has its result.
    best: of the rung's trials before; one whose settings do clearly worse on the first fold, or, where the learner halves, half
    way through its epochs, is stopped there.
    """
    started = time.monotonic()
    architecture = context.architecture(trial.architecture)
    result: FoldsResult | None = None
    predictions = None
    try:
        if best is not None and _worth_a_look(context, architecture, trial, best):
            _look_at_first_fold(context, architecture, trial, best, deadline)
        trial, predictions, result = _train(context, architecture, trial, deadline, best)
    except HopelessError as error:
        trial = replace(trial, status="stopped", message=str(error))
    except OutOfTimeError as error:
        trial = replace(trial, status="out of time", message=str(error))
    except AutomlError as error:
        trial = replace(trial, status="failed", message=str(error))
    except Exception as error:  # the boundary at which a library's failure becomes a fact about the trial
        trial = replace(trial, status="failed", message=named(error))
    if predictions is not None:  # as exact as the journal keeps them, so that a run that goes on gives the same result
        predictions = predictions.astype(np.float32).astype(np.float64)
    seconds = time.monotonic() - started
    if result is None:
        return Outcome(trial, predictions, seconds)
    return Outcome(trial, predictions, seconds, result.once_seconds, result.fit_seconds, result.thrift)


LEAST_SECONDS_TO_LOOK = 2.0
"""Trials that are expected to take less than this are simply run: the look would cost as much as it saves."""
STOPPING_MARGIN = 0.25
"""How far behind the best trial's score on the first fold one may be, in standard deviations of its scores over the folds."""


def _worth_a_look(context: Context, architecture: Architecture, trial: Trial, best: Trial) -> bool:
    """Only where a fold costs a share of the folds: packed nets train all of them together."""
    enough = len(context.search_folds) > 2 and len(best.fold_scores) == len(context.search_folds)
    known_good = trial.number < len(space_of(context, architecture).starts)
    slow = architecture.cost(context.profile, trial.settings).seconds > LEAST_SECONDS_TO_LOOK
    return enough and slow and not known_good and not architecture.needs_tensorflow and not context.rolling


def _look_at_first_fold(context: Context, architecture: Architecture, trial: Trial, best: Trial, deadline: Deadline) -> None:
    """Successive halving over folds (Jamieson and Talwalkar, 2016) with one step: the first fold, then all.

    The stopping round is that fold's own, which flatters the trial a little and so never stops a good one for it.
    Raises HopelessError where the score is behind the best trial's by more than the margin.
    """
    rows = context.searched(trial.rows)[0]
    encoded = encode_folds(context, architecture, trial.settings, [rows])
    learner = learner_of(context, architecture)
    result = learner.fit_folds(encoded.folds, context.problem, trial.settings, trial.seed, deadline)
    score = context.score(rows.validation, as_prediction(result.predictions[0], encoded.scales[0]))
    margin = STOPPING_MARGIN * float(np.nanstd(best.fold_scores))
    if context.metric.gain(score, best.fold_scores[0]) < -margin:
        told = f"{context.metric.title} {score:.4g} on the first fold, where the best trial has {best.fold_scores[0]:.4g}"
        raise HopelessError(told)


def named(error: Exception) -> str:
    """A library's error as a part of a sentence."""
    return f"{type(error).__name__}: {in_one_line(str(error), MOST_MESSAGE)}"


@contextmanager
def failing_as_training_error() -> Iterator[None]:
    """The boundary at which whatever a library raises becomes the failure of one architecture."""
    try:
        yield
    except AutomlError:
        raise
    except Exception as error:
        raise TrainingError(named(error)) from error


def incumbent(trial: Trial, best: Trial | None) -> Incumbent | None:
    """The curve of the best trial by shares of its schedule; None where their losses are not of the same rows and target."""
    if best is None or not best.curve or best.rows != trial.rows or _kept(best.settings) != _kept(trial.settings):
        return None
    epochs = float(best.settings.get("epochs", best.curve[-1][0]))
    return Incumbent(tuple((epoch / epochs, loss) for epoch, loss in best.curve))


def _train(
    context: Context, architecture: Architecture, trial: Trial, deadline: Deadline, best: Trial | None = None
) -> tuple[Trial, Array, FoldsResult]:
    rows = list(context.searched(trial.rows))
    encoded = encode_folds(context, architecture, trial.settings, rows)
    learner = learner_of(context, architecture)
    further = {"to_beat": incumbent(trial, best)} if getattr(learner, "halves", False) else {}
    result = learner.fit_folds(encoded.folds, context.problem, trial.settings, trial.seed, deadline, **further)
    used = result.settings
    settings = trial.settings if used is None else {**used, **_kept(trial.settings)}
    predictions = [as_prediction(part, scale) for part, scale in zip(result.predictions, encoded.scales, strict=True)]
    seen = [as_prediction(part, scale) for part, scale in zip(result.training_predictions, encoded.scales, strict=True)]
    scores = tuple(context.score(fold.validation, part) for fold, part in zip(rows, predictions, strict=True))
    if not np.isfinite(scores).any():
        raise TrainingError(f"no fold of {architecture.title} gave a finite {context.metric.title}")
    finished = replace(
        trial,
        settings=settings,
        score=float(np.nanmean(scores)),
        fold_scores=scores,
        resampled=context.resampled(rows[0].validation, predictions[0]),
        training_scores=tuple(context.score(fold.training, part) for fold, part in zip(rows, seen, strict=True)),
        rounds=result.rounds,
        curve=tuple((float(step), float(loss)) for step, loss in result.curve),
    )
    return finished, gather(context, rows, predictions), result


def _kept(settings: Settings) -> Settings:
    """What the learner does not know and so may not have handed back."""
    return {SETTING: settings[SETTING]} if SETTING in settings else {}


def gather(context: Context, folds: list[FoldRows], predictions: list[Array]) -> Array:
    """Out-of-fold predictions in the order of the table: NaN for rows that no fold predicted."""
    shape = (len(context.target), *predictions[0].shape[1:])
    total, times = np.zeros(shape), np.zeros(len(context.target))
    for fold, part in zip(folds, predictions, strict=True):
        total[fold.validation] += part
        times[fold.validation] += 1
    with np.errstate(invalid="ignore"):
        return np.asarray(total / times.reshape(-1, *[1] * (total.ndim - 1)))


_LEARNERS: dict[tuple[str, str], Any] = {}


def learner_of(context: Context, architecture: Architecture) -> Any:
    """One learner an architecture and process, so that what it compiled serves later trials as well.

    Modalities have rungs of the same name, and one process may run on several kinds of data.
    """
    key = context.profile.modality, architecture.name
    if key not in _LEARNERS:
        assert architecture.learner is not None, "an ensemble is not trained; its members are"
        _LEARNERS[key] = architecture.learner()
    return _LEARNERS[key]


def needs_worker(context: Context, trial: Trial) -> bool:
    """Whether fitting it, or one of its members, takes TensorFlow."""
    return any(context.architecture(part.architecture).needs_tensorflow for part in trial.parts)


def cost_of(context: Context, trial: Trial) -> Cost:
    """What the declarations expect of these settings and of the rounds, where they are known, summed over the members."""
    costs = [
        context.architecture(part.architecture).cost(
            context.profile, {**part.settings, "rounds": part.rounds} if part.rounds else part.settings
        )
        for part in trial.parts
    ]
    flops = sum(cost.flops_a_row for cost in costs)
    return Cost(sum(cost.seconds for cost in costs), sum(cost.size_bytes for cost in costs), flops)


def fit_trial(context: Context, trial: Trial, rows: Array, rounds: Callable[[Trial], int] | None = None) -> Pipeline | Blend:
    """Fit a trial's settings, or those of its members, on `rows`. rounds: of each fitted trial, its own where None."""
    fitted = []
    for part in trial.parts:
        architecture = context.architecture(part.architecture)
        count = part.rounds if rounds is None else rounds(part)
        learner = learner_of(context, architecture)
        fitted.append(fit_pipeline(context, architecture, learner, part.settings, count, part.seed, rows))
    if not trial.members:
        return fitted[0]
    ids = [part.id for part in trial.parts]
    names = [
        name if place == ids.index(name) else f"{name}-seed-{part.seed}"
        for place, (name, part) in enumerate(zip(ids, trial.parts, strict=True))
    ]
    weights = tuple(member.weight for member in trial.members)
    return Blend(tuple(fitted), weights, tuple(names), trial.pool, context.problem.outputs)


def run_fresh(context: Context, trial: Trial, fold: int, deadline: Deadline) -> dict[int, Array]:
    """What a trial's settings predict for a fresh fold, by its number: fixed rounds, nothing stopped or chosen there.

    A learner that trains folds together (`predict_folds`) does so: then all folds of that shuffling are there.
    """
    if deadline.expired:
        raise OutOfTimeError("there was no time left")
    rows = context.fresh_folds[fold]
    architecture = context.architecture(trial.architecture)
    learner: Any = None if trial.members else learner_of(context, architecture)
    if hasattr(learner, "predict_folds") and not context.samples:
        numbers = [number for number, each in enumerate(context.fresh_folds) if each.repeat == rows.repeat]
        encoded = encode_folds(context, architecture, trial.settings, [context.fresh_folds[number] for number in numbers])
        found = learner.predict_folds(encoded.folds, context.problem, trial.settings, trial.rounds, trial.seed)
        pairs = zip(found, encoded.scales, strict=True)
        return {number: as_prediction(part, scale) for number, (part, scale) in zip(numbers, pairs, strict=True)}
    learned = context.sample(rows.training, trial.most_rows)
    pipeline = fit_trial(
        context, trial, learned, (lambda part: scaled_rounds(context, part, learned)) if context.samples else None
    )
    return {fold: pipeline.predict(context.table.take(rows.validation))}


def scaled_rounds(context: Context, trial: Trial, rows: Array) -> int:
    """The stopping round of the folds for a fit on more rows.

    From the folds to all of their rows it is the same; from a sample to many times its rows boosting rounds grow, slowly.
    """
    learner = learner_of(context, context.architecture(trial.architecture))
    if not getattr(learner, "rounds_scale_with_rows", False):
        return trial.rounds
    growth = len(rows) / context.rows_a_fit(trial.rows)
    return max(1, round(trial.rounds * max(1.0, growth / FEW_MORE) ** ROUNDS_EXPONENT))


FEW_MORE, ROUNDS_EXPONENT = 1.5, 0.5


def fit_and_export(context: Context, trial: Trial, rows: Array, contract: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Fit on `rows`, write a model folder, and leave the pipeline's predictions on the parity rows beside it.

    Returns {"seconds", "export_seconds", "bytes"}; `parity.npy` in the folder is read and removed by the gate.
    """
    started = time.monotonic()
    pipeline = fit_trial(context, trial, rows, lambda part: scaled_rounds(context, part, rows))
    rounds = scaled_rounds(context, trial, rows) if trial.rounds else 0
    fitted = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    if context.rolling:
        write_forecast(pipeline, context.profile, contract, folder, requirements())
    else:
        _write_graph(pipeline, context, rows, contract, folder)
    written = sum((folder / name).stat().st_size for name in ("model.onnx", STATE_FILE) if (folder / name).is_file())
    return {"seconds": fitted - started, "export_seconds": time.monotonic() - fitted, "bytes": written, "rounds": rounds}


def _write_graph(pipeline: Pipeline | Blend, context: Context, rows: Array, contract: dict[str, Any], folder: Path) -> None:
    """model.onnx from raw columns, contract.json, predict.py and what belongs to them."""
    import onnx

    readout = decode(Readout, contract.get("readout", {}))
    model = build_graph(pipeline, context, readout)
    onnx.save(model, str(folder / "model.onnx"))
    contract = described(contract, pipeline.encoder, {each.name for each in model.graph.input})
    guardrail = fit_guardrail(contract["columns"], context, guarded_rows(context, rows))
    contract = contract if guardrail is None else {**contract, "guardrail": guardrail}
    write_json(folder / "contract.json", contract)
    for name, content in getattr(pipeline.encoder, "files", {}).items():
        (folder / name).write_bytes(content)
    write_text(folder / "predict.py", bundle(modules_of(contract)))
    write_text(folder / "requirements.txt", requirements(getattr(pipeline.encoder, "requirements", ())))
    save_net(pipeline, folder / "net")
    np.save(folder / "parity.npy", readout.apply(pipeline.predict(context.parity), context.positive))


def save_net(pipeline: Pipeline | Blend, folder: Path) -> None:
    """What one needs to train on, of every fitted part."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pipeline.save(folder)


def described(contract: dict[str, Any], encoder: Any, taken: set[str]) -> dict[str, Any]:
    """The contract with what the graph takes: `taken` are its inputs.

    An encoder may feed a column in its own way: `encoder.feeds` is {column: [{"input", "dtype", "shape", "parse"}]}, and
    `encoder.chunk_rows` limits the rows that are parsed at a time. `encoder.files` ({name: bytes}) are written beside
    the graph and `encoder.requirements` are lines of requirements.txt.
    """
    feeds = getattr(encoder, "feeds", {})
    columns = []
    for column in contract["columns"]:
        own = feeds.get(column["name"], [])
        plain = {name: column[name] for name in ("input", "dtype", "parse")}
        used = [
            feed
            for feed in [*own, *([] if plain["input"] in [feed["input"] for feed in own] else [plain])]
            if feed["input"] in taken
        ]
        if used:
            columns.append({**column, "feeds": used} if own else column)
    chunk_rows = getattr(encoder, "chunk_rows", None)
    return {**contract, "columns": columns, **({"chunk_rows": int(chunk_rows)} if chunk_rows else {})}


def requirements(further: Iterable[str] = ()) -> str:
    """What predict.py needs, at the lowest versions that were seen to compute it right.

    onnxruntime 1.20 lacks TreeEnsemble of ai.onnx.ml 5; 1.21 to 1.23 load it and give wrong multiclass results.
    """
    return "\n".join(["numpy>=1.26", "pandas>=2.2", "onnxruntime>=1.24.1", *further]) + "\n"


def fit_and_predict(context: Context, trial: Trial, rows: Array, predicted: Array) -> Array:
    """Fit a trial's settings on `rows` and predict others of the same table."""
    pipeline = fit_trial(context, trial, rows, lambda part: scaled_rounds(context, part, rows))
    return pipeline.predict(context.table.take(predicted))
