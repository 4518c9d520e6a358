"""Probes: small experiments with the form of the model, made while it can still be trained; the judge reads what came out."""

from __future__ import annotations

from dataclasses import dataclass, field

NO_TIME = "there was no time for it"
"""Why a probe was left out, where it would apply."""
WELL_ENOUGH, ALMOST_ALL = 0.8, 0.95
"""Of the loss of a constant, and of the rows: whoever has learned so much knows them by heart."""


@dataclass(frozen=True)
class Shuffled:
    """The champion's form trained and scored on shuffled labels, on rows that it did not learn from.

    score, baseline: mean over the folds in the plan's metric; baseline: of a constant prediction. p_value: that predictions
    that know nothing of these labels agree with them so well, by permutation. rows: scored in all. agreement: what p tests, in
    the first deal: the mean probability of the true class, or the correlation with the labels; by_chance: its mean over the
    permutations. deals: of labels, that p is made of.
    """

    score: float
    baseline: float
    p_value: float
    rows: int
    agreement: float | None = None
    by_chance: float | None = None
    deals: int = 1


@dataclass(frozen=True)
class Repeated:
    """Two fits with the same seed on the same rows: the largest difference of what they predict.

    In probability, or in standard deviations of the target. rows: that were compared.
    """

    difference: float
    rows: int


@dataclass(frozen=True)
class Memorised:
    """A net trained on a few rows until it should know them by heart.

    loss, constant_loss: log loss or mean squared error on these rows, of the net and of a constant. accuracy: of a
    classifier, else None. learning_rate: at which it went best, `usual_rate` the one of its settings.
    """

    rows: int
    steps: int
    loss: float
    constant_loss: float
    accuracy: float | None
    learning_rate: float
    usual_rate: float

    @property
    def learned(self) -> float:
        """The share of the constant's loss that is gone: 1 is all of it."""
        return 1.0 - self.loss / self.constant_loss if self.constant_loss > 0 else 0.0

    @property
    def by_heart(self) -> bool:
        return self.learned >= WELL_ENOUGH or (self.accuracy or 0.0) >= ALMOST_ALL

    @property
    def at_usual_rate(self) -> bool:
        return self.learning_rate == self.usual_rate


@dataclass(frozen=True)
class RateTest:
    """A learning-rate range test: the loss of a net after a few steps at each rate, from the same start.

    points: (learning rate, loss on the rows that it learned from); a loss that is not finite is NaN. usual_rate: of the
    settings. constant_loss: of a constant prediction.
    """

    points: tuple[tuple[float, float], ...]
    usual_rate: float
    constant_loss: float
    rows: int
    steps: int


@dataclass(frozen=True)
class Probes:
    """What the probes found. architecture: whose form was shuffled and repeated; net: the one that was to memorise.

    left_out: {probe: why it was not made}; failed: {probe: the error that ended it}.
    """

    architecture: str = ""
    net: str = ""
    shuffled: Shuffled | None = None
    repeated: Repeated | None = None
    memorised: Memorised | None = None
    rates: RateTest | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
