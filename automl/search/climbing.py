"""The ladder, climbed: probe every rung, search near the champion, decide each climb on fresh folds."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from automl.core.clock import INNER_FRACTION, Deadline
from automl.core.errors import AutomlError, InputError, OutOfTimeError, TrainingError
from automl.core.events import Event, Listener
from automl.core.evidence import Decision, Evidence, FairTrial, Final, Trial
from automl.core.options import FAIREST
from automl.core.plan import Rung
from automl.core.space import Settings
from automl.search import budget, sampling
from automl.search.context import Context
from automl.search.deciding import BEYOND_DOUBT, LIKELY, against, decide, worse
from automl.search.ensembling import combine, repeated
from automl.search.fairest import Fairness
from automl.search.journal import Fresh, Journal
from automl.search.sharing import Sharing
from automl.search.trial import Outcome, cost_of, space_of
from automl.search.workshop import Workshop

PATIENCE = 10
"""Trials of each rung near the champion that may bring nothing before `fast` and `balanced` end early."""
VAIN_TRIALS = 30
"""After every so many that brought nothing a rung waits until the other near ones have had as many."""
USUAL = 1.2
"""A trial is begun only where this multiple of what its rung usually takes would still fit; it is cut where it takes longer."""
MOST_WAITING_SECONDS = 3.0
"""While a net waits for the training worker, only trials are begun that are usually done in this time."""
FEWEST_STARTS, CHEAP_SHARE, CHEAP_SECONDS = 3, 0.05, 1.0
"""A rung that is behind after its default settings still gets so many starts where each takes such a share of the time left, or
so few seconds."""
PROBE_SHARE = 0.5
"""Of what is declared, or allowed, most first trials of nets take less than this share, as they end early."""
LEAST_NET_SECONDS = 7.0
LEAST_PROBE_SECONDS = 1.0
SLOW_SECONDS, SLOW_SHARE = 5.0, 0.02
"""Rungs whose trials take this, or such a share of the budget, and that are worse beyond doubt get no fresh folds."""
LEAST_SHARE_OF_TRIAL = 0.7
"""Fresh folds take about as long as the trial's folds; with less time left than this share they are not begun."""
FRESH_SHARE_OF_BEST = 0.1
LEFT_OUT = f"Fresh folds would have taken more than {FRESH_SHARE_OF_BEST:.0%} of the time, and the preset best left them out"
MOST_TIMES_THE_FIRST = 3.0
MOST_SHARE_OF_SEARCH = 0.15
REPEATS = 2
GROUPS_SECONDS = 4.0
"""With less time left than this trials are not compared by sensitive groups."""
LIKELY_MEMBERS = 4
"""While searching, time is kept for an ensemble of so many trials: the best of every contending rung, and the best others."""
SEEDS_OF_BEST = 4
"""The preset best fits the boosted members of an ensemble with so many seeds; its mean errs less than one of them."""
LIKELY_SEEDS = 2
"""Of these, time is kept for while searching; a net is tried first rather than that there are more than one."""


@dataclass
class Climb:
    """One search. `outcomes` grows by trials; everything else is derived from it.

    preparing_seconds: what profiling and splitting took: the measure of what judging will take.
    fairness: what measures trials by sensitive groups, where some were named.
    """

    context: Context
    journal: Journal
    workshop: Workshop
    deadline: Deadline
    listener: Listener
    preparing_seconds: float = 0.0
    fairness: Fairness | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    unneeded: dict[str, str] = field(default_factory=dict)
    exhausted: set[str] = field(default_factory=set)
    stopped: str = ""
    gained_nothing: bool = False
    _by_rung: dict[str, list[Outcome]] = field(default_factory=dict, init=False, repr=False)
    _best: dict[str, Outcome] = field(default_factory=dict, init=False, repr=False)
    _tested: bool = field(default=True, init=False, repr=False)
    _left_at_start: float = field(default=math.inf, init=False, repr=False)
    _worse: dict[tuple[str, str, float], bool] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._sharing = Sharing(self.context, any(self._combines(rung.architecture) for rung in self.context.plan.ladder))

    def run(self) -> Evidence:
        """Probe, search, decide."""
        self._left_at_start = self.deadline.left_seconds(self.judging())
        on_record = self.journal.outcomes()
        ensembles = [outcome.trial for outcome in on_record if outcome.trial.members]
        for outcome in on_record:
            if not outcome.trial.members:
                self._add(outcome)
        for rung in self.context.plan.ladder:
            for outcome in self._of(rung.architecture):
                self._note_failure(outcome.trial, rung)
        self._probe_all()
        if not any(outcome.trial.score is not None for outcome in self.outcomes):
            if self.skipped and not self.failures:
                raise InputError("the budget leaves no time to train anything", "give more with --time")
            raise TrainingError("no architecture could be trained", "; ".join(f"{k}: {v}" for k, v in self.failures.items()))
        self._search()
        finalists = self._prefer_fairest()
        self._train_on_more_rows()
        self._combine(ensembles)
        finals, decisions = self._decide()
        champion = self._champion(finals, decisions)
        return Evidence(
            metric=self.context.plan.metric,
            trials=tuple(outcome.trial for outcome in self.outcomes),
            finals=tuple(finals),
            decisions=tuple(decisions),
            champion=champion.architecture,
            champion_trial=champion.number,
            fresh_folds=max((len(final.fold_scores) for final in finals), default=0),
            rounds=champion.rounds,
            failures=self.failures,
            skipped=self.skipped,
            unneeded=self.unneeded,
            stopped=self.stopped,
            gained_nothing=self.gained_nothing,
            fairness=self._measured_by_groups(),
            finalists=finalists,
        )

    def candidates(self, evidence: Evidence) -> list[Trial]:
        """The champion, then who would be champion without it, and so on: what is shipped if the gate refuses the former."""
        finals = {final.architecture: final for final in evidence.finals}
        left = {each.trial.architecture: each for each in self.finalists()}
        found = [left.pop(evidence.champion).trial] if evidence.champion in left else []
        while left:
            chosen, *others = ((each, finals.get(name)) for name, each in left.items())
            for each in others:
                if not self._skips_fresh_folds(each[0], chosen[0]) and self._compare(each, chosen).accepted:
                    chosen = each
            found.append(left.pop(chosen[0].trial.architecture).trial)
        return found

    # What is known so far

    @property
    def folds(self) -> int:
        """Folds of one shuffling."""
        return sum(fold.repeat == 0 for fold in self.context.search_folds)

    @property
    def _fit_share(self) -> float:
        return budget.fit_share(self.folds, self.context.samples)

    def best(self, architecture: str) -> Outcome | None:
        """The rung's finalist: the best score on the search folds, the earlier trial on a tie."""
        return self._best.get(architecture)

    def leader(self) -> Outcome | None:
        """The best finalist of all rungs on the search folds."""
        finalists = self.finalists()
        return max(finalists, key=self._value) if finalists else None

    def finalists(self) -> list[Outcome]:
        found = [self.best(rung.architecture) for rung in self.context.plan.ladder]
        return [outcome for outcome in found if outcome is not None]

    def _of(self, architecture: str) -> list[Outcome]:
        return self._by_rung.get(architecture, [])

    def _add(self, outcome: Outcome) -> None:
        name = outcome.trial.architecture
        self.outcomes.append(outcome)
        self._by_rung.setdefault(name, []).append(outcome)
        known = self._best.get(name)
        if outcome.trial.score is not None and (known is None or self._rank(outcome) > self._rank(known)):
            self._best[name] = outcome

    def _rank(self, outcome: Outcome) -> tuple[float, float, int]:
        """Settings that were tried again on more rows stand for their rung, as they were the best on fewer."""
        return self.context.rows_a_fit(outcome.trial.most_rows), self._value(outcome), -outcome.trial.number

    def _value(self, outcome: Outcome) -> float:
        score = outcome.trial.score
        return -math.inf if score is None else self.context.metric.gain(score, 0.0)

    def _is_net(self, architecture: str) -> bool:
        return self.context.architecture(architecture).needs_tensorflow

    def _fitted(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """What has to be fitted for these, with the settings that it is fitted with: of ensembles every member, as often as
        it has seeds."""
        known = {each.trial.id: each for each in self.outcomes}
        parts = [part for outcome in outcomes for part in outcome.trial.parts if part.id in known]
        return [self._as_known_now(known[part.id].fitted_with(part.settings)) for part in parts]

    def _as_known_now(self, outcome: Outcome) -> Outcome:
        """A net whose program the training worker has given up is compiled once more."""
        if not outcome.once_seconds or not self._is_net(outcome.trial.architecture) or self.workshop.has_compiled(outcome.trial):
            return outcome
        return replace(outcome, once_seconds=0.0)

    def _parts(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """The same, everything once."""
        return list({each.trial.id: each for each in self._fitted(outcomes)}.values())

    def reserve(self, seeds: int = LIKELY_SEEDS) -> float:
        """Seconds to keep for everything after the search: one set of fresh folds, the fits, judging, report.

        seeds: with which the preset best fits the boosted members of an ensemble, at most.
        """
        contenders = self._contenders()
        finals, judging = self._at_final_size(contenders), self.judging()
        again = sum(ours.seconds for ours, known in zip(finals, contenders, strict=True) if ours is not known)
        fits = [self._shipping([each]) for each in finals]
        shipping = max([*fits, self._combined(contenders, seeds)], default=0.0)
        testing = self._finals_seconds(finals) if self._tests(finals) else 0.0
        return again + testing + self._nesting(contenders) + shipping + judging

    def _at_final_size(self, contenders: list[Outcome]) -> list[Outcome]:
        """With the seconds that they take on the rows of the finals, where those are more than the sample of the search."""
        rows = sampling.final_rows(self.context, contenders, self._left_at_start)
        return [sampling.grown(self.context, each, rows) for each in contenders]

    def last_rows(self, trial: Trial) -> np.ndarray:
        """The training rows that a last fit of a trial learns from: all, or as many as the time allows."""
        rows = self.context.training_rows
        outcome = next((each for each in self.outcomes if each.trial.id == trial.id), None)
        if outcome is None or not self.context.samples or math.isinf(self.deadline.left_seconds()):
            return rows
        left = sampling.LAST_SHARE * self.deadline.left_seconds(self.judging())
        return self.context.sample(rows, sampling.affordable_rows(self.context, outcome, left))

    def _nesting(self, contenders: list[Outcome]) -> float:
        """Seconds for judging small data by nested cross-validation; none where that would take too much of the budget."""
        if self._has_sealed_rows:
            return 0.0
        wanted = budget.nesting_seconds([each for each in contenders if not self._is_net(each.trial.architecture)], self.folds)
        return wanted if wanted <= budget.NESTED_SHARE * (self.context.plan.budget_seconds or math.inf) else 0.0

    @property
    def _has_sealed_rows(self) -> bool:
        return len(self.context.training_rows) < len(self.context.target)

    def _finals_seconds(self, contenders: list[Outcome]) -> float:
        """Seconds of one set of fresh folds, which can be more of them than a trial has."""
        share = sum(fold.repeat == 0 for fold in self.context.fresh_folds) / max(1, self.folds)
        return share * budget.finals_seconds(self._parts(contenders), 1)

    def _tests(self, contenders: list[Outcome], repeats: int = 1) -> bool:
        """Whether these are compared on so many sets of fresh folds: always, but for the preset best only where that takes a
        small share of the time. It goes by the better mean, which the search folds tell nearly as well."""
        plan = self.context.plan
        if plan.preset != "best" or plan.trials is not None or plan.budget_seconds is None:
            return True
        return repeats * self._finals_seconds(contenders) <= FRESH_SHARE_OF_BEST * plan.budget_seconds

    def essential(self) -> float:
        """Seconds that no run can do without: two fits of the heaviest contender with their exports, judging, report.

        Of large data one fit: the last rows are worth less there than a further rung.
        """
        count = 1 if self.context.samples else 2
        fits = [self._shipping([each], count) for each in self._contenders()]
        return max(fits, default=0.0) + self.judging()

    def _combined(self, contenders: list[Outcome], seeds: int) -> float:
        """Seconds to keep so that an ensemble of the best trials can be tested and shipped: a limited share of the budget."""
        if not any(self._combines(rung.architecture) for rung in self.context.plan.ladder):
            return 0.0
        tried = [each for each in self.outcomes if each.trial.score is not None and not each.trial.members]
        tried = [each for each in tried if self.context.architecture(each.trial.architecture).rung > 0]
        known = {each.trial.id for each in contenders}
        of_rungs = [each for each in tried if each.trial.id in known]
        others = sorted((each for each in tried if each.trial.id not in known), key=self._value, reverse=True)
        likely = [*of_rungs, *others[: max(0, LIKELY_MEMBERS - len(of_rungs))]]
        more = [each for each in likely if each.trial.id not in known]
        fitted = repeated(self.context, likely, seeds if self.context.plan.preset == "best" else 1)
        testing = self._finals_seconds(more) if more and self._tests([*contenders, *more]) else 0.0
        wanted = self._shipping(fitted) + testing
        return min(wanted, budget.combining_seconds(self.context.plan.budget_seconds))

    def judging(self) -> float:
        """Seconds to keep for judging and the report."""
        return budget.judging_seconds(self.preparing_seconds, self.context.plan.budget_seconds)

    def _shipping(self, outcomes: Sequence[Outcome], most_fits: int = 2) -> float:
        """Seconds for fitting these and exporting them as one graph: a second time on all rows, where some are sealed."""
        twice = self.context.plan.refit and self._has_sealed_rows
        fits = min([most_fits, *(each.fits for each in outcomes)]) if twice else 1
        parts = []
        for each in self._fitted(outcomes):
            boosted = self.context.architecture(each.trial.architecture).seeds_differ
            size = cost_of(self.context, each.trial).size_bytes if boosted else 0
            parts.append(budget.Part(each, self._is_net(each.trial.architecture), size))
        return budget.shipping_seconds(parts, fits, self.preparing_seconds, self._fit_share, self.workshop.slowness)

    def _contenders(self) -> list[Outcome]:
        """The finalists that fresh folds will be spent on: all but slow ones that are worse, see `_doubt`."""
        return [each for each in self.finalists() if not self._is_slow(each) or not self._hopeless(each, self._doubt)]

    @property
    def _doubt(self) -> float:
        """The interval of the difference on the search folds that has to lie below zero where a slow rung is not run again.

        The preset best goes by the better mean, so that less speaks for another look at the worse one.
        """
        return LIKELY if self.context.plan.preset == "best" else BEYOND_DOUBT

    def _is_slow(self, outcome: Outcome) -> bool:
        """Of an ensemble most is done: its members were run on fresh folds for themselves, or are few."""
        return not outcome.trial.members and outcome.seconds > min(
            SLOW_SECONDS, SLOW_SHARE * (self.context.plan.budget_seconds or math.inf)
        )

    def _hopeless(self, outcome: Outcome, level: float = BEYOND_DOUBT) -> bool:
        leader = self.leader()
        if leader is None:
            return False
        known = outcome.trial.id, leader.trial.id, level
        if known not in self._worse:
            self._worse[known] = self._is_worse(outcome, leader, level)
        return self._worse[known]

    def _is_worse(self, outcome: Outcome, other: Outcome, level: float) -> bool:
        return worse(outcome.trial, other.trial, self.context.metric, self.folds, self.context.rolling, level)

    # Probing

    def _probe_all(self) -> None:
        for rung in self.context.plan.ladder:
            if any(outcome.trial.number == 0 for outcome in self._of(rung.architecture)) or self._combines(rung.architecture):
                continue
            if self._is_net(rung.architecture):
                self._search_while_waiting()
            allowance = self._probe_allowance(rung)
            if allowance is None:
                self.skipped[rung.architecture] = f"{rung.title} was not tried: there was no time left for it"
                self._tell(self.skipped[rung.architecture])
                continue
            self._tell(f"{rung.title}: first trial with default settings", architecture=rung.architecture)
            expected = PROBE_SHARE * min(self._declared_seconds(rung), allowance.left_seconds())
            meanwhile = self._meanwhile(rung.architecture, expected)
            self._record(self.workshop.probe(rung.architecture, allowance, meanwhile), rung)

    def _declared_seconds(self, rung: Rung) -> float:
        """What the rung's declaration expects of a trial with default settings."""
        architecture = self.context.architecture(rung.architecture)
        return architecture.cost(self.context.profile, space_of(self.context, architecture).default()).seconds

    def _probe_allowance(self, rung: Rung) -> Deadline | None:
        """A deadline for a rung's first trial that leaves time to test and ship it; None where there is no such time."""
        if self.deadline.interrupted and rung.rung > 1:
            return None
        left = self.deadline.searching_seconds(self.reserve())
        if math.isinf(left) or (rung.rung <= 1 and not self._is_net(rung.architecture) and self.deadline.left_seconds() > 0):
            return self.deadline.until()
        if self._is_net(rung.architecture):
            try:
                self.workshop.open(self.deadline.until(self.reserve()))
            except TrainingError:
                return None
            left = self.deadline.searching_seconds(self.reserve(seeds=1))
            fits = 2
            if all(self.context.architecture(each.trial.architecture).rung == 0 for each in self.finalists()):
                fits = 1  # without this rung there is only the baseline: fresh folds and the fit on all rows can wait
            shares = 0.5 * fits + 0.5 + fits * self._fit_share
            allowed = (left - fits * self.workshop.slowness * budget.EXPORT_SECONDS[True]) / shares
            return self.deadline.until(share=allowed / self.deadline.left_seconds()) if allowed >= LEAST_NET_SECONDS else None
        essential = self.essential()
        enough = self.deadline.searching_seconds(essential) > LEAST_PROBE_SECONDS
        return self.deadline.until(essential, 1.0 / (1.5 + 2 * self._fit_share)) if enough else None

    def _search_while_waiting(self) -> None:
        """Short trials of the other rungs in this process, as long as the training worker still imports its libraries."""
        if self.context.plan.trials is not None:
            return
        while self.workshop.worker is not None and not self.workshop.broken and not self.workshop.ready():
            if not self._trial_here(MOST_WAITING_SECONDS):
                return

    def _meanwhile(self, architecture: str, seconds: float | None = None) -> Callable[[], bool] | None:
        """What is done in this process while the training worker trains a net for so many seconds, or as many as it usually
        takes: trials without TensorFlow that are usually done by then. Not where trials are counted, as their order is part
        of the result."""
        if self.context.plan.trials is not None or not self._is_net(architecture):
            return None
        until = self.deadline.elapsed_seconds + (self._usual_seconds(architecture) if seconds is None else seconds)
        return lambda: self._trial_here(max(MOST_WAITING_SECONDS, until - self.deadline.elapsed_seconds))

    def _trial_here(self, most_seconds: float) -> bool:
        """One trial in this process that is usually done in so many seconds, if there is one; whether there was."""
        local = [rung for rung in self.context.plan.ladder if not self._is_net(rung.architecture)]
        name = self._next_rung(most_seconds, {rung.architecture for rung in local})
        if name is None:
            return False
        rung = next(rung for rung in local if rung.architecture == name)
        if not self._next_trial(rung, self._trial_deadline(name)):
            self.exhausted.add(name)
        return True

    def _record(self, outcome: Outcome, rung: Rung) -> None:
        self.journal.record(outcome)
        self._add(outcome)
        trial = outcome.trial
        if trial.status == "stopped":
            self._tell(f"{rung.title}, trial {trial.number}: stopped early ({trial.message})", architecture=trial.architecture)
            return
        if trial.score is None:
            self._note_failure(trial, rung)
            self._tell(f"{rung.title}, trial {trial.number}: {trial.status} ({trial.message})", "warning")
            return
        leader = self.leader()
        best = "" if leader is None or leader.trial.score is None else f", best so far {leader.trial.score:.4g}"
        self._tell(
            f"{rung.title}, trial {trial.number}: {self.context.metric.title} {trial.score:.4g}{best}",
            architecture=trial.architecture,
            score=trial.score,
        )

    def _note_failure(self, trial: Trial, rung: Rung) -> None:
        """A rung whose first trial has no score is out, and the report says why."""
        if trial.score is not None or trial.number > 0:
            return
        if trial.status == "failed":
            self.failures[rung.architecture] = f"{rung.title} could not be trained: {trial.message}"
        else:
            self.skipped[rung.architecture] = f"{rung.title} was begun but not finished: {trial.message}"

    # Searching

    def _search(self) -> None:
        rungs = {rung.architecture: rung for rung in self.context.plan.ladder}
        if self.context.plan.trials is not None:
            for rung in rungs.values():
                while (
                    not self._combines(rung.architecture)
                    and self._has_trials_left(rung)
                    and self._next_trial(rung, self.deadline.until())
                ):
                    continue
            self.stopped = self._why_stopped() if self.deadline.interrupted else ""
            return
        while rung_name := self._next_rung():
            if not self._next_trial(rungs[rung_name], self._trial_deadline(rung_name)):
                self.exhausted.add(rung_name)
        self.stopped = self._why_stopped()

    def _has_trials_left(self, rung: Rung) -> bool:
        return len(self._of(rung.architecture)) < (rung.trials or 1) and not self.deadline.interrupted

    def _next_rung(self, most_seconds: float = math.inf, among: Collection[str] | None = None) -> str | None:
        """The rung near the champion that has had the least search time for its share and whose next trial still fits.

        among: the rungs that can be chosen, all where None.
        """
        left = min(most_seconds, self.deadline.searching_seconds(self.reserve()))
        near = [each.trial.architecture for each in self.finalists() if not self._hopeless(each) or self._is_young(each, left)]
        near = [name for name in near if self.context.architecture(name).rung > 0 and name not in self.exhausted]
        if not near or (self.context.plan.preset != "best" and self._gained_nothing(near)):
            return None
        allowed = near if among is None else [name for name in near if name in among]
        fitting = [name for name in allowed if USUAL * self._usual_seconds(name) < left]
        return min(fitting, key=lambda name: (self._vain_trials(name) // VAIN_TRIALS, self._searched(name)), default=None)

    def _searched(self, architecture: str) -> float:
        """The seconds that a rung's trials took, for its share of the search."""
        return sum(each.seconds for each in self._of(architecture)) / self._sharing.of(architecture, self.outcomes)

    def _is_young(self, outcome: Outcome, left: float) -> bool:
        """Whether a rung has not tried its first few starts, which differ much, and one takes a small share of the time."""
        name = outcome.trial.architecture
        return len(self._of(name)) < FEWEST_STARTS and self._usual_seconds(name) < max(CHEAP_SHARE * left, CHEAP_SECONDS)

    def _usual_seconds(self, architecture: str) -> float:
        """What a trial of the rung takes that is not stopped early."""
        whole = [each.seconds for each in self._of(architecture) if each.trial.status != "stopped"]
        return statistics.median(whole or [each.seconds for each in self._of(architecture)])

    def _trial_deadline(self, architecture: str) -> Deadline:
        """A trial may take a few times what the rung's first one took, or a part of what is left; then it is cut short."""
        left = self.deadline.searching_seconds(self.reserve())
        allowed = max(MOST_TIMES_THE_FIRST * self._of(architecture)[0].seconds, MOST_SHARE_OF_SEARCH * left)
        return Deadline(min(left, allowed) / INNER_FRACTION, parent=self.deadline)

    def _measured_by_groups(self) -> tuple[FairTrial, ...]:
        """The trials that are as good as the best, by sensitive groups; none where there is no time left for that."""
        if self.fairness is None or self.deadline.left_seconds(self.judging()) < GROUPS_SECONDS:
            return ()
        return self.fairness.measured(self.outcomes)

    def _prefer_fairest(self) -> dict[str, int]:
        """Where that is asked for, each rung goes on with the fairest trial of those as good as its best; their numbers."""
        if self.fairness is None or self.context.plan.mitigate != FAIREST:
            return {}
        found = {name: self.fairness.fairest(self._of(name)) for name in self._best}
        self._best |= {name: outcome for name, outcome in found.items() if outcome is not None}
        return {name: outcome.trial.number for name, outcome in found.items() if outcome is not None}

    def _gained_nothing(self, near: list[str]) -> bool:
        """Whether each near rung has gone PATIENCE trials without a new best of its own."""
        return all(self._vain_trials(name) >= PATIENCE for name in near)

    def _vain_trials(self, name: str) -> int:
        """Trials of a rung since its best one."""
        best = self.best(name)
        return sum(best is None or each.trial.number > best.trial.number for each in self._of(name))

    def _next_trial(self, rung: Rung, deadline: Deadline) -> bool:
        recorded = [outcome.trial for outcome in self._of(rung.architecture)]
        meanwhile = self._meanwhile(rung.architecture)
        outcome = self.workshop.search(rung.architecture, recorded, deadline, meanwhile)
        if outcome is None:
            return False
        self._record(outcome, rung)
        failed = [each.trial.status in ("failed", "out of time") for each in self._of(rung.architecture)[-3:]]
        return not (len(failed) == 3 and all(failed))

    def _why_stopped(self) -> str:
        if self.deadline.interrupted:
            return "the run was interrupted: the best model so far was kept"
        left = self.deadline.left_seconds(self.reserve())
        searched = sum(outcome.trial.number > 0 for outcome in self.outcomes)
        tried = f"{searched} search trial{'s' * (searched != 1)}"
        if math.isfinite(left) and left > 0.1 * (self.context.plan.budget_seconds or 0):
            self.gained_nothing = searched > 0
            why = "the last ones gained nothing" if searched else "no further trial would have fitted the time"
            return f"ended early after {tried}: {why}; about {left:.0f} s were left"
        kept = self.deadline.left_seconds()
        return (
            f"the time for the search was used up after {tried}; "
            f"about {kept:.0f} s were kept for fresh folds, fitting, judging and the report"
        )

    # Putting together

    def _combines(self, architecture: str) -> bool:
        return self.context.architecture(architecture).combines

    def _combine(self, on_record: list[Trial]) -> None:
        """The ensemble of the trials so far, where the ladder has that rung and there is time for it.

        on_record: ensembles of an earlier sitting, which are made again: the same where the trials are.
        """
        rung = next((each for each in self.context.plan.ladder if self._combines(each.architecture)), None)
        if rung is None or (self.deadline.interrupted and self.context.plan.trials is None):
            return
        self._tell(f"{rung.title}: choosing members", architecture=rung.architecture)
        seeds = SEEDS_OF_BEST if self.context.plan.preset == "best" else 1
        found = combine(self.context, rung.architecture, self.outcomes, self._affords, seeds)
        if isinstance(found, Outcome) and found.trial in on_record:
            self._add(found)
        elif isinstance(found, Outcome):
            self._record(found, rung)
        else:
            told = self.skipped if found.for_time else self.unneeded
            told[rung.architecture] = f"{rung.title} was not tried: {found.why}"

    def _affords(self, members: Sequence[Outcome], fits: int) -> bool:
        """Whether the time left carries these trials together through fresh folds, `fits` fits, judging and the report."""
        sizes = sum(cost_of(self.context, each.trial).size_bytes for each in members)
        if self.context.plan.max_size_mb is not None and sizes > 1e6 * self.context.plan.max_size_mb:
            return False
        if self.context.plan.trials is not None:
            return True
        shipping = self._shipping(members, fits)
        together = [*self._contenders(), *members]
        local = [each for each in together if not self._is_net(each.trial.architecture)]
        nesting = self._nesting([*local, *members]) if len(local) == len(together) else 0.0
        testing = self._finals_seconds(together) if self._tests(together) else 0.0
        needed = testing + nesting + shipping + self.judging()
        return needed < self.deadline.left_seconds()

    # Deciding

    def _train_on_more_rows(self) -> None:
        """Each contender's best settings again, on as many rows as the finals can afford: stopped there, and scored."""
        contenders = self._contenders()
        rows = sampling.final_rows(self.context, contenders, self._left_at_start)
        rungs = {rung.architecture: rung for rung in self.context.plan.ladder}
        for outcome in contenders:
            name = outcome.trial.architecture
            number = max(each.trial.number for each in self._of(name)) + 1
            trial = sampling.larger(self.context, outcome, number, rows)
            if trial is None or self.deadline.interrupted:
                continue
            self.context.encoded.clear()
            count = round(self.context.rows_a_fit(rows))
            self._tell(f"{rungs[name].title}: best settings on {count:,} rows", stage="decide", architecture=name)
            needed = self._finals_seconds([sampling.grown(self.context, outcome, rows)]) + self._after_finals(outcome)
            self._record(self.workshop.again(trial, self.deadline.until(needed)), rungs[name])

    def _decide(self) -> tuple[list[Final], list[Decision]]:
        """Each rung's finalist against the last accepted one, bottom up, on fresh folds."""
        finals: list[Final] = []
        decisions: list[Decision] = []
        incumbent: tuple[Outcome, Final | None] | None = None
        titles = self._titles
        repeats, self._tested = self._repeats(), self._tests(self._contenders())
        for outcome in self.finalists():
            name = outcome.trial.architecture
            if incumbent is not None and self._skips_fresh_folds(outcome, incumbent[0]):
                decisions.append(self._rejected_on_search_folds(outcome, incumbent[0]))
                continue
            final = self._final(outcome, repeats, titles[name]) if self._tested else None
            if final is not None:
                finals.append(final)
            if incumbent is None:
                incumbent = (outcome, final)
                continue
            decision = self._compare((outcome, final), incumbent)
            decisions.append(decision)
            self._tell(decision.sentence, stage="decide")
            if decision.accepted:
                incumbent = (outcome, final)
        return finals, decisions

    def _repeats(self) -> int:
        """Shufflings of fresh folds that the time allows."""
        if self.context.plan.trials is not None:
            return REPEATS
        contenders = self._contenders()
        twice = self.reserve() + self._finals_seconds(contenders)
        return REPEATS if self.deadline.searching_seconds() > twice and self._tests(contenders, REPEATS) else 1

    def _skips_fresh_folds(self, outcome: Outcome, incumbent: Outcome) -> bool:
        """Slow rungs that are worse on the search folds, see `_doubt`, are not run again."""
        return self._is_slow(outcome) and self._is_worse(outcome, incumbent, self._doubt)

    @property
    def _titles(self) -> dict[str, str]:
        return {rung.architecture: rung.title for rung in self.context.plan.ladder}

    def _rejected_on_search_folds(self, outcome: Outcome, incumbent: Outcome) -> Decision:
        titles = self._titles
        ours, theirs = (self._as_final(each, each.trial.fold_scores) for each in (outcome, incumbent))
        decision = decide(ours, theirs, self.context.metric, self.folds, titles, True, self.context.rolling)
        doubt = "beyond doubt " if self._is_worse(outcome, incumbent, BEYOND_DOUBT) else ""
        why = "it was not run again" if doubt else "the preset best did not run it again"
        sentence = (
            f"{titles[ours.architecture]} was worse than {titles[theirs.architecture]} {doubt}on the search folds "
            f"({self.context.metric.title} {against(ours.score, theirs.score, self.context.metric)}): {why} on fresh folds."
        )
        return replace(decision, accepted=False, sentence=sentence, test=decision.test.replace("fresh", "search"))

    def _compare(self, candidate: tuple[Outcome, Final | None], incumbent: tuple[Outcome, Final | None]) -> Decision:
        """The test on fresh folds; on the search folds, and said so, where there was no time to run both again."""
        obey, titles = self.context.plan.preset != "best", self._titles
        if candidate[1] is not None and incumbent[1] is not None:
            return decide(candidate[1], incumbent[1], self.context.metric, self.folds, titles, obey, self.context.rolling)
        ours, theirs = (self._as_final(each, self._scores_of_choice(each)) for each, _ in (candidate, incumbent))
        decision = decide(ours, theirs, self.context.metric, self.folds, titles, obey, self.context.rolling)
        why = "There was no time for fresh folds" if self._tested else LEFT_OUT
        sentence = f"{decision.sentence.replace('on fresh folds', 'on the search folds')} {why}."
        return replace(decision, sentence=sentence, test=decision.test.replace("fresh folds", "search folds"))

    def _scores_of_choice(self, outcome: Outcome) -> tuple[float, ...]:
        """What choosing the best of a rung's trials brings: on every search fold the score of the one that is best on the others.

        The best of many trials scores too well on the folds that it was chosen on; an ensemble's own scores are such already.
        """
        scores = outcome.trial.fold_scores
        tried = [each.trial.fold_scores for each in self._of(outcome.trial.architecture) if each.trial.score is not None]
        alike = np.asarray([each for each in tried if len(each) == len(scores)], np.float64)
        if outcome.trial.members or len(scores) < 2 or len(alike) < 2:
            return scores
        value = alike if self.context.metric.greater_is_better else -alike
        others = np.nansum(value, axis=1, keepdims=True) - np.nan_to_num(value)
        return tuple(float(alike[others[:, fold].argmax(), fold]) for fold in range(len(scores)))

    def _final(self, outcome: Outcome, repeats: int, title: str) -> Final | None:
        """The finalist on fresh folds, as many as the time allows; None (and a failure) where it could not be run."""
        done = self.journal.fresh(outcome.trial)
        self._tell(f"{title}: best settings on fresh folds", stage="decide", architecture=outcome.trial.architecture)
        wanted = [number for number, fold in enumerate(self.context.fresh_folds) if fold.repeat < repeats]
        if not done and not self._affords_fresh_folds(outcome):
            self.skipped[outcome.trial.architecture] = f"{title} could not be tested on fresh folds: there was no time left"
            return None
        for number in wanted:
            if number in done:
                continue
            if self.deadline.interrupted and outcome.seconds > SLOW_SECONDS:
                break
            started = time.monotonic()
            try:
                score, resampled = self.workshop.fresh(outcome.trial, number, self.deadline.until(self._after_finals(outcome)))
            except AutomlError as error:
                told = self.skipped if isinstance(error, OutOfTimeError) else self.failures
                told[outcome.trial.architecture] = f"{title} could not be tested on fresh folds: {error}"
                break
            done[number] = Fresh(score, time.monotonic() - started, resampled)
            self.journal.record_fresh(outcome.trial, number, done[number])
        whole = [number for number in wanted if number in done]
        if len(whole) < self.folds:
            return None
        scores = self._as_final(outcome, tuple(done[number].score for number in whole))
        final = self._priced(replace(scores, resampled=done[whole[0]].resampled), outcome)
        spent = sum(done[number].seconds for number in whole) * self.folds / len(whole)
        counted = self.context.plan.trials is not None
        return final if counted or outcome.trial.members else replace(final, seconds=spent)

    def _affords_fresh_folds(self, outcome: Outcome) -> bool:
        """Whether there is time for one set of them, of which a part is worth nothing; an ensemble's members were run already."""
        left = self.deadline.until(self._after_finals(outcome)).left_seconds()
        return bool(outcome.trial.members) or left > LEAST_SHARE_OF_TRIAL * self._finals_seconds([outcome])

    def _priced(self, final: Final, outcome: Outcome) -> Final:
        """The final with the measured size and latency of its graph, where there is time to measure them."""
        waiting = [self._finals_seconds([each]) + self._after_finals(each) for each in self.finalists() if each.trial.members]
        if self.deadline.searching_seconds(max([self.reserve(), *waiting])) < 0.5 * outcome.seconds + 1.0:
            return final
        price = self.workshop.price(outcome.trial)
        if price is None:
            return final
        counted = self.context.plan.trials is not None
        return replace(final, size_bytes=price[0], row_milliseconds=None if counted else price[1], size_measured=True)

    def _after_finals(self, outcome: Outcome) -> float:
        return self.judging() + self._shipping([outcome])

    def _as_final(self, outcome: Outcome, scores: tuple[float, ...]) -> Final:
        cost = cost_of(self.context, outcome.trial)
        mean = float(np.nanmean(scores))
        seconds = 0.0 if self.context.plan.trials is not None else outcome.seconds
        number, resampled = outcome.trial.number, outcome.trial.resampled
        name = outcome.trial.architecture
        return Final(name, number, scores, mean, seconds, size_bytes=cost.size_bytes, resampled=resampled)

    def _champion(self, finals: list[Final], decisions: list[Decision]) -> Trial:
        """The last accepted rung; without any final, the leader of the search folds."""
        name = decisions[0].incumbent if decisions else None
        for decision in decisions:
            if decision.accepted:
                name = decision.candidate
        chosen = self.best(name) if name else self.leader()
        assert chosen is not None
        return chosen.trial

    def _tell(self, message: str, kind: str = "progress", stage: str = "search", **data: object) -> None:
        left = self.deadline.left_seconds()
        shown: Settings = {**data, "left_seconds": None if math.isinf(left) else left}
        self.listener(Event(stage, message, kind, shown))
