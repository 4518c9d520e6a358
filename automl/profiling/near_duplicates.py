"""Rows of a table that are all but equal: the same but for rounding, or for a column or two.

Locality-sensitive hashing on random subsets of the columns (Indyk and Motwani, STOC 1998), in time that grows with the rows: rows
that share a bucket are put in order and compared with the next ones only. Tables of few distinct rows by design have many rows
that differ in one column; so a pair counts only where what it agrees in is far beyond what chance brings among so many rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl.core.table import Category, Column
from automl.profiling.duplicates import column_hash, row_hash

Array = np.ndarray[Any, Any]

MOST_ROWS = 300_000
TOLERANCE = 0.002
"""Numbers closer than this share of their spread (the middle nine tenths) are the same but for rounding."""
BUCKET = 0.02
"""Width of the ranges that numbers are hashed by: wide beside the tolerance, so that few such pairs are divided."""
DIFFERING = 0.1
"""Share of the columns in which near-duplicates may differ; one column from five on."""
TABLES, NEXT = 16, 2
"""Random subsets of columns that are hashed; how many of the next rows of a bucket each row is compared with."""
SPARE_BITS = 3
BEYOND_BITS = 20
"""A pair must agree in so many bits more than it takes to tell any two rows apart."""
DRAWN_PAIRS = 20_000


@dataclass(frozen=True)
class NearDuplicates:
    """group: (rows,) rows of one number are all but equal, directly or through others, exact copies among them; copies: (rows,)
    rows of one number are equal. rows: how many have a twin that is no exact copy. differing: columns that a pair may differ in.
    too_plain: no agreement could be told from chance.
    """

    group: Array
    copies: Array
    twins: Array
    differing: int
    too_plain: bool = False

    @property
    def rows(self) -> int:
        return int(self.twins.sum())


def find_near_duplicates(columns: Sequence[Column], rows: int, seed: int = 0) -> NearDuplicates:
    """Groups of rows that are all but equal. columns: clean ones, of so many rows."""
    exact = row_hash([column_hash(column) for column in columns], rows)
    group, first = pd.factorize(exact)[0], np.sort(np.unique(exact, return_index=True)[1])
    looked = [_Looked.at(column, first, np.random.default_rng([seed, place])) for place, column in enumerate(columns)]
    bits, count = np.asarray([each.bits for each in looked]), len(first)
    differing = max(int(len(columns) >= 5), int(DIFFERING * len(columns)))
    needed = 2 * np.log2(max(2, count)) + BEYOND_BITS
    nothing = np.zeros(rows, bool)
    if bits.sum() < needed or count < 2:
        return NearDuplicates(group, group, nothing, differing, too_plain=True)
    pairs = _pairs(looked, count, np.random.default_rng(seed))
    pairs = _kept(looked, pairs, differing, needed)
    if not len(pairs):
        return NearDuplicates(group, group, nothing, differing)
    joined = _components(pairs, count)
    several = np.bincount(joined)[joined] > 1
    return NearDuplicates(joined[group], group, several[group], differing)


@dataclass(frozen=True)
class _Looked:
    """A column as pairs are compared in it: numbers in units of their spread, or codes.

    values: (rows,) float64 with NaN where missing. tolerance: 0 for codes. bits: what it says that two rows agree in it;
    bits_of_bucket: that they are in one bucket.
    """

    values: Array
    tolerance: float
    bits: float
    bits_of_bucket: float

    @classmethod
    def at(cls, column: Column, rows: Array, generator: np.random.Generator) -> _Looked:
        if isinstance(column, Category):
            values, tolerance = np.where(column.codes < 0, np.nan, column.codes.astype(np.float64))[rows], 0.0
        else:
            values, tolerance = _in_spreads(column[rows]), TOLERANCE
        found = cls(values, tolerance, 0.0, 0.0)
        if len(values) < 2:
            return found
        one, other = generator.integers(0, len(values), (2, DRAWN_PAIRS))
        same, close = found.agree(one, other), found.bucket(0.0)
        shares = [np.mean(each[one != other]) for each in (same, close[one] == close[other])]
        bits = [-float(np.log2(max(share, 1.0 / DRAWN_PAIRS))) for share in shares]
        return cls(values, tolerance, bits[0], bits[1])

    def agree(self, one: Array, other: Array) -> Array:
        """(pairs,) whether two rows are equal in it but for rounding, or both are missing."""
        first, second = self.values[one], self.values[other]
        missing = np.isnan(first)
        return np.where(missing | np.isnan(second), missing & np.isnan(second), np.abs(first - second) <= self.tolerance)

    def bucket(self, shift: float) -> Array:
        """(rows,) uint64 of the range that a number is in, ranges shifted by a share of their width; of the code itself."""
        width = BUCKET if self.tolerance else 1.0
        place = np.floor(np.nan_to_num(self.values, nan=-(2.0**40)) / width + (shift if self.tolerance else 0.0))
        return np.clip(place, -(2.0**62), 2.0**62).astype(np.int64).view(np.uint64) * np.uint64(0xBF58476D1CE4E5B9)


def _in_spreads(column: Array) -> Array:
    """Numbers in units of the middle nine tenths of them; of all of them where these are one value."""
    missing = column == np.iinfo(np.int64).min if column.dtype.kind == "i" else np.isnan(column)
    values = np.where(missing | ~np.isfinite(column.astype(np.float64)), np.nan, column.astype(np.float64))
    known = values[~np.isnan(values)]
    if not len(known):
        return values
    low, high = np.quantile(known, [0.05, 0.95])
    spread = float(high - low) or float(np.ptp(known)) or 1.0
    return np.asarray((values - low) / spread)


def _pairs(looked: Sequence[_Looked], count: int, generator: np.random.Generator) -> Array:
    """(pairs, 2) candidates, smaller row first, each once."""
    enough = np.log2(max(2, count)) + SPARE_BITS
    useful = [place for place, each in enumerate(looked) if each.bits_of_bucket > 0.05]
    found = []
    for _ in range(TABLES):
        order, chosen, bits = generator.permutation(useful).tolist(), list[int](), 0.0
        while order and bits < enough:
            chosen.append(order.pop())
            bits += looked[chosen[-1]].bits_of_bucket
        if not chosen:
            break
        key = row_hash([looked[place].bucket(float(generator.random())) for place in chosen], count)
        beside = looked[max(order or chosen, key=lambda place: looked[place].bits)].values
        ranked = np.lexsort((beside, key))
        for step in range(1, NEXT + 1):
            one, other = ranked[:-step], ranked[step:]
            same = key[one] == key[other]
            found.append(np.sort(np.stack([one[same], other[same]], axis=1), axis=1))
    if not found:
        return np.zeros((0, 2), np.int64)
    every = np.concatenate(found)
    once = np.unique(every[:, 0] * np.int64(count) + every[:, 1])
    return np.stack([once // count, once % count], axis=1)


def _kept(looked: Sequence[_Looked], pairs: Array, differing: int, needed: float) -> Array:
    """The pairs that differ in at most so many columns, and agree in enough bits."""
    differ, bits = np.zeros(len(pairs), np.int64), np.zeros(len(pairs))
    for each in sorted(looked, key=lambda column: -column.bits):
        same = each.agree(pairs[:, 0], pairs[:, 1])
        differ, bits = differ + ~same, bits + each.bits * same
        held = differ <= differing
        pairs, differ, bits = pairs[held], differ[held], bits[held]
    return np.asarray(pairs[bits >= needed])


def _components(pairs: Array, count: int) -> Array:
    """(rows,) the number of the component that a row is in."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1])
