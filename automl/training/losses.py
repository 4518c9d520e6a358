"""Losses of a batch, one value a row, with their constants as tensors so that changing one compiles nothing."""

from __future__ import annotations

from typing import Any

from automl.core.errors import TrainingError
from automl.core.methods import QUANTILES
from automl.core.tasks import Task

CLASSIFICATION_LOSSES = ("cross_entropy", "focal")
REGRESSION_LOSSES = ("mse", "huber")
FORECAST_LOSSES = ("quantile",)


def check_loss(name: str, task: Task) -> str:
    """The name itself. Raises TrainingError where the task has no such loss."""
    known: tuple[str, ...] = CLASSIFICATION_LOSSES if task.is_classification else REGRESSION_LOSSES
    if task is Task.FORECAST:
        known = FORECAST_LOSSES
    if name not in known:
        raise TrainingError(f'there is no loss "{name}" for {task.value}', f"known: {', '.join(known)}")
    return name


def row_losses(name: str, outputs: Any, target: Any, smoothing: Any, shape: Any) -> Any:
    """The loss of every row, shape (batch,).

    outputs: logits (batch, classes), or values (batch, 1). target: codes int32 or values float32, (batch,).
    "quantile": outputs (batch, horizon x quantiles) and target (batch, horizon); the mean pinball loss.
    smoothing: label smoothing, a scalar tensor. shape: gamma of the focal loss (Lin et al., 2017), or delta of the
    Huber loss, a scalar tensor; the other losses leave it aside.
    """
    import tensorflow as tf

    if name in CLASSIFICATION_LOSSES:
        classes = outputs.shape[-1]
        log_probability = tf.nn.log_softmax(outputs)  # (batch, classes)
        hot = tf.one_hot(target, classes)  # (batch, classes)
        smooth = hot * (1.0 - smoothing) + smoothing / classes
        if name == "cross_entropy":
            return -tf.reduce_sum(smooth * log_probability, axis=-1)
        missed = tf.clip_by_value(1.0 - tf.exp(log_probability), 1e-6, 1.0)
        return -tf.reduce_sum(smooth * tf.pow(missed, shape) * log_probability, axis=-1)
    if name == "quantile":
        levels = tf.constant(QUANTILES, tf.float32)
        errors = target[:, :, None] - tf.reshape(outputs, (-1, target.shape[1], len(QUANTILES)))  # (batch, horizon, quantiles)
        return 2.0 * tf.reduce_mean(tf.maximum(levels * errors, (levels - 1.0) * errors), axis=(1, 2))
    error = outputs[:, 0] - target
    if name == "mse":
        return tf.square(error)
    size = tf.abs(error)
    return tf.where(size <= shape, 0.5 * tf.square(error), shape * (size - 0.5 * shape))
