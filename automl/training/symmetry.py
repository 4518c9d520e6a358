"""Measures which mirror images still mean the same: a small classifier is asked about images that it sees mirrored.

What it was taught on upright images it still knows of a mirrored coat, but not of a mirrored 3. Own numpy; takes a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.encoders.image_hash import shares

Array = np.ndarray[Any, Any]

SIDE, CELLS, DIRECTIONS = 32, 4, 8
MOST_ROWS, FEWEST_ROWS = 2000, 60
KEPT_SHARE = 0.85
"""A change is harmless where so much of the skill above guessing is kept."""
LEAST_SKILL = 0.1
"""A probe that knows less than this above guessing has no say: photos may be mirrored left to right, nothing else."""


@dataclass(frozen=True)
class Symmetry:
    """One change of the images and what it does to the probe.

    plain, changed: skill on upright and on changed images of the other half: accuracy or R2. guessing: accuracy of the
    most frequent class, or 0. allowed: the change may be used for augmentation.
    """

    name: str
    plain: float
    changed: float
    guessing: float
    allowed: bool
    decided_by: str


def symmetries(images: Array, target: Array, classes: int | None, seed: int = 0) -> list[Symmetry]:
    """Which of flip_horizontal, flip_vertical and quarter_turns the data has.

    images: (rows, height, width, channels) uint8. target: (rows,) codes, or values where `classes` is None.
    """
    rows = np.random.default_rng(seed).permutation(len(images))[:MOST_ROWS]
    small, truth = shrunk(images[rows], SIDE), target[rows]
    half = len(rows) // 2
    photos = is_photographic(images)
    if half < FEWEST_ROWS // 2 or (classes is None and float(np.std(truth)) == 0.0):
        return [_undecided(name, 0.0, 0.0, photos, "too few images to measure it") for name in CHANGES]
    features = described(small)
    weights = _ridge(features[:half], _answers(truth[:half], classes))
    plain = _skill(features[half:] @ weights, truth[half:], classes)
    guessing = float(np.bincount(truth[half:].astype(np.int64)).max() / (len(rows) - half)) if classes else 0.0
    if plain - guessing < LEAST_SKILL:
        return [_undecided(name, plain, guessing, photos, "the probe knows too little to tell") for name in CHANGES]
    found = []
    for name, change in CHANGES.items():
        skills = [_skill(described(each) @ weights, truth[half:], classes) for each in change(small[half:])]
        worst = min(skills)
        kept = worst - guessing >= KEPT_SHARE * (plain - guessing)
        found.append(Symmetry(name, plain, worst, guessing, bool(kept), "measured"))
    return found


CHANGES = {
    "flip_horizontal": lambda images: [images[:, :, ::-1]],
    "flip_vertical": lambda images: [images[:, ::-1]],
    "quarter_turns": lambda images: [np.rot90(images, turns, axes=(1, 2)) for turns in (1, 3)],
}


def is_photographic(images: Array) -> bool:
    """Whether the images are in colour with many shades, as photos are and drawings, digits and letters are not."""
    if images.shape[3] != 3 or min(images.shape[1:3]) < 16:
        return False
    some = images[:: max(1, len(images) // 64)][:64]
    shades = [len(np.unique(image // 16 * np.array([1, 16, 256], np.int64))) for image in some]
    coloured = np.abs(some[..., 0].astype(np.int16) - some[..., 2]).mean()
    return bool(np.median(shades) >= 30 and coloured >= 2.0)


def _undecided(name: str, plain: float, guessing: float, photos: bool, why: str) -> Symmetry:
    return Symmetry(name, plain, plain, guessing, photos and name == "flip_horizontal", why)


def shrunk(images: Array, side: int) -> Array:
    """(rows, side, side, channels) float32 in [0, 1]: means over what a pixel covers."""
    images = images.astype(np.float32) / 255.0
    for axis in (1, 2):
        images = np.moveaxis(np.tensordot(shares(images.shape[axis], side), images, (1, axis)), 0, axis)
    return np.ascontiguousarray(images)


def described(images: Array) -> Array:
    """Histograms of the directions of edges (Dalal and Triggs, 2005) and the mean colours of a grid of cells, (rows, width)."""
    grey = images.mean(axis=3)
    down, right = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(down, right)
    place = (np.arctan2(down, right) / (2 * np.pi) % 1.0) * DIRECTIONS
    lower = np.floor(place).astype(np.int64) % DIRECTIONS
    share = place - np.floor(place)
    rows, cell = len(images), images.shape[1] // CELLS
    parts = []
    for direction in range(DIRECTIONS):
        votes = strength * np.where(lower == direction, 1 - share, np.where((lower + 1) % DIRECTIONS == direction, share, 0.0))
        parts.append(votes.reshape(rows, CELLS, cell, CELLS, cell).sum(axis=(2, 4)).reshape(rows, -1))
    edges = np.stack(parts, axis=2)  # (rows, cells, directions)
    edges = edges / (np.linalg.norm(edges, axis=(1, 2), keepdims=True) / np.sqrt(CELLS * CELLS) + 1e-3)
    colours = images.reshape(rows, CELLS, cell, CELLS, cell, -1).mean(axis=(2, 4)).reshape(rows, -1)
    joined = np.concatenate([edges.reshape(rows, -1), colours], axis=1)
    crossed = np.sqrt(np.abs(joined))
    return np.concatenate([joined, crossed, np.ones((rows, 1), np.float32)], axis=1).astype(np.float64)


def _answers(truth: Array, classes: int | None) -> Array:
    if classes is None:
        return np.asarray(truth, np.float64)[:, None]
    hot = np.zeros((len(truth), classes))
    hot[np.arange(len(truth)), truth.astype(np.int64)] = 1.0
    return hot


def _ridge(features: Array, answers: Array) -> Array:
    penalty = 1e-2 * len(features) * np.eye(features.shape[1])
    penalty[-1, -1] = 1e-6
    return np.asarray(np.linalg.solve(features.T @ features + penalty, features.T @ answers))


def _skill(output: Array, truth: Array, classes: int | None) -> float:
    """Accuracy, or R2 cut at 0."""
    if classes is not None:
        return float((output.argmax(axis=1) == truth).mean())
    residual = float(((output[:, 0] - truth) ** 2).mean())
    return max(0.0, 1.0 - residual / float(np.var(truth)))
