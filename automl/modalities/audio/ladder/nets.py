"""What the nets of this ladder share: when they pay off, how long they train, the head on the trunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from automl.core.architecture import Cost, Learner, Problem
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Settings
from automl.encoders.audio import Framing

LEAST_ROWS = 100
STEPS = 550
FLOPS_A_SECOND = 2.5e10
"""Of training on two cores; compiled by XLA, convolutions and recurrence were 2 to 20 times slower, so nets here are not."""

Trunk = Callable[[Any, Settings], Any]


def fits(profile: Profile) -> str | None:
    """None, or the sentence that the report shows when this rung is left out."""
    if profile.rows < LEAST_ROWS:
        return f"a net needs about {LEAST_ROWS} clips to pay off; here are {profile.rows:,}"
    return None


def shape_of(profile: Profile) -> tuple[int, int]:
    """(frames, bands) of the profile's spectrograms."""
    (column,) = profile.features_of(Kind.AUDIO)
    framing = Framing.of(int(column.parse["rate"]), int(column.parse["samples"]))
    return framing.frames, framing.bands


def epochs_of(profile: Profile) -> int:
    """About 550 steps, between 12 and 60 epochs."""
    from automl.training.rows import batch_size_for

    rows = int(0.8 * profile.rows)
    return int(min(60, max(12, round(STEPS * batch_size_for(rows) / max(1, rows)))))


def shared_dimensions(profile: Profile) -> dict[str, Dimension]:
    """What every net here can vary."""
    epochs = epochs_of(profile)
    dimensions: dict[str, Dimension] = {
        "dropout": Float(0.0, 0.5, default=0.3),
        "augment": Choice((1.0, 0.0, 0.5, 1.5), default=1.0),
        "learning_rate": Float(5e-4, 1e-2, default=3e-3, log=True),
        "weight_decay": Float(1e-4, 1e-1, default=1e-2, log=True),
        "epochs": Choice((epochs, 2 * epochs), default=epochs),
    }
    if profile.task.is_classification:
        dimensions["label_smoothing"] = Choice((0.0, 0.05, 0.1), default=0.0)
        if profile.class_counts and min(profile.class_counts) < 0.2 * max(profile.class_counts):
            dimensions["class_weight"] = Choice(("none", "balanced"), default="none")
            dimensions["loss"] = Choice(("cross_entropy", "focal"), default="cross_entropy")
    else:
        dimensions["loss"] = Choice(("mse", "huber"), default="mse")
    return dimensions


def cost_of(profile: Profile, settings: Settings, weights: int, multiplications: float) -> Cost:
    """By the multiplications of a clip: five folds, one forward and two backward passes a clip and epoch.

    weights, multiplications: of the trunk, without the head.
    """
    (column,) = profile.features_of(Kind.AUDIO)
    framing = Framing.of(int(column.parse["rate"]), int(column.parse["samples"]))
    bins = framing.transform_size // 2 + 1
    fourier = bins * (2 * framing.window + framing.bands)
    epochs = int(settings.get("epochs", epochs_of(profile)))
    seconds = 5.0 + 5 * epochs * 0.8 * profile.rows * 6.0 * multiplications / FLOPS_A_SECOND
    flops = 2.0 * (multiplications + framing.frames * fourier)
    return Cost(seconds, int(4 * (weights + fourier) + 12_000), flops)


def head(trunk: Trunk, shapes: dict[str, tuple[Any, str, Any]], problem: Problem, settings: Settings) -> Any:
    """The net: a spectrogram (batch, frames, bands) through the trunk to logits (batch, classes), or values (batch, 1)."""
    from automl.training.backend import tensorflow

    tensorflow()
    import keras

    sound = keras.Input(tuple(int(size) for size in shapes["logmel"][0]), name="logmel", dtype="float32")
    x = trunk(sound, settings)
    outputs = keras.layers.Dense(int(problem.outputs), kernel_initializer="zeros", name="logits")(x)
    return keras.Model({"logmel": sound}, outputs)


def learner_for(build: Callable[..., Any]) -> Learner:
    from automl.training.learner import NetLearner

    return NetLearner(build, {"jit": False, "learning_rate": 3e-3})
