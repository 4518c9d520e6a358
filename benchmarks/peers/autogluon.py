"""AutoGluon's TabularPredictor with a preset; all models kept in memory for prediction, as its documentation advises."""

from __future__ import annotations

from typing import Any

import pandas as pd
from autogluon.tabular import TabularPredictor

from benchmarks.peers.protocol import Job, Predict, in_order, main

METRICS = {"roc_auc": "roc_auc", "log_loss": "log_loss", "rmse": "root_mean_squared_error"}


def fit(job: Job, train: pd.DataFrame) -> dict[str, Any]:
    predictor = TabularPredictor(
        label=job.target,
        problem_type=job.task,
        eval_metric=METRICS[job.metric],
        path=str(job.artifact),
        verbosity=1,
    )
    presets = job.settings["presets"]
    predictor.fit(train, time_limit=job.budget_seconds, presets=presets, num_cpus=job.cores, num_gpus=0)
    failures = predictor.model_failures()
    failed = [] if failures.empty else [f"{row.model}: {row.exc_type}" for row in failures.itertuples()]
    return {"chosen": predictor.model_best, "models": len(predictor.model_names()), "failed_models": failed}


def load(job: Job) -> Predict:
    predictor = TabularPredictor.load(str(job.artifact), verbosity=0)
    predictor.persist()
    if job.regression:
        return predictor.predict
    return lambda rows: in_order(job, predictor.predict_proba(rows))


if __name__ == "__main__":
    main(fit, load, ("autogluon.tabular", "torch", "lightgbm", "catboost", "xgboost-cpu"))
