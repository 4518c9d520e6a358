"""Runs a command and measures it: wall-clock seconds and the peak memory of the process with all its children.

    python -m benchmarks.measuring COMMAND ...

Memory is the proportional set size (PSS) of the whole process tree from /proc, read a few times a second: pages that
processes share count once. Where there is no /proc it is the resident set of the largest process.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PAUSE_SECONDS = 0.5
PROC = Path("/proc")


@dataclass(frozen=True)
class Measured:
    """seconds: wall-clock. peak_bytes: of the process and its children together. stdout: what it printed."""

    seconds: float
    peak_bytes: int
    stdout: str

    @property
    def peak_gib(self) -> float:
        return self.peak_bytes / 2**30


def measured(command: list[str]) -> Measured:
    """Run a command to its end; its stderr goes where ours goes.

    Raises SystemExit where it ends with another code than 0.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    watch = _Watch(process.pid)
    watch.start()
    stdout, _ = process.communicate()
    seconds = time.perf_counter() - started
    watch.finish()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Measured(seconds, watch.peak_bytes or _largest_child(), stdout)


class _Watch(threading.Thread):
    """Looks at a process tree until told to stop; `peak_bytes` is the most it held at one look."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak_bytes, self._over = pid, 0, threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            self.peak_bytes = max(self.peak_bytes, sum(map(_pss_bytes, _tree(self.pid))))
            self._over.wait(PAUSE_SECONDS)

    def finish(self) -> None:
        self._over.set()
        self.join()


def _tree(pid: int) -> list[int]:
    """A process and everything below it."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:
        found.extend(children.get(each, ()))
    return found


def _parent(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:  # it ended meanwhile
        return None


def _pss_bytes(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:  # it ended meanwhile
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _largest_child() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def automl_command(*arguments: object) -> list[str]:
    """`automl` with these arguments, by this interpreter."""
    return [sys.executable, "-m", "automl", *map(str, arguments)]


if __name__ == "__main__":
    found = measured(sys.argv[1:])
    sys.stdout.write(found.stdout)
    print(f"{found.seconds:.1f} s, {found.peak_gib:.2f} GiB", file=sys.stderr)
