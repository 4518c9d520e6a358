"""AML323: whether the net can learn a hundred rows by heart; one that cannot has a fault."""

from __future__ import annotations

from automl.core.case import Case, Check, Turn
from automl.core.finding import Finding, Section, Severity
from automl.core.probes import Memorised
from automl.judge.scoring import not_probed, ships, title_of
from automl.judge.wording import figures_text, number, percent_text

TITLE = "A hundred rows by heart"
HARDLY = 0.2


def run(case: Case) -> list[Finding]:
    found = None if case.evidence is None else case.evidence.probes.memorised
    if case.evidence is None or found is None:
        return not_probed(case, "AML323", TITLE, "memorised", "made to learn rows by heart")
    of = title_of(case, case.evidence.probes.net)
    severity = severity_of(found, ships(case, case.evidence.probes.net))
    sentence = f"{of}, trained in {found.steps:,} steps on {found.rows:,} rows alone, {_told(found)}"
    if found.by_heart and not found.at_usual_rate:
        sentence += f", at a learning rate of {figures_text(found.learning_rate)}"
    return [
        Finding(
            code="AML323",
            title=TITLE,
            severity=severity,
            section=Section.TRUST if ships(case, case.evidence.probes.net) else Section.CHOICE,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers={
                "share_of_the_constant's_loss_that_is_gone": number(found.learned, unit="share"),
                **({} if found.accuracy is None else {"accuracy": number(found.accuracy, unit="share")}),
            },
            action={
                Severity.STOP: "Do not use this model: its training has a fault; report it, with the settings of the report.",
                Severity.ISSUE: f"Leave it out (`--skip {case.evidence.probes.net}`): its training has a fault; report it.",
            }.get(severity, ""),
        )
    ]


def severity_of(found: Memorised, ships: bool) -> Severity:
    """A net that learns nothing stops the run where it is part of what ships; one that learns little is worth a word."""
    if found.by_heart:
        return Severity.PASSED
    if not found.learned >= HARDLY:
        return Severity.STOP if ships else Severity.ISSUE
    return Severity.TIP


def _told(found: Memorised) -> str:
    if found.loss != found.loss:
        return "did not come to a finite loss"
    knows = f"knows {percent_text(found.accuracy)} of their classes and " if found.accuracy is not None else ""
    return f"{knows}has lost {percent_text(max(0.0, min(1.0, found.learned)))} of the loss of a constant"


CHECK = Check("AML323", TITLE, Section.TRUST, run, turn=Turn.VERDICT)
