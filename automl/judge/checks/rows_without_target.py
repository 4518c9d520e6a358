"""AML113: rows that cannot be learned from because their target is missing."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.judge.wording import count_text, number, percent_text

TITLE = "Rows without a target"
MANY = 0.1


def run(case: Case) -> list[Finding]:
    missing, target = case.profile.rows_without_target, case.profile.target
    if not missing:
        return [Finding("AML113", TITLE, Severity.PASSED, Section.DATA, f'Every row has a value of "{target}".')]
    share = missing / max(1, len(case.dataset.frame), missing)
    return [
        Finding(
            code="AML113",
            title=TITLE,
            severity=Severity.ISSUE if share > MANY else Severity.TIP,
            section=Section.DATA,
            sentence=(
                f'{count_text(missing, "row")} ({percent_text(share)}) without a value of "{target}"'
                f" {'was' if missing == 1 else 'were'} left out."
            ),
            numbers={"rows": number(missing), "fraction": number(share, unit="fraction")},
            action="If the target is missing for a reason, the model is only good for rows like those that have it.",
        )
    ]


CHECK = Check("AML113", TITLE, Section.DATA, run, needs_model=False)
