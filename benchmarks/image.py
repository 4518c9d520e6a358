"""Accuracy of `automl fit` on folders of images, by the whole command in a process of its own.

    python -m benchmarks.image DATA [--time 300] [--only digits8x8] [--rungs cnn]

DATA holds a folder a data set, and in it a folder a class, or train/ and test/ with a folder a class. Accuracy is that on
the test part or, where there is none, on the sealed part.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import automl_command, measured

GOALS = {"digits8x8": 0.985, "mnist15k": 0.98, "clothing_small": 0.5}


def run_once(folder: Path, seconds: float, rungs: str) -> tuple[float, int, float, str, float]:
    """Accuracy, judged images, wall-clock seconds, the chosen architecture and the peak memory in GiB."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place, "run")
        command = automl_command("fit", str(folder), "--time", str(seconds), "--out", str(out), "--quiet")
        command += [argument for rung in filter(None, rungs.split(",")) for argument in ("--only", rung)]
        spent = measured(command)
        with np.load(out / "evaluated" / "predictions.npz") as judged:
            right = judged["prediction"].argmax(axis=1) == judged["truth"]
        champion = json.loads((out / "evidence.json").read_text())["champion"]
    return float(right.mean()), len(right), spent.seconds, champion, spent.peak_gib


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--time", type=float, default=300)
    parser.add_argument("--only", default=",".join(GOALS))
    parser.add_argument("--rungs", default="")
    options = parser.parse_args()
    print("data            goal   accuracy  images   seconds  GiB   chosen")
    for name in options.only.split(","):
        accuracy, images, elapsed, champion, memory = run_once(options.data / name, options.time, options.rungs)
        print(f"{name:15} {GOALS[name]:<6} {accuracy:<9.4f} {images:<8,} {elapsed:<8.0f} {memory:<5.2f} {champion}", flush=True)


if __name__ == "__main__":
    main()
