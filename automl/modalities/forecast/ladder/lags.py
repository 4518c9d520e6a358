"""Rung 3: gradient boosted trees on lags, seasonal lags, means, the calendar and covariates, one model for all steps ahead."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import Task
from automl.encoders.panel import covariates

LEAST_ROWS = 60
SECONDS_A_PAIR_AND_ROUND = 9e-7
ROUNDS = 150
BYTES_A_LEAF = 28


def fits(profile: Profile) -> str | None:
    if profile.rows < LEAST_ROWS:
        return f"needs about {LEAST_ROWS} rows before trees find more than noise; here {profile.rows:,}"
    longest = profile.rows / len(profile.arrangement["names"])
    if longest < 2.5 * profile.arrangement["horizon"]:
        return f"needs series of at least 2.5 horizons; here they have {longest:.0f} steps"
    return None


def reason(profile: Profile) -> str:
    known, past = covariates(profile)
    many = len(profile.arrangement["names"])
    parts = [f"learns from all {many:,} series together" if many > 1 else "learns which lags matter"]
    if known:
        parts.append(f"takes what is known ahead ({', '.join(known[:3])}{', ...' if len(known) > 3 else ''})")
    if past:
        parts.append(f"and the past of {len(past):,} other column{'s' if len(past) > 1 else ''}")
    return ", ".join(parts)


def space(profile: Profile) -> Space:
    small = profile.rows < 2_000
    first: dict[str, Any] = {
        "learning_rate": 0.08,
        "num_leaves": 8 if small else 31,
        "min_data_in_leaf": 10 if small else 20,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "training_rows": 40_000,
    }
    dimensions: dict[str, Dimension] = {
        "learning_rate": Float(0.05, 0.2, 0.08, log=True),
        "num_leaves": Int(4, 96, 31, log=True),
        "min_data_in_leaf": Int(5, 100, 20, log=True),
        "feature_fraction": Float(0.3, 1.0, 0.7),
        "bagging_fraction": Float(0.5, 1.0, 0.8),
        "lambda_l2": Float(1e-3, 10.0, 1e-3, log=True),
        "base": Choice(("seasonal", "last", "level"), "seasonal"),
        "loss": Choice(("l1", "l2"), "l1"),
        "cycles": Int(2, 7, 4),
        "training_rows": Choice((20_000, 40_000, 80_000), 40_000),
    }
    starts = [first, {**first, "base": "last"}, {**first, "training_rows": 80_000, "num_leaves": 63}, {**first, "loss": "l2"}]
    if float(profile.target_statistics.get("minimum", -1.0)) > 0:
        dimensions["transform"] = Choice(("none", "log"), "none")
        starts.insert(1, {**first, "transform": "log"})
    return Space(dimensions, tuple(starts))


def cost(profile: Profile, settings: Settings) -> Cost:
    pairs = min(int(settings.get("training_rows", 40_000)), profile.rows * profile.arrangement["horizon"])
    seconds = 0.5 + 5 * pairs * ROUNDS * SECONDS_A_PAIR_AND_ROUND
    leaves = int(settings.get("num_leaves", 31))
    return Cost(seconds=seconds, size_bytes=20_000 + ROUNDS * leaves * BYTES_A_LEAF, flops_a_row=12.0 * ROUNDS)


def learner() -> Any:
    from automl.learners.lagged import LaggedLearner

    return LaggedLearner()


ARCHITECTURE = Architecture(
    name="lags",
    title="Boosted lags",
    rung=3,
    tasks=frozenset({Task.FORECAST}),
    encoding="panel",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    paper="LightGBM (Ke et al., NeurIPS 2017)",
)
