"""Laws of the charts and of the way numbers are written."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.core.finding import Figure, Number, Series
from automl.report import numbers, svg
from tests.report.samples import HOSTILE, figures

KINDS = ("line", "scatter", "bar", "interval", "histogram", "matrix", "beeswarm", "waterfall", "dependence")
EVERY = pytest.mark.parametrize("name", sorted(figures()))
value = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.integers(-1000, 1000).map(float))


def places(drawing: str) -> list[tuple[float, float]]:
    root = ElementTree.fromstring(drawing)
    return [(float(each.get("x", 0)), float(each.get("y", 0))) for each in root.iter("text")]


@EVERY
def test_a_chart_is_small_well_formed_and_named(name: str) -> None:
    drawing = svg.draw(figures()[name], "f1")
    root = ElementTree.fromstring(drawing)
    assert len(drawing) <= (20_000 if name == "large" else 12_000)
    assert root.get("role") == "img"
    assert [root[0].tag, root[1].tag] == ["title", "desc"]
    assert root.get("aria-labelledby") == f"{root[0].get('id')} {root[1].get('id')}"
    assert root[0].text
    assert "style=" not in drawing
    assert not re.search(r"#[0-9a-f]{3,6}\b", drawing)


@EVERY
def test_no_text_leaves_the_chart_and_no_two_labels_meet(name: str) -> None:
    root = ElementTree.fromstring(svg.draw(figures()[name], "f1"))
    _, _, width, height = (float(part) for part in root.get("viewBox", "").split())
    boxes = []
    for each in root.iter("text"):
        if each.get("transform"):
            continue
        text, x, y = each.text or "", float(each.get("x", 0)), float(each.get("y", 0))
        wide = svg.text_width(text)
        start = x - {"middle": wide / 2, "end": wide}.get(each.get("text-anchor", ""), 0.0)
        assert start >= -1
        assert start + wide <= width + 12
        assert 0 <= y <= height
        boxes.append((start, start + wide * 0.9, y))
    for at, (start, end, y) in enumerate(boxes):
        for other_start, other_end, other_y in boxes[at + 1 :]:
            assert abs(y - other_y) >= 9 or end <= other_start + 1 or other_end <= start + 1


@EVERY
def test_the_table_behind_a_chart_holds_every_value(name: str) -> None:
    figure = figures()[name]
    table = svg.table(figure)
    assert all(len(row) == len(table["columns"]) for row in table["rows"])
    shown = [cell for row in table["rows"] for cell in row]
    series = figure.series[:1] if figure.kind == "dependence" else figure.series  # single rows stand for no number
    if figure.kind == "beeswarm":  # a table of dots tells nobody anything: how they are distributed is told instead
        assert all(edge(each.y) in shown for each in series for edge in (min, max))
    else:
        assert all(point in shown for each in series for point in each.y)


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), points=st.lists(value, min_size=1, max_size=12), text=st.text(max_size=40))
def test_any_values_and_names_can_be_drawn(kind: str, points: list[float | None], text: str) -> None:
    count = len(points) + (kind == "histogram")
    x = (
        tuple(float(at) for at in range(count))
        if kind in ("line", "scatter", "histogram")
        else tuple(f"{text}{at}" for at in range(count))
    )
    series = Series(text, x, tuple(points), tuple(points), tuple(points), tuple(range(len(points))))
    drawing = svg.draw(Figure("f", kind, text, text, (series, series), text, text, "zero"), "f1")
    ElementTree.fromstring(drawing)
    assert "nan" not in re.sub(r"<(title|desc|text)[^>]*>[^<]*", "", drawing)


def test_a_kind_that_there_is_none_of_is_refused() -> None:
    with pytest.raises(ValueError, match="pie"):
        svg.draw(Figure("f", "pie", "t", "h", ()), "f1")


def test_long_labels_are_cut_and_kept_as_a_tooltip() -> None:
    name = "a very long name of a column " * 5
    root = ElementTree.fromstring(svg.draw(Figure("f", "bar", "t", "h", (Series("s", (name, "b"), (1.0, 2.0)),)), "f1"))
    label = next(each for each in root.iter("text") if (each.text or "").endswith("…"))
    assert label.find("title") is not None
    assert svg.text_width(label.text or "") < 0.45 * svg.WIDTH


def test_a_label_of_several_words_has_several_lines_before_it_is_cut() -> None:
    name = 'marital-status is "Married-civ-spouse" and hours is up to 35'
    for kind in ("bar", "interval"):
        root = ElementTree.fromstring(svg.draw(Figure("f", kind, "t", "h", (Series("s", (name, "b"), (1.0, 2.0)),)), "f1"))
        texts = [each.text or "" for each in root.iter("text")]
        first = next(at for at, text in enumerate(texts) if text.startswith("marital"))
        assert " ".join(texts[first : first + 3]) == name


def test_hostile_names_stay_text() -> None:
    drawing = svg.draw(figures()["roc"].__class__("f", "bar", HOSTILE, HOSTILE, (Series("s", (HOSTILE,), (1.0,)),)), "f1")
    assert "<script" not in drawing
    ElementTree.fromstring(drawing)


@settings(max_examples=200, deadline=None)
@given(low=st.floats(-1e9, 1e9), span=st.floats(1e-6, 1e9), count=st.integers(2, 8))
def test_ticks_enclose_the_values_and_are_even(low: float, span: float, count: int) -> None:
    high = low + span
    ticks, _ = svg.nice_ticks(low, high, count)
    slack = 1e-6 * max(1.0, abs(low), abs(high), span)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 2 * count + 3


@pytest.mark.parametrize(
    ("given_value", "text"),
    [
        (0.92841, "0.9284"),
        (0.5, "0.5"),
        (12000, "12,000"),
        (48842.0, "48,842"),
        (534.25, "534.2"),
        (-0.0071, "−0.0071"),
        (3e-7, "3 × 10⁻⁷"),
        (0.0, "0"),
        (None, "–"),
        (float("nan"), "–"),
        ("word", "word"),
        (999.96, "1,000"),
        (1e300, "1 × 10³⁰⁰"),
    ],
)
def test_numbers_read_well(given_value: object, text: str) -> None:
    assert numbers.number(given_value) == text


@pytest.mark.parametrize(
    ("given_number", "text"),
    [
        (Number(0.92135, 0.91234, 0.93101), ("0.921", "0.912 to 0.931")),
        (Number(534.2, 512.0, 560.6), ("534", "512 to 561")),
        (Number(-7.1, -10.9, -3.2, "points"), ("−7.1 points", "−10.9 to −3.2 points")),
        (Number(0.004, unit="fraction"), ("0.4 %", "")),
        (Number(12.34, 11.1, 13.9, "%"), ("12.3 %", "11.1 to 13.9 %")),
        (Number(586_000, unit="bytes"), ("586 kB", "")),
        (Number(0.14, unit="ms"), ("0.14 ms", "")),
        (Number(534.2, 512.0, 560.6, "price"), ("534", "512 to 561")),
        (Number(0.5, 0.5, 0.5), ("0.500", "")),
        (Number(0.9993, 0.9991, 0.9995), ("0.9993", "0.9991 to 0.9995")),
        (Number(-0.0001, -0.02, 0.02), ("0.000", "−0.020 to 0.020")),
        (Number(0.0549, 0.0, 0.1106), ("0.055", "0.000 to 0.111")),
    ],
)
def test_a_number_and_its_interval_share_their_decimals(given_number: Number, text: tuple[str, str]) -> None:
    assert numbers.measured(given_number) == text


def test_times_sizes_shares_and_p_values() -> None:
    assert [numbers.seconds(each) for each in (0.3, 9.99, 61, 187.2, None)] == ["0.30 s", "10.0 s", "61 s", "3 min 7 s", "–"]
    assert [numbers.size(each) for each in (999, 40_000, 999_999, 2_500_000)] == ["999 bytes", "40 kB", "1,000 kB", "2.5 MB"]
    assert [numbers.percent(each) for each in (0, 0.00002, 0.0573, 0.5, 0.9999, 1.0)] == [
        "0 %",
        "< 0.1 %",
        "5.7 %",
        "50.0 %",
        "> 99.9 %",
        "100 %",
    ]
    assert [numbers.p_value(each) for each in (0.0001, 0.0412, 0.83, None)] == ["< 0.001", "0.041", "0.830", "–"]
