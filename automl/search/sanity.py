"""Probes of sanity: shuffled labels, the same seed twice, a few rows learned by heart, a range of learning rates.

Each is a few small fits by the same code that trains what is shipped, in the process that trains its architecture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.core.clock import Deadline
from automl.core.errors import AutomlError, BeyondMemoryError, OutOfTimeError
from automl.core.evidence import Evidence, Trial
from automl.core.metrics import log_losses
from automl.core.probes import NO_TIME, Memorised, Probes, RateTest, Repeated, Shuffled
from automl.core.space import Settings
from automl.core.table import Category, Table
from automl.search.context import Context
from automl.search.pipeline import Pipeline, fit_pipeline
from automl.search.trial import failing_as_training_error, learner_of
from automl.splitting import seeds

Array = np.ndarray[Any, Any]

MOST_ROWS, MOST_ROWS_OF_A_NET = 3000, 1500
"""Rows that a fit of a probe learns from."""
MOST_ROUNDS, MOST_EPOCHS = 60, 4
MOST_FOLDS = 3
FEWEST_SCORED = 50
PERMUTATIONS = 1999
DOUBTFUL = 0.01
"""Where the first deal of labels is known with such a p, a second one has to say so too."""
MEMORISED_ROWS, MEMORISED_STEPS, FEWEST_STEPS = 100, 300, 100
SLOWER = 0.1
RATE_FACTORS = tuple(10.0 ** (half / 2) for half in range(-3, 4))
RATE_ROWS, RATE_STEPS = 256, 30
LEAST_FIT_SECONDS = {False: 0.1, True: 0.4}
"""Of one fit, by whether it is a net: building and encoding take that even for few rows."""
CAUTION = 1.5
MOST_COUNTED = 45.0
"""Seconds that a probe may be expected to take where trials are counted, not time."""


@dataclass(frozen=True)
class Probe:
    """One probe. run: (context, trial, seed) -> what it found. fits: how many fits it makes, each of so many rows and rounds."""

    name: str
    run: Callable[[Context, Trial, int], Any]
    of_nets: bool
    fits: int
    row_rounds: float


def run_probe(context: Context, name: str, trial: Trial) -> Any:
    """What a probe of this name finds about a trial's form. Raises TrainingError where it fails."""
    probe = next(each for each in PROBES if each.name == name)
    with failing_as_training_error():
        return probe.run(context, trial, seeds(context.plan.seed)(f"probe {name}"))


def probed(context: Context, evidence: Evidence, workshop: Any, spent: Callable[[Trial], float], deadline: Deadline) -> Probes:
    """Every probe of the champion's form, and of the best net that was trained, for which there is time before the deadline.

    workshop: runs what needs TensorFlow. spent: seconds that training a trial once more took.
    """
    form = _main_part(context, evidence.best_trial(evidence.champion))
    net = form if form is not None and _is_net(context, form) else _best_net(context, evidence)
    found: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    failed: dict[str, str] = {}
    for probe in PROBES:
        trial = net if probe.of_nets else form
        why = _why_not(context, probe, trial)
        if why or trial is None:
            left_out[probe.name] = why
            continue
        counted = context.plan.trials is not None  # then no clock is asked: what the declaration expects decides
        again, left = (_declared(context, trial), MOST_COUNTED) if counted else (spent(trial), deadline.searching_seconds())
        if CAUTION * _seconds(context, probe, trial, again) > left:
            left_out[probe.name] = NO_TIME
            continue
        try:
            here = not _is_net(context, trial)
            found[probe.name] = run_probe(context, probe.name, trial) if here else workshop.sanity(probe.name, trial, deadline)
        except OutOfTimeError:
            left_out[probe.name] = NO_TIME
        except BeyondMemoryError as error:
            left_out[probe.name] = str(error)
        except AutomlError as error:  # beside the run, which goes on: the check says so
            failed[probe.name] = str(error)
    return Probes(
        architecture="" if form is None else form.architecture,
        net="" if net is None else net.architecture,
        left_out=left_out,
        failed=failed,
        **found,
    )


def _is_net(context: Context, trial: Trial) -> bool:
    return context.architecture(trial.architecture).needs_tensorflow


def _main_part(context: Context, trial: Trial | None) -> Trial | None:
    """The trial itself, or the member of an ensemble that counts most."""
    if trial is None or not trial.members:
        return trial
    return max(trial.members, key=lambda member: member.weight).trial


def _best_net(context: Context, evidence: Evidence) -> Trial | None:
    nets = [each for each in evidence.trials if each.score is not None and not each.members and _is_net(context, each)]
    return max(nets, key=lambda trial: context.metric.gain(trial.score or 0.0, 0.0), default=None)


def _why_not(context: Context, probe: Probe, trial: Trial | None) -> str:
    """Why a probe does not apply; "" where it does."""
    if trial is None:
        return "no net was trained" if probe.of_nets else "nothing was chosen"
    if not probe.of_nets and context.architecture(trial.architecture).rung == 0:
        return "the baseline does not look at the columns"
    if context.rolling:
        return "it does not apply to a forecast"
    return ""


def _seconds(context: Context, probe: Probe, trial: Trial, again_seconds: float) -> float:
    """What a probe should take, by what training the folds of the trial took."""
    net = _is_net(context, trial)
    rows = context.rows_a_fit(trial.rows)
    looks = len(context.search_folds) * rows * max(1, trial.rounds)
    row_rounds = probe.row_rounds if probe.of_nets else min(_most_rows(context, trial), rows) * max(1, _rounds(context, trial))
    return probe.fits * max(LEAST_FIT_SECONDS[net], again_seconds * row_rounds / max(1.0, looks))


def _declared(context: Context, trial: Trial) -> float:
    """What training the folds of the trial should take by what its architecture declares: the same on every machine."""
    return context.architecture(trial.architecture).cost(context.profile, trial.settings).seconds


def _most_rows(context: Context, trial: Trial) -> int:
    return MOST_ROWS_OF_A_NET if _is_net(context, trial) else MOST_ROWS


def _rounds(context: Context, trial: Trial) -> int:
    return min(trial.rounds, MOST_EPOCHS if _is_net(context, trial) else MOST_ROUNDS)


def _fitted(context: Context, trial: Trial, settings: Settings, rounds: int, rows: Array) -> Pipeline:
    """Nothing that was encoded or fitted before is used."""
    afresh = replace(context, encoded={})
    architecture = context.architecture(trial.architecture)
    return fit_pipeline(afresh, architecture, learner_of(context, architecture), settings, rounds, trial.seed, rows)


# --- shuffled labels -------------------------------------------------------------------------------------------------


def shuffled_labels(context: Context, trial: Trial, seed: int) -> Shuffled:
    """Fits on labels dealt out anew, on folds of the search. The truth of the labels is gone, so whoever still predicts them
    has seen them: rows of validation in training, or an encoder that looks at their labels.

    p of two deals: of the product of two uniform numbers (Fisher).
    """
    found = _dealt(context, trial, np.random.default_rng(seed))
    if found.p_value > DOUBTFUL:
        return found
    product = found.p_value * _dealt(context, trial, np.random.default_rng([seed, 1])).p_value
    return replace(found, p_value=product * (1.0 - math.log(product)), deals=2)


def _dealt(context: Context, trial: Trial, generator: np.random.Generator) -> Shuffled:
    """One deal of the labels."""
    target = context.target.copy()
    target[context.training_rows] = generator.permutation(target[context.training_rows])
    blind = replace(context, target=target, encoded={})
    scores, baselines, agreement, most, chance, rows = [], [], 0.0, 0.0, np.zeros(PERMUTATIONS), 0
    for fold in context.search_folds[:MOST_FOLDS]:
        learned = blind.sample(fold.training, _most_rows(context, trial))
        held = np.sort(generator.permutation(fold.validation)[:MOST_ROWS])
        prediction = _fitted(blind, trial, trial.settings, _rounds(context, trial), learned).predict(blind.table.take(held))
        constant = _constant(target[learned], len(held), context)
        scores.append(blind.score(held, prediction))
        baselines.append(blind.score(held, constant))
        agreement += _agreement(prediction, target[held])
        most += 1.0 if prediction.ndim == 2 else float(prediction.std() * target[held].std())
        chance += [_agreement(prediction, generator.permutation(target[held])) for _ in range(PERMUTATIONS)]
        rows += len(held)
    p_value = (1.0 + float((chance >= agreement).sum())) / (1.0 + PERMUTATIONS)
    share, by_chance = (agreement / most, float(chance.mean()) / most) if most > 0 else (0.0, 0.0)
    return Shuffled(float(np.nanmean(scores)), float(np.nanmean(baselines)), p_value, rows, share, by_chance)


def _agreement(prediction: Array, target: Array) -> float:
    """How far predictions go with a target: mean probability of the true class, or covariance."""
    if prediction.ndim == 2:
        return float(prediction[np.arange(len(target)), target].mean())
    return float(((prediction - prediction.mean()) * target).mean())


def _constant(learned: Array, rows: int, context: Context) -> Array:
    """What one predicts who knows the labels that were learned from, but no column."""
    if not context.profile.task.is_classification:
        return np.full(rows, float(learned.mean()))
    shares = np.bincount(learned, minlength=context.profile.outputs) / len(learned)
    return np.tile(shares, (rows, 1))


# --- the same seed twice ---------------------------------------------------------------------------------------------


def same_seed(context: Context, trial: Trial, seed: int) -> Repeated:
    """Two fits on the same rows of the first fold with the same seed, from the raw table on."""
    fold = context.search_folds[0]
    learned = context.sample(fold.training, _most_rows(context, trial))
    held = context.table.take(fold.validation[:MOST_ROWS])
    first, second = (_fitted(context, trial, trial.settings, _rounds(context, trial), learned).predict(held) for _ in range(2))
    scale = 1.0 if context.profile.task.is_classification else float(np.std(context.target[context.training_rows])) or 1.0
    return Repeated(float(np.max(np.abs(first - second))) / scale, held.rows)


# --- nets ------------------------------------------------------------------------------------------------------------


def memorised(context: Context, trial: Trial, seed: int) -> Memorised:
    """A net that cannot learn a hundred rows by heart has a fault (Goodfellow, Bengio and Courville, Deep Learning, 11.5).

    Without dropout, decay and smoothing, on its own schedule; a second time at a tenth of the rate where it went badly.
    """
    rows = _unlike(context, MEMORISED_ROWS, seed)
    name, rate = _rate_of(context, trial)
    best: Memorised | None = None
    for factor in (1.0, SLOWER):
        settings, rounds, steps = _short(context, trial, len(rows), MEMORISED_STEPS)
        settings[name] = factor * rate
        loss, accuracy = _losses_of(context, trial, settings, rounds, rows)
        constant_loss = _loss(context, _constant(context.target[rows], len(rows), context), rows)
        found = Memorised(len(rows), steps, loss, constant_loss, accuracy, factor * rate, rate)
        if best is None or found.learned > best.learned:
            best = found
        if best.by_heart:
            break
    assert best is not None
    return best


def rate_range(context: Context, trial: Trial, seed: int) -> RateTest:
    """A range test (Smith, Cyclical learning rates for training neural networks, 2017): a fresh start at each rate, on the
    schedule of the settings."""
    rows = _unlike(context, RATE_ROWS, seed)
    name, rate = _rate_of(context, trial)
    settings, rounds, steps = _short(context, trial, len(rows), RATE_STEPS)
    points = []
    for factor in RATE_FACTORS:
        settings = {**settings, name: factor * rate}
        points.append((factor * rate, _losses_of(context, trial, settings, rounds, rows)[0]))
    constant_loss = _loss(context, _constant(context.target[rows], len(rows), context), rows)
    return RateTest(tuple(points), rate, constant_loss, len(rows), steps)


def _rate_of(context: Context, trial: Trial) -> tuple[str, float]:
    """The setting that is the learning rate, and its value."""
    name = "sgd_learning_rate" if trial.settings.get("optimizer") == "sgd" and "sgd_learning_rate" in trial.settings else None
    name = name or "learning_rate"
    defaults: Any = getattr(learner_of(context, context.architecture(trial.architecture)), "defaults", {})
    return name, float(trial.settings.get(name, defaults.get(name, 1e-3)))


def _short(context: Context, trial: Trial, rows: int, steps: int) -> tuple[Settings, int, int]:
    """(settings of a training of about so many steps without what hinders learning by heart, its epochs, its steps)."""
    batch = int(trial.settings.get("batch_size", rows))
    an_epoch = -(-rows // batch)
    epochs = max(1, round(steps / an_epoch))
    loosened = {
        key: 0.0
        for key, value in trial.settings.items()
        if isinstance(value, float) and ("dropout" in key or key in ("weight_decay", "label_smoothing"))
    }
    return {**trial.settings, **loosened, "sharpness": 1.0, "epochs": epochs}, epochs, epochs * an_epoch


def _losses_of(context: Context, trial: Trial, settings: Settings, rounds: int, rows: Array) -> tuple[float, float | None]:
    """(loss, accuracy) on the rows that were learned from; NaN where training broke down."""
    try:
        with failing_as_training_error():
            prediction = _fitted(context, trial, settings, rounds, rows).predict(context.table.take(rows))
    except AutomlError as error:
        if "finite" not in str(error):
            raise
        return float("nan"), None
    accuracy = None
    if context.profile.task.is_classification:
        accuracy = float((prediction.argmax(axis=1) == context.target[rows]).mean())
    return _loss(context, prediction, rows), accuracy


def _loss(context: Context, prediction: Array, rows: Array) -> float:
    truth = context.target[rows]
    losses = log_losses(truth, prediction) if context.profile.task.is_classification else (prediction - truth) ** 2
    return float(np.mean(losses))


def _unlike(context: Context, most: int, seed: int) -> Array:
    """Positions of training rows no two of which look the same: those could not be told apart by heart."""
    drawn = np.random.default_rng(seed).permutation(context.training_rows)[: 4 * most]
    seen: set[tuple[Any, ...]] = set()
    kept = []
    for row, cells in zip(drawn.tolist(), _cells(context.table.take(drawn)), strict=True):
        if cells not in seen:
            seen.add(cells)
            kept.append(row)
    return np.sort(np.asarray(kept[:most], np.int64))


def _cells(table: Table) -> list[tuple[Any, ...]]:
    columns: list[list[Any]] = []
    for column in table.columns.values():
        values = column.codes if isinstance(column, Category) else np.asarray(column)
        columns.append([value.tobytes() if isinstance(value, np.ndarray) else repr(value) for value in values])
    return list(zip(*columns, strict=True))


PROBES = (
    Probe("repeated", same_seed, False, 2, 0.0),
    Probe("shuffled", shuffled_labels, False, MOST_FOLDS, 0.0),
    Probe("memorised", memorised, True, 1, MEMORISED_STEPS * 128.0),
    Probe("rates", rate_range, True, len(RATE_FACTORS), RATE_STEPS * 256.0),
)
