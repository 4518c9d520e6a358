"""AML116: columns that look like traits which people are not to be treated by."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.groups import CAN_BE_GROUPED
from automl.core.profile import Role
from automl.judge.wording import names_text, number, quoted_list
from automl.profiling.names import hints_sensitive

TITLE = "Sensitive columns"
USED_BY = {Role.FEATURE: "a feature of the model", Role.SENSITIVE: "judged by, but not seen by the model"}


def run(case: Case) -> list[Finding]:
    columns = [column for column in case.profile.columns if column.role is not Role.TARGET]
    named = [column for column in columns if column.name in case.plan.sensitive]
    hinted = [
        column
        for column in columns
        if column not in named and column.kind in CAN_BE_GROUPED and column.role is Role.FEATURE and hints_sensitive(column.name)
    ]
    rows = [
        [column.name, USED_BY.get(column.role, f"not used ({column.role.value})"), column in named]
        for column in [*named, *hinted]
    ]
    table = {"columns": ["column", "what it is used for", "groups compared"], "rows": rows} if rows else {}
    if hinted and not named:  # who has named columns has made the choice
        one = len(hinted) == 1
        sentence = f"By {'its name' if one else 'their names'}, {names_text(each.name for each in hinted)} may tell people apart"
        sentence += " by a trait that they are not to be treated by, and the scores of"
        sentence += f" {'its' if one else 'their'} groups were not compared."
        asked = quoted_list(each.name for each in hinted)
        action = f"If the rows are people, see how the model treats them: fit again with `--sensitive {asked}`."
        return [
            Finding(
                "AML116", TITLE, Severity.TIP, Section.DATA, sentence,
                numbers={"columns": number(len(hinted))}, table=table, action=action,
            )
        ]  # fmt: skip
    sentence = "No column looks sensitive by its name."
    if named:
        sentence = f"The model is judged by the groups of {names_text(case.plan.sensitive)}"
        others = names_text(each.name for each in hinted)
        sentence += f"; by name {others} may be sensitive too, and the groups of these were not compared." if hinted else "."
    return [Finding("AML116", TITLE, Severity.PASSED, Section.DATA, sentence, table=table)]


CHECK = Check("AML116", TITLE, Section.DATA, run, needs_model=False, independent=True)
