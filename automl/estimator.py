"""The scikit-learn face: AutoMLClassifier and AutoMLRegressor."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_array, check_is_fitted, column_or_1d, validate_data

from automl.core.errors import InputError
from automl.core.events import silent
from automl.core.model import Model, load
from automl.core.options import make_options
from automl.core.predictor import canonical
from automl.profiling.numbers import is_missing_word

Array = np.ndarray[Any, Any]

_PLAIN = (str, bytes, bool, int, float, np.generic, type(None))


class _AutoML(BaseEstimator):
    """What both estimators share; see AutoMLClassifier."""

    def __init__(
        self,
        time: float | str | None = None,
        trials: int | None = None,
        preset: str = "balanced",
        metric: str | None = None,
        seed: int = 0,
        jobs: int | None = None,
        out: Path | str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.time = time
        self.trials = trials
        self.preset = preset
        self.metric = metric
        self.seed = seed
        self.jobs = jobs
        self.out = out
        self.options = options

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = False
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        # The open session cannot be pickled and is not needed: the files of the model folder can make it again.
        return {name: value for name, value in super().__getstate__().items() if name != "_model"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "files_" in state:
            self._model = _open(self.files_)

    def _fit(self, X: Any, target: Any, name: str, task: str | None, sample_weight: Any) -> None:
        """Run the search on the rows and keep the model's files, not the folder."""
        from automl import run

        frame = _with(X, name, target)
        choices = {**(self.options or {}), "target": name, "task": task, "preset": self.preset, "metric": self.metric}
        choices |= {"time": self.time, "trials": self.trials, "seed": self.seed, "jobs": self.jobs}
        if sample_weight is not None:
            choices["weight"] = _free_name("sample_weight", frame.columns)
            frame[choices["weight"]] = _check_sample_weight(sample_weight, X, dtype=np.float64)
        with tempfile.TemporaryDirectory(prefix="automl-") as temporary:
            place = Path(self.out) if self.out is not None else Path(temporary) / "run"
            try:
                result = run.fit(frame, make_options(choices), out=place, listener=silent)
            except InputError as error:
                raise ValueError(str(error)) from error
            self.profile_, self.plan_ = result.profile, result.plan
            self.evidence_, self.findings_ = result.evidence, result.findings
            self.verdict_, self.leaderboard_ = result.verdict, result.leaderboard()
            self.files_ = {file: (result.folder / "model" / file).read_bytes() for file in ("model.onnx", "contract.json")}
        self._model = _open(self.files_)

    def leaderboard(self) -> pd.DataFrame:
        """One row a rung, best first, as Run.leaderboard gives it; kept in memory, so it needs no run folder."""
        check_is_fitted(self)
        return self.leaderboard_.copy()

    def _rows(self, X: Any, reset: bool = False) -> pd.DataFrame:
        """X as a frame with named columns; refused in scikit-learn's words where it is no table of plain values."""
        if hasattr(X, "columns"):
            validate_data(self, X, reset=reset, skip_check_array=True)
            frame = X.to_pandas() if hasattr(X, "to_pandas") else pd.DataFrame(X)
            frame = frame.set_axis([str(column) for column in frame.columns], axis=1).reset_index(drop=True)
            check_array(np.zeros(frame.shape), ensure_min_samples=2 if reset else 1, estimator=self)
            return frame
        array = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite=False, ensure_min_samples=2 if reset else 1)
        if array.dtype == object and not all(isinstance(value, _PLAIN) for value in array.ravel()):
            odd = next(value for value in array.ravel() if not isinstance(value, _PLAIN))
            raise TypeError(f"argument must be a string or a number, not {type(odd).__name__}")
        return pd.DataFrame(array, columns=[f"x{place}" for place in range(array.shape[1])])


class AutoMLClassifier(ClassifierMixin, _AutoML):
    """The simplest classifier that the evidence supports, as a scikit-learn estimator.

    time: seconds (or "5m"), the hard limit on `fit`. trials: count work instead, the same result bit for bit.
    preset, metric, seed, jobs: as for automl.fit. out: folder in which the run and its report are kept; by default
    nothing is left behind. options: further fields of automl.core.options.Options, such as {"only": ("linear",)}.

    X may be an array or a data frame with numbers, strings, dates and missing values; sparse input is refused.
    After `fit`: classes_, n_features_in_, feature_names_in_, profile_, plan_, evidence_, findings_, verdict_,
    leaderboard_ and files_ (the files of the model folder by name, as bytes); all of it pickles.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Search, judge and keep the model. X: (rows, features); y: (rows,) labels; sample_weight: (rows,) or None.

        Raises ValueError, in one sentence, where the data cannot be used.
        """
        frame = self._rows(X, reset=True)
        name, y = _target(self, frame, y)
        check_classification_targets(y)
        labels, codes = np.unique(y, return_inverse=True)
        counted = labels if sample_weight is None else np.unique(y[_check_sample_weight(sample_weight, frame) > 0.0])
        if len(counted) < 2:
            where = "" if sample_weight is None else " among the rows with a weight"
            raise ValueError(f"the target has one class only{where}; a classifier needs at least 2 classes")
        texts = [canonical(label) for label in labels.tolist()]
        plain = len(set(texts)) == len(texts) and not any(is_missing_word(text) for text in texts) and labels.dtype.kind != "f"
        # Labels go in as they are, so that the report shows them, unless two of them are spelt alike or read as missing.
        target = y if plain else codes
        spelt = texts if plain else [str(code) for code in range(len(labels))]
        self.classes_ = labels
        self._fit(frame, target, name, "binary" if len(labels) == 2 else "multiclass", sample_weight)
        self._place_of_ = {text: place for place, text in enumerate(spelt)}
        return self

    def predict(self, X: Any) -> Array:
        """(rows,) labels in the type that they came in."""
        check_is_fitted(self)
        labels = self._model.predict(self._rows(X))
        return self.classes_[[self._place_of_[canonical(label)] for label in labels.tolist()]]

    def predict_proba(self, X: Any) -> Array:
        """(rows, classes) float64 probabilities in the order of classes_."""
        check_is_fitted(self)
        given = np.asarray(self._model.predict_proba(self._rows(X)), dtype=np.float64)
        probabilities = np.zeros((len(given), len(self.classes_)))
        probabilities[:, [self._place_of_[canonical(name)] for name in self._model.contract["classes"]]] = given
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def predict_set(self, X: Any, level: float = 0.9) -> list[Array]:
        """An array of labels a row that holds the truth with this probability, the most probable first; none is empty."""
        check_is_fitted(self)
        sets = self._model.predict_set(self._rows(X), level)
        return [self.classes_[[self._place_of_[canonical(label)] for label in each]] for each in sets]


class AutoMLRegressor(RegressorMixin, _AutoML):
    """The simplest regressor that the evidence supports, as a scikit-learn estimator.

    Its parameters and what it takes are those of AutoMLClassifier.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Search, judge and keep the model. X: (rows, features); y: (rows,) numbers; sample_weight: (rows,) or None.

        Raises ValueError, in one sentence, where the data cannot be used.
        """
        frame = self._rows(X, reset=True)
        name, y = _target(self, frame, y)
        values = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=self)
        self._fit(frame, values, name, "regression", sample_weight)
        return self

    def predict(self, X: Any) -> Array:
        """(rows,) float64 values."""
        check_is_fitted(self)
        return self._model.predict(self._rows(X))

    def predict_interval(self, X: Any, level: float = 0.9) -> Array:
        """(rows, 2) the ends of intervals that hold the truth with this probability."""
        check_is_fitted(self)
        return self._model.predict_interval(self._rows(X), level)


def _target(estimator: _AutoML, frame: pd.DataFrame, y: Any) -> tuple[str, Array]:
    """A free name for the target's column, and the target as an array (rows,) without missing values."""
    if y is None:
        raise ValueError(f"requires y to be passed, but the target y is None: {type(estimator).__name__} learns from labels")
    name = _free_name(str(getattr(y, "name", None) or "target"), frame.columns)
    values = column_or_1d(y, warn=True)
    if len(values) != len(frame):
        raise ValueError(
            f"X has {len(frame)} rows and y has {len(values)}; they must be the same, found inconsistent numbers of samples"
        )
    if pd.isna(values).any() or (values.dtype.kind == "f" and np.isinf(values).any()):
        raise ValueError("Input y contains NaN or infinity")
    return name, values


def _with(frame: pd.DataFrame, name: str, target: Any) -> pd.DataFrame:
    return frame.assign(**{name: target})


def _free_name(wanted: str, taken: Any) -> str:
    """`wanted`, with underscores added until no column is called so."""
    names = set(taken)
    while wanted in names:
        wanted += "_"
    return wanted


def _open(files: Mapping[str, bytes]) -> Model:
    """A model from the files of its folder; the session keeps the graph in memory, so no file stays behind."""
    with tempfile.TemporaryDirectory(prefix="automl-") as temporary:
        for name, content in files.items():
            (Path(temporary) / name).write_bytes(content)
        return load(temporary)
