"""Laws of conformal bounds: they hold the truth as often as they say, no set is empty, and too few rows promise nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.conformal import Conformal, conformal_of, cut_at, interval_at, quantile_for, set_at, sureness_at
from automl.core.files import encode
from automl.core.plan import Split
from automl.core.predictor import PredictorError
from automl.core.readout import Readout
from automl.search.conforming import fit_conformal, fit_spread, holds_for, interval_loss, quantiles
from automl.search.context import Context
from automl.search.reading_out import fit_readout
from tests.search.made_up import prepared_of

Array = np.ndarray[Any, Any]
ROWS = 600


@cache
def context_of(task: str, rows: int = ROWS) -> Context:
    """A context whose target the tests replace."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(rows, 2)), columns=["a", "b"])
    frame["target"] = generator.integers(0, 4, rows) if task == "multiclass" else generator.normal(size=rows)
    return prepared_of(frame, task=task)[1].context


def fitted(target: Array, predictions: Array, task: str, **changes: Any) -> Conformal:
    context = replace(context_of(task, len(target)), target=target, **changes)
    found = fit_conformal(context, np.arange(len(target)), predictions)
    assert found is not None
    return found


def regression(seed: int, funnel: bool) -> tuple[Array, Array]:
    """Truth and predictions of ROWS rows, and as many again."""
    generator = np.random.default_rng(seed)
    predictions = generator.uniform(1, 10, 2 * ROWS)
    return predictions + generator.standard_t(4, 2 * ROWS) * (predictions if funnel else 3.0), predictions


def classes(seed: int, sharpness: float) -> tuple[Array, Array]:
    """Truth (drawn from them) and probabilities of four classes."""
    generator = np.random.default_rng(seed)
    logits = sharpness * generator.standard_normal((2 * ROWS, 4))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    drawn = (generator.random(2 * ROWS)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)
    return np.minimum(drawn, 3), probabilities


@pytest.mark.parametrize("funnel", [False, True])
def test_intervals_hold_the_truth_of_new_rows_as_often_as_they_say(funnel: bool) -> None:
    covered = []
    for seed in range(20):
        truth, predictions = regression(seed, funnel)
        found = fitted(truth[:ROWS], predictions[:ROWS], "regression")
        ends = {level: interval_at(found, predictions[ROWS:], level) for level in (0.5, 0.8, 0.9, 0.95)}
        covered.append(
            [np.mean((truth[ROWS:] >= low) & (truth[ROWS:] <= high)) for low, high in (each.T for each in ends.values())]
        )
        assert (ends[0.9][:, 0] <= ends[0.8][:, 0]).all()
        assert (ends[0.9][:, 1] >= ends[0.8][:, 1]).all()
    assert np.mean(covered, axis=0) == pytest.approx([0.5, 0.8, 0.9, 0.95], abs=0.02)


def test_a_spread_is_kept_where_errors_follow_the_prediction_and_seldom_where_not() -> None:
    kept = {funnel: 0 for funnel in (False, True)}
    for funnel in kept:
        for seed in range(12):
            truth, predictions = regression(seed, funnel)
            kept[funnel] += fitted(truth[:ROWS], predictions[:ROWS], "regression").score == "normalised"
    assert kept[True] == 12
    assert kept[False] <= 2


@pytest.mark.parametrize("sharpness", [0.5, 1.5, 6.0])
def test_sets_hold_the_truth_and_are_never_empty(sharpness: float) -> None:
    covered, right = [], []
    for seed in range(20):
        truth, probabilities = classes(seed, sharpness)
        found = fitted(truth[:ROWS], probabilities[:ROWS], "multiclass")
        new = probabilities[ROWS:].astype(np.float32)
        sets = {level: set_at(found, new, level, new.argmax(axis=1)) for level in (0.5, 0.8, 0.9)}
        for members in sets.values():
            assert members[np.arange(ROWS), new.argmax(axis=1)].all()
        least = new.argmin(axis=1)
        assert set_at(found, new, 0.5, least)[np.arange(ROWS), least].all(), "a threshold may call any class"
        assert (sets[0.8] <= sets[0.9]).all()
        covered.append(np.mean(sets[0.9][np.arange(ROWS), truth[ROWS:]]))
        right.append(np.mean(new.argmax(axis=1) == truth[ROWS:]))
    assert np.mean(covered) == pytest.approx(max(0.9, np.mean(right)), abs=0.015)


def test_the_quantile_is_the_kth_smallest_score_and_weights_count_like_copies() -> None:
    score = np.random.default_rng(0).permutation(99).astype(np.float64)
    found = quantiles(score, np.ones(99), 99)
    assert found["0.90"] == 89.0  # the 90th of 99, k = ceil(0.9 * 100)
    assert found["0.99"] == 98.0
    assert list(found) == sorted(found)
    weight = np.random.default_rng(1).integers(1, 4, 99).astype(np.float64)
    copies = quantiles(np.repeat(score, weight.astype(int)), np.ones(int(weight.sum())), 99)
    assert [found for level, found in quantiles(score, weight, 99).items()] == pytest.approx(list(copies.values()), abs=2.0)


def test_too_few_rows_promise_no_high_level_and_say_so() -> None:
    few = fitted(*(each[:30] for each in regression(0, False)), "regression")
    assert max(map(float, few.quantiles)) == pytest.approx(0.96)
    with pytest.raises(PredictorError, match=r"30 rows .* too few for the level 0.98; at most 0.96"):
        quantile_for(few, 0.98)
    with pytest.raises(PredictorError, match=r"between 0\.5 and 0\.99"):
        quantile_for(few, 90.0)
    assert quantile_for(few, 0.895) == few.quantiles["0.90"]
    assert fit_conformal(context_of("regression"), np.arange(10), np.zeros(10)) is None


def test_groups_count_as_units_and_the_promise_is_for_other_groups() -> None:
    truth, predictions = regression(0, False)
    plan = replace(context_of("regression").plan, split=Split("grouped", 0.2, 5, "shop"))
    found = fitted(truth[:ROWS], predictions[:ROWS], "regression", groups=np.arange(ROWS) // 20, plan=plan)
    assert found.units == 30
    assert '"shop"' in found.holds_for
    with pytest.raises(PredictorError, match="30 groups"):
        quantile_for(found, 0.99)
    assert "time" in holds_for(replace(plan, split=Split("given", 0.0, 5, folds_by="time")))


def test_intervals_of_what_is_never_negative_stop_at_zero_and_hold_the_prediction() -> None:
    generator = np.random.default_rng(0)
    predictions = generator.uniform(0.1, 2, ROWS)
    found = fitted(predictions * generator.exponential(1, ROWS), predictions, "regression")
    assert found.least == 0.0
    values = np.asarray([-1.0, 0.0, 0.2, 5.0])
    low, high = interval_at(found, values, 0.9).T
    assert (low[1:] >= 0).all()
    assert ((low <= values) & (values <= high)).all()


def test_a_wider_interval_costs_its_width_and_a_miss_costs_more() -> None:
    loss = interval_loss(np.asarray([0.5, 2.0]), np.asarray([1.0, 1.0]), 0.9)
    assert loss == pytest.approx([2.0, 2.0 + 20.0 * 1.0])
    assert fit_spread(np.ones(500), np.ones(500), np.ones(500)) == ()


def test_about_the_asked_share_of_new_rows_is_left_without_an_answer() -> None:
    shares = []
    for seed in range(10):
        truth, probabilities = classes(seed, 1.5)
        found = fitted(truth[:ROWS], probabilities[:ROWS], "multiclass")
        sureness, wrong = sureness_at(found.knots, probabilities), probabilities.argmax(axis=1) != truth
        assert sureness is not None
        without = [sureness < cut_at(found, rate) for rate in (0.1, 0.255, 0.5)]
        shares.append([each[ROWS:].mean() for each in without])
        assert all(wrong[each].mean() > wrong.mean() > wrong[~each].mean() for each in without)
    assert np.mean(shares, axis=0) == pytest.approx([0.1, 0.255, 0.5], abs=0.03)
    with pytest.raises(PredictorError, match="between 0 and 1"):
        cut_at(found, 10)
    few = fitted(*(each[:100] for each in regression(0, False)), "regression")  # too few for a spread
    with pytest.raises(PredictorError, match="equally sure"):
        cut_at(few, 0.1)


def test_near_a_threshold_the_model_is_least_sure() -> None:
    share = np.asarray([0.05, 0.19, 0.2, 0.25, 0.9])
    sureness = sureness_at((), np.stack([1 - share, share], axis=1), 0.2)
    assert sureness is not None
    assert np.argsort(sureness).tolist() == [2, 1, 3, 0, 4]


def test_the_readout_holds_it_and_a_contract_gives_it_back() -> None:
    truth, predictions = regression(0, True)
    context = replace(context_of("regression"), target=truth[:ROWS])
    out_of_fold = np.where(np.arange(ROWS) % 5 == 0, np.nan, predictions[:ROWS])
    readout = fit_readout(context, out_of_fold)
    assert readout.conformal is not None
    assert readout.conformal.rows == ROWS * 4 // 5
    again = conformal_of({"readout": {**encode(readout), "later": 1}})
    assert again is not None
    np.testing.assert_array_equal(interval_at(again, predictions, 0.9), interval_at(readout.conformal, predictions, 0.9))
    assert conformal_of({"readout": encode(Readout())}) is conformal_of({}) is None
