"""AML702: the model that is shipped is not the one that was judged."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.judge.scoring import judged_on, title_of

TITLE = "What is shipped"


def run(case: Case) -> list[Finding]:
    champion = title_of(case, case.evidence.champion) if case.evidence else "the model"
    if case.plan.split.sealed_fraction == 0.0 and case.plan.split.kind != "given":
        sentence = (
            f"The shipped model is {champion}, trained on all {case.profile.rows:,} rows; the scores are of models that were"
            f" chosen and trained the same way without the rows that they were judged on ({judged_on(case)})."
        )
        action = ""
    elif case.plan.refit:
        file = f" and the {len(case.truth):,} of the test file" if case.plan.split.kind == "given" else ""
        sentence = (
            f"The shipped model is {champion} with the same settings, trained again on all {case.profile.rows:,}"
            f" rows{file}; the scores are of the evaluated one, judged on {judged_on(case)}, and the shipped one is expected to"
            " be at least as good."
        )
        action = "Ship the evaluated model itself with `--no-refit`."
    else:
        sentence = (
            f"The shipped model is the very {champion} that was judged on {judged_on(case)}; the judged rows were not used to"
            " train it."
        )
        action = ""
    return [Finding("AML702", TITLE, Severity.PASSED, Section.DEPLOY, sentence, "shipped", action=action)]


CHECK = Check("AML702", TITLE, Section.DEPLOY, run)
