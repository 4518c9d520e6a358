"""Bodies of nets for spectrograms: a shallow CNN, and recurrence over frames. Keras is imported inside functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from automl.core.space import Settings

Array = np.ndarray[Any, Any]


def augmented(x: Any, settings: Settings) -> Any:
    """A spectrogram (batch, frames, bands) with SpecAugment in front; "augment" 0 leaves it out, 1 is its usual strength."""
    from automl.training.spec_augment import SpecAugment

    strengths = augmentation(settings)
    return SpecAugment(**strengths)(x) if strengths else x


def augmentation(settings: Settings) -> dict[str, Any]:
    """The arguments of SpecAugment; {} where there is none."""
    strength = float(settings.get("augment", 1.0))
    if strength <= 0:
        return {}
    return {
        "time_fraction": 0.15 * strength,
        "band_fraction": 0.15 * strength,
        "masks": 2,
        "shift_fraction": 0.08 * strength,
        "gain": 0.2 * strength,
    }


def augmented_arrays(x: Array, settings: Settings, generator: np.random.Generator) -> Array:
    """What SpecAugment does to spectrograms (rows, frames, bands), in numpy: for showing what a net sees."""
    strengths = augmentation(settings)
    if not strengths:
        return x
    rows, frames, bands = x.shape
    found = np.empty_like(x)
    for row in range(rows):
        moved = round(generator.uniform(-1, 1) * strengths["shift_fraction"] * frames)
        found[row] = x[row][np.clip(np.arange(frames) + moved, 0, frames - 1)]
        found[row] += np.float32(generator.uniform(-1, 1) * strengths["gain"])
        for _ in range(strengths["masks"]):
            start, length = _mask(frames, strengths["time_fraction"], generator)
            found[row, start : start + length] = 0.0
            start, length = _mask(bands, strengths["band_fraction"], generator)
            found[row, :, start : start + length] = 0.0
    return found


def _mask(size: int, fraction: float, generator: np.random.Generator) -> tuple[int, int]:
    length = int(generator.integers(max(1, round(fraction * size)) + 1))
    return int(generator.integers(size - length + 1)), length


def cnn(x: Any, settings: Settings) -> Any:
    """Convolutions over time and bands, each halving both; steps of two instead of pooling cost a third of the time.

    settings: "filters" of the first block (doubled by each), "blocks", "dropout", "augment".
    Input shape: (batch, frames, bands) standardised log-mel. Output shape: (batch, features).
    """
    import keras

    layers = keras.layers
    filters = int(settings.get("filters", 16))
    x = augmented(x, settings)
    x = layers.Reshape((*x.shape[1:], 1))(x)  # (batch, frames, bands, 1)
    for block in range(int(settings.get("blocks", 4))):
        if min(x.shape[1:3]) < 2:  # nothing is left to halve
            break
        size = 5 if block == 0 else 3
        convolution = layers.Conv2D(filters * 2**block, size, 2, "same", use_bias=False, kernel_initializer="he_normal")
        x = _activated(convolution(x))
    x = pooled(layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x))
    return layers.Dropout(float(settings.get("dropout", 0.3)))(x)


def gru(x: Any, settings: Settings) -> Any:
    """Two convolutions over time and bands, then a GRU over time in both directions, then pooling.

    The convolutions halve the steps of the recurrence, those of long sounds twice.

    settings: "filters" of the convolutions, "units" of each direction, "layers", "dropout", "augment".
    Input shape: (batch, frames, bands) standardised log-mel. Output shape: (batch, features).
    """
    import keras

    layers = keras.layers
    rate, filters = float(settings.get("dropout", 0.3)), int(settings.get("filters", 16))
    x = augmented(x, settings)
    x = layers.Reshape((*x.shape[1:], 1))(x)  # (batch, frames, bands, 1)
    for size, strides in ((5, (2, 2)), (3, (_second_stride(x.shape[1]), 2))):
        x = _activated(layers.Conv2D(filters, size, strides, "same", use_bias=False, kernel_initializer="he_normal")(x))
    x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)  # (batch, steps, features)
    for _ in range(int(settings.get("layers", 1))):
        x = layers.Dropout(rate)(x)
        x = layers.Bidirectional(layers.GRU(int(settings.get("units", 64)), return_sequences=True))(x)
    return layers.Dropout(rate)(pooled(x))


def _second_stride(frames: int) -> int:
    return 2 if frames >= 60 else 1


def _activated(x: Any) -> Any:
    import keras

    return keras.layers.Activation("relu")(keras.layers.BatchNormalization(momentum=0.95)(x))


def pooled(x: Any) -> Any:
    """(batch, frames, features) to (batch, 2 * features): the mean and the largest value over time."""
    import keras

    layers = keras.layers
    return layers.Concatenate()([layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)])


def cnn_size(shape: tuple[int, int], settings: Settings) -> tuple[int, float]:
    """Weights and multiplications of one pass of `cnn` over a spectrogram of this (frames, bands)."""
    filters, (frames, bands) = int(settings.get("filters", 16)), shape
    weights, multiplications, before = 0, 0.0, 1
    for block in range(int(settings.get("blocks", 4))):
        if min(frames, bands) < 2:
            break
        after, size = filters * 2**block, 5 if block == 0 else 3
        frames, bands = math.ceil(frames / 2), math.ceil(bands / 2)
        weights += size * size * before * after
        multiplications += float(size * size * before * after * frames * bands)
        before = after
    return weights, multiplications


def gru_size(shape: tuple[int, int], settings: Settings) -> tuple[int, float, int]:
    """Weights and multiplications of one pass of `gru`, and the steps in time of its recurrence."""
    filters, units = int(settings.get("filters", 16)), int(settings.get("units", 64))
    weights, multiplications, before, (frames, bands) = 0, 0.0, 1, shape
    for size, stride in ((5, 2), (3, _second_stride(shape[0]))):
        frames, bands = math.ceil(frames / stride), math.ceil(bands / 2)
        weights += size * size * before * filters
        multiplications += float(size * size * before * filters * frames * bands)
        before = filters
    width = filters * bands
    for _ in range(int(settings.get("layers", 1))):
        gates = 6 * units * (width + units)
        weights, multiplications, width = weights + gates, multiplications + gates * frames, 2 * units
    return weights, multiplications, frames * int(settings.get("layers", 1))
