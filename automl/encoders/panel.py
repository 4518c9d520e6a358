"""Rows of a panel as a forecasting learner takes them: which series, which step, the value, and the covariates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from automl.core.profile import Profile
from automl.core.table import Category, Table

Array = np.ndarray[Any, Any]

SERIES, STEP, OBSERVED = " series", " step", " observed"
"""Columns of the clean table that preparing a forecast adds; no column of a file has a blank before its name."""


@dataclass(frozen=True)
class PanelEncoder:
    """Covariates in the order of the facts of the panel. levels: of the categories, whose codes are taken as numbers."""

    known: tuple[str, ...]
    past: tuple[str, ...]
    levels: dict[str, list[str]]
    learns = False
    shapes: Any = None

    def fit(self, table: Table, rows: Array, whole: Array) -> PanelEncoder:
        """Nothing is learned from values; levels are those of the table."""
        levels = {
            name: list(column.levels) for name in (*self.known, *self.past) if isinstance(column := table.columns[name], Category)
        }
        return replace(self, levels=levels, shapes={})

    def transform(self, table: Table) -> dict[str, Array]:
        """{"series", "step": (rows,) int64, "observed": (rows,), "known": (rows, k), "past": (rows, p)}."""
        return {
            "series": np.asarray(table.columns[SERIES], np.int64),
            "step": np.asarray(table.columns[STEP], np.int64),
            "observed": np.asarray(table.columns[OBSERVED], np.float64),
            "known": _stacked(table, self.known),
            "past": _stacked(table, self.past),
        }

    def state(self) -> dict[str, Any]:
        return {"known": list(self.known), "past": list(self.past), "levels": self.levels}


def _stacked(table: Table, names: tuple[str, ...]) -> Array:
    return np.stack([_numbers(table.columns[name]) for name in names], axis=1) if names else np.zeros((table.rows, 0))


def _numbers(column: Any) -> Array:
    if isinstance(column, Category):
        return np.where(column.codes < 0, np.nan, column.codes.astype(np.float64))
    return np.asarray(column, np.float64)


def covariates(profile: Profile) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the covariates that are known ahead, and of those that are not."""
    found = profile.arrangement
    names = [column.name for column in profile.features if column.name not in (found["time"], found["id"])]
    return tuple(name for name in names if name in found["known"]), tuple(name for name in names if name not in found["known"])


def make_encoder(profile: Profile) -> PanelEncoder:
    known, past = covariates(profile)
    return PanelEncoder(known, past, {})
