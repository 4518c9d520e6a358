"""Parts of the judged rows that a promise is held against one by one: all rows, by the target, groups and slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.case import Case
from automl.core.statistics import holm, percentile_interval, wilson_interval
from automl.judge.bootstrap import clusters, count_blocks, judged_groups, resamples_for
from automl.judge.fairness import around, sensitive_groupings
from automl.judge.slices import conditions

Array = np.ndarray[Any, Any]

ALL = "all judged rows"
FEWEST_ROWS = 50
"""Parts of fewer rows say little: those by columns are left out, those by true class are shown pale."""
FEWEST_TESTED = 20
MOST_CLASSES, FIFTHS = 20, 5
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Share:
    """How often something holds in one part of the judged rows, with its 95 % interval.

    p: that it holds as often as promised, corrected for all parts that were looked at; NaN where it was not tested.
    """

    text: str
    rows: Array
    value: float
    low: float
    high: float
    p: float = float("nan")

    @property
    def size(self) -> int:
        return int(self.rows.sum())


def true_classes(case: Case) -> dict[str, str]:
    """The parts by true class in words, to the class: every class that was judged, or the most frequent of very many."""
    if not case.profile.task.is_classification:
        return {}
    counts = np.bincount(case.truth, minlength=len(case.profile.classes))
    frequent = [code for code in np.argsort(-counts, kind="stable")[:MOST_CLASSES].tolist() if counts[code]]
    return {f'{case.profile.target} truly is "{case.profile.classes[code]}"': case.profile.classes[code] for code in frequent}


def parts_of_target(case: Case) -> list[tuple[str, Array]]:
    """(text, rows) by true class, or by fifths of the predicted values where these have rows enough."""
    if case.profile.task.is_classification:
        of_class = true_classes(case)
        return [(text, case.truth == case.profile.classes.index(name)) for text, name in of_class.items()]
    edges = np.unique(np.quantile(case.prediction, np.linspace(0, 1, FIFTHS + 1)[1:-1]))
    place = np.searchsorted(edges, case.prediction, side="right")
    names = ["lowest", *["second", "third", "fourth"][: len(edges) - 1], "highest"] if len(edges) == FIFTHS - 1 else []
    found = [(f"the prediction is in the {name} fifth", place == at) for at, name in enumerate(names)]
    return [(text, rows) for text, rows in found if rows.sum() >= FEWEST_ROWS]


def parts_grouped(case: Case) -> list[tuple[str, Array]]:
    """(text, rows) of the sensitive groups that have rows enough."""
    found = [(by.label(code), by.codes == code) for by in sensitive_groupings(case) for code in range(len(by.groups))]
    return [(text, rows) for text, rows in found if rows.sum() >= FEWEST_ROWS]


def parts_sliced(case: Case, known: Sequence[tuple[str, Array]] = ()) -> list[tuple[str, Array]]:
    """(text, rows) by single columns, without those that hold the rows of a known part."""
    if len(case.judged) != len(case.truth):
        return []
    most = len(case.truth) - FEWEST_ROWS
    found = [(each.text, each.rows) for each in conditions(case) if FEWEST_ROWS <= each.rows.sum() <= most]
    return [(text, rows) for text, rows in found if not any(np.array_equal(rows, other) for _, other in known)]


def shares(case: Case, held: Array, parts: list[tuple[str, Array]]) -> list[Share]:
    """The weighted share of rows for which it holds, of each part. held: (judged rows,) 0 or 1.

    The interval is Wilson's, of as many rows as the weighted mean is as exact as; where rows are drawn in groups, that of the
    bootstrap, and Wilson's of so many groups where that has no width.
    """
    groups, values = judged_groups(case), np.asarray(held, np.float64)
    weight = np.ones(len(held)) if case.weight is None else np.asarray(case.weight, np.float64)
    if groups is not None:
        return _shares_of_groups(case, values, parts, weight, groups)
    found = []
    for text, part in parts:
        inside = weight[part]
        value = float((values[part] * inside).sum() / inside.sum()) if inside.sum() > 0 else float("nan")
        units = float(inside.sum() ** 2 / (inside**2).sum()) if inside.sum() > 0 else 0.0
        found.append(Share(text, part, value, *wilson_interval(value, units)))
    return found


def _shares_of_groups(case: Case, values: Array, parts: list[tuple[str, Array]], weight: Array, groups: Array) -> list[Share]:
    rows = len(values)
    member = np.stack([part for _, part in parts], axis=1).astype(np.float64)
    both = np.concatenate([member * values[:, None], member], axis=1)
    total = resamples_for(rows, 1, case)

    def share(counts: Array) -> Array:
        hits, every = np.split(counts @ both, 2, axis=1)
        return np.divide(hits, every, out=np.full(hits.shape, np.nan), where=every > 0)

    replicates = np.concatenate([share(b) for b in count_blocks(rows, total, case.plan.seed, groups, case.weight)])
    observed = share(weight[None, :])[0]
    ends = [around(value, *percentile_interval(column)) for value, column in zip(observed, replicates.T, strict=True)]
    ends = [
        wilson_interval(float(value), len(np.unique(groups[part]))) if low == high else (low, high)
        for value, (low, high), (_, part) in zip(observed, ends, parts, strict=True)
    ]
    return [
        Share(text, part, float(value), low, high)
        for (text, part), value, (low, high) in zip(parts, observed.tolist(), ends, strict=True)
    ]


def below(case: Case, held: Array, level: float, parts: list[tuple[str, Array]]) -> list[tuple[float, str, Array]]:
    """(p, text, rows) of the parts in which it holds less often than promised beyond chance, the clearest first.

    Parts of very few rows are not tested. By the binomial distribution, or, where rows are drawn in groups, by as many rows
    as their mean is as exact as; after Holm.
    """
    from scipy.special import bdtr

    grouped, p_values = clusters(case), []
    parts = [each for each in parts if each[1].sum() >= FEWEST_TESTED]
    for _, part in parts:
        count, share = int(part.sum()), float(np.average(held[part], weights=None if case.weight is None else case.weight[part]))
        if grouped is not None:
            count = max(1, len(np.unique(grouped[part])))
        p_values.append(float(bdtr(np.floor(share * count + 1e-9), count, level)))
    found = [(p, text, part) for p, (text, part) in zip(holm(p_values), parts, strict=True) if p < SIGNIFICANT]
    return sorted(found, key=lambda each: each[0])
