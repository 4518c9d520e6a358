"""Spectrograms as small pictures for the report, with what mattered in colour."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

WIDTH, HEIGHT = 96, 72
LEVELS = 24
"""Shades of grey; fewer compress better."""
BLUE, ORANGE = np.asarray([37.0, 99.0, 235.0]), np.asarray([226.0, 105.0, 12.0])
OPACITY = 0.7


def picture(spectrogram: Array, weight: Array | None = None) -> str:
    """A data URI of a PNG: time to the right, frequency upwards, the louder the darker.

    spectrogram: (frames, bands) log-mel. weight: (frames, bands) in [-1, 1], blue where positive, orange where negative.
    """
    low, high = np.percentile(spectrogram, [20, 99.5])
    loudness = np.clip((_stretched(spectrogram) - low) / max(1e-6, float(high - low)), 0, 1)  # (height, width)
    grey = 255 - 255 * np.round(loudness * (LEVELS - 1)) / (LEVELS - 1)
    if weight is None:
        return _uri(grey.astype(np.uint8))
    marks = np.round(_stretched(weight) * 8) / 8
    colour = np.where(marks[:, :, None] > 0, BLUE, ORANGE)
    share = OPACITY * np.abs(marks)[:, :, None]
    return _uri((grey[:, :, None] * (1 - share) + colour * share).astype(np.uint8))


def _stretched(values: Array) -> Array:
    """(frames, bands) to (HEIGHT, WIDTH), the lowest band at the bottom."""
    frames = np.arange(WIDTH) * values.shape[0] // WIDTH
    bands = np.arange(HEIGHT) * values.shape[1] // HEIGHT
    return np.asarray(values[frames][:, bands].T[::-1])


def _uri(pixels: Array) -> str:
    """pixels: uint8, (height, width) grey or (height, width, 3)."""
    height, width = pixels.shape[:2]
    kind = 2 if pixels.ndim == 3 else 0
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)  # filter 0 in each row
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    parts = [_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)), _chunk(b"IEND", b"")]
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode("ascii")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
