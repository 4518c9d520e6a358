"""AML603: architectures that failed."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.judge.scoring import title_of
from automl.judge.wording import count_text, number

TITLE = "Failures while training"


def run(case: Case) -> list[Finding]:
    evidence = case.evidence
    if evidence is None:
        return []
    findings = [
        Finding(
            code="AML603",
            title=TITLE,
            severity=Severity.TIP,
            section=Section.CHOICE,
            sentence=f"{title_of(case, architecture)} was left out after it failed: {reason.rstrip('.')}.",
            about="evaluated",
            action=(
                f"The other rungs are not affected; `--skip {architecture}` leaves it out, log.txt in the run folder has the"
                " details."
            ),
        )
        for architecture, reason in evidence.failures.items()
    ]
    failed = [trial for trial in evidence.trials if trial.status == "failed" and trial.architecture not in evidence.failures]
    findings += [
        Finding(
            code="AML603",
            title="Failure while exporting",
            severity=Severity.TIP,
            section=Section.CHOICE,
            sentence=f"{title_of(case, refusal.architecture)} was trained and could not be exported (AML306).",
            about="evaluated",
        )
        for refusal in evidence.unshipped
        if refusal.cause == "fault"
    ]
    if failed:
        sentence = (
            f"{count_text(len(failed), 'trial')} of {len(evidence.trials):,} failed and {'was' if len(failed) == 1 else 'were'}"
            " left out."
        )
        rows = [[trial.id, trial.message] for trial in failed[:50]]
        table = {"columns": ["trial", "why"], "rows": rows}
        findings.append(
            Finding(
                "AML603", TITLE, Severity.TIP, Section.CHOICE, sentence, "evaluated", {"trials": number(len(failed))}, table=table
            )
        )
    return findings or [
        Finding("AML603", TITLE, Severity.PASSED, Section.CHOICE, "No architecture, no trial and no export failed.", "evaluated")
    ]


CHECK = Check("AML603", TITLE, Section.CHOICE, run)
