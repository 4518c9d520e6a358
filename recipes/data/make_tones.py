"""Writes the sounds of recipes/tones.yaml, which are synthetic: `python recipes/data/make_tones.py`.

Every clip is made from a formula: a tone that rises, falls, stays or warbles, or filtered noise, at a random pitch,
loudness and place in time, with noise over it. 0.25 s at 8 kHz, 8 bits: 200 clips to train on and 60 to test on.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "tones"
RATE, SECONDS = 8000, 0.25
KINDS = ("falling", "noise", "rising", "steady", "warble")
CLIPS = {"train": 40, "test": 12}
"""Of each kind."""


def clip(kind: str, generator: np.random.Generator) -> np.ndarray:
    """The samples of one clip, (samples,) float64 in [-1, 1]."""
    time = np.arange(int(RATE * SECONDS)) / RATE
    pitch = generator.uniform(500, 1800)
    bend = {"falling": -1.0, "rising": 1.0}.get(kind, 0.0) * pitch * generator.uniform(0.4, 0.9)
    hertz = pitch + bend * (time / SECONDS - 0.5)
    if kind == "warble":
        hertz = pitch * (1 + 0.2 * np.sin(2 * np.pi * generator.uniform(10, 16) * time))
    sound = np.sin(2 * np.pi * np.cumsum(hertz) / RATE + generator.uniform(0, 2 * np.pi))
    if kind == "noise":
        sound = np.convolve(generator.normal(size=len(time)), np.sin(2 * np.pi * pitch * time[:40]), mode="same") / 8
    middle, width = generator.uniform(0.3, 0.7) * SECONDS, generator.uniform(0.25, 0.35) * SECONDS
    loud = generator.uniform(0.2, 0.8) * np.exp(-(((time - middle) / width) ** 2))
    return np.clip(loud * sound + generator.uniform(0.01, 0.04) * generator.normal(size=len(time)), -1, 1)


def write(path: Path, sound: np.ndarray) -> None:
    """An 8-bit mono WAV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, RATE, len(sound), "NONE", "not compressed"))
        file.writeframes(np.round(128 + 127 * sound).astype(np.uint8).tobytes())


if __name__ == "__main__":
    generator = np.random.default_rng(0)
    for part, clips in CLIPS.items():
        for kind in KINDS:
            for number in range(clips):
                write(FOLDER / part / kind / f"{kind}{number:02d}.wav", clip(kind, generator))
