"""Declares a search space without Keras; search/ translates it to KerasTuner."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Settings = dict[str, Any]
"""Plain values by name: one point of a Space."""


@dataclass(frozen=True)
class Int:
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int
    default: int
    step: int = 1
    log: bool = False
    when: tuple[str, tuple[Any, ...]] | None = None

    def sample(self, generator: np.random.Generator) -> int:
        if self.log:
            value = math.exp(generator.uniform(math.log(self.low), math.log(self.high + 1)))
            return int(min(self.high, max(self.low, math.floor(value))))
        return int(self.low + self.step * generator.integers(0, (self.high - self.low) // self.step + 1))

    def near(self, value: int, generator: np.random.Generator) -> int:
        """Another value not far from this one, at least one step away where there is room."""
        moved = _moved(float(value), self.low, self.high, self.log, generator)
        steps = round((moved - value) / self.step)
        steps = steps or int(generator.choice((-1, 1)))
        return int(np.clip(value + self.step * steps, self.low, self.high))


@dataclass(frozen=True)
class Float:
    """A real number from `low` to `high`; `log` spreads it evenly over orders of magnitude."""

    low: float
    high: float
    default: float
    log: bool = False
    when: tuple[str, tuple[Any, ...]] | None = None

    def sample(self, generator: np.random.Generator) -> float:
        if self.log:
            return float(math.exp(generator.uniform(math.log(self.low), math.log(self.high))))
        return float(generator.uniform(self.low, self.high))

    def near(self, value: float, generator: np.random.Generator) -> float:
        """Another value not far from this one."""
        return _moved(value, self.low, self.high, self.log, generator)


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]
    default: Any
    when: tuple[str, tuple[Any, ...]] | None = None

    def sample(self, generator: np.random.Generator) -> Any:
        return self.values[int(generator.integers(0, len(self.values)))]

    def near(self, value: Any, generator: np.random.Generator) -> Any:
        """Another one of the values."""
        others = [each for each in self.values if each != value]
        return others[int(generator.integers(0, len(others)))] if others else value


NEAR = 0.15
"""Standard deviation of a step to a near point, as a share of the dimension's length."""
CHANGED_SHARE = 0.3
"""Share of the dimensions that differ between a point and one near it; at least one does."""


def _moved(value: float, low: float, high: float, log: bool, generator: np.random.Generator) -> float:
    """A normal step from `value`, within the bounds; on a scale of logarithms where `log`."""
    forth, back = (math.log, math.exp) if log else (float, float)
    step = generator.normal(0.0, NEAR * (forth(high) - forth(low)))
    return float(min(high, max(low, back(forth(min(high, max(low, value))) + step))))


Dimension = Int | Float | Choice


@dataclass(frozen=True)
class Space:
    """Named dimensions in order. `when=(name, values)` makes a dimension active only where another has one of the values.

    `starts` are complete or partial settings that are known to be good, tried first and in order; the first is the default.
    """

    dimensions: Mapping[str, Dimension]
    starts: tuple[Mapping[str, Any], ...] = ({},)

    def default(self) -> Settings:
        return self.start(0)

    def start(self, number: int) -> Settings:
        """Known good settings number `number`, completed with the defaults."""
        values = {name: dimension.default for name, dimension in self.dimensions.items()}
        return self._active({**values, **self.starts[number]})

    def sample(self, generator: np.random.Generator) -> Settings:
        """A point drawn at random; inactive dimensions are left out."""
        return self._active({name: dimension.sample(generator) for name, dimension in self.dimensions.items()})

    def near(self, settings: Settings, generator: np.random.Generator) -> Settings:
        """A point that differs from `settings` in a few dimensions, by small steps where they are numbers.

        Settings that are not of this space are left out; missing ones begin at their default.
        """
        names = list(self.dimensions)
        if not names:  # there is nothing to choose, as of a naive forecast
            return {}
        changed = generator.random(len(names)) < CHANGED_SHARE
        active = [place for place, name in enumerate(names) if name in settings] or range(len(names))
        changed[active[int(generator.integers(len(active)))]] = True
        values: Settings = {}
        for name, differs in zip(names, changed, strict=True):
            dimension = self.dimensions[name]
            value = settings.get(name, dimension.default)
            values[name] = dimension.near(value, generator) if differs else value
        return self._active(values)

    def _active(self, values: Settings) -> Settings:
        active: Settings = {}
        for name, dimension in self.dimensions.items():
            if dimension.when is None or active.get(dimension.when[0]) in dimension.when[1]:
                active[name] = values[name]
        return active
