"""What packing is worth: CPU and wall-clock milliseconds a step of five folds of a RealMLP, packed and one after another.

    python -m benchmarks.packed_step [--columns 15] [--rounds 5]

Prints both ways at three batch sizes and their ratio; packing pays where it is above 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from automl.core.architecture import Problem, Training
from automl.core.tasks import Task
from automl.modalities.tabular.ladder import realmlp
from automl.training.rows import shapes_of

FOLDS, STEPS = 5, 20
PROBLEM = Problem(Task.BINARY, 2, "log_loss", jobs=2)


def trainer_of(columns: int, batch: int, nets: int) -> Any:
    generator = np.random.default_rng(0)
    rows = STEPS * batch
    numeric = generator.normal(size=(rows, columns)).astype(np.float32)
    training = Training({"numeric": numeric}, (numeric[:, 0] > 0).astype(np.int64))
    learner: Any = realmlp.learner()
    used = learner._complete({"batch_size": batch}, rows, PROBLEM)
    parts = [training] * nets
    trainer = learner._trainer(parts, shapes_of(parts), PROBLEM, used, 0, rows)[1]
    trainer.epoch()
    return trainer


def milliseconds(trainer: Any, times: int) -> tuple[float, float]:
    """(CPU, wall clock) a step of so many trainings of this pack in turn."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        trainer.epoch()
    return 1e3 * (time.process_time() - cpu) / STEPS, 1e3 * (time.perf_counter() - wall) / STEPS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for batch in (32, 64, 256):
        packed, alone = (trainer_of(options.columns, batch, nets) for nets in (FOLDS, 1))
        found = np.array([(milliseconds(packed, 1), milliseconds(alone, FOLDS)) for _ in range(options.rounds)])
        (packed_cpu, packed_wall), (alone_cpu, alone_wall) = np.median(found, axis=0)
        print(
            f"batch {batch:4}: packed {packed_cpu:6.1f} CPU ms, {packed_wall:6.1f} ms; in turn {alone_cpu:6.1f} CPU ms, "
            f"{alone_wall:6.1f} ms; ratio {alone_cpu / packed_cpu:.2f} and {alone_wall / packed_wall:.2f}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
