"""Rung 1: logistic or ridge regression on weighted n-grams (TF-IDF) of words and characters."""

from __future__ import annotations

from typing import Any

from automl.core.architecture import Architecture, Cost
from automl.core.profile import Kind, Profile
from automl.core.space import Choice, Dimension, Float, Settings, Space
from automl.core.tasks import ALL_TASKS, Task
from automl.modalities.text.sense import characters_of

IMBALANCED = 0.3
SENTENCE_CELLS = 200.0
"""N-grams of a sentence."""
SECONDS_A_CHARACTER = 6e-7
SECONDS_A_CELL = 6e-8
"""A feature that is not zero, in one fit of one class."""
BYTES_A_FEATURE = 24
MOST_FEATURES = 50_000


def fits(profile: Profile) -> str | None:
    """None, or the sentence that the report shows when this rung is left out."""
    return None


def reason(profile: Profile) -> str:
    """Why it is worth trying on this profile."""
    kind = "logistic regression" if profile.task.is_classification else "ridge regression"
    return (
        f"{kind} on the words, pairs of words and pieces of words of {profile.rows:,} texts trains in seconds and is hard to "
        "beat where single words decide; a more complex model has to do so"
    )


def space(profile: Profile) -> Space:
    """What can be varied; the first start is the default."""
    if profile.task is Task.REGRESSION:
        values: dict[str, Dimension] = {"strength": Float(0.01, 30.0, 0.5, log=True)}
        return Space(values, ({"strength": 0.5}, {"strength": 2.0}, {"strength": 0.1}))
    usual = usual_strength(profile)
    dimensions: dict[str, Dimension] = {"strength": Float(1.0, 500.0, usual, log=True)}
    starts: tuple[Settings, ...] = ({"strength": usual}, {"strength": 4 * usual}, {"strength": usual / 4})
    if profile.task is Task.BINARY:  # "naive_bayes" alone is behind the mean with plain weights wherever it was measured
        dimensions["weighting"] = Choice(("mean", "plain"), "mean")
        starts = tuple({**start, "weighting": "mean"} for start in starts)
        starts = (starts[0], {"strength": 2 * usual, "weighting": "plain"}, *starts[1:])
    if profile.class_counts and min(profile.class_counts) < IMBALANCED * sum(profile.class_counts):
        dimensions["class_weight"] = Choice(("none", "balanced"), "none")
    return Space(dimensions, starts)


def usual_strength(profile: Profile) -> float:
    """16 for sentences, 64 for pages: the more n-grams share a row's unit length, the harder a penalty presses on each."""
    spread = (expected_cells(profile) / SENTENCE_CELLS) ** 0.6
    return float(round(16.0 * min(4.0, max(1.0, spread))))


def cost(profile: Profile, settings: Settings) -> Cost:
    """Counting n-grams is paid once, the fits by the n-grams that a text has."""
    characters = characters_of(profile) * profile.rows
    cells = expected_cells(profile)
    fits_of = 1 if profile.outputs <= 2 else profile.outputs
    seconds = 0.2 + SECONDS_A_CHARACTER * characters + 5 * SECONDS_A_CELL * 60 * profile.rows * cells * fits_of / 10
    width = expected_width(profile)
    outputs = 1 if profile.outputs == 2 else profile.outputs
    return Cost(seconds, int(3000 + width * (BYTES_A_FEATURE + 4 * outputs)), 2.0 * cells * outputs)


def expected_cells(profile: Profile) -> float:
    """N-grams that a text has, repeats not counted: about two a character at first, ever fewer as it gets longer."""
    return min(2.0, 30.0 / max(1.0, characters_of(profile)) ** 0.5) * characters_of(profile)


def expected_width(profile: Profile) -> int:
    """N-grams that are kept."""
    found = 40 * (characters_of(profile) * profile.rows) ** 0.5 * max(1, len(profile.features_of(Kind.TEXT)))
    return int(min(MOST_FEATURES, found))


def learner() -> Any:
    from automl.learners.sparse_linear import SparseLinearLearner

    return SparseLinearLearner()


ARCHITECTURE = Architecture(
    name="tfidf_linear",
    title="TF-IDF and a linear model",
    rung=1,
    tasks=ALL_TASKS,
    encoding="ngrams",
    fits=fits,
    reason=reason,
    space=space,
    cost=cost,
    learner=learner,
    paper="Wang and Manning, ACL 2012",
)
