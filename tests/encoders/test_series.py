"""Series: numpy and graph compute the same, bit for bit where comparisons hang on it, also with gaps and broken values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.encoders.graph import GraphBuilder
from automl.encoders.random_convolution import (
    KERNELS,
    PATTERNS,
    STATISTICS,
    RandomConvolutionEncoder,
    _taken_apart,
    dilations_for,
)
from automl.encoders.series import SeriesEncoder

SHAPES = [(40, 1), (23, 3), (5, 2), (1, 1), (70, 12)]
FEW = 3 * KERNELS


def series(rows: int, length: int, channels: int, seed: int = 0) -> Any:
    """Random walks of unequal length with gaps."""
    generator = np.random.default_rng(seed)
    values = np.cumsum(generator.normal(size=(rows, length, channels)), axis=1).astype(np.float32)
    values[generator.random(values.shape) < 0.1] = np.nan
    for row in range(0, rows, 3):
        values[row, generator.integers(1, length + 1) :] = np.nan
    return values


def awkward(length: int, channels: int) -> Any:
    """All missing, one point, constant, a missing channel, huge, tiny and infinite values, values from a coarse grid."""
    rows = np.zeros((10, length, channels), np.float32)
    rows[0] = np.nan
    rows[1, 1:] = np.nan
    rows[2] = 3.25
    rows[3, :, 0] = np.nan
    rows[4] = 1e30
    rows[5] = -1e-30
    rows[6] = np.inf
    rows[7] = np.round(np.sin(np.arange(length))[:, None] * 3)
    rows[8, : length // 2] = np.nan
    rows[9] = np.arange(length)[:, None]
    return rows


def run(builder: GraphBuilder, tensor: str, values: Any, shape: tuple[int, ...]) -> Any:
    import onnxruntime

    builder.output(tensor, "out", "float32", ("batch", *shape))
    session = onnxruntime.InferenceSession(builder.build().SerializeToString())
    return session.run(None, {"series": values})[0]


def graph_of(encoder: SeriesEncoder, further: RandomConvolutionEncoder | None = None) -> tuple[GraphBuilder, str]:
    builder = GraphBuilder()
    tensor = encoder.graph(builder, builder.input("series", "float32", (encoder.length, encoder.channels)))
    return builder, tensor if further is None else further.graph(builder, tensor)


@pytest.mark.parametrize(("length", "channels"), SHAPES)
def test_the_graph_fills_and_scales_as_numpy_does(length: int, channels: int) -> None:
    values = series(30, length, channels)
    encoder = SeriesEncoder.fit(values[:20], values)
    for given in (values, series(20, length, channels, 1), awkward(length, channels)):
        builder, tensor = graph_of(encoder)
        transformed = encoder.transform(given)
        assert transformed.shape == (len(given), *encoder.width)
        assert np.isfinite(transformed).all()
        np.testing.assert_array_equal(run(builder, tensor, given, encoder.width), transformed)


@pytest.mark.parametrize(("length", "channels"), SHAPES)
def test_no_comparison_falls_out_otherwise_in_the_graph(length: int, channels: int) -> None:
    values = series(30, length, channels)
    encoder = SeriesEncoder.fit(values[:20], values)
    convolutions = RandomConvolutionEncoder.fit(encoder.transform(values[:20]), FEW)
    for given in (values, series(20, length, channels, 1), awkward(length, channels)):
        builder, tensor = graph_of(encoder, convolutions)
        transformed = convolutions.transform(encoder.transform(given))
        assert transformed.shape == (len(given), convolutions.width)
        assert len(convolutions.feature_names) == convolutions.width
        np.testing.assert_allclose(run(builder, tensor, given, (convolutions.width,)), transformed, atol=2e-5, rtol=1e-5)
        shares = transformed[:, : -convolutions.statistics]
        assert shares.min() >= 0.0
        assert shares.max() <= 1.0


def test_gaps_are_straight_lines_and_ends_are_masked() -> None:
    values = np.full((1, 8, 2), np.nan, np.float32)
    values[0, [1, 5], 0] = [2.0, 6.0]
    values[0, [0, 3], 1] = [1.0, 1.0]
    encoder = SeriesEncoder(8, np.zeros(2, np.float32), np.ones(2, np.float32))
    filled = encoder.transform(values)[0]
    np.testing.assert_allclose(filled[:, 0], [2, 2, 3, 4, 5, 6, 0, 0])
    np.testing.assert_allclose(filled[:, 1], [1, 1, 1, 1, 1, 1, 0, 0])
    np.testing.assert_allclose(filled[:, 2], [1, 1, 1, 1, 1, 1, 0, 0])


def test_a_share_is_what_its_definition_says() -> None:
    """Against convolutions written out as a sum, for kernels that see beyond the ends and kernels that do not."""
    values = series(6, 40, 2)
    encoder = SeriesEncoder.fit(values, values)
    encoded = encoder.transform(values)
    convolutions = RandomConvolutionEncoder.fit(encoded, FEW)
    found = convolutions.transform(encoded)
    rounded, mask = _taken_apart(encoded)
    place = 0
    for each in convolutions.dilations:
        for kernel in range(KERNELS):
            for bias in each.biases[kernel]:
                for row in (0, 5):
                    inside = np.flatnonzero(mask[row])
                    if not each.padded[kernel]:
                        inside = inside[(inside >= each.reach) & (inside + each.reach < mask[row].sum())]
                    above = 0
                    for middle in inside:
                        steps = [middle + each.dilation * (tap - 4) for tap in range(9)]
                        total = sum(
                            PATTERNS[kernel, tap] * rounded[channel, row, step]
                            for tap, step in enumerate(steps)
                            for channel in range(2)
                            if 0 <= step < 40 and each.weights[kernel, channel, tap] != 0
                        )
                        above += total > bias
                    assert found[row, place] == pytest.approx(above / max(1, len(inside)), abs=1e-6)
                place += 1
        if place > 200:
            return


def test_statistics_are_of_the_steps_that_a_series_has() -> None:
    values = np.full((1, 10, 1), np.nan, np.float32)
    values[0, :4, 0] = [1.0, 3.0, 5.0, 3.0]
    encoder = SeriesEncoder(10, np.zeros(1, np.float32), np.ones(1, np.float32))
    encoded = encoder.transform(values)
    found = RandomConvolutionEncoder.fit(encoded, FEW).transform(encoded)[0, -len(STATISTICS) - 1 :]
    np.testing.assert_allclose(found, [3.0, np.sqrt(2.0), 1.0, 5.0, 1.0, 3.0, 0.4], rtol=1e-6)


def test_dilations_span_the_series_and_share_the_thresholds() -> None:
    for length in (1, 8, 9, 30, 150, 2_000):
        found = dilations_for(length, 119)
        assert sum(share for _, share in found) == 119
        assert found[0][0] == 1
        assert all((dilation * 8 < length) or dilation == 1 for dilation, _ in found)
    assert len(dilations_for(2_000, 119)) > len(dilations_for(150, 119)) > len(dilations_for(30, 119))


def test_state_and_seed_give_the_same_features() -> None:
    values = series(12, 30, 3)
    encoder = SeriesEncoder.fit(values, values)
    again = SeriesEncoder.from_state(encoder.state())
    encoded = encoder.transform(values)
    np.testing.assert_array_equal(again.transform(values), encoded)
    first, second = (RandomConvolutionEncoder.fit(encoded, FEW, seed=4) for _ in range(2))
    kept = RandomConvolutionEncoder.from_state(first.state())
    np.testing.assert_array_equal(first.transform(encoded), second.transform(encoded))
    np.testing.assert_array_equal(first.transform(encoded), kept.transform(encoded))
    other = RandomConvolutionEncoder.fit(encoded, FEW, seed=5)
    assert (other.transform(encoded) != first.transform(encoded)).any()
