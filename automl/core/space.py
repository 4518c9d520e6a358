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


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]
    default: Any
    when: tuple[str, tuple[Any, ...]] | None = None

    def sample(self, generator: np.random.Generator) -> Any:
        return self.values[int(generator.integers(0, len(self.values)))]


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

    def _active(self, values: Settings) -> Settings:
        active: Settings = {}
        for name, dimension in self.dimensions.items():
            if dimension.when is None or active.get(dimension.when[0]) in dimension.when[1]:
                active[name] = values[name]
        return active
