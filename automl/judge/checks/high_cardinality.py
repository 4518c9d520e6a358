"""AML114: categories with so many levels that each is seen only a few times."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.profile import Kind
from automl.judge.wording import drop_command, figures_text, names_text, number

TITLE = "High cardinality"
MANY_LEVELS = 50
FEW_ROWS_A_LEVEL = 20


def run(case: Case) -> list[Finding]:
    rows = case.profile.rows
    found = [
        column
        for column in case.profile.features_of(Kind.CATEGORY)
        if column.unique > MANY_LEVELS and rows < FEW_ROWS_A_LEVEL * column.unique
    ]
    if not found:
        few = f"with fewer than {FEW_ROWS_A_LEVEL} rows each on average"
        sentence = f"No column of categories has more than {MANY_LEVELS} levels {few}."
        return [Finding("AML114", TITLE, Severity.PASSED, Section.DATA, sentence)]
    found.sort(key=lambda column: -column.unique)
    worst = found[0]
    each = figures_text(rows / worst.unique, 2)
    others = f"; the same holds for {names_text(column.name for column in found[1:])}" if len(found) > 1 else ""
    return [
        Finding(
            code="AML114",
            title=TITLE,
            severity=Severity.TIP,
            section=Section.DATA,
            sentence=(
                f'"{worst.name}" has {worst.unique:,} levels, {each} rows each, so a new level at prediction is likely{others}.'
            ),
            numbers={"levels": number(worst.unique), "columns": number(len(found))},
            table={"columns": ["column", "levels"], "rows": [[column.name, column.unique] for column in found[:100]]},
            action=f"Group its levels, or compare the score without it: `{drop_command([worst.name])}`.",
        )
    ]


CHECK = Check("AML114", TITLE, Section.DATA, run, needs_model=False, independent=True)
