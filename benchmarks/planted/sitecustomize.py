"""Faults that are planted into automl when PLANTED_BUG names one and this folder is on PYTHONPATH; bugs.py does so.

Python imports a module of this name at its start, in the run and in its training worker alike. Each fault replaces one
function of one module right after that is imported.
"""

from __future__ import annotations

import dataclasses
import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any


def shuffle_labels(module: ModuleType) -> None:
    """Learners get the rows with the labels of other rows."""
    import numpy as np

    made = module._training

    def training(*arguments: Any) -> Any:
        found = made(*arguments)
        return dataclasses.replace(found, target=np.random.default_rng(0).permutation(found.target))

    module._training = training  # type: ignore[attr-defined]


def raise_rate(module: ModuleType) -> None:
    made = module.learning_rates
    module.learning_rates = lambda *arguments: 1000.0 * made(*arguments)  # type: ignore[attr-defined]


def freeze(module: ModuleType) -> None:
    """No step changes a weight."""
    module.update = lambda *arguments: None  # type: ignore[attr-defined]


def zero_features(module: ModuleType) -> None:
    """The numbers that reach the exported graph are zeros."""
    made = module._feed

    def feed(values: Any, dtype: Any) -> Any:
        found = made(values, dtype)
        return 0 * found if found.dtype.kind in "fiu" else found

    module._feed = feed  # type: ignore[attr-defined]


def leak_rows(module: ModuleType) -> None:
    """The rows that a fold is scored on are among those that it learns from."""
    import numpy as np

    fold_rows = module.FoldRows

    def leaking(training: Any, validation: Any, *rest: Any) -> Any:
        return fold_rows(np.union1d(training, validation), validation, *rest)

    module.FoldRows = leaking  # type: ignore[attr-defined]


def forget_seed(module: ModuleType) -> None:
    """Boosting draws its rows and columns by a seed of the moment."""
    import time

    made = module.TreesLearner.fit

    def fit(self: Any, training: Any, problem: Any, settings: Any, rounds: int, seed: int) -> Any:
        settings = {**settings, "feature_fraction": 0.6}
        return made(self, training, problem, settings, rounds, time.time_ns() % 2**31)

    module.TreesLearner.fit = fit


BUGS: dict[str, dict[str, Callable[[ModuleType], None]]] = {
    "labels shuffled": {"automl.search.pipeline": shuffle_labels},
    "learning rate x1000": {"automl.training.schedules": raise_rate},
    "frozen net": {"automl.training.program": freeze, "automl.training.packed.program": freeze},
    "features zeroed in serving": {"automl.core.predictor": zero_features},
    "validation rows in training": {"automl.splitting": leak_rows},
    "seed not obeyed": {"automl.learners.trees": forget_seed},
}


class Planting(importlib.abc.MetaPathFinder):
    """Finds the named modules as Python would, and changes them once they are loaded."""

    def __init__(self, changes: dict[str, Callable[[ModuleType], None]]) -> None:
        self.changes = changes

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if name not in self.changes:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.loader is not None
        load, change = spec.loader.exec_module, self.changes[name]

        def exec_module(module: ModuleType) -> None:
            load(module)
            change(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if os.environ.get("PLANTED_BUG"):
    sys.meta_path.insert(0, Planting(BUGS[os.environ["PLANTED_BUG"]]))
