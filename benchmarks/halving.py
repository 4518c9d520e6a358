"""What ending hopeless trials of nets half way saves, and what it would have cost: rules replayed on the curves of run folders.

    python -m benchmarks.halving RUNS...

RUNS: run folders, or folders of them, of code that ended no net early. Every further trial of RealMLP or TabM is held against
the best one before it at a share of its schedule, where it was trained beyond that: it ends there where it would have to gain
more than so many times what that one still gained (`automl.core.architecture.Incumbent`). Prints, for each rule, how many would
have ended, how many of these became the best of their rung or a member of the ensemble, and the training that is saved, in whole
schedules.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from automl.core.architecture import CATCHING_UP, HALF_WAY, Incumbent
from automl.core.evidence import Evidence, Trial
from automl.core.files import decode
from automl.core.metrics import metric
from automl.search.proposing import best_of
from automl.search.trial import incumbent

NETS = ("realmlp", "tabm")
SHARES, FACTORS = (0.33, HALF_WAY, 0.67), (1.0, 2.0, CATCHING_UP)


@dataclass(frozen=True)
class Further:
    """A trial after the first of its rung, and the best one before it by the metric. taken: whether an ensemble took it."""

    ours: Incumbent
    best: Incumbent
    taken: bool

    @property
    def became_best(self) -> bool:
        return self.ours.loss_at(1.0) < self.best.loss_at(1.0)

    @property
    def ends(self) -> float:
        """The share of its schedule at which training ended."""
        return max(share for share, _ in self.ours.curve)

    def ended_at(self, share: float, factor: float) -> bool:
        """Whether it was still to be trained then, and would not have been."""
        hopeless = replace(self.best, catching_up=factor).outdoes(share, self.ours.loss_at(share))
        return self.ends > share and hopeless


def runs_in(places: list[Path]) -> Iterator[Evidence]:
    for place in places:
        for path in sorted([*place.glob("evidence.json"), *place.glob("*/evidence.json")]):
            yield decode(Evidence, json.loads(path.read_text(encoding="utf-8")))


def further(run: Evidence) -> Iterator[Further]:
    taken = {member.trial.id for trial in run.trials for member in trial.members}
    for name in NETS:
        known: list[Trial] = []
        for trial in run.trials:
            if trial.architecture != name or trial.score is None or not trial.curve:
                continue
            best = incumbent(trial, next(iter(best_of(known, metric(run.metric))), None))
            ours = incumbent(trial, trial)
            if best is not None and ours is not None:
                yield Further(ours, best, trial.id in taken)
            known.append(trial)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    options = parser.parse_args()
    runs = list(runs_in(options.runs))
    every = [each for run in runs for each in further(run)]
    taken, better = (sum(getattr(each, name) for each in every) for name in ("taken", "became_best"))
    print(
        f"{len(runs)} runs, {len(every)} further trials of nets: {better} became the best, {taken} are in an ensemble;", end=" "
    )
    print(f"together they went through their schedules {sum(each.ends for each in every):.1f} times")
    print("| at | times | ended | had become the best | were members | schedules saved |\n| --- | --- | --- | --- | --- | --- |")
    for share in SHARES:
        for factor in FACTORS:
            ended = [each for each in every if each.ended_at(share, factor)]
            better, taken = sum(each.became_best for each in ended), sum(each.taken for each in ended)
            saved = sum(each.ends - share for each in ended)
            print(f"| {share:g} | {factor:g} | {len(ended)} | {better} | {taken} | {saved:.1f} |")


if __name__ == "__main__":
    main()
