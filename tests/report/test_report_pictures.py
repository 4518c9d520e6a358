"""Laws of figures that are no charts: escaped, without a request, marked as strongly as the weights say."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from automl.core.finding import Figure, Series
from automl.report import pictures

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def figure(kind: str, *series: Series) -> Figure:
    return Figure("f", kind, "Title", "How", series)


def parsed(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{html.replace('<br>', '<br/>').replace('>', '>', 1)}</div>")


def test_only_pictures_inside_the_page_are_shown_and_every_one_has_a_caption() -> None:
    shown = figure(
        "images",
        Series("a <cat> & 'dog'", (PIXEL,), ()),
        Series("elsewhere", ("https://example.org/a.png",), ()),
        Series("script", ("javascript:alert(1)",), ()),
        Series("svg", ("data:image/svg+xml;base64,AAAA",), ()),
        Series("empty", (), ()),
    )
    html = pictures.draw(shown)
    assert html.count("<img ") == 1
    assert "https:" not in html and "javascript" not in html and "svg+xml" not in html
    assert "<cat>" not in html and "&lt;cat&gt;" in html
    assert re.search(r'alt="[^"]+"', html)
    assert next(row[0] for row in pictures.table(shown)["rows"]) == "a <cat> & 'dog'"
    assert "no picture" in pictures.draw(figure("images", Series("empty", (), ())))


def test_a_text_is_whole_escaped_and_marked_by_direction_and_strength() -> None:
    pieces, weights = ("good ", "<b>bad</b> ", "so-so ", "fine", "?"), (1.0, -1.0, 0.0, 0.3, None)
    shown = figure("marked_text", Series("truth: a", pieces, weights))
    root = parsed(pictures.draw(shown))
    assert "".join(root.itertext()).endswith("good <b>bad</b> so-so fine?")
    marks = {mark.text: mark.get("class") for mark in root.iter("mark")}
    assert marks == {"good ": "for4", "<b>bad</b> ": "against4", "fine": "for1"}
    assert [row[1:] for row in pictures.table(shown)["rows"]] == [["good", 1.0], ["<b>bad</b>", -1.0], ["fine", 0.3]]


@pytest.mark.parametrize(
    "values", [(1.0, 2.0, None, 3.0), (5.0, 5.0, 5.0, 5.0), (None, None, None, None), (1.0, None, None, None)]
)
def test_a_curve_is_drawn_inside_its_box_with_bands_where_it_mattered(values: tuple[float | None, ...]) -> None:
    shown = figure("marked_line", Series("one & two", tuple(range(4)), values, low=(0.0, 1.0, 1.0, 0.0)))
    root = parsed(pictures.draw(shown))
    drawn = [value for value in values if value is not None]
    assert len(list(root.iter("path"))) == bool(drawn)
    for path in root.iter("path"):
        places = [tuple(map(float, point.split())) for point in re.split("[ML]", path.get("d", ""))[1:]]
        assert len(places) == len(drawn)
        assert all(0 <= x <= 220 and 0 <= y <= 84 for x, y in places)
    assert len(list(root.iter("rect"))) == sum(value is not None for value in values[1:3])
    assert len(pictures.table(shown)["rows"]) == 4
