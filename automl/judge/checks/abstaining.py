"""AML331: what is gained by giving no answer where the model is least sure: the risk-coverage curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.case import Case, Check
from automl.core.conformal import cut_at, sureness_at
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.statistics import percentile_interval
from automl.judge.bootstrap import count_blocks, judged_groups, resamples_for
from automl.judge.curves import plain, thin
from automl.judge.fairness import around
from automl.judge.parts import shares
from automl.judge.scoring import judged_on, not_applicable
from automl.judge.wording import count_text, figures_text, finite, number, percent_text

TITLE = "Rows without an answer"
Array = np.ndarray[Any, Any]

RATES = (0.05, 0.1, 0.2, 0.3, 0.5)
SHOWN = 0.1
FEWEST_ROWS = 50
CURVE_FROM = 0.05
"""Of the rows: the curve begins where so many are answered; fewer tell nothing."""


def run(case: Case) -> list[Finding]:
    conformal = None if case.evidence is None else case.evidence.readout.conformal
    if conformal is None or not conformal.cuts or len(case.truth) < FEWEST_ROWS or case.quantiles is not None:
        why = "the model has no measure of how sure it is that differs between rows"
        if len(case.truth) < FEWEST_ROWS:
            why = f"that takes {FEWEST_ROWS} judged rows"
        return not_applicable("AML331", TITLE, Section.TRUST, f"What giving no answer would gain was not looked at, as {why}.")
    sureness = sureness_at(conformal.knots, case.prediction, case.threshold, case.positive)
    assert sureness is not None
    loss = _loss(case)
    kept = [sureness >= cut_at(conformal, rate) for rate in RATES]
    measured = dict(zip(RATES, _measured(case, kept, loss), strict=True))
    answered = measured[SHOWN][0]
    name = "error rate" if case.profile.task.is_classification else "mean absolute error"
    gain = _gain(case, sureness >= cut_at(conformal, SHOWN), loss)
    helps = gain.low is not None and gain.low > 0
    return [
        Finding(
            code="AML331",
            title=TITLE,
            severity=Severity.PASSED,
            section=Section.TRUST,
            sentence=_sentence(case, *measured[SHOWN], name, helps),
            about="evaluated",
            numbers={
                "answered_share": number(answered.share, unit="fraction"),
                "loss_answered": number(answered.loss, answered.low, answered.high, unit=_unit(case)),
                "loss_all": number(float(np.average(loss, weights=case.weight)), unit=_unit(case)),
                "gain": gain,
                "area_under_risk_coverage": number(_area(sureness, loss, case.weight), unit=_unit(case)),
            },
            figures=(_figure(case, sureness, loss, name),),
            table=_table(measured, name),
        )
    ]


def _loss(case: Case) -> Array:
    if case.profile.task.is_classification:
        return (case.called != case.truth).astype(np.float64)
    return np.abs(case.prediction - case.truth)


def _unit(case: Case) -> str:
    return "fraction" if case.profile.task.is_classification else case.profile.target


@dataclass(frozen=True)
class _Part:
    """Rows with an answer, or those without: how many, their share of all, and their mean loss with its 95 % interval."""

    rows: int
    share: float
    loss: float
    low: float
    high: float


def _measured(case: Case, kept: list[Array], loss: Array) -> list[tuple[_Part, _Part]]:
    """Of every way to leave rows without an answer: the rows with and those without one."""
    weight = np.ones(len(loss)) if case.weight is None else np.asarray(case.weight, np.float64)
    parts = [part for each in kept for part in (each, ~each)]
    if case.profile.task.is_classification:
        means = [(each.value, each.low, each.high) for each in shares(case, loss, [("", part) for part in parts])]
    else:
        means = _means(case, np.stack(parts, axis=1).astype(np.float64), loss)
    found = [
        _Part(int(part.sum()), float(weight[part].sum() / weight.sum()), *mean) for part, mean in zip(parts, means, strict=True)
    ]
    return list(zip(found[::2], found[1::2], strict=True))


def _means(case: Case, member: Array, loss: Array) -> list[tuple[float, float, float]]:
    """The mean loss of each part with the ends of its bootstrap interval. member: (rows, parts) 0 or 1."""
    both = np.concatenate([member * loss[:, None], member], axis=1)

    def means(counts: Array) -> Array:
        sums, rows = np.split(counts @ both, 2, axis=1)
        return np.divide(sums, rows, out=np.full(sums.shape, np.nan), where=rows > 0)

    total = resamples_for(len(loss), 1, case)
    blocks = count_blocks(len(loss), total, case.plan.seed, judged_groups(case), case.weight)
    drawn = np.concatenate([means(block) for block in blocks])
    observed = means(np.ones((1, len(loss))) if case.weight is None else np.asarray(case.weight, np.float64)[None, :])[0]
    return [(value, *around(value, *percentile_interval(each))) for value, each in zip(observed.tolist(), drawn.T, strict=True)]


def _table(measured: dict[float, tuple[_Part, _Part]], name: str) -> dict[str, Any]:
    rows = []
    for rate, (answered, unanswered) in measured.items():
        ends = [[each.rows, finite(each.loss), finite(each.low), finite(each.high)] for each in (answered, unanswered)]
        rows.append([rate, unanswered.share, *ends[0], *ends[1]])
    of = [["rows with", f"{name} with", "low", "high"], ["rows without", f"{name} without", "low", "high"]]
    return {"columns": ["--abstain", "share without an answer", *of[0], *of[1]], "rows": rows}


def _gain(case: Case, kept: Array, loss: Array) -> Number:
    """By how much the mean loss falls when only these rows are answered, with its bootstrap interval."""
    parts = np.stack([loss, np.ones(len(loss)), kept * loss, kept.astype(np.float64)], axis=1)

    def gain(counts: Array) -> Array:
        every, rows, answered, some = (counts @ parts).T
        return np.asarray(every / np.maximum(rows, 1e-300) - answered / np.maximum(some, 1e-300))

    total = resamples_for(len(loss), 1, case)
    blocks = count_blocks(len(loss), total, case.plan.seed, judged_groups(case), case.weight)
    replicates = np.concatenate([gain(block) for block in blocks])
    value = float(gain(np.ones((1, len(loss))) if case.weight is None else np.asarray(case.weight, np.float64)[None, :])[0])
    return number(value, *around(value, *np.quantile(replicates, [0.025, 0.975]).tolist()), unit=_unit(case))


def _sentence(case: Case, answered: _Part, unanswered: _Part, name: str, helps: bool) -> str:
    def text(part: _Part) -> str:
        said = percent_text if case.profile.task.is_classification else figures_text
        return f"{said(part.loss)} (95 % interval {said(part.low)} to {said(part.high)})"

    said = (
        f"Without an answer for the rows it knows least about (`automl predict --abstain {SHOWN:g}`:"
        f" {percent_text(unanswered.share)} of {judged_on(case)}), the {name} of the other {answered.rows:,} is {text(answered)}"
    )
    if unanswered.rows:
        said += f" and that of those {count_text(unanswered.rows, 'row')} {text(unanswered)}"
    return f"{said}." if helps else f"{said}; that is no gain beyond chance."


def _running(sureness: Array, loss: Array, weight: Array | None) -> tuple[Array, Array]:
    """The share of rows that are answered, surest first, and their mean loss, at every distinct sureness."""
    weights = np.ones(len(loss)) if weight is None else np.asarray(weight, np.float64)
    order = np.argsort(-sureness, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(sureness[order]) < 0, True])
    mass = np.cumsum(weights[order])[ends]
    return mass / weights.sum(), np.cumsum((weights * loss)[order])[ends] / np.maximum(mass, 1e-300)


def _area(sureness: Array, loss: Array, weight: Array | None) -> float:
    """The mean of the risk over all coverages (Geifman, Uziel and El-Yaniv, ICLR 2019)."""
    share, risk = _running(sureness, loss, weight)
    return float(np.diff(share, prepend=0.0) @ risk)


def _figure(case: Case, sureness: Array, loss: Array, name: str) -> Figure:
    share, risk = _running(sureness, loss, case.weight)
    shown = share >= min(CURVE_FROM, float(share[-1]))
    share, risk = share[shown], risk[shown]
    keep = thin(len(share), 100)
    even = float(np.average(loss, weights=case.weight))
    series = (
        Series("surest rows first", plain(share[keep]), plain(risk[keep])),
        Series("all rows", plain(share[[0, -1]]), plain(np.asarray([even, even]))),
    )
    how = (
        f"The {name} (up) of the surest rows, for every share of rows that are answered (right): at the right end all rows are,"
        " further left only those that the model is surest about. A line that does not rise says that its sureness tells nothing."
    )
    return Figure("risk_coverage", "line", "Risk by share of answered rows", how, series, "share of rows answered", name)


CHECK = Check("AML331", TITLE, Section.TRUST, run, seconds=0.4)
