"""Rows a second of a whole shipped pipeline in onnxruntime against LightGBM's own, on the same trees.

    python -m benchmarks.throughput DATA [--rows 100000] [--jobs 1] [--features plain]

Fits the boosting rung's default on adult (300 rounds), exports it from raw columns to probabilities, and predicts the
table tiled to `--rows` rows: the graph from raw columns, the trees alone in onnxruntime, and LightGBM on the encoded
matrix, by CPU time, which a busy machine does not change much, and by the clock on the wall. Bound: the graph at no less than
60 % of LightGBM. Then one row through the graph.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.readout import Readout
from automl.encoders.graph import GraphBuilder
from automl.learners.trees import joined
from automl.search.pipeline import build_graph, fit_pipeline
from automl.search.trial import learner_of, space_of
from benchmarks.portfolio import context_of

ROUNDS, REPEATS = 300, 7


def seconds(call: Callable[[], Any]) -> tuple[float, float]:
    """CPU seconds, and those of the wall."""
    started = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - started[0], time.perf_counter() - started[1]


def session_of(model: Any, jobs: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = jobs
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--features", default="plain")
    options = parser.parse_args()
    context = context_of(options.data, "adult", 10**9)
    context = replace(context, plan=replace(context.plan, jobs=options.jobs))
    rung = context.architecture("boosting")
    settings = {**space_of(context, rung).default(), "features": options.features}
    pipeline = fit_pipeline(context, rung, learner_of(context, rung), settings, ROUNDS, 0, context.training_rows)
    table = context.table.take(np.arange(options.rows) % context.table.rows)
    inputs = {}
    for column in pipeline.encoder.inputs:
        values: Any = table.columns[column.name]
        clean = values.strings() if column.dtype == "string" else np.asarray(values).astype(column.dtype)
        inputs[column.input] = clean.reshape(-1, 1)
    blocks = pipeline.encoder.transform(table)
    builder = GraphBuilder()
    tensors = {name: builder.input(name, "float32", block.shape[1]) for name, block in blocks.items()}
    output = pipeline.fitted.graph(builder, tensors)
    builder.output(output, "probabilities", "float32", ("batch", 2))
    whole, trees = session_of(build_graph(pipeline, context, Readout()), options.jobs), session_of(builder.build(), options.jobs)
    matrix, _ = joined(blocks)
    booster = pipeline.fitted.booster  # type: ignore[attr-defined]
    ways: dict[str, Callable[[], Any]] = {
        "the graph from raw columns": lambda: whole.run(["probabilities"], inputs),
        "its trees alone": lambda: trees.run(["probabilities"], blocks),
        "LightGBM on encoded rows": lambda: booster.predict(matrix, num_threads=options.jobs),
    }
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(REPEATS):  # in turn, so that a busy machine is busy for all of them
        for name, way in ways.items():
            measured[name].append(seconds(way))
    difference = np.abs(ways["the graph from raw columns"]()[0][:, 1] - ways["LightGBM on encoded rows"]()).max()
    print(f"{booster.num_trees()} trees, {settings['num_leaves']} leaves, {options.features}, {options.jobs} threads")
    for kind, clock in enumerate(("CPU", "wall")):
        quickest = {name: min(times[kind] for times in found) for name, found in measured.items()}
        for name, best in quickest.items():
            ratio = quickest["LightGBM on encoded rows"] / best
            print(f"{clock:4} {name:28} {options.rows / best:10,.0f} rows a second, {ratio:.2f} of LightGBM")
    print(f"largest difference of a probability {difference:.1e}")
    taken = []
    for place in range(1000):
        row = {name: values[place : place + 1] for name, values in inputs.items()}
        taken.append(1000 * seconds(partial(whole.run, ["probabilities"], row))[1])
    one = statistics.median(taken)
    print(f"one row through the graph: median {one:.3f} ms")


if __name__ == "__main__":
    main()
