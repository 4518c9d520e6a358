"""Bodies of nets for series: inception modules, and recurrence over steps. Keras is imported inside functions."""

from __future__ import annotations

from typing import Any

from automl.core.space import Settings

MOST_STEPS = {"inception": 256, "recurrent": 64}
"""Steps that the modules, or the recurrence, go over; longer series are shortened by strides before."""


def inception(x: Any, settings: Settings) -> Any:
    """InceptionTime (Ismail Fawaz et al., 2020), smaller: convolutions of several lengths side by side, with shortcuts.

    settings: "filters" of each convolution, "depth" in modules, "kernel" the longest convolution, "dropout".
    Input shape: (batch, length, channels + 1), the last one the mask. Output shape: (batch, features).
    """
    import keras

    layers = keras.layers
    filters, kernel = int(settings.get("filters", 16)), int(settings.get("kernel", 40))
    mask = _mask(x)
    x, mask = _shortened(x, mask, MOST_STEPS["inception"], filters)
    shortcut = x
    depth = int(settings.get("depth", 3))
    for module in range(depth):
        x = _module(x, filters, min(kernel, max(3, x.shape[1])))
        x = layers.Multiply()([x, mask])
        if module % 3 == 2 or module == depth - 1:
            same = layers.Conv1D(int(x.shape[-1]), 1, use_bias=False, kernel_initializer="he_normal")(shortcut)
            x = layers.Activation("relu")(layers.Add()([x, _normalized(same)]))
            shortcut = x
    return layers.Dropout(float(settings.get("dropout", 0.2)))(_pooled(x, mask))


def recurrent(x: Any, settings: Settings) -> Any:
    """A convolution that joins neighbouring steps, then LSTM, GRU or a plain RNN in both directions, then masked pooling.

    settings: "cell" ("lstm", "gru", "rnn"), "units" of each direction, "layers", "filters", "dropout".
    Input shape: (batch, length, channels + 1), the last one the mask. Output shape: (batch, features).
    """
    import keras

    layers = keras.layers
    cells = {"lstm": layers.LSTM, "gru": layers.GRU, "rnn": layers.SimpleRNN}
    cell, rate = cells[str(settings.get("cell", "lstm"))], float(settings.get("dropout", 0.2))
    mask = _mask(x)
    filters = int(settings.get("filters", 32))
    x, mask = _shortened(x, mask, MOST_STEPS["recurrent"], filters)
    x = layers.Conv1D(filters, 5, padding="same", kernel_initializer="he_normal", activation="relu")(x)
    for _ in range(int(settings.get("layers", 1))):
        x = layers.Dropout(rate)(layers.Multiply()([x, mask]))
        # Not given to the layer: a masked recurrence is a slow loop in ONNX, and the input says itself where it is empty.
        x = layers.Bidirectional(cell(int(settings.get("units", 48)), return_sequences=True))(layers.Concatenate()([x, mask]))
    return layers.Dropout(rate)(_pooled(x, mask))


def _mask(x: Any) -> Any:
    from automl.training.masked_pooling import LastChannel

    return LastChannel()(x)


def _pooled(x: Any, mask: Any) -> Any:
    from automl.training.masked_pooling import MaskedPooling

    return MaskedPooling()([x, mask])


def _shortened(x: Any, mask: Any, most: int, filters: int) -> tuple[Any, Any]:
    """Convolutions with stride 2 until at most so many steps are left, and the mask likewise."""
    import keras

    layers = keras.layers
    while x.shape[1] > most:
        x = layers.Conv1D(filters, 7, strides=2, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.Activation("relu")(_normalized(x))
        mask = layers.MaxPooling1D(2, padding="same")(mask)
        x = layers.Multiply()([x, mask])
    return x, mask


def _module(x: Any, filters: int, kernel: int) -> Any:
    """One inception module: a bottleneck, three convolutions, and a pooled copy."""
    import keras

    layers = keras.layers
    plain = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    narrow = layers.Conv1D(filters, 1, **plain)(x) if x.shape[-1] > filters else x
    widths = sorted({max(3, kernel // part) | 1 for part in (1, 2, 4)})
    parts = [layers.Conv1D(filters, width, **plain)(narrow) for width in widths]
    parts.append(layers.Conv1D(filters, 1, **plain)(layers.MaxPooling1D(3, strides=1, padding="same")(x)))
    return layers.Activation("relu")(_normalized(layers.Concatenate()(parts)))


def _normalized(x: Any) -> Any:
    import keras

    return keras.layers.BatchNormalization(momentum=0.9)(x)


TRUNKS = {"inception": inception, "recurrent": recurrent}
