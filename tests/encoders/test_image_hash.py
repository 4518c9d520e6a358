"""Near-duplicates: found in another size, compression and light; different images are not taken for one."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from automl.encoders.image_hash import bursts, difference_hash, joined, near_duplicates, shares


def photo(seed: int) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return Image.fromarray(small).resize((96, 96), Image.Resampling.BICUBIC)


def as_array(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR))


def compressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(buffer)


def test_copies_are_found_and_others_are_not() -> None:
    first = photo(0)
    lighter = Image.fromarray(np.clip(np.asarray(first).astype(int) + 8, 0, 255).astype(np.uint8))
    images = [first, compressed(first), first.resize((40, 40)), lighter, *(photo(seed) for seed in range(1, 40))]
    found = near_duplicates(np.stack([as_array(each) for each in images]))
    assert found[:4].tolist() == [0, 0, 0, 0]
    assert found[4:].tolist() == list(range(4, len(images)))


def test_digits_of_one_class_are_no_copies() -> None:
    images = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)[..., None]
    found = near_duplicates(images)
    assert len(np.unique(found)) >= len(images) - 6


def test_plain_images_are_no_copies_of_each_other() -> None:
    images = np.stack([np.full((16, 16, 1), value, np.uint8) for value in (0, 0, 1, 200)])
    assert len(np.unique(near_duplicates(images))) == 4


def test_the_hash_follows_brightness_from_left_to_right() -> None:
    ramp = np.tile(np.arange(0, 180, 5, dtype=np.uint8), (36, 1))[None, :, :, None]
    assert difference_hash(ramp)[0] == np.uint64(2**64 - 1)
    assert difference_hash(ramp[:, :, ::-1])[0] == 0
    for size, wanted in ((8, 9), (64, 9), (7, 7), (100, 16)):
        np.testing.assert_allclose(shares(size, wanted).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("prefix", ["center_", "cam/left-"])
def test_times_in_names_tell_bursts(prefix: str) -> None:
    names = [
        f"{prefix}2018_07_16_17_{minute:02d}_{second:02d}_{milli:03d}.jpg"
        for minute in range(12)
        for second in (3, 4)
        for milli in (70, 500)
    ]
    found = bursts(names)
    assert found is not None
    np.testing.assert_array_equal(found, np.repeat(np.arange(12), 4))


def test_a_long_recording_is_cut_into_pieces() -> None:
    names = [f"2020-01-02_10-{n // 60:02d}-{n % 60:02d}.png" for n in range(400)]
    found = bursts(names)
    assert found is not None
    assert len(np.unique(found)) == 40
    assert (np.diff(found) >= 0).all()


def test_names_that_tell_nothing() -> None:
    assert bursts([f"cat.{n}.jpg" for n in range(50)]) is None
    assert bursts([f"{n:05d}.png" for n in range(50)]) is None
    assert bursts([f"IMG_20200{1 + n % 9}01_1200{n % 60:02d}.jpg" for n in range(9)]) is None
    assert bursts([]) is None
    frames = bursts([f"walk{n // 10}_frame_{n % 10:03d}.png" for n in range(60)])
    assert frames is not None
    assert len(np.unique(frames)) == 6


def test_joined_rows_share_either_number() -> None:
    found = joined(np.asarray([0, 0, 1, 2, 3]), np.asarray([5, 6, 6, 7, 8]))
    assert found[0] == found[1] == found[2]
    assert len(np.unique(found)) == 3
