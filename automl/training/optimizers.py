"""One step of an optimizer on one variable; every number that changes over a training comes in as a tensor."""

from __future__ import annotations

from typing import Any

OPTIMIZERS = ("adamw", "sgd")
PER_STEP = ("learning_rate", "momentum", "weight_decay", "dropout", "correction_1", "correction_2")
CORRECTIONS = slice(PER_STEP.index("correction_1"), len(PER_STEP))
"""Of PER_STEP, what hangs on how many steps were made, not on the place in a schedule."""


def slots(name: str) -> int:
    """How many tensors of the variable's shape the optimizer keeps."""
    return 2 if name == "adamw" else 1


def update(name: str, variable: Any, kept: list[Any], gradient: Any, now: Any, beta_2: Any, factors: Any) -> None:
    """Assign the variable and what the optimizer keeps of it.

    kept: `slots(name)` variables. now: the values of PER_STEP. factors: (of the learning rate, of the weight decay), the
    latter relative to the variable's own learning rate.
    """
    if name == "adamw":
        _adamw(variable, kept, gradient, now, beta_2, factors)
    else:
        _sgd(variable, kept, gradient, now, factors)


def _adamw(variable: Any, kept: list[Any], gradient: Any, now: Any, beta_2: Any, factors: Any) -> None:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""
    import tensorflow as tf

    rate, beta_1, decay, _, correction_1, correction_2 = tf.unstack(now)
    first, second = kept
    rate_factor, decay_factor = factors
    mean = beta_1 * first + (1.0 - beta_1) * gradient
    square = beta_2 * second + (1.0 - beta_2) * tf.square(gradient)
    first.assign(mean)
    second.assign(square)
    change = (mean * correction_1) / (tf.sqrt(square * correction_2) + 1e-8) + decay * decay_factor * variable
    variable.assign(variable - rate * rate_factor * change)


def _sgd(variable: Any, kept: list[Any], gradient: Any, now: Any, factors: Any) -> None:
    """Nesterov momentum with decoupled weight decay."""
    rate, momentum, decay = (now[PER_STEP.index(name)] for name in ("learning_rate", "momentum", "weight_decay"))
    (velocity,) = kept
    rate_factor, decay_factor = factors
    moved = momentum * velocity + gradient
    velocity.assign(moved)
    variable.assign(variable - rate * rate_factor * (gradient + momentum * moved + decay * decay_factor * variable))
