"""AML102: columns that may give the target away."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.profile import Role, Suspicion
from automl.judge.wording import drop_command, figures_text, finite, names_text, number

TITLE = "Suspected leaks"


def run(case: Case) -> list[Finding]:
    suspicions = case.profile.suspected_leaks
    if not suspicions:
        return [Finding("AML102", TITLE, Severity.PASSED, Section.DATA, "No column gives the target away on its own.")]
    known = {column.name: column for column in case.profile.columns}
    used = [each.column for each in suspicions if each.column not in known or known[each.column].role is Role.FEATURE]
    names = [each.column for each in suspicions]
    return [
        Finding(
            code="AML102",
            title=TITLE,
            severity=Severity.ISSUE if used else Severity.TIP,
            section=Section.DATA,
            sentence=_sentence(case.profile.target, suspicions),
            numbers={each.column: number(each.score) for each in suspicions},
            table={
                "columns": ["column", "measure", "the column alone"],
                "rows": [[each.column, each.measure, finite(each.score)] for each in suspicions],
            },
            action=_action(used or names, not used),
        )
    ]


def _sentence(target: str, suspicions: tuple[Suspicion, ...]) -> str:
    if len(suspicions) == 1:
        only = suspicions[0]
        told = f'"{only.column}" alone predicts the target with {only.measure} {figures_text(only.score)}'
        return _ended(only.sentence or told)
    # Columns that give the target away together have one fact in common, which stands before "so".
    facts = [each.sentence.partition(", so ")[0] for each in suspicions]
    shared = facts[0] if facts[0] != suspicions[0].sentence and len(set(facts)) == 1 else ""
    told = f'{names_text(each.column for each in suspicions)} may give "{target}" away'
    if shared:
        return _ended(f"{told}: {shared}")
    scores = ", ".join(f'"{each.column}" {each.measure} {figures_text(each.score)}' for each in suspicions[:5])
    exact = [fact for each, fact in zip(suspicions, facts, strict=True) if fact != each.sentence]
    return _ended(f"{told} (alone: {scores}){f'; {exact[0]}' if exact else ''}")


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


def _action(columns: list[str], left_out: bool) -> str:
    one = len(columns) == 1
    if left_out:
        return (
            f"{names_text(columns)} {'was' if one else 'were'} left out; if {'it is' if one else 'they are'} known before the"
            " target is, fit again without --drop-leaks."
        )
    return (
        f"Ask whether {names_text(columns)} {'is' if one else 'are'} known at the time of the prediction; if not, the score is"
        f" too good to be true: fit again with `{drop_command(columns)}` (--drop-leaks leaves out every suspect)."
    )


CHECK = Check("AML102", TITLE, Section.DATA, run, needs_model=False, independent=True)
