"""Laws of the gate: a graph that computes the same passes, one that differs, flips a label or gives no number does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.core.errors import ParityError
from automl.core.predictor import Predictor
from automl.search import Prepared, Workshop, contract
from automl.search.parity import TOLERANCE, check_parity
from tests.search.made_up import frame_of, prepared_of


@pytest.fixture(scope="module", params=["binary", "multiclass", "regression"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Prepared]:
    """A model folder of the linear rung that waits for the gate."""
    dataset, prepared = prepared_of(frame_of(400, request.param), only="linear")
    context, folder = prepared.context, tmp_path_factory.mktemp("exported") / "model"
    workshop = Workshop(context, folder.parent / "context", None)
    from automl.core.clock import Deadline

    trial = workshop.probe("linear", Deadline(None)).trial
    rows = context.training_rows
    described = contract(dataset, context.profile, context.plan, context.table, context.target[rows], "linear")
    workshop.export(trial, rows, described, folder, Deadline(None))
    return folder, prepared


@pytest.fixture
def waiting(exported: tuple[Path, Prepared], tmp_path: Path) -> tuple[Path, Prepared]:
    """A copy of it, as the gate removes what it has compared with."""
    return shutil.copytree(exported[0], tmp_path / "model"), exported[1]


def shifted(folder: Path, by: float) -> np.ndarray:
    """Change what is expected, by a part of the unit in which differences are allowed; every row still sums to 1."""
    expected = np.load(folder / "parity.npy")
    if expected.ndim == 1:
        return expected + by * Predictor(folder).contract["target_standard_deviation"]
    lower = np.argsort(expected, axis=1)[:, 0]
    moved = expected.copy()
    rows = np.arange(len(moved))
    moved[rows, lower] += by
    moved[rows, expected.argmax(axis=1)] -= by
    return moved


def test_an_export_of_ours_passes(waiting: tuple[Path, Prepared]) -> None:
    folder, prepared = waiting
    found = check_parity(folder, prepared.parity_frame)
    assert found["difference"] < 0.1 * TOLERANCE
    assert found["rows"] == len(prepared.parity_frame)
    assert not (folder / "parity.npy").exists()


@pytest.mark.parametrize("by, passes", [(0.5 * TOLERANCE, True), (2.0 * TOLERANCE, False), (np.nan, False)])
def test_a_difference_beyond_the_tolerance_is_refused(by: float, passes: bool, waiting: tuple[Path, Prepared]) -> None:
    folder, prepared = waiting
    np.save(folder / "parity.npy", shifted(folder, by))
    if passes:
        check_parity(folder, prepared.parity_frame)
        return
    with pytest.raises(ParityError, match="differs from the trained model"):
        check_parity(folder, prepared.parity_frame)
    assert (folder / "parity.npy").exists()


def test_another_label_or_the_value_of_another_row_is_refused(waiting: tuple[Path, Prepared]) -> None:
    folder, prepared = waiting
    np.save(folder / "parity.npy", np.flip(np.load(folder / "parity.npy"), axis=-1))
    with pytest.raises(ParityError):
        check_parity(folder, prepared.parity_frame)


def test_the_rows_compared_hold_the_edges_of_every_column(exported: tuple[Path, Prepared]) -> None:
    frame = exported[1].parity_frame
    assert list(frame.columns) == ["a", "b", "c"]
    assert frame.isna().all(axis=1).any(), "all missing"
    for name in frame.columns:
        lone = frame[name].isna() & frame.drop(columns=name).notna().all(axis=1)
        assert lone.any(), "only this one missing"
    assert set(frame["c"].dropna()) - {"x", "y", "z", ""}, "a level that was never seen"
    seen = exported[1].frame["a"].abs().max()
    assert pd.to_numeric(frame["a"]).abs().max() > 5 * seen


def test_only_features_of_sealed_rows_are_looked_at() -> None:
    prepared = prepared_of(frame_of(600))[1]
    usual = prepared.parity_frame.iloc[: len(prepared.sealed)]
    assert "target" not in usual.columns
    assert np.array_equal(usual["a"].astype(float), prepared.frame["a"].iloc[prepared.sealed])
