"""Images: what is found by looking, what a split keeps together, the encodings, and the parts of the explanations."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from PIL import Image

from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.profile import Kind, Profile
from automl.core.table import Table, tabulate
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.modalities.image import MODALITY
from automl.modalities.image.encoding import ENCODINGS, ImagesEncoder, make_encoder
from automl.modalities.image.examine import form_of
from automl.modalities.image.explain import picture
from automl.modalities.image.together import together
from automl.profiling import profile
from tests.core.test_image_cells import encoded, smooth


def folder(place: Path, files: dict[str, bytes]) -> Dataset:
    """Files by relative path, the folder above them being the label."""
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    frame = pd.DataFrame({"image": list(files), "label": [Path(name).parent.name for name in files]}, dtype=str)
    return Dataset(frame, "pictures", str(place), "", root=str(place))


def files(count: int = 8, side: int = 30, **options: Any) -> dict[str, bytes]:
    return {
        f"{label}/{label}{number}.png": encoded(smooth(100 * which + number, side), **options)
        for which, label in enumerate(("a", "b"))
        for number in range(count)
    }


def test_a_folder_of_images_is_known_and_described(tmp_path: Path) -> None:
    found = profile(folder(tmp_path, files()))
    assert (found.modality, found.task, found.root) == ("image", Task.BINARY, str(tmp_path))
    (image,) = found.features
    assert image.parse == {"as": "image", "height": 30, "width": 30, "channels": 3, "fit": "resize"}
    assert image.dtype == "uint8"
    assert image.statistics["sizes"] == {"min": [30, 30], "median": [30, 30], "max": [30, 30]}
    assert image.statistics["modes"] == {"RGB": 16}
    assert image.statistics["near_duplicates"]["images"] == 0
    json.dumps(image.statistics)


def test_grey_content_is_grey_whatever_its_mode(tmp_path: Path) -> None:
    grey = {f"{label}/{n}.png": encoded(smooth(n).convert("L").convert("RGB")) for label in "ab" for n in range(6)}
    assert profile(folder(tmp_path, grey)).features[0].parse["channels"] == 1


def test_deep_images_say_which_value_is_white(tmp_path: Path) -> None:
    deep = {
        f"{label}/{n}.png": encoded(Image.fromarray(np.asarray(smooth(n).convert("L")).astype(np.uint16) * 10))
        for label in "ab"
        for n in range(6)
    }
    (image,) = profile(folder(tmp_path, deep)).features
    assert image.parse["white"] == 4095
    assert tabulate(folder(tmp_path, deep).frame, [image], str(tmp_path)).columns["image"].mean() > 20


def test_unreadable_images_are_named_and_too_many_refused(tmp_path: Path) -> None:
    some = {**files(), "a/empty.png": b"", "b/cut.jpg": encoded(smooth(side=300), "JPEG")[:700]}
    (image,) = profile(folder(tmp_path / "some", some)).features
    assert image.statistics["unreadable_count"] == 2
    assert [name for name, _ in image.statistics["unreadable"]] == ["a/empty.png", "b/cut.jpg"]
    assert "2 cannot be decoded" in image.evidence
    most = {**files(3), **{f"a/broken{number}.png": b"no image" for number in range(9)}}
    with pytest.raises(InputError, match="9 of the 15 images"):
        profile(folder(tmp_path / "most", most))


@pytest.mark.parametrize(
    ("sizes", "rows", "wanted"),
    [
        ([[8, 8]], 1_800, (8, 8)),
        ([[28, 28]], 60_000, (28, 28)),
        ([[224, 168], [168, 224], [224, 224]], 3_400, (64, 64)),
        ([[80, 160]], 1_500, (72, 136)),
        ([[600, 800]], 100, (80, 112)),
        ([[4000, 3000]] * 3, 1_000_000, (40, 24)),
        ([[44, 44]], 500, (48, 48)),
    ],
)
def test_the_size_follows_from_the_data(sizes: list[list[int]], rows: int, wanted: tuple[int, int]) -> None:
    height, width = form_of(np.asarray(sizes), 3, rows)
    assert abs(height - wanted[0]) <= 8
    assert abs(width - wanted[1]) <= 8


def test_copies_and_bursts_stay_together(tmp_path: Path) -> None:
    pictures = {f"{label}/p{n}.png": encoded(smooth(10 * n + ord(label))) for label in "ab" for n in range(6)}
    pictures["a/again.jpg"] = encoded(smooth(ord("a")), "JPEG")
    dataset = folder(tmp_path / "copies", pictures)
    found = profile(dataset)
    assert found.features[0].statistics["near_duplicates"]["examples"] == [["a/p0.png", "a/again.jpg"]]
    groups = together(tabulate(dataset.frame, found.features, dataset.root), found)
    assert groups is not None
    names = dataset.frame["image"].tolist()
    assert groups[names.index("a/p0.png")] == groups[names.index("a/again.jpg")]
    assert len(np.unique(groups)) == len(names) - 1
    timed = {f"{'ab'[n % 2]}/2020_01_02_10_{n // 4:02d}_0{n % 4}.png": encoded(smooth(n)) for n in range(40)}
    dataset = folder(tmp_path / "bursts", timed)
    found = profile(dataset)
    assert found.features[0].statistics["bursts"] == 10
    groups = together(tabulate(dataset.frame, found.features, dataset.root), found)
    assert groups is not None
    assert len(np.unique(groups)) == 10


def test_test_images_seen_in_training_are_counted(tmp_path: Path) -> None:
    dataset = folder(tmp_path, files())
    test = dataset.frame.iloc[:3].assign(image=["a/new.png", "a/a1.png", "b/b1.png"])
    (tmp_path / "a/new.png").write_bytes(encoded(smooth(999)))
    found = profile(Dataset(dataset.frame, "pictures", "", "", test=test, root=str(tmp_path)))
    assert found.features[0].statistics["near_duplicates"]["across"] == 2


def test_images_alone_are_sensed_and_tables_are_not(tmp_path: Path) -> None:
    dataset = folder(tmp_path, files())
    columns = profile(dataset).columns
    assert MODALITY.sense(dataset, columns)[0] == 0.9
    assert MODALITY.sense(dataset, [each for each in columns if each.kind is not Kind.IMAGE])[0] == 0.0


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Profile, Table]:
    place = tmp_path_factory.mktemp("known")
    dataset = folder(place, files())
    found = profile(dataset)
    return found, tabulate(dataset.frame, found.features, dataset.root)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_encoder_equals_its_graph_and_comes_back_from_its_state(encoding: str, known: tuple[Profile, Table]) -> None:
    found, table = known
    rows = np.arange(table.rows)
    encoder = make_encoder(found, encoding).fit(table, rows, rows)
    again = ImagesEncoder.from_state(json.loads(json.dumps(encoder.state())))
    assert again == encoder
    builder = GraphBuilder()
    outputs = encoder.graph(builder)
    for name, tensor in outputs.items():
        shape, dtype, _ = encoder.shapes[name]
        builder.output(tensor, f"{name}_out", dtype, ("batch", *np.atleast_1d(shape).tolist()))
    (feed,) = encoder.feeds["image"]
    assert feed["shape"] == list(encoder.images[0].shape)
    session = onnxruntime.InferenceSession(builder.build().SerializeToString(), providers=["CPUExecutionProvider"])
    given = session.run(None, {feed["input"]: table.columns["image"]})
    for value, wanted in zip(given, encoder.transform(table).values(), strict=True):
        np.testing.assert_array_equal(value, wanted)
    assert encoder.requirements == ["pillow>=10.3"]
    assert 8 <= encoder.chunk_rows <= 1024


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_small_pngs_that_can_be_read(channels: int) -> None:
    image = np.asarray(smooth(side=28))[:, :, :channels]
    for weight, side in ((None, 28), (np.linspace(-1, 1, 28 * 28).reshape(28, 28), 56)):
        uri = picture(image, weight)
        content = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
        with Image.open(io.BytesIO(content)) as shown:
            assert shown.size == (side, side)
            if weight is None:
                assert np.abs(np.asarray(shown.convert("RGB"), int)[:, :, :1] - image[:, :, :1].astype(int)).mean() < 8
        assert len(uri) < 20_000
