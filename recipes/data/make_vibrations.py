"""Writes recipes/data/vibrations.csv, which is synthetic: `python recipes/data/make_vibrations.py`.

A machine's shaking in two directions, made from a formula: every row is one recording of 64 steps of two sensors (x0 … x63,
y0 … y63). A healthy machine shakes at the speed of its shaft; an imbalanced one shakes harder, and in both directions out of
step; a worn bearing adds short knocks at a rate of its own. Speed, phase, loudness and noise are drawn at random.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "vibrations.csv"
STEPS, EACH = 64, 80
CONDITIONS = ("bearing", "healthy", "imbalance")


def recording(condition: str, generator: np.random.Generator) -> np.ndarray:
    """(steps, 2) the two sensors."""
    time = np.arange(STEPS)
    turns = generator.uniform(0.05, 0.09) * time + generator.uniform()
    strength, apart = generator.uniform(0.6, 1.2), generator.uniform(0.0, 0.1)
    if condition == "imbalance":
        strength, apart = strength * generator.uniform(1.1, 1.6), generator.uniform(0.2, 0.3)
    shaking = strength * np.stack([np.sin(2 * np.pi * turns), 0.7 * np.sin(2 * np.pi * (turns + apart))], axis=1)
    if condition == "bearing":
        phase = (time / generator.uniform(7.0, 11.0) + generator.uniform()) % 1.0
        knocks = generator.uniform(1.2, 2.0) * np.exp(-6 * phase) * np.cos(2 * np.pi * 0.31 * time)
        shaking += knocks[:, None] * (1.0, 0.6)
    return shaking + generator.uniform(0.15, 0.3) * generator.normal(size=(STEPS, 2))


if __name__ == "__main__":
    generator = np.random.default_rng(0)
    conditions = generator.permutation(np.repeat(CONDITIONS, EACH))
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["condition", *(f"{axis}{step}" for axis in "xy" for step in range(STEPS))])
        for condition in conditions:
            writer.writerow([condition, *(f"{value:.2f}" for value in recording(str(condition), generator).T.ravel())])
