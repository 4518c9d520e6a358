"""Shallow CNN: a few convolutions with normalisation, each halving the image, and a dense layer."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Profile
from automl.core.space import Choice, Settings, Space
from automl.core.tasks import ALL_TASKS
from automl.modalities.image.nets import ImageLearner, cost_of, epochs_for, fits, head, shapes_of, shared_dimensions
from automl.training.trunks import image

FILTERS = 16


def reason(profile: Profile) -> str:
    height, width, _ = shapes_of(profile)[0]
    return f"it finds strokes, edges and parts wherever they stand in the {width} x {height} pixels, with few weights to learn"


def space(profile: Profile) -> Space:
    """The first start is the default."""
    dimensions = {
        "filters": Choice((8, 16, 24, 32), default=FILTERS),
        "units": Choice((64, 128, 256), default=128),
        **shared_dimensions(profile, epochs_for(profile, "cnn", FILTERS)),
    }
    return Space(dimensions, ({}, {"filters": 24, "dropout": 0.4}))


def cost(profile: Profile, settings: Settings) -> Cost:
    return cost_of(profile, settings, "cnn")


def build(shapes: dict[str, tuple[Any, str, Any]], problem: Problem, settings: Settings) -> Any:
    """The net. Input shape: {"image_0": (batch, height, width, channels)}. Output shape: (batch, outputs)."""
    return head(image.cnn, shapes, problem, settings)


def learner() -> Learner:
    return ImageLearner(build)


ARCHITECTURE = Architecture(
    name="cnn",
    title="Shallow CNN",
    rung=1,
    tasks=ALL_TASKS,
    encoding="pixels",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    needs_tensorflow=True,
)
