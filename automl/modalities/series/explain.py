"""What a model of series looks at: stretches that matter, curves of the classes, worst mistakes, how series were made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Case
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.core.metrics import log_losses
from automl.core.parsers import make_parser
from automl.core.profile import ColumnProfile, Kind

Array = np.ndarray[Any, Any]

SHOWN = 6
"""Series in a figure."""
AVERAGED = 60
"""Judged series over which the importance of a stretch is averaged."""
STRETCHES = 16
"""Parts of a series that are taken away one at a time."""
MOST_POINTS = 200
MOST_CHANNELS = 3
MOST_CLASSES = 6


def explain(case: Case) -> list[Finding]:
    """Findings AML520 to AML524. What shows single series is left out with --no-samples."""
    found = case.profile.features_of(Kind.SERIES)
    if not found:
        return []
    column = found[0]
    findings = [_arranged(case, column)]
    values = _values(case.judged, column) if len(case.judged) and column.name in case.judged else None
    if values is None or not len(case.truth) or case.predict is None:
        return findings
    findings.append(_class_curves(case, column, values))
    if case.plan.samples:
        findings += _sheet(case, column)
    if not case.deadline.expired:
        findings += _stretches(case, column, values)
    if case.plan.samples:
        findings += _mistakes(case, column, values)
    return findings


def _values(frame: pd.DataFrame, column: ColumnProfile) -> Array:
    """(rows, length, channels) float32 of raw cells."""
    return np.asarray(make_parser(column.parse).column(frame[column.name]))


# --- how the series were made ------------------------------------------------------------------------------------------


def _arranged(case: Case, column: ColumnProfile) -> Finding:
    facts = column.statistics
    told = [*case.profile.arrangement.get("told", ()), *_oddities(facts)]
    length = facts["length"]
    spread = f"{length['min']:,} to {length['max']:,}" if length["min"] < length["max"] else f"{length['max']:,}"
    channels = facts["channels"]
    sentence = f"{case.profile.rows:,} series of {spread} steps in " + (
        "one channel" if len(channels) == 1 else f"{len(channels)} channels"
    )
    odd = facts.get("empty", 0) + facts.get("of_one_point", 0)
    return Finding(
        code="AML520",
        title="Series",
        severity=Severity.TIP if odd or len(told) > 1 + ("every" in column.parse) else Severity.PASSED,
        section=Section.DATA,
        sentence=f"The data holds {sentence}" + (f": {'; '.join(told)}." if told else "."),
        table={"columns": ["channel"], "rows": [[name] for name in channels[:20]]} if len(channels) > 1 else {},
        action="Check that these are the series that you meant; --id, --time-column and --modality say it otherwise.",
    )


def _oddities(facts: dict[str, Any]) -> list[str]:
    """Sentences on series that tell little, and what becomes of them."""
    told = []
    if facts.get("empty"):
        told.append(f"{facts['empty']:,} hold no number and are predicted as the average series is")
    if facts.get("of_one_point"):
        told.append(f"{facts['of_one_point']:,} have a single point, of which only the level can be used")
    if facts.get("unchanging"):
        told.append(f"{facts['unchanging']:,} never change")
    if facts.get("missing_inside"):
        missing = f"{facts['missing_inside']:,} missing values inside series"
        told.append(f"{missing} are filled on straight lines between their neighbours")
    return told


# --- stretches that matter ---------------------------------------------------------------------------------------------


def stretch_weights(case: Case, column: ColumnProfile, rows: Array, values: Array) -> Array:
    """How much the prediction for each row changes when a stretch is taken away: (rows, length), NaN after the end.

    A stretch is made missing, so that the model sees a straight line there. For classes the change is the fall of the
    predicted class' probability, for values the absolute change; both at the stretch's best covered steps.
    """
    assert case.predict is not None
    length = values.shape[1]
    ends = np.asarray([_end(each) for each in values])
    width = np.maximum(2, -(-ends // STRETCHES))
    changed, owners, places = [], [], []
    for position, end in enumerate(ends):
        for start in range(0, int(end), int(width[position])):
            copy = values[position, :end].copy()
            stop = min(int(end), start + int(width[position]))
            copy[start:stop] = np.nan
            if stop == end:  # the last stretch: missing values at the end would make the series shorter
                copy[start:stop] = values[position, start - 1] if start else 0.0
            changed.append(np.repeat(copy, _times_factor(column), axis=0))
            owners.append(position)
            places.append((start, stop))
    frame = case.judged.iloc[rows[owners]].drop(columns=[column.name]).reset_index(drop=True)
    frame.insert(0, column.name, pd.Series(changed, dtype=object))
    found = case.predict(frame)
    weights = np.full((len(values), length), np.nan)
    for owner, (start, stop), prediction in zip(owners, places, found, strict=True):
        usual = case.prediction[rows[owner]]
        if case.profile.task.is_classification:
            top = int(np.argmax(usual))
            change = float(usual[top] - prediction[top])
        else:
            change = abs(float(usual - prediction))
        weights[owner, start:stop] = change
    return weights


def _end(series: Array) -> int:
    known = np.flatnonzero(np.isfinite(series).any(axis=1))
    return int(known[-1]) + 1 if len(known) else 0


def _stretches(case: Case, column: ColumnProfile, values: Array) -> list[Finding]:
    rows = _spread_over_classes(case, min(AVERAGED, len(values)))
    rows = rows[[_end(values[row]) >= 2 for row in rows]]
    if not len(rows):
        return []
    weights = stretch_weights(case, column, rows, values[rows])
    mean = np.asarray([np.nanmean(step[np.isfinite(step)]) if np.isfinite(step).any() else 0.0 for step in weights.T])
    highest = int(np.argmax(mean))
    unit = "the probability of the predicted class" if case.profile.task.is_classification else "the predicted value"
    near = np.flatnonzero(mean >= 0.5 * mean[highest]) if mean[highest] > 0 else np.asarray([highest])
    first, last = _run_around(near, highest)
    step = _times_factor(column)
    figures = [
        Figure(
            "stretches",
            "line",
            "How much each stretch matters",
            f"Height: how much {unit} changes on average when the model does not see this part of a series.",
            (Series("change", _thinned(np.arange(len(mean)) * step), _thinned(mean)),),
            "step",
            "change",
            "zero",
        )
    ]
    if case.plan.samples:
        figures.append(_marked(case, column, rows[:SHOWN], values[rows[:SHOWN]], weights[:SHOWN]))
    finding = Finding(
        code="AML521",
        title="The stretch that mattered",
        severity=Severity.PASSED,
        section=Section.WHY,
        sentence=(
            f"Over {len(rows):,} judged series the steps {first * step:,} to {last * step:,} matter most: without them {unit} "
            f"{'falls' if case.profile.task.is_classification else 'moves'} by {mean[highest]:.2g} on average."
        ),
        about="evaluated",
        figures=tuple(figures),
        action="Check that this stretch can know the answer; one that cannot hints at a leak in how the series were recorded.",
    )
    return [finding]


def _run_around(places: Array, middle: int) -> tuple[int, int]:
    """The first and last of the consecutive places around one of them."""
    parts = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    run = next(part for part in parts if middle in part)
    return int(run[0]), int(run[-1])


def _times_factor(column: ColumnProfile) -> int:
    return int(column.parse.get("every", 1))


def _spread_over_classes(case: Case, count: int) -> Array:
    """Positions of judged rows: a first one of each class, a second one of each, and so on; rows put right come first."""
    if not case.profile.task.is_classification:
        order = np.argsort(case.truth, kind="stable")
        return np.asarray(order[np.linspace(0, len(order) - 1, count).astype(int)])
    truth = np.asarray(case.truth, np.int64)
    wrong = case.called != truth
    order = np.lexsort((np.arange(len(truth)), wrong, truth))
    rank = np.zeros(len(truth), np.int64)
    starts = np.searchsorted(truth[order], np.arange(truth.max() + 1))
    rank[order] = np.arange(len(truth)) - starts[truth[order]]
    return np.asarray(np.lexsort((truth, rank))[:count])


def _marked(case: Case, column: ColumnProfile, rows: Array, values: Array, weights: Array) -> Figure:
    step = _times_factor(column)
    curves = []
    for row, series, weight in zip(rows, values, weights, strict=True):
        end = _end(series)
        channel = _liveliest(series[:end])
        share = np.clip(np.nan_to_num(weight[:end]), 0.0, None)
        share = share / share.max() if share.max() > 0 else share
        caption = _caption(case, int(row), column, channel)
        points = (np.arange(end) * step, series[:end, channel], share)
        curves.append(Series(caption, _thinned(points[0]), _thinned(points[1]), low=_thinned(points[2])))
    return Figure(
        "marked_series",
        "marked_line",
        "Single series",
        "The darker the ground, the more the prediction changes when the model does not see this stretch.",
        tuple(curves),
        "step",
        "value",
    )


def _caption(case: Case, row: int, column: ColumnProfile, channel: int) -> str:
    name = f"row {case.row_number(row):,}" if len(case.row_ids) == len(case.truth) else f"judged row {row:,}"
    names = column.statistics["channels"]
    which = f", {names[channel]}" if len(names) > 1 else ""
    if not case.profile.task.is_classification:
        return f"{name}{which}: truth {float(case.truth[row]):.4g}, predicted {float(case.prediction[row]):.4g}"
    predicted = int(case.called[row])
    truth, said = case.profile.classes[int(case.truth[row])], case.profile.classes[predicted]
    return f"{name}{which}: {truth}, predicted {said} ({case.prediction[row, predicted]:.0%})"


def _liveliest(series: Array) -> int:
    """The channel that varies most for its size."""
    spread = [float(np.nanstd(one)) if np.isfinite(one).any() else -1.0 for one in series.T]
    return int(np.argmax(spread)) if len(spread) else 0


def _thinned(values: Array) -> tuple[Any, ...]:
    """At most MOST_POINTS of them, as plain numbers; None where missing."""
    every = max(1, -(-len(values) // MOST_POINTS))
    return tuple(None if not np.isfinite(value) else round(float(value), 6) for value in values[::every])


# --- what it was trained on ------------------------------------------------------------------------------------------


def _sheet(case: Case, column: ColumnProfile) -> list[Finding]:
    """AML522: single training series with their label, as the model gets them."""
    rows = np.random.default_rng(case.plan.seed).permutation(case.training_rows)[: 3 * SHOWN]
    drawn = case.dataset.frame.iloc[rows]
    values = _values(drawn, column)
    chosen = _drawable(values, np.arange(len(rows)))
    if not len(chosen):
        return []
    names, step = column.statistics["channels"], _times_factor(column)
    curves = []
    for row, label in zip(chosen.tolist(), drawn[case.profile.target].iloc[chosen].tolist(), strict=True):
        series = values[row, : _end(values[row])]
        channel = _liveliest(series)
        named = f", {names[channel]}" if len(names) > 1 else ""
        points = np.arange(len(series)) * step
        unmarked = (0.0,) * len(_thinned(points))
        curves.append(
            Series(f"row {int(rows[row]):,}{named}: {label}", _thinned(points), _thinned(series[:, channel]), low=unmarked)
        )
    how = "Each has its own scale" + ("; of several channels the liveliest is shown." if len(names) > 1 else ".")
    return [
        Finding(
            code="AML522",
            title="A training batch as the model gets it",
            severity=Severity.PASSED,
            section=Section.DATA,
            sentence=f"{len(curves)} training series with their label.",
            about="evaluated",
            figures=(Figure("training_series", "marked_line", "Training series", how, tuple(curves), "step", "value"),),
            action="Look whether series and labels belong together, and whether a series is cut off or constant.",
        )
    ]


# --- curves of the classes ---------------------------------------------------------------------------------------------


def _class_curves(case: Case, column: ColumnProfile, values: Array) -> Finding:
    names, step = column.statistics["channels"], _times_factor(column)
    if case.profile.task.is_classification:
        counts = np.bincount(np.asarray(case.truth, np.int64), minlength=len(case.profile.classes))
        common = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
        codes = [code for code in sorted(common.tolist()) if counts[code]]
        groups = {case.profile.classes[code]: np.flatnonzero(case.truth == code) for code in codes}
        apart = "class"
    else:
        low, high = np.quantile(case.truth, [1 / 3, 2 / 3])
        groups = {
            "lowest third": np.flatnonzero(case.truth <= low),
            "middle third": np.flatnonzero((case.truth > low) & (case.truth <= high)),
            "highest third": np.flatnonzero(case.truth > high),
        }
        apart = f'third of "{case.profile.target}"'
    figures = []
    for channel in range(min(len(names), MOST_CHANNELS)):
        curves = []
        for name, rows in groups.items():
            mean, spread = _mean_and_spread(values[rows, :, channel]) if len(rows) else (np.zeros(0), np.zeros(0))
            if len(mean):
                low_band, high_band = _thinned(mean - spread), _thinned(mean + spread)
                curves.append(Series(str(name), _thinned(np.arange(len(mean)) * step), _thinned(mean), low_band, high_band))
        title = f"Mean series of each {apart}" + (f": {names[channel]}" if len(names) > 1 else "")
        how = "Line: mean over the judged series that reach this step; band: one standard deviation."
        figures.append(Figure(f"class_curves_{channel}", "line", title, how, tuple(curves), "step", names[channel]))
    shown = "" if len(names) <= MOST_CHANNELS else f" The first {MOST_CHANNELS} of {len(names)} channels are shown."
    return Finding(
        code="AML524",
        title="Curves of the classes" if case.profile.task.is_classification else "Curves by the target",
        severity=Severity.PASSED,
        section=Section.DATA,
        sentence=f"The mean series of each {apart}, as the model gets them, can be checked by eye.{shown}",
        figures=tuple(figures),
        action="Look for labels that seem exchanged and for channels that are constant or cut off.",
    )


def _mean_and_spread(series: Array) -> tuple[Array, Array]:
    """Over rows, (length,) each, up to the last step that any row reaches; NaN where no row has a value."""
    known = np.isfinite(series)
    counts = known.sum(axis=0)
    reached = np.flatnonzero(counts)
    end = int(reached[-1]) + 1 if len(reached) else 0
    filled, counts = np.nan_to_num(series[:, :end]).astype(np.float64), counts[:end]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(counts > 0, filled.sum(axis=0) / counts, np.nan)
        square = (np.where(known[:, :end], filled - mean, 0.0) ** 2).sum(axis=0) / counts
    return mean, np.sqrt(square)


# --- worst mistakes ----------------------------------------------------------------------------------------------------


def _mistakes(case: Case, column: ColumnProfile, values: Array) -> list[Finding]:
    if case.profile.task.is_classification:
        losses = log_losses(np.asarray(case.truth, np.int64), case.prediction)
        wrong = np.flatnonzero(case.called != case.truth)
        order = _drawable(values, wrong[np.argsort(-losses[wrong], kind="stable")])
        counted = f"{len(wrong):,} of {len(case.truth):,} judged series"
        sentence = f"{counted} are put into a wrong class; the surest mistakes are shown."
    else:
        order = _drawable(values, np.argsort(-np.abs(case.prediction - case.truth), kind="stable"))
        sentence = "The judged series with the largest errors are shown."
    if not len(order):
        return []
    weights = np.zeros(values[order].shape[:2])
    if not case.deadline.expired:
        weights = stretch_weights(case, column, order, values[order])
    figure = _marked(case, column, order, values[order], weights)
    return [
        Finding(
            code="AML523",
            title="Worst mistakes, as curves",
            severity=Severity.PASSED,
            section=Section.FAILURES,
            sentence=sentence,
            about="evaluated",
            figures=(figure,),
            action="A wrong label, a sensor that failed or a kind of series that training lacked shows here first.",
        )
    ]


def _drawable(values: Array, order: Array) -> Array:
    """The first of these rows whose series has two steps or more, which make a line."""
    return np.asarray([row for row in order if _end(values[row]) >= 2][:SHOWN], np.int64)
