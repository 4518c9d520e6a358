"""Profile: facts about a Dataset, each with its evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from automl.core.tasks import Task


class Kind(StrEnum):
    """What a column holds."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    CATEGORY = "category"
    DATETIME = "datetime"
    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    SERIES = "series"
    IDENTIFIER = "identifier"
    CONSTANT = "constant"


class Role(StrEnum):
    """What a column is used for. Only features enter a model."""

    FEATURE = "feature"
    TARGET = "target"
    WEIGHT = "weight"
    GROUP = "group"
    SENSITIVE = "sensitive"
    IDENTIFIER = "identifier"
    UNUSED = "unused"


LEVELS_WITHOUT_SAMPLES = 20
"""With more values than this the rarest ones are those of a few rows."""


@dataclass(frozen=True)
class ColumnProfile:
    """Facts about one column.

    evidence: one sentence that says why it has this kind.
    parse: the step that turns raw cells into clean values, as automl.core.predictor.parse_column takes it.
    dtype: what the model's graph takes: float32, float64 (beyond 2**24), string or int64 (epoch seconds).
    reason: why the column is left out; empty for a feature.
    statistics: number, boolean: minimum, maximum, mean, std, median, histogram {"edges", "counts"};
        category: levels [[level, count], ...] by falling count, at most 100; datetime: first, last (ISO strings);
        image, audio: "unreadable" [[cell, why], ...], and with text and series what their modality adds.
    association: how well the column alone predicts the target, cross-fitted: ROC-AUC (mean over classes one
        against the rest) for classification, R2 for regression; None where it was not computed.
    """

    name: str
    kind: Kind
    evidence: str
    parse: dict[str, Any]
    dtype: str
    role: Role = Role.FEATURE
    reason: str = ""
    missing_fraction: float = 0.0
    unique: int = 0
    statistics: dict[str, Any] = field(default_factory=dict)
    association: float | None = None

    @property
    def tells_rows(self) -> bool:
        """Whether its values, written out, could point to single rows, which --no-samples keeps out of what is shown."""
        return self.kind in (Kind.TEXT, Kind.IDENTIFIER) or self.unique > LEVELS_WITHOUT_SAMPLES


@dataclass(frozen=True)
class Duplicates:
    """Rows that stand in the data more than once (all columns equal, the target included).

    straddling_fraction: share of the rows of a random 20 % part that have a copy in the other 80 %.
    conflicting: rows whose features have a copy with another target.
    distinctive: rows are rich enough that equal rows mean copies and not chance.
    """

    rows: int = 0
    fraction: float = 0.0
    straddling_fraction: float = 0.0
    conflicting: int = 0
    distinctive: bool = False


@dataclass(frozen=True)
class Suspicion:
    """A column that may give the target away, and why we think so."""

    column: str
    score: float
    measure: str
    sentence: str


@dataclass(frozen=True)
class Profile:
    """What the data is. The task's classes are the canonical spelling of the target's levels, sorted.

    target_parse: the parse step of the target column.
    class_type: "string", "int64" or "boolean": the type in which labels go back to the user.
    positive: the class whose probability the binary metrics are about.
    target_statistics: regression: minimum, maximum, mean, std, median, skew, histogram.
    ordered_in_time: the datetime column by which the rows are sorted, if they are.
    notes: sentences about decisions that the user should hear (a guessed target, the positive class).
    root: the folder that relative paths in cells of images and audio refer to, or "".
    arrangement: how rows of another form were made one row an example; {} where they came like that.
    """

    modality: str
    modality_evidence: str
    task: Task
    task_evidence: str
    target: str
    target_evidence: str
    target_parse: dict[str, Any]
    rows: int
    columns: tuple[ColumnProfile, ...]
    classes: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    class_type: str = "string"
    positive: str | None = None
    target_statistics: dict[str, Any] = field(default_factory=dict)
    rows_without_target: int = 0
    duplicates: Duplicates = Duplicates()
    duplicate_columns: tuple[tuple[str, str], ...] = ()
    renamed_columns: tuple[tuple[str, str], ...] = ()
    suspected_leaks: tuple[Suspicion, ...] = ()
    ordered_in_time: str | None = None
    notes: tuple[str, ...] = ()
    root: str = ""
    arrangement: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def features(self) -> tuple[ColumnProfile, ...]:
        return tuple(column for column in self.columns if column.role is Role.FEATURE)

    def features_of(self, *kinds: Kind) -> tuple[ColumnProfile, ...]:
        return tuple(column for column in self.features if column.kind in kinds)

    @property
    def new_data(self) -> str:
        """What an example of a command calls the rows to predict: a folder where images or sounds are all that a row has."""
        kinds = [column.kind for column in self.features]
        folders = {Kind.IMAGE: "new_images/", Kind.AUDIO: "new_sounds/"}
        return folders.get(kinds[0], "new.csv") if len(kinds) == 1 else "new.csv"

    @cached_property
    def _by_name(self) -> dict[str, ColumnProfile]:
        return {column.name: column for column in self.columns}

    def column(self, name: str) -> ColumnProfile:
        return self._by_name[name]

    @property
    def outputs(self) -> int:
        """Numbers that a model predicts a row: one a class, or one value."""
        return len(self.classes) if self.task.is_classification else 1
