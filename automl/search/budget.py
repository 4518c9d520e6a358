"""What finishing a run still costs, from what this run has measured."""

from __future__ import annotations

from collections.abc import Iterable

from automl.search.trial import Outcome

FIT_SHARE = 0.35
"""A fit on all rows against a trial over all folds, at most."""
EXPORT_SECONDS = {False: 0.7, True: 6.0}
"""Writing and checking one graph, by whether it comes from TensorFlow."""
JUDGING_SECONDS = 3.0
JUDGING_SECONDS_A_THOUSAND_ROWS = 0.04
TIGHT_SHARE = 0.25
"""Judging never claims more than this share of a short budget; it does less instead."""


def judging_seconds(rows: int, columns: int, budget: float | None) -> float:
    """Time kept for scores, importance, findings and pages."""
    wanted = JUDGING_SECONDS + JUDGING_SECONDS_A_THOUSAND_ROWS * min(rows, 100_000) / 1000 + 0.02 * min(columns, 200)
    return wanted if budget is None else min(wanted, TIGHT_SHARE * budget)


def shipping_seconds(champion: Outcome | None, tensorflow: bool, fits: int) -> float:
    """Time for `fits` fits of the champion on (nearly) all rows with their exports."""
    if champion is None:
        return 0.0
    return fits * (FIT_SHARE * champion.seconds + EXPORT_SECONDS[tensorflow])


def finals_seconds(finalists: Iterable[Outcome], repeats: int) -> float:
    """Time to run the finalists again on `repeats` sets of fresh folds."""
    return sum(repeats * outcome.seconds for outcome in finalists)
