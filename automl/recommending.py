"""From a Profile to a Plan: which rungs, in which order, how they are compared, and what that should cost."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np

from automl.core.architecture import Architecture, Cost, Modality
from automl.core.discovery import declarations
from automl.core.errors import InputError, nearest
from automl.core.groups import CAN_BE_GROUPED
from automl.core.memory import memory_of
from automl.core.metrics import default_metric, metric, metrics_for
from automl.core.options import FAIREST, GROUP_THRESHOLDS, Options
from automl.core.plan import Plan, Rung, Split
from automl.core.profile import Kind, Profile, Role
from automl.core.tasks import Task
from automl.modalities.tabular.ladder.linear import encoded_width
from automl.splitting import MOST_HELD_OUT, split_of_forecast

FEWEST_ROWS_TO_SEAL = 500
MOST_SEARCH_ROWS, LEAST_SEARCH_ROWS, SEARCH_CELLS = 50_000, 10_000, 20_000_000
"""The sample that settings are chosen on has at most so many rows, and fewer where they are wide once they are encoded."""
LARGE = 2
"""A table is sampled where a trial could learn from at least so many times the sample, or where its folds would not fit."""
FOLDS_BYTES, BYTES_A_CELL = 1 << 30, 8
"""Memory for all folds of a trial together: four bytes a number, in the encoded table and in the fold's own copy."""
MOST_FOLDS = 5
NET_STARTS_SECONDS = 9.0
FEWEST_SECONDS_FOR_A_NET = 45.0
FEWEST_SECONDS_FOR_NETS = 90.0
"""Below this budget one net is tried; each takes seconds to compile, and again to be tested and shipped."""
ONE_NET_SHARE = 0.7
"""What that net may be expected to take at most; the expectation is for the whole schedule, most stop earlier."""
_MANY_CELLS = 5_000_000
_LEAST_ROWS_OF_A_CLASS = 3
_TRIAL_WEIGHTS = {1: 1.0, 2: 3.0}
"""Shares of counted trials by rung; boosting has the widest space for its price. Higher rungs get 2."""


def recommend(profile: Profile, options: Options = Options()) -> Plan:  # noqa: B008
    """The ladder for a profile, simplest rung first; nothing is trained.

    Raises InputError where an option names what is not there, does not fit the task, or leaves no rung to try.
    """
    _check_sensitive(profile, options)
    _check_threshold(profile, options)
    chosen_metric = _metric(profile.task, options.metric)
    ladder = _ladder(profile, options)
    split = _split(profile, options)
    if split.search_rows is not None:  # a trial costs what a table of the size of the sample would
        sampled = dataclasses.replace(profile, rows=int(split.search_rows / (1 - 1 / MOST_FOLDS)))
        ladder = tuple(_costing(rung, sampled) for rung in ladder)
    rungs = _with_trials(ladder, profile, options)
    not_features = tuple(
        column.name
        for column in profile.columns
        if column.role is not Role.TARGET and _left_out_by_user(column.name, profile, options)
    )
    return Plan(
        target=profile.target,
        task=profile.task,
        metric=chosen_metric,
        preset=options.preset,
        seed=options.seed,
        split=split,
        rungs=_scaled(rungs, split.folds),
        budget_seconds=options.budget_seconds,
        trials=options.trials,
        positive=profile.positive,
        drop=not_features,
        kinds=dict(options.kinds),
        weight=options.weight,
        drop_leaks=options.drop_leaks,
        sensitive=options.sensitive,
        exclude_sensitive=options.exclude_sensitive,
        mitigate=options.mitigate,
        max_accuracy_loss=options.max_accuracy_loss,
        cost_fp=options.cost_fp,
        cost_fn=options.cost_fn,
        min_precision=options.min_precision,
        min_recall=options.min_recall,
        modality=options.modality,
        horizon=options.horizon,
        id_column=options.id_column,
        known_ahead=options.known_ahead,
        refit=options.refit,
        max_latency_ms=options.max_latency_ms,
        max_size_mb=options.max_size_mb,
        jobs=options.jobs or _cores(),
        memory_gb=options.memory,
        samples=options.samples,
    )


def _check_threshold(profile: Profile, options: Options) -> None:
    """Raises InputError where a threshold is asked for and there is no positive class to call."""
    given = [name for name in ("cost_fp", "cost_fn", "min_precision", "min_recall") if getattr(options, name) is not None]
    if given and profile.task is not Task.BINARY:
        option = "--" + given[0].replace("_", "-")
        raise InputError(f"{option} is for two classes, and this is a {profile.task.value} task", "leave it out")


def _check_sensitive(profile: Profile, options: Options) -> None:
    """Raises InputError where rows cannot be grouped by a sensitive column, or the task has no fairness to speak of."""
    for name in options.sensitive:
        _check_column(profile, name, "--sensitive")
        column = profile.column(name)
        if column.kind not in CAN_BE_GROUPED:
            told = "is the same in every row" if column.kind is Kind.CONSTANT else f"holds {column.kind.value} values"
            raise InputError(f'--sensitive: column "{name}" {told}', "name a column of categories or numbers")
    if options.sensitive and profile.task is Task.FORECAST:
        raise InputError("--sensitive does not apply to a forecast", "leave it out")
    if options.mitigate and profile.task is Task.REGRESSION:
        raise InputError("--mitigate is for classification, and this is a regression", "leave it out")
    if options.mitigate in (GROUP_THRESHOLDS, FAIREST):
        _check_two_classes(profile, options.mitigate)


def _check_two_classes(profile: Profile, mitigate: str) -> None:
    if profile.task is not Task.BINARY:
        raise InputError(
            f"--mitigate {mitigate} is for two classes, and this is a multiclass task", "take --mitigate equalised-odds"
        )
    if profile.arrangement:
        raise InputError(f"--mitigate {mitigate} needs one row an example", "take --mitigate equalised-odds")


def _left_out_by_user(name: str, profile: Profile, options: Options) -> bool:
    if name in options.drop:
        return True
    return bool(options.features) and name not in options.features and profile.column(name).role in (Role.UNUSED, Role.IDENTIFIER)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _metric(task: Task, wanted: str | None) -> str:
    if wanted is None:
        return default_metric(task)
    if task not in metric(wanted).tasks:
        known = ", ".join(each.name for each in metrics_for(task))
        raise InputError(f'"{wanted}" does not measure a {task.value} task', f"these do: {known}")
    return wanted


# --- the ladder ------------------------------------------------------------------------------------------------------


def _ladder(profile: Profile, options: Options) -> tuple[Rung, ...]:
    architectures = _architectures(profile.modality)
    names = [architecture.name for architecture in architectures]
    for option, asked in (("--only", options.only), ("--skip", options.skip)):
        for name in asked:
            if name not in names:
                raise InputError(
                    f'{option}: there is no rung called "{name}"', nearest(name, names) or f"known: {', '.join(names)}"
                )
    rungs = tuple(_rung(architecture, profile, options) for architecture in architectures)
    rungs = _one_net(rungs, {each.name for each in architectures if each.needs_tensorflow}, options)
    if all(rung.refused for rung in rungs if rung.rung > 0) and set(options.only) - {names[0]}:
        refusals = "; ".join(
            f"{rung.architecture}: {rung.refused}" for rung in rungs if rung.architecture in options.only and rung.refused
        )
        raise InputError("no rung is left to try", refusals or "give --only and --skip other rungs")
    return rungs


def _one_net(rungs: tuple[Rung, ...], nets: set[str], options: Options) -> tuple[Rung, ...]:
    """A short budget pays for one net: the highest that may fit, or the cheapest; the others say so."""
    seconds = options.budget_seconds
    found = [rung for rung in rungs if rung.architecture in nets and rung.refused is None]
    if seconds is None or seconds >= FEWEST_SECONDS_FOR_NETS or len(found) < 2 or options.only:
        return rungs
    fitting = [rung for rung in found if rung.expected_seconds <= ONE_NET_SHARE * seconds]
    kept = fitting[-1] if fitting else min(found, key=lambda rung: rung.expected_seconds)
    why = f"a budget of {seconds:g} s pays for one net on this table, and {kept.title} promises more here"
    return tuple(
        dataclasses.replace(rung, refused=why, reason="", expected_seconds=0.0, expected_bytes=0)
        if rung in found and rung is not kept
        else rung
        for rung in rungs
    )


def _modality_named(name: str) -> Modality:
    return next(each for each in declarations("automl.modalities", "MODALITY") if each.name == name)


def _architectures(modality: str) -> list[Architecture]:
    found: list[Architecture] = declarations(_modality_named(modality).ladder, "ARCHITECTURE")
    return sorted(found, key=lambda architecture: (architecture.rung, architecture.name))


def _rung(architecture: Architecture, profile: Profile, options: Options) -> Rung:
    refused = _refusal(architecture, profile, options)
    cost = Cost(0.0, 0) if refused else architecture.cost(profile, architecture.space(profile).default())
    return Rung(
        architecture=architecture.name,
        rung=architecture.rung,
        title=architecture.title,
        reason="" if refused else architecture.reason(profile),
        refused=refused,
        expected_seconds=cost.seconds,
        expected_bytes=int(cost.size_bytes),
    )


def _costing(rung: Rung, profile: Profile) -> Rung:
    """The rung with the seconds that a trial takes on another profile."""
    if rung.refused:
        return rung
    architecture = next(each for each in _architectures(profile.modality) if each.name == rung.architecture)
    return dataclasses.replace(rung, expected_seconds=architecture.cost(profile, architecture.space(profile).default()).seconds)


def _refusal(architecture: Architecture, profile: Profile, options: Options) -> str | None:
    """None, or the sentence why a rung is left out."""
    if profile.task not in architecture.tasks:
        return f"it is not made for a {profile.task.value} task"
    unfit = architecture.fits(profile)
    if unfit or architecture.rung == 0:  # the baseline stays, so that every score has a zero point
        return unfit
    if architecture.name in options.skip:
        return "left out with --skip"
    if options.only and architecture.name not in options.only:
        return "not among --only"
    if architecture.combines and options.preset == "fast" and not options.only:
        return "the preset fast tries the bottom rungs only; take the preset balanced, or name it with --only"
    if not architecture.needs_tensorflow:
        return None
    if not memory_of(options.memory).worker:
        return (
            f"{options.memory:g} GB of memory leave no room for a net"
            if options.memory
            else "too little memory is free for a net"
        )
    seconds = options.budget_seconds
    if seconds is not None and seconds < FEWEST_SECONDS_FOR_A_NET:
        starts = f"its library alone takes about {NET_STARTS_SECONDS:g} s to start"
        return f"a budget of {seconds:g} s leaves no time for a net ({starts})"
    if options.preset == "fast" and not options.only:
        return "the preset fast tries the bottom rungs only; take the preset balanced, or name it with --only"
    return None


def _scaled(rungs: tuple[Rung, ...], folds: int) -> tuple[Rung, ...]:
    """Expected seconds for the plan's number of folds; architectures state them for five."""
    return tuple(dataclasses.replace(rung, expected_seconds=rung.expected_seconds * folds / MOST_FOLDS) for rung in rungs)


def _with_trials(rungs: tuple[Rung, ...], profile: Profile, options: Options) -> tuple[Rung, ...]:
    """A total of counted trials, dealt out over the rungs that are tried: whole numbers, at least one each."""
    if options.trials is None:
        return rungs
    architectures = {architecture.name: architecture for architecture in _architectures(profile.modality)}
    searched = [
        rung for rung in rungs if rung.refused is None and rung.rung > 0 and not architectures[rung.architecture].combines
    ]
    reached = searched[: options.trials]
    weights = np.asarray([_TRIAL_WEIGHTS.get(rung.rung, 2.0) for rung in reached])
    shares = dict(zip((rung.architecture for rung in reached), _dealt(options.trials, weights), strict=True))
    too_few = f"{options.trials} trials are too few to reach it" if options.trials > 1 else "one trial is too few to reach it"
    return tuple(
        rung
        if rung not in searched
        else dataclasses.replace(rung, trials=shares[rung.architecture])
        if rung.architecture in shares
        else dataclasses.replace(rung, refused=too_few, reason="", expected_seconds=0.0, expected_bytes=0)
        for rung in rungs
    )


def _dealt(total: int, weights: np.ndarray[Any, Any]) -> list[int]:
    """`total` as whole numbers in proportion to the weights, each at least 1; by largest remainders."""
    if not len(weights):
        return []
    ideal = (total - len(weights)) * weights / weights.sum()
    whole = np.floor(ideal).astype(int)
    rest = total - len(weights) - int(whole.sum())
    whole[np.argsort(-(ideal - whole), kind="stable")[:rest]] += 1
    return [int(count) + 1 for count in whole]


# --- the split -------------------------------------------------------------------------------------------------------


def _split(profile: Profile, options: Options) -> Split:
    if options.group is not None and options.time_column is not None:
        raise InputError("--group and --time-column exclude each other", "give the one that new data will differ in")
    if profile.task is Task.FORECAST:
        return split_of_forecast(profile.arrangement, options.folds)
    rows = profile.rows - profile.rows_without_target
    kind, column, reason = _kind_of_split(profile, options)
    sealed = _sealed_fraction(rows)
    search_rows = _search_rows(profile, int(rows * (1 - sealed)), min(FOLDS_BYTES, memory_of(options.memory).fit_bytes))
    folds, why = _folds(profile, options.folds, rows, sealed, search_rows)
    seal = (
        f"{sealed:.0%} of the rows are sealed for judging"
        if sealed
        else f"below {FEWEST_ROWS_TO_SEAL} rows none are sealed, cross-validation judges"
    )
    together = profile.duplicates.rows > 0 and profile.duplicates.distinctive
    kept = f"; the {profile.duplicates.rows:,} copies of rows stay on one side" if together and kind != "time" else ""
    sample = (
        f"; settings are chosen by learning from {search_rows:,} rows, and the best of each rung learns from as many as the "
        "time allows"
        if search_rows
        else ""
    )
    return Split(kind, sealed, folds, column, together, f"{reason}; {seal}; {why}{kept}{sample}", search_rows=search_rows)


def _search_rows(profile: Profile, training: int, memory_bytes: int) -> int | None:
    """Rows that a trial of the search learns from, where there are many more; None where it learns from all."""
    width = max(1, encoded_width(profile))
    most = int(np.clip(SEARCH_CELLS // width, LEAST_SEARCH_ROWS, MOST_SEARCH_ROWS))
    most = max(1_000, min(most, memory_bytes // (BYTES_A_CELL * width) - MOST_HELD_OUT))
    folds_fit = MOST_FOLDS * BYTES_A_CELL * width * training <= memory_bytes
    return most if training >= LARGE * most or (training > most and not folds_fit) else None


def _kind_of_split(profile: Profile, options: Options) -> tuple[str, str | None, str]:
    if options.group is not None:
        _check_column(profile, options.group, "--group")
        if profile.column(options.group).unique < 2:
            raise InputError(f'--group: column "{options.group}" has fewer than two groups', "choose another column")
        return "grouped", options.group, f'rows of one "{options.group}" are never divided'
    if options.time_column is not None:
        _check_column(profile, options.time_column, "--time-column")
        column = profile.column(options.time_column)  # a number that counts the rows is an identifier by itself
        if column.parse.get("as") not in ("datetime", "number") and column.kind is not Kind.IDENTIFIER:
            raise InputError(
                f'--time-column: column "{options.time_column}" holds neither dates nor numbers', "choose another column"
            )
        return "time", options.time_column, f'later rows by "{options.time_column}" are never used to predict earlier ones'
    ordered = f' (the rows are in the order of "{profile.ordered_in_time}"; for a split in time say --time-column)'
    said = ordered if profile.ordered_in_time else ""
    if profile.task.is_classification:
        return "stratified", None, f"every part has the classes in the same proportion{said}"
    return "random", None, f"rows are dealt out at random{said}"


def _check_column(profile: Profile, name: str, option: str) -> None:
    names = [column.name for column in profile.columns]
    if name not in names:
        raise InputError(f'{option}: column "{name}" is not in the data', nearest(name, names))
    if name == profile.target:
        raise InputError(f'"{name}" is the target and cannot be given to {option} as well', "name another column")


def _sealed_fraction(rows: int) -> float:
    """20 % up to 10,000 rows, falling to 10 % at 20,000; never more than 20,000 rows."""
    if rows < FEWEST_ROWS_TO_SEAL:
        return 0.0
    return round(min(0.2 * rows, max(2_000.0, 0.1 * rows), 20_000.0) / rows, 4)


def _folds(profile: Profile, wanted: int | None, rows: int, sealed: float, search_rows: int | None) -> tuple[int, str]:
    training = int(rows * (1 - sealed))
    if wanted is not None:
        if not 2 <= wanted <= training // 2:
            raise InputError(
                f"{wanted} folds are not possible with {training:,} rows to train on", f"give --folds 2 to {training // 2}"
            )
        return wanted, f"{wanted} folds as asked for"
    affordable = _modality_named(profile.modality).folds
    few = affordable(profile) if affordable is not None else None
    if few is not None and sealed:
        return few, "one holdout of a fifth of the training rows, as training is slow" if few == 1 else f"{few} folds"
    if search_rows is not None and sealed:
        return 1, f"one holdout of about {MOST_HELD_OUT:,} rows, which tell small differences apart by themselves"
    most, why = MOST_FOLDS, f"{MOST_FOLDS} folds"
    if rows * len(profile.features) > _MANY_CELLS:
        most, why = 3, f"3 folds, enough for {rows:,} rows"
    counted = [count for count in profile.class_counts if count >= _LEAST_ROWS_OF_A_CLASS]
    smallest = int(min(counted) * (1 - sealed)) if counted else training
    if smallest < most:
        folds = max(2, smallest)
        return folds, f"{folds} folds, as many as the smallest class has rows to train on"
    return most, why
