"""AML332: how many judged rows are unlike the training data, and whether the model is worse on those."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.guardrail import unusual_rows
from automl.judge.fairness import FEWEST_ROWS
from automl.judge.scoring import is_nested, judged_on, not_applicable
from automl.judge.slices import losses
from automl.judge.wording import figures_text, finite, number, percent_text

TITLE = "Rows unlike the training data"
MANY = 0.05
MOST_SHOWN = 8


def run(case: Case) -> list[Finding]:
    contract = getattr(case.predictor, "contract", {}) or {}
    if not contract.get("guardrail") or not len(case.truth) or len(case.judged) != len(case.truth):
        why = "the model takes no numbers, categories or dates, or there are too few rows"
        return not_applicable("AML332", TITLE, Section.TRUST, f"Rows unlike the training data are not looked for, as {why}.")
    if is_nested(case):
        return not_applicable(
            "AML332", TITLE, Section.TRUST, "All rows are rows of the training data, so none was held against it; new rows are."
        )
    found = unusual_rows(contract, case.judged)
    flagged = np.zeros(len(case.truth), bool)
    flagged[list(found)] = True
    share = float(np.average(flagged, weights=case.weight))
    loss = losses(case, case.prediction)
    name = "log loss" if case.profile.task.is_classification else "mean absolute error"
    unit = "" if case.profile.task.is_classification else case.profile.target
    numbers = {"flagged_fraction": number(share, unit="fraction")}
    said = f"By the guardrail {percent_text(share)} of {judged_on(case)} are unlike the training data"
    if FEWEST_ROWS <= flagged.sum() <= len(flagged) - FEWEST_ROWS:
        inside, outside = float(loss[flagged].mean()), float(loss[~flagged].mean())
        numbers |= {"loss_flagged": number(inside, unit=unit), "loss_others": number(outside, unit=unit)}
        said += f"; their {name} is {figures_text(inside)}, that of the others {figures_text(outside)}"
    many = share > MANY
    return [
        Finding(
            code="AML332",
            title=TITLE,
            severity=Severity.TIP if many else Severity.PASSED,
            section=Section.TRUST,
            sentence=f"{said}; `automl predict --flags` says of new rows which are, and why.",
            about="evaluated",
            numbers=numbers,
            table=_table(case, found, loss, name) if case.plan.samples else {},
            action=f"Look whether the judged rows were drawn as the training rows were. {case.counting}" if many else "",
        )
    ]


def _table(case: Case, found: dict[int, tuple[str, ...]], loss: Any, name: str) -> dict[str, Any]:
    """The flagged rows with the highest loss."""
    worst = sorted(found, key=lambda row: -loss[row])[:MOST_SHOWN]
    rows = [[case.row_number(row), "; ".join(found[row]), finite(float(loss[row]))] for row in worst]
    return {"columns": ["row", "why it is flagged", name], "rows": rows} if rows else {}


CHECK = Check("AML332", TITLE, Section.TRUST, run, independent=True, seconds=0.2)
