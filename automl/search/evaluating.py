"""The rows that a model is judged on, with its predictions: sealed ones, or, on small data, all by nested cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from automl.core.case import Case
from automl.core.clock import Deadline
from automl.core.dataset import Dataset
from automl.core.errors import AutomlError
from automl.core.evidence import Evidence
from automl.core.predictor import open_predictor
from automl.search import budget
from automl.search.climbing import Climb
from automl.search.forecasting import drawn_together, origins_of, panel_details, point, predict_sealed, windows_of
from automl.search.nested import Nested, nested_cross_validation
from automl.search.preparing import Prepared
from automl.search.shipping import Shipped
from automl.search.trial import failing_as_training_error, fit_and_predict

Array = np.ndarray[Any, Any]

NESTED_SHARE = 0.8
"""Share of the time left before judging that the nested cross-validation may take."""
FEW_ROWS = 100
"""Below this many rows the nested cross-validation is repeated three times, else twice."""


@dataclass(frozen=True)
class JudgedRows:
    """rows: positions in the context's table. prediction, baseline: of these rows. nested: outer fold scores, if any."""

    rows: Array
    prediction: Array
    baseline: Array
    described: str
    nested: tuple[float, ...] = ()


def evaluate(
    folder: Path, dataset: Dataset, prepared: Prepared, evidence: Evidence, shipped: Shipped, climb: Climb, deadline: Deadline
) -> Case:
    """What the judge may look at, with the predictions of the exported model in `folder`."""
    context = prepared.context
    predictor = open_predictor(folder, root=context.profile.root)
    predict = predictor.predict if predictor.is_regression else predictor.predict_proba
    if context.rolling:
        return _evaluate_forecast(folder, dataset, prepared, evidence, shipped, climb, deadline)
    judged = _judged_rows(prepared, evidence, climb, predict, deadline)
    out_of_fold = out_of_fold_of(climb, evidence)
    known = _known(out_of_fold)
    return Case(
        dataset=dataset,
        profile=context.profile,
        plan=context.plan,
        evidence=replace(evidence, nested=judged.nested),
        judged_on=judged.described,
        truth=context.target[judged.rows],
        prediction=judged.prediction,
        baseline=judged.baseline,
        judged=prepared.frame.iloc[judged.rows].reset_index(drop=True),
        row_ids=prepared.row_ids[judged.rows],
        weight=None if context.weight is None else context.weight[judged.rows],
        predict=lambda frame: np.asarray(predict(frame), np.float64),
        model=shipped.facts,
        out_of_fold=out_of_fold[known],
        out_of_fold_truth=context.target[known],
        deadline=deadline,
    )


def _evaluate_forecast(
    folder: Path, dataset: Dataset, prepared: Prepared, evidence: Evidence, shipped: Shipped, climb: Climb, deadline: Deadline
) -> Case:
    """The sealed windows, each forecast from its own origin; predictions are medians, with the quantiles beside them."""
    context, rows = prepared.context, prepared.sealed
    horizon = int(context.profile.arrangement["horizon"])
    with failing_as_training_error():
        quantiles = predict_sealed(folder, prepared)
        baseline = point(fit_and_predict(context, climb.finalists()[0].trial, context.training_rows, rows))
    out_of_fold = point(out_of_fold_of(climb, evidence))
    known = np.isfinite(out_of_fold)
    assert context.error_scale is not None
    origins = origins_of(context, rows, horizon)
    windows = windows_of(context, rows, origins)
    part = "the given test part" if context.plan.split.kind == "given" else "the sealed end of the data"
    many = len(context.profile.arrangement["names"])
    described = f"{part}: {windows:,} {'origin' if windows == 1 else 'origins'}, {horizon:,} steps ahead each"
    forecaster = open_predictor(folder)
    return Case(
        dataset=dataset,
        profile=context.profile,
        plan=context.plan,
        evidence=evidence,
        judged_on=described + (f", {many:,} series" if many > 1 else ""),
        truth=context.target[rows],
        prediction=quantiles[:, quantiles.shape[1] // 2],
        baseline=baseline,
        judged=prepared.frame.iloc[rows].reset_index(drop=True),
        row_ids=prepared.row_ids[rows],
        predict=forecaster.predict,
        model=shipped.facts,
        out_of_fold=out_of_fold[known],
        out_of_fold_truth=context.target[known],
        deadline=deadline,
        groups=drawn_together(context, rows, horizon),
        error_scale=context.error_scale[rows],
        out_of_fold_scale=context.error_scale[known],
        quantiles=quantiles,
        details=panel_details(context, rows, horizon, folder),
    )


def out_of_fold_of(climb: Climb, evidence: Evidence) -> Array:
    """The champion's out-of-fold predictions on the search folds, in the order of the table."""
    best = climb.best(evidence.champion)
    assert best is not None
    assert best.predictions is not None
    return best.predictions


def _judged_rows(
    prepared: Prepared, evidence: Evidence, climb: Climb, predict: Callable[[Any], Array], deadline: Deadline
) -> JudgedRows:
    context = prepared.context
    simplest = climb.finalists()[0]
    if len(prepared.sealed):
        rows = prepared.sealed
        prediction = np.asarray(predict(prepared.frame.iloc[rows]), np.float64)
        baseline = fit_and_predict(context, simplest.trial, context.training_rows, rows)
        part = "the given test part" if context.plan.split.kind == "given" else "a sealed part"
        return JudgedRows(rows, prediction, baseline, f"{part} of {len(rows):,} rows")
    nested = _nest(prepared, evidence, climb, deadline)
    if nested is None:
        out_of_fold = out_of_fold_of(climb, evidence)
        rows = np.flatnonzero(_known(out_of_fold))
        assert simplest.predictions is not None
        described = "the folds that also chose the model, as nested cross-validation was not possible"
        return JudgedRows(rows, out_of_fold[rows], simplest.predictions[rows], described)
    rows = np.flatnonzero(_known(nested.prediction))
    repeats = len(nested.scores) // climb.folds
    described = f"all {len(rows):,} rows by nested cross-validation ({repeats} x {climb.folds} folds)"
    return JudgedRows(rows, nested.prediction[rows], nested.baseline[rows], described, nested.scores)


def _nest(prepared: Prepared, evidence: Evidence, climb: Climb, deadline: Deadline) -> Nested | None:
    """None where it cannot be done: there is no time, a rung fails on so few rows, or the champion trains in the worker,
    where repeating its choice inside every fold would take too long."""
    context = prepared.context
    if context.architecture(evidence.champion).needs_tensorflow:
        return None
    finalists = [outcome.trial for outcome in climb.finalists()]
    local = [trial for trial in finalists if not context.architecture(trial.architecture).needs_tensorflow]
    repeats = 3 if context.profile.rows < FEW_ROWS else 2
    limit = deadline.until(climb.judging(), NESTED_SHARE)
    expected = budget.nesting_seconds((best for trial in local if (best := climb.best(trial.architecture))), climb.folds)
    if limit.left_seconds() < expected:
        return None
    try:
        with failing_as_training_error():
            return nested_cross_validation(context, prepared.splitter, local, finalists[0], repeats, limit)
    except AutomlError:
        return None


def _known(predictions: Array) -> Array:
    """Rows that some fold predicted."""
    return np.asarray(np.isfinite(predictions.reshape(len(predictions), -1)).all(axis=1))
