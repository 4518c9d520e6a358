"""Mixtures: when a table counts as one, that every encoding equals its graph on raw cells, and what no split divides."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.dataset import Dataset
from automl.core.options import make_options
from automl.core.parsers import make_parser
from automl.core.profile import ColumnProfile, Kind, Profile, Role
from automl.core.table import Table, tabulate
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.modalities.mixture import MODALITY
from automl.modalities.mixture.encoding import TABLE_ENCODING, MixtureEncoder, make_encoder
from automl.modalities.mixture.sense import sense, united
from automl.profiling import profile
from automl.recommending import recommend
from tests.modalities.mixed_up import mixture

ROWS = 120


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    place = tmp_path_factory.mktemp("mixture")
    return Dataset(mixture(place, ROWS), "flats", str(place), "", root=str(place))


@pytest.fixture(scope="module")
def found(dataset: Dataset) -> Profile:
    return profile(dataset, make_options({"target": "price"}))


def column(name: str, kind: Kind, role: Role = Role.FEATURE) -> ColumnProfile:
    return ColumnProfile(name, kind, "", {}, "string", role)


@pytest.mark.parametrize(
    ("kinds", "confidence"),
    [
        ((Kind.TEXT, Kind.NUMBER), 0.85),
        ((Kind.IMAGE, Kind.CATEGORY), 0.85),
        ((Kind.TEXT, Kind.IMAGE), 0.85),
        ((Kind.IMAGE, Kind.IMAGE), 0.85),
        ((Kind.TEXT,), 0.0),
        ((Kind.TEXT, Kind.TEXT), 0.0),
        ((Kind.IMAGE,), 0.0),
        ((Kind.NUMBER, Kind.CATEGORY), 0.0),
        ((Kind.AUDIO, Kind.IDENTIFIER), 0.0),
    ],
)
def test_only_rich_columns_beside_others_are_a_mixture(dataset: Dataset, kinds: tuple[Kind, ...], confidence: float) -> None:
    columns = [column(str(number), kind) for number, kind in enumerate(kinds)]
    columns.append(column("target", Kind.TEXT, Role.TARGET))
    surety, sentence = sense(dataset, columns)
    assert surety == confidence
    assert sentence


def test_columns_of_every_kind_are_features_and_described_by_those_who_know_them(found: Profile) -> None:
    assert found.modality == "mixture"
    assert found.modality_evidence == "1 text, 1 image, 1 sound, 1 number, 1 category and 1 date in every row"
    kinds = {each.name: each.kind for each in found.features}
    assert kinds == {
        "title": Kind.TEXT,
        "photo": Kind.IMAGE,
        "call": Kind.AUDIO,
        "size": Kind.NUMBER,
        "colour": Kind.CATEGORY,
        "built": Kind.DATETIME,
    }
    assert [found.column(name).parse["as"] for name in ("title", "photo", "call")] == ["text", "image", "audio"]
    assert found.column("photo").statistics["unreadable_count"] == 1


def test_a_forced_table_leaves_texts_out_and_says_so(dataset: Dataset) -> None:
    forced = profile(dataset, make_options({"target": "price", "modality": "tabular"}))
    left_out = forced.column("title")
    assert left_out.role is Role.UNUSED and "text is not used by the ladder for tabular data" in left_out.reason


def cells_of(encoder: MixtureEncoder, profile: Profile, frame: pd.DataFrame, root: str) -> dict[str, Any]:
    """What predict.py would feed the graph: every feed's own parse step on the raw cells."""
    fed: dict[str, Any] = {}
    files = {name: content for name, content in encoder.files.items()}
    for each in profile.features:
        default = {"input": each.name, "dtype": each.dtype, "parse": each.parse}
        for feed in encoder.feeds.get(each.name, [default] if each.name not in ("title", "photo", "call") else []):
            parser = make_parser(feed["parse"])
            if feed["parse"]["as"] == "tokens":
                folder = Path(root) / "model"
                folder.mkdir(exist_ok=True)
                for name, content in files.items():
                    (folder / name).write_bytes(content)
                parser.open(folder)
            values = parser.column(frame[each.name], root) if parser.takes_files else parser.column(frame[each.name])
            values = np.asarray(values)
            fed[feed["input"]] = (values if values.ndim > 1 else values.reshape(-1, 1)).astype(
                object if feed["dtype"] == "string" else feed["dtype"]
            )
    return fed


@pytest.mark.parametrize("encoding", sorted(set(TABLE_ENCODING)))
@pytest.mark.parametrize("left", ["all", "text and image", "text and number"])
def test_arrays_equal_the_graph_on_raw_cells_never_seen(found: Profile, dataset: Dataset, encoding: str, left: str) -> None:
    import onnxruntime

    names = {"all": None, "text and image": {"title", "photo"}, "text and number": {"title", "size"}}[left]
    used = replace(found, columns=tuple(each for each in found.columns if names is None or each.name in {*names, "price"}))
    table = tabulate(dataset.frame, used.features, dataset.root)
    seen, whole = np.arange(90), np.arange(100)
    encoder = make_encoder(used, encoding).fit(table, seen, whole)
    encoder = MixtureEncoder.from_state(json.loads(json.dumps(encoder.state())))
    new = dataset.frame.iloc[95:].astype(object).reset_index(drop=True)
    new.loc[0] = [None] * len(new.columns)
    new.loc[1, ["title", "colour", "built"]] = ["unheard of words", "unseen", "1931-07-09"]
    blocks = encoder.transform(tabulate(new, used.features, dataset.root))
    assert set(blocks) == set(encoder.shapes)
    builder = GraphBuilder()
    tensors = encoder.graph(builder)
    fed = {name: cells for name, cells in cells_of(encoder, used, new, dataset.root).items() if name in builder_inputs(builder)}
    dense = {name: block for name, block in blocks.items() if not hasattr(block, "indices") and name != "rows"}
    for name, block in dense.items():
        builder.output(tensors[name], f"made {name}", str(encoder.shapes[name][1]), ("batch", *block.shape[1:]))
    session = onnxruntime.InferenceSession(builder.build().SerializeToString()) if dense else None
    for name, block in dense.items():
        assert session is not None
        (made,) = session.run([f"made {name}"], fed)
        if encoding == "codes":
            assert np.array_equal(made, block, equal_nan=True)
        else:
            np.testing.assert_allclose(made, block, atol=1e-3 if name.startswith("audio") else 2e-5)


def builder_inputs(builder: GraphBuilder) -> set[str]:
    return set(builder._inputs)


def test_folds_have_one_shape(found: Profile, dataset: Dataset) -> None:
    table = tabulate(dataset.frame, found.features, dataset.root)
    whole = np.arange(100)
    for encoding in ("codes", "fused"):
        parts = [make_encoder(found, encoding).fit(table, rows, whole) for rows in (np.arange(60), np.arange(40, 100))]
        shapes = [{name: shape[0] for name, shape in part.shapes.items() if "token" not in name} for part in parts]
        assert shapes[0] == shapes[1]


def test_what_predict_py_needs_beside_the_usual(found: Profile, dataset: Dataset) -> None:
    table = tabulate(dataset.frame, found.features, dataset.root)
    rows = np.arange(100)
    needed = {encoding: make_encoder(found, encoding).fit(table, rows, rows).requirements for encoding in TABLE_ENCODING}
    assert needed == {
        "none": [],
        "side_by_side": ["pillow>=10.3"],
        "codes": ["pillow>=10.3"],
        "fused": ["pillow>=10.3", "tokenizers>=0.20"],
    }


def test_names_of_inputs_never_meet_names_of_columns() -> None:
    columns = (column("value", Kind.TEXT), column("value_in words", Kind.CATEGORY), column("note", Kind.TEXT))
    made = make_encoder(Profile("mixture", "", Task.BINARY, "", "t", "", {}, 10, columns), "side_by_side")
    assert [each.input for each in made.columns] == ["value_in_", "note"]


def test_groups_are_united_where_they_overlap() -> None:
    joined = united(np.array([0, 0, 1, 2, 3, 4]), np.array([5, 6, 6, 7, 8, 8]))
    assert len(set(joined[:3].tolist())) == 1 and joined[4] == joined[5]
    assert len(set(joined.tolist())) == 3


def test_rows_with_the_same_image_are_kept_together(dataset: Dataset, found: Profile) -> None:
    frame = dataset.frame.copy()
    frame.loc[60:70, "photo"] = "media/60.png"
    table = tabulate(frame, found.features, dataset.root)
    assert MODALITY.together is not None
    groups = MODALITY.together(table, found)
    assert groups is not None and len(set(groups[60:71].tolist())) == 1


def test_every_rung_has_a_reason_and_a_price(found: Profile) -> None:
    rungs = recommend(replace(found, rows=2000), make_options({"target": "price"})).rungs
    assert [rung.architecture for rung in rungs] == ["baseline", "linear", "boosting", "fusion"]
    assert all(rung.reason and rung.expected_seconds > 0 and rung.expected_bytes > 0 for rung in rungs)


def test_tables_are_taken_apart_and_put_together_again(found: Profile, dataset: Dataset) -> None:
    table = tabulate(dataset.frame, found.features, dataset.root)
    encoder = make_encoder(found, "codes").fit(table, np.arange(100), np.arange(100))
    some = np.array([5, 99, 3])
    assert isinstance(table.take(some), Table)
    assert np.array_equal(encoder.transform(table.take(some))["raw"], encoder.transform(table)["raw"][some], equal_nan=True)
    assert len(encoder.features["raw"]) == encoder.shapes["raw"][0] == encoder.transform(table)["raw"].shape[1]
