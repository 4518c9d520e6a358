"""Each climb decided: the finalists of the rungs on fresh folds, each against the last one that was accepted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from automl.core.clock import Deadline
from automl.core.errors import AutomlError, OutOfTimeError
from automl.core.evidence import Decision, Evidence, Final, Trial
from automl.search.deciding import BEYOND_DOUBT, against, decide
from automl.search.journal import Fresh, Journal
from automl.search.reserving import Reserve
from automl.search.standing import SLOW_SECONDS, Standing
from automl.search.trial import Outcome, cost_of
from automl.search.workshop import Workshop

REPEATS = 2
LEAST_SHARE_OF_TRIAL = 0.7
"""Fresh folds take about as long as the trial's folds; with less time left than this share they are not begun."""

Tested = tuple[Outcome, Final | None]
"""A finalist with its scores on fresh folds; None where it has none."""


@dataclass
class Finals:
    """The decisions of one search.

    tell: is told what is begun and decided, with the architecture that it is about. skipped, failures: by architecture,
    why it could not be tested. tested: whether there are fresh folds at all.
    """

    standing: Standing
    reserve: Reserve
    journal: Journal
    workshop: Workshop
    deadline: Deadline
    tell: Callable[[str, str], None]
    skipped: dict[str, str]
    failures: dict[str, str]
    tested: bool = field(default=True, init=False)

    def decide(self) -> tuple[list[Final], list[Decision]]:
        """Each rung's finalist against the last accepted one, bottom up, on fresh folds."""
        finals: list[Final] = []
        decisions: list[Decision] = []
        incumbent: Tested | None = None
        repeats, self.tested = self._repeats(), self.reserve.tests(self.standing.contenders())
        for outcome in self.standing.finalists():
            if incumbent is not None and self.tested and self.skips(outcome, incumbent[0]):
                decisions.append(self._rejected_on_search_folds(outcome, incumbent[0]))
                continue
            final = self._final(outcome, repeats) if self.tested else None
            if final is not None:
                finals.append(final)
            if incumbent is None:
                incumbent = (outcome, final)
                continue
            decision = self._compare((outcome, final), incumbent)
            decisions.append(decision)
            self.tell(decision.sentence, decision.candidate)
            if decision.accepted:
                incumbent = (outcome, final)
        return finals, decisions

    def champion(self, decisions: list[Decision]) -> Trial:
        """The last accepted rung; without any decision, the leader of the search folds."""
        name = decisions[0].incumbent if decisions else None
        for decision in decisions:
            if decision.accepted:
                name = decision.candidate
        chosen = self.standing.best(name) if name else self.standing.leader()
        assert chosen is not None
        return chosen.trial

    def candidates(self, evidence: Evidence) -> list[Trial]:
        """The champion, then who would be champion without it, and so on: what is shipped if the gate refuses the former."""
        finals = {final.architecture: final for final in evidence.finals}
        left = {each.trial.architecture: each for each in self.standing.finalists()}
        found = [left.pop(evidence.champion).trial] if evidence.champion in left else []
        while left:
            chosen, *others = ((each, finals.get(name)) for name, each in left.items())
            for each in others:
                if not self.skips(each[0], chosen[0]) and self._compare(each, chosen).accepted:
                    chosen = each
            found.append(left.pop(chosen[0].trial.architecture).trial)
        return found

    def searched(self, outcome: Outcome) -> Final:
        """The rung on the search folds, by what choosing among its trials brings."""
        return self._as_final(outcome, self.standing.scores_of_choice(outcome.trial))

    def skips(self, outcome: Outcome, incumbent: Outcome) -> bool:
        """Slow rungs that are worse on the search folds, see `Standing.doubt`, are not run again."""
        return self.standing.is_slow(outcome) and self.standing.is_worse(outcome, incumbent, self.standing.doubt)

    def _repeats(self) -> int:
        """Shufflings of fresh folds that the time allows."""
        if self.standing.context.plan.trials is not None:
            return REPEATS
        contenders = self.standing.contenders()
        twice = self.reserve.after_search() + self.reserve.finals(contenders)
        return REPEATS if self.deadline.searching_seconds() > twice and self.reserve.tests(contenders, REPEATS) else 1

    @property
    def _titles(self) -> dict[str, str]:
        return {rung.architecture: rung.title for rung in self.standing.context.plan.ladder}

    def _rejected_on_search_folds(self, outcome: Outcome, incumbent: Outcome) -> Decision:
        titles, metric = self._titles, self.standing.context.metric
        ours, theirs = self.searched(outcome), self.searched(incumbent)
        decision = self._decided(ours, theirs, obey=True)
        doubt = "beyond doubt " if self.standing.is_worse(outcome, incumbent, BEYOND_DOUBT) else ""
        why = "it was not run again" if doubt else "the preset best did not run it again"
        sentence = (
            f"{titles[ours.architecture]} was worse than {titles[theirs.architecture]} {doubt}on the search folds "
            f"({metric.title} {against(ours.score, theirs.score, metric)}): {why} on fresh folds."
        )
        return replace(decision, accepted=False, sentence=sentence, test=decision.test.replace("fresh", "search"))

    def _compare(self, candidate: Tested, incumbent: Tested) -> Decision:
        """The test on fresh folds; on the search folds, and said so, where there was no time to run both again."""
        obey = self.standing.context.plan.preset != "best"
        if candidate[1] is not None and incumbent[1] is not None:
            return self._decided(candidate[1], incumbent[1], obey)
        decision = self._decided(self.searched(candidate[0]), self.searched(incumbent[0]), obey)
        why = " There was no time for fresh folds." if self.tested else ""
        sentence = decision.sentence.replace("on fresh folds", "on the search folds") + why
        return replace(decision, sentence=sentence, test=decision.test.replace("fresh folds", "search folds"))

    def _decided(self, ours: Final, theirs: Final, obey: bool) -> Decision:
        context = self.standing.context
        return decide(ours, theirs, context.metric, self.standing.folds, self._titles, obey, context.rolling)

    def _final(self, outcome: Outcome, repeats: int) -> Final | None:
        """The finalist on fresh folds, as many as the time allows; None (and a failure) where it could not be run."""
        name, context = outcome.trial.architecture, self.standing.context
        title, done = self._titles[name], self.journal.fresh(outcome.trial)
        self.tell(f"{title}: best settings on fresh folds", name)
        wanted = [number for number, fold in enumerate(context.fresh_folds) if fold.repeat < repeats]
        if not done and not self._affords(outcome):
            self.skipped[name] = f"{title} could not be tested on fresh folds: there was no time left"
            return None
        for number in wanted:
            if number in done:
                continue
            if self.deadline.interrupted and outcome.seconds > SLOW_SECONDS:
                break
            started = time.monotonic()
            try:
                until = self.deadline.until(self.reserve.after_finals(outcome))
                score, resampled = self.workshop.fresh(outcome.trial, number, until)
            except AutomlError as error:
                told = self.skipped if isinstance(error, OutOfTimeError) else self.failures
                told[name] = f"{title} could not be tested on fresh folds: {error}"
                break
            done[number] = Fresh(score, time.monotonic() - started, resampled)
            self.journal.record_fresh(outcome.trial, number, done[number])
        whole = [number for number in wanted if number in done]
        if len(whole) < self.standing.folds:
            return None
        scores = self._as_final(outcome, tuple(done[number].score for number in whole))
        final = self._priced(replace(scores, resampled=done[whole[0]].resampled), outcome)
        spent = sum(done[number].seconds for number in whole) * self.standing.folds / len(whole)
        return final if context.plan.trials is not None or outcome.trial.members else replace(final, seconds=spent)

    def _affords(self, outcome: Outcome) -> bool:
        """Whether there is time for one set of them, of which a part is worth nothing; an ensemble's members were run already."""
        left = self.deadline.until(self.reserve.after_finals(outcome)).left_seconds()
        return bool(outcome.trial.members) or left > LEAST_SHARE_OF_TRIAL * self.reserve.finals([outcome])

    def _priced(self, final: Final, outcome: Outcome) -> Final:
        """The final with the measured size and latency of its graph, where there is time to measure them."""
        ensembles = [each for each in self.standing.finalists() if each.trial.members]
        waiting = [self.reserve.finals([each]) + self.reserve.after_finals(each) for each in ensembles]
        if self.deadline.searching_seconds(max([self.reserve.after_search(), *waiting])) < 0.5 * outcome.seconds + 1.0:
            return final
        price = self.workshop.price(outcome.trial)
        if price is None:
            return final
        counted = self.standing.context.plan.trials is not None
        return replace(final, size_bytes=price[0], row_milliseconds=None if counted else price[1], size_measured=True)

    def _as_final(self, outcome: Outcome, scores: tuple[float, ...]) -> Final:
        context, trial = self.standing.context, outcome.trial
        seconds = 0.0 if context.plan.trials is not None else outcome.seconds
        size = cost_of(context, trial).size_bytes
        mean = float(np.nanmean(scores))
        return Final(trial.architecture, trial.number, scores, mean, seconds, size_bytes=size, resampled=trial.resampled)
