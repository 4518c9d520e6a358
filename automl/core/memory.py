"""How a limit on memory is shared out among the table, what is encoded of it, and the processes."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from automl.core.errors import InputError

GIB = 1 << 30
LIBRARIES_BYTES, WORKER_BYTES = 450 << 20, 900 << 20
"""What this process takes with its libraries and no data, and the training worker with a small net."""
LEAST_BYTES = LIBRARIES_BYTES + (200 << 20)
MOST_CACHE_BYTES = GIB
BYTES_A_CELL = 24
"""Of a cell in a fit: four bytes, in about six copies."""
SPARED = 0.8
"""Where the user gives no limit: the share of the free memory that is taken at most."""


@dataclass(frozen=True)
class Memory:
    """limit_bytes: of all processes of a run together.

    table_bytes: for the table as read. cells: rows times columns that a fit can take with the copies that it makes.
    cache_bytes: for encoded tables that a process keeps. worker: whether there is room for the training worker, which nets
    need.
    """

    limit_bytes: int
    table_bytes: int
    cells: int
    cache_bytes: int
    worker: bool

    @property
    def fit_bytes(self) -> int:
        return self.cells * BYTES_A_CELL

    def rows(self, columns: int) -> int:
        """The most rows of a table that a fit can take."""
        return max(1, self.cells // max(1, columns))


def memory_of(limit_gb: float | None) -> Memory:
    """The shares of a limit; without one, of what the machine has free.

    Raises InputError where the limit leaves nothing beside the libraries.
    """
    limit = int(limit_gb * GIB) if limit_gb is not None else max(int(SPARED * free_bytes()), 2 * LEAST_BYTES)
    if limit < LEAST_BYTES:
        raise InputError(
            f"--memory {limit_gb:g} is too little: the libraries alone take about {LIBRARIES_BYTES / GIB:.1f} GB",
            f"give at least {LEAST_BYTES / GIB:.1f}",
        )
    return shares_of(limit)


def shares_of(limit: int) -> Memory:
    """The shares of so many bytes."""
    worker = limit >= LEAST_BYTES + WORKER_BYTES
    left = limit - LIBRARIES_BYTES - (WORKER_BYTES if worker else 0)
    return Memory(limit, left // 4, left // 2 // BYTES_A_CELL, min(MOST_CACHE_BYTES, left // 4), worker)


def free_bytes() -> int:
    """Memory that could be taken now, by the system and by the limit of the control group; 8 GiB where neither tells."""
    found = [_meminfo(), _group_limit()]
    known = [each for each in found if each is not None]
    return min(known) if known else 8 * GIB


def _meminfo() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def _group_limit() -> int | None:
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        return None if limit == "max" else int(limit)
    except (OSError, ValueError):
        return None


def resident_bytes(process: int | str = "self") -> int:
    """What a process holds in memory now; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _page_bytes()
    except (OSError, ValueError, IndexError):
        return 0


LEAST_GROWN = 64 << 20
"""A process that has grown by less since it gave something back is left alone: to look for free memory takes a while."""
_held = [0]


def give_back() -> None:
    """Return what is free on the heap to the system, which glibc keeps for later: a compiler leaves hundreds of megabytes."""
    trim, holds = _trim(), resident_bytes()
    if trim is not None and holds > _held[0] + LEAST_GROWN:
        trim(0)
        _held[0] = resident_bytes()
    _held[0] = min(_held[0], holds)


@cache
def _trim() -> Any:
    """glibc's malloc_trim; None on systems without it."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def _page_bytes() -> int:
    import resource

    return resource.getpagesize()
