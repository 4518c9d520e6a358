"""AML201: the score that the report opens with, with its interval and beside the baseline."""

from __future__ import annotations

import numpy as np

from automl.core.case import Case, Check, Turn
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.metrics import Metric
from automl.core.tasks import Task
from automl.judge.bootstrap import compare, drawn_units, headline
from automl.judge.curves import MOST_DOTS, plain, precision_recall_series, roc_series, sampled
from automl.judge.scoring import headline_metric, is_nested, judged_on, not_applicable, ships_baseline, title_of
from automl.judge.wording import called, interval_text, number, score_text, unit_of

TITLE = "Score"
MOST_CURVES = 6


def run(case: Case) -> list[Finding]:
    if not len(case.truth):
        return not_applicable("AML201", TITLE, Section.SCORES, "No rows were judged, so there is no score.")
    metric = headline_metric(case)
    compared = compare(case, [metric])[0]
    nested = is_nested(case)
    model = headline(case, metric) if nested else compared.model
    if not np.isfinite(model.value):
        sentence = f"{metric.title} is undefined on the judged rows ({judged_on(case)}), because they hold one class only."
        return not_applicable("AML201", TITLE, Section.SCORES, sentence)
    better = "higher" if metric.greater_is_better else "lower"
    champion = title_of(case, case.evidence.champion) if case.evidence else "The model"
    method = (
        "corrected resampled t over the folds of the nested cross-validation" if nested else f"bootstrap over {drawn_units(case)}"
    )
    beside = "" if ships_baseline(case) else f"; the baseline reaches {score_text(metric, compared.baseline.value)}"
    opening = "The baseline is shipped, as no other model is; it" if ships_baseline(case) else champion
    sentence = (
        f"{opening} reaches {called(metric)} {interval_text(metric, model)} on {case.judged_on or judged_on(case)}, where"
        f" {better} is better{beside} (interval: {method})."
    )
    gain = compared.gain  # of rows of one test set the paired gain tells (AML203); of folds nothing else tells how unsure it is
    wide = nested and not ships_baseline(case) and _reaches_beyond(metric, model, compared.baseline.value)
    if wide:
        sentence += " The interval reaches as far beyond the baseline as the score is away from it: how good it is, is open."
    return [
        Finding(
            code="AML201",
            title=TITLE,
            severity=Severity.TIP if wide else Severity.PASSED,
            section=Section.SCORES,
            sentence=sentence,
            about="evaluated",
            action="Judge it on more rows before anything depends on how good it is." if wide else "",
            numbers={
                "score": model,
                "baseline": compared.baseline,
                "gain": number(gain.value, gain.low, gain.high, unit_of(metric, case.profile)),
                "rows": number(len(case.truth)),
            },
            figures=_figures(case),
        )
    ]


def _reaches_beyond(metric: Metric, model: Number, baseline: float) -> bool:
    """Whether the model may by its interval be as much worse than the baseline as it is better by its score."""
    better = metric.gain(model.value, baseline)
    worst = model.low if metric.greater_is_better else model.high
    return worst is not None and better > 0 and -metric.gain(worst, baseline) >= better


def _figures(case: Case) -> tuple[Figure, ...]:
    if not case.profile.task.is_classification:
        return (_predicted_against_actual(case),)
    return tuple(figure for figure in (_roc(case), _precision_recall(case)) if figure is not None)


def _shown_classes(case: Case) -> list[int]:
    if case.profile.task is Task.BINARY:
        return [case.positive]
    counts = np.bincount(case.truth, minlength=case.prediction.shape[1])
    return sorted(np.argsort(-counts, kind="stable")[:MOST_CURVES].tolist())


def _name(case: Case, code: int) -> str:
    return case.profile.classes[code] if code < len(case.profile.classes) else str(code)


def _roc(case: Case) -> Figure | None:
    series = [
        roc_series(_name(case, code), case.truth == code, case.prediction[:, code], case.weight) for code in _shown_classes(case)
    ]
    found = tuple(each for each in series if each is not None)
    how = (
        "Each point is a threshold on the probability: the share of the class that is found (up) and the share of the other rows"
        " that are false alarms (right); a curve near the upper left corner is good, the diagonal is guessing."
    )
    if not found:
        return None
    return Figure("roc", "line", _titled("ROC curve", found), how, found, "false positive rate", "true positive rate", "diagonal")


def _precision_recall(case: Case) -> Figure | None:
    series = [
        precision_recall_series(_name(case, code), case.truth == code, case.prediction[:, code], case.weight)
        for code in _shown_classes(case)
    ]
    found = tuple(each for each in series if each is not None)
    how = (
        "Each point is a threshold on the probability: the share of the class that is found (recall, right) and how often the"
        " model is correct when it names the class (precision, up); a curve that stays high to the right is good."
    )
    if not found:
        return None
    return Figure("precision_recall", "line", _titled("Precision-recall curve", found), how, found, "recall", "precision")


def _titled(title: str, found: tuple[Series, ...]) -> str:
    """The class stands in the title where there is no legend to name it."""
    return f'{title} of "{found[0].name}"' if len(found) == 1 else title


def _predicted_against_actual(case: Case) -> Figure:
    rows = sampled(len(case.truth), case.plan.seed)
    target = case.profile.target
    how = "Each dot is a judged row; on the diagonal the prediction is exact, dots above it were predicted too high."
    if len(rows) < len(case.truth):
        how += f" {MOST_DOTS} rows drawn at random are shown."
    series = Series("rows", plain(case.truth[rows]), plain(case.prediction[rows]))
    return Figure(
        "predicted_actual",
        "scatter",
        "Predicted against actual",
        how,
        (series,),
        f"actual {target}",
        f"predicted {target}",
        "diagonal",
    )


CHECK = Check("AML201", TITLE, Section.SCORES, run, turn=Turn.VERDICT, seconds=0.1)
