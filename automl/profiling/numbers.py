"""Numbers hidden in text: currency signs, thousands separators, decimal commas, percent signs, words that mean missing."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

Array = np.ndarray[Any, Any]
MISSING_WORDS = ("", "?", "NA", "N/A", "#N/A", "<NA>", "NaN", "null", "none", "nil", "-", "--", ".", "missing", "unknown")
CURRENCY = "$€£¥₹"
_SAMPLE = 5_000
_ENOUGH = 0.95
_STYLES = ((".", ""), (".", ","), (",", ""), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'", "\u2212": "-"})


@dataclass(frozen=True)
class NumberText:
    """How the numbers of a text column are written.

    fraction: rows that are numbers among those not missing. words: cells that are no numbers, the most frequent first.
    missing: the words found that mean missing. how: what is special about the writing, in words.
    """

    parse: dict[str, Any]
    fraction: float
    words: tuple[str, ...]
    how: str
    missing: tuple[str, ...] = ()


def is_missing_word(text: str) -> bool:
    return len(text) <= _LONGEST and text.casefold() in _FOLDED


_FOLDED = frozenset(word.casefold() for word in MISSING_WORDS)
_LONGEST = max(map(len, MISSING_WORDS))


def plain_parse() -> dict[str, Any]:
    return {"as": "number", "missing": list(MISSING_WORDS), "decimal": ".", "thousands": "", "remove": "", "percent": False}


def number_text(texts: list[str], counts: Array, decimal: str = ".") -> NumberText | None:
    """How a column of these distinct texts writes numbers, or None where it does not.

    decimal: the decimal sign that reading the file found, to settle what "1.234" means.
    """
    lacking = np.asarray([is_missing_word(text) for text in texts], bool)
    if lacking.all():
        return None
    present = [text for text, lacks in zip(texts, lacking, strict=True) if not lacks]
    weight = counts[~lacking]
    found = _plain(present, weight)
    if found.fraction < 1.0 or (decimal == "," and _all_thousands(present)):
        styled = _styled(present, weight, decimal)
        if styled is not None and styled.fraction >= found.fraction:
            found = styled
    if found.fraction < _ENOUGH:
        return None
    words = tuple(sorted(text for text, lacks in zip(texts, lacking, strict=True) if lacks and text)[:5])
    return dataclasses.replace(found, missing=words)


def _plain(texts: list[str], weight: Array) -> NumberText:
    if "_" not in "".join(texts):  # which Python would take for a digit separator
        try:
            np.asarray(texts, dtype=object).astype(np.float64)
        except ValueError:
            pass
        else:
            return NumberText(plain_parse(), 1.0, (), "")
    number = ~np.isnan(np.asarray(pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce"), np.float64))
    words = _heaviest([text for text, hit in zip(texts, number, strict=True) if not hit], weight[~number])
    return NumberText(plain_parse(), float(weight[number].sum() / weight.sum()), words, "")


def _all_thousands(texts: list[str]) -> bool:
    """Only groups of three digits after dots, such as "1.234": a thousands separator where the comma is decimal."""
    dotted = [text for text in texts if "." in text]
    return bool(dotted) and all(re.fullmatch(r"[+-]?[1-9]\d{0,2}(\.\d{3})+", text) for text in dotted)


def _heaviest(texts: list[str], weight: Array, most: int = 5) -> tuple[str, ...]:
    return tuple(texts[position] for position in np.argsort(-weight, kind="stable")[:most])


def _pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    whole = r"\d+" if not thousands else rf"(?:\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+|\d+)"
    return re.compile(rf"(?:{whole}(?:{re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+)(?:[eE][+-]?\d+)?")


def _styled(texts: list[str], weight: Array, decimal: str) -> NumberText | None:
    """The way of writing that explains most rows, looked for in the distinct texts that have a digit."""
    sample = np.linspace(0, len(texts) - 1, min(len(texts), _SAMPLE)).astype(int)
    bare = [_bare(texts[position]) for position in sample]
    if not any(text and text[0].isdigit() for text in bare):
        return None
    rows = weight[sample]
    styles = sorted(_STYLES, key=lambda style: style[0] != decimal) if decimal == "," else _STYLES
    best, best_rows, best_hits = None, 0.0, np.zeros(0, bool)
    for style in styles:
        pattern = _pattern(*style)
        hits = np.asarray([pattern.fullmatch(text) is not None for text in bare])
        if rows[hits].sum() > best_rows:
            best, best_rows, best_hits = style, float(rows[hits].sum()), hits
    if best is None or best_rows < _ENOUGH * rows.sum():
        return None
    written = [texts[position] for position in sample]
    parse, how = _parse_of(written, best_hits, *best)
    words = _heaviest([text for text, hit in zip(written, best_hits, strict=True) if not hit], rows[~best_hits])
    return NumberText(parse, best_rows / float(rows.sum()), words, how)


def _bare(text: str) -> str:
    """The text without sign, brackets, currency and percent signs."""
    text = text.translate(_SPACES).strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    return text.strip("+-" + CURRENCY + "% ")


def _parse_of(written: list[str], hits: Array, decimal: str, thousands: str) -> tuple[dict[str, Any], str]:
    numbers = [text for text, hit in zip(written, hits, strict=True) if hit]
    signs = "".join(sign for sign in CURRENCY + "%" if any(sign in text for text in numbers))
    percents = sum("%" in text for text in numbers)
    said = []
    if set(signs) & set(CURRENCY):
        said.append("currency signs")
    if percents:
        said.append("percent signs")
    if thousands and any(thousands in text.translate(_SPACES) for text in numbers):
        said.append(f'"{thousands}" between thousands')
    if decimal == ",":
        said.append("a decimal comma")
    parse = plain_parse() | {"decimal": decimal, "thousands": thousands, "remove": signs}
    parse["percent"] = 0 < percents < len(numbers)
    return parse, " and ".join(said)
