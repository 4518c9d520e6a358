"""Ensembles: greedy selection with replacement on out-of-fold predictions, scored by weights that other folds found.

Method: Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models", ICML 2004.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from automl.core.evidence import LINEAR, Member, Trial
from automl.search.context import Context
from automl.search.pooling import from_sum, pooled, pools_for, to_addends
from automl.search.trial import Outcome
from automl.splitting import seeds

Array = np.ndarray[Any, Any]
Affords = Callable[[Sequence[Outcome]], bool]
"""Whether there is time, and room, to test, fit and export these trials together."""


class Fits(NamedTuple):
    """How members are fitted: once, or for the verdict and then on all rows. lean: all but the last time with thrifty nets."""

    times: int
    lean: bool = False


AffordsFits = Callable[[Sequence[Outcome], Fits], bool]
"""The same for a way to fit them."""

ROUNDS = 25
"""Steps of the greedy selection; weights are multiples of one over the steps that were kept, less the members let go."""
VAIN_ROUNDS = 8
MOST_CANDIDATES, MOST_OF_A_RUNG = 30, 12
"""The best trials that the selection looks at; of a rung more than six, as what errs otherwise is seldom the best alone."""
MOST_MEMBERS = 6
MOST_ROWS, FEWEST_ROWS, MOST_CELLS = 12_000, 3_000, 60_000
"""Out-of-fold rows that the selection looks at, fewer of many classes; the score is computed on all of them."""
WORTH_OF_NETS, WORTH_OF_REFIT = 0.05, 0.1
"""Shares of the loss that several nets of a trial instead of one, which is what is scored, for the weight of these trials, and
fitting once more on all rows, sealed ones included, are taken to save."""
PARTS = 5
"""A single holdout is divided into so many parts, which stand for folds."""
WORTH_OF_MEMBER = 0.001
"""A member without which the loss is higher by less than this share is let go: what it takes to fit and to ask is worth more."""
DIGITS = 6
"""Scores that differ later than this many digits count as equal; then the trial that is in already is taken again."""


@dataclass(frozen=True)
class NotMade:
    """Why there is no ensemble; for_time: more time would have made one."""

    why: str
    for_time: bool


@dataclass(frozen=True)
class _Choice:
    """Trials with the weights that were found for them on some of the folds, and how they are put together."""

    outcomes: tuple[Outcome, ...]
    weights: tuple[float, ...]
    pool: str = LINEAR

    def without(self, place: int) -> _Choice:
        """The others, with weights that sum to one again."""
        left = [number for number in range(len(self.outcomes)) if number != place]
        total = sum(self.weights[number] for number in left)
        weights = tuple(self.weights[number] / total for number in left)
        return _Choice(tuple(self.outcomes[number] for number in left), weights, self.pool if len(left) > 1 else LINEAR)

    def says(self, rows: Array) -> Array:
        """The trials' out-of-fold predictions of these rows, put together."""
        return pooled([np.asarray(outcome.predictions)[rows] for outcome in self.outcomes], self.weights, self.pool)


def combine(context: Context, name: str, library: Sequence[Outcome], affords_fits: AffordsFits) -> Outcome | NotMade:
    """The ensemble of the trials of the library as an outcome of its own, or why there is none.

    Its score and out-of-fold predictions come from members and weights that were selected without the fold that they are
    applied to, so that they flatter it no more than the trials' own do; what ships is selected on all folds. Both choose
    only among members that there is time to ship together.
    """
    usable = _usable(context, library)
    if len(usable) < 2:
        return NotMade("there are fewer than two trials to put together", False)
    folds = _folds(context)
    every = usable
    usable, shipped, fits = _selected(context, usable, folds, affords_fits)

    def affords(members: Sequence[Outcome]) -> bool:
        return affords_fits(members, fits)

    if len(shipped.outcomes) < 2:
        return _not_made(context, every, folds)
    allowed = len(shipped.outcomes)
    scores: list[float] = []
    predictions = np.full_like(np.asarray(usable[0].predictions, np.float64), np.nan)
    for number, rows in enumerate(folds):
        others = [other for place, other in enumerate(folds) if place != number]
        chosen = select(context, usable, others, lambda members: len(members) <= allowed and affords(members))
        predictions[rows] = chosen.says(rows)
        scores.append(context.score(rows, predictions[rows]))
    if fits.lean:
        shipped = replace(shipped, outcomes=tuple(each.thrifty() for each in shipped.outcomes))
    return replace(_as_outcome(context, name, shipped, tuple(scores), predictions), fits=fits.times)


def likely(context: Context, library: Sequence[Outcome]) -> tuple[tuple[Outcome, ...], tuple[float, ...]]:
    """The trials that would be selected from these, had there been all the time, with their weights."""
    chosen = select(context, _usable(context, library), _folds(context), lambda _: True)
    return chosen.outcomes, chosen.weights


def _usable(context: Context, library: Sequence[Outcome]) -> list[Outcome]:
    """The trials that can be members: scored, and of rungs above the baseline."""
    scored = [each for each in library if each.trial.score is not None and each.predictions is not None]
    return [each for each in scored if context.architecture(each.trial.architecture).rung > 0]


def _not_made(context: Context, library: Sequence[Outcome], folds: Sequence[Array]) -> NotMade:
    """Whether more than one trial would have been chosen had there been all the time, and room."""
    unbound = select(context, library, folds, lambda _: True).outcomes
    if len(unbound) < 2:
        alone = unbound[0].trial.id if unbound else "the best trial"
        return NotMade(f"greedy selection found nothing to put beside {alone}", False)
    if context.plan.max_size_mb is not None:
        return NotMade("there is no time, or no room in --max-size-mb, to ship more than one trial", False)
    return NotMade("there is no time to fit more than one trial", True)


def _selected(
    context: Context, library: list[Outcome], folds: Sequence[Array], affords: AffordsFits
) -> tuple[list[Outcome], _Choice, Fits]:
    """The library, what is selected from it, and the way to fit it that there is time for.

    Nets with all their fits are preferred to thrifty ones, and a second fit on all rows to none, unless what there is
    time for then scores better by more than these are worth. With time for everything no other way is looked at.
    """
    rows = _looked_at(context, folds)

    def expected_loss(way: tuple[list[Outcome], _Choice, Fits]) -> float:
        _, found, fits = way
        whole = sum(weight for each, weight in zip(found.outcomes, found.weights, strict=True) if each.thrift is not None)
        saved = (1 - WORTH_OF_NETS * whole) * (1 - WORTH_OF_REFIT * (fits.times > 1))
        return _loss(context, _value_of(context, rows, found)) * saved

    thrifty = [each.thrifty() for each in library]
    sparing = any(each.thrift is not None for each in library)
    ways = [(library, Fits(2)), *([(library, Fits(2, lean=True)), (thrifty, Fits(2))] if sparing else []), (thrifty, Fits(1))]
    tried: list[tuple[list[Outcome], _Choice, Fits]] = []
    for each, fits in ways:
        asked = _Asked(affords, fits)
        tried.append((each, select(context, each, folds, asked), fits))
        if not asked.refused:
            break
    return min(tried, key=expected_loss)


@dataclass
class _Asked:
    """What can be fitted in a way, and whether anything cannot."""

    affords: AffordsFits
    fits: Fits
    refused: bool = False

    def __call__(self, members: Sequence[Outcome]) -> bool:
        affordable = self.affords(members, self.fits)
        self.refused |= not affordable
        return affordable


def _loss(context: Context, value: float) -> float:
    """What a value of the metric, greater is better, lacks to the best possible one."""
    return max(0.0, context.metric.bounds[1] - value if context.metric.greater_is_better else -value)


def select(context: Context, library: Sequence[Outcome], folds: Sequence[Array], affords: Affords) -> _Choice:
    """Forward selection on these folds (arrays of rows) with each pool; the linear one unless another is better."""
    rows = _looked_at(context, folds)
    candidates = _candidates(context, library, rows)
    found = [_grown(context, candidates, rows, affords, pool) for pool in pools_for(context.profile.task)]
    return max(found, key=lambda choice: round(_value_of(context, rows, choice), DIGITS))


def _grown(context: Context, candidates: Sequence[Outcome], rows: Sequence[Array], affords: Affords, pool: str) -> _Choice:
    """Every step adds the candidate with which all chosen so far score best; the best prefix is kept, without the members
    that bring next to nothing.
    """
    parts = [[to_addends(np.asarray(outcome.predictions)[each], pool) for each in rows] for outcome in candidates]
    totals: list[Any] = [0.0] * len(rows)
    chosen: list[int] = []
    best, kept = -np.inf, 0
    while len(chosen) < ROUNDS and len(chosen) - kept < VAIN_ROUNDS:
        scored = {}
        for place in range(len(candidates)):
            members = [candidates[each] for each in sorted({*chosen, place})]
            if place not in chosen and (len(members) > MOST_MEMBERS or not affords(members)):
                continue
            sums = [(total + part) / (len(chosen) + 1) for total, part in zip(totals, parts[place], strict=True)]
            said = [from_sum(each, pool) for each in sums]
            scored[place] = round(_value(context, rows, said), DIGITS), place in chosen, -place
        if not scored:
            break
        winner = max(scored, key=lambda place: scored[place])
        totals = [total + part for total, part in zip(totals, parts[winner], strict=True)]
        chosen.append(winner)
        if scored[winner][0] > best:
            best, kept = scored[winner][0], len(chosen)
    counts = Counter(chosen[:kept]).most_common()
    pool = pool if len(counts) > 1 else LINEAR
    found = _Choice(tuple(candidates[place] for place, _ in counts), tuple(count / kept for _, count in counts), pool)
    return _without_idle(context, found, rows)


def _without_idle(context: Context, choice: _Choice, rows: Sequence[Array]) -> _Choice:
    """The choice without members that bring next to nothing, the least useful one first."""

    def loss(each: _Choice) -> float:
        return _loss(context, _value_of(context, rows, each))

    most = (1 + WORTH_OF_MEMBER) * loss(choice) if len(choice.outcomes) > 1 else 0.0
    while len(choice.outcomes) > 1:
        found = min((choice.without(place) for place in range(len(choice.outcomes))), key=loss)
        if loss(found) > most:
            break
        choice = found
    return choice


def _value(context: Context, rows: Sequence[Array], predictions: Sequence[Array]) -> float:
    """The mean score over the folds on which it is defined, greater is better."""
    scores = [context.score(each, prediction) for each, prediction in zip(rows, predictions, strict=True)]
    return context.metric.gain(float(np.nanmean(scores)), 0.0) if np.isfinite(scores).any() else -np.inf


def _value_of(context: Context, rows: Sequence[Array], choice: _Choice) -> float:
    return _value(context, rows, [choice.says(part) for part in rows]) if choice.outcomes else -np.inf


def _candidates(context: Context, library: Sequence[Outcome], rows: Sequence[Array]) -> tuple[Outcome, ...]:
    """The trials of every rung that are best on these rows, the best first; of those that predict the same, the first."""
    values = [_value(context, rows, [np.asarray(outcome.predictions)[each] for each in rows]) for outcome in library]
    of_rung: Counter[str] = Counter()
    found: list[Outcome] = []
    for place in sorted(range(len(library)), key=lambda place: (-values[place], place)):
        outcome = library[place]
        prediction = np.asarray(outcome.predictions)
        if of_rung[outcome.trial.architecture] >= MOST_OF_A_RUNG or len(found) >= MOST_CANDIDATES:
            continue
        if any(np.array_equal(prediction, np.asarray(other.predictions), equal_nan=True) for other in found):
            continue
        of_rung[outcome.trial.architecture] += 1
        found.append(outcome)
    return tuple(found)


def _folds(context: Context) -> list[Array]:
    """The validation rows of each search fold; of a single one, in parts."""
    folds = [fold.validation for fold in context.search_folds]
    if len(folds) > 1:
        return folds
    order = np.random.default_rng(seeds(context.plan.seed)("parts of the holdout")).permutation(folds[0])
    return [np.sort(part) for part in np.array_split(order, PARTS)]


def _looked_at(context: Context, folds: Sequence[Array]) -> list[Array]:
    most = min(MOST_ROWS, max(FEWEST_ROWS, MOST_CELLS // context.problem.outputs)) // len(folds)
    generator = np.random.default_rng(seeds(context.plan.seed)("rows of the selection"))
    return [rows if len(rows) <= most else np.sort(generator.permutation(rows)[:most]) for rows in folds]


def _as_outcome(context: Context, name: str, shipped: _Choice, scores: tuple[float, ...], predictions: Array) -> Outcome:
    members = tuple(Member.of(each.trial, weight) for each, weight in zip(shipped.outcomes, shipped.weights, strict=True))
    folds = [fold.validation for fold in context.search_folds]
    if len(folds) == 1:
        scores = (context.score(folds[0], predictions[folds[0]]),)
    trial = Trial(
        name,
        0,
        {each.trial.id: round(weight, 4) for each, weight in zip(shipped.outcomes, shipped.weights, strict=True)},
        seed=context.plan.seed,
        score=float(np.nanmean(scores)),
        fold_scores=scores,
        resampled=context.resampled(folds[0], predictions[folds[0]]),
        selection_scores=tuple(context.score(rows, shipped.says(rows)) for rows in folds),
        members=members,
        pool=shipped.pool,
    )
    return Outcome(trial, predictions, sum(outcome.seconds for outcome in shipped.outcomes))
