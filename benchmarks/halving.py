"""What ending hopeless trials of nets half way saves, and what it would have cost: rules replayed on the curves of run folders.

    python -m benchmarks.halving RUNS...

RUNS: run folders, or folders of them, of code that ended no net early. Every further trial of a rung is held against the best
one before it at a share of its schedule: it ends there where it would have to gain more than so many times what that one still
gained (`automl.core.architecture.Incumbent`). Prints, for each rule, how many would have ended, how many of these became the
best of their rung or a member of the ensemble, and the training that is saved, in trials.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from automl.core.architecture import CATCHING_UP, HALF_WAY, Incumbent

NETS = ("mlp", "realmlp", "tabm")
SHARES, FACTORS = (0.25, 0.33, HALF_WAY), (1.0, 2.0, CATCHING_UP)


def runs_in(places: list[Path]) -> Iterator[dict[str, Any]]:
    for place in places:
        for path in sorted([*place.glob("evidence.json"), *place.glob("*/evidence.json")]):
            yield json.loads(path.read_text(encoding="utf-8"))


def curve_of(trial: dict[str, Any]) -> Incumbent:
    epochs = float(trial["settings"].get("epochs", trial["curve"][-1][0]))
    return Incumbent(tuple((epoch / epochs, loss) for epoch, loss in trial["curve"]))


def further(run: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Incumbent, Incumbent, bool]]:
    """(trial, its curve, that of the best one of its rung before it, whether an ensemble took it)."""
    taken = {(member["architecture"], member["number"]) for trial in run["trials"] for member in trial["members"]}
    for name in NETS:
        best: Incumbent | None = None
        for trial in run["trials"]:
            if trial["architecture"] != name or trial["score"] is None or not trial["curve"]:
                continue
            curve = curve_of(trial)
            if best is not None:
                yield trial, curve, best, (name, trial["number"]) in taken
            if best is None or curve.loss_at(1.0) < best.loss_at(1.0):
                best = curve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    options = parser.parse_args()
    runs = list(runs_in(options.runs))
    every = [each for run in runs for each in further(run)]
    print(f"{len(runs)} runs, {len(every)} further trials of nets, {sum(taken for *_, taken in every)} of them in an ensemble")
    print("| at | times | ended | had become the best | were members | trials saved |\n| --- | --- | --- | --- | --- | --- |")
    for share in SHARES:
        for factor in FACTORS:
            ended = [each for each in every if replace(each[2], catching_up=factor).outdoes(share, each[1].loss_at(share))]
            better = sum(curve.loss_at(1.0) < best.loss_at(1.0) for _, curve, best, _ in ended)
            members = sum(taken for *_, taken in ended)
            print(f"| {share:g} | {factor:g} | {len(ended)} | {better} | {members} | {len(ended) * (1 - share):.1f} |")


if __name__ == "__main__":
    main()
