"""Recognises clips of sound, and says how many folds a net for them can afford."""

from __future__ import annotations

from collections.abc import Sequence

from automl.core.dataset import Dataset
from automl.core.profile import ColumnProfile, Kind, Profile, Role

SLOW_SAMPLES = 1e6
"""Samples of all clips together from which one holdout has to do."""


def sense(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[float, str]:
    """How sure we are that clips of sound alone are to be learned from, and why."""
    features = [column for column in columns if column.role is Role.FEATURE]
    sounds = [column for column in features if column.kind is Kind.AUDIO]
    if not sounds:
        return 0.0, "there is no column of sounds"
    told = f'the cells of "{sounds[0].name}" are the paths of {dataset.rows:,} sounds'
    if len(features) == 1:
        return 0.9, told
    return 0.5, f"{told}; other columns stand beside them"


def folds(profile: Profile) -> int | None:
    """One holdout where there is much to listen to; else the usual number."""
    samples = sum(int(column.parse.get("samples", 0)) for column in profile.features_of(Kind.AUDIO))
    return 1 if profile.rows * samples > SLOW_SAMPLES else None
