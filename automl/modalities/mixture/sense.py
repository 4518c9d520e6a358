"""Recognises texts, images or sounds that stand beside other columns, and lets each be examined by those who know it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.core.architecture import Modality
from automl.core.dataset import Dataset
from automl.core.discovery import declarations
from automl.core.profile import ColumnProfile, Kind, Profile, Role
from automl.core.table import Table

Array = np.ndarray[Any, Any]

RICH = (Kind.TEXT, Kind.IMAGE, Kind.AUDIO)
PLAIN = (Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY, Kind.DATETIME)
KINDS = frozenset({*PLAIN, *RICH})
_PLURALS = {
    Kind.TEXT: ("text", "texts"),
    Kind.IMAGE: ("image", "images"),
    Kind.AUDIO: ("sound", "sounds"),
    Kind.NUMBER: ("number", "numbers"),
    Kind.BOOLEAN: ("boolean", "booleans"),
    Kind.CATEGORY: ("category", "categories"),
    Kind.DATETIME: ("date", "dates"),
}
SLOW_WORDS = 120_000
"""With more words in all texts together a net is too slow to be trained once a fold of five."""
FEW_ROWS = 10_000
"""With fewer, one holdout would tell too little."""


def sense(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[float, str]:
    """How sure we are that columns of several kinds are to be learned from together, and why."""
    kinds = Counter(column.kind for column in columns if column.role is Role.FEATURE and column.kind in KINDS)
    rich = [kind for kind in RICH if kinds[kind]]
    if not rich:
        return 0.0, "no column holds texts, images or sounds"
    files = kinds[Kind.IMAGE] + kinds[Kind.AUDIO]
    if len(kinds) == 1 and files < 2:
        return 0.0, f"the features are {_PLURALS[rich[0]][1]} and nothing else"
    counted = [f"{kinds[kind]:,} {_PLURALS[kind][kinds[kind] > 1]}" for kind in (*RICH, *PLAIN) if kinds[kind]]
    return 0.85, f"{', '.join(counted[:-1])} and {counted[-1]} in every row" if len(counted) > 1 else f"{counted[0]} in every row"


def examine(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[ColumnProfile, ...]:
    """The profiles, those of texts, images and sounds completed by the modality whose only kind that is."""
    found = tuple(columns)
    for modality in specialists({column.kind for column in columns if column.role is Role.FEATURE}):
        if modality.examine is not None:
            found = tuple(modality.examine(dataset, found))
    return found


def together(table: Table, profile: Profile) -> Array | None:
    """(rows,) groups that no split divides: near-duplicate texts, images and sounds, as their modality finds them."""
    groups = None
    for modality in specialists({column.kind for column in profile.features}):
        found = None if modality.together is None else modality.together(table, profile)
        if found is not None:
            groups = found if groups is None else united(groups, found)
    return groups


def folds(profile: Profile) -> int | None:
    """One holdout, or three folds of few rows, where a net looks at images or sounds or reads too much for five folds."""
    if profile.features_of(Kind.IMAGE, Kind.AUDIO):
        return 1
    words = sum(column.statistics.get("words", {}).get("median", 10.0) for column in profile.features_of(Kind.TEXT))
    if profile.rows * words <= SLOW_WORDS:
        return None
    return 3 if profile.rows < FEW_ROWS else 1


def specialists(kinds: set[Kind]) -> list[Modality]:
    """The modalities that know one rich kind of these and nothing else."""
    known: list[Modality] = declarations("automl.modalities", "MODALITY")
    return [each for each in known if len(each.kinds) == 1 and each.kinds <= kinds & set(RICH)]


def united(first: Array, second: Array) -> Array:
    """The finest groups that divide neither the first ones nor the second ones."""
    joined = np.unique(first, return_inverse=True)[1]
    while True:
        before = joined
        for groups in (second, first):
            _, place = np.unique(groups, return_inverse=True)
            least = np.full(place.max() + 1, len(joined), joined.dtype)
            np.minimum.at(least, place, joined)
            joined = least[place]
        if (joined == before).all():
            return joined
