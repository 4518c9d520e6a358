"""Rung 0: the last value, for every step ahead."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Profile
from automl.core.space import Settings, Space
from automl.core.tasks import Task


def fits(profile: Profile) -> str | None:
    return None


def reason(profile: Profile) -> str:
    return "the zero point: every step ahead is the last known value"


def space(profile: Profile) -> Space:
    return Space({})


def cost(profile: Profile, settings: Settings) -> Cost:
    return Cost(seconds=0.1, size_bytes=2_000)


def learner() -> Any:
    from automl.learners.statistical import StatisticalLearner

    return StatisticalLearner("naive")


ARCHITECTURE = Architecture(
    name="naive",
    title="Naive",
    rung=0,
    tasks=frozenset({Task.FORECAST}),
    encoding="panel",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
)
