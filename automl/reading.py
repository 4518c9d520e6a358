"""Reads a file, a folder or a data frame into a Dataset. Nothing is converted: the profile decides what cells mean."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import importlib.util
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.core.dataset import Dataset
from automl.core.errors import InputError, nearest
from automl.core.files import sha256_of
from automl.core.folders import LABEL, media_files, media_kind, part_and_label
from automl.core.memory import Memory
from automl.core.predictor import (
    DELIMITERS,
    PredictorError,
    canonical,
    decode_text,
    first_records,
    header_names,
    parse_csv,
    parse_json_lines,
    plain_values,
    read_bytes,
    whole_characters,
)
from automl.longform import with_labels
from automl.streaming import is_too_large, stream_csv, stream_parquet, thinned

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".tab", ".data")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
PARQUET_SUFFIXES = (".parquet", ".pq")
EXCEL_SUFFIXES = (".xlsx", ".xlsm")
SUFFIXES = (*TEXT_SUFFIXES, *JSON_SUFFIXES, *PARQUET_SUFFIXES, *EXCEL_SUFFIXES)
SUPPORTED = "CSV, TSV, JSON lines (each also .gz or .xz), Parquet and Excel (.xlsx) can be read"
SAMPLE_RECORDS = 200
HEAD_BYTES = 1 << 20
"""The beginning of a large CSV file, from which its form is found out."""
PIECES_BYTES = 1 << 26
"""Files that may take more memory than this are read in pieces, which needs less of it."""
NAMELESS = frozenset({"", "data", "dataset", "train", "table"})
# What other files begin with, for those that are called .csv.
SIGNATURES = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file",
    b"\xfd7zXZ": "an xz file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"SQLite format 3": "an SQLite database",
    b"\x7fELF": "a program",
}


def read(source: Any, test: Any = None, memory: Memory | None = None, seed: int = 0) -> Dataset:
    """The table in `source`, and its separate test part if there is one.

    source: the path of a file (see SUPPORTED) or of a folder with train.csv and test.csv; a pandas, polars or
        pyarrow frame, or another that narwhals knows; a dict of columns.
    test: a path or a frame with the same columns.
    memory: what may be taken; of a table that needs more, rows drawn at random by `seed` are read.
    Raises InputError with one sentence for anything that is no usable table.
    """
    if isinstance(source, str | os.PathLike) and os.path.isdir(source) and not _part(Path(source), "train"):
        dataset, test = _read_media(Path(source), test)
    elif isinstance(source, str | os.PathLike) and os.path.isdir(source):
        source, test, name = *_parts_of_folder(Path(source), test), Path(source).resolve().name
        dataset = _read_one(source, memory, seed)
        dataset = dataclasses.replace(dataset, name=name)
    else:
        dataset = _read_one(source, memory, seed)
    if dataset.rows < 2:
        raise InputError(f"{dataset.source} has only one row", "there is nothing to learn from")
    if test is None:
        return dataset
    other = test
    if not isinstance(test, Dataset):
        other = _read_media(Path(test), None)[0] if _is_folder(test) else _read_one(test, memory, seed)
    if other.root != dataset.root:
        other = _rooted(other, dataset.root)
    digest = hashlib.sha256((dataset.content_hash + other.content_hash).encode()).hexdigest()
    reading = {**dataset.reading, "test": {"source": other.source, "rows": other.rows, **other.reading}}
    return dataclasses.replace(dataset, content_hash=digest, reading=reading, test=_aligned(other, dataset))


def _read_one(source: Any, memory: Memory | None = None, seed: int = 0) -> Dataset:
    if isinstance(source, str | os.PathLike):
        try:
            return with_labels(_read_path(Path(source), memory, seed), Path(source), _read_path)
        except PredictorError as error:
            raise InputError(str(error)) from None
        except PermissionError as error:
            raise InputError(f"{error.filename} cannot be read: no permission") from None
        except OSError as error:
            raise InputError(f"{source} cannot be read ({error.strerror})") from None
    return _read_frame(source, memory, seed)


def _aligned(test: Dataset, dataset: Dataset) -> pd.DataFrame:
    """The test rows with the columns of the training rows, in their order."""
    lacking = [name for name in dataset.frame.columns if name not in test.frame.columns]
    if lacking:
        others = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        raise InputError(
            f'column "{lacking[0]}"{others} is in {dataset.source} but not in {test.source}',
            nearest(lacking[0], test.frame.columns) or "the test rows need the same columns, the target included",
        )
    return test.frame[list(dataset.frame.columns)]


def _parts_of_folder(folder: Path, test: Any) -> tuple[Path, Any]:
    """The training file and the test part of a folder."""

    train = _part(folder, "train")
    assert train is not None
    return train, _part(folder, "test") if test is None else test


def _part(folder: Path, stem: str) -> Path | None:
    found = [path for path in sorted(folder.iterdir()) if _stem(path) == stem and _kind(path) in SUFFIXES and path.is_file()]
    return found[0] if found else None


def _is_folder(source: Any) -> bool:
    return isinstance(source, str | os.PathLike) and os.path.isdir(source)


# --- folders of images and sounds ------------------------------------------------------------------------------------


def _read_media(folder: Path, test: Any) -> tuple[Dataset, Any]:
    """A folder with a folder of files a class, or train/ and test/ of that form, as a table of paths and labels.

    Returns the training rows and the test part, `test` where one was given.
    """
    kind, files, others = media_files(folder)
    if not files:
        raise InputError(f"{folder} is a folder without a train.csv, images or sounds", "name the data file itself")
    described = [part_and_label(name) for name in files]
    bare = [name for name, (_, label) in zip(files, described, strict=True) if not label]
    if len(bare) > 0.5 * len(files):
        raise InputError(
            f"the files of {folder} lie in no folder that names their class, such as {bare[0]}",
            "make a folder a class, or give a CSV with a column of paths and one of labels",
        )
    frame = pd.DataFrame({kind: files, LABEL: [label for _, label in described]}, dtype=str)
    parts = np.asarray([part for part, _ in described], dtype=object)
    digest = hashlib.sha256()
    for name in files:
        digest.update(f"{name}\0".encode("utf-8", "surrogatepass") + bytes.fromhex(sha256_of(folder / name)))
    reading: dict[str, Any] = {"format": "folder", "files": len(files)}
    notes = []
    if others:
        verb = "file is no" if len(others) == 1 else "files are no"
        notes.append(f"{len(others):,} {verb} {kind} and not looked at, such as {others[0]}")
    if empty := _without_files(folder, files):
        notes.append(
            f"no {kind} lies in {', '.join(empty[:3])}" + (f" and {len(empty) - 3} more folders" if len(empty) > 3 else "")
        )
    if notes:
        reading["note"] = f"of {folder.name}: {'; '.join(notes)}"
    name, source = folder.resolve().name, str(folder)

    def rows(chosen: Any) -> Dataset:
        taken = frame[chosen].reset_index(drop=True)
        return Dataset(taken, name, source, digest.hexdigest(), reading, root=str(folder))

    given = (parts == "test") & (parts != "")
    if test is None and given.any() and not given.all():
        return rows(~given), rows(given)
    return rows(np.ones(len(files), bool)), test


def _without_files(folder: Path, files: list[str]) -> list[str]:
    """Folders of the first level, as those of classes are, in which none of the files lies; links are not entered."""
    used = {Path(name).parts[0] for name in files}
    return sorted(each.name for each in folder.iterdir() if each.is_dir() and each.name[0] != "." and each.name not in used)


def _rooted(dataset: Dataset, root: str) -> Dataset:
    """The rows of another folder with paths from `root`, or as they are where they hold no paths."""
    frame = dataset.frame.copy()
    for name in frame.columns:
        cells = frame[name].tolist()
        if dataset.root and all(isinstance(cell, str) and media_kind(cell) for cell in cells[:20]):
            frame[name] = [os.path.relpath(os.path.join(dataset.root, cell), root or os.curdir) for cell in cells]
    return dataclasses.replace(dataset, frame=frame)


# --- files -----------------------------------------------------------------------------------------------------------


def _kind(path: Path) -> str:
    """The suffix that tells the format, in lower case, without .gz or .xz."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".xz"):
        return suffixes[-2] if len(suffixes) > 1 and suffixes[-2] in SUFFIXES else ".csv"
    return suffixes[-1] if suffixes else ""


def _name(path: Path) -> str:
    """What the data is called: the file's name, or its folder's where the file's says nothing."""
    stem, parent = _stem(path), path.resolve().parent.name
    return (parent if stem.casefold() in NAMELESS else "") or stem or "data"


def _stem(path: Path) -> str:
    """The name of a file without the suffixes that tell its format."""
    name = path.name
    for suffix in (".gz", ".xz", *SUFFIXES):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return name


def _read_path(path: Path, memory: Memory | None = None, seed: int = 0) -> Dataset:
    if str(path).startswith(("http:", "https:", "s3:", "gs:")):
        raise InputError(f"{path} is an address, and only local files are read", "download it first")
    if not path.exists():
        siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError(f"{path} does not exist", nearest(path.name, siblings))
    if path.is_dir():
        raise InputError(f"{path} is a directory, not a file")
    kind = _kind(path)
    if kind and kind not in SUFFIXES:
        hint = "save it as .xlsx or CSV" if kind == ".xls" else SUPPORTED
        raise InputError(f'{path} has the suffix "{kind}", which is not supported', hint)
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty")
    frame, reading = None, dict[str, Any]()
    if memory is not None:
        frame, reading = _in_pieces(path, kind, memory, seed)
    if frame is None:
        frame, reading = _whole(path, kind)
        if memory is not None:
            frame, left_out = thinned(frame, memory, seed)
            reading |= left_out
    reading["bytes"] = path.stat().st_size
    return Dataset(_checked(frame, str(path)), _name(path), str(path), sha256_of(path), reading, root=str(path.parent))


def _in_pieces(path: Path, kind: str, memory: Memory, seed: int) -> tuple[pd.DataFrame | None, dict[str, Any]]:
    """A large file read a piece at a time; None where it is not that large, or is of another kind."""
    if kind in (*EXCEL_SUFFIXES, *JSON_SUFFIXES) or path.suffix.lower() == ".xz":
        return None, {}
    if not is_too_large(path, min(memory.table_bytes, PIECES_BYTES)):
        return None, {}
    if kind in PARQUET_SUFFIXES:
        frame, facts = stream_parquet(path, memory, seed)
        _refuse_duplicates(list(frame.columns), str(path))
        return frame, {"format": "parquet", **facts}
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    text, encoding = _text(head[: head.rfind(b"\n") + 1], path)
    if encoding != "utf-8":
        return None, {}
    delimiter = find_delimiter(text)
    names = header_names(next(iter(first_records(text, delimiter, 1))))
    _refuse_duplicates(names, str(path))
    frame, facts = stream_csv(path, delimiter, len(names), b'"' in head, memory, seed)
    frame.columns = pd.Index(names)
    facts["coded"] = [names[int(name.removeprefix("f"))] for name in facts["coded"]]
    return frame, {"format": "csv", "delimiter": delimiter, "encoding": encoding, **facts}


def _whole(path: Path, kind: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    content = read_bytes(path)
    if not content:
        raise InputError(f"{path} is empty")
    reading: dict[str, Any] = {}
    if kind in PARQUET_SUFFIXES:
        frame, reading["format"] = _parquet(content, path), "parquet"
    elif kind in EXCEL_SUFFIXES:
        frame, reading["format"] = _excel(content, path), "excel"
    elif kind in JSON_SUFFIXES:
        frame, reading = _json_lines(content, path)
    else:
        frame, reading = _csv(content, path)
    return frame, reading


def _csv(content: bytes, path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Every column as strings, with "" for an empty cell."""
    for signature, what in SIGNATURES.items():
        if content.startswith(signature):
            raise InputError(f"{path} is {what}, not a CSV file", SUPPORTED)
    text, encoding = _text(content, path)
    delimiter = find_delimiter(text)
    names = header_names(next(iter(first_records(text, delimiter, 1))))
    _refuse_duplicates(names, str(path))
    frame = _csv_by_arrow(content if encoding == "utf-8" else text.encode(), delimiter, len(names))
    if frame is None:
        frame = pd.DataFrame(parse_csv(text, delimiter, path.name), dtype=str)
    if frame.empty:
        raise InputError(f"{path} has a header but no rows")
    frame.columns = pd.Index(names)
    reading: dict[str, Any] = {"format": "csv", "delimiter": delimiter, "encoding": encoding}
    if encoding == "cp1252":
        reading["note"] = f"{path.name} is not UTF-8; it was read as Windows-1252"
    return frame, reading


def _text(content: bytes, path: Path) -> tuple[str, str]:
    text, encoding = decode_text(content, str(path))
    if not text.strip():
        raise InputError(f"{path} is empty")
    return text, encoding


def _csv_by_arrow(content: bytes, delimiter: str, width: int) -> pd.DataFrame | None:
    """The quick way; None where pyarrow stumbles, so that the exact way can find the line."""
    import pyarrow
    from pyarrow import csv

    # A quote that stays open, or stands inside a cell, is read differently by different readers.
    if content.count(b'"') % 2:
        return None
    try:
        table = csv.read_csv(
            io.BytesIO(content),
            read_options=csv.ReadOptions(autogenerate_column_names=True, block_size=1 << 24),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in content),
            convert_options=csv.ConvertOptions(
                column_types={f"f{position}": pyarrow.string() for position in range(width)}, strings_can_be_null=False
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    return table.slice(1).to_pandas() if table.num_columns == width else None


def find_delimiter(text: str) -> str:
    """The delimiter that splits the header and then nearly every record into the same number of cells."""

    def fit(delimiter: str) -> tuple[float, int]:
        records = first_records(text, delimiter, SAMPLE_RECORDS)
        width = len(records[0]) if records else 0
        if width < 2:
            return 0.0, 0
        return round(sum(len(record) == width for record in records[1:]) / max(1, len(records) - 1), 1), width

    return max(DELIMITERS, key=fit)


def _json_lines(content: bytes, path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    text, encoding = _text(content, path)
    return pd.DataFrame(dict(parse_json_lines(text, path.name))), {"format": "json lines", "encoding": encoding}


def _parquet(content: bytes, path: Path) -> pd.DataFrame:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(io.BytesIO(content))
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path} is no readable Parquet file ({str(error).splitlines()[0].rstrip('.')})") from None
    _refuse_duplicates(table.column_names, str(path))
    return _with_index(table.to_pandas())


def _excel(content: bytes, path: Path) -> pd.DataFrame:
    if importlib.util.find_spec("openpyxl") is None:
        raise InputError(f"{path} is an Excel workbook, and reading it needs openpyxl", "install it or save the sheet as CSV")
    try:
        return pd.read_excel(io.BytesIO(content))
    except Exception as error:  # openpyxl and zipfile raise whatever the damage leads to
        raise InputError(f"{path} is no readable Excel workbook ({error})") from None


# --- frames ----------------------------------------------------------------------------------------------------------


def _read_frame(source: Any, memory: Memory | None = None, seed: int = 0) -> Dataset:
    library = type(source).__module__.partition(".")[0]
    if hasattr(source, "tocsr"):
        raise InputError("sparse matrices are not supported", "give a dense data frame")
    frame = _to_pandas(source)
    what = f"the {library} data frame" if library != "builtins" else "the data"
    frame = _checked(_with_index(frame), what)
    words = f"{what.removeprefix('the ')} of {len(frame):,} rows and {frame.shape[1]:,} columns"
    digest, left_out = content_hash(frame), dict[str, Any]()
    if memory is not None:
        frame, left_out = thinned(frame, memory, seed)
    return Dataset(frame, "data", words, digest, {"format": "frame", "library": library, **left_out})


def _to_pandas(source: Any) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, Mapping):
        try:
            return pd.DataFrame(dict(source))
        except ValueError as error:
            raise InputError(f"the columns of the dict make no table ({error})") from None
    if isinstance(source, list | tuple) and source and all(isinstance(record, Mapping) for record in source):
        return pd.DataFrame(list(source))
    advice = "give a path, a pandas, polars or pyarrow frame, or a dict of columns"
    import narwhals

    try:
        known = narwhals.from_native(source)
    except TypeError:
        raise InputError(f"a table cannot be read from {type(source).__name__}", advice) from None
    if isinstance(known, narwhals.LazyFrame):
        known = known.collect()
    _refuse_duplicates(known.columns, "the data frame")
    return known.to_pandas()


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """A named index is a column like any other; a nameless one only counts the rows."""
    if any(name is not None and name not in frame.columns for name in frame.index.names) and frame.columns.nlevels == 1:
        return frame.reset_index()
    return frame


def _checked(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """The frame with plain column names and row numbers. Raises InputError where it is no plain table."""
    if frame.columns.nlevels > 1:
        raise InputError(f"{what} has column names of {frame.columns.nlevels} levels", "join them into one name each")
    if frame.shape[1] == 0:
        raise InputError(f"{what} has no columns")
    if len(frame) == 0:
        raise InputError(f"{what} has columns but no rows")
    names = header_names(list(frame.columns))
    _refuse_duplicates(names, what)
    frame = frame.copy(deep=False)
    frame.columns = pd.Index(names)
    for name in names:
        column = frame[name]
        _refuse_odd_cells(column, name, what)
        if _holds_half_characters(column):
            frame[name] = _whole_cells(column)
    return frame.reset_index(drop=True)


def _holds_half_characters(column: pd.Series) -> bool:
    """Lone surrogates; only Python objects can hold them."""
    dtype = column.dtype
    cells = dtype.categories if isinstance(dtype, pd.CategoricalDtype) else column
    if cells.dtype != object and getattr(cells.dtype, "storage", "") != "python":
        return False
    text = "".join(cell for cell in cells.tolist() if type(cell) is str)
    return whole_characters(text) != text


def _whole_cells(column: pd.Series) -> pd.Series:
    cells = [whole_characters(cell) if type(cell) is str else cell for cell in column.tolist()]
    return pd.Series(cells, dtype=object, index=column.index).astype("category" if str(column.dtype) == "category" else object)


def _refuse_odd_cells(column: pd.Series, name: str, what: str) -> None:
    dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        raise InputError(f'column "{name}" of {what} is sparse', "make it dense, for example with .sparse.to_dense()")
    if dtype.kind == "c":
        raise InputError(f'column "{name}" of {what} holds complex numbers', "split it into two columns")
    nested = str(dtype).startswith(("list", "struct", "map"))
    if dtype.kind == "O" and not isinstance(dtype, pd.StringDtype):
        nested = any(issubclass(kind, list | tuple | dict | set | np.ndarray) for kind in set(map(type, column.tolist())))
    if nested:
        raise InputError(f'column "{name}" of {what} holds lists or objects', "give each value its own column")


def _refuse_duplicates(names: Sequence[Any], what: str) -> None:
    twice = [str(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        listed = ", ".join(f'"{name}"' for name in twice[:5]) + (f" and {len(twice) - 5} more" if len(twice) > 5 else "")
        verb = "column name {} stands" if len(twice) == 1 else "column names {} stand"
        raise InputError(f"{verb.format(listed)} more than once in {what}", "rename or remove the copies")


def content_hash(frame: pd.DataFrame) -> str:
    """SHA-256 of names and values. Equal values hash equally, whatever library or dtype holds them."""
    digest = hashlib.sha256(f"{frame.shape}".encode())
    for name in frame.columns:
        digest.update(f"\x1d{name}\x1d".encode())
        digest.update(_column_bytes(frame[name]))
    return digest.hexdigest()


def _column_bytes(column: pd.Series) -> bytes:
    values = plain_values(column.astype(object) if str(column.dtype) == "category" else column)
    if isinstance(values, list):
        return "\x1f".join(map(canonical, values)).encode()
    if values.dtype.kind == "M":
        return b"M" + values.astype("datetime64[us]").astype(np.int64).tobytes()
    if values.dtype.kind == "b":
        return "\x1f".join(map(canonical, values.tolist())).encode()
    numbers = values.astype(np.float64) + 0.0
    numbers[np.isnan(numbers)] = np.nan
    return b"f" + numbers.tobytes()
