"""automl, by its command: the limit is for the whole command, start-up and report included."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.core.model import load as load_model
from automl.core.predictor import encode_target
from benchmarks.peers.protocol import Job, Predict, main


def fit(job: Job, train: pd.DataFrame) -> dict[str, Any]:
    """The shipped model/ is the artifact; the rest of the run folder stays beside it."""
    run = Path(job.out, "run")
    command = [sys.executable, "-m", "automl", "fit", job.train, "--target", job.target, "--task", job.task]
    command += ["--metric", job.metric, "--time", str(job.budget_seconds), "--preset", job.settings["preset"]]
    command += ["--seed", str(job.seed), "--jobs", str(job.cores), "--out", str(run), "--quiet", "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.copytree(run / "model", job.artifact, dirs_exist_ok=True)
    evidence = json.loads((run / "evidence.json").read_text())
    return {"chosen": evidence["champion"], "run_folder": str(run)}


def load(job: Job) -> Predict:
    model = load_model(job.artifact, threads=job.cores)
    if job.regression:
        return model.predict
    columns = encode_target(np.array(job.classes, dtype=object), model.contract)

    def predict(rows: Any) -> np.ndarray:
        found = np.asarray(model.predict_proba(rows), np.float64)
        return np.where(columns >= 0, found[:, columns], 0.0)  # a class that the model does not know: -1

    return predict


def one_row(job: Job) -> tuple[Any, Any]:
    """A row as a dict."""
    model = load_model(job.artifact, threads=job.cores)
    return (model.predict if job.regression else model.predict_proba), lambda rows: rows.to_dict("records")


if __name__ == "__main__":
    main(fit, load, ("keras", "tensorflow", "lightgbm", "onnxruntime"), one_row)
