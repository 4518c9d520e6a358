"""Runs many configurations of one rung over public tables and orders them, so that every prefix is a good list of starts.

    python -m benchmarks.portfolio DATA [--rung boosting] [--drawn 10] [--rows 5000] [--only adult,car] [--best 14]
    python -m benchmarks.portfolio --order [--rung boosting] [--most 8]

The first form appends to benchmarks/results/portfolio-RUNG.jsonl, one line a configuration and data set, and goes on
where it was stopped: what is in the file is not run again. The configurations are those of benchmarks/configurations/RUNG.json
(name: settings) and `--drawn` points of the rung's search space, the same ones for every data set. With `--best N` only
those go on that are among the N best on average so far; `--named "one;two"` takes some by name. One thread; large tables
are cut to `--rows` rows drawn at random, so that a configuration costs seconds. Other cuts than the usual one are lines
of their own ("adult (20,000 rows)"), which the order looks at only where `--only` names them.

The second form prints the order. A score is normalised within its data set: 1 is the best configuration, 0 the median
one, and nothing counts as worse than -1. Each next configuration is the one that most raises the mean, over the data
sets, of the best normalised score so far (greedy, as the portfolios of TabRepo, arXiv:2311.02971, are found).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.core.clock import Deadline
from automl.core.metrics import metric
from automl.core.options import make_options
from automl.core.space import Settings, Space
from automl.profiling import profile
from automl.reading import read
from automl.recommending import recommend
from automl.search import prepare
from automl.search.context import Context
from automl.search.trial import run_trial, space_of

TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "credit-g": ("class", ()),
    "cmc": ("Contraceptive_method_used", ()),
    "abalone": ("Class_Rings", ()),
    "adult": ("class", ()),
    "bank-marketing": ("y", ()),
    "diamonds": ("price", ()),
    "california-housing": ("median_house_value", ()),
    "wine-quality": ("quality", ()),
    "kr-vs-kp": ("class", ()),
    "telco-churn": ("Churn", ("customerID",)),
    "house-sales-kc": ("price", ("id",)),
    "compas": ("two_year_recid", ("decile_score", "score_text", "c_jail_in", "c_jail_out", "compas_screening_date")),
    "bike-sharing-hourly": ("cnt", ("casual", "registered", "instant")),
    "diabetes": ("class", ()),
    "qsar-biodeg": ("Class", ()),
    "marketing-campaign": ("Response", ("ID",)),
    "yeast": ("class_protein_localization", ()),
    "steel-plates-fault": ("fault", ()),
    "car": ("class", ()),
    "students-dropout": ("target", ()),
    "segment": ("class", ()),
    "ames-housing": ("price", ("Order", "PID")),
}
"""Target and columns that are left out."""

HERE = Path(__file__).resolve().parent
LEAST = -1.0
ROWS = 5000
FOLDS = 5


def context_of(source: Path, name: str, rows: int) -> Context:
    """The table as a run on one thread would prepare it, cut to `rows` rows."""
    target, dropped = TABLES[name]
    frame = pd.read_csv(source / name / "data.csv", dtype=str, keep_default_na=False).drop(columns=list(dropped))
    if len(frame) > rows:
        frame = frame.sample(rows, random_state=0)
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(Path(folder, "data.csv"), index=False)
        dataset = read(Path(folder, "data.csv"))
    options = make_options({"target": target, "jobs": 1, "folds": FOLDS})
    found = profile(dataset, options)
    return prepare(dataset, found, recommend(found, options)).context


def configurations(rung: str, drawn: int) -> Iterator[tuple[str, Settings | int]]:
    """Names with settings, then names with the number of a point to draw."""
    path = HERE / "configurations" / f"{rung}.json"
    named = json.loads(path.read_text()) if path.exists() else {}
    yield from named.items()
    for number in range(drawn):
        yield f"drawn {number}", number


def completed(space: Space, chosen: Settings | int) -> Settings:
    """Complete settings within the space; a dimension has the same value for every table that has it."""
    if isinstance(chosen, int):
        seeds = {name: np.random.default_rng([chosen, zlib.crc32(name.encode())]) for name in space.dimensions}
        chosen = {name: dimension.sample(seeds[name]) for name, dimension in space.dimensions.items()}
    known = {name: value for name, value in chosen.items() if name in space.dimensions}
    return Space(space.dimensions, (known,)).default()


def measure(source: Path, rung: str, names: list[str], rows: int, chosen: list[tuple[str, Settings | int]], path: Path) -> None:
    done = {(line["data"], line["configuration"]) for line in lines_of(path)}
    for name in names:
        label = name if rows == ROWS else f"{name} ({rows:,} rows)"
        wanted = [each for each in chosen if (label, each[0]) not in done]
        if not wanted:
            continue
        context = context_of(source, name, rows)
        architecture = context.architecture(rung)
        for configuration, settings_or_number in wanted:
            settings = completed(space_of(context, architecture), settings_or_number)
            outcome = run_trial(context, architecture, 0, settings, Deadline(None))
            trial = outcome.trial
            line = {
                "data": label,
                "rows": len(context.training_rows),
                "configuration": configuration,
                "settings": {
                    key: float(f"{value:.5g}") if isinstance(value, float) else value for key, value in settings.items()
                },
                "metric": context.plan.metric,
                "status": trial.status,
                "fold_scores": [_short(score, 6) for score in trial.fold_scores],
                "rounds": trial.rounds,
                "seconds": round(outcome.seconds, 2),
            }
            with path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            score = "failed" if trial.score is None else f"{trial.score:.5g}"
            print(f"{label:20} {configuration:24} {score:>10} {trial.rounds:5} rounds {outcome.seconds:6.1f} s", flush=True)


def _short(value: Any, digits: int = 5) -> Any:
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def promising(lines: list[dict[str, Any]], most: int) -> list[str]:
    """The configurations that are best on average over the tables on which all of them were run."""
    counts = pd.Series([line["data"] for line in lines]).value_counts()
    full = set(counts.index[counts == counts.max()])
    means = normalised([line for line in lines if line["data"] in full]).mean(axis=1)
    return list(means.sort_values(ascending=False).index[:most])


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def normalised(lines: list[dict[str, Any]]) -> pd.DataFrame:
    """Scores by configuration (index) and data set (columns), of the configurations that were run on every data set."""
    errors: dict[str, dict[str, float]] = {}
    for line in lines:
        sign = -1.0 if metric(line["metric"]).greater_is_better else 1.0
        error = sign * float(np.mean(line["fold_scores"])) if line["status"] == "ok" else float("inf")
        errors.setdefault(line["data"], {})[line["configuration"]] = error
    table = pd.DataFrame(errors).dropna()
    gained = table.median() - table
    return (gained / (table.median() - table.min()).clip(lower=1e-12)).clip(lower=LEAST)


def ordered(scores: pd.DataFrame, most: int) -> list[tuple[str, float]]:
    """Greedy: (configuration, mean over the data sets of the best score up to and with it)."""
    best = np.full(len(scores.columns), LEAST)
    chosen: list[tuple[str, float]] = []
    left = scores
    while len(left) and len(chosen) < most:
        means = pd.DataFrame(np.maximum(left.to_numpy(), best), index=left.index).mean(axis=1)
        name = str(means.idxmax())
        best = np.maximum(left.loc[name].to_numpy(), best)
        chosen.append((name, float(means[name])))
        left = left.drop(index=name)
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--rung", default="boosting")
    parser.add_argument("--only", default=",".join(TABLES))
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--drawn", type=int, default=10)
    parser.add_argument("--best", type=int)
    parser.add_argument("--named")
    parser.add_argument("--order", action="store_true")
    parser.add_argument("--most", type=int, default=8)
    options = parser.parse_args()
    path = HERE / "results" / f"portfolio-{options.rung}.jsonl"
    if not options.order:
        chosen = list(configurations(options.rung, options.drawn))
        if options.best is not None:
            kept = promising(lines_of(path), options.best)
            chosen = [each for each in chosen if each[0] in kept]
        if options.named is not None:
            chosen = [each for each in chosen if each[0] in options.named.split(";")]
        measure(options.data, options.rung, options.only.split(","), options.rows, chosen, path)
        return
    lines = lines_of(path)
    scores = normalised([line for line in lines if line["data"] in options.only.split(",")])
    print(f"{len(scores)} configurations on {scores.shape[1]} tables: {', '.join(scores.columns)}")
    settings = {line["configuration"]: line["settings"] for line in sorted(lines, key=lambda line: len(line["settings"]))}
    for name, mean in ordered(scores, options.most):
        print(f"{mean:.3f}  alone {scores.loc[name].mean():6.3f}  {name}  {json.dumps(settings[name])}")


if __name__ == "__main__":
    main()
