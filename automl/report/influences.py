"""Charts of influences: a swarm of single rows a column, the way from the mean of some rows to one, curves of single rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from automl.core.finding import Figure, Series
from automl.report.numbers import fixed, is_number
from automl.report.svg import (
    Canvas,
    Scale,
    _Axes,
    _frame,
    _known,
    _polyline,
    _positions,
    _rows,
    _thin,
    _value_texts,
    text_width,
)

SHADES = 5
"""Shades from low to high values of a column; one more for what has no order."""
MOST_SWARM, MOST_STEPS, MOST_CURVES = 150, 14, 40
ROW_HEIGHT = 26.0


def _beeswarm(canvas: Canvas, figure: Figure) -> None:
    """A dot a row of data, a line a column; equal influences are stacked, the shade tells the column's own value."""
    values = _known(*(each.y for each in figure.series))
    domain = (min(0.0, min(values)), max(0.0, max(values)))
    labelled = Figure(
        figure.name, "bar", "", "", tuple(Series("", (each.name,), (0.0,)) for each in figure.series), y_label=figure.y_label
    )
    legend = 20.0
    canvas.text(0, 14, "The column's value:", style="tick")
    at = 6 + text_width("The column's value:") * 0.93
    for shade, word in ((0, "low"), (SHADES // 2, ""), (SHADES - 1, "high"), (SHADES, "no order")):
        canvas.path(f"M{at:.1f} 10h0", f"dots v{shade}")
        if word:
            canvas.text(at + 7, 14, word, style="tick")
        at += 14 + (text_width(word) if word else 0)
    scale, top, labels = _rows(canvas, labelled, domain, ROW_HEIGHT, legend)
    canvas.line(scale(0.0), top, scale(0.0), top + ROW_HEIGHT * len(labels) + 4, "axis")
    for position, each in enumerate(figure.series[: len(labels)]):
        _swarm(canvas, each, scale, top + ROW_HEIGHT * (position + 0.5))


def _swarm(canvas: Canvas, series: Series, scale: Scale, middle: float) -> None:
    """The dots of one column, one path a shade."""
    places = [at for at in _thin(len(series.y), MOST_SWARM) if is_number(series.y[at])]
    stacked: dict[int, int] = {}
    paths: list[list[str]] = [[] for _ in range(SHADES + 1)]
    for at in sorted(places, key=lambda place: float(series.y[place] or 0.0)):
        x = scale(float(series.y[at] or 0.0))
        slot = round(x / 3.0)
        height = stacked[slot] = stacked.get(slot, -1) + 1
        offset = min(10.0, 2.2 * ((height + 1) // 2)) * (1 if height % 2 else -1)
        rank = series.x[at] if at < len(series.x) else None
        shade = min(SHADES - 1, int(float(rank or 0.0) * SHADES)) if is_number(rank) else SHADES
        paths[shade].append(f"M{x:.1f} {middle + offset:.1f}h0")
    for shade, path in enumerate(paths):
        canvas.path("".join(path), f"dots v{shade}")


def _waterfall(canvas: Canvas, figure: Figure) -> None:
    """Bars that lead from the first level (a mean) by what each column adds to the last one.

    One series: its first y is where it starts, the others are what is added; the sum is shown as a last line.
    """
    series = figure.series[0]
    steps = [float(value or 0.0) if is_number(value) else 0.0 for value in series.y]
    levels = np.cumsum(steps)
    labels = [str(label) for label in series.x]
    shown = Figure(
        figure.name,
        "bar",
        "",
        "",
        (Series("", (*labels, figure.x_label or "this row"), (*steps, float(levels[-1]))),),
        "",
        figure.y_label,
    )
    low, high = float(levels.min()), float(levels.max())
    scale, top, _ = _rows(canvas, shown, (low, high if high > low else low + 1.0), 22.0)
    texts = _value_texts(shown.series)
    links = []
    for at, step in enumerate([*steps, float(levels[-1])]):
        middle = top + 22.0 * (at + 0.5)
        whole = at in (0, len(steps))
        level = float(levels[min(at, len(steps) - 1)])
        if whole:
            canvas.path(f"M{scale(level):.1f} {middle - 8:.1f}v16", "whisker")
        else:
            start, end = sorted((scale(level - step), scale(level)))
            canvas.rect((start, middle - 6.5, max(0.8, end - start), 13), f"bar {'up' if step > 0 else 'down'}")
        if at < len(steps):
            links.append(f"M{scale(level):.1f} {middle + (8 if whole else 6.5):.1f}V{middle + 15.5:.1f}")
        sign = "" if whole or step <= 0 else "+"
        canvas.text(scale.end + 8, middle + 4, f"{sign}{texts.get(step, fixed(step, 2))}", style="value")
    canvas.path("".join(links), "grid")


def _dependence(canvas: Canvas, figure: Figure) -> None:
    """The first series is the mean curve, with its band; the others are those of single rows, faint behind it."""
    xs, labels = _positions(figure.series)
    values = _known(*(part for each in figure.series for part in (each.y, each.low, each.high))) or [0.0]
    places = [value for each in xs for value in each]
    across = (min(places), max(places)) if min(places) < max(places) else (places[0] - 0.5, places[0] + 0.5)
    x, y = _frame(canvas, figure, _Axes(across, (min(values), max(values)), 0.0, labels=labels, height=170))
    single = "".join(
        _polyline(list(zip(xs[at], figure.series[at].y, strict=True)), x, y) for at in range(1, min(len(xs), MOST_CURVES + 1))
    )
    canvas.path(single, "single")
    canvas.path(_polyline(list(zip(xs[0], figure.series[0].y, strict=True)), x, y), "stroke s1 mean")


KINDS: dict[str, Callable[[Canvas, Figure], None]] = {
    "beeswarm": _beeswarm,
    "waterfall": _waterfall,
    "dependence": _dependence,
}


def table(figure: Figure) -> dict[str, Any]:
    """The numbers behind a chart of influences; of a swarm how each column's are distributed."""
    if figure.kind == "beeswarm":
        rows = [[each.name, *_summary(each.y)] for each in figure.series]
        return {"columns": ["Column", "mean size", "lowest", "median", "highest"], "rows": rows}
    series = figure.series[0]
    if figure.kind == "waterfall":
        rows = [[label, value] for label, value in zip(series.x, series.y, strict=True)]
        total = float(sum(float(value or 0.0) for value in series.y))
        return {"columns": ["What", figure.y_label or "Adds"], "rows": [*rows, [figure.x_label or "this row", total]]}
    return {
        "columns": [figure.x_label or "Value", figure.y_label or "Mean prediction"],
        "rows": [[place, value] for place, value in zip(series.x, series.y, strict=True)],
    }


def _summary(values: Sequence[Any]) -> list[float | None]:
    known = np.asarray(_known(values))
    if not len(known):
        return [None] * 4
    return [float(np.abs(known).mean()), float(known.min()), float(np.median(known)), float(known.max())]


__all__ = ["KINDS", "table"]
