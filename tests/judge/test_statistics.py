"""Laws of the intervals that searching and judging share."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from automl.core.case import Case
from automl.core.metrics import METRICS, metric, metrics_for, with_scale
from automl.core.statistics import (
    corrected_resampled_t,
    paired_bootstrap,
    percentile_interval,
    resampling_counts,
    student_quantile,
    student_upper_tail,
)
from automl.core.tasks import Task
from automl.judge.bootstrap import compare, replicator, score_replicates
from tests.judge.made_up import case_of


@pytest.mark.parametrize("degrees", [1, 4, 9, 49])
def test_student_agrees_with_scipy(degrees: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    for value in (-3.0, -0.1, 0.0, 0.5, 2.0, 12.0):
        assert student_upper_tail(value, degrees) == pytest.approx(stats.t.sf(value, degrees), abs=1e-12)
    for probability in (0.01, 0.5, 0.9, 0.975):
        assert student_quantile(probability, degrees) == pytest.approx(stats.t.ppf(probability, degrees), abs=1e-8)


def test_the_correction_widens_the_interval() -> None:
    gains = np.random.default_rng(0).normal(0.1, 0.05, 10)
    mean, low, high, p = corrected_resampled_t(gains, 0.25)
    _, plain_low, plain_high, plain_p = corrected_resampled_t(gains, 0.0)
    assert low < plain_low < mean < plain_high < high
    assert plain_p < p < 0.5


def test_the_sides_mirror() -> None:
    gains = [0.1, 0.2, -0.05, 0.1, 0.15]
    mean, low, high, p = corrected_resampled_t(gains, 0.25)
    turned = corrected_resampled_t([-gain for gain in gains], 0.25)
    assert turned == pytest.approx((-mean, -high, -low, 1 - p))


def test_one_fold_decides_nothing() -> None:
    assert corrected_resampled_t([0.3], 0.25) == (0.3, -math.inf, math.inf, 1.0)
    assert corrected_resampled_t([0.3, math.nan], 0.25)[3] == 1.0
    assert corrected_resampled_t([0.0, 0.0, 0.0], 0.25) == (0.0, 0.0, 0.0, 1.0)
    assert math.isnan(corrected_resampled_t([], 0.25)[0])


def test_the_corrected_t_keeps_its_level_where_folds_are_independent() -> None:
    generator = np.random.default_rng(1)
    rejected = [corrected_resampled_t(generator.standard_normal(10), 0.1)[3] < 0.1 for _ in range(500)]
    assert np.mean(rejected) < 0.1


def test_the_bootstrap_interval_covers_the_truth() -> None:
    generator = np.random.default_rng(2)
    covered = 0
    for number in range(100):
        values = generator.exponential(1.0, 100)
        draws = [row @ values / row.sum() for row in resampling_counts(100, 200, number)]
        low, high = percentile_interval(np.array(draws))
        covered += low <= 1.0 <= high
    assert 84 <= covered <= 100


def test_groups_are_drawn_whole_and_widen_the_interval() -> None:
    generator = np.random.default_rng(3)
    groups = np.repeat(np.arange(20), 10)
    values = np.repeat(generator.standard_normal(20), 10)

    def score(counts: np.ndarray) -> float:
        return float(counts @ values / counts.sum())

    def zero(counts: np.ndarray) -> float:
        return 0.0

    for row in resampling_counts(200, 5, 0, groups):
        assert (row.reshape(20, 10) == row[::10, None]).all()
    by_row = paired_bootstrap(score, zero, 200, resamples=300)
    by_group = paired_bootstrap(score, zero, 200, resamples=300, groups=groups)
    assert by_group.high - by_group.low > 2 * (by_row.high - by_row.low)


def errors_case(errors: np.ndarray, seed: int, groups: np.ndarray | None = None, weight: np.ndarray | None = None) -> Case:
    """A judged regression with these errors."""
    truth = np.zeros(len(errors))
    case = case_of(Task.REGRESSION, 40)
    return replace(
        case, truth=truth, prediction=errors, baseline=np.ones(len(errors)), row_ids=np.arange(len(errors)), groups=groups,
        weight=weight, plan=replace(case.plan, seed=seed),
    )  # fmt: skip


def test_the_interval_of_a_mean_loss_covers_it_where_a_few_errors_are_huge() -> None:
    generator, covered, by_percentiles = np.random.default_rng(0), 0, 0
    truth = math.exp(2.0)  # the mean of the squares of log-normal errors
    for number in range(50):
        errors = np.exp(generator.standard_normal(200))
        case = errors_case(errors, number)
        found = compare(case, [METRICS["rmse"]])[0].model
        covered += float(found.low or 0.0) <= math.sqrt(truth) <= float(found.high or 0.0)
        low, high = percentile_interval(score_replicates(METRICS["rmse"], case.truth, errors, case))
        by_percentiles += low <= math.sqrt(truth) <= high
    assert covered >= by_percentiles + 2
    assert covered >= 40  # the mean of squares is that of the largest few: no interval of 200 rows holds it in 95 %


def test_rows_of_a_group_count_as_one_and_weights_as_copies() -> None:
    generator = np.random.default_rng(1)
    errors = generator.normal(size=60)
    one = compare(errors_case(errors, 0), [METRICS["mae"]])[0].model
    copied = compare(errors_case(np.repeat(errors, 5), 0, np.repeat(np.arange(60), 5)), [METRICS["mae"]])[0].model
    assert (copied.low, copied.high) == pytest.approx((one.low, one.high))
    weighed = compare(errors_case(errors, 0, weight=np.full(60, 3.0)), [METRICS["mae"]])[0].model
    assert (weighed.low, weighed.high) == pytest.approx((one.low, one.high))
    error = np.abs(errors).std() / math.sqrt(60)
    assert float(one.high or 0.0) - float(one.low or 0.0) == pytest.approx(2 * 2.0 * error, rel=0.15)


@pytest.mark.parametrize("task", sorted(Task))
@pytest.mark.parametrize("ties", [False, True])
def test_fast_resamples_equal_the_weighted_metric(task: Task, ties: bool) -> None:
    generator = np.random.default_rng(4)
    rows = 60
    if not task.is_classification:
        truth, prediction = 5 + generator.random((2, rows))
    else:
        outputs = 2 if task is Task.BINARY else 4
        truth = generator.integers(0, outputs, rows)
        prediction = generator.dirichlet(np.ones(outputs), rows)
    if ties:
        prediction = np.round(prediction, 1)
    counts = np.stack(list(resampling_counts(rows, 20, 5))) * generator.random(rows)
    for each in metrics_for(task):
        expected = [each.score(truth, prediction, row, 1) for row in counts]
        np.testing.assert_allclose(replicator(each, truth, prediction, 1)(counts), expected, rtol=1e-9, err_msg=each.name)


def test_every_metric_of_the_library_has_replicates() -> None:
    assert {each.name for task in Task for each in metrics_for(task)} == set(METRICS)


def test_a_scaled_metric_has_replicates_in_the_scale_of_its_rows() -> None:
    generator = np.random.default_rng(0)
    truth, prediction, scale = 5 + generator.random((3, 60))
    scale[3] = np.nan  # of a series that never changes: the row does not count
    bound = with_scale(metric("mase"), [np.ones(7), scale])
    kept = np.arange(60) != 3
    assert bound.score(truth, prediction) == pytest.approx(float(np.mean(np.abs(truth - prediction)[kept] / scale[kept])))
    counts = np.stack(list(resampling_counts(60, 20, 5)))
    expected = [bound.score(truth, prediction, row, 1) for row in counts]
    np.testing.assert_allclose(replicator(bound, truth, prediction, 1)(counts), expected, rtol=1e-9)
    assert np.isnan(bound.score(truth[:5], prediction[:5]))
    assert with_scale(metric("rmse"), [scale]) is metric("rmse")
