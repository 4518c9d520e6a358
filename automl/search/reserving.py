"""The time that is kept while searching for what no run can do without, and for what makes the best of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from automl.core.evidence import Trial
from automl.core.plan import Plan
from automl.search import budget, sampling
from automl.search.ensembling import Fits
from automl.search.prospect import Prospect
from automl.search.seeding import fitted_seeds, most_seeds, nets_against, with_seeds, with_whole_nets
from automl.search.standing import Standing
from automl.search.trial import Outcome, cost_of
from automl.search.workshop import Workshop

LIKELY_MEMBERS = 4
"""While no ensemble is in prospect, time is kept for one of so many trials: the best of every contending rung, and others."""
LIKELY_SEEDS = 3
"""Seeds of the last fit that time is kept for; a net is tried first rather than that there are more than one."""
CERTAIN = 1.1
"""Of what shipping trials together is expected to take: without a second fit what ships has not learned from the sealed rows."""
MOST_MILLISECONDS, MOST_OF_AN_ENSEMBLE = 0.3, 1.0
"""Further seeds are fitted only as long as so many times what a row takes stays below this, or the limit that is given."""
FRESH_SHARE_OF_BEST = 0.1
LEFT_OUT = "fresh ones would have taken more than a tenth of the time, and the preset best leaves them out then"


@dataclass
class Reserve:
    """Seconds, from what this run has measured.

    prospect: the ensemble that the trials so far would give.
    preparing_seconds: what profiling and splitting took: the measure of what judging will take.
    left_at_start: seconds that were left for search and all that follows it but judging when the search began.
    """

    standing: Standing
    prospect: Prospect
    workshop: Workshop
    preparing_seconds: float = 0.0
    left_at_start: float = field(default=math.inf, init=False)

    def after_search(self, seeds: int = LIKELY_SEEDS) -> float:
        """For everything after the search: one set of fresh folds, the fits, judging, report.

        seeds: of the last fit, at most.
        """
        contenders = self.standing.contenders()
        finals = self._at_final_size(contenders)
        again = sum(ours.seconds for ours, known in zip(finals, contenders, strict=True) if ours is not known)
        likely = self._likely_members(contenders)
        known = {each.trial.id for each in contenders}
        alone = self.testing(finals)
        joint = self.testing([*finals, *(each for each in likely if each.trial.id not in known)])
        testing = min(alone, joint)  # with an ensemble there can be too much to test, and then nothing is tested
        fits = [self.shipping([each], lean=self.prefers_lean) for each in finals]
        together = self._combined(likely, joint - testing, min(seeds, most_seeds(self.standing.context)))
        return again + testing + self.nesting(contenders) + max([*fits, together], default=0.0) + self.judging()

    def essential(self) -> float:
        """For what no run can do without: two fits of the heaviest contender with their exports, judging, report.

        Of large data one fit: the last rows are worth less there than a further rung.
        """
        count = 1 if self.standing.context.samples else 2
        fits = [self.shipping([each], count) for each in self.standing.contenders()]
        return max(fits, default=0.0) + self.judging()

    def after_finals(self, outcome: Outcome) -> float:
        """For shipping one trial, and judging."""
        return self.judging() + self.shipping([outcome], lean=self.prefers_lean)

    def together(self, members: Sequence[Outcome], fits: Fits) -> float:
        """For fresh folds of all contenders and of these trials, such fits of them as one graph, and judging."""
        every = [*self.standing.contenders(), *members]
        local = [each for each in every if not self._is_net(each)]
        nesting = self.nesting([*local, *members]) if len(local) == len(every) else 0.0
        return self.testing(every) + nesting + CERTAIN * self.shipping(members, fits.times, lean=fits.lean) + self.judging()

    def judging(self) -> float:
        """For the probes of sanity, judging and the report."""
        seconds = self.standing.context.plan.budget_seconds
        return budget.judging_seconds(self.preparing_seconds, seconds) + budget.probing_seconds(seconds)

    def nesting(self, contenders: list[Outcome]) -> float:
        """For judging small data by nested cross-validation; none where that would take too much of the budget."""
        if self.has_sealed_rows:
            return 0.0
        wanted = budget.nesting_seconds([each for each in contenders if not self._is_net(each)], self.standing.folds)
        most = budget.NESTED_SHARE * (self.standing.context.plan.budget_seconds or math.inf)
        return wanted if wanted <= most else 0.0

    def testing(self, contenders: list[Outcome]) -> float:
        """For one set of fresh folds of these; none where there are to be none."""
        return self.finals(contenders) if self.tests(contenders) else 0.0

    def finals(self, contenders: list[Outcome]) -> float:
        """What one set of fresh folds takes, which can be more of them than a trial has."""
        share = sum(fold.repeat == 0 for fold in self.standing.context.fresh_folds) / max(1, self.standing.folds)
        parts = {each.trial.id: each for each in self._fitted(contenders)}
        return share * budget.finals_seconds(parts.values(), 1)

    def tests(self, contenders: list[Outcome], repeats: int = 1) -> bool:
        """Whether these are compared on so many sets of fresh folds: always, but for the preset best only where that takes a
        small share of the time. It goes by the better mean, which the search folds tell nearly as well. Without sealed rows
        they are what the model is judged by."""
        plan = self.standing.context.plan
        if plan.preset != "best" or plan.trials is not None or plan.budget_seconds is None or not self.has_sealed_rows:
            return True
        return repeats * self.finals(contenders) <= FRESH_SHARE_OF_BEST * plan.budget_seconds

    def shipping(self, outcomes: Sequence[Outcome], most_fits: int = 2, seeds: int = 1, lean: bool = False) -> float:
        """For fitting these and exporting them as one graph: a second time on all rows, where some are sealed.

        seeds: of the last of these fits. lean: the first one has thrifty nets.
        """
        context = self.standing.context
        twice = context.plan.refit and self.has_sealed_rows
        fits = min([most_fits, *(each.fits for each in outcomes)]) if twice else 1
        seeded = [replace(each, trial=with_seeds(context, each.trial, seeds)) for each in outcomes]
        first = [each.thrifty() for each in outcomes] if lean else outcomes
        return self._fit(first, fits - 1) + self._fit(seeded, 1)

    def _fit(self, outcomes: Sequence[Outcome], fits: int) -> float:
        context = self.standing.context
        parts = []
        for each in self._fitted(outcomes):
            boosted = context.architecture(each.trial.architecture).seeds_differ
            size = cost_of(context, each.trial).size_bytes if boosted else 0
            parts.append(budget.Part(each, self._is_net(each), size))
        return budget.shipping_seconds(parts, fits, self.preparing_seconds, self.fit_share, self.workshop.slowness)

    def last_fit(self, outcome: Outcome, left_seconds: float, measured: dict[str, Any] | None = None) -> Trial:
        """A trial with the nets and seeds that it can be fitted and exported with once more in so many seconds, within the
        limits of the plan: nets that were to be thrifty with all their fits first, then as many seeds as may be.

        measured: facts of a fit of the trial as it is, on about as many rows.
        """
        context, expected = self.standing.context, self._fit([outcome], 1)
        slower = CERTAIN if measured is None or not expected else (measured["seconds"] + measured["export_seconds"]) / expected
        usual = MOST_OF_AN_ENSEMBLE if outcome.trial.members else MOST_MILLISECONDS
        whole = with_whole_nets(outcome.trial, {each.trial.id: each.trial.settings for each in self.standing.outcomes})
        for trial in (whole, outcome.trial) if whole != outcome.trial else (whole,):
            for count in range(most_seeds(context), 0, -1):
                seeded = with_seeds(context, trial, count)
                seconds, times = slower * self._fit([replace(outcome, trial=seeded)], 1), fitted_seeds(seeded)
                larger = times * (nets_against(trial, outcome.trial) if _is_limited(context.plan) else 1)
                if seconds <= left_seconds and (larger == 1 or _within_limits(context.plan, measured or {}, larger, usual)):
                    return seeded
        return outcome.trial

    @property
    def prefers_lean(self) -> bool:
        """Whether time is kept for whole nets in the last fit alone: the search has that of the first one."""
        return most_seeds(self.standing.context) > 1

    @property
    def fit_share(self) -> float:
        """Of a trial's seconds, what a fit takes at most."""
        return budget.fit_share(self.standing.folds, self.standing.context.samples)

    @property
    def has_sealed_rows(self) -> bool:
        context = self.standing.context
        return len(context.training_rows) < len(context.target)

    def _combined(self, likely: list[Outcome], testing: float, seeds: int) -> float:
        """So that an ensemble of these can be tested, in so many seconds, and shipped: a limited share of the budget."""
        lean = self.prefers_lean
        plain, fuller = (testing + self.shipping(likely, seeds=each, lean=lean) for each in (1, seeds))
        return budget.combining_seconds(self.standing.context.plan.budget_seconds, plain, fuller)

    def _likely_members(self, contenders: list[Outcome]) -> list[Outcome]:
        """Those of the ensemble in prospect; where there is none, the best of every contending rung, and the best others."""
        if not self.prospect.combines:
            return []
        if len(self.prospect.members) > 1:
            return list(self.prospect.members)
        tried = [each for each in self.standing.outcomes if each.trial.score is not None and not each.trial.members]
        tried = [each for each in tried if self.standing.context.architecture(each.trial.architecture).rung > 0]
        known = {each.trial.id for each in contenders}
        of_rungs = [each for each in tried if each.trial.id in known]
        others = sorted((each for each in tried if each.trial.id not in known), key=self.standing.value, reverse=True)
        return [*of_rungs, *others[: max(0, LIKELY_MEMBERS - len(of_rungs))]]

    def _at_final_size(self, contenders: list[Outcome]) -> list[Outcome]:
        """With the seconds that they take on the rows of the finals, where those are more than the sample of the search."""
        context = self.standing.context
        rows = sampling.final_rows(context, contenders, self.left_at_start)
        return [sampling.grown(context, each, rows) for each in contenders]

    def _fitted(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """What has to be fitted for these, with the settings that it is fitted with: of ensembles every member, as often as
        it has seeds."""
        known = {each.trial.id: each for each in self.standing.outcomes}
        parts = [part for outcome in outcomes for part in outcome.trial.parts if part.id in known]
        return [self._as_known_now(known[part.id].fitted_with(part.settings)) for part in parts]

    def _as_known_now(self, outcome: Outcome) -> Outcome:
        """A net whose program the training worker has given up is compiled once more."""
        if not outcome.once_seconds or not self._is_net(outcome) or self.workshop.has_compiled(outcome.trial):
            return outcome
        fit = None if outcome.fit_seconds is None else outcome.fit_seconds + outcome.once_seconds
        return replace(outcome, once_seconds=0.0, fit_seconds=fit)

    def _is_net(self, outcome: Outcome) -> bool:
        return self.standing.context.architecture(outcome.trial.architecture).needs_tensorflow


def _is_limited(plan: Plan) -> bool:
    return plan.max_latency_ms is not None or plan.max_size_mb is not None


def _within_limits(plan: Plan, measured: dict[str, Any], count: float, usual: float) -> bool:
    """Whether so many times the bytes and milliseconds of a model are allowed: `usual` ones where the plan names no limit. Where
    trials are counted the clock is asked only for a limit that was given."""
    usual = usual if plan.trials is None else math.inf
    latency, size = plan.max_latency_ms or usual, 1e6 * (plan.max_size_mb or math.inf)
    return count * measured.get("milliseconds_a_row", 0.0) <= latency and count * measured.get("bytes", 0) <= size
