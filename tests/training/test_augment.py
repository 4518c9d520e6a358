"""Augmentation by a seed, the same in numpy; and which mirror images the data allows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from automl.training.augment_arrays import DRAWN, augmented_arrays
from automl.training.backend import tensorflow
from automl.training.symmetry import is_photographic, symmetries
from automl.training.trunks.image import augmentation

ALL = {"photos": True, "mirrored": "flip_horizontal+flip_vertical+quarter_turns"}


def photos(rows: int, height: int = 32, width: int = 32, seed: int = 0) -> Any:
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (rows, 5, 6, 3)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((width, height), Image.Resampling.BICUBIC)) for each in small])


@pytest.mark.parametrize("settings", [ALL, {"augment": 0.5}, {"augment": 1.5, "photos": True}])
@pytest.mark.parametrize("shape", [(32, 32), (24, 40)])
def test_the_graph_and_numpy_make_the_same_of_the_same_numbers(settings: dict[str, Any], shape: tuple[int, int]) -> None:
    tf = tensorflow()
    from automl.training.augment import Augment

    images = photos(12, *shape)
    chosen = augmentation(images.shape[1:], settings)
    assert chosen is not None
    drawn = np.random.default_rng(1).random((12, DRAWN)).astype(np.float32)
    in_graph = Augment(**chosen).changed(tf.constant(images / 255.0, tf.float32), tf.constant(drawn)).numpy() * 255
    np.testing.assert_allclose(augmented_arrays(images, chosen, drawn), in_graph, atol=0.51)
    assert np.abs(in_graph - images).mean() > 3


def test_the_seed_alone_decides_and_predicting_changes_nothing() -> None:
    tf = tensorflow()
    from automl.training.augment import Augment

    layer = Augment.from_config(Augment(**(augmentation((32, 32, 3), ALL) or {})).get_config())
    x = tf.constant(photos(6) / 255.0, tf.float32)
    found = []
    for seed in ((-1, 3), (-1, 3), (-1, 4)):
        layer.seed = tf.constant(seed, tf.int32)
        found.append(np.asarray(layer(x, training=True)))
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(layer(x, training=False), x)
    layer.seed = None
    np.testing.assert_array_equal(layer(x, training=True), x)


def test_small_images_are_not_covered_and_digits_not_recoloured() -> None:
    assert augmentation((8, 8, 1), {"augment": 0.0}) is None
    digits = augmentation((8, 8, 1), {})
    assert digits is not None
    assert (digits["cutout"], digits["colour"], digits["flip_horizontal"]) == (0.0, 0.0, False)


def allowed(images: Any, target: Any, classes: int | None) -> set[str]:
    return {each.name for each in symmetries(images, target, classes) if each.allowed}


def test_digits_are_not_mirrored() -> None:
    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    found = symmetries(images, digits.target, 10)
    assert not any(each.allowed for each in found)
    assert found[0].plain > 0.9
    assert found[0].changed < 0.6
    assert not is_photographic(images)


def test_what_looks_the_same_from_both_sides_is_mirrored() -> None:
    generator = np.random.default_rng(0)
    target = generator.integers(0, 2, 600)
    images = generator.normal(100, 20, (600, 24, 24, 3))
    for image, label in zip(images, target, strict=True):
        top, left = generator.integers(2, 8), generator.integers(2, 14)
        if label:  # a dark bar lying in the upper half, against one standing there
            image[top : top + 3, left : left + 8] = 10
        else:
            image[top : top + 8, left : left + 3] = 10
    images = np.clip(images, 0, 255).astype(np.uint8)
    assert "flip_horizontal" in allowed(images, target, 2)
    assert "quarter_turns" not in allowed(images, target, 2)


def test_a_value_that_changes_sides_is_not_mirrored() -> None:
    generator = np.random.default_rng(0)
    place = generator.uniform(4, 20, 400)
    images = generator.normal(120, 10, (400, 24, 24, 3))
    for image, middle in zip(images, place, strict=True):
        image[:, max(0, round(middle) - 2) : round(middle) + 2] = 20
    found = allowed(np.clip(images, 0, 255).astype(np.uint8), place - 12, None)
    assert "flip_horizontal" not in found
    assert "flip_vertical" in found


def test_a_probe_that_knows_nothing_leaves_it_to_what_is_usual() -> None:
    target = np.random.default_rng(3).integers(0, 2, 200)
    found = symmetries(photos(200), target, 2)
    assert [each.name for each in found if each.allowed] == ["flip_horizontal"]
    assert "too little" in found[0].decided_by
    assert not allowed(photos(20), target[:20], 2) - {"flip_horizontal"}
