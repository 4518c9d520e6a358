"""Writes small PNG pictures as data URIs, for reports that load nothing."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def data_uri(pixels: Array) -> str:
    """pixels: uint8, (height, width) or (height, width, 1) grey, or (height, width, 3) RGB."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    height, width = pixels.shape[:2]
    kind = 2 if pixels.ndim == 3 else 0
    rows = _smaller(pixels.reshape(height, width, -1))
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    parts = [_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows, 9)), _chunk(b"IEND", b"")]
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode("ascii")


def _smaller(pixels: Array) -> bytes:
    """Rows with filter 0 (as they are) or filter 2 (less the row above), whichever packs smaller."""
    height = len(pixels)
    flat = pixels.reshape(height, -1)
    above = np.concatenate([np.zeros((1, flat.shape[1]), np.uint8), flat[:-1]])
    candidates = []
    for number, rows in ((0, flat), (2, flat - above)):
        candidates.append(np.concatenate([np.full((height, 1), number, np.uint8), rows], axis=1).tobytes())
    return min(candidates, key=lambda each: len(zlib.compress(each, 6)))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
