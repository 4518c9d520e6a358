"""More fits in the last one: the mean of models that differ by their seed alone errs less than one of them.

What is scored has one seed, so that its scores err on the safe side; what ships has as many as time allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from automl.core.evidence import Member, Trial
from automl.core.space import Settings
from automl.search.context import Context

MOST_SEEDS = 4
"""Three quarters of what ever more seeds would bring."""


def most_seeds(context: Context) -> int:
    """With how many seeds trials may be fitted in the end: more than one where the preset is best and the ladder combines."""
    combines = any(context.architecture(rung.architecture).combines for rung in context.plan.ladder)
    return MOST_SEEDS if context.plan.preset == "best" and combines and not context.rolling else 1


def with_seeds(context: Context, trial: Trial, count: int) -> Trial:
    """The trial with so many fits of each part that differs by its seed; they share the part's weight."""
    parts = trial.members or (Member.of(trial),)
    if count == 1 or not any(_varies(context, part) for part in parts):
        return trial
    return replace(trial, members=tuple(seeded for part in parts for seeded in _seeded(context, part, count)))


def with_whole_nets(trial: Trial, settings: Mapping[str, Settings]) -> Trial:
    """The trial that has, or whose members have, the settings that they were scored with, by their id, not thrifty ones."""
    if not trial.members:
        return replace(trial, settings=settings.get(trial.id, trial.settings))
    members = (replace(each, settings=settings.get(each.trial.id, each.settings)) for each in trial.members)
    return replace(trial, members=tuple(members))


def has_more_nets(trial: Trial, other: Trial) -> bool:
    """Whether a fit of one of its parts trains more nets than that of the same part of the other."""
    return nets_against(trial, other) > 1


def nets_against(trial: Trial, other: Trial) -> float:
    """The most times as many nets as a fit of the other's that a fit of one of its parts trains."""
    known = {part.id: part.settings.get("fit_nets", 1) for part in other.parts}
    return max((part.settings.get("fit_nets", 1) / known[part.id] for part in trial.parts if part.id in known), default=1.0)


def fitted_seeds(trial: Trial) -> int:
    """The most fits of a part that differ by their seed alone."""
    ids = [member.trial.id for member in trial.members]
    return max((ids.count(each) for each in ids), default=1)


def _varies(context: Context, part: Member) -> bool:
    return context.architecture(part.architecture).seeds_differ


def _seeded(context: Context, part: Member, count: int) -> Sequence[Member]:
    if not _varies(context, part):
        return (part,)
    seeds = ((part.seed + number) % 2**31 for number in range(count))
    return tuple(replace(part, seed=seed, weight=part.weight / count) for seed in seeds)
