"""How the learning rate moves over a training: whole curves in numpy, one value a step."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.errors import TrainingError
from automl.core.space import Settings
from automl.training.optimizers import PER_STEP

Array = np.ndarray[Any, Any]
SCHEDULES = ("one_cycle", "cosine", "coslog4", "constant")


def learning_rates(name: str, peak: float, steps: int, warmup_fraction: float = 0.2) -> Array:
    """The learning rate of every step, shape (steps,), float64.

    one_cycle: from peak / 25 up by a half cosine over `warmup_fraction`, then down to about 0 (Smith, 2018).
    cosine: a linear warm-up over at most 5 % of the steps, then a half cosine down to 0.
    coslog4: four cosine cycles of doubling length (Holzmueller et al., RealMLP, 2024). constant: the peak throughout.

    Raises TrainingError where there is no schedule of this name.
    """
    progress = (np.arange(steps) + 0.5) / max(steps, 1)
    if name == "one_cycle":
        rising = peak / 25 + (peak - peak / 25) * _half_cosine(progress / warmup_fraction)
        falling = peak * (1 - _half_cosine((progress - warmup_fraction) / (1 - warmup_fraction)))
        return np.asarray(np.where(progress < warmup_fraction, rising, falling))
    if name == "cosine":
        warmup = min(0.05, warmup_fraction)
        falling = peak * (1 - _half_cosine((progress - warmup) / (1 - warmup)))
        return np.asarray(np.where(progress < warmup, peak * progress / warmup, falling))
    if name == "coslog4":
        return np.asarray(peak * 0.5 * (1 - np.cos(2 * np.pi * np.log2(1 + 15 * progress))))
    if name == "constant":
        return np.full(steps, peak)
    raise TrainingError(f'there is no learning-rate schedule called "{name}"', f"known: {', '.join(SCHEDULES)}")


def flat_cosine(steps: int) -> Array:
    """1 over the first half of the steps, then a half cosine to 0, shape (steps,): for dropout and weight decay."""
    progress = (np.arange(steps) + 0.5) / max(steps, 1)
    return np.asarray(1 - _half_cosine(2 * progress - 1))


def per_step(settings: Settings, steps: int) -> Array:
    """The values of PER_STEP for every step of the whole schedule, (steps, 6)."""
    number = np.arange(1, steps + 1)
    momentum, beta_2 = float(settings["momentum"]), float(settings["beta_2"])
    rate = learning_rates(str(settings["schedule"]), float(settings["learning_rate"]), steps, float(settings["warmup_fraction"]))
    flat = {"flat_cosine": flat_cosine(steps), "constant": np.ones(steps)}
    columns = {
        "learning_rate": rate,
        "momentum": np.full(steps, momentum),
        "weight_decay": float(settings["weight_decay"]) * flat[str(settings["decay_schedule"])],
        "dropout": flat[str(settings["dropout_schedule"])],
        "correction_1": 1.0 / (1.0 - momentum**number),
        "correction_2": 1.0 / (1.0 - beta_2**number),
    }
    return np.stack([columns[name] for name in PER_STEP], axis=1).astype(np.float32)


def _half_cosine(progress: Array) -> Array:
    """Rises smoothly from 0 at progress <= 0 to 1 at progress >= 1."""
    return np.asarray(0.5 * (1 - np.cos(np.pi * np.clip(progress, 0.0, 1.0))))
