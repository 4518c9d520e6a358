"""Plain logistic or ridge regression on scaled numbers and one-hot categories: the cheap yardstick."""

from __future__ import annotations

import joblib
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.peers.protocol import Job, Predict, in_order, main


def fit(job: Job, train: pd.DataFrame) -> None:
    numeric = make_column_selector(dtype_include=["number", "bool"])
    categorical = make_column_selector(dtype_exclude=["number", "bool"])
    encoder = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
        (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2), categorical),
    )
    model = RidgeCV() if job.regression else LogisticRegression(max_iter=2000)
    fitted = make_pipeline(encoder, model).fit(train.drop(columns=job.target), train[job.target])
    joblib.dump(fitted, job.artifact / "model.joblib")


def load(job: Job) -> Predict:
    model = joblib.load(job.artifact / "model.joblib")
    if job.regression:
        return model.predict
    return lambda rows: in_order(job, pd.DataFrame(model.predict_proba(rows), columns=model.classes_))


if __name__ == "__main__":
    main(fit, load, ("scikit-learn",))
