"""Rung 3: late fusion: each column's own trunk (dense, 1D-CNN or GRU, CNN), what they find joined in one net."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS, Task
from automl.modalities.mixture.sizes import rich_kinds, table_width, words_of

LEAST_ROWS = 300
VOCABULARY, TOKENS_A_WORD, MOST_TOKENS = 8000, 1.35, 128
FLOPS_A_SECOND, SECONDS_A_STEP = 2.5e10, 4e-3
SHORT_STEPS, LONG_STEPS, LEAST_EPOCHS, MOST_EPOCHS = 600, 1500, 8, 30
DEFAULTS: Settings = {"jit": False, "learning_rate": 2e-3}
"""XLA compiles convolutions for CPUs much slower than TensorFlow's own kernels, and cannot cut a batch to its longest text."""
SCOPES = ("text", "image", "audio")
TEXT: Settings = {"trunk": "cnn", "embedding": 64, "filters": 64, "widths": 3}
IMAGE: Settings = {"trunk": "cnn", "filters": 8, "units": 96}
AUDIO: Settings = {"filters": 12, "blocks": 4}


def fits(profile: Profile) -> str | None:
    """None, or the sentence that the report shows when this rung is left out."""
    if profile.rows < LEAST_ROWS:
        return f"a net needs about {LEAST_ROWS} rows to learn what texts or images say; here are {profile.rows:,}"
    return None


def reason(profile: Profile) -> str:
    """Why it is worth trying on this profile."""
    rich = rich_kinds(profile)
    return f"it learns from the {rich} themselves, not from a summary of them, and weighs them against the other columns"


def space(profile: Profile) -> Space:
    """What can be varied; the first start is the default. Settings of a trunk carry the kind of column before their name."""
    smooth, epochs = profile.task is Task.REGRESSION, expected_epochs(profile)
    dimensions: dict[str, Dimension] = {
        "learning_rate": Float(5e-4, 6e-3, default=2e-3, log=True),
        "weight_decay": Float(1e-3, 1e-1, default=1e-2, log=True),
        "blocks": Int(1, 3, default=2),
        "width": Choice((64, 128, 256), default=128),
        "dropout": Float(0.0, 0.5, default=0.1 if smooth else 0.3),
        "epochs": Int(max(5, epochs // 2), 2 * epochs, default=epochs),
    }
    if profile.features_of(Kind.TEXT):
        dimensions["text_trunk"] = Choice(("cnn", "gru"), default="cnn")
        dimensions["text_embedding"] = Choice((32, 64, 128), default=TEXT["embedding"])
        dimensions["text_filters"] = Choice((32, 64, 128), default=TEXT["filters"], when=("text_trunk", ("cnn",)))
        dimensions["text_units"] = Choice((32, 64), default=32, when=("text_trunk", ("gru",)))
        dimensions["text_dropout"] = Float(0.1, 0.6, default=0.4)
        dimensions["text_embedding_dropout"] = Float(0.0, 0.5, default=0.3)
    if profile.features_of(Kind.IMAGE):
        dimensions["image_trunk"] = Choice(("cnn", "residual"), default="cnn")
        dimensions["image_filters"] = Choice((8, 12, 16), default=IMAGE["filters"])
        dimensions["image_dropout"] = Float(0.1, 0.5, default=0.3)
        dimensions["image_augment"] = Float(0.0, 1.5, default=0.0 if smooth else 0.5)
    if profile.features_of(Kind.AUDIO):
        dimensions["audio_filters"] = Choice((8, 12, 16), default=AUDIO["filters"])
        dimensions["audio_dropout"] = Float(0.1, 0.5, default=0.3)
        dimensions["audio_augment"] = Float(0.0, 1.5, default=0.5)
    if profile.task.is_classification:
        dimensions["label_smoothing"] = Choice((0.0, 0.05, 0.1), default=0.0)
    else:
        dimensions["loss"] = Choice(("mse", "huber"), default="mse")
    return Space(dimensions, ({}, {"learning_rate": 1e-3, "blocks": 1, "dropout": 0.4}))


def expected_epochs(profile: Profile) -> int:
    """Words are learned by heart in a few hundred steps; what is on images and in sounds takes longer."""
    from automl.training.rows import batch_size_for

    rows = max(1, int(0.8 * profile.rows))
    steps = -(-rows // batch_size_for(rows))
    wanted = LONG_STEPS if profile.features_of(Kind.IMAGE, Kind.AUDIO) else SHORT_STEPS
    return min(MOST_EPOCHS, max(LEAST_EPOCHS, round(wanted / steps)))


def cost(profile: Profile, settings: Settings) -> Cost:
    """By the multiplications: 5 folds, one forward and two backward passes a row and epoch."""
    from automl.training.rows import batch_size_for

    width = int(settings.get("width", 128))
    flops, weights = 0.0, table_width(profile, 9) * width + width * width
    texts = len(profile.features_of(Kind.TEXT))
    if texts:
        embedding, filters = (int(settings.get(f"text_{name}") or TEXT[name]) for name in ("embedding", "filters"))
        convolutions = embedding * filters * (2 + 3)
        flops += 2.0 * min(MOST_TOKENS * texts, TOKENS_A_WORD * words_of(profile)) * convolutions
        weights += texts * (VOCABULARY * embedding + convolutions)
    for column in profile.features_of(Kind.IMAGE):
        work, kept = _image_cost(column.parse, settings)
        flops, weights = flops + 2 * work, weights + kept
    flops += 2e7 * len(profile.features_of(Kind.AUDIO)) + 2.0 * (table_width(profile, 9) * width + width * width)
    rows = 0.8 * profile.rows
    batch = int(settings.get("batch_size", batch_size_for(int(rows))))
    epochs = int(settings.get("epochs", expected_epochs(profile)))
    updates = 14.0 * VOCABULARY * TEXT["embedding"] * texts / 4e9
    one_step = SECONDS_A_STEP + updates + 3 * batch * flops / FLOPS_A_SECOND
    return Cost(6.0 + 5 * epochs * max(1.0, rows / batch) * one_step, int(4 * weights + 20_000), flops)


def _image_cost(parse: dict[str, Any], settings: Settings) -> tuple[float, int]:
    from automl.training.trunks.image import multiplications

    shape = (int(parse.get("height", 64)), int(parse.get("width", 64)), int(parse.get("channels", 3)))
    kind, filters = str(settings.get("image_trunk", "cnn")), int(settings.get("image_filters") or IMAGE["filters"])
    return multiplications(kind, shape, filters, IMAGE["units"])


def build(shapes: dict[str, tuple[Any, str, Any]], problem: Problem, settings: Settings) -> Any:
    """The net for these blocks.

    Input shape: {"numeric": (batch, columns), "categorical": (batch, columns), "tokens_1": (batch, length),
        "image_1": (batch, height, width, channels), "audio_1": (batch, frames, bands)}, whichever there are
    Output shape: (batch, classes) logits, or (batch, 1)
    """
    from automl.training.backend import tensorflow

    tensorflow()
    import keras

    from automl.training.trunks import table

    inputs, x = table.features(shapes, settings)
    found = [] if x is None else [x]
    for name, (shape, dtype, vocabulary) in shapes.items():
        scope = {"tokens": "text"}.get(name.partition("_")[0], name.partition("_")[0])
        if scope in SCOPES:
            size = shape if isinstance(shape, tuple | list) else (shape,)
            inputs[name] = keras.Input(tuple(int(each) for each in size), name=name, dtype=dtype)
            found.append(_trunk(scope, inputs[name], vocabulary, scoped(settings, scope)))
    x = found[0] if len(found) == 1 else keras.layers.Concatenate()(found)
    x = table.dense_blocks(x, {"activation": "silu", "blocks": 2, "width": 128, **settings})
    return keras.Model(inputs, keras.layers.Dense(int(problem.outputs), kernel_initializer="zeros", name="logits")(x))


def scoped(settings: Settings, scope: str) -> Settings:
    """The settings of one kind of column under the names that its trunk knows."""
    defaults = {"text": TEXT, "image": IMAGE, "audio": AUDIO}[scope]
    own = {name.removeprefix(f"{scope}_"): value for name, value in settings.items() if name.startswith(f"{scope}_")}
    return {**defaults, **own}


def _trunk(scope: str, x: Any, vocabulary: Any, settings: Settings) -> Any:
    """(batch, features) of a column."""
    from automl.training.trunks import audio, image, text

    if scope == "text":
        return {"cnn": text.cnn, "gru": text.gru}[settings["trunk"]](x, int(vocabulary), settings)
    if scope == "image":
        return {"cnn": image.cnn, "residual": image.residual}[settings["trunk"]](x, settings)
    return audio.cnn(x, settings)


def learner() -> Learner:
    from automl.training.learner import NetLearner
    from automl.training.trunks.table import factors

    return NetLearner(build, DEFAULTS, factors=factors, lengths=lengths)


def lengths(inputs: dict[str, Any]) -> Any:
    """Tokens of each row, all its texts together; None where there is no text."""
    texts = [block for name, block in inputs.items() if name.startswith("tokens_")]
    return sum((block > 0).sum(axis=1) for block in texts) if texts else None


ARCHITECTURE = Architecture(
    name="fusion",
    title="Late fusion net",
    rung=3,
    tasks=ALL_TASKS,
    encoding="fused",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    needs_tensorflow=True,
    paper="arXiv:1705.09406",
)
