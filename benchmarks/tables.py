"""Scores on an outer test part after `automl fit`, by the whole command in a process of its own.

    python -m benchmarks.tables DATA [--time 120] [--only adult,car] [--splits N]

Published ten-fold results of default LightGBM for comparison: adult ROC-AUC .930, credit-g .741, diamonds RMSE 534,
car log loss .036 (AutoML Benchmark 2023).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from automl.core.metrics import metric
from automl.core.model import load
from automl.core.predictor import encode_target

GOALS = {
    "adult": ("class", "roc_auc", 0.925, 1),
    "diamonds": ("price", "rmse", 560.0, 1),
    "credit-g": ("class", "roc_auc", 0.76, 5),
    "car": ("class", "log_loss", 0.06, 5),
}


def outer_split(frame: pd.DataFrame, target: str, classes: bool, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """75/25, stratified by class."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(frame, test_size=0.25, random_state=seed, stratify=frame[target] if classes else None)
    return train, test


def run_once(train: pd.DataFrame, test: pd.DataFrame, target: str, metric_name: str, seconds: float) -> tuple[float, float, str]:
    """The score on `test`, the command's wall-clock seconds and the chosen architecture."""
    with tempfile.TemporaryDirectory() as folder:
        train.to_csv(Path(folder, "train.csv"), index=False)
        out = Path(folder, "run")
        command = [sys.executable, "-m", "automl", "fit", f"{folder}/train.csv", "--target", target]
        command += ["--time", str(seconds), "--out", str(out), "--quiet", "--json"]
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        elapsed = time.perf_counter() - started
        evidence = json.loads((out / "evidence.json").read_text())
        model = load(out / "model")
        contract = model.contract
        truth = encode_target(test[target].astype(str), contract)
        regression = contract["task"] == "regression"
        prediction = np.asarray(model.predict(test) if regression else model.predict_proba(test), np.float64)
        positive = contract["classes"].index(contract["positive"]) if contract.get("positive") else 1
        return metric(metric_name).score(truth, prediction, None, positive), elapsed, evidence["champion"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--time", type=float, default=120)
    parser.add_argument("--only", default=",".join(GOALS))
    parser.add_argument("--splits", type=int)
    options = parser.parse_args()
    print("data       metric     goal    mean     scores (champion, seconds)")
    for name in options.only.split(","):
        target, metric_name, goal, splits = GOALS[name]
        frame = pd.read_csv(options.data / name / "data.csv", dtype=str, keep_default_na=False)
        scores, shown = [], []
        for seed in range(options.splits or splits):
            train, test = outer_split(frame, target, metric_name != "rmse", seed)
            score, elapsed, champion = run_once(train, test, target, metric_name, options.time)
            scores.append(score)
            shown.append(f"{score:.4f} ({champion}, {elapsed:.0f})")
        print(f"{name:10} {metric_name:10} {goal:<7} {np.mean(scores):<8.4f} {'  '.join(shown)}", flush=True)


if __name__ == "__main__":
    main()
