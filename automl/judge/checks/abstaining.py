"""AML331: what is gained by giving no answer where the model is least sure: the risk-coverage curve."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.case import Case, Check
from automl.core.conformal import Conformal, cut_at, sureness_at
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.judge.bootstrap import count_blocks, judged_groups, resamples_for
from automl.judge.curves import plain, thin
from automl.judge.fairness import around
from automl.judge.scoring import judged_on, not_applicable
from automl.judge.wording import figures_text, finite, number, percent_text

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
    threshold = None if case.evidence is None else case.evidence.readout.threshold
    sureness = sureness_at(conformal.knots, case.prediction, None if threshold is None else threshold.one, case.positive)
    assert sureness is not None
    loss = _loss(case)
    measured = {rate: _measured(case, conformal, rate, sureness, loss) for rate in RATES}
    share, answered, unanswered = measured[SHOWN]
    name = "error rate" if case.profile.task.is_classification else "mean absolute error"
    gain = _gain(case, sureness >= cut_at(conformal, SHOWN), loss)
    helps = gain.low is not None and gain.low > 0
    return [
        Finding(
            code="AML331",
            title=TITLE,
            severity=Severity.PASSED,
            section=Section.TRUST,
            sentence=_sentence(case, share, answered, unanswered, name, helps),
            about="evaluated",
            numbers={
                "answered_share": number(1 - share, unit="fraction"),
                "loss_answered": number(answered, unit=_unit(case)),
                "loss_all": number(float(np.average(loss, weights=case.weight)), unit=_unit(case)),
                "gain": gain,
                "area_under_risk_coverage": number(_area(sureness, loss, case.weight), unit=_unit(case)),
            },
            figures=(_figure(case, sureness, loss, name),),
            table={
                "columns": ["--abstain", "rows without an answer", f"{name} of the others", f"{name} of those without"],
                "rows": [[rate, each[0], finite(each[1]), finite(each[2])] for rate, each in measured.items()],
            },
        )
    ]


def _loss(case: Case) -> Array:
    if case.profile.task.is_classification:
        return (case.called != case.truth).astype(np.float64)
    return np.abs(case.prediction - case.truth)


def _unit(case: Case) -> str:
    return "fraction" if case.profile.task.is_classification else case.profile.target


def _measured(case: Case, conformal: Conformal, rate: float, sureness: Array, loss: Array) -> tuple[float, float, float]:
    """The share without an answer, and the mean loss of the rows with and without one."""
    kept = sureness >= cut_at(conformal, rate)
    weight = np.ones(len(loss)) if case.weight is None else np.asarray(case.weight, np.float64)
    means = [float(np.average(loss[part], weights=weight[part])) if part.any() else float("nan") for part in (kept, ~kept)]
    return float(weight[~kept].sum() / weight.sum()), means[0], means[1]


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


def _sentence(case: Case, share: float, answered: float, unanswered: float, name: str, helps: bool) -> str:
    def text(value: float) -> str:
        return percent_text(value) if case.profile.task.is_classification else figures_text(value)

    said = (
        f"Without an answer for the rows it knows least about (`automl predict --abstain {SHOWN:g}`: {percent_text(share)} of"
        f" {judged_on(case)}), the {name} of the others is {text(answered)}"
    )
    if np.isfinite(unanswered):
        said += f" and that of those rows {text(unanswered)}"
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
