"""Cells that are texts: cleaned, as counted n-grams of words or characters, or as subword tokens. Part of predict.py."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.predictor import PARSERS, Array, Parse, Parser, PredictorError, canonical, whole_characters

MOST_CHARACTERS = 200_000
"""What stands after so many characters of one text is not looked at."""
TOKEN_CHARACTERS = 10
"""Of a text that is longer than its places for tokens, so many characters a place are tokenized."""
COUNT_BITS = 14
"""An n-gram and how often it stands in the text share one int64: the n-gram's 48 bits are above these."""
CHUNK_CHARACTERS = 1_000_000
CHUNK_TEXTS = 30_000

_SPACE, _WORD, _SIGN = 0, 1, 2
_KEY_BITS = 48
_BASE = 0x9E3779B97F4A7C15
_BASE_INVERSE = pow(_BASE, -1, 1 << 64)
_START, _END = np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB)
_SALT = {"words": 0x8EBC6AF09C88C6E3, "characters": 0x589965CC75374CC3}


class Text(Parser):
    """Texts as they are, without blanks around them."""

    dtype = object
    missing_value = ""

    def value(self, cell: Any, root: str = "") -> str:
        if type(cell) is not str:
            cell = canonical(cell)
        text = cell.strip()
        if not text.isascii():
            text = whole_characters(text)
        return "" if len(text) <= 8 and text.casefold() in self.missing else text


class Ngrams(Parser):
    """The n-grams of a text with their counts, one int64 each, in rows that are as long as the longest.

    parse: "of" is "words" or "characters"; "least" and "most" are the lengths of the n-grams. A place that is left over is 0.
    """

    dtype = np.int64

    def __init__(self, parse: Parse) -> None:
        super().__init__(parse)
        self.text = Text(parse)
        self.of, self.least, self.most = str(parse["of"]), int(parse["least"]), int(parse["most"])

    def value(self, cell: Any, root: str = "") -> Array:
        return self.column([cell])[0]

    def column(self, values: Any, root: str = "") -> Array:
        """(rows, longest) int64."""
        texts = self.text.column(values).tolist()
        rows, keys, counts = ngrams(texts, self.of, self.least, self.most)
        lengths = np.bincount(rows, minlength=len(texts))
        found = np.zeros((len(texts), max(1, int(lengths.max(initial=0)))), np.int64)
        starts = np.cumsum(lengths) - lengths
        found[rows, np.arange(len(rows)) - starts[rows]] = (keys << COUNT_BITS) | np.minimum(counts, (1 << COUNT_BITS) - 1)
        return found


class Tokens(Parser):
    """Subword tokens by a tokenizer.json of the `tokenizers` library, cut or filled with 0 to one length."""

    dtype = np.int64

    def __init__(self, parse: Parse) -> None:
        super().__init__(parse)
        self.text = Text(parse)
        self.file, self.length = str(parse["tokenizer"]), int(parse["length"])
        self.tokenizer: Any = None

    def open(self, folder: Path) -> None:
        if Path(self.file).name != self.file:
            raise PredictorError(f"{folder} is damaged: its tokenizer lies outside of the folder")
        path = Path(folder) / self.file
        try:
            self.tokenizer = load_tokenizer(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise PredictorError(f"{path} cannot be read ({error.strerror})") from None

    def value(self, cell: Any, root: str = "") -> Array:
        return self.column([cell])[0]

    def column(self, values: Any, root: str = "") -> Array:
        """(rows, length) int64."""
        if self.tokenizer is None:
            raise PredictorError("the tokens of a text need the model folder, where the tokenizer is kept")
        return token_rows(self.tokenizer, self.text.column(values).tolist(), self.length)


PARSERS["text"] = Text
PARSERS["ngrams"] = Ngrams
PARSERS["tokens"] = Tokens


def load_tokenizer(content: str) -> Any:
    """A tokenizer from the text of its tokenizer.json. Raises PredictorError where the library is missing or it is damaged."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise PredictorError("this model reads texts by the tokenizers library; install it: pip install tokenizers") from None
    try:
        return Tokenizer.from_str(content)
    except Exception as error:  # the library raises a bare Exception for a damaged file
        raise PredictorError(f"the tokenizer is damaged ({str(error)[:200]})") from error


def token_rows(tokenizer: Any, texts: Sequence[str], length: int) -> Array:
    """(rows, length) int64 tokens, 0 after the end of a text; a longer text keeps its beginning and its end.

    The end of a long text often holds its verdict: three quarters of the places go to the beginning, the rest to the end.
    """
    found = np.zeros((len(texts), length), np.int64)
    ending = length // 4
    first, last = (TOKEN_CHARACTERS * places for places in (length - ending, ending))
    for start in range(0, len(texts), CHUNK_TEXTS):
        part = [
            text if len(text) <= first + last else f"{text[:first]} {text[len(text) - last :]}"
            for text in texts[start : start + CHUNK_TEXTS]
        ]
        for row, encoding in enumerate(tokenizer.encode_batch_fast(part, add_special_tokens=False), start=start):
            ids = encoding.ids
            if len(ids) > length:
                ids = ids[: length - ending] + ids[len(ids) - ending :]
            found[row, : len(ids)] = ids
    return found


# --- n-grams ---------------------------------------------------------------------------------------------------------
# An n-gram is known by 48 bits of a polynomial hash, so that no vocabulary is needed to count. Among millions of n-grams
# the chance that two of them meet in a vocabulary of 50,000 is below one in a thousand.


def ngrams(texts: Sequence[str], of: str, least: int, most: int) -> tuple[Array, Array, Array]:
    """Every different n-gram of every text with its count: (row, key, count), int64, ordered by row and key.

    of: "words": runs of letters and digits, and every sign by itself; from two on they also span the start and the end
        of the text. "characters": within words, a blank standing for the ends of a word.
    Letter case does not count, nor how many blanks there are.
    """
    parts, start, characters = [], 0, 0
    for end, text in enumerate(texts, start=1):
        characters += len(text)
        if characters > CHUNK_CHARACTERS or end - start >= CHUNK_TEXTS or end == len(texts):
            rows, keys, counts = _ngrams_of_chunk([*map(_folded, texts[start:end])], of, least, most)
            parts.append((rows + start, keys, counts))
            start, characters = end, 0
    if not parts:
        return (np.zeros(0, np.int64),) * 3
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))  # type: ignore[return-value]


def _folded(text: str) -> str:
    text = text[:MOST_CHARACTERS].lower()
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _ngrams_of_chunk(texts: list[str], of: str, least: int, most: int) -> tuple[Array, Array, Array]:
    points, rows = _points(texts)
    grams = _word_ngrams if of == "words" else _character_ngrams
    found = list(grams(points, rows, len(texts), least, most))
    joined = np.concatenate([(row.astype(np.uint64) << np.uint64(_KEY_BITS)) | key for row, key in found])
    joined.sort()
    first = np.flatnonzero(np.append(True, joined[1:] != joined[:-1])) if len(joined) else np.zeros(0, np.int64)
    counts = np.diff(np.append(first, len(joined)))
    joined = joined[first]
    keys = (joined & np.uint64((1 << _KEY_BITS) - 1)).astype(np.int64)
    return (joined >> np.uint64(_KEY_BITS)).astype(np.int64), keys, counts.astype(np.int64)


def _points(texts: list[str]) -> tuple[Array, Array]:
    """Code points of all texts one after the other, each between two blanks, and the text that each belongs to."""
    lengths = np.fromiter((len(text) + 2 for text in texts), np.int64, len(texts))
    points = np.frombuffer("".join(f" {text} " for text in texts).encode("utf-32-le", "replace"), "<u4")
    rows = np.repeat(np.arange(len(texts)), lengths)
    blank = _classes(points) == _SPACE
    kept = ~blank
    kept[1:] |= ~blank[:-1] | (rows[1:] != rows[:-1])
    kept[:1] = True
    points = np.where(blank, np.uint32(32), points)
    return points[kept], rows[kept]


def _classes(points: Array) -> Array:
    """Whether each code point is a blank, a part of a word or a sign."""
    table = np.zeros(int(points.max(initial=0)) + 1, np.int8)
    used = np.flatnonzero(np.bincount(points, minlength=1))
    table[used] = [_class(int(point)) for point in used]
    return table[points]


@lru_cache(maxsize=200_000)
def _class(point: int) -> int:
    character = chr(point)
    if character.isspace() or point < 32:
        return _SPACE
    return _WORD if character == "_" or unicodedata.category(character)[0] in "LNM" else _SIGN


def _word_ngrams(points: Array, rows: Array, texts: int, least: int, most: int) -> list[tuple[Array, Array]]:
    kind = _classes(points)
    in_word = kind == _WORD
    before, after = np.append(False, in_word[:-1]), np.append(in_word[1:], False)
    starts = np.flatnonzero((in_word & ~before) | (kind == _SIGN))
    ends = np.flatnonzero((in_word & ~after) | (kind == _SIGN)) + 1
    sums = np.append(np.uint64(0), np.cumsum(_mixed(points.astype(np.uint64)) * _powers(_BASE, len(points)), dtype=np.uint64))
    words = (sums[ends] - sums[starts]) * _powers(_BASE_INVERSE, len(points))[starts] + (ends - starts).astype(np.uint64)
    word_rows = rows[starts]
    line = np.empty(len(words) + 2 * texts, np.uint64)
    place = np.arange(len(words)) + 2 * word_rows + 1
    line[place] = words
    first = np.searchsorted(word_rows, np.arange(texts)) + 2 * np.arange(texts)
    line[first] = _START
    line[np.append(first[1:], len(line))[:texts] - 1] = _END
    line_rows = np.repeat(np.arange(texts), np.bincount(word_rows, minlength=texts) + 2)
    found = [(word_rows, _key(words, "words", 1))] if least <= 1 else []
    grams = _mixed(line)
    for length in range(2, most + 1):
        grams = _mixed(grams[:-1] * np.uint64(_BASE) + line[length - 1 :])
        if length >= least:
            inside = line_rows[: len(grams)] == line_rows[length - 1 :]
            found.append((line_rows[: len(grams)][inside], _key(grams[inside], "words", length)))
    return found


def _character_ngrams(points: Array, rows: Array, texts: int, least: int, most: int) -> list[tuple[Array, Array]]:
    blank = points == 32
    values = _mixed(points.astype(np.uint64))
    found = [(rows[~blank], _key(values[~blank], "characters", 1))] if least <= 1 else []
    grams, good = values, np.ones(len(values), bool)
    for length in range(2, most + 1):
        grams = grams[:-1] * np.uint64(_BASE) + values[length - 1 :]
        good = good[: len(grams)] & (rows[: len(grams)] == rows[length - 1 :])
        if length > 2:
            good &= ~blank[length - 2 : len(points) - 1]
        if length >= least:
            found.append((rows[: len(grams)][good], _key(grams[good], "characters", length)))
    return found


@lru_cache(maxsize=4)
def _powers(base: int, count: int) -> Array:
    """base ** (0, 1, ..., count - 1) modulo 2 ** 64."""
    powers = np.full(max(1, count), base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


def _key(hashes: Array, of: str, length: int) -> Array:
    """48 bits of each hash, of n-grams of this kind and length."""
    salt = np.uint64((_SALT[of] * (2 * length + 1)) % (1 << 64))
    return _mixed(hashes ^ salt) >> np.uint64(64 - _KEY_BITS)


def _mixed(values: Array) -> Array:
    """The finalizer of SplitMix64: every bit of the input changes every bit of the output half of the time."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
