"""The ladder, climbed: probe every rung, search near the champion, decide each climb on fresh folds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automl.core.clock import INNER_FRACTION, Deadline
from automl.core.errors import InputError, TrainingError
from automl.core.events import Event, Listener
from automl.core.evidence import Evidence, FairTrial, Trial
from automl.core.options import FAIREST
from automl.core.plan import Rung
from automl.core.space import Settings
from automl.search import budget, sampling
from automl.search.context import Context
from automl.search.ensembling import Fits, combine
from automl.search.fairest import Fairness
from automl.search.finals import Finals
from automl.search.journal import Journal
from automl.search.prospect import Prospect
from automl.search.reserving import LEFT_OUT, Reserve
from automl.search.standing import Standing
from automl.search.trial import Outcome, cost_of
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
LEAST_NET_SECONDS = 7.0
LEAST_PROBE_SECONDS = 1.0
MOST_TIMES_THE_FIRST = 3.0
MOST_SHARE_OF_SEARCH = 0.15
GROUPS_SECONDS = 6.0
"""With less time left than this trials are not compared by sensitive groups."""


@dataclass
class Climb:
    """One search.

    preparing_seconds: what profiling and splitting took: the measure of what judging will take.
    fairness: what measures trials by sensitive groups, where some were named.
    standing: the trials so far; prospect: the ensemble that they would give; reserve: the time that is kept for what
    follows them; finals: what decides.
    """

    context: Context
    journal: Journal
    workshop: Workshop
    deadline: Deadline
    listener: Listener
    preparing_seconds: float = 0.0
    fairness: Fairness | None = None
    standing: Standing = field(init=False)
    prospect: Prospect = field(init=False)
    reserve: Reserve = field(init=False)
    finals: Finals = field(init=False)
    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    unneeded: dict[str, str] = field(default_factory=dict)
    exhausted: set[str] = field(default_factory=set)
    stopped: str = ""
    gained_nothing: bool = False

    def __post_init__(self) -> None:
        self.standing = Standing(self.context)
        self.prospect = Prospect(self.context, any(self._combines(rung.architecture) for rung in self.context.plan.ladder))
        self.reserve = Reserve(self.standing, self.prospect, self.workshop, self.preparing_seconds)
        self.finals = Finals(
            self.standing,
            self.reserve,
            self.journal,
            self.workshop,
            self.deadline,
            lambda message, name: self._tell(message, stage="decide", architecture=name),
            self.skipped,
            self.failures,
        )

    def run(self) -> Evidence:
        """Probe, search, decide."""
        self.reserve.left_at_start = self.deadline.left_seconds(self.reserve.judging())
        on_record = self.journal.outcomes()
        ensembles = [outcome.trial for outcome in on_record if outcome.trial.members]
        for outcome in on_record:
            if not outcome.trial.members:
                self.standing.add(outcome)
        for rung in self.context.plan.ladder:
            for outcome in self.standing.of(rung.architecture):
                self._note_failure(outcome.trial, rung)
        self._probe_all()
        if not any(outcome.trial.score is not None for outcome in self.standing.outcomes):
            if self.skipped and not self.failures:
                raise InputError("the budget leaves no time to train anything", "give more with --time")
            raise TrainingError("no architecture could be trained", "; ".join(f"{k}: {v}" for k, v in self.failures.items()))
        self._search()
        finalists = self._prefer_fairest()
        self._train_on_more_rows()
        self._combine(ensembles)
        finals, decisions = self.finals.decide()
        champion = self.finals.champion(decisions)
        return Evidence(
            metric=self.context.plan.metric,
            trials=tuple(outcome.trial for outcome in self.standing.outcomes),
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
            searched=tuple(self.finals.searched(each) for each in self.standing.finalists()),
            without_fresh="" if self.finals.tested else LEFT_OUT,
        )

    # Probing

    def _probe_all(self) -> None:
        for rung in self.context.plan.ladder:
            tried = any(outcome.trial.number == 0 for outcome in self.standing.of(rung.architecture))
            if tried or self._combines(rung.architecture):
                continue
            if self._is_net(rung.architecture):
                self._search_while_waiting()
            allowance = self._probe_allowance(rung)
            if allowance is None:
                self.skipped[rung.architecture] = f"{rung.title} was not tried: there was no time left for it"
                self._tell(self.skipped[rung.architecture])
                continue
            self._tell(f"{rung.title}: first trial with default settings", architecture=rung.architecture)
            self._record(self.workshop.probe(rung.architecture, allowance), rung)

    def _probe_allowance(self, rung: Rung) -> Deadline | None:
        """A deadline for a rung's first trial that leaves time to test and ship it; None where there is no such time."""
        if self.deadline.interrupted and rung.rung > 1:
            return None
        left = self.deadline.searching_seconds(self.reserve.after_search())
        if math.isinf(left) or (rung.rung <= 1 and not self._is_net(rung.architecture) and self.deadline.left_seconds() > 0):
            return self.deadline.until()
        if self._is_net(rung.architecture):
            try:
                self.workshop.open(self.deadline.until(self.reserve.after_search()))
            except TrainingError:
                return None
            left = self.deadline.searching_seconds(self.reserve.after_search(seeds=1))
            fits = 2
            if all(self.context.architecture(each.trial.architecture).rung == 0 for each in self.standing.finalists()):
                fits = 1  # without this rung there is only the baseline: fresh folds and the fit on all rows can wait
            shares = 0.5 * fits + 0.5 + fits * self.reserve.fit_share
            allowed = (left - fits * self.workshop.slowness * budget.EXPORT_SECONDS[True]) / shares
            return self.deadline.until(share=allowed / self.deadline.left_seconds()) if allowed >= LEAST_NET_SECONDS else None
        essential = self.reserve.essential()
        enough = self.deadline.searching_seconds(essential) > LEAST_PROBE_SECONDS
        return self.deadline.until(essential, 1.0 / (1.5 + 2 * self.reserve.fit_share)) if enough else None

    def _search_while_waiting(self) -> None:
        """Short trials of the other rungs in this process, as long as the training worker still imports its libraries."""
        if self.context.plan.trials is not None:
            return
        rungs = {rung.architecture: rung for rung in self.context.plan.ladder}
        while self.workshop.worker is not None and not self.workshop.broken and not self.workshop.ready():
            name = self._next_rung(MOST_WAITING_SECONDS)
            if name is None:
                return
            if not self._next_trial(rungs[name], self._trial_deadline(name)):
                self.exhausted.add(name)

    def _record(self, outcome: Outcome, rung: Rung) -> None:
        self.journal.record(outcome)
        self.standing.add(outcome)
        trial = outcome.trial
        if trial.status == "stopped":
            self._tell(f"{rung.title}, trial {trial.number}: stopped early ({trial.message})", architecture=trial.architecture)
            return
        if trial.score is None:
            self._note_failure(trial, rung)
            self._tell(f"{rung.title}, trial {trial.number}: {trial.status} ({trial.message})", "warning")
            return
        leader = self.standing.leader()
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
        return len(self.standing.of(rung.architecture)) < (rung.trials or 1) and not self.deadline.interrupted

    def _next_rung(self, most_seconds: float = math.inf) -> str | None:
        """The rung near the champion that has had the least search time for its share and whose next trial still fits."""
        self.prospect.look(self.standing.outcomes)
        left = min(most_seconds, self.deadline.searching_seconds(self.reserve.after_search()))
        finalists = [each for each in self.standing.finalists() if self.context.architecture(each.trial.architecture).rung > 0]
        near = [
            each.trial.architecture
            for each in finalists
            if each.trial.architecture not in self.exhausted
            and (not self.standing.is_hopeless(each) or self._is_young(each, left))
        ]
        if not near or (self.context.plan.preset != "best" and self._gained_nothing(near)):
            return None
        fitting = [name for name in near if USUAL * self.standing.usual_seconds(name) < left]
        return min(
            fitting,
            key=lambda name: (self.standing.vain_trials(name) // VAIN_TRIALS, self._seconds_for_share(name)),
            default=None,
        )

    def _seconds_for_share(self, architecture: str) -> float:
        """The seconds that a rung's trials took, for its share of the search."""
        spent = sum(each.seconds for each in self.standing.of(architecture))
        return spent / self.prospect.share(architecture)

    def _is_young(self, outcome: Outcome, left: float) -> bool:
        """Whether a rung has not tried its first few starts, which differ much, and one takes a small share of the time."""
        name = outcome.trial.architecture
        return len(self.standing.of(name)) < FEWEST_STARTS and self.standing.usual_seconds(name) < max(
            CHEAP_SHARE * left, CHEAP_SECONDS
        )

    def _trial_deadline(self, architecture: str) -> Deadline:
        """A trial may take a few times what the rung's first one took, or a part of what is left; then it is cut short."""
        left = self.deadline.searching_seconds(self.reserve.after_search())
        allowed = max(MOST_TIMES_THE_FIRST * self.standing.of(architecture)[0].seconds, MOST_SHARE_OF_SEARCH * left)
        return Deadline(min(left, allowed) / INNER_FRACTION, parent=self.deadline)

    def _measured_by_groups(self) -> tuple[FairTrial, ...]:
        """The trials that are as good as the best, by sensitive groups; none where there is no time left for that."""
        if self.fairness is None or self.deadline.left_seconds(self.reserve.judging()) < GROUPS_SECONDS:
            return ()
        return self.fairness.measured(self.standing.outcomes)

    def _prefer_fairest(self) -> dict[str, int]:
        """Where that is asked for, each rung goes on with the fairest trial of those as good as its best; their numbers."""
        if self.fairness is None or self.context.plan.mitigate != FAIREST:
            return {}
        names = [each.trial.architecture for each in self.standing.finalists()]
        found = {name: self.fairness.fairest(self.standing.of(name)) for name in names}
        self.standing.prefer({name: outcome for name, outcome in found.items() if outcome is not None})
        return {name: outcome.trial.number for name, outcome in found.items() if outcome is not None}

    def _gained_nothing(self, near: list[str]) -> bool:
        """Whether each near rung has gone PATIENCE trials without a new best of its own."""
        return all(self.standing.vain_trials(name) >= PATIENCE for name in near)

    def _next_trial(self, rung: Rung, deadline: Deadline) -> bool:
        recorded = [outcome.trial for outcome in self.standing.of(rung.architecture)]
        outcome = self.workshop.search(rung.architecture, recorded, deadline)
        if outcome is None:
            return False
        self._record(outcome, rung)
        failed = [each.trial.status in ("failed", "out of time") for each in self.standing.of(rung.architecture)[-3:]]
        return not (len(failed) == 3 and all(failed))

    def _why_stopped(self) -> str:
        if self.deadline.interrupted:
            return "the run was interrupted: the best model so far was kept"
        left = self.deadline.left_seconds(self.reserve.after_search())
        searched = sum(outcome.trial.number > 0 for outcome in self.standing.outcomes)
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

    def _combine(self, on_record: list[Trial]) -> None:
        """The ensemble of the trials so far, where the ladder has that rung and there is time for it.

        on_record: ensembles of an earlier sitting, which are made again: the same where the trials are.
        """
        rung = next((each for each in self.context.plan.ladder if self._combines(each.architecture)), None)
        if rung is None or (self.deadline.interrupted and self.context.plan.trials is None):
            return
        self._tell(f"{rung.title}: choosing members", architecture=rung.architecture)
        found = combine(self.context, rung.architecture, self.standing.outcomes, self._affords)
        if isinstance(found, Outcome) and found.trial in on_record:
            self.standing.add(found)
        elif isinstance(found, Outcome):
            self._record(found, rung)
        else:
            told = self.skipped if found.for_time else self.unneeded
            told[rung.architecture] = f"{rung.title} was not tried: {found.why}"

    def _affords(self, members: Sequence[Outcome], fits: Fits) -> bool:
        """Whether the time left carries these trials together through fresh folds, such fits, judging and the report."""
        sizes = sum(cost_of(self.context, each.trial).size_bytes for each in members)
        if self.context.plan.max_size_mb is not None and sizes > 1e6 * self.context.plan.max_size_mb:
            return False
        if self.context.plan.trials is not None:
            return True
        return self.reserve.together(members, fits) < self.deadline.left_seconds()

    # Learning from more rows

    def last_rows(self, trial: Trial) -> np.ndarray:
        """The training rows that a last fit of a trial learns from: all, or as many as the time allows."""
        rows = self.context.training_rows
        outcome = next((each for each in self.standing.outcomes if each.trial.id == trial.id), None)
        if outcome is None or not self.context.samples or math.isinf(self.deadline.left_seconds()):
            return rows
        left = sampling.LAST_SHARE * self.deadline.left_seconds(self.reserve.judging())
        return self.context.sample(rows, sampling.affordable_rows(self.context, outcome, left))

    def first_fits(self, candidates: Sequence[Trial]) -> list[Trial]:
        """The candidates for shipping as they are fitted for the verdict: with thrifty nets where two whole fits lack time."""
        left, known = self.deadline.left_seconds(self.reserve.judging()), {each.trial.id: each for each in self.standing.outcomes}
        outcomes = [(trial, known.get(trial.id)) for trial in candidates]
        return [
            trial if found is None or self.reserve.shipping([found]) <= left else found.thrifty().trial
            for trial, found in outcomes
        ]

    def last_fits(self, trial: Trial, measured: dict[str, Any] | None = None, longer: float = 1.0) -> list[Trial]:
        """A trial with as many nets and seeds as time and limits allow, and as it is: the first that passes the gate ships.

        measured: facts of a fit of it as it is; without these it stays so where rows are sampled or limits given, and time is
        left to fit it as it is after all. longer: what the last fit takes against that one.
        """
        plan, outcome = self.context.plan, next((each for each in self.standing.outcomes if each.trial.id == trial.id), None)
        outcome = None if outcome is None else outcome.fitted_with(trial.settings)
        if outcome is None or (self.deadline.interrupted and plan.trials is None):
            return [trial]
        limited = plan.max_size_mb is not None or plan.max_latency_ms is not None
        if measured is None and (self.context.samples or limited):
            return [trial]
        kept = self.reserve.judging()
        if measured is None:
            kept += self.reserve.nesting(self.standing.contenders()) + self.reserve.shipping([outcome], 1)
        left = math.inf if plan.trials is not None else self.deadline.left_seconds(kept)
        fuller = self.reserve.last_fit(outcome, left / longer, measured)
        return [trial] if fuller == trial else [fuller, trial]

    def _train_on_more_rows(self) -> None:
        """Each contender's best settings again, on as many rows as the finals can afford: stopped there, and scored."""
        contenders = self.standing.contenders()
        rows = sampling.final_rows(self.context, contenders, self.reserve.left_at_start)
        rungs = {rung.architecture: rung for rung in self.context.plan.ladder}
        for outcome in contenders:
            name = outcome.trial.architecture
            number = max(each.trial.number for each in self.standing.of(name)) + 1
            trial = sampling.larger(self.context, outcome, number, rows)
            if trial is None or self.deadline.interrupted:
                continue
            self.context.encoded.clear()
            count = round(self.context.rows_a_fit(rows))
            self._tell(f"{rungs[name].title}: best settings on {count:,} rows", stage="decide", architecture=name)
            needed = self.reserve.finals([sampling.grown(self.context, outcome, rows)]) + self.reserve.after_finals(outcome)
            self._record(self.workshop.again(trial, self.deadline.until(needed)), rungs[name])

    def _tell(self, message: str, kind: str = "progress", stage: str = "search", **data: object) -> None:
        left = self.deadline.left_seconds()
        shown: Settings = {**data, "left_seconds": None if math.isinf(left) else left}
        self.listener(Event(stage, message, kind, shown))

    def _is_net(self, architecture: str) -> bool:
        return self.context.architecture(architecture).needs_tensorflow

    def _combines(self, architecture: str) -> bool:
        return self.context.architecture(architecture).combines
