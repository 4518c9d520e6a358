"""Rung 1: random convolution features (MiniRocket) and a linear model with its penalty chosen in closed form."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Settings, Space
from automl.core.tasks import ALL_TASKS

SECONDS_A_CELL = 4e-10
"""Comparing one step of one series with one threshold, in numpy."""
SOLVING = 2e-11


def fits(profile: Profile) -> str | None:
    """None, or the sentence why it is left out."""
    if not profile.features_of(Kind.SERIES):
        return "there is no column of series"
    return None


def reason(profile: Profile) -> str:
    return (
        f"about {_features(profile):,} random convolutions and a linear model: on most series as accurate as a deep net, "
        "trained in seconds"
    )


def space(profile: Profile) -> Space:
    """The penalty is found in closed form, so there is little to search."""
    if profile.class_counts and min(profile.class_counts) < 0.3 * max(profile.class_counts):
        return Space({"class_weight": Choice(("balanced", "none"), "balanced")})
    return Space({})


def cost(profile: Profile, settings: Settings) -> Cost:
    features, rows = _features(profile), profile.rows
    (column,) = profile.features_of(Kind.SERIES)[:1]
    length, channels = int(column.parse["length"]), int(column.parse["channels"])
    small = min(rows, features)
    transform = 6 * rows * features * length * SECONDS_A_CELL
    solving = 5 * (rows * features * small + 8.0 * min(rows, 1_200) ** 3 + 7.0 * small**3 / 3 * (rows > 1_200)) * SOLVING
    statistics = 6 * channels + 1
    size = 4 * (features + (features + statistics) * profile.outputs) + 84 * 9 * 4 * channels * 8 + 12_000
    return Cost(0.5 + transform + solving, int(size), float(features * length))


def learner() -> Any:
    from automl.learners.random_convolution import RidgeLearner

    return RidgeLearner()


def _features(profile: Profile) -> int:
    from automl.modalities.series.encoding import feature_count

    return feature_count(profile.rows)


ARCHITECTURE = Architecture(
    name="random_convolution",
    title="Random convolutions",
    rung=1,
    tasks=ALL_TASKS,
    encoding="convolutions",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    paper="arXiv:2012.08791",
)
