"""Cells that are files: images and sounds, decoded to arrays of one shape. Part of every predict.py that needs it."""

from __future__ import annotations

import io
import math
import os
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.predictor import PARSERS, Parse, Parser, PredictorError, is_missing

MOST_FILE_BYTES = 1 << 30
"""A larger file is refused rather than read into memory."""


class Unreadable(ValueError):
    """A cell that cannot be decoded. The message says why, as the end of a sentence about the file."""


class Media(Parser):
    """A parse step whose cells are paths of files, their bytes, or what they decode to; a subclass decodes one cell.

    shape: of one decoded cell. A cell that cannot be decoded becomes zeros, and `problems` says why.
    """

    takes_files = True
    shape: tuple[int, ...] = ()

    def value(self, cell: Any, root: str = "") -> Any:
        """One decoded cell, of this `shape`."""
        return self.column([cell], root)[0]

    def column(self, values: Any, root: str = "") -> np.ndarray[Any, Any]:
        """(rows, *shape). root: the folder that relative paths in the cells are below, "" where that is not known."""
        found, self.problems = self.read(values, root)
        return found

    def read(self, values: Any, root: str = "") -> tuple[np.ndarray[Any, Any], dict[int, str]]:
        cells = _cells(values)
        found = np.zeros((len(cells), *self.shape), self.dtype)
        problems = {}
        for row, cell in enumerate(cells):
            try:
                found[row] = self.decoded(cell, root)
            except Unreadable as error:
                problems[row] = str(error)
        return found, problems

    def decoded(self, cell: Any, root: str) -> np.ndarray[Any, Any]:
        """One cell as an array of `shape`. Raises Unreadable."""
        raise NotImplementedError


def _cells(values: Any) -> list[Any]:
    """The cells of a column one by one; arrays of samples or pixels stay arrays."""
    return list(values.tolist()) if hasattr(values, "tolist") and getattr(values, "ndim", 1) == 1 else list(values)


def cell_bytes(cell: Any, root: str) -> bytes:
    """The content of the file that a cell names or holds.

    Raises Unreadable where it is empty, too large, missing, or outside of `root` although the path is a relative one.
    """
    if isinstance(cell, bytes | bytearray | memoryview):
        content = bytes(cell)
    elif isinstance(cell, str | os.PathLike) and str(cell).strip():
        content = _file_bytes(str(cell).strip(), root)
    elif is_missing(cell) or isinstance(cell, str):
        raise Unreadable("no file is named")
    else:
        raise Unreadable(f"a path is expected here, not a {type(cell).__name__}")
    if not content:
        raise Unreadable("the file is empty")
    return content


def _file_bytes(name: str, root: str) -> bytes:
    try:
        path = Path(name)
        if root:
            path = Path(root) / path
            if not path.resolve().is_relative_to(Path(root).resolve()):
                raise Unreadable("the path leads outside of the folder of the data")
        if not path.exists():
            raise Unreadable("there is no such file")
        if not path.is_file():
            raise Unreadable("it is no file")
        if path.stat().st_size > MOST_FILE_BYTES:
            raise Unreadable(f"the file is larger than {MOST_FILE_BYTES >> 20} MiB")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"the file cannot be read ({getattr(error, 'strerror', None) or error})") from None


# --- sounds ----------------------------------------------------------------------------------------------------------


class Audio(Media):
    """Sounds as {"as": "audio", "rate": hertz, "samples": count}: float32 in [-1, 1], mono, cut or padded with zeros.

    Cells: a path or the bytes of a WAV file (others by `soundfile`, where that is installed), an array of samples at
    `rate`, (samples,) or (samples, channels), or a pair of such an array and its own rate.
    """

    dtype = np.float32

    def __init__(self, parse: Parse) -> None:
        super().__init__(parse)
        self.rate, self.samples = int(parse["rate"]), int(parse["samples"])
        self.shape = (self.samples,)

    def decoded(self, cell: Any, root: str) -> np.ndarray[Any, Any]:
        seconds = (self.samples + 1) / self.rate
        if isinstance(cell, np.ndarray | list | tuple):
            sound, rate = _samples_of(cell, self.rate)
            sound = sound[: math.ceil(seconds * rate) + 1]
        else:
            sound, rate = decode_audio(cell_bytes(cell, root), seconds)
        sound = resampled(_in_range(sound), rate, self.rate)[: self.samples]
        padded = np.zeros(self.samples, np.float32)
        padded[: len(sound)] = sound
        return padded


def _samples_of(cell: Any, rate: int) -> tuple[np.ndarray[Any, Any], int]:
    """The mono samples of an array, or of an array and its rate in either order."""
    if isinstance(cell, tuple) and len(cell) == 2 and (np.ndim(cell[0]) == 0) != (np.ndim(cell[1]) == 0):
        cell, rate = (cell[1], cell[0]) if np.ndim(cell[0]) == 0 else cell
        if not 0 < float(rate) < math.inf:
            raise Unreadable(f"{rate} is no sampling rate")
    array = np.asarray(cell)
    if array.dtype.kind not in "iuf" or not 1 <= array.ndim <= 2 or not array.size:
        raise Unreadable("it is no array of samples")
    if array.dtype.kind == "u":
        sound = array.astype(np.float64) / 2.0 ** (8 * array.dtype.itemsize - 1) - 1.0
    else:
        sound = array.astype(np.float64) / (2.0 ** (8 * array.dtype.itemsize - 1) if array.dtype.kind == "i" else 1.0)
    if sound.ndim == 2:
        sound = sound.mean(axis=int(sound.shape[1] <= sound.shape[0]))
    return sound, int(rate)


def _in_range(sound: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Without values that are no numbers, and turned down where it is beyond -1 to 1."""
    sound = np.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0)
    peak = float(np.abs(sound).max(initial=0.0))
    return sound / peak if peak > 1.0 else sound


def decode_audio(content: bytes, seconds: float = math.inf) -> tuple[np.ndarray[Any, Any], int]:
    """The first `seconds` of a sound as mono samples (float64, full scale is 1) and its sampling rate.

    Raises Unreadable.
    """
    if content[:4] in (b"RIFF", b"RIFX", b"RF64"):
        facts = wav_facts(content)
        if facts["coding"] in _WAV_DTYPES:
            return _wav_samples(content, facts, seconds), facts["rate"]
    with _sound_file(content) as file:
        frames = -1 if math.isinf(seconds) else math.ceil(seconds * file.samplerate) + 1
        try:
            sound = file.read(frames, dtype="float64", always_2d=True)
        except RuntimeError as error:
            raise Unreadable(f"the sound is damaged ({_first_words(error)})") from None
        rate = int(file.samplerate)
    if not len(sound):
        raise Unreadable("it holds no sound")
    return sound.mean(axis=1), rate


def audio_facts(content: bytes) -> dict[str, Any]:
    """{"rate": hertz, "channels": count, "seconds": length} of a sound, without decoding it. Raises Unreadable."""
    if content[:4] in (b"RIFF", b"RIFX", b"RF64"):
        facts = wav_facts(content)
        if facts["coding"] in _WAV_DTYPES:
            return {"rate": facts["rate"], "channels": facts["channels"], "seconds": facts["frames"] / facts["rate"]}
    with _sound_file(content) as file:
        if file.frames <= 0 or file.samplerate <= 0:
            raise Unreadable("it holds no sound")
        return {"rate": int(file.samplerate), "channels": int(file.channels), "seconds": file.frames / file.samplerate}


# Format tag and bits a sample to how a sample is stored; 24 bits are put together from bytes.
_WAV_DTYPES = {(1, 8): "u1", (1, 16): "i2", (1, 24): "i3", (1, 32): "i4", (3, 32): "f4", (3, 64): "f8"}
_EXTENSIBLE = 0xFFFE
_UNKNOWN_SIZES = (0, 0x7FFFFFFF, 0xFFFFFFFF)
"""Sizes of the data that a program writes which did not know how long the sound would become."""


def wav_facts(content: bytes) -> dict[str, Any]:
    """Where the samples of a RIFF file are: {"coding": (tag, bits), "rate", "channels", "start", "frames", "order"}.

    Raises Unreadable where it is no WAV file, or is cut off.
    """
    order = ">" if content[:4] == b"RIFX" else "<"
    if content[8:12] != b"WAVE":
        raise Unreadable("it is a RIFF file but no WAV file")
    form, position = None, 12
    while position + 8 <= len(content):
        name, size = content[position : position + 4], struct.unpack_from(f"{order}I", content, position + 4)[0]
        position += 8
        if name == b"fmt " and size >= 16 and position + size <= len(content):
            tag, channels, rate, _, block, bits = struct.unpack_from(f"{order}HHIIHH", content, position)
            if tag == _EXTENSIBLE and size >= 26:
                tag = struct.unpack_from(f"{order}H", content, position + 24)[0]
            form = (tag, channels, rate, block, bits)
        elif name == b"data":
            if form is None:
                raise Unreadable("the file does not say how its samples are stored")
            return _data_facts(form, position, size, len(content) - position, order)
        position += size + size % 2
    raise Unreadable("the file is cut off before the sound begins")


def _data_facts(form: tuple[int, ...], start: int, size: int, there: int, order: str) -> dict[str, Any]:
    tag, channels, rate, block, bits = form
    if not channels or not rate or not bits or block != channels * ((bits + 7) // 8):
        if (tag, bits) in _WAV_DTYPES:
            raise Unreadable("the file's header is damaged")
        block = max(1, block)
    if size in _UNKNOWN_SIZES:
        size = there
    if there < 0.99 * size:
        raise Unreadable(f"the file is cut off: {there:,} of {size:,} bytes of sound are there")
    frames = min(size, there) // block
    if not frames:
        raise Unreadable("it holds no sound")
    return {"coding": (tag, bits), "rate": rate, "channels": channels, "start": start, "frames": frames, "order": order}


def _wav_samples(content: bytes, facts: dict[str, Any], seconds: float) -> np.ndarray[Any, Any]:
    channels, order, coding = facts["channels"], facts["order"], facts["coding"]
    frames = facts["frames"] if math.isinf(seconds) else min(facts["frames"], math.ceil(seconds * facts["rate"]) + 1)
    kind, count = _WAV_DTYPES[coding], frames * channels
    if kind == "i3":
        parts = np.frombuffer(content, np.uint8, 3 * count, facts["start"]).reshape(count, 3).astype(np.int32)
        low, high = (0, 2) if order == "<" else (2, 0)
        whole = parts[:, low] | (parts[:, 1] << 8) | (parts[:, high] << 16)
        sound = np.where(whole >= 1 << 23, whole - (1 << 24), whole) / float(1 << 23)
    else:
        stored = np.frombuffer(content, np.dtype(kind).newbyteorder(order), count, facts["start"]).astype(np.float64)
        scale = {"u1": 128.0, "i2": 2.0**15, "i4": 2.0**31}.get(kind, 1.0)
        sound = (stored - 128.0 if kind == "u1" else stored) / scale
    return np.asarray(sound.reshape(frames, channels).mean(axis=1))


def _sound_file(content: bytes) -> Any:
    try:
        import soundfile
    except (ImportError, OSError):
        raise Unreadable("it is no plain WAV file, and other formats need the package soundfile") from None
    try:
        return soundfile.SoundFile(io.BytesIO(content))
    except (RuntimeError, TypeError, ValueError) as error:
        raise Unreadable(f"it is no sound that can be decoded ({_first_words(error)})") from None


def _first_words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text.rsplit(": ", 1)[-1].rstrip(".")[:100]


ZERO_CROSSINGS = 16
"""Of the windowed sinc to each side of its middle."""
KAISER_BETA = 9.0
ROLL_OFF = 0.95
"""Where the pass band ends, as a share of half the lower rate."""
MOST_PHASES = 2000


def resampled(sound: np.ndarray[Any, Any], rate: int, wanted: int) -> np.ndarray[Any, Any]:
    """Mono samples at another rate, by a polyphase filter: a sinc under a Kaiser window.

    sound: (samples,). Returns (about samples * wanted / rate,) float64.
    """
    if rate == wanted or not len(sound):
        return sound
    up, down, bank, reach = _filter_bank(rate, wanted)
    length = max(1, math.ceil(len(sound) * up / down))
    padded = np.concatenate([np.zeros(reach), sound, np.zeros(reach + down + 2)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    found = np.zeros(length)
    for phase in range(min(up, length)):
        places = np.arange(phase, length, up)
        found[places] = windows[places * down // up] @ bank[phase]
    return found


@lru_cache(maxsize=16)
def _filter_bank(rate: int, wanted: int) -> tuple[int, int, np.ndarray[Any, Any], int]:
    """up, down, (up, taps) filter of each phase, samples to each side of the middle."""
    up, down = wanted // math.gcd(rate, wanted), rate // math.gcd(rate, wanted)
    if up > MOST_PHASES:  # an odd rate: the nearest ratio with so many phases is wrong by less than 1e-6
        from fractions import Fraction

        ratio = Fraction(wanted, rate).limit_denominator(MOST_PHASES)
        up, down = max(1, ratio.numerator), ratio.denominator
    cutoff = ROLL_OFF * min(1.0, up / down)
    reach = math.ceil(ZERO_CROSSINGS / cutoff)
    shift = (np.arange(up) * down % up) / up  # of the wanted sample behind the last given one
    distance = np.arange(-reach, reach + 1)[None, :] - shift[:, None]
    edge = np.clip(1.0 - (distance * cutoff / ZERO_CROSSINGS) ** 2, 0.0, None)
    bank = cutoff * np.sinc(cutoff * distance) * np.i0(KAISER_BETA * np.sqrt(edge)) / np.i0(KAISER_BETA) * (edge > 0)
    return up, down, bank / bank.sum(axis=1, keepdims=True), reach


PARSERS["audio"] = Audio


# --- images ----------------------------------------------------------------------------------------------------------

MOST_PIXELS = 89_000_000
"""An image of more pixels is refused: a small file can unpack to gigabytes. Pillow itself warns a little above it."""
FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF", "ICO", "TGA")
"""What is decoded; others, such as EPS, would start programs or are no pictures."""
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
DECODERS = 4


class Image(Media):
    """Images as {"as": "image", "height", "width", "channels": 1 or 3, "fit": "resize", "white": 65535}: uint8.

    Turned upright by their EXIF orientation, transparency over white, made grey or RGB, and resized (a mean over what a
    pixel covers) without keeping their proportions. `white` is the value of images of more than 8 bits that becomes 255.
    Cells: a path or the bytes of an image file, a Pillow image, or an array (height, width[, channels]): whole numbers
    from 0 to 255, or fractions from 0 to 1.
    """

    dtype = np.uint8

    def __init__(self, parse: Parse) -> None:
        super().__init__(parse)
        self.height, self.width, self.channels = int(parse["height"]), int(parse["width"]), int(parse["channels"])
        self.white = float(parse.get("white", 65535))
        self.shape = (self.height, self.width, self.channels)

    def read(self, values: Any, root: str = "") -> tuple[np.ndarray[Any, Any], dict[int, str]]:
        """(rows, height, width, channels), and what could not be read; several cells are decoded at the same time."""
        from concurrent.futures import ThreadPoolExecutor

        cells = _cells(values)
        found = np.zeros((len(cells), *self.shape), np.uint8)
        problems: dict[int, str] = {}

        def put(row: int) -> None:
            try:
                found[row] = self.decoded(cells[row], root)
            except Unreadable as error:
                problems[row] = str(error)

        pillow()
        with ThreadPoolExecutor(DECODERS) as pool:
            list(pool.map(put, range(len(cells)), chunksize=16))
        return found, dict(sorted(problems.items()))

    def decoded(self, cell: Any, root: str) -> np.ndarray[Any, Any]:
        picture = open_image(cell, root, (self.width, self.height), self.white)
        mode = "L" if self.channels == 1 else "RGB"
        if picture.mode != mode:
            picture = picture.convert(mode)
        if picture.size != (self.width, self.height):
            picture = picture.resize((self.width, self.height), pillow().Resampling.BILINEAR, reducing_gap=3.0)
        return np.asarray(picture, np.uint8).reshape(self.shape)


@lru_cache(maxsize=1)
def pillow() -> Any:
    """The module PIL.Image with all its formats. Raises PredictorError."""
    try:
        from PIL import Image as module
    except ImportError:
        raise PredictorError('reading images needs Pillow; install it with: pip install "pillow>=10.3"') from None
    module.init()
    return module


def open_image(cell: Any, root: str = "", size: tuple[int, int] | None = None, white: float = 65535.0) -> Any:
    """A cell as a Pillow image, upright, in mode L or RGB, not yet resized.

    size: (width, height) that it will have; a JPEG is decoded at the nearest larger fraction of its own size.
    Raises Unreadable.
    """
    if isinstance(cell, np.ndarray):
        return _from_array(cell)
    try:
        if hasattr(cell, "convert") and hasattr(cell, "getbands"):
            return _plain_image(cell, white)
        if isinstance(cell, dict):
            cell = cell.get("bytes") or cell.get("path")
        picture = image_header(cell_bytes(cell, root))
        if size is not None:
            picture.draft(None, (max(size), max(size)))
        picture.load()
        return _plain_image(picture, white)
    except Unreadable:
        raise
    except MemoryError:
        raise Unreadable("the image is too large for the memory") from None
    except Exception as error:  # Pillow and its codecs raise whatever the damage leads to
        raise Unreadable(f"the image is damaged ({_first_words(error)})") from None


def image_header(content: bytes) -> Any:
    """The opened image, of which only the header is read. The content decides, not the name. Raises Unreadable."""
    module = pillow()
    try:
        picture = module.open(io.BytesIO(content), formats=[name for name in FORMATS if name in module.OPEN])
    except module.UnidentifiedImageError:
        raise Unreadable("it is no image that can be decoded") from None
    except (module.DecompressionBombError, module.DecompressionBombWarning):
        raise Unreadable(f"the image has more than {MOST_PIXELS // 10**6} million pixels") from None
    except Exception as error:  # as above
        raise Unreadable(f"the image is damaged ({_first_words(error)})") from None
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise Unreadable(f"the image has {width:,} x {height:,} pixels, more than {MOST_PIXELS // 10**6} million")
    if not width or not height:
        raise Unreadable("the image has no pixels")
    return picture


def _plain_image(picture: Any, white: float) -> Any:
    """Upright, in mode L or RGB."""
    from PIL import ImageOps

    module = pillow()
    if picture.mode in DEEP_MODES:
        values = np.asarray(picture).astype(np.float64)
        values = np.nan_to_num(values, nan=0.0, posinf=white, neginf=0.0)
        picture = _oriented_like(module.fromarray(np.clip(np.rint(values * (255.0 / white)), 0, 255).astype(np.uint8)), picture)
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if picture.mode in ("LA", "PA", "La", "RGBa") or (picture.mode in ("L", "RGB") and "transparency" in picture.info):
        picture = picture.convert("RGBA")
    if picture.mode == "RGBA":
        picture = module.alpha_composite(module.new("RGBA", picture.size, (255, 255, 255, 255)), picture)
    grey = picture.mode in ("1", "L")
    return picture if picture.mode in ("L", "RGB") else picture.convert("L" if grey else "RGB")


def _oriented_like(picture: Any, original: Any) -> Any:
    """The picture with the EXIF orientation of another."""
    orientation = original.getexif().get(0x0112)
    if orientation:
        picture.getexif()[0x0112] = orientation
    return picture


def _from_array(array: np.ndarray[Any, Any]) -> Any:
    """A Pillow image of an array (height, width[, channels])."""
    module = pillow()
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    known = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (2, 3, 4))
    if not known or array.dtype.kind not in "iufb" or not array.size or array.shape[0] * array.shape[1] > MOST_PIXELS:
        raise Unreadable("it is no array (height, width) or (height, width, channels) of 1 to 4 channels")
    values = np.nan_to_num(array.astype(np.float64), nan=0.0)
    if array.dtype.kind == "b" or (array.dtype.kind == "f" and values.max() <= 1.0):
        values = values * 255.0
    elif array.dtype.kind in "iu" and array.dtype.itemsize > 1 and values.max() > 255:
        values = values / 257.0
    picture = module.fromarray(np.ascontiguousarray(np.clip(np.rint(values), 0, 255).astype(np.uint8)))
    return _plain_image(picture, 255.0)


PARSERS["image"] = Image
