"""Folders of files read as tables of paths and labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.core.errors import InputError
from automl.core.folders import media_files, part_and_label
from automl.core.parsers import EXTENSIONS
from automl.core.predictor import PredictorError
from automl.reading import read

CONTRACT = {"target": "label", "columns": [{"name": "image", "parse": {"as": "image"}, "input": "image", "dtype": "uint8"}]}


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def test_a_folder_a_class(tmp_path: Path) -> None:
    data = read(tree(tmp_path / "pets", "cat/1.png", "cat/2.JPG", "dog/a.png", "dog/deep/b.png", "notes.txt"))
    assert data.frame.to_dict("list") == {
        "image": ["cat/1.png", "cat/2.JPG", "dog/a.png", "dog/deep/b.png"],
        "label": ["cat", "cat", "dog", "dog"],
    }
    assert data.test is None
    assert (data.name, data.root) == ("pets", str(tmp_path / "pets"))
    assert "notes.txt" in data.reading["note"]


def test_the_test_folder_is_the_test_part_and_validation_joins_training(tmp_path: Path) -> None:
    names = [f"{part}/{label}/{number}.wav" for part in ("train", "validation", "test") for label in "ab" for number in (0, 1)]
    data = read(tree(tmp_path / "sounds", *names))
    assert data.test is not None
    assert len(data.frame) == 8
    assert sorted(data.test["audio"]) == sorted(name for name in names if name.startswith("test"))
    assert set(data.frame.columns) == set(data.test.columns) == {"audio", "label"}


def test_the_hash_is_of_names_and_contents(tmp_path: Path) -> None:
    one = read(tree(tmp_path / "one", "a/1.png", "b/2.png")).content_hash
    same = read(tree(tmp_path / "two", "a/1.png", "b/2.png")).content_hash
    (tmp_path / "two" / "a" / "1.png").write_bytes(b"other")
    assert one == same != read(tmp_path / "two").content_hash


def test_the_files_of_a_separate_test_folder_are_found_from_the_root(tmp_path: Path) -> None:
    data = read(tree(tmp_path / "here", "a/1.png", "b/2.png", "b/3.png"), tree(tmp_path / "there", "a/9.png", "b/8.png"))
    assert data.test is not None
    assert [(Path(data.root) / name).read_bytes() for name in data.test["image"]] == [b"a/9.png", b"b/8.png"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [(["a.png", "b.png"], "lie in no folder that names their class"), (["notes.md"], "without a train.csv, images or sounds")],
)
def test_a_folder_without_classes_is_refused(tmp_path: Path, names: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read(tree(tmp_path / "data", *names))


def test_what_is_not_looked_at_in_a_folder_is_told(tmp_path: Path) -> None:
    folder = tree(tmp_path / "pets", "cat/1.png", "cat/2.png", "dog/1.png", "notes.txt")
    (folder / "fox").mkdir()
    note = read(folder).reading["note"]
    assert "1 file is no image and not looked at, such as notes.txt" in note
    assert "no image lies in fox" in note


def test_hidden_files_and_links_to_folders_elsewhere_are_not_entered(tmp_path: Path) -> None:
    tree(tmp_path / "elsewhere", "x/1.png")
    folder = tree(tmp_path / "data", "a/1.png", "a/.2.png", ".git/3.png")
    (folder / "b").symlink_to(tmp_path / "elsewhere" / "x")
    assert media_files(folder)[:2] == ("image", ["a/1.png"])


def test_part_and_label() -> None:
    assert part_and_label("Train/cat/1.png") == ("train", "cat")
    assert part_and_label("valid/cat/1.png") == ("train", "cat")
    assert part_and_label("test/1.png") == ("test", "")
    assert part_and_label("cat/1.png") == ("", "cat")


def test_new_rows_of_a_folder_or_of_one_file(tmp_path: Path) -> None:
    folder = tree(tmp_path / "new", "b.png", "deep/a.png")
    rows = EXTENSIONS["folder"](folder, CONTRACT)
    assert (dict(rows), rows.root) == ({"image": ["b.png", "deep/a.png"]}, str(folder))
    assert dict(EXTENSIONS["folder"](folder / "b.png", CONTRACT)) == {"image": ["b.png"]}
    labelled = EXTENSIONS["folder"](tree(tmp_path / "labelled", "x/1.png", "y/2.png"), CONTRACT)
    assert labelled["label"] == ["x", "y"]
    with pytest.raises(PredictorError, match="no images"):
        EXTENSIONS["folder"](tree(tmp_path / "empty", "a.txt"), CONTRACT)
