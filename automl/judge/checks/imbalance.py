"""AML109: classes of very different size."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.tasks import Task
from automl.judge.wording import number, percent_text

TITLE = "Class balance"
UNEVEN = 0.1
VERY_UNEVEN = 0.02


def run(case: Case) -> list[Finding]:
    profile = case.profile
    if not profile.task.is_classification:
        return [Finding("AML109", TITLE, Severity.NOT_APPLICABLE, Section.DATA, "Class balance does not apply to a regression.")]
    total = max(1, sum(profile.class_counts))
    shares = sorted((count / total, name) for count, name in zip(profile.class_counts, profile.classes, strict=True))
    (smallest, rarest), (largest, most) = shares[0], shares[-1]
    numbers = {"smallest_fraction": number(smallest, unit="fraction"), "largest_fraction": number(largest, unit="fraction")}
    # Many classes are small by nature: what counts is the distance to an even share.
    relative = smallest * len(shares) / 2
    told = (
        f'The rarest class "{rarest}" is {percent_text(smallest)} of the rows and the most frequent one "{most}"'
        f" {percent_text(largest)}"
    )
    if relative >= UNEVEN:
        return [
            Finding("AML109", TITLE, Severity.PASSED, Section.DATA, f"{told}: the classes are balanced enough.", numbers=numbers)
        ]
    better = "PR-AUC and recall" if profile.task is Task.BINARY else "balanced accuracy and the recall of each class"
    return [
        Finding(
            code="AML109",
            title=TITLE,
            severity=Severity.ISSUE if relative < VERY_UNEVEN else Severity.TIP,
            section=Section.DATA,
            sentence=f'{told}, so always answering "{most}" would already reach an accuracy of {percent_text(largest)}.',
            numbers=numbers,
            action=f"Do not judge by accuracy; look at {better}"
            + (
                ", or optimise it: `--metric average_precision`."
                if profile.task is Task.BINARY
                else ", or optimise it: `--metric balanced_accuracy`."
            ),
        )
    ]


CHECK = Check("AML109", TITLE, Section.DATA, run, needs_model=False)
