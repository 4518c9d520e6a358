"""Looks at every image once: what can be decoded, sizes and colours, near-duplicates, and the form that all are brought to."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.media import DECODERS, DEEP_MODES, Unreadable, cell_bytes, image_header, open_image, pillow
from automl.core.predictor import PredictorError
from automl.core.profile import ColumnProfile, Kind, Role
from automl.encoders.image_hash import bursts, near_duplicates

Array = np.ndarray[Any, Any]

GLANCE = 32
"""Side of the thumbnails that are looked at here."""
SMALL_SIDE = 40
"""Images up to this size are left as they are."""
SIDES = ((1_500, 96), (25_000, 64), (80_000, 48))
"""Images up to a number, and the side that larger ones are brought to; beyond, 32."""
LEAST_SIDE = 32
SAME_PROPORTIONS = 1.15
MOST_BYTES = 600_000_000
"""Of all images together in memory."""
COLOUR = 10
"""Grey levels by which channels differ where an image is in colour."""
MOST_NAMED, MOST_EXAMPLES = 20, 10


@dataclass(frozen=True)
class Seen:
    """One image: (height, width), Pillow's mode, thumbnail (GLANCE, GLANCE, 3), the largest value where it is deep."""

    size: tuple[int, int]
    mode: str
    thumbnail: Array
    largest: float = 255.0


def examine(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[ColumnProfile, ...]:
    """The profiles with parse step, sizes, colours and unreadable files of the columns of images.

    Raises InputError where more than half of the files cannot be decoded, or Pillow is missing.
    """
    return tuple(
        _examined(dataset, column) if column.kind is Kind.IMAGE and column.role is Role.FEATURE else column for column in columns
    )


def _examined(dataset: Dataset, column: ColumnProfile) -> ColumnProfile:
    name = column.name
    cells = dataset.frame[name].tolist()
    tests = [] if dataset.test is None else dataset.test[name].tolist()
    looked = look([*cells, *tests], dataset.root)
    own = looked[: len(cells)]
    seen = [each for each in own if isinstance(each, Seen)]
    unreadable = [[_called(cell), each] for cell, each in zip(cells, own, strict=True) if isinstance(each, str)]
    if len(unreadable) > 0.5 * len(cells):
        cell, why = unreadable[0]
        raise InputError(
            f'{len(unreadable):,} of the {len(cells):,} images of "{name}" cannot be decoded; of {cell}: {why}',
            "check the paths and the format of the files",
        )
    sizes = np.asarray([each.size for each in seen])
    channels = 3 if _in_colour(seen) else 1
    height, width = form_of(sizes, channels, len(cells))
    parse: dict[str, Any] = {"as": "image", "height": height, "width": width, "channels": channels, "fit": "resize"}
    deep = [each.largest for each in seen if each.mode in DEEP_MODES]
    if deep:
        parse["white"] = _white(max(deep))
    statistics = {
        "files": len(cells),
        "unreadable": unreadable[:MOST_NAMED],
        "unreadable_count": len(unreadable),
        "sizes": {
            "min": sizes.min(axis=0).tolist(),
            "median": np.median(sizes, axis=0).astype(int).tolist(),
            "max": sizes.max(axis=0).tolist(),
        },
        "modes": dict(Counter(each.mode for each in seen).most_common()),
        "height": height,
        "width": width,
        "channels": channels,
        "near_duplicates": _copies([_called(cell) for cell in [*cells, *tests]], looked, len(cells)),
        "bursts": _bursts(cells),
    }
    evidence = ". ".join([column.evidence, *_told(statistics)])
    return dataclasses.replace(
        column,
        parse=parse,
        dtype="uint8",
        evidence=evidence,
        statistics=statistics,
        missing_fraction=len(unreadable) / max(1, len(cells)),
    )


def look(cells: Sequence[Any], root: str) -> list[Seen | str]:
    """Each image, or why it cannot be decoded."""
    try:
        pillow()
    except PredictorError as error:
        raise InputError(str(error)) from None
    with ThreadPoolExecutor(DECODERS) as pool:
        return list(pool.map(lambda cell: _look(cell, root), cells, chunksize=16))


def _look(cell: Any, root: str) -> Seen | str:
    try:
        content = cell_bytes(cell, root)
        header = image_header(content)
        (width, height), mode, largest = header.size, header.mode, 255.0
        if mode in DEEP_MODES:
            largest = _largest(header)
        picture = open_image(content, size=(GLANCE, GLANCE), white=largest)
        if (picture.width > picture.height) != (width > height):  # turned upright by its EXIF orientation
            width, height = height, width
    except Unreadable as error:
        return str(error)
    small = picture.convert("RGB").resize((GLANCE, GLANCE), pillow().Resampling.BILINEAR, reducing_gap=3.0)
    return Seen((height, width), mode, np.asarray(small, np.uint8), largest)


def _largest(picture: Any) -> float:
    try:
        values = np.asarray(picture).astype(np.float64)
    except Exception as error:  # Pillow raises whatever the damage leads to
        raise Unreadable(f"the image is damaged ({error})") from None
    return max(float(np.nan_to_num(values, nan=0.0, posinf=0.0).max(initial=0.0)), 1e-6)


def _white(largest: float) -> float:
    """The value that becomes white: 1 for fractions, else the end of the range of 8, 10, 12, 14 or 16 bits that holds it."""
    if largest <= 1.0:
        return 1.0
    return next((float(2**bits - 1) for bits in (8, 10, 12, 14, 16) if largest <= 2**bits - 1), float(largest))


def _in_colour(seen: Sequence[Seen]) -> bool:
    """Whether more than one in a hundred has a place where the channels differ."""
    coloured = 0
    for each in seen:
        if each.mode not in ("1", "L", "LA", "I", "F") and not each.mode.startswith("I;"):
            values = each.thumbnail.astype(np.int16)
            coloured += int(np.ptp(values, axis=2).max() >= COLOUR)
    return coloured > 0.01 * len(seen)


def form_of(sizes: Array, channels: int, rows: int) -> tuple[int, int]:
    """The (height, width) that every image is brought to.

    sizes: (images, 2) heights and widths. Small images stay as they are; larger ones become as small as can be afforded,
    in their own proportions where all share them, else square.
    """
    height, width = (int(each) for each in np.median(sizes, axis=0))
    if max(height, width) <= SMALL_SIDE and rows * height * width * channels <= MOST_BYTES:
        return max(1, height), max(1, width)
    side = next((side for most, side in SIDES if rows <= most), LEAST_SIDE)
    side = min(side, 8 * max(1, round(max(height, width) / 8)))
    while side > LEAST_SIDE and rows * side * side * channels > MOST_BYTES:
        side -= 8
    proportions = sizes[:, 1] / sizes[:, 0]
    low, high = np.percentile(proportions, [10, 90])
    if high / low > SAME_PROPORTIONS:
        return side, side
    longer = float(np.sqrt(np.median(proportions)))
    wide, tall = (8 * max(1, round(side * factor / 8)) for factor in (longer, 1 / longer))
    return min(tall, 2 * side), min(wide, 2 * side)


def _copies(names: list[str], looked: Sequence[Seen | str], rows: int) -> dict[str, Any]:
    """{"groups", "images", "across": test images with a near-duplicate in training, "examples": [[names], ...]}"""
    known = [number for number, each in enumerate(looked) if isinstance(each, Seen)]
    if not known:
        return {}
    group = near_duplicates(np.stack([each.thumbnail for each in looked if isinstance(each, Seen)]))
    _, numbers, counts = np.unique(group, return_inverse=True, return_counts=True)
    several = np.flatnonzero(counts > 1)
    if not len(several):
        return {"groups": 0, "images": 0, "across": 0, "examples": []}
    place = np.asarray(known)
    trained = np.unique(numbers[place < rows])
    across = int(np.isin(numbers[place >= rows], trained).sum())
    examples = [[names[place[row]] for row in np.flatnonzero(numbers == each)[:3]] for each in several[:MOST_EXAMPLES]]
    return {"groups": len(several), "images": int(counts[several].sum()), "across": across, "examples": examples}


def _bursts(cells: Sequence[Any]) -> int:
    """Bursts or recordings that the file names tell of; 0 where they tell of none."""
    if not all(isinstance(cell, str) for cell in cells):
        return 0
    found = bursts(cells)
    return 0 if found is None else len(np.unique(found))


def _called(cell: Any) -> str:
    return str(cell) if isinstance(cell, str) and cell.strip() else "an empty cell"


def _told(facts: dict[str, Any]) -> list[str]:
    """What was found and decided, in sentences without a full stop."""
    smallest, largest = facts["sizes"]["min"], facts["sizes"]["max"]
    form = f"{facts['width']} x {facts['height']} pixels" + (" in grey" if facts["channels"] == 1 else " in colour")
    if smallest == largest:
        said = [f"All are {largest[1]} x {largest[0]} pixels; the net sees {form}"]
    else:
        said = [f"They have {smallest[1]} x {smallest[0]} to {largest[1]} x {largest[0]} pixels; the net sees {form}"]
    if facts["unreadable_count"]:
        verb = "is" if facts["unreadable_count"] == 1 else "are"
        said.append(f"{facts['unreadable_count']:,} cannot be decoded and {verb} left out")
    copies = facts["near_duplicates"]
    if copies.get("images"):
        said.append(f"{copies['images']:,} are near-duplicates of another; no fold divides them")
    if copies.get("across"):
        verb = "image of the test part has" if copies["across"] == 1 else "images of the test part have"
        said.append(f"{copies['across']:,} {verb} a near-duplicate among the training images")
    if facts["bursts"]:
        said.append(f"The file names tell of {facts['bursts']:,} bursts or recordings; no fold divides one")
    return said
