"""What is predicted: the target column, the task, the classes and the positive one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl.core.errors import InputError, nearest
from automl.core.options import Options
from automl.core.predictor import canonical
from automl.core.profile import Kind
from automl.core.table import Category
from automl.core.tasks import Task
from automl.profiling.cells import Cells
from automl.profiling.describe import number_statistics
from automl.profiling.kinds import Verdict, category_parse
from automl.profiling.names import TARGET_NAMES, hints_amount, hints_class
from automl.profiling.numbers import number_text, plain_parse

Array = np.ndarray[Any, Any]
FEWEST_ROWS = 10
MOST_CLASSES = 1_000
MOST_INTEGER_CLASSES = 20
LEAST_ROWS_OF_A_CLASS = 3
_POSITIVE_WORDS = ("yes", "true", "positive", "pos", "y", "t", "won", "win")


@dataclass(frozen=True)
class Target:
    """The target, cleaned.

    values: (rows,) class codes as int64, -1 where missing; or float64 with NaN. See Profile for the rest.
    """

    name: str
    task: Task
    task_evidence: str
    parse: dict[str, Any]
    values: Array
    classes: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    class_type: str = "string"
    positive: str | None = None
    statistics: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def known(self) -> Array:
        """(rows,) where there is a target."""
        return self.values >= 0 if self.task.is_classification else ~np.isnan(self.values)


def choose_target(columns: list[str], wanted: str | None, source: str) -> tuple[str, str, tuple[str, ...]]:
    """The name of the target, why, and what to say aloud.

    Raises InputError where the wanted one is not there.
    """
    if wanted is not None:
        if wanted not in columns:
            raise InputError(f'column "{wanted}" is not in {source}', nearest(wanted, columns) or _listing(columns))
        return wanted, "named by the user", ()
    folded = {name.strip().casefold(): name for name in reversed(columns)}
    for word in TARGET_NAMES:
        if word in folded and not (word == "y" and _is_coordinate(folded, columns)):
            return folded[word], f'not given: a column is called "{folded[word]}"', (_guess_note(folded[word], "by its name"),)
    last = columns[-1]
    return last, "not given: the last column", (_guess_note(last, "because it is the last column"),)


def _is_coordinate(folded: dict[str, str], columns: list[str]) -> bool:
    """Whether "y" is one of x, y, z rather than what is predicted."""
    return "z" in folded or ("x" in folded and folded["y"] != columns[-1])


def _guess_note(name: str, why: str) -> str:
    return f'the target was not given; "{name}" was taken {why}; change it with --target COLUMN'


def _listing(columns: list[str], most: int = 8) -> str:
    shown = ", ".join(f'"{name}"' for name in columns[:most])
    return f"its columns are {shown}" + (f" and {len(columns) - most} more" if len(columns) > most else "")


def examine_target(cells: Cells, suggested: Verdict, options: Options, decimal: str = ".") -> Target:
    """The task and its classes or statistics.

    Raises InputError where nothing can be learned from this target.
    """
    _check_usable(cells)
    if suggested.kind is Kind.DATETIME:
        raise InputError(
            f'the target "{cells.name}" holds dates, which cannot be predicted', "choose another column with --target"
        )
    classes, codes = _classes(cells)
    if not classes or (codes < 0).all():
        raise InputError(f'the target "{cells.name}" is missing in every row', "choose another column with --target")
    if len(classes) == 1:
        raise InputError(f'the target "{cells.name}" is "{classes[0]}" in every row', "choose another column with --target")
    present = int((codes >= 0).sum())
    if present < FEWEST_ROWS:
        raise InputError(
            f'only {present} {"row has" if present == 1 else "rows have"} a value of the target "{cells.name}"',
            f"at least {FEWEST_ROWS} are needed",
        )
    numeric = _number_parse(cells, decimal)
    task, evidence = _task(cells, classes, codes, numeric, options.task)
    if task is Task.REGRESSION:
        assert numeric is not None
        return _regression(cells, numeric, evidence)
    return _classification(cells, task, evidence, classes, codes, options)


def _check_usable(cells: Cells) -> None:
    if cells.rows < FEWEST_ROWS:
        raise InputError(
            f"the data has {'one row' if cells.rows == 1 else f'{cells.rows} rows'}",
            f"at least {FEWEST_ROWS} are needed to learn anything",
        )


def _classes(cells: Cells) -> tuple[list[str], Array]:
    """The canonical levels, sorted as numbers where all are whole numbers, and (rows,) codes into them."""
    clean = Category.from_strings(cells.parsed(category_parse()))
    levels = list(clean.levels)
    order = sorted(
        range(len(levels)), key=(lambda at: int(levels[at])) if all(map(_is_whole, levels)) else (lambda at: levels[at])
    )
    rank = np.append(np.argsort(np.asarray(order, np.int64)), -1) if levels else np.asarray([-1])
    return [levels[at] for at in order], cells.spread(rank[clean.codes], -1)


def _is_whole(text: str) -> bool:
    digits = text[1:] if text[:1] == "-" else text
    return digits.isascii() and digits.isdigit() and (len(digits) == 1 or digits[0] != "0") and len(digits) < 19


def _number_parse(cells: Cells, decimal: str) -> dict[str, Any] | None:
    """The parse step that makes numbers of the target, or None where it holds none."""
    if cells.type == "number":
        return plain_parse()
    if cells.type != "text":
        return None
    written = number_text(cells.texts(), cells.counts, decimal)
    return None if written is None else written.parse


def _task(cells: Cells, classes: list[str], codes: Array, numeric: dict[str, Any] | None, wanted: str | None) -> tuple[Task, str]:
    if wanted is not None:
        return _wanted_task(cells, classes, numeric, wanted), "asked for with --task"
    if len(classes) == 2:
        return Task.BINARY, f'"{cells.name}" has two values, "{classes[0]}" and "{classes[1]}"'
    if numeric is None or cells.declared_category:
        return Task.MULTICLASS, f'"{cells.name}" has {len(classes)} values that are no numbers'
    numbers = cells.parsed(numeric)
    if np.isnan(numbers[_filled(cells)]).any() and len(np.unique(numbers[~np.isnan(numbers)])) <= MOST_INTEGER_CLASSES:
        return Task.MULTICLASS, f'"{cells.name}" has {len(classes)} values, some of them words and the others a few numbers'
    if not all(map(_is_whole, classes)):
        return Task.REGRESSION, f'"{cells.name}" holds numbers, {len(classes):,} different ones'
    return _task_of_integers(cells.name, [int(level) for level in classes], np.bincount(codes[codes >= 0]))


def _filled(cells: Cells) -> Array:
    """(distinct values,) where a value is a class: neither blank nor a word that means missing in a category."""
    return np.asarray([text != "" for text in cells.parsed(category_parse())], bool)


def _task_of_integers(name: str, levels: list[int], counts: Array) -> tuple[Task, str]:
    """Classes or amounts? By the name, then by how many there are and how they are spread."""
    number, rows = len(levels), int(counts.sum())
    said = f'"{name}" holds {number:,} different whole numbers in {rows:,} rows'
    if hints_class(name) and number <= MOST_INTEGER_CLASSES and number <= rows / 5:
        return Task.MULTICLASS, f"{said} and its name speaks of classes; if they are amounts, say --task regression"
    if number > MOST_INTEGER_CLASSES:
        return Task.REGRESSION, f"{said}, so they are taken as amounts; for classes say --task multiclass"
    if hints_amount(name) and number >= 5:
        return Task.REGRESSION, f"{said} and its name speaks of an amount or a rank; for classes say --task multiclass"
    codes = levels == list(range(levels[0], levels[0] + number)) and levels[0] in (0, 1)
    if number >= 6 and _one_hump(counts):
        return Task.REGRESSION, f"{said} that grow rare towards both ends, as amounts do; for classes say --task multiclass"
    if number <= 10 or (codes and counts.min() >= 0.2 * counts.mean()):
        return Task.MULTICLASS, f"{said}, few enough to be classes; if they are amounts, say --task regression"
    return Task.REGRESSION, f"{said}, taken as amounts; for classes say --task multiclass"


def _one_hump(counts: Array) -> bool:
    """Counts that rise to one top inside and fall to rare ends."""
    top = int(np.argmax(counts))
    rising, falling = np.diff(counts[: top + 1]) >= 0, np.diff(counts[top:]) <= 0
    return bool(rising.all() and falling.all() and counts[0] + counts[-1] < 0.1 * counts.sum())


def _wanted_task(cells: Cells, classes: list[str], numeric: dict[str, Any] | None, wanted: str) -> Task:
    known = [each.value for each in Task]
    if wanted not in known:
        raise InputError(f'there is no task called "{wanted}"', nearest(wanted, known) or f"known: {', '.join(known)}")
    task = Task(wanted)
    if task is Task.REGRESSION and numeric is None:
        raise InputError(
            f'regression needs numbers, and the target "{cells.name}" holds words such as "{classes[0]}"',
            "leave --task out or choose another target",
        )
    if task is Task.BINARY and len(classes) != 2:
        raise InputError(
            f'a binary task needs two classes, and the target "{cells.name}" has {len(classes):,}',
            "say --task multiclass or leave --task out",
        )
    if task is Task.MULTICLASS and len(classes) == 2:
        raise InputError(
            f'a multiclass task needs three classes or more, and the target "{cells.name}" has two',
            "say --task binary or leave --task out",
        )
    return task


def _regression(cells: Cells, parse: dict[str, Any], evidence: str) -> Target:
    values = cells.clean(parse)
    known = values[~np.isnan(values)]
    if len(known) < FEWEST_ROWS:
        raise InputError(
            f'only {len(known)} rows have a number in the target "{cells.name}"', f"at least {FEWEST_ROWS} are needed"
        )
    if known.min() == known.max():
        raise InputError(f'the target "{cells.name}" is {known[0]:g} in every row', "choose another column with --target")
    statistics = number_statistics(known)
    centred = (known - known.mean()) / (known.std() or 1.0)
    return Target(
        cells.name, Task.REGRESSION, evidence, parse, values, statistics=statistics | {"skew": float(np.mean(centred**3))}
    )


def _classification(cells: Cells, task: Task, evidence: str, classes: list[str], codes: Array, options: Options) -> Target:
    counts = np.bincount(codes[codes >= 0], minlength=len(classes))
    _check_support(cells, classes, counts)
    class_type = "boolean" if cells.type == "boolean" else "int64" if all(map(_is_whole, classes)) else "string"
    positive, notes = _positive(classes, counts, options.positive, cells.name) if task is Task.BINARY else (None, ())
    if task is not Task.BINARY and options.positive is not None:
        raise InputError(
            f'--positive is for binary tasks, and the target "{cells.name}" has {len(classes)} classes', "leave --positive out"
        )
    folded = pd.Series(classes).str.casefold()
    if folded.duplicated().any():
        same = [name for name, twice in zip(classes, folded.duplicated(keep=False), strict=True) if twice]
        notes += (f"some classes differ only in upper and lower case and stay apart: {', '.join(map(repr, same[:6]))}",)
    return Target(
        cells.name,
        task,
        evidence,
        category_parse(),
        codes,
        tuple(classes),
        tuple(counts.tolist()),
        class_type,
        positive,
        None,
        notes,
    )


MOST_FEW_CLASSES = 5
"""With so few classes the rows of the rare ones are what is lacking."""


def _check_support(cells: Cells, classes: list[str], counts: Array) -> None:
    rows = int(counts.sum())
    large = counts >= LEAST_ROWS_OF_A_CLASS
    if len(classes) <= MOST_FEW_CLASSES and large.sum() < 2:
        raise InputError(
            f'only {int(large.sum())} of the {len(classes)} classes of the target "{cells.name}" has at least '
            f"{LEAST_ROWS_OF_A_CLASS} rows, and two are needed",
            "add rows of the rare classes",
        )
    if len(classes) > MOST_CLASSES or len(classes) > rows / 2 or counts[large].sum() < rows / 2 or large.sum() < 2:
        raise InputError(
            f'the target "{cells.name}" has {len(classes):,} classes in {rows:,} rows, {int((~large).sum()):,} of them with '
            f"fewer than {LEAST_ROWS_OF_A_CLASS} rows: too many for the rows there are",
            "choose another column with --target, or --task regression if it holds amounts",
        )


def _positive(classes: list[str], counts: Array, wanted: str | None, target: str) -> tuple[str, tuple[str, ...]]:
    if wanted is not None:
        spelled = canonical(wanted)
        if spelled not in classes:
            known = f'its classes are "{classes[0]}" and "{classes[1]}"'
            raise InputError(f'"{wanted}" is no class of the target "{target}"', nearest(spelled, classes) or known)
        return spelled, ()
    folded = [name.casefold() for name in classes]
    for at, name in enumerate(folded):
        other = folded[1 - at]
        named = name in _POSITIVE_WORDS or (name == "1" and other in ("0", "-1")) or ("positive" in name and "negative" in other)
        if named:
            return classes[at], (f'"{classes[at]}" is the positive class by its name; change it with --positive CLASS',)
    rarer = int(np.argmin(counts))
    return classes[rarer], (
        f'"{classes[rarer]}" is the positive class because it is the rarer one; change it with --positive CLASS',
    )
