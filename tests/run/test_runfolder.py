"""Laws of the run folder: one process at a time, an unfinished run is found again, a finished one is never touched."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from automl.core.clock import Deadline
from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.events import Event
from automl.core.files import write_json
from automl.core.options import Options, make_options
from automl.core.plan import Plan
from automl.core.profile import Profile
from automl.profiling import profile
from automl.reading import read
from automl.recommending import recommend
from automl.runfolder import RunFolder, claim, command, open_folder
from tests.run.made_up import with_outcome

OPTIONS = make_options({"target": "outcome", "time": 100, "jobs": 1})
Words = tuple[Dataset, Profile, Plan]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Words:
    path = tmp_path_factory.mktemp("data") / "My shop (2).csv"
    with_outcome("bool", 60).to_csv(path, index=False)
    dataset = read(path)
    found = profile(dataset, OPTIONS)
    return dataset, found, recommend(found, OPTIONS)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


class Claims:
    """Claims folders and remembers what was said."""

    def __init__(self, words: Words) -> None:
        self.words, self.said = words, [""]
        self.held: list[RunFolder] = []

    def __call__(self, out: str | None = None, fresh: bool = False, **changes: Any) -> RunFolder:
        def listen(event: Event) -> None:
            self.said.append(event.message)

        plan = replace(self.words[2], **changes)
        self.held.append(claim(Path(out) if out else None, self.words[0], plan, fresh, listen))
        return self.held[-1]

    def crashed(self, out: str | None = None, **changes: Any) -> Path:
        """A run that wrote its first words and was killed."""
        folder = self(out, **changes)
        folder.begin(*self.words, OPTIONS, Deadline(100.0))
        folder.release()
        (folder.path / "trials.jsonl").write_text("{}\n")
        return folder.path

    def finished(self, out: str | None = None) -> Path:
        path = self.crashed(out)
        write_json(path / "run.json", {**json.loads((path / "run.json").read_text()), "state": "finished"})
        return path


@pytest.fixture
def claims(words: Words) -> Iterator[Claims]:
    claims = Claims(words)
    yield claims
    for folder in claims.held:
        folder.release()


def test_names_are_counted_and_safe(claims: Claims) -> None:
    assert [claims().path for _ in range(3)] == [Path(f"runs/My_shop_2-{number}") for number in (1, 2, 3)]


@pytest.mark.parametrize("out", [None, "somewhere/else"])
def test_an_unfinished_run_of_the_same_data_and_settings_is_gone_on_with(out: str | None, claims: Claims) -> None:
    left = claims.crashed(out)
    again = claims(out)
    assert (again.path, again.resumed) == (left, True)
    assert (left / "trials.jsonl").exists()
    assert f"going on with {left}" in claims.said[-1]
    assert "--fresh" in claims.said[-1]


def test_other_settings_or_other_data_are_another_run(claims: Claims, words: Words) -> None:
    left = claims.crashed()
    assert claims(seed=1).path != left
    assert claims(preset="best").path != left
    claims.words = (replace(words[0], content_hash="0"), *words[1:])
    assert claims().path != left
    claims.words = words
    with pytest.raises(InputError, match="holds a run already"):
        claims(str(left), seed=1)


@pytest.mark.parametrize("out", [None, "elsewhere"])
def test_fresh_starts_anew(out: str | None, claims: Claims) -> None:
    left = claims.crashed(out)
    anew = claims(out, fresh=True)
    assert not anew.resumed
    assert (anew.path == left) is (out is not None)
    assert not (anew.path / "trials.jsonl").exists()


def test_a_run_that_another_process_holds_is_left_alone(claims: Claims) -> None:
    held = claims()
    held.begin(*claims.words, OPTIONS, Deadline(100.0))
    assert claims().path == Path("runs/My_shop_2-2")
    with pytest.raises(InputError, match="runs/My_shop_2-1"):
        claims("runs/My_shop_2-1")
    with pytest.raises(InputError, match="runs/My_shop_2-1"):
        claims("runs/My_shop_2-1", fresh=True)
    held.release()
    assert not (held.path / ".lock").exists()
    assert claims().path == held.path


def test_a_lock_on_a_file_that_is_gone_is_no_lock(claims: Claims, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that opened the lock file just before its holder removed it must not believe that it holds the folder."""
    left = claims.crashed()
    right = fcntl.flock
    taken: list[Any] = []

    def late(handle: Any, how: int) -> None:
        if not taken:
            (left / ".lock").unlink()
            taken.append((left / ".lock").open("w"))
            right(taken[0], how)
        right(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert claims().path != left
    taken[0].close()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_finished_run_is_never_touched(fresh: bool, claims: Claims) -> None:
    done = claims.finished("done")
    before = {path: path.read_bytes() for path in done.iterdir()}
    with pytest.raises(InputError, match="done holds a run already"):
        claims("done", fresh=fresh)
    assert {path: path.read_bytes() for path in done.iterdir()} == before
    assert claims(fresh=fresh).path == Path("runs/My_shop_2-1")


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_of_something_else_is_refused(fresh: bool, claims: Claims, here: Path) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="exists and is not empty"):
        claims("mine", fresh=fresh)
    assert [path.name for path in (here / "mine").iterdir()] == ["thesis.tex"]
    (here / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        claims("file", fresh=fresh)


def test_a_process_killed_before_its_first_word_does_not_block_the_folder(claims: Claims, here: Path) -> None:
    (here / "out").mkdir()
    for name in (".lock", ".run.json.x8k2"):
        (here / "out" / name).write_text("")
    folder = claims("out")
    assert (folder.path, folder.resumed) == (Path("out"), False)


def test_a_resumed_run_has_what_is_left_and_enough_to_finish(claims: Claims) -> None:
    for spent, counted in ((30.0, 30.0), (99.0, 75.0)):
        left = claims.crashed()
        write_json(left / "heartbeat.json", {"spent_seconds": spent})
        again, deadline = claims(), Deadline(100.0)
        again.begin(*claims.words, OPTIONS, deadline)
        assert deadline.elapsed_seconds == pytest.approx(counted, abs=2.0)
        again.release()
        write_json(left / "run.json", {"format": 1, "state": "finished"})


@pytest.mark.parametrize(
    "record, told",
    [
        ({"format": 1, "state": "running"}, "not finished"),
        ({"format": 2, "versions": {"automl": "9.0"}}, "automl 9.0"),
        ({"state": "finished"}, "damaged"),
        ([], "damaged"),
        ("torn", "damaged"),
        (None, "run.json is missing"),
    ],
)
def test_what_is_no_finished_run_of_this_version_is_not_opened(record: Any, told: str, here: Path) -> None:
    (here / "run").mkdir()
    if record is not None:
        (here / "run" / "run.json").write_text('{"form' if record == "torn" else json.dumps(record))
    with pytest.raises(InputError, match=told):
        open_folder(here / "run")
    with pytest.raises(InputError, match="no run folder"):
        open_folder(here / "nowhere")


def test_the_command_of_a_run_gives_its_options_again(words: Words) -> None:
    """What run.json says to repeat the run is understood by the command line as the same options."""
    import shlex

    from automl.cli import cli

    options = make_options(
        {
            "target": "the target", "positive": "a 'b'", "weight": "w", "features": ["a, b", 'c "d"'], "drop": ["x"],
            "kinds": {"zip=code": "category"}, "drop_leaks": True, "sensitive": ["a, b", "s"],
            "exclude_sensitive": True, "mitigate": "reweigh", "trials": 7, "seed": 3, "folds": 4, "only": ["linear"],
            "jobs": 1, "memory": 1.5, "refit": False, "samples": False, "metric": "log_loss", "preset": "best",
        }
    )  # fmt: skip
    for chosen in (options, Options(), make_options({"time": "90s", "group": "g"})):
        program, verb, *rest = shlex.split(command(words[0], chosen))
        assert (program, verb) == ("automl", "fit")
        from automl.cli import _make_options

        context = cli.commands["fit"].make_context("fit", list(rest))
        for face in ("data", "test", "recipe", "out", "fresh", "quiet", "as_json"):
            context.params.pop(face)
        assert _make_options(context.params) == chosen


def test_the_same_rows_are_the_same_run_however_they_come(words: Words) -> None:
    frame = pd.read_csv(words[0].source)
    assert read(frame).content_hash == read(frame.copy()).content_hash
    assert read(frame).content_hash != read(frame.iloc[::-1]).content_hash
