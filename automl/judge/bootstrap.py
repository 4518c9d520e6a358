"""Scores with bootstrap intervals over rows, many resamples at once.

Every resample is a vector of row counts, so a score of a resample is the score of the rows weighted by their counts.
Means and sums become matrix products; ranking metrics sort once and then only accumulate counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Case
from automl.core.finding import Number
from automl.core.metrics import METRICS, Metric, at_half, log_losses, scaled_errors
from automl.core.parsers import parse_column
from automl.core.statistics import Interval, corrected_resampled_t, percentile_interval, resampling_counts, wilson_interval
from automl.judge.wording import number, unit_of

Array = np.ndarray[Any, Any]
Replicator = Callable[[Array], Array]
"""Counts (resamples, rows) to one score a resample: (resamples,)."""

RESAMPLES = 1000
FEWEST_RESAMPLES = 200
CELLS = 10_000_000
"""Rows x resamples x classes above which fewer resamples are drawn."""
CHUNK_CELLS = 200_000
"""Counts that fit into the processor's cache."""
FEW_SCORES = 64
HURRY_SECONDS = 5.0
"""With less time left than this the fewest resamples are drawn, and half of these in the very last moments."""


@dataclass(frozen=True)
class Comparison:
    """One metric of the judged model and of the baseline; `gain` is positive where the model is better."""

    metric: Metric
    model: Number
    baseline: Number
    gain: Interval


def compare(case: Case, metrics: Sequence[Metric]) -> list[Comparison]:
    """Scores of model and baseline on the judged rows, with paired 95 % percentile intervals; mean losses have studentised ones.

    A few huge errors make the mean of squares so skewed that percentiles hold the score of fresh rows too seldom.
    What was compared before for the same rows is not drawn again, as fewer resamples would be drawn where time is short.
    """
    missing = [each for each in metrics if _key(case, each) not in case.compared]
    for each, found in zip(missing, _compare(case, missing) if missing else [], strict=True):
        case.compared[_key(case, each)] = found, (case.truth, case.prediction, each.threshold)
    return [case.compared[_key(case, each)][0] for each in metrics]


def _key(case: Case, metric: Metric) -> tuple[Any, ...]:
    """What a comparison depends on; the arrays are kept beside it, so that no other ones can be taken for them."""
    threshold = id(metric.threshold) if isinstance(metric.threshold, np.ndarray) else metric.threshold
    return metric.name, id(case.truth), id(case.prediction), threshold


def _compare(case: Case, metrics: Sequence[Metric]) -> list[Comparison]:
    truth = case.truth
    models = [replicator(each, truth, case.prediction, case.positive) for each in metrics]
    plain = [each if each.threshold is None else METRICS[each.name] for each in metrics]  # the baseline calls the usual class
    baselines = [replicator(each, truth, case.baseline, case.positive) for each in plain]
    means = [_mean_loss(each, case, case.prediction) for each in metrics]
    of_baseline = [_mean_loss(each, case, case.baseline) for each in plain]
    further = [part for each in (*means, *of_baseline) if each is not None for part in (each.mean, each.error)]
    replicates = _run([*models, *baselines, *further], case)
    drawn = iter(replicates[2 * len(metrics) :])
    intervals = [None if each is None else each.interval(next(drawn), next(drawn)) for each in (*means, *of_baseline)]
    result = []
    for position, metric in enumerate(metrics):
        model, baseline = replicates[position], replicates[len(metrics) + position]
        pair = ((metric, case.prediction), (plain[position], case.baseline))
        scores = [one.score(truth, prediction, case.weight, case.positive) for one, prediction in pair]
        gains = model - baseline if metric.greater_is_better else baseline - model
        known = gains[np.isfinite(gains)]
        p = float((1 + (known <= 0).sum()) / (1 + len(known)))
        ends = intervals[position] or percentile_interval(model)
        of_base = intervals[len(metrics) + position] or percentile_interval(baseline)
        result.append(
            Comparison(
                metric,
                number(scores[0], *ends, unit=unit_of(metric, case.profile)),
                number(scores[1], *of_base, unit=unit_of(metric, case.profile)),
                Interval(metric.gain(*scores), *percentile_interval(gains), p),
            )
        )
    return result


def intervals(
    metrics: Sequence[Metric], truth: Array, prediction: Array, positive: int, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """The ends of the 95 % interval of each score on any rows, by metric, made as those of `compare`; accuracy has Wilson's.

    A metric whose resamples all give the same score has none.
    """
    prediction = np.asarray(prediction, np.float64)
    scorers = [replicator(each, truth, prediction, positive) for each in metrics]
    means = [mean_loss(each, truth, prediction, positive) for each in metrics]
    further = [part for each in means if each is not None for part in (each.mean, each.error)]
    total = _affordable_resamples(len(truth), _classes(prediction))
    parts: list[list[Array]] = [[] for _ in (*scorers, *further)]
    for block in count_blocks(len(truth), total, seed):
        for position, score in enumerate((*scorers, *further)):
            parts[position].append(score(block))
    drawn = iter([np.concatenate(each) for each in parts[len(scorers) :]])
    found = {}
    for metric, replicates, mean in zip(metrics, parts, means, strict=False):
        ends = None if mean is None else mean.interval(next(drawn), next(drawn))
        if metric.name == "accuracy":
            ends = wilson_interval(metric.score(truth, prediction, None, positive), len(truth))
        low, high = ends or percentile_interval(np.concatenate(replicates))
        if np.isfinite([low, high]).all() and low < high:
            found[metric.name] = (low, high)
    return found


FEWEST_UNITS = 20
"""Rows, or groups of rows, below which resamples are too alike to be studentised."""
MOST_OF_A_LOGARITHM, MOST_ERROR = 0.25, 0.5
"""Standard error of a mean loss, of itself, up to which its logarithm is studentised, and beyond which it is not studentised at
all: where one row makes most of the mean the upper end would be any number."""
BLOCKS = 50
"""Of rows in the order of time that are drawn whole: as many as give a steady interval, as long as that allows."""


@dataclass(frozen=True)
class _MeanLoss:
    """A score that is a mean of losses, or the root of one, as functions of many resamples: the mean and its standard error.

    Rows that belong together count as one; weights count as they do in the mean.
    """

    mean: Replicator
    error: Replicator
    observed: Array
    root: bool

    def interval(self, means: Array, errors: Array) -> tuple[float, float] | None:
        """The 95 % interval by the studentised bootstrap (Efron and Tibshirani, 1993, chapter 12.5); None where it has none.

        Of the logarithm, whose errors are less skewed, unless the error is so large a part of the mean that few rows make it.
        """
        value, error = float(self.mean(self.observed)[0]), float(self.error(self.observed)[0])
        known = np.isfinite(means) & (means > 0) & (errors > 0)
        if not (np.isfinite(value) and 0 < error <= MOST_ERROR * value and known.mean() > 0.99):
            return None
        means, errors = means[known], errors[known]
        if error <= MOST_OF_A_LOGARITHM * value:
            low, high = np.quantile((np.log(means) - np.log(value)) / (errors / means), [0.025, 0.975])
            ends = [value * float(np.exp(-each * error / value)) for each in (max(high, 0.0), min(low, 0.0))]
        else:
            low, high = np.quantile((means - value) / errors, [0.025, 0.975])
            ends = [max(0.0, value - each * error) for each in (max(high, 0.0), min(low, 0.0))]
        return (float(np.sqrt(ends[0])), float(np.sqrt(ends[1]))) if self.root else (ends[0], ends[1])


def _mean_loss(metric: Metric, case: Case, prediction: Array) -> _MeanLoss | None:
    return mean_loss(metric, case.truth, prediction, case.positive, case.weight, judged_groups(case))


def mean_loss(
    metric: Metric, truth: Array, prediction: Array, positive: int, weights: Array | None = None, units: Array | None = None
) -> _MeanLoss | None:
    """None for metrics that are no mean of losses that vary from row to row, and for few rows."""
    if metric.scaled:
        losses = scaled_errors(truth, prediction, metric.scales)
    elif metric.name in _LOSSES and metric.name != "accuracy":
        losses = _LOSSES[metric.name](truth, np.asarray(prediction, np.float64), positive)
    else:
        return None
    weight = np.ones(len(losses)) if weights is None else np.asarray(weights, np.float64)
    codes = np.arange(len(losses)) if units is None else np.unique(units, return_inverse=True)[1].ravel()
    first = np.unique(codes, return_index=True)[1]
    if len(first) < FEWEST_UNITS or not (weight[first] > 0).all():
        return None
    known = np.isfinite(losses)
    sums = np.bincount(codes, np.where(known, weight * np.nan_to_num(losses), 0.0)), np.bincount(codes, known * weight)
    products = np.stack([sums[0] ** 2, sums[0] * sums[1], sums[1] ** 2, *sums], axis=1)

    def error(counts: Array) -> Array:
        squares, crossed, weights, total, rows = ((counts[:, first] / weight[first]) @ products).T
        mean = _ratio(total, rows)
        return np.asarray(_ratio(np.sqrt(np.maximum(squares - 2 * mean * crossed + mean**2 * weights, 0.0)), rows))

    return _MeanLoss(_mean_of(losses), error, weight[None, :], metric.name == "rmse")


def headline(case: Case, metric: Metric) -> Number:
    """The score that the report opens with.

    Judged by nested cross-validation: the mean over its folds with the corrected resampled t interval
    (fold scores are not independent); otherwise the bootstrap over the judged rows.
    """
    if case.evidence is not None and len(case.evidence.nested) > 1 and case.evidence.metric == metric.name:
        ratio = 1.0 / (max(2, case.plan.split.folds) - 1)
        mean, low, high, _ = corrected_resampled_t(case.evidence.nested, ratio)
        return number(mean, metric.within(low), metric.within(high), unit=unit_of(metric, case.profile))
    return compare(case, [metric])[0].model


def score_replicates(
    metric: Metric, truth: Array, prediction: Array, case: Case, weight: Array | None = None, groups: Array | None = None
) -> Array:
    """Bootstrap replicates of one score on any rows of the case: (resamples,). groups: (rows,) of what is drawn together."""
    scorer = replicator(metric, truth, prediction, case.positive)
    total = resamples_for(len(truth), _classes(prediction), case)
    return np.concatenate([scorer(block) for block in count_blocks(len(truth), total, case.plan.seed, groups, weight)])


def resamples_for(rows: int, classes: int, case: Case) -> int:
    """1,000 resamples, fewer where rows are many or time is short."""
    if case.deadline.lacks(HURRY_SECONDS):
        return FEWEST_RESAMPLES // 2 if case.deadline.lacks(0.3 * HURRY_SECONDS) else FEWEST_RESAMPLES
    return _affordable_resamples(rows, classes)


def _affordable_resamples(rows: int, classes: int) -> int:
    cells = max(1, rows * classes)
    fewest = int(np.clip(2 * CELLS // cells, FEWEST_RESAMPLES // 4, FEWEST_RESAMPLES))
    return int(np.clip(CELLS // cells, fewest, RESAMPLES))


def judged_groups(case: Case) -> Array | None:
    """What the bootstrap draws together, a number a judged row: a group where the split was by group, a block of time where it
    was in time order, a window of a forecast; None where rows are drawn one by one."""
    if case.groups is not None:
        return case.groups
    key = "drawn together", case.plan.split.folds_kind, case.plan.split.column, id(case.judged)
    if key not in case.compared:
        case.compared[key] = groups_in(case, case.judged), case.judged  # kept, so that no other rows can be taken for them
    found: Array | None = case.compared[key][0]
    return found


def clusters(case: Case) -> Array | None:
    """The same where rows are no rows of their own at all: of a group, of a window. Blocks of time are too few to test by; tests
    of rows in the order of time take these as independent."""
    return judged_groups(case) if case.groups is not None or case.plan.split.folds_kind == "grouped" else None


def groups_in(case: Case, frame: pd.DataFrame) -> Array | None:
    """The same of any rows of the data. None where all of them would be drawn together, or blocks would be too few.

    Rows that follow each other in time err alike, so that drawn one by one their mean seems surer than it is (blocks that do
    not overlap: Carlstein, Annals of Statistics 14, 1986). Rows of one time are in one block.
    """
    column, kind = case.plan.split.column, case.plan.split.folds_kind
    if kind not in ("grouped", "time") or column is None or column not in frame.columns:
        return None
    return _named(frame[column]) if kind == "grouped" else _blocks(frame[column], case.profile.column(column).parse)


def _named(cells: pd.Series) -> Array | None:
    groups = np.unique([str(value) for value in cells], return_inverse=True)[1].ravel()
    return groups if groups.any() else None


def _blocks(cells: pd.Series, parse: dict[str, Any]) -> Array | None:
    """At most BLOCKS blocks of about as many rows each, in the order of time."""
    rows, most = len(cells), min(BLOCKS, len(cells) // 2)
    if most < FEWEST_UNITS:
        return None
    times = parse_column(cells, parse if parse.get("as") in ("datetime", "number") else {"as": "number"})
    _, place, counts = np.unique(times, return_inverse=True, return_counts=True)
    first = np.cumsum(counts) - counts
    blocks = np.unique((first * most // rows)[place.ravel()], return_inverse=True)[1].ravel()
    return blocks if blocks.max() + 1 >= FEWEST_UNITS else None


def drawn_units(case: Case) -> str:
    """What the bootstrap of the judged rows draws, in words."""
    if case.groups is not None:
        return "series or windows of the judged part"
    if judged_groups(case) is None:
        return "the judged rows"
    return f'groups of "{case.plan.split.column}"' if case.plan.split.folds_kind == "grouped" else "blocks of time"


def count_blocks(
    rows: int, resamples: int, seed: int, groups: Array | None = None, weight: Array | None = None
) -> Iterator[Array]:
    """Bootstrap counts in blocks of (some resamples, rows), multiplied by the rows' weights."""
    size = max(1, CHUNK_CELLS // max(1, rows))
    drawn = resampling_counts(rows, resamples, seed, groups)
    for start in range(0, resamples, size):
        block = np.stack([next(drawn) for _ in range(min(size, resamples - start))])
        yield block if weight is None else block * np.asarray(weight, np.float64)


def replicator(metric: Metric, truth: Array, prediction: Array, positive: int) -> Replicator:
    """The score of a metric as a function of many resamples at once; any metric works, the known ones fast."""
    prediction = at_half(np.asarray(prediction, np.float64), metric.threshold, positive)
    if metric.scaled:
        return _mean_of(scaled_errors(truth, prediction, metric.scales))
    if metric.name in _LOSSES:
        return _mean_of(_LOSSES[metric.name](truth, prediction, positive), np.sqrt if metric.name == "rmse" else None)
    if metric.name in _FAST:
        return _FAST[metric.name](truth, prediction, positive)
    return lambda counts: np.array([metric.score(truth, prediction, row, positive) for row in counts])


def _run(replicators: list[Replicator], case: Case) -> list[Array]:
    rows = len(case.truth)
    total = resamples_for(rows, _classes(case.prediction), case)
    blocks = count_blocks(rows, total, case.plan.seed, judged_groups(case), case.weight)
    parts: list[list[Array]] = [[] for _ in replicators]
    for block in blocks:
        for position, each in enumerate(replicators):
            parts[position].append(each(block))
    return [np.concatenate(each) for each in parts]


def _classes(prediction: Array) -> int:
    """Columns that have to be ranked: one for binary and regression."""
    return prediction.shape[1] if prediction.ndim == 2 and prediction.shape[1] > 2 else 1


def _mean_of(values: Array, transform: Callable[[Array], Array] | None = None) -> Replicator:
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)

    def score(counts: Array) -> Array:
        result = _ratio(counts @ filled, counts @ known.astype(np.float64))
        return result if transform is None else transform(result)

    return score


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0)


def _brier_of(truth: Array, prediction: Array, positive: int) -> Array:
    if prediction.shape[1] == 2:
        return np.asarray((prediction[:, positive] - (truth == positive)) ** 2)
    return np.asarray(((prediction - np.eye(prediction.shape[1])[truth]) ** 2).sum(axis=1))


def _mape_of(truth: Array, prediction: Array, positive: int) -> Array:
    return 100.0 * np.abs(prediction - truth) / np.where(truth == 0, np.nan, np.abs(truth))


def _smape_of(truth: Array, prediction: Array, positive: int) -> Array:
    size = (np.abs(truth) + np.abs(prediction)) / 2
    return 100.0 * np.abs(prediction - truth) / np.where(size == 0, np.nan, size)


_LOSSES: dict[str, Callable[[Array, Array, int], Array]] = {
    "log_loss": lambda truth, prediction, positive: log_losses(truth, prediction),
    "brier": _brier_of,
    "accuracy": lambda truth, prediction, positive: (prediction.argmax(axis=1) == truth).astype(np.float64),
    "rmse": lambda truth, prediction, positive: np.asarray((prediction - truth) ** 2),
    "mae": lambda truth, prediction, positive: np.abs(prediction - truth),
    "mape": _mape_of,
    "smape": _smape_of,
    "mase": lambda truth, prediction, positive: scaled_errors(truth, prediction, ()),
}


def _by_score(order: Array, score: Array, is_positive: Array) -> Callable[[Array], tuple[Array, Array]]:
    """Counts to (positives, negatives) drawn at each distinct score: (resamples, scores), in the order given."""
    sorted_score = score[order]
    starts = np.flatnonzero(np.r_[True, sorted_score[1:] != sorted_score[:-1]])
    positive = is_positive[order].astype(np.float64)
    if len(starts) <= FEW_SCORES:
        member = np.zeros((len(order), len(starts)))
        member[order, np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(order)]))] = 1.0
        happened = is_positive.astype(np.float64)[:, None]
        positive_member, negative_member = member * happened, member * (1.0 - happened)
        return lambda counts: (counts @ positive_member, counts @ negative_member)

    def split(counts: Array) -> tuple[Array, Array]:
        drawn = np.take(counts, order, axis=1)
        positives = drawn * positive
        drawn -= positives
        if len(starts) == len(order):
            return positives, drawn
        return np.add.reduceat(positives, starts, axis=1), np.add.reduceat(drawn, starts, axis=1)

    return split


def _area_under_roc(is_positive: Array, score: Array) -> Replicator:
    order = np.argsort(score, kind="stable")
    split = _by_score(order, score, is_positive)

    def area(counts: Array) -> Array:
        positives, negatives = split(counts)
        below = np.cumsum(negatives, axis=1)
        total = below[:, -1].copy()
        below -= 0.5 * negatives
        return _ratio(np.einsum("ij,ij->i", positives, below), positives.sum(axis=1) * total)

    return area


def _roc_auc(truth: Array, prediction: Array, positive: int) -> Replicator:
    if prediction.shape[1] == 2:
        return _area_under_roc(truth == positive, prediction[:, positive])
    classes = [code for code in range(prediction.shape[1]) if 0 < int((truth == code).sum()) < len(truth)]
    areas = [_area_under_roc(truth == code, prediction[:, code]) for code in classes]

    def mean(counts: Array) -> Array:
        values = np.array([area(counts) for area in areas]).reshape(len(areas), len(counts))
        return _ratio(np.nansum(values, axis=0), np.isfinite(values).sum(axis=0).astype(np.float64))

    return mean


def _average_precision(truth: Array, prediction: Array, positive: int) -> Replicator:
    score = -prediction[:, positive]
    order = np.argsort(score, kind="stable")
    split = _by_score(order, score, truth == positive)

    def area(counts: Array) -> Array:
        hits, others = split(counts)
        found = np.cumsum(hits, axis=1)
        seen = np.cumsum(others, axis=1)
        seen += found
        precision = np.divide(found, seen, out=np.zeros_like(seen), where=seen > 0)
        return _ratio(np.einsum("ij,ij->i", precision, hits), found[:, -1])

    return area


def _by_class(truth: Array, prediction: Array, codes: list[int]) -> Callable[[Array], tuple[Array, Array, Array]]:
    """Counts to (hits, actual rows, predicted rows), each (resamples, classes)."""
    predicted = prediction.argmax(axis=1)
    actual = np.stack([(truth == code) for code in codes], axis=1).astype(np.float64)
    called = np.stack([(predicted == code) for code in codes], axis=1).astype(np.float64)
    return lambda counts: (counts @ (actual * called), counts @ actual, counts @ called)


def _f1(truth: Array, prediction: Array, positive: int) -> Replicator:
    binary = prediction.shape[1] == 2
    tally = _by_class(truth, prediction, [positive] if binary else [int(code) for code in np.unique(truth)])

    def score(counts: Array) -> Array:
        hits, actual, called = tally(counts)
        each = np.nan_to_num(_ratio(2 * hits, actual + called))
        present = np.ones_like(actual, dtype=bool) if binary else actual > 0
        return _ratio((each * present).sum(axis=1), present.sum(axis=1).astype(np.float64))

    return score


def _balanced_accuracy(truth: Array, prediction: Array, positive: int) -> Replicator:
    tally = _by_class(truth, prediction, [int(code) for code in np.unique(truth)])

    def score(counts: Array) -> Array:
        hits, actual, _ = tally(counts)
        recalls = _ratio(hits, actual)
        return _ratio(np.nansum(recalls, axis=1), np.isfinite(recalls).sum(axis=1).astype(np.float64))

    return score


def _r2(truth: Array, prediction: Array, positive: int) -> Replicator:
    # Centred on the mean of all rows: sums of squares of large values would cancel.
    centred = truth - truth.mean()
    columns = np.stack([np.ones(len(truth)), centred, centred**2, (prediction - truth) ** 2], axis=1)

    def score(counts: Array) -> Array:
        total, first, second, squares = (counts @ columns).T
        return 1.0 - _ratio(squares, second - _ratio(first**2, total))

    return score


_FAST: dict[str, Callable[[Array, Array, int], Replicator]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "f1": _f1,
    "balanced_accuracy": _balanced_accuracy,
    "r2": _r2,
}
