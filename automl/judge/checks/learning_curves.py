"""AML602: whether more rounds or more rows would help."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.evidence import Evidence, Trial
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.judge.curves import thin
from automl.judge.scoring import headline_metric, not_applicable, title_of
from automl.judge.wording import called, finite, number, score_text, unit_of

TITLE = "Learning curves"


def run(case: Case) -> list[Finding]:
    evidence = case.evidence
    if evidence is None:
        return not_applicable("AML602", TITLE, Section.CHOICE, "Nothing was trained, so there are no learning curves.")
    rounds = _rounds_figure(case, evidence)
    rows = _rows_figure(case, evidence)
    if rounds is None and rows is None:
        return not_applicable(
            "AML602", TITLE, Section.CHOICE, f"No learning curve of {title_of(case, evidence.champion)} was measured in this run."
        )
    parts: list[str] = []
    numbers: dict[str, Number] = {}
    severity, action = Severity.PASSED, ""
    champion = evidence.best_trial(evidence.champion)
    if rounds is not None and champion is not None and champion.rounds:
        parts.append(
            f"{title_of(case, evidence.champion)} stopped after {champion.rounds:,} {_unit(champion)}s, where the mean curve of"
            " all folds was best"
        )
        numbers["rounds"] = number(champion.rounds)
    if len(evidence.learning_curve) > 1:
        helps, told, gain = _more_rows(case, evidence)
        parts.append(told)
        numbers["gain_of_the_last_rows"] = gain
        severity = Severity.TIP if helps else Severity.PASSED
        action = "Collect more rows: the score is still rising with them." if helps else ""
    sentence = "; ".join(parts) or "The curves show how the validation loss fell with the rounds of training"
    return [
        Finding(
            code="AML602",
            title=TITLE,
            severity=severity,
            section=Section.CHOICE,
            sentence=f"{sentence[0].upper()}{sentence[1:]}.",
            about="evaluated",
            numbers=numbers,
            figures=tuple(figure for figure in (rounds, rows) if figure is not None),
            action=action,
        )
    ]


def _more_rows(case: Case, evidence: Evidence) -> tuple[bool, str, Number]:
    """(more rows would help, the sentence, the gain of the last step with the uncertainty of its two scores)."""
    metric = headline_metric(case)
    (fewer, before, *_), (every, after, low, high) = evidence.learning_curve[-2:]
    gain = metric.gain(after, before)
    helps = metric.gain(low if metric.greater_is_better else high, before) > 0
    told = (
        f"with {every:,.0f} instead of {fewer:,.0f} rows the {called(metric)} goes from {score_text(metric, before)} to"
        f" {score_text(metric, after)}, "
    )
    half = (high - low) / 2
    if helps:
        told += "so more rows would help"
    else:
        told += "so more rows would hardly help" if gain <= 0 else "too little to tell from chance, so more rows may help or not"
    return helps, told, number(gain, gain - half, gain + half, unit_of(metric, case.profile))


def _rounds_figure(case: Case, evidence: Evidence) -> Figure | None:
    """The curve of the champion alone: losses of other rungs are on scales of their own."""
    trial = evidence.best_trial(evidence.champion)
    if trial is None or len(trial.curve) < 2:
        return None
    title, unit = title_of(case, evidence.champion), _unit(trial)
    points = [trial.curve[position] for position in thin(len(trial.curve))]
    series = Series(title, tuple(float(x) for x, _ in points), tuple(finite(y) for _, y in points))
    how = (
        f"The line is the loss of {title}, the chosen rung, on rows that it was not trained on, {unit} by {unit} (mean over the"
        f" folds; lower is better). Training was stopped where it is lowest; a line that is still falling at its right end could"
        f" have used more {unit}s."
    )
    return Figure("rounds", "line", f"{title}: loss on unseen rows by {unit}", how, (series,), unit, "validation loss")


def _unit(trial: Trial) -> str:
    """What a net and what boosting count while they learn."""
    return "epoch" if "epochs" in trial.settings else "boosting round"


def _rows_figure(case: Case, evidence: Evidence) -> Figure | None:
    if len(evidence.learning_curve) < 2:
        return None
    metric = headline_metric(case)
    rows, mean, low, high = zip(*evidence.learning_curve, strict=True)
    values = tuple(finite(value) for value in mean)
    lowest, highest = (tuple(finite(metric.within(value)) for value in column) for column in (low, high))
    series = Series(title_of(case, evidence.champion), tuple(float(count) for count in rows), values, lowest, highest)
    how = (
        f"The score of {series.name}, the chosen rung, trained on fewer rows, with a 90 % interval; where the line is still"
        " climbing at its right end, more rows would help."
    )
    if not metric.greater_is_better:
        how = how.replace("climbing", "falling")
    return Figure("rows", "line", f"{series.name}: score by rows of training", how, (series,), "rows trained on", metric.title)


CHECK = Check("AML602", TITLE, Section.CHOICE, run, independent=True)
