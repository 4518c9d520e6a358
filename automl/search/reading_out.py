"""Fits the readout on out-of-fold predictions: a calibrator where it helps, a threshold by its rule, conformal bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from automl.core.metrics import log_losses
from automl.core.options import MOST_LOST
from automl.core.plan import Plan
from automl.core.readout import LEAST, Attempt, Calibrator, Readout, Threshold
from automl.core.tasks import Task
from automl.search.conforming import fit_conformal
from automl.search.context import Context
from automl.search.crossing import PARTS, groups_of, paired_gain, parts_of
from automl.search.group_thresholds import GroupedRows, fit_group_thresholds
from automl.splitting import seeds

Array = np.ndarray[Any, Any]

FEWEST_ROWS = 200
"""Out-of-fold predictions below which nothing is calibrated: the gain could not be told from chance."""
FEWEST_ISOTONIC = 1000
"""Isotonic regression follows the noise of fewer rows (Niculescu-Mizil and Caruana, ICML 2005)."""
MOST_ROWS = 50_000
MOST_KNOTS = 64
ALPHA = 0.05
SHARPNESS = (0.05, 20.0)


def fit_readout(
    context: Context, out_of_fold: Array, calibrate: bool = True, thresholds_by: GroupedRows | None = None
) -> Readout:
    """The readout for these out-of-fold predictions: (rows, classes) in the order of the table, NaN where there is none.

    calibrate: not where no rows are sealed: the judged predictions are then those of folds, and no calibrated model is judged.
    thresholds_by: the groups that shall have thresholds of their own.
    """
    if context.rolling:  # a forecast has quantiles of its own
        return Readout()
    rows = np.flatnonzero(np.isfinite(out_of_fold.reshape(len(out_of_fold), -1)).all(axis=1))
    weight = np.ones(len(rows)) if context.weight is None else context.weight[rows]
    predictions, truth = out_of_fold[rows], context.target[rows]
    if not context.profile.task.is_classification:
        return Readout(conformal=fit_conformal(context, rows, predictions))
    calibrator, attempts = None, tuple[Attempt, ...]()
    if calibrate and len(rows) >= FEWEST_ROWS:
        calibrator, attempts = _calibrator(context, rows, predictions, truth, weight)
    read = predictions if calibrator is None else calibrator.apply(predictions, context.positive)
    threshold = None
    if context.profile.task is Task.BINARY and has_rule(context.plan):
        threshold = fit_threshold(read[:, context.positive], truth == context.positive, weight, context.plan)
    if thresholds_by is not None:
        lost = MOST_LOST if context.plan.max_accuracy_loss is None else context.plan.max_accuracy_loss
        overall = 0.5 if threshold is None else threshold.value
        positive = read[:, context.positive], truth == context.positive
        part = parts_of(groups_of(context, rows), np.random.default_rng(seeds(context.plan.seed)("thresholds by group")))
        threshold, _ = fit_group_thresholds(thresholds_by, rows, *positive, weight, overall, lost, part)
    columns = {} if thresholds_by is None else thresholds_by.table.columns
    limits = None if threshold is None else threshold.limits(columns)
    limits = limits[rows] if isinstance(limits, np.ndarray) else limits
    return Readout(calibrator, threshold, attempts, fit_conformal(context, rows, read, limits))


# --- calibrating -----------------------------------------------------------------------------------------------------


def _calibrator(
    context: Context, rows: Array, predictions: Array, truth: Array, weight: Array
) -> tuple[Calibrator | None, tuple[Attempt, ...]]:
    """The better of the calibrators that help, the one with fewer parameters on a tie."""
    generator = np.random.default_rng(seeds(context.plan.seed)("calibration"))
    groups = groups_of(context, rows)
    part = parts_of(groups, generator)
    binary, positive = context.profile.task is Task.BINARY, context.positive
    fits: dict[str, Callable[[Array], Calibrator]] = {
        "temperature": lambda chosen: fit_temperature(predictions[chosen], truth[chosen], weight[chosen])
    }
    if binary and len(rows) >= FEWEST_ISOTONIC:
        fits["isotonic"] = lambda chosen: fit_isotonic(predictions[chosen, positive], truth[chosen] == positive, weight[chosen])
    losses = log_losses(truth, predictions)
    best, attempts = None, []
    for method, fit in fits.items():
        crossed = np.array(predictions)
        for number in range(PARTS):
            held = part == number
            if held.any() and not held.all():
                crossed[held] = fit(_some(np.flatnonzero(~held), generator)).apply(predictions[held], positive)
        new = log_losses(truth, crossed)
        gain, p_value = paired_gain(losses - new, weight, groups)
        metric_gain = context.metric.gain(
            _by_part(context, part, truth, crossed, weight), _by_part(context, part, truth, predictions, weight)
        )
        told = f"log loss {'falls' if gain > 0 else 'rises'} by {abs(gain):.2g}"
        if p_value >= ALPHA:
            attempts.append(Attempt(method, gain, p_value, False, f"{told}, no more than by chance" if gain > 0 else told))
        elif metric_gain < 0 and context.metric.name != "log_loss":
            attempts.append(Attempt(method, gain, p_value, False, f"{told}, but {context.metric.title} gets worse"))
        else:
            attempts.append(Attempt(method, gain, p_value, True, told))
            best, losses = method, new  # a later one, with more parameters, must help beyond this one
    if best is None:
        return None, tuple(attempts)
    kept = tuple(Attempt(each.method, each.gain, each.p_value, each.method == best, each.sentence) for each in attempts)
    return fits[best](_some(np.arange(len(rows)), generator)), kept


def _some(rows: Array, generator: np.random.Generator) -> Array:
    return rows if len(rows) <= MOST_ROWS else np.sort(generator.choice(rows, MOST_ROWS, replace=False))


def _by_part(context: Context, part: Array, truth: Array, predictions: Array, weight: Array) -> float:
    """The plan's metric within each part, as each part was calibrated by another calibrator."""
    scores = [
        context.metric.score(
            truth[part == number],
            predictions[part == number],
            None if context.weight is None else weight[part == number],
            context.positive,
        )
        for number in np.unique(part)
    ]
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else float("nan")


def fit_temperature(probabilities: Array, truth: Array, weight: Array) -> Calibrator:
    """The sharpness with the least weighted log loss, which is convex in it.

    probabilities: (rows, classes); truth: (rows,) codes.
    """
    from scipy.optimize import minimize_scalar

    logits = np.log(np.clip(probabilities, LEAST, 1.0))
    own = logits[np.arange(len(truth)), truth]

    def loss(sharpness: float) -> float:
        scaled = sharpness * logits
        top = scaled.max(axis=1)
        normaliser = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        return float((weight * (normaliser - sharpness * own)).sum())

    found = minimize_scalar(loss, bounds=SHARPNESS, method="bounded", options={"xatol": 1e-4})
    return Calibrator("temperature", float(found.x))


def fit_isotonic(probability: Array, happened: Array, weight: Array) -> Calibrator:
    """Centred isotonic regression: every level of the isotonic fit is a knot at the mean of its probabilities.

    probability, happened: (rows,) of the positive class. Levels stay off 0 and 1 by the rule of succession, as a
    probability that never came true among n rows is no zero.
    """
    from sklearn.isotonic import IsotonicRegression

    level = IsotonicRegression().fit(probability, happened, weight).predict(probability)
    _, block = np.unique(level, return_inverse=True)
    rows, mass = np.bincount(block), np.bincount(block, weight)
    places = np.bincount(block, weight * probability) / mass
    values = np.clip(np.bincount(block, weight * happened) / mass, 1.0 / (rows + 2.0), 1.0 - 1.0 / (rows + 2.0))
    values = np.maximum.accumulate(values)
    chosen = (
        np.unique(np.linspace(0, len(places) - 1, MOST_KNOTS).round().astype(int)) if len(places) > MOST_KNOTS else slice(None)
    )
    places, values = places[chosen].astype(np.float32), values[chosen].astype(np.float32)
    distinct = np.r_[True, np.diff(places) > 0]
    places, values = places[distinct], values[distinct]
    if len(places) == 1:  # one level: all probabilities are that one
        places, values = np.r_[places, places + 1], np.r_[values, values]
    return Calibrator("isotonic", knots=tuple(zip(places.tolist(), values.tolist(), strict=True)))


# --- calling ---------------------------------------------------------------------------------------------------------


def has_rule(plan: Plan) -> bool:
    """Whether the plan says how the threshold is chosen; else the more probable class is called."""
    floors = (plan.cost_fp, plan.cost_fn, plan.min_precision, plan.min_recall)
    return plan.metric == "f1" or any(each is not None for each in floors)


def fit_threshold(probability: Array, happened: Array, weight: Array, plan: Plan) -> Threshold:
    """The threshold that is best by the plan's rule on these rows: (rows,) each, of the positive class."""
    order = np.argsort(-probability, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(probability[order]) < 0, True])
    hits = np.cumsum((weight * happened)[order])[ends]
    alarms = np.cumsum((weight * ~happened)[order])[ends]
    places = probability[order][ends]
    precision = np.divide(hits, hits + alarms, out=np.zeros_like(hits), where=hits + alarms > 0)
    recall = hits / max(float(hits[-1]), 1e-300)
    f1 = 2 * hits / np.maximum(hits + alarms + hits[-1], 1e-300)
    costs = (plan.cost_fp if plan.cost_fp is not None else 1.0, plan.cost_fn if plan.cost_fn is not None else 1.0)
    cost = (costs[0] * alarms + costs[1] * (hits[-1] - hits)) / weight.sum()
    met = True
    if plan.min_precision is not None:
        reached = precision >= plan.min_precision
        met, rule = bool(reached.any()), f"the most of the class that leaves a precision of {plan.min_precision:g}"
        best = int(np.flatnonzero(reached)[-1]) if met else int(precision.argmax())
    elif plan.min_recall is not None:
        rule = f"the most precise that finds {100 * plan.min_recall:g} % of the class"
        best = int(np.where(recall >= plan.min_recall, precision, -1.0).argmax())
    elif plan.cost_fp is not None or plan.cost_fn is not None:
        rule = f"the lowest cost, where a false alarm costs {costs[0]:g} and a miss {costs[1]:g}"
        best = int(cost.argmin())
    else:
        rule, best = "the highest F1", int(f1.argmax())
    following = places[best + 1] if best + 1 < len(places) else 0.0
    expected = {"precision": precision[best], "recall": recall[best], "f1": f1[best], "cost": cost[best]}
    value = float(np.float32(0.5 * (places[best] + following)))
    return Threshold(value, rule, {name: float(each) for name, each in expected.items()}, met)


__all__ = ["fit_isotonic", "fit_readout", "fit_temperature", "fit_threshold", "has_rule"]
