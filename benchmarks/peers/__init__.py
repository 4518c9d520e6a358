"""The systems that are compared: each a module that runs in its system's own environment (see protocol.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class System:
    """One way to run a system.

    module: the file in this folder. environment: which of requirements/NAME.txt it needs; None: that of the driver.
    settings: what the module reads from its Job.
    """

    module: str
    environment: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


SYSTEMS: dict[str, System] = {
    "ours-fast": System("ours", settings={"preset": "fast"}),
    "ours-balanced": System("ours", settings={"preset": "balanced"}),
    "ours-best": System("ours", settings={"preset": "best"}),
    "autogluon-medium": System("autogluon", "autogluon", {"presets": "medium_quality"}),
    "autogluon-best": System("autogluon", "autogluon", {"presets": "best_quality"}),
    "flaml": System("flaml", "flaml"),
    "mljar": System("mljar", "mljar", {"mode": "Compete"}),
    "logistic": System("logistic"),
}

RANKED = ("ours-balanced", "ours-best", "autogluon-best", "flaml", "mljar")
"""The systems whose mean ranks are compared; the others are yardsticks."""
