"""Rung 2: a one-dimensional CNN on subword tokens, filters of several widths side by side."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS
from automl.modalities.text.sense import schedule, words_of

LEAST_ROWS = 300
VOCABULARY = 8000
MANY_WORDS = 80
"""From here on a narrower net is the default, as each word costs the same."""
TOKENS_A_WORD = 1.35
FLOPS_A_SECOND = 2.5e10
DEFAULTS: Settings = {"jit": False, "learning_rate": 2e-3, "embedding_dropout": 0.3}
"""Under XLA on a CPU convolutions take 30 times as long, and a batch cannot be cut to its longest text."""


def fits(profile: Profile) -> str | None:
    """None, or the sentence that the report shows when this rung is left out."""
    if find_spec("tokenizers") is None:
        return "it needs the tokenizers library; install it with: pip install automl[text]"
    if profile.rows < LEAST_ROWS:
        return f"a net needs about {LEAST_ROWS} texts to learn what words mean; here are {profile.rows:,}"
    return None


def reason(profile: Profile) -> str:
    """Why it is worth trying on this profile."""
    ratio = profile.rows / max(1.0, words_of(profile))
    expected = "" if ratio > 1500 else f"; with {ratio:,.0f} texts a word of length, below 1,500, n-grams are often as good"
    return f"it learns which words mean alike and finds phrases wherever they stand in a text{expected}"


def space(profile: Profile) -> Space:
    """What can be varied; the first start is the default."""
    long = words_of(profile) > MANY_WORDS
    batch, epochs = schedule(profile)
    dimensions: dict[str, Dimension] = {
        "filters": Choice((64, 128, 192), default=64 if long else 128),
        "widths": Int(3, 5, default=4),
        "embedding": Choice((64, 128, 192), default=64 if long else 128),
        "dropout": Float(0.2, 0.7, default=0.5),
        "embedding_dropout": Float(0.0, 0.5, default=0.3),
        "learning_rate": Float(5e-4, 6e-3, default=2e-3, log=True),
        "weight_decay": Float(1e-3, 1e-1, default=1e-2, log=True),
        "vocabulary": Choice((2000, 8000, 16000), default=VOCABULARY),
        "batch_size": Choice((16, 32, 64), default=batch),
        "epochs": Int(4, 16, default=epochs),
    }
    if profile.task.is_classification:
        dimensions["label_smoothing"] = Choice((0.0, 0.05, 0.1), default=0.05)
    return Space(dimensions, ({}, {"embedding": 64, "filters": 64, "learning_rate": 4e-3}))


def cost(profile: Profile, settings: Settings) -> Cost:
    """By the multiplications: 5 folds, one forward and two backward passes a row and epoch."""
    widths, filters, embedding = (int(settings.get(name, default)) for name, default in _SIZES)
    tokens = min(256.0, TOKENS_A_WORD * words_of(profile))
    weights = embedding * filters * sum(range(2, widths + 1))
    flops = 2.0 * tokens * weights
    usual = schedule(profile)
    batch, epochs = int(settings.get("batch_size", usual[0])), int(settings.get("epochs", usual[1]))
    vocabulary = int(settings.get("vocabulary", VOCABULARY))
    seconds = 5.0 + 5 * epochs * 0.8 * profile.rows * (3 * flops / FLOPS_A_SECOND + 14 * vocabulary * embedding / batch / 4e9)
    size = 4 * (vocabulary * embedding + weights) * max(1, len(profile.features_of(Kind.TEXT))) + 20_000
    return Cost(seconds, int(size), flops)


_SIZES = (("widths", 4), ("filters", 128), ("embedding", 128))


def build(shapes: dict[str, tuple[Any, str, Any]], problem: Problem, settings: Settings) -> Any:
    """The net for these blocks.

    Input shape: {"tokens_1": (batch, length), ...}
    Output shape: (batch, classes) logits, or (batch, 1)
    """
    from automl.training.backend import tensorflow

    tensorflow()
    import keras

    from automl.training.trunks.text import cnn

    inputs, parts = {}, []
    for name, (length, dtype, vocabulary) in shapes.items():
        inputs[name] = keras.Input((int(length),), name=name, dtype=dtype)
        parts.append(cnn(inputs[name], int(vocabulary), settings))
    x = parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)
    return keras.Model(inputs, keras.layers.Dense(int(problem.outputs), kernel_initializer="zeros", name="logits")(x))


def learner() -> Learner:
    from automl.training.learner import NetLearner

    return NetLearner(build, DEFAULTS, lengths=lengths)


def lengths(inputs: dict[str, Any]) -> Any:
    """Tokens of each row, all its texts together."""
    return sum((block > 0).sum(axis=1) for block in inputs.values())


ARCHITECTURE = Architecture(
    name="text_cnn",
    title="1D-CNN on tokens",
    rung=2,
    tasks=ALL_TASKS,
    encoding="tokens",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    needs_tensorflow=True,
    paper="arXiv:1408.5882",
)
