"""AML306: what was chosen, or next in line, and could not be shipped."""

from __future__ import annotations

from automl.core.case import Case, Check, Turn
from automl.core.evidence import Refusal
from automl.core.finding import Finding, Section, Severity
from automl.judge.scoring import remedy, title_of

TITLE = "Export failed"
TITLES = {"time": "No time to ship the chosen model", "limit": "The chosen model is beyond the limits"}


def run(case: Case) -> list[Finding]:
    evidence = case.evidence
    if evidence is None or not evidence.unshipped:
        return []
    return [_finding(case, each, title_of(case, evidence.champion)) for each in evidence.unshipped]


def _finding(case: Case, refusal: Refusal, shipped: str) -> Finding:
    return Finding(
        code="AML306",
        title=TITLES.get(refusal.cause, TITLE),
        severity=Severity.ISSUE if refusal.cause == "fault" else Severity.TIP,
        section=Section.TRUST,
        sentence=(
            f"{title_of(case, refusal.architecture)} was chosen but not shipped ({refusal.why}); {shipped} is shipped instead."
        ),
        about="evaluated",
        action=remedy(case, refusal),
    )


CHECK = Check("AML306", TITLE, Section.TRUST, run, turn=Turn.VERDICT)
