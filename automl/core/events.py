"""One stream of events: the library never prints, whoever listens may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something that a watcher of the run may want to know.

    `stage` is one of read, profile, recommend, split, search, decide, judge, refit, report, done;
    `kind` is "start", "progress", "warning" or "end"; `message` is one sentence.
    """

    stage: str
    message: str
    kind: str = "progress"
    data: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """The listener of a caller who did not ask to hear anything."""
