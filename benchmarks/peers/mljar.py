"""mljar-supervised, in the mode that it has for the best score."""

from __future__ import annotations

import pandas as pd
from supervised.automl import AutoML

from benchmarks.peers.protocol import Job, Predict, in_order, main

METRICS = {"roc_auc": "auc", "log_loss": "logloss", "rmse": "rmse"}
TASKS = {"binary": "binary_classification", "multiclass": "multiclass_classification", "regression": "regression"}


def fit(job: Job, train: pd.DataFrame) -> None:
    automl = AutoML(
        results_path=str(job.artifact),
        mode=job.settings["mode"],
        ml_task=TASKS[job.task],
        eval_metric=METRICS[job.metric],
        total_time_limit=round(job.budget_seconds),
        n_jobs=job.cores,
        random_state=job.seed,
        explain_level=0,
        verbose=0,
    )
    automl.fit(train.drop(columns=job.target), train[job.target])


def load(job: Job) -> Predict:
    automl = AutoML(results_path=str(job.artifact))
    if job.regression:
        return automl.predict

    def predict(rows: pd.DataFrame) -> object:
        found = automl.predict_all(rows).drop(columns="label")
        return in_order(job, found.rename(columns=lambda name: str(name).removeprefix("prediction_")))

    return predict


if __name__ == "__main__":
    main(fit, load, ("mljar-supervised", "lightgbm", "catboost", "xgboost", "scikit-learn"))
