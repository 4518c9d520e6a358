"""Rung 0: class frequencies or the mean, so that every score has a zero point."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Profile
from automl.core.space import Settings, Space
from automl.core.tasks import ALL_TASKS


def fits(profile: Profile) -> str | None:
    return None


def reason(profile: Profile) -> str:
    if profile.task.is_classification and profile.class_counts:
        share = max(profile.class_counts) / max(1, sum(profile.class_counts))
        return f"the zero point: guessing from the class frequencies alone is right in {share:.1%} of the series"
    return "the zero point: the same value for every series"


def space(profile: Profile) -> Space:
    return Space({})


def cost(profile: Profile, settings: Settings) -> Cost:
    return Cost(seconds=0.05, size_bytes=500 + 4 * profile.outputs)


def learner() -> Any:
    from automl.learners.baseline import BaselineLearner

    return BaselineLearner()


ARCHITECTURE = Architecture(
    name="baseline",
    title="Baseline",
    rung=0,
    tasks=ALL_TASKS,
    encoding="none",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
)
