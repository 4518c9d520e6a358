"""The public surface, and what may never be imported by what is meant to be light."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import automl
from automl.core.errors import InputError

HEAVY = ("tensorflow", "keras", "keras_tuner", "shap")
SCIENTIFIC = ("numpy", "pandas", "sklearn", "scipy", "lightgbm", "onnx", "onnxruntime", "pyarrow", "pydantic", "rich")


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running `code`."""
    shown = f"{code}\nimport sys\nprint('\\nLOADED', *sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", shown], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED ")[2].split())


def command(*arguments: object) -> str:
    """Code that runs a command and goes on after it."""
    given = [str(argument) for argument in arguments]
    call = f"try:\n    main({given!r})\nexcept SystemExit as left:\n    assert left.code == 0, left.code"
    return f"from automl.cli import main\n{call}"


def test_the_public_names():
    assert sorted(automl.__all__) == [
        "AutoMLClassifier", "AutoMLRegressor", "__version__", "fit", "load", "profile", "recommend",
    ]  # fmt: skip
    for name in automl.__all__:
        assert getattr(automl, name) is not None
    assert dir(automl) == sorted(automl.__all__)
    with pytest.raises(AttributeError):
        _ = automl.no_such_name


def test_the_public_signatures():
    def names(function: object) -> list[str]:
        return list(inspect.signature(function).parameters)  # type: ignore[arg-type]

    assert names(automl.fit) == ["data", "out", "fresh", "test", "listener", "options"]
    assert names(automl.profile) == names(automl.recommend) == ["data", "options"]
    assert names(automl.load) == ["path"]
    estimator = ["time", "trials", "preset", "metric", "seed", "jobs", "out", "options"]
    assert names(automl.AutoMLClassifier) == names(automl.AutoMLRegressor) == estimator


def test_importing_automl_or_asking_for_help_loads_nothing_heavy():
    assert not loaded_by("import automl") & {*HEAVY, *SCIENTIFIC, "click"}
    assert not loaded_by(command("--help")) & {*HEAVY, *SCIENTIFIC}
    assert not loaded_by(command("fit", "--help")) & {*HEAVY, *SCIENTIFIC}


def test_profile_and_recommend_never_load_what_trains(finished):
    slow = {*HEAVY, "sklearn", "scipy", "lightgbm", "onnxruntime"}
    assert not loaded_by(command("profile", finished.data)) & slow
    assert not loaded_by(command("recommend", finished.data)) & {*HEAVY, "sklearn", "lightgbm", "onnxruntime"}


def test_models_loads_no_library(finished):
    assert not loaded_by(command("models")) & {*HEAVY, "sklearn", "scipy", "lightgbm", "onnxruntime", "onnx"}


def test_predict_loads_only_what_it_needs(finished, tmp_path):
    loaded = loaded_by(command("predict", finished.folder, finished.data, "-o", tmp_path / "out.csv"))
    assert "onnxruntime" in loaded
    assert not loaded & {*HEAVY, "sklearn", "scipy", "lightgbm", "onnx", "pydantic", "rich", "yaml", "jinja2", "narwhals"}


def test_report_never_loads_what_trains(finished):
    assert not loaded_by(command("report", finished.folder)) & {*HEAVY, "sklearn", "lightgbm", "onnxruntime"}


# --- the functions ---------------------------------------------------------------------------------------------------


def test_load_gives_a_run_or_a_model_and_both_predict_the_same(finished):
    frame = pd.read_csv(finished.data)
    run, model = automl.load(finished.folder), automl.load(finished.folder / "model")
    assert type(run).__name__ == "Run"
    assert type(model).__name__ == "Model"
    assert (run.predict(frame) == model.predict(frame)).all()
    np.testing.assert_array_equal(run.predict_proba(frame), model.predict_proba(frame))


def test_load_refuses_what_is_neither(tmp_path):
    with pytest.raises(InputError):
        automl.load(tmp_path)
    with pytest.raises(InputError):
        automl.load(tmp_path / "nothing")


def test_a_run_opened_again_has_every_word(finished):
    run = automl.load(finished.folder)
    assert run.profile.target == "diagnosis"
    assert [rung.architecture for rung in run.plan.ladder] == ["baseline", "linear"]
    assert run.evidence.champion == "linear"
    assert run.findings
    assert run.report_path.is_file()
    assert list(run.leaderboard()["architecture"]) == ["linear", "baseline"]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "path"])
def test_every_kind_of_table_gives_the_same_profile_and_plan(library, finished):
    frame = pd.read_csv(finished.data)
    data = {"pandas": frame, "polars": pl.from_pandas(frame), "pyarrow": pa.Table.from_pandas(frame), "path": finished.data}[
        library
    ]
    profile = automl.profile(data, target="diagnosis")
    assert profile.classes == ("benign", "malignant")
    assert [column.name for column in profile.features] == list(frame.columns[:6])
    assert automl.recommend(data, target="diagnosis", time="1m").budget_seconds == 60.0


def test_wrong_options_are_refused_with_the_nearest_name(finished):
    with pytest.raises(InputError, match='no option called "tagret"; did you mean "target"'):
        automl.profile(finished.data, tagret="diagnosis")
    with pytest.raises(InputError, match='did you mean "fast"'):
        automl.recommend(finished.data, preset="fsat")
    with pytest.raises(InputError, match="exclude each other"):
        automl.fit(finished.data, time=10, trials=3)
    with pytest.raises(InputError, match="not a length of time"):
        automl.fit(finished.data, time=-3)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400), (20, 20), (2.5, 2.5)])
def test_lengths_of_time(text, seconds):
    from automl.core.options import seconds_of

    assert seconds_of(text) == seconds
