"""Spectrograms and their statistics: arrays equal the graph, decibels are true, states are JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from automl.encoders.audio import FLOOR, Framing, LogMelEncoder, SoundStatistics, mel_matrix
from automl.encoders.graph import GraphBuilder
from tests.encoders.made_up import run_graph

RATE, SAMPLES = 8000, 2400


def tones(rows: int, seed: int = 0, samples: int = SAMPLES) -> Any:
    """(rows, samples) float32: tones of random pitch and loudness with noise."""
    generator = np.random.default_rng(seed)
    time = np.arange(samples) / RATE
    pitch, loud = generator.uniform(100, 3500, (rows, 1)), 10 ** generator.uniform(-3, 0, (rows, 1))
    return (loud * np.sin(2 * np.pi * pitch * time) * 0.9 + 0.01 * generator.normal(size=(rows, samples))).astype(np.float32)


def edges() -> Any:
    """Silence, full scale, one click, noise of full scale."""
    click = np.zeros(SAMPLES)
    click[700] = 1.0
    noise = np.random.default_rng(1).uniform(-1, 1, SAMPLES)
    return np.stack([np.zeros(SAMPLES), np.ones(SAMPLES), -np.ones(SAMPLES), click, noise]).astype(np.float32)


@pytest.mark.parametrize("samples", [40, 200, 1000, SAMPLES])
def test_arrays_equal_the_graph_also_on_sounds_never_heard(samples: int) -> None:
    encoder = LogMelEncoder.fit(tones(30, samples=samples), "audio", RATE)
    statistics = SoundStatistics.fit(encoder.transform(tones(30, samples=samples)))
    encoder = LogMelEncoder.from_state(json.loads(json.dumps(encoder.state())))
    statistics = SoundStatistics.from_state(json.loads(json.dumps(statistics.state())))
    sounds = np.concatenate([tones(20, 5, samples), edges()[:, :samples]])
    builder = GraphBuilder()
    spectrogram = encoder.graph(builder, builder.input("audio", "float32", (samples,)))
    outputs = {"first": (spectrogram, "float32"), "second": (statistics.graph(builder, spectrogram), "float32")}
    builder.output(outputs["first"][0], "spectrogram", "float32", ("batch", *encoder.shape))
    found = run_graph(builder, {"numbers": outputs["second"]}, {"audio": sounds})["numbers"]
    expected = statistics.transform(encoder.transform(sounds))
    assert expected.shape == (len(sounds), statistics.width) == found.shape
    assert len(statistics.feature_names) == statistics.width
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert encoder.transform(sounds).shape == (len(sounds), *encoder.shape)


def test_the_spectrogram_of_the_graph_is_within_the_gate_of_parity() -> None:
    encoder = LogMelEncoder.fit(tones(40), "audio", RATE)
    sounds = np.concatenate([tones(40, 5), edges()])
    builder = GraphBuilder()
    tensor = encoder.graph(builder, builder.input("audio", "float32", (SAMPLES,)))
    builder.output(tensor, "spectrogram", "float32", ("batch", *encoder.shape))
    import onnxruntime

    (found,) = onnxruntime.InferenceSession(builder.build().SerializeToString()).run(None, {"audio": sounds})
    assert np.abs(found - encoder.transform(sounds)).max() < 1e-4


def test_each_band_has_mean_0_and_deviation_1_over_the_training_sounds() -> None:
    found = LogMelEncoder.fit(tones(50), "audio", RATE).transform(tones(50))
    np.testing.assert_allclose(found.mean(axis=(0, 1)), 0.0, atol=1e-3)
    np.testing.assert_allclose(found.std(axis=(0, 1)), 1.0, atol=1e-3)


def test_a_tone_is_loudest_in_its_band_and_its_power_is_the_square_of_its_amplitude() -> None:
    framing = Framing.of(RATE, SAMPLES)
    plain = LogMelEncoder("audio", framing, np.zeros(framing.bands, np.float32), np.ones(framing.bands, np.float32))
    bins = np.arange(20, 100, 8)
    hertz = bins * framing.rate / framing.transform_size
    sounds = 0.1 * np.sin(2 * np.pi * hertz[:, None] * np.arange(SAMPLES) / RATE).astype(np.float32)
    found = np.exp(plain.transform(sounds).mean(axis=1)) - FLOOR  # (tones, bands)
    np.testing.assert_array_less(np.abs(plain.band_hertz[found.argmax(axis=1)] - hertz), 0.12 * hertz)
    weights = mel_matrix(framing)[bins].sum(axis=1)
    assert ((found.sum(axis=1) / (0.01 * weights) > 0.7) & (found.sum(axis=1) / (0.01 * weights) < 2.0)).all()


def test_silence_is_the_floor() -> None:
    framing = Framing.of(RATE, SAMPLES)
    plain = LogMelEncoder("audio", framing, np.zeros(framing.bands, np.float32), np.ones(framing.bands, np.float32))
    np.testing.assert_allclose(plain.transform(np.zeros((1, SAMPLES), np.float32)), np.log(FLOOR), rtol=1e-5)


@pytest.mark.parametrize("rate", [4_000, 8_000, 11_025, 16_000, 44_100])
@pytest.mark.parametrize("seconds", [0.01, 0.2, 1.0, 10.0])
def test_windows_are_at_most_about_256_and_every_band_hears_something(rate: int, seconds: float) -> None:
    framing = Framing.of(rate, round(rate * seconds))
    assert 1 <= framing.frames <= 257
    assert framing.window <= framing.samples
    assert framing.hop <= framing.window
    assert (framing.frames - 1) * framing.hop + framing.window <= framing.samples
    assert (mel_matrix(framing).sum(axis=0) > 0).all()
