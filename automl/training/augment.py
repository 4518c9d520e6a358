"""Augmentation of images inside the training graph. Imports Keras: import this module inside functions only."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from automl.training.augment_arrays import DRAWN
from automl.training.layers import random_bits


@keras.saving.register_keras_serializable(package="automl")
class Pixels(keras.layers.Layer):
    """uint8 pixels as float32 fractions from 0 to 1.

    Input shape: (batch, height, width, channels). Output shape: the same.
    """

    def call(self, inputs: Any) -> Any:
        return tf.cast(inputs, tf.float32) * (1.0 / 255.0)

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor(inputs.shape, dtype="float32")


@keras.saving.register_keras_serializable(package="automl")
class Augment(keras.layers.Layer):
    """Moves, turns, mirrors and recolours every image of a training batch at random; outside of training it does nothing.

    The training loop sets the seed in every step, as it does for dropout. One affine warp does all movement: what comes
    in from outside repeats the border.

    flip_horizontal, flip_vertical: mirror half of the images. quarter_turns: turn by a multiple of 90 degrees (square
    images only). shift: the farthest move, as a share of the side; rotate: the largest turn in degrees; zoom: the
    largest change of size, as a share; colour: the largest change of brightness, contrast and saturation, as a share;
    cutout: the side of a square that is painted over with the image's mean, as a share of the side.
    Input shape: (batch, height, width, channels) float32 in [0, 1]. Output shape: the same.
    """

    seed: Any = None
    takes_seed = True

    def __init__(
        self,
        flip_horizontal: bool = False,
        flip_vertical: bool = False,
        quarter_turns: bool = False,
        movement: dict[str, float] | None = None,
        colour: float = 0.0,
        cutout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.flip_horizontal, self.flip_vertical = bool(flip_horizontal), bool(flip_vertical)
        self.quarter_turns = bool(quarter_turns)
        self.movement = {"shift": 0.0, "rotate": 0.0, "zoom": 0.0, **(movement or {})}
        self.colour, self.cutout = float(colour), float(cutout)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.seed is None:
            return inputs
        return self.changed(inputs, uniform((tf.shape(inputs)[0], DRAWN), self.seed))

    def changed(self, x: Any, drawn: Any) -> Any:
        """The images with these random numbers, (batch, DRAWN) in [0, 1)."""
        drawn = tf.unstack(drawn, axis=1)  # each (batch,)
        if self.flip_horizontal or self.flip_vertical or self.quarter_turns or any(self.movement.values()):
            x = self._moved(x, drawn[:7])
        if self.colour > 0:
            x = self._recoloured(x, drawn[7:10])
        return self._covered(x, drawn[10:12]) if self.cutout > 0 else x

    def _moved(self, x: Any, drawn: list[Any]) -> Any:
        """One affine warp about the centre: (batch, 8) coefficients from places in the result to places in the image."""
        height, width = int(x.shape[1]), int(x.shape[2])
        mirror, topple, turn, angle, size, right, down = drawn
        theta = _centred(angle) * math.radians(self.movement["rotate"])
        if self.quarter_turns and height == width:
            theta = theta + tf.floor(turn * 4.0) * (math.pi / 2)
        scale = tf.exp(_centred(size) * math.log1p(self.movement["zoom"]))
        across = tf.where(mirror < 0.5, -1.0, 1.0) if self.flip_horizontal else tf.ones_like(mirror)
        along = tf.where(topple < 0.5, -1.0, 1.0) if self.flip_vertical else tf.ones_like(topple)
        a0, a1 = across * tf.cos(theta) * scale, -across * tf.sin(theta) * scale
        b0, b1 = along * tf.sin(theta) * scale, along * tf.cos(theta) * scale
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        a2 = middle_x + _centred(right) * self.movement["shift"] * width - a0 * middle_x - a1 * middle_y
        b2 = middle_y + _centred(down) * self.movement["shift"] * height - b0 * middle_x - b1 * middle_y
        nothing = tf.zeros_like(a0)
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=x,
            transforms=tf.stack([a0, a1, a2, b0, b1, b2, nothing, nothing], axis=1),
            output_shape=tf.constant([height, width], tf.int32),
            fill_value=tf.constant(0.0),
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )

    def _recoloured(self, x: Any, drawn: list[Any]) -> Any:
        light, contrast, saturation = (1.0 + self.colour * _centred(each)[:, None, None, None] for each in drawn)
        mean = tf.reduce_mean(x, axis=[1, 2, 3], keepdims=True)
        x = (x - mean) * contrast + mean * light
        if x.shape[-1] == 3:
            grey = tf.reduce_mean(x, axis=-1, keepdims=True)
            x = grey + (x - grey) * saturation
        return tf.clip_by_value(x, 0.0, 1.0)

    def _covered(self, x: Any, drawn: list[Any]) -> Any:
        inside = None
        for axis, place in ((1, drawn[0]), (2, drawn[1])):
            side = int(x.shape[axis])
            half = max(0.5, self.cutout * side / 2)
            here = tf.abs(tf.range(side, dtype=tf.float32)[None, :] - tf.floor(place * side)[:, None]) <= half - 0.5
            here = here[:, :, None, None] if axis == 1 else here[:, None, :, None]
            inside = here if inside is None else inside & here
        return tf.where(inside, tf.reduce_mean(x, axis=[1, 2], keepdims=True), x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        names = ("flip_horizontal", "flip_vertical", "quarter_turns", "movement", "colour", "cutout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def uniform(shape: tuple[Any, ...], seed: Any) -> Any:
    """Numbers in [0, 1), a function of the seed (two int32 values) and the position."""
    return tf.cast(tf.bitwise.right_shift(random_bits(shape, seed), tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24


def _centred(drawn: Any) -> Any:
    """From [0, 1) to [-1, 1)."""
    return 2.0 * drawn - 1.0
