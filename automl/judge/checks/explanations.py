"""What the modality itself can show: what the model looks at, a training batch as it saw it, and its worst mistakes."""

from __future__ import annotations

from automl.core.architecture import Modality
from automl.core.case import Case, Check, Turn
from automl.core.discovery import declarations
from automl.core.finding import Finding, Section, Severity

TITLE = "What the model looks at"
LEAST_SECONDS = 0.2


def run(case: Case) -> list[Finding]:
    """The findings of the modality's own `explain`; nothing for tables, whose columns other checks explain."""
    known: list[Modality] = declarations("automl.modalities", "MODALITY")
    explain = next((each.explain for each in known if each.name == case.profile.modality), None)
    if explain is None:
        return []
    if case.deadline.lacks(LEAST_SECONDS):
        return [Finding("AML510", TITLE, Severity.NOT_APPLICABLE, Section.WHY, "There was no time left to explain predictions.")]
    return list(explain(case))


CHECK = Check("AML510", TITLE, Section.WHY, run, turn=Turn.EXTRA, seconds=1)
