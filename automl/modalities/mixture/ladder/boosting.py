"""Rung 2: gradient boosted trees (LightGBM) on the table and on texts, images and sounds condensed to a few dozen numbers."""

from __future__ import annotations

import math
from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS, Task
from automl.learners.trees import patience
from automl.modalities.mixture.sizes import characters_of, condensed_width, kinds_in_words, rich_kinds

LEAST_ROWS = 50
IMBALANCED = 0.3
SECONDS_A_CELL, SECONDS_A_LEAF, SECONDS_A_BIN, SECONDS_A_CHARACTER = 8e-9, 6e-6, 1.7e-8, 1.5e-6
BYTES_A_LEAF, BYTES_A_TEXT = 28, 1_200_000


def fits(profile: Profile) -> str | None:
    """None, or the sentence that the report shows when this rung is left out."""
    if profile.rows < LEAST_ROWS:
        return f"needs about {LEAST_ROWS} rows before trees find more than noise; here {profile.rows:,}"
    return None


def reason(profile: Profile) -> str:
    """Why it is worth trying on this profile."""
    return (
        f"finds thresholds and interactions between {kinds_in_words(profile)}, "
        f"of which the {rich_kinds(profile)} become {condensed_width(profile):,} numbers a row"
    )


def space(profile: Profile) -> Space:
    """What can be varied; the first start is the default. With many columns each tree looks at a part of them."""
    dimensions: dict[str, Dimension] = {
        "learning_rate": Float(0.015, 0.15, 0.05, log=True),
        "num_leaves": Int(4, 128, 24, log=True),
        "min_data_in_leaf": Int(1, 64, 15, log=True),
        "feature_fraction": Float(0.1, 1.0, 0.4),
        "bagging_fraction": Float(0.6, 1.0, 0.8),
        "lambda_l1": Float(1e-4, 2.0, 1e-4, log=True),
        "lambda_l2": Float(1e-4, 10.0, 1.0, log=True),
        "extra_trees": Choice((False, True), False),
    }
    if profile.features_of(Kind.CATEGORY):
        dimensions["max_cat_to_onehot"] = Int(4, 64, 16, log=True)
        dimensions["cat_smooth"] = Float(0.5, 100.0, 20.0, log=True)
        dimensions["cat_l2"] = Float(0.05, 20.0, 10.0, log=True)
    if bool(profile.class_counts) and min(profile.class_counts) < IMBALANCED * sum(profile.class_counts):
        dimensions["class_weight"] = Choice(("balanced", "none"), "balanced")
    starts: tuple[dict[str, Any], ...] = (
        {},
        {"num_leaves": 48, "min_data_in_leaf": 30, "feature_fraction": 0.7, "learning_rate": 0.04},
        {"num_leaves": 8, "min_data_in_leaf": 10, "feature_fraction": 0.3},
        {"num_leaves": 16, "extra_trees": True, "feature_fraction": 0.5, "min_data_in_leaf": 8},
    )
    return Space(dimensions, starts)


def cost(profile: Profile, settings: Settings) -> Cost:
    """By cells, leaves and bins, as for a table as wide as the condensed one."""
    harder = 2.0 if profile.task is Task.REGRESSION else 1.0
    rate, leaves = float(settings["learning_rate"]), float(settings["num_leaves"])
    rounds = min(3000.0, max(20.0, harder * 3.0 / rate * (profile.rows / 1000) ** 0.35))
    trees = profile.outputs if profile.task is Task.MULTICLASS else 1
    leaves = min(leaves, max(2.0, 0.8 * profile.rows / (1.5 * settings["min_data_in_leaf"])))
    width = len(profile.features) + condensed_width(profile)
    cells = profile.rows * width * settings["bagging_fraction"] * settings["feature_fraction"]
    one_leaf = SECONDS_A_LEAF + SECONDS_A_BIN * 40 * width * (0.5 + settings["feature_fraction"])
    one_tree = SECONDS_A_CELL * 0.8 * cells + leaves * one_leaf
    seconds = 0.5 + 5 * (rounds + patience(rate, int(rounds), profile.rows)) * trees * one_tree / 1.6
    seconds += 5 * SECONDS_A_CHARACTER * characters_of(profile) * profile.rows
    size = 8000 + BYTES_A_TEXT * len(profile.features_of(Kind.TEXT)) + rounds * trees * leaves * BYTES_A_LEAF
    return Cost(seconds, int(size), 2.0 * rounds * trees * math.log2(leaves + 1))


def learner() -> Any:
    from automl.learners.trees import TreesLearner

    return TreesLearner()


ARCHITECTURE = Architecture(
    name="boosting",
    title="Gradient boosting on condensed columns",
    rung=2,
    tasks=ALL_TASKS,
    encoding="codes",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    paper="LightGBM (Ke et al., NeurIPS 2017)",
)
