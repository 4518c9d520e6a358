"""The augmentation of automl.training.augment in numpy, so that a report can show a training batch without TensorFlow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

DRAWN = 12
"""Random numbers in [0, 1) that an image takes."""


def augmented_arrays(images: Array, chosen: dict[str, Any], drawn: Array) -> Array:
    """What Augment(**chosen) makes of the images with these random numbers.

    images: (rows, height, width, channels) uint8. drawn: (rows, DRAWN) in [0, 1). Returns uint8 of the same shape.
    """
    x = images.astype(np.float64) / 255.0
    columns = list(drawn.T)
    x = np.stack([_moved(image, chosen, [column[row] for column in columns[:7]]) for row, image in enumerate(x)])
    if chosen["colour"] > 0:
        x = _recoloured(x, chosen["colour"], columns[7:10])
    if chosen["cutout"] > 0:
        x = _covered(x, chosen["cutout"], columns[10:12])
    return np.asarray(np.rint(np.clip(x, 0.0, 1.0) * 255.0), np.uint8)


def _moved(image: Array, chosen: dict[str, Any], drawn: list[float]) -> Array:
    height, width = image.shape[:2]
    mirror, topple, turn, angle, size, right, down = drawn
    movement = {"shift": 0.0, "rotate": 0.0, "zoom": 0.0, **chosen["movement"]}
    theta = _centred(angle) * math.radians(movement["rotate"])
    if chosen["quarter_turns"] and height == width:
        theta += math.floor(turn * 4.0) * (math.pi / 2)
    scale = math.exp(_centred(size) * math.log1p(movement["zoom"]))
    across = -1.0 if chosen["flip_horizontal"] and mirror < 0.5 else 1.0
    along = -1.0 if chosen["flip_vertical"] and topple < 0.5 else 1.0
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    x, y = x - middle_x, y - middle_y
    from_x = across * scale * (math.cos(theta) * x - math.sin(theta) * y) + middle_x + _centred(right) * movement["shift"] * width
    from_y = along * scale * (math.sin(theta) * x + math.cos(theta) * y) + middle_y + _centred(down) * movement["shift"] * height
    return _sampled(image, from_x, from_y)


def _sampled(image: Array, x: Array, y: Array) -> Array:
    """Between the pixels, in proportion; what lies outside is the nearest border."""
    height, width = image.shape[:2]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, along = (x - left)[:, :, None], (y - top)[:, :, None]
    upper = image[top, left] * (1 - across) + image[top, right] * across
    lower = image[bottom, left] * (1 - across) + image[bottom, right] * across
    return np.asarray(upper * (1 - along) + lower * along)


def _recoloured(x: Array, strength: float, drawn: list[Array]) -> Array:
    light, contrast, saturation = (1.0 + strength * _centred(each)[:, None, None, None] for each in drawn)
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    x = (x - mean) * contrast + mean * light
    if x.shape[-1] == 3:
        grey = x.mean(axis=-1, keepdims=True)
        x = grey + (x - grey) * saturation
    return np.clip(x, 0.0, 1.0)


def _covered(x: Array, share: float, drawn: list[Array]) -> Array:
    inside = np.ones(x.shape[:3], bool)
    for axis, place in ((1, drawn[0]), (2, drawn[1])):
        side = x.shape[axis]
        half = max(0.5, share * side / 2)
        here = np.abs(np.arange(side)[None, :] - np.floor(place * side)[:, None]) <= half - 0.5
        inside &= here[:, :, None] if axis == 1 else here[:, None, :]
    return np.where(inside[..., None], x.mean(axis=(1, 2), keepdims=True), x)


def _centred(drawn: Any) -> Any:
    """From [0, 1) to [-1, 1)."""
    return 2.0 * drawn - 1.0
