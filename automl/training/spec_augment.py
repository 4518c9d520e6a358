"""SpecAugment inside the training graph. Imports Keras: import this module inside functions only."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from automl.training.layers import random_bits


@keras.saving.register_keras_serializable(package="automl")
class SpecAugment(keras.layers.Layer):
    """Hides stretches of time and bands of a spectrogram, moves it in time and turns it louder or softer.

    Park et al., Interspeech 2019 (masks), without the time warp. It acts in training only, by a seed that the training
    loop sets as it does for dropout; what is hidden becomes 0, the mean of a standardised spectrogram.

    time_fraction, band_fraction: the widest mask as a share of the frames and of the bands; masks: how many of each.
    shift_fraction: the farthest move in time, by which the first or last frame is repeated. gain: the largest constant
    added to all bands.
    Input shape: (batch, frames, bands). Output shape: the same.
    """

    seed: Any = None
    takes_seed = True

    def __init__(
        self,
        time_fraction: float = 0.2,
        band_fraction: float = 0.2,
        masks: int = 2,
        shift_fraction: float = 0.1,
        gain: float = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.time_fraction, self.band_fraction, self.masks = float(time_fraction), float(band_fraction), int(masks)
        self.shift_fraction, self.gain = float(shift_fraction), float(gain)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.seed is None:
            return inputs
        batch, frames, bands = tf.shape(inputs)[0], inputs.shape[1], inputs.shape[2]
        drawn = uniform((batch, 4 * self.masks + 2), self.seed)  # (batch, numbers) in [0, 1)
        shift, gain, lengths, starts = tf.split(drawn, [1, 1, 2 * self.masks, 2 * self.masks], axis=1)
        x = inputs
        if self.shift_fraction > 0:
            moved = tf.round((2.0 * shift - 1.0) * self.shift_fraction * frames)  # (batch, 1)
            source = tf.clip_by_value(tf.range(frames)[None, :] + tf.cast(moved, tf.int32), 0, frames - 1)
            x = tf.gather(x, source, axis=1, batch_dims=1)
        if self.gain > 0:
            x = x + (2.0 * gain - 1.0)[:, :, None] * self.gain
        if self.masks and self.time_fraction > 0:
            hidden = covered(frames, self.time_fraction, lengths[:, : self.masks], starts[:, : self.masks])
            x = tf.where(hidden[:, :, None], 0.0, x)
        if self.masks and self.band_fraction > 0:
            hidden = covered(bands, self.band_fraction, lengths[:, self.masks :], starts[:, self.masks :])
            x = tf.where(hidden[:, None, :], 0.0, x)
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("time_fraction", "band_fraction", "masks", "shift_fraction", "gain")}
        return {**super().get_config(), **own}


def uniform(shape: tuple[Any, ...], seed: Any) -> Any:
    """Numbers in [0, 1), a function of the seed (two int32 values) and the position."""
    return tf.cast(tf.bitwise.right_shift(random_bits(shape, seed), tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24


def covered(size: int, fraction: float, lengths: Any, starts: Any) -> Any:
    """Which of `size` places lie in a mask, (batch, size) booleans.

    lengths, starts: (batch, masks) in [0, 1): the length as a share of the longest, the start as a share of the room.
    """
    longest = max(1, round(fraction * size))
    length = tf.floor(lengths * (longest + 1))  # (batch, masks)
    start = tf.floor(starts * (size - length + 1))
    place = tf.range(size, dtype=tf.float32)[None, None, :]
    inside = (place >= start[:, :, None]) & (place < (start + length)[:, :, None])  # (batch, masks, size)
    return tf.reduce_any(inside, axis=1)
