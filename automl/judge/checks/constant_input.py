"""AML320: whether equal rows get equal predictions, alone or in company."""

from __future__ import annotations

import numpy as np
import pandas as pd

from automl.core.case import Array, Case, Check, Turn
from automl.core.finding import Finding, Section, Severity
from automl.judge.curves import sampled
from automl.judge.scoring import not_applicable
from automl.judge.wording import count_text, figures_text, number

TITLE = "Equal rows, equal predictions"
ROWS, COPIES = 4, 16
TOLERANCE = 1e-4
"""In probability, or in standard deviations of the target; sums of another order differ by a millionth."""


def run(case: Case) -> list[Finding]:
    if case.predict is None or not len(case.judged):
        return not_applicable("AML320", TITLE, Section.TRUST, "No rows were judged, so equal rows were not compared.")
    rows = sampled(len(case.judged), case.plan.seed, ROWS)
    frame = case.judged.iloc[rows]
    copies = pd.concat([frame] * COPIES, ignore_index=True)
    together = _each(case, copies).reshape(COPIES, len(rows), -1)
    alone = np.stack([_each(case, frame.iloc[[place]])[0] for place in range(len(rows))]).reshape(1, len(rows), -1)
    scale = 1.0 if case.profile.task.is_classification else max(float(np.std(case.truth)), 1e-12)
    difference = float(np.max(np.abs(together - alone))) / scale
    equal = difference <= TOLERANCE
    unit = "" if case.profile.task.is_classification else " standard deviations of the target"
    sentence = (
        f"{count_text(len(rows), 'row')}, given alone and {COPIES} times at different places among others,"
        f" {'got the same predictions each time' if equal else 'got different predictions'}"
        f" (they differ by at most {figures_text(difference, 2)}{unit})."
    )
    return [
        Finding(
            code="AML320",
            title=TITLE,
            severity=Severity.PASSED if equal else Severity.STOP,
            section=Section.TRUST,
            sentence=sentence,
            about="evaluated",
            numbers={"largest_difference": number(difference)},
            action="" if equal else "Do not use this model: what it says of a row depends on chance or on other rows; report it.",
        )
    ]


def _each(case: Case, frame: pd.DataFrame) -> Array:
    assert case.predict is not None
    return np.asarray(case.predict(frame.reset_index(drop=True)), np.float64)


CHECK = Check("AML320", TITLE, Section.TRUST, run, independent=True, turn=Turn.VERDICT)
