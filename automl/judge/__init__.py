"""Judging: Model + Evidence + Dataset to findings. Every check is one file in checks/."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from automl.core.case import Array, Case, Check
from automl.core.clock import Deadline, recorded, replayed
from automl.core.discovery import declarations
from automl.core.events import Event, Listener, silent
from automl.core.finding import Finding, Severity
from automl.core.tasks import Task

CHECKS = "automl.judge.checks"
CRASHED = "AML900"


@dataclass
class Clocks:
    """What each check read from the clock, by its code: which of them did less because time was short.

    With `readings` of an earlier judging the checks are given these again (`again`), so that they do as much as they did.
    """

    budget_seconds: float | None
    readings: dict[str, list[float]] = field(default_factory=dict)
    again: bool = False

    def of(self, check: Check, deadline: Deadline) -> Deadline:
        if self.again:
            return replayed(self.budget_seconds, self.readings.get(check.code, ()))
        return recorded(deadline, self.readings.setdefault(check.code, []))


def judge(case: Case, listener: Listener = silent, clocks: Clocks | None = None) -> list[Finding]:
    """All findings about a case, by code. clocks: notes, or gives again, what the checks read from the clock.

    Checks that need a model are left out where nothing was trained. A check that fails becomes a finding AML900:
    it never ends a run.
    """
    case = _predicted(case)
    checks = [check for check in declarations(CHECKS, "CHECK") if case.trained or not check.needs_model]
    checks.sort(key=lambda check: check.code)
    listener(Event("judge", f"{len(checks)} checks", "start", {"checks": len(checks)}))
    findings: list[Finding] = []
    for check in checks:
        timed = case if clocks is None else replace(case, deadline=clocks.of(check, case.deadline))
        found = run_check(check, timed)
        findings.extend(found)
        listener(Event("judge", check.title, "progress", {"code": check.code, "findings": len(found)}))
    findings.sort(key=lambda finding: finding.code)
    issues = sum(finding.severity in (Severity.STOP, Severity.ISSUE) for finding in findings)
    listener(Event("judge", f"{len(findings)} findings, {issues} to look at", "end", {"issues": issues}))
    return findings


def _predicted(case: Case) -> Case:
    """The case without rows that were never predicted (classes too rare to be judged have no out-of-fold prediction)."""
    known = (
        _known(case.prediction) & _known(case.baseline) if len(case.baseline) == len(case.prediction) else _known(case.prediction)
    )
    held = _known(case.out_of_fold)
    if known.all() and held.all():
        return case
    if not held.all() and len(held) == len(case.out_of_fold_truth):
        case = replace(case, out_of_fold=case.out_of_fold[held], out_of_fold_truth=case.out_of_fold_truth[held])
    names = ("truth", "prediction", "baseline", "row_ids", "weight", "groups", "error_scale", "quantiles", "unmitigated")
    fitting = {name: getattr(case, name) for name in names}
    kept = {name: values[known] for name, values in fitting.items() if values is not None and len(values) == len(known)}
    judged = case.judged[known].reset_index(drop=True) if len(case.judged) == len(known) else case.judged
    return replace(case, judged=judged, **kept)


def _known(prediction: Array) -> Array:
    """(rows,) where every number of a prediction is finite."""
    finite = np.isfinite(np.asarray(prediction, np.float64))
    return np.asarray(finite if finite.ndim == 1 else finite.all(axis=1))


def run_check(check: Check, case: Case) -> list[Finding]:
    """The findings of one check; its own failure is one as well."""
    if check.independent and case.profile.task is Task.FORECAST:
        sentence = f"{check.title}: not applicable to a forecast, as the rows of a series do not stand for themselves."
        about = "evaluated" if check.needs_model else "data"
        return [Finding(check.code, check.title, Severity.NOT_APPLICABLE, check.section, sentence, about)]
    try:
        return list(check.run(case))
    except Exception as error:
        reason = str(error).strip().split("\n")[0][:300]
        sentence = (
            f'The check {check.code} "{check.title}" failed ({type(error).__name__}: {reason}), so nothing is known about it.'
        )
        return [
            Finding(
                code=CRASHED,
                title="A check failed",
                severity=Severity.ISSUE,
                section=check.section,
                sentence=sentence,
                about="evaluated" if check.needs_model else "data",
                action="The other findings are not affected; please report this failure with log.txt from the run folder.",
            )
        ]
