"""AML110: free text, which the ladder for tables does not read."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.profile import Kind, Role
from automl.judge.wording import count_text, names_text, number, quoted

TITLE = "Text columns"


def run(case: Case) -> list[Finding]:
    names = [column.name for column in case.profile.columns if column.kind is Kind.TEXT and column.role is not Role.FEATURE]
    if not names:
        return [Finding("AML110", TITLE, Severity.PASSED, Section.DATA, "No text column was left unused.")]
    one = len(names) == 1
    return [
        Finding(
            code="AML110",
            title=TITLE,
            severity=Severity.TIP,
            section=Section.DATA,
            sentence=f"{count_text(len(names), 'column')} of free text {'was' if one else 'were'} not used: {names_text(names)}.",
            numbers={"columns": number(len(names))},
            action=f"If the values repeat, use them as categories: `--kind {quoted(names[0])}=category`.",
        )
    ]


CHECK = Check("AML110", TITLE, Section.DATA, run, needs_model=False)
