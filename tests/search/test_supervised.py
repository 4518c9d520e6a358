"""Encoders that learn from the target learn it from the training rows of a fold alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from automl.core.clock import Deadline
from automl.core.readout import Readout
from automl.search.context import Context
from automl.search.pipeline import build_graph, encode_fold, fit_pipeline
from automl.search.trial import learner_of, run_trial, space_of
from tests.search.made_up import frame_of, prepared_of

ENRICHED = ("target", "crossed")


def random_context(rows: int = 1200) -> Context:
    """A category of many levels, two of some, two numbers, and a target that depends on none of them."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(rows, 2)), columns=["a", "b"])
    for name, levels in (("many", 300), ("some", 12), ("few", 8)):
        frame[name] = [f"{name} {code}" for code in generator.integers(0, levels, rows)]
    frame["target"] = generator.choice(["no", "yes"], rows)
    return prepared_of(frame, kinds={"many": "category"})[1].context


@pytest.mark.parametrize("features", ENRICHED)
def test_no_score_comes_from_a_random_category(features: str) -> None:
    context = random_context()
    boosting = context.architecture("boosting")
    settings = {**space_of(context, boosting).default(), "features": features}
    trial = run_trial(context, boosting, 0, settings, Deadline(None)).trial
    assert trial.score is not None, trial.message
    assert 0.45 < trial.score < 0.55  # three standard errors of the area on so many rows


@pytest.mark.parametrize("features", ENRICHED)
def test_the_targets_of_validation_rows_are_not_looked_at(features: str) -> None:
    context = random_context()
    boosting, rows = context.architecture("boosting"), context.search_folds[0]
    other = context.target.copy()
    other[rows.validation] = 1 - other[rows.validation]
    settings = {"features": features}
    fold, _ = encode_fold(context, boosting, settings, rows)
    same, _ = encode_fold(replace(context, target=other, encoded={}), boosting, settings, rows)
    for part, twin in ((fold.training, same.training), (fold.validation, same.validation)):
        for name, block in part.inputs.items():
            np.testing.assert_array_equal(block, twin.inputs[name])


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_whole_pipeline_is_one_graph(task: str) -> None:
    import onnxruntime

    frame = frame_of(300, task)
    frame["d"] = np.random.default_rng(1).choice(["p", "q", "r", ""], len(frame))
    frame["target"] = frame["target"] * frame["a"] if task == "regression" else frame["target"]
    context = prepared_of(frame)[1].context
    boosting = context.architecture("boosting")
    settings = {**space_of(context, boosting).default(), "features": "crossed"}
    pipeline = fit_pipeline(context, boosting, learner_of(context, boosting), settings, 20, 0, context.training_rows)
    session = onnxruntime.InferenceSession(build_graph(pipeline, context, Readout()).SerializeToString())
    inputs = {}
    for column in pipeline.encoder.inputs:
        values = context.parity.columns[column.name]
        clean = values.strings() if column.dtype == "string" else np.asarray(values).astype(column.dtype)  # type: ignore[union-attr]
        inputs[column.input] = clean.reshape(-1, 1)
    found = session.run(["value" if task == "regression" else "probabilities"], inputs)[0]
    expected = pipeline.predict(context.parity)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1e-5)
