"""Looks at a Dataset and says what it is: kinds of columns, target and task, duplicates, suspected leaks; no training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.architecture import Modality
from automl.core.dataset import Dataset
from automl.core.discovery import declarations
from automl.core.errors import InputError, nearest
from automl.core.events import Event, Listener, silent
from automl.core.options import GROUP_THRESHOLDS, Options
from automl.core.profile import ColumnProfile, Duplicates, Kind, Profile, Role, Suspicion
from automl.core.table import Category, Column
from automl.core.tasks import Task
from automl.profiling.association import MOST_ROWS, associations, binned
from automl.profiling.cells import MISSING_DATE, Cells, cells_of
from automl.profiling.describe import clean_column, describe
from automl.profiling.duplicates import column_hash, duplicate_columns, find_duplicates, renamed_columns
from automl.profiling.kinds import ALL_MISSING, FORCEABLE, Verdict, forced, kind_of
from automl.profiling.leaks import hidden, suspicions
from automl.profiling.numbers import number_text
from automl.profiling.target import Target, choose_target, examine_target

__all__ = ["arranged", "profile"]

Array = np.ndarray[Any, Any]
MOST_HISTOGRAMS = 1000
"""With more columns than this, none is kept with a histogram: nobody looks at thousands, and each costs its bytes."""
_NOT_FEATURES = {
    Kind.IDENTIFIER: (Role.IDENTIFIER, "it names the rows, so a model could only learn them by heart"),
    Kind.CONSTANT: (Role.UNUSED, "it is the same in every row"),
}
FILES = (Kind.IMAGE, Kind.AUDIO)
_ARRAYS = (*FILES, Kind.SERIES, Kind.TEXT)
"""Kinds whose cells are too rich to be compared value by value with the target."""
_RENAMED = (Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY)
"""Kinds that can say in other words what another column says."""


@dataclass(frozen=True)
class Examined:
    """The columns of a frame, looked at one by one."""

    columns: tuple[ColumnProfile, ...]
    clean: Mapping[str, Column]

    def named(self, name: str) -> ColumnProfile:
        return next(column for column in self.columns if column.name == name)

    def replaced(self, changes: Mapping[str, Mapping[str, Any]]) -> Examined:
        """With some fields of some columns changed: {column: {field: value}}."""
        columns = tuple(dataclasses.replace(column, **changes.get(column.name, {})) for column in self.columns)
        return Examined(columns, self.clean)


def profile(dataset: Dataset, options: Options = Options(), listener: Listener = silent) -> Profile:  # noqa: B008
    """Facts about a dataset, each with its evidence. Takes seconds and trains nothing.

    Every row is looked at; only the association of columns with the target is computed on at most 20,000 rows.
    Raises InputError where an option names what is not there, or nothing can be learned from the target.
    """
    listener(Event("profile", f"looking at {len(dataset.frame.columns):,} columns of {dataset.rows:,} rows", "start"))
    names = [str(name) for name in dataset.frame.columns]
    if not names:
        raise InputError(f"{dataset.name} has no columns")
    _check_names(names, options, _source(dataset))
    target_name, target_evidence, notes = choose_target(names, options.target, _source(dataset))
    _check_target_is_free(target_name, options)
    coded = set(dataset.reading.get("coded", ()))
    cells = {name: cells_of(column, name, name in coded) for name, (_, column) in zip(names, dataset.frame.items(), strict=True)}
    decimal = _decimal_sign(dataset, cells)
    target = _target(dataset, cells[target_name], options, decimal)
    examined = _examine(cells, target, options, decimal)
    listener(Event("profile", f'"{target_name}" is predicted: {target.task.value}'))
    modality, modality_evidence = _modality(dataset, examined.columns, options.modality)
    examined = _for_modality(examined, modality, dataset)
    same: tuple[tuple[str, str], ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    duplicates, leaks = Duplicates(), list[Suspicion]()
    if target.task is not Task.FORECAST:  # rows of a series do not stand for themselves: neither copies nor single columns tell
        examined, same = _without_copies(examined)
        renamed = _renamed(examined)
        duplicates = _duplicates(examined, target)
        examined, leaks = _associated(examined, target)
    if options.drop_leaks:
        reason = "it may give the target away (left out with --drop-leaks)"
        examined = examined.replaced({leak.column: {"role": Role.UNUSED, "reason": reason} for leak in leaks})
    found = Profile(
        modality=modality.name,
        modality_evidence=modality_evidence,
        target=target_name,
        target_evidence=target_evidence,
        rows=dataset.rows,
        columns=examined.columns,
        duplicates=duplicates,
        duplicate_columns=same,
        renamed_columns=renamed,
        suspected_leaks=tuple(leaks),
        ordered_in_time=dataset.reading["arrangement"]["time"] if target.task is Task.FORECAST else _ordered_in_time(examined),
        notes=(*_rows_not_read(dataset), *notes, *target.notes, *_reading_notes(dataset), *_ambiguous_dates(examined)),
        root=dataset.root if any(column.kind in FILES for column in examined.columns) else "",
        arrangement=dataset.reading.get("arrangement", {}),
        **_of_target(target),
    )
    if not found.features:
        raise InputError("no column is left to predict from", "every one is left out: " + _reasons(found))
    listener(Event("profile", f"{len(found.features):,} of {len(names) - 1:,} columns can be learned from", "end"))
    return found


def _rows_not_read(dataset: Dataset) -> tuple[str, ...]:
    if not dataset.left_out:
        return ()
    rows = dataset.rows + dataset.left_out
    told = f"{rows:,} rows take more memory than there is: {dataset.rows:,} of them, drawn at random, are used"
    return (f"{told}; change it with --memory",)


def _target(dataset: Dataset, cells: Cells, options: Options, decimal: str) -> Target:
    """The target; where the rows were arranged for a forecast, its numbers are to be forecast."""
    if dataset.reading.get("arrangement", {}).get("task") != Task.FORECAST:
        return examine_target(cells, kind_of(cells, decimal), options, decimal)
    numbers = dataclasses.replace(options, task=Task.REGRESSION.value)
    found = examine_target(cells, kind_of(cells, decimal), numbers, decimal)
    return dataclasses.replace(found, task=Task.FORECAST, task_evidence="--horizon asks for the next steps")


def _of_target(target: Target) -> dict[str, Any]:
    return {
        "task": target.task,
        "task_evidence": target.task_evidence,
        "target_parse": target.parse,
        "classes": target.classes,
        "class_counts": target.class_counts,
        "class_type": target.class_type,
        "positive": target.positive,
        "target_statistics": target.statistics or {},
        "rows_without_target": int((~target.known).sum()),
    }


def _reading_notes(dataset: Dataset) -> list[str]:
    """What reading and arranging had to decide or leave out, in sentences."""
    note = dataset.reading.get("note")
    return [*([note] if note else []), *dataset.reading.get("arrangement", {}).get("notes", ())]


def _source(dataset: Dataset) -> str:
    """What to call the data in an error: the file's own name where there is one."""
    if dataset.reading.get("format") == "frame":
        return "the data frame"
    return dataset.source.replace("\\", "/").rsplit("/", 1)[-1] or dataset.name


def _decimal_sign(dataset: Dataset, cells: Mapping[str, Cells]) -> str:
    """The comma where a file with semicolons has a column that only a decimal comma explains: "1.234" is 1234 there."""
    if dataset.reading.get("delimiter") != ";":
        return "."
    written = (number_text(each.texts(), each.counts) for each in cells.values() if each.type == "text" and len(each.values))
    return "," if any(found is not None and found.parse["decimal"] == "," for found in written) else "."


def _check_names(names: list[str], options: Options, where: str) -> None:
    asked = [
        *(("--features", name) for name in options.features),
        *(("--drop", name) for name in options.drop),
        *(("--kind", name) for name in options.kinds),
        *(("--sensitive", name) for name in options.sensitive),
        *(("--weight", name) for name in (options.weight,) if name),
        *(("--group", name) for name in (options.group,) if name),
        *(("--time-column", name) for name in (options.time_column,) if name),
    ]
    known = set(names)
    for option, name in asked:
        if name not in known:
            raise InputError(f'{option}: column "{name}" is not in {where}', nearest(name, names))
    for name, kind in options.kinds.items():
        if kind not in FORCEABLE:
            raise InputError(
                f'--kind: there is no kind "{kind}" (asked for column "{name}")',
                nearest(kind, FORCEABLE) or f"known: {', '.join(FORCEABLE)}",
            )


def _check_target_is_free(target: str, options: Options) -> None:
    single = (("--weight", (options.weight,)), ("--group", (options.group,)))
    for option, used in (("--drop", options.drop), ("--sensitive", options.sensitive), *single):
        if target in used:
            raise InputError(
                f'"{target}" is the target and cannot be given to {option} as well', "name another target with --target"
            )


def _examine(cells: Mapping[str, Cells], target: Target, options: Options, decimal: str) -> Examined:
    columns, clean = [], {}
    for name, each in cells.items():
        if name == target.name:
            verdict = Verdict(
                Kind.NUMBER if not target.task.is_classification else Kind.CATEGORY, target.task_evidence, target.parse
            )
        else:
            verdict = kind_of(each, decimal)
            if name in options.kinds:
                verdict = forced(each, Kind(options.kinds[name]), verdict, decimal)
        values = clean_column(each, verdict)
        role, reason = Role.TARGET, "it is what is predicted"
        if name != target.name:
            role, reason = _role(name, verdict.kind, verdict.evidence == ALL_MISSING, options)
        if role is Role.WEIGHT:
            _check_weight(name, values)
        columns.append(describe(each, verdict, values, role, reason, shape=len(cells) <= MOST_HISTOGRAMS))
        clean[name] = values
    return Examined(tuple(columns), clean)


def _role(name: str, kind: Kind, empty: bool, options: Options) -> tuple[Role, str]:
    if name == options.weight:
        return Role.WEIGHT, "it weighs the rows"
    if name == options.group:
        return Role.GROUP, "rows of one group are kept together in every split"
    if name in options.drop:
        return (Role.IDENTIFIER if kind is Kind.IDENTIFIER else Role.UNUSED), "left out with --drop"
    if name in options.sensitive and options.exclude_sensitive and options.mitigate == GROUP_THRESHOLDS:
        return Role.SENSITIVE, "sensitive: no feature, but an input, as its groups have thresholds of their own (--mitigate)"
    if name in options.sensitive and options.exclude_sensitive:
        return Role.SENSITIVE, "sensitive: the model does not see it, but is judged by it (--exclude-sensitive)"
    if options.features and name not in options.features:
        return (Role.IDENTIFIER if kind is Kind.IDENTIFIER else Role.UNUSED), "not among --features"
    if empty:
        return Role.UNUSED, "it is empty in every row"
    return _NOT_FEATURES.get(kind, (Role.FEATURE, ""))


def _check_weight(name: str, values: Column) -> None:
    if isinstance(values, Category) or values.dtype.kind != "f":
        raise InputError(f'the weight column "{name}" holds no numbers', "choose another column with --weight")
    if np.isnan(values).any() or (values < 0).any() or values.sum() <= 0:
        raise InputError(f'the weight column "{name}" has missing or negative values', "every row needs a weight of 0 or more")


def _without_copies(examined: Examined) -> tuple[Examined, tuple[tuple[str, str], ...]]:
    """Duplicate columns keep their first copy only."""
    features = [column for column in examined.columns if column.role is Role.FEATURE]
    same = duplicate_columns(
        [column.name for column in features], [column_hash(examined.clean[column.name]) for column in features]
    )
    changes = {copy: {"role": Role.UNUSED, "reason": f'it equals "{first}" in every row'} for first, copy in same}
    return examined.replaced(changes), same


def _renamed(examined: Examined) -> tuple[tuple[str, str], ...]:
    """Pairs of features that say the same in other words; columns of nearly as many values as rows say that by chance."""
    rows = len(next(iter(examined.clean.values())))
    told = [
        column.name
        for column in examined.columns
        if column.role is Role.FEATURE and column.kind in _RENAMED and 2 <= column.unique <= min(rows // 10, 1000)
    ]
    return renamed_columns(told, [column_hash(examined.clean[name]) for name in told])


def _duplicates(examined: Examined, target: Target) -> Duplicates:
    """Rows that are equal in everything but identifiers and the columns that the user left out."""
    rows = np.flatnonzero(target.known)
    used = [
        column
        for column in examined.columns
        if column.role is Role.FEATURE or (column.role is Role.UNUSED and column.kind is Kind.TEXT and "--" not in column.reason)
    ]
    taken = [examined.clean[column.name] for column in used]
    return find_duplicates([each.take(rows) if isinstance(each, Category) else each[rows] for each in taken], target.values[rows])


def _associated(examined: Examined, target: Target) -> tuple[Examined, list[Suspicion]]:
    """With the association of every feature, and the suspected leaks."""
    rows = np.flatnonzero(target.known)
    if len(rows) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))
    truth = target.values[rows]
    codes, numbers = {}, {}
    for column in examined.columns:
        if column.role is not Role.FEATURE or column.kind in _ARRAYS:
            continue
        whole = examined.clean[column.name]
        part = whole.take(rows) if isinstance(whole, Category) else whole[rows]
        codes[column.name] = binned(part, column.kind)
        if column.kind is Kind.NUMBER and not isinstance(part, Category):
            numbers[column.name] = part
    scores = associations(codes, truth, len(target.classes) if target.classes else None)
    leaks = suspicions(target.task, scores, numbers, truth, target.name)
    named = {leak.column for leak in leaks}
    leaks += [leak for leak in hidden(target.task, codes, truth, target.classes, target.name) if leak.column not in named]
    return examined.replaced({name: {"association": score} for name, score in scores.items()}), leaks


def _modality(dataset: Dataset, columns: tuple[ColumnProfile, ...], wanted: str | None) -> tuple[Modality, str]:
    """The modality that is surest that this is its data, and why; or the one that the user names."""
    known: list[Modality] = declarations("automl.modalities", "MODALITY")
    names = [modality.name for modality in known]
    if wanted is not None:
        if wanted not in names:
            raise InputError(
                f'--modality: there is no modality "{wanted}"', nearest(wanted, names) or f"known: {', '.join(names)}"
            )
        return known[names.index(wanted)], "asked for with --modality"
    sensed = [(modality.sense(dataset, columns), modality) for modality in known]
    (confidence, evidence), modality = max(sensed, key=lambda each: each[0][0])
    if confidence <= 0:
        raise InputError(f"no ladder fits {dataset.name}", evidence)
    return modality, evidence


def _for_modality(examined: Examined, modality: Modality, dataset: Dataset) -> Examined:
    """Columns of kinds that the modality does not learn from are left out; the others are completed by it."""
    changes = {
        column.name: {"role": Role.UNUSED, "reason": f"{column.kind.value} is not used by the ladder for {modality.name} data"}
        for column in examined.columns
        if column.role is Role.FEATURE and column.kind not in modality.kinds
    }
    examined = examined.replaced(changes)
    if modality.examine is None:
        return examined
    return Examined(tuple(modality.examine(dataset, examined.columns)), examined.clean)


def arranged(dataset: Dataset, options: Options = Options()) -> Dataset:  # noqa: B008
    """The dataset with one row an example, where a modality knows its rows or columns as parts of examples.

    Raises InputError where the modality that is asked for cannot arrange it.
    """
    if options.horizon is not None and options.modality not in (None, "forecast"):
        raise InputError(f"--horizon asks for a forecast, and --modality for {options.modality}", "leave one of them out")
    if options.known_ahead and options.horizon is None:
        raise InputError("--known-ahead is for a forecast", "give --horizon as well")
    for modality in declarations("automl.modalities", "MODALITY"):
        if modality.arrange is not None and options.modality in (None, modality.name):
            found: Dataset | None = modality.arrange(dataset, options)
            if found is not None:
                return found
    return dataset


def _ordered_in_time(examined: Examined) -> str | None:
    """The first date column that never (or in less than 1 % of the steps) turns back, in either direction."""
    for column in examined.columns:
        if column.kind is not Kind.DATETIME or column.missing_fraction > 0.05 or column.unique < 3:
            continue
        seconds = examined.clean[column.name]
        assert not isinstance(seconds, Category)
        steps = np.sign(np.diff(seconds[seconds != MISSING_DATE].astype(np.float64)))
        if min((steps < 0).sum(), (steps > 0).sum()) <= 0.01 * np.abs(steps).sum():
            return column.name
    return None


def _ambiguous_dates(examined: Examined) -> tuple[str, ...]:
    return tuple(
        f'the dates of "{column.name}" could be day or month first; {column.parse["formats"][0]} was taken'
        for column in examined.columns
        if column.role is Role.FEATURE and column.kind is Kind.DATETIME and "change places" in column.evidence
    )


def _reasons(found: Profile) -> str:
    left_out = [column for column in found.columns if column.role is not Role.TARGET]
    shown = "; ".join(f'"{column.name}": {column.reason}' for column in left_out[:5])
    return shown + (f" and {len(left_out) - 5} more" if len(left_out) > 5 else "") if left_out else "there is only the target"
