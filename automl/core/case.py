"""Case: everything that a check may look at. A check is one file in judge/checks that declares CHECK."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import pandas as pd

from automl.core.clock import Deadline
from automl.core.dataset import Dataset
from automl.core.evidence import Evidence
from automl.core.finding import Finding, Section
from automl.core.plan import Plan
from automl.core.profile import Profile
from automl.core.readout import called

Array = np.ndarray[Any, Any]
Predict = Callable[[pd.DataFrame], Array]
"""Raw rows to probabilities (rows, classes), or to values (rows,)."""


@dataclass(frozen=True)
class Case:
    """A judged run. Only `profile` (and `plan`) are there before training; `trained` tells.

    truth, prediction, baseline: of the judged rows: the sealed rows, or, below 500 rows, all rows by
        cross-validation (`judged_on` says which, in words). Classification: codes and probabilities.
    judged: the raw rows behind them (features and target), in the same order; row_ids: their positions in the data.
    predict: the evaluated model on raw rows. predictor: the same as its opened folder, for checks that mix parsed cells.
    model: {"bytes": ..., "milliseconds_a_row": ..., "parity": {"probability": 1e-7, ...}} facts about the exported graph.
    out_of_fold, out_of_fold_truth: predictions of the champion on the search folds of the training part;
        out_of_fold_rows: positions of these rows in the data; out_of_fold_weight: their weights.
    groups: (rows,) judged rows of one number are drawn together by the bootstrap, or None.
    error_scale, out_of_fold_scale: of a forecast: what errors of judged and of out-of-fold rows are measured by.
    quantiles: of a forecast: (judged rows, quantiles), whose median is `prediction`. details: what a modality's own
        explanations need besides.
    limits, out_of_fold_limits: from which probability on the positive class is called in each judged, and each out-of-fold,
        row, where that differs by group.
    unmitigated: predictions of the judged rows by the same settings trained without the mitigation that was asked for.
    may_fit: checks may fit small models of their own though nothing was trained, which loads what trains them.
    compared: what was scored with intervals already, so that one score has one interval: see automl.judge.bootstrap.compare.
    deadline: checks that sample (importance, bootstrap) do less when it is near.
    """

    dataset: Dataset
    profile: Profile
    plan: Plan
    evidence: Evidence | None = None
    judged_on: str = ""
    truth: Array = field(default_factory=lambda: np.zeros(0))
    prediction: Array = field(default_factory=lambda: np.zeros(0))
    baseline: Array = field(default_factory=lambda: np.zeros(0))
    judged: pd.DataFrame = field(default_factory=pd.DataFrame)
    row_ids: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    weight: Array | None = None
    predict: Predict | None = None
    predictor: Any = None
    model: dict[str, Any] = field(default_factory=dict)
    out_of_fold: Array = field(default_factory=lambda: np.zeros(0))
    out_of_fold_truth: Array = field(default_factory=lambda: np.zeros(0))
    out_of_fold_rows: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    out_of_fold_weight: Array | None = None
    deadline: Deadline = field(default_factory=lambda: Deadline(None))
    groups: Array | None = None
    error_scale: Array | None = None
    out_of_fold_scale: Array | None = None
    quantiles: Array | None = None
    limits: Array | None = None
    out_of_fold_limits: Array | None = None
    unmitigated: Array | None = None
    may_fit: bool = False
    details: dict[str, Any] = field(default_factory=dict)
    compared: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def trained(self) -> bool:
        return self.evidence is not None and self.predict is not None

    def row_number(self, place: int) -> int:
        """Where a judged row stands in the file that it comes from, counted from 0 (see `counting`)."""
        if len(self.row_ids) != len(self.truth):
            return place
        before = 0 if self.dataset.test is None else self.dataset.rows
        return int(self.row_ids[place]) - before

    @property
    def counting(self) -> str:
        """How `row_number` counts, as a sentence."""
        where = " in the test file" if self.dataset.test is not None else ""
        where = where or (" among the rows that were read" if self.dataset.left_out else "")
        return f"Rows are counted from 0{where}."

    @property
    def training_rows(self) -> Array:
        """Positions in the data of what the judged model learned from: all rows but the sealed ones."""
        rows = np.arange(len(self.dataset.frame))
        sealed = self.trained and self.dataset.test is None and self.plan.split.sealed_fraction > 0
        return np.setdiff1d(rows, self.row_ids) if sealed else rows

    @property
    def threshold(self) -> float | Array | None:
        """From which probability on the positive class is called, (judged rows,) where it differs by group; None: the most
        probable class is."""
        if self.limits is not None:
            return self.limits
        found = None if self.evidence is None else self.evidence.readout.threshold
        return None if found is None else found.value

    @property
    def called(self) -> Array:
        """(judged rows,) codes of the classes that the model calls."""
        return called(self.prediction, self.threshold, self.positive)

    @property
    def positive(self) -> int:
        """The code of the positive class (1 where the task is not binary)."""
        return self.profile.classes.index(self.profile.positive) if self.profile.positive in self.profile.classes else 1


class Turn(IntEnum):
    """When a check is made: what the verdict rests on first and always, the rest in turn while the time for judging lasts."""

    VERDICT = 0
    ASKED = 1
    USUAL = 2
    EXTRA = 3


@dataclass(frozen=True)
class Check:
    """One check: its code, and the function that makes its findings.

    needs_model: it is skipped where only the data is known (`automl profile`).
    independent: it takes every row for itself, which says nothing about the rows of a series that is forecast.
    turn, seconds: see Turn; what it takes on two idle cores for a table of 50,000 rows and 15 columns, 0 where that is next
        to nothing. A check that takes no time is always made.
    """

    code: str
    title: str
    section: Section
    run: Callable[[Case], list[Finding]]
    needs_model: bool = True
    independent: bool = False
    turn: Turn = Turn.USUAL
    seconds: float = 0.0
