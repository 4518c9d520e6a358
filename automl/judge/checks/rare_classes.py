"""AML106: classes with so few rows that they can hardly be learned or judged."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.judge.wording import count_text, names_text, number

TITLE = "Rare classes"
TRAINING_ONLY = 3
FEW = 20


def run(case: Case) -> list[Finding]:
    profile = case.profile
    if not profile.task.is_classification:
        return [Finding("AML106", TITLE, Severity.NOT_APPLICABLE, Section.DATA, "Rare classes do not apply to a regression.")]
    counts = sorted(zip(profile.class_counts, profile.classes, strict=True))
    few = [(name, count) for count, name in counts if count < FEW]
    if not few:
        sentence = f"Every class has at least {FEW} rows; the rarest" + (
            f' is "{counts[0][1]}" with {counts[0][0]:,}.' if counts else " is unknown."
        )
        return [Finding("AML106", TITLE, Severity.PASSED, Section.DATA, sentence)]
    tiny = [name for name, count in few if count < TRAINING_ONLY]
    sentence = (
        f"{count_text(len(few), 'class', 'classes')} of {len(profile.classes)} {'has' if len(few) == 1 else 'have'} fewer than"
        f" {FEW} rows: {names_text(name for name, _ in few)}"
    )
    if tiny:
        sentence += (
            f"; {names_text(tiny)} with fewer than {TRAINING_ONLY} rows {'is' if len(tiny) == 1 else 'are'} used in training only"
            " and never judged"
        )
    return [
        Finding(
            code="AML106",
            title=TITLE,
            severity=Severity.ISSUE if tiny else Severity.TIP,
            section=Section.DATA,
            sentence=f"{sentence}.",
            numbers={"classes": number(len(few)), "fewest_rows": number(few[0][1])},
            table={"columns": ["class", "rows"], "rows": [list(each) for each in few[:100]]},
            action="Collect more rows of these classes, or join them to a neighbouring class.",
        )
    ]


CHECK = Check("AML106", TITLE, Section.DATA, run, needs_model=False)
