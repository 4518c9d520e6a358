"""The scale on which a regression target is learned, and the way back, in numpy and in the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.profile import Profile
from automl.core.space import Choice, Space
from automl.core.tasks import Task

Array = np.ndarray[Any, Any]

SETTING = "target_scale"


@dataclass(frozen=True)
class TargetScale:
    """Standardised, after a logarithm where `log` (log1p of the distance from `offset`).

    Outputs beyond what training saw by more than half its range are clipped before the exponential.
    """

    log: bool
    offset: float
    mean: float
    deviation: float
    low: float
    high: float

    @classmethod
    def fit(cls, values: Array, log: bool) -> TargetScale:
        offset = float(values.min()) if log else 0.0
        moved = np.log1p(values - offset) if log else values
        deviation = float(moved.std()) or 1.0
        standard = (moved - moved.mean()) / deviation
        margin = 0.5 * float(standard.max() - standard.min())
        return cls(log, offset, float(moved.mean()), deviation, float(standard.min()) - margin, float(standard.max()) + margin)

    def forward(self, values: Array) -> Array:
        moved = np.log1p(np.maximum(values - self.offset, 0.0)) if self.log else values
        return np.asarray((moved - self.mean) / self.deviation)

    def inverse(self, scaled: Array) -> Array:
        if not self.log:
            return np.asarray(scaled * self.deviation + self.mean)
        moved = np.clip(scaled, self.low, self.high) * self.deviation + self.mean
        return np.asarray(np.expm1(moved) + self.offset)

    def graph(self, builder: Any, tensor: str) -> str:
        """Append the inverse; in double, since float32 loses the small end of a large target. (batch, 1) float64."""
        value = builder.node("Cast", [tensor], to=11)
        if self.log:
            bounds = [builder.initializer(np.asarray(bound, np.float64), "bound") for bound in (self.low, self.high)]
            value = builder.node("Clip", [value, *bounds])
        value = builder.node("Mul", [value, builder.initializer(np.asarray(self.deviation, np.float64), "deviation")])
        value = builder.node("Add", [value, builder.initializer(np.asarray(self.mean, np.float64), "mean")])
        if self.log:
            value = builder.node("Exp", [value])
            value = builder.node("Add", [value, builder.initializer(np.asarray(self.offset - 1.0, np.float64), "offset")])
        return str(value)


def with_target_scale(space: Space, profile: Profile) -> Space:
    """The space with the logarithm as a choice, where the target is skewed and bounded below by what was seen."""
    statistics = profile.target_statistics
    if profile.task is not Task.REGRESSION or statistics.get("minimum", -1.0) < 0 or statistics.get("skew", 0.0) < 1.0:
        return space
    if not space.dimensions:
        return space
    first, *others = space.starts
    return Space(
        {**space.dimensions, SETTING: Choice(("plain", "log"), "plain")},
        (first, {**first, SETTING: "log"}, *others),
    )
