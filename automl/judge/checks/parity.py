"""AML303: whether the exported graph computes what the trained pipeline computes."""

from __future__ import annotations

from automl.core.case import Case, Check, Turn
from automl.core.finding import Finding, Section, Severity
from automl.judge.scoring import not_applicable
from automl.judge.wording import figures_text, number

TITLE = "Parity of the exported model"
TOLERANCE = 1e-4


def run(case: Case) -> list[Finding]:
    facts = {str(name): float(value) for name, value in dict(case.model.get("parity") or {}).items() if _is_number(value)}
    if not facts:
        return not_applicable("AML303", TITLE, Section.TRUST, "No parity figures of the exported model were kept.")
    flips = {name: value for name, value in facts.items() if "flip" in name}
    tolerance = facts.get("tolerance", TOLERANCE)
    differences = {name: value for name, value in facts.items() if name not in flips and name not in ("rows", "tolerance")}
    largest, flipped = max(differences.values(), default=0.0), sum(flips.values())
    failed = not largest <= tolerance or flipped > 0
    unit = "" if case.profile.task.is_classification else " of the target's standard deviation"
    of_what = "probabilities" if case.profile.task.is_classification else "values"
    sentence = (
        f"The exported model.onnx and the trained pipeline give {of_what} that differ by at most {figures_text(largest, 2)}{unit}"
        f" ({figures_text(tolerance, 1)} is allowed)"
    )
    if facts.get("rows"):
        sentence += f" on {facts['rows']:,.0f} rows, edge cases included"
    if flipped:
        sentence += f", and {flipped:,.0f} labels differ"
    return [
        Finding(
            code="AML303",
            title=TITLE,
            severity=Severity.STOP if failed else Severity.PASSED,
            section=Section.TRUST,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers={name: number(value) for name, value in facts.items()},
            action="Do not deploy this export; report it with log.txt." if failed else "",
        )
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


CHECK = Check("AML303", TITLE, Section.TRUST, run, turn=Turn.VERDICT)
