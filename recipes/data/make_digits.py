"""Writes the images of recipes/digits.yaml: `python recipes/data/make_digits.py`.

600 of the 1,797 handwritten digits that scikit-learn carries, 8 x 8 grey pixels, as PNG files in a folder a digit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "digits"
OF_EACH = 60


def main() -> None:
    from PIL import Image
    from sklearn.datasets import load_digits

    bunch = load_digits()
    for digit in range(10):
        (FOLDER / str(digit)).mkdir(parents=True, exist_ok=True)
        for number in np.flatnonzero(bunch.target == digit)[:OF_EACH]:
            pixels = np.rint(bunch.images[number] * (255 / 16)).astype(np.uint8)
            Image.fromarray(pixels).save(FOLDER / str(digit) / f"{number:04d}.png", optimize=True)


if __name__ == "__main__":
    main()
