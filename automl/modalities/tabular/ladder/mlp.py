"""MLP with dropout: dense layers on scaled numbers and category embeddings."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS, Task
from automl.modalities.tabular.nets import refusal
from automl.training.trunks.table import ONE_HOT_LEVELS, dense_blocks, embedding_width, factors, features

LEAST_ROWS = 200
LARGE_ROWS = 5_000
MOST_COLUMNS = 3_000
ACTIVATIONS = ("relu", "gelu", "selu", "silu", "tanh", "mish")
NORMALIZATIONS = ("none", "batch", "layer")


def fits(profile: Profile) -> str | None:
    """None, or the sentence that the report shows when this rung is left out."""
    return refusal(profile, _encoded_columns(profile), LEAST_ROWS, MOST_COLUMNS)


def reason(profile: Profile) -> str:
    """Why it is worth trying on this profile."""
    categories = len(profile.features_of(Kind.CATEGORY))
    smooth = "it bends smoothly where trees cut steps, and errs on other rows than they do"
    if categories:
        return f"{smooth}; {categories} category column{'s' * (categories > 1)} can share what they learn by embeddings"
    return smooth


def space(profile: Profile) -> Space:
    """What can be varied; the first start is the default, chosen on adult, car, credit-g and diamonds."""
    large = profile.rows >= LARGE_ROWS
    smooth = profile.task is Task.REGRESSION
    dimensions: dict[str, Dimension] = {
        "blocks": Int(1, 4, default=3),
        "width": Choice((64, 128, 192, 256, 384), default=128 if large and not smooth else 256),
        "activation": Choice(("relu", "gelu", "selu", "silu"), default="selu" if large and not smooth else "gelu"),
        "normalization": Choice(NORMALIZATIONS, default="none"),
        "residual": Choice((False, True), default=False),
        "dropout": Float(0.0, 0.5, default=(0.0 if smooth else 0.2) if large else (0.2 if smooth else 0.4)),
        "embedding_dropout": Float(0.0, 0.3, default=0.0),
        "optimizer": Choice(("adamw", "sgd"), default="adamw"),
        "learning_rate": Float(3e-4, 1e-2, default=2e-3, log=True, when=("optimizer", ("adamw",))),
        "sgd_learning_rate": Float(1e-2, 0.3, default=5e-2, log=True, when=("optimizer", ("sgd",))),
        "momentum": Float(0.8, 0.95, default=0.9, when=("optimizer", ("sgd",))),
        "weight_decay": Float(1e-4, 1e-1, default=1e-2, log=True),
        "schedule": Choice(("one_cycle", "cosine"), default="one_cycle"),
    }
    if profile.task.is_classification:
        dimensions["loss"] = Choice(("cross_entropy", "focal"), default="cross_entropy")
        if profile.class_counts and min(profile.class_counts) < 0.2 * max(profile.class_counts):
            dimensions["class_weight"] = Choice(("none", "balanced"), default="none")
    else:
        dimensions["loss"] = Choice(("mse", "huber"), default="mse")
    other = {"activation": "gelu", "normalization": "layer", "dropout": 0.1, "residual": True}
    momentum = {"activation": "relu", "normalization": "batch", "optimizer": "sgd", "weight_decay": 1e-3}
    return Space(dimensions, ({}, other, momentum))


def cost(profile: Profile, settings: Settings) -> Cost:
    """By the multiplications: 5 folds, one forward and two backward passes a row and epoch, 40 GFLOP/s on two cores."""
    from automl.training.rows import batch_size_for, epochs_for

    width, blocks = int(settings.get("width", 256)), int(settings.get("blocks", 3))
    weights = _encoded_columns(profile) * width + (blocks - 1) * width * width + width * profile.outputs
    rows = 0.8 * profile.rows
    batch = int(settings.get("batch_size", batch_size_for(int(rows))))
    epochs = int(settings.get("epochs", epochs_for(int(rows), batch)))
    steps = 5 * epochs * max(1.0, rows / batch)
    return Cost(3.0 + steps * (3e-4 + 6.0 * batch * weights / 4e10), 4 * weights + 8_000, 2.0 * weights)


def build(shapes: dict[str, tuple[int, str, Any]], problem: Problem, settings: Settings) -> Any:
    """The net for these blocks.

    Input shape: {"numeric": (batch, numeric_columns), "categorical": (batch, categorical_columns)}, either may lack
    Output shape: (batch, classes) logits, or (batch, 1)
    """
    from automl.training.backend import tensorflow

    tensorflow()
    import keras

    inputs, x = features(shapes, settings)
    x = dense_blocks(x, settings)
    outputs = keras.layers.Dense(int(problem.outputs), kernel_initializer="zeros", name="logits")(x)
    return keras.Model(inputs, outputs)


def _encoded_columns(profile: Profile) -> int:
    """Width of the first layer's input."""
    width = 0
    for column in profile.features:
        if column.kind is Kind.CATEGORY:
            width += column.unique if column.unique < ONE_HOT_LEVELS else embedding_width(column.unique + 1)
        elif column.kind is Kind.DATETIME:
            width += 10
        elif column.kind in (Kind.NUMBER, Kind.BOOLEAN):
            width += 1 + (column.missing_fraction > 0)
    return width


def learner() -> Learner:
    from automl.training.learner import NetLearner

    return NetLearner(build, factors=factors)


ARCHITECTURE = Architecture(
    name="mlp",
    title="MLP with dropout",
    rung=4,
    tasks=ALL_TASKS,
    encoding="embedded",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    needs_tensorflow=True,
    paper="arXiv:2407.04491",
)
