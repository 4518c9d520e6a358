"""Judging: Model + Evidence + Dataset to findings. Every check is one file in checks/."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from automl.core.case import Array, Case, Check, Turn
from automl.core.clock import Deadline, recorded, replayed
from automl.core.discovery import declarations
from automl.core.events import Event, Listener, silent
from automl.core.finding import Finding, Section, Severity
from automl.core.tasks import Task
from automl.judge.scoring import more_time
from automl.judge.wording import count_text, number

CHECKS = "automl.judge.checks"
CRASHED, LEFT_OUT = "AML900", "AML901"
SHARE_OF_BUDGET = 0.25
"""Of the time budget, the most that judging takes."""
PAGES_SHARE = 0.02
"""Of the time budget, what is kept for writing the report when judging begins late."""
LEAST_SHARE = 0.3
"""A check is begun while this share of what it usually takes is left; it does less then."""
MOST_SLOWNESS = 8.0
UNMADE = (Severity.NOT_RUN, Severity.NOT_APPLICABLE)


def bounded(deadline: Deadline, spent_seconds: float = 0.0) -> Deadline:
    """When judging has to end: after a quarter of the budget, and before the pages are written.

    spent_seconds: what of that quarter was used before.
    """
    budget = deadline.budget_seconds
    if budget is None:
        return deadline
    return deadline.nearer(min(SHARE_OF_BUDGET * budget - spent_seconds, deadline.left_seconds(PAGES_SHARE * budget)))


@dataclass
class Clocks:
    """What each check read from the clock, by its code: which of them did less because time was short.

    left_out: the codes of those that were not made at all for want of time.
    With `readings` of an earlier judging the checks are given these again (`again`), so that they do as much as they did.
    """

    budget_seconds: float | None
    readings: dict[str, list[float]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    again: bool = False

    def of(self, check: Check, deadline: Deadline) -> Deadline:
        if self.again:
            return replayed(self.budget_seconds, self.readings.get(check.code, ()))
        return recorded(deadline, self.readings.setdefault(check.code, []))

    def leaves_out(self, check: Check, deadline: Deadline, slowness: float) -> bool:
        """Whether there is no time for a check: less than it needs at least, on a machine and a table that are so slow."""
        if self.again:
            return check.code in self.left_out
        if check.turn is Turn.VERDICT or deadline.left_seconds() >= LEAST_SHARE * slowness * check.seconds:
            return False
        self.left_out.append(check.code)
        return True


def judge(case: Case, listener: Listener = silent, clocks: Clocks | None = None) -> list[Finding]:
    """All findings about a case, by code. clocks: notes, or gives again, what the checks read from the clock.

    The checks are made in their turn until the deadline of the case; those that are left for lack of time, or did less, are
    named by a finding AML901. Checks that need a model are left out where nothing was trained. A check that fails becomes a
    finding AML900: it never ends a run.
    """
    case = _predicted(case)
    clocks = clocks or Clocks(case.deadline.budget_seconds)
    checks = [check for check in declarations(CHECKS, "CHECK") if case.trained or not check.needs_model]
    checks.sort(key=lambda check: (check.turn, check.code))
    listener(Event("judge", f"{len(checks)} checks", "start", {"checks": len(checks)}))
    findings: list[Finding] = []
    not_made: list[Check] = []
    shortened: list[Check] = []
    spent = expected = 0.0
    for check in checks:
        slowness = min(MOST_SLOWNESS, max(1.0, spent / expected)) if expected else 1.0
        if clocks.leaves_out(check, case.deadline, slowness):
            not_made.append(check)
            findings.append(_not_run(check))
            continue
        deadline = clocks.of(check, case.deadline)
        before = case.deadline.elapsed_seconds
        found = run_check(check, replace(case, deadline=deadline))
        spent, expected = spent + case.deadline.elapsed_seconds - before, expected + check.seconds
        if deadline.short:
            given_up = all(each.severity in UNMADE for each in found)
            (not_made if given_up else shortened).append(check)
            found = [replace(each, severity=Severity.NOT_RUN) for each in found] if given_up else found
        elif found and all(each.severity is Severity.NOT_RUN for each in found):
            not_made.append(check)  # what it looks at was not measured in time
        findings.extend(found)
        listener(Event("judge", check.title, "progress", {"code": check.code, "findings": len(found)}))
    if not_made or shortened:
        findings.append(_left_out(case, not_made, shortened))
    findings.sort(key=lambda finding: finding.code)
    issues = sum(finding.severity in (Severity.STOP, Severity.ISSUE) for finding in findings)
    tips = sum(finding.severity is Severity.TIP for finding in findings)
    told = f"{len(findings)} findings: {count_text(issues, 'issue')}, {count_text(tips, 'tip')}"
    listener(Event("judge", told, "end", {"issues": issues}))
    return findings


def _not_run(check: Check) -> Finding:
    sentence = f"{check.title}: not run, as the time for judging was used up."
    about = "evaluated" if check.needs_model else "data"
    return Finding(check.code, check.title, Severity.NOT_RUN, check.section, sentence, about)


def _left_out(case: Case, not_made: list[Check], shortened: list[Check]) -> Finding:
    """The finding that names the checks for which the time of judging was too short."""
    sentence = (
        f"Judging may take a quarter of the time: {count_text(len(not_made), 'check')} {'was' if len(not_made) == 1 else 'were'}"
    )
    sentence += " not made"
    if not_made:
        sentence += f" ({', '.join(check.title for check in not_made)})"
    sentence += f", {count_text(len(shortened), 'check')} did less than usual"
    sentence += f" ({', '.join(check.code for check in shortened)})." if shortened else "."
    rows = [[check.code, check.title, said] for part, said in ((not_made, "not run"), (shortened, "cut short")) for check in part]
    return Finding(
        code=LEFT_OUT,
        title="Checks left out",
        severity=Severity.TIP if not_made else Severity.PASSED,
        section=Section.TRUST,
        sentence=sentence,
        about="evaluated" if case.trained else "data",
        numbers={"not_run": number(len(not_made)), "cut_short": number(len(shortened))},
        table={"columns": ["code", "check", "what happened"], "rows": rows},
        action=more_time(case) if not_made else "",
    )


def _predicted(case: Case) -> Case:
    """The case without rows that were never predicted (classes too rare to be judged have no out-of-fold prediction)."""
    known = (
        _known(case.prediction) & _known(case.baseline) if len(case.baseline) == len(case.prediction) else _known(case.prediction)
    )
    held = _known(case.out_of_fold)
    if known.all() and held.all():
        return case
    if not held.all() and len(held) == len(case.out_of_fold_truth):
        of_folds = {name: getattr(case, f"out_of_fold{name}") for name in ("", "_truth", "_rows", "_weight", "_limits")}
        fitting = {f"out_of_fold{name}": each for name, each in of_folds.items() if each is not None and len(each) == len(held)}
        case = replace(case, **{name: values[held] for name, values in fitting.items()})
    names = (
        "truth",
        "prediction",
        "baseline",
        "row_ids",
        "weight",
        "groups",
        "error_scale",
        "quantiles",
        "unmitigated",
        "limits",
    )
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
