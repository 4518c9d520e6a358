"""Texts, images and tables together against a part of them alone, on the same rows and in the same time.

    python -m benchmarks.mixtures DATA [--time 300] [--only airbnb_amsterdam,fine_foods_reviews,driving_image_plus_table]

DATA holds a folder a name, as listed in CASES, with data.csv or train.csv and test.csv. Prices are compared on the scale of
their logarithm: on their own scale a handful of palaces decides.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from automl.core.metrics import metric
from automl.core.model import load
from automl.core.predictor import Columns, encode_target
from benchmarks.measuring import Measured, automl_command, measured


@dataclass(frozen=True)
class Case:
    """target, metric, columns to drop; ways: name to the options of `automl fit`, the mixture first."""

    target: str
    metric: str
    ways: dict[str, list[str]]
    drop: tuple[str, ...] = ()
    logarithm: bool = False


CASES = {
    "airbnb_amsterdam": Case(
        "price",
        "rmse",
        {"text and table": [], "table alone": ["--modality", "tabular"]},
        drop=("id", "host_id", "host_name"),
        logarithm=True,
    ),
    "fine_foods_reviews": Case(
        "score",
        "roc_auc",
        {"text and product": ["--kind", "product=category"], "text alone": ["--features", "review"]},
    ),
    "driving_image_plus_table": Case(
        "steering",
        "rmse",
        {"image and table": [], "table alone": ["--modality", "tabular"], "image alone": ["--features", "image"]},
    ),
}


def parts(folder: Path, case: Case, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The official parts, or 80/20: at random, or the last rows where images follow one another."""
    if (folder / "test.csv").exists():
        return pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")
    frame = pd.read_csv(folder / "data.csv").drop(columns=list(case.drop))
    if case.logarithm:
        frame[case.target] = np.log1p(frame[case.target])
    order = np.arange(len(frame)) if (folder / "images").exists() else np.random.default_rng(seed).permutation(len(frame))
    cut = round(0.8 * len(frame))
    return frame.iloc[order[:cut]], frame.iloc[order[cut:]]


def run_once(
    train: pd.DataFrame, test: pd.DataFrame, case: Case, options: list[str], seconds: float, root: Path
) -> tuple[float, Measured, str]:
    """The score on `test`, seconds and memory of the command, and the chosen architecture."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        train.to_csv(folder / "train.csv", index=False)
        if (root / "images").exists():
            (folder / "images").symlink_to(root / "images")
        given = [*options, "--time", seconds, "--out", folder / "run", "--quiet", "--json"]
        spent = measured(automl_command("fit", folder / "train.csv", "--target", case.target, *given))
        model = load(folder / "run" / "model")
        rows = Columns({name: test[name] for name in test.columns})
        rows.root = str(root)
        regression = model.contract["task"] == "regression"
        prediction = np.asarray(model.predict(rows) if regression else model.predict_proba(rows), np.float64)
        truth = encode_target(test[case.target], model.contract)
        positive = model.contract["classes"].index(model.contract["positive"]) if model.contract.get("positive") else 1
        champion = json.loads((folder / "run" / "evidence.json").read_text())["champion"]
        return metric(case.metric).score(truth, prediction, None, positive), spent, champion


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--time", type=float, default=300)
    parser.add_argument("--only", default=",".join(CASES))
    options = parser.parse_args()
    for name in options.only.split(","):
        case = CASES[name]
        train, test = parts(options.data / name, case)
        for way, given in case.ways.items():
            score, spent, champion = run_once(train, test, case, given, options.time, options.data / name)
            told = f"{champion}, {spent.seconds:.0f} s, {spent.peak_gib:.2f} GiB"
            print(f"{name:26} {case.metric:8} {way:18} {score:.4f}  {told}", flush=True)


if __name__ == "__main__":
    main()
