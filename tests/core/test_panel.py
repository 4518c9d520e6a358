"""Laws of the grid of time and of a panel: index and time are inverse, gaps are filled from the past alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.core.panel import calendar, extended, fill_gaps, grid_index, grid_seconds, make_panel, season_error

DAY = 86_400
GRIDS: list[dict[str, Any]] = [
    {"unit": "second", "size": 1800, "phase": 600},
    {"unit": "second", "size": 7 * DAY, "phase": 3 * DAY},
    {"unit": "step", "size": 2, "phase": 1},
    {"unit": "weekday", "size": 1, "phase": 0},
    {"unit": "month", "size": 1, "phase": 0},
    {"unit": "month", "size": 1, "phase": 30},
    {"unit": "month", "size": 3, "phase": 14},
]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_time_and_index_are_inverse(grid: dict[str, Any]) -> None:
    index = np.arange(-500, 1500)
    seconds = grid_seconds(index, grid)
    assert (np.diff(seconds) > 0).all()
    np.testing.assert_array_equal(grid_index(seconds, grid), index)


def test_the_last_day_of_a_month_is_the_last_day_of_every_month() -> None:
    grid = {"unit": "month", "size": 1, "phase": 30}
    dates = grid_seconds(np.arange(24), grid) // DAY
    assert set((dates.astype("datetime64[D]") + 1).astype(str).tolist()) <= {
        f"197{y}-{m:02}-01" for y in (0, 1, 2) for m in range(1, 13)
    }


def test_the_calendar_knows_monday() -> None:
    monday = np.datetime64("2024-02-26T13:30:00").astype("datetime64[s]").astype(np.int64)
    assert calendar(np.asarray([monday]))[0].tolist() == [810.0, 0.0, 26.0, 57.0, 2.0]


def rows(series: list[int], step: list[int], observed: list[float]) -> dict[str, Any]:
    nothing = np.zeros((len(series), 0))
    return {
        "series": np.asarray(series),
        "step": np.asarray(step),
        "observed": np.asarray(observed),
        "known": nothing,
        "past": nothing,
    }


def test_rows_in_any_order_make_the_same_panel() -> None:
    grid = {"unit": "step", "size": 1}
    given = rows([1, 0, 0, 1, 0], [7, 3, 5, 8, 4], [10.0, 1.0, 3.0, 11.0, np.nan])
    panel = make_panel(("a", "b"), grid, given)
    assert panel.first == 3
    assert panel.starts.tolist() == [0, 4]
    assert panel.ends.tolist() == [2, 5]
    np.testing.assert_array_equal(panel.values[0, :3], [1.0, 1.0, 3.0])
    np.testing.assert_array_equal(panel.observed[0, :3], [True, False, True])
    order = np.asarray([4, 2, 0, 3, 1])
    again = make_panel(("a", "b"), grid, {name: each[order] for name, each in given.items()})
    np.testing.assert_array_equal(again.values, panel.values)


def test_a_gap_is_filled_from_one_season_before_and_never_from_later_values() -> None:
    values = np.asarray([[1.0, 2.0, 3.0, np.nan, 5.0, np.nan, np.nan, 8.0]])
    filled = fill_gaps(values, np.asarray([0]), np.asarray([7]), 3)
    np.testing.assert_array_equal(filled, [[1.0, 2.0, 3.0, 1.0, 5.0, 3.0, 1.0, 8.0]])
    changed = values.copy()
    changed[0, 7] = 100.0
    np.testing.assert_array_equal(fill_gaps(changed, np.asarray([0]), np.asarray([7]), 3)[0, :7], filled[0, :7])


def test_a_series_that_ends_early_is_carried_to_the_origin() -> None:
    panel = make_panel(
        ("a", "b"), {"unit": "step", "size": 1}, rows([0, 0, 1, 1, 1, 1], [0, 1, 0, 1, 2, 3], [1.0, 2.0, 5.0, 6.0, 7.0, 8.0])
    )
    carried = extended(panel, np.asarray([3, 3]), 2)
    np.testing.assert_array_equal(carried.values[0], [1.0, 2.0, 1.0, 2.0])
    np.testing.assert_array_equal(carried.values[1], panel.values[1])


def test_the_tail_keeps_the_last_columns_and_their_times() -> None:
    panel = make_panel(("a",), {"unit": "step", "size": 1}, rows([0] * 20, list(range(10, 30)), list(np.arange(20.0))))
    tail = panel.tail(5)
    np.testing.assert_array_equal(tail.values[0], np.arange(15.0, 20.0))
    assert tail.seconds_of(tail.ends).tolist() == [29]


def test_the_seasonal_error_of_a_repeated_season_is_zero() -> None:
    values = np.tile([1.0, 5.0, 2.0], 4)[None]
    assert season_error(values, 3).tolist() == [0.0]
    assert season_error(values, 1)[0] > 0
    assert np.isnan(season_error(values[:, :2], 3)).all()
