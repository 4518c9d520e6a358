"""AML105: columns that repeat another column, or say the same in other words."""

from __future__ import annotations

from typing import Any

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.profile import Profile
from automl.judge.wording import drop_command, number

TITLE = "Duplicate columns"
MOST_PAIRS = 100


def run(case: Case) -> list[Finding]:
    pairs, renamed = case.profile.duplicate_columns, _renamed(case.profile.renamed_columns)
    if not pairs:
        sentence = f"No column repeats another one{renamed}."
        return [Finding("AML105", TITLE, Severity.PASSED, Section.DATA, sentence, table=_table(case.profile))]
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
                f' "{second}"{more}{renamed}.'
            ),
            numbers={"pairs": number(len(pairs))},
            table=_table(case.profile),
            action=(
                f"Keep one of each pair: {drop_command(pair[1] for pair in both)}." if both else "One of each pair was left out."
            ),
        )
    ]


def _table(profile: Profile) -> dict[str, Any]:
    same = [[*pair, "equal in every row"] for pair in profile.duplicate_columns[:MOST_PAIRS]]
    renamed = [[*pair, "in other words"] for pair in profile.renamed_columns[:MOST_PAIRS]]
    return {"columns": ["column", "the same as", "how"], "rows": [*same, *renamed]} if same or renamed else {}


def _renamed(pairs: tuple[tuple[str, str], ...]) -> str:
    if not pairs:
        return ""
    first, second = pairs[0]
    more = f", and so do {len(pairs) - 1:,} more {'pair' if len(pairs) == 2 else 'pairs'}" if len(pairs) > 1 else ""
    told = f'"{first}" and "{second}" say the same in other words (value for value)'
    return f"; {told}, so their importance may be split between them{more}"


CHECK = Check("AML105", TITLE, Section.DATA, run, needs_model=False, independent=True)
