"""Reads CSV and Parquet a piece at a time: compact columns, and a random part of the rows where all would not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.core.errors import InputError
from automl.core.memory import Memory

Array = np.ndarray[Any, Any]

BLOCK_BYTES, BATCH_ROWS = 1 << 23, 65_536
KEPT_ON = 0.8
REPEATED = 0.5
"""Strings of a piece are kept as codes where at most this share of them are different."""
EXPANSION = {"parquet": 4, ".csv": 3, ".gz": 20}
"""Bytes of a table in memory against those of its file, at most, where the file does not say."""


@dataclass
class Kept:
    """The rows kept so far: those whose random number lies below `share`, which is lowered whenever they are too many.

    Every row has the same chance, whatever the order of the file, and one pass is enough.
    """

    memory: Memory
    seed: int
    seen: int = 0
    share: float = 1.0
    pieces: list[Any] = field(default_factory=list)
    numbers: list[Array] = field(default_factory=list)

    def add(self, piece: Any) -> None:
        """piece: a pyarrow.Table of the next rows."""
        drawn = np.random.default_rng([self.seed, len(self.numbers), self.seen]).random(piece.num_rows, np.float32)
        self.seen += piece.num_rows
        self.pieces.append(piece)
        self.numbers.append(drawn)
        if self.share < 1.0:
            self._thin(len(self.pieces) - 1)
        self.pieces[-1] = _compact(self.pieces[-1])
        while self._too_many():
            self.share *= KEPT_ON
            for position in range(len(self.pieces)):
                self._thin(position)

    def _too_many(self) -> bool:
        taken = sum(each.nbytes for each in self.pieces)
        return self.rows > 2 and (taken > self.memory.table_bytes or self.rows > self.memory.rows(self.pieces[0].num_columns))

    def _thin(self, position: int) -> None:
        chosen = self.numbers[position] < self.share
        self.pieces[position] = self.pieces[position].filter(chosen)
        self.numbers[position] = self.numbers[position][chosen]

    @property
    def rows(self) -> int:
        return sum(piece.num_rows for piece in self.pieces)


def is_too_large(path: Path, most_bytes: int) -> bool:
    """Whether a CSV or Parquet file may take more memory than that if it is read as a whole."""
    kind = "parquet" if _is_parquet(path) else ".gz" if path.suffix.lower() == ".gz" else ".csv"
    return EXPANSION[kind] * path.stat().st_size > most_bytes or (kind == "parquet" and _parquet_bytes(path) > most_bytes)


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _parquet_bytes(path: Path) -> int:
    """At least eight bytes a cell, or what the file says of its columns before compression."""
    import pyarrow
    from pyarrow import parquet

    try:
        facts = parquet.read_metadata(path)
    except (pyarrow.ArrowException, OSError):
        return 0  # the usual way of reading says what is wrong
    told = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
    return max(told, 8 * facts.num_rows * facts.num_columns)


def stream_parquet(path: Path, memory: Memory, seed: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows that fit, and what was found out on the way: {"rows": in the file, "kept": in the frame, "coded": columns}.

    coded: columns of strings that are held as categories, only because that takes less memory.

    Raises InputError where the file is damaged.
    """
    import pyarrow
    from pyarrow import parquet

    kept = Kept(memory, seed)
    with _refused(path), parquet.ParquetFile(path, memory_map=True) as file:
        for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
            kept.add(pyarrow.Table.from_batches([batch]))
        if not kept.pieces:
            kept.add(file.schema_arrow.empty_table())
    return _frame(kept)


def thinned(frame: pd.DataFrame, memory: Memory, seed: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A frame that is there already with as many of its rows, drawn at random, as a fit can take; and what was left out."""
    rows = memory.rows(frame.shape[1])
    if len(frame) <= max(2, rows):
        return frame, {}
    chosen = np.sort(np.random.default_rng(seed).permutation(len(frame))[:rows])
    return frame.iloc[chosen].reset_index(drop=True), {"rows": len(frame), "kept": rows, **_limit(memory, len(frame) - rows)}


def stream_csv(
    path: Path, delimiter: str, width: int, quoted: bool, memory: Memory, seed: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """As `stream_parquet`; every column as strings, with "" for an empty cell. The first record, the header, is left out."""
    import pyarrow
    from pyarrow import csv

    kept = Kept(memory, seed)
    with _refused(path):
        reader = csv.open_csv(
            pyarrow.input_stream(str(path)),
            read_options=csv.ReadOptions(autogenerate_column_names=True, block_size=BLOCK_BYTES, use_threads=False),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=quoted),
            convert_options=csv.ConvertOptions(
                column_types={f"f{position}": pyarrow.string() for position in range(width)}, strings_can_be_null=False
            ),
        )
        for number, batch in enumerate(_batches(reader)):
            piece = pyarrow.Table.from_batches([batch])
            kept.add(piece.slice(1) if number == 0 else piece)
    return _frame(kept)


def _batches(reader: Any) -> Iterator[Any]:
    while True:
        try:
            yield reader.read_next_batch()
        except StopIteration:
            return


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        why = str(error).splitlines()[0].rstrip(".")
        raise InputError(
            f"{path} is so large that it is read in pieces, and that failed ({why})", "mend the file, or give more with --memory"
        ) from None


def _limit(memory: Memory, left_out: int) -> dict[str, Any]:
    """The limit under which the same rows are read again."""
    return {"memory_bytes": memory.limit_bytes} if left_out else {}


# --- compact columns -------------------------------------------------------------------------------------------------


def _compact(piece: Any) -> Any:
    """The piece with codes for strings that repeat, and 32 bits for numbers that need no more."""
    import pyarrow

    return pyarrow.table([_narrow(column.combine_chunks()) for column in piece.columns], names=piece.column_names)


def _narrow(column: Any) -> Any:
    """A pyarrow array, or a chunked one without chunks."""
    import pyarrow
    from pyarrow import compute, types

    kind = column.type
    if types.is_string(kind) or types.is_large_string(kind):
        coded = column.dictionary_encode()
        return coded if len(coded.dictionary) <= REPEATED * len(coded) else column
    if types.is_int64(kind) and len(column):
        ends = compute.min_max(column).as_py()
        limits = np.iinfo(np.int32)
        fits = ends["min"] is None or (limits.min <= ends["min"] and ends["max"] <= limits.max)
        return column.cast(pyarrow.int32()) if fits else column
    if types.is_float64(kind):
        narrow = column.cast(pyarrow.float32(), safe=False)
        same = compute.all(compute.or_(compute.equal(narrow.cast(kind), column), compute.is_nan(column))).as_py()
        return narrow if same in (True, None) else column
    return column


def _frame(kept: Kept) -> tuple[pd.DataFrame, dict[str, Any]]:
    import pyarrow

    columns: dict[str, Any] = {}
    coded = []
    for number, name in enumerate(kept.pieces[0].column_names):
        if _NAMELESS_INDEX.fullmatch(name):
            continue
        kind = kept.pieces[0].column(number).type
        joined = _joined([chunk for piece in kept.pieces for chunk in piece.column(number).chunks], kind)
        if pyarrow.types.is_dictionary(joined.type):
            coded.append(name)
        columns[name] = joined.to_pandas()
    pyarrow.default_memory_pool().release_unused()
    return pd.DataFrame(columns), {
        "rows": kept.seen,
        "kept": kept.rows,
        "coded": coded,
        **_limit(kept.memory, kept.seen - kept.rows),
    }


_NAMELESS_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas calls an index in a Parquet file that only counts or names the rows."""


def _joined(chunks: list[Any], kind: Any) -> Any:
    """One column of the pieces' columns, which may be held in narrow types here and in wide ones there."""
    import pyarrow

    kinds = {chunk.type for chunk in chunks}
    if len(kinds) > 1:
        wide = pyarrow.int64() if any(pyarrow.types.is_int64(each) for each in kinds) else pyarrow.float64()
        plain = [chunk.dictionary_decode() if pyarrow.types.is_dictionary(chunk.type) else chunk for chunk in chunks]
        texts = any(pyarrow.types.is_string(each.type) or pyarrow.types.is_large_string(each.type) for each in plain)
        target = pyarrow.large_string() if texts else wide
        return pyarrow.chunked_array([chunk.cast(target) for chunk in plain], target)
    joined = pyarrow.chunked_array(chunks, chunks[0].type if chunks else kind)
    return joined.unify_dictionaries() if pyarrow.types.is_dictionary(joined.type) else joined
