"""Which settings a trial gets: known good ones first and in order, then points around the best and points drawn at random."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from automl.core.evidence import Trial
from automl.core.metrics import Metric
from automl.core.space import Settings, Space

COLLISIONS = 20
"""Draws that may repeat earlier settings before the space counts as searched out."""
PARENTS = 3
"""A point is drawn around one of so many best trials."""
NEAR_SHARE = 0.67
"""Share of the draws, after the starts, that go around the best; the rest falls anywhere in the space."""


def next_number(recorded: Iterable[Trial]) -> int:
    return max((trial.number for trial in recorded), default=-1) + 1


def propose(space: Space, seed: int, number: int, recorded: Sequence[Trial], metric: Metric) -> Settings | None:
    """The settings of trial `number`, or None where nothing new was found in the space.

    A function of the seed, the number, and the settings and scores of the trials before and of nothing else, so that it
    does not matter which process asks, or whether the run was interrupted in between.
    """
    if number < len(space.starts):
        return space.start(number)
    tried = [trial.settings for trial in recorded]
    parents = best_of(recorded, metric)
    for attempt in range(COLLISIONS):
        generator = np.random.default_rng([seed, number, attempt])
        if parents and generator.random() < NEAR_SHARE:
            settings = space.near(parents[int(generator.integers(len(parents)))].settings, generator)
        else:
            settings = space.sample(generator)
        if settings not in tried:
            return settings
    return None


def best_of(recorded: Iterable[Trial], metric: Metric) -> list[Trial]:
    """The trials to go on from, the best first."""
    scored = [trial for trial in recorded if trial.score is not None]
    return sorted(scored, key=lambda trial: (-metric.gain(trial.score or 0.0, 0.0), trial.number))[:PARENTS]
