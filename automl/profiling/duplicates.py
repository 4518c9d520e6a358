"""Rows and columns that stand in the data more than once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from automl.core.profile import Duplicates
from automl.core.table import Category, Column

Array = np.ndarray[Any, Any]
_TEST_SHARE = 0.2
_AGREEMENT = 0.8
_SOME_ROWS = 5_000
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def column_hash(column: Column) -> Array:
    """(rows,) a hash of each cell; equal cells have equal hashes, missing ones as well."""
    if isinstance(column, Category):
        by_level = (
            np.append(pd.util.hash_array(np.asarray(column.levels, dtype=object), categorize=False), 0) if column.levels else [0]
        )
        return np.asarray(by_level, np.uint64)[column.codes]
    plain = np.where(np.isnan(column), np.nan, column + 0.0) if column.dtype.kind == "f" else column
    return np.asarray(pd.util.hash_array(plain), np.uint64)


def row_hash(hashes: Sequence[Array], rows: int) -> Array:
    """(rows,) one hash of the cells of each row."""
    combined = np.zeros(rows, np.uint64)
    for each in hashes:
        combined = (combined ^ each) * _MULTIPLIER
        combined ^= combined >> np.uint64(29)
    return combined


def find_duplicates(features: Sequence[Column], target: Array) -> Duplicates:
    """Equal rows; the target's values go in as they are, rows without a target left out by the caller.

    `distinctive` where equal rows are copies and not chance: independent columns of the same values would make far
    fewer, and rows that are equal in everything else mostly have the same target, as copies do.
    """
    rows = len(target)
    hashes = [column_hash(column) for column in features]
    of_target = column_hash(target)
    inputs = row_hash(hashes, rows)
    whole = row_hash([inputs, of_target], rows)
    size = _sizes(whole)
    pairs = _pairs(whole)
    straddling = float((size * (1.0 - _TEST_SHARE ** (size - 1.0)))[size > 1].sum() / max(1, rows))
    return Duplicates(
        rows=int(rows - len(size)),
        fraction=float((rows - len(size)) / max(1, rows)),
        straddling_fraction=straddling,
        conflicting=_conflicting(inputs, whole),
        distinctive=_chance_pairs(hashes, rows) < 0.01 * max(pairs, 1.0) and pairs >= _AGREEMENT * _pairs(inputs),
    )


def _pairs(keys: Array) -> float:
    """Pairs of rows with equal keys."""
    size = _sizes(keys)
    return float((size * (size - 1.0)).sum() / 2)


def _sizes(keys: Array) -> Array:
    """Rows of each distinct key."""
    return np.bincount(pd.factorize(keys)[0])


def _conflicting(inputs: Array, whole: Array) -> int:
    """Rows whose inputs are found with more than one target."""
    first = np.unique(whole, return_index=True)[1]
    values, targets = np.unique(inputs[first], return_counts=True)
    return int(np.isin(inputs, values[targets > 1]).sum())


def _chance_pairs(hashes: Sequence[Array], rows: int) -> float:
    """Expected pairs of equal rows if columns were independent."""
    log_chance = 0.0
    for each in {each.tobytes(): each for each in hashes}.values():
        counts = _sizes(each)
        equal = float((counts * (counts - 1.0)).sum())
        log_chance += float(np.log(max(equal, 0.5) / max(1.0, rows * (rows - 1.0))))
    return float(np.exp(log_chance) * rows * (rows - 1.0) / 2)


def duplicate_columns(names: Sequence[str], hashes: Sequence[Array]) -> tuple[tuple[str, str], ...]:
    """(first, copy) of columns that are equal in every row."""
    first: dict[bytes, str] = {}
    found = []
    for name, each in zip(names, hashes, strict=True):
        key = hashlib.blake2b(each.tobytes(), digest_size=16).digest()
        if key in first:
            found.append((first[key], name))
        else:
            first[key] = name
    return tuple(found)


def renamed_columns(names: Sequence[str], hashes: Sequence[Array]) -> tuple[tuple[str, str], ...]:
    """(first, second) of columns that say the same in other words: one value of the one goes with one value of the other.

    hashes: (rows,) of columns with fewer values than rows. Some rows sort out most pairs before all are looked at.
    """
    alike: dict[bytes, list[int]] = {}
    for at, each in enumerate(hashes):
        some = each[:: max(1, len(each) // _SOME_ROWS)]
        alike.setdefault(_in_order_of_appearance(some).tobytes(), []).append(at)
    found = []
    for places in alike.values():
        first: dict[bytes, str] = {}
        for at in places if len(places) > 1 else ():
            other = first.setdefault(hashlib.blake2b(_in_order_of_appearance(hashes[at]).tobytes()).digest(), names[at])
            if other != names[at]:
                found.append((other, names[at]))
    return tuple(found)


def _in_order_of_appearance(values: Array) -> Array:
    """(rows,) values numbered as they first appear: alike for columns that differ in names only."""
    return np.asarray(pd.factorize(values)[0])
