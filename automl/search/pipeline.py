"""A pipeline: fitted encoder, fitted learner and the scale of the target; in Python and as one ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.architecture import Architecture, Fitted, Fold, Learner, Training
from automl.core.files import write_json
from automl.core.readout import Readout
from automl.core.space import Settings
from automl.core.table import Table
from automl.core.tasks import Task
from automl.search.context import Context
from automl.search.target import SETTING, TargetScale
from automl.splitting import FoldRows

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pipeline:
    """Clean rows in, predictions out."""

    encoder: Any
    fitted: Fitted
    scale: TargetScale | None

    def predict(self, table: Table) -> Array:
        """Probabilities (rows, classes), or values (rows,) in the unit of the target."""
        return as_prediction(self.fitted.predict(self.encoder.transform(table)), self.scale)

    def graph(self, builder: Any, fragments: dict[int, dict[str, str]]) -> str:
        """The tensor of the probabilities (batch, classes) float32, or of the values (batch, 1) float64.

        fragments: of the encoders that are in the graph already, which several pipelines may share.
        """
        key = id(self.encoder)
        if key not in fragments:
            fragments[key] = self.encoder.graph(builder)
        output = self.fitted.graph(builder, fragments[key])
        return output if self.scale is None else self.scale.graph(builder, output)

    def save(self, folder: Path) -> None:
        """What one needs to train on: the learner's own files and the encoder's state."""
        self.fitted.save(folder)
        write_json(folder / "encoder.json", {"encoder": self.encoder.state(), "target_scale": self.scale})


@dataclass(frozen=True)
class Encoders:
    """What the encoders of an ensemble ask of the contract and of the folder, put together."""

    parts: tuple[Any, ...]

    @property
    def feeds(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for part in self.parts:
            for column, feeds in getattr(part, "feeds", {}).items():
                found.setdefault(column, []).extend(feed for feed in feeds if feed not in found.get(column, []))
        return found

    @property
    def files(self) -> dict[str, bytes]:
        return {name: content for part in self.parts for name, content in getattr(part, "files", {}).items()}

    @property
    def requirements(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line for part in self.parts for line in getattr(part, "requirements", ())))

    @property
    def chunk_rows(self) -> int | None:
        return min((rows for part in self.parts if (rows := getattr(part, "chunk_rows", None))), default=None)


@dataclass(frozen=True)
class Blend:
    """An ensemble: the weighted mean of what its members predict. weights: one a member, with sum one."""

    members: tuple[Pipeline, ...]
    weights: tuple[float, ...]
    names: tuple[str, ...]

    @property
    def encoder(self) -> Encoders:
        return Encoders(tuple(member.encoder for member in self.members))

    def predict(self, table: Table) -> Array:
        """Probabilities (rows, classes), or values (rows,) in the unit of the target."""
        return blended([member.predict(table) for member in self.members], self.weights)

    def graph(self, builder: Any, fragments: dict[int, dict[str, str]]) -> str:
        """As of a Pipeline; members with the same fitted encoder share its part of the graph."""
        parts = []
        for member, weight in zip(self.members, self.weights, strict=True):
            output = member.graph(builder, fragments)
            exact = np.float32 if member.scale is None else np.float64
            parts.append(builder.node("Mul", [output, builder.initializer(np.asarray(weight, exact), "weight")]))
        return str(builder.node("Sum", parts))

    def save(self, folder: Path) -> None:
        write_json(folder / "ensemble.json", {"weights": dict(zip(self.names, self.weights, strict=True))})
        for name, member in zip(self.names, self.members, strict=True):
            (folder / name).mkdir()
            member.save(folder / name)


def blended(predictions: Sequence[Array], weights: Sequence[float]) -> Array:
    """The weighted mean of predictions of the same rows."""
    return np.asarray(sum(weight * part for part, weight in zip(predictions, weights, strict=True)))


def as_prediction(output: Array, scale: TargetScale | None) -> Array:
    """A learner's output in the unit of the target; float64."""
    output = np.asarray(output, np.float64)
    return output if scale is None else scale.inverse(output.reshape(len(output)))


@dataclass(frozen=True)
class EncodedFolds:
    """The folds as a learner takes them, with the target's scale of each."""

    folds: list[Fold]
    scales: list[TargetScale | None]


def encode_fold(
    context: Context, architecture: Architecture, settings: Settings, rows: FoldRows
) -> tuple[Fold, TargetScale | None]:
    """Everything fitted on the training rows of the fold only; widths come from the whole training part."""
    encoder, inputs = _encoded(context, architecture, settings, rows.training)
    scale = _target_scale(context, settings, rows.training)
    training, validation = (_training(context, encoder, inputs, scale, part) for part in (rows.training, rows.validation))
    return Fold(training, validation), scale


def encode_folds(context: Context, architecture: Architecture, settings: Settings, rows: list[FoldRows]) -> EncodedFolds:
    pairs = [encode_fold(context, architecture, settings, each) for each in rows]
    return EncodedFolds([fold for fold, _ in pairs], [scale for _, scale in pairs])


def fit_pipeline(
    context: Context, architecture: Architecture, learner: Learner, settings: Settings, rounds: int, seed: int, rows: Array
) -> Pipeline:
    """Fit on `rows` for a fixed number of rounds."""
    encoder, inputs = _encoded(context, architecture, settings, rows)
    scale = _target_scale(context, settings, rows)
    training = _training(context, encoder, inputs, scale, rows)
    return Pipeline(encoder, learner.fit(training, context.problem, settings, rounds, seed), scale)


def build_graph(pipeline: Pipeline | Blend, context: Context, readout: Readout) -> Any:
    """The whole pipeline as one onnx.ModelProto: raw columns in; label and probabilities as they are read out, or value, out."""
    from automl.encoders.graph import GraphBuilder, input_names
    from automl.encoders.readout import calibrated, called

    builder = GraphBuilder(reserved=input_names(context.table.columns).values())
    output = pipeline.graph(builder, {})
    profile = context.profile
    if profile.task is Task.REGRESSION:
        builder.output(output, "value", "float64", ("batch", 1))
        return builder.build()
    output = calibrated(builder, output, readout, context.positive)
    best = called(builder, output, readout, context.positive)
    integers = profile.class_type in ("int64", "boolean")
    if integers:
        codes = list(range(len(profile.classes))) if profile.class_type == "boolean" else [int(each) for each in profile.classes]
        labels = builder.initializer(np.asarray(codes, np.int64), "classes")
        label = builder.node("Gather", [labels, best], axis=0)
    else:
        label = builder.node(
            "LabelEncoder",
            [best],
            domain="ai.onnx.ml",
            keys_int64s=list(range(len(profile.classes))),
            values_strings=list(profile.classes),
            default_string="",
        )
    builder.output(label, "label", "int64" if integers else "string", ("batch",))
    builder.output(output, "probabilities", "float32", ("batch", len(profile.classes)))
    return builder.build()


def _training(context: Context, encoder: Any, inputs: dict[str, Array], scale: TargetScale | None, rows: Array) -> Training:
    weight = context.weight if context.fitting_weight is None else context.fitting_weight
    return Training(
        {name: block[rows] for name, block in inputs.items()},
        _scaled(context, scale, rows),
        None if weight is None else weight[rows],
        encoder.shapes,
    )


def _encoded(context: Context, architecture: Architecture, settings: Settings, rows: Array) -> tuple[Any, dict[str, Array]]:
    """The encoder fitted on `rows` and all rows of the table encoded by it, kept for the trials that follow.

    An encoder that depends on the settings says so by `key`; one that learns nothing from the rows by `learns = False`;
    one that learns from their target by `supervised = True`: it encodes those rows as if each had been left out.
    """
    unfitted = context.modality.encoder(context.profile, architecture.encoding, settings)
    rows_matter = getattr(unfitted, "learns", True)
    key = (architecture.encoding, getattr(unfitted, "key", ""), hash(rows.tobytes()) if rows_matter else 0)
    if key not in context.encoded:
        if getattr(unfitted, "supervised", False):
            known = context.target[rows], None if context.weight is None else context.weight[rows]
            context.encoded[key] = unfitted.fit_transform(context.table, rows, context.training_rows, *known)
        else:
            encoder = unfitted.fit(context.table, rows, context.training_rows)
            context.encoded[key] = (encoder, encoder.transform(context.table))
        _forget_beyond(context.encoded, CACHE_BYTES)
    kept: tuple[Any, dict[str, Array]] = context.encoded[key]
    return kept


CACHE_BYTES = 1 << 30
"""Encoded tables of one context may take this much memory; the oldest go first."""


def _forget_beyond(cache: dict[Any, Any], limit: int) -> None:
    while len(cache) > 1 and sum(_bytes(block) for _, blocks in cache.values() for block in blocks.values()) > limit:
        cache.pop(next(iter(cache)))


def _bytes(block: Any) -> int:
    """Of an array, or of a sparse matrix."""
    return int(block.nbytes if hasattr(block, "nbytes") else block.data.nbytes + block.indices.nbytes + block.indptr.nbytes)


def _target_scale(context: Context, settings: Settings, rows: Array) -> TargetScale | None:
    if context.profile.task is not Task.REGRESSION:
        return None
    return TargetScale.fit(context.target[rows], settings.get(SETTING) == "log")


def _scaled(context: Context, scale: TargetScale | None, rows: Array) -> Array:
    return context.target[rows] if scale is None else scale.forward(context.target[rows])
