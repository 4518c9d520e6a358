"""What a rung would cost in production: bytes and milliseconds a row of its graph, measured before it is chosen."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.evidence import Trial
from automl.core.parsers import make_parser
from automl.core.readout import Readout
from automl.core.table import Category
from automl.encoders.graph import input_names
from automl.search.context import Context
from automl.search.forecasting import price_of_forecast
from automl.search.pipeline import Pipeline, build_graph
from automl.search.trial import fit_trial

CALLS = 30
SECONDS = 0.3
"""Measuring one call stops after this long: with thousands of columns a call takes a good part of it."""
_DTYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(string)": object,
    "tensor(uint8)": np.uint8,
}


def price_of(context: Context, trial: Trial) -> tuple[int, float]:
    """(bytes, median milliseconds for one clean row) of the trial's settings, fitted on the first search fold."""
    import onnxruntime

    pipeline = fit_trial(context, trial, context.searched(trial.most_rows)[0].training)
    if isinstance(pipeline, Pipeline) and context.rolling:
        return price_of_forecast(pipeline.fitted)  # type: ignore[arg-type]
    content = build_graph(pipeline, context, Readout()).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    feeds = _one_row(context, pipeline.encoder, session.get_inputs())
    session.run(None, feeds)
    return len(content), median_milliseconds(lambda: session.run(None, feeds))


def median_milliseconds(call: Callable[[], Any]) -> float:
    """Of CALLS calls, fewer where they are slow, at least one."""
    measured: list[float] = []
    while not measured or (len(measured) < CALLS and sum(measured) < 1000 * SECONDS):
        started = time.perf_counter()
        call()
        measured.append(1000 * (time.perf_counter() - started))
    return statistics.median(measured)


def _one_row(context: Context, encoder: Any, inputs: list[Any]) -> dict[str, Any]:
    """What the graph takes of the first parity row; a text goes through the parse step that the encoder asks for."""
    columns = {name: column for column, name in input_names(context.table.columns).items()}
    own = {feed["input"]: (column, feed) for column, feeds in getattr(encoder, "feeds", {}).items() for feed in feeds}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in getattr(encoder, "files", {}).items():
            Path(folder, name).write_bytes(content)
        for each in inputs:
            column, feed = own.get(each.name, (columns.get(each.name, ""), None))
            values = context.parity.columns[column]
            first = values.strings()[:1] if isinstance(values, Category) else values[:1]
            if feed is not None and isinstance(values, Category):
                first = make_parser(feed["parse"], Path(folder)).column(first)
            first = np.asarray(first, _DTYPES[each.type])
            found[each.name] = first if first.ndim > 1 else first.reshape(1, 1)
    return found
