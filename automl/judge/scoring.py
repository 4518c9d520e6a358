"""What several checks need to know about a judged model: its metrics, its folds, its names."""

from __future__ import annotations

from automl.core.case import Case
from automl.core.finding import Finding, Section, Severity
from automl.core.metrics import METRICS, Metric, metric, metrics_for


def headline_metric(case: Case) -> Metric:
    """The metric that the run optimised; for one that this version does not know, the first of the task."""
    return metric(case.plan.metric) if case.plan.metric in METRICS else metrics_for(case.profile.task)[0]


def is_nested(case: Case) -> bool:
    """True where no part was sealed and the judged predictions come from cross-validation."""
    return case.evidence is not None and bool(case.evidence.nested)


def judged_on(case: Case) -> str:
    """The judged rows in words."""
    return case.judged_on or f"{len(case.truth):,} rows"


def title_of(case: Case, architecture: str) -> str:
    """The title of a rung, such as "Gradient boosting"."""
    return next((rung.title for rung in case.plan.rungs if rung.architecture == architecture), architecture)


def fold_ratio(case: Case) -> float:
    """Rows tested / rows trained on in one fold."""
    return 1.0 / (max(2, case.plan.split.folds) - 1)


def not_applicable(code: str, title: str, section: Section, sentence: str) -> list[Finding]:
    about = "data" if section is Section.DATA else "evaluated"
    return [Finding(code, title, Severity.NOT_APPLICABLE, section, sentence, about)]
