"""Residual CNN in the manner of ResNet-9: twice the depth, with a short cut around every two convolutions."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Profile
from automl.core.space import Choice, Settings, Space
from automl.core.tasks import ALL_TASKS
from automl.modalities.image.nets import ImageLearner, cost_of, epochs_for, fits, head, shared_dimensions
from automl.training.trunks import image

FILTERS = 8


def reason(profile: Profile) -> str:
    return "short cuts let a deeper net train as easily, and depth joins parts to objects that a shallow net cannot tell apart"


def space(profile: Profile) -> Space:
    """The first start is the default."""
    dimensions = {
        "filters": Choice((8, 12, 16, 24), default=FILTERS),
        **shared_dimensions(profile, epochs_for(profile, "residual", FILTERS)),
    }
    return Space(dimensions, ({"dropout": 0.2}, {"filters": 16, "dropout": 0.3}))


def cost(profile: Profile, settings: Settings) -> Cost:
    return cost_of(profile, settings, "residual")


def build(shapes: dict[str, tuple[Any, str, Any]], problem: Problem, settings: Settings) -> Any:
    """The net. Input shape: {"image_0": (batch, height, width, channels)}. Output shape: (batch, outputs)."""
    return head(image.residual, shapes, problem, settings)


def learner() -> Learner:
    return ImageLearner(build)


ARCHITECTURE = Architecture(
    name="residual",
    title="Residual CNN",
    rung=2,
    tasks=ALL_TASKS,
    encoding="pixels",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    needs_tensorflow=True,
    paper="arXiv:1512.03385",
)
