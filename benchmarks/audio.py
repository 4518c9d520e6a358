"""Accuracy of `automl fit` on folders of sounds with a test part, by the whole command in a process of its own.

    python -m benchmarks.audio DATA [--time 300] [--only spoken_digits] [--rungs linear,cnn]

DATA holds a folder a data set, with train/ and test/ and in them a folder a class. `--speakers` trains without one
speaker of file names such as 0_george_0.wav and tests on that one, for each in turn.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import automl_command, measured

GOALS = {"spoken_digits": 0.95}


def run_once(folder: Path, seconds: float, rungs: str) -> tuple[float, float, str, float]:
    """Accuracy on the test part, wall-clock seconds, the chosen architecture and the peak memory in GiB."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place, "run")
        command = automl_command("fit", str(folder), "--time", str(seconds), "--out", str(out), "--quiet")
        command += [argument for rung in filter(None, rungs.split(",")) for argument in ("--only", rung)]
        spent = measured(command)
        with np.load(out / "evaluated" / "predictions.npz") as judged:
            accuracy = float((judged["prediction"].argmax(axis=1) == judged["truth"]).mean())
        champion = json.loads((out / "evidence.json").read_text())["champion"]
    return accuracy, spent.seconds, champion, spent.peak_gib


def without_speaker(folder: Path, speaker: str, place: Path) -> None:
    """Links to all clips: those of one speaker as test/, the others as train/."""
    for clip in sorted(folder.glob("*/*/*.wav")):
        part = "test" if clip.stem.split("_")[1] == speaker else "train"
        target = place / part / clip.parent.name / clip.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(clip.resolve())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--time", type=float, default=300)
    parser.add_argument("--only", default=",".join(GOALS))
    parser.add_argument("--rungs", default="")
    parser.add_argument("--speakers", action="store_true")
    options = parser.parse_args()
    print("data            goal   accuracy  seconds  GiB   chosen")
    for name in options.only.split(","):
        folder = options.data / name
        accuracy, elapsed, champion, memory = run_once(folder, options.time, options.rungs)
        print(f"{name:15} {GOALS[name]:<6} {accuracy:<9.4f} {elapsed:<8.0f} {memory:<5.2f} {champion}", flush=True)
        if not options.speakers:
            continue
        for speaker in sorted({clip.stem.split("_")[1] for clip in folder.glob("*/*/*.wav")}):
            with tempfile.TemporaryDirectory() as place:
                without_speaker(folder, speaker, Path(place))
                accuracy, elapsed, champion, memory = run_once(Path(place), options.time, options.rungs)
            print(f"  without {speaker:12} {accuracy:<9.4f} {elapsed:<8.0f} {memory:<5.2f} {champion}", flush=True)


if __name__ == "__main__":
    main()
