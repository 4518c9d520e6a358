"""AML605: rungs that were left out before training, each with its reason."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.judge.wording import count_text, number

TITLE = "Rungs left out beforehand"


def run(case: Case) -> list[Finding]:
    refused = [rung for rung in case.plan.rungs if rung.refused is not None]
    if not refused:
        return [Finding("AML605", TITLE, Severity.PASSED, Section.CHOICE, "No rung of the ladder was left out.")]
    told = "; ".join(f"{rung.title} ({(rung.refused or '').rstrip('.')})" for rung in refused)
    return [
        Finding(
            code="AML605",
            title=TITLE,
            severity=Severity.NOT_APPLICABLE,
            section=Section.CHOICE,
            sentence=(
                f"{count_text(len(refused), 'rung')} of {len(case.plan.rungs)} {'was' if len(refused) == 1 else 'were'} left out"
                f" before anything was trained: {told}."
            ),
            numbers={"rungs": number(len(refused))},
            table={"columns": ["rung", "why"], "rows": [[rung.title, rung.refused] for rung in refused]},
        )
    ]


CHECK = Check("AML605", TITLE, Section.CHOICE, run, needs_model=False)
