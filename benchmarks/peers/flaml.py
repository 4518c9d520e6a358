"""FLAML's AutoML with its defaults."""

from __future__ import annotations

import pickle
from typing import Any

import pandas as pd
from flaml import AutoML

from benchmarks.peers.protocol import Job, Predict, in_order, main


def fit(job: Job, train: pd.DataFrame) -> dict[str, Any]:
    automl = AutoML()
    automl.fit(
        X_train=train.drop(columns=job.target),
        y_train=train[job.target],
        task="regression" if job.regression else "classification",
        metric=job.metric,
        time_budget=job.budget_seconds,
        n_jobs=job.cores,
        seed=job.seed,
        verbose=0,
    )
    with open(job.artifact / "automl.pkl", "wb") as file:
        pickle.dump(automl, file, pickle.HIGHEST_PROTOCOL)
    return {"chosen": automl.best_estimator}


def load(job: Job) -> Predict:
    with open(job.artifact / "automl.pkl", "rb") as file:
        automl = pickle.load(file)
    if job.regression:
        return automl.predict
    return lambda rows: in_order(job, pd.DataFrame(automl.predict_proba(rows), columns=list(automl.classes_)))


if __name__ == "__main__":
    main(fit, load, ("flaml", "lightgbm", "xgboost", "scikit-learn"))
