"""Plan: the ladder for a Profile, and everything else that a run needs to be repeated."""

from __future__ import annotations

from dataclasses import dataclass, field

from automl.core.tasks import Task


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    reason: why it is in the ladder here; refused: the sentence why it is left out, or None.
    expected_seconds: one cross-validated fit with default settings; expected_bytes: of the exported model.
    trials: how many trials it gets where trials are counted instead of seconds.
    """

    architecture: str
    rung: int
    title: str
    reason: str
    refused: str | None = None
    expected_seconds: float = 0.0
    expected_bytes: int = 0
    trials: int | None = None


@dataclass(frozen=True)
class Split:
    """How rows are set apart. kind: random, stratified, grouped, time or given (a test file).

    sealed_fraction: share of the rows that is used once, for judging; 0 below 500 rows.
    folds: of one shuffling; 1 is a holdout of a fifth of the rows.
    keep_together: equal rows stay on one side of every split.
    folds_by: where the test part is given, how the folds of the training rows are made if not at random: grouped or time.
    search_rows: what a trial of the search learns from at most, where there are many more rows: settings are chosen on such
        a sample of each fold's training rows, and the best of each rung is trained on all that the time allows.
    """

    kind: str
    sealed_fraction: float
    folds: int
    column: str | None = None
    keep_together: bool = False
    reason: str = ""
    folds_by: str | None = None
    search_rows: int | None = None

    @property
    def folds_kind(self) -> str:
        """How the rows that are learned from are divided, whether or not the test part was given."""
        return self.folds_by or self.kind


@dataclass(frozen=True)
class Plan:
    """A recipe: what is tried, in which order, how it is compared, and what it may cost.

    max_accuracy_loss: accuracy that mitigation may cost, as a share; None: the usual one.
    max_latency_ms: the most milliseconds that the shipped model may take for one row; max_size_mb: the most megabytes.
    """

    target: str
    task: Task
    metric: str
    preset: str
    seed: int
    split: Split
    rungs: tuple[Rung, ...]
    budget_seconds: float | None = None
    trials: int | None = None
    positive: str | None = None
    drop: tuple[str, ...] = ()
    kinds: dict[str, str] = field(default_factory=dict)
    weight: str | None = None
    drop_leaks: bool = False
    sensitive: tuple[str, ...] = ()
    exclude_sensitive: bool = False
    mitigate: str | None = None
    max_accuracy_loss: float | None = None
    cost_fp: float | None = None
    cost_fn: float | None = None
    min_precision: float | None = None
    min_recall: float | None = None
    modality: str | None = None
    horizon: int | None = None
    id_column: str | None = None
    known_ahead: tuple[str, ...] = ()
    refit: bool = True
    max_latency_ms: float | None = None
    max_size_mb: float | None = None
    jobs: int = 1
    memory_gb: float | None = None
    samples: bool = True

    @property
    def ladder(self) -> tuple[Rung, ...]:
        """The rungs that are tried, simplest first."""
        return tuple(rung for rung in self.rungs if rung.refused is None)
