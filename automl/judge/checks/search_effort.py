"""AML604: how much was tried, and why the search ended."""

from __future__ import annotations

from automl.core.case import Case, Check, Turn
from automl.core.evidence import Evidence
from automl.core.finding import Finding, Section, Severity
from automl.judge.scoring import more_effort, title_of
from automl.judge.wording import count_text, number

TITLE = "Extent of the search"


def run(case: Case) -> list[Finding]:
    evidence = case.evidence
    if evidence is None:
        return []
    tried = {trial.architecture for trial in evidence.trials if trial.score is not None}
    known = tried | set(evidence.failures) | set(evidence.unneeded)
    untried = [rung for rung in case.plan.ladder if rung.rung > 0 and rung.architecture not in known]
    sentence = f"{count_text(len(evidence.trials), 'trial')} of {count_text(len(tried), 'rung')} were made"
    sentence += _sampling(case, evidence)
    ending = _ending(case, evidence)
    if ending:
        sentence += f"; {ending[0].lower()}{ending[1:]}"
    action = ""
    lacking = bool(untried) and not evidence.gained_nothing
    if untried:
        names = ", ".join(title_of(case, rung.architecture) for rung in untried)
        sentence += f"; there was too little time for a fair try of {names}" if lacking else f"; {names} was not tried"
        action = more_effort(case) if lacking else ""
    sentence += "".join(f"; {why.rstrip('.')}" for why in evidence.unneeded.values())
    before = sum(rung.refused is not None for rung in case.plan.rungs)
    sentence += f"; {count_text(before, 'rung')} had been left out before (AML605)" if before else ""
    per_rung = [[title_of(case, name), sum(trial.architecture == name for trial in evidence.trials)] for name in sorted(tried)]
    return [
        Finding(
            code="AML604",
            title=TITLE,
            severity=Severity.TIP if lacking else Severity.PASSED,
            section=Section.CHOICE,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers={
                "trials": number(len(evidence.trials)),
                "rungs_without_time" if lacking else "rungs_not_tried": number(len(untried)),
            },
            table={"columns": ["rung", "trials"], "rows": per_rung},
            action=action,
        )
    ]


def _sampling(case: Case, evidence: Evidence) -> str:
    """From how many rows the trials learned, where that was not from all; nothing else."""
    sample = case.plan.split.search_rows
    if sample is None:
        return ""
    again = [trial.rows for trial in evidence.trials if trial.score is not None and trial.rows != sample]
    told = f", each learning from a sample of {sample:,} rows"
    if not again:
        return f"{told}; there was no time to try the best on more rows"
    many = "all training rows" if any(rows is None for rows in again) else f"{max(rows or 0 for rows in again):,} rows"
    return f"{told}, and the best of {count_text(len(again), 'rung')} once more from {many}"


def _ending(case: Case, evidence: Evidence) -> str:
    """Why the search ended, with the seconds of the run that were used when judging began."""
    why, budget = evidence.stopped.rstrip("."), case.plan.budget_seconds
    if budget is None or case.deadline.budget_seconds is None:
        return why
    spent = f"{case.deadline.elapsed_seconds:.0f} of {budget:.0f} s had passed when judging began"
    return f"{why}; {spent}" if why else spent


CHECK = Check("AML604", TITLE, Section.CHOICE, run, turn=Turn.VERDICT)
