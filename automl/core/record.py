"""run.json: what a run folder says of itself, and whether its files are still those that the run wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from automl.core.errors import InputError
from automl.core.files import read_json, sha256_of

FORMAT = 1
"""The newest run.json that this version understands."""
MODEL_FILES = ("model/contract.json", "model/model.onnx")
RUN_FILES = (
    "profile.json", "plan.yaml", "evidence.json", "findings.json", "report.json", "report.html", *MODEL_FILES,
)  # fmt: skip
"""What is read of a finished run."""
_STILL_WRITTEN = {"run.json", "log.txt", "heartbeat.json", ".lock"}


def read_record(folder: Path) -> dict[str, Any]:
    """run.json of a finished run.

    Raises InputError where the folder holds none, or one that is damaged, of a newer version or not finished.
    """
    path = folder / "run.json"
    if not folder.is_dir():
        raise InputError(f"there is no run folder {folder}")
    if not path.is_file():
        raise InputError(f"{folder} is no run folder: run.json is missing")
    record = read_json(path)
    if not isinstance(record, dict) or not isinstance(record.get("format"), int):
        raise InputError(f"{path} is damaged (it has no format number)")
    if record["format"] > FORMAT:
        made_by = record.get("versions", {}).get("automl", "a newer version")
        raise InputError(f"{path} was written by automl {made_by}, which is newer than this one", "upgrade automl")
    if record.get("state") == "running":
        raise InputError(f"the run in {folder} is not finished", "run the same automl fit command again to go on with it")
    if record.get("state") == "failed":
        raise InputError(f"the run in {folder} ended without a model", f"{folder / 'log.txt'} says why; run automl fit again")
    return record


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a finished run by its path in the folder; not of run.json, which is to hold them."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    kept = {name: path for name, path in names.items() if name not in _STILL_WRITTEN and not name.startswith("work/")}
    return {name: sha256_of(path) for name, path in kept.items()}


def check_files(folder: Path, record: Mapping[str, Any], names: Iterable[str]) -> None:
    """Hold files of a finished run against the digests in its record; names that it does not list are let through.

    Raises InputError with the path of the first file that is missing or another one.
    """
    listed = record.get("files", {})
    for name in names:
        if name not in listed:
            continue
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path} is missing", "restore it from a copy, or run automl fit again with another --out")
        if sha256_of(path) != listed[name]:
            raise InputError(
                f"{path} is damaged: it is not the file that the run wrote",
                "restore it from a copy, or run automl fit again with another --out",
            )
