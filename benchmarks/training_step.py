"""Microseconds a training step: our compiled epoch against keras.Model.fit on the same net, data and batch size.

    python -m benchmarks.training_step [--rows 10000] [--features 30] [--width 128] [--batch 256] [--epochs 5]

Prints one line a way of training and the ratio; the aim is a ratio of at least 3. Exit code 1 below it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from automl.training.backend import tensorflow
from automl.training.program import Layout, Program, dropout_rates

AIM = 3.0
ROUNDS = 3


def make_net(features: int, width: int) -> Any:
    """Two dense layers with BatchNorm, ReLU and dropout."""
    import keras

    inputs = keras.Input((features,), name="numeric")
    x = inputs
    for _ in range(2):
        x = keras.layers.Dense(width)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.Activation("relu")(x)
        x = keras.layers.Dropout(0.1)(x)
    return keras.Model({"numeric": inputs}, keras.layers.Dense(2)(x))


Way = Callable[[int], list[float]]
"""Trains so many epochs more and gives the seconds of each."""


def compiled_epochs(net: Any, features: Any, target: Any, batch: int) -> Way:
    """Our training: the whole epoch is one compiled function."""
    rows = len(target)
    program = Program(net, Layout(rows, batch))
    program.load(net.get_weights())
    data = program.data({"numeric": features}, target, np.ones(rows))
    per_step = np.tile([1e-3, 0.9, 1e-4, 1.0, 1.0, 1.0], (program.steps(rows), 1))
    constants = np.asarray([0.0, 0.0, 1.0, 0.999])
    generator = np.random.default_rng(0)

    def train(epochs: int) -> list[float]:
        seconds = []
        for epoch in range(epochs):
            started = time.perf_counter()
            program.epoch(data, generator.permutation(rows), per_step, constants, dropout_rates(net), epoch)
            seconds.append(time.perf_counter() - started)
        return seconds

    return train


def keras_epochs(net: Any, features: Any, target: Any, batch: int) -> Way:
    """The same by model.fit; what a call of fit costs before its first epoch is not counted."""
    import keras

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds.append(time.perf_counter() - self.started)

    seconds: list[float] = []
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(optimizer=keras.optimizers.AdamW(1e-3, weight_decay=1e-4, global_clipnorm=1.0), loss=loss)

    def train(epochs: int) -> list[float]:
        seconds.clear()
        net.fit({"numeric": features}, target, batch_size=batch, epochs=epochs, verbose=0, callbacks=[Clock()])
        return list(seconds)

    return train


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rows", 10_000), ("features", 30), ("width", 128), ("batch", 256), ("epochs", 5), ("jobs", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    tensorflow(options.jobs)
    generator = np.random.default_rng(0)
    features = generator.normal(size=(options.rows, options.features)).astype(np.float32)
    target = (features[:, 0] * features[:, 1] + features[:, 2] > 0).astype(np.int64)
    steps = -(-options.rows // options.batch)
    ways = {"compiled epoch": compiled_epochs, "model.fit": keras_epochs}
    first: dict[str, float] = {}
    later: dict[str, list[float]] = {}
    trainers = {
        name: way(make_net(options.features, options.width), features, target, options.batch) for name, way in ways.items()
    }
    for name, train in trainers.items():
        first[name], later[name] = train(1)[0], []
    for _ in range(ROUNDS):  # in turns, so that a busy machine slows both alike
        for name, train in trainers.items():
            later[name] += train(options.epochs)
    medians = {name: float(np.median(seconds)) for name, seconds in later.items()}
    for name, seconds in medians.items():
        print(f"{name:15} {1e6 * seconds / steps:9,.0f} microseconds a step   first epoch {first[name]:5.1f} s")
    ratio = medians["model.fit"] / medians["compiled epoch"]
    print(f"{'ratio':15} {ratio:9.1f} (aim: at least {AIM:.0f})")
    return 0 if ratio >= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
