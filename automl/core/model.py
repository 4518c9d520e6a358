"""Model: a model folder that predicts, from any kind of data frame."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import automl.core.parsers  # noqa: F401  enters all parse steps and extensions
from automl.core.answering import bounds_of, codes_in, labels_in, unsure_at
from automl.core.conformal import interval_at, set_at
from automl.core.errors import InputError
from automl.core.guardrail import unusual_rows
from automl.core.predictor import (
    NOTHING_MORE,
    Array,
    Asked,
    Columns,
    PredictorError,
    _holds_columns,
    as_table,
    encode_target,
    notes_on,
    open_predictor,
    read_rows,
    write_predictions,
)
from automl.core.record import MODEL_FILES, check_files, read_record

if TYPE_CHECKING:
    import pandas as pd


class Model:
    """What is shipped: one graph from raw columns to predictions, and the contract that says what it takes.

    Rows may be a pandas, polars or pyarrow frame, a list of dicts, one dict (one row) or the path of a file.
    Further columns, another order, unseen categories and missing values are fine; a missing column is an InputError.
    """

    def __init__(self, predictor: Any) -> None:
        self.predictor = predictor

    @property
    def folder(self) -> Path:
        return self.predictor.folder

    @property
    def contract(self) -> dict[str, Any]:
        """contract.json: the columns with their parse steps, the task and its classes."""
        return self.predictor.contract

    @property
    def size_bytes(self) -> int:
        """Bytes of the graph, or of what a forecast keeps instead of one."""
        files = [self.folder / name for name in ("model.onnx", "forecast.json")]
        return sum(path.stat().st_size for path in files if path.is_file())

    def predict(self, rows: Any) -> Array:
        """(rows,) labels in the type that they came in, or float64 values."""
        with _told_as_input_error():
            return self.predictor.predict(self.rows(rows))

    def predict_proba(self, rows: Any) -> Array:
        """(rows, classes) float32 probabilities, in the order of `contract["classes"]`."""
        with _told_as_input_error():
            return self.predictor.predict_proba(self.rows(rows))

    def rows(self, source: Any) -> Any:
        """`source` as what the predictor takes: a path is read, polars and pyarrow become Columns."""
        if type(source) is dict:
            return source
        if isinstance(source, str | os.PathLike):
            with _told_as_input_error():
                return read_rows(source, self.contract)
        return as_columns(source)

    def table(self, rows: Any) -> pd.DataFrame:
        """The rows as a data frame of the columns that the model takes, raw cells as they came.

        Raises InputError where a column is missing.
        """
        import pandas as pd

        with _told_as_input_error():
            given = self.rows(rows)
            columns = self.predictor._columns([given] if type(given) is dict else given)
            return pd.DataFrame({column["name"]: columns[column["name"]] for column in self.contract["columns"]})

    def truth(self, rows: Any) -> Array:
        """The target of `rows`: (rows,) class codes as int64 (-1 missing or unknown), or float64 with NaN.

        Raises InputError where the target column is missing.
        """
        columns, target = as_table(self.rows(rows)), self.contract["target"]
        if target not in columns:
            raise InputError(f'column "{target}", the target, is not in the data', "a score needs the truth")
        return encode_target(columns[target], self.contract)

    def notes(self, rows: Any) -> list[str]:
        """One sentence each on what makes the predictions of these rows doubtful: columns that came out as missing in every
        row, words where numbers or dates are expected, categories of which none is known, numbers written in another way than
        in the training data."""
        with _told_as_input_error():
            return notes_on(self.rows(rows), self.contract)

    def predict_interval(self, rows: Any, level: float = 0.9) -> Array:
        """(rows, 2) the ends of intervals that hold the truth with this probability; of a forecast, of the rows to forecast.

        Raises InputError for a classification, which has sets, and where the data were too few for the level.
        """
        if self.contract.get("classes"):
            raise InputError("a classification has sets of classes, not intervals", "call predict_set")
        with _told_as_input_error():
            if hasattr(self.predictor, "interval"):
                return np.asarray(self.predictor.interval(self.rows(rows), level))
            return interval_at(bounds_of(self.contract), self.predict(rows), level)

    def predict_set(self, rows: Any, level: float = 0.9) -> list[list[Any]]:
        """A list of classes a row that holds the truth with this probability, the most probable first; none is empty.

        Raises InputError for a regression, which has intervals, and where the data were too few for the level.
        """
        if not self.contract.get("classes"):
            raise InputError("a regression has intervals, not sets of classes", "call predict_interval")
        rows = self.rows(rows)
        probabilities, called = self.predict_proba(rows), codes_in(self.predictor, self.predict(rows))
        with _told_as_input_error():
            members = set_at(bounds_of(self.contract), probabilities, level, called)
            return labels_in(self.predictor, members, probabilities)

    def sure(self, rows: Any, abstain: float) -> Array:
        """(rows,) bool: False where the row is among the share of rows (like those of the training data) that the model knows
        least about. Raises InputError where it is equally sure of every row."""
        rows = self.rows(rows)
        prediction = self.predict_proba(rows) if self.contract.get("classes") else self.predict(rows)
        with _told_as_input_error():
            return np.asarray(~unsure_at(self.contract, prediction, self._arranged(rows), abstain))

    def unusual(self, rows: Any) -> dict[int, tuple[str, ...]]:
        """Row number (from 0) to the reasons why it is unlike the training data; rows that are like it are not there."""
        given = self.rows(rows)
        with _told_as_input_error():
            return unusual_rows(self.contract, self._arranged(given))

    def _arranged(self, rows: Any) -> Any:
        """Rows as a table, one an example; a single one may be a dict."""
        return self.predictor.arranged([rows] if type(rows) is dict and not _holds_columns(rows) else rows)

    def write_predictions(self, path: str | os.PathLike[str] | None, rows: Any, asked: Asked = NOTHING_MORE) -> int:
        """Write the prediction file (None: standard output), whole or not at all. Returns the number of rows."""
        with _told_as_input_error():
            return write_predictions(path, self.rows(rows), self.predictor, asked)


def load(folder: str | os.PathLike[str], threads: int | None = None) -> Model:
    """The model in a model folder, or in a run folder that holds one. Nothing in the folder is executed.

    A run folder must be whole: run.json is held against the files; a model folder stands for itself, wherever it is.
    Raises InputError where it is missing, damaged or made by a newer version.
    """
    path = Path(folder)
    if not os.path.isdir(path):
        raise InputError(
            f"{path} is no folder" if os.path.exists(path) else f"{path} does not exist", "name a run or model folder"
        )
    if not os.path.exists(path / "contract.json") and os.path.isdir(path / "model"):
        if os.path.exists(path / "run.json"):
            check_files(path, read_record(path), MODEL_FILES)
        path = path / "model"
    with _told_as_input_error():
        return Model(open_predictor(path, threads))


def as_columns(frame: Any) -> Any:
    """Columns from a polars or pyarrow frame, or another that narwhals knows; pandas, lists and dicts stay as they are.

    Raises InputError for anything else.
    """
    library = type(frame).__module__.partition(".")[0]
    if (library == "pandas" and hasattr(frame, "columns")) or isinstance(frame, list | tuple | Mapping):
        return frame
    if library == "polars":
        return _columns_of_polars(frame)
    if library == "pyarrow":
        return _columns_of_arrow(frame)
    import narwhals

    try:
        known = narwhals.from_native(frame)
    except TypeError:
        raise InputError(
            f"rows cannot be read from {type(frame).__name__}", "give a data frame, a list of dicts, a dict or a path"
        ) from None
    if isinstance(known, narwhals.LazyFrame):
        known = known.collect()
    return _columns_of_arrow(known.to_arrow())


def _columns_of_polars(frame: Any) -> Columns:
    if hasattr(frame, "collect"):
        frame = frame.collect()
    if not hasattr(frame, "columns"):
        raise InputError("a polars Series is no table", "give a DataFrame")
    return Columns({name: _plain_polars(frame[name]) for name in frame.columns})


def _plain_polars(series: Any) -> Any:
    dtype = series.dtype
    if dtype.is_numeric() and not dtype.is_decimal() and (dtype.is_float() or series.null_count() == 0):
        return series.to_numpy()
    if dtype.is_temporal() and str(dtype).startswith("Datetime"):
        return series.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy() if dtype.time_zone else series.to_numpy()
    return series.to_list()


def _columns_of_arrow(table: Any) -> Columns:
    if not hasattr(table, "column_names"):
        import pyarrow

        if not isinstance(table, pyarrow.RecordBatch):
            raise InputError(f"rows cannot be read from {type(table).__name__}", "give a pyarrow Table")
        table = pyarrow.Table.from_batches([table])
    return Columns({name: _plain_arrow(table.column(name)) for name in table.column_names})


def _plain_arrow(column: Any) -> Any:
    import pyarrow

    kind = column.type
    if pyarrow.types.is_timestamp(kind):
        return column.to_numpy()
    if pyarrow.types.is_floating(kind) or (pyarrow.types.is_integer(kind) and column.null_count == 0):
        return column.to_numpy()
    return column.to_pylist()


@contextmanager
def _told_as_input_error() -> Iterator[None]:
    try:
        yield
    except PredictorError as error:
        raise InputError(str(error)) from None
