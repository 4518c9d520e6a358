"""How the threads of OpenMP wait for each other, which has to be said before a library loads it."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

SPINS = "1000"
"""Turns of a waiting thread before it sleeps, some microseconds: see `wait_briefly`."""


def wait_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads that wait look around for a moment and then sleep; what the user has set stays.

    Threads that spin for long make a busy machine a hundred times slower. Threads that sleep at once have to be woken for every
    leaf of a tree: on two idle cores LightGBM was 1.3 to 20 times slower with two threads than with one, and with a
    moment of spinning 1.1 to 1.8 times faster (benchmarks/tree_threads.py).
    """
    if environment.setdefault("OMP_WAIT_POLICY", "PASSIVE").upper() == "PASSIVE":
        environment.setdefault("GOMP_SPINCOUNT", SPINS)
