"""Rung 3: a GRU in both directions on subword tokens, its states pooled over the text."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS
from automl.modalities.text.sense import LONG_WORDS, schedule, words_of

LEAST_ROWS = 500
VOCABULARY = 8000
TOKENS_A_WORD = 1.35
SECONDS_A_TOKEN_STEP = 6e-4
"""One step in time of both directions, forward and backward, for one batch."""
DEFAULTS: Settings = {"jit": False, "learning_rate": 2e-3, "embedding_dropout": 0.3}


def fits(profile: Profile) -> str | None:
    """None, or the sentence that the report shows when this rung is left out."""
    if find_spec("tokenizers") is None:
        return "it needs the tokenizers library; install it with: pip install automl[text]"
    if profile.rows < LEAST_ROWS:
        return f"a recurrent net needs about {LEAST_ROWS} texts to learn from; here are {profile.rows:,}"
    words = words_of(profile)
    if words > LONG_WORDS:
        return (
            f"it reads a text word by word, and {words:,.0f} words in the median are too many to carry a thought through; "
            f"up to {LONG_WORDS} it is tried"
        )
    return None


def reason(profile: Profile) -> str:
    """Why it is worth trying on this profile."""
    return "it reads in order, so that negations and who did what to whom can count, which n-grams and filters see only nearby"


def space(profile: Profile) -> Space:
    """What can be varied; the first start is the default."""
    batch, epochs = schedule(profile)
    dimensions: dict[str, Dimension] = {
        "units": Choice((32, 64, 96), default=64),
        "embedding": Choice((64, 128), default=128),
        "pooling": Choice(("mean_max", "max"), default="mean_max"),
        "dropout": Float(0.1, 0.6, default=0.3),
        "embedding_dropout": Float(0.0, 0.5, default=0.3),
        "learning_rate": Float(5e-4, 6e-3, default=2e-3, log=True),
        "weight_decay": Float(1e-3, 1e-1, default=1e-2, log=True),
        "vocabulary": Choice((2000, 8000), default=VOCABULARY),
        "batch_size": Choice((16, 32, 64), default=batch),
        "epochs": Int(4, 16, default=epochs),
    }
    if profile.task.is_classification:
        dimensions["label_smoothing"] = Choice((0.0, 0.05, 0.1), default=0.05)
    return Space(dimensions, ({}, {"units": 96, "dropout": 0.5}))


def cost(profile: Profile, settings: Settings) -> Cost:
    """By the steps in time, of which each has a price of its own on a CPU."""
    units, embedding = int(settings.get("units", 64)), int(settings.get("embedding", 128))
    tokens = min(256.0, TOKENS_A_WORD * words_of(profile))
    usual = schedule(profile)
    batch, epochs = int(settings.get("batch_size", usual[0])), int(settings.get("epochs", usual[1]))
    vocabulary = int(settings.get("vocabulary", VOCABULARY))
    batches = 0.8 * profile.rows / batch
    seconds = 6.0 + 5 * epochs * batches * (SECONDS_A_TOKEN_STEP * tokens + 14 * vocabulary * embedding / 4e9)
    weights = 2 * 3 * units * (embedding + units + 2)
    size = 4 * (vocabulary * embedding + weights) * max(1, len(profile.features_of(Kind.TEXT))) + 20_000
    return Cost(seconds, int(size), 2.0 * tokens * weights)


def build(shapes: dict[str, tuple[Any, str, Any]], problem: Problem, settings: Settings) -> Any:
    """The net for these blocks.

    Input shape: {"tokens_1": (batch, length), ...}
    Output shape: (batch, classes) logits, or (batch, 1)
    """
    from automl.training.backend import tensorflow

    tensorflow()
    import keras

    from automl.training.trunks.text import gru

    inputs, parts = {}, []
    for name, (length, dtype, vocabulary) in shapes.items():
        inputs[name] = keras.Input((int(length),), name=name, dtype=dtype)
        parts.append(gru(inputs[name], int(vocabulary), settings))
    x = parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)
    return keras.Model(inputs, keras.layers.Dense(int(problem.outputs), kernel_initializer="zeros", name="logits")(x))


def learner() -> Learner:
    from automl.modalities.text.ladder.cnn import lengths
    from automl.training.learner import NetLearner

    return NetLearner(build, DEFAULTS, lengths=lengths)


ARCHITECTURE = Architecture(
    name="text_gru",
    title="Bi-GRU on tokens",
    rung=3,
    tasks=ALL_TASKS,
    encoding="tokens",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    needs_tensorflow=True,
    paper="arXiv:1406.1078",
)
