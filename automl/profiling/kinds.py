"""The kind of a column, with the sentence that says why and the parse step that cleans it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.errors import InputError
from automl.core.folders import media_kind
from automl.core.profile import Kind
from automl.profiling.cells import Cells
from automl.profiling.dates import date_text, integer_dates
from automl.profiling.names import hints_identifier, hints_postal_code, hints_year
from automl.profiling.numbers import is_missing_word, number_text, plain_parse

Array = np.ndarray[Any, Any]
CATEGORY_MISSING = ("", "?", "NA", "N/A", "#N/A", "<NA>", "NaN", "null")
_FOLDED_CATEGORY_MISSING = frozenset(word.casefold() for word in CATEGORY_MISSING)
ALL_MISSING = "every cell is missing"
TRUE_WORDS, FALSE_WORDS = ("true", "yes", "y", "t", "on", "1"), ("false", "no", "n", "f", "off", "0")
_PAIRS = tuple(zip(TRUE_WORDS, FALSE_WORDS, strict=True))
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_FEWEST_FOR_IDENTIFIER = 10
_SAMPLE = 5_000


@dataclass(frozen=True)
class Verdict:
    """What a column holds, why, and how its cells are read."""

    kind: Kind
    evidence: str
    parse: dict[str, Any]


def category_parse() -> dict[str, Any]:
    return {"as": "category", "missing": list(CATEGORY_MISSING), "aliases": {}}


def boolean_parse() -> dict[str, Any]:
    return {"as": "boolean", "missing": list(CATEGORY_MISSING), "true": list(TRUE_WORDS), "false": list(FALSE_WORDS)}


def datetime_parse(formats: tuple[str, ...]) -> dict[str, Any]:
    return {"as": "datetime", "missing": list(CATEGORY_MISSING), "formats": list(formats)}


def kind_of(cells: Cells, decimal: str = ".") -> Verdict:
    """The kind of a column as its cells suggest it."""
    if cells.type == "datetime":
        return Verdict(Kind.DATETIME, "the column holds dates", datetime_parse(("ISO8601",)))
    if cells.type == "array":
        return Verdict(Kind.SERIES, "every cell is a series of values", category_parse())
    if cells.type == "boolean":
        return _boolean_or_constant(cells)
    if cells.declared_category:
        return Verdict(Kind.CATEGORY, "the data itself declares it a category", category_parse())
    if cells.type == "number":
        return _kind_of_numbers(cells, np.asarray(cells.values, np.float64), cells.counts, plain_parse(), "")
    return _kind_of_text(cells, decimal)


def _boolean_or_constant(cells: Cells) -> Verdict:
    if len(cells.values) == 1 and cells.present == cells.rows:
        return _constant(cells, boolean_parse(), str(cells.values[0]))
    return Verdict(Kind.BOOLEAN, "true or false in every cell that is filled", boolean_parse())


def _constant(cells: Cells, parse: dict[str, Any], value: str | None) -> Verdict:
    sentence = ALL_MISSING if value is None else f'every cell is "{value}"'
    return Verdict(Kind.CONSTANT, sentence, parse)


def _kind_of_text(cells: Cells, decimal: str) -> Verdict:
    plain = cells.plain_numbers() if decimal == "." else None
    if plain is not None and not _codes_with_leading_zeros(cells.values.tolist()):
        return _kind_of_numbers(cells, plain, cells.counts, plain_parse(), "")
    texts = cells.texts()
    lacking = np.asarray([len(text) <= 4 and text.casefold() in _FOLDED_CATEGORY_MISSING for text in texts], bool)
    if lacking.all():
        return _constant(cells, category_parse(), None)
    present, counts = [text for text, lacks in zip(texts, lacking, strict=True) if not lacks], cells.counts[~lacking]
    distinct = set(present)
    if len(distinct) == 1 and int(counts.sum()) == cells.rows:
        return _constant(cells, category_parse(), present[0])
    if len(distinct) <= 8 and any({text.casefold() for text in distinct} == set(pair) for pair in _PAIRS):
        return Verdict(Kind.BOOLEAN, f"two values, {_quoted(sorted(distinct))}", boolean_parse())
    if _codes_with_leading_zeros(present):
        return Verdict(
            Kind.CATEGORY, f"codes of equal length with leading zeros, such as {_quoted(_leading(present))}", category_parse()
        )
    written = number_text(texts, cells.counts, decimal)
    if written is not None:
        return _kind_of_written_numbers(cells, texts, written)
    dates = date_text(present, counts) if len(distinct) > 1 else None
    if dates is not None:
        return Verdict(Kind.DATETIME, _date_sentence(dates, present[0]), datetime_parse(dates.formats))
    return _kind_of_words(cells.name, present, counts)


def _kind_of_written_numbers(cells: Cells, texts: list[str], written: Any) -> Verdict:
    values = cells.parsed(written.parse)
    said = f"numbers written with {written.how}, such as {_quoted(_first_with_digit(texts))}" if written.how else ""
    if written.missing:
        said = _joined(said, f"missing is written as {_quoted(written.missing)}")
    elif "" in texts and len(texts) > 1 and any(not str(value) or str(value).isspace() for value in cells.values):
        said = _joined(said, "blank cells count as missing")
    if written.words:
        said = _joined(
            said, f"{1 - written.fraction:.1%} of the filled cells are no numbers and count as missing ({_quoted(written.words)})"
        )
    number = ~np.isnan(values)
    return _kind_of_numbers(cells, values[number], cells.counts[number], written.parse, said)


def _kind_of_numbers(cells: Cells, values: Array, counts: Array, parse: dict[str, Any], said: str) -> Verdict:
    """values: the distinct numbers, counts: the rows of each."""
    finite = np.isfinite(values)
    if not finite.all():
        said = _joined(said, f"{int(counts[~finite].sum())} infinite values count as missing")
    values, counts = values[finite], counts[finite]
    rows = int(counts.sum())
    distinct = np.unique(values)
    if not len(distinct) or (len(distinct) == 1 and rows == cells.rows):
        return _constant(cells, parse, f"{distinct[0]:g}" if len(distinct) else None)
    if len(distinct) == 1:
        return Verdict(Kind.NUMBER, _joined(f"one number, {distinct[0]:g}, or missing", said), parse)
    if len(distinct) == 2 and distinct.tolist() == [0.0, 1.0]:
        return Verdict(Kind.BOOLEAN, _joined("two values, 0 and 1", said), boolean_parse())
    whole = bool((distinct == np.floor(distinct)).all())
    if whole and integer_dates(distinct):
        return Verdict(
            Kind.DATETIME, f"whole numbers that are calendar dates, such as {distinct[0]:.0f}", datetime_parse(("%Y%m%d",))
        )
    sentence = _identifier_numbers(cells, distinct, rows) if whole else None
    if sentence:
        return Verdict(Kind.IDENTIFIER, sentence, category_parse())
    if whole and hints_postal_code(cells.name) and len(distinct) > 2 and distinct.min() >= 100:
        return Verdict(
            Kind.CATEGORY, f"postal codes by its name: {len(distinct):,} codes whose order means nothing", category_parse()
        )
    shape = f"{len(distinct):,} different {'whole numbers' if whole else 'numbers'} from {distinct[0]:.6g} to {distinct[-1]:.6g}"
    return Verdict(Kind.NUMBER, _joined(shape, said), parse)


def _identifier_numbers(cells: Cells, distinct: Array, rows: int) -> str | None:
    """Why whole numbers only name the rows, or None."""
    if rows < _FEWEST_FOR_IDENTIFIER or hints_year(cells.name):
        return None
    unique = len(distinct) / rows
    if unique == 1.0 and rows == cells.rows and distinct[-1] - distinct[0] + 1 == rows:
        return f"whole numbers from {distinct[0]:.0f} to {distinct[-1]:.0f}, each once: they number the rows"
    typed_float = cells.type == "number" and not cells.whole
    if unique >= 0.95 and hints_identifier(cells.name) and not (typed_float and rows == cells.rows):
        return f"{unique:.1%} of the values are different and the name says identifier"
    return None


def _kind_of_words(name: str, texts: list[str], counts: Array) -> Verdict:
    """texts: the distinct texts that are not missing, counts: the rows of each."""
    rows, distinct = int(counts.sum()), len(texts)
    for kind in (Kind.IMAGE, Kind.AUDIO):
        files = sum(media_kind(text) == kind.value for text in texts) if media_kind(texts[0]) else 0
        if files >= 0.9 * distinct:
            return Verdict(kind, f"paths of {kind.value} files, such as {_quoted(texts[:1])}", category_parse())
    sample = [texts[position] for position in np.linspace(0, distinct - 1, min(distinct, _SAMPLE)).astype(int)]
    words = float(np.mean([len(text.split()) for text in sample]))
    length = float(np.mean([len(text) for text in sample]))
    unique = distinct / rows
    if distinct >= 20 and unique >= 0.5 and (words >= 4 or (length >= 40 and words >= 3)):
        return Verdict(
            Kind.TEXT, f"{words:.1f} words a cell on average and {unique:.0%} of the cells different", category_parse()
        )
    if rows >= _FEWEST_FOR_IDENTIFIER and unique >= 0.5 and all(_UUID.fullmatch(text) for text in sample):
        return Verdict(Kind.IDENTIFIER, f"universally unique identifiers, such as {_quoted(sample[:1])}", category_parse())
    needed = 0.8 if hints_identifier(name) else 0.9
    if rows >= _FEWEST_FOR_IDENTIFIER and unique >= needed:
        hint = " and the name says identifier" if hints_identifier(name) else ""
        return Verdict(
            Kind.IDENTIFIER, f"{distinct:,} different values in {rows:,} filled cells ({unique:.1%}){hint}", category_parse()
        )
    shown = [texts[position] for position in np.argsort(-counts, kind="stable")[:3]]
    if distinct == 1:
        return Verdict(Kind.CATEGORY, f"one value, {_quoted(shown)}, or missing", category_parse())
    return Verdict(Kind.CATEGORY, f"{distinct:,} different values, most often {_quoted(shown)}", category_parse())


def forced(cells: Cells, kind: Kind, suggested: Verdict, decimal: str = ".") -> Verdict:
    """The kind that the user asked for, with a parse step that fits.

    Raises InputError where the cells cannot be read that way at all.
    """
    if kind is suggested.kind:
        return Verdict(kind, f"{suggested.evidence}; asked for with --kind", suggested.parse)
    parse = _PARSE_FOR[kind](cells, decimal)
    if parse is None or (kind in (Kind.NUMBER, Kind.BOOLEAN, Kind.DATETIME) and not _reads_any(cells, parse)):
        raise InputError(
            f'column "{cells.name}" cannot be read as {kind.value}',
            f"its cells look like {suggested.kind.value}: {suggested.evidence}",
        )
    return Verdict(kind, f"asked for with --kind; the cells look like {suggested.kind.value} ({suggested.evidence})", parse)


def _number_parse(cells: Cells, decimal: str) -> dict[str, Any] | None:
    if cells.type != "text":
        return plain_parse()
    written = number_text(cells.texts(), cells.counts, decimal)
    return plain_parse() if written is None else written.parse


def _date_parse(cells: Cells, decimal: str) -> dict[str, Any] | None:
    if cells.type == "datetime":
        return datetime_parse(("ISO8601",))
    known = [position for position, text in enumerate(cells.texts()) if not is_missing_word(text)]
    texts = cells.texts()
    found = date_text([texts[position] for position in known], cells.counts[known])
    return None if found is None else datetime_parse(found.formats)


_PARSE_FOR: dict[Kind, Callable[[Cells, str], dict[str, Any] | None]] = {
    Kind.NUMBER: _number_parse,
    Kind.BOOLEAN: lambda cells, decimal: boolean_parse(),
    Kind.DATETIME: _date_parse,
    Kind.CATEGORY: lambda cells, decimal: category_parse(),
    Kind.TEXT: lambda cells, decimal: category_parse(),
    Kind.IDENTIFIER: lambda cells, decimal: category_parse(),
    Kind.IMAGE: lambda cells, decimal: category_parse(),
    Kind.AUDIO: lambda cells, decimal: category_parse(),
}
FORCEABLE = tuple(kind.value for kind in _PARSE_FOR)


def _reads_any(cells: Cells, parse: dict[str, Any]) -> bool:
    values = cells.parsed(parse)
    good = values != np.iinfo(np.int64).min if parse["as"] == "datetime" else ~np.isnan(values)
    return bool(cells.counts[good].sum() >= 0.5 * max(1, cells.present))


def _codes_with_leading_zeros(texts: Sequence[str]) -> bool:
    if len(texts[0]) < 3 or not any(text[:1] == "0" for text in texts):
        return False
    first = len(texts[0])
    return all(len(text) == first and text.isdigit() for text in texts)


def _leading(texts: list[str]) -> list[str]:
    return [text for text in texts if text[0] == "0"][:2]


def _first_with_digit(texts: list[str]) -> list[str]:
    return [text for text in texts if any(sign.isdigit() for sign in text) and not text.isdigit()][:1]


def _date_sentence(dates: Any, example: str) -> str:
    sentence = f'dates written as {", ".join(dates.formats).replace("ISO8601", "ISO 8601")}, such as "{example}"'
    if dates.ambiguous:
        sentence += "; day and month could change places in every cell, so the usual order is taken"
    if dates.fraction < 1:
        sentence += f"; {1 - dates.fraction:.1%} of the filled cells are no dates and count as missing"
    return sentence


def _quoted(texts: Any) -> str:
    return ", ".join(f'"{text if len(text) <= 40 else text[:39] + "…"}"' for text in texts)


def _joined(first: str, second: str) -> str:
    return f"{first}; {second}" if first and second else first or second
