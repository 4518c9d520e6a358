"""GRU in both directions over the frames of the log-mel spectrogram, with SpecAugment."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Profile
from automl.core.space import Choice, Int, Settings, Space
from automl.core.tasks import ALL_TASKS
from automl.modalities.audio.ladder.nets import cost_of, epochs_of, fits, head, learner_for, shape_of, shared_dimensions
from automl.training.trunks import audio


def reason(profile: Profile) -> str:
    return "it follows a sound in time and so can tell apart what differs in the order of its parts alone"


def space(profile: Profile) -> Space:
    """The first start is the default."""
    dimensions = {
        "filters": Choice((8, 16, 24), default=16),
        "units": Choice((32, 64, 96), default=64),
        "layers": Int(1, 2, default=1),
        **shared_dimensions(profile),
    }
    return Space(dimensions, ({}, {"units": 96, "dropout": 0.4}))


def cost(profile: Profile, settings: Settings) -> Cost:
    weights, multiplications, steps = audio.gru_size(shape_of(profile), settings)
    found = cost_of(profile, settings, weights, multiplications)
    epochs = int(settings.get("epochs", epochs_of(profile)))
    # A step in time costs about .4 ms a batch, however small the net is.
    waiting = 5 * epochs * 0.8 * profile.rows / 64 * steps * 4e-4
    return Cost(found.seconds + waiting, found.size_bytes, found.flops_a_row)


def build(shapes: dict[str, tuple[Any, str, Any]], problem: Problem, settings: Settings) -> Any:
    """The net. Input shape: {"logmel": (batch, frames, bands)}. Output shape: (batch, classes) logits, or (batch, 1)."""
    return head(audio.gru, shapes, problem, settings)


def learner() -> Learner:
    return learner_for(build)


ARCHITECTURE = Architecture(
    name="gru",
    title="GRU over log-mel frames",
    rung=3,
    tasks=ALL_TASKS,
    encoding="logmel",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    needs_tensorflow=True,
    paper="arXiv:1406.1078",
)
