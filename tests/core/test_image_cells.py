"""Cells that are images: every mode and orientation to one form, and everything that is no image told apart."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from automl.core.media import MOST_PIXELS
from automl.core.parsers import make_parser


def parser(side: int = 16, channels: int = 3, **further: Any) -> Any:
    return make_parser({"as": "image", "height": side, "width": side, "channels": channels, "fit": "resize", **further})


def smooth(seed: int = 0, side: int = 48) -> Image.Image:
    """An RGB image without sharp edges, so that compression leaves it alone."""
    small = np.random.default_rng(seed).integers(30, 220, (4, 4, 3)).astype(np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def difference(one: Any, other: Any) -> float:
    return float(np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).mean())


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM"])
def test_formats_give_the_same_pixels(form: str) -> None:
    wanted = parser().value(encoded(smooth()))
    assert difference(parser().value(encoded(smooth(), form)), wanted) < 3


@pytest.mark.parametrize("mode", ["P", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_modes_give_the_same_colours(mode: str) -> None:
    image = smooth().convert(mode) if mode != "LAB" else Image.merge("LAB", [smooth().convert("L")] * 3)
    form = {"CMYK": "TIFF", "YCbCr": "JPEG", "LAB": "TIFF"}.get(mode, "PNG")
    found = parser().value(encoded(image, form))
    assert found.shape == (16, 16, 3)
    if mode != "LAB":
        assert difference(found, parser().value(smooth())) < 8


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_grey_in_every_depth(mode: str) -> None:
    grey = smooth().convert("L")
    image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    found = parser(channels=1).value(encoded(image))
    assert found.shape == (16, 16, 1)
    assert difference(found, parser(channels=1).value(grey)) < (45 if mode == "1" else 1.5)


def test_the_range_of_deep_images_is_part_of_the_parse_step() -> None:
    twelve_bits = Image.fromarray(np.asarray(smooth().convert("L")).astype(np.uint16) * 16)
    wanted = parser(channels=1).value(smooth().convert("L"))
    assert difference(parser(channels=1, white=4095).value(encoded(twelve_bits)), wanted) < 1.5
    assert parser(channels=1).value(encoded(twelve_bits)).max() < 20


def test_transparency_is_over_white() -> None:
    image = smooth().convert("RGBA")
    image.putalpha(0)
    assert (parser().value(encoded(image)) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(orientation: int) -> None:
    turned = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = smooth() if orientation == 1 else smooth().transpose(turned[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert difference(parser().value(encoded(stored, "JPEG", quality=95, exif=exif)), parser().value(smooth())) < 3


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(smooth(), "JPEG"))
    (tmp_path / "b.jpg").write_bytes(b"this is a text, whatever its name")
    reader = parser()
    found = reader.column(["a.png", "b.jpg"], str(tmp_path))
    assert difference(found[0], parser().value(smooth())) < 3
    assert reader.problems == {1: "it is no image that can be decoded"}


def bomb(side: int) -> bytes:
    """A PNG of side x side pixels whose few bytes say nothing of its size."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        (b"", "the file is empty"),
        (None, "no file is named"),
        (float("nan"), "no file is named"),
        ("", "no file is named"),
        ("missing.png", "there is no such file"),
        ("../outside.png", "the path leads outside of the folder of the data"),
        (3.5, "a path is expected here, not a float"),
        (encoded(smooth())[:300], "the image is damaged"),
        (encoded(smooth(side=400), "JPEG")[:900], "the image is damaged"),
        (bomb(30_000), "million pixels"),
        (np.zeros(5), "it is no array"),
        (np.zeros((4, 4, 7)), "it is no array"),
        ({"bytes": None, "path": None}, "no file is named"),
    ],
)
def test_what_is_no_image_is_told_and_stays_black(cell: Any, why: str, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "outside.png").write_bytes(encoded(smooth()))
    reader = parser()
    found = reader.column([smooth(), cell, smooth()], str(tmp_path / "inside"))
    assert list(reader.problems) == [1]
    assert why in reader.problems[1]
    assert not found[1].any()
    assert found[0].any()
    np.testing.assert_array_equal(found[0], found[2])


def test_a_bomb_is_refused_by_its_header() -> None:
    assert MOST_PIXELS < 30_000**2
    assert len(bomb(30_000)) < 2_000


def test_arrays_come_in_every_type() -> None:
    pixels = np.asarray(smooth(side=16))
    for cell in (pixels, pixels.astype(np.int64), pixels / 255.0, pixels.astype(np.float32), (pixels.astype(np.uint16) * 257)):
        assert difference(parser().value(cell), pixels) <= 1
    assert parser(channels=1).value(pixels[:, :, :1]).shape == (16, 16, 1)
    assert (parser(channels=1).value(np.ones((16, 16), bool)) == 255).all()


def test_one_cell_is_decoded_as_many_are() -> None:
    cells = [encoded(smooth(seed, side), "JPEG") for seed, side in ((1, 40), (2, 333), (3, 64))]
    together = parser().column(cells)
    for cell, found in zip(cells, together, strict=True):
        np.testing.assert_array_equal(parser().value(cell), found)
