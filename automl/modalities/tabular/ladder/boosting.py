"""Rung 2: gradient boosted trees (LightGBM) on raw numbers and category codes."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS, Task

LEAST_ROWS = 50
IMBALANCED = 0.3
SECONDS_A_CELL, SECONDS_A_LEAF = 7.6e-9, 6e-6
BYTES_A_LEAF = 28


def fits(profile: Profile) -> str | None:
    if profile.rows < LEAST_ROWS:
        return f"needs about {LEAST_ROWS} rows before trees find more than noise; here {profile.rows:,}"
    return None


def reason(profile: Profile) -> str:
    parts = []
    categories = profile.features_of(Kind.CATEGORY)
    if categories:
        widest = max(column.unique for column in categories)
        parts.append(f"{len(categories):,} categorical columns (up to {widest:,} levels)")
    gaps = sum(column.missing_fraction > 0 for column in profile.features)
    if gaps:
        parts.append(f"{gaps:,} columns with missing values")
    taken = f", and takes {' and '.join(parts)} as they are" if parts else ""
    return (
        f"finds thresholds and interactions among {len(profile.features):,} columns in {profile.rows:,} rows "
        f"without being told about them{taken}"
    )


def space(profile: Profile) -> Space:
    """Ranges after TabArena (arXiv:2506.16791), learning rates raised to fit a budget of minutes on two cores."""
    dimensions: dict[str, Dimension] = {
        "learning_rate": Float(0.015, 0.15, 0.05, log=True),
        "num_leaves": Int(4, 128, 31, log=True),
        "min_data_in_leaf": Int(1, 64, 20, log=True),
        "feature_fraction": Float(0.4, 1.0, 1.0),
        "bagging_fraction": Float(0.6, 1.0, 1.0),
        "lambda_l1": Float(1e-4, 2.0, 1e-4, log=True),
        "lambda_l2": Float(1e-4, 10.0, 1e-4, log=True),
        "extra_trees": Choice((False, True), False),
    }
    if profile.features_of(Kind.CATEGORY, Kind.TEXT, Kind.IDENTIFIER):
        dimensions["max_cat_to_onehot"] = Int(4, 64, 4, log=True)
        dimensions["cat_smooth"] = Float(0.5, 100.0, 10.0, log=True)
        dimensions["cat_l2"] = Float(0.05, 20.0, 10.0, log=True)
    if bool(profile.class_counts) and min(profile.class_counts) < IMBALANCED * sum(profile.class_counts):
        dimensions["class_weight"] = Choice(("balanced", "none"), "balanced")
    starts = _small_starts() if profile.rows < 5000 else _large_starts(profile)
    return Space(dimensions, tuple({name: value for name, value in start.items() if name in dimensions} for start in starts))


def _small_starts() -> tuple[dict[str, Any], ...]:
    return ({},)


def _large_starts(profile: Profile) -> tuple[dict[str, Any], ...]:
    return ({},)


def expected_rounds(profile: Profile, settings: Settings) -> float:
    """A guess from the rows: more data carries more rounds, a lower learning rate needs more."""
    harder = 2.0 if profile.task is Task.REGRESSION else 1.0
    return float(min(5000.0, harder * 3.0 / settings["learning_rate"] * (profile.rows / 1000) ** 0.35))


def cost(profile: Profile, settings: Settings) -> Cost:
    rounds = max(20.0, expected_rounds(profile, settings))
    trees = profile.outputs if profile.task is Task.MULTICLASS else 1
    leaves = min(settings["num_leaves"], max(2.0, 0.8 * profile.rows / (1.5 * settings["min_data_in_leaf"])))
    cells = profile.rows * len(profile.features) * settings["bagging_fraction"]
    one_tree = SECONDS_A_CELL * 0.8 * cells + SECONDS_A_LEAF * leaves
    seconds = 0.3 + 5 * 1.3 * rounds * trees * one_tree / 1.6
    size = 3000 + rounds * trees * leaves * BYTES_A_LEAF
    return Cost(seconds=seconds, size_bytes=int(size), flops_a_row=2.0 * rounds * trees * max(1.0, leaves.bit_length() if isinstance(leaves, int) else 5.0))


def learner() -> Any:
    from automl.learners.trees import TreesLearner

    return TreesLearner()


ARCHITECTURE = Architecture(
    name="boosting",
    title="Gradient boosting",
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
