"""Recognises a plain table: rows that stand for themselves, columns of numbers, categories and dates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from automl.core.dataset import Dataset
from automl.core.profile import ColumnProfile, Kind, Role

_PLURALS = {Kind.NUMBER: "numbers", Kind.BOOLEAN: "booleans", Kind.CATEGORY: "categories", Kind.DATETIME: "dates"}


def sense(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[float, str]:
    """How sure we are that this is a plain table, from 0 to 1, and why.

    Never 1: a modality that recognises its own cells (paths of images, long text) may be surer.
    """
    kinds = Counter(column.kind for column in columns if column.role is Role.FEATURE)
    usable = {kind: kinds[kind] for kind in _PLURALS if kinds[kind]}
    if not usable:
        return 0.1, "a table without a column of numbers, categories or dates"
    counted = ", ".join(f"{count:,} {_PLURALS[kind] if count > 1 else kind.value}" for kind, count in usable.items())
    return 0.6, f"a table of {dataset.rows:,} rows with {counted}"
