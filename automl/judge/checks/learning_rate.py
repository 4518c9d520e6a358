"""AML324: whether the learning rate of the net is one at which it learns: a range test."""

from __future__ import annotations

import math

from automl.core.case import Case, Check
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.core.probes import RateTest
from automl.judge.scoring import not_probed, ships, title_of
from automl.judge.wording import figures_text, finite, number

TITLE = "Learning rate"
CUT = 3.0
DOWN, DIVERGED = 0.9, 2.0
"""Below the one share of the constant's loss a loss has come down, above the other it has run away: sound nets of all rungs stay
below 1.1 at their rates, on eight tables."""


def run(case: Case) -> list[Finding]:
    found = None if case.evidence is None else case.evidence.probes.rates
    if case.evidence is None or found is None:
        return not_probed(case, "AML324", TITLE, "rates", "trained at several learning rates")
    net = case.evidence.probes.net
    of = title_of(case, net)
    best, loss = min(_known(found), key=lambda point: point[1], default=(math.nan, math.nan))
    high = too_high(found)
    sentence = (
        f"After {found.steps:,} steps on {found.rows:,} rows the loss of {of} is lowest at a learning rate of"
        f" {figures_text(best)}; its settings have {figures_text(found.usual_rate)}"
    )
    if best in _edges(found):
        sentence += f", and {figures_text(best)} is the {'lowest' if best == min(_edges(found)) else 'highest'} that was tried"
    if high:
        sentence += ", at which it runs away: the rate is too high"
    return [
        Finding(
            code="AML324",
            title=TITLE,
            severity=(Severity.ISSUE if ships(case, net) else Severity.TIP) if high else Severity.PASSED,
            section=Section.TRUST if ships(case, net) else Section.CHOICE,
            sentence=f"{sentence}.",
            about="evaluated",
            numbers={
                "usual_rate": number(found.usual_rate),
                "best_rate": number(best),
                "best_loss_as_a_share_of_the_constant's": number(_share(found, loss), unit="share"),
            },
            figures=(_figure(of, found),),
            action=f"Search it longer, or leave it out: `--skip {net}`." if high else "",
        )
    ]


def _edges(found: RateTest) -> tuple[float, float]:
    """The lowest and the highest rate that was tried: beyond them nothing is known."""
    rates = [rate for rate, _ in found.points]
    return min(rates), max(rates)


def _share(found: RateTest, loss: float) -> float:
    return loss / found.constant_loss if found.constant_loss > 0 else math.nan


def _known(found: RateTest) -> list[tuple[float, float]]:
    return [point for point in found.points if math.isfinite(point[1])]


def too_high(found: RateTest) -> bool:
    """Whether the loss runs away at the rate of the settings, but comes down at a tenth of it or less."""
    usual = next((loss for rate, loss in found.points if math.isclose(rate, found.usual_rate, rel_tol=1e-6)), math.nan)
    slower = [loss for rate, loss in _known(found) if rate < 0.2 * found.usual_rate]
    down = bool(slower) and min(slower) < DOWN * found.constant_loss
    return down and not usual < DIVERGED * found.constant_loss


def _figure(of: str, found: RateTest) -> Figure:
    points = _known(found)
    rates = tuple(math.log10(rate) for rate, _ in points)
    series = (
        Series(of, rates, tuple(finite(min(_share(found, loss), CUT)) for _, loss in points)),
        Series("a constant", rates, tuple(1.0 for _ in points)),
    )
    how = (
        f"The loss of {of} on {found.rows:,} rows after {found.steps:,} steps from a fresh start, at a range of learning rates"
        f" (tenfold from one whole number to the next), as a share of the loss of a constant, cut at {CUT:g}. The usual rate is"
        f" {figures_text(found.usual_rate)}, at {math.log10(found.usual_rate):.1f}; left of the valley a net learns slowly, right"
        " of it not at all."
    )
    return Figure(
        "rates", "line", f"{of}: loss by learning rate", how, series, "learning rate (power of ten)", "loss, a constant's = 1"
    )


CHECK = Check("AML324", TITLE, Section.TRUST, run)
