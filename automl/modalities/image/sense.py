"""Recognises images, and says how many folds a net for them can afford."""

from __future__ import annotations

from collections.abc import Sequence

from automl.core.dataset import Dataset
from automl.core.profile import ColumnProfile, Kind, Profile, Role

SLOW_PIXELS = 100_000
"""Pixels of all images together from which one holdout has to do."""


def sense(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[float, str]:
    """How sure we are that images alone are to be learned from, and why."""
    features = [column for column in columns if column.role is Role.FEATURE]
    images = [column for column in features if column.kind is Kind.IMAGE]
    if not images:
        return 0.0, "there is no column of images"
    named = " and ".join(f'"{column.name}"' for column in images)
    told = f"the cells of {named} are the paths of {dataset.rows:,} images"
    if len(images) == len(features):
        return 0.9, told
    return 0.5, f"{told}; other columns stand beside them"


def folds(profile: Profile) -> int | None:
    """One holdout, unless there are few and tiny images."""
    pixels = sum(
        int(column.parse.get("height", 0)) * int(column.parse.get("width", 0)) for column in profile.features_of(Kind.IMAGE)
    )
    return 1 if profile.rows * pixels > SLOW_PIXELS else None
