"""Rung 2: exponential smoothing, Theta or drift, whichever forecast each series best."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Profile
from automl.core.space import Choice, Dimension, Settings, Space
from automl.core.tasks import Task

MOST_SERIES = 2_000
LEAST_STEPS = 8


def fits(profile: Profile) -> str | None:
    many = len(profile.arrangement["names"])
    if many > MOST_SERIES:
        return f"fits every series by itself, which takes too long for {many:,} of them"
    if profile.rows < LEAST_STEPS * many:
        return f"needs about {LEAST_STEPS} steps a series; here {profile.rows / many:.1f}"
    return None


def reason(profile: Profile) -> str:
    many = len(profile.arrangement["names"])
    return f"a few parameters {'a series' if many > 1 else 'that'} tell how fast level, trend and season change"


def space(profile: Profile) -> Space:
    dimensions: dict[str, Dimension] = {"form": Choice(("auto", "ets", "theta"), "auto")}
    starts: tuple[dict[str, Any], ...] = ({}, {"form": "ets"}, {"form": "theta"})
    if float(profile.target_statistics.get("minimum", -1.0)) > 0:
        dimensions["transform"] = Choice(("none", "log"), "log")
        starts = ({}, {"transform": "none"}, {"form": "ets"}, {"form": "theta"})
    return Space(dimensions, starts)


def cost(profile: Profile, settings: Settings) -> Cost:
    many = len(profile.arrangement["names"])
    return Cost(seconds=1.0 + 0.12 * many, size_bytes=3_000 + 120 * many)


def learner() -> Any:
    from automl.learners.statistical import StatisticalLearner

    return StatisticalLearner("statistical")


ARCHITECTURE = Architecture(
    name="statistical",
    title="Exponential smoothing or Theta",
    rung=2,
    tasks=frozenset({Task.FORECAST}),
    encoding="panel",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    paper="Hyndman et al., 2008; Assimakopoulos and Nikolopoulos, 2000",
)
