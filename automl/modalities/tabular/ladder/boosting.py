"""Rung 2: gradient boosted trees (LightGBM) on raw numbers and category codes."""

from __future__ import annotations

import math
from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS, Task
from automl.encoders.arithmetic import MOST_TERMS
from automl.encoders.enriched import MOST_MEANS
from automl.encoders.target import MOST_PAIRS
from automl.learners.trees import most_bins, patience

LEAST_ROWS = 50
SMALL_ROWS, LARGE_ROWS = 5_000, 150_000
VERY_WIDE = 500
IMBALANCED = 0.3
SECONDS_A_CELL, SECONDS_A_LEAF, SECONDS_A_BIN = 8e-9, 6e-6, 1.7e-8
BYTES_A_LEAF, DATE_BYTES = 28, 4000


def fits(profile: Profile) -> str | None:
    if profile.rows < LEAST_ROWS:
        return f"needs about {LEAST_ROWS} rows before trees find more than noise; here {profile.rows:,}"
    return None


def reason(profile: Profile) -> str:
    parts = []
    categories = profile.features_of(Kind.CATEGORY)
    if categories:
        widest = max(column.unique for column in categories)
        parts.append(f"{len(categories):,} categorical (up to {widest:,} levels)")
    gaps = sum(column.missing_fraction > 0 for column in profile.features)
    if gaps:
        parts.append(f"{gaps:,} with missing values")
    taken = f", of which it takes {' and '.join(parts)} as they are" if parts else ""
    return (
        f"finds thresholds and interactions in {profile.rows:,} rows by itself; "
        f"number of columns: {len(profile.features):,}{taken}"
    )


def space(profile: Profile) -> Space:
    """Ranges after TabArena (arXiv:2506.16791), learning rates raised to fit a budget of minutes on two cores."""
    dimensions: dict[str, Dimension] = {
        "learning_rate": Float(0.015, 0.15, 0.05, log=True),
        "num_leaves": Int(4, 128, 31, log=True),
        "min_data_in_leaf": Int(1, 64, 20, log=True),
        "feature_fraction": _feature_fraction(len(profile.features)),
        "bagging_fraction": Float(0.6, 1.0, 1.0),
        "lambda_l1": Float(1e-4, 2.0, 1e-4, log=True),
        "lambda_l2": Float(1e-4, 10.0, 1e-4, log=True),
        "extra_trees": Choice((False, True), False),
    }
    if profile.features_of(Kind.CATEGORY, Kind.TEXT, Kind.IDENTIFIER):
        dimensions["max_cat_to_onehot"] = Int(4, 64, 4, log=True)
        dimensions["cat_smooth"] = Float(0.5, 100.0, 10.0, log=True)
        dimensions["cat_l2"] = Float(0.05, 20.0, 10.0, log=True)
    found = enrichments(profile)
    if len(found) > 1:
        dimensions["features"] = Choice(found, "plain")
    if bool(profile.class_counts) and min(profile.class_counts) < IMBALANCED * sum(profile.class_counts):
        dimensions["class_weight"] = Choice(("balanced", "none"), "balanced")
    starts = _starts(profile.rows, profile.task is Task.REGRESSION)
    if len(profile.features) > VERY_WIDE:
        starts = tuple({**start, "feature_fraction": 0.2, "learning_rate": 0.1} for start in starts)
    fitting: list[dict[str, Any]] = []
    for start in starts:
        start = {**start, "features": _nearest(start.get("features", "plain"), found)}
        fraction = start.get("feature_fraction", 1.0)
        start["feature_fraction"] = 1.0 if isinstance(dimensions["feature_fraction"], Choice) else fraction
        start = {name: value for name, value in start.items() if name in dimensions}
        fitting += [start] if start not in fitting else []
    return Space(dimensions, tuple(fitting))


def _nearest(features: str, found: tuple[str, ...]) -> str:
    """What a start asks for, or as much of it as this table has."""
    return features if features in found else "arithmetic" if features == "crossed" and "arithmetic" in found else "plain"


FEWEST_SAMPLED = 5
"""Below so many columns every tree sees all of them: one that sees a single category of many levels learns it by heart."""


def _feature_fraction(columns: int) -> Dimension:
    """The share of the columns that a tree may split on."""
    if columns < FEWEST_SAMPLED:
        return Choice((1.0,), 1.0)
    return Float(0.4, 1.0, 1.0) if columns <= VERY_WIDE else Float(0.05, 0.5, 0.2)


def enrichments(profile: Profile) -> tuple[str, ...]:
    """Which columns can be made for this table, see automl.encoders.enriched."""
    categories = any(column.unique > 2 for column in profile.features_of(Kind.CATEGORY, Kind.TEXT, Kind.IDENTIFIER))
    numbers = sum(column.unique > 2 for column in profile.features_of(Kind.NUMBER)) >= 2
    return ("plain", *("target",) * categories, *("arithmetic",) * numbers, *("crossed",) * categories)


def made_columns(profile: Profile, features: str) -> int:
    """About how many columns the setting "features" adds to the table."""
    many = [column for column in profile.features_of(Kind.CATEGORY, Kind.TEXT, Kind.IDENTIFIER) if column.unique > 2]
    outputs = profile.outputs if profile.task is Task.MULTICLASS else 1
    means = min(MOST_MEANS, len(many) * outputs) * (features in ("target", "crossed"))
    pairs = min(MOST_PAIRS, len(many) * (len(many) - 1) // 2) * outputs * (features == "crossed")
    return means + pairs + MOST_TERMS * (features in ("arithmetic", "crossed"))


ONE_LEVEL_SPLITS: dict[str, Any] = {
    "learning_rate": 0.05,
    "num_leaves": 16,
    "min_data_in_leaf": 3,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "max_cat_to_onehot": 64,
}
SHALLOW: dict[str, Any] = {
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_data_in_leaf": 10,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "lambda_l2": 1.0,
}
FEW_LEAVES_AT_RANDOM: dict[str, Any] = {
    "learning_rate": 0.03,
    "num_leaves": 5,
    "min_data_in_leaf": 10,
    "feature_fraction": 0.73,
    "bagging_fraction": 0.8,
    "extra_trees": True,
}
SMALL_LEAVES_AT_RANDOM: dict[str, Any] = {
    "learning_rate": 0.03,
    "num_leaves": 39,
    "min_data_in_leaf": 3,
    "feature_fraction": 0.46,
    "bagging_fraction": 0.88,
    "lambda_l1": 0.24,
    "lambda_l2": 0.36,
    "extra_trees": True,
    "cat_smooth": 15.0,
    "features": "crossed",
}
STUMPS: dict[str, Any] = {
    "learning_rate": 0.06,
    "num_leaves": 4,
    "min_data_in_leaf": 10,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
}
SLOW_AT_RANDOM: dict[str, Any] = {
    "learning_rate": 0.0175,
    "num_leaves": 4,
    "min_data_in_leaf": 3,
    "feature_fraction": 0.82,
    "bagging_fraction": 0.76,
    "extra_trees": True,
    "max_cat_to_onehot": 8,
    "cat_smooth": 28.0,
    "cat_l2": 0.3,
    "features": "arithmetic",
}
BIG_LEAVES: dict[str, Any] = {
    "learning_rate": 0.04,
    "num_leaves": 50,
    "min_data_in_leaf": 40,
    "feature_fraction": 1.0,
    "bagging_fraction": 0.75,
}


def _starts(rows: int, regression: bool) -> tuple[dict[str, Any], ...]:
    """Settings that complement each other, in an order in which every prefix is good (benchmarks/portfolio.py).

    The order for small data is the one found on 4,000 training rows of 13 tables, but that the first two have changed
    places where classes are told apart: the probe of the rung should be cheap. Larger data begin with what was best on 16,000
    rows of adult, diamonds and california-housing. A value is better told with made columns on every table that was tried, by
    up to 4 % of the RMSE, so a regression, which may have no time for a second trial, begins with them.
    """
    with_arithmetic = {**ONE_LEVEL_SPLITS, "features": "arithmetic"}
    if rows < SMALL_ROWS:
        plain, made = SHALLOW, SMALL_LEAVES_AT_RANDOM
        others = (FEW_LEAVES_AT_RANDOM, with_arithmetic, STUMPS, SLOW_AT_RANDOM, ONE_LEVEL_SPLITS)
    else:
        plain = {**ONE_LEVEL_SPLITS, **({"learning_rate": 0.1, "num_leaves": 63} if rows >= LARGE_ROWS else {})}
        made = {**plain, "features": "crossed"}
        others = (SHALLOW, with_arithmetic, SMALL_LEAVES_AT_RANDOM, FEW_LEAVES_AT_RANDOM, BIG_LEAVES)
    return *((made, plain) if regression else (plain, made)), *others


FEW_LEAVES, AT_RANDOM = 5.0, 0.4
"""Trees that split at random places stop early: .2 to .6 of 39 leaves on 150 to 3,000 rows of abalone and wine-quality, but not
before there are a few."""


def expected_rounds(profile: Profile, settings: Settings) -> float:
    """A guess from the rows: more data carries more rounds, a lower learning rate needs more."""
    harder = 2.0 if profile.task is Task.REGRESSION else 1.0
    return float(min(3000.0, harder * 3.0 / settings["learning_rate"] * (profile.rows / 1000) ** 0.35))


def cost(profile: Profile, settings: Settings) -> Cost:
    rounds = settings.get("rounds") or max(20.0, expected_rounds(profile, settings))
    trees = profile.outputs if profile.task is Task.MULTICLASS else 1
    leaves = min(settings["num_leaves"], max(2.0, 0.8 * profile.rows / (1.5 * settings["min_data_in_leaf"])))
    if settings.get("extra_trees"):
        leaves = max(min(leaves, FEW_LEAVES), AT_RANDOM * leaves)
    made = made_columns(profile, settings.get("features", "plain"))
    columns = len(profile.features) + made
    cells = profile.rows * columns * settings["bagging_fraction"]
    most = most_bins(columns)
    bins = sum(min(column.unique, most) for column in profile.features) + made * min(most, profile.rows // 10)
    one_leaf = SECONDS_A_LEAF + SECONDS_A_BIN * bins * (0.5 + settings["feature_fraction"])
    one_tree = SECONDS_A_CELL * 0.8 * cells + leaves * one_leaf
    seconds = 0.3 + 5 * (rounds + patience(settings["learning_rate"], int(rounds), profile.rows)) * trees * one_tree / 1.6
    encoding = 3000 + DATE_BYTES * bool(profile.features_of(Kind.DATETIME)) + 120 * columns
    size = encoding + rounds * trees * leaves * BYTES_A_LEAF
    return Cost(seconds=seconds, size_bytes=int(size), flops_a_row=2.0 * rounds * trees * math.log2(leaves + 1))


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
    seeds_differ=True,
    paper="LightGBM (Ke et al., NeurIPS 2017)",
)
