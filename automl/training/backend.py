"""Loads TensorFlow and Keras quietly, with the threads set before the first operation."""

from __future__ import annotations

import os
import warnings
from typing import Any

from automl.core.openmp import wait_briefly


def tensorflow(jobs: int | None = None) -> Any:
    """The tensorflow module.

    jobs: threads for one operation. TensorFlow fixes them at its first operation; a later call cannot change them.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    wait_briefly()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        import tensorflow as tf

    if jobs is not None and not _started():
        tf.config.threading.set_intra_op_parallelism_threads(jobs)
        tf.config.threading.set_inter_op_parallelism_threads(jobs)
    return tf


def _started() -> bool:
    """Whether TensorFlow has run an operation in this process."""
    from tensorflow.python.eager import context

    return bool(context.context()._initialized)
