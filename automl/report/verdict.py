"""The verdict: one label, the reason for it in one sentence, and the rule that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl.core.finding import Finding, Severity

NOT_BETTER_THAN_BASELINE = "AML203"
READY, CARE, DO_NOT_USE = "Ready", "Use with care", "Do not use"
RULE = (
    f"{DO_NOT_USE}: a check says stop, or the model is not better than the baseline ({NOT_BETTER_THAN_BASELINE}); "
    f"{CARE}: a check found an issue, or no check was made; {READY}: otherwise."
)
_NAMED = 3
_LOOK_SENSITIVE = "AML116"
_UNMADE = (Severity.NOT_RUN, Severity.NOT_APPLICABLE)


@dataclass(frozen=True)
class Verdict:
    """label: Ready, Use with care or Do not use; reason: one sentence; rule: how the label follows from the findings."""

    label: str
    reason: str
    rule: str = RULE


def verdict(findings: Sequence[Finding]) -> Verdict:
    """The verdict that the findings give. It depends on nothing else."""
    stops = [each for each in findings if each.severity is Severity.STOP]
    issues = [each for each in findings if each.severity is Severity.ISSUE]
    weak = [each for each in issues if each.code == NOT_BETTER_THAN_BASELINE]
    checked = [each for each in findings if each.severity not in _UNMADE]
    if stops:
        one = _count(stops) == 1
        return Verdict(DO_NOT_USE, f"{_checks(_count(stops))} {'says' if one else 'say'} stop: {_names(stops)}.")
    if weak:
        more = _count(issues) - 1
        others = f"; {_checks(more, ' more').lower()} found an issue" if more else ""
        return Verdict(DO_NOT_USE, f"{_names(weak)}{others}.")
    if issues:
        return Verdict(CARE, f"{_checks(_count(issues))} found an issue: {_names(issues)}{_not_looked_at(findings)}.")
    if not checked:
        return Verdict(CARE, "No check was made, so nothing speaks for or against the model.")
    tips = _count([each for each in findings if each.severity is Severity.TIP])
    extra = f"; there {'is 1 tip' if tips == 1 else f'are {tips} tips'}" if tips else ""
    return Verdict(READY, f"No check found an issue ({_count(checked)} made{extra}){_not_looked_at(findings)}.")


def _not_looked_at(findings: Sequence[Finding]) -> str:
    """What no check looked at though it may matter: groups by columns that look sensitive, and what there was no time for."""
    left = []
    for each in findings:
        names = [f'"{row[0]}"' for row in each.table.get("rows", []) if row[-1] is False]
        if each.code == _LOOK_SENSITIVE and names:
            shown = ", ".join(names[:_NAMED]) + f" and {len(names) - _NAMED} more" * (len(names) > _NAMED)
            left.append(f"fairness by {shown} ({'it looks' if len(names) == 1 else 'they look'} sensitive by name)")
    late = [each for each in findings if each.severity is Severity.NOT_RUN]
    if late:
        left.append(f"{_names(late)} for lack of time")
    return f"; not looked at: {', and '.join(left)}" if left else ""


def _count(findings: Sequence[Finding]) -> int:
    """Checks behind the findings: one check may find several things."""
    return len({each.code for each in findings})


def _checks(count: int, more: str = "") -> str:
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    return f"{words[count] if count < len(words) else count}{more} check{'' if count == 1 else 's'}"


def _names(findings: Sequence[Finding]) -> str:
    names: list[str] = []
    for each in findings:
        name = f"{each.title.rstrip('.')} ({each.code})"
        if name not in names:
            names.append(name)
    if len(names) > _NAMED:
        return f"{', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
