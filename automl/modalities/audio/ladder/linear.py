"""Rung 1: logistic or ridge regression on statistics of the log-mel spectrogram; no net, no TensorFlow."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Settings, Space
from automl.core.tasks import ALL_TASKS
from automl.encoders.audio import Framing, SoundStatistics

SECONDS_A_CELL = 2e-7
SECONDS_A_SAMPLE = 1e-7


def fits(profile: Profile) -> str | None:
    return None


def reason(profile: Profile) -> str:
    kind = "logistic" if profile.task.is_classification else "ridge"
    return (
        f"{kind} regression on {width(profile):,} statistics of the spectrogram (mean, spread and percentiles of every band,"
        " and its mean in each quarter of the clip) trains in seconds; a net has to beat it"
    )


def space(profile: Profile) -> Space:
    dimensions: dict[str, Dimension] = {"penalty": Choice(("l2",), "l2"), "strength": Float(1e-2, 1e3, 1.0, log=True)}
    return Space(dimensions, ({"strength": 1.0}, {"strength": 10.0}, {"strength": 0.1}))


def cost(profile: Profile, settings: Settings) -> Cost:
    features, outputs = width(profile), profile.outputs
    framing = framing_of(profile)
    cells = profile.rows * features
    seconds = 0.2 + 5 * cells * SECONDS_A_CELL * max(1, outputs - 1) + 10 * SECONDS_A_SAMPLE * profile.rows * framing.samples
    fourier = 4 * (framing.transform_size // 2 + 1) * (2 * framing.window + framing.bands)
    flops = framing.frames * framing.transform_size * (2.0 * framing.window + framing.bands)
    return Cost(seconds, int(4_000 + fourier + 4 * features * (outputs + 2)), flops)


def framing_of(profile: Profile) -> Framing:
    """How the profile's clips are cut into windows."""
    (column,) = profile.features_of(Kind.AUDIO)
    return Framing.of(int(column.parse["rate"]), int(column.parse["samples"]))


def width(profile: Profile) -> int:
    """How many statistics there are."""
    framing = framing_of(profile)
    return SoundStatistics.unfitted(framing.frames, framing.bands).width


def learner() -> Any:
    from automl.learners.linear import LinearLearner

    return LinearLearner()


ARCHITECTURE = Architecture(
    name="linear",
    title="Linear model on spectrogram statistics",
    rung=1,
    tasks=ALL_TASKS,
    encoding="statistics",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
)
