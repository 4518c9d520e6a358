"""Whole runs of a forecast: profile to report, and back through predict.py with history, without it, and with what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import automl
from automl.core.errors import InputError
from automl.core.methods import QUANTILES
from automl.run import Run

DAYS, HORIZON = 220, 7
STORES = ("north", "south", "west")


def shops(days: int = DAYS, seed: int = 0) -> pd.DataFrame:
    """Three stores with a week, a promotion that is known ahead, and a count of visitors that is not."""
    generator = np.random.default_rng(seed)
    frames = []
    for number, store in enumerate(STORES):
        day = np.arange(days)
        promo = (generator.random(days) < 0.2).astype(int)
        sales = 40 * (number + 1) + 12 * np.sin(2 * np.pi * day / 7) + 15 * promo + generator.normal(0, 2, days)
        visitors = sales * 3 + generator.normal(0, 5, days)
        date = pd.date_range("2023-01-01", periods=days).strftime("%Y-%m-%d")
        weather = generator.choice(["sun", "rain"], days)
        frames.append(
            pd.DataFrame(
                {
                    "date": date,
                    "store": store,
                    "promo": promo,
                    "weather": weather,
                    "visitors": visitors.round(1),
                    "sales": sales.round(2),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unsorted, with some days missing and one row twice; the rows of the last week are kept apart."""
    frame = shops()
    frame = frame[frame["date"] < "2023-08-02"].drop(index=[40, 41, 300])
    frame = pd.concat([frame, frame.iloc[[10]]]).sample(frac=1.0, random_state=0)
    path = tmp_path_factory.mktemp("data") / "shops.csv"
    frame.to_csv(path, index=False)
    return path


OPTIONS: dict[str, Any] = {
    "target": "sales",
    "time_column": "date",
    "id_column": "store",
    "known_ahead": ("promo", "weather"),
    "horizon": HORIZON,
    "skip": ("cnn", "gru"),
    "trials": 4,
    "jobs": 1,
}


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """What this process, its libraries included, writes to stdout and stderr goes into a file."""
    kept = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    with path.open("w") as file:
        try:
            for descriptor in kept:
                os.dup2(file.fileno(), descriptor)
            yield
        finally:
            for descriptor, former in kept.items():
                os.dup2(former, descriptor)
                os.close(former)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("printed") / "printed.txt"


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory, printed: Path) -> Run:
    with writing_to(printed):
        return automl.fit(str(data), out=tmp_path_factory.mktemp("runs") / "run", **OPTIONS)


def test_a_forecast_run_prints_nothing_of_its_libraries(run: Run, printed: Path) -> None:
    assert {trial.architecture for trial in run.evidence.trials} >= {"lags"}
    assert "LightGBM" not in printed.read_text()


def future(frame: pd.DataFrame | None = None) -> pd.DataFrame:
    frame = shops() if frame is None else frame
    rows = frame[(frame["date"] >= "2023-08-02") & (frame["date"] < "2023-08-09")]
    return rows.drop(columns="sales")


def predicted(folder: Path, rows: pd.DataFrame, place: Path) -> pd.DataFrame:
    """By predict.py in a process that cannot import automl."""
    given, written = place / "new.csv", place / "predictions.csv"
    rows.to_csv(given, index=False)
    subprocess.run(
        [sys.executable, "-I", str(folder / "predict.py"), str(given), "-o", str(written)], check=True, capture_output=True
    )
    return pd.read_csv(written)


def test_the_run_says_what_it_saw_and_how_it_judged(run: Run) -> None:
    assert run.profile.modality == "forecast"
    assert run.profile.task == "forecast"
    assert "3 series" in run.profile.modality_evidence
    notes = " ".join(run.profile.notes)
    assert "sorted" in notes
    assert "same" in notes
    findings = {each.code: each for each in run.findings}
    assert not [each.sentence for each in run.findings if each.code == "AML900"]
    assert {"AML530", "AML531", "AML532", "AML533", "AML534"} <= set(findings)
    assert 0.5 <= findings["AML530"].numbers["coverage_80"].value <= 1.0
    assert findings["AML101"].severity == "not applicable"
    assert findings["AML303"].numbers
    assert run.report_path.is_file()


def test_the_promotions_carry_the_climb_to_the_lags(run: Run) -> None:
    assert run.evidence.champion == "lags"
    assert all("origins" in decision.test for decision in run.evidence.decisions)
    matters = next(each for each in run.findings if each.code == "AML533")
    assert next(iter(matters.numbers)) == "promo"


def test_the_score_can_be_computed_again(run: Run) -> None:
    with np.load(run.folder / "evaluated" / "predictions.npz") as arrays:
        truth, prediction, row_ids = arrays["truth"], arrays["prediction"], arrays["row_ids"]
    assert len(truth) == len(prediction) == len(set(row_ids.tolist()))
    mae = next(each for each in run.findings if each.code == "AML202").numbers["mae"].value
    assert mae == pytest.approx(np.abs(truth - prediction).mean())


def test_rows_to_forecast_alone_use_the_stored_past(run: Run, tmp_path: Path) -> None:
    rows = future()
    found = predicted(run.folder / "model", rows, tmp_path)
    assert found["date"].tolist() == rows["date"].tolist()
    assert found["store"].tolist() == rows["store"].tolist()
    assert (found["low_80"] <= found["prediction"]).all()
    assert (found["prediction"] <= found["high_80"]).all()
    assert found.filter(like="quantile_").shape[1] == len(QUANTILES)
    np.testing.assert_allclose(found["prediction"], run.predict(rows), rtol=1e-6)
    truth = shops().merge(rows, on=["date", "store"])["sales"]
    assert np.abs(found["prediction"].to_numpy() - truth.to_numpy()).mean() < 8.0


def test_an_interval_lies_between_the_quantiles_of_its_level(run: Run, tmp_path: Path) -> None:
    rows = future()
    rows.to_csv(tmp_path / "future.csv", index=False)
    for level, names in ((0.8, ("low_80", "high_80")), (0.9, ("quantile_0.05", "quantile_0.95"))):
        asked = ["--interval", str(level), "-o", str(tmp_path / "out.csv")]
        command = [sys.executable, "-m", "automl", "predict", str(run.folder), str(tmp_path / "future.csv"), *asked]
        subprocess.run(command, check=True, capture_output=True)
        found = pd.read_csv(tmp_path / "out.csv")
        np.testing.assert_allclose(found[["lower", "upper"]], found[list(names)])
    narrow, wide = (run.predict_interval(rows, level) for level in (0.5, 0.7))
    assert (narrow[:, 0] >= wide[:, 0]).all()
    assert (narrow[:, 1] <= wide[:, 1]).all()
    with pytest.raises(InputError, match=r"between 0 and 0\.9"):
        run.predict_interval(rows, 0.95)


def test_with_the_history_in_the_file_the_same_comes_out(run: Run, data: Path, tmp_path: Path) -> None:
    rows = future()
    together = pd.concat([pd.read_csv(data), rows]).sample(frac=1.0, random_state=1)
    found = predicted(run.folder / "model", together, tmp_path).sort_values(["store", "date"], ignore_index=True)
    alone = predicted(run.folder / "model", rows, tmp_path).sort_values(["store", "date"], ignore_index=True)
    pd.testing.assert_frame_equal(found, alone)


def test_later_history_moves_the_origin(run: Run, tmp_path: Path) -> None:
    later = shops()
    rows = later[later["date"] < "2023-08-06"]
    ahead = later[later["date"].between("2023-08-06", "2023-08-08")].assign(sales=np.nan)
    found = predicted(run.folder / "model", pd.concat([rows, ahead]), tmp_path)
    assert found["date"].tolist() == ahead["date"].tolist()
    truth = later[later["date"].between("2023-08-06", "2023-08-08")]["sales"].to_numpy()
    assert np.abs(found["prediction"].to_numpy() - truth).mean() < 8.0


def test_a_new_store_is_forecast_from_its_own_history(run: Run, tmp_path: Path) -> None:
    rows = shops(seed=5).query("store == 'south'").assign(store="east")
    rows.loc[rows["date"] >= "2023-08-05", "sales"] = np.nan
    found = predicted(run.folder / "model", rows[rows["date"] < "2023-08-09"], tmp_path)
    assert found["store"].unique().tolist() == ["east"]
    assert len(found) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="promo"), 'column "promo" is missing'),
        (lambda rows: rows.assign(date="2024-01-01"), "steps after the last known value"),
        (lambda rows: rows.assign(store="unheard of"), 'series "unheard of" has no known value'),
        (lambda rows: rows.assign(date="later"), "is missing or cannot be read"),
        (lambda rows: shops().head(50), "no row to forecast"),
    ],
)
def test_rows_that_cannot_be_forecast_are_refused_with_a_sentence(run: Run, change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run.predict(change(future()))


def test_the_model_needs_no_training_library(run: Run) -> None:
    text = (run.folder / "model" / "predict.py").read_text(encoding="utf-8")
    assert "automl." not in text.replace("automl.core.standalone", "").split('"""', 2)[2][:200]
    assert "import lightgbm" not in text
    assert "import pandas" in text
    contract = json.loads((run.folder / "model" / "contract.json").read_text(encoding="utf-8"))
    assert contract["arrangement"]["known"] == ["promo", "weather"]
    assert contract["horizon"] == HORIZON


def test_one_series_without_covariates_gives_the_next_steps(tmp_path: Path) -> None:
    months = pd.date_range("2000-01-01", periods=120, freq="MS").strftime("%Y-%m")
    values = 100 + np.arange(120) + 20 * np.sin(np.arange(120) * 2 * np.pi / 12) + np.random.default_rng(0).normal(0, 1, 120)
    frame = pd.DataFrame({"month": months, "visits": values.round(1)})
    frame.to_csv(tmp_path / "visits.csv", index=False)
    run = automl.fit(
        str(tmp_path / "visits.csv"),
        out=tmp_path / "run",
        target="visits",
        horizon=6,
        trials=2,
        only=("seasonal_naive", "statistical"),
        jobs=1,
    )
    assert run.evidence.champion == "statistical"
    assert not (run.folder / "model" / "model.onnx").exists()
    assert not [each.sentence for each in run.findings if each.code == "AML900"]
    found = predicted(run.folder / "model", frame, tmp_path)
    assert found["month"].tolist() == ["2010-01-01", "2010-02-01", "2010-03-01", "2010-04-01", "2010-05-01", "2010-06-01"]
    np.testing.assert_allclose(found["prediction"].mean(), 220 + 20 * np.sin(np.arange(6) * np.pi / 6).mean(), atol=6.0)


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (shops(20).query("store == 'north'"), {"horizon": 30}, "20 steps.*--horizon"),
        (shops().query("store == 'north'").assign(sales=5), {}, "in every row"),
        (shops(), {}, "--id"),
        (shops().query("store == 'north'"), {"known_ahead": ("sales",)}, "nobody knows ahead"),
        (shops().query("store == 'north'"), {"time_column": "weather"}, "neither dates nor whole numbers"),
    ],
    ids=["short", "constant", "no id", "target ahead", "no time"],
)
def test_data_that_cannot_be_forecast_is_refused_before_anything_is_written(
    frame: pd.DataFrame, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    given = {"target": "sales", "time_column": "date", "horizon": HORIZON, "trials": 1, **options}
    with pytest.raises(InputError, match=message):
        automl.fit(frame, out=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_a_score_is_of_later_rows_than_the_model_has_seen(run: Run, data: Path) -> None:
    from automl.core.model import load
    from automl.scoring import score

    later = shops()
    found = score(run.model, later)
    assert found.rows == int((later["date"] >= "2023-08-02").sum())
    assert found.values["mase"] < 1.0
    with np.load(run.folder / "evaluated" / "predictions.npz") as arrays:
        rmse = float(np.sqrt(np.mean((arrays["truth"] - arrays["prediction"]) ** 2)))
    judged = score(load(run.folder / "evaluated"), data)
    assert judged.values["rmse"] == pytest.approx(rmse, rel=1e-6)
    told = next(each for each in run.findings if each.code == "AML202").numbers["mase"].value
    assert judged.values["mase"] == pytest.approx(told, rel=1e-6)
    assert 0.4 <= found.values["coverage_80"] <= 1.0
    with pytest.raises(InputError, match="comes after the last one"):
        score(run.model, data)
