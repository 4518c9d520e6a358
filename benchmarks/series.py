"""Series against their targets: fits folders of data as a user would, and prints accuracy on the official test parts.

    python -m benchmarks.series DATA [--time 300] [--only gunpoint ...]

DATA holds a folder a data set: gunpoint, italypowerdemand, japanesevowels and basicmotions with train.csv and test.csv (and
labels beside them), weight_lifting_har with data.csv, occupancy with train.csv and test.csv. None of it is part of this
repository. The last two are streams: next to the score of a random split of the rows, which neighbours in time make too
good, stands the one between blocks of time, or on the other period.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from automl.run import Run
from benchmarks.measuring import Measured, automl_command, measured

TARGETS = {"gunpoint": 0.98, "italypowerdemand": 0.95, "japanesevowels": 0.97, "basicmotions": 1.0}


def official(folder: Path, seconds: float, scratch: Path) -> tuple[float, str, Measured]:
    """Accuracy of the evaluated model on the official test part, the rung that was chosen, seconds and memory of the fit."""
    run = scratch / "run"
    spent = measured(automl_command("fit", folder, "--target", "label", "--time", seconds, "--out", run, "--quiet"))
    out = scratch / "predictions.csv"
    subprocess.run([sys.executable, str(run / "evaluated" / "predict.py"), str(folder / "test.csv"), "-o", str(out)], check=True)
    predicted = pd.read_csv(out, dtype=str)
    labels = folder / "test_labels.csv"
    truth = pd.read_csv(labels if labels.exists() else folder / "test.csv", dtype=str)
    if labels.exists():
        truth = predicted[["series_id"]].merge(truth, on="series_id", how="left")
    return float((predicted["prediction"] == truth["label"]).mean()), champion(run), spent


def stream(data: Path, target: str, options: list[str], seconds: float, scratch: Path) -> tuple[float, str, Measured]:
    """Accuracy on the rows that the run itself judged, the rung that was chosen, seconds and memory of the fit."""
    run = scratch / "run"
    given = ["fit", data, "--target", target, "--time", seconds, "--metric", "accuracy", "--out", run, "--quiet", *options]
    spent = measured(automl_command(*given))
    scores = next(each for each in Run(run).findings if each.code == "AML201")
    return float(next(iter(scores.numbers.values())).value), champion(run), spent


def champion(run: Path) -> str:
    return str(Run(run).model.contract["architecture"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--time", type=float, default=300.0)
    parser.add_argument("--only", nargs="*", default=[])
    chosen = parser.parse_args()
    cases: list[tuple[str, Callable[[Path], tuple[float, str, Measured]]]] = [
        (name, partial(official, chosen.data / name, chosen.time)) for name in TARGETS
    ]
    har, rooms = chosen.data / "weight_lifting_har" / "data.csv", chosen.data / "occupancy" / "train.csv"
    blocks, other = ["--modality", "series"], ["--test", str(rooms.with_name("test.csv"))]
    streams: list[tuple[str, Path, str, list[str]]] = [
        ("weight_lifting_har, rows at random", har, "classe", []),
        ("weight_lifting_har, windows by blocks", har, "classe", blocks),
        ("occupancy, rows at random", rooms, "Occupancy", []),
        ("occupancy, another period", rooms, "Occupancy", other),
        ("occupancy, windows, another period", rooms, "Occupancy", [*blocks, *other]),
    ]
    cases += [(name, partial(stream, data, target, given, chosen.time)) for name, data, target, given in streams]
    for name, run in cases:
        if chosen.only and not any(name.startswith(wanted) for wanted in chosen.only):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            accuracy, rung, spent = run(Path(scratch))
        wanted = f", wanted {TARGETS[name]:.3f}" if name in TARGETS else ""
        told = f"{spent.seconds:.0f} s, {spent.peak_gib:.2f} GiB"
        print(f"{name}: accuracy {accuracy:.4f}{wanted} by {rung}; {told}", flush=True)


if __name__ == "__main__":
    main()
