"""AML202: every metric of the task, for the model and the baseline, with intervals."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check
from automl.core.finding import Finding, Number, Section, Severity
from automl.core.metrics import metrics_for
from automl.judge.bootstrap import compare
from automl.judge.scoring import is_nested, judged_on, not_applicable, scaled
from automl.judge.wording import called, finite, interval_text

TITLE = "All metrics"


def run(case: Case) -> list[Finding]:
    if not len(case.truth):
        return not_applicable("AML202", TITLE, Section.SCORES, "No rows were judged, so there are no scores.")
    metrics = [scaled(case, each) for each in metrics_for(case.profile.task)]
    compared = [each for each in compare(case, metrics) if np.isfinite(each.model.value)]
    numbers: dict[str, Number] = {}
    rows = []
    for each in compared:
        numbers[each.metric.name] = each.model
        numbers[f"baseline_{each.metric.name}"] = each.baseline
        better = "higher" if each.metric.greater_is_better else "lower"
        rows.append([each.metric.title, better, *_cells(each.model), *_cells(each.baseline)])
    told = ", ".join(
        f"{each.metric.short or called(each.metric)} {interval_text(each.metric, each.model)}" for each in compared[:3]
    )
    sentence = f"On {judged_on(case)} the model reaches {told}"
    if is_nested(case):
        sentence += " (all out-of-fold predictions pooled, which differs a little from the mean over the folds)"
    behind = [each.metric.short or called(each.metric) for each in compared if each.gain.value <= 0]
    if behind and len(behind) < len(compared):
        sentence += f"; by {' and '.join(behind)} it is no better than the baseline"
    return [
        Finding(
            code="AML202",
            title=TITLE,
            severity=Severity.PASSED,
            section=Section.SCORES,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers=numbers,
            table={
                "columns": ["metric", "better", "model", "low", "high", "baseline", "baseline low", "baseline high"],
                "rows": rows,
            },
        )
    ]


def _cells(score: Number) -> list[float | None]:
    return [finite(score.value), score.low, score.high]


CHECK = Check("AML202", TITLE, Section.SCORES, run, seconds=0.2)
