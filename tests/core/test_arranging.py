"""Series out of wide columns, long form and streams, from any kind of frame, and the cells that hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.arranging import arrange_rows, as_series, on_grid, windows_of
from automl.core.parsers import make_parser
from automl.core.predictor import Columns, PredictorError

WIDE: dict[str, Any] = {
    "form": "wide",
    "column": "series",
    "channels": {"a": ["a0", "a1", "a2"], "b": ["b0", "b1"]},
    "parse": {"as": "number", "missing": [""]},
}
LONG: dict[str, Any] = {
    "form": "long",
    "column": "series",
    "id": "id",
    "time": "t",
    "time_parse": {"as": "number"},
    "channels": ["x", "y"],
    "parse": {"as": "number", "missing": [""]},
}


def cells(rows: Any) -> list[Any]:
    return [np.asarray(cell) for cell in rows["series"]]


def same(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, np.asarray(wanted, np.float32))


def test_wide_columns_become_channels_and_other_columns_stay() -> None:
    text = Columns({"a0": ["1", ""], "a1": ["2", "5"], "a2": ["3", "x"], "b0": ["7", ""], "b1": ["8", ""], "who": ["u", "v"]})
    typed = pd.DataFrame({"a0": [1, None], "a1": [2, 5], "a2": [3, None], "b0": [7, None], "b1": [8, None], "who": ["u", "v"]})
    for rows in (text, typed, typed[typed.columns[::-1]]):
        arranged = arrange_rows(rows, WIDE)
        assert list(arranged["who"]) == ["u", "v"]
        same(cells(arranged)[0], [[1, 7], [2, 8], [3, np.nan]])
        same(cells(arranged)[1], [[np.nan, np.nan], [5, np.nan]])


def test_long_form_is_sorted_and_grouped_in_the_order_of_the_ids() -> None:
    frame = pd.DataFrame(
        {"id": ["b", "a", "b", "a"], "t": [2, 1, 1, 2], "x": [1, 3, 0, 4], "y": [1.5, "", 2.5, 9], "label": [1, 2, 1, 2]}
    )
    arranged = arrange_rows(frame, LONG)
    assert list(arranged["id"]) == ["b", "a"]
    assert list(arranged["label"]) == [1, 2]
    same(cells(arranged)[0], [[0, 2.5], [1, 1.5]])
    same(cells(arranged)[1], [[3, np.nan], [4, 9]])


def test_rows_that_are_arranged_stay_as_they_are() -> None:
    arranged = Columns({"series": [np.zeros((3, 2))]})
    assert arrange_rows(arranged, LONG) is arranged


def test_rows_of_one_time_are_averaged_unless_the_clock_is_too_coarse() -> None:
    frame = pd.DataFrame({"id": "a", "t": [1, 1, 2, 3], "x": [0.0, 2.0, 5.0, 6.0], "y": [0.0, np.nan, 1.0, 1.0]})
    same(cells(arrange_rows(frame, LONG))[0], [[1, 0], [5, 1], [6, 1]])
    coarse = pd.DataFrame({"id": "a", "t": [1, 1, 1, 2, 2, 2], "x": range(6), "y": range(6)})
    same(cells(arrange_rows(coarse, LONG))[0][:, 0], range(6))


def test_uneven_steps_are_brought_to_equal_ones() -> None:
    frame = pd.DataFrame({"id": "a", "t": [0, 1, 3, 4], "x": [0.0, 1.0, 3.0, 4.0], "y": [1.0, 1.0, np.nan, 1.0]})
    series = cells(arrange_rows(frame, {**LONG, "interval": 1.0}))[0]
    same(series, [[0, 1], [1, 1], [2, 1], [3, 1], [4, 1]])
    halved = cells(arrange_rows(frame, {**LONG, "interval": 0.5}))[0]
    assert len(halved) == 9
    far = np.asarray([0.0, 1.0, 1e9])
    assert len(on_grid(np.zeros((3, 1), np.float32), far, 1.0)) == 3


def test_rows_without_a_time_or_an_id_are_left_out() -> None:
    frame = pd.DataFrame({"id": ["a", "a", "", "a"], "t": [1, None, 1, 2], "x": [1.0, 2.0, 3.0, 4.0], "y": 0.0})
    arranged = arrange_rows(frame, LONG)
    assert list(arranged["id"]) == ["a"]
    same(cells(arranged)[0][:, 0], [1, 4])


def test_windows_have_the_label_of_their_last_row_and_stay_within_a_group() -> None:
    arrangement = {
        "form": "windows",
        "column": "series",
        "size": 4,
        "hop": 2,
        "group": "who",
        "time": None,
        "channels": ["x"],
        "parse": {"as": "number"},
        "target": "label",
    }
    frame = pd.DataFrame({"who": ["u"] * 8 + ["v"] * 3, "x": range(11), "label": list("aaaabbbbccc")})
    arranged = arrange_rows(frame, arrangement)
    assert list(arranged["label"]) == ["a", "b", "b", "c"]
    assert list(arranged["who"]) == ["u", "u", "u", "v"]
    same(cells(arranged)[1][:, 0], [2, 3, 4, 5])
    same(cells(arranged)[3][:, 0], [8, 9, 10])
    assert [len(each) for each in windows_of(9, 4, 2)] == [4, 4, 4]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(PredictorError, match='column "y" is missing'):
        arrange_rows(pd.DataFrame({"id": [1], "t": [1], "x": [1]}), LONG)
    spaced = pd.DataFrame({" id": ["a"], "t ": [1], "x": [1.0], "y": [2.0]})
    same(cells(arrange_rows(spaced, LONG))[0], [[1, 2]])


def test_cells_of_many_forms_are_series() -> None:
    for cell in ([1, 2, 3], (1, 2, 3), np.asarray([1, 2, 3]), "[1, 2, 3]", [[1], [2], [3]]):
        same(as_series(cell), [[1], [2], [3]])
    for cell in (None, "", "words", float("nan"), "{}", [["a"]]):
        assert not np.isfinite(as_series(cell)).any()
    same(as_series([1.0, np.inf, 1e300]), [[1], [np.nan], [np.nan]])


def test_the_parse_step_pads_cuts_and_averages() -> None:
    parser = make_parser({"as": "series", "length": 3, "channels": 2})
    column = parser.column([[[1, 2], [3, 4]], None, [5, 6, 7, 8]])
    assert column.shape == (3, 3, 2)
    assert column.dtype == np.float32
    same(column[0], [[1, 2], [3, 4], [np.nan, np.nan]])
    assert np.isnan(column[1]).all()
    same(column[2], [[5, np.nan], [6, np.nan], [7, np.nan]])
    same(parser.column(pd.Series([np.ones((1, 2))]))[0, 0], [1, 1])
    assert parser.column([]).shape == (0, 3, 2)
    thinned = make_parser({"as": "series", "length": 2, "channels": 1, "every": 2})
    same(thinned.value([1, 3, np.nan, 5, 9]), [[2], [5]])
