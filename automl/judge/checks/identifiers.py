"""AML103: columns that only name the row."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.profile import Kind, Role
from automl.judge.wording import count_text, names_text, number, quoted

TITLE = "Identifiers"


def run(case: Case) -> list[Finding]:
    found = [column for column in case.profile.columns if column.kind is Kind.IDENTIFIER and column.role is not Role.FEATURE]
    if not found:
        return [Finding("AML103", TITLE, Severity.PASSED, Section.DATA, "No column looks like an identifier.")]
    names = [column.name for column in found]
    sentence = (
        f"{count_text(len(names), 'column')} {'was' if len(names) == 1 else 'were'} left out of the model, as"
        f" {'it names' if len(names) == 1 else 'they name'} the row and say{'s' if len(names) == 1 else ''} nothing about it:"
        f" {names_text(names)}."
    )
    rows = [[column.name, column.unique, column.evidence] for column in found]
    return [
        Finding(
            code="AML103",
            title=TITLE,
            severity=Severity.TIP,
            section=Section.DATA,
            sentence=sentence,
            numbers={"columns": number(len(names))},
            table={"columns": ["column", "distinct values", "why"], "rows": rows},
            action=f"If {names_text(names[:1])} means something, say what it is: `--kind {quoted(names[0])}=category`.",
        )
    ]


CHECK = Check("AML103", TITLE, Section.DATA, run, needs_model=False, independent=True)
