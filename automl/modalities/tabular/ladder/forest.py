"""Rung 3: a forest of trees that grow at random, whose errors are unlike those of boosting (scikit-learn's trees)."""

from __future__ import annotations

import math
from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS, Task
from automl.learners.forest import MOST_LEAVES, TREES
from automl.modalities.tabular.ladder.boosting import enrichments, made_columns

LEAST_ROWS, MOST_ROWS = 50, 150_000
ROWS_A_LEAF = 8_000
"""Of so many rows more, a leaf has one row more: else the trees of large data would be as large as the data."""
BYTES_A_LEAF, SECONDS_A_SPLIT, SECONDS_A_TREE = 28, 5e-9, 1e-3


def fits(profile: Profile) -> str | None:
    if profile.rows < LEAST_ROWS:
        return f"needs about {LEAST_ROWS} rows before trees find more than noise; here {profile.rows:,}"
    if profile.rows > MOST_ROWS:
        return f"trees that grow to the end take too long and too much room beyond {MOST_ROWS:,} rows; here {profile.rows:,}"
    return None


def reason(profile: Profile) -> str:
    return (
        f"the mean of {TREES} trees that each learn {profile.rows:,} rows nearly by heart, with splits drawn at random: strong"
        " where rows resemble each other, and its errors differ from those of boosting, which an ensemble can use"
    )


def space(profile: Profile) -> Space:
    """Ranges after TabArena (arXiv:2506.16791); leaves of one row are for values only."""
    least = max(1 if profile.task is Task.REGRESSION else 2, round(profile.rows / ROWS_A_LEAF))
    dimensions: dict[str, Dimension] = {
        "extra_trees": Choice((True, False), True),
        "max_features": Float(0.1, 1.0, 0.5),
        "min_samples_leaf": Int(1, max(32, 5 * least), least, log=True),
    }
    found = enrichments(profile)
    if len(found) > 1:
        dimensions["features"] = Choice(found, "plain")
    made = {"features": found[-1]} if len(found) > 1 else {}
    second = {"extra_trees": False, "max_features": 0.35}
    third = {"max_features": 1.0, "min_samples_leaf": 4 * least, **made}
    return Space(dimensions, ({}, second, third))


def cost(profile: Profile, settings: Settings) -> Cost:
    rows, columns = 0.8 * profile.rows, len(profile.features) + made_columns(profile, settings.get("features", "plain"))
    share, least = float(settings.get("max_features", 0.5)), int(settings.get("min_samples_leaf", 1))
    pure = 1.0 if profile.task is Task.REGRESSION else 0.4  # rows of one class are not split further
    leaves = max(2.0, pure * profile.rows / max(1.0, 1.5 * least - 0.5))
    trees = min(settings.get("rounds") or TREES, max(10.0, MOST_LEAVES / leaves))
    drawn = 1.0 if settings.get("extra_trees", True) else 2.0
    growing = SECONDS_A_SPLIT * drawn * rows * math.log2(rows) * max(1.0, share * columns)
    seconds = 0.2 + 5 * trees * (SECONDS_A_TREE + growing) / 1.6
    outputs = profile.outputs if profile.task is Task.MULTICLASS else 0
    encoding = 3000 + 4000 * bool(profile.features_of(Kind.DATETIME)) + 120 * columns
    size = encoding + trees * leaves * (BYTES_A_LEAF + 4 * outputs)
    return Cost(seconds=seconds, size_bytes=int(size), flops_a_row=2.0 * trees * math.log2(leaves + 1))


def learner() -> Any:
    from automl.learners.forest import ForestLearner

    return ForestLearner()


ARCHITECTURE = Architecture(
    name="forest",
    title="Forest",
    rung=3,
    tasks=ALL_TASKS,
    encoding="codes",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    paper="Extremely randomized trees (Geurts et al., 2006)",
)
