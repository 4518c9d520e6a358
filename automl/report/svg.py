"""Charts as SVG: a Figure in, marks out. Colours are classes of the page, so both themes fit."""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

from automl.core.finding import Figure, Series
from automl.report.numbers import MINUS, fixed, is_number, number

WIDTH = 460.0
FONT = 12.0
LABELS, LINE, MOST_LINES, MANY_ROWS = 0.4, 13.0, 3, 10
"""The share of a chart's width that labels of rows may take, the height of a line of one, how many lines it may have, and rows
beyond which it may have two only."""
MOST_POINTS, MOST_DOTS, MOST_BARS, MOST_CLASSES, STYLES = 160, 400, 25, 15, 6
_NARROW, _BROAD = frozenset("iljtfrI.,:;'|!()[]{} -/"), frozenset("mwMW@%—<>=+~−")


def draw(figure: Figure, identity: str, width: float = WIDTH) -> str:
    """The chart as an <svg> element with title and description; `identity` is unique in the page.

    width: of the drawing in CSS pixels; a matrix with many columns takes more.
    Raises ValueError for a kind of figure that there is none of.
    """
    kinds = _kinds()
    if figure.kind not in kinds:
        raise ValueError(f'figure "{figure.name}" is of kind "{figure.kind}"; known: {", ".join(kinds)}')
    canvas, figure = Canvas(width), _placeable(figure)
    if any(is_number(value) for series in figure.series for value in series.y):
        kinds[figure.kind](canvas, figure)
    else:
        canvas.text(8, 24, "There is nothing to show: every value is missing.")
        canvas.height = 40
    return (
        f'<svg class="chart" role="img" aria-labelledby="{identity}-t {identity}-d" '
        f'viewBox="0 0 {_n(canvas.width)} {_n(canvas.height)}" width="{_n(canvas.width)}" height="{_n(canvas.height)}">'
        f'<title id="{identity}-t">{clean(figure.title or figure.name)}</title>'
        f'<desc id="{identity}-d">{clean(figure.how_to_read or figure.title)}</desc>{"".join(canvas.parts)}</svg>'
    )


LARGEST, SMALLEST = 1e100, 1e-100
"""Sizes between which places can be computed without overflow: larger values are left out, smaller ones are zero."""


def _placeable(figure: Figure) -> Figure:
    """The figure with values that have a place on an axis; its table keeps them all."""

    def place(value: Any) -> Any:
        if not is_number(value):
            return value
        return None if abs(value) > LARGEST else 0.0 if abs(value) < SMALLEST else value

    series = []
    for each in figure.series:
        columns: dict[str, Any] = {name: tuple(place(value) for value in getattr(each, name)) for name in ("y", "low", "high")}
        series.append(replace(each, **columns))
    return replace(figure, series=tuple(series))


def clean(text: Any) -> str:
    """Escaped for HTML, without control characters."""
    return escape("".join(each if each.isprintable() or each == "\n" else " " for each in str(text)))


@dataclass
class Canvas:
    """Marks so far, and the size that they need."""

    width: float = WIDTH
    height: float = 0.0
    parts: list[str] = field(default_factory=list)

    def text(
        self, x: float, y: float, text: str, anchor: str = "", style: str = "", room: float = math.inf, whole: str = ""
    ) -> None:
        """Text at its base line, cut to `room` with the whole of it as a tooltip. whole: what it is a line of."""
        short = shorten(text, room)
        title = f"<title>{clean(whole or text)}</title>" if short != text else ""
        marks = (f' text-anchor="{anchor}"' if anchor else "") + (f' class="{style}"' if style else "")
        self.parts.append(f'<text x="{_n(x)}" y="{_n(y)}"{marks}>{clean(short)}{title}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        self.parts.append(f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" class="{style}"/>')

    def path(self, data: str, style: str) -> None:
        if data:
            self.parts.append(f'<path d="{data}" class="{style}"/>')

    def rect(self, box: tuple[float, float, float, float], style: str, opacity: float | None = None, title: str = "") -> None:
        """box: x, y, width, height."""
        x, y, width, height = (_n(value) for value in box)
        tint = "" if opacity is None else f' fill-opacity="{opacity:.2f}"'
        inside = f"><title>{clean(title)}</title></rect>" if title else "/>"
        self.parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" class="{style}"{tint}{inside}')


@dataclass(frozen=True)
class Scale:
    """From a value to a place."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def text_width(text: str, size: float = FONT) -> float:
    """About how wide a text will be; system fonts differ, so this errs on the wide side."""
    return sum(_advance(character) for character in text) * size


def shorten(text: str, room: float) -> str:
    """The text, cut with an ellipsis so that it fits into `room`."""
    text = " ".join(str(text).split()) if str(text).strip() else str(text)
    if text_width(text) <= room:
        return text
    while text and text_width(text + "…") > room:
        text = text[:-1]
    return text + "…"


def _advance(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if character in _NARROW:
        return 0.4
    return 0.9 if character in _BROAD else 0.7 if character.isupper() else 0.62


def nice_ticks(low: float, high: float, count: int = 5) -> tuple[list[float], int]:
    """Round values that enclose low to high, about `count` of them, and the decimals that they need."""
    if not high > low:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin, high + margin
    raw = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
        decimals += 1
    return [position * step for position in range(first, last + 1)], decimals


def _tick(value: float, decimals: int, largest: float) -> str:
    for limit, divisor, suffix in ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e5, 1e3, "k")):
        if largest >= limit:
            return f"{value / divisor:.4g}{suffix}".replace("-", MINUS) if value else "0"
    return number(value, 2) if decimals > 5 else fixed(value, decimals)


def _ticks(values: tuple[float, float], count: int) -> tuple[list[float], list[str]]:
    ticks, decimals = nice_ticks(*values, count)
    largest = max(abs(tick) for tick in ticks)
    return ticks, [_tick(tick, decimals, largest) for tick in ticks]


def _value_texts(series: Sequence[Series]) -> dict[float, str]:
    """The values as text, all with the decimals that three digits of the largest need, fewer where those are zeros.

    One more where the smallest would have one digit only.
    """
    values = _known(*(each.y for each in series))
    largest = max(abs(value) for value in values)
    if all(value.is_integer() for value in values) or not 1e-5 < largest < 1e12:
        return {value: number(value, 3) for value in values}
    smallest = min(abs(value) for value in values if value)
    decimals = max(0, 2 - math.floor(math.log10(largest)))
    if decimals < 3:
        decimals = max(decimals, min(decimals + 1, 1 - math.floor(math.log10(smallest))))
    while decimals and all(fixed(value, decimals).endswith("0") for value in values):
        decimals -= 1
    return {value: fixed(value, decimals) for value in values}


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _known(*lists: Sequence[Any]) -> list[float]:
    return [float(value) for each in lists for value in each if is_number(value)]


def _domain(values: list[float], whole: bool = True) -> tuple[float, float]:
    """The range of the values; shares that fill half of 0 to 1 are shown on all of it."""
    low, high = min(values), max(values)
    if whole and low >= 0 and high <= 1 and high - low > 0.5:
        return 0.0, 1.0
    return low, high


def _thin(count: int, most: int) -> list[int]:
    """Evenly spread positions, the first and the last among them."""
    return list(range(count)) if count <= most else sorted({round(step * (count - 1) / (most - 1)) for step in range(most)})


def _legend(canvas: Canvas, series: Sequence[Series], swatch: str) -> float:
    """Names with a sample of their mark, in rows at the top. Returns the height used."""
    if len(series) < 2:
        return 0.0
    x, y = 8.0, 14.0
    for position, each in enumerate(series):
        room = min(text_width(each.name), 180.0)
        if x + room + 30 > canvas.width and x > 8:
            x, y = 8.0, y + 18
        style = f"{swatch} s{position % STYLES}"
        if swatch == "stroke":
            canvas.line(x, y - 4, x + 18, y - 4, style)
        else:
            canvas.rect((x + 4, y - 9, 10, 10), style)
        canvas.text(x + 24, y, each.name, room=room + 1)
        x += room + 42
    return y + 10


@dataclass(frozen=True)
class _Axes:
    x: tuple[float, float]
    y: tuple[float, float]
    top: float
    right: float = 14.0
    labels: tuple[str, ...] = ()
    square: bool = False
    height: float = 200.0


def _frame(canvas: Canvas, figure: Figure, axes: _Axes) -> tuple[Scale, Scale]:
    """Axes with ticks, grid and labels. Returns the scales."""
    y_ticks, y_texts = _ticks(axes.y, 5)
    left = 16 + max(text_width(text) for text in y_texts)
    top = axes.top + (26 if figure.y_label else 10)
    x_ticks, x_texts = [float(at) for at in range(len(axes.labels))], list(axes.labels)
    if not axes.labels:
        x_ticks, x_texts = _ticks(axes.x, 5)
    width = canvas.width - left - max(axes.right, min(60.0, text_width(x_texts[-1])) / 2 + 2)
    if axes.square:
        width = min(width, 330.0)
    height = width * 0.92 if axes.square else axes.height
    edges = (axes.x[0], axes.x[1]) if axes.labels else (x_ticks[0], x_ticks[-1])
    x, y = Scale(*edges, left, left + width), Scale(y_ticks[0], y_ticks[-1], top + height, top)
    if figure.y_label:
        canvas.text(0, axes.top + 12, figure.y_label, style="name", room=canvas.width)
    for tick, text in zip(y_ticks, y_texts, strict=True):
        canvas.line(left, y(tick), left + width, y(tick), "axis" if tick == y_ticks[0] else "grid")
        canvas.text(left - 8, y(tick) + 4, text, "end", "tick")
    shown = _thin(len(x_ticks), 6) if axes.labels else range(len(x_ticks))
    for position in shown:
        canvas.line(x(x_ticks[position]), y.start, x(x_ticks[position]), y.start + 4, "axis")
        canvas.text(x(x_ticks[position]), y.start + 17, x_texts[position], "middle", "tick", room=width / len(shown))
    canvas.height = y.start + 24
    if figure.x_label:
        middle = left + width / 2
        room = 2 * min(middle, canvas.width - middle)
        canvas.text(middle, y.start + 36, figure.x_label, "middle", "name", room=room)
        canvas.height = y.start + 44
    return x, y


def _reference(canvas: Canvas, figure: Figure, x: Scale, y: Scale) -> None:
    if figure.reference == "diagonal":
        low, high = max(x.low, y.low), min(x.high, y.high)
        canvas.line(x(low), y(low), x(high), y(high), "reference")
    elif figure.reference == "zero" and y.low <= 0 <= y.high:
        canvas.line(x.start, y(0), x.end, y(0), "reference")


def _positions(series: Sequence[Series]) -> tuple[list[list[float]], tuple[str, ...]]:
    """The x values of every series as numbers, and the labels where they are words."""
    if all(is_number(value) for each in series for value in each.x):
        return [[float(value) for value in each.x] for each in series], ()
    labels = list(dict.fromkeys(str(value) for each in series for value in each.x))
    return [[float(labels.index(str(value))) for value in each.x] for each in series], tuple(labels)


def _ranges(figure: Figure, xs: list[list[float]]) -> tuple[tuple[float, float], tuple[float, float]]:
    values = _known(*(part for each in figure.series for part in (each.y, each.low, each.high)))
    if figure.reference == "zero":
        values.append(0.0)
    x_values = [value for each in xs for value in each]
    if figure.reference == "diagonal":
        points = _known(*(each.y for each in figure.series)) + x_values
        # Intervals of shares may reach beyond 0 and 1, where nothing can be; they are cut there.
        both = (0.0, 1.0) if min(points) >= 0 and max(points) <= 1 else _domain(values + x_values)
        return both, both
    x = _domain(x_values)
    return (x if x[1] > x[0] else (x[0] - 0.5, x[1] + 0.5)), _domain(values)


def _line(canvas: Canvas, figure: Figure) -> None:
    series = figure.series
    xs, labels = _positions(series)
    x_range, y_range = _ranges(figure, xs)
    ends = [next((value for value in reversed(each.y) if is_number(value)), None) for each in series]
    direct = len(series) > 1 and figure.reference != "diagonal" and _apart(ends, y_range)
    top = 0.0 if direct else _legend(canvas, series, "stroke")
    right = 24 + max(min(text_width(each.name), 110.0) for each in series) if direct else 14.0
    x, y = _frame(canvas, figure, _Axes(x_range, y_range, top, right, labels, square=figure.reference == "diagonal"))
    _reference(canvas, figure, x, y)
    for position, each in enumerate(series):
        style = f"s{position % STYLES}"
        kept = _thin(len(xs[position]), MOST_POINTS)
        _band(canvas, each, [xs[position][at] for at in kept], kept, (x, y, style))
        points = [(xs[position][at], each.y[at]) for at in kept]
        canvas.path(_polyline(points, x, y), f"stroke {style}")
        if len(each.y) <= 30:
            _dots(canvas, each, xs[position], x, y, style)
        if direct and is_number(ends[position]):
            canvas.text(x.end + 10, y(float(ends[position] or 0.0)) + 4, each.name, style=f"label t{position % STYLES}", room=111)


def _apart(ends: Sequence[Any], y_range: tuple[float, float]) -> bool:
    """Whether names can stand at the ends of their lines without touching."""
    known = sorted(float(end) for end in ends if is_number(end))
    spread = (y_range[1] - y_range[0]) or 1.0
    return len(known) == len(ends) <= 4 and all(b - a > 0.1 * spread for a, b in itertools.pairwise(known))


def _polyline(points: Sequence[tuple[float, Any]], x: Scale, y: Scale) -> str:
    data, command = [], "M"
    for place, value in points:
        if not is_number(value):
            command = "M"
            continue
        data.append(f"{command}{_n(x(place))} {_n(y(value))}")
        command = "L"
    return "".join(data)


def _band(canvas: Canvas, series: Series, xs: list[float], kept: list[int], how: tuple[Scale, Scale, str]) -> None:
    x, y, style = how
    if len(series.low) != len(series.y) or len(series.high) != len(series.y):
        return
    edges: list[tuple[float, Any, Any]] = [(place, series.low[at], series.high[at]) for place, at in zip(xs, kept, strict=True)]
    known = [(place, max(y.low, low), min(y.high, high)) for place, low, high in edges if is_number(low) and is_number(high)]
    if len(known) > 1:
        upper = _polyline([(place, high) for place, _, high in known], x, y)
        lower = _polyline([(place, low) for place, low, _ in reversed(known)], x, y)
        canvas.path(f"{upper}L{lower[1:]}Z", f"band {style}")


def _dots(canvas: Canvas, series: Series, xs: list[float], x: Scale, y: Scale, style: str) -> None:
    most = max(series.counts, default=0)
    for at, value in enumerate(series.y):
        if not is_number(value):
            continue
        radius = 2.0 + 3.5 * math.sqrt(series.counts[at] / most) if most and at < len(series.counts) else 3.0
        note = f"{number(xs[at], 3)}: {number(value)}"
        canvas.parts.append(
            f'<circle cx="{_n(x(xs[at]))}" cy="{_n(y(float(value or 0.0)))}" r="{_n(radius)}" class="fill {style}">'
            f"<title>{clean(note)}</title></circle>"
        )


def _scatter(canvas: Canvas, figure: Figure) -> None:
    xs, labels = _positions(figure.series)
    top = _legend(canvas, figure.series, "fill")
    x_range, y_range = _ranges(figure, xs)
    axes = _Axes(x_range, y_range, top, labels=labels, square=figure.reference == "diagonal", height=250)
    x, y = _frame(canvas, figure, axes)
    for position, each in enumerate(figure.series):
        kept = _thin(len(each.y), MOST_DOTS // len(figure.series))
        # A dot is a path of length zero with a round cap: a dozen bytes each.
        dots = [f"M{_n(x(xs[position][at]))} {_n(y(float(each.y[at] or 0.0)))}h0" for at in kept if is_number(each.y[at])]
        canvas.path("".join(dots), f"dots s{position % STYLES}")
    _reference(canvas, figure, x, y)


def _histogram(canvas: Canvas, figure: Figure) -> None:
    top = _legend(canvas, figure.series, "fill" if len(figure.series) == 1 else "stroke")
    values = _known(*(each.y for each in figure.series))
    edges = _known(*(each.x for each in figure.series))
    x, y = _frame(canvas, figure, _Axes((min(edges), max(edges)), (0.0, max(max(values), 1e-12)), top, height=180))
    for position, each in enumerate(figure.series):
        style = f"s{position % STYLES}"
        outline: list[str] = []
        for at, height in enumerate(each.y):
            if not is_number(height) or at + 1 >= len(each.x):
                continue
            start, end, level = x(float(each.x[at])), x(float(each.x[at + 1])), y(float(height or 0.0))
            gap = 0.6 if end - start > 4 else 0.0
            note = f"{number(each.x[at])} to {number(each.x[at + 1])}: {number(height)}"
            if len(figure.series) == 1:
                canvas.rect((start + gap, level, max(0.4, end - start - 2 * gap), y.start - level), f"bar {style}", title=note)
            outline.append(f"{'L' if outline else f'M{_n(start)} {_n(y.start)}L'}{_n(start)} {_n(level)}L{_n(end)} {_n(level)}")
        if len(figure.series) > 1:
            canvas.path("".join(outline), f"stroke {style}")


def _rows(
    canvas: Canvas, figure: Figure, domain: tuple[float, float], row: float, above: float = 0.0
) -> tuple[Scale, float, list[str]]:
    """Labels on the left and a value axis below, for bars and intervals. Returns scale, top and the labels shown.

    above: what is drawn over them already.
    """
    labels = _row_labels(figure)
    left_out, labels = len(labels) - MOST_BARS, labels[:MOST_BARS]
    top = (above or _legend(canvas, figure.series, "fill")) + 6
    left = 12 + min(LABELS * canvas.width, max(text_width(label) for label in labels))
    ticks, texts = _ticks(domain, 4)
    right = 14 + max(text_width(text) for text in _value_texts(figure.series).values())
    scale, bottom = Scale(ticks[0], ticks[-1], left, canvas.width - right), top + row * len(labels) + 4
    for tick, text in zip(ticks, texts, strict=True):
        canvas.line(scale(tick), top, scale(tick), bottom, "axis" if tick == 0 else "grid")
        canvas.text(scale(tick), bottom + 15, text, "middle", "tick")
    for position, label in enumerate(labels):
        _label(canvas, left - 8, top + row * (position + 0.5) + 4, label, left - 10, row)
    canvas.height = bottom + 22
    if figure.y_label:
        middle = (left + scale.end) / 2
        room = 2 * min(middle, canvas.width - middle)
        canvas.text(middle, bottom + 34, figure.y_label, "middle", "name", room=room)
        canvas.height = bottom + 42
    if left_out > 0:
        canvas.text(0, canvas.height + 12, f"{left_out:,} more are in the table.", style="tick")
        canvas.height += 20
    return scale, top, labels


def _row_labels(figure: Figure) -> list[str]:
    return list(dict.fromkeys(str(label) for each in figure.series for label in each.x))


def _row_height(canvas: Canvas, figure: Figure, height: float) -> float:
    """Of each row of bars or intervals: where a label needs several lines, room for them, less of it where rows are many."""
    labels = _row_labels(figure)[:MOST_BARS]
    most = max(len(_lines(label, LABELS * canvas.width)) for label in labels)
    return max(height, min(most, MOST_LINES if len(labels) <= MANY_ROWS else 2) * LINE + 6) if most > 1 else height


def _lines(text: str, room: float, most: float = math.inf) -> list[str]:
    """A label broken at blanks into lines, the last of which may be too long for the room."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer) > room and len(lines) < most:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _label(canvas: Canvas, x: float, y: float, text: str, room: float, height: float) -> None:
    """A label that ends at x, on as many lines around y as the height has room for; where it is cut, a tooltip holds it all."""
    lines = _lines(text, room, max(1, int((height - 4) / LINE)))
    for at, line in enumerate(lines if len(lines) > 1 else [text]):
        canvas.text(x, y + LINE * (at - (len(lines) - 1) / 2), line, "end", room=room, whole=text)


def _bar(canvas: Canvas, figure: Figure) -> None:
    values = [0.0, *_known(*(part for each in figure.series for part in (each.y, each.low, each.high)))]
    count = len(figure.series)
    thick = 13.0 if count == 1 else 10.0
    bars = count * (thick + 2) + 8
    row = _row_height(canvas, figure, bars)
    scale, top, labels = _rows(canvas, figure, (min(values), max(values)), row)
    texts = _value_texts(figure.series)
    for position, each in enumerate(figure.series):
        for at, label in enumerate(each.x):
            if str(label) not in labels or not is_number(each.y[at]):
                continue
            middle = top + row * labels.index(str(label)) + (row - bars) / 2 + 5 + position * (thick + 2) + thick / 2
            value = float(each.y[at] or 0.0)
            start, end = sorted((scale(0.0), scale(value)))
            canvas.rect((start, middle - thick / 2, max(0.5, end - start), thick), f"bar {_style(figure, position)}")
            reach = _whisker(canvas, each, at, middle, scale)
            canvas.text(max(end, reach, scale(0.0)) + 6, middle + 4, texts[value], style="value")


def _style(figure: Figure, position: int) -> str:
    return f"s{position % STYLES}" if len(figure.series) > 1 else "s0"


def _whisker(canvas: Canvas, series: Series, at: int, y: float, scale: Scale) -> float:
    """The interval of one value; returns how far right it reaches."""
    if at >= len(series.low) or at >= len(series.high) or not (is_number(series.low[at]) and is_number(series.high[at])):
        return -math.inf
    low, high = scale(float(series.low[at] or 0.0)), scale(float(series.high[at] or 0.0))
    canvas.path(f"M{_n(low)} {_n(y)}H{_n(high)}M{_n(low)} {_n(y - 3)}v6M{_n(high)} {_n(y - 3)}v6", "whisker")
    return high


def _interval(canvas: Canvas, figure: Figure) -> None:
    values = _known(*(part for each in figure.series for part in (each.y, each.low, each.high)))
    if figure.reference == "zero":
        values.append(0.0)
    count = len(figure.series)
    row = _row_height(canvas, figure, 24.0 if count == 1 else 16.0 * count + 8)
    scale, top, labels = _rows(canvas, figure, (min(values), max(values)), row)
    texts = _value_texts(figure.series)
    bottom = top + row * len(labels) + 4
    if figure.reference == "zero":
        canvas.line(scale(0.0), top, scale(0.0), bottom, "reference")
    for position, each in enumerate(figure.series):
        for at, label in enumerate(each.x):
            if str(label) not in labels or not is_number(each.y[at]):
                continue
            middle = top + row * (labels.index(str(label)) + (position + 0.5) / count)
            value = float(each.y[at] or 0.0)
            style = _style(figure, position)
            faint = at < len(each.faint) and each.faint[at]
            canvas.parts.append('<g class="faint">' if faint else "")
            _whisker(canvas, each, at, middle, scale)
            canvas.parts.append(
                f'<circle cx="{_n(scale(value))}" cy="{_n(middle)}" r="3.8" class="fill {style}"/>{"</g>" if faint else ""}'
            )
            canvas.text(scale.end + 10, middle + 4, texts[value], style="value")


def _matrix(canvas: Canvas, figure: Figure) -> None:
    series = figure.series[:MOST_CLASSES]
    columns = [str(value) for value in series[0].x][:MOST_CLASSES]
    left = 16 + min(120.0, max(text_width(name) for name in ("Actual ↓", *(each.name for each in series))))
    cell = min(92.0, max(26.0, (canvas.width - left - 6) / len(columns)))
    row = min(cell, 46.0)
    canvas.width = max(WIDTH, left + cell * len(columns) + 6)
    upright = cell < 40 and any(text_width(name) > cell - 4 for name in columns)
    head = min(90.0, max(text_width(name) for name in columns)) + 8 if upright else 18.0
    top = 22 + head
    canvas.text(left, 12, f"{figure.x_label or 'Predicted'} →", style="name", room=canvas.width - left)
    canvas.text(0, top - 6, f"{figure.y_label or 'Actual'} ↓", style="name", room=left - 6)
    for at, name in enumerate(columns):
        x = left + cell * (at + 0.5)
        if upright:
            short = shorten(name, head - 8)
            canvas.parts.append(
                f'<text class="tick" transform="translate({_n(x + 4)} {_n(top - 6)}) rotate(-90)">{clean(short)}'
                f"<title>{clean(name)}</title></text>"
            )
        else:
            canvas.text(x, top - 6, name, "middle", "tick", room=cell - 4)
    _cells(canvas, series, (left, top, cell, row), columns)
    canvas.height = top + row * len(series) + 6
    if len(figure.series) > len(series):
        note = f"The first {len(series)} of {len(figure.series)} are shown; the rest is in report.json."
        canvas.text(0, canvas.height + 14, note, style="tick")
        canvas.height += 22


def _cells(canvas: Canvas, series: Sequence[Series], place: tuple[float, float, float, float], columns: list[str]) -> None:
    left, top, cell, row = place
    values = _known(*(each.y for each in series))
    counts = min(values) >= 0 and all(value.is_integer() for value in values)
    largest = max(abs(value) for value in values) or 1.0
    for down, each in enumerate(series):
        y = top + row * down
        total = sum(_known(each.y)) or 1.0
        canvas.text(left - 8, y + row / 2 + 4, each.name, "end", room=left - 10)
        for across, value in enumerate(each.y[: len(columns)]):
            if not is_number(value) or (not value and len(columns) > 8):
                continue
            x, amount = left + cell * across, float(value or 0.0)
            share = amount / total if counts else amount / largest
            note = f"{each.name}, {columns[across]}: {number(value)}" + (f" ({100 * share:.0f} % of the row)" if counts else "")
            match = " match" if each.name == columns[across] else ""
            canvas.rect(
                (x + 1, y + 1, cell - 2, row - 2), f"cell{match}", 0.5 * abs(share), title=note if len(columns) <= 8 else ""
            )
            words = number(value, 3)
            if text_width(words) <= cell - 2:
                both = counts and row >= 40
                canvas.text(x + cell / 2, y + row / 2 + (-1 if both else 4), words, "middle", "value")
                if both:
                    canvas.text(x + cell / 2, y + row / 2 + 13, f"{100 * share:.0f} %", "middle", "share")


_KINDS: dict[str, Callable[[Canvas, Figure], None]] = {
    "line": _line,
    "forecast": _line,
    "scatter": _scatter,
    "bar": _bar,
    "interval": _interval,
    "histogram": _histogram,
    "matrix": _matrix,
}


def _kinds() -> dict[str, Callable[[Canvas, Figure], None]]:
    from automl.report import influences  # which draws with the marks of this file

    return {**_KINDS, **influences.KINDS}


def table(figure: Figure) -> dict[str, Any]:
    """The numbers behind a figure: {"columns": [...], "rows": [[...], ...]}."""
    from automl.report import influences

    if figure.kind in influences.KINDS:
        return influences.table(figure)
    if figure.kind == "matrix":
        corner = f"{figure.y_label or 'Actual'} \\ {figure.x_label or 'predicted'}"
        columns = [str(value) for value in figure.series[0].x] if figure.series else []
        return {"columns": [corner, *columns], "rows": [[each.name, *each.y] for each in figure.series]}
    several = len(figure.series) > 1
    bounds = any(each.low and each.high for each in figure.series)
    counts = any(each.counts for each in figure.series)
    histogram = figure.kind == "histogram"
    names = (
        ["From", "to"] if histogram else [figure.x_label or ("x" if figure.kind in ("line", "forecast", "scatter") else "Name")]
    )
    columns = ["Series"] * several + names + [figure.y_label or ("Rows" if histogram else "Value")]
    columns += ["Low", "High"] * bounds + ["Rows"] * counts
    rows = []
    for each in figure.series:
        for at, value in enumerate(each.y):
            place = list(each.x[at : at + 2]) if histogram else [each.x[at]]
            row = [each.name] * several + place + [value]
            row += [_at(each.low, at), _at(each.high, at)] * bounds + [_at(each.counts, at)] * counts
            rows.append(row)
    return {"columns": columns, "rows": rows}


def _at(values: Sequence[Any], position: int) -> Any:
    return values[position] if position < len(values) else None
