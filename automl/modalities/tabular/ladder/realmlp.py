"""RealMLP: an MLP with numerical embeddings, a start fitted to the data and schedules for all that is scheduled."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS, Task
from automl.modalities.tabular.nets import refusal
from automl.training.rows import Shapes, batch_size_for

LEAST_ROWS = 200
MOST_COLUMNS = 2_000
ONE_HOT_LEVELS, EMBEDDING_WIDTH = 9, 8
COMPILING_SECONDS, FLOPS_A_SECOND = 8.0, 4e10
DEFAULTS: Settings = {
    "momentum": 0.9,
    "beta_2": 0.95,
    "schedule": "coslog4",
    "dropout_schedule": "flat_cosine",
    "decay_schedule": "flat_cosine",
    "label_smoothing": 0.1,
    "patience_factor": 3.0,
    "patience_epochs": 10,
}
WIDE_AND_DROPPED: dict[str, Any] = {
    "activation": "mish",
    "layers": 4,
    "dropout": 0.45,
    "learning_rate": 0.028,
    "weight_decay": 0.041,
    "frequencies": 32,
    "embedding": 8,
    "periodic_rate_factor": 0.072,
    "scale_rate_factor": 5.0,
    "first_rate_factor": 0.55,
}
"""The RealMLP of AutoGluon's 2026 portfolio, with half its waves."""
WAVY: dict[str, Any] = {"sigma": 0.5, "dropout": 0.0}
"""For places on a map and other numbers whose effect turns often; a short schedule hardly moves the frequencies."""
SLOW_AND_DEEP: dict[str, Any] = {"layers": 4, "activation": "silu", "learning_rate": 0.02, "dropout": 0.15, "sigma": 0.3}
SMOOTH: dict[str, Any] = {"layers": 2, "width": 384, "dropout": 0.3, "sigma": 0.03, "first_rate_factor": 0.5}


def fits(profile: Profile) -> str | None:
    """None, or the sentence that the report shows when this rung is left out."""
    return refusal(profile, encoded_columns(profile), LEAST_ROWS, MOST_COLUMNS)


def reason(profile: Profile) -> str:
    """Why it is worth trying on this profile."""
    return "a net tuned to work without tuning on tables: every number gets waves of its own, and the start is fitted to the data"


def space(profile: Profile) -> Space:
    """What can be varied, after the published spaces; the first start is RealMLP-TD as published."""
    smooth = profile.task is Task.REGRESSION
    dimensions: dict[str, Dimension] = {
        "layers": Int(2, 4, default=3),
        "width": Choice((128, 256, 384), default=256),
        "activation": Choice(("selu", "mish", "silu"), default="mish" if smooth else "selu"),
        "learning_rate": Float(0.02, 0.3, default=0.2 if smooth else 0.04, log=True),
        "dropout": Choice((0.0, 0.15, 0.3, 0.45), default=0.15),
        "weight_decay": Float(1e-3, 5e-2, default=2e-2, log=True),
        "frequencies": Choice((8, 16, 32), default=16),
        "embedding": Choice((4, 8), default=4),
        "sigma": Float(0.03, 3.0, default=0.1, log=True),
        "periodic_rate_factor": Float(0.05, 0.3, default=0.1, log=True),
        "scale_rate_factor": Float(2.0, 10.0, default=6.0, log=True),
        "first_rate_factor": Float(0.3, 1.5, default=1.0, log=True),
        "nets": Choice((1, 2, 4), default=2 if profile.rows < 2_000 else 1),
    }
    second = (WAVY,) if smooth else ()
    return Space(dimensions, ({}, *second, WIDE_AND_DROPPED, SLOW_AND_DEEP, SMOOTH))


def cost(profile: Profile, settings: Settings) -> Cost:
    """By the multiplications of 5 folds."""
    width, layers = int(settings.get("width", 256)), int(settings.get("layers", 3))
    weights = (
        encoded_columns(profile, int(settings.get("embedding", 4))) * width
        + (layers - 1) * width * width
        + width * profile.outputs
    )
    nets, rows = int(settings.get("nets", 1)), 0.8 * profile.rows
    seconds = COMPILING_SECONDS + training_seconds(weights, int(rows), 5 * nets, settings)
    shipped = int(settings.get("fit_nets", nets))
    return Cost(seconds, shipped * 4 * weights + 20_000, 2.0 * shipped * weights)


def training_seconds(weights: int, rows: int, nets: int, settings: Settings) -> float:
    """Of a pack whose nets have so many weights and rows each."""
    batch = int(settings.get("batch_size", batch_size_for(rows)))
    steps = int(settings.get("epochs", epochs_for(rows, batch))) * max(1.0, rows / batch)
    return steps * (1e-3 + nets * 6.0 * batch * weights / FLOPS_A_SECOND)


def settings_for(shapes: Shapes, problem: Problem, settings: Settings, rows: int, folds: int, seconds: float) -> Settings:
    """Fewer nets a fold where the time does not pay the whole schedule of as many as asked."""
    width, layers = int(settings.get("width", 256)), int(settings.get("layers", 3))
    columns = sum(int(shape[0]) * int(settings.get("embedding", 4)) for shape in shapes.values())
    weights = columns * width + (layers - 1) * width**2
    nets = int(settings.get("nets", 1))
    while nets > 1 and COMPILING_SECONDS + training_seconds(weights, rows, folds * nets, settings) > seconds:
        nets //= 2
    return {**settings, "nets": nets}


def epochs_for(rows: int, batch: int) -> int:
    """The length of the schedule: half of the published 256 epochs, fewer where these are more than 2,000 steps.

    Large data carries a longer training: up to 64 epochs, as long as they are no more than 4,000 steps.
    """
    steps = max(1, -(-rows // batch))
    return max(8, min(128, round(2_000 / steps)), min(64, round(4_000 / steps)))


def build(shapes: Shapes, problem: Problem, settings: Settings, nets: int) -> Any:
    """A pack of nets for these blocks.

    Input shape: {"numeric": (nets, batch, columns), "categorical": (nets, batch, columns)}, either may lack
    Output shape: (nets, batch, classes) logits, or (nets, batch, 1)
    """
    import keras

    from automl.training.packed.layers import (
        PackedActivation,
        PackedDense,
        PackedPeriodic,
        PackedRobustScale,
        PackedScale,
    )
    from automl.training.trunks.packed_table import embedded, inputs_of, joined, one_hot

    inputs, parts = inputs_of(shapes), []
    if "numeric" in inputs:
        frequencies, values = int(settings.get("frequencies", 16)), int(settings.get("embedding", 4))
        periodic = PackedPeriodic(nets, frequencies, values, float(settings.get("sigma", 0.1)), name="periodic")
        parts.append(periodic(inputs["numeric"]))
    if "categorical" in inputs:
        codes, cardinalities = inputs["categorical"], shapes["categorical"][2]
        hot, _ = one_hot(codes, cardinalities, ONE_HOT_LEVELS, nets)
        if hot is not None:
            parts.append(PackedRobustScale(nets, name="robust")(hot))
        learned, _ = embedded(codes, cardinalities, ONE_HOT_LEVELS, EMBEDDING_WIDTH, nets)
        parts += [] if learned is None else [learned]
    x = PackedScale(nets, name="scale")(joined(parts))
    activation = str(settings.get("activation", "selu"))
    for number in range(int(settings.get("layers", 3))):
        x = PackedDense(nets, int(settings.get("width", 256)), name=f"hidden_{number}")(x)
        x = PackedActivation(nets, activation, name=f"activation_{number}")(x)
        x = keras.layers.Dropout(float(settings.get("dropout", 0.15)))(x)
    return keras.Model(inputs, PackedDense(nets, int(problem.outputs), name="outputs")(x))


def factors(name: str, settings: Settings) -> tuple[float, float]:
    """Of learning rate and weight decay of a variable.

    The published code multiplies the decay by the square of the learning rate's factor; so is it here, and biases do not
    decay.
    """
    layer, variable = name.split("/")[-2:]
    if variable == "bias":
        return 0.1, 0.0
    rate = 1.0
    if layer == "scale":
        rate = float(settings.get("scale_rate_factor", 6.0))
    elif layer == "periodic":
        rate = float(settings.get("periodic_rate_factor", 0.1))
    elif layer.startswith("activation"):
        rate = 0.1
    elif layer == "hidden_0":
        rate = float(settings.get("first_rate_factor", 1.0))
    return rate, rate


def encoded_columns(profile: Profile, embedding: int = 4) -> int:
    """Width of the first layer's input."""
    width = 0
    for column in profile.features:
        if column.kind is Kind.CATEGORY:
            width += column.unique if column.unique < ONE_HOT_LEVELS else EMBEDDING_WIDTH
        elif column.kind is Kind.DATETIME:
            width += 10 * embedding
        elif column.kind in (Kind.NUMBER, Kind.BOOLEAN):
            width += embedding * (1 + (column.missing_fraction > 0))
    return width


def learner() -> Learner:
    from automl.training.packed.learner import PackedLearner

    return PackedLearner(build, DEFAULTS, factors, epochs_for, settings_for)


ARCHITECTURE = Architecture(
    name="realmlp",
    title="RealMLP",
    rung=5,
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
