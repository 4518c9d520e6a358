"""Rung 1: a linear model on n-grams, image summaries and the table's own columns side by side."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Settings, Space
from automl.core.tasks import ALL_TASKS, Task
from automl.modalities.mixture.sizes import characters_of, condensed_width, kinds_in_words, table_width

IMBALANCED = 0.3
MOST_FEATURES = 50_000
SECONDS_A_CHARACTER, SECONDS_A_CELL, SECONDS_A_PIXEL = 6e-7, 4e-7, 6e-8
BYTES_A_FEATURE, DATE_BYTES = 24, 4000


def fits(profile: Profile) -> str | None:
    """None: it always fits."""
    return None


def reason(profile: Profile) -> str:
    """Why it is worth trying on this profile."""
    kind = "logistic regression" if profile.task.is_classification else "ridge regression"
    return f"{kind} on {kinds_in_words(profile)} side by side adds up what each says; a more complex model has to beat that"


def space(profile: Profile) -> Space:
    """What can be varied; the first start is the default."""
    middle = 1.0 if profile.task is Task.REGRESSION else 2.0
    dimensions: dict[str, Dimension] = {"strength": Float(0.01, 300.0, middle, log=True)}
    starts: list[dict[str, Any]] = [{"strength": middle * factor} for factor in (1.0, 0.2, 5.0, 0.05)]
    if profile.task is Task.BINARY and profile.features_of(Kind.TEXT):
        dimensions["weighting"] = Choice(("mean", "naive_bayes", "plain"), "mean")
        starts = [{"strength": strength, "weighting": "mean"} for strength in (middle, 0.7, 6.0)]
        starts[1:1] = [{"strength": 0.5, "weighting": "plain"}, {"strength": middle, "weighting": "naive_bayes"}]
    if profile.class_counts and min(profile.class_counts) < IMBALANCED * sum(profile.class_counts):
        dimensions["class_weight"] = Choice(("none", "balanced"), "none")
    return Space(dimensions, tuple(starts))


def cost(profile: Profile, settings: Settings) -> Cost:
    """Counting n-grams and summing pixels is paid once, the fits by what is not zero in a row."""
    characters, dense = characters_of(profile), table_width(profile) + condensed_width(profile)
    cells = min(2.0, 30.0 / max(1.0, characters) ** 0.5) * characters + dense
    fits_of = 1 if profile.outputs <= 2 else profile.outputs
    pixels = sum(pixels_of(column.parse) for column in profile.features_of(Kind.IMAGE))
    once = SECONDS_A_CHARACTER * characters + SECONDS_A_PIXEL * pixels
    seconds = 0.3 + profile.rows * (once + 5 * SECONDS_A_CELL * cells * fits_of)
    texts = 40 * (characters * profile.rows) ** 0.5 * len(profile.features_of(Kind.TEXT))
    width = min(MOST_FEATURES, texts) + dense
    outputs = 1 if profile.outputs == 2 else profile.outputs
    size = 3000 + width * (BYTES_A_FEATURE + 4 * outputs) + DATE_BYTES * bool(profile.features_of(Kind.DATETIME))
    return Cost(seconds, int(size), 2.0 * cells * outputs)


def pixels_of(parse: dict[str, Any]) -> float:
    """Numbers of an image."""
    return float(parse.get("height", 64) * parse.get("width", 64) * parse.get("channels", 3))


def learner() -> Any:
    from automl.learners.sparse_linear import SparseLinearLearner

    return SparseLinearLearner()


ARCHITECTURE = Architecture(
    name="linear",
    title="Linear model on all columns",
    rung=1,
    tasks=ALL_TASKS,
    encoding="side_by_side",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
)
