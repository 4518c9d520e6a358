"""One deadline, shared by every stage of a run."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

INNER_FRACTION = 0.97
"""The share of the budget after which nothing may be under way any more."""


MOST_START_UP_SECONDS = 5.0
"""A process older than this when it is asked became Python later: a shell ran something else in it first."""


def process_age_seconds() -> float:
    """Seconds since this process was started, interpreter start-up included; 0 where the system does not tell.

    A shell that ends with `exec python` hands its own age on; then the seconds of computing are told instead.
    """
    try:
        started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0.0
    age = max(0.0, uptime - started_ticks / os.sysconf("SC_CLK_TCK"))
    return age if age < MOST_START_UP_SECONDS else min(time.process_time(), MOST_START_UP_SECONDS)


@dataclass
class Deadline:
    """A hard limit on wall-clock time; `budget_seconds=None` is no limit (work is counted instead).

    parent: the deadline of the work that this is a part of. spent_seconds: what earlier sittings of the same run, or the
    start of the process, have used already.
    """

    budget_seconds: float | None
    spent_seconds: float = 0.0
    clock: Callable[[], float] = time.monotonic
    parent: Deadline | None = None
    started: float = field(init=False)
    stopped: bool = field(init=False, default=False)
    short: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.started = self.clock() - self.spent_seconds

    def interrupt(self) -> None:
        """The user wants the best so far: no new search work is begun, what is there is finished."""
        self.stopped = True

    @property
    def interrupted(self) -> bool:
        """Whether the user has interrupted this work or the work that it is part of."""
        return self.stopped or (self.parent is not None and self.parent.interrupted)

    @property
    def elapsed_seconds(self) -> float:
        return self.clock() - self.started

    @property
    def inner_seconds(self) -> float:
        """When everything must be finished, in seconds from the start."""
        return math.inf if self.budget_seconds is None else INNER_FRACTION * self.budget_seconds

    def searching_seconds(self, reserve: float = 0.0) -> float:
        """Seconds left for work that the result can do without: none once the user has interrupted."""
        return 0.0 if self.interrupted else self.left_seconds(reserve)

    def left_seconds(self, reserve: float = 0.0) -> float:
        """Seconds that may still be spent when `reserve` seconds are kept back; never negative."""
        return max(0.0, self.inner_seconds - self.elapsed_seconds - reserve)

    def until(self, reserve: float = 0.0, share: float = 1.0) -> Deadline:
        """A deadline of its own for one piece of work: `share` of what is left beyond the reserve."""
        left = self.left_seconds(reserve) * share
        return Deadline(None if math.isinf(left) else left / INNER_FRACTION, clock=self.clock, parent=self)

    def nearer(self, seconds: float) -> Deadline:
        """The same clock with an end of its own, at most so many seconds from now."""
        ends = min(self.inner_seconds, self.elapsed_seconds + max(0.0, seconds))
        near = Deadline(None if math.isinf(ends) else ends / INNER_FRACTION, clock=self.clock, parent=self)
        near.started = self.started
        return near

    def lacks(self, seconds: float) -> bool:
        """Whether fewer seconds than these are left, so that the asker does less: `short` remembers it."""
        lacking = self.left_seconds() < seconds
        if lacking:
            self.fall_short()
        return lacking

    def fall_short(self) -> None:
        """Remember here, and in what this is a part of, that less is done for want of time."""
        self.short = True
        if self.parent is not None:
            self.parent.fall_short()

    @property
    def expired(self) -> bool:
        return self.left_seconds() <= 0.0


def recorded(deadline: Deadline, readings: list[float]) -> Deadline:
    """The same deadline, which appends every reading of its clock (seconds since its start) to `readings`."""

    def clock() -> float:
        readings.append(deadline.elapsed_seconds)
        return readings[-1]

    return _from_zero(Deadline(deadline.budget_seconds, parent=deadline), clock)


def replayed(budget_seconds: float | None, readings: Sequence[float]) -> Deadline:
    """A deadline whose clock says what it said when it was recorded, so that what hung on it is decided in the same way.

    After the last reading it stands still.
    """
    following = iter(readings)
    last = readings[-1] if len(readings) else 0.0
    return _from_zero(Deadline(budget_seconds), lambda: next(following, last))


def _from_zero(deadline: Deadline, clock: Callable[[], float]) -> Deadline:
    """The deadline by a clock that tells seconds since the start."""
    deadline.clock, deadline.started = clock, 0.0
    return deadline
