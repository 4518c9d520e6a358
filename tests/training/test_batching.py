"""Batches of rows of like length."""

from __future__ import annotations

import numpy as np
import pytest

from automl.training.batching import by_length


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 100, 1000])
def test_every_row_is_taken_once(rows: int) -> None:
    lengths = np.random.default_rng(0).integers(1, 200, rows)
    order = by_length(lengths, 8, np.random.default_rng(1))
    assert sorted(order.tolist()) == list(range(rows))


def test_batches_need_little_padding_and_come_in_random_order() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 1024)
    order = by_length(lengths, 16, np.random.default_rng(1))
    longest = lengths[order].reshape(-1, 16).max(axis=1)
    shuffled = lengths[np.random.default_rng(2).permutation(1024)].reshape(-1, 16).max(axis=1)
    assert longest.mean() < 0.65 * shuffled.mean()
    assert abs(np.corrcoef(np.arange(len(longest)), longest)[0, 1]) < 0.5
    assert not np.array_equal(order, by_length(lengths, 16, np.random.default_rng(3)))
    np.testing.assert_array_equal(order, by_length(lengths, 16, np.random.default_rng(1)))
