"""AML107: so few rows that every number is uncertain."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.judge.wording import count_text, number

TITLE = "Number of rows"
NO_SEALED_PART = 500
HARDLY_ANY = 100


def run(case: Case) -> list[Finding]:
    rows, features = case.profile.rows, len(case.profile.features)
    numbers = {"rows": number(rows), "features": number(features)}
    if rows >= NO_SEALED_PART and rows >= 2 * features:
        sentence = f"{count_text(rows, 'row')} are enough to set a part aside for judging."
        return [Finding("AML107", TITLE, Severity.PASSED, Section.DATA, sentence, numbers=numbers)]
    if rows < NO_SEALED_PART:
        sentence = (
            f"With {count_text(rows, 'row')} no part could be set aside, so the model is judged by cross-validation "
            "and its intervals are wide."
        )
    else:
        sentence = (
            f"There are {features:,} features for {count_text(rows, 'row')}, so chance patterns are easily taken for real ones."
        )
    return [
        Finding(
            code="AML107",
            title=TITLE,
            severity=Severity.ISSUE if rows < HARDLY_ANY else Severity.TIP,
            section=Section.DATA,
            sentence=sentence,
            numbers=numbers,
            action="Collect more rows before anything depends on the exact score; prefer the simplest rung that holds.",
        )
    ]


CHECK = Check("AML107", TITLE, Section.DATA, run, needs_model=False, independent=True)
