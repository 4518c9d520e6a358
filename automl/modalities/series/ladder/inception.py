"""Rung 2: a small InceptionTime, convolutions of several lengths side by side, with shortcuts."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS

LEAST_SERIES = 40
STEPS = 256
"""Steps that the modules go over, as automl.training.trunks.series.MOST_STEPS says."""
FLOPS_A_SECOND = 1.2e10
"""Of convolutions over few channels on two cores, forward and backward."""


def fits(profile: Profile) -> str | None:
    """None, or the sentence why it is left out."""
    if not profile.features_of(Kind.SERIES):
        return "there is no column of series"
    if profile.rows < LEAST_SERIES:
        return f"a net needs about {LEAST_SERIES} series to learn from; here {profile.rows:,}"
    return None


def reason(profile: Profile) -> str:
    return "its filters are learned from the data, where those of the rung below are random"


def space(profile: Profile) -> Space:
    dimensions: dict[str, Dimension] = {
        "filters": Choice((8, 16, 32), default=16),
        "depth": Int(2, 6, default=3),
        "kernel": Choice((11, 20, 40), default=40 if _length(profile) >= 100 else 20),
        "dropout": Float(0.0, 0.5, default=0.2),
        "learning_rate": Float(5e-4, 1e-2, default=3e-3, log=True),
        "weight_decay": Float(1e-4, 1e-1, default=1e-2, log=True),
    }
    if profile.task.is_classification:
        dimensions["label_smoothing"] = Choice((0.0, 0.05, 0.1), default=0.0)
    return Space(dimensions, ({}, {"filters": 32, "depth": 6}, {"filters": 16, "depth": 2, "dropout": 0.4}))


def cost(profile: Profile, settings: Settings) -> Cost:
    from automl.training.rows import batch_size_for, epochs_for

    length = _length(profile)
    while length > STEPS:
        length = -(-length // 2)
    weights = _weights(profile, settings)
    rows = 0.8 * profile.rows
    batch = batch_size_for(int(rows))
    epochs = epochs_for(int(rows), batch)
    flops = 2.0 * length * weights
    padded = -(-rows // batch) * batch
    return Cost(12.0 + 5 * epochs * padded * 3.0 * flops / FLOPS_A_SECOND, 4 * weights + 20_000, flops)


def _weights(profile: Profile, settings: Settings) -> int:
    """Parameters, nearly all of them in the convolutions."""
    filters, kernel = int(settings.get("filters", 16)), int(settings.get("kernel", 40))
    kernel = min(kernel, _length(profile))
    width = channels = _channels(profile) + 1
    total = 0
    for module in range(int(settings.get("depth", 3))):
        narrow = filters if width > filters else width
        total += (width * filters if width > filters else 0) + narrow * filters * int(1.75 * kernel) + width * filters
        width = 4 * filters
        total += 4 * width
        if module % 3 == 2 or module == int(settings.get("depth", 3)) - 1:
            total += channels * width + 4 * width
            channels = width
    return total + 2 * width * profile.outputs


def _length(profile: Profile) -> int:
    return max((int(column.parse["length"]) for column in profile.features_of(Kind.SERIES)), default=1)


def _channels(profile: Profile) -> int:
    return max((int(column.parse["channels"]) for column in profile.features_of(Kind.SERIES)), default=1)


def build(shapes: dict[str, tuple[Any, str, Any]], problem: Problem, settings: Settings) -> Any:
    """The net for series of this shape.

    Input shape: {"sequence": (batch, length, channels + 1)}. Output shape: (batch, classes) logits, or (batch, 1)
    """
    from automl.training.backend import tensorflow

    tensorflow()
    import keras

    from automl.training.trunks.series import inception

    sequence = keras.Input(tuple(shapes["sequence"][0]), name="sequence", dtype="float32")
    x = inception(sequence, settings)
    outputs = keras.layers.Dense(int(problem.outputs), kernel_initializer="zeros", name="logits")(x)
    return keras.Model({"sequence": sequence}, outputs)


def learner() -> Learner:
    from automl.training.learner import NetLearner

    return NetLearner(build, {"jit": False})


ARCHITECTURE = Architecture(
    name="inception",
    title="1D-CNN (inception)",
    rung=2,
    tasks=ALL_TASKS,
    encoding="sequence",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    needs_tensorflow=True,
    paper="arXiv:1909.04939",
)
