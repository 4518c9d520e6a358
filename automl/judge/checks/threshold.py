"""AML305: from which probability on the positive class is called, and what that brings on the judged rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from automl.core.case import Case, Check
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.readout import GroupThresholds
from automl.core.tasks import Task
from automl.judge.curves import plain, thin, wilson
from automl.judge.scoring import is_nested, judged_on, not_applicable
from automl.judge.wording import count_text, number, percent_text

TITLE = "Decision threshold"
MOST_NAMED, OF_OTHERS = 4, "_cross_fitted"
Array = np.ndarray[Any, Any]


def run(case: Case) -> list[Finding]:
    if case.profile.task is not Task.BINARY or not len(case.truth):
        return not_applicable(
            "AML305", TITLE, Section.TRUST, "There is no threshold to choose but for two classes on judged rows."
        )
    chosen = None if case.evidence is None else case.evidence.readout.threshold
    happened, given = case.truth == case.positive, case.called == case.positive
    hits, calls, actual = int((happened & given).sum()), int(given.sum()), int(happened.sum())
    label, value = case.profile.positive, 0.5 if chosen is None else chosen.value
    by_group = None if chosen is None else chosen.groups
    numbers = {
        "threshold": number(value),
        "precision": _share(hits, calls),
        "recall": _share(hits, actual),
    }
    numbers = {name: each for name, each in numbers.items() if np.isfinite(each.value)}
    sentence = f'"{label}" is called from a probability of {value:.3g} on'
    if by_group is not None and by_group.own:
        sentence += f", {_groups_text(by_group)}"
        numbers |= {f"threshold_{', '.join(each.groups)}": number(each.value) for each in by_group.own}
    sentence += ", as the more probable class" if chosen is None else f": {chosen.rule}"
    sentence += ", chosen on out-of-fold predictions" if chosen is not None and (chosen.met or by_group is None) else ""
    said = f"; on {judged_on(case)} it finds {percent_text(hits / actual)} of them" if actual else ""
    said += f" and is right in {percent_text(hits / calls)} of its calls" if calls else " and never calls it"
    action, severity = "", Severity.PASSED
    if chosen is None:
        action = "Choose another by `--cost-fp 1 --cost-fn 5`, `--min-recall 0.8`, `--min-precision 0.8` or `--metric f1`."
    else:
        numbers |= _expected(chosen.expected)
        if not chosen.met and by_group is None:
            severity, action = Severity.ISSUE, "Lower the floor: no threshold reaches it, and the one nearest to it was taken."
        elif is_nested(case):
            said += " (the same rows that it was chosen on, so a little less is to be expected)"
    figure = _figure(case.prediction[:, case.positive], happened, case.weight, str(label))
    return [
        Finding("AML305", TITLE, severity, Section.TRUST, f"{sentence}{said}.", "evaluated", numbers, (figure,), action=action)
    ]


def _expected(reached: Mapping[str, float]) -> dict[str, Number]:
    """What was reached out of fold; where other rows than those that chose the thresholds told it, that stands for it."""
    of_others = {name.removesuffix(OF_OTHERS): each for name, each in reached.items() if name.endswith(OF_OTHERS)}
    own = {name: each for name, each in reached.items() if not name.endswith(OF_OTHERS)}
    return {f"expected_{name}": number(each) for name, each in (own | of_others).items()}


def _groups_text(groups: GroupThresholds) -> str:
    """Such as "from 0.41 on for Female and 0.6 for Male"."""
    told = [f"{each.value:.3g} for {', '.join(each.groups)}" for each in groups.own[:MOST_NAMED]]
    more = len(groups.own) - len(told)
    return f"but from {' and '.join(told)}" + (f" and others for {count_text(more, 'more group')}" if more else "")


def _share(hits: int, rows: int) -> Number:
    if not rows:
        return number(float("nan"))
    return number(hits / rows, *wilson(hits, rows), unit="fraction")


def _figure(probability: Array, happened: Array, weight: Array | None, label: str) -> Figure:
    weights = np.ones(len(probability)) if weight is None else weight
    order = np.argsort(-probability, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(probability[order]) < 0, True])
    hits, seen = np.cumsum((weights * happened)[order])[ends], np.cumsum(weights[order])[ends]
    places = probability[order][ends][::-1]
    precision = np.divide(hits, seen, out=np.zeros(len(hits)), where=seen > 0)[::-1]
    recall = (hits / max(float(hits[-1]), 1e-300))[::-1]
    keep = thin(len(places), 100)
    lines = tuple(Series(name, plain(places[keep]), plain(y[keep])) for name, y in (("precision", precision), ("recall", recall)))
    how = (
        f'For every threshold (right): how often a call of "{label}" is right (precision), and how many are found (recall).'
        " A higher threshold calls fewer and is mostly more often right."
    )
    return Figure("threshold", "line", "Precision and recall by threshold", how, lines, "threshold", "share")


CHECK = Check("AML305", TITLE, Section.TRUST, run)
