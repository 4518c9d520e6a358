"""Keras layers that nets for tables share. Imports Keras: import this module inside functions only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="automl")
class Scale(keras.layers.Layer):
    """Multiplies every feature by a weight of its own, 1 at the start, so that training can turn features down.

    Input shape: (batch, features). Output shape: the same.
    """

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=(int(input_shape[-1]),), initializer="ones", name="scale")

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale


@keras.saving.register_keras_serializable(package="automl")
class OneHot(keras.layers.Layer):
    """One-hot codes of several columns side by side; code 0 (missing, unseen) gives zeros, two levels give -1 and 1.

    cardinalities: levels a column, code 0 included; columns: which columns of the input they belong to.
    Input shape: (..., columns) integers.
    Output shape: (..., width), where a column with c levels takes c - 1 places, and one if that is two.
    """

    def __init__(self, cardinalities: Sequence[int], columns: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cardinalities = [int(cardinality) for cardinality in cardinalities]
        self.columns = [int(column) for column in columns]
        slots: list[tuple[int, int, int]] = []
        for column, cardinality in zip(self.columns, self.cardinalities, strict=True):
            if cardinality == 3:
                slots.append((column, 1, 2))
            else:
                slots += [(column, level, -1) for level in range(1, cardinality)]
        self.slots = slots

    def call(self, inputs: Any) -> Any:
        column, plus, minus = (list(values) for values in zip(*self.slots, strict=True))
        codes = tf.gather(tf.cast(inputs, tf.int32), tf.constant(column, tf.int32), axis=-1)  # (..., width)
        positive = tf.cast(tf.equal(codes, tf.constant(plus, tf.int32)), tf.float32)
        if max(minus) < 0:
            return positive
        return positive - tf.cast(tf.equal(codes, tf.constant(minus, tf.int32)), tf.float32)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], len(self.slots))

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cardinalities": self.cardinalities, "columns": self.columns}


@keras.saving.register_keras_serializable(package="automl")
class CategoryEmbedding(keras.layers.Layer):
    """A learned vector for every level of one column; codes beyond the cardinality count as code 0.

    Input shape: (batch, columns) integers. Output shape: (batch, width).
    """

    def __init__(self, column: int, cardinality: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.column, self.cardinality, self.width = int(column), int(cardinality), int(width)

    def build(self, input_shape: Any) -> None:
        initializer = keras.initializers.RandomNormal(stddev=0.5)
        self.table = self.add_weight(shape=(self.cardinality, self.width), initializer=initializer, name="embeddings")

    def call(self, inputs: Any) -> Any:
        codes = tf.cast(inputs[:, self.column], tf.int32)
        return tf.gather(self.table, tf.where(codes < self.cardinality, codes, 0))

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor((inputs.shape[0], self.width), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "column": self.column, "cardinality": self.cardinality, "width": self.width}


class TensorDropout(keras.layers.Layer):
    """Dropout whose rate and seed are tensors, set by the training loop before it calls the net.

    Input shape: any. Output shape: the same.
    """

    rate: Any = None
    seed: Any = None

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate is None:
            return inputs
        drawn = random_bits(tf.shape(inputs), self.seed)
        dropped = drawn < tf.cast(self.rate * 2.0**32, tf.uint32)
        return tf.where(dropped, 0.0, inputs / (1.0 - self.rate))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def random_bits(shape: Any, seed: Any) -> Any:
    """Uniform uint32 values of this shape, a function of the seed (two int32 values) and the position alone.

    A counter goes through the finalizer of MurmurHash3. That is random enough for dropout masks, and XLA fuses it into
    the multiplication; TensorFlow's own stateless generator took 60 % of a small net's training step.
    """
    first, second = tf.unstack(tf.bitcast(tf.cast(seed, tf.int32), tf.uint32))
    key = _mixed(first + _mixed(second + tf.constant(0x9E3779B9, tf.uint32)))
    counter = tf.bitcast(tf.range(tf.reduce_prod(shape), dtype=tf.int32), tf.uint32)
    return tf.reshape(_mixed(counter * tf.constant(0x9E3779B9, tf.uint32) + key), shape)


def _mixed(values: Any) -> Any:
    """MurmurHash3's finalizer: every bit of the input changes every bit of the output half of the time."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        values = tf.bitwise.bitwise_xor(values, tf.bitwise.right_shift(values, tf.constant(shift, tf.uint32)))
        values = values * tf.constant(factor, tf.uint32)
    return tf.bitwise.bitwise_xor(values, tf.bitwise.right_shift(values, tf.constant(16, tf.uint32)))
