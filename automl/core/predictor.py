"""Predicts with a model folder: raw cells to clean values, clean values through model.onnx, predictions to a file.

This file stands alone. It is part of automl, and a copy of it is predict.py in every model folder, so that there is
one implementation. It needs numpy and onnxruntime; pandas for DataFrames, Parquet and dates.

    python predict.py new.csv -o predictions.csv
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FORMAT = 1
"""The newest contract.json that this file understands."""
LEAST_ONNXRUNTIME = (1, 24)
CHUNK_ROWS = 1024
"""Rows of plain cells that the graph takes at once: it holds what every node makes of them, which of the nets of an ensemble is
hundreds of kB a row. A contract names its own number where cells become large arrays."""
MEDIA_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".wav", ".flac", ".ogg", ".aiff")
"""Files that are rows themselves and hold none."""
MISSING_DATE = int(np.iinfo(np.int64).min)
DELIMITERS = (",", ";", "\t", "|")
FREE_EXPANSION_BYTES = 1 << 28
EXPANSION_LIMIT = 500
MOST_UNREAD = 0.5
"""Where files are all that a row has, more of them that cannot be read are an error."""

Array = np.ndarray[Any, Any]
Parse = Mapping[str, Any]
Unread = dict[str, dict[int, tuple[Any, str]]]
"""{column of files: {row: (cell, why it could not be read)}}"""


class PredictorError(ValueError):
    """The rows, the file or the model folder cannot be used as given. The message is one sentence."""


class Columns(dict[str, Any]):
    """Named columns of equal length (lists or arrays): what a file is read into.

    root: the folder that relative paths in cells refer to. notes: what a reader of the predictions should know about the
    file, such as that its numbers are written in another way than those of the training data; the files that could not be
    read are added when the rows are predicted.
    """

    root: str = ""
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return len(next(iter(self.values()))) if self else 0


# --- parse steps -----------------------------------------------------------------------------------------------------

_WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))\.0+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def canonical(value: Any) -> str:
    """The one spelling of a category value, whatever type it came in; "" where it is missing.

    Text is stripped, and "1.0" is "1" ("007" stays); whole numbers have no point; truth values are "True", "False".
    """
    if type(value) is str:
        text = value.strip()
        if text.endswith("0") and (whole := _WHOLE.fullmatch(text)):
            return "0" if whole[1] == "-0" else whole[1]
        return text if text.isascii() else whole_characters(text)
    if is_missing(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "True" if value else "False"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating | Decimal):
        number = float(value)
        if number.is_integer() and abs(number) < 2**63:
            return str(int(number))
        return repr(number) if isinstance(value, float | Decimal) else str(value)
    if isinstance(value, np.datetime64):
        return canonical(_from_datetime64(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time(0) and value.tzinfo is None else value.isoformat(" ")
    if isinstance(value, bytes):
        return canonical(value.decode("utf-8", "replace"))
    return canonical(str(value))


def whole_characters(text: str) -> str:
    """The text with a replacement character for each half of a character (a lone surrogate), which no file can hold."""
    return _SURROGATE.sub("\ufffd", text)


_SURROGATE = re.compile("[\ud800-\udfff]")


def is_missing(value: Any) -> bool:
    """None, NaN, NaT and pandas.NA; not the empty string."""
    if value is None:
        return True
    if isinstance(value, float | np.floating | Decimal):
        return bool(value != value)
    return type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, np.datetime64) and bool(np.isnat(value)))


def parse_column(values: Any, parse: Parse, root: str = "") -> Array:
    """Clean values of a raw column.

    values: (rows,) pandas Series, numpy array or list, of strings or typed.
    parse: {"as": "number" | "boolean" | "category" | "datetime", ...}, as in contract.json.
    root: the folder that relative paths in cells refer to.
    Returns (rows,): float64 with NaN for number and boolean, object strings with "" for category,
    int64 epoch seconds with the smallest int64 for datetime. No cell raises: what cannot be read is missing.
    """
    parser = make_parser(parse)
    return parser.column(values, root) if parser.takes_files else parser.column(values)


def parse_value(value: Any, parse: Parse) -> Any:
    """`parse_column` for one cell: a float, a str or an int."""
    return make_parser(parse).value(value)


def make_parser(parse: Parse, folder: Path | None = None) -> Parser:
    """The parse step made ready for many calls.

    folder: the model folder, for steps that keep a file there.
    Raises PredictorError for a step that this version does not know.
    """
    if parse.get("as") not in PARSERS:
        raise PredictorError(f'the parse step "{parse.get("as")}" is not known to this version')
    parser = PARSERS[parse["as"]](parse)
    if folder is not None:
        parser.open(folder)
    return parser


class Parser:
    """A parse step. `value` parses any one cell; the others do the same for many at once."""

    dtype: Any = np.float64
    missing_value: Any = math.nan
    takes_files = False
    """Cells may be paths: `column` and `value` take the folder that relative ones refer to."""

    def __init__(self, parse: Parse) -> None:
        self.problems: dict[int, str] = {}
        self.missing = {canonical(word).casefold() for word in parse.get("missing", ())} | {""}

    def open(self, folder: Path) -> None:
        """Read what the step keeps in the model folder."""

    def value(self, cell: Any, root: str = "") -> Any:
        raise NotImplementedError

    def column(self, values: Any, root: str = "") -> Array:
        """(rows,) clean values; (rows, ...) where a cell becomes an array.

        A step that takes files leaves in `problems` what `read` says of them.
        """
        if str(getattr(values, "dtype", "")) == "category":
            levels = self.column(_categorical(values).categories)
            return _array([*levels.tolist(), self.missing_value], self.dtype)[_categorical(values).codes]
        plain = plain_values(values)
        if isinstance(plain, list):
            return self.cells(plain)
        return self.dates(plain) if plain.dtype.kind == "M" else self.numbers(plain)

    def read(self, values: Any, root: str = "") -> tuple[Array, dict[int, str]]:
        """What `column` gives, and why the files that the cells at some positions name could not be read."""
        return self.column(values), {}

    def cells(self, cells: list[Any]) -> Array:
        """Of Python values. Equal cells are parsed once, unless True could be taken for 1."""
        if set(map(type, cells)) <= {str, float, int, type(None)}:
            known = {cell: self.value(cell) for cell in dict.fromkeys(cells)}
            return _array(list(map(known.__getitem__, cells)), self.dtype)
        return _array([self.value(cell) for cell in cells], self.dtype)

    def numbers(self, values: Array) -> Array:
        """Of a numeric or boolean array."""
        levels, codes = np.unique(values, return_inverse=True)
        return _array([self.value(level) for level in levels], self.dtype)[codes]

    def dates(self, values: Array) -> Array:
        """Of a datetime64 array."""
        levels, codes = np.unique(values, return_inverse=True)
        return _array([self.value(level) for level in levels], self.dtype)[codes]


class Number(Parser):
    """Numbers, also as text such as "$1,234.50", "1.234,5" or "(12)"."""

    def __init__(self, parse: Parse) -> None:
        super().__init__(parse)
        self.decimal = parse.get("decimal", ".")
        thousands = parse.get("thousands", "")
        self.thousands = "[ \u00a0\u202f]" if thousands == " " else re.escape(thousands) if thousands else ""
        self.grouped = re.compile(rf"[+-]?\d{{1,3}}(?:{self.thousands}\d{{2,3}})*{self.thousands}\d{{3}}(?!\d)")
        self.percent = bool(parse.get("percent", False))
        self.removed = parse.get("remove", "") + ("%" if self.percent else "")
        # A number that stands for missing must do so as text and typed alike; other words are no numbers anyway.
        self.sentinels = frozenset(filter(math.isfinite, map(self._from_text, self.missing)))

    def value(self, cell: Any, root: str = "") -> float:
        if type(cell) is str:
            number = self._direct(cell)
            number = self._from_text(cell) if number is None else number
        elif isinstance(cell, float | int | np.floating | np.integer | np.bool_ | Decimal):
            number = _to_float(cell)
        elif isinstance(cell, str | bytes):
            return self.value(canonical(cell))
        else:
            return math.nan
        return number if math.isfinite(number) and number not in self.sentinels else math.nan

    def cells(self, cells: list[Any]) -> Array:
        if self.decimal == "." and set(map(type, cells)) <= {str} and "_" not in "".join(cells):
            try:
                return self.numbers(np.array(cells, dtype=object).astype(np.float64))
            except ValueError:
                pass  # some cell is no plain number: read cell by cell
        return super().cells(cells)

    def numbers(self, values: Array) -> Array:
        numbers = values.astype(np.float64)
        numbers[~np.isfinite(numbers)] = math.nan
        if self.sentinels:
            numbers[np.isin(numbers, list(self.sentinels))] = math.nan
        return numbers

    def dates(self, values: Array) -> Array:
        return np.full(len(values), math.nan)

    def _direct(self, text: str) -> float | None:
        """The quick way for plain numbers; None where the text needs a closer look."""
        if self.decimal != "." or "_" in text:
            return None
        try:
            return float(text)
        except ValueError:
            return None

    def _from_text(self, text: str) -> float:
        scale = 100.0 if self.percent and "%" in text else 1.0
        text = text.replace("\u2212", "-")
        for character in self.removed:
            text = text.replace(character, "")
        text, sign = text.strip(), 1.0
        if text.startswith("(") and text.endswith(")"):
            text, sign = text[1:-1].strip(), -1.0
        if self.thousands and (grouped := self.grouped.match(text)):
            text = re.sub(self.thousands, "", grouped[0]) + text[grouped.end() :]
        if self.decimal != ".":
            text = "?" if "." in text else text.replace(self.decimal, ".")
        try:
            return math.nan if "_" in text else sign * float(text) / scale
        except ValueError:
            return math.nan


class Boolean(Parser):
    """Two-valued columns as 1 and 0."""

    def __init__(self, parse: Parse) -> None:
        super().__init__(parse)
        words = {canonical(word).casefold(): 1.0 for word in parse.get("true", ())}
        words |= {canonical(word).casefold(): 0.0 for word in parse.get("false", ())}
        # Typed columns of the same content come as truth values or 0 and 1, unless these words mean something else.
        for true, false in (("true", "false"), ("1", "0")):
            if true not in words and false not in words:
                words |= {true: 1.0, false: 0.0}
        self.words = {word: value for word, value in words.items() if word not in self.missing}

    def value(self, cell: Any, root: str = "") -> float:
        return self.words.get(canonical(cell).casefold(), math.nan)


class Category(Parser):
    """Levels, identifiers and text in their canonical spelling."""

    dtype = object
    missing_value = ""

    def __init__(self, parse: Parse) -> None:
        super().__init__(parse)
        self.aliases = dict(parse.get("aliases", {}))

    def value(self, cell: Any, root: str = "") -> str:
        text = canonical(cell)
        return "" if text.casefold() in self.missing else self.aliases.get(text, text)


class Datetime(Parser):
    """Dates and times as epoch seconds; without a zone they are UTC."""

    dtype = np.int64
    missing_value = MISSING_DATE

    def __init__(self, parse: Parse) -> None:
        super().__init__(parse)
        self.formats = list(parse.get("formats", ())) or ["ISO8601"]
        self.known: dict[str, int] = {}

    def value(self, cell: Any, root: str = "") -> int:
        if is_missing(cell):
            return MISSING_DATE
        if isinstance(cell, np.datetime64):
            return int(cell.astype("datetime64[s]").astype(np.int64))
        if isinstance(cell, date):
            moment = cell if isinstance(cell, datetime) else datetime(cell.year, cell.month, cell.day)
            return int(((moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment) - _EPOCH) // _SECOND)
        text = canonical(cell)
        if text not in self.known:
            if len(self.known) > 100_000:
                self.known.clear()
            self.known |= self._from_texts([text])
        return self.known[text]

    def cells(self, cells: list[Any]) -> Array:
        if set(map(type, cells)) <= {str, float, int, type(None)}:
            spelled = {cell: canonical(cell) for cell in dict.fromkeys(cells)}
            known = self._from_texts(list(dict.fromkeys(spelled.values())))
            return _array([known[spelled[cell]] for cell in cells], np.int64)
        return super().cells(cells)

    def dates(self, values: Array) -> Array:
        return values.astype("datetime64[s]").astype(np.int64)

    def _from_texts(self, texts: list[str]) -> dict[str, int]:
        import pandas as pd

        known = dict.fromkeys(texts, MISSING_DATE)
        left = [text for text in texts if text.casefold() not in self.missing]
        for pattern in self.formats:
            if not left:
                break
            moments = pd.to_datetime(pd.Series(left, dtype=object), format=pattern, errors="coerce", utc=True)
            seconds = moments.dt.tz_convert(None).to_numpy().astype("datetime64[s]").astype(np.int64)
            known |= dict(zip(left, seconds.tolist(), strict=True))
            left = [text for text in left if known[text] == MISSING_DATE]
        return known


PARSERS: dict[Any, type[Parser]] = {"number": Number, "boolean": Boolean, "category": Category, "datetime": Datetime}
"""Parse steps by name. A module that brings further ones enters them here."""

EXTENSIONS: dict[str, Any] = {}
"""What further modules bring: "arrange" (rows, arrangement) -> rows, one an example; "folder" (path, contract) -> rows;
"forecast" (folder, contract, threads) -> a predictor of forecasts; "answer" (predictor, rows, prediction, asked) -> what is said
beside predictions; "review" (path, rows, cells, answer), which writes what a human should see; "told" (contract, rows) -> what to
say of rows that are unlike the training data."""


def plain_values(values: Any) -> Array | list[Any]:
    """A numeric, boolean or datetime64 array, else a list of Python values. Zones are turned to UTC."""
    dtype = getattr(values, "dtype", None)
    if dtype is None:
        return list(values)
    kind = getattr(dtype, "kind", "O")
    if kind == "m":
        return np.asarray(values, dtype="timedelta64[us]").astype(np.float64) / 1e6
    if isinstance(values, np.ndarray):
        return values if kind in "iufbM" else values.tolist()
    if kind == "M":
        values = values.dt if hasattr(values, "dt") else values
        moments = values.tz_convert(None) if values.tz is not None else values
        moments = getattr(moments, "_parent", moments)
        return np.asarray(moments.to_numpy(dtype="datetime64[us]", na_value=np.datetime64("NaT")))
    if kind in "iufb":
        if isinstance(dtype, np.dtype) or not values.isna().any():
            return np.asarray(values.to_numpy(dtype=bool if kind == "b" else f"{kind}{dtype.itemsize}"))
        if kind == "f":
            return np.asarray(values.to_numpy(dtype=f"f{dtype.itemsize}", na_value=math.nan))
    return list(values.tolist())


def _categorical(values: Any) -> Any:
    return getattr(values, "cat", values)


def _array(values: list[Any], dtype: Any) -> Array:
    array = np.empty(len(values), dtype=dtype)
    array[:] = values
    return array


def _to_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _from_datetime64(value: np.datetime64) -> datetime:
    return datetime(1970, 1, 1) + timedelta(microseconds=int(value.astype("datetime64[us]").astype(np.int64)))


# --- the model folder ------------------------------------------------------------------------------------------------


class Predictor:
    """A model folder, ready to predict.

    folder: holds model.onnx and contract.json. Nothing of it is executed.
    root: the folder that relative paths in cells refer to, where the rows themselves do not know.
    threads: how many chunks of a large input are worked on at the same time; None is one a core.
    most_unread: where files are all that a row has, predicting raises PredictorError if a larger share cannot be read.
    Raises PredictorError where the folder is incomplete, damaged, newer than this file or refers to files outside.
    """

    def __init__(
        self, folder: str | os.PathLike[str], threads: int | None = None, root: str = "", most_unread: float = MOST_UNREAD
    ) -> None:
        self.folder = Path(folder)
        self.root = root
        self.most_unread = most_unread
        self.threads = threads or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
        self.contract = load_contract(self.folder)
        self._session = _open_session(self.folder / "model.onnx")
        self._inputs = [
            (column["name"], feed["input"], _FEED_DTYPES[feed["dtype"]], make_parser(feed["parse"], self.folder))
            for column in self.contract["columns"]
            for feed in column.get("feeds", [column])
        ]
        self._chunk_rows = int(self.contract.get("chunk_rows", CHUNK_ROWS))
        self._large_cells = "chunk_rows" in self.contract
        graph_inputs = {node.name for node in self._session.get_inputs()}
        if graph_inputs != {name for _, name, _, _ in self._inputs}:
            raise PredictorError(f"{self.folder} is damaged: contract.json and model.onnx do not take the same columns")
        self._names = ["value"] if self.is_regression else ["label", "probabilities"]
        if not set(self._names) <= {node.name for node in self._session.get_outputs()}:
            raise PredictorError(f"{self.folder} is damaged: model.onnx does not give {' and '.join(self._names)}")

    @property
    def is_regression(self) -> bool:
        return bool(self.contract["task"] == "regression")

    def predict(self, rows: Any) -> Array:
        """Labels in the type that they came in, or values as float64: (rows,).

        rows: a DataFrame, a list of dicts, one dict (one row), or Columns. Further columns and any order are fine.
        Raises PredictorError where a column is missing.
        """
        return self._labels(self._run(rows, self._names[:1])[0])

    def predict_proba(self, rows: Any) -> Array:
        """Probabilities (rows, classes) float32, in the order of contract["classes"]. See `predict`."""
        if self.is_regression:
            raise PredictorError("a regression model has no probabilities")
        return self._run(rows, self._names[1:])[0]

    def feeds(self, rows: Any) -> dict[str, Array]:
        """What the graph takes: input name to an array (rows, 1)."""
        rows = self.arranged(rows)
        if isinstance(rows, Mapping) and not _holds_columns(rows):
            return self._feeds_of_row(rows, {})
        return self._feeds(rows, {})

    def run_feeds(self, feeds: Mapping[str, Array]) -> list[Array]:
        """What the graph gives for what `feeds` gives: [labels, probabilities (rows, classes)], or [values (rows, 1)]."""
        total = len(next(iter(feeds.values()), ()))
        starts = range(0, max(total, 1), self._chunk_rows)

        def feeds_from(start: int) -> dict[str, Array]:
            return {name: values[start : start + self._chunk_rows] for name, values in feeds.items()}

        return self._run_parts(starts, self._names, feeds_from)

    def _feeds(self, rows: Any, unread: Unread, start: int = 0) -> dict[str, Array]:
        """`feeds` of rows from `start` on; files that cannot be read are entered in `unread`."""
        columns = self._columns(rows)
        root = getattr(rows, "root", "") or self.root
        for column, _, _, _ in self._inputs:
            if getattr(columns[column], "ndim", 1) != 1:
                raise PredictorError(f'the new data has more than one column "{column}"')
        feeds = {}
        for column, name, dtype, parser in self._inputs:
            values, problems = parser.read(columns[column], root)
            feeds[name] = _feed(values, dtype)
            if problems:
                cells = plain_values(columns[column])
                unread.setdefault(column, {}).update({start + row: (cells[row], why) for row, why in problems.items()})
        return feeds

    def arranged(self, rows: Any) -> Any:
        """`rows` with one row an example, where the model was trained on examples made of several rows or columns."""
        arrangement = self.contract.get("arrangement")
        if not arrangement:
            return rows
        rows = [rows] if isinstance(rows, Mapping) and not _holds_columns(rows) else rows
        return EXTENSIONS["arrange"](as_table(rows), arrangement)

    def _run(self, rows: Any, outputs: list[str]) -> list[Array]:
        rows, unread = self.arranged(rows), Unread()
        if isinstance(rows, Mapping) and not _holds_columns(rows):
            feeds = self._feeds_of_row(rows, unread)
            self._notes_on_unread(unread, 1)
            return list(self._session.run(outputs, feeds))
        rows = as_table(rows)
        total = _row_count(rows)
        found = self._run_in_chunks(rows, total, outputs, unread)
        notes = self._notes_on_unread(unread, total)
        if isinstance(rows, Columns):
            rows.notes = tuple(dict.fromkeys((*rows.notes, *notes)))
        return found

    def _run_in_chunks(self, rows: Any, total: int, outputs: list[str], unread: Unread) -> list[Array]:
        chunk = self._chunk_rows
        if total <= chunk:
            return list(self._session.run(outputs, self._feeds(rows, unread)))
        starts = range(0, total, chunk)
        if self._large_cells:  # parsed a chunk at a time
            columns = self._columns(rows)
            given = {name: columns[name] for name in dict.fromkeys(column for column, _, _, _ in self._inputs)}
            root = getattr(rows, "root", "")

            def feeds_from(start: int) -> dict[str, Array]:
                piece = Columns({name: values[start : start + chunk] for name, values in given.items()})
                piece.root = root
                return self._feeds(piece, unread, start)
        else:
            whole = self._feeds(rows, unread)

            def feeds_from(start: int) -> dict[str, Array]:
                return {name: values[start : start + chunk] for name, values in whole.items()}

        return self._run_parts(starts, outputs, feeds_from)

    def _run_parts(self, starts: range, outputs: list[str], feeds_from: Callable[[int], dict[str, Array]]) -> list[Array]:
        if self.threads == 1 or len(starts) == 1:
            parts = [self._session.run(outputs, feeds_from(start)) for start in starts]
        else:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(self.threads) as pool:
                parts = list(pool.map(lambda start: self._session.run(outputs, feeds_from(start)), starts))
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def _notes_on_unread(self, unread: Unread, total: int) -> list[str]:
        """One sentence for each column of files of which some could not be read.

        Raises PredictorError where files are all that the `total` rows have, and most of them could not be read.
        """
        alone = all(parser.takes_files for _, _, _, parser in self._inputs)
        columns = {column for column, _, _, _ in self._inputs}
        refused = alone and sum(map(len, unread.values())) > self.most_unread * total * len(columns)
        told = []
        for column, cells in unread.items():
            # Beside other columns an empty cell is a missing value like any other.
            rows = sorted(row for row, (cell, _) in cells.items() if alone or not _is_empty(cell))
            if not rows:
                continue
            cell, why = cells[rows[0]]
            first = f"{cell if isinstance(cell, str) and not _is_empty(cell) else f'row {rows[0] + 1:,}'}: {why}"
            counted = f'{len(rows):,} of {total:,} files in column "{column}" could not be read'
            if refused:
                raise PredictorError(f"{counted} (first: {first})" if total > 1 else f"the file cannot be read: {first}")
            meaning = "their predictions say nothing of them" if alone else "they count as missing"
            told.append(f"{counted} (first: {first}); {meaning}")
        return told

    def _feeds_of_row(self, row: Mapping[str, Any], unread: Unread) -> dict[str, Array]:
        if not all(column in row for column, _, _, _ in self._inputs):
            row = dict(zip(header_names(list(row)), row.values(), strict=True))
            if not all(column in row for column, _, _, _ in self._inputs):
                raise self._missing_columns(row)
        feeds = {}
        for column, name, dtype, parser in self._inputs:
            if parser.takes_files:
                values, problems = parser.read([row[column]], self.root)
                value = values[0]
                if problems:
                    unread[column] = {0: (row[column], problems[0])}
            else:
                value = parser.value(row[column])
            if isinstance(value, np.ndarray):
                feeds[name] = value[np.newaxis].astype(dtype, copy=False)
                continue
            if dtype is np.float32 and abs(value) >= _FLOAT32_LIMIT:
                value = math.nan
            feeds[name] = np.array([[value]], dtype=dtype)
        return feeds

    def _columns(self, rows: Any) -> Any:
        """`rows` as something that gives a column by its name."""
        rows = as_table(rows)
        wanted = [name for name, _, _, _ in self._inputs]
        if all(name in rows for name in wanted):
            return rows
        given = dict(zip(header_names(list(rows)), rows, strict=True))
        if not all(name in given for name in wanted):
            raise self._missing_columns(given)
        return Columns({name: rows[given[name]] for name in wanted})

    def _missing_columns(self, rows: Iterable[Any]) -> PredictorError:
        given = [str(name) for name in rows]
        lacking = list(dict.fromkeys(name for name, _, _, _ in self._inputs if name not in given))
        names = ", ".join(f'"{name}"' for name in lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
        verb = "column {} is" if len(lacking) == 1 else "columns {} are"
        known = {name for name, _, _, _ in self._inputs}
        guess = _nearest(lacking[0], [name for name in given if name not in known]) if lacking else ""
        return PredictorError(f"{verb.format(names)} missing from the new data" + (f'; is "{guess}" meant?' if guess else ""))

    def _labels(self, output: Array) -> Array:
        if self.is_regression:
            return output.reshape(-1).astype(np.float64)
        kind = self.contract.get("class_type", "string")
        if kind == "boolean":
            if output.dtype.kind in "OU":
                return np.array([str(label).casefold() in ("true", "1") for label in output], dtype=bool)
            return output.astype(bool)
        return output.astype(np.int64 if kind == "int64" else object)


def _is_empty(cell: Any) -> bool:
    return is_missing(cell) or (isinstance(cell, str) and not cell.strip())


_FEED_DTYPES: dict[str, Any] = {
    "float32": np.float32,
    "float64": np.float64,
    "string": object,
    "int64": np.int64,
    "uint8": np.uint8,
}


# From here on a number rounds to infinity as float32.
_FLOAT32_LIMIT = float(np.finfo(np.float32).max) * (1 + 2.0**-25)


def _feed(values: Array, dtype: Any) -> Array:
    """(rows, 1), or (rows, ...) of arrays, of the graph's type. What float32 cannot hold is infinite, and so missing."""
    if values.ndim > 1:
        return np.ascontiguousarray(values, dtype=dtype)
    if dtype is np.float32:
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        values[np.isinf(values)] = math.nan
    return values.astype(dtype, copy=False).reshape(-1, 1)


def open_predictor(
    folder: str | os.PathLike[str], threads: int | None = None, root: str = "", most_unread: float = MOST_UNREAD
) -> Any:
    """What predicts with a model folder: a Predictor, or what an extension brings for a forecast.

    Raises PredictorError as Predictor does.
    """
    contract = load_contract(Path(folder))
    if contract["task"] == "forecast":
        return EXTENSIONS["forecast"](folder, contract, threads)
    return Predictor(folder, threads, root, most_unread)


def _row_count(rows: Any) -> int:
    return len(next(iter(rows.values()), ())) if isinstance(rows, Mapping) else len(rows)


def _holds_columns(rows: Mapping[str, Any]) -> bool:
    """Whether a mapping is a table; the cells of one row may be arrays of numbers with two axes or more."""
    first = next(iter(rows.values()), None)
    return isinstance(rows, Columns) or isinstance(first, list) or (isinstance(first, np.ndarray) and first.ndim == 1)


def load_contract(folder: Path) -> dict[str, Any]:
    """contract.json of a model folder.

    Raises PredictorError where it is missing, damaged or newer than this file.
    """
    path = Path(folder) / "contract.json"
    try:
        contract = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise PredictorError(f"{folder} is no model folder: contract.json is missing") from None
    except OSError as error:
        raise PredictorError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise PredictorError(f"{path} is damaged ({error})") from None
    version = contract.get("format") if isinstance(contract, dict) else None
    if not isinstance(version, int):
        raise PredictorError(f"{path} is damaged (it has no format number)")
    if version > FORMAT:
        made_by = contract.get("automl", "a newer version")
        raise PredictorError(f"{folder} was made by automl {made_by} (format {version}); this version reads format {FORMAT}")
    try:
        for column in contract["columns"]:
            column["name"], column["parse"]["as"]
            column.setdefault("input", column["name"])
            for feed in column.get("feeds", [column]):
                feed["input"], feed["parse"]["as"], _FEED_DTYPES[feed["dtype"]]
        if contract["task"] not in ("regression", "forecast"):
            contract["classes"]
    except (KeyError, TypeError) as error:
        raise PredictorError(f"{path} is damaged ({error} is missing or wrong)") from None
    return contract


def _open_session(path: Path) -> Any:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise PredictorError(f"{path.parent} is no model folder: model.onnx is missing") from None
    except OSError as error:
        raise PredictorError(f"{path} cannot be read ({error.strerror})") from None
    # External data names its file under the key "location"; only then is the file walked field by field.
    try:
        outside = b"location" in content and _has_external_data(content)
    except (IndexError, RecursionError):
        raise PredictorError(f"{path} is damaged") from None
    if outside:
        raise PredictorError(f"{path} keeps weights in other files, which is refused for safety")
    import onnxruntime

    if tuple(int(part) for part in onnxruntime.__version__.split(".")[:2]) < LEAST_ONNXRUNTIME:
        raise PredictorError(f"onnxruntime {onnxruntime.__version__} computes tree models wrong; install 1.24.1 or newer")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common base class for what a damaged file can raise
        raise PredictorError(f"{path} is damaged or needs a newer onnxruntime ({str(error).splitlines()[0][:200]})") from error


# Message fields of ONNX by message: field number to the message in it. "tensor" is where external data can stand.
_ONNX_FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}


def _has_external_data(content: bytes, message: str = "model") -> bool:
    """Whether any tensor of a serialised ONNX message has external data. Raises IndexError where it is damaged."""
    fields = _ONNX_FIELDS.get(message, {})
    for number, value in _protobuf_fields(content):
        if message == "tensor":
            if number == 13 or (number == 14 and value != 0):
                return True
        elif number in fields and isinstance(value, bytes) and _has_external_data(value, fields[number]):
            return True
    return False


def _protobuf_fields(content: bytes) -> Iterator[tuple[int, bytes | int]]:
    position, end = 0, len(content)
    while position < end:
        key, position = _varint(content, position)
        kind = key & 7
        if kind == 0:
            value, position = _varint(content, position)
            yield key >> 3, value
            continue
        if kind == 2:
            length, position = _varint(content, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise IndexError("unknown wire type")
        if position + length > end:
            raise IndexError("truncated")
        yield key >> 3, content[position : position + length]
        position += length


def _varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 127) << shift
        position += 1
        if byte < 128:
            return value, position
        shift += 7


def encode_target(values: Any, contract: Mapping[str, Any]) -> Array:
    """The truth of a target column as the model counts it.

    Returns (rows,): class codes into contract["classes"] as int64, -1 where missing or no known class;
    for regression float64 with NaN.
    """
    clean = parse_column(values, contract["target_parse"])
    if contract["task"] in ("regression", "forecast"):
        return clean
    codes = {canonical(name): code for code, name in enumerate(contract["classes"])}
    if contract["target_parse"]["as"] == "boolean":
        parser = make_parser(contract["target_parse"])
        codes = {str(int(parser.value(name))): code for name, code in codes.items() if not math.isnan(parser.value(name))}
    return np.array([codes.get(canonical(value), -1) for value in clean], dtype=np.int64)


def _nearest(name: str, known: Iterable[str]) -> str:
    import difflib

    folded = {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


# --- files in --------------------------------------------------------------------------------------------------------


def read_rows(path: str | os.PathLike[str], contract: Mapping[str, Any]) -> Any:
    """New rows from CSV, TSV, JSON lines (also .gz, .xz) or Parquet as Columns.

    Raises PredictorError where the file cannot be read.
    """
    path = Path(path)
    if path.is_dir() and not _takes_files(contract):
        raise not_a_table(path)
    if "folder" in EXTENSIONS and _takes_files(contract) and (path.is_dir() or path.suffix.lower() in MEDIA_SUFFIXES):
        return EXTENSIONS["folder"](path, contract)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] in (".gz", ".xz") else suffixes[-1] if suffixes else ""
    content = read_bytes(path)
    if kind in (".parquet", ".pq"):
        rows = as_table(_read_parquet(path, content))
        return _rooted(Columns({name: rows[name] for name in rows.columns}), path)
    text, _ = decode_text(content, path.name)
    if not text.strip():
        raise PredictorError(f"{path} is empty")
    if kind in (".jsonl", ".ndjson", ".json"):
        rows = parse_json_lines(text, path.name)
    else:
        wanted = [column["name"] for column in contract["columns"]]
        rows = _in_style_of_training(parse_csv(text, choose_delimiter(text, wanted), path.name), contract)
    return _rooted(rows, path)


def not_a_table(path: Path) -> PredictorError:
    """What to say of a folder, or of a file of an image or a sound, where the model takes a table."""
    form = "a CSV, TSV, JSON lines or Parquet file with the columns of the training data"
    return PredictorError(
        f"{path} is {'a directory' if path.is_dir() else 'no table'}, and this model takes a table; name {form}"
    )


def _rooted(rows: Columns, path: Path) -> Columns:
    rows.root = str(path.parent)
    return rows


def _takes_files(contract: Mapping[str, Any]) -> bool:
    steps = [feed["parse"]["as"] for column in contract["columns"] for feed in column.get("feeds", [column])]
    return any(PARSERS[step].takes_files for step in steps if step in PARSERS)


# --- numbers in another style -----------------------------------------------------------------------------------------

_OTHER_DECIMAL_LEAST = 0.1
"""Share of a column's filled cells that must be written with the other decimal sign, for a few slips are none."""
_AROUND_NUMBERS = " \u00a0\u202f+-\u2212()$€£¥₹%"


def _in_style_of_training(rows: Columns, contract: Mapping[str, Any]) -> Columns:
    """The rows of a file, their numbers rewritten where the file uses the decimal comma and the training data the point, or
    the other way round. "1,234" may be both: it tells nothing, and is read as the other cells of the file are."""
    parses = {column["name"]: column["parse"] for column in contract["columns"] if "feeds" not in column}
    parses[contract.get("target", "")] = contract.get("target_parse", {})
    numbers = {name: parse.get("decimal", ".") for name, parse in parses.items() if parse.get("as") == "number" and name in rows}
    others = {name: "." if decimal == "," else "," for name, decimal in numbers.items()}
    found = [name for name, other in others.items() if other in "".join(rows[name])]
    if not any(_share_with(others[name], rows[name]) >= _OTHER_DECIMAL_LEAST for name in found):
        return rows
    if any(_share_with(decimal, rows[name]) > 0 for name, decimal in numbers.items()):
        return rows
    for name, decimal in numbers.items():
        known = {cell: _restyled(cell, others[name], decimal) for cell in dict.fromkeys(rows[name])}
        rows[name] = [known[cell] for cell in rows[name]]
    comma = others[found[0]] == ","
    usual, here = ("point", "comma") if comma else ("comma", "point")
    rows.notes = (f"numbers are written with a decimal {here}, in the training data with a decimal {usual}; they were read so",)
    return rows


def _share_with(decimal: str, cells: list[str]) -> float:
    """The share of the filled cells that are numbers with this decimal sign for certain."""
    pattern, doubtful = _patterns(decimal)
    filled = [cell for cell in cells if cell.strip()]
    certain = 0
    for cell in filled:
        if decimal in cell:
            bare = cell.strip(_AROUND_NUMBERS)
            certain += bool(pattern.fullmatch(bare)) and not doubtful.fullmatch(bare)
    return certain / max(1, len(filled))


def _patterns(decimal: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Of a number with this decimal sign, and of one whose sign may as well stand between thousands."""
    sign, between = re.escape(decimal), re.escape("." if decimal == "," else ",")
    exponent = r"(?:[eE][+-]?\d+)?"
    whole = rf"(?:\d{{1,3}}(?:{between}\d{{3}})+|\d*)"
    return re.compile(rf"{whole}{sign}\d+{exponent}"), re.compile(rf"[1-9]\d{{0,2}}(?:{sign}\d{{3}})+")


def _restyled(cell: str, decimal: str, wanted: str) -> str:
    return cell.replace(wanted, "").replace(decimal, wanted) if any(sign.isdigit() for sign in cell) else cell


# --- what a reader should know -----------------------------------------------------------------------------------------

_NOTE_ROWS = 1000
_NOTE_NAMES, _NOTE_CELL = 3, 40
_WORD_ROWS = 100_000
_SURPRISING = 0.01
"""A column is told to be missing where that was less probable than this, going by the training data."""


def notes_on(rows: Any, contract: Mapping[str, Any]) -> list[str]:
    """One sentence each on what makes the predictions of these rows doubtful; empty where nothing does.

    rows: as for Predictor.predict. Told are columns that came out as missing in every row, which a column that is
    written in another way does too, words where numbers or dates are expected, and categories of which the model knows none.
    """
    told = list(getattr(rows, "notes", ()))
    if contract.get("arrangement") or contract.get("task") == "forecast":
        return told
    rows = as_table([rows] if isinstance(rows, Mapping) and not _holds_columns(rows) else rows)
    names = dict(zip(header_names(list(rows)), rows, strict=True))
    missing, unseen, unread = [], [], []
    for column in contract["columns"]:
        if "feeds" in column or column["parse"]["as"] not in _PLAIN or column["name"] not in names:
            continue
        values = rows[names[column["name"]]]
        parser = make_parser(column["parse"])
        present, known = _told_by(values, parser, column.get("levels"))
        if not present and column.get("missing_fraction", 0.0) ** max(1, len(values)) < _SURPRISING:
            missing.append(column["name"])
        elif present and not known:
            unseen.append(column["name"])
        elif words := _unreadable(values, parser):
            unread.append((column["name"], words))
    if missing:
        count = "1 column has" if len(missing) == 1 else f"{len(missing)} columns have"
        told.append(f"{count} no value that could be read in any row and count as missing: {_few(missing)}")
    if unseen:
        count = "1 column has" if len(unseen) == 1 else f"{len(unseen)} columns have"
        told.append(f"{count} only values that the training data does not have: {_few(unseen)}")
    for name, words in unread[:_NOTE_NAMES]:
        at, word = words[0]
        shown = "".join(each if each.isprintable() else " " for each in word)
        shown = shown if len(shown) <= _NOTE_CELL else f"{shown[: _NOTE_CELL - 1]}…"
        others = ", and so do others" if len(words) > 1 else ""
        told.append(f'"{shown}" in column "{name}" (row {at:,}, counted from 0) is no value there and counts as missing{others}')
    if unread[_NOTE_NAMES:]:
        told.append(f"words count as missing in further columns: {_few([name for name, _ in unread[_NOTE_NAMES:]])}")
    if not missing and not unseen and "told" in EXTENSIONS:  # else that is why rows are unlike the training data
        told += EXTENSIONS["told"](contract, rows)
    return told


_PLAIN = ("number", "boolean", "category", "datetime")


def _told_by(values: Any, parser: Parser, levels: Sequence[str] | None) -> tuple[bool, bool]:
    """Whether any row has a value, and one that is known; no more rows are looked at than that takes."""
    present, known_levels = False, None if levels is None else set(levels)
    for start in range(0, len(values), _NOTE_ROWS):
        piece = getattr(values, "iloc", values)[start : start + _NOTE_ROWS]
        clean = parser.column(piece)
        found = clean[~np.isnan(clean)] if clean.dtype.kind == "f" else clean[clean != parser.missing_value]
        present = present or bool(len(found))
        if len(found) and (known_levels is None or not known_levels.isdisjoint(found.tolist())):
            return True, True
    return present, False


def _unreadable(values: Any, parser: Parser) -> list[tuple[int, str]]:
    """(row, cell) of the different words that are read as missing, though the training data has no such word for it."""
    if isinstance(parser, Category) or getattr(getattr(values, "dtype", None), "kind", "O") in "iufbM":
        return []
    piece = getattr(values, "iloc", values)[:_WORD_ROWS]
    clean = parser.column(piece)
    missing = np.isnan(clean) if clean.dtype.kind == "f" else clean == parser.missing_value
    if not missing.any():
        return []
    cells, first = list(piece), dict[str, int]()
    for row in np.flatnonzero(missing).tolist():
        if type(cells[row]) is str and canonical(cells[row]).casefold() not in parser.missing:
            first.setdefault(cells[row], row)
    return [(row, cell) for cell, row in first.items()]


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NOTE_NAMES} more" if len(names) > _NOTE_NAMES else ""
    return ", ".join(f'"{name}"' for name in names[:_NOTE_NAMES]) + more


def _read_parquet(path: Path, content: bytes) -> Any:
    import pandas as pd

    try:
        return pd.read_parquet(io.BytesIO(content))
    except ImportError:
        raise PredictorError(f"{path} is a Parquet file, and reading it needs pyarrow") from None
    except (OSError, ValueError) as error:
        raise PredictorError(f"{path} is no readable Parquet file ({str(error).splitlines()[0]})") from None


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked where its name ends in .gz or .xz.

    Raises PredictorError where it cannot be read, or unpacks to so much that it must be a trap.
    """
    try:
        content = path.read_bytes()
        suffix = path.suffix.lower()
        if suffix == ".gz":
            import gzip

            return _unpacked(gzip.open(io.BytesIO(content)), len(content), path)
        if suffix == ".xz":
            import lzma

            return _unpacked(lzma.open(io.BytesIO(content)), len(content), path)
        return content
    except FileNotFoundError:
        raise PredictorError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise PredictorError(f"{path} is a directory, not a file") from None
    except PermissionError:
        raise PredictorError(f"{path} cannot be read: no permission") from None
    except PredictorError:
        raise
    except Exception as error:  # gzip, lzma and zlib have no common base class
        raise PredictorError(f"{path} is damaged ({error})") from None


def _unpacked(stream: Any, packed_bytes: int, path: Path) -> bytes:
    limit = max(FREE_EXPANSION_BYTES, EXPANSION_LIMIT * packed_bytes)
    content = bytes(stream.read(limit + 1))
    if len(content) > limit:
        raise PredictorError(f"{path} unpacks to more than {EXPANSION_LIMIT} times its size; unpack it yourself if you trust it")
    return content


def decode_text(content: bytes, name: str) -> tuple[str, str]:
    """The text of a file and the encoding that it has: by its byte order mark, else UTF-8, else Windows-1252.

    Raises PredictorError for what is no text.
    """
    marks = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    encoding = next((encoding for mark, encoding in marks.items() if content.startswith(mark)), "utf-8")
    if encoding != "utf-16" and b"\0" in content:
        raise PredictorError(f"{name} is no text file (it holds NUL bytes)")
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError:
        pass
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        text = ""
    if encoding != "utf-8" or not text or sum(map(text.count, _CONTROLS)) > 0:
        raise PredictorError(f"{name} is no text in UTF-8, UTF-16 or Windows-1252; save it as UTF-8")
    return text, "cp1252"


_CONTROLS = [chr(code) for code in range(32) if chr(code) not in "\t\n\v\f\r\x1a\x1b"]


def choose_delimiter(text: str, wanted: Iterable[str]) -> str:
    """The delimiter whose header has the most of the wanted columns."""
    names = set(wanted)

    def found(delimiter: str) -> tuple[int, int]:
        header = {cell.strip() for record in first_records(text, delimiter, 1) for cell in record}
        return len(names & header), len(header)

    return max(DELIMITERS, key=found)


def first_records(text: str, delimiter: str, count: int) -> list[list[str]]:
    """At most `count` records from the first MiB of a CSV text; one that is cut off there is left out."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    head = text[: 1 << 20]
    records = list(itertools.islice(filter(None, csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)), count + 1))
    return records[:count] if len(records) > count or len(head) == len(text) else records[: max(1, len(records) - 1)]


def csv_records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV text with the line on which each begins; blank lines are left out.

    Raises PredictorError where a quote is opened and never closed.
    """
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    lines = text.rstrip().count("\n") + 1
    line, width = 1, 0
    for record in reader:
        # The csv module takes the rest of the file as one cell where a quote is left open.
        if reader.line_num > line and reader.line_num >= lines and "\n".join(text.split("\n")[line - 1 :]).count('"') % 2:
            raise PredictorError(f"line {line} opens a quote that is never closed")
        width = width or len(record)
        if record and (width == 1 or len(record) > 1 or record[0].strip()):
            yield line, record
        line = reader.line_num + 1


def header_names(record: Sequence[Any]) -> list[str]:
    """Column names as text without blanks around them; one without a name is called by its position, as pandas does."""
    return [whole_characters(str(name).strip()) or f"Unnamed: {position}" for position, name in enumerate(record)]


def parse_csv(text: str, delimiter: str, name: str) -> Columns:
    """Columns of strings from a CSV text with a header.

    Raises PredictorError with the line of the first record that has too many or too few cells.
    """
    names: list[str] = []
    rows = []
    for line, record in csv_records(text, delimiter):
        if not names:
            names = header_names(record)
        elif len(record) != len(names):
            cells = "1 cell" if len(record) == 1 else f"{len(record)} cells"
            raise PredictorError(f"line {line} of {name} has {cells} where the header has {len(names)}")
        else:
            rows.append(record)
    if not rows:
        raise PredictorError(f"{name} has a header but no rows")
    return Columns(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def parse_json_lines(text: str, name: str) -> Columns:
    """Columns from JSON lines (one object a line) or one JSON array of objects.

    Raises PredictorError with the line that is damaged.
    """
    if text.lstrip().startswith("["):
        try:
            records = json.loads(text)
        except ValueError as error:
            raise PredictorError(f"{name} is damaged ({error})") from None
        if not all(isinstance(record, dict) for record in records):
            raise PredictorError(f"{name} must hold an array of JSON objects")
    else:
        records = []
        for line, content in enumerate(text.split("\n"), start=1):
            if not content.strip():
                continue
            try:
                record = json.loads(content)
            except ValueError as error:
                raise PredictorError(f"line {line} of {name} is no JSON ({error})") from None
            if not isinstance(record, dict):
                raise PredictorError(f"line {line} of {name} is no JSON object")
            records.append(record)
    if not records:
        raise PredictorError(f"{name} has no rows")
    return columns_of_records(_whole_records(records) if "\\u" in text else records)


def _whole_records(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Escapes such as "\\ud800" are the only way in which half a character gets out of a file."""
    return [
        {whole_characters(key): whole_characters(value) if type(value) is str else value for key, value in record.items()}
        for record in records
    ]


def as_table(rows: Any) -> Any:
    """Something that gives a column by its name: a list of dicts as Columns, a named pandas index as a column."""
    if isinstance(rows, list | tuple):
        return columns_of_records(rows)
    if hasattr(rows, "reset_index") and any(name is not None and name not in rows for name in rows.index.names):
        return rows.reset_index()
    return rows


def columns_of_records(records: Sequence[Mapping[Any, Any]]) -> Columns:
    """Columns from one dict a row; what a row lacks is missing in it."""
    names = dict.fromkeys(key for record in records for key in record)
    return Columns({str(name): [record.get(name) for record in records] for name in names})


# --- predictions out -------------------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """What is asked for beside predictions.

    interval: how often an interval, or a set of classes, is to hold the truth. abstain: the share of rows like the training
    data that is left without an answer, those that the model knows least about. flags: say which rows are unlike the training
    data. fallback: what stands in place of the prediction of such rows, and of those without an answer. review: the file to
    write the rows to that a human should look at.
    """

    interval: float | None = None
    abstain: float | None = None
    flags: bool = False
    fallback: str | None = None
    review: str | os.PathLike[str] | None = None

    @property
    def looks_at_rows(self) -> bool:
        return self.flags or self.fallback is not None or self.review is not None


NOTHING_MORE = Asked()


def write_predictions(path: str | os.PathLike[str] | None, frame: Any, predictor: Any, asked: Asked = NOTHING_MORE) -> int:
    """Predict `frame` and write a CSV: the id columns, `prediction`, what was asked for and `probability_<class>`, rows in order.

    path: the file, which is there whole or not at all; None is standard output.
    frame: a DataFrame, a list of dicts or Columns, whose notes then tell which files could not be read.
    Returns the number of rows.
    """
    if path is not None and asked.review is not None and os.path.realpath(path) == os.path.realpath(asked.review):
        raise PredictorError(f"{path} cannot hold both the predictions and the rows to review; name two files")
    if hasattr(predictor, "write"):
        return int(predictor.write(path, frame, asked))
    given, frame = frame, as_table(predictor.arranged(frame))
    outputs = predictor._run(frame, predictor._names)
    if isinstance(given, Columns):
        given.notes = frame.notes
    labels = predictor._labels(outputs[0])
    found = None
    if asked != NOTHING_MORE:
        if "answer" not in EXTENSIONS:
            raise PredictorError("this model gives predictions alone: it was made without intervals and all that goes with them")
        found = EXTENSIONS["answer"](predictor, frame, labels if predictor.is_regression else outputs[1], asked, labels)
        if isinstance(given, Columns):
            given.notes = (*given.notes, *found.notes)
    if predictor.is_regression:
        cells = {"prediction": outputs[0].reshape(-1).astype(str).tolist()}
    else:
        cells = {"prediction": [neutral(str(label)) for label in labels]}
    cells |= found.cells if found else {}
    if not predictor.is_regression:
        names = [f"probability_{label}" for label in predictor.contract["classes"]]
        cells |= {name: values.astype(str).tolist() for name, values in zip(names, outputs[1].T, strict=True)}
    known = {name: list(values) for name, values in cells.items()} if asked.review is not None else {}
    replaced, blank = ({}, ()) if found is None else (found.replaced, found.blank)
    for row, text in replaced.items():
        cells["prediction"][row] = neutral(text)
    for name in blank:
        cells[name] = ["" if row in replaced else cell for row, cell in enumerate(cells[name])]
    ids = [name for name in predictor.contract.get("id_columns", ()) if name in frame]
    own = {f"{name}_input" if name in cells else name: _id_cells(frame[name]) for name in ids}
    _write_csv(path, {**own, **cells})
    if asked.review is not None:
        EXTENSIONS["review"](Path(asked.review), frame, known, found)
    return len(labels)


def _write_csv(path: str | os.PathLike[str] | None, columns: Mapping[str, Iterable[str]]) -> None:
    """To a file, whole or not at all, or to standard output."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([neutral(name) for name in columns])
    writer.writerows(zip(*columns.values(), strict=True))
    if path is None:
        sys.stdout.write(buffer.getvalue())
    else:
        _write_whole(Path(path), buffer.getvalue())


_SIGNED_NUMBER = re.compile(r"[+-]\s*\d[\d.,\s]*")
"""Such as "- 50000": a sign and digits compute nothing."""


def neutral(cell: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    if cell[:1] not in ("=", "+", "-", "@", "\t", "\r") or _SIGNED_NUMBER.fullmatch(cell):
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell


def _id_cells(values: Any) -> list[str]:
    plain = plain_values(values) if str(getattr(values, "dtype", "")) != "category" else list(values)
    return [neutral(whole_characters(cell) if type(cell) is str else canonical(cell)) for cell in plain]


def _write_whole(path: Path, text: str) -> None:
    if path.is_dir():
        raise PredictorError(f"{path} is a directory; name a file to write to")
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        target = Path(os.path.realpath(path))
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with temporary.open("w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise PredictorError(f"{path} cannot be written ({error.strerror})") from None


def refuse_same_file(data: str | os.PathLike[str], output: str | os.PathLike[str] | None) -> None:
    """Raises PredictorError where the predictions would replace the rows that they are made from."""
    if output and os.path.exists(output) and os.path.exists(data) and os.path.samefile(data, output) and os.path.isfile(data):
        raise PredictorError(f"{output} is the file with the rows to predict; name another one to write to")


ASKED_FOR: tuple[tuple[str, Any, str], ...] = (
    ("--interval", float, "How often an interval (columns lower, upper) or set of classes is to hold the truth, such as 0.9."),
    ("--abstain", float, "Leave this share of rows, such as 0.1, without an answer: those that the model knows least about."),
    ("--flags", None, "Say in a column which rows are unlike the training data, and why."),
    ("--fallback", str, "What stands in place of the prediction of such rows, and of those without an answer."),
    ("--review", str, "Write the rows that a human should look at to this CSV file, with reasons."),
)
"""Options of predict.py and of automl predict: name, type (None: a flag), help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of predict.py. Returns the exit code: 0, or 2 for wrong input."""
    import argparse

    parser = argparse.ArgumentParser(prog="predict.py", description="Predict new rows with the model in this folder.")
    parser.add_argument(
        "data",
        help="CSV, TSV, JSON lines (also .gz, .xz) or Parquet file; for a model of images or sounds also a folder or one of them",
    )
    parser.add_argument("-o", "--output", help="CSV file to write; standard output where it is left out, or -")
    for option, kind, told in ASKED_FOR:
        parser.add_argument(option, help=told, **({"type": kind} if kind else {"action": "store_true"}))
    choices = parser.parse_args(arguments)
    choices.output = None if choices.output == "-" else choices.output
    asked = Asked(choices.interval, choices.abstain, choices.flags, choices.fallback, choices.review)
    try:
        predictor = open_predictor(Path(__file__).resolve().parent)
        refuse_same_file(choices.data, choices.output)
        refuse_same_file(choices.data, choices.review)
        given = read_rows(choices.data, predictor.contract)
        rows = write_predictions(choices.output, given, predictor, asked)
        notes = notes_on(given, predictor.contract)
        sys.stdout.flush()
    except PredictorError as error:
        sys.stderr.write(f"predict.py: {error}\n")
        return 2
    except BrokenPipeError:  # whoever read the predictions has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    sys.stderr.writelines(f"note: {note}\n" for note in notes)
    if choices.output:
        sys.stderr.write(f"{rows:,} rows written to {choices.output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
