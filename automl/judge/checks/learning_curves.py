"""AML602: whether more rounds or more rows would help."""

from __future__ import annotations

from automl.core.case import Case, Check
from automl.core.evidence import Evidence
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
            "AML602", TITLE, Section.CHOICE, "The rungs that were tried learn in one step and no learning curve was measured."
        )
    parts: list[str] = []
    numbers: dict[str, Number] = {}
    severity, action = Severity.PASSED, ""
    champion = evidence.best_trial(evidence.champion)
    if rounds is not None and champion is not None and champion.rounds:
        parts.append(
            f"{title_of(case, evidence.champion)} stopped after {champion.rounds:,} rounds, where the mean curve of all folds was"
            " best"
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
        f" {score_text(metric, after)}, so more rows {'would help' if helps else 'would hardly help'}"
    )
    half = (high - low) / 2
    return helps, told, number(gain, gain - half, gain + half, unit_of(metric, case.profile))


def _rounds_figure(case: Case, evidence: Evidence) -> Figure | None:
    series = []
    for final in evidence.finals:
        trial = evidence.best_trial(final.architecture)
        if trial is not None and len(trial.curve) > 1:
            points = [trial.curve[position] for position in thin(len(trial.curve))]
            series.append(
                Series(
                    title_of(case, final.architecture), tuple(float(x) for x, _ in points), tuple(finite(y) for _, y in points)
                )
            )
    if not series:
        return None
    how = (
        "Each line is the mean over the folds on rows that were not trained on, round by round; where it turns, training was"
        " stopped. A line that is still moving at its right end could have used more rounds."
    )
    return Figure(
        "rounds", "line", "Validation by round", how, tuple(series), "round (boosting round or epoch)", "validation loss"
    )


def _rows_figure(case: Case, evidence: Evidence) -> Figure | None:
    if len(evidence.learning_curve) < 2:
        return None
    metric = headline_metric(case)
    rows, mean, low, high = zip(*evidence.learning_curve, strict=True)
    values, lowest, highest = (tuple(finite(value) for value in column) for column in (mean, low, high))
    series = Series(title_of(case, evidence.champion), tuple(float(count) for count in rows), values, lowest, highest)
    how = (
        "The score of the chosen model trained on fewer rows; where the line is still climbing at its right end, more rows would"
        " help."
    )
    if not metric.greater_is_better:
        how = how.replace("climbing", "falling")
    return Figure("rows", "line", "Score by rows of training", how, (series,), "rows trained on", metric.title)


CHECK = Check("AML602", TITLE, Section.CHOICE, run)
