"""The run folder: claimed by one process, resumed after a crash, whole when it says that it is finished."""

from __future__ import annotations

import dataclasses
import datetime
import fcntl
import hashlib
import os
import platform
import re
import shlex
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.case import Case
from automl.core.clock import Deadline
from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.events import Event, Listener
from automl.core.files import dump_json, encode, read_json, sha256_of, write_json
from automl.core.finding import Finding
from automl.core.options import Options
from automl.core.plan import Plan
from automl.core.profile import Profile
from automl.core.record import FORMAT, RUN_FILES, check_files, digests, read_record
from automl.core.version import VERSION, program_digest
from automl.splitting import FoldRows

LIBRARIES = ("automl", "tensorflow", "keras", "keras-tuner", "lightgbm", "scikit-learn", "onnx", "onnxruntime", "numpy", "pandas")
HEARTBEAT_SECONDS = 2.0
MOST_SPENT = 0.75
"""A resumed run counts at most this share of its budget as spent, so that it can still finish."""


def versions() -> dict[str, str]:
    """Versions of the libraries that the result depends on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = VERSION if name == "automl" else "not installed"
    return found


def identity(dataset: Dataset, plan: Plan) -> str:
    """Equal for runs that would give the same result: content, result-changing settings, library versions."""
    parts = [dataset.content_hash, dump_json(plan), dump_json(versions())]
    if dataset.left_out:  # which rows were read depends on the memory
        parts.append(str(dataset.rows))
    return hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()


@dataclass
class RunFolder:
    """A folder that this process holds the lock of."""

    path: Path
    lock: Any
    identity: str
    resumed: bool = False
    beating: threading.Event = field(default_factory=threading.Event)
    heart: threading.Thread | None = None
    record: dict[str, Any] = field(default_factory=dict)

    def begin(self, dataset: Dataset, profile: Profile, plan: Plan, options: Options, deadline: Deadline) -> None:
        """Write the words that are known before the search, and start the heart-beat of consumed seconds."""
        from automl.recipe import write_recipe

        spent = _spent(self.path)
        if self.resumed and deadline.budget_seconds is not None:
            deadline.started -= min(spent, MOST_SPENT * deadline.budget_seconds)
        self.record = {
            "format": FORMAT,
            "state": "running",
            "identity": self.identity,
            "name": dataset.name,
            "source": dataset.source,
            "data_hash": dataset.content_hash,
            "command": command(dataset, options),
            "options": options,
            "versions": versions(),
            "program": program_digest(),
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        write_json(self.path / "run.json", self.record)
        schema = {str(name): str(kind) for name, kind in dataset.frame.dtypes.items()}
        described = {"name": dataset.name, "source": dataset.source, "content_hash": dataset.content_hash}
        write_json(self.path / "dataset.json", {**described, "rows": dataset.rows, "columns": schema, "reading": dataset.reading})
        write_json(self.path / "profile.json", profile)
        write_recipe(plan, self.path / "plan.yaml")
        self.heart = threading.Thread(target=self._beat, args=(deadline,), daemon=True)
        self.heart.start()

    def discard(self) -> None:
        """Leave nothing half-written behind; an earlier sitting's work stays."""
        self._stop_beating()
        if not self.resumed:
            shutil.rmtree(self.path, ignore_errors=True)

    def fail(self, reason: str) -> None:
        """The work is over and there is no model: the folder says so and why, and is replaced when it is asked for again."""
        self._stop_beating()
        if self.record:
            write_json(self.path / "run.json", {**self.record, "state": "failed", "reason": reason})
            shutil.rmtree(self.path / "work", ignore_errors=True)
            (self.path / "heartbeat.json").unlink(missing_ok=True)

    def _stop_beating(self) -> None:
        """After this no heart-beat is written any more."""
        self.beating.set()
        if self.heart is not None:
            self.heart.join()

    def _beat(self, deadline: Deadline) -> None:
        while not self.beating.wait(HEARTBEAT_SECONDS):
            if self.path.is_dir():
                write_json(self.path / "heartbeat.json", {"spent_seconds": round(deadline.elapsed_seconds, 1)})

    def keep(self, case: Case, prepared: Any, out_of_fold: np.ndarray[Any, Any]) -> None:
        """What verifying recomputes the report from: folds, out-of-fold predictions, judged rows and predictions.

        Rows are everywhere told by their number in the data as read, from 0; rows of a given test part are counted on after
        those of the training part. out_of_fold.npz has its own `row_ids`: the rows that have a target, in order.
        """
        from automl.judge import background
        from automl.judge.bootstrap import judged_groups
        from automl.search.context import save_folds

        folder, context, row_ids = self.path / "evaluated", prepared.context, prepared.row_ids

        def in_data(folds: Any) -> list[FoldRows]:
            return [FoldRows(row_ids[fold.training], row_ids[fold.validation], fold.repeat) for fold in folds]

        arrays: dict[str, Any] = {
            "row_ids": case.row_ids,
            "truth": case.truth,
            "prediction": case.prediction,
            "baseline": case.baseline,
        }
        further = {"weight": case.weight, "groups": judged_groups(case), "error_scale": case.error_scale, "limits": case.limits}
        for name, values in {**further, "unmitigated": case.unmitigated}.items():
            if values is not None:
                arrays[name] = np.unique(values, return_inverse=True)[1] if name == "groups" else values
        np.savez_compressed(folder / "predictions.npz", **arrays)
        np.savez_compressed(folder / "out_of_fold.npz", row_ids=row_ids, prediction=out_of_fold, truth=context.target)
        save_folds(in_data(context.search_folds), folder / "search_folds.npz")
        save_folds(in_data(context.fresh_folds), folder / "fresh_folds.npz")
        if case.plan.samples and case.profile.modality == "tabular":
            names = [column.name for column in case.profile.features]
            background.keep(self.path, background.drawn(prepared.frame, names, case.plan.seed))

    def finish(self, case: Case, findings: list[Finding], shipped: dict[str, Any], sitting: Any) -> None:
        """Evidence, findings and report; then, and only then, the folder says that it is finished."""
        from automl.report import write_report

        evidence = case.evidence
        write_json(self.path / "evidence.json", evidence)
        write_json(self.path / "findings.json", findings)
        shipped = {**shipped, **_digest(self.path / "model")}
        case = dataclasses.replace(case, model={**case.model, **_digest(self.path / "evaluated")})
        counted = case.plan.trials is not None
        seconds = {name: round(value, 2) for name, value in sitting.seconds.items()}
        facts = {
            "name": case.dataset.name,
            "run_folder": str(self.path),
            "command": self.record["command"],
            "python_call": python_call(case.dataset, case.plan, encode(self.record["options"])),
            "versions": self.record["versions"],
            "seed": case.plan.seed,
            "data_hash": case.dataset.content_hash,
            "created": None if counted else self.record["created"],
            "seconds": {} if counted else {**seconds, "total": round(sitting.deadline.elapsed_seconds, 2)},
            "judged_on": case.judged_on,
            "shipped": untimed(shipped) if counted else shipped,
            "evaluated": untimed(case.model) if counted else case.model,
            "reading": case.dataset.reading,
        }
        write_report(self.path, case.profile, case.plan, evidence, findings, facts)
        elapsed = {**sitting.seconds, "total": sitting.deadline.elapsed_seconds}
        write_json(self.path / "timing.json", {"seconds": elapsed, "shipped": shipped, "evaluated": case.model})
        self._stop_beating()
        state = "interrupted" if sitting.deadline.interrupted else "finished"
        write_json(self.path / "run.json", {**self.record, "state": state, "files": digests(self.path)})
        shutil.rmtree(self.path / "work", ignore_errors=True)
        (self.path / "heartbeat.json").unlink(missing_ok=True)

    def logged(self, listener: Listener, deadline: Deadline) -> Listener:
        """The listener, with every event also in log.txt."""
        log = self.path / "log.txt"

        def listen(event: Event) -> None:
            if log.parent.is_dir():
                with log.open("a", encoding="utf-8") as file:
                    file.write(f"{deadline.elapsed_seconds:8.1f} s  {event.stage}  {event.message}\n")
            listener(event)

        return listen

    def log_worker(self, errors: Path) -> None:
        """What the training worker wrote to stderr, at the end of log.txt."""
        if self.path.is_dir() and errors.is_file() and errors.stat().st_size:
            with (self.path / "log.txt").open("a", encoding="utf-8") as file:
                file.write(f"\nThe training worker's messages:\n{errors.read_text(encoding='utf-8', errors='replace')}")

    def release(self) -> None:
        """Give the lock back."""
        self._stop_beating()
        (self.path / ".lock").unlink(missing_ok=True)
        self.lock.close()


def _digest(folder: Path) -> dict[str, str]:
    """The digest of a graph, by which the report names the model that it is about."""
    graph = folder / "model.onnx"
    return {"sha256": sha256_of(graph)} if graph.is_file() else {}


def untimed(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts without what was measured by the clock."""
    return {name: value for name, value in facts.items() if "seconds" not in name}


def claim(out: Path | None, dataset: Dataset, plan: Plan, fresh: bool, listener: Listener) -> RunFolder:
    """The folder for this run: the unfinished one of the same data and settings, else a new one.

    Raises InputError where --out names a finished run, something that is no run, or a place that cannot be written.
    """
    wanted = identity(dataset, plan)
    places = [out] if out is not None else _numbered(dataset.name)
    for place in places:
        if fresh and out is None:
            break
        if _unfinished(place, wanted) and (lock := _lock(place)) is not None:
            if fresh:
                lock.close()
                shutil.rmtree(place)
                break
            listener(
                Event("read", f"going on with {place}, an unfinished run of the same data and settings (--fresh starts anew)")
            )
            return RunFolder(place, lock, wanted, resumed=True)
    if out is not None and _record(out).get("state") == "failed" and (lock := _lock(out)) is not None:
        listener(Event("read", f"replacing the run in {out}, which ended without a model"))
        _empty(out)
        return RunFolder(out, lock, wanted)
    try:
        return _create(out, dataset.name, wanted, fresh)
    except OSError as error:
        place = out or Path("runs")
        raise InputError(f"cannot write to {place} ({error.strerror})", "choose another folder with --out") from None


def _create(out: Path | None, name: str, wanted: str, fresh: bool) -> RunFolder:
    if out is not None:
        if out.exists() and (not out.is_dir() or any(not _unspoken(path.name) for path in out.iterdir())):
            kind = "holds a run already" if (out / "run.json").is_file() else "exists and is not empty"
            raise InputError(f"{out} {kind}", "choose another folder with --out")
        out.mkdir(parents=True, exist_ok=True)
        place = out
    else:
        place = _next_free(name)
    lock = _lock(place)
    if lock is None:
        raise InputError(f"{place} is in use by another run")
    return RunFolder(place, lock, wanted)


def _unspoken(name: str) -> bool:
    """Whether this is what a process leaves behind that was killed before it had written a run.json."""
    return name == ".lock" or name.startswith(".run.json.")


def _next_free(name: str) -> Path:
    taken = [int(place.name.rpartition("-")[2]) for place in _numbered(name)]
    number = max(taken, default=0) + 1
    while True:
        place = Path("runs") / f"{_slug(name)}-{number}"
        try:
            place.mkdir(parents=True)
            return place
        except FileExistsError:
            number += 1


def _slug(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "data"


def _numbered(name: str) -> list[Path]:
    pattern = re.compile(re.escape(_slug(name)) + r"-\d+")
    found = [place for place in Path("runs").glob("*") if pattern.fullmatch(place.name)] if Path("runs").is_dir() else []
    return sorted(found, key=lambda place: int(place.name.rpartition("-")[2]))


def _unfinished(place: Path, wanted: str) -> bool:
    record = _record(place)
    return bool(record.get("state") == "running" and record.get("identity") == wanted)


def _record(place: Path) -> dict[str, Any]:
    """run.json; empty where there is none that can be read."""
    if not (place / "run.json").is_file():
        return {}
    try:
        record = read_json(place / "run.json")
    except InputError:
        return {}
    return record if isinstance(record, dict) else {}


def _empty(place: Path) -> None:
    """Remove everything but the lock."""
    for path in place.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != ".lock":
            path.unlink()


def _lock(place: Path) -> Any:
    """An exclusive lock on the folder, or None where another process holds it."""
    handle = (place / ".lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    try:
        current = os.stat(place / ".lock").st_ino
    except FileNotFoundError:
        current = None
    if os.fstat(handle.fileno()).st_ino != current:  # its holder has just removed it, and another may hold a new one
        handle.close()
        return None
    return handle


def _spent(place: Path) -> float:
    try:
        return float(read_json(place / "heartbeat.json")["spent_seconds"])
    except (InputError, KeyError, TypeError):
        return 0.0


def open_folder(folder: Path) -> Path:
    """The folder, once it is sure that it holds a finished run that this version can read, with the files of that run."""
    check_files(folder, read_record(folder), RUN_FILES)
    return folder


def command(dataset: Dataset, options: Options) -> str:
    """The command line that makes this run again."""
    words = ["automl", "fit", dataset.source]
    for option in dataclasses.fields(Options):
        value, default = getattr(options, option.name), _default(option)
        if value == default:
            continue
        flag = {"kinds": "kind", "refit": "no-refit", "samples": "no-samples"}.get(option.name, option.name.replace("_", "-"))
        if isinstance(value, bool):
            words.append(f"--{flag}")
        elif isinstance(value, dict):
            words += [word for key, item in value.items() for word in (f"--{flag}", f"{key}={item}")]
        elif isinstance(value, tuple):
            words += [f"--{flag}", ",".join(_as_list_item(str(item)) for item in value)]
        else:
            words += [f"--{flag}", f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join(words)


def _as_list_item(name: str) -> str:
    """A name in an option that takes several, separated by commas."""
    return '"' + name.replace('"', '""') + '"' if "," in name or name.startswith('"') else name


def _default(option: dataclasses.Field[Any]) -> Any:
    if option.default_factory is not dataclasses.MISSING:
        return option.default_factory()
    return option.default


def python_call(dataset: Dataset, plan: Plan, asked: Mapping[str, Any]) -> str:
    """The Python call that makes this run again. asked: the options of the run, as its record keeps them."""
    amount = f"trials={plan.trials}" if plan.trials is not None else f"time={plan.budget_seconds:g}"
    source = "data" if dataset.reading.get("format") == "frame" else repr(dataset.source)
    named = ("target", "time", "trials", "preset", "seed")
    further = [
        f", {option.name}={asked[option.name]!r}"
        for option in dataclasses.fields(Options)
        if option.name not in named and asked.get(option.name) not in (None, encode(_default(option)))
    ]
    return f"automl.fit({source}, target={plan.target!r}, {amount}, preset={plan.preset!r}, seed={plan.seed}{''.join(further)})"


__all__ = ["RunFolder", "claim", "encode", "identity", "open_folder", "untimed", "versions"]
