"""Counted trials give the same bytes again: repeated, and also where the run was killed and went on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.run.made_up import files, read, start, with_outcome

CLOCKED = {"run.json", "timing.json", "log.txt"}
"""What may differ: it holds seconds or the time of day."""
WORKER = "automl.search.worker"


def prepare(folder: Path, rows: int, kind: str) -> Path:
    folder.mkdir()
    with_outcome(kind, rows).to_csv(folder / "shop.csv", index=False)
    return folder


def wait(process: subprocess.Popen[str]) -> None:
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err


def until(true: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 60.0) -> None:
    """Poll; fails where the process ends first."""
    end = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)


def lines(folder: Path) -> list[str]:
    path = folder / "trials.jsonl"
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def workers_of(parent: int) -> list[int]:
    """Training workers that a process has started."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            ppid = int((entry / "stat").read_text().rpartition(")")[2].split()[1]) if entry.name.isdigit() else -1
            if ppid == parent and WORKER in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def different(one: Path, other: Path) -> set[str]:
    ours, theirs = files(one), files(other)
    assert set(ours) == set(theirs)
    return {name for name in ours if ours[name] != theirs[name]} - CLOCKED


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, rows, options",
    [("text", 600, ("--trials", 4, "--only", "linear,boosting")), ("number", 300, ("--trials", 1, "--only", "mlp"))],
)
def test_the_same_trials_give_the_same_bytes(kind: str, rows: int, options: tuple[object, ...], tmp_path: Path) -> None:
    folders = [prepare(tmp_path / name, rows, kind) for name in ("one", "two")]
    processes = [start("fit", "shop.csv", "--target", "outcome", "--quiet", *options, cwd=folder) for folder in folders]
    for process in processes:
        wait(process)
    one, two = (folder / "runs" / "shop-1" for folder in folders)
    assert different(one, two) == set()
    assert options[-1] != "mlp" or (one / "model" / "net" / "net.keras").is_file()


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_if_it_had_not_been_killed(tmp_path: Path) -> None:
    call = ("fit", "shop.csv", "--target", "outcome", "--trials", 5, "--only", "linear,boosting")
    killed, whole = prepare(tmp_path / "killed", 600, "number"), prepare(tmp_path / "whole", 600, "number")
    folder = killed / "runs" / "shop-1"

    process = start(*call, cwd=killed)
    until(lambda: len(lines(folder)) >= 4, process)  # three first trials, and one by the worker
    workers = workers_of(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    uninterrupted = start(*call, cwd=whole)
    kept = lines(folder)
    assert read(folder / "run.json")["state"] == "running"
    assert len(workers) == 1
    gone_by = time.monotonic() + 10.0
    while Path(f"/proc/{workers[0]}").exists():
        assert time.monotonic() < gone_by, "the worker outlived its parent"
        time.sleep(0.1)

    process = start(*call, cwd=killed)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "going on with runs/shop-1" in err
    assert [each.name for each in (killed / "runs").iterdir()] == ["shop-1"]
    assert lines(folder)[: len(kept)] == kept
    ids = [(read_line["architecture"], read_line["number"]) for read_line in map(_json, lines(folder))]
    assert len(ids) == len(set(ids)) == 6
    assert read(folder / "run.json")["state"] == "finished"
    assert not (folder / "work").exists()
    wait(uninterrupted)
    assert different(folder, whole / "runs" / "shop-1") == set()


def _json(line: str) -> dict[str, object]:
    import json

    content: dict[str, object] = json.loads(line)
    return content


@pytest.mark.slow
def test_ctrl_c_in_the_search_keeps_the_best_and_finishes(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "stopped", 600, "bool")
    run = folder / "runs" / "shop-1"
    process = start("fit", "shop.csv", "--target", "outcome", "--time", 120, "--preset", "best", "--only", "linear", cwd=folder)
    until(lambda: len(lines(run)) >= 3, process)
    workers = workers_of(process.pid)
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert time.monotonic() - asked < 20.0
    assert "finishing with the best model so far" in err
    assert "next: automl predict runs/shop-1" in out
    assert read(run / "run.json")["state"] == "interrupted"
    assert (run / "model" / "model.onnx").is_file()
    assert "interrupted" in read(run / "evidence.json")["stopped"]
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


@pytest.mark.slow
def test_a_second_ctrl_c_leaves_at_once_and_the_run_can_go_on(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "left", 600, "bool")
    run = folder / "runs" / "shop-1"
    process = start("fit", "shop.csv", "--target", "outcome", "--time", 60, "--only", "linear,boosting", cwd=folder)
    until(lambda: len(lines(run)) >= 1, process)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    told = iter(process.stderr.readline, "")
    assert any("press Ctrl-C again" in line for line in told)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=5)
    assert process.returncode == 130, err
    assert "interrupted; the same command goes on where it stopped" in err
    assert "Traceback" not in err
    assert read(run / "run.json")["state"] == "running"
    assert not (run / ".lock").exists()
