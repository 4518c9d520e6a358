"""AML414: what weighing the rows against unfairness changed, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from automl.core.case import Array, Case, Check, Turn
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.metrics import METRICS, Metric
from automl.core.statistics import percentile_interval
from automl.judge.bootstrap import count_blocks, judged_groups, replicator, resamples_for
from automl.judge.fairness import MEASURES, Gap, measured
from automl.judge.scoring import headline_metric, judged_on, not_applicable
from automl.judge.wording import figures_text, finite, number

TITLE = "Before and after mitigation"
SHOWN = ("selection", "equalised_odds")


@dataclass(frozen=True)
class Change:
    """A number without and with the mitigation; `by` is the change with its interval, where it has one."""

    label: str
    before: float
    after: float
    by: Number


def run(case: Case) -> list[Finding]:
    if case.plan.mitigate is None or not len(case.truth):
        return not_applicable("AML414", TITLE, Section.FAILURES, "Nothing was mitigated (--mitigate), so there is no before.")
    if case.unmitigated is None:
        sentence = (
            "The rows were weighed so that the target does not depend on the groups; what that changed was not measured, which"
            " takes a sealed part (from 500 rows on), time, and a model other than a net."
        )
        return not_applicable("AML414", TITLE, Section.FAILURES, sentence)
    scores = [_score(case, metric) for metric in _metrics(case)]
    before, after = measured(replace(case, prediction=case.unmitigated)), measured(case)
    gaps = [_gap(key, before[key], after[key]) for key in before if key in after and key[1] in SHOWN]
    changes = [*gaps, *scores]
    helped = [each for each in gaps if each.after < each.before]
    price = next(each for each in scores if each.label == METRICS["accuracy"].title)
    first = max(gaps, key=lambda each: each.before - each.after, default=None)
    told = f"On {judged_on(case)} weighing the rows changed accuracy from {figures_text(price.before)} to"
    told += f" {figures_text(price.after)}"
    if first is not None:
        told += f", and the gap in {first.label} from {figures_text(first.before)} to {figures_text(first.after)}"
    told += f"; {len(helped)} of {len(gaps)} gaps got smaller" if gaps else ""
    return [
        Finding(
            code="AML414",
            title=TITLE,
            severity=Severity.PASSED if helped else Severity.TIP,
            section=Section.FAILURES,
            sentence=f"{told}.",
            about="evaluated",
            numbers={each.label: each.by for each in changes},
            figures=(_figure(changes),),
            table={
                "columns": ["measure", "without", "with", "change", "low", "high"],
                "rows": [[each.label, each.before, each.after, each.by.value, each.by.low, each.by.high] for each in changes],
            },
            action="" if helped else "Fit again without --mitigate: it closes no gap here.",
        )
    ]


def _metrics(case: Case) -> list[Metric]:
    headline, accuracy = headline_metric(case), METRICS["accuracy"]
    return [accuracy] if headline.name == accuracy.name else [headline, accuracy]


def _score(case: Case, metric: Metric) -> Change:
    """The change of a score, with the paired bootstrap interval over the judged rows."""
    assert case.unmitigated is not None
    pair = [case.unmitigated, case.prediction]
    values = [metric.score(case.truth, each, case.weight, case.positive) for each in pair]
    replicate = [replicator(metric, case.truth, each, case.positive) for each in pair]
    total = resamples_for(len(case.truth), 1, case)
    differences: list[Array] = []
    for block in count_blocks(len(case.truth), total, case.plan.seed, judged_groups(case), case.weight):
        differences.append(replicate[1](block) - replicate[0](block))
    low, high = percentile_interval(np.concatenate(differences))
    return Change(metric.title, values[0], values[1], number(values[1] - values[0], low, high))


def _gap(key: tuple[str, str], before: Gap, after: Gap) -> Change:
    label = f"{key[0]}: {MEASURES[key[1]]}"
    return Change(label, before.interval.value, after.interval.value, number(after.interval.value - before.interval.value))


def _figure(changes: list[Change]) -> Figure:
    labels = tuple(each.label for each in changes)
    series = (
        Series("without", labels, tuple(finite(each.before) for each in changes)),
        Series("with mitigation", labels, tuple(finite(each.after) for each in changes)),
    )
    how = (
        "Each pair is a gap between groups (0 is equal treatment) or a score of the same settings trained without and with"
        " weights that make target and groups independent. Smaller gaps are what it buys, the scores are what it costs."
    )
    return Figure("mitigation", "interval", TITLE, how, series, "measure", "value", "zero")


CHECK = Check("AML414", TITLE, Section.FAILURES, run, independent=True, turn=Turn.ASKED, seconds=0.2)
