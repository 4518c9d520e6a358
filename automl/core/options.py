"""What the user asked for, in one place."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from automl.core.errors import InputError, nearest
from automl.core.metrics import metric
from automl.core.profile import Kind
from automl.core.tasks import Task

PRESETS: Mapping[str, float] = {"fast": 60.0, "balanced": 300.0, "best": 1800.0}
"""Preset to its time in seconds where --time is absent."""


@dataclass(frozen=True)
class Options:
    """The choices of a call. Every default is a decision that the run says aloud.

    `time` and `trials` exclude each other: `trials` counts work and makes the run reproducible bit for bit.
    """

    target: str | None = None
    task: str | None = None
    metric: str | None = None
    positive: str | None = None
    weight: str | None = None
    group: str | None = None
    time_column: str | None = None
    features: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    kinds: dict[str, str] = field(default_factory=dict)
    drop_leaks: bool = False
    sensitive: tuple[str, ...] = ()
    exclude_sensitive: bool = False
    mitigate: str | None = None
    max_accuracy_loss: float | None = None
    cost_fp: float | None = None
    cost_fn: float | None = None
    min_precision: float | None = None
    min_recall: float | None = None
    modality: str | None = None
    horizon: int | None = None
    id_column: str | None = None
    known_ahead: tuple[str, ...] = ()
    preset: str = "balanced"
    time: float | None = None
    trials: int | None = None
    seed: int = 0
    folds: int | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    jobs: int | None = None
    memory: float | None = None
    refit: bool = True
    max_latency_ms: float | None = None
    max_size_mb: float | None = None
    samples: bool = True

    @property
    def budget_seconds(self) -> float | None:
        """The hard limit, or None where trials are counted instead."""
        if self.trials is not None:
            return None
        return self.time if self.time is not None else PRESETS[self.preset]


_UNIT_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_LISTS = ("features", "drop", "sensitive", "only", "skip", "known_ahead")
GROUP_THRESHOLDS, FAIREST = "thresholds", "fairest"
WEIGHTS = ("reweigh", "equalised-odds")
MITIGATIONS = (*WEIGHTS, GROUP_THRESHOLDS, FAIREST)
MOST_LOST = 0.01
"""Accuracy that mitigation may cost where nothing else is said."""
_LEAST = {"trials": 1, "folds": 2, "jobs": 1, "seed": 0, "horizon": 1}


def seconds_of(time: float | str) -> float:
    """Seconds of a number, or of a text such as "90", "90s", "5m" or "1.5h".

    Raises InputError where it is no positive length of time.
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(s|m|min|h)?", str(time).strip().casefold())
    seconds = float(match[1]) * _UNIT_SECONDS[match[2] or ""] if match else 0.0
    if not 0.0 < seconds < float("inf"):
        raise InputError(f'"{time}" is not a length of time', "write seconds, or 90s, 5m or 1h")
    return seconds


def make_options(choices: Mapping[str, Any]) -> Options:
    """Options from plain values, checked as far as that is possible without the data.

    A lone string stands for a list of one name; None leaves the default.
    Raises InputError for a name that is no option (with the nearest one) and for a value out of range.
    """
    known = [each.name for each in dataclasses.fields(Options)]
    values = {name: value for name, value in choices.items() if value is not None}
    for name in values:
        if name not in known:
            raise InputError(f'there is no option called "{name}"', nearest(name, known) or f"known: {', '.join(known)}")
    for name in _LISTS:
        if name in values:
            values[name] = (values[name],) if isinstance(values[name], str) else tuple(map(str, values[name]))
    if "time" in values:
        values["time"] = seconds_of(values["time"])
    if "time" in values and "trials" in values:
        raise InputError("time and trials exclude each other", "give the one that shall limit the run")
    _check_values(values)
    return Options(**values)


def _check_values(values: Mapping[str, Any]) -> None:
    for name, least in _LEAST.items():
        value = values.get(name, least)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name} must be a whole number from {least} on, not {value!r}")
    for name, unit in (("memory", "GB"), ("max_latency_ms", "milliseconds"), ("max_size_mb", "megabytes")):
        if not values.get(name, 1.0) > 0.0:
            raise InputError(f"{name} must be a positive number of {unit}, not {values[name]!r}")
    _check_choice("preset", values.get("preset", "balanced"), list(PRESETS))
    _check_choice("task", values.get("task", Task.BINARY), [task.value for task in Task])
    _check_choice("way to mitigate", values.get("mitigate", MITIGATIONS[0]), list(MITIGATIONS))
    if "metric" in values:
        metric(values["metric"])
    _check_threshold(values)
    for option in ("exclude_sensitive", "mitigate"):
        if values.get(option) and not values.get("sensitive"):
            raise InputError(f"{option} needs columns to protect", "name them with sensitive, such as --sensitive sex,race")
    _check_loss(values)
    for column, kind in values.get("kinds", {}).items():
        _check_choice(f'kind of column "{column}"', kind, [known.value for known in Kind])


def _check_loss(values: Mapping[str, Any]) -> None:
    """What mitigation may cost is a share, and is asked of the ways that look at it."""
    loss = values.get("max_accuracy_loss")
    if loss is None:
        return
    if isinstance(loss, bool) or not isinstance(loss, int | float) or not 0.0 <= loss < 1.0:
        raise InputError(f"max_accuracy_loss is a share from 0 on and below 1, such as 0.01 for one point, not {loss!r}")
    if values.get("mitigate") not in ("equalised-odds", GROUP_THRESHOLDS):
        raise InputError("max_accuracy_loss limits what mitigation may cost", "add --mitigate thresholds")


def _check_threshold(values: Mapping[str, Any]) -> None:
    """Costs are positive, floors are shares, and only one rule chooses the threshold."""
    for name in ("cost_fp", "cost_fn", "min_precision", "min_recall"):
        value = values.get(name, 0.5)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < float("inf"):
            raise InputError(f"{name} must be a positive number, not {value!r}")
        if name.startswith("min") and value >= 1.0:
            raise InputError(f"{name} is a share between 0 and 1, not {value!r}")
    rules = [name for name in ("min_precision", "min_recall") if name in values]
    rules += ["a cost"] if "cost_fp" in values or "cost_fn" in values else []
    rules += ["mitigate thresholds"] if rules and values.get("mitigate") == GROUP_THRESHOLDS else []
    if len(rules) > 1:
        raise InputError(f"{' and '.join(rules)} exclude each other", "the threshold is chosen by one rule")


def _check_choice(name: str, value: Any, known: list[str]) -> None:
    if value not in known:
        raise InputError(f'there is no {name} "{value}"', nearest(str(value), known) or f"known: {', '.join(known)}")
