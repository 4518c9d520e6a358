"""Near-duplicate texts by MinHash: rows that say almost the same are never divided by a split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.core.profile import Kind, Profile
from automl.core.table import Category, Table
from automl.core.tokens import ngrams

Array = np.ndarray[Any, Any]

SHINGLE_WORDS = 3
HASHES, BANDS = 64, 16
ALIKE = 0.7
"""Share of equal runs of three words (Jaccard) from which on two texts count as near-duplicates."""
LEAST_SHINGLES = 5
"""Shorter texts are equal by chance, as "ok" and "thank you" are; they stand for themselves."""
CHUNK_TEXTS = 4096


def together(table: Table, profile: Profile) -> Array | None:
    """(rows,) a number a group of near-duplicates, or None where every row stands for itself."""
    columns = [table.columns[column.name] for column in profile.features_of(Kind.TEXT)]
    texts = [column.strings().tolist() for column in columns if isinstance(column, Category)]
    joined = ["\n".join(parts) for parts in zip(*texts, strict=True)]
    groups = near_duplicates(joined)
    return groups if len(np.unique(groups)) < len(groups) else None


def near_duplicates(texts: Sequence[str]) -> Array:
    """(texts,) the number of the first text that each is a near-duplicate of, its own where there is none.

    MinHash (Broder, 1997) over runs of three words, 64 hashes in 16 bands (Leskovec et al., Mining of Massive Datasets,
    chapter 3): texts that share a band are compared on all hashes. With a true likeness of .8 a pair is found with
    probability .9998, with .5 it is compared with probability .64 and then turned down.
    """
    first = np.arange(len(texts))
    if not len(texts):
        return first
    signatures, shingles = _signatures(texts)
    known = np.flatnonzero(shingles >= LEAST_SHINGLES)
    width = HASHES // BANDS
    for band in range(BANDS):
        part = np.ascontiguousarray(signatures[known, band * width : (band + 1) * width])
        _, place, bucket = np.unique(part, axis=0, return_index=True, return_inverse=True)
        leader = known[place[bucket.reshape(-1)]]
        rows = known[leader != known]
        leader = leader[leader != known]
        alike = (signatures[rows] == signatures[leader]).mean(axis=1) >= ALIKE
        for one, other in zip(rows[alike].tolist(), leader[alike].tolist(), strict=True):
            _join(first, one, other)
    return np.asarray([_root(first, row) for row in range(len(first))])


def _signatures(texts: Sequence[str]) -> tuple[Array, Array]:
    """(texts, HASHES) uint64 least hashes, and (texts,) how many different shingles each has."""
    salts = np.random.default_rng(0).integers(1, 2**63, HASHES, dtype=np.uint64) | np.uint64(1)
    signatures = np.zeros((len(texts), HASHES), np.uint64)
    shingles = np.zeros(len(texts), np.int64)
    for start in range(0, len(texts), CHUNK_TEXTS):
        part = texts[start : start + CHUNK_TEXTS]
        rows, keys, _ = ngrams(part, "words", SHINGLE_WORDS, SHINGLE_WORDS)
        counts = np.bincount(rows, minlength=len(part))
        shingles[start : start + len(part)] = counts
        filled = np.flatnonzero(counts)
        starts = (np.cumsum(counts) - counts)[filled]
        spread = keys.astype(np.uint64) << np.uint64(16)
        for number, salt in enumerate(salts):
            hashed = (spread ^ (salt >> np.uint64(7))) * salt
            hashed ^= hashed >> np.uint64(32)
            signatures[start + filled, number] = np.minimum.reduceat(hashed * salt, starts) if len(starts) else 0
    return signatures, shingles


def _root(first: Array, row: int) -> int:
    while first[row] != row:
        first[row] = first[first[row]]
        row = int(first[row])
    return row


def _join(first: Array, one: int, other: int) -> None:
    low, high = sorted((_root(first, one), _root(first, other)))
    first[high] = low
