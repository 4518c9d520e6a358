"""Bodies of nets for images: a shallow CNN and a residual CNN. Keras is imported inside functions."""

from __future__ import annotations

from typing import Any

from automl.core.space import Settings

SYMMETRIES = ("flip_horizontal", "flip_vertical", "quarter_turns")
LARGE_SIDE = 48
"""From here on the first convolution takes every second pixel: the first layers cost the most and see the least."""
SMALL_SIDE = 16
"""Below, a pixel is a fifteenth of the image or more: what is moved by pixels or covered would be lost."""


def augmentation(shape: tuple[int, ...], settings: Settings) -> Settings | None:
    """The arguments of automl.training.augment.Augment for images (height, width, channels); None for no augmentation.

    settings: "augment" 0 (not at all) to 2, 1 is usual; "mirrored": which of SYMMETRIES the data has, joined by "+";
    "photos": whether colours and sizes vary from image to image.
    """
    strength = float(settings.get("augment", 1.0))
    if strength <= 0:
        return None
    small, photos = min(shape[:2]) < SMALL_SIDE, bool(settings.get("photos"))
    movement = {"shift": 0.1, "rotate": 10.0, "zoom": 0.25 if photos and not small else 0.1}
    return {
        **{name: name in str(settings.get("mirrored", "none")).split("+") for name in SYMMETRIES},
        "movement": {name: strength * value for name, value in movement.items()},
        "colour": min(0.9, 0.2 * strength) if photos else 0.0,
        "cutout": 0.0 if small else min(0.6, 0.25 * strength),
    }


def augmented(x: Any, settings: Settings) -> Any:
    """uint8 images as standardised float32, changed at random while training; settings as `augmentation` takes them."""
    import keras

    from automl.training.augment import Augment, Pixels

    chosen = augmentation(tuple(x.shape[1:]), settings)
    x = Pixels()(x)
    if chosen is not None:
        x = Augment(**chosen)(x)
    return keras.layers.BatchNormalization(center=False, scale=False, momentum=0.9)(x)


def cnn(x: Any, settings: Settings) -> Any:
    """Conv-Norm-Activation blocks, each halving the side, then a dense layer on what is left of the places.

    settings: "filters" of the first block (doubled by each), "activation", "units", "dropout", and those of `augmentation`.
    Input shape: (batch, height, width, channels) uint8. Output shape: (batch, units).
    """
    import keras

    x, filters = augmented(x, settings), int(settings.get("filters", 16))
    if min(x.shape[1:3]) >= LARGE_SIDE:
        x = _convolution(x, filters, settings, strides=2)
    while True:
        x = _convolution(x, filters, settings)
        if min(x.shape[1:3]) <= 4:
            break
        x = keras.layers.MaxPooling2D(2, padding="same")(x)
        filters = min(2 * filters, MOST_FILTERS)
    x = keras.layers.Dropout(float(settings.get("dropout", 0.3)))(keras.layers.Flatten()(x))
    x = keras.layers.Dense(int(settings.get("units", 128)), use_bias=False, kernel_initializer="he_normal")(x)
    return _activated(x, settings)


def residual(x: Any, settings: Settings) -> Any:
    """A residual CNN in the manner of ResNet-9: each stage halves the side and adds what two more convolutions find.

    settings: "filters" of the first stage (doubled by each), "activation", "dropout", and those of `augmentation`.
    Input shape: (batch, height, width, channels) uint8. Output shape: (batch, 2 * filters of the last stage).
    """
    import keras

    layers = keras.layers
    x, filters = augmented(x, settings), int(settings.get("filters", 16))
    x = _convolution(x, filters, settings, strides=2 if min(x.shape[1:3]) >= LARGE_SIDE else 1)
    while min(x.shape[1:3]) > 4:
        filters = min(2 * filters, MOST_FILTERS)
        x = layers.MaxPooling2D(2, padding="same")(_convolution(x, filters, settings))
        found = _convolution(_convolution(x, filters, settings), filters, settings)
        x = layers.Add()([x, found])
    pooled = [layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)]
    return layers.Dropout(float(settings.get("dropout", 0.2)))(layers.Concatenate()(pooled))


MOST_FILTERS = 256


def multiplications(kind: str, shape: tuple[int, int, int], filters: int, units: int = 128) -> tuple[float, int]:
    """(multiplications for one image, weights) of a trunk "cnn" or "residual" of images (height, width, channels)."""
    height, width, channels = shape
    work, weights = 0.0, 0

    def convolution(incoming: int, outgoing: int) -> None:
        nonlocal work, weights
        work += 9.0 * height * width * incoming * outgoing
        weights += 9 * incoming * outgoing + 4 * outgoing

    incoming, large = channels, min(height, width) >= LARGE_SIDE
    if large:
        height, width = -(-height // 2), -(-width // 2)
    if large or kind == "residual":
        convolution(incoming, filters)
        incoming = filters
    while kind == "cnn" or min(height, width) > 4:
        filters = filters if kind == "cnn" else min(2 * filters, MOST_FILTERS)
        convolution(incoming, filters)
        incoming = filters
        if min(height, width) <= 4:
            break
        height, width = -(-height // 2), -(-width // 2)
        if kind == "residual":
            convolution(filters, filters)
            convolution(filters, filters)
        else:
            filters = min(2 * filters, MOST_FILTERS)
    if kind == "cnn":
        work += height * width * filters * units
        weights += height * width * filters * units
    return work, weights


def _convolution(x: Any, filters: int, settings: Settings, strides: int = 1) -> Any:
    """Convolution, normalisation, activation."""
    import keras

    x = keras.layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    return _activated(x, settings)


def _activated(x: Any, settings: Settings) -> Any:
    import keras

    return keras.layers.Activation(str(settings.get("activation", "relu")))(keras.layers.BatchNormalization(momentum=0.9)(x))
