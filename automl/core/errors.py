"""One tree of exceptions; each knows the exit code that the command line answers with."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class AutomlError(Exception):
    """Anything that the library raises on purpose. The message is one sentence for the user."""

    exit_code = 70

    def __init__(self, message: str, action: str = "") -> None:
        super().__init__(f"{message}; {action}" if action else message)


class InputError(AutomlError):
    """The data, the call or a file cannot be used as given."""

    exit_code = 2


class StoppedByCheck(AutomlError):
    """A sanity check found that the result could not be trusted, so nothing was shipped."""

    exit_code = 3


class VerificationError(AutomlError):
    """A number of the report does not hold when it is computed again."""

    exit_code = 4


class Interrupted(AutomlError):
    """The user left before there was a model to keep."""

    exit_code = 130


class ParityError(AutomlError):
    """An exported graph does not compute what the trained pipeline computes."""


class TrainingError(AutomlError):
    """An architecture could not be trained with these settings on this data."""


class BeyondMemoryError(TrainingError):
    """An architecture needed more memory than the user allows."""


class HopelessError(TrainingError):
    """Training was ended early: a trial that is far behind the best one so far will not catch up."""


class OutOfTimeError(TrainingError):
    """An architecture was left out because the budget leaves too little time for it."""


MOST_CHARACTERS = 200
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b.?")


def in_one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    """A library's message as a part of a sentence: no colours of a terminal, no line breaks, no more than so many characters."""
    line = " ".join(_TERMINAL.sub("", text).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def nearest(name: str, known: Iterable[str]) -> str:
    """`'did you mean "x"?'` for the closest known name, or an empty string."""
    known = [str(candidate) for candidate in known]
    folded = {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f'did you mean "{folded[found[0]]}"?' if found else ""
