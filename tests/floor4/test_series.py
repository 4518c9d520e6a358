"""Series are found where they are and nowhere else, are put in order with a word about it, or refused with a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris

from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.options import Options
from automl.core.profile import Kind, Profile
from automl.core.table import tabulate
from automl.modalities.series.arrange import arrange, roughness
from automl.modalities.series.sense import together
from automl.profiling import arranged, profile
from automl.reading import read

OPTIONS = Options(target="label")


def wide(rows: int = 60, steps: int = 20, stems: tuple[str, ...] = ("t",), seed: int = 0) -> pd.DataFrame:
    """Random walks in columns; a label."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"label": np.arange(rows) % 2})
    for stem in stems:
        walks = np.cumsum(generator.normal(size=(rows, steps)), axis=1) + frame["label"].to_numpy()[:, None]
        frame = pd.concat([frame, pd.DataFrame(walks, columns=[f"{stem}{step}" for step in range(steps)])], axis=1)
    return frame


def long(ids: int = 30, steps: int = 12, seed: int = 0) -> pd.DataFrame:
    """The same in long form with two channels."""
    generator = np.random.default_rng(seed)
    number = np.repeat(np.arange(ids), steps)
    walks = np.cumsum(generator.normal(size=(ids * steps, 2)), axis=0)
    times = np.tile(np.arange(steps), ids)
    return pd.DataFrame({"series_id": number, "step": times, "x": walks[:, 0], "y": walks[:, 1], "label": number % 3})


def of(frame: pd.DataFrame, options: Options = OPTIONS) -> tuple[Dataset, Profile]:
    dataset = arranged(Dataset(frame, "data", "data.csv", "hash"), options)
    return dataset, profile(dataset, options)


def told(dataset: Dataset) -> str:
    return "; ".join(dataset.reading["arrangement"]["told"])


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: ["" if pd.isna(cell) else str(cell) for cell in frame[name]] for name in frame}, dtype=str)


@pytest.mark.parametrize("stems", [("t",), ("x", "y", "z"), ("sensor_a_", "sensor_b_")])
def test_numbered_columns_are_series_as_text_and_typed(stems: tuple[str, ...]) -> None:
    frame = wide(stems=stems)
    frame.loc[3, f"{stems[0]}7"] = np.nan
    profiles = []
    for given in (frame, as_text(frame), frame[frame.columns[::-1]]):
        dataset, found = of(given)
        assert found.modality == "series"
        assert len(found.features) == 1
        (column,) = found.features
        assert column.kind is Kind.SERIES
        assert (column.parse["length"], column.parse["channels"]) == (20, len(stems))
        profiles.append(np.sort(tabulate(dataset.frame, found.features).columns["series"].ravel()))
    np.testing.assert_allclose(profiles[0], profiles[1], rtol=1e-6)


def test_tables_with_numbered_columns_are_no_series() -> None:
    generator = np.random.default_rng(0)
    features = pd.DataFrame(generator.normal(size=(200, 28)) * generator.random(28), columns=[f"V{n}" for n in range(1, 29)])
    for frame in (features.assign(label=0), features.assign(Amount=1.0, Time=range(200), label=0)):
        assert arranged(Dataset(frame, "data", "", ""), OPTIONS).frame is frame
    for load in (load_iris, load_breast_cancer, load_digits):
        frame = load(as_frame=True).frame.rename(columns={"target": "label"})
        assert arranged(Dataset(frame, "data", "", ""), OPTIONS).frame is frame
    assert roughness(generator.normal(size=(100, 30))) == pytest.approx(1.0, abs=0.1)
    assert roughness(np.cumsum(generator.normal(size=(100, 30)), axis=1)) < 0.4


def test_long_form_is_found_by_its_id_its_time_and_a_label_that_does_not_change() -> None:
    frame = long()
    for given in (frame, as_text(frame), frame.sample(frac=1.0, random_state=0)):
        dataset, found = of(given)
        assert dataset.rows == 30
        assert found.modality == "series"
        assert found.features[0].statistics["channels"] == ["x", "y"]
    assert "not in the order of time" in told(dataset)
    changing = frame.assign(label=np.arange(len(frame)) % 3)
    assert arranged(Dataset(changing, "data", "", ""), OPTIONS).frame is changing
    no_time = frame.drop(columns="step")
    assert arranged(Dataset(no_time, "data", "", ""), OPTIONS).frame is no_time
    assert arrange(Dataset(frame, "data", "", ""), Options(target="x", horizon=3)) is None


def test_an_id_that_is_named_needs_no_time_column() -> None:
    frame = long().drop(columns="step").rename(columns={"series_id": "device"})
    dataset, found = of(frame, Options(target="label", id_column="device"))
    assert (dataset.rows, found.modality) == (30, "series")
    assert "in their order" in told(dataset)


def test_two_labels_of_one_id_are_refused() -> None:
    frame = long()
    frame.loc[5, "label"] = 9
    with pytest.raises(InputError, match='more than one value within 1 series \\("0"\\)'):
        of(frame, Options(target="label", id_column="series_id"))
    with pytest.raises(InputError, match='column "seris_id" is not in data; did you mean "series_id"'):
        of(long(), Options(target="label", id_column="seris_id"))
    with pytest.raises(InputError, match="no column holds numbers that change"):
        of(long().assign(x="a", y="b"), Options(target="label", id_column="series_id"))


def test_uneven_and_different_sampling_is_told_and_made_even() -> None:
    frame = long(steps=20).astype({"step": float})
    frame = frame[~((frame.series_id == 4) & frame.step.isin([3, 4]))]
    dataset, found = of(frame)
    assert "1 series with gaps or uneven steps" in told(dataset)
    assert found.features[0].statistics["length"] == {"min": 20, "median": 20.0, "max": 20}
    frame = long(steps=20).astype({"step": float})
    frame.loc[frame.series_id == 4, "step"] *= 2
    dataset, found = of(frame)
    assert "different rates (steps of 1 to 2)" in told(dataset)
    assert found.features[0].statistics["length"]["max"] == 39


def test_a_time_column_that_is_named_splits_by_the_start_of_each_series() -> None:
    frame = long()
    with pytest.raises(InputError, match='every series starts at the same "step"'):
        of(frame, Options(target="label", id_column="series_id", time_column="step"))
    frame["step"] += 100 * frame["series_id"]
    dataset, found = of(frame.iloc[::-1], Options(target="label", id_column="series_id", time_column="step"))
    assert dataset.frame.set_index("series_id")["step"].to_dict() == {number: 100 * number for number in range(30)}
    assert found.modality == "series"


def test_times_as_dates_are_read_and_nonsense_is_refused() -> None:
    frame = long()
    frame["step"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["step"], unit="min")).dt.strftime("%Y-%m-%d %H:%M:%S")
    assert of(frame)[1].modality == "series"
    with pytest.raises(InputError, match='time column "step" holds neither numbers nor ISO dates'):
        of(frame.assign(step="noon"))


def test_odd_series_are_counted() -> None:
    frame = wide(rows=40)
    steps = [name for name in frame if name != "label"]
    frame.loc[0, steps] = np.nan
    frame.loc[1, steps[1:]] = np.nan
    frame.loc[2, steps] = 3.5
    frame.loc[3, steps[4]] = np.nan
    statistics = of(frame)[1].features[0].statistics
    expected = {"empty": 1, "of_one_point": 1, "unchanging": 2, "missing_inside": 1}
    assert {name: statistics[name] for name in expected} == expected
    with pytest.raises(InputError):
        of(frame.assign(**dict.fromkeys(steps, np.nan)), Options(target="label", modality="series"))


def test_long_series_are_shortened_by_means() -> None:
    column = of(wide(rows=12, steps=1_100))[1].features[0]
    assert column.parse == {"as": "series", "length": 550, "channels": 1, "every": 2}
    assert "mean of every 2 steps" in column.evidence


def test_copies_and_neighbouring_windows_stay_together() -> None:
    frame = pd.concat([wide(20), wide(20)], ignore_index=True)
    dataset, found = of(frame)
    groups = together(tabulate(dataset.frame, found.features), found)
    assert groups is not None
    np.testing.assert_array_equal(groups[:20], groups[20:])
    assert len(np.unique(groups)) == 20
    generator = np.random.default_rng(0)
    stream = pd.DataFrame(generator.normal(size=(3_000, 3)), columns=["a", "b", "c"]).assign(label=np.arange(3_000) // 100 % 2)
    assert of(stream)[1].modality == "tabular"
    dataset, found = of(stream, Options(target="label", modality="series"))
    groups = together(tabulate(dataset.frame, found.features), found)
    assert groups is not None
    assert (np.diff(groups) >= 0).all()
    assert len(np.unique(groups)) == 40
    assert "windows of 8 steps" in told(dataset)


def test_labels_in_a_second_file_are_joined(tmp_path: Path) -> None:
    frame = long()
    for part in ("train", "test"):
        frame.drop(columns="label").to_csv(tmp_path / f"{part}.csv", index=False)
        labels = frame.groupby("series_id", as_index=False)["label"].first()
        labels.to_csv(tmp_path / f"{part}_labels.csv", index=False)
    dataset = arranged(read(tmp_path), OPTIONS)
    assert dataset.rows == 30
    assert dataset.test is not None
    assert list(dataset.frame["label"]) == list(dataset.test["label"]) == [str(number % 3) for number in range(30)]
    assert profile(dataset, OPTIONS).modality == "series"
    assert read(tmp_path / "train.csv").content_hash != read(tmp_path / "train_labels.csv").content_hash
    labels = pd.concat([labels, labels.head(1)])
    labels.to_csv(tmp_path / "train_labels.csv", index=False)
    with pytest.raises(InputError, match='"0" stands more than once'):
        read(tmp_path)
    labels.assign(series_id="nobody").head(1).to_csv(tmp_path / "train_labels.csv", index=False)
    with pytest.raises(InputError, match='no "series_id" of train'):
        read(tmp_path)


def test_cells_that_are_arrays_are_series_as_they_are() -> None:
    generator = np.random.default_rng(0)
    cells: list[Any] = [np.cumsum(generator.normal(size=generator.integers(5, 20))) for _ in range(30)]
    frame = pd.DataFrame({"curve": pd.Series(cells, dtype=object), "label": np.arange(30) % 2})
    dataset, found = of(frame)
    assert (found.modality, found.arrangement) == ("series", {})
    assert tabulate(dataset.frame, found.features).columns["curve"].shape == (30, max(map(len, cells)), 1)


def test_columns_beside_the_series_are_left_out_and_named() -> None:
    frame = long().assign(age=lambda rows: rows["series_id"] * 1.5)
    _, found = of(frame)
    assert found.modality == "series"
    assert [column.name for column in found.features] == ["series"]
    assert "not used by the ladder for series" in found.column("age").reason
    assert "the columns beside them are not used" in found.modality_evidence
