"""TabM-mini: one MLP that imitates an ensemble, each member with its own view of the features and its own head."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS
from automl.modalities.tabular.nets import refusal
from automl.training.rows import Shapes, batch_size_for

LEAST_ROWS = 300
MOST_COLUMNS = 3_000
ONE_HOT_LEVELS, EMBEDDING_WIDTH = 21, 8
DEFAULTS: Settings = {
    "beta_2": 0.999,
    "clip_norm": 1.0,
    "patience_factor": 1.0,
    "patience_epochs": 16,
}
SIZES = ((16, 256), (16, 128), (8, 128), (8, 64))
"""(members, width) from the largest to the smallest that a short time makes of it."""
EPOCHS_WANTED = 40
"""About where the published nets are at their best."""
COMPILING_SECONDS, FLOPS_A_SECOND, BUSY_FLOPS_A_SECOND = 10.0, 4e10, 1e11
"""Of whole small trainings with all that is not multiplying; and of the many multiplications that decide about the size."""
FEW_BINS: dict[str, Any] = {"blocks": 3, "dropout": 0.1, "learning_rate": 1.4e-3, "weight_decay": 1e-5, "bins": 16}
DROPPED: dict[str, Any] = {"blocks": 3, "dropout": 0.4, "learning_rate": 1e-3, "weight_decay": 1e-5, "bins": 18}
SMALL_AND_SLOW: dict[str, Any] = {"width": 192, "dropout": 0.0, "learning_rate": 5e-4, "weight_decay": 1.4e-4, "bins": 64}
"""After members of AutoGluon's portfolio of tuned TabM-mini nets, with widths that two cores can pay."""


def fits(profile: Profile) -> str | None:
    """None, or the sentence that the report shows when this rung is left out."""
    return refusal(profile, encoded_columns(profile), LEAST_ROWS, MOST_COLUMNS, "an imitated ensemble")


def reason(profile: Profile) -> str:
    """Why it is worth trying on this profile."""
    return "the mean of many small nets that share their weights: steadier than one net, at the price of one"


def space(profile: Profile) -> Space:
    """What can be varied, after the published spaces, with widths that two cores can pay; the first start is the default."""
    dimensions: dict[str, Dimension] = {
        "members": Choice((8, 16, 24), default=16),
        "blocks": Int(1, 4, default=2),
        "width": Choice((64, 128, 192, 256, 384), default=256),
        "dropout": Choice((0.0, 0.1, 0.2, 0.4), default=0.1),
        "learning_rate": Float(5e-4, 5e-3, default=2e-3, log=True),
        "weight_decay": Float(1e-5, 5e-2, default=3e-4, log=True),
        "bins": Int(8, 64, default=32, log=True),
        "embedding": Choice((4, 8, 12, 16), default=embedding_width(_numbers(profile))),
    }
    return Space(dimensions, ({}, FEW_BINS, DROPPED, SMALL_AND_SLOW))


def embedding_width(numbers: int) -> int:
    """Values that every number becomes by default: fewer where there are many numbers."""
    return next((width for most, width in ((24, 12), (80, 8)) if numbers <= most), 4)


def cost(profile: Profile, settings: Settings) -> Cost:
    """By the multiplications of 5 folds."""
    members, width, blocks = (int(settings.get(name, each)) for name, each in (("members", 16), ("width", 256), ("blocks", 2)))
    columns = encoded_columns(profile, int(settings.get("embedding", 12)))
    shared = columns * width + (blocks - 1) * width * width
    heads = members * width * profile.outputs
    rows = 0.8 * profile.rows
    batch = int(settings.get("batch_size", batch_size_for(int(rows))))
    epochs = min(EPOCHS_WANTED, int(settings.get("epochs", epochs_for(int(rows), batch))))
    steps = epochs * max(1.0, rows / batch)
    seconds = COMPILING_SECONDS + steps * (1e-3 + 5 * 6.0 * batch * (members * shared + heads) / FLOPS_A_SECOND)
    embedding = _numbers(profile) * (int(settings.get("bins", 32)) + 2) * int(settings.get("embedding", 12))
    shipped, weights = int(settings.get("fit_nets", 1)), shared + heads + members * columns + embedding
    return Cost(seconds, 4 * shipped * weights + 20_000, 2.0 * shipped * (members * shared + heads))


def epochs_for(rows: int, batch: int) -> int:
    """The most epochs: early stopping ends most trainings before."""
    steps = max(1, -(-rows // batch))
    return max(12, min(120, round(5_000 / steps)))


def settings_for(shapes: Shapes, problem: Problem, settings: Settings, rows: int, folds: int, seconds: float) -> Settings:
    """A net of which about EPOCHS_WANTED epochs fit into the time, the smallest of SIZES where none does."""
    blocks, embedding = int(settings.get("blocks", 2)), int(settings.get("embedding", 12))
    columns = sum(int(shape[0]) * (embedding if name == "numeric" else 1) for name, shape in shapes.items())
    columns += sum(min(levels, EMBEDDING_WIDTH) for levels in shapes.get("categorical", (0, "", ()))[2] or ())
    asked = int(settings.get("members", 16)), int(settings.get("width", 256))
    sizes = [asked, *(size for size in SIZES if size[0] <= asked[0] and size[1] <= asked[1])]
    for members, width in sizes:
        flops = 6.0 * rows * folds * members * (columns * width + (blocks - 1) * width**2)
        if EPOCHS_WANTED * flops / BUSY_FLOPS_A_SECOND <= seconds - COMPILING_SECONDS:
            break
    return {**settings, "members": members, "width": width}


def build(shapes: Shapes, problem: Problem, settings: Settings, nets: int) -> Any:
    """A pack of nets for these blocks.

    Input shape: {"numeric": (nets, batch, columns), "categorical": (nets, batch, columns)}, either may lack
    Output shape: (nets, batch, members, classes) logits, or (nets, batch, members, 1)
    """
    import keras

    from automl.training.packed.layers import PackedDense, PackedHeads, PackedMembers, PackedPiecewiseLinear
    from automl.training.trunks.packed_table import embedded, inputs_of, joined, one_hot

    inputs, parts, chunks = inputs_of(shapes), [], []
    members, width = int(settings.get("members", 16)), int(settings.get("width", 256))
    if "numeric" in inputs:
        bins, embedding = int(settings.get("bins", 32)), int(settings.get("embedding", 12))
        parts.append(PackedPiecewiseLinear(nets, bins, embedding, name="piecewise")(inputs["numeric"]))
        chunks += [embedding] * int(shapes["numeric"][0])
    if "categorical" in inputs:
        codes, cardinalities = inputs["categorical"], shapes["categorical"][2]
        for tensor, widths in (
            one_hot(codes, cardinalities, ONE_HOT_LEVELS, nets),
            embedded(codes, cardinalities, ONE_HOT_LEVELS, EMBEDDING_WIDTH, nets),
        ):
            parts += [] if tensor is None else [tensor]
            chunks += widths
    style = "normal" if "numeric" in inputs else "signs"
    x = PackedMembers(nets, members, chunks, style, name="members")(joined(parts))
    for number in range(int(settings.get("blocks", 2))):
        x = PackedDense(nets, width, "uniform", name=f"hidden_{number}")(x)
        x = keras.layers.Activation("relu")(x)
        x = keras.layers.Dropout(float(settings.get("dropout", 0.1)))(x)
    return keras.Model(inputs, PackedHeads(nets, members, int(problem.outputs), name="heads")(x))


def factors(name: str, settings: Settings) -> tuple[float, float]:
    """Of learning rate and weight decay of a variable: biases and the linear part of an embedding do not decay."""
    variable = name.split("/")[-1]
    return 1.0, float(variable != "bias" and not variable.startswith("linear"))


def encoded_columns(profile: Profile, embedding: int | None = None) -> int:
    """Width of the first layer's input."""
    width = 0
    embedding = embedding or embedding_width(_numbers(profile))
    for column in profile.features_of(Kind.CATEGORY):
        width += column.unique if column.unique < ONE_HOT_LEVELS else EMBEDDING_WIDTH
    return width + embedding * _numbers(profile)


def _numbers(profile: Profile) -> int:
    """Columns of the numeric block: numbers with their missing indicators, and the parts of dates."""
    numbers = profile.features_of(Kind.NUMBER, Kind.BOOLEAN)
    return sum(1 + (column.missing_fraction > 0) for column in numbers) + 10 * len(profile.features_of(Kind.DATETIME))


def learner() -> Learner:
    from automl.training.packed.learner import PackedLearner

    return PackedLearner(build, DEFAULTS, factors, epochs_for, settings_for)


ARCHITECTURE = Architecture(
    name="tabm",
    title="TabM-mini",
    rung=6,
    tasks=ALL_TASKS,
    encoding="embedded",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    needs_tensorflow=True,
    paper="arXiv:2410.24210",
)
