"""Whose turn it is: the search time of a rung follows its weight in the ensemble that the trials so far would give."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from automl.search.context import Context
from automl.search.ensembling import weights
from automl.search.trial import Outcome

EVEN_SHARE = 0.15
"""What every rung near the champion has beside its weight, which is one for all rungs together."""
LOOKING_SHARE = 0.03
"""The most of the time that is spent on looking at the weights again."""


@dataclass
class Sharing:
    """Shares of the search time. combines: whether the ladder ends in an ensemble; without one all shares are equal."""

    context: Context
    combines: bool
    _weights: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _seen: int = field(default=0, init=False, repr=False)
    _began: float = field(default_factory=time.monotonic, init=False, repr=False)
    _spent: float = field(default=0.0, init=False, repr=False)

    def of(self, architecture: str, outcomes: Sequence[Outcome]) -> float:
        """The share of a rung, after these trials; not more than one beside the even share."""
        self._look(outcomes)
        return EVEN_SHARE + self._weights.get(architecture, 0.0)

    def _look(self, outcomes: Sequence[Outcome]) -> None:
        now = time.monotonic()
        if not self.combines or len(outcomes) == self._seen or self._spent > LOOKING_SHARE * (now - self._began):
            return
        self._seen, self._weights = len(outcomes), weights(self.context, outcomes)
        self._spent += time.monotonic() - now
