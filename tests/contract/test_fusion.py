"""The fusion net: it learns from every kind of column, and its graph gives on raw cells what Keras gives on clean ones."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from automl.core.architecture import Problem, Training
from automl.core.dataset import Dataset
from automl.core.options import make_options
from automl.core.table import tabulate
from automl.core.tasks import Task
from automl.modalities.mixture.encoding import make_encoder
from automl.modalities.mixture.ladder.fusion import ARCHITECTURE, SCOPES, scoped
from automl.profiling import profile
from tests.modalities.mixed_up import mixture
from tests.modalities.test_mixture import cells_of

ROWS = 160
SMALL: dict[str, Any] = {"epochs": 12, "batch_size": 32, "width": 32, "blocks": 1, "learning_rate": 5e-3, "text_embedding": 16}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = tmp_path_factory.mktemp("fusion")
    dataset = Dataset(mixture(place, ROWS), "flats", str(place), "", root=str(place))
    found = profile(dataset, make_options({"target": "price"}))
    table = tabulate(dataset.frame, found.features, dataset.root)
    rows = np.arange(120)
    encoder = make_encoder(found, "fused").fit(table, rows, rows)
    inputs = encoder.transform(table)
    target = np.asarray(dataset.frame["price"], float)
    target = (target - target[rows].mean()) / target[rows].std()
    part = {name: block[rows] for name, block in inputs.items()}
    problem = Problem(Task.REGRESSION, 1, "rmse")
    training = Training(part, target[rows], None, encoder.shapes)
    fitted = ARCHITECTURE.learner().fit(training, problem, SMALL, 12, 0)
    names = ("dataset", "profile", "encoder", "inputs", "target", "fitted")
    return dict(zip(names, (dataset, found, encoder, inputs, target, fitted), strict=True))


def test_it_learns_from_rows_and_says_more_than_the_mean(trained: dict[str, Any]) -> None:
    prediction = np.asarray(trained["fitted"].predict(trained["inputs"]))
    errors = prediction[:120] - trained["target"][:120]
    assert np.sqrt(np.mean(errors**2)) < 0.8


def test_the_graph_gives_the_same_on_raw_cells(trained: dict[str, Any]) -> None:
    import onnxruntime

    from automl.encoders.graph import GraphBuilder

    builder, encoder, dataset = GraphBuilder(), trained["encoder"], trained["dataset"]
    output = trained["fitted"].graph(builder, encoder.graph(builder))
    builder.output(output, "value", "float32", ("batch", 1))
    session = onnxruntime.InferenceSession(builder.build().SerializeToString())
    new = dataset.frame.iloc[120:].astype(object).reset_index(drop=True)
    new.loc[0] = [None] * len(new.columns)
    fed = cells_of(encoder, trained["profile"], new, dataset.root)
    taken = {each.name for each in session.get_inputs()}
    (made,) = session.run(None, {name: cells for name, cells in fed.items() if name in taken})
    clean = encoder.transform(tabulate(new, trained["profile"].features, dataset.root))
    expected = np.asarray(trained["fitted"].predict(clean))
    assert np.abs(made[:, 0] - expected).max() < 1e-4


def test_settings_of_a_trunk_carry_its_kind(trained: dict[str, Any]) -> None:
    settings = {"dropout": 0.1, "text_dropout": 0.6, "image_filters": 4}
    assert scoped(settings, "text")["dropout"] == 0.6
    assert "dropout" not in scoped(settings, "image") and scoped(settings, "image")["filters"] == 4
    names = ARCHITECTURE.space(trained["profile"]).dimensions
    assert {name.partition("_")[0] for name in names} >= set(SCOPES)


def test_it_needs_some_rows(trained: dict[str, Any]) -> None:
    small = dataclasses.replace(trained["profile"], rows=100)
    assert "100" in str(ARCHITECTURE.fits(small))
    assert ARCHITECTURE.fits(dataclasses.replace(small, rows=1000)) is None
