"""Laws of a run whose probabilities are read out: the graph, the contract, the scores and the report obey the same threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.core.metrics import METRICS
from automl.core.model import load
from automl.scoring import score
from tests.run.made_up import arrays, fit, read, with_outcome


@pytest.fixture(scope="module")
def costly(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    frame, folder = with_outcome("bool", 800), tmp_path_factory.mktemp("costly")
    return frame, fit(frame, folder / "run", cost_fn=8.0).folder


def test_labels_scores_and_report_obey_the_threshold(costly: tuple[pd.DataFrame, Path]) -> None:
    frame, folder = costly
    evidence, findings = read(folder / "evidence.json"), {each["code"]: each for each in read(folder / "findings.json")}
    threshold = evidence["readout"]["threshold"]["value"]
    assert 0.02 < threshold < 0.4
    for place in ("model", "evaluated"):
        model = load(folder / place)
        assert model.contract["readout"]["threshold"]["value"] == threshold
        probabilities = model.predict_proba(frame)[:, 1]
        assert np.array_equal(model.predict(frame), probabilities >= np.float32(threshold))
    kept = arrays(folder / "evaluated" / "predictions.npz")
    called, truth = kept["prediction"][:, 1] >= threshold, kept["truth"] == 1
    numbers = findings["AML202"]["numbers"]
    assert numbers["accuracy"]["value"] == pytest.approx(np.mean(called == truth))
    assert numbers["accuracy"]["low"] <= numbers["accuracy"]["value"] <= numbers["accuracy"]["high"]
    assert numbers["baseline_accuracy"]["value"] == pytest.approx(max(truth.mean(), 1 - truth.mean()))
    assert findings["AML305"]["numbers"]["recall"]["value"] == pytest.approx(np.mean(called[truth]))
    matrix = [series["y"] for series in findings["AML401"]["figures"][0]["series"]]
    assert np.array_equal(matrix, [[np.sum((truth == actual) & (called == given)) for given in (0, 1)] for actual in (0, 1)])


def test_a_score_of_new_rows_obeys_it_too(costly: tuple[pd.DataFrame, Path]) -> None:
    frame, folder = costly
    model, truth = load(folder / "model"), frame["outcome"].to_numpy()
    values = score(model, frame).values
    assert values["accuracy"] == pytest.approx(np.mean(model.predict(frame) == truth))
    assert values["roc_auc"] == pytest.approx(METRICS["roc_auc"].score(truth.astype(int), model.predict_proba(frame)))


def test_it_verifies_and_another_threshold_is_named(costly: tuple[pd.DataFrame, Path]) -> None:
    from automl.core.files import write_json
    from automl.verifying import verify

    frame, folder = costly
    found = verify(folder, frame)
    assert found.holds, [str(each) for each in found.differences]
    contract = read(folder / "model" / "contract.json")
    contract["readout"]["threshold"]["value"] += 0.1
    write_json(folder / "model" / "contract.json", contract)
    assert "readout.threshold.value" in [each.where for each in verify(folder, frame).differences]
