"""Published ten-fold results beside ours at the same number of folds, as far as these are measured.

    python -m benchmarks.versus DATA --folds 10 --budget 300 --systems ours-best --sets adult,car [--splits 2]
    python -m benchmarks.anchors [--system ours-best] [--budget 300]

The first line measures (see benchmarks/versus; folds.jsonl grows, and what is in it is not measured again), the second prints a
row a table: the bar, what AutoGluon 1.0 best reached in five minutes on eight cores in the OpenML AutoML Benchmark (ten folds;
results of November 2023 in the repository Innixma/autogluon-benchmark), our mean over the folds that are measured, its standard
error, and whether it is within reach: at least as good as the bar. The folds are ours, so that single ones cannot be compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.versus.__main__ import RESULTS_OF_FOLDS
from benchmarks.versus.cells import GREATER_IS_BETTER, read_lines

FOLDS = 10
BARS: dict[str, tuple[float, float | None]] = {
    "adult": (0.929, 0.9313),
    "credit-g": (0.79, 0.8027),
    "blood-transfusion-service-center": (0.75, 0.7624),
    "kr-vs-kp": (0.9995, 0.9999),
    "qsar-biodeg": (0.935, 0.9410),
    "bank-marketing": (0.938, 0.9411),
    "car": (0.01, 0.0061),
    "segment": (0.06, 0.0537),
    "steel-plates-fault": (0.48, 0.4639),
    "cmc": (0.91, 0.9000),
    "yeast": (1.01, 0.9951),
    "mfeat-factors": (0.08, 0.0714),
    "diamonds": (525.0, 509.73),
    "abalone": (2.08, 2.0503),
    "wine-quality": (0.59, 0.5717),
    "california-housing": (0.43, None),
}
"""Of each table the bar that we want to reach, and what AutoGluon best is published to reach in five minutes on eight cores."""
UNITS = {"california-housing": 1e5}
"""Of a bar, where it is not that of the target: the bar is in 100,000 dollars, the target in dollars."""


@dataclass(frozen=True)
class Reached:
    """mean, error: of the folds that are measured, and its standard error, in the unit of the bar; NaN of a single fold."""

    data: str
    metric: str
    bar: float
    mean: float
    error: float
    folds: int

    @property
    def within(self) -> bool:
        """Whether the mean is at least as good as the bar."""
        return self.mean >= self.bar if GREATER_IS_BETTER[self.metric] else self.mean <= self.bar


def reached(lines: Sequence[dict[str, Any]], system: str, budget_seconds: float) -> list[Reached]:
    """Of every table with a bar and a measured fold of this system, in the order of BARS."""
    found = []
    for data, (bar, _) in BARS.items():
        told = [
            line
            for line in lines
            if (line["data"], line["system"], line.get("folds"), line["status"]) == (data, system, FOLDS, "ok")
            and (line["duplicates"], line["budget_seconds"]) == ("across", budget_seconds)
        ]
        if told:
            scores = np.array([line["score"] for line in told]) / UNITS.get(data, 1.0)
            error = float(scores.std(ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else float("nan")
            found.append(Reached(data, told[0]["metric"], bar, float(scores.mean()), error, len(scores)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", default="ours-best")
    parser.add_argument("--budget", type=float, default=300.0)
    options = parser.parse_args()
    every = reached(read_lines(RESULTS_OF_FOLDS), options.system, options.budget)
    names = ("data", "metric", "bar", "AutoGluon", "ours", "standard error", "folds", "within reach")
    print(f"| {' | '.join(names)} |\n{'| --- ' * len(names)}|")
    for each in every:
        error = "" if np.isnan(each.error) else f"{each.error:.2g}"
        published = BARS[each.data][1] or ""
        told = f"{each.mean:.4g} | {error} | {each.folds} of {FOLDS} | {'yes' if each.within else 'no'}"
        print(f"| {each.data} | {each.metric} | {each.bar:g} | {published} | {told} |")
    print(f"\nwithin reach: {sum(each.within for each in every)} of {len(every)}; not measured: {len(BARS) - len(every)}")


if __name__ == "__main__":
    main()
