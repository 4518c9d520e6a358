"""One compiled function that trains an epoch of several nets at once, each on its own rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.architecture import Arrays, Training
from automl.core.space import Settings
from automl.training.losses import CLASSIFICATION_LOSSES, row_losses
from automl.training.optimizers import PER_STEP, update
from automl.training.program import Compiled, Layout, Trainable, padded
from automl.training.sharpness import sharpened

Array = np.ndarray[Any, Any]
Factors = Callable[[str, Settings], tuple[float, float]]
"""(name of a variable, as "hidden_0/kernel"; settings) -> (factor of its learning rate, factor of its weight decay)."""

LEAST_CHUNK, MOST_CHUNK = 128, 1024
"""Rows of each net that one call of the compiled prediction takes: about the validation rows of a small table's fold."""


@dataclass(frozen=True)
class PackedData:
    """Rows of all nets as tensors, the capacity of one after that of another; `rows` of each are real."""

    inputs: dict[str, Any]
    target: Any
    weight: Any
    rows: tuple[int, ...]


class PackedProgram(Trainable):
    """Training and prediction of a pack, compiled at the first call.

    net: inputs (nets, batch, columns); outputs (nets, batch, outputs), or (nets, batch, members, outputs), where the loss
    is the mean of the members' losses and a prediction is the mean of their probabilities or values. The first axis of
    every weight is the nets. What differs from trial to trial comes in as tensors, the factors of variables included.
    """

    def __init__(self, net: Any, nets: int, layout: Layout) -> None:
        super().__init__(net, layout)
        self.nets = nets
        self.chunk = min(MOST_CHUNK, max(LEAST_CHUNK, -(-layout.capacity // (8 * LEAST_CHUNK)) * LEAST_CHUNK))
        self.classifies = layout.loss in CLASSIFICATION_LOSSES
        self.names = [variable.path for variable in self.model.trainable_variables]
        self._predict = Compiled(self._together, layout.jit)

    def data(self, parts: Sequence[Training]) -> PackedData:
        """The rows of every net as tensors, padded with zeros to the capacity. Padded rows are never looked at."""
        capacity, tf = self.layout.capacity, self.tf
        kind = np.int32 if self.classifies else np.float32

        def joined(arrays: list[Array]) -> Any:
            return tf.constant(np.concatenate([padded(values, capacity) for values in arrays]))

        return PackedData(
            {name: joined([part.inputs[name] for part in parts]) for name in self.inputs},
            joined([np.asarray(part.target, kind) for part in parts]),
            joined([np.asarray(part.sample_weight, np.float32) for part in parts]),
            tuple(len(part.target) for part in parts),
        )

    def epoch(
        self, data: PackedData, orders: list[Array], per_step: Array, constants: Array, rates: Array, factors: Array, seed: int
    ) -> Array:
        """Train every net on all its rows once; returns the mean training loss of each, (nets,).

        orders: of each net, a permutation of its rows; it begins again where others have more rows, and to fill up the
        last batch. per_step: (steps, len(PER_STEP)); constants: (len(CONSTANTS),); rates: dropout rates, one a dropout
        layer; factors: (variables, 2), see Factors; seed: of the dropout masks of this epoch.
        """
        tf, batch, capacity = self.tf, self.layout.batch, self.layout.capacity
        steps, most = len(per_step), self.steps(capacity)
        filled = [np.resize(order, steps * batch) + net * capacity for net, order in enumerate(orders)]
        rows = np.stack(filled).reshape(self.nets, steps, batch).swapaxes(0, 1)
        arguments = (
            data.inputs,
            data.target,
            data.weight,
            tf.constant(padded(np.asarray(rows, np.int32), most)),
            tf.constant(padded(per_step.astype(np.float32), most)),
            tf.constant(constants, tf.float32),
            tf.constant(rates, tf.float32),
            tf.constant(factors, tf.float32),
            tf.constant([seed, steps], tf.int32),
        )
        return np.asarray(self._epoch(*arguments))

    def predict_each(self, inputs: Sequence[Arrays]) -> list[Array]:
        """What every net says of rows of its own: (rows, outputs) float32 each, log-probabilities or values."""
        counts = [len(rows[self.inputs[0]]) for rows in inputs]
        parts, chunk = [], self.chunk
        for start in range(0, max(counts), chunk):
            chunks = {
                name: self.tf.constant(np.stack([padded(rows[name][start : start + chunk], chunk) for rows in inputs]))
                for name in self.inputs
            }
            parts.append(self._predict(chunks).numpy())
        outputs = np.concatenate(parts, axis=1)
        return [outputs[net, :count] for net, count in enumerate(counts)]

    def compile_prediction(self, inputs: Sequence[Arrays]) -> None:
        """Now, where that is still to be done, so that the first evaluation of a training takes about as long as the others."""
        if not self._predict.seconds:
            self.predict_each([{name: rows[name][:1] for name in self.inputs} for rows in inputs])

    def predict(self, inputs: Arrays, sharpness: float = 1.0) -> Array:
        """What all nets together say of the same rows, (rows, outputs) float32: log-probabilities or values."""
        apart = np.stack(self.predict_each([inputs] * self.nets))
        return np.log(np.maximum(sharpened(apart, sharpness).mean(axis=0), 1e-30)) if self.classifies else apart.mean(axis=0)

    def _together(self, inputs: dict[str, Any]) -> Any:
        """(nets, rows, outputs): the mean of the members of each net."""
        tf = self.tf
        outputs = self.model(inputs, training=False)
        if len(outputs.shape) == 3:
            return tf.nn.log_softmax(outputs) if self.classifies else outputs
        if not self.classifies:
            return tf.reduce_mean(outputs, axis=2)
        return tf.reduce_logsumexp(tf.nn.log_softmax(outputs), axis=2) - tf.math.log(float(outputs.shape[2]))

    def _train(
        self,
        inputs: dict[str, Any],
        target: Any,
        weight: Any,
        order: Any,
        per_step: Any,
        constants: Any,
        rates: Any,
        factors: Any,
        seed_and_steps: Any,
    ) -> Any:
        tf = self.tf
        seed, steps = tf.unstack(seed_and_steps)

        def step(number: Any, total: Any) -> tuple[Any, Any]:
            rows, now = order[number], per_step[number]  # (nets, batch), (len(PER_STEP),)
            for index, layer in enumerate(self.dropouts):
                layer.rate = rates[index] * now[PER_STEP.index("dropout")]
                layer.seed = tf.stack([seed, number * len(self.dropouts) + index])
            batch = {name: tf.gather(values, rows) for name, values in inputs.items()}
            losses = self._step(batch, tf.gather(target, rows), tf.gather(weight, rows), now, constants, factors)
            return number + 1, total + losses

        first = (tf.constant(0), tf.zeros(self.nets))
        _, total = tf.while_loop(lambda number, _: number < steps, step, first)
        return total / tf.cast(steps, tf.float32)

    def _step(self, batch: dict[str, Any], target: Any, weight: Any, now: Any, constants: Any, factors: Any) -> Any:
        """One update of every net; their losses before it, (nets,)."""
        tf = self.tf
        smoothing, shape, clip_norm, beta_2 = tf.unstack(constants)
        with tf.GradientTape() as tape:
            outputs = self.model(batch, training=True)
            if len(outputs.shape) == 3:
                outputs = outputs[:, :, None]  # (nets, batch, members, outputs)
            members = outputs.shape[2]
            flat = tf.reshape(outputs, (-1, outputs.shape[3]))
            repeated = tf.repeat(tf.reshape(target, [-1]), members)
            each = tf.reshape(row_losses(self.layout.loss, flat, repeated, smoothing, shape), (self.nets, -1, members))
            losses = tf.reduce_mean(weight * tf.reduce_mean(each, axis=2), axis=1)
            loss = tf.reduce_sum(losses)
        gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, self.variables)]
        squares = [tf.reduce_sum(tf.reshape(tf.square(gradient), (self.nets, -1)), axis=1) for gradient in gradients]
        norm = tf.sqrt(tf.add_n(squares))  # (nets,)
        scale = clip_norm / tf.maximum(norm, clip_norm)
        for index, gradient in enumerate(gradients):
            scaled = gradient * tf.reshape(scale, (self.nets, *[1] * (len(gradient.shape) - 1)))
            kept = [slot[index] for slot in self.slots]
            update(self.layout.optimizer, self.variables[index], kept, scaled, now, beta_2, tf.unstack(factors[index]))
        return losses
