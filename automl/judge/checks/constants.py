"""AML104: columns that have one value only, or none."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.profile import Kind, Role
from automl.judge.wording import count_text, names_text, number

TITLE = "Constant columns"


def run(case: Case) -> list[Finding]:
    found = [
        column
        for column in case.profile.columns
        if column.role is not Role.TARGET and (column.kind is Kind.CONSTANT or column.unique == 0)
    ]
    if not found:
        return [Finding("AML104", TITLE, Severity.PASSED, Section.DATA, "No column is constant.")]
    empty = [column.name for column in found if column.missing_fraction >= 1.0]
    sentence = (
        f"{count_text(len(found), 'column')} {'has' if len(found) == 1 else 'have'} one value only and cannot help: "
        f"{names_text(column.name for column in found)}"
    )
    if empty:
        sentence += f"; {names_text(empty)} {'is' if len(empty) == 1 else 'are'} empty"
    return [
        Finding(
            code="AML104",
            title=TITLE,
            severity=Severity.TIP,
            section=Section.DATA,
            sentence=f"{sentence}.",
            numbers={"columns": number(len(found)), "empty": number(len(empty))},
            action="They were left out; look whether they were filled in as intended.",
        )
    ]


CHECK = Check("AML104", TITLE, Section.DATA, run, needs_model=False)
