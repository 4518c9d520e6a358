"""Keras layers with a leading axis of nets. Imports Keras: import this module inside functions only.

A layer takes (nets, batch, features), or (1, batch, features) where all nets see the same rows. Its weights have the
axis of the nets first, so no net ever touches another. They are set by `start_nets`, which sends training rows through
the net once, layer by layer: a layer may look at what reaches it before it chooses its weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Array = np.ndarray[Any, Any]
PACKAGE = "automl"
CONVEX_ROWS = 5
"""Training rows whose convex combination is the point at which a unit's input is zero at the start ("he+5")."""


def start_nets(net: Any, inputs: dict[str, Array], seeds: Sequence[int]) -> None:
    """Set all weights: of each net by its own seed and its own rows.

    inputs: {block: (nets, rows, columns)} training rows, the same number for every net.
    """
    layers = [layer for layer in net.layers if isinstance(layer, PackedLayer)]
    for number, layer in enumerate(layers):
        layer.generators = [np.random.default_rng([seed % 2**32, number]) for seed in seeds]
    net({name: tf.constant(values) for name, values in inputs.items()}, training=False)
    for layer in layers:
        layer.generators = None


class PackedLayer(keras.layers.Layer):
    """What layers with an axis of nets share; nets: how many. `start` chooses the weights from the first rows seen."""

    def __init__(self, nets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nets = int(nets)
        self.generators: list[np.random.Generator] | None = None

    def weight(self, name: str, *shape: int, trainable: bool = True) -> Any:
        return self.add_weight(shape=(self.nets, *shape), initializer="zeros", name=name, trainable=trainable)

    def drawn(self, draw: Any) -> Array:
        """One array a net, (nets, ...) float32. draw: from the net's generator."""
        assert self.generators is not None
        return np.stack([draw(generator) for generator in self.generators]).astype(np.float32)

    def start(self, inputs: Any) -> None:
        raise NotImplementedError

    def forward(self, inputs: Any) -> Any:
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        if self.generators is not None:
            self.start(inputs)
        return self.forward(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "nets": self.nets}


@keras.saving.register_keras_serializable(package=PACKAGE)
class PackedScale(PackedLayer):
    """Multiplies every feature by a weight of its own, 1 at the start.

    Input shape: (nets, batch, features). Output shape: the same.
    """

    def build(self, input_shape: Any) -> None:
        self.scale = self.weight("scale", int(input_shape[-1]))

    def start(self, inputs: Any) -> None:
        self.scale.assign(tf.ones_like(self.scale))

    def forward(self, inputs: Any) -> Any:
        return inputs * self.scale[:, None]


@keras.saving.register_keras_serializable(package=PACKAGE)
class PackedRobustScale(PackedLayer):
    """Centres by the median, scales by the quartile range, clips smoothly to (-3, 3); learned from the first rows only.

    Where the quartiles are equal, half the range takes their place; a column that does not vary becomes 0.
    Input shape: (nets, batch, features). Output shape: the same.
    """

    def build(self, input_shape: Any) -> None:
        self.center = self.weight("center", int(input_shape[-1]), trainable=False)
        self.factor = self.weight("factor", int(input_shape[-1]), trainable=False)

    def start(self, inputs: Any) -> None:
        values = np.asarray(inputs)
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=1)
        spread = np.where(high > low, high - low, 0.5 * (values.max(axis=1) - values.min(axis=1)))
        self.center.assign(middle)
        self.factor.assign(np.where(spread > 0, 1.0 / np.maximum(spread, 1e-30), 0.0))

    def forward(self, inputs: Any) -> Any:
        scaled = (inputs - self.center[:, None]) * self.factor[:, None]
        return scaled / tf.sqrt(1.0 + tf.square(scaled / 3.0))


@keras.saving.register_keras_serializable(package=PACKAGE)
class PackedEmbedding(PackedLayer):
    """A learned vector for every level of several columns; codes beyond a cardinality count as code 0.

    Input shape: (nets, batch, columns) integers. Output shape: (nets, batch, taken columns * width).
    """

    def __init__(self, nets: int, columns: Sequence[int], cardinalities: Sequence[int], width: int, **kwargs: Any) -> None:
        super().__init__(nets, **kwargs)
        self.columns = [int(column) for column in columns]
        self.cardinalities = [int(cardinality) for cardinality in cardinalities]
        self.width = int(width)

    def build(self, input_shape: Any) -> None:
        self.table = self.weight("embeddings", sum(self.cardinalities), self.width)

    def start(self, inputs: Any) -> None:
        self.table.assign(self.drawn(lambda generator: generator.normal(size=tuple(self.table.shape[1:]))))

    def forward(self, inputs: Any) -> Any:
        codes = tf.gather(tf.cast(inputs, tf.int32), tf.constant(self.columns, tf.int32), axis=-1)
        first = np.concatenate([[0], np.cumsum(self.cardinalities)[:-1]])
        places = tf.where(codes < tf.constant(self.cardinalities, tf.int32), codes, 0) + tf.constant(first, tf.int32)
        of_net = tf.constant(np.arange(self.nets)[:, None, None] * sum(self.cardinalities), tf.int32)
        found = tf.gather(tf.reshape(self.table, (-1, self.width)), places + of_net)  # (nets, batch, columns, width)
        return tf.reshape(found, (self.nets, tf.shape(inputs)[1], len(self.columns) * self.width))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], input_shape[1], len(self.columns) * self.width)

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        own = {"columns": self.columns, "cardinalities": self.cardinalities, "width": self.width}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package=PACKAGE)
class PackedPeriodic(PackedLayer):
    """PBLD: every number x becomes (W cos(2 pi w x + b) + c, x), with weights of its own (RealMLP, arXiv:2407.04491).

    frequencies: cosines a number, w drawn from N(0, sigma^2), b even in (-pi, pi). width: values a number, x included.
    Input shape: (nets, batch, features). Output shape: (nets, batch, features * width).
    """

    def __init__(self, nets: int, frequencies: int = 16, width: int = 4, sigma: float = 0.1, **kwargs: Any) -> None:
        super().__init__(nets, **kwargs)
        self.frequencies, self.width, self.sigma = int(frequencies), int(width), float(sigma)

    def build(self, input_shape: Any) -> None:
        features = int(input_shape[-1])
        self.frequency = self.weight("frequency", features, self.frequencies)
        self.phase = self.weight("phase", features, self.frequencies)
        self.mixing = self.weight("mixing", features, self.frequencies, self.width - 1)
        self.offset = self.weight("offset", features, self.width - 1)

    def start(self, inputs: Any) -> None:
        bound = 1.0 / math.sqrt(self.frequencies)
        waves, mixing, offset = (tuple(each.shape[1:]) for each in (self.frequency, self.mixing, self.offset))
        self.frequency.assign(self.drawn(lambda generator: generator.normal(scale=self.sigma, size=waves)))
        self.phase.assign(self.drawn(lambda generator: generator.uniform(-math.pi, math.pi, waves)))
        self.mixing.assign(self.drawn(lambda generator: generator.uniform(-bound, bound, mixing)))
        self.offset.assign(self.drawn(lambda generator: generator.uniform(-bound, bound, offset)))

    def forward(self, inputs: Any) -> Any:
        frequency, phase, mixing, offset = (each[:, None] for each in (self.frequency, self.phase, self.mixing, self.offset))
        waves = tf.cos(2.0 * math.pi * inputs[..., None] * frequency + phase)  # (nets, batch, features, frequencies)
        mixed = tf.reduce_sum(waves[..., None] * mixing, axis=-2) + offset  # (nets, batch, features, width - 1)
        value = tf.broadcast_to(inputs[..., None], tf.concat([tf.shape(mixed)[:-1], [1]], axis=0))
        joined = tf.concat([mixed, value], axis=-1)
        return tf.reshape(joined, (self.nets, tf.shape(inputs)[1], inputs.shape[-1] * self.width))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], input_shape[1], input_shape[-1] * self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "frequencies": self.frequencies, "width": self.width, "sigma": self.sigma}


@keras.saving.register_keras_serializable(package=PACKAGE)
class PackedPiecewiseLinear(PackedLayer):
    """Every number becomes a linear embedding plus one that bends at quantiles (version B of arXiv:2203.05556).

    bins: between quantiles of the first rows; equal quantiles count once. The first bin is open below, the last above.
    The bending part is 0 at the start.
    Input shape: (nets, batch, features). Output shape: (nets, batch, features * width).
    """

    def __init__(self, nets: int, bins: int = 32, width: int = 12, **kwargs: Any) -> None:
        super().__init__(nets, **kwargs)
        self.bins, self.width = int(bins), int(width)

    def build(self, input_shape: Any) -> None:
        features = int(input_shape[-1])
        self.slope = self.weight("linear_slope", features, self.width)
        self.offset = self.weight("linear_offset", features, self.width)
        self.bending = self.weight("bending", features, self.bins, self.width)
        self.low, self.factor, self.least, self.most = (
            self.weight(name, features, self.bins, trainable=False) for name in ("low", "factor", "least", "most")
        )

    def start(self, inputs: Any) -> None:
        bound, shape = 1.0 / math.sqrt(self.width), tuple(self.slope.shape[1:])
        self.slope.assign(self.drawn(lambda generator: generator.uniform(-bound, bound, shape)))
        self.offset.assign(self.drawn(lambda generator: generator.uniform(-bound, bound, shape)))
        values = np.asarray(inputs, np.float64)
        places = np.array([[_bins(column, self.bins) for column in net.T] for net in values], np.float32)
        for weight, place in zip((self.low, self.factor, self.least, self.most), np.moveaxis(places, 2, 0), strict=True):
            weight.assign(place)

    def forward(self, inputs: Any) -> Any:
        low, factor, least, most = (each[:, None] for each in (self.low, self.factor, self.least, self.most))
        parts = tf.clip_by_value((inputs[..., None] - low) * factor, least, most)  # (nets, batch, features, bins)
        bent = tf.einsum("nbft,nftw->nbfw", parts, self.bending)
        embedded = inputs[..., None] * self.slope[:, None] + self.offset[:, None] + bent
        return tf.reshape(embedded, (self.nets, tf.shape(inputs)[1], inputs.shape[-1] * self.width))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], input_shape[1], input_shape[-1] * self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bins": self.bins, "width": self.width}


FAR = 1e9


def _bins(values: Array, bins: int) -> Array:
    """(4, bins): lower edge, 1 / width, least and most value of each bin of a column; unused bins come first and give 0.

    values: (rows,). The value of bin t is (x - lower) / width cut to [0, 1], but open below in the first bin and above
    in the last.
    """
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, bins + 1)).astype(np.float32)).astype(np.float64)
    edges = edges[np.concatenate([[True], np.diff(edges) > 1e-6])]
    count = len(edges) - 1
    found = np.zeros((4, bins))
    if count < 1:
        return found
    found[0, -count:], found[1, -count:], found[3, -count:] = edges[:-1], 1.0 / np.diff(edges), 1.0
    found[2, -count], found[3, -1] = -FAR, FAR
    return found


@keras.saving.register_keras_serializable(package=PACKAGE)
class PackedDense(PackedLayer):
    """A dense layer a net.

    style "ntp": x W / sqrt(inputs) + b; at the start every output has standard deviation 1 on the training rows, and is 0
        at a random convex combination of them (RealMLP, arXiv:2407.04491).
    style "uniform": x W + b, both even in +-1 / sqrt(inputs).
    Input shape: (nets, ..., features). Output shape: (nets, ..., units).
    """

    def __init__(self, nets: int, units: int, style: str = "ntp", **kwargs: Any) -> None:
        super().__init__(nets, **kwargs)
        self.units, self.style = int(units), str(style)

    def build(self, input_shape: Any) -> None:
        self.inner = int(input_shape[-1])
        self.kernel = self.weight("kernel", self.inner, self.units)
        self.bias = self.weight("bias", self.units)

    def start(self, inputs: Any) -> None:
        bound = 1.0 / math.sqrt(self.inner)
        if self.style == "uniform":
            self.kernel.assign(self.drawn(lambda generator: generator.uniform(-bound, bound, (self.inner, self.units))))
            self.bias.assign(self.drawn(lambda generator: generator.uniform(-bound, bound, self.units)))
            return
        kernel = self.drawn(lambda generator: generator.normal(size=(self.inner, self.units)))
        outputs = np.asarray(tf.matmul(tf.cast(inputs, tf.float32) * bound, kernel))  # (nets, rows, units)
        deviation = outputs.std(axis=1, keepdims=True)
        factor = np.where(deviation > 1e-6, 1.0 / np.maximum(deviation, 1e-6), 1.0)
        self.kernel.assign(kernel * factor)
        rows = self.drawn(lambda generator: generator.integers(outputs.shape[1], size=(CONVEX_ROWS, self.units))).astype(int)
        shares = self.drawn(lambda generator: generator.dirichlet(np.ones(CONVEX_ROWS), self.units).T)  # (nets, rows, units)
        self.bias.assign(-(np.take_along_axis(outputs * factor, rows, axis=1) * shares).sum(axis=1))

    def forward(self, inputs: Any) -> Any:
        if self.style == "ntp":
            inputs = inputs * (1.0 / math.sqrt(self.inner))
        return tf.matmul(inputs, self.kernel) + self.bias[:, None]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "style": self.style}


@keras.saving.register_keras_serializable(package=PACKAGE)
class PackedActivation(PackedLayer):
    """x + a (f(x) - x) with a learned `a` for every feature, 1 at the start. activation: f, a name that Keras knows.

    Input shape: (nets, batch, features). Output shape: the same.
    """

    def __init__(self, nets: int, activation: str, **kwargs: Any) -> None:
        super().__init__(nets, **kwargs)
        self.activation = str(activation)

    def build(self, input_shape: Any) -> None:
        self.bend = self.weight("bend", int(input_shape[-1]))

    def start(self, inputs: Any) -> None:
        self.bend.assign(tf.ones_like(self.bend))

    def forward(self, inputs: Any) -> Any:
        bent = keras.activations.get(self.activation)(inputs)
        return inputs + self.bend[:, None] * (bent - inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": self.activation}


@keras.saving.register_keras_serializable(package=PACKAGE)
class PackedMembers(PackedLayer):
    """Gives every member of a net its own view of the features: each multiplied by a number of its own (TabM-mini).

    members: views a net. chunks: of the features, in order; at the start, features of one chunk share their number.
    style: the numbers at the start are "signs", or "normal" where the features are embeddings.
    Input shape: (nets, batch, features). Output shape: (nets, batch * members, features).
    """

    def __init__(self, nets: int, members: int, chunks: Sequence[int], style: str = "normal", **kwargs: Any) -> None:
        super().__init__(nets, **kwargs)
        self.members, self.chunks, self.style = int(members), [int(chunk) for chunk in chunks], str(style)

    def build(self, input_shape: Any) -> None:
        self.view = self.weight("view", self.members, int(input_shape[-1]))

    def start(self, inputs: Any) -> None:
        shape = (self.members, len(self.chunks))

        def draw(generator: np.random.Generator) -> Array:
            number = generator.choice([-1.0, 1.0], shape) if self.style == "signs" else generator.normal(size=shape)
            return np.repeat(number, self.chunks, axis=1)

        self.view.assign(self.drawn(draw))

    def call(self, inputs: Any) -> Any:
        if self.generators is not None:
            self.start(inputs)
            # The layers behind start from as many rows as those before: each row becomes one a member.
            inputs = inputs[:, : math.ceil(int(inputs.shape[1]) / self.members)]
        return self.forward(inputs)

    def forward(self, inputs: Any) -> Any:
        views = inputs[:, :, None] * self.view[:, None]  # (nets, batch, members, features)
        return tf.reshape(views, (self.nets, tf.shape(inputs)[1] * self.members, inputs.shape[-1]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], None, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "members": self.members, "chunks": self.chunks, "style": self.style}


@keras.saving.register_keras_serializable(package=PACKAGE)
class PackedHeads(PackedLayer):
    """A dense output layer of its own for every member.

    Input shape: (nets, batch * members, features). Output shape: (nets, batch, members, units).
    """

    def __init__(self, nets: int, members: int, units: int, **kwargs: Any) -> None:
        super().__init__(nets, **kwargs)
        self.members, self.units = int(members), int(units)

    def build(self, input_shape: Any) -> None:
        self.inner = int(input_shape[-1])
        self.kernel = self.weight("kernel", self.members, self.inner, self.units)
        self.bias = self.weight("bias", self.members, self.units)

    def start(self, inputs: Any) -> None:
        bound = 1.0 / math.sqrt(self.inner)
        shape = tuple(self.kernel.shape[1:])
        self.kernel.assign(self.drawn(lambda generator: generator.uniform(-bound, bound, shape)))
        self.bias.assign(self.drawn(lambda generator: generator.uniform(-bound, bound, (self.members, self.units))))

    def forward(self, inputs: Any) -> Any:
        separate = tf.reshape(inputs, (self.nets, tf.shape(inputs)[1] // self.members, self.members, self.inner))
        return tf.einsum("nbkd,nkdo->nbko", separate, self.kernel) + self.bias[:, None]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], None, self.members, self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "members": self.members, "units": self.units}


@keras.saving.register_keras_serializable(package=PACKAGE)
class ForAllNets(keras.layers.Layer):
    """The same rows for all nets: (batch, columns) to (1, batch, columns)."""

    def call(self, inputs: Any) -> Any:
        return inputs[None]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (1, *input_shape)


@keras.saving.register_keras_serializable(package=PACKAGE)
class OfEachNet(keras.layers.Layer):
    """What is the same for all nets, once for each of them, so that it stands beside what differs.

    Input shape: (1, batch, features) or (nets, batch, features). Output shape: (nets, batch, features).
    """

    def __init__(self, nets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nets = int(nets)

    def call(self, inputs: Any) -> Any:
        return tf.broadcast_to(inputs, (self.nets, tf.shape(inputs)[1], inputs.shape[-1]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (self.nets, *input_shape[1:])

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "nets": self.nets}


@keras.saving.register_keras_serializable(package=PACKAGE)
class MeanOfNets(keras.layers.Layer):
    """What a pack says together: the logarithm of the mean probability, or the mean value within bounds.

    bounds: (least, most) of a value; None where the outputs are logits.
    sharpness: what the log-probabilities of each net are multiplied by, one over its temperature.
    Input shape: (nets, batch, outputs) or (nets, batch, members, outputs). Output shape: (batch, outputs).
    """

    def __init__(self, bounds: Sequence[float] | None = None, sharpness: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bounds = None if bounds is None else [float(bound) for bound in bounds]
        self.sharpness = float(sharpness)

    def call(self, inputs: Any) -> Any:
        if self.bounds is not None:
            apart = inputs if len(inputs.shape) == 3 else tf.reduce_mean(inputs, axis=2)
            return tf.clip_by_value(tf.reduce_mean(apart, axis=0), *self.bounds)
        if len(inputs.shape) == 4:
            inputs = tf.math.log(tf.maximum(tf.reduce_mean(tf.nn.softmax(inputs), axis=2), 1e-30))
        together = tf.reduce_mean(tf.nn.softmax(self.sharpness * inputs), axis=0)
        return tf.math.log(tf.maximum(together, 1e-30))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[1], input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bounds": self.bounds, "sharpness": self.sharpness}
