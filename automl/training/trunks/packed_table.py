"""The columns of a table as inputs of packed nets. Keras is imported inside functions."""

from __future__ import annotations

from typing import Any


def inputs_of(shapes: dict[str, tuple[Any, str, Any]]) -> dict[str, Any]:
    """Input tensors (nets, batch, columns) of the blocks "numeric" and "categorical"; either may lack."""
    import keras

    return {
        name: keras.Input((None, int(shapes[name][0])), name=name, dtype=dtype)
        for name, dtype in (("numeric", "float32"), ("categorical", "int32"))
        if name in shapes and shapes[name][0]
    }


def one_hot(codes: Any, cardinalities: Any, most_levels: int, nets: int) -> tuple[Any, list[int]]:
    """Columns with at most so many levels, the missing one included, side by side; None where there is none.

    Returns the tensor (nets, batch, width) and the width of every column.
    """
    from automl.training.layers import OneHot
    from automl.training.packed.layers import OfEachNet

    small = [column for column, levels in enumerate(cardinalities) if 2 <= levels <= most_levels]
    if not small:
        return None, []
    widths = [1 if cardinalities[column] == 3 else int(cardinalities[column]) - 1 for column in small]
    return OfEachNet(nets)(OneHot([cardinalities[column] for column in small], small)(codes)), widths


def embedded(codes: Any, cardinalities: Any, most_levels: int, width: int, nets: int) -> tuple[Any, list[int]]:
    """The other columns, a learned vector each. Returns as `one_hot` does."""
    from automl.training.packed.layers import PackedEmbedding

    large = [column for column, levels in enumerate(cardinalities) if levels > most_levels]
    if not large:
        return None, []
    layer = PackedEmbedding(nets, large, [cardinalities[column] for column in large], width, name="embedding")
    return layer(codes), [width] * len(large)


def joined(parts: list[Any]) -> Any:
    """Tensors side by side."""
    import keras

    return parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)
