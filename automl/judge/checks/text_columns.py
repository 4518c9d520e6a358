"""AML110: texts, images and sounds that no rung looked at."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.profile import Kind, Role
from automl.judge.wording import count_text, names_text, number, quoted

TITLE = "Text columns"
KINDS = {Kind.TEXT: "texts", Kind.IMAGE: "images", Kind.AUDIO: "sounds"}


def run(case: Case) -> list[Finding]:
    unused = [column for column in case.profile.columns if column.kind in KINDS and column.role is not Role.FEATURE]
    unused = [column for column in unused if column.role is not Role.TARGET]
    names = [column.name for column in unused]
    if not names:
        return [Finding("AML110", TITLE, Severity.PASSED, Section.DATA, "No column of texts, images or sounds was left unused.")]
    one = len(names) == 1
    kinds = {column.kind for column in unused}
    forced = case.plan.modality is not None and any("is not used by the ladder" in column.reason for column in unused)
    texts = [column.name for column in unused if column.kind is Kind.TEXT]
    action = f"If the values repeat, use them as categories: `--kind {quoted(texts[0])}=category`." if texts else ""
    if forced:
        action = f"Leave `--modality {case.plan.modality}` out: they are then learned from together with the other columns."
    return [
        Finding(
            code="AML110",
            title=TITLE,
            severity=Severity.TIP,
            section=Section.DATA,
            sentence=(
                f"{count_text(len(names), 'column')} of {', '.join(KINDS[kind] for kind in KINDS if kind in kinds)}"
                f" {'was' if one else 'were'} not used: {names_text(names)}."
            ),
            numbers={"columns": number(len(names))},
            action=action,
        )
    ]


CHECK = Check("AML110", TITLE, Section.DATA, run, needs_model=False)
