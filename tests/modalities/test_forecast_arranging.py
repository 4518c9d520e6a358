"""Rows of series brought into order: what is handled is said, what cannot be handled is refused with a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.options import Options
from automl.modalities.forecast.arranging import arrange

HOURS = pd.date_range("2024-01-01", periods=24 * 21, freq="h")


def hourly(**further: Any) -> pd.DataFrame:
    values = 10 + np.sin(np.arange(len(HOURS)) * 2 * np.pi / 24)
    return pd.DataFrame({"time": HOURS.strftime("%Y-%m-%d %H:%M:%S"), **further, "y": values.round(4).astype(str)})


def arranged(frame: pd.DataFrame, **options: Any) -> Dataset:
    given = {"target": "y", "horizon": 24, "time_column": "time", **options}
    found = arrange(Dataset(frame, "made up", "made_up.csv", "0"), Options(**given))
    assert found is not None
    return found


def facts(frame: pd.DataFrame, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = arranged(frame, **options).reading["arrangement"]
    return found


def test_without_a_horizon_it_is_no_forecast() -> None:
    assert arrange(Dataset(hourly(), "made up", "made_up.csv", "0"), Options(target="y", time_column="time")) is None
    with pytest.raises(InputError, match="--horizon"):
        arrange(Dataset(hourly(), "made up", "made_up.csv", "0"), Options(target="y", task="forecast"))


def test_hours_have_a_day_and_a_week() -> None:
    found = facts(hourly())
    assert found["grid"] == {"unit": "second", "size": 3600, "phase": 0}
    assert found["step"] == "one hour"
    assert found["seasons"] == [24, 168]
    assert found["notes"] == []


def test_unsorted_rows_are_sorted_and_it_is_said() -> None:
    shuffled = hourly().sample(frac=1.0, random_state=0)
    dataset = arranged(shuffled)
    assert dataset.frame["time"].is_monotonic_increasing
    assert "sorted" in dataset.reading["arrangement"]["notes"][0]


def test_missing_steps_are_counted() -> None:
    found = facts(hourly().drop(index=[5, 6, 100]))
    assert found["gaps"] == 3
    assert "3 steps are missing" in found["notes"][-1]


def test_of_two_rows_at_one_time_the_later_one_counts() -> None:
    frame = hourly()
    twice = pd.concat([frame, frame.iloc[[7]].assign(y="99")], ignore_index=True)
    dataset = arranged(twice)
    assert len(dataset.frame) == len(frame)
    assert dataset.frame["y"].iloc[7] == "99"
    assert "1 row has the same" in " ".join(dataset.reading["arrangement"]["notes"])


def test_several_series_without_an_id_are_refused() -> None:
    frame = pd.concat([hourly(store="a"), hourly(store="b")])
    with pytest.raises(InputError, match="--id"):
        facts(frame)
    found = facts(frame, id_column="store")
    assert found["names"] == ["a", "b"]
    assert found["common_end"] is True


def test_several_zones_are_brought_to_utc() -> None:
    frame = hourly()
    frame["time"] = [f"{time}{'+00:00' if row % 2 else 'Z' if row % 4 else '+00:00'}" for row, time in enumerate(frame["time"])]
    assert facts(frame)["notes"] == []
    summer = HOURS.tz_localize("UTC").tz_convert("Europe/Berlin")
    frame["time"] = [
        moment.isoformat() if row % 2 else moment.tz_convert("America/Lima").isoformat() for row, moment in enumerate(summer)
    ]
    found = facts(frame)
    assert "several zones" in found["notes"][0]
    assert found["step"] == "one hour"
    assert found["first"].startswith("2024-01-01 00:00")


def test_days_of_local_time_over_several_offsets_are_refused_with_the_reason() -> None:
    days = pd.date_range("2024-01-01", periods=120)
    offsets = ["+01:00" if number < 60 else "+02:00" for number in range(120)]
    times = [f"{day:%Y-%m-%d}T00:00:00{offset}" for day, offset in zip(days, offsets, strict=True)]
    frame = pd.DataFrame({"time": times, "y": [str(number % 7) for number in range(120)]})
    with pytest.raises(InputError, match="several offsets from UTC"):
        arranged(frame, horizon=7)


def test_series_without_a_whole_window_are_named() -> None:
    whole, short = hourly(shop="a"), hourly(shop="b").tail(24)
    notes = facts(pd.concat([whole, short]), id_column="shop")["notes"]
    assert any('1 of 2 series is no longer than the horizon of 24 steps ("b")' in note for note in notes)
    longer = hourly(shop="b").tail(25)
    assert facts(pd.concat([whole, longer]), id_column="shop")["notes"] == []


def test_a_time_that_is_missing_or_none_is_named_with_its_row() -> None:
    for cell in ("", "soon"):
        frame = hourly()
        frame.loc[3, "time"] = cell
        with pytest.raises(InputError, match="row 4"):
            facts(frame)


def test_irregular_steps_are_refused() -> None:
    seconds = np.cumsum(np.random.default_rng(0).integers(50, 9000, 400))
    frame = pd.DataFrame({"time": pd.to_datetime(seconds, unit="s").strftime("%Y-%m-%d %H:%M:%S"), "y": np.arange(400.0)})
    with pytest.raises(InputError, match="irregular"):
        facts(frame)


@pytest.mark.parametrize(
    ("times", "unit", "step", "seasons"),
    [
        (pd.date_range("1990-01-01", periods=60, freq="MS").strftime("%Y-%m"), "month", "one month", [12]),
        (pd.date_range("1990-01-31", periods=60, freq="ME").strftime("%Y-%m-%d"), "month", "one month", [12]),
        (pd.date_range("1990-01-01", periods=60, freq="QS").strftime("%d.%m.%Y"), "month", "one quarter", [4]),
        (pd.date_range("1950-01-01", periods=60, freq="YS").strftime("%Y-%m-%d"), "month", "one year", []),
        (pd.date_range("2024-01-01", periods=60, freq="D").strftime("%Y-%m-%d"), "second", "one day", [7]),
        (pd.date_range("2024-01-01", periods=60, freq="B").strftime("%m/%d/%Y"), "weekday", "one working day", [5]),
        (pd.date_range("2024-01-01", periods=120, freq="W").strftime("%Y-%m-%d"), "second", "one week", [52]),
        (pd.date_range("2024-01-01", periods=200, freq="30min").strftime("%Y-%m-%dT%H:%M:%SZ"), "second", "30 minutes", [48]),
        ([str(1900 + year) for year in range(60)], "step", "1", []),
    ],
)
def test_the_grid_follows_from_the_times(times: Any, unit: str, step: str, seasons: list[int]) -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"time": list(times), "y": generator.normal(size=len(times)).round(3).astype(str)})
    found = facts(frame, horizon=4)
    assert (found["grid"]["unit"], found["step"], found["seasons"]) == (unit, step, seasons)
    assert found["gaps"] == 0


def test_the_season_of_counted_steps_is_found_in_the_values() -> None:
    steps = np.arange(300)
    values = np.sin(steps * 2 * np.pi / 10) + 0.1 * np.random.default_rng(0).normal(size=300)
    found = facts(pd.DataFrame({"time": steps.astype(str), "y": values.round(4).astype(str)}))
    assert found["seasons"][0] == 10


def test_the_time_column_is_found_by_its_name_or_asked_for() -> None:
    assert facts(hourly().rename(columns={"time": "Timestamp"}), time_column=None)["time"] == "Timestamp"
    with pytest.raises(InputError, match="--time-column"):
        facts(hourly().rename(columns={"time": "when"}), time_column=None)
    with pytest.raises(InputError, match='did you mean "time"'):
        facts(hourly(), time_column="tme")
    with pytest.raises(InputError, match="--known-ahead"):
        facts(hourly(), known_ahead=("promo",))


def test_an_empty_id_is_refused() -> None:
    frame = hourly(store="a")
    frame.loc[2, "store"] = ""
    with pytest.raises(InputError, match="row 3"):
        facts(frame, id_column="store")
