"""Readout: what becomes of predictions as they leave the model: calibrated, turned into called classes, given with bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.conformal import Conformal
from automl.core.groups import GroupColumn
from automl.core.table import Column

Array = np.ndarray[Any, Any]

LEAST = 1e-7
"""Probabilities are kept this far from 0, where their logarithm is taken: what float32 can tell from 0 and 1."""


@dataclass(frozen=True)
class Calibrator:
    """A map from probabilities to probabilities that come true as often as they say.

    method: "temperature": the logarithms are multiplied by `sharpness`, 1 / temperature (Guo et al., ICML 2017), and
    normalised; "isotonic": `knots` (probability of the positive class, calibrated), straight between them and level beyond
    (centred isotonic regression: Oron and Flournoy, Statistics in Biopharmaceutical Research 9, 2017).
    """

    method: str
    sharpness: float = 1.0
    knots: tuple[tuple[float, float], ...] = ()

    def apply(self, probabilities: Array, positive: int = 1) -> Array:
        """(rows, classes) float64."""
        if self.method == "temperature":
            logits = self.sharpness * np.log(np.clip(np.asarray(probabilities, np.float64), LEAST, 1.0))
            shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
            return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
        places, values = np.asarray(self.knots).T
        calibrated = np.interp(np.asarray(probabilities, np.float64)[:, positive], places, values)
        return with_positive(calibrated, positive)


@dataclass(frozen=True)
class GroupThreshold:
    """A group that has a threshold of its own. groups: its name in each column; rows: that the threshold was found on."""

    groups: tuple[str, ...]
    value: float
    rows: int


@dataclass(frozen=True)
class GroupThresholds:
    """Thresholds by the groups of one column, or of several at once. Rows of any other group have the overall threshold.

    own: the groups with a threshold of their own; few: groups that have none, as they have too few rows.
    """

    columns: tuple[GroupColumn, ...]
    own: tuple[GroupThreshold, ...]
    few: tuple[tuple[str, ...], ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Groups of each column, and one place more for all that are none of them, or missing."""
        return tuple(len(column.groups) + 1 for column in self.columns)

    def codes(self, columns: Mapping[str, Column]) -> Array:
        """(rows,) the combination of groups of each row, as a place in `table`."""
        each = [np.minimum(column.codes(columns[column.name]), len(column.groups)) for column in self.columns]
        return np.ravel_multi_index(tuple(each), self.shape)

    def table(self, otherwise: float) -> Array:
        """(combinations,) the threshold of each combination of groups."""
        found = np.full(self.shape, otherwise)
        for group in self.own:
            found[tuple(column.groups.index(name) for column, name in zip(self.columns, group.groups, strict=True))] = group.value
        return found.reshape(-1)


@dataclass(frozen=True)
class Threshold:
    """From which probability of the positive class on it is called.

    rule: in words, such as "the highest F1"; expected: what was reached on the out-of-fold predictions that it was chosen
    on: {"precision", "recall", "f1", "cost"}; by group {"gap", "gap_before", "accuracy", "accuracy_before"}, and by thresholds
    that were chosen on other rows {"gap_cross_fitted", "accuracy_cross_fitted"}. met: whether the floor that was asked for was
    reached there; by group whether there are any that close a gap.
    groups: where it differs by group; `value` is the overall threshold then.
    """

    value: float
    rule: str
    expected: dict[str, float]
    met: bool = True
    groups: GroupThresholds | None = None

    def limits(self, columns: Mapping[str, Column]) -> float | Array:
        """The threshold, or (rows,) that of each row, whose clean columns tell its group."""
        return self.value if self.groups is None else self.groups.table(self.value)[self.groups.codes(columns)]


@dataclass(frozen=True)
class Attempt:
    """One calibrator that was tried: the gain in log loss by cross-fitting, its one-sided p-value, and why it is kept or not."""

    method: str
    gain: float
    p_value: float
    kept: bool
    sentence: str


@dataclass(frozen=True)
class Readout:
    """calibrator, threshold: None where probabilities go out as they are, and the most probable class is called.

    conformal: what intervals and sets are made of, beside the graph; None where the data are too few.
    """

    calibrator: Calibrator | None = None
    threshold: Threshold | None = None
    attempts: tuple[Attempt, ...] = ()
    conformal: Conformal | None = None

    @property
    def shipped(self) -> Readout:
        """What the contract of a model keeps: not what was tried."""
        return Readout(self.calibrator, self.threshold, conformal=self.conformal)

    def apply(self, probabilities: Array, positive: int = 1) -> Array:
        """(rows, classes) calibrated; rows of NaN stay."""
        if self.calibrator is None:
            return probabilities
        known = np.isfinite(probabilities).all(axis=1)
        result = np.array(probabilities, np.float64)
        result[known] = self.calibrator.apply(probabilities[known], positive)
        return result


def called(probabilities: Array, threshold: float | Array | None, positive: int = 1) -> Array:
    """(rows,) class codes: the most probable class, or, with a threshold (or one a row), the positive class from there on."""
    if threshold is None:
        return np.asarray(probabilities.argmax(axis=1))
    return np.where(probabilities[:, positive] >= threshold, positive, 1 - positive)


def with_positive(probability: Array, positive: int) -> Array:
    """(rows, 2) from the probability of the positive class."""
    both = np.stack([1.0 - probability, probability], axis=1)
    return both if positive == 1 else both[:, ::-1]
