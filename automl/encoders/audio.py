"""Sounds: log-mel spectrograms, and what can be counted off them; as arrays and as a graph fragment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from automl.encoders.graph import GraphBuilder

Array = np.ndarray[Any, Any]

WINDOW_SECONDS, HOP_SECONDS = 0.025, 0.01
MOST_FRAMES = 256
"""Longer sounds are looked at in longer steps, so that a net sees at most so many."""
LOWEST_HERTZ = 20.0
FLOOR = 1e-6
"""Added to the power of every band before the logarithm; a sine of full scale has about 1. Digital silence is -60 dB."""
SAMPLES_AT_ONCE = 1 << 23
PERCENTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
PARTS = 4


@dataclass(frozen=True)
class Framing:
    """How a sound of `samples` at `rate` hertz is cut: windows of `window` samples, one every `hop`, `bands` mel bands."""

    rate: int
    samples: int
    window: int
    hop: int
    bands: int

    @classmethod
    def of(cls, rate: int, samples: int) -> Framing:
        """25 ms every 10 ms, or twice the step where that would be more than 256 windows; 40 bands up to 8 kHz, else 64."""
        hop = max(1, round(HOP_SECONDS * rate), math.ceil(samples / MOST_FRAMES))
        window = min(max(2, round(WINDOW_SECONDS * rate), 2 * hop), max(2, samples))
        return cls(rate, samples, window, hop, 40 if rate <= 8000 else 64)

    @property
    def frames(self) -> int:
        return max(1, 1 + (self.samples - self.window) // self.hop)

    @property
    def transform_size(self) -> int:
        """A power of two with room for the window, and frequencies at most 40 Hz apart, so that every band holds one."""
        return 1 << max(3, (max(self.window, math.ceil(self.rate / 40)) - 1).bit_length())

    @property
    def frame_seconds(self) -> float:
        return self.hop / self.rate


@dataclass(frozen=True)
class LogMelEncoder:
    """(rows, samples) sounds to (rows, frames, bands) spectrograms: log(power in a mel band + floor), standardised.

    The power is that of a windowed Fourier transform (Hann). Every band is brought to mean 0 and standard deviation 1
    over the training sounds.

    mean, deviation: (bands,) float32.
    """

    column: str
    framing: Framing
    mean: Array
    deviation: Array

    @classmethod
    def fit(cls, values: Array, column: str, rate: int) -> LogMelEncoder:
        """values: (rows, samples) float32 of the fold's training rows."""
        unscaled = cls.unscaled(column, Framing.of(rate, values.shape[1]))
        return unscaled.scaled_by(unscaled.transform(values))

    @classmethod
    def unscaled(cls, column: str, framing: Framing) -> LogMelEncoder:
        """It gives the logarithms of the power as they are."""
        nothing = np.zeros(framing.bands, np.float32)
        return cls(column, framing, nothing, nothing + 1)

    def scaled_by(self, spectrograms: Array) -> LogMelEncoder:
        """With mean and deviation of these log-mel spectrograms (rows, frames, bands), which no encoder has scaled."""
        if not len(spectrograms):
            return self
        mean = spectrograms.mean(axis=(0, 1), dtype=np.float64)
        deviation = np.maximum(spectrograms.std(axis=(0, 1), dtype=np.float64), 1e-3)
        return replace(self, mean=mean.astype(np.float32), deviation=deviation.astype(np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        return self.framing.frames, self.framing.bands

    @cached_property
    def band_hertz(self) -> Array:
        """The middle of each band, (bands,)."""
        return mel_edges(self.framing)[1:-1]

    @cached_property
    def _kernels(self) -> Array:
        """Windowed cosines, then sines: (window, 2 * bins) float32."""
        return fourier_kernels(self.framing)

    @cached_property
    def _mel(self) -> Array:
        """(bins, bands) float32."""
        return mel_matrix(self.framing)

    def transform(self, values: Array) -> Array:
        """(rows, samples) float32 to (rows, frames, bands) float32."""
        found = np.empty((len(values), *self.shape), np.float32)
        for part in _portions(len(values), values.shape[1]):
            windows = np.lib.stride_tricks.sliding_window_view(values[part], self.framing.window, axis=1)
            framed = windows[:, :: self.framing.hop][:, : self.framing.frames].reshape(-1, self.framing.window)
            both = np.square(framed @ self._kernels)
            bins = both.shape[1] // 2
            power = (both[:, :bins] + both[:, bins:]) @ self._mel
            found[part] = self.scaled(np.log(power + np.float32(FLOOR)).reshape(-1, *self.shape))
        return found

    def scaled(self, spectrograms: Array) -> Array:
        """Spectrograms of an unscaled encoder as this one gives them."""
        return np.asarray((spectrograms - self.mean) * (np.float32(1) / self.deviation))

    def graph(self, builder: GraphBuilder, tensor: str) -> str:
        """tensor: (batch, samples) float32. Returns (batch, frames, bands) float32."""
        bins = self._mel.shape[0]
        kernels = np.ascontiguousarray(self._kernels.T)[:, None, :]  # (2 * bins, 1, window)
        sound = builder.node("Unsqueeze", [tensor, builder.initializer(np.asarray([1], np.int64), "channel")])
        both = builder.node("Conv", [sound, builder.initializer(kernels, "fourier")], strides=[self.framing.hop])
        squares = builder.node("Mul", [both, both])
        halves = builder.initializer(np.asarray([bins, bins], np.int64), "halves")
        cosines, sines = builder.node("Split", [squares, halves], 2, axis=1)
        power = builder.node("Transpose", [builder.node("Add", [cosines, sines])], perm=[0, 2, 1])
        bands = builder.node("MatMul", [power, builder.initializer(self._mel, "mel")])
        floored = builder.node("Add", [bands, builder.initializer(np.float32(FLOOR), "floor")])
        centred = builder.node("Sub", [builder.node("Log", [floored]), builder.initializer(self.mean, "mean")])
        return str(builder.node("Mul", [centred, builder.initializer(np.float32(1) / self.deviation, "scale")]))

    def state(self) -> dict[str, Any]:
        return {
            "column": self.column,
            "framing": dict(vars(self.framing)),
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> LogMelEncoder:
        mean, deviation = (np.asarray(state[name], np.float32) for name in ("mean", "deviation"))
        return cls(state["column"], Framing(**state["framing"]), mean, deviation)


@dataclass(frozen=True)
class SoundStatistics:
    """Spectrograms to numbers that a linear model can weigh: (rows, frames, bands) to (rows, width), standardised.

    Of every band: mean, deviation and percentiles over time, the mean change from frame to frame, and the mean of each
    quarter of the sound, so that order counts.

    mean, deviation: (width,) float32.
    """

    bands: int
    frames: int
    mean: Array
    deviation: Array

    @classmethod
    def fit(cls, spectrograms: Array) -> SoundStatistics:
        """spectrograms: (rows, frames, bands) of the fold's training rows, as LogMelEncoder gives them."""
        plain = cls.unfitted(*spectrograms.shape[1:])
        found = plain._statistics(spectrograms)
        mean = found.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = np.maximum(found.std(axis=0, dtype=np.float64), 1e-3).astype(np.float32)
        return replace(plain, mean=mean, deviation=deviation)

    @classmethod
    def unfitted(cls, frames: int, bands: int) -> SoundStatistics:
        """It knows its width, and cannot transform."""
        return cls(bands, frames, np.zeros(0, np.float32), np.zeros(0, np.float32))

    @property
    def names(self) -> tuple[str, ...]:
        """What each group of `bands` features is."""
        percentiles = (f"{fraction:.0%} percentile" for fraction in PERCENTILES)
        parts = (f"mean of part {number} of {len(self._edges)}" for number in range(1, len(self._edges) + 1))
        return ("mean", "deviation", "mean change", *percentiles, *parts)

    @property
    def width(self) -> int:
        return len(self.names) * self.bands

    @property
    def feature_names(self) -> tuple[str, ...]:
        return tuple(f"{name} of band {band}" for name in self.names for band in range(self.bands))

    @property
    def _edges(self) -> list[tuple[int, int]]:
        """First and last + 1 frame of each part of the sound."""
        parts = min(PARTS, self.frames)
        return [(self.frames * part // parts, self.frames * (part + 1) // parts) for part in range(parts)]

    @property
    def _places(self) -> list[int]:
        """Frames in falling order of their value at which the percentiles are found."""
        return [round((1 - fraction) * (self.frames - 1)) for fraction in PERCENTILES]

    def transform(self, spectrograms: Array) -> Array:
        """(rows, frames, bands) to (rows, width) float32."""
        return np.clip((self._statistics(spectrograms) - self.mean) * (np.float32(1) / self.deviation), -10, 10)

    def _statistics(self, spectrograms: Array) -> Array:
        found = np.empty((len(spectrograms), self.width), np.float32)
        for part in _portions(len(spectrograms), self.frames * self.bands):
            x = spectrograms[part]
            mean = x.mean(axis=1)
            deviation = np.sqrt(np.square(x - mean[:, None]).mean(axis=1) + np.float32(1e-6))
            step = np.abs(np.diff(x, axis=1)).sum(axis=1) * np.float32(1 / max(1, self.frames - 1))
            falling = -np.sort(-x, axis=1)[:, self._places]
            quarters = [x[:, first:last].mean(axis=1) for first, last in self._edges]
            found[part] = np.concatenate([mean, deviation, step, falling.reshape(len(x), -1), *quarters], axis=1)
        return found

    def graph(self, builder: GraphBuilder, tensor: str) -> str:
        """tensor: (batch, frames, bands) float32. Returns (batch, width) float32."""

        def constant(value: Any, hint: str) -> str:
            return builder.initializer(np.asarray(value, np.float32), hint)

        def indices(values: list[int], hint: str) -> str:
            return builder.initializer(np.asarray(values, np.int64), hint)

        def between(first: int, last: int) -> str:
            return builder.node("Slice", [tensor, indices([first], "first"), indices([last], "last"), time])

        time = indices([1], "time")
        mean = builder.node("ReduceMean", [tensor, time], keepdims=1)
        centred = builder.node("Sub", [tensor, mean])
        variance = builder.node("ReduceMean", [builder.node("Mul", [centred, centred]), time], keepdims=1)
        deviation = builder.node("Sqrt", [builder.node("Add", [variance, constant(1e-6, "tiny")])])
        if self.frames > 1:
            change = builder.node("Abs", [builder.node("Sub", [between(1, self.frames), between(0, self.frames - 1)])])
            step = builder.node("ReduceMean", [change, time], keepdims=1)
        else:
            step = builder.node("Sub", [mean, mean])
        falling, _ = builder.node("TopK", [tensor, indices([self.frames], "frames")], 2, axis=1, largest=1, sorted=1)
        percentiles = builder.node("Gather", [falling, indices(self._places, "places")], axis=1)
        quarters = [builder.node("ReduceMean", [between(first, last), time], keepdims=1) for first, last in self._edges]
        groups = builder.node("Concat", [mean, deviation, step, percentiles, *quarters], axis=1)
        flat = builder.node("Reshape", [groups, indices([-1, self.width], "flat")])
        scaled = builder.node("Sub", [flat, constant(self.mean, "mean")])
        scaled = builder.node("Mul", [scaled, constant(np.float32(1) / self.deviation, "scale")])
        return str(builder.node("Clip", [scaled, constant(-10, "low"), constant(10, "high")]))

    def state(self) -> dict[str, Any]:
        return {"bands": self.bands, "frames": self.frames, "mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SoundStatistics:
        mean, deviation = (np.asarray(state[name], np.float32) for name in ("mean", "deviation"))
        return cls(int(state["bands"]), int(state["frames"]), mean, deviation)


def fourier_kernels(framing: Framing) -> Array:
    """Cosines and sines of every frequency under a Hann window whose sum is 2: (window, 2 * bins) float32.

    With that sum the power of a sine of amplitude 1 is 1 at its frequency.
    """
    places = np.arange(framing.window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (places + 0.5) / framing.window)
    hann *= 2.0 / hann.sum()
    angles = 2 * np.pi * np.outer(places, np.arange(framing.transform_size // 2 + 1)) / framing.transform_size
    return np.concatenate([hann[:, None] * np.cos(angles), hann[:, None] * np.sin(angles)], axis=1).astype(np.float32)


def mel_edges(framing: Framing) -> Array:
    """The edges of the bands in hertz, equally far apart on the mel scale (2595 log10(1 + f / 700)): (bands + 2,)."""
    ends = 2595 * np.log10(1 + np.asarray([LOWEST_HERTZ, framing.rate / 2]) / 700)
    return np.asarray(700 * (10 ** (np.linspace(ends[0], ends[1], framing.bands + 2) / 2595) - 1))


def mel_matrix(framing: Framing) -> Array:
    """Triangles over the frequencies, each at least wide enough to hold one: (bins, bands) float32."""
    frequencies = np.arange(framing.transform_size // 2 + 1) * framing.rate / framing.transform_size
    edges, spacing = mel_edges(framing), framing.rate / framing.transform_size
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies[:, None] - low) / np.maximum(middle - low, spacing)
    falling = (high - frequencies[:, None]) / np.maximum(high - middle, spacing)
    # A band narrower than the spacing of the frequencies would hold none of them.
    return np.clip(np.minimum(rising, falling), 0.0, None).astype(np.float32)


def _portions(rows: int, size: int) -> Iterator[slice]:
    """Rows a few million numbers at a time."""
    step = max(1, SAMPLES_AT_ONCE // max(1, size))
    for start in range(0, rows, step):
        yield slice(start, start + step)
