"""Coverage of conformal intervals and sets on the sealed rows of public tables, over several splits.

    python -m benchmarks.conformal DATA [--rows 3000] [--seeds 5] [--only adult,abalone] [--level 0.9]

Not whole runs of `automl fit`, which would take hours: for each table and seed the rows are sampled and split as a run does it,
gradient boosting (its first start; or `--rung linear`) is trained on the search folds, the readout (calibrator and conformal
quantiles) is fitted on its out-of-fold predictions, and the model fitted on all training rows predicts the sealed ones. So
nothing is searched, and the bounds that are measured are those of the judged model. Tables below 500 rows have no sealed part
in a run and are not among them.

The last columns: the same by the textbook (equally wide intervals by absolute residuals; least ambiguous sets, of which some are
empty) as size, coverage, and how many splits have intervals that follow the prediction, or how many sets are empty; and the
sealed rows that the guardrail takes for unlike the training data.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.core.clock import Deadline
from automl.core.conformal import interval_at, set_at
from automl.core.guardrail import unusual_rows
from automl.core.options import make_options
from automl.core.tasks import Task
from automl.profiling import profile
from automl.reading import read
from automl.recommending import recommend
from automl.search import prepare
from automl.search.contract import contract
from automl.search.guarding import fit_guardrail
from automl.search.reading_out import fit_readout
from automl.search.trial import fit_trial, run_trial, space_of

TABLES: dict[str, tuple[str, str, list[str]]] = {
    "abalone": ("Class_Rings", "regression", []),
    "ames-housing": ("price", "regression", ["Order", "PID"]),
    "bike-sharing-hourly": ("cnt", "regression", ["casual", "registered", "instant"]),
    "california-housing": ("median_house_value", "regression", []),
    "diamonds": ("price", "regression", []),
    "house-sales-kc": ("price", "regression", ["id"]),
    "wine-quality": ("quality", "regression", []),
    "adult": ("class", "binary", []),
    "credit-g": ("class", "binary", []),
    "telco-churn": ("Churn", "binary", ["customerID"]),
    "phishing-websites": ("result", "binary", []),
    "cmc": ("Contraceptive_method_used", "multiclass", []),
    "satimage": ("class", "multiclass", []),
    "steel-plates-fault": ("fault", "multiclass", []),
    "students-dropout": ("target", "multiclass", []),
    "yeast": ("class_protein_localization", "multiclass", []),
    "segment": ("class", "multiclass", []),
}
"""Name to target, task, and columns that are dropped first."""


def cell(frame: pd.DataFrame, target: str, task: str, seed: int, rung: str, level: float) -> dict[str, float]:
    """What is measured on the sealed rows of one split."""
    options = make_options({"target": target, "task": task, "seed": seed, "trials": 1})
    dataset = read(frame)
    facts = profile(dataset, options)
    prepared = prepare(dataset, facts, recommend(facts, options))
    context, sealed = prepared.context, prepared.sealed
    architecture = context.architecture(rung)
    space = space_of(context, architecture)
    outcome = run_trial(context, architecture, 0, space.start(0), Deadline(None))
    assert outcome.predictions is not None, outcome.trial.message
    readout = fit_readout(context, outcome.predictions)
    assert readout.conformal is not None
    predicted = fit_trial(context, outcome.trial, context.training_rows).predict(context.table.take(sealed))
    truth, held = context.target[sealed], outcome.predictions
    known = np.isfinite(held.reshape(len(held), -1)).all(axis=1)
    described = contract(dataset, facts, context.plan, context.table, context.target, rung)
    described["guardrail"] = fit_guardrail(described["columns"], context, context.training_rows)
    found = {"flagged": len(unusual_rows(described, prepared.frame.iloc[sealed].reset_index(drop=True))) / len(sealed)}
    if context.profile.task is Task.REGRESSION:
        low, high = interval_at(readout.conformal, predicted, level).T
        usual = _quantile(np.abs(held[known] - context.target[known]), level)
        return {
            **found,
            "coverage": float(np.mean((truth >= low) & (truth <= high))),
            "size": float(np.mean(high - low)),
            "even": 2 * usual,
            "scaled": float(bool(readout.conformal.knots)),
            "reference": float(np.mean(np.abs(truth - predicted) <= usual)),
        }
    rows = np.arange(len(truth))
    calibrated = readout.apply(predicted, context.positive)
    members = set_at(readout.conformal, calibrated, level, calibrated.argmax(axis=1))
    limit = _quantile(1 - held[known][np.arange(known.sum()), context.target[known]], level)
    least = predicted >= 1 - limit - 1e-9
    return {
        **found,
        "coverage": float(np.mean(members[rows, truth])),
        "size": float(members.sum(axis=1).mean()),
        "empty": float((~members.any(axis=1)).sum()),
        "error": float(np.mean(predicted.argmax(axis=1) != truth)),
        "reference": float(np.mean(least[rows, truth])),
        "reference_size": float(least.sum(axis=1).mean()),
        "reference_empty": float(np.mean(~least.any(axis=1))),
    }


def _quantile(score: np.ndarray, level: float) -> float:
    rank = int(np.ceil(level * (len(score) + 1)))
    return float(np.sort(score)[min(rank, len(score)) - 1])


def _line(name: str, task: str, cells: list[dict[str, float]]) -> str:
    def mean(key: str) -> float:
        return float(np.mean([each[key] for each in cells]))

    covered = [each["coverage"] for each in cells]
    error = "" if task == "regression" else f"{mean('error'):.3f}"
    shown = f"| {name} | {task} | {error} | {mean('coverage'):.3f}"
    shown += f" | {min(covered):.3f} to {max(covered):.3f} | {mean('size'):,.4g} | "
    if task == "regression":
        shown += (
            f"{mean('even'):,.4g}, {mean('reference'):.3f}; scaled {sum(each['scaled'] for each in cells):.0f} of {len(cells)}"
        )
    else:
        shown += f"{mean('reference_size'):.4g}, {mean('reference'):.3f}; empty {mean('reference_empty'):.1%}"
    return f"{shown} | {mean('flagged'):.1%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=3000, help="rows taken of each table at random")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", help="names of tables, separated by commas")
    parser.add_argument("--rung", default="boosting")
    parser.add_argument("--level", type=float, default=0.9)
    parser.add_argument("--results", type=Path, help="a file of JSON lines to append the cells to")
    given = parser.parse_args()
    every: dict[str, list[dict[str, float]]] = {}
    print("| table | task | error | coverage | over the splits | width or set size | textbook: size, coverage | flagged |")
    print("|---|---|---|---|---|---|---|---|")
    for name in given.only.split(",") if given.only else TABLES:
        target, task, dropped = TABLES[name]
        whole: Any = pd.read_csv(given.data / name / "data.csv").drop(columns=dropped).dropna(subset=[target])
        for seed in range(given.seeds):
            frame = whole.sample(min(given.rows, len(whole)), random_state=seed).reset_index(drop=True)
            found = cell(frame, target, task, seed, given.rung, given.level)
            every.setdefault(name, []).append(found)
            if given.results:
                with given.results.open("a", encoding="utf-8") as file:
                    file.write(
                        json.dumps({"table": name, "seed": seed, "rung": given.rung, "level": given.level, **found}) + "\n"
                    )
        print(_line(name, task, every[name]), flush=True)
    counted = [each for name, cells in every.items() for each in cells if TABLES[name][1] == "regression"]
    wrong = [each for cells in every.values() for each in cells if each.get("error", 0.0) > 0.1]
    right = [each for cells in every.values() for each in cells if each.get("error", 1.0) <= 0.1]
    for what, cells in (("regression", counted), ("error above 10 %", wrong), ("error of at most 10 %", right)):
        if cells:
            covered = [each["coverage"] for each in cells]
            print(f"{what}: {len(cells)} cells, mean coverage {np.mean(covered):.4f}, lowest {min(covered):.3f}")
    print(f"empty sets: {sum(each.get('empty', 0.0) for cells in every.values() for each in cells):.0f}")


if __name__ == "__main__":
    main()
