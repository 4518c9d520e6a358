"""What every trial of a run works on, and how it travels to the training worker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.architecture import Architecture, Modality, Problem
from automl.core.discovery import declarations
from automl.core.errors import InputError, nearest
from automl.core.files import decode, read_json, write_json
from automl.core.metrics import Metric, metric, with_scale
from automl.core.plan import Plan
from automl.core.profile import Profile
from automl.core.table import Category, Table
from automl.core.tasks import Task
from automl.splitting import FoldRows, sampled, seeds

Array = np.ndarray[Any, Any]


RESAMPLES = 400
"""Bootstrap resamples of a holdout, on which two rungs are compared."""


@dataclass(frozen=True)
class Context:
    """The clean data of a run with its folds.

    table: all rows that have a target. target: (rows,) class codes (int64) or values (float64).
    weight: (rows,) with mean 1, or None. training_rows: everything but the sealed part.
    search_folds (seed A) serve search and stopping; fresh_folds (seed B) decide the climbs.
    parity: rows on which an exported graph is held against the pipeline it came from.
    groups: (rows,) rows of one number are never divided by a split, or None.
    fitting_weight: (rows,) what the rows weigh in training where that is not `weight`: scores never count it.
    error_scale: (rows,) of a forecast: what an error of the row is measured by in scaled metrics.
    """

    profile: Profile
    plan: Plan
    table: Table
    target: Array
    weight: Array | None
    training_rows: Array
    search_folds: tuple[FoldRows, ...]
    fresh_folds: tuple[FoldRows, ...]
    parity: Table
    groups: Array | None = None
    error_scale: Array | None = None
    fitting_weight: Array | None = None
    encoded: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def modality(self) -> Modality:
        return modality_of(self.profile.modality)

    @cached_property
    def architectures(self) -> dict[str, Architecture]:
        found: list[Architecture] = declarations(self.modality.ladder, "ARCHITECTURE")
        return {each.name: each for each in found}

    def architecture(self, name: str) -> Architecture:
        if name not in self.architectures:
            raise InputError(f'there is no architecture called "{name}"', nearest(name, self.architectures))
        return self.architectures[name]

    @property
    def metric(self) -> Metric:
        return metric(self.plan.metric)

    @property
    def problem(self) -> Problem:
        from automl.search.forecasting import facts_of

        facts = facts_of(self.profile) if self.rolling else None
        compact = self.plan.max_size_mb is not None or self.plan.max_latency_ms is not None
        return Problem(self.profile.task, self.profile.outputs, self.plan.metric, self.plan.jobs, facts, compact)

    @property
    def rolling(self) -> bool:
        """Folds are origins in time, and predictions are quantiles."""
        return self.profile.task is Task.FORECAST

    @property
    def samples(self) -> bool:
        """Whether the search learns from a part of the rows only."""
        return self.plan.split.search_rows is not None

    def sample(self, rows: Array, most: int | None) -> Array:
        """At most so many of the training rows, always the same ones first: what is learned from less than all."""
        classes = self.target.astype(np.int64) if self.profile.task.is_classification and most is not None else None
        return sampled(rows, most, classes, seeds(self.plan.seed)("sample of the training rows"))

    def searched(self, most: int | None) -> tuple[FoldRows, ...]:
        """The search folds for a trial that learns from at most so many rows; what is predicted is the same."""
        return tuple(replace(fold, training=self.sample(fold.training, most)) for fold in self.search_folds)

    def rows_a_fit(self, most: int | None) -> float:
        """Rows that a fit of such a trial learns from, the mean over the search folds."""
        lengths = [len(fold.training) for fold in self.search_folds]
        return float(np.mean(lengths if most is None else np.minimum(lengths, most)))

    @property
    def positive(self) -> int:
        return self.profile.classes.index(self.profile.positive) if self.profile.positive in self.profile.classes else 1

    def score(self, rows: Array, prediction: Array) -> float:
        """The plan's metric over these rows."""
        weight = None if self.weight is None else self.weight[rows]
        if self.error_scale is None:
            return self.metric.score(self.target[rows], prediction, weight, self.positive)
        middle = prediction[:, prediction.shape[1] // 2]
        known = np.isfinite(middle)
        if not known.any():
            return float("nan")
        measure = with_scale(self.metric, [self.error_scale[rows][known]])
        return measure.score(self.target[rows][known], middle[known])

    def resampled(self, rows: Array, prediction: Array) -> tuple[float, ...]:
        """The score on bootstrap resamples of a holdout's rows (whole groups), the same ones for every prediction.

        Empty where there are several folds, whose scores say more.
        """
        if len(self.search_folds) > 1:
            return ()
        generator = np.random.default_rng([self.plan.seed, len(rows), int(rows[0])])
        _, unit = np.unique(rows if self.groups is None else self.groups[rows], return_inverse=True)
        members, sizes = np.argsort(unit, kind="stable"), np.bincount(unit)
        starts = np.cumsum(sizes) - sizes
        scores = []
        for _ in range(RESAMPLES):
            drawn = generator.integers(len(sizes), size=len(sizes))
            lengths = sizes[drawn]
            before = np.repeat(starts[drawn] - (np.cumsum(lengths) - lengths), lengths)
            picked = members[before + np.arange(len(before))]  # the members of each drawn unit, one unit after the other
            scores.append(self.score(rows[picked], prediction[picked]))
        return tuple(scores)


def modality_of(name: str) -> Modality:
    """The modality of this name.

    Raises InputError, with the nearest name, where there is none.
    """
    found: list[Modality] = declarations("automl.modalities", "MODALITY")
    for each in found:
        if each.name == name:
            return each
    names = [each.name for each in found]
    raise InputError(f'there is no modality called "{name}"', nearest(name, names) or f"known: {', '.join(names)}")


def save_context(context: Context, folder: Path) -> None:
    """Write the context into `folder` for the worker: arrays without pickle, everything else as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "profile.json", context.profile)
    write_json(folder / "plan.json", context.plan)
    _save_table(context.table, folder / "table")
    _save_table(context.parity, folder / "parity")
    arrays: dict[str, Any] = {"target": context.target, "training_rows": context.training_rows}
    if context.weight is not None:
        arrays["weight"] = context.weight
    if context.groups is not None:
        arrays["groups"] = context.groups
    if context.error_scale is not None:
        arrays["error_scale"] = context.error_scale
    if context.fitting_weight is not None:
        arrays["fitting_weight"] = context.fitting_weight
    np.savez(folder / "rows.npz", **arrays)
    for name, folds in (("search_folds", context.search_folds), ("fresh_folds", context.fresh_folds)):
        save_folds(folds, folder / f"{name}.npz")


def load_context(folder: Path) -> Context:
    with np.load(folder / "rows.npz") as rows:
        arrays = dict(rows)
    return Context(
        profile=decode(Profile, read_json(folder / "profile.json")),
        plan=decode(Plan, read_json(folder / "plan.json")),
        table=_load_table(folder / "table"),
        target=arrays["target"],
        weight=arrays.get("weight"),
        groups=arrays.get("groups"),
        error_scale=arrays.get("error_scale"),
        fitting_weight=arrays.get("fitting_weight"),
        training_rows=arrays["training_rows"],
        search_folds=load_folds(folder / "search_folds.npz"),
        fresh_folds=load_folds(folder / "fresh_folds.npz"),
        parity=_load_table(folder / "parity"),
    )


def save_folds(folds: Iterable[FoldRows], path: Path) -> None:
    arrays: dict[str, Array] = {}
    for number, fold in enumerate(folds):
        arrays[f"training_{number}"] = fold.training
        arrays[f"validation_{number}"] = fold.validation
        arrays[f"repeat_{number}"] = np.asarray(fold.repeat)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def load_folds(path: Path) -> tuple[FoldRows, ...]:
    with np.load(path) as arrays:
        count = len(arrays.files) // 3
        return tuple(
            FoldRows(arrays[f"training_{number}"], arrays[f"validation_{number}"], int(arrays[f"repeat_{number}"]))
            for number in range(count)
        )


def _save_table(table: Table, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    names = list(table.columns)
    levels = [column.levels if isinstance(column, Category) else None for column in table.columns.values()]
    write_json(folder / "columns.json", {"names": names, "levels": levels, "rows": table.rows})
    arrays: dict[str, Any] = {
        str(number): column.codes if isinstance(column, Category) else column
        for number, column in enumerate(table.columns.values())
    }
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]


def _load_table(folder: Path) -> Table:
    header = read_json(folder / "columns.json")
    with np.load(folder / "arrays.npz") as arrays:
        columns = {
            name: arrays[str(number)] if levels is None else Category(arrays[str(number)], tuple(levels))
            for number, (name, levels) in enumerate(zip(header["names"], header["levels"], strict=True))
        }
    return Table(columns, header["rows"])
