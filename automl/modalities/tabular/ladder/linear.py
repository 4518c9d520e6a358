"""Rung 1: logistic regression, or ridge and lasso, on scaled numbers and one-hot categories."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Settings, Space
from automl.core.tasks import ALL_TASKS

ONEHOT_LEVELS, ONEHOT_WIDTH = 50, 2000
MOST_CELLS = {"l2": 6e6, "l1": 1.5e6}
LEAST_ROWS = {"l2": 20_000, "l1": 10_000}
SECONDS_A_CELL = {"l2": 1e-7, "l1": 1e-6}
IMBALANCED = 0.3
DATE_BYTES = 4000
"""The calendar in the graph."""


def fits(profile: Profile) -> str | None:
    return None


def reason(profile: Profile) -> str:
    width = encoded_width(profile)
    kind = "logistic regression" if profile.task.is_classification else "ridge regression"
    return (
        f"{kind} on {width:,} encoded columns from {profile.rows:,} rows trains in seconds, "
        "and its coefficients can be read; a more complex model has to beat it"
    )


def space(profile: Profile) -> Space:
    """What is searched. The starts are those that benchmarks/portfolio.py finds on 15 tables, after the usual strength."""
    dimensions: dict[str, Dimension] = {
        "penalty": Choice(("l2", "l1"), "l2"),
        "strength": Float(1e-3, 1e2, 1.0, log=True),
    }
    starts: tuple[dict[str, Any], ...] = (
        {"penalty": "l2", "strength": 1.0},
        {"penalty": "l1", "strength": 0.5},
        {"penalty": "l2", "strength": 100.0},
        {"penalty": "l2", "strength": 0.05},
    )
    if imbalanced(profile):
        dimensions["class_weight"] = Choice(("balanced", "none"), "balanced")
    return Space(dimensions, starts)


def cost(profile: Profile, settings: Settings) -> Cost:
    width = encoded_width(profile)
    outputs = profile.outputs
    penalty = settings["penalty"]
    cells = min(profile.rows * width, max(MOST_CELLS[penalty], LEAST_ROWS[penalty] * width))
    seconds = 0.1 + 5 * cells * SECONDS_A_CELL[penalty] * max(1, outputs - 1)
    names = sum(min(column.unique, ONEHOT_LEVELS) for column in profile.features_of(Kind.CATEGORY, Kind.TEXT, Kind.IDENTIFIER))
    size = 1500 + 4 * (width + 1) * outputs + 20 * names + 120 * len(profile.features)
    size += DATE_BYTES * bool(profile.features_of(Kind.DATETIME))
    return Cost(seconds=seconds, size_bytes=int(size), flops_a_row=2.0 * width * outputs)


def encoded_width(profile: Profile) -> int:
    """About how many columns the dense encoding makes."""
    width = 0.0
    for column in profile.features:
        if column.kind in (Kind.NUMBER, Kind.BOOLEAN):
            width += 1 + (column.missing_fraction > 0)
        elif column.kind is Kind.DATETIME:
            width += 10
        else:
            width += min(column.unique + (column.missing_fraction > 0), ONEHOT_LEVELS + 1)
    return int(min(width, ONEHOT_WIDTH + len(profile.features)))


def imbalanced(profile: Profile) -> bool:
    """Whether class weights are worth a dimension of the search (learners obey them only for metrics of labels)."""
    return bool(profile.class_counts) and min(profile.class_counts) < IMBALANCED * sum(profile.class_counts)


def learner() -> Any:
    from automl.learners.linear import LinearLearner

    return LinearLearner()


ARCHITECTURE = Architecture(
    name="linear",
    title="Linear model",
    rung=1,
    tasks=ALL_TASKS,
    encoding="dense",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
)
