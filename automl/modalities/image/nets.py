"""What the nets of this ladder share: when they pay off, how long they train, the head on the trunks, the learner."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.core.architecture import Cost, Fold, FoldsResult, Problem, Training
from automl.core.clock import Deadline
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Settings
from automl.training.symmetry import Symmetry, is_photographic, symmetries
from automl.training.trunks import image as trunks

if TYPE_CHECKING:
    from automl.training.learner import NetFitted

Array = np.ndarray[Any, Any]
Trunk = Callable[[Any, Settings], Any]

LEAST_ROWS = 60
BATCH = 64
FLOPS_A_SECOND = 4e10
"""Of training on two cores. Compiled by XLA, these nets were 18 times slower, so they are not."""
TRAINING_SECONDS = 40.0
FEWEST_IMAGES, MOST_IMAGES = 30_000, 60_000
"""Images of all epochs together that a training goes through."""
FEWEST_EPOCHS, MOST_EPOCHS = 8, 40
IMBALANCE = 0.2


def fits(profile: Profile) -> str | None:
    """None, or the sentence that the report shows when this rung is left out."""
    if profile.rows < LEAST_ROWS:
        return f"a net needs about {LEAST_ROWS} images to pay off; here are {profile.rows:,}"
    return None


def shapes_of(profile: Profile) -> list[tuple[int, int, int]]:
    """(height, width, channels) of each column of images, as the net sees them."""
    return [
        (int(column.parse["height"]), int(column.parse["width"]), int(column.parse["channels"]))
        for column in profile.features_of(Kind.IMAGE)
    ]


def size_of(profile: Profile, kind: str, filters: int) -> tuple[float, int]:
    """(multiplications for a row, weights) of the trunks over all columns."""
    sizes = [trunks.multiplications(kind, shape, filters) for shape in shapes_of(profile)]
    return sum(work for work, _ in sizes), sum(weights for _, weights in sizes)


def epochs_for(profile: Profile, kind: str, filters: int) -> int:
    """As many as some 40 seconds give on two cores, between 8 and 40."""
    work, _ = size_of(profile, kind, filters)
    images = np.clip(TRAINING_SECONDS * FLOPS_A_SECOND / (6 * work), FEWEST_IMAGES, MOST_IMAGES)
    return int(np.clip(round(images / max(1.0, 0.8 * profile.rows)), FEWEST_EPOCHS, MOST_EPOCHS))


def is_imbalanced(profile: Profile) -> bool:
    return bool(profile.class_counts) and min(profile.class_counts) < IMBALANCE * max(profile.class_counts)


def shared_dimensions(profile: Profile, epochs: int) -> dict[str, Dimension]:
    """What every net here can vary."""
    dimensions: dict[str, Dimension] = {
        "dropout": Float(0.0, 0.5, default=0.3),
        "activation": Choice(("relu", "silu", "gelu"), default="relu"),
        "augment": Choice((1.0, 0.0, 0.5, 1.5), default=1.0),
        "learning_rate": Float(5e-4, 1e-2, default=3e-3, log=True),
        "weight_decay": Float(1e-3, 2e-1, default=5e-2, log=True),
        "epochs": Choice((epochs, 2 * epochs), default=epochs),
    }
    if profile.task.is_classification:
        dimensions["label_smoothing"] = Choice((0.0, 0.05, 0.1), default=0.0)
        dimensions["loss"] = Choice(("cross_entropy", "focal"), default="cross_entropy")
        if is_imbalanced(profile):
            dimensions["class_weight"] = Choice(("none", "balanced"), default="none")
            dimensions["sampling"] = Choice(("shuffled", "balanced"), default="shuffled")
    else:
        dimensions["loss"] = Choice(("mse", "huber"), default="mse")
    return dimensions


def cost_of(profile: Profile, settings: Settings, kind: str) -> Cost:
    """By the multiplications of a row: five folds, one forward and two backward passes a row and epoch."""
    filters = int(settings.get("filters", 16))
    work, weights = size_of(profile, kind, filters)
    epochs = int(settings.get("epochs", epochs_for(profile, kind, filters)))
    weights += 256 * profile.outputs
    return Cost(5.0 + 5 * epochs * 0.8 * profile.rows * 6.0 * work / FLOPS_A_SECOND, 4 * weights + 12_000, 2.0 * work)


def head(trunk: Trunk, shapes: dict[str, tuple[Any, str, Any]], problem: Problem, settings: Settings) -> Any:
    """The net: every column of images through a trunk of its own, their features side by side to the outputs."""
    from automl.training.backend import tensorflow

    tensorflow()
    import keras

    images = {name: keras.Input(tuple(shape), name=name, dtype=dtype) for name, (shape, dtype, _) in shapes.items()}
    features = [trunk(image, settings) for image in images.values()]
    x = features[0] if len(features) == 1 else keras.layers.Concatenate()(features)
    outputs = keras.layers.Dense(int(problem.outputs), kernel_initializer="zeros", name="logits")(x)
    return keras.Model(images, outputs)


class ImageLearner:
    """A NetLearner that first measures which mirror images the augmentation may use, on the training rows alone."""

    def __init__(self, build: Callable[..., Any]) -> None:
        from automl.training.learner import NetLearner

        self.nets = NetLearner(build, {"jit": False, "batch_size": BATCH, "learning_rate": 3e-3, "weight_decay": 5e-2})
        self.known: dict[int, Settings] = {}

    def fit_folds(self, folds: list[Fold], problem: Problem, settings: Settings, seed: int, deadline: Deadline) -> FoldsResult:
        """As NetLearner does it; what was measured is told in the result's settings, and `fit` takes it from there."""
        return self.nets.fit_folds(folds, problem, {**settings, **self._measured(folds[0].training, problem)}, seed, deadline)

    def fit(self, training: Training, problem: Problem, settings: Settings, rounds: int, seed: int) -> NetFitted:
        measured = {} if "mirrored" in settings else self._measured(training, problem)
        return self.nets.fit(training, problem, {**settings, **measured}, rounds, seed)

    def _measured(self, training: Training, problem: Problem) -> Settings:
        key = hash(np.asarray(training.target).tobytes())
        if key not in self.known:
            images = next(iter(training.inputs.values()))
            found = symmetries(images, training.target, problem.outputs if problem.task.is_classification else None)
            self.known[key] = {"mirrored": mirrored(found), "photos": is_photographic(images)}
        return self.known[key]


def mirrored(found: list[Symmetry]) -> str:
    """The allowed changes as a setting, such as "flip_horizontal+flip_vertical", or "none"."""
    names = {each.name for each in found if each.allowed}
    if not {"flip_horizontal", "flip_vertical"} <= names:
        names.discard("quarter_turns")
    return "+".join(name for name in trunks.SYMMETRIES if name in names) or "none"
