"""A process and all that it starts, watched from outside: seconds, peak memory, and a hard end (Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PR_SET_CHILD_SUBREAPER = 36
SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Measured:
    """wall_seconds: from start to the end of the first process. peak_bytes: of the whole tree, shared pages counted once."""

    wall_seconds: float
    peak_bytes: int
    return_code: int
    killed: bool


def adopt_orphans() -> None:
    """Make this process the parent of every orphan below it, so that no daemon of a system leaves the tree."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(root: int) -> list[int]:
    """Process ids below `root`, children before their children."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parent = int(Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue  # it ended meanwhile
            children.setdefault(parent, []).append(int(entry))
    found, waiting = [], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def yardstick_seconds() -> float:
    """What a fixed piece of work on one core takes, the quickest of five: how fast this machine is now, beside other cells."""
    codes = np.random.default_rng(0).integers(0, 256, 2_000_000)
    weights, taken = codes.astype(np.float64), []
    for _ in range(5):
        started = time.perf_counter()
        np.bincount(codes, weights, 256)
        sum(range(2_000_000))
        taken.append(time.perf_counter() - started)
    return min(taken)


def memory_bytes(process: int) -> int:
    """Proportional set size: a page shared by n processes counts 1/n in each. 0 where the process has ended."""
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    except OSError:
        return 0
    return 0


def end_all() -> None:
    """Kill and reap everything below this process."""
    while below := descendants(os.getpid()):
        for process in below:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        time.sleep(0.05)


def watch(command: list[str], folder: Path, environment: Mapping[str, str], limit_seconds: float) -> Measured:
    """Run the command in `folder`, its output in output.txt there; whatever is left of it at the end is killed."""
    adopt_orphans()
    peak, started = 0, time.perf_counter()
    with open(folder / "output.txt", "wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(SAMPLE_SECONDS)
                elapsed = time.perf_counter() - started
                killed = process.returncode is None and elapsed > limit_seconds
                if process.returncode is not None or killed:
                    break
                peak = max(peak, sum(map(memory_bytes, descendants(os.getpid()))))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            end_all()
    return Measured(elapsed, peak, process.returncode, killed)
