"""`python -m automl` is the `automl` command; so is the command itself."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def main() -> NoReturn:
    """Run the command. An interrupt that comes while the command is still being imported leaves at once."""
    earlier = signal.signal(signal.SIGINT, _leave)
    from automl import cli

    signal.signal(signal.SIGINT, earlier)
    cli.main()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    sys.stderr.write("automl: interrupted\n")
    sys.stderr.flush()
    os._exit(130)


if __name__ == "__main__":
    main()
