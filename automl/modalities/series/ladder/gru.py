"""Rung 3: LSTM, GRU or a plain RNN in both directions over a convolution, pooled where the series is."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost, Learner, Problem
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Int, Settings, Space
from automl.core.tasks import ALL_TASKS

LEAST_SERIES = 100
STEPS = 64
"""Steps that the recurrence goes over, as automl.training.trunks.series.MOST_STEPS says."""
SECONDS_A_STEP = 2.5e-4
"""Of one time step of a batch, forward and backward in both directions."""
FLOPS_A_SECOND = 2e10
GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def fits(profile: Profile) -> str | None:
    """None, or the sentence why it is left out."""
    if not profile.features_of(Kind.SERIES):
        return "there is no column of series"
    if profile.rows < LEAST_SERIES:
        return f"recurrence needs about {LEAST_SERIES} series to learn from; here {profile.rows:,}"
    return None


def reason(profile: Profile) -> str:
    return "it reads the steps in their order and can remember what came long before"


def space(profile: Profile) -> Space:
    dimensions: dict[str, Dimension] = {
        "cell": Choice(("lstm", "gru", "rnn"), default="lstm"),
        "units": Choice((24, 48, 96), default=48),
        "layers": Int(1, 2, default=1),
        "filters": Choice((16, 32, 64), default=32),
        "dropout": Float(0.0, 0.5, default=0.2),
        "learning_rate": Float(5e-4, 1e-2, default=3e-3, log=True),
        "weight_decay": Float(1e-4, 1e-1, default=1e-2, log=True),
        "clip_norm": Float(0.1, 5.0, default=1.0, log=True),
    }
    return Space(dimensions, ({}, {"units": 96, "dropout": 0.3}, {"cell": "gru"}))


def cost(profile: Profile, settings: Settings) -> Cost:
    from automl.training.rows import batch_size_for, epochs_for

    steps = max((int(column.parse["length"]) for column in profile.features_of(Kind.SERIES)), default=1)
    width = max((int(column.parse["channels"]) for column in profile.features_of(Kind.SERIES)), default=1) + 1
    filters, units = int(settings.get("filters", 32)), int(settings.get("units", 48))
    gates = GATES[str(settings.get("cell", "lstm"))]
    weights, flops = 0, 0.0
    while steps > STEPS:
        steps = -(-steps // 2)
        weights += 7 * width * filters + 4 * filters
        flops += 2.0 * steps * 7 * width * filters
        width = filters
    weights += 5 * width * filters
    flops += 2.0 * steps * 5 * width * filters
    width = filters + 1
    for _ in range(int(settings.get("layers", 1))):
        inner = 2 * gates * units * (width + units + 1)
        weights, flops, width = weights + inner, flops + 2.0 * steps * inner, 2 * units + 1
    weights += 4 * units * profile.outputs
    rows = 0.8 * profile.rows
    batch = batch_size_for(int(rows))
    epochs = epochs_for(int(rows), batch)
    batches = -(-rows // batch)
    waiting = steps * SECONDS_A_STEP * int(settings.get("layers", 1))
    seconds = 5 * epochs * batches * (waiting + 3 * batch * flops / FLOPS_A_SECOND)
    return Cost(15.0 + seconds, 4 * weights + 20_000, flops)


def build(shapes: dict[str, tuple[Any, str, Any]], problem: Problem, settings: Settings) -> Any:
    """The net for series of this shape.

    Input shape: {"sequence": (batch, length, channels + 1)}. Output shape: (batch, classes) logits, or (batch, 1)
    """
    from automl.training.backend import tensorflow

    tensorflow()
    import keras

    from automl.training.trunks.series import recurrent

    sequence = keras.Input(tuple(shapes["sequence"][0]), name="sequence", dtype="float32")
    x = recurrent(sequence, settings)
    outputs = keras.layers.Dense(int(problem.outputs), kernel_initializer="zeros", name="logits")(x)
    return keras.Model({"sequence": sequence}, outputs)


def learner() -> Learner:
    from automl.training.learner import NetLearner

    return NetLearner(build)


ARCHITECTURE = Architecture(
    name="gru",
    title="LSTM / GRU",
    rung=3,
    tasks=ALL_TASKS,
    encoding="sequence",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    needs_tensorflow=True,
    paper="Hochreiter and Schmidhuber, 1997",
)
