"""Pooling over the steps that a series has. Imports Keras: import this module inside functions only."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="automl")
class MaskedPooling(keras.layers.Layer):
    """The mean and the largest value over the steps where the mask is 1; zeros where it is nowhere.

    Input shape: [(batch, steps, features), (batch, steps, 1)]. Output shape: (batch, 2 * features).
    """

    def call(self, inputs: Any) -> Any:
        values, mask = inputs
        total = tf.maximum(tf.reduce_sum(mask, axis=1), 1.0)  # (batch, 1)
        mean = tf.reduce_sum(values * mask, axis=1) / total
        highest = tf.reduce_max(values * mask - 1e4 * (1.0 - mask), axis=1)
        anything = tf.reduce_max(mask, axis=1)
        return tf.concat([mean, highest * anything], axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        values, _ = input_shape
        return values[0], 2 * values[2]

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor((inputs[0].shape[0], 2 * inputs[0].shape[2]), dtype="float32")


@keras.saving.register_keras_serializable(package="automl")
class LastChannel(keras.layers.Layer):
    """The last channel of a series alone. Input shape: (batch, steps, channels). Output shape: (batch, steps, 1)."""

    def call(self, inputs: Any) -> Any:
        return inputs[:, :, -1:]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], 1)
