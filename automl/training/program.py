"""One compiled function that trains a whole epoch over data in memory, shared by all nets of one structure."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.architecture import Arrays
from automl.core.memory import give_back
from automl.training.backend import tensorflow
from automl.training.losses import CLASSIFICATION_LOSSES, row_losses
from automl.training.optimizers import PER_STEP, slots, update

Array = np.ndarray[Any, Any]
Factors = Callable[[str, tuple[int, ...]], tuple[float, float]]
"""(path, shape) of a variable -> (factor of its learning rate, factor of its weight decay)."""

CHUNK, PLAIN_CHUNK, CHUNK_VALUES = 1024, 256, 1 << 20
"""Rows that one call of the compiled prediction takes, and without XLA; values where a row is an image, a series or a sound."""

CONSTANTS = ("label_smoothing", "loss_shape", "clip_norm", "beta_2")


@dataclass(frozen=True)
class Layout:
    """What is fixed when a program is compiled, besides the structure of the net.

    capacity: rows that the data is padded to; batch: rows a step; jit: compile by XLA.
    """

    capacity: int
    batch: int
    optimizer: str = "adamw"
    loss: str = "cross_entropy"
    jit: bool = True


@dataclass(frozen=True)
class Data:
    """Rows of a training as tensors of the program's capacity; `rows` of them are real."""

    inputs: dict[str, Any]
    target: Any
    weight: Any
    rows: int


def no_decay_on_vectors(path: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Weight decay on matrices only: biases and normalisation are vectors."""
    return 1.0, float(len(shape) >= 2)


class Compiled:
    """A function compiled at its first call; where XLA cannot compile it, the plain graph does the same."""

    def __init__(self, function: Callable[..., Any], jit: bool, **options: Any) -> None:
        self.function, self.jit = function, jit
        self.seconds: list[float] = []
        self.call = tensorflow().function(function, jit_compile=jit, autograph=False, **options)

    @property
    def compile_seconds(self) -> float:
        """By how much the first call was slower than the second; 0 until there are two."""
        return max(0.0, self.seconds[0] - self.seconds[1]) if len(self.seconds) > 1 else 0.0

    def __call__(self, *arguments: Any) -> Any:
        started = time.monotonic()
        outputs = self._called(arguments)
        if len(self.seconds) < 2:
            tensorflow().nest.map_structure(lambda tensor: tensor.numpy(), outputs)  # waits until it is computed
            self.seconds.append(time.monotonic() - started)
            if len(self.seconds) == 2:  # not between the two, of which the second one is a measure
                give_back()  # what compiling has left
        return outputs

    def _called(self, arguments: tuple[Any, ...]) -> Any:
        tf = tensorflow()
        try:
            return self.call(*arguments)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError, tf.errors.InternalError):
            if not self.jit:
                raise
            self.jit, self.call = False, tf.function(self.function, autograph=False)
            return self.call(*arguments)


class Trainable:
    """A net with its optimizer's state and its epoch, a function `_train` of tensors that is compiled at the first call."""

    def __init__(self, net: Any, layout: Layout) -> None:
        self.tf = tensorflow()
        self.layout = layout
        self.model, self.dropouts = trainable_copy(net)
        self.inputs = [tensor.name for tensor in net.inputs]
        self.weights = [variable.value for variable in self.model.weights]
        self.variables = [variable.value for variable in self.model.trainable_variables]
        kept = range(slots(layout.optimizer))
        self.slots = [[self.tf.Variable(self.tf.zeros_like(each)) for each in self.variables] for _ in kept]
        self._epoch = Compiled(self._train, layout.jit)

    def load(self, weights: list[Array]) -> None:
        """Start from these weights, with an optimizer that has seen nothing."""
        for variable, value in zip(self.weights, weights, strict=True):
            variable.assign(value)
        for slot in self.slots:
            for variable in slot:
                variable.assign(self.tf.zeros_like(variable))

    @property
    def compile_seconds(self) -> float:
        """What compiling the training took, so far as it is known: from the second epoch on."""
        return self._epoch.compile_seconds

    def state(self) -> list[Array]:
        """A copy of the weights, in the order of the net's `get_weights()`."""
        return [np.array(variable.numpy()) for variable in self.weights]

    def steps(self, rows: int) -> int:
        """Steps of one epoch over so many rows."""
        return -(-rows // self.layout.batch)

    def _train(self, *arguments: Any) -> Any:
        raise NotImplementedError


class Program(Trainable):
    """A net's training and prediction, compiled at the first call.

    Values that change from trial to trial (learning rate, dropout, weight decay, smoothing) come in as tensors. Layers
    with `takes_seed` (augmentation) get a `seed` (two int32 values) of their own in every step.
    """

    def __init__(self, net: Any, layout: Layout, factors: Factors = no_decay_on_vectors) -> None:
        super().__init__(net, layout)
        self.seeded = [layer for layer in self.model.layers if getattr(layer, "takes_seed", False)]
        values = max(math.prod(tensor.shape[1:]) if len(tensor.shape) > 2 else 1 for tensor in net.inputs)
        self.chunk = max(8, min(CHUNK if layout.jit else PLAIN_CHUNK, CHUNK_VALUES // values))
        self.factors = [factors(variable.path, tuple(variable.shape)) for variable in self.model.trainable_variables]
        self._predict = Compiled(self._logits, layout.jit, reduce_retracing=not layout.jit)

    def data(self, inputs: Arrays, target: Array, weight: Array) -> Data:
        """Rows as tensors, padded with zeros to the capacity. Padded rows are never looked at."""
        kind = np.int32 if self.layout.loss in CLASSIFICATION_LOSSES else np.float32
        capacity, tf = self.layout.capacity, self.tf
        return Data(
            {name: tf.constant(padded(inputs[name], capacity)) for name in self.inputs},
            tf.constant(padded(np.asarray(target, kind), capacity)),
            tf.constant(padded(np.asarray(weight, np.float32), capacity)),
            len(target),
        )

    def epoch(self, data: Data, order: Array, per_step: Array, constants: Array, rates: Array, seed: int) -> float:
        """Train on all rows once; returns the mean training loss.

        order: (rows,) a permutation of the rows; the last batch is filled up from its front, so every batch is full
        and no row is left out. per_step: (steps, len(PER_STEP)); constants: (len(CONSTANTS),); rates: dropout rates,
        one a dropout layer; seed: of the dropout masks of this epoch.
        """
        tf, most = self.tf, self.steps(self.layout.capacity)
        steps = self.steps(data.rows)
        filled = np.resize(order, steps * self.layout.batch).astype(np.int32)
        arguments = (
            data.inputs,
            data.target,
            data.weight,
            tf.constant(padded(filled.reshape(steps, self.layout.batch), most)),
            tf.constant(padded(per_step.astype(np.float32), most)),
            tf.constant(constants, tf.float32),
            tf.constant(rates, tf.float32),
            tf.constant([seed, steps], tf.int32),
        )
        return float(self._epoch(*arguments))

    def predict(self, inputs: Arrays) -> Array:
        """Outputs of the net, (rows, outputs) float32, logits where it classifies."""
        tf, parts = self.tf, []
        rows = len(inputs[self.inputs[0]])
        chunk = self.chunk
        for start in range(0, rows, chunk):
            size = chunk if self.layout.jit else min(chunk, rows - start)  # only XLA wants one shape
            tensors = {name: tf.constant(padded(inputs[name][start : start + chunk], size)) for name in self.inputs}
            outputs = self._predict(tensors).numpy()
            parts.append(outputs[: min(chunk, rows - start)])
        return np.concatenate(parts) if parts else np.zeros((0, int(self.model.output_shape[-1])), np.float32)

    def compile_prediction(self, inputs: Arrays) -> None:
        """Now, where that is still to be done, so that the first evaluation of a training takes about as long as the others."""
        if not self._predict.seconds:
            self.predict({name: inputs[name][: self.chunk] for name in self.inputs})

    def _logits(self, inputs: dict[str, Any]) -> Any:
        return self.model(inputs, training=False)

    def _train(
        self,
        inputs: dict[str, Any],
        target: Any,
        weight: Any,
        order: Any,
        per_step: Any,
        constants: Any,
        rates: Any,
        seed_and_steps: Any,
    ) -> Any:
        tf = self.tf
        seed, steps = tf.unstack(seed_and_steps)

        def step(number: Any, total: Any) -> tuple[Any, Any]:
            rows, now = order[number], per_step[number]
            for index, layer in enumerate(self.dropouts):
                layer.rate = rates[index] * now[PER_STEP.index("dropout")]
                layer.seed = tf.stack([seed, number * len(self.dropouts) + index])
            for index, layer in enumerate(self.seeded):
                layer.seed = tf.stack([~seed, number * len(self.seeded) + index])
            batch = {name: tf.gather(values, rows) for name, values in inputs.items()}
            loss = self._step(batch, tf.gather(target, rows), tf.gather(weight, rows), now, constants)
            return number + 1, total + loss

        _, total = tf.while_loop(lambda number, _: number < steps, step, (tf.constant(0), tf.constant(0.0)))
        return total / tf.cast(steps, tf.float32)

    def _step(self, batch: dict[str, Any], target: Any, weight: Any, now: Any, constants: Any) -> Any:
        tf = self.tf
        smoothing, shape, clip_norm, beta_2 = tf.unstack(constants)
        with tf.GradientTape() as tape:
            outputs = self.model(batch, training=True)
            losses = row_losses(self.layout.loss, outputs, target, smoothing, shape)
            loss = tf.reduce_mean(weight * losses)
        gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, self.variables)]
        norm = tf.linalg.global_norm(gradients)
        scale = clip_norm / tf.maximum(norm, clip_norm)
        for index, gradient in enumerate(gradients):
            kept = [slot[index] for slot in self.slots]
            update(self.layout.optimizer, self.variables[index], kept, gradient * scale, now, beta_2, self.factors[index])
        return loss


def dropout_rates(net: Any) -> Array:
    """The rates of the net's Dropout layers, in order, (layers,)."""
    return np.asarray([layer.rate for layer in _layers(net, "Dropout")], np.float32)


def structure(net: Any) -> str:
    """What decides the compiled code: the net's configuration without names, dropout rates, seeds and widths of a start."""
    text = json.dumps(net.get_config(), sort_keys=True, default=str)
    text = re.sub(r'"(rate|sigma)": [0-9.e-]+', r'"\1": 0', text)
    text = re.sub(r'"seed": (null|-?[0-9]+)', '"seed": 0', text)
    names: dict[str, str] = {}
    for layer in net._flatten_layers():
        names.setdefault(f'"{layer.name}"', f'"layer_{len(names)}"')
    # Keys, which a colon follows, stay: Keras calls the first Activation layer of a process "activation".
    return re.sub(r'"[^"]*"(:?)', lambda found: found[0] if found[1] else names.get(found[0], found[0]), text)


def _layers(net: Any, kind: str) -> list[Any]:
    return [layer for layer in net.layers if type(layer).__name__ == kind]


def trainable_copy(net: Any) -> tuple[Any, list[Any]]:
    """The net with dropout layers whose rates are tensors, and these layers in order."""
    import keras

    from automl.training.layers import TensorDropout

    def clone(layer: Any) -> Any:
        if isinstance(layer, keras.layers.Dropout):
            return TensorDropout(name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    model = keras.models.clone_model(net, clone_function=clone)
    return model, _layers(model, "TensorDropout")


def _exact(values: Array) -> Array:
    """float32 or int32, whatever came in; uint8 stays, and the net casts it."""
    if values.dtype == np.uint8:
        return values
    return np.asarray(values, np.int32 if np.issubdtype(values.dtype, np.integer) else np.float32)


def padded(values: Array, rows: int) -> Array:
    """The array with zeros after its last row, (rows, ...)."""
    values = np.ascontiguousarray(_exact(values))
    if len(values) == rows:
        return values
    return np.concatenate([values, np.zeros((rows - len(values), *values.shape[1:]), values.dtype)])
