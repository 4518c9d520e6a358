"""AML102: columns that may give the target away."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.profile import Role
from automl.judge.wording import drop_command, figures_text, names_text, number

TITLE = "Suspected leaks"


def run(case: Case) -> list[Finding]:
    suspicions = case.profile.suspected_leaks
    if not suspicions:
        return [Finding("AML102", TITLE, Severity.PASSED, Section.DATA, "No column gives the target away on its own.")]
    known = {column.name: column for column in case.profile.columns}
    findings = []
    for suspicion in suspicions:
        column = known.get(suspicion.column)
        left_out = column is not None and column.role is not Role.FEATURE
        findings.append(
            Finding(
                code="AML102",
                title=TITLE,
                severity=Severity.TIP if left_out else Severity.ISSUE,
                section=Section.DATA,
                sentence=suspicion.sentence
                or f'"{suspicion.column}" alone predicts the target with {suspicion.measure} {figures_text(suspicion.score)}.',
                numbers={"score": number(suspicion.score, unit=suspicion.measure)},
                action=_action(suspicion.column, left_out),
            )
        )
    if len(suspicions) > 1:
        names = [suspicion.column for suspicion in suspicions]
        sentence = f"{len(names)} columns may give the target away: {names_text(names)}."
        findings.insert(
            0, Finding("AML102", TITLE, findings[0].severity, Section.DATA, sentence, action=_action(names[0], False))
        )
    return findings


def _action(column: str, left_out: bool) -> str:
    if left_out:
        return f'"{column}" was left out; if it is known before the target is, fit again without --drop-leaks.'
    return (
        "Ask whether it is known at the time of the prediction; if it is not, fit again with --drop-leaks or "
        f"{drop_command([column])}."
    )


CHECK = Check("AML102", TITLE, Section.DATA, run, needs_model=False)
