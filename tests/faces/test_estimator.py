"""The scikit-learn face: scikit-learn's own checks with the bottom rungs, and what a user of scikit-learn does."""

from __future__ import annotations

import io
import os
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from automl import AutoMLClassifier, AutoMLRegressor

BOTTOM = {"only": ("baseline", "linear"), "refit": False}
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_sparse_data": "sparse input is refused",
}
"""Checks of scikit-learn that fail on purpose, each with its reason."""


def classifier(**parameters: Any) -> AutoMLClassifier:
    return AutoMLClassifier(**{"time": 20, "preset": "fast", "jobs": 1, "options": BOTTOM, **parameters})


def regressor(**parameters: Any) -> AutoMLRegressor:
    return AutoMLRegressor(**{"time": 20, "preset": "fast", "jobs": 1, "options": BOTTOM, **parameters})


@pytest.mark.slow
@parametrize_with_checks([classifier(), regressor()], expected_failed_checks=lambda estimator: EXPECTED_FAILURES)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def flowers(rows: int = 150) -> tuple[pd.DataFrame, pd.Series]:
    bunch = load_iris(as_frame=True)
    return bunch.data, bunch.target.map(dict(enumerate(bunch.target_names)))


@pytest.fixture(scope="module")
def fitted() -> AutoMLClassifier:
    return classifier().fit(*flowers())


@pytest.mark.parametrize("labels", ["strings", "integers", "booleans", "odd strings", "floats"])
def test_labels_come_back_in_the_type_that_they_came_in(labels):
    X, species = flowers()
    is_setosa = (species == "setosa").to_numpy()
    y = {
        "strings": species.to_numpy(dtype=object),
        "integers": np.where(is_setosa, 7, -3),
        "booleans": is_setosa,
        "odd strings": np.where(is_setosa, "NA", "none"),
        "floats": np.where(is_setosa, 0.0, 2.0),
    }[labels]
    model = classifier().fit(X, y)
    predicted = model.predict(X)
    assert type(predicted[0]) is type(y[0])
    assert (predicted == y).mean() > 0.9
    assert list(model.classes_) == sorted(set(y.tolist()))
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (150, len(model.classes_))
    assert (model.classes_[probabilities.argmax(axis=1)] == y).mean() > 0.9


def test_sets_hold_the_label_that_is_predicted_and_intervals_hold_the_value(fitted):
    X, y = flowers()
    sets = fitted.predict_set(X, 0.8)
    assert [each[0] for each in sets] == fitted.predict(X).tolist()
    assert np.mean([label in each for label, each in zip(y, sets, strict=True)]) > 0.75
    model = regressor().fit(X.iloc[:, :3], X.iloc[:, 3])
    low, high = model.predict_interval(X.iloc[:, :3], 0.8).T
    assert (low <= model.predict(X.iloc[:, :3])).all()
    assert np.mean((low <= X.iloc[:, 3]) & (X.iloc[:, 3] <= high)) > 0.7


def test_nothing_is_left_behind_unless_out_is_given(fitted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    X, y = flowers()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    classifier().fit(X, y).predict(X)
    assert list(tmp_path.iterdir()) == []
    classifier(out=tmp_path / "run").fit(X, y)
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_pickle_holds_the_model_and_no_session(fitted):
    X, _ = flowers()
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert "_model" not in fitted.__getstate__()
    assert again.n_features_in_ == 4


def test_a_clone_is_not_fitted_and_has_the_same_parameters(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "classes_")


def test_it_cross_validates_inside_a_pipeline():
    X, y = load_diabetes(return_X_y=True)
    scores = cross_val_score(make_pipeline(FunctionTransformer(), regressor()), X, y, cv=2)
    assert scores.shape == (2,)
    assert scores.mean() > 0.35


def test_sparse_input_is_refused_clearly():
    X, y = flowers()
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        classifier().fit(sparse.csr_matrix(X.to_numpy()), y)


def test_strings_dates_and_missing_values_are_taken():
    generator = np.random.default_rng(0)
    colour = generator.choice(["red", "green", "blue"], 200)
    frame = pd.DataFrame({"colour": colour, "when": pd.date_range("2024-01-01", periods=200), "size": generator.normal(size=200)})
    frame.loc[::7, "size"] = np.nan
    frame.loc[::11, "colour"] = None
    model = classifier().fit(frame, colour == "red")
    assert (model.predict(frame) == (colour == "red")).mean() > 0.85
    assert list(model.feature_names_in_) == ["colour", "when", "size"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"size": "weight"}))


def test_a_column_called_like_the_target_is_no_trouble():
    X, y = flowers()
    X = X.assign(target=X.iloc[:, 0], sample_weight=1.0)
    model = classifier().fit(X, y.rename("target"), sample_weight=np.linspace(0.5, 1.5, len(X)))
    assert (model.predict(X) == y).mean() > 0.9


def test_what_the_search_found_is_there_to_look_at(fitted):
    assert fitted.profile_.classes == ("setosa", "versicolor", "virginica")
    assert fitted.evidence_.champion == "linear"
    assert fitted.findings_
    assert {rung.architecture for rung in fitted.plan_.ladder} == {"baseline", "linear"}
    for model in (fitted, pickle.loads(pickle.dumps(fitted))):
        assert list(model.leaderboard()["architecture"]) == ["linear", "baseline"]
        assert model.verdict_.label in ("Ready", "Use with care", "Do not use")
        assert [each.code for each in model.findings_] == [each.code for each in fitted.findings_]
    with pytest.raises(NotFittedError):
        classifier().leaderboard()


def test_wrong_input_is_a_value_error_in_one_sentence():
    X, y = flowers()
    with pytest.raises(ValueError, match='did you mean "linear"'):
        classifier(options={"only": ("linaer",)}).fit(X, y)
    with pytest.raises(ValueError, match="one class"):
        classifier().fit(X, np.zeros(150))


def test_the_files_are_those_of_a_model_folder(fitted, tmp_path):
    import onnxruntime

    for name, content in fitted.files_.items():
        (tmp_path / name).write_bytes(content)
    session = onnxruntime.InferenceSession(os.fspath(tmp_path / "model.onnx"))
    assert len(session.get_inputs()) == 4
    assert io.BytesIO(fitted.files_["contract.json"]).read().startswith(b"{")
