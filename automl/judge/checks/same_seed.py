"""AML321: whether the same seed gives the same model."""

from __future__ import annotations

from automl.core.case import Case, Check, Turn
from automl.core.finding import Finding, Section, Severity
from automl.judge.scoring import not_probed, title_of
from automl.judge.wording import figures_text, number

TITLE = "Same seed, same model"
TOLERANCE = 1e-3
"""In probability, or in standard deviations of the target: threads that add in another order differ by less."""


def run(case: Case) -> list[Finding]:
    found = None if case.evidence is None else case.evidence.probes.repeated
    if case.evidence is None or found is None:
        return not_probed(case, "AML321", TITLE, "repeated", "fitted twice")
    same = found.difference <= TOLERANCE
    of = title_of(case, case.evidence.probes.architecture)
    exactly = "the same predictions to the last digit" if found.difference == 0 else "the same predictions"
    how = "" if found.difference == 0 else f" (they differ by at most {figures_text(found.difference, 2)})"
    sentence = f"{of}, fitted twice with one seed on the same rows, gives {exactly if same else 'other predictions'}"
    return [
        Finding(
            code="AML321",
            title=TITLE,
            severity=Severity.PASSED if same else Severity.ISSUE,
            section=Section.TRUST,
            sentence=f"{sentence} for {found.rows:,} others{how}.",
            about="evaluated",
            numbers={"largest_difference": number(found.difference)},
            action=""
            if same
            else "Something is drawn by chance that the seed does not fix: scores cannot be repeated; report it.",
        )
    ]


CHECK = Check("AML321", TITLE, Section.TRUST, run, turn=Turn.VERDICT)
