"""Figures that are no charts: pictures side by side, texts and curves with what mattered in them marked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from automl.core.finding import Figure, Series
from automl.report import svg
from automl.report.numbers import is_number, number

MOST_PICTURES, MOST_PIECES, MOST_CURVES = 40, 400, 12
_PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")
_STEPS = 4
"""Shades of a mark, in either direction."""


def is_picture(figure: Figure) -> bool:
    return figure.kind in _KINDS


def draw(figure: Figure) -> str:
    """The figure as HTML that needs no script and loads nothing."""
    return _KINDS[figure.kind](figure)


def table(figure: Figure) -> dict[str, Any]:
    """What the figure shows, in words and numbers: {"columns", "rows"}."""
    if figure.kind == "images":
        return {"columns": ["Picture"], "rows": [[each.name] for each in figure.series]}
    if figure.kind == "marked_text":
        rows = [
            [each.name, " ".join(str(piece).split()), weight]
            for each in figure.series
            for piece, weight in zip(each.x, each.y, strict=True)
            if is_number(weight) and abs(float(weight or 0.0)) >= 0.5 / _STEPS
        ]
        return {"columns": ["Text", "Words", "Weight"], "rows": rows}
    rows = [
        [each.name, place, value, weight]
        for each in figure.series
        for place, value, weight in zip(each.x, each.y, each.low, strict=True)
    ]
    return {"columns": ["Curve", figure.x_label or "Step", figure.y_label or "Value", "Weight"], "rows": rows}


def _images(figure: Figure) -> str:
    """Only pictures that are part of the page; anything else would be a request."""
    cells = []
    for each in figure.series[:MOST_PICTURES]:
        address = str(each.x[0]) if each.x else ""
        if _PICTURE.fullmatch(address):
            caption = svg.clean(each.name)
            cells.append(f'<li><img src="{address}" alt="{caption}"><span>{caption}</span></li>')
    return f'<ul class="pictures">{"".join(cells)}</ul>' if cells else "<p>There is no picture to show.</p>"


def _marked_text(figure: Figure) -> str:
    paragraphs = []
    for each in figure.series[:MOST_PICTURES]:
        pieces = [_piece(piece, weight) for piece, weight in list(zip(each.x, each.y, strict=True))[:MOST_PIECES]]
        more = " …" if len(each.x) > MOST_PIECES else ""
        paragraphs.append(f'<p class="marked"><strong>{svg.clean(each.name)}</strong><br>{"".join(pieces)}{more}</p>')
    return "".join(paragraphs)


def _piece(piece: Any, weight: Any) -> str:
    shade = round(_STEPS * min(1.0, abs(float(weight or 0.0)))) if is_number(weight) else 0
    text = svg.clean(piece)
    if not shade:
        return text
    towards = "for" if float(weight) > 0 else "against"
    return f'<mark class="{towards}{shade}" title="{number(float(weight))}">{text}</mark>'


def _marked_line(figure: Figure) -> str:
    curves = [_curve(figure, each, position) for position, each in enumerate(figure.series[:MOST_CURVES])]
    return f'<ul class="pictures curves">{"".join(curves)}</ul>'


_CURVE_WIDTH, _CURVE_HEIGHT = 220.0, 84.0


def _curve(figure: Figure, series: Series, position: int) -> str:
    """One small curve, its background as dark as the stretch mattered."""
    kept = [at for at, value in enumerate(series.y) if is_number(value)]
    caption = svg.clean(series.name)
    if not kept:
        return f"<li><span>{caption}: every value is missing</span></li>"
    xs = [float(series.x[at]) if is_number(series.x[at]) else float(at) for at in kept]
    ys = [float(series.y[at] or 0.0) for at in kept]
    low, high = min(ys), max(ys)
    spread, length = (high - low) or 1.0, (xs[-1] - xs[0]) or 1.0
    places = [
        (4 + (_CURVE_WIDTH - 8) * (x - xs[0]) / length, _CURVE_HEIGHT - 6 - (_CURVE_HEIGHT - 12) * (y - low) / spread)
        for x, y in zip(xs, ys, strict=True)
    ]
    bands = []
    for index, at in enumerate(kept):
        weight = float(series.low[at] or 0.0) if at < len(series.low) and is_number(series.low[at]) else 0.0
        if weight > 0.02:
            start = places[index][0] if index == 0 else (places[index - 1][0] + places[index][0]) / 2
            end = places[index][0] if index == len(kept) - 1 else (places[index][0] + places[index + 1][0]) / 2
            shade = min(1.0, weight) * 0.55
            bands.append(
                f'<rect x="{start:.1f}" y="2" width="{max(0.5, end - start):.1f}" height="{_CURVE_HEIGHT - 4:.0f}" '
                f'class="fill s1" fill-opacity="{shade:.2f}"/>'
            )
    data = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    label = f"{figure.title}: {series.name}; from {number(low)} to {number(high)}"
    return (
        f'<li><svg class="chart" role="img" aria-label="{svg.clean(label)}" viewBox="0 0 {_CURVE_WIDTH:.0f} {_CURVE_HEIGHT:.0f}" '
        f'width="{_CURVE_WIDTH:.0f}" height="{_CURVE_HEIGHT:.0f}">{"".join(bands)}<path d="{data}" class="stroke s{0}"/></svg>'
        f"<span>{caption} ({number(low)} to {number(high)})</span></li>"
    )


_KINDS: dict[str, Callable[[Figure], str]] = {"images": _images, "marked_text": _marked_text, "marked_line": _marked_line}
