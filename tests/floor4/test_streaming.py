"""Laws of reading in pieces: the same table as in one piece, and where the memory is short a fair part of the rows, said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import automl.streaming
from automl.core.errors import InputError, TrainingError
from automl.core.files import dump_json
from automl.core.memory import GIB, Memory, memory_of, resident_bytes
from automl.core.options import make_options
from automl.core.table import Category, tabulate
from automl.profiling import profile
from automl.reading import read
from automl.recommending import recommend
from automl.search.worker import Worker

ROWS = 3000


def frame() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=ROWS)
    return pd.DataFrame(
        {
            "number": np.where(generator.random(ROWS) < 0.1, np.nan, numbers),
            "exact": np.round(numbers, 1).astype(np.float32).astype(np.float64),
            "whole": generator.integers(0, 50, ROWS),
            "long": generator.integers(2**40, 2**41, ROWS),
            "late": np.r_[np.zeros(ROWS - 1, np.int64), 2**40],
            "word": generator.choice(["a", "b, c", 'd "e"', "", "7"], ROWS),
            "name": [f"row {number}" for number in range(ROWS)],
            "day": pd.date_range("2024-01-01", periods=ROWS, freq="h").astype(str),
            "flag": generator.random(ROWS) < 0.5,
            "target": generator.choice(["yes", "no"], ROWS),
        }
    )


def written(folder: Path, kind: str) -> Path:
    path = folder / f"data.{kind}"
    if kind == "parquet":
        frame().to_parquet(path)
    else:
        frame().to_csv(path, index=False)
    return path


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automl.streaming, "BLOCK_BYTES", 1 << 15)
    monkeypatch.setattr(automl.streaming, "BATCH_ROWS", 400)


def with_share(table_bytes: int, cells: int = 10**9) -> Memory:
    return Memory(8 * GIB, table_bytes, cells, GIB, True)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_a_file_read_in_pieces_gives_the_same_profile_and_the_same_clean_columns(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, kind)
    monkeypatch.setattr("automl.reading.PIECES_BYTES", 1)
    whole, pieces = read(path), read(path, memory=with_share(GIB))
    assert pieces.reading["coded"]
    assert pieces.left_out == 0
    options = make_options({"target": "target"})
    found = profile(whole, options)
    assert dump_json(found) == dump_json(profile(pieces, options))
    tables = [tabulate(each.frame, found.features) for each in (whole, pieces)]
    for ours, theirs in zip(*(table.columns.values() for table in tables), strict=True):
        if isinstance(ours, Category):
            assert isinstance(theirs, Category)
            assert ours.levels == theirs.levels
            ours, theirs = ours.codes, theirs.codes
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_where_the_memory_is_short_a_fair_part_of_the_rows_is_read_and_said(kind: str, tmp_path: Path) -> None:
    path, limit = written(tmp_path, kind), 100_000
    memory = with_share(limit)
    dataset = read(path, memory=memory, seed=1)
    assert 200 < dataset.rows < ROWS
    assert dataset.left_out == ROWS - dataset.rows
    places = dataset.frame["name"].str.removeprefix("row ").astype(int).to_numpy()
    assert (np.diff(places) > 0).all()
    assert abs(places.mean() / ROWS - 0.5) < 4 * 0.29 / np.sqrt(len(places))
    assert np.array_equal(places, read(path, memory=memory, seed=1).frame["name"].str.removeprefix("row ").astype(int))
    [note] = [note for note in profile(dataset, make_options({"target": "target"})).notes if "memory" in note]
    assert f"{ROWS:,}" in note
    assert f"{dataset.rows:,}" in note


def test_a_frame_keeps_the_rows_that_a_fit_can_take() -> None:
    dataset = read(frame(), memory=with_share(GIB, cells=5000))
    assert dataset.rows == 500
    assert dataset.left_out == ROWS - 500
    assert dataset.content_hash == read(frame()).content_hash


@pytest.mark.usefixtures("small_pieces")
def test_a_damaged_line_in_a_large_file_is_one_sentence(tmp_path: Path) -> None:
    path = written(tmp_path, "csv")
    path.write_text(path.read_text() + "1,2\n")
    with pytest.raises(InputError, match=r"read in pieces.*data\.csv|data\.csv.*read in pieces"):
        read(path, memory=with_share(100_000))


def test_shares_stay_within_the_limit_and_too_little_is_refused() -> None:
    for limit in (1.0, 2.0, 8.0):
        memory = memory_of(limit)
        assert memory.table_bytes + memory.cache_bytes + 24 * memory.cells <= limit * GIB
        assert memory.rows(10) * 10 <= memory.cells
    assert not memory_of(1.0).worker
    assert memory_of(4.0).worker
    with pytest.raises(InputError, match=r"--memory 0\.1 is too little"):
        memory_of(0.1)


def test_nets_are_left_out_where_there_is_no_memory_for_their_library() -> None:
    options = make_options({"target": "target", "memory": 1.0})
    found = profile(read(frame()), options)
    refused = {rung.architecture: rung.refused for rung in recommend(found, options).rungs}
    assert "1 GB of memory" in (refused["mlp"] or "")
    assert refused["boosting"] is None


def test_the_worker_is_ended_where_it_takes_too_much(tmp_path: Path) -> None:
    from automl.core.clock import Deadline

    worker = Worker(tmp_path, tmp_path / "worker.log", limit_bytes=resident_bytes())
    worker.start()
    try:
        with pytest.raises(TrainingError, match="--memory"):
            worker.ask({"do": "open", "folder": str(tmp_path)}, Deadline(30.0))
        assert worker.process is None
    finally:
        worker.stop()
