"""The order in which the rows of an epoch are taken, where rows of like length should stand in one batch."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

POOL = 32
"""Batches whose rows are drawn together and then sorted: the more, the less padding and the less chance."""


def by_length(lengths: Array, batch: int, generator: np.random.Generator) -> Array:
    """A permutation of the rows in which each run of `batch` rows has nearly one length; the runs come in random order.

    lengths: (rows,). The rows that are too few for a batch come last.
    """
    order = generator.permutation(len(lengths))
    size = POOL * batch
    pools = [order[start : start + size] for start in range(0, len(order), size)]
    order = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools]) if pools else order
    whole = len(order) // batch * batch
    batches = order[:whole].reshape(-1, batch)
    return np.concatenate([batches[generator.permutation(len(batches))].reshape(-1), order[whole:]])
