"""The rows of a training: which count and how much, which are sampled, in which order they come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl.core.architecture import Problem, Training
from automl.core.errors import TrainingError
from automl.core.space import Settings

Array = np.ndarray[Any, Any]
Shapes = dict[str, tuple[int, str, Any]]
"""Block name to (width, dtype name, cardinalities or None), as the modality's encoder declares it."""

SKEWED_METRICS = frozenset({"f1", "balanced_accuracy"})
"""Metrics of labels under imbalance: only there may class weights bend the probabilities."""


def weighted(training: Training, problem: Problem, settings: Settings) -> Training:
    """The rows that count, with their weights: class weights multiplied in, rows of weight 0 left out, mean 1."""
    rows = len(training.target)
    weight = np.ones(rows) if training.sample_weight is None else np.asarray(training.sample_weight, np.float64)
    if settings["class_weight"] == "balanced" and problem.metric in SKEWED_METRICS:
        counts = np.bincount(training.target, weights=weight, minlength=problem.outputs)
        weight = weight * (weight.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1e-12)))[training.target]
    kept = np.flatnonzero(weight > 0)
    if len(kept) == 0:
        raise TrainingError("no training row has a positive weight")
    inputs, target = training.inputs, training.target
    if len(kept) < rows:
        inputs, target, weight = {name: values[kept] for name, values in inputs.items()}, target[kept], weight[kept]
    return replace(training, inputs=inputs, target=target, sample_weight=weight / weight.mean())


def sampled(training: Training, settings: Settings, seed: int) -> Training:
    """At most `most_rows` of the rows, where the settings say so."""
    rows, most = len(training.target), int(settings.get("most_rows", 0))
    if not 0 < most < rows:
        return training
    kept = np.sort(np.random.default_rng([seed % 2**32, rows]).permutation(rows)[:most])
    weight = None if training.sample_weight is None else np.asarray(training.sample_weight)[kept]
    inputs = {name: values[kept] for name, values in training.inputs.items()}
    return replace(training, inputs=inputs, target=training.target[kept], sample_weight=weight)


def shapes_of(parts: list[Training]) -> Shapes:
    """Block name to (width, dtype, cardinalities), as the encoder declared them or, without that, as the codes show."""
    declared = parts[0].shapes
    if declared:
        return declared
    shapes: Shapes = {}
    for name, values in parts[0].inputs.items():
        codes = np.issubdtype(values.dtype, np.integer)
        highest = np.max([part.inputs[name].max(axis=0, initial=0) for part in parts], axis=0) if codes else ()
        shapes[name] = (int(values.shape[1]), str(values.dtype), tuple(int(code) + 1 for code in highest) if codes else None)
    return shapes


def drawn_evenly(codes: Array, generator: np.random.Generator) -> Array:
    """As many rows as there are, of every class the same number: rows of rare classes come several times.

    codes: (rows,) class codes.
    """
    rows, classes = len(codes), np.unique(codes)
    shares = [np.resize(generator.permutation(np.flatnonzero(codes == code)), -(-rows // len(classes))) for code in classes]
    return generator.permutation(np.concatenate(shares))[:rows]


def batch_size_for(rows: int) -> int:
    """A batch size by the number of training rows."""
    for most, batch in ((500, 32), (3_000, 64), (8_000, 128), (60_000, 256), (200_000, 512)):
        if rows < most:
            return batch
    return 1024


def epochs_for(rows: int, batch: int) -> int:
    """The length of the schedule: about 3,000 steps, between 8 and 64 epochs."""
    return int(np.clip(round(3_000 / max(1, -(-rows // batch))), 8, 64))
