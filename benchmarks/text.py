"""Scores on a test part after `automl fit` on texts, by the whole command in a process of its own.

    python -m benchmarks.text DATA [--time 300] [--only sst2,trec6] [--splits N] [--rungs tfidf_linear]

DATA/NAME holds train.csv and test.csv, or data.csv of which a stratified quarter is kept for testing. For comparison:
on sst2 a CNN from scratch has .827 and on trec6 .912 (Kim, 2014); on the 2,000 long movie reviews NBSVM has .895 by
ten-fold cross-validation (Wang and Manning, 2012).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from automl.core.metrics import metric
from automl.core.model import load
from automl.core.predictor import encode_target
from benchmarks.measuring import Measured, automl_command, measured

GOALS = {
    "sms_spam": ("f1", 0.96, ()),
    "sst2": ("accuracy", 0.81, ()),
    "trec6": ("accuracy", 0.88, ("fine",)),
    "movie_reviews_long": ("accuracy", 0.89, ()),
}
TARGET = "label"


def parts(folder: Path, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The training and the test part, the official ones where there are such."""
    if (folder / "test.csv").exists():
        return pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")
    from sklearn.model_selection import train_test_split

    frame = pd.read_csv(folder / "data.csv")
    train, test = train_test_split(frame, test_size=0.25, random_state=seed, stratify=frame[TARGET])
    return train, test


def run_once(
    train: pd.DataFrame, test: pd.DataFrame, name: str, seconds: float, rungs: str
) -> tuple[float, Measured, float, str]:
    """The score on `test`, seconds and memory of the command, texts a second predicted, and the chosen architecture."""
    metric_name, _, drop = GOALS[name]
    with tempfile.TemporaryDirectory() as folder:
        train.to_csv(Path(folder, "train.csv"), index=False)
        out = Path(folder, "run")
        command = automl_command("fit", f"{folder}/train.csv", "--target", TARGET, "--metric", metric_name)
        command += ["--time", str(seconds), "--out", str(out), "--quiet"]
        command += [part for column in drop for part in ("--drop", column)]
        command += [part for rung in filter(None, rungs.split(",")) for part in ("--only", rung)]
        spent = measured(command)
        champion = json.loads((out / "evidence.json").read_text())["champion"]
        model = load(out / "model")
        started = time.perf_counter()
        prediction = np.asarray(model.predict_proba(test), np.float64)
        rate = len(test) / (time.perf_counter() - started)
        truth = encode_target(test[TARGET].astype(str), model.contract)
        classes = model.contract["classes"]
        positive = classes.index(model.contract["positive"]) if model.contract.get("positive") else 1
        return metric(metric_name).score(truth, prediction, None, positive), spent, rate, champion


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--time", type=float, default=300.0)
    parser.add_argument("--only", default=",".join(GOALS))
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--rungs", default="")
    choices = parser.parse_args()
    for name in choices.only.split(","):
        metric_name, goal, _ = GOALS[name]
        official = (choices.data / name / "test.csv").exists()
        scores = []
        for seed in range(1 if official else choices.splits):
            train, test = parts(choices.data / name, seed)
            score, spent, rate, champion = run_once(train, test, name, choices.time, choices.rungs)
            scores.append(score)
            told = f"{spent.seconds:.0f} s, {spent.peak_gib:.2f} GiB, {rate:,.0f} texts a second"
            print(f"{name}: {metric_name} {score:.4f} by {champion}; {told}", flush=True)
        print(f"{name}: mean {np.mean(scores):.4f}, goal {goal}", flush=True)


if __name__ == "__main__":
    main()
