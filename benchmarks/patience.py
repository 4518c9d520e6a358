"""What rules for ending the growth of trees give away: growing until long after the best round, then applying each rule.

    python -m benchmarks.patience DATA [--rows 5000] [--only credit-g,cmc]

Prints, for each rule, how far above the best mean loss over five folds (of 3,000 rounds, or 60 / learning rate where
that is less) it stops, in percent, and the rounds that it grows. A rule is rounds without progress: a constant divided
by the learning rate, plus a share of the rounds up to the last progress.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.clock import Deadline
from automl.learners.trees import LEAST_GAIN, _Race
from automl.search.pipeline import encode_folds
from automl.search.trial import space_of
from benchmarks.portfolio import HERE, completed, context_of

TABLES = "credit-g,cmc,yeast,abalone,adult,bank-marketing,diamonds,california-housing,wine-quality,kr-vs-kp,car,telco-churn"
CONFIGURATIONS = ("one-level splits", "small leaves at random", "shallow")
RULES = {
    "2.5 / rate": (2.5, 0.0),
    "2.5 / rate + 10 %": (2.5, 0.1),
    "2.5 / rate + 30 %": (2.5, 0.3),
    "10 / rate + 30 %": (10, 0.3),
}
MOST_ROUNDS, ARRIVED = 3000, 60.0


def curve_of(context: Any, settings: dict[str, Any]) -> Any:
    """(rounds,) mean loss of the folds."""
    folds = encode_folds(context, context.architecture("boosting"), settings, list(context.search_folds)).folds
    races = [_Race(fold, context.problem, settings, 1, len(folds)) for fold in folds]
    for race in races:
        race.grow(min(MOST_ROUNDS, int(ARRIVED / settings["learning_rate"])), Deadline(None))
    return np.mean([race.losses for race in races], axis=0)


def stopped(curve: Any, rate: float, constant: float, share: float) -> tuple[float, int]:
    """The best loss up to where the rule stops, and the rounds grown."""
    last = 0
    for position in range(1, len(curve)):
        if curve[position] < curve[last] * (1 - LEAST_GAIN):
            last = position
        if position - last >= np.clip(constant / rate, 25, 500) + share * last:
            return float(curve[: position + 1].min()), position + 1
    return float(curve.min()), len(curve)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--only", default=TABLES)
    options = parser.parse_args()
    named = json.loads((HERE / "portfolio" / "boosting.json").read_text())
    given: dict[str, list[tuple[float, int]]] = {rule: [] for rule in RULES}
    for name in options.only.split(","):
        context = context_of(options.data, name, options.rows)
        space = space_of(context, context.architecture("boosting"))
        for configuration in CONFIGURATIONS:
            settings = completed(space, named[configuration])
            curve = curve_of(context, settings)
            print(f"{name}, {configuration}: best round {int(np.argmin(curve)) + 1} of {len(curve)}", flush=True)
            for rule, (constant, share) in RULES.items():
                loss, rounds = stopped(curve, settings["learning_rate"], constant, share)
                given[rule].append((100 * (loss / float(curve.min()) - 1), rounds))
    for rule, found in given.items():
        excess, rounds = np.array(found).T
        print(f"{rule:20} gives away {excess.mean():.3f} % on average, {excess.max():.2f} % at most; {rounds.mean():.0f} rounds")


if __name__ == "__main__":
    main()
