"""Laws of the readout: calibrated only where it helps, a threshold that is the best by its rule, a graph that equals Python."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.errors import InputError
from automl.core.files import decode, encode
from automl.core.metrics import METRICS, log_losses, with_threshold
from automl.core.options import make_options
from automl.core.readout import Calibrator, Readout, Threshold, called, with_positive
from automl.encoders.graph import GraphBuilder
from automl.encoders.readout import calibrated
from automl.encoders.readout import called as called_in_graph
from automl.judge.curves import brier_split
from automl.search.context import Context
from automl.search.reading_out import fit_isotonic, fit_readout, fit_temperature, fit_threshold
from tests.encoders.made_up import run_graph
from tests.search.made_up import prepared_of

Array = np.ndarray[Any, Any]
ROWS = 3000


@cache
def judged(seed: int = 0) -> tuple[Context, Array]:
    """A binary context, and the log-odds that its target was drawn with."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(generator.normal(size=(ROWS, 2)), columns=["a", "b"])
    odds = 1.5 * frame["a"] + 0.5 * frame["b"] - 1.0
    frame["target"] = generator.random(ROWS) < 1 / (1 + np.exp(-odds))
    _, prepared = prepared_of(frame)
    return prepared.context, odds.to_numpy()


def stretched(odds: Array, times: float = 1.0) -> Array:
    return with_positive(1 / (1 + np.exp(-times * odds)), 1)


def test_probabilities_that_are_right_stay_as_they_are() -> None:
    kept = [fit_readout(context, stretched(odds)).calibrator for context, odds in map(judged, range(8))]
    assert sum(each is not None for each in kept) <= 1


@pytest.mark.parametrize("times", [3.0, 0.4])
def test_stretched_probabilities_are_calibrated_by_as_much(times: float) -> None:
    context, odds = judged()
    readout = fit_readout(context, stretched(odds, times))
    assert readout.calibrator is not None
    assert readout.calibrator.method == "temperature"
    assert readout.calibrator.sharpness == pytest.approx(1 / times, rel=0.15)
    assert [each.kept for each in readout.attempts] == [True, False]
    truth, before = context.target, stretched(odds, times)
    after = readout.apply(before, context.positive)
    assert log_losses(truth, after).mean() < log_losses(truth, before).mean()
    assert (np.argsort(after[:, 1], kind="stable") == np.argsort(before[:, 1], kind="stable")).all()


def test_what_no_temperature_mends_is_calibrated_by_ramps_and_loses_no_ranking() -> None:
    context, odds = judged()
    bent = stretched(np.where(odds > 0, 0.2 * odds + 2.0, odds - 2.0))
    context = replace(context, plan=replace(context.plan, metric="log_loss"))
    readout = fit_readout(context, bent)
    assert readout.calibrator is not None
    assert readout.calibrator.method == "isotonic"
    places, values = np.asarray(readout.calibrator.knots).T
    assert len(places) <= 64
    assert (np.diff(places) > 0).all()
    assert (np.diff(values) >= 0).all()
    assert 0.0 < values.min() <= values.max() < 1.0


def test_rows_without_a_prediction_stay_so_and_few_rows_are_left_alone() -> None:
    context, odds = judged()
    predictions = stretched(odds, 3.0)
    predictions[::3] = np.nan
    readout = fit_readout(context, predictions)
    assert readout.calibrator is not None
    assert np.array_equal(np.isnan(readout.apply(predictions)), np.isnan(predictions))
    predictions[150:] = np.nan
    for left_alone in (fit_readout(context, predictions), fit_readout(context, stretched(odds, 3.0), calibrate=False)):
        assert replace(left_alone, conformal=None) == Readout()


def readouts() -> list[Any]:
    generator = np.random.default_rng(1)
    probability = generator.random(2000)
    happened = generator.random(2000) < probability**2
    ramps = fit_isotonic(probability, happened, np.ones(2000))
    flat = fit_isotonic(np.full(50, 0.3), np.arange(50) < 10, np.ones(50))
    threshold = Threshold(0.2125, "a rule", {})
    return [
        pytest.param(Readout(), 1, 2, id="as they are"),
        pytest.param(Readout(Calibrator("temperature", 0.7), threshold), 1, 2, id="temperature and threshold"),
        pytest.param(Readout(Calibrator("temperature", 2.5)), 1, 4, id="temperature of four classes"),
        pytest.param(Readout(ramps, threshold), 0, 2, id="ramps of the first class"),
        pytest.param(Readout(ramps), 1, 2, id="ramps"),
        pytest.param(Readout(flat), 1, 2, id="one level"),
    ]


@pytest.mark.parametrize("rows", [1, 400])
@pytest.mark.parametrize("readout, positive, classes", readouts())
def test_the_graph_computes_what_python_computes(readout: Readout, positive: int, classes: int, rows: int) -> None:
    assert decode(Readout, encode(readout)) == readout
    generator = np.random.default_rng(2)
    given = generator.dirichlet(np.full(classes, 0.3), rows).astype(np.float32)
    given[0] = np.eye(classes)[0]
    builder = GraphBuilder()
    probabilities = calibrated(builder, builder.input("p", "float32", classes), readout, positive)
    label = called_in_graph(builder, probabilities, readout, positive)
    found = run_graph(builder, {"q": (probabilities, "float32"), "label": (label, "int64")}, {"p": given})
    expected = readout.apply(given, positive)
    np.testing.assert_allclose(found["q"], expected, atol=2e-6)
    threshold = None if readout.threshold is None else readout.threshold.value
    assert found["label"].shape == (rows,)
    assert np.array_equal(found["label"], called(found["q"], threshold, positive))


def test_the_threshold_is_the_best_by_its_rule() -> None:
    context, odds = judged()
    probability, happened = stretched(odds)[:, 1], context.target == 1
    weight = np.random.default_rng(3).random(ROWS) + 0.5

    def tally(limit: float) -> tuple[float, float, float]:
        """Hits, false alarms, misses, as anybody would count them."""
        given = probability >= limit
        return tuple(float(weight[part].sum()) for part in (given & happened, given & ~happened, ~given & happened))  # type: ignore[return-value]

    def chosen(**rule: Any) -> tuple[Threshold, list[tuple[float, float, float]], tuple[float, float, float]]:
        found = fit_threshold(probability, happened, weight, replace(context.plan, **rule))
        return found, [tally(limit) for limit in np.linspace(0.001, 0.999, 400)], tally(found.value)

    found, others, (hits, alarms, misses) = chosen(cost_fp=1.0, cost_fn=7.0)
    assert alarms + 7 * misses <= min(other[1] + 7 * other[2] for other in others) + 1e-6
    assert found.value == pytest.approx(1 / 8, abs=0.05)  # of probabilities that are right
    found, others, (hits, alarms, misses) = chosen(metric="f1")
    assert 2 * hits / (2 * hits + alarms + misses) >= max(2 * h / (2 * h + a + m) for h, a, m in others) - 1e-9
    assert found.expected["f1"] == pytest.approx(2 * hits / (2 * hits + alarms + misses))
    found, others, (hits, alarms, misses) = chosen(min_recall=0.9)
    assert hits / (hits + misses) >= 0.9
    assert hits / (hits + alarms) >= max(h / (h + a) for h, a, m in others if h / (h + m) >= 0.9) - 1e-9
    found, others, (hits, alarms, misses) = chosen(min_precision=0.7)
    assert hits / (hits + alarms) >= 0.7
    assert hits >= max(h for h, a, m in others if h and h / (h + a) >= 0.7) - 1e-9
    assert found.met
    bad = fit_threshold(
        probability, np.random.default_rng(0).random(ROWS) < 0.1, weight, replace(context.plan, min_precision=0.99)
    )
    assert bad.met in (True, False)
    assert 0.0 <= bad.value <= 1.0


def test_only_a_rule_makes_a_threshold_and_metrics_obey_it() -> None:
    context, odds = judged()
    predictions = stretched(odds)
    assert fit_readout(context, predictions).threshold is None
    costly = replace(context, plan=replace(context.plan, cost_fn=9.0))
    threshold = fit_readout(costly, predictions).threshold
    assert threshold is not None
    truth, given = context.target, predictions[:, 1] >= threshold.value
    for name in ("accuracy", "f1", "balanced_accuracy", "roc_auc", "log_loss"):
        metric = with_threshold(METRICS[name], threshold.value)
        assert (metric.score(truth, predictions) == METRICS[name].score(truth, predictions)) is (name in ("roc_auc", "log_loss"))
    accuracy = with_threshold(METRICS["accuracy"], threshold.value).score(truth, predictions)
    assert accuracy == pytest.approx(np.mean(given == truth))


def test_the_options_of_a_threshold_are_checked() -> None:
    for wrong in (
        {"cost_fp": -1},
        {"min_recall": 1.5},
        {"min_recall": 0.5, "min_precision": 0.5},
        {"cost_fn": 2, "min_recall": 0.5},
    ):
        with pytest.raises(InputError):
            make_options(wrong)
    with pytest.raises(InputError, match="two classes"):
        prepared_of(pd.DataFrame({"a": np.arange(90) % 7, "target": np.arange(90) % 3}), cost_fn=2.0, task="multiclass")


def test_a_temperature_of_many_classes_is_found_again() -> None:
    generator = np.random.default_rng(5)
    logits = generator.normal(0, 2, (4000, 5))
    right = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([generator.choice(5, p=row) for row in right])
    sharp = np.exp(2.5 * logits) / np.exp(2.5 * logits).sum(axis=1, keepdims=True)
    assert fit_temperature(sharp, truth, np.ones(4000)).sharpness == pytest.approx(0.4, rel=0.05)


def test_the_brier_score_is_reliability_less_resolution_plus_uncertainty() -> None:
    context, odds = judged()
    happened, weight = context.target == 1, np.random.default_rng(3).random(ROWS)
    for times in (0.2, 1.0, 4.0):
        probability = stretched(odds, times)[:, 1]
        reliability, resolution, uncertainty = brier_split(probability, happened, weight)
        brier = np.average((probability - happened) ** 2, weights=weight)
        assert reliability - resolution + uncertainty == pytest.approx(brier, abs=1e-12)
        assert min(reliability, resolution, uncertainty) >= 0.0
        assert (reliability < 0.01) is (times == 1.0)
