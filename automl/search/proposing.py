"""Which settings a trial gets: known good ones first and in order, then points drawn at random within the declared space."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from automl.core.evidence import Trial
from automl.core.space import Settings, Space

COLLISIONS = 20
"""Draws that may repeat earlier settings before the space counts as searched out."""


def next_number(recorded: Iterable[Trial]) -> int:
    return max((trial.number for trial in recorded), default=-1) + 1


def propose(space: Space, seed: int, number: int, recorded: Iterable[Trial]) -> Settings | None:
    """The settings of trial `number`, or None where nothing new was found in the space.

    A function of the seed, the number and the settings tried before and of nothing else, so that it does not matter
    which process asks, or whether the run was interrupted in between.
    """
    if number < len(space.starts):
        return space.start(number)
    tried = [trial.settings for trial in recorded]
    for attempt in range(COLLISIONS):
        settings = space.sample(np.random.default_rng([seed, number, attempt]))
        if settings not in tried:
            return settings
    return None
