"""Measure automl and its peers on the same rows, seeds, cores and seconds.

    python -m benchmarks.versus DATA --sets credit-g,car --splits 1 --budget 60
    python -m benchmarks.versus.report

DATA holds a folder a data set (data.csv or data.parquet) and catalog.json, or --catalog FILE. Each cell (system, data, split,
budget) is a fresh process on the same cores; it appends one line to benchmarks/results/versus.jsonl, and a cell that has one
is not measured again. Nothing else may run on these cores meanwhile. The environments of the peers are made by the script.
With --folds 10 the rows are divided as in cross-validation, and the lines are in folds.jsonl: see benchmarks/anchors.py.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.peers import RANKED, SYSTEMS
from benchmarks.versus import cells
from benchmarks.versus.environments import python_of
from benchmarks.versus.measuring import watch, yardstick_seconds

ROOT = Path(__file__).parents[2]
RESULTS, RESULTS_OF_FOLDS = (ROOT / "benchmarks" / "results" / name for name in ("versus.jsonl", "folds.jsonl"))
KILL_FACTOR, KILL_FLOOR_SECONDS = 3.0, 180.0
"""A cell is ended at three times its budget, predictions and latency included, but not before three minutes."""


def code_version() -> str:
    """The short hash of the commit, with "+" where files differ from it; "" outside a repository."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "automl")
    return git("rev-parse", "--short", "HEAD") + "+" * bool(changed)


@functools.cache
def same_code(commit: str) -> bool:
    """Whether automl/ is what it was at a commit told by `code_version`."""
    command = ["git", "-C", str(ROOT), "diff", "--quiet", commit, "--", "automl"]
    return "+" not in commit and subprocess.run(command, capture_output=True, check=False).returncode == 0


def environment_variables() -> dict[str, str]:
    """The same for every system and shell: the repository on the path, no settings of threads or of this Python."""
    left_out = ("PYTHON", "VIRTUAL_ENV", "OMP_", "GOMP_", "MKL_", "OPENBLAS_", "KMP_", "TF_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "CUDA_VISIBLE_DEVICES": "", "MPLBACKEND": "agg"}


def prepare(cell: cells.Cell, table: cells.Table, data: Path, cores: int, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, Any]:
    """Write the parts and job.json. Returns training rows, test rows and the job."""
    train, test = cells.split_rows(cells.read_rows(data, table, cell.duplicates), table, cell.split, cell.folds)
    train.to_csv(folder / "train.csv", index=False)
    test.drop(columns=table.target).to_csv(folder / "test.csv", index=False)
    job = {
        "train": str(folder / "train.csv"),
        "test": str(folder / "test.csv"),
        "target": table.target,
        "task": table.task,
        "metric": table.metric,
        "classes": [] if table.task == "regression" else sorted(train[table.target].astype(str).unique()),
        "budget_seconds": cell.budget_seconds,
        "cores": cores,
        "seed": cell.split,
        "out": str(folder),
        "settings": SYSTEMS[cell.system].settings,
    }
    (folder / "job.json").write_text(json.dumps(job))
    return train, test, job


def measure(cell: cells.Cell, table: cells.Table, data: Path, python: Path, folder: Path) -> dict[str, Any]:
    """The line of one cell: its facts and score, or why there is none."""
    cores = len(os.sched_getaffinity(0))
    train, test, job = prepare(cell, table, data, cores, folder)
    command = [str(python), "-m", f"benchmarks.peers.{SYSTEMS[cell.system].module}", str(folder / "job.json")]
    limit = max(KILL_FACTOR * cell.budget_seconds, KILL_FLOOR_SECONDS)
    yardstick = yardstick_seconds()
    measured = watch(command, folder, environment_variables(), limit)
    line = {
        **asdict(cell),
        "task": table.task,
        "metric": table.metric,
        "rows": [len(train), len(test)],
        "columns": train.shape[1] - 1,
        "status": "ok",
        "wall_seconds": round(measured.wall_seconds, 2),
        "peak_bytes": measured.peak_bytes,
        "cores": cores,
        "machine": f"{platform.machine()} {platform.system()}",
        "yardstick_seconds": round(yardstick, 4),
        "code": code_version(),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    if measured.killed:
        return {**line, "status": "killed", "message": f"still running after {limit:.0f} s"}
    if measured.return_code:
        words = (folder / "output.txt").read_text(errors="replace").strip().splitlines()
        said = (words or ["no output"])[-1]
        return {**line, "status": "failed", "message": f"exit code {measured.return_code}: {said[:400]}"}
    facts = json.loads((folder / "facts.json").read_text())
    facts.pop("run_folder", None)
    prediction = np.load(folder / "predictions.npy")
    try:
        line["score"] = cells.score(table, job["classes"], test[table.target], prediction)
        new = cells.unseen(train, test, table.target)
        line["unseen_rows"] = int(new.sum())
        line["score_unseen"] = cells.score(table, job["classes"], test[table.target][new], prediction[new])
    except ValueError as error:
        return {**line, **facts, "status": "failed", "message": str(error)}
    return {**line, **facts}


def shown(line: dict[str, Any]) -> str:
    name = f"{line['data']:34} split {line['split']}  {line['system']:17}"
    if line["status"] != "ok":
        return f"{name} {line['status']}: {line['message']}"
    return (
        f"{name} {line['metric']:8} {line['score']:.4f}  ready {line['ready_seconds']:.0f} s  {line['peak_bytes'] / 1e6:.0f} MB  "
        f"one row {line['row_milliseconds']:.2f} ms  {line['artifact_bytes'] / 1e6:.2f} MB saved"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--catalog", type=Path, help="by default DATA/catalog.json")
    parser.add_argument("--systems", default=",".join(RANKED), help=f"of {', '.join(SYSTEMS)}")
    parser.add_argument("--sets", help="names of data sets; by default all tables of the catalog, small ones first")
    parser.add_argument("--splits", default="all", help="how many, or 'all': 10 below 3,000 rows, else 3")
    parser.add_argument("--folds", type=int, default=0, help="cross-validation of so many parts; --splits: how many of them")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds")
    parser.add_argument("--duplicates", choices=["across", "removed"], default="across")
    parser.add_argument("--renew", action="store_true", help="measure ours again where automl/ has changed since")
    parser.add_argument("--retry-failed", action="store_true")
    parser.add_argument("--cores", help="which ones, such as 0,1; by default all that this process may use")
    parser.add_argument("--environments", "--venvs", type=Path, default=Path.home() / ".cache" / "automl-benchmarks")
    parser.add_argument("--results", type=Path, help="by default in benchmarks/results/")
    parser.add_argument("--keep", type=Path, help="keep the run folders of our cells in here, for benchmarks/regret.py")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be measured")
    options = parser.parse_args()
    if options.folds and options.splits != "all" and int(options.splits) > options.folds:
        parser.error(f"there are {options.folds} folds, not {options.splits}")
    options.results = options.results or (RESULTS_OF_FOLDS if options.folds else RESULTS)
    return options


def chosen_tables(options: argparse.Namespace) -> list[cells.Table]:
    catalog = options.catalog or options.data / "catalog.json"
    if not catalog.is_file():
        sys.exit(f"versus: {catalog} is not there; it tells target, task and rows of each table: see benchmarks/README.md")
    tables = cells.read_catalog(catalog)
    if options.sets is None:
        return tables
    named = {table.name: table for table in tables}
    missing = [name for name in options.sets.split(",") if name not in named]
    if missing:
        sys.exit(f"versus: the catalog has no table {', '.join(missing)}; it has {', '.join(named)}")
    return [named[name] for name in options.sets.split(",")]


def keep_run(cell: cells.Cell, folder: Path, place: Path | None) -> None:
    if place is not None and (folder / "run").exists():
        name = f"{cell.data}-{cell.system}-{cell.split}-{cell.budget_seconds:.0f}-{cell.duplicates}"
        name += f"-of-{cell.folds}" * bool(cell.folds)
        shutil.copytree(folder / "run", place / name, dirs_exist_ok=True)


def main() -> None:
    options = parse()
    systems = options.systems.split(",")
    if unknown := [name for name in systems if name not in SYSTEMS]:
        sys.exit(f"versus: there is no system {', '.join(unknown)}; there are {', '.join(SYSTEMS)}")
    tables = chosen_tables(options)
    splits = None if options.splits == "all" else range(int(options.splits))
    planned = cells.plan(systems, tables, splits, options.budget, options.duplicates, options.folds)

    def outdated(line: dict[str, Any]) -> bool:
        old = options.renew and SYSTEMS[line["system"]].module == "ours" and not same_code(line["code"])
        return old or (options.retry_failed and line["status"] != "ok")

    to_do = cells.still_to_do(planned, cells.read_lines(options.results), outdated)
    minutes = len(to_do) * options.budget / 60
    print(
        f"{len(planned)} cells, {len(planned) - len(to_do)} of them measured; the budgets of the rest are {minutes:.0f} minutes"
    )
    if options.dry_run:
        return
    if options.cores:
        os.sched_setaffinity(0, {int(core) for core in options.cores.split(",")})
    pythons = {system: python_of(system, options.environments.absolute()) for system in systems}
    by_name = {table.name: table for table in tables}
    for cell in to_do:
        with tempfile.TemporaryDirectory(prefix="versus-") as folder:
            line = measure(cell, by_name[cell.data], options.data, pythons[cell.system], Path(folder))
            cells.append_line(options.results, line)
            keep_run(cell, Path(folder), options.keep)
        print(shown(line), flush=True)


if __name__ == "__main__":
    main()
