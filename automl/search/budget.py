"""What finishing a run still costs, from what this run has measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from automl.search.trial import Outcome

FIT_SHARE = 0.35
"""A fit on all rows against a trial over five folds, at most."""
EXPORT_SECONDS = {False: 0.5, True: 1.25}
"""Writing and checking one graph, by whether it comes from TensorFlow, on two cores that do nothing else."""
FURTHER_SECONDS, SECONDS_A_MB = {False: 0.1, True: 0.6}, 0.3
"""What each further fit in the same graph, and each megabyte of boosted trees, whose text is read, adds to that."""
IMPORT_SECONDS = 8.0
"""What the worker's libraries take to be imported there: the measure of how slow the machine is in this run."""
MOST_SLOWNESS = 4.0
SEALED_GROWTH = 1.15
"""A fit on all rows against one on those that are not sealed: with what is judged, the mean of the two that are needed."""
EXPORT_SHARE = 0.4
JUDGING_SECONDS, JUDGING_SHARE_OF_BUDGET = 2.0, 0.05
JUDGING_SHARE = 1.5
"""Export and judging go through the columns as profiling and splitting do: their seconds against those
that preparing took in this run, on this machine with its load."""
TIGHT_SHARE = 0.25
"""Judging never claims more than this share of the budget; it does less instead."""

PROBING_SHARE = 0.15
"""Of the budget, the most that the probes of sanity take; it counts as judging."""
KEPT_FOR_PROBES, LEAST_BUDGET_FOR_PROBES = 0.03, 120.0
"""The share of a budget that long that is kept for them while searching and fitting; of a shorter one they get what is left."""
COMBINED_SHARE, COMBINED_SECONDS, COMBINED_LEAST_SHARE = 0.3, 50.0, 0.15
"""The most of the budget that is kept while searching so that an ensemble can be shipped with several seeds: a share, but no more
than so many seconds, which nearly all ensembles of tables are content with, unless these are less than the least share."""
SHIPPED_SHARE, SHIPPED_SECONDS, SHIPPED_LEAST_SHARE = 0.4, 60.0, 0.25
"""The most that is kept so that it can be shipped at all, twice, as fitting once more on all rows is worth more than most trials:
a share, seconds and a least share as above. What would take longer is made with fewer nets."""
NESTED_SHARE = 0.3
"""The most of the budget that nested cross-validation may take."""


def judging_seconds(preparing: float, budget: float | None) -> float:
    """Time kept for scores, importance, findings and pages. preparing: seconds that profiling and splitting took."""
    wanted = JUDGING_SECONDS + JUDGING_SHARE * preparing
    return wanted if budget is None else min(wanted + JUDGING_SHARE_OF_BUDGET * budget, TIGHT_SHARE * budget)


def probing_seconds(budget: float | None) -> float:
    """Time kept for the probes of sanity."""
    return KEPT_FOR_PROBES * budget if budget is not None and budget >= LEAST_BUDGET_FOR_PROBES else 0.0


SAMPLED_SHARE = 0.7
"""A fit on as many rows as a trial on a sample learned from, against that trial, which also predicts a large holdout."""


def combining_seconds(budget: float | None, plain: float, fuller: float) -> float:
    """What is kept for shipping an ensemble: what that takes with one seed of its members, and with several, within bounds."""
    if budget is None:
        return max(plain, fuller)
    most = max(COMBINED_LEAST_SHARE * budget, min(COMBINED_SHARE * budget, COMBINED_SECONDS))
    shipped = max(SHIPPED_LEAST_SHARE * budget, min(SHIPPED_SHARE * budget, SHIPPED_SECONDS))
    return max(min(fuller, most), min(plain, shipped))


def fit_share(folds: int, samples: bool = False) -> float:
    """Seconds of a fit on all rows against those of a trial over so many folds, at most: with one holdout a fit is more.

    samples: on as many rows as the trial, which was on a sample of a large table.
    """
    return SAMPLED_SHARE if samples else max(FIT_SHARE, 1.5 / folds)


@dataclass(frozen=True)
class Part:
    """One fit among those that are shipped together. tensorflow: whether it is a net. size_bytes: of boosted trees, else 0."""

    outcome: Outcome
    tensorflow: bool
    size_bytes: int = 0


def shipping_seconds(
    parts: Sequence[Part], fits: int, preparing: float = 0.0, share: float = FIT_SHARE, slowness: float = 1.0
) -> float:
    """Time for `fits` fits of all parts on (nearly) all rows, each time exported as one graph.

    share: as `fit_share` tells it, where the learner did not tell itself what a fit takes; slowness: of the machine in
    this run, see `slowness_of`.
    """
    if not parts:
        return 0.0
    fitting = sum(_fitting_seconds(part.outcome, share) for part in parts)
    first = max(parts, key=lambda part: part.tensorflow)
    exporting = EXPORT_SECONDS[first.tensorflow] - FURTHER_SECONDS[first.tensorflow]
    exporting += sum(FURTHER_SECONDS[part.tensorflow] for part in parts)
    exporting += SECONDS_A_MB * sum(1e-6 * part.size_bytes for part in parts)
    return fits * (fitting + slowness * exporting + EXPORT_SHARE * preparing)


def _fitting_seconds(outcome: Outcome, share: float) -> float:
    return share * outcome.again_seconds if outcome.fit_seconds is None else SEALED_GROWTH * outcome.fit_seconds


def slowness_of(import_seconds: float) -> float:
    """How many times slower the machine is than two idle cores, from what importing the worker's libraries took."""
    return min(MOST_SLOWNESS, max(1.0, import_seconds / IMPORT_SECONDS))


def nesting_seconds(candidates: Iterable[Outcome], folds: int) -> float:
    """Time to repeat the choice among the candidates inside every outer fold, once."""
    return folds * sum(outcome.seconds for outcome in candidates)


def finals_seconds(finalists: Iterable[Outcome], repeats: int) -> float:
    """Time to run the finalists again on `repeats` sets of fresh folds."""
    return sum(repeats * outcome.again_seconds for outcome in finalists)
