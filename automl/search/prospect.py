"""The ensemble that the trials so far would give: what the search time goes to, and what time is kept for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from automl.search.context import Context
from automl.search.ensembling import likely
from automl.search.trial import Outcome

EVEN_SHARE = 0.15
"""What every rung near the champion has beside its weight, which is one for all rungs together."""
LOOKING_SHARE = 0.03
"""The most of the time that is spent on looking at the ensemble again."""


@dataclass
class Prospect:
    """Looked at again after every few trials.

    combines: whether the ladder ends in an ensemble; without one there are no members, and all shares are equal.
    """

    context: Context
    combines: bool
    members: tuple[Outcome, ...] = field(default=(), init=False, repr=False)
    weights: tuple[float, ...] = field(default=(), init=False, repr=False)
    _seen: int = field(default=0, init=False, repr=False)
    _began: float = field(default_factory=time.monotonic, init=False, repr=False)
    _spent: float = field(default=0.0, init=False, repr=False)

    def look(self, outcomes: Sequence[Outcome]) -> None:
        """At the trials so far, where there are new ones and enough time has passed."""
        now = time.monotonic()
        if not self.combines or len(outcomes) == self._seen or self._spent > LOOKING_SHARE * (now - self._began):
            return
        self._seen = len(outcomes)
        self.members, self.weights = likely(self.context, outcomes)
        self._spent += time.monotonic() - now

    def share(self, architecture: str) -> float:
        """The share of a rung in the search time; not more than one beside the even share."""
        pairs = zip(self.members, self.weights, strict=True)
        return EVEN_SHARE + sum(weight for member, weight in pairs if member.trial.architecture == architecture)
