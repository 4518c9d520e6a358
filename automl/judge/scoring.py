"""What several checks need to know about a judged model: its metrics, its folds, its names."""

from __future__ import annotations

from dataclasses import replace

from automl.core.case import Array, Case
from automl.core.evidence import Refusal
from automl.core.finding import Finding, Section, Severity
from automl.core.metrics import METRICS, Metric, metric, metrics_for, with_scale, with_threshold
from automl.core.probes import NO_TIME


def headline_metric(case: Case, rows: Array | None = None) -> Metric:
    """The metric that the run optimised; for one that this version does not know, the first of the task.

    rows: as of `scaled`.
    """
    chosen = metric(case.plan.metric) if case.plan.metric in METRICS else metrics_for(case.profile.task)[0]
    return scaled(case, chosen, rows)


def scaled(case: Case, metric: Metric, rows: Array | None = None) -> Metric:
    """The metric as it counts on the case's rows: with their scales, and with the threshold of the model, where it needs them.

    rows: of the judged rows those that will be scored, where it is not all of them.
    """
    scales = [each for each in (case.error_scale, case.out_of_fold_scale) if each is not None]
    limits = case.limits if case.limits is None or rows is None else case.limits[rows]
    return with_threshold(with_scale(metric, scales), case.threshold if limits is None else limits)


def score_on(case: Case, rows: Array) -> float:
    """The headline score of the judged rows at these positions, at the model's threshold."""
    weight = None if case.weight is None else case.weight[rows]
    return headline_metric(case, rows).score(case.truth[rows], case.prediction[rows], weight, case.positive)


def is_nested(case: Case) -> bool:
    """True where no part was sealed and the judged predictions come from cross-validation."""
    return case.evidence is not None and bool(case.evidence.nested)


def judged_on(case: Case) -> str:
    """The judged rows in a few words; `Case.judged_on` says in full how they were judged, and the headline says it once."""
    rows = f"{len(case.truth):,}"
    if is_nested(case):
        return f"all {rows} rows" if len(case.truth) == case.profile.rows else f"the {rows} judged rows"
    if case.plan.split.kind == "given":
        return f"the {rows} rows of the test file"
    return f"the {rows} sealed rows" if case.plan.split.sealed_fraction else f"the {rows} judged rows"


def title_of(case: Case, architecture: str) -> str:
    """The title of a rung, such as "Gradient boosting"."""
    return next((rung.title for rung in case.plan.rungs if rung.architecture == architecture), architecture)


def ships_baseline(case: Case) -> bool:
    """Whether the judged model is the bottom rung itself."""
    bottom = {rung.architecture for rung in case.plan.rungs if rung.rung == 0}
    return case.evidence is not None and case.evidence.champion in bottom


def more_effort(case: Case) -> str:
    """The action that gives a run more of what it lacked."""
    if case.plan.trials is not None:
        return f"Give it more trials: `--trials {2 * case.plan.trials}`."
    return more_time(case)


def more_time(case: Case) -> str:
    return f"Give it more time: `--time {3 * (case.plan.budget_seconds or 100.0):.0f}`."


def remedy(case: Case, refusal: Refusal) -> str:
    """What to do about a model that could not be shipped."""
    return {
        "time": more_time(case),
        "limit": "Allow a larger or slower model (--max-size-mb, --max-latency-ms), or keep the one that is shipped.",
    }.get(refusal.cause, "Report this run, with log.txt of its folder.")


def ships(case: Case, architecture: str) -> bool:
    """Whether a rung is what was chosen, or a member of it."""
    evidence = case.evidence
    chosen = None if evidence is None else evidence.best_trial(evidence.champion)
    return chosen is not None and architecture in {part.architecture for part in chosen.parts}


def not_probed(case: Case, code: str, title: str, probe: str, done: str) -> list[Finding]:
    """The finding of a check whose probe was not made, with the reason; of one that failed an issue, as of a check that does."""
    error = "" if case.evidence is None else case.evidence.probes.failed.get(probe, "")
    if error:
        sentence = f"The probe failed, so nothing is known: {error}."
        action = "Report this run, with log.txt of its folder."
        return [Finding(code, title, Severity.ISSUE, Section.TRUST, sentence, "evaluated", action=action)]
    why = "" if case.evidence is None else case.evidence.probes.left_out.get(probe, "")
    unmade = not_run if why == NO_TIME else not_applicable
    return unmade(code, title, Section.TRUST, f"Nothing was {done}{f': {why}' if why else ''}.")


def fold_ratio(case: Case) -> float:
    """Rows tested / rows trained on in one fold."""
    return 1.0 / (max(2, case.plan.split.folds) - 1)


def not_run(code: str, title: str, section: Section, sentence: str) -> list[Finding]:
    """What applies, but there was no time for. A check whose only finding is `not_applicable` for that reason is told so too."""
    return [replace(each, severity=Severity.NOT_RUN) for each in not_applicable(code, title, section, sentence)]


def not_applicable(code: str, title: str, section: Section, sentence: str) -> list[Finding]:
    about = "data" if section is Section.DATA else "evaluated"
    return [Finding(code, title, Severity.NOT_APPLICABLE, section, sentence, about)]
