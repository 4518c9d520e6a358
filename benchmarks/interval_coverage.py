"""How often the interval of a score covers the score of the same model on many fresh rows.

    python -m benchmarks.interval_coverage DATA [--repeats 100] [--rows 500,2000] [--only adult,diamonds] [--groups 40]

In each repeat a cheap model of our own pipeline learns from 1,500 rows of a large table, is judged on a few others by the code
that makes the report's headline, and its score on at least 20,000 further rows is taken for the truth. Printed is the share of
repeats in which the 95 % interval held it, for every metric of the task: rows drawn one by one, and, for tables whose rows come
in groups (flights of a day), whole groups drawn, judged by the bootstrap of groups, or by that of blocks of time where the split
was by time and nobody named the groups. DATA/NAME/data.csv or data.parquet.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from automl.core.case import Case
from automl.core.evidence import Trial
from automl.core.metrics import metrics_for
from automl.core.options import make_options
from automl.judge.bootstrap import compare
from automl.profiling import profile
from automl.reading import read
from automl.recommending import recommend
from automl.search import prepare
from automl.search.trial import fit_and_predict, space_of

LEARNED, FRESH, POOL = 1500, 20_000, 30_000
GROUP_ROWS = 60
"""Rows of a group are cut to so many."""


@dataclass(frozen=True)
class Source:
    """A table: its target, columns left out, the rung that learns, and the columns that tell groups.

    in_time: the groups are days of a year, and the run knows of their order in time only.
    """

    name: str
    target: str
    dropped: tuple[str, ...] = ()
    rung: str = "linear"
    groups: tuple[str, ...] = ()
    in_time: bool = False


LATER = ("arr_time", "air_time", "dep_delay", "dep_time")
"""What is known only after the flight."""
TIME = "when"
SOURCES = {
    "adult": Source("adult", "class", (), "boosting"),
    "bank-marketing": Source("bank-marketing", "y"),
    "diamonds": Source("diamonds", "price", (), "boosting"),
    "diamonds by cut": Source("diamonds", "cut"),
    "census-income-kdd": Source("census-income-kdd", "income", ("instance_weight",)),
    "nycflights13": Source("nycflights13", "arr_delay", LATER, "boosting"),
    "nycflights13 by day": Source("nycflights13", "arr_delay", LATER, "linear", ("month", "day")),
    "nycflights13 in time": Source("nycflights13", "arr_delay", LATER, "linear", ("month", "day"), in_time=True),
}


class Setting:
    """A table prepared once; repeats draw their rows from it."""

    def __init__(self, data: Path, source: Source) -> None:
        folder = data / source.name
        parquet = folder / "data.parquet"
        frame = pd.read_parquet(parquet) if parquet.exists() else pd.read_csv(folder / "data.csv")
        frame = frame.dropna(subset=[source.target])
        if source.groups:
            frame = frame.groupby(list(source.groups), sort=True).sample(GROUP_ROWS, random_state=0, replace=True)
            frame = frame.drop_duplicates()
        elif len(frame) > POOL:
            frame = frame.sample(POOL, random_state=0)
        frame = frame.reset_index(drop=True)
        self.groups = frame.groupby(list(source.groups)).ngroup().to_numpy() if source.groups else None
        if source.in_time:
            frame[TIME] = pd.to_datetime(frame[list(source.groups)].assign(year=2013)).dt.strftime("%Y-%m-%d")
        self.in_time = source.in_time
        dropped = [name for name in (*source.dropped, *source.groups) if name in frame.columns]
        self.dataset = read(frame.drop(columns=dropped))
        told = {"time_column": TIME} if source.in_time else {}
        options = make_options({"target": source.target, "jobs": 2, "time": 60, **told})
        facts = profile(self.dataset, options)
        self.plan = recommend(facts, options)
        prepared = prepare(self.dataset, facts, self.plan)
        self.frame, self.context = prepared.frame.reset_index(drop=True), prepared.context
        self.groups = None if self.groups is None else self.groups[prepared.row_ids]
        architecture = self.context.architecture(source.rung)
        rounds = 80 if source.rung == "boosting" else 0
        self.trial = Trial(source.rung, 0, space_of(self.context, architecture).default(), 0, rounds=rounds)

    def divided(self, judged: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows to learn from, to judge on, and fresh ones; of groups, `judged` is their number."""
        if self.groups is None:
            order = generator.permutation(len(self.frame))
            return np.sort(order[:LEARNED]), np.sort(order[LEARNED : LEARNED + judged]), np.sort(order[LEARNED + judged :])
        order = generator.permutation(int(self.groups.max()) + 1)
        learned, held = order[: LEARNED // GROUP_ROWS], order[LEARNED // GROUP_ROWS : LEARNED // GROUP_ROWS + judged]
        parts = [np.flatnonzero(np.isin(self.groups, part)) for part in (learned, held)]
        return parts[0], parts[1], np.setdiff1d(np.arange(len(self.frame)), np.concatenate(parts))

    def repeat(self, judged: int, seed: int) -> dict[str, tuple[float, float, float]]:
        """{metric: (low, high, score on the fresh rows)}."""
        learned, held, fresh = self.divided(judged, np.random.default_rng([seed, judged]))
        self.context.encoded.clear()
        prediction = fit_and_predict(self.context, self.trial, learned, np.concatenate([held, fresh]))
        ours, theirs = prediction[: len(held)], prediction[len(held) :]
        truth, facts = self.context.target, self.context.profile
        usual = truth[learned].mean()
        if facts.task.is_classification:
            usual = np.bincount(truth[learned].astype(int), minlength=len(facts.classes)) / len(learned)
        baseline = np.tile(usual, (len(held), 1)) if facts.task.is_classification else np.full(len(held), usual)
        named = None if self.in_time else self.groups
        case = Case(
            self.dataset, facts, replace(self.plan, seed=seed), truth=truth[held], prediction=ours, baseline=baseline,
            judged=self.frame.iloc[held], row_ids=held, groups=None if named is None else named[held],
        )  # fmt: skip
        found = {}
        for each in compare(case, metrics_for(facts.task)):
            score = each.metric.score(truth[fresh], theirs, None, self.context.positive)
            found[each.metric.name] = float(each.model.low or 0.0), float(each.model.high or 0.0), score
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--rows", default="500,2000", help="judged rows")
    parser.add_argument("--groups", default="40", help="judged groups, where rows come in groups")
    parser.add_argument("--only", default=",".join(SOURCES))
    given = parser.parse_args()
    for name in given.only.split(","):
        setting = Setting(given.data, SOURCES[name])
        for judged in map(int, (given.groups if setting.groups is not None else given.rows).split(",")):
            started, inside = time.perf_counter(), defaultdict[str, list[int]](list)
            for seed in range(given.repeats):
                for metric, (low, high, score) in setting.repeat(judged, seed).items():
                    inside[metric].append(int(score > high) - int(score < low))
            told = ", ".join(
                f"{metric} {sum(not each for each in sides) / len(sides):.0%} ({sides.count(-1)} below, {sides.count(1)} above)"
                for metric, sides in inside.items()
            )
            unit = "groups" if setting.groups is not None else "rows"
            print(f"{name}, {judged:,} judged {unit}: {told}; {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
