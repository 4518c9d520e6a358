"""Shallow CNN on the log-mel spectrogram, with SpecAugment."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Profile
from automl.core.space import Choice, Int, Settings, Space
from automl.core.tasks import ALL_TASKS
from automl.modalities.audio.ladder.nets import cost_of, fits, head, learner_for, shape_of, shared_dimensions
from automl.training.trunks import audio


def reason(profile: Profile) -> str:
    frames, bands = shape_of(profile)
    return (
        f"it finds shapes in the spectrogram of {frames} windows x {bands} bands wherever in time they stand;"
        " masks in time and frequency keep it from learning the few clips by heart"
    )


def space(profile: Profile) -> Space:
    """The first start is the default."""
    dimensions = {
        "filters": Choice((8, 16, 24, 32), default=16),
        "blocks": Int(2, 5, default=4),
        **shared_dimensions(profile),
    }
    return Space(dimensions, ({}, {"filters": 24, "dropout": 0.4}))


def cost(profile: Profile, settings: Settings) -> Cost:
    return cost_of(profile, settings, *audio.cnn_size(shape_of(profile), settings))


def build(shapes: dict[str, tuple[Any, str, Any]], problem: Problem, settings: Settings) -> Any:
    """The net. Input shape: {"logmel": (batch, frames, bands)}. Output shape: (batch, classes) logits, or (batch, 1)."""
    return head(audio.cnn, shapes, problem, settings)


def learner() -> Learner:
    return learner_for(build)


ARCHITECTURE = Architecture(
    name="cnn",
    title="Shallow CNN on log-mel",
    rung=2,
    tasks=ALL_TASKS,
    encoding="logmel",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    needs_tensorflow=True,
    paper="arXiv:1904.08779",
)
