"""Ensemble: a weighted mean of the best trials of all rungs, chosen greedily on out-of-fold predictions."""

from __future__ import annotations

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Profile
from automl.core.space import Settings, Space
from automl.core.tasks import ALL_TASKS

LEAST_ROWS = 100


def fits(profile: Profile) -> str | None:
    """None, or the sentence that the report shows when this rung is left out."""
    if profile.rows < LEAST_ROWS:
        return f"weights cannot be told from chance below about {LEAST_ROWS} rows; here are {profile.rows:,}"
    return None


def reason(profile: Profile) -> str:
    """Why it is worth trying on this profile."""
    return "models of different kinds err on different rows, and what they say together errs less where it pays at all"


def space(profile: Profile) -> Space:
    """Nothing is searched: the members and their weights follow from the trials."""
    return Space({})


def cost(profile: Profile, settings: Settings) -> Cost:
    """Of the selection and of the nodes that put together; the members are paid for by their own rungs."""
    return Cost(seconds=0.5 + 2e-4 * min(profile.rows, 12_000), size_bytes=1_000)


ARCHITECTURE = Architecture(
    name="ensemble",
    title="Ensemble",
    rung=7,
    tasks=ALL_TASKS,
    encoding="none",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=None,
    paper="doi:10.1145/1015330.1015432",
)
