"""AML123: a target that is cut off: very many rows have exactly its largest or smallest value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.case import Array, Case, Check
from automl.core.finding import Finding, Number, Section, Severity
from automl.core.metrics import METRICS
from automl.core.predictor import encode_target
from automl.judge.scoring import headline_metric, judged_on, not_applicable
from automl.judge.wording import called, count_text, figures_text, number, percent_text, score_text, unit_of

TITLE = "Cut-off target"
FEWEST_ROWS, FEWEST_DISTINCT = 100, 50
"""With fewer distinct values (ratings, small counts) the last of them may well be frequent."""
FEWEST_AT_END, LEAST_SHARE = 10, 0.005
NEIGHBOURS, TIMES_NEIGHBOURS = 10, 5.0
"""The value at the end is so many times as frequent as any of the next ones, and more frequent than any other at all."""
FEWEST_LEFT = 50


@dataclass(frozen=True)
class _End:
    """One end of the target: its value, how many rows have it, and the next values with their rows, nearest first."""

    largest: bool
    value: float
    rows: int
    share: float
    nearest: tuple[tuple[float, int], ...]

    def met_by(self, values: Array) -> Array:
        """(rows,) bool: which values are at this end, but for rounding."""
        slack = 1e-6 * abs(self.value)
        return np.asarray(values >= self.value - slack if self.largest else values <= self.value + slack)


def run(case: Case) -> list[Finding]:
    if case.profile.task.is_classification:
        return not_applicable("AML123", TITLE, Section.DATA, "A target of classes cannot be cut off.")
    described = {"task": str(case.profile.task), "target_parse": case.profile.target_parse, "classes": []}
    target = np.asarray(encode_target(case.dataset.frame[case.profile.target], described), np.float64)
    found = cut_off(target[np.isfinite(target)])
    if not found:
        sentence = "Neither the largest nor the smallest value of the target is more frequent than the values beside it suggest."
        return [Finding("AML123", TITLE, Severity.PASSED, Section.DATA, sentence)]
    return [_finding(case, each) for each in found]


def cut_off(values: Array) -> list[_End]:
    """The ends at which values look cut off; a zero is where amounts and counts begin by their nature."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(values) < FEWEST_ROWS or len(distinct) < FEWEST_DISTINCT:
        return []
    found = []
    for largest, of_value, of_count in ((True, distinct[::-1], counts[::-1]), (False, distinct, counts)):
        rows, share = int(of_count[0]), float(of_count[0] / len(values))
        rare_beside = rows >= TIMES_NEIGHBOURS * of_count[1 : 1 + NEIGHBOURS].max() and rows > of_count[1:].max()
        if of_value[0] != 0 and rows >= FEWEST_AT_END and share >= LEAST_SHARE and rare_beside:
            nearest = zip(of_value[1 : 1 + NEIGHBOURS].tolist(), of_count[1 : 1 + NEIGHBOURS].tolist(), strict=True)
            found.append(_End(largest, float(of_value[0]), rows, share, tuple(nearest)))
    return found


def _finding(case: Case, end: _End) -> Finding:
    name, beyond = ("largest", "above") if end.largest else ("smallest", "below")
    next_value, next_rows = end.nearest[0]
    sentence = (
        f'{percent_text(end.share)} of the rows ({end.rows:,}) have exactly the {name} value of "{case.profile.target}",'
        f" {figures_text(end.value, 6)} (the next one, {figures_text(next_value, 6)}, has {count_text(next_rows, 'row')}): the"
        f" target looks cut off there, and predictions and intervals {beyond} it cannot be right"
    )
    numbers = {"rows": number(end.rows), "fraction": number(end.share, unit="fraction")}
    scored, told = _scores(case, end)
    value, wider = figures_text(end.value, 6), "larger" if end.largest else "smaller"
    rows: list[list[Any]] = [[end.value, end.rows], *map(list, end.nearest)]
    return Finding(
        code="AML123",
        title=TITLE,
        severity=Severity.TIP,
        section=Section.DATA,
        sentence=f"{sentence}{told}.",
        numbers=numbers | scored,
        table={"columns": ["value of the target", "rows"], "rows": rows} if case.plan.samples else {},
        action=(
            f'Ask whether {wider} values were written down as {value}. If so, read it as "{value} or'
            f' {"more" if end.largest else "less"}": leave such rows out of the data, or do not rely on predictions near it.'
        ),
    )


def _scores(case: Case, end: _End) -> tuple[dict[str, Number], str]:
    """The score on all judged rows and on those that are not at this end; nothing where few are left."""
    if not len(case.truth):
        return {}, ""
    at_end = end.met_by(case.truth)
    left = np.flatnonzero(~at_end)
    if not at_end.any() or len(left) < FEWEST_LEFT:
        return {}, ""
    chosen = headline_metric(case)
    chosen = METRICS["rmse"] if chosen.scaled else chosen
    values = [
        chosen.score(case.truth[rows], case.prediction[rows], None if case.weight is None else case.weight[rows])
        for rows in (np.arange(len(case.truth)), left)
    ]
    unit, too_far = unit_of(chosen, case.profile), int((end.met_by(case.prediction) & (case.prediction != end.value)).sum())
    told = (
        f"; without the {count_text(int(at_end.sum()), 'row')} of this value among {judged_on(case)} the {called(chosen)} is"
        f" {score_text(chosen, values[1])} instead of {score_text(chosen, values[0])}"
    )
    if too_far:
        told += f", and {count_text(too_far, 'prediction lies', 'predictions lie')} beyond it"
    return {"score_all_rows": Number(values[0], unit=unit), "score_without_them": Number(values[1], unit=unit)}, told


CHECK = Check("AML123", TITLE, Section.DATA, run, needs_model=False, independent=True, seconds=0.1)
