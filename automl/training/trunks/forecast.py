"""Nets that look at a window of a series: a convolutional and a recurrent trunk, and the head that gives quantiles."""

from __future__ import annotations

from typing import Any

from automl.core.space import Settings


def sequence(inputs: dict[str, Any]) -> Any:
    """Values and covariates side by side, (batch, length, channels)."""
    import keras

    values = inputs["values"]
    steps = keras.layers.Reshape((int(values.shape[1]), 1))(values)
    return keras.layers.Concatenate()([steps, inputs["covariates"]]) if "covariates" in inputs else steps


def cnn(x: Any, settings: Settings) -> Any:
    """Strided convolutions, then the last place and the mean of all: what was just now, and what is usual.

    Input shape: (batch, length, channels). Output shape: (batch, features)
    """
    import keras

    filters, kernel = int(settings.get("filters", 32)), int(settings.get("kernel", 5))
    for depth in range(int(settings.get("blocks", 3))):
        stride = 2 if x.shape[1] >= 2 * kernel else 1
        x = keras.layers.Conv1D(filters * (1 + (depth > 0)), min(kernel, int(x.shape[1])), strides=stride, padding="same")(x)
        x = keras.layers.Activation("relu")(x)
    mean = keras.layers.GlobalAveragePooling1D()(x)
    last = keras.layers.Cropping1D((int(x.shape[1]) - 1, 0))(x)
    return keras.layers.Concatenate()([mean, keras.layers.Flatten()(last)])


def gru(x: Any, settings: Settings) -> Any:
    """A GRU over patches of the window, so that a week of hours is a dozen steps.

    Input shape: (batch, length, channels). Output shape: (batch, units)
    """
    import keras

    length, channels = int(x.shape[1]), int(x.shape[2])
    steps = patches(length, int(settings.get("steps", 14)))
    x = keras.layers.Reshape((steps, length // steps * channels))(x)
    x = keras.layers.Dense(int(settings.get("units", 64)), activation="relu")(x)
    return keras.layers.GRU(int(settings.get("units", 64)))(x)


def patches(length: int, wanted: int) -> int:
    """The divisor of the length that is nearest to the wanted number of patches."""
    return min((each for each in range(1, length + 1) if length % each == 0), key=lambda each: (abs(each - wanted), each))


def quantile_head(inputs: dict[str, Any], features: Any, quantiles: int, settings: Settings) -> Any:
    """Quantiles of every step ahead from the trunk's features and what is known of that step; a linear map from the window
    to the steps (NLinear, Zeng et al., 2023) is added to all of them.

    Output shape: (batch, horizon x quantiles)
    """
    import keras

    future = inputs["future"]
    horizon, width = int(future.shape[1]), int(settings.get("width", 64))
    context = keras.layers.Dense(width, activation="relu")(features)
    context = keras.layers.Dropout(float(settings.get("dropout", 0.1)))(context)
    steps = keras.layers.Concatenate()([keras.layers.RepeatVector(horizon)(context), future])
    steps = keras.layers.Dense(width, activation="relu")(steps)
    steps = keras.layers.Dense(quantiles, kernel_initializer="zeros", name="logits")(steps)  # (batch, horizon, quantiles)
    line = keras.layers.Dense(horizon, kernel_initializer="zeros")(inputs["values"])
    line = keras.layers.Reshape((horizon, 1))(line)
    line = keras.layers.Concatenate()([line] * quantiles)
    return keras.layers.Reshape((horizon * quantiles,))(keras.layers.Add()([steps, line]))
