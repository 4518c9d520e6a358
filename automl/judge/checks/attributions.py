"""AML503 to AML505, AML508: what moves the predictions, all of them and single ones, and whether that deserves belief."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Array, Case, Check, Turn
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.core.statistics import percentile_interval
from automl.judge.curves import sampled
from automl.judge.deletion import Deletion, deletion
from automl.judge.examples import class_name
from automl.judge.margins import Cells, Margins, ease, explainable, positive_of, probability_of, start_name, start_text, taken
from automl.judge.scoring import not_applicable, not_run
from automl.judge.shapley import Attribution, attribute, strongest
from automl.judge.wording import count_text, figures_text, names_text, number, percent_text

TITLE = "What moves the predictions"
SINGLE = "Why single rows are predicted as they are"
BELIEF = "Whether the explanations deserve belief"
STABLE = "Whether the order of the columns is stable"
MOST_PLAYERS = 40
MOST_ROWS, FEWEST_ROWS = 150, 30
MOST_BACKGROUND, FEWEST_BACKGROUND = 50, 15
CELLS, PREDICTIONS = 2e7, 1.5e5
"""Cells and mixed rows that are predicted in all, at most; of the rows fewer where the model is large."""
SHARE_OF_TIME = 0.25
LEAST_SECONDS = 0.5
MOST_SWARMS, MOST_STEPS, MOST_TOLD = 12, 8, 3
REPLACING, TESTED_ROWS = 8, 60
STABLE_FROM = 0.8
"""Rank correlation from which on the order of the columns counts as stable."""
RESAMPLES = 300


@dataclass(frozen=True)
class _Explained:
    """The attributions of some judged rows, and what they were made from.

    places: their positions among the judged rows. wanted: how many were to be explained.
    """

    model: Margins
    found: Attribution
    places: Array
    frame: pd.DataFrame
    cells: Cells
    background: Cells
    other_background: Cells
    replacing: Cells
    wanted: int


def run(case: Case) -> list[Finding]:
    model = explainable(case, LEAST_SECONDS)
    if isinstance(model, str):
        return not_applicable("AML503", TITLE, Section.WHY, f"The predictions were not taken apart, because {model}.")
    explained = _explained(case, model)
    sizes = np.abs(explained.found.values).mean(axis=(0, 2))
    if not sizes.any():
        return not_applicable("AML503", TITLE, Section.WHY, "No column moves the predictions: they are all the same.")
    return [
        _global(case, explained, sizes),
        *_single(case, explained),
        *_belief(case, explained),
        *_stability(case, explained),
    ]


def _explained(case: Case, model: Margins) -> _Explained:
    columns = len(model.players)
    players = min(columns, MOST_PLAYERS)
    rows, many = _effort(min(len(case.truth), MOST_ROWS), players, min(PREDICTIONS * ease(case), CELLS / columns))
    limit = case.deadline.until(share=SHARE_OF_TIME)
    generator = np.random.default_rng(case.plan.seed)
    training = case.training_rows
    drawn = generator.permutation(training)[: 2 * many + REPLACING]
    others = case.dataset.frame.iloc[drawn].reset_index(drop=True)
    cells = model.read(others)
    places = np.arange(len(others))
    background, replacing, other = (taken(cells, part) for part in (places[:many], places[-REPLACING:], places[many : 2 * many]))
    places = generator.permutation(sampled(len(case.truth), case.plan.seed, rows))
    frame = case.judged.iloc[places].reset_index(drop=True)
    of_rows = model.read(frame)
    model = strongest(model, of_rows, background, MOST_PLAYERS, case.plan.seed)
    found = attribute(model, of_rows, background, case.plan.seed, limit=limit)
    case.deadline.short |= len(found) < rows
    done = np.arange(len(found))
    return _Explained(model, found, places[done], frame.iloc[done], taken(of_rows, done), background, other, replacing, rows)


def _effort(rows: int, players: int, most: float) -> tuple[int, int]:
    """Rows and background rows so that at most so many mixed rows are predicted: no clock is asked."""
    many, least = MOST_BACKGROUND, min(rows, FEWEST_ROWS)
    while 2.0 * rows * many * players > most and (rows > least or many > FEWEST_BACKGROUND):
        fewer_rows = rows > least and (rows / MOST_ROWS >= many / MOST_BACKGROUND or many == FEWEST_BACKGROUND)
        rows, many = (max(least, rows - 3), many) if fewer_rows else (rows, max(FEWEST_BACKGROUND, many - 1))
    return rows, many


# --- words -----------------------------------------------------------------------------------------------------------


def _about(case: Case) -> str:
    """What the numbers are about: `the log-odds of "yes"`, or `"price"`."""
    if not case.profile.task.is_classification:
        return f'"{case.profile.target}"'
    positive = positive_of(case)
    return "the log-odds of the called class" if positive is None else f'the log-odds of "{class_name(case, positive)}"'


_LOG_ODDS = (
    " Log-odds are the scale on which influences add up: 1 more multiplies the odds by 2.7, which takes 50 % to 73 % and 90 %"
    " to 96 %."
)


def _global(case: Case, explained: _Explained, sizes: Array) -> Finding:
    found, background = explained.found, len(next(iter(explained.background.values())))
    order = np.argsort(-sizes, kind="stable")
    generator = np.random.default_rng(case.plan.seed)
    each = np.abs(found.values).mean(axis=2)  # (rows, players)
    draws = each[generator.integers(len(found), size=(RESAMPLES, len(found)))].mean(axis=1)
    intervals = [percentile_interval(draws[:, at]) for at in range(len(sizes))]
    unit = "" if case.profile.task.is_classification else case.profile.target
    told = ", ".join(f'"{found.columns[at]}" ({figures_text(float(sizes[at]))})' for at in order[:MOST_TOLD].tolist())
    sentence = (
        f"{_about(case)[:1].upper()}{_about(case)[1:]} is moved most by {told}: the mean size of what the column's value adds to"
        f" a prediction or takes from it, over {count_text(len(found), 'judged row')} and against {background} training rows"
    )
    if len(found) < explained.wanted:
        sentence += f" (fewer rows than the usual {explained.wanted}, as time was short)"
    idle = [found.columns[at] for at in order.tolist() if sizes[at] == 0.0]
    if idle:
        sentence += f"; {names_text(idle)} {'moves' if len(idle) == 1 else 'move'} nothing"
    swarm = found.values.shape[2] == 1
    return Finding(
        code="AML503",
        title=TITLE,
        severity=Severity.PASSED,
        section=Section.WHY,
        sentence=f"{sentence}.",
        about="evaluated",
        numbers={
            found.columns[at]: number(float(sizes[at]), intervals[at][0], intervals[at][1], unit)
            for at in order[: 2 * MOST_SWARMS].tolist()
        },
        figures=(_swarm(case, explained, order) if swarm else _bars(case, explained, order, sizes, intervals),),
        table=_sizes(found, order, sizes, intervals) if swarm else {},
    )


def _sizes(found: Attribution, order: Array, sizes: Array, intervals: list[tuple[float, float]]) -> dict[str, Any]:
    errors = np.sqrt((found.errors**2).mean(axis=(0, 2)))
    return {
        "columns": ["column", "mean size", "low", "high", "error of sampling"],
        "rows": [[found.columns[at], float(sizes[at]), *intervals[at], float(errors[at])] for at in order.tolist()],
    }


def _swarm(case: Case, explained: _Explained, order: Array) -> Figure:
    found = explained.found
    series = [
        Series(found.columns[at], _ranks(explained, at), tuple(found.values[:, at, 0].tolist()))
        for at in order[:MOST_SWARMS].tolist()
    ]
    how = (
        f"A dot is one judged row: how far right or left it stands is what the column's value adds to {_about(case)} of that row,"
        " compared with the training rows, and takes from it. The shade tells whether the value is low or high for its column;"
        " categories have no order."
    )
    how += _LOG_ODDS if case.profile.task.is_classification else ""
    return Figure("attributions", "beeswarm", TITLE, how, tuple(series), "column", f"adds to {_about(case)}", "zero")


def _ranks(explained: _Explained, at: int) -> tuple[float | None, ...]:
    """Where the values of a column stand among each other, from 0 to 1; None for categories and what is missing."""
    inputs = explained.model.players[at].inputs
    values = explained.cells[inputs[0]].reshape(-1)
    nothing = (None,) * len(values)
    if len(inputs) > 1 or values.dtype.kind not in "fi":
        return nothing
    numbers = values.astype(np.float64)
    known = np.isfinite(numbers) & (numbers > float(np.iinfo(np.int64).min))
    if not known.any():
        return nothing
    levels, places = np.unique(numbers[known], return_inverse=True)
    ranks = np.full(len(numbers), np.nan)
    ranks[known] = places / max(1, len(levels) - 1)
    return tuple(float(rank) if np.isfinite(rank) else None for rank in ranks)


def _bars(case: Case, explained: _Explained, order: Array, sizes: Array, intervals: list[tuple[float, float]]) -> Figure:
    shown = order[:MOST_SWARMS].tolist()
    series = Series(
        "size",
        tuple(explained.found.columns[at] for at in shown),
        tuple(float(sizes[at]) for at in shown),
        tuple(intervals[at][0] for at in shown),
        tuple(intervals[at][1] for at in shown),
    )
    how = (
        "Each bar is how much the column's value adds to the log-odds of a class or takes from them, its mean size over classes"
        f" and judged rows (95 % interval over rows).{_LOG_ODDS}"
    )
    return Figure("attributions", "bar", TITLE, how, (series,), "column", "mean size of what it adds, in log-odds", "zero")


# --- single rows -----------------------------------------------------------------------------------------------------


def _single(case: Case, explained: _Explained) -> list[Finding]:
    if not case.plan.samples:
        return not_applicable("AML504", SINGLE, Section.WHY, "Rows are not shown because of --no-samples.")
    chosen = _telling(case)
    places = np.array([place for place, _ in chosen])
    frame = case.judged.iloc[places].reset_index(drop=True)
    cells = explained.model.read(frame)
    found = attribute(explained.model, cells, explained.background, case.plan.seed)
    figures, rows = [], []
    for at, (place, why) in enumerate(chosen):
        output = _output(case, place, found)
        row = case.row_number(int(place))
        figures.append(_waterfall(case, found, (at, output), frame, f"Row {row:,}: {why}"))
        rows.append([row, why, *_end(case, found, at, output), _reasons(found, at, output)])
    _, first, _, end, because = rows[0]
    start = start_text(float(found.base[_output(case, chosen[0][0], found)]), case.profile.task.is_classification)
    told = f"Row {rows[0][0]:,} ({first}) starts at {start}, and ends at {_said(case, end)}, by {because}"
    if np.isin(case.row_ids, case.training_rows).any():
        told += (
            "; these rows were judged by models of folds that had not seen them, while what is taken apart is the model fitted on"
            " all rows, which may say otherwise"
        )
    return [
        Finding(
            code="AML504",
            title=SINGLE,
            severity=Severity.PASSED,
            section=Section.WHY,
            sentence=f"{told}.",
            about="evaluated",
            figures=tuple(figures),
            table={"columns": ["row", "chosen as", "actual", "predicted", "what adds most"], "rows": rows},
            action="Any row can be explained, with what would change its prediction: `automl explain RUN rows.csv`.",
        )
    ]


def _telling(case: Case) -> list[tuple[int, str]]:
    """Rows worth a look, each with what it stands for."""
    if case.profile.task.is_classification:
        sure = case.prediction[np.arange(len(case.called)), case.called]
        right = case.called == case.truth
        ordered = np.sort(case.prediction, axis=1)
        candidates = [
            (np.where(right, -1.0, sure), "the surest mistake"),
            (np.where(right, sure, -1.0), "the surest that is right"),
            (ordered[:, -2] - ordered[:, -1], "the least certain"),
        ]
    else:
        error = case.prediction - case.truth
        candidates = [
            (error, "predicted most too high"),
            (-error, "predicted most too low"),
            (-np.abs(error) + 1e-9 * np.abs(case.truth - case.truth.mean()), "predicted best"),
        ]
    chosen: dict[int, str] = {}
    for score, why in candidates:
        best = int(np.argmax(score))
        if score[best] > -1.0 or not case.profile.task.is_classification or why == "the least certain":
            chosen.setdefault(best, why)
    return list(chosen.items())


def _output(case: Case, place: int, found: Attribution) -> int:
    """The output that is explained: the called class, or the only one there is."""
    return int(case.called[place]) if found.values.shape[2] > 1 else 0


MEAN_OF_MARGINS = " The mean is taken of the log-odds, so the share at the start is not the mean of the probabilities."


def _level(case: Case, margin: float) -> str:
    if not case.profile.task.is_classification:
        return figures_text(margin)
    return percent_text(float(probability_of(margin)))


def _said(case: Case, predicted: Any) -> str:
    return predicted if isinstance(predicted, str) else figures_text(predicted)


def _end(case: Case, found: Attribution, at: int, output: int) -> tuple[Any, Any]:
    """The truth and the prediction of a chosen row, as they are shown."""
    place = _telling(case)[at][0]
    if not case.profile.task.is_classification:
        return float(case.truth[place]), float(found.output[at, 0])
    positive = positive_of(case)
    about = class_name(case, output if positive is None else positive)
    return class_name(case, int(case.truth[place])), f'{_level(case, float(found.output[at, output]))} for "{about}"'


def _reasons(found: Attribution, at: int, output: int) -> str:
    values = found.values[at, :, output]
    order = np.argsort(-np.abs(values), kind="stable")[:MOST_TOLD].tolist()
    sizes = [("+" if values[each] > 0 else "-") + figures_text(abs(float(values[each]))) for each in order]
    return ", ".join(f"{found.columns[each]} ({size})" for each, size in zip(order, sizes, strict=True))


def _waterfall(case: Case, found: Attribution, which: tuple[int, int], frame: pd.DataFrame, title: str) -> Figure:
    at, output = which
    values = found.values[at, :, output]
    order = np.argsort(-np.abs(values), kind="stable").tolist()
    shown, rest = order[:MOST_STEPS], order[MOST_STEPS:]
    labels = [_labelled(found.columns[each], frame, at) for each in shown]
    steps = [float(values[each]) for each in shown]
    if rest:
        labels.append(f"{len(rest)} other{'s' * (len(rest) > 1)}")
        steps.append(float(values[rest].sum()))
    positive = positive_of(case)
    about = _about(case)
    if case.profile.task.is_classification:
        about = f'the log-odds of "{class_name(case, output if positive is None else positive)}"'
    base, end = float(found.base[output]), float(found.output[at, output])
    classification = case.profile.task.is_classification
    how = (
        f"The way starts at {start_text(base, classification)} (a sample of the training rows), and ends at this row"
        f" ({_level(case, end)}): each bar is what the row's value of a column adds to {about} or takes from it. They add up."
    )
    how += MEAN_OF_MARGINS if classification else ""
    series = Series("steps", (start_name(classification), *labels), (base, *steps))
    return Figure(f"row_{at}", "waterfall", title, how, (series,), "this row", about, "")


def _labelled(name: str, frame: pd.DataFrame, at: int) -> str:
    if name not in frame:
        return name
    value = frame[name].iloc[at]
    shown = "missing" if pd.isna(value) or value == "" else figures_text(value, 4) if isinstance(value, float) else str(value)
    return f"{name} = {shown if len(shown) <= 24 else shown[:23] + '…'}"


# --- the deletion test -----------------------------------------------------------------------------------------------


def _belief(case: Case, explained: _Explained) -> list[Finding]:
    found = explained.found
    if len(explained.model.players) < 3 or len(found) < 5:
        return not_applicable("AML505", BELIEF, Section.WHY, "With so few columns or rows no order of them can be tested.")
    tested = np.arange(min(len(found), max(FEWEST_ROWS, round(TESTED_ROWS * ease(case)))))
    part = Attribution(found.columns, found.values[tested], found.errors[tested], found.base, found.output[tested])
    outputs = np.array([_output(case, int(explained.places[at]), found) for at in tested])
    told = deletion(explained.model, explained.cells, part, outputs, explained.replacing, case.plan.seed)
    believed = told.low > 0
    area, low, high = (figures_text(value) for value in (told.area, told.low, told.high))
    sentence = (
        f"Where columns are set to another row's values in the order of what they are said to add, {_about(case)} falls sooner"
        f" than where they are in random order: by {area} on average over the way (95 % interval {low} to {high})"
    )
    if not believed:
        sentence = (
            f"Replacing columns in the order of what they are said to add lowers {_about(case)} no sooner than replacing them in"
            f" random order (by {area} on average over the way, 95 % interval {low} to {high}): the explanations deserve no"
            " belief"
        )
    return [
        Finding(
            code="AML505",
            title=BELIEF,
            severity=Severity.PASSED if believed else Severity.TIP,
            section=Section.WHY,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers={
                "mean_lead_over_random_order": number(told.area, told.low, told.high),
                "mean_distance_from_the_mean": number(told.scale),
            },
            figures=(_curves(case, told),),
            action="" if believed else "Do not read meaning into the influences of single columns for this model.",
        )
    ]


def _curves(case: Case, told: Deletion) -> Figure:
    shares = tuple(float(share) for share in told.shares)
    low, high = (tuple(edge.tolist()) for edge in told.ordered_interval)
    series = (
        Series("as explained", shares, tuple(told.ordered.tolist()), low, high),
        Series("random order", shares, tuple(told.random.tolist())),
    )
    how = (
        f"The columns of {told.rows} judged rows are set to values of other rows, one after another. If the explanations are"
        " right, the prediction falls fastest at first where the columns that are said to raise it most come first, and comes"
        " back once those that lower it are replaced as well. The band is a 95 % interval over rows."
    )
    return Figure("deletion", "line", BELIEF, how, series, "share of the columns replaced", f"fall of {_about(case)}", "zero")


# --- stability -------------------------------------------------------------------------------------------------------


def _stability(case: Case, explained: _Explained) -> list[Finding]:
    """The order of the columns by two halves of the rows, each against a background and by a seed of its own."""
    found, players = explained.found, len(explained.model.players)
    half = len(found) // 2
    limit = case.deadline.until(share=SHARE_OF_TIME)
    enough = players >= 4 and half >= FEWEST_ROWS // 2 and len(next(iter(explained.other_background.values())))
    if not enough or limit.expired:
        why = "time was short" if limit.expired else "there are too few columns or rows"
        unmade = not_run if limit.expired else not_applicable
        return unmade("AML508", STABLE, Section.WHY, f"Whether the order of the columns is stable was not asked: {why}.")
    rest = taken(explained.cells, np.arange(half, len(found)))
    again = attribute(explained.model, rest, explained.other_background, case.plan.seed + 1, limit=limit)
    case.deadline.short |= len(again) < len(found) - half
    parts = [np.abs(values).mean(axis=2) for values in (found.values[:half], again.values)]  # (rows, players) each
    first, second = (part.mean(axis=0) for part in parts)
    generator = np.random.default_rng(case.plan.seed)
    draws = [
        _rank_correlation(*(part[generator.integers(len(part), size=len(part))].mean(axis=0) for part in parts))
        for _ in range(RESAMPLES)
    ]
    value = _rank_correlation(first, second)
    low, high = percentile_interval(np.asarray(draws))
    low, high = min(low, value), max(high, value)
    tops = [[found.columns[at] for at in np.argsort(-part, kind="stable")[:MOST_TOLD].tolist()] for part in (first, second)]
    stable = value >= STABLE_FROM
    sentence = (
        f"Two halves of the explained rows, each compared with training rows of its own, put the columns in"
        f" {'nearly the same' if stable else 'different'} order: rank correlation {value:.2f} (95 % interval"
        f" {low:.2f} to {high:.2f}); first come {names_text(tops[0])}"
    )
    sentence += " in both" if tops[0] == tops[1] else f", or {names_text(tops[1])}"
    return [
        Finding(
            code="AML508",
            title=STABLE,
            severity=Severity.PASSED if stable else Severity.TIP,
            section=Section.WHY,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers={"rank_correlation": number(value, low, high)},
            table={
                "columns": ["column", "mean size, first half", "second half"],
                "rows": [
                    [found.columns[at], float(first[at]), float(second[at])]
                    for at in np.argsort(-first)[: 2 * MOST_SWARMS].tolist()
                ],
            },
            action="" if stable else "Read the sizes with their intervals, not the order of the columns.",
        )
    ]


def _rank_correlation(first: Array, second: Array) -> float:
    """Spearman's, with mean ranks for ties; 1 where neither has an order."""
    ranks = [pd.Series(values).rank().to_numpy() for values in (first, second)]
    if any(np.ptp(each) == 0 for each in ranks):
        return 1.0 if all(np.ptp(each) == 0 for each in ranks) else 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


CHECK = Check("AML503", TITLE, Section.WHY, run, independent=True, turn=Turn.EXTRA, seconds=3)
