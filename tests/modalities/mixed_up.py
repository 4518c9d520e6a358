"""A made-up mixture: texts, images, sounds, a number, a category and a date, each of which tells a part of the target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from tests.core.test_audio_cells import wav

WORDS = ["flat", "near", "the", "park", "with", "two", "quiet", "rooms", "and", "a", "garden", "by", "canal"]
RATE, SAMPLES = 8000, 800


def mixture(place: Path, rows: int, seed: int = 0) -> pd.DataFrame:
    """The frame; its files are below `place`. One image is missing, one sound is empty."""
    generator = np.random.default_rng(seed)
    (place / "media").mkdir(parents=True, exist_ok=True)
    kinds: dict[str, list[Any]] = {name: [] for name in ("title", "photo", "call", "size", "colour", "built", "price")}
    for row in range(rows):
        dear, bright, high = (bool(each) for each in generator.integers(0, 2, 3))
        size = float(generator.uniform(20, 120))
        words = [*generator.choice(WORDS, 6), "penthouse" if dear else "basement", str(row)]
        pixels = generator.integers(0, 90, (12, 16, 3)) + 120 * bright
        Image.fromarray(pixels.astype(np.uint8)).save(place / "media" / f"{row}.png")
        sound = 0.4 * np.sin(2 * np.pi * (2500 if high else 400) * np.arange(SAMPLES) / RATE)
        (place / "media" / f"{row}.wav").write_bytes(wav(sound + 0.01 * generator.normal(size=SAMPLES)))
        kinds["title"].append(" ".join(words))
        kinds["photo"].append(f"media/{row}.png")
        kinds["call"].append(f"media/{row}.wav")
        kinds["size"].append(round(size, 2))
        kinds["colour"].append(str(generator.choice(["red", "green", "blue"])))
        kinds["built"].append(str(np.datetime64("2000-01-01") + int(generator.integers(0, 5000))))
        kinds["price"].append(round(100 * dear + 60 * bright + 40 * high + size + float(generator.normal(0, 5)), 3))
    kinds["photo"][1] = "media/none.png"
    (place / "media" / "2.wav").write_bytes(b"")
    return pd.DataFrame(kinds)
