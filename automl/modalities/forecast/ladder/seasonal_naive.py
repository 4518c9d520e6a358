"""Rung 1: the value at the same place of the last whole season."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Profile
from automl.core.space import Settings, Space
from automl.core.tasks import Task


def fits(profile: Profile) -> str | None:
    return None if profile.arrangement["seasons"] else "the series has no season, or is shorter than two of them"


def reason(profile: Profile) -> str:
    return f"repeats the last season of {profile.arrangement['seasons'][0]:,} steps: what every better method has to beat"


def space(profile: Profile) -> Space:
    return Space({})


def cost(profile: Profile, settings: Settings) -> Cost:
    return Cost(seconds=0.1, size_bytes=2_000)


def learner() -> Any:
    from automl.learners.statistical import StatisticalLearner

    return StatisticalLearner("seasonal_naive")


ARCHITECTURE = Architecture(
    name="seasonal_naive",
    title="Seasonal naive",
    rung=1,
    tasks=frozenset({Task.FORECAST}),
    encoding="panel",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
)
