"""Near-duplicate images: a perceptual hash finds candidates, their thumbnails decide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

THUMBNAIL = 16
MOST_BITS = 6
"""Bits of the hash in which near-duplicates may differ; each pair is found by one of eight bands of eight bits."""
MOST_DIFFERENCE, DIFFERENCE_SHARE = 6.0, 0.1
"""Near-duplicates differ by at most so many grey levels (root mean square, brightness aside), and by such a share of the
contrast. A mean difference would take two different strokes of a pen for one, as most of their paper is white."""
NEIGHBOURS = 50
"""Images of one band of the hash, in the order of their brightness, that are compared with each other."""
ROWS_AT_ONCE = 4096
LEAST_CONTRAST = 2.0

PIECES_OF_A_RECORDING = 40
"""A long recording without a pause is cut into so many pieces: neighbours stay together, and there is still a split."""


def near_duplicates(images: Array) -> Array:
    """(rows,) numbers that near-duplicates share, the first row's own where an image has none.

    images: (rows, height, width, channels) uint8. Near-duplicates are the same picture in another size, compression,
    or slightly other light; chains of them are one group.
    """
    thumbnails = _shrunk(images, THUMBNAIL, THUMBNAIL)
    hashes = difference_hash(images)
    flat = thumbnails.reshape(len(images), -1)
    brightness = flat.mean(axis=1)
    flat, contrast = flat - brightness[:, None], flat.std(axis=1)
    parent = np.arange(len(images))
    for first, second in _candidates(hashes, brightness):
        apart = np.bitwise_count(hashes[first] ^ hashes[second]) <= MOST_BITS
        first, second = first[apart], second[apart]
        for start in range(0, len(first), ROWS_AT_ONCE):
            a, b = first[start : start + ROWS_AT_ONCE], second[start : start + ROWS_AT_ONCE]
            difference = np.sqrt(np.square(flat[a] - flat[b]).mean(axis=1))
            limit = np.minimum(MOST_DIFFERENCE, DIFFERENCE_SHARE * np.minimum(contrast[a], contrast[b]))
            same = (difference <= limit) & (np.minimum(contrast[a], contrast[b]) >= LEAST_CONTRAST)
            for left, right in zip(a[same].tolist(), b[same].tolist(), strict=True):
                _join(parent, left, right)
    return np.asarray([_root(parent, row) for row in range(len(images))])


def difference_hash(images: Array) -> Array:
    """dHash, (rows,) uint64: whether each of 8 x 8 places is brighter than its left neighbour (Krawetz, 2013)."""
    small = _shrunk(images, 8, 9)
    bits = (small[:, :, 1:] > small[:, :, :-1] + 0.5).reshape(len(images), 64)
    return np.ascontiguousarray(np.packbits(bits, axis=1)).view(np.uint64).reshape(-1)


def bursts(names: Sequence[str]) -> Array | None:
    """(rows,) numbers of the recordings or bursts that file names tell of, or None where they tell of none.

    A time in the name (center_2018_07_16_17_11_43_670.jpg): frames up to the next pause belong together. The word frame
    with a number (walk_frame_0012.png): all frames of what stands before it do.
    """
    stems = [re.split(r"[\\/]", name)[-1].rsplit(".", 1)[0] for name in names]
    timed = [_TIMED.search(stem) for stem in stems]
    if stems and sum(found is not None for found in timed) >= 0.9 * len(stems):
        return _recordings(stems, timed)
    framed = [_FRAMED.match(stem) for stem in stems]
    if stems and sum(found is not None for found in framed) >= 0.9 * len(stems):
        of = [found[1] if found is not None else stem for stem, found in zip(stems, framed, strict=True)]
        known = sorted(set(of))
        if 5 <= len(known) <= 0.5 * len(stems):
            return np.searchsorted(np.asarray(known), np.asarray(of))
    return None


def joined(first: Array, second: Array) -> Array:
    """(rows,) numbers such that rows share one where they share one of either."""
    parent = np.arange(len(first))
    for numbers in (first, second):
        leaders: dict[Any, int] = {}
        for row, number in enumerate(numbers.tolist()):
            _join(parent, row, leaders.setdefault(number, row))
    return np.asarray([_root(parent, row) for row in range(len(first))])


_TIMED = re.compile(
    r"(?P<year>(?:19|20)\d\d)[-_.]?(?P<month>\d\d)[-_.]?(?P<day>\d\d)[-_ T.]?"
    r"(?P<hour>\d\d)[-_.:h]?(?P<minute>\d\d)[-_.:m]?(?P<second>\d\d)(?:[-_.:s]?(?P<fraction>\d{1,6}))?"
)
_FRAMED = re.compile(r"(.+?)[-_ .]?(?:frame|frm|fr)[-_ .]?(\d+)$", re.IGNORECASE)


def _recordings(stems: list[str], timed: list[re.Match[str] | None]) -> Array | None:
    """Runs of frames without a pause, long ones cut into pieces; None where there are no runs."""
    moments = np.asarray([_seconds(found) if found is not None else np.nan for found in timed])
    sources = np.asarray([stem[: found.start()] if found is not None else stem for stem, found in zip(stems, timed, strict=True)])
    order = np.lexsort((moments, sources))
    steps = np.diff(moments[order])
    same = (sources[order][1:] == sources[order][:-1]) & np.isfinite(steps)
    if not same.any():
        return None
    usual = float(np.median(steps[same]))
    if usual > 10.0:  # single pictures, minutes apart
        return None
    follows = same & (steps <= max(2.0, 10.0 * usual))
    longest = max(10, -(-len(stems) // PIECES_OF_A_RECORDING))
    group = np.zeros(len(stems), np.int64)
    number, length = 0, 1
    for position in range(1, len(stems)):
        length += 1
        if not follows[position - 1] or length > longest:
            number, length = number + 1, 1
        group[order[position]] = number
    return group


def _seconds(found: re.Match[str]) -> float:
    """Seconds on a clock of months of 31 days: only differences are looked at."""
    year, month, day, hour, minute, second = (int(found[name]) for name in ("year", "month", "day", "hour", "minute", "second"))
    fraction = float(f"0.{found['fraction']}") if found["fraction"] else 0.0
    return ((((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute) * 60 + second + fraction


def _candidates(hashes: Array, brightness: Array) -> Iterator[tuple[Array, Array]]:
    """Pairs of rows whose hashes share a band of eight bits: (first, second) arrays, band by band."""
    for band in range(8):
        key = (hashes >> np.uint64(8 * band)) & np.uint64(255)
        order = np.lexsort((brightness, key))
        ordered = key[order]
        for step in range(1, min(NEIGHBOURS, len(order))):
            same = np.flatnonzero(ordered[step:] == ordered[:-step])
            if not len(same):
                break
            yield order[same], order[same + step]


def _root(parent: Array, row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = int(parent[row])
    return row


def _join(parent: Array, first: int, second: int) -> None:
    a, b = _root(parent, first), _root(parent, second)
    parent[max(a, b)] = min(a, b)


def _shrunk(images: Array, height: int, width: int) -> Array:
    """(rows, height, width) float32 grey levels: means over what a place covers."""
    found = np.empty((len(images), height, width), np.float32)
    down, right = shares(images.shape[1], height), shares(images.shape[2], width)
    for start in range(0, len(images), ROWS_AT_ONCE):
        grey = images[start : start + ROWS_AT_ONCE].astype(np.float32).mean(axis=3)
        found[start : start + ROWS_AT_ONCE] = down @ grey @ right.T
    return found


def shares(size: int, wanted: int) -> Array:
    """(wanted, size) float32: how much of each wanted place each given one covers; rows sum to 1."""
    edges = np.linspace(0, size, wanted + 1)
    starts, ends = np.maximum(edges[:-1, None], np.arange(size)), np.minimum(edges[1:, None], np.arange(1, size + 1))
    covered = np.clip(ends - starts, 0.0, None)
    return np.asarray(covered / covered.sum(axis=1, keepdims=True), np.float32)
