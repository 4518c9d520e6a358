"""AML105: columns that repeat another column."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.judge.wording import drop_command, number

TITLE = "Duplicate columns"


def run(case: Case) -> list[Finding]:
    pairs = case.profile.duplicate_columns
    if not pairs:
        return [Finding("AML105", TITLE, Severity.PASSED, Section.DATA, "No column repeats another one.")]
    first, second = pairs[0]
    more = f" and {len(pairs) - 1:,} more" if len(pairs) > 1 else ""
    used = {column.name for column in case.profile.features}
    both = [pair for pair in pairs if used.issuperset(pair)]
    return [
        Finding(
            code="AML105",
            title=TITLE,
            severity=Severity.TIP,
            section=Section.DATA,
            sentence=(
                f'{len(pairs):,} {"column repeats" if len(pairs) == 1 else "columns repeat"} another one: "{first}" and'
                f' "{second}"{more}.'
            ),
            numbers={"pairs": number(len(pairs))},
            table={"columns": ["column", "the same as"], "rows": [list(pair) for pair in pairs[:100]]},
            action=(
                f"Keep one of each pair: {drop_command(pair[1] for pair in both)}." if both else "One of each pair was left out."
            ),
        )
    ]


CHECK = Check("AML105", TITLE, Section.DATA, run, needs_model=False, independent=True)
