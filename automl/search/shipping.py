"""Fits a chosen trial, exports it, and lets it through the gate: or the next best one that passes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.clock import Deadline
from automl.core.dataset import Dataset
from automl.core.errors import AutomlError, OutOfTimeError, ParityError, TrainingError, in_one_line
from automl.core.evidence import Refusal, Trial
from automl.core.files import encode
from automl.core.memory import give_back
from automl.core.parsers import Predictor
from automl.core.plan import Plan
from automl.core.readout import Readout
from automl.search.contract import contract
from automl.search.forecasting import check_forecast_parity, forecast_milliseconds
from automl.search.group_thresholds import limits_of
from automl.search.parity import check_parity
from automl.search.preparing import Prepared
from automl.search.pricing import median_milliseconds
from automl.search.trial import failing_as_training_error
from automl.search.workshop import Workshop

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Shipped:
    """A model folder that passed the gate.

    facts: bytes, milliseconds_a_row, parity, seconds, rounds. refused: what the export or the gate turned down before it.
    """

    trial: Trial
    facts: dict[str, Any]
    refused: tuple[Refusal, ...]
    readout: Readout


def ship(
    dataset: Dataset,
    prepared: Prepared,
    candidates: Iterable[Trial],
    rows: Array,
    workshop: Workshop,
    folder: Path,
    deadline: Deadline,
    readout_of: Callable[[Trial], Readout] = lambda _: Readout(),
) -> Shipped:
    """Fit on `rows` and export the first candidate that passes the gate. The folder appears whole or not at all.

    readout_of: what is made of the probabilities of a candidate. Raises TrainingError where none does.
    """
    refused: list[Refusal] = []
    building = folder.with_name(f".{folder.name}.building")
    for trial in candidates:
        shutil.rmtree(building, ignore_errors=True)
        try:
            readout = readout_of(trial)
            facts = _export(dataset, prepared, trial, readout, rows, workshop, building, deadline)
        except AutomlError as error:
            refused.append(_refusal(trial, error))
            continue
        _put_in_place(building, folder)
        last = {each.architecture: each for each in refused}  # a trial can come with more fits first, and then as it is
        last.pop(trial.architecture, None)
        return Shipped(trial, facts, tuple(last.values()), readout)
    shutil.rmtree(building, ignore_errors=True)
    raise TrainingError("no model could be exported", "; ".join(f"{each.architecture}: {each.why}" for each in refused))


class _BeyondLimits(TrainingError):
    """The exported model is larger or slower than the plan allows."""


def _refusal(trial: Trial, error: AutomlError) -> Refusal:
    causes = {OutOfTimeError: "time", _BeyondLimits: "limit"}
    cause = next((cause for kind, cause in causes.items() if isinstance(error, kind)), "fault")
    return Refusal(trial.architecture, cause, in_one_line(f"{'refused at the gate: ' * isinstance(error, ParityError)}{error}"))


def _export(
    dataset: Dataset,
    prepared: Prepared,
    trial: Trial,
    readout: Readout,
    rows: Array,
    workshop: Workshop,
    folder: Path,
    deadline: Deadline,
) -> dict[str, Any]:
    context = prepared.context
    described = contract(dataset, context.profile, context.plan, context.table, context.target[rows], trial.architecture)
    if readout.shipped != Readout():
        described["readout"] = encode(readout.shipped)
    facts = workshop.export(trial, rows, described, folder, deadline)
    exported = time.monotonic()
    with failing_as_training_error():
        if context.rolling:
            facts["parity"] = check_forecast_parity(folder, prepared.parity_frame)
            facts["milliseconds_a_row"] = forecast_milliseconds(folder)
        else:
            limits = limits_of(readout, prepared.parity_frame, context.profile)
            facts["parity"] = check_parity(folder, prepared.parity_frame, context.profile.root, limits)
            facts["milliseconds_a_row"] = latency(folder, prepared)
    give_back()
    _check_limits(facts, context.plan)
    facts["export_seconds"] += time.monotonic() - exported
    facts["architecture"] = trial.architecture
    return facts


def _check_limits(facts: dict[str, Any], plan: Plan) -> None:
    """Raises _BeyondLimits where the exported model is larger or slower than the plan allows."""
    milliseconds, megabytes = facts["milliseconds_a_row"], facts["bytes"] / 1e6
    if plan.max_latency_ms is not None and milliseconds > plan.max_latency_ms:
        raise _BeyondLimits(f"it takes {milliseconds:.3g} ms for a row, more than the {plan.max_latency_ms:g} ms allowed")
    if plan.max_size_mb is not None and megabytes > plan.max_size_mb:
        raise _BeyondLimits(f"it takes {megabytes:.3g} MB, more than the {plan.max_size_mb:g} MB allowed")


def _put_in_place(building: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    building.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def latency(folder: Path, prepared: Prepared) -> float:
    """Median milliseconds to predict one raw row given as a dict, measured here and now."""
    predictor = Predictor(folder, root=prepared.context.profile.root)
    row = prepared.parity_frame.iloc[0].to_dict()
    predict = predictor.predict if predictor.is_regression else predictor.predict_proba
    predict(row)
    return median_milliseconds(lambda: predict(row))
