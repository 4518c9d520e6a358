"""A pipeline: fitted encoder, fitted learner and the scale of the target; in Python and as one ONNX graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.architecture import Architecture, Fitted, Fold, Learner, Training
from automl.core.files import write_json
from automl.core.memory import memory_of
from automl.core.readout import Readout
from automl.core.space import Settings
from automl.core.table import Table
from automl.core.tasks import Task
from automl.search.context import Context
from automl.search.contract import inputs_of, model_columns
from automl.search.pooling import pooled, pooled_graph
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
    """An ensemble: what its members predict, put together.

    weights: one a member, with sum one; pool: of its trial; width: of a prediction: classes, or one.
    """

    members: tuple[Pipeline, ...]
    weights: tuple[float, ...]
    names: tuple[str, ...]
    pool: str
    width: int

    @property
    def encoder(self) -> Encoders:
        return Encoders(tuple(member.encoder for member in self.members))

    def predict(self, table: Table) -> Array:
        """Probabilities (rows, classes), or values (rows,) in the unit of the target."""
        return pooled([member.predict(table) for member in self.members], self.weights, self.pool)

    def graph(self, builder: Any, fragments: dict[int, dict[str, str]]) -> str:
        """As of a Pipeline; members with the same fitted encoder share its part of the graph."""
        outputs = [member.graph(builder, fragments) for member in self.members]
        exact = np.float32 if self.members[0].scale is None else np.float64
        return pooled_graph(builder, outputs, self.weights, self.pool, self.width, exact)

    def save(self, folder: Path) -> None:
        weights = dict(zip(self.names, self.weights, strict=True))
        write_json(folder / "ensemble.json", {"pool": self.pool, "weights": weights})
        for name, member in zip(self.names, self.members, strict=True):
            (folder / name).mkdir()
            member.save(folder / name)


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
    encoded = _encoded(context, architecture, settings, rows.training, np.concatenate([rows.training, rows.validation]))
    scale = _target_scale(context, settings, rows.training)
    training, validation = (_training(context, encoded, scale, part) for part in (rows.training, rows.validation))
    kept = encoded.kept.setdefault((hash(rows.training.tobytes()), hash(rows.validation.tobytes())), {})
    return Fold(training, validation, kept), scale


def encode_folds(context: Context, architecture: Architecture, settings: Settings, rows: list[FoldRows]) -> EncodedFolds:
    pairs = [encode_fold(context, architecture, settings, each) for each in rows]
    return EncodedFolds([fold for fold, _ in pairs], [scale for _, scale in pairs])


def fit_pipeline(
    context: Context, architecture: Architecture, learner: Learner, settings: Settings, rounds: int, seed: int, rows: Array
) -> Pipeline:
    """Fit on `rows` for a fixed number of rounds."""
    encoded = _encoded(context, architecture, settings, rows, rows, getattr(learner, "most_rows", None))
    if not encoded.holds(rows):  # a learner that looks at a part of them only
        assert encoded.rows is not None
        rows = encoded.rows
    scale = _target_scale(context, settings, rows)
    training = _training(context, encoded, scale, rows)
    return Pipeline(encoded.encoder, learner.fit(training, context.problem, settings, rounds, seed), scale)


def build_graph(pipeline: Pipeline | Blend, context: Context, readout: Readout) -> Any:
    """The whole pipeline as one onnx.ModelProto: raw columns in; label and probabilities as they are read out, or value, out."""
    from automl.encoders.graph import GraphBuilder
    from automl.encoders.readout import calibrated, called

    inputs = inputs_of(model_columns(context.profile, context.plan))
    builder = GraphBuilder(reserved=[name for name, _ in inputs.values()])
    output = pipeline.graph(builder, {})
    profile = context.profile
    if profile.task is Task.REGRESSION:
        builder.output(output, "value", "float64", ("batch", 1))
        return builder.build()
    output = calibrated(builder, output, readout, context.positive)
    best = called(builder, output, readout, context.positive, inputs)
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


@dataclass(frozen=True)
class Encoded:
    """A fitted encoder and what it made of rows of the table.

    blocks: of these rows. rows: their positions in the table, ascending; None where they are all of it.
    kept: by the rows of a fold, what learners keep of it for further trials; see Fold.
    """

    encoder: Any
    blocks: dict[str, Array]
    rows: Array | None = None
    kept: dict[tuple[int, int], dict[Any, Any]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def held_bytes(self) -> int:
        """Of the blocks, and of what learners keep beside them."""
        return round((WITH_BINS if any(self.kept.values()) else 1.0) * sum(_bytes(block) for block in self.blocks.values()))

    def holds(self, rows: Array) -> bool:
        return self.rows is None or bool(np.isin(rows, self.rows).all())

    def take(self, rows: Array) -> dict[str, Array]:
        if self.rows is None:
            return {name: block[rows] for name, block in self.blocks.items()}
        if np.array_equal(rows, self.rows):
            return self.blocks
        places = np.searchsorted(self.rows, rows)
        return {name: block[places] for name, block in self.blocks.items()}


def _training(context: Context, encoded: Encoded, scale: TargetScale | None, rows: Array) -> Training:
    weight = context.weight if context.fitting_weight is None else context.fitting_weight
    return Training(
        encoded.take(rows),
        _scaled(context, scale, rows),
        None if weight is None else weight[rows],
        encoded.encoder.shapes,
    )


def _encoded(
    context: Context,
    architecture: Architecture,
    settings: Settings,
    rows: Array,
    wanted: Array,
    most_rows: Callable[[Settings, int], int] | None = None,
) -> Encoded:
    """The encoder fitted on `rows` with the `wanted` rows encoded by it, kept for the trials that follow.

    All rows of the table are encoded where no fit is on a sample; where some are, only what is wanted, and only the samples
    are kept. An encoder that depends on the settings says so by `key`; one that learns nothing from the rows by
    `learns = False`; one that learns from their target by `supervised = True`: it encodes those rows as if each had been
    left out. most_rows: how many rows of an encoded width the learner looks at; others are not encoded where there are
    many.
    """
    unfitted = context.modality.encoder(context.profile, architecture.encoding, settings)
    rows_matter = getattr(unfitted, "learns", True)
    key = (architecture.encoding, getattr(unfitted, "key", ""), hash(rows.tobytes()) if rows_matter else 0)
    kept: Encoded | None = context.encoded.get(key)
    if kept is not None and kept.holds(wanted):
        return kept
    encoder = None if getattr(unfitted, "supervised", False) else unfitted.fit(context.table, rows, context.training_rows)
    if encoder is not None and most_rows is not None and context.samples:
        wanted = context.sample(wanted, most_rows(settings, sum(shape[0] for shape in encoder.shapes.values())))
    part = np.unique(wanted) if context.samples else None
    found = _supervised(context, unfitted, rows, part) if encoder is None else _transformed(context, encoder, part)
    if not context.samples or len(rows) <= context.rows_a_fit(context.plan.split.search_rows) + SPARE_ROWS:
        context.encoded[key] = found
        _forget_beyond(context.encoded, memory_of(context.plan.memory_gb).cache_bytes)
    return found


def _transformed(context: Context, encoder: Any, wanted: Array | None) -> Encoded:
    """wanted: rows, ascending; None for the whole table."""
    return Encoded(encoder, encoder.transform(context.table if wanted is None else context.table.take(wanted)), wanted)


def _supervised(context: Context, unfitted: Any, rows: Array, wanted: Array | None) -> Encoded:
    """Fitted and transformed in one step; from a part of the table where only that is wanted."""
    known = context.target[rows], None if context.weight is None else context.weight[rows]
    if wanted is None:
        encoder, blocks = unfitted.fit_transform(context.table, rows, context.training_rows, *known)
    else:
        places, part = np.searchsorted(wanted, rows), context.table.take(wanted)
        encoder, blocks = unfitted.fit_transform(part, places, np.arange(part.rows), *known)
    return Encoded(encoder, blocks, wanted)


SPARE_ROWS = 10_000
"""A sample may be larger by the rows of rare classes."""
WITH_BINS = 1.25
"""Of the bytes of an encoded table: trees keep the number of its bin beside each value, in a byte."""


def _forget_beyond(cache: dict[Any, Any], limit: int) -> None:
    """Encoded tables of one context may take so many bytes, with what learners keep of them; the oldest go first."""
    while len(cache) > 1 and sum(each.held_bytes for each in cache.values()) > limit:
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
