"""Fits a training into the time that is left: a shorter schedule, or a sample of the rows, rather than one cut off."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from automl.core.clock import Deadline
from automl.core.errors import OutOfTimeError, TrainingError
from automl.core.space import Settings

Result = TypeVar("Result")

LEAST_EPOCHS, LEAST_STEPS = 5, 400
"""A schedule is not compressed below so many epochs; on large data, where an epoch is many steps, below so many steps."""
FEWEST_STEPS = 150
"""Where even that does not fit, the net is trained on a sample of the rows that makes at least so many steps."""
PREDICTING_EPOCHS = 0.5
"""What predicting training and validation rows takes in the end, in epochs."""
SAFETY = 1.1


def within(pace: Pace, used: Settings, rows: int, train: Callable[[Settings], Result]) -> tuple[Result, Settings]:
    """What `train` gives on settings that fit the time, and these settings: "epochs", and "most_rows" where needed.

    rows: of one training. Raises TrainingError where not even the shortest schedule fits.
    """
    while True:
        try:
            return train(used), used
        except _Compress as shorter:
            used = {**used, "epochs": shorter.epochs}
            if shorter.share < 1.0:
                used["most_rows"] = int(shorter.share * min(rows, used.get("most_rows", rows)))
            pace.compress(shorter.epochs)


class _Compress(Exception):
    """The schedule must be shorter to fit into the deadline, or be run on a share of the rows."""

    def __init__(self, epochs: int, share: float = 1.0) -> None:
        super().__init__(f"{epochs} epochs fit" + (f" on {share:.0%} of the rows" if share < 1.0 else ""))
        self.epochs, self.share = epochs, share


class Pace:
    """Watches the deadline over the epochs of all folds; without a limit it never looks at the clock.

    limit: epochs that each fold is trained, at most the length of the schedule. The first fold can still be started
    again on a shorter schedule; later folds can only stop earlier on the same one, as the mean curve ends with the
    shortest fold.
    follows: whether the learner goes through the rest of its schedule in whatever epochs are left until `limit`, which then
    follows the time after every epoch, down and up; nothing is started again but on a part of the rows. For one fold whose
    first epoch compiles nothing.
    """

    def __init__(self, deadline: Deadline, folds: int, epochs: int, follows: bool = False) -> None:
        self.deadline, self.folds, self.follows = deadline, folds, follows
        self.limited = self.wants_rehearsal = deadline.budget_seconds is not None
        self.compress(epochs)

    def compress(self, epochs: int) -> None:
        self.epochs = self.limit = epochs
        self.fold = 0
        self.steps = 1
        self.marks: list[float] = []

    def start_fold(self, steps: int = 1) -> None:
        """steps: of one epoch."""
        self.fold += 1
        self.steps = steps
        self.marks = [self.deadline.clock()] if self.limited and self.follows else []

    @property
    def least(self) -> int:
        """The shortest schedule in epochs."""
        return min(LEAST_EPOCHS, max(2, math.ceil(LEAST_STEPS / self.steps)))

    def epoch_done(self, done: int) -> None:
        """Compare what is left to do with what is left of the time, from the second epoch of a fold on.

        Raises _Compress in the first fold, TrainingError where too few epochs fit.
        """
        if not self.limited:
            return
        self.marks.append(self.deadline.clock())
        left = self.deadline.left_seconds()
        if len(self.marks) < 2:
            if left <= 0:
                raise self._too_slow(0)
            return
        seconds = SAFETY * (self.marks[-1] - self.marks[0]) / (len(self.marks) - 1)
        if seconds <= 0:
            return
        if self.follows:
            self._follow(done, left / seconds - PREDICTING_EPOCHS)
            return
        rest = self.limit - done + (self.folds - self.fold) * self.limit
        if rest * seconds <= left:
            return
        if self.folds == 1 and self.steps * done >= FEWEST_STEPS and left > 0:
            room = left / seconds - PREDICTING_EPOCHS
            if done >= self.limit / 2 or room < self.least:  # too late to begin again: what is learned is kept
                self.limit = min(self.limit, done + max(0, int(room)))
                return
        if self.fold == 1 and done < self.limit / 2:
            self._shorten(left / seconds / self.folds)
        fitting = int((left / seconds + done) / (self.folds - self.fold + 1))
        if fitting < max(min(self.least, self.epochs - 1), 0.3 * self.epochs):
            raise self._too_slow(fitting)
        self.limit = min(self.limit, fitting)

    def expect(self, seconds: float, steps: int) -> None:
        """Before the first epoch of all: what an epoch of so many steps will take. Raises as `epoch_done` does."""
        self.wants_rehearsal, self.steps = False, steps
        room = self.deadline.left_seconds() / (SAFETY * seconds * self.folds) - PREDICTING_EPOCHS
        if self.follows:
            self._follow(0, room)
        elif room < self.limit:
            self._shorten(room)

    def _follow(self, done: int, room: float) -> None:
        """The limit for so many epochs more. Raises as `_shorten` does where the shortest schedule would not fit and little has
        been learned."""
        if done + room < min(self.least, self.epochs) and self.steps * done < FEWEST_STEPS and done < self.limit / 2:
            self._shorten(room)
        self.limit = min(self.epochs, done + max(0, int(room)))

    def _shorten(self, room: float) -> None:
        """Raises _Compress to so many epochs a fold, on a part of the rows where these are too few; else TrainingError."""
        if room >= self.least:
            raise _Compress(min(int(room), self.limit - 1))
        if room * self.steps < FEWEST_STEPS:
            raise self._too_slow(int(max(0.0, room)))
        epochs = min(self.least, self.epochs)
        raise _Compress(epochs, room / epochs)

    def _too_slow(self, fitting: int) -> TrainingError:
        return OutOfTimeError(f"only {fitting} of {self.epochs} epochs on {self.folds} folds would have fitted the time left")
