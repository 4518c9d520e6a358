"""What a forecast rests on: its intervals, the forecasts beside the truth, errors by step ahead, and what mattered."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.case import Case
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.methods import FORMS, MEDIAN, QUANTILES, lag_names, lag_rows, net_inputs
from automl.core.panel import Panel, extended, pick
from automl.encoders.panel import covariates

Array = np.ndarray[Any, Any]

NOMINAL, LEAST_COVERAGE, MOST_COVERAGE = 0.8, 0.7, 0.9
SHOWN_WINDOWS, SHOWN_SERIES = 3, 12
SAMPLED_ROWS, SHUFFLES = 4_000, 3


def explain(case: Case) -> list[Finding]:
    """AML530 intervals, AML531 forecasts beside the truth, AML532 errors by step ahead, AML533 what mattered, AML534 series,
    AML535 windows as a net sees them.
    """
    if case.quantiles is None or not len(case.truth):
        return []
    findings = [_intervals(case), _windows(case), _by_lead(case), _what_matters(case)]
    if case.details["forecaster"].state["method"] == "net":
        findings.append(_training_windows(case))
    return findings + ([_by_series(case)] if len(case.profile.arrangement["names"]) > 1 else [])


def weighted_quantile_loss(truth: Array, quantiles: Array) -> float:
    """Twice the pinball loss summed over rows and levels, over the sum of the values' sizes, averaged over the levels."""
    errors = truth[:, None] - quantiles
    levels = np.asarray(QUANTILES)
    loss = np.maximum(levels * errors, (levels - 1.0) * errors)
    total = float(np.abs(truth).sum())
    return float(2.0 * loss.sum(axis=0).mean() / total) if total > 0 else float("nan")


def coverage(truth: Array, quantiles: Array, low: float, high: float) -> float:
    """Share of the rows whose truth lies between two quantiles."""
    inside = (truth >= quantiles[:, QUANTILES.index(low)]) & (truth <= quantiles[:, QUANTILES.index(high)])
    return float(inside.mean())


def _intervals(case: Case) -> Finding:
    assert case.quantiles is not None
    found = coverage(case.truth, case.quantiles, 0.1, 0.9)
    wider = coverage(case.truth, case.quantiles, 0.05, 0.95)
    loss = weighted_quantile_loss(case.truth, case.quantiles)
    good = LEAST_COVERAGE <= found <= MOST_COVERAGE
    below = (case.truth[:, None] <= case.quantiles).mean(axis=0)
    pairs = np.unique(np.stack([case.details["series"], case.details["origins"]]), axis=1)
    origins = int(np.bincount(pairs[0]).max())
    sentence = (
        f"The 80 % intervals hold the truth in {found:.0%} of the {len(case.truth):,} sealed rows "
        f"({origins:,} {'origin' if origins == 1 else 'origins'}), the 90 % intervals in {wider:.0%}; "
        f"the weighted quantile loss is {loss:.4f}."
    )
    wrong = "narrow" if found < LEAST_COVERAGE else "wide"
    figure = Figure(
        "coverage",
        "line",
        "Levels of the quantiles",
        "On the diagonal the intervals are right; below it the forecasts are too high, above it too low.",
        (Series("share of the truth below", QUANTILES, tuple(float(each) for each in below)),),
        "level of the quantile",
        "share of sealed rows below it",
        "diagonal",
    )
    return Finding(
        code="AML530",
        title="Intervals of the forecast",
        severity=Severity.PASSED if good else Severity.ISSUE,
        section=Section.TRUST,
        sentence=sentence,
        about="evaluated",
        numbers={"coverage_80": Number(found), "coverage_90": Number(wider), "weighted_quantile_loss": Number(loss)},
        figures=(figure,),
        action="" if good else f"The intervals are too {wrong} on the sealed rows: plan with a margin of your own.",
    )


# --- forecasts beside the truth --------------------------------------------------------------------------------------


def _windows(case: Case) -> Finding:
    """The last window, a middling one and the worst one."""
    details = case.details
    cuts, places = np.unique(np.stack([details["series"], details["origins"]]), axis=1, return_inverse=True)
    places = places.reshape(-1)
    errors = np.bincount(places, weights=_scaled_errors(case)) / np.bincount(places)
    order = np.argsort(errors)
    last = int(np.flatnonzero(cuts[1] == cuts[1].max())[0])
    chosen = list(dict.fromkeys([last, int(order[len(order) // 2]), int(order[-1])]))[:SHOWN_WINDOWS]
    words = dict(zip((int(order[-1]), int(order[len(order) // 2]), last), ("the worst", "a middling", "the last"), strict=True))
    figures = tuple(
        _figure(case, np.flatnonzero(places == each), words.get(each, "a"), number) for number, each in enumerate(chosen)
    )
    what = "window" if len(errors) == 1 else "windows"
    return Finding(
        code="AML531",
        title="Forecasts beside the truth",
        severity=Severity.PASSED,
        section=Section.FAILURES,
        sentence=(
            f"Over {len(errors):,} sealed {what} the mean error of a window lies between {errors.min():.2f} and "
            f"{errors.max():.2f} seasonal naive errors."
        ),
        about="evaluated",
        figures=figures,
    )


def _figure(case: Case, rows: Array, word: str, number: int) -> Figure:
    """History, truth and forecast of one window; the x axis counts steps from the origin."""
    assert case.quantiles is not None
    details, panel = case.details, case.details["panel"]
    series, origin = int(details["series"][rows[0]]), int(details["origins"][rows[0]])
    rows = rows[np.argsort(details["columns"][rows])]
    leads = tuple(int(each) for each in details["columns"][rows] - origin)
    length = min(origin + 1, max(2 * len(rows), 3 * _season(case)), 400)
    past = panel.values[series, origin + 1 - length : origin + 1]
    named = f' of "{panel.names[series]}"' if panel.names[series] else ""
    low, high = (case.quantiles[rows, QUANTILES.index(level)] for level in (0.1, 0.9))
    lines = (
        Series("history", tuple(range(1 - length, 1)), tuple(float(each) if np.isfinite(each) else None for each in past)),
        Series("truth", leads, tuple(float(each) for each in case.truth[rows])),
        Series("forecast", leads, tuple(map(float, case.prediction[rows])), tuple(map(float, low)), tuple(map(float, high))),
    )
    when = _when(panel, origin)
    return Figure(
        f"window_{number + 1}",
        "forecast",
        f"{word.capitalize()} window{named}, from {when}",
        "The band is the 80 % interval.",
        lines,
        "steps from the origin",
        case.profile.target,
    )


def _when(panel: Panel, column: int) -> str:
    seconds = panel.seconds_of(np.asarray([column]))[0]
    if panel.grid["unit"] == "step":
        return f"step {int(seconds):,}"
    text = str(np.datetime64(int(seconds), "s")).replace("T", " ")
    return text.removesuffix(" 00:00:00").removesuffix(":00") if " " in text else text


def _scaled_errors(case: Case) -> Array:
    assert case.error_scale is not None
    return np.nan_to_num(np.abs(case.prediction - case.truth) / case.error_scale)


def _season(case: Case) -> int:
    seasons = case.profile.arrangement["seasons"]
    return int(seasons[0]) if seasons else 1


# --- errors by lead and by series ------------------------------------------------------------------------------------


def _by_lead(case: Case) -> Finding:
    assert case.error_scale is not None
    leads = case.details["columns"] - case.details["origins"]
    steps = np.unique(leads)
    lines, numbers = [], {}
    for name, prediction in (("model", case.prediction), ("seasonal naive", _seasonal(case)), ("last value", case.baseline)):
        errors = np.abs(prediction - case.truth) / case.error_scale
        numbers[f"{name.replace(' ', '_')}_mase"] = Number(_mean(errors) or 0.0)
        lines.append(Series(name, tuple(map(int, steps)), tuple(_mean(errors[leads == step]) for step in steps)))
    first, last = lines[0].y[0], lines[0].y[-1]
    told = (
        f"{first:.2f} one step ahead to {last:.2f} at step {int(steps[-1]):,}"
        if first is not None and last is not None
        else "undefined"
    )
    figure = Figure(
        "error_by_step",
        "line",
        "Error by step ahead",
        "Mean absolute error in units of the seasonal naive error; lower is better.",
        tuple(lines),
        "steps ahead",
        "scaled error",
    )
    return Finding(
        code="AML532",
        title="Error by step ahead",
        severity=Severity.PASSED,
        section=Section.FAILURES,
        sentence=(
            f"The scaled error goes from {told}; over all steps it is {numbers['model_mase'].value:.3f}, where repeating "
            f"the last season gives {numbers['seasonal_naive_mase'].value:.3f} and the last value "
            f"{numbers['last_value_mase'].value:.3f}."
        ),
        about="evaluated",
        numbers=numbers,
        figures=(figure,),
    )


def _seasonal(case: Case) -> Array:
    """The value one season before, of every judged row, as it was known at the row's origin."""
    panel, season = _carried(case, np.arange(len(case.truth))), _season(case)
    series, origins, columns = (case.details[name] for name in ("series", "origins", "columns"))
    back = season * (-(-(columns - origins) // season))
    return pick(panel.values, series, columns - back)


def _mean(values: Array) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else None


def _by_series(case: Case) -> Finding:
    series, names = case.details["series"], case.details["panel"].names
    errors = _scaled_errors(case)
    counts = np.bincount(series, minlength=len(names))
    means = np.bincount(series, weights=errors, minlength=len(names)) / np.maximum(counts, 1)
    judged = np.flatnonzero(counts)
    order = judged[np.argsort(-means[judged])]
    worse = float(np.mean(means[judged] > 1.0))
    shown = order[:SHOWN_SERIES] if case.plan.samples else order[:0]
    return Finding(
        code="AML534",
        title="Series that are hard to forecast",
        severity=Severity.PASSED,
        section=Section.FAILURES,
        sentence=(
            f"Of {len(judged):,} judged series {worse:.0%} have an error above one seasonal naive error; the median series has "
            f"{float(np.median(means[judged])):.2f}, the worst {float(means[order[0]]):.2f}."
        ),
        about="evaluated",
        table={
            "columns": ["series", "MASE", "rows"],
            "rows": [[names[each], float(means[each]), int(counts[each])] for each in shown],
        },
    )


# --- what mattered ---------------------------------------------------------------------------------------------------


def _what_matters(case: Case) -> Finding:
    state = case.details["forecaster"].state
    if state["method"] == "lags":
        return _finding_of(case, _lag_losses(case), "shuffled among the sealed rows")
    if state["method"] == "net":
        return _finding_of(case, _net_losses(case), "shuffled among the sealed windows")
    if state["method"] == "statistical":
        return _parameters(case, state)
    sentence = "The method has no parameters: it repeats what was."
    return Finding("AML533", "What the forecast rests on", Severity.NOT_APPLICABLE, Section.WHY, sentence, "evaluated")


def _finding_of(case: Case, losses: dict[str, tuple[float, ...]], how: str) -> Finding:
    """losses: how much the scaled error grows without a group of inputs, in each shuffle."""
    means = {name: float(np.mean(values)) for name, values in losses.items()}
    order = sorted(means, key=lambda name: -means[name])[:20]
    spread = {name: float(np.std(losses[name])) for name in order}
    used = [name for name in order[:3] if means[name] > max(0.002, spread[name])]
    told = ", ".join(f"{name} (+{means[name]:.3f})" for name in used) or "no group of inputs alone"
    bars = Series(
        "error added",
        tuple(order),
        tuple(means[name] for name in order),
        tuple(means[name] - 2 * spread[name] for name in order),
        tuple(means[name] + 2 * spread[name] for name in order),
    )
    figure = Figure(
        "what_matters",
        "interval",
        "What the forecast rests on",
        f"How much the scaled error grows when the values of a group of inputs are {how}; 0 means that it is not used.",
        (bars,),
        "scaled error added",
    )
    return Finding(
        code="AML533",
        title="What the forecast rests on",
        severity=Severity.PASSED,
        section=Section.WHY,
        sentence=f"The forecast rests most on {told}: so much the scaled error grows when they are {how}.",
        about="evaluated",
        numbers={name: Number(means[name]) for name in order},
        figures=(figure,),
    )


def _sampled(case: Case) -> Array:
    rows = np.arange(len(case.truth))
    return (
        rows
        if len(rows) <= SAMPLED_ROWS
        else np.sort(np.random.default_rng(case.plan.seed).choice(rows, SAMPLED_ROWS, replace=False))
    )


def _carried(case: Case, rows: Array) -> Panel:
    """The panel with series that end early carried on to their origins."""
    details = case.details
    panel = details["panel"]
    reached = np.full(len(panel.names), -1)
    np.maximum.at(reached, details["series"][rows], details["origins"][rows])
    return extended(panel, reached, int(details["forecaster"].state["season"]))


def _seen(case: Case, rows: Array) -> Panel:
    """The same on the scale that the method works on."""
    return _carried(case, rows).transformed(bool(case.details["forecaster"].state.get("log")))


def _lag_losses(case: Case) -> dict[str, tuple[float, ...]]:
    details, state = case.details, case.details["forecaster"].state
    rows, run = _sampled(case), details["forecaster"].runner()
    panel = _seen(case, rows)
    series, origins = details["series"][rows], details["origins"][rows]
    table = lag_rows(state, panel, series, origins, details["columns"][rows] - origins)
    truth = np.log(np.maximum(case.truth[rows], 1e-12)) if state.get("log") else case.truth[rows]
    known, past = covariates(case.profile)
    groups: dict[str, list[int]] = {}
    for position, (feature, group) in enumerate(lag_names(state, list(known), list(past))):
        name = feature if group in ("past values", "calendar") and len(state["recent"]) < 40 else group
        groups.setdefault(name, []).append(position)

    def error(features: Array) -> float:
        made = table.base + table.scale * np.asarray(run({"features": features}), np.float64).reshape(-1)
        gaps = np.abs(made - truth) / table.scale
        return float(np.mean(gaps[np.isfinite(gaps)]))

    return _shuffled(table.features, groups, error, case)


def _shuffled(features: Array, groups: dict[str, list[int]], error: Any, case: Case) -> dict[str, tuple[float, ...]]:
    """The last axis holds the features; rows are drawn from one another."""
    start = error(features)
    losses: dict[str, list[float]] = {name: [] for name in groups}
    generator = np.random.default_rng([case.plan.seed, 533])
    for _ in range(SHUFFLES):
        if case.deadline.expired and all(losses.values()):
            break
        order = generator.permutation(len(features))
        for name, positions in groups.items():
            changed = features.copy()
            changed[..., positions] = features[order][..., positions]
            losses[name].append(error(changed) - start)
    return {name: tuple(values) for name, values in losses.items()}


def _net_losses(case: Case) -> dict[str, tuple[float, ...]]:
    """Covariates of the panel, one at a time, and the past values themselves."""
    details, state = case.details, case.details["forecaster"].state
    cuts = np.unique(np.stack([details["series"], details["origins"]]), axis=1)[:, :400]
    panel = _seen(case, np.arange(len(case.truth)))
    inputs = net_inputs(state, panel, cuts[0], cuts[1])
    run = details["forecaster"].runner()
    ahead = pick(panel.values, cuts[0][:, None], cuts[1][:, None] + np.arange(1, int(state["horizon"]) + 1))
    target = (ahead - inputs["level"][:, None]) / inputs["scale"][:, None]
    known, past = covariates(case.profile)
    seasons = range(len(known), len(known) + len(state["seasons"]))
    parts: dict[str, list[tuple[str, int]]] = {"past values": [("values", -1), *(("future", place) for place in seasons)]}
    for position, name in enumerate([*past, *known]):
        parts[name] = [("covariates", position)]
    for position, name in enumerate(known):
        parts[name].append(("future", position))

    def error(given: dict[str, Array]) -> float:
        made = np.asarray(run({name: given[name] for name in state["inputs"]}), np.float64).reshape(*target.shape, len(QUANTILES))
        return float(np.nanmean(np.abs(made[:, :, MEDIAN] - target)))

    start, losses = error(inputs), {name: [] for name in parts}  # type: ignore[var-annotated]
    generator = np.random.default_rng([case.plan.seed, 533])
    for _ in range(SHUFFLES):
        order = generator.permutation(len(cuts[0]))
        for name, places in parts.items():
            changed = {each: values.copy() for each, values in inputs.items()}
            for block, position in places:
                if position < 0:
                    changed[block] = inputs[block][order]
                else:
                    changed[block][..., position] = inputs[block][order][..., position]
            losses[name].append(error(changed) - start)
    return {name: tuple(values) for name, values in losses.items()}


def _training_windows(case: Case) -> Finding:
    """Some windows before the first judged origin on the scale on which the net sees them, with what it learns to give."""
    details, state = case.details, case.details["forecaster"].state
    panel, horizon, length = _carried(case, np.arange(len(case.truth))), int(state["horizon"]), int(state["length"])
    generator = np.random.default_rng([case.plan.seed, 535])
    last = int(details["origins"].min()) - horizon
    usable = np.flatnonzero((panel.starts >= 0) & (panel.starts + length < last))
    figures = []
    for number in range(SHOWN_WINDOWS if len(usable) else 0):
        series = int(generator.choice(usable))
        origin = int(generator.integers(int(panel.starts[series]) + length - 1, last))
        inputs = net_inputs(state, panel, np.asarray([series]), np.asarray([origin]))
        level, scale = float(inputs["level"][0]), float(inputs["scale"][0])
        target = (panel.values[series, origin + 1 : origin + 1 + horizon] - level) / scale
        lines = (
            Series("values", tuple(range(1 - length, 1)), tuple(map(float, inputs["values"][0]))),
            Series("to be learned", tuple(range(1, horizon + 1)), tuple(float(each) for each in target)),
        )
        named = f' of "{panel.names[series]}"' if panel.names[series] else ""
        title = f"A training window{named}, from {_when(panel, origin)}"
        how = "Each window is brought to mean 0 and deviation 1, so that the net learns shapes and not levels."
        figures.append(
            Figure(f"training_window_{number + 1}", "forecast", title, how, lines, "steps from the origin", "scaled value")
        )
    sentence = f"The net sees the last {length:,} steps of a series, scaled, and learns to give the {horizon:,} steps after them."
    return Finding(
        "AML535", "Windows as the net sees them", Severity.PASSED, Section.WHY, sentence, "evaluated", {}, tuple(figures)
    )


def _parameters(case: Case, state: dict[str, Any]) -> Finding:
    titles = {"ets": "exponential smoothing", "theta": "Theta", "drift": "drift"}
    rows = [
        [
            name or case.profile.target,
            titles[FORMS[int(each[0])]],
            *(round(float(value), 4) for value in each[1:5]),
            "yes" if each[5] > 0 else "no",
        ]
        for name, each in zip(state["names"], state["parameters"], strict=True)
    ]
    forms = [row[1] for row in rows]
    told = ", ".join(f"{title} for {forms.count(title):,}" for title in titles.values() if title in forms)
    sentence = f"The method is {forms[0]}." if len(rows) == 1 else f"Of {len(rows):,} series the best method is {told}."
    shown = rows[:SHOWN_SERIES] if case.plan.samples or len(rows) == 1 else []
    return Finding(
        code="AML533",
        title="What the forecast rests on",
        severity=Severity.PASSED,
        section=Section.WHY,
        sentence=sentence + " Alpha, beta and gamma tell how fast level, trend and season follow what is new.",
        about="evaluated",
        table={"columns": ["series", "method", "alpha", "beta", "gamma", "damping", "season"], "rows": shown},
    )
