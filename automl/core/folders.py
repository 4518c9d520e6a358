"""Folders of images or sounds as rows: a path and, where files lie in a folder a class, a label. Part of predict.py."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl.core.predictor import EXTENSIONS, Columns, PredictorError, not_a_table

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
AUDIO_SUFFIXES = (".wav", ".wave", ".flac", ".ogg", ".aiff", ".aif")
TRAINING_PARTS = ("train", "training", "validation", "valid", "val", "dev")
TEST_PARTS = ("test", "testing")
LABEL = "label"


def media_kind(name: str) -> str:
    """ "image", "audio" or "" by the suffix of a file name."""
    suffix = os.path.splitext(name)[1].lower()
    return "image" if suffix in IMAGE_SUFFIXES else "audio" if suffix in AUDIO_SUFFIXES else ""


def media_files(folder: str | os.PathLike[str]) -> tuple[str, list[str], list[str]]:
    """The kind of media that a folder holds, the files of that kind and the other files, as sorted relative paths.

    Hidden files are left out, and folders that are links to elsewhere are not entered.
    """
    files = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = os.path.relpath(place, folder)
        files += [os.path.join("" if below == "." else below, name) for name in sorted(names) if not name.startswith(".")]
    counted = Counter(media_kind(name) for name in files)
    counted.pop("", None)
    if not counted:
        return "", [], files
    kind = max(sorted(counted), key=lambda each: counted[each])
    return kind, [name for name in files if media_kind(name) == kind], [name for name in files if media_kind(name) != kind]


def part_and_label(name: str) -> tuple[str, str]:
    """(part, label) of a relative path: "test", "train" or "" by the folder that names the part, then the class's folder."""
    folders = Path(name).parts[:-1]
    part = ""
    if folders and folders[0].casefold() in (*TRAINING_PARTS, *TEST_PARTS):
        part = "test" if folders[0].casefold() in TEST_PARTS else "train"
        folders = folders[1:]
    return part, folders[0] if folders else ""


def rows_of_folder(path: Path, contract: Mapping[str, Any]) -> Columns:
    """New rows from a folder of files, or from one file; the paths are the cells of the model's column of files.

    Raises PredictorError where the model takes no files, or further columns, or where there are none in the folder.
    """
    names = [
        column["name"]
        for column in contract["columns"]
        if any(feed["parse"]["as"] in ("image", "audio") for feed in column.get("feeds", [column]))
    ]
    if len(names) != 1 or len(contract["columns"]) != 1:
        raise not_a_table(path)
    if path.is_dir():
        _, files, _ = media_files(path)
        root = path
        if not files:
            raise PredictorError(f"{path} holds no images or sounds")
    else:
        files, root = [path.name], path.parent
    rows = Columns({names[0]: files})
    if path.is_dir() and all(part_and_label(name)[1] for name in files):
        rows[str(contract.get("target", LABEL))] = [part_and_label(name)[1] for name in files]
    rows.root = str(root)
    return rows


EXTENSIONS["folder"] = rows_of_folder
