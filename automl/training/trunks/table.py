"""Body of nets for tables: scaled numbers beside embedded categories, then dense blocks. Keras is imported inside functions."""

from __future__ import annotations

from typing import Any

from automl.core.space import Settings

ONE_HOT_LEVELS = 9
"""A column with at most so many levels, the missing one included, is one-hot; others get an embedding."""


def features(shapes: dict[str, tuple[Any, str, Any]], settings: Settings) -> tuple[dict[str, Any], Any]:
    """The input tensors of a table by name, and all its features side by side, (batch, features).

    shapes: of the blocks "numeric" (rows, width) float32 and "categorical" (rows, columns) int32, either may lack; where
    both do, the tensor is None.
    settings: "embedding_dropout", "scale".
    """
    import keras

    from automl.training.layers import CategoryEmbedding, OneHot, Scale

    inputs, parts = {}, []
    if "numeric" in shapes and shapes["numeric"][0]:
        inputs["numeric"] = keras.Input((int(shapes["numeric"][0]),), name="numeric", dtype="float32")
        parts.append(inputs["numeric"])
    if "categorical" in shapes and shapes["categorical"][0]:
        width, _, cardinalities = shapes["categorical"]
        codes = inputs["categorical"] = keras.Input((int(width),), name="categorical", dtype="int32")
        small = [column for column, levels in enumerate(cardinalities) if 2 <= levels <= ONE_HOT_LEVELS]
        if small:
            parts.append(OneHot([cardinalities[column] for column in small], small)(codes))
        rate = float(settings.get("embedding_dropout", 0.0))
        for column, levels in enumerate(cardinalities):
            if levels > ONE_HOT_LEVELS:
                parts.append(keras.layers.Dropout(rate)(CategoryEmbedding(column, levels, embedding_width(levels))(codes)))
    if not parts:
        return inputs, None
    x = parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)
    return inputs, Scale()(x) if settings.get("scale", True) else x


def dense_blocks(x: Any, settings: Settings) -> Any:
    """Dense layers, each with normalisation, activation and dropout: (batch, features) to (batch, width).

    settings: "blocks", "width", "activation", "normalization", "dropout", "residual".
    """
    import keras

    activation, width = str(settings.get("activation", "gelu")), int(settings.get("width", 256))
    initializer = "lecun_normal" if activation in ("selu", "tanh") else "he_normal"
    for _ in range(int(settings.get("blocks", 3))):
        before = x
        x = keras.layers.Dense(width, kernel_initializer=initializer)(x)
        x = _normalized(x, str(settings.get("normalization", "none")))
        x = keras.layers.Activation(activation)(x)
        x = keras.layers.Dropout(float(settings.get("dropout", 0.2)))(x)
        if settings.get("residual") and before.shape[-1] == width:
            x = keras.layers.Add()([before, x])
    return x


def embedding_width(levels: int) -> int:
    """min(50, 1.6 * levels ** 0.56), as fastai and AutoGluon size embeddings."""
    return min(50, int(1.6 * levels**0.56))


def factors(path: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Learning rate and weight decay of a variable: the input scale moves faster, vectors do not decay."""
    if path.endswith("/scale"):
        return 6.0, 0.0
    return 1.0, float(len(shape) >= 2)


def _normalized(x: Any, name: str) -> Any:
    import keras

    if name == "batch":
        return keras.layers.BatchNormalization(momentum=0.95)(x)
    return keras.layers.LayerNormalization()(x) if name == "layer" else x
