"""What a split must not divide: near-duplicate images, and the frames of one burst or recording."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.profile import Kind, Profile
from automl.core.table import Table
from automl.encoders.image_hash import bursts, joined, near_duplicates

Array = np.ndarray[Any, Any]

MOST_SHARE = 0.3
"""A group of more rows than this would be the split; then only bursts are kept together."""


def together(table: Table, profile: Profile) -> Array | None:
    """(rows,) numbers of groups, or None where every image stands alone."""
    columns = profile.features_of(Kind.IMAGE)
    if not columns or not table.rows:
        return None
    column = columns[0]
    found = near_duplicates(np.asarray(table.columns[column.name]))
    if np.unique(found, return_counts=True)[1].max() > MOST_SHARE * table.rows:
        found = np.arange(table.rows)
    if column.statistics.get("bursts") and column.name in table.names:
        named = bursts([str(name) for name in table.names[column.name]])
        found = found if named is None else joined(named, found)
    return found if len(np.unique(found)) < table.rows else None
