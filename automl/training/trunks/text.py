"""Nets that read tokens: embeddings, then convolutions of several widths or a GRU in both directions, then pooling.

Imports Keras: import this module inside functions only.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from automl.core.space import Settings

Array = np.ndarray[Any, Any]


def cnn(tokens: Any, vocabulary: int, settings: Settings) -> Any:
    """Convolutions of several widths side by side, each pooled to its maximum over the text (Kim, 2014).

    tokens: (batch, length) int32, 0 after the end; vocabulary: tokens are below it. Returns (batch, features).
    Settings: embedding (width), filters (a width), widths (words that a filter sees at most; each from 1 or 2 up to it has
    its own filters), embedding_dropout, dropout.
    """
    tokens = TrimPadding()(tokens)
    mask = TokenMask()(tokens)
    x = keras.layers.Multiply()([_embedded(tokens, vocabulary, settings), mask])  # beyond the end as beyond the padding
    pooled = []
    for width in range(2 if settings.get("widths", 4) > 2 else 1, int(settings.get("widths", 4)) + 1):
        filtered = keras.layers.Conv1D(int(settings.get("filters", 96)), width, padding="same", activation="relu")(x)
        pooled.append(keras.layers.GlobalMaxPooling1D()(keras.layers.Multiply()([filtered, mask])))
    x = keras.layers.Concatenate()(pooled) if len(pooled) > 1 else pooled[0]
    return keras.layers.Dropout(float(settings.get("dropout", 0.5)))(x)


def gru(tokens: Any, vocabulary: int, settings: Settings) -> Any:
    """A GRU from the beginning and one from the end (Cho et al., 2014), their states pooled over the text.

    The second reads the tokens in reverse order, so that in both the padding comes last and no mask is needed inside.

    tokens: (batch, length) int32, 0 after the end; vocabulary: tokens are below it. Returns (batch, features).
    Settings: embedding (width), units (a direction), pooling ("max" or "mean_max"), embedding_dropout, dropout.
    """
    tokens = TrimPadding()(tokens)
    mask = TokenMask()(tokens)
    embedding = _embedding(vocabulary, settings)
    drop = float(settings.get("embedding_dropout", 0.2))
    pooled = []
    for order in (tokens, ReverseTokens()(tokens)):
        x = keras.layers.Dropout(drop)(embedding(order))
        states = keras.layers.GRU(int(settings.get("units", 64)), return_sequences=True)(x)
        pooled.append(MaskedMax()([states, mask]))
        if settings.get("pooling", "mean_max") == "mean_max":
            pooled.append(MaskedMean()([states, mask]))
    return keras.layers.Dropout(float(settings.get("dropout", 0.3)))(keras.layers.Concatenate()(pooled))


def token_lengths(tokens: Array) -> Array:
    """Tokens of each row that are no padding, (rows,)."""
    return np.asarray(np.count_nonzero(tokens, axis=1))


def _embedding(vocabulary: int, settings: Settings) -> Any:
    initializer = keras.initializers.RandomUniform(-0.25, 0.25)
    return keras.layers.Embedding(int(vocabulary), int(settings.get("embedding", 64)), embeddings_initializer=initializer)


def _embedded(tokens: Any, vocabulary: int, settings: Settings) -> Any:
    x = _embedding(vocabulary, settings)(tokens)
    return keras.layers.Dropout(float(settings.get("embedding_dropout", 0.2)))(x)


class _OnTokens(keras.layers.Layer):
    """A layer without weights whose output has the batch and the length of its first input."""

    width: int | None = None
    dtype_out = "float32"

    def compute_output_spec(self, inputs: Any) -> Any:
        first = inputs[0] if isinstance(inputs, list | tuple) else inputs
        return keras.KerasTensor((*first.shape[:2], *(() if self.width is None else (self.width,))), dtype=self.dtype_out)


@keras.saving.register_keras_serializable(package="automl")
class TrimPadding(_OnTokens):
    """Leaves out the columns at the end in which no row of the batch has a token.

    Input shape: (batch, length) integers. Output shape: (batch, longest text of the batch), at least one column.
    """

    dtype_out = "int32"

    def call(self, inputs: Any) -> Any:
        longest = tf.reduce_max(tf.reduce_sum(tf.cast(inputs > 0, tf.int32), axis=1))
        return inputs[:, : tf.maximum(longest, 1)]

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor((inputs.shape[0], None), dtype="int32")


@keras.saving.register_keras_serializable(package="automl")
class TokenMask(_OnTokens):
    """1 where there is a token, 0 at padding.

    Input shape: (batch, length) integers. Output shape: (batch, length, 1).
    """

    width = 1

    def call(self, inputs: Any) -> Any:
        return tf.cast(inputs > 0, tf.float32)[:, :, tf.newaxis]


@keras.saving.register_keras_serializable(package="automl")
class ReverseTokens(_OnTokens):
    """The tokens of each row from its last to its first, the padding still at the end.

    Input shape: (batch, length) integers. Output shape: the same.
    """

    dtype_out = "int32"

    def call(self, inputs: Any) -> Any:
        lengths = tf.reduce_sum(tf.cast(inputs > 0, tf.int32), axis=1)
        return tf.reverse_sequence(inputs, lengths, seq_axis=1, batch_axis=0)


class _Pool(keras.layers.Layer):
    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor((inputs[0].shape[0], inputs[0].shape[2]), dtype="float32")


@keras.saving.register_keras_serializable(package="automl")
class MaskedMax(_Pool):
    """The maximum of each feature over the tokens of a text; -1 where there is none, as states of a GRU are above.

    Input shape: [(batch, length, features), (batch, length, 1)]. Output shape: (batch, features).
    """

    def call(self, inputs: Any) -> Any:
        values, mask = inputs
        return tf.reduce_max(values * mask - (1.0 - mask), axis=1)


@keras.saving.register_keras_serializable(package="automl")
class MaskedMean(_Pool):
    """The mean of each feature over the tokens of a text; 0 where there is none.

    Input shape: [(batch, length, features), (batch, length, 1)]. Output shape: (batch, features).
    """

    def call(self, inputs: Any) -> Any:
        values, mask = inputs
        return tf.reduce_sum(values * mask, axis=1) / tf.maximum(tf.reduce_sum(mask, axis=1), 1.0)
