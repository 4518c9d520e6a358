"""AML412: whether probabilities mean the same for every sensitive group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.case import Array, Case, Check, Turn
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.core.groups import Grouping
from automl.core.statistics import holm
from automl.core.tasks import Task
from automl.judge.curves import reliability
from automl.judge.fairness import FEWEST_ROWS, Rate, group_intervals, means, replicated, sensitive_groupings
from automl.judge.scoring import judged_on, not_applicable
from automl.judge.wording import count_text, figures_text, finite, number, percent_text

TITLE = "Calibration of the sensitive groups"
LARGE, NOTICEABLE, SIGNIFICANT = 0.1, 0.02, 0.05
_BINS_NEED = 100


@dataclass(frozen=True)
class Calibrated:
    """One group: how often the event happened minus how probable the model said it is, and its expected calibration error."""

    label: str
    rows: int
    predicted: float
    observed: float
    low: float
    high: float
    p: float
    error: float | None

    @property
    def off(self) -> float:
        return self.observed - self.predicted

    @property
    def few(self) -> bool:
        return self.rows < FEWEST_ROWS


def run(case: Case) -> list[Finding]:
    if not case.profile.task.is_classification or not case.plan.sensitive or not len(case.truth):
        why = "No sensitive column was named (--sensitive)" if not case.plan.sensitive else "There are no judged probabilities"
        return not_applicable("AML412", TITLE, Section.FAILURES, f"{why}, so the calibration of groups was not compared.")
    event = f'"{case.profile.positive}"' if case.profile.task is Task.BINARY else "the predicted class"
    groups = [group for by in sensitive_groupings(case) for group in _groups(case, by)]
    tested = [group for group in groups if not group.few]
    corrected = holm([group.p for group in tested])
    wrong = [group for group, p in zip(tested, corrected, strict=True) if p < SIGNIFICANT and abs(group.off) > NOTICEABLE]
    wrong.sort(key=lambda group: -abs(group.off))
    grave = any(abs(group.off) > LARGE for group in wrong)
    return [
        Finding(
            code="AML412",
            title=TITLE,
            severity=Severity.ISSUE if grave else Severity.TIP if wrong else Severity.PASSED,
            section=Section.FAILURES,
            sentence=_sentence(case, event, wrong, tested),
            about="evaluated",
            numbers={group.label: number(group.off, group.low, group.high) for group in groups},
            figures=(_figure(event, groups),),
            table=_table(groups),
            action=(
                f"Do not compare probabilities between the groups: for {wrong[0].label} they are too"
                f" {'low' if wrong[0].off > 0 else 'high'}."
                if wrong
                else ""
            ),
        )
    ]


def _groups(case: Case, by: Grouping) -> list[Calibrated]:
    binary = case.profile.task is Task.BINARY
    probability = case.prediction[:, case.positive] if binary else case.prediction.max(axis=1)
    happened = (case.truth == case.positive if binary else case.prediction.argmax(axis=1) == case.truth).astype(np.float64)
    every = np.ones(len(happened), bool)
    predicted = means(Rate("predicted", "", every, probability), by, case.weight)
    observed = means(Rate("observed", "", every, happened), by, case.weight)
    low, high = group_intervals(observed - predicted, replicated(case, [Rate("off", "", every, happened - probability)], by)[0])
    found = []
    for code in np.argsort(-by.sizes, kind="stable").tolist():
        rows = np.flatnonzero(by.codes == code)
        if not len(rows):
            continue
        weight = None if case.weight is None else case.weight[rows]
        error = None
        if len(rows) >= _BINS_NEED:
            error = reliability(probability[rows], happened[rows] > 0, weight, case.plan.seed).error
        found.append(
            Calibrated(
                by.label(code), len(rows), float(predicted[code]), float(observed[code]), float(low[code]),
                float(high[code]), _p(happened[rows] - probability[rows], probability[rows], weight), error,
            )
        )  # fmt: skip
    return found


def _p(difference: Array, probability: Array, weight: Array | None) -> float:
    """Two-sided p of "the mean difference is zero" if every row happened with its own probability (Spiegelhalter, 1986)."""
    weights = np.ones(len(difference)) if weight is None else np.asarray(weight, np.float64)
    spread = math.sqrt(float((weights**2 * probability * (1 - probability)).sum()))
    return 1.0 if spread <= 0 else math.erfc(abs(float(weights @ difference)) / spread / math.sqrt(2))


def _sentence(case: Case, event: str, wrong: list[Calibrated], tested: list[Calibrated]) -> str:
    if not tested:
        return f"No sensitive group has {FEWEST_ROWS} judged rows, so the calibration of groups was not compared."
    if not wrong:
        widest = max(tested, key=lambda group: abs(group.off))
        return (
            f"On {judged_on(case)} the probabilities fit every group with rows enough within chance; {widest.label} is furthest"
            f" off, by {figures_text(widest.off)}."
        )
    worst = wrong[0]
    more = f"; {count_text(len(wrong), 'group')} in all differ by more than chance" if len(wrong) > 1 else ""
    return (
        f"The group {worst.label} has {event} in {percent_text(worst.observed)} of its judged rows where the model says"
        f" {percent_text(worst.predicted)}, a difference of {figures_text(worst.off)}{more}."
    )


def _figure(event: str, groups: list[Calibrated]) -> Figure:
    series = Series(
        "observed minus predicted",
        tuple(group.label for group in groups),
        tuple(finite(group.off) for group in groups),
        tuple(finite(group.low) for group in groups),
        tuple(finite(group.high) for group in groups),
        tuple(group.rows for group in groups),
        tuple(group.few for group in groups),
    )
    how = (
        f"Each dot is how often {event} came true in the group minus how probable the model said it is, with its 95 % interval:"
        " above zero the model promises the group too little, below zero too much. Pale ones rest on fewer than"
        f" {FEWEST_ROWS} rows."
    )
    return Figure("group_calibration", "interval", TITLE, how, (series,), "group", "observed minus predicted", "zero")


def _table(groups: list[Calibrated]) -> dict[str, Any]:
    columns = ["group", "rows", "predicted", "observed", "difference", "low", "high", "expected calibration error"]
    rows = [
        [each.label, each.rows, each.predicted, each.observed, each.off, finite(each.low), finite(each.high), each.error]
        for each in groups
    ]
    return {"columns": columns, "rows": rows}


CHECK = Check("AML412", TITLE, Section.FAILURES, run, independent=True, turn=Turn.ASKED, seconds=0.2)
