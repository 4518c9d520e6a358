"""MLP with dropout: dense layers on scaled numbers and category embeddings."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS, Task

LEAST_ROWS = 200
LARGE_ROWS = 5_000
MOST_COLUMNS = 3_000
ONE_HOT_LEVELS = 9
"""A column with at most so many levels, the missing one included, is one-hot; others get an embedding."""

ACTIVATIONS = ("relu", "gelu", "selu", "silu", "tanh", "mish")
NORMALIZATIONS = ("none", "batch", "layer")


def fits(profile: Profile) -> str | None:
    """None, or the sentence that the report shows when this rung is left out."""
    if profile.rows < LEAST_ROWS:
        return f"a net needs about {LEAST_ROWS} rows to pay off; here are {profile.rows:,}"
    columns = _encoded_columns(profile)
    if columns > MOST_COLUMNS:
        return f"the table becomes {columns:,} columns when encoded; a net of this kind takes at most {MOST_COLUMNS:,}"
    if not profile.features:
        return "there is no feature to learn from"
    return None


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
        dimensions["label_smoothing"] = Choice((0.0, 0.05, 0.1), default=0.0)
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
    from automl.training.learner import batch_size_for, epochs_for

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

    inputs, x = _inputs(shapes, settings)
    activation, width = str(settings.get("activation", "gelu")), int(settings.get("width", 256))
    initializer = "lecun_normal" if activation in ("selu", "tanh") else "he_normal"
    for _ in range(int(settings.get("blocks", 3))):
        before = x
        x = keras.layers.Dense(width, kernel_initializer=initializer)(x)
        x = _normalized(x, str(settings.get("normalization", "none")))
        x = keras.layers.Activation(activation)(x)
        x = keras.layers.Dropout(float(settings.get("dropout", 0.2)))(x)
        if settings.get("residual") and before.shape[-1] == width:
            x = keras.layers.Add()([before, x])
    outputs = keras.layers.Dense(int(problem.outputs), kernel_initializer="zeros", name="logits")(x)
    return keras.Model(inputs, outputs)


def _inputs(shapes: dict[str, tuple[int, str, Any]], settings: Settings) -> tuple[dict[str, Any], Any]:
    """The input tensors by name, and all features side by side, (batch, features)."""
    import keras

    from automl.training.layers import CategoryEmbedding, OneHot, Scale

    inputs, parts = {}, []
    if "numeric" in shapes and shapes["numeric"][0]:
        inputs["numeric"] = keras.Input((int(shapes["numeric"][0]),), name="numeric", dtype="float32")
        parts.append(inputs["numeric"])
    if "categorical" in shapes and shapes["categorical"][0]:
        width, _, cardinalities = shapes["categorical"]
        codes = inputs["categorical"] = keras.Input((int(width),), name="categorical", dtype="int32")
        small = [column for column, levels in enumerate(cardinalities) if 2 <= levels <= ONE_HOT_LEVELS]
        if small:
            parts.append(OneHot([cardinalities[column] for column in small], small)(codes))
        rate = float(settings.get("embedding_dropout", 0.0))
        for column, levels in enumerate(cardinalities):
            if levels > ONE_HOT_LEVELS:
                parts.append(keras.layers.Dropout(rate)(CategoryEmbedding(column, levels, embedding_width(levels))(codes)))
    x = parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)
    return inputs, Scale()(x) if settings.get("scale", True) else x


def embedding_width(levels: int) -> int:
    """min(50, 1.6 * levels ** 0.56), as fastai and AutoGluon size embeddings."""
    return min(50, int(1.6 * levels**0.56))


def _normalized(x: Any, name: str) -> Any:
    import keras

    if name == "batch":
        return keras.layers.BatchNormalization(momentum=0.95)(x)
    return keras.layers.LayerNormalization()(x) if name == "layer" else x


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


def factors(path: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Learning rate and weight decay of a variable: the input scale moves faster, vectors do not decay."""
    if path.endswith("/scale"):
        return 6.0, 0.0
    return 1.0, float(len(shape) >= 2)


ARCHITECTURE = Architecture(
    name="mlp",
    title="MLP with dropout",
    rung=3,
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
