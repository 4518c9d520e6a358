"""Laws of the split of a forecast and of the test over origins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.core.errors import InputError
from automl.core.profile import Profile
from automl.core.tasks import Task
from automl.search.forecasting import Placed, diebold_mariano, lay_out
from automl.splitting import sealed_windows


def profile(length: int, horizon: int, series: int = 1) -> Profile:
    arrangement: dict[str, Any] = {"horizon": horizon, "names": [str(each) for each in range(series)], "length": length}
    return Profile("forecast", "", Task.FORECAST, "", "y", "", {}, length * series, (), arrangement=arrangement)


def placed(lengths: list[int], season: int = 4) -> Placed:
    series = np.repeat(np.arange(len(lengths)), lengths)
    step = np.concatenate([np.arange(length) for length in lengths])
    position = np.concatenate([np.arange(1 - length, 1) for length in lengths])
    return Placed(series, step, position, np.zeros(len(step), bool), max(lengths), season)


@pytest.mark.parametrize(
    ("lengths", "horizon"), [([200], 5), ([2000], 24), ([60], 12), ([300, 260, 150, 20], 10), ([30], 3), ([9], 2), ([18_000], 24)]
)
def test_every_fold_learns_from_what_comes_before_it(lengths: list[int], horizon: int) -> None:
    rows = placed(lengths)
    laid = lay_out(rows, profile(max(lengths), horizon, len(lengths)), 3)
    assert len(laid.search) >= 2
    assert len(laid.fresh) >= 2
    assert set(laid.sealed).isdisjoint(laid.training)
    assert rows.position[laid.sealed].min() > rows.position[laid.training].max()
    for fold in (*laid.search, *laid.fresh):
        assert set(fold.training) <= set(laid.training)
        assert set(fold.validation) <= set(laid.training)
        assert rows.position[fold.validation].min() > rows.position[fold.training].max()
        assert len(np.unique(rows.position[fold.validation])) % horizon == 0
        assert set(rows.series[fold.validation]) <= set(rows.series[fold.training])


def test_search_and_fresh_folds_have_other_origins() -> None:
    rows = placed([2000])
    laid = lay_out(rows, profile(2000, 24), 3)
    search, fresh = ({int(rows.position[fold.training].max()) for fold in folds} for folds in (laid.search, laid.fresh))
    assert search.isdisjoint(fresh)
    validated = np.concatenate([fold.validation for fold in laid.fresh])
    assert len(np.unique(validated)) == len(validated)


def test_the_sealed_part_is_whole_windows() -> None:
    for length, horizon in ((144, 12), (17_420, 24), (30, 4), (1000, 1)):
        share, windows = sealed_windows({"horizon": horizon, "names": ["a"], "length": length})
        assert windows >= 1
        assert abs(share - windows * horizon / length) < 1e-3
        assert share <= 0.35


@pytest.mark.parametrize(("length", "horizon"), [(10, 12), (10, 10), (14, 6), (5, 2), (3, 1)])
def test_too_short_a_series_is_refused_with_what_it_takes(length: int, horizon: int) -> None:
    with pytest.raises(InputError, match=rf"has {length} steps.*--horizon"):
        lay_out(placed([length]), profile(length, horizon), 3)


def test_diebold_mariano_is_the_formula_of_harvey_leybourne_and_newbold() -> None:
    from scipy import stats

    gains = np.random.default_rng(0).normal(0.3, 1.0, 12)
    mean, low, high, p = diebold_mariano(gains, steps=3)
    count, away = len(gains), gains - gains.mean()
    variance = away @ away / count + 2 * sum(away[lag:] @ away[:-lag] / count for lag in (1, 2))
    statistic = gains.mean() / np.sqrt(variance / count) * np.sqrt((count + 1 - 6 + 6 / count) / count)
    assert mean == pytest.approx(gains.mean())
    assert p == pytest.approx(stats.t.sf(statistic, count - 1))
    assert low < mean < high


def test_without_overlap_it_is_the_paired_t_test() -> None:
    from scipy import stats

    gains = np.random.default_rng(1).normal(0.3, 1.0, 6)
    assert diebold_mariano(gains)[3] == pytest.approx(stats.ttest_1samp(gains, 0.0, alternative="greater").pvalue)
    assert diebold_mariano(np.full(5, 0.2))[3] == 0.0
    assert diebold_mariano(np.zeros(5))[3] == 1.0
    assert diebold_mariano(np.asarray([1.0]))[3] == 1.0
