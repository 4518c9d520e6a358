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
from automl.core.evidence import Evidence, Trial
from automl.core.predictor import open_predictor
from automl.core.readout import Readout
from automl.search import budget
from automl.search.climbing import Climb
from automl.search.forecasting import drawn_together, origins_of, panel_details, point, predict_sealed, windows_of
from automl.search.group_thresholds import limits_of
from automl.search.nested import Nested, nested_cross_validation
from automl.search.preparing import Prepared
from automl.search.reading_out import fit_readout
from automl.search.shipping import Shipped
from automl.search.trial import failing_as_training_error, fit_and_predict, needs_worker

Array = np.ndarray[Any, Any]

NESTED_SHARE = 0.8
"""Share of the time left before judging that the nested cross-validation may take."""
FEW_ROWS = 100
"""Below this many rows the nested cross-validation is repeated three times, else twice."""


@dataclass(frozen=True)
class JudgedRows:
    """rows: positions in the context's table. prediction, baseline: of these rows. nested: outer fold scores, if any.

    quantiles: of a forecast, whose median is the prediction. unmitigated: of the same settings trained without mitigation.
    """

    rows: Array
    prediction: Array
    baseline: Array
    described: str
    nested: tuple[float, ...] = ()
    quantiles: Array | None = None
    unmitigated: Array | None = None


def evaluate(
    folder: Path, dataset: Dataset, prepared: Prepared, evidence: Evidence, shipped: Shipped, climb: Climb, deadline: Deadline
) -> Case:
    """What the judge may look at, with the predictions of the exported model in `folder`."""
    judged = _judged_rows(folder, prepared, evidence, climb, deadline)
    judged = replace(judged, unmitigated=_unmitigated(prepared, shipped, deadline))
    evidence = replace(evidence, nested=judged.nested)
    return case_of(folder, dataset, prepared, evidence, shipped.facts, judged, out_of_fold_of(climb, evidence), deadline)


def _unmitigated(prepared: Prepared, shipped: Shipped, deadline: Deadline) -> Array | None:
    """What the judged model would predict for the sealed rows had it been trained without mitigation, its calibrator the same.

    None where nothing was mitigated, no part was sealed, or it cannot be fitted once more.
    """
    context = prepared.context
    needed = 1.5 * float(shipped.facts.get("seconds", 0.0))
    if context.fitting_weight is None or not len(prepared.sealed) or deadline.left_seconds() < needed:
        return None
    if needs_worker(context, shipped.trial):
        return None
    plain = replace(context, fitting_weight=None)
    try:
        with failing_as_training_error():
            predicted = fit_and_predict(plain, shipped.trial, context.training_rows, prepared.sealed)
    except AutomlError:  # a comparison beside the run, which the finding then says was not made
        return None
    return shipped.readout.apply(predicted, context.positive)


def case_of(
    folder: Path,
    dataset: Dataset,
    prepared: Prepared,
    evidence: Evidence,
    facts: dict[str, Any],
    judged: JudgedRows,
    out_of_fold: Array,
    deadline: Deadline,
) -> Case:
    """What the judge may look at: the rows judged by the model in `folder`, and the champion's out-of-fold predictions."""
    context, rows = prepared.context, judged.rows
    predictor = _opened(folder, prepared)
    predict = _predict_with(predictor, prepared)
    out_of_fold = point(out_of_fold) if context.rolling else evidence.readout.apply(out_of_fold, context.positive)
    known = _known(out_of_fold)
    limits = limits_of(evidence.readout, prepared.frame, context.profile) if prepared.thresholds_by else None
    return Case(
        dataset=dataset,
        profile=context.profile,
        plan=context.plan,
        evidence=evidence,
        judged_on=judged.described,
        truth=context.target[rows],
        prediction=judged.prediction,
        baseline=judged.baseline,
        judged=prepared.frame.iloc[rows].reset_index(drop=True),
        row_ids=prepared.row_ids[rows],
        weight=None if context.weight is None else context.weight[rows],
        predict=predict if context.rolling else lambda frame: np.asarray(predict(frame), np.float64),
        predictor=None if context.rolling else predictor,
        model=facts,
        out_of_fold=out_of_fold[known],
        out_of_fold_truth=context.target[known],
        out_of_fold_rows=prepared.row_ids[known],
        out_of_fold_weight=None if context.weight is None else context.weight[known],
        deadline=deadline,
        limits=limits[rows] if isinstance(limits, np.ndarray) else None,
        out_of_fold_limits=limits[known] if isinstance(limits, np.ndarray) else None,
        unmitigated=judged.unmitigated,
        **(_of_forecast(folder, prepared, judged, known) if context.rolling else {}),
    )


def _of_forecast(folder: Path, prepared: Prepared, judged: JudgedRows, known: Array) -> dict[str, Any]:
    """What the case of a forecast has besides: what errors are measured by, which rows belong together, the quantiles."""
    context, rows, horizon = prepared.context, judged.rows, int(prepared.context.profile.arrangement["horizon"])
    assert context.error_scale is not None
    return {
        "groups": drawn_together(context, rows, horizon),
        "error_scale": context.error_scale[rows],
        "out_of_fold_scale": context.error_scale[known],
        "quantiles": judged.quantiles,
        "details": panel_details(context, rows, horizon, folder),
    }


def sealed_rows(folder: Path, prepared: Prepared, baseline: Array) -> JudgedRows:
    """The sealed rows as the model in `folder` predicts them, beside the predictions of the simplest rung."""
    context, rows = prepared.context, prepared.sealed
    given = context.plan.split.kind == "given"
    if context.rolling:
        horizon = int(context.profile.arrangement["horizon"])
        with failing_as_training_error():
            quantiles = predict_sealed(folder, prepared)
        windows = windows_of(context, rows, origins_of(context, rows, horizon))
        many = len(context.profile.arrangement["names"])
        described = (
            f"{'the given test part' if given else 'the sealed end of the data'}: {windows:,}"
            f" {'origin' if windows == 1 else 'origins'}, {horizon:,} steps ahead each{f', {many:,} series' if many > 1 else ''}"
        )
        return JudgedRows(rows, quantiles[:, quantiles.shape[1] // 2], baseline, described, quantiles=quantiles)
    prediction = np.asarray(_predict_with(_opened(folder, prepared), prepared)(prepared.frame.iloc[rows]), np.float64)
    return JudgedRows(rows, prediction, baseline, f"{'the given test part' if given else 'a sealed part'} of {len(rows):,} rows")


def sealed_baseline(prepared: Prepared, simplest: Trial) -> Array:
    """What the simplest rung, fitted on the training rows, predicts for the sealed rows."""
    context = prepared.context
    with failing_as_training_error():
        predicted = fit_and_predict(context, simplest, context.training_rows, prepared.sealed)
    return point(predicted) if context.rolling else predicted


def _opened(folder: Path, prepared: Prepared) -> Any:
    """The model in a folder."""
    return open_predictor(folder, root=prepared.context.profile.root, most_unread=1.0)


def _predict_with(predictor: Any, prepared: Prepared) -> Callable[[Any], Array]:
    """Raw rows to the probabilities, or the values, of an opened model."""
    found: Callable[[Any], Array] = predictor.predict
    return found if prepared.context.rolling or predictor.is_regression else predictor.predict_proba


def out_of_fold_of(climb: Climb, evidence: Evidence) -> Array:
    """The champion's out-of-fold predictions on the search folds, in the order of the table."""
    best = climb.standing.best(evidence.champion)
    assert best is not None
    assert best.predictions is not None
    return best.predictions


def readout_of(climb: Climb, prepared: Prepared, trial: Trial) -> Readout:
    """What is made of the probabilities of a finalist, fitted on its out-of-fold predictions.

    Nothing is calibrated where no rows are sealed: the judged predictions are those of folds then, not of a calibrated model.
    """
    best = climb.standing.best(trial.architecture)
    assert best is not None
    assert best.predictions is not None
    sealed = len(prepared.sealed) > 0
    return fit_readout(prepared.context, best.predictions, calibrate=sealed, thresholds_by=prepared.thresholds_by)


def _judged_rows(folder: Path, prepared: Prepared, evidence: Evidence, climb: Climb, deadline: Deadline) -> JudgedRows:
    simplest = climb.standing.finalists()[0]
    if len(prepared.sealed):
        return sealed_rows(folder, prepared, sealed_baseline(prepared, simplest.trial))
    nested = _nest(prepared, evidence, climb, deadline)
    if isinstance(nested, str):
        out_of_fold = out_of_fold_of(climb, evidence)
        rows = np.flatnonzero(_known(out_of_fold))
        assert simplest.predictions is not None
        described = f"the folds that also chose the model, as {nested}"
        return JudgedRows(rows, out_of_fold[rows], simplest.predictions[rows], described)
    rows = np.flatnonzero(_known(nested.prediction))
    repeats = len(nested.scores) // climb.standing.folds
    described = f"all {len(rows):,} rows by nested cross-validation ({repeats} x {climb.standing.folds} folds)"
    return JudgedRows(rows, nested.prediction[rows], nested.baseline[rows], described, nested.scores)


def _nest(prepared: Prepared, evidence: Evidence, climb: Climb, deadline: Deadline) -> Nested | str:
    """Or why it cannot be done: there is no time, a rung fails on so few rows, or the champion trains in the worker, where
    repeating its choice inside every fold would take too long."""
    context = prepared.context
    champion = climb.standing.best(evidence.champion)
    if champion is not None and needs_worker(context, champion.trial):
        return "a net takes too long for nested cross-validation"
    finalists = [outcome.trial for outcome in climb.standing.finalists()]
    local = [trial for trial in finalists if not needs_worker(context, trial)]
    repeats = 3 if context.profile.rows < FEW_ROWS else 2
    limit = deadline.until(climb.reserve.judging(), NESTED_SHARE)
    expected = budget.nesting_seconds(
        (best for trial in local if (best := climb.standing.best(trial.architecture))), climb.standing.folds
    )
    if limit.left_seconds() < expected:
        return "nested cross-validation lacks time"
    try:
        with failing_as_training_error():
            found = nested_cross_validation(context, prepared.splitter, local, finalists[0], repeats, limit)
    except AutomlError as error:
        return f"nested cross-validation failed ({error})"
    return "nested cross-validation lacks time or rows" if found is None else found


def _known(predictions: Array) -> Array:
    """Rows that some fold predicted."""
    return np.asarray(np.isfinite(predictions.reshape(len(predictions), -1)).all(axis=1))
