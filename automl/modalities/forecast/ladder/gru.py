"""Rung 5: a GRU over patches of the window, beside a linear map from it, with quantiles of all steps ahead."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost, Problem
from automl.core.profile import Profile
from automl.core.space import Dimension, Float, Int, Settings, Space
from automl.core.tasks import Task

LEAST_WINDOWS = 300
SECONDS_A_WINDOW = 1.5e-4


def fits(profile: Profile) -> str | None:
    facts = profile.arrangement
    season = facts["seasons"][0] if facts["seasons"] else 1
    windows = profile.rows - len(facts["names"]) * (2 * season + facts["horizon"])
    if windows < LEAST_WINDOWS:
        return f"needs about {LEAST_WINDOWS} windows to learn from; here {max(0, windows):,}"
    if facts["horizon"] > 1_000:
        return f"gives all steps at once, and {facts['horizon']:,} are too many"
    return None


def reason(profile: Profile) -> str:
    many = len(profile.arrangement["names"])
    shared = f"; one net for all {many:,} series" if many > 1 else ""
    return f"reads the window step by step and keeps what matters{shared}, with quantiles of its own"


def space(profile: Profile) -> Space:
    dimensions: dict[str, Dimension] = {
        "units": Int(32, 128, 64, step=32),
        "steps": Int(7, 28, 14, step=7),
        "width": Int(32, 128, 64, step=32),
        "dropout": Float(0.0, 0.4, 0.1),
        "learning_rate": Float(5e-4, 8e-3, 3e-3, log=True),
    }
    return Space(dimensions)


def cost(profile: Profile, settings: Settings) -> Cost:
    windows = min(3_000, profile.rows)
    return Cost(seconds=8.0 + 5 * 10 * windows * SECONDS_A_WINDOW, size_bytes=400_000, flops_a_row=2e6)


def build(shapes: dict[str, Any], problem: Problem, settings: Settings) -> Any:
    """The net for these windows.

    Input shape: {"values": (batch, length), "covariates": (batch, length, channels), "future": (batch, horizon, channels)};
        "covariates" may lack
    Output shape: (batch, horizon x quantiles)
    """
    import keras

    from automl.core.methods import QUANTILES
    from automl.training.trunks.forecast import gru, quantile_head, sequence

    inputs = {}
    for name, (width, dtype, _) in shapes.items():
        shape = (width,) if isinstance(width, int) else tuple(width)
        inputs[name] = keras.Input(shape, name=name, dtype=dtype)
    features = gru(sequence(inputs), settings)
    return keras.Model(inputs, quantile_head(inputs, features, len(QUANTILES), settings))


def learner() -> Any:
    from automl.learners.windowed import WindowedLearner

    return WindowedLearner(build)


ARCHITECTURE = Architecture(
    name="gru",
    title="GRU",
    rung=5,
    tasks=frozenset({Task.FORECAST}),
    encoding="panel",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    needs_tensorflow=True,
    paper="arXiv:1406.1078",
)
