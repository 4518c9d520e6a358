"""Recognises data that was arranged for a forecast, and says what each of its columns is for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.profile import ColumnProfile, Kind, Role

_COVARIATES = (Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY)


def sense(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[float, str]:
    """Sure where `arrange` has made a panel of the rows, which only --horizon asks for; otherwise this is no forecast."""
    found = dataset.reading.get("arrangement", {})
    if found.get("form") != "forecast":
        return 0.0, "no --horizon was given"
    many = len(found["names"])
    what = f"{many:,} series" if many > 1 else "one series"
    return 1.0, f'{what} in steps of {found["step"]} by "{found["time"]}", to be forecast {found["horizon"]:,} steps ahead'


def examine(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[ColumnProfile, ...]:
    """The time and the series become inputs; numbers, booleans and categories are covariates; the rest is left out."""
    found = dataset.reading["arrangement"]
    target = next(column for column in columns if column.role is Role.TARGET)
    for option, name in (("--time-column", found["time"]), ("--id", found["id"])):
        if name == target.name:
            raise InputError(f'"{name}" is the target and cannot be given to {option} as well', "name another column")
    if target.name in found["known"]:
        raise InputError(f'"{target.name}" is the target, which nobody knows ahead', "leave it out of --known-ahead")
    return tuple(_examined(column, found) for column in columns)


def _examined(column: ColumnProfile, found: dict[str, Any]) -> ColumnProfile:
    if column.role is Role.TARGET:
        return column
    if column.name == found["time"]:
        kind = Kind.DATETIME if found["time_parse"]["as"] == "datetime" else Kind.NUMBER
        dtype = "int64" if kind is Kind.DATETIME else "float64"
        evidence = f"it orders the rows in time, in steps of {found['step']}"
        statistics = {"first": found["first"], "last": found["last"]} if "first" in found else column.statistics
        changes: dict[str, Any] = {
            "kind": kind,
            "parse": found["time_parse"],
            "dtype": dtype,
            "evidence": evidence,
            "statistics": statistics,
        }
        return dataclasses.replace(column, role=Role.FEATURE, reason="", missing_fraction=0.0, **changes)
    if column.name == found["id"]:
        return dataclasses.replace(
            column,
            kind=Kind.CATEGORY,
            parse={"as": "category", "missing": []},
            dtype="string",
            role=Role.FEATURE,
            reason="",
            evidence=f"it tells the {len(found['names']):,} series apart",
        )
    if column.role is not Role.FEATURE:
        return column
    if column.kind not in _COVARIATES:
        reason = f"{column.kind.value} is not used as a covariate of a forecast"
        if column.name in found["known"]:
            raise InputError(
                f'--known-ahead: column "{column.name}" holds {column.kind.value} values', "give numbers or categories"
            )
        return dataclasses.replace(column, role=Role.UNUSED, reason=reason)
    ahead = "known ahead" if column.name in found["known"] else "known only up to the origin of a forecast"
    return dataclasses.replace(column, evidence=f"{column.evidence}; {ahead}")
