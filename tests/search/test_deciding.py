"""Laws of the climb: noise is not climbed, a real gain is, and the direction of the metric does not matter."""

import numpy as np
import pytest

from automl.core.evidence import Final
from automl.core.metrics import metric
from automl.search.deciding import decide, worse

TITLES = {"simple": "Simple", "higher": "Higher"}


def finals(gain: float, noise: float, seed: int, folds: int = 10, sign: float = 1.0) -> tuple[Final, Final]:
    generator = np.random.default_rng(seed)
    base = 0.8 + generator.normal(0, 0.02, folds)
    better = base + sign * (gain + generator.normal(0, noise, folds))
    return (
        Final("higher", 0, tuple(better), float(better.mean()), 2.0, 200),
        Final("simple", 0, tuple(base), float(base.mean()), 1.0, 100),
    )


def test_a_clear_gain_is_climbed_in_either_direction() -> None:
    for name, sign in (("roc_auc", 1.0), ("log_loss", -1.0)):
        decision = decide(*finals(0.05, 0.01, 0, sign=sign), metric(name), 5, TITLES, True)
        assert decision.accepted and decision.gain > 0.04 and decision.p_value < 0.01
        assert decision.interval[0] < decision.gain < decision.interval[1]
        assert decision.price == {"seconds": 1.0, "bytes": 100.0}


def test_the_interval_beside_the_test_excludes_zero_exactly_where_the_test_accepts() -> None:
    decisions = [decide(*finals(0.012, 0.02, seed), metric("roc_auc"), 5, TITLES, True) for seed in range(60)]
    assert {each.accepted for each in decisions} == {True, False}
    assert all((each.interval[0] > 0) == each.accepted and each.level == pytest.approx(0.8) for each in decisions)
    assert any(0.05 < each.p_value < 0.1 for each in decisions), "where an interval of 90 % would hold zero"


def test_scores_are_told_as_everywhere_else() -> None:
    higher, simple = (Final(name, 0, (score,) * 5, score, 1.0) for name, score in (("higher", 66811.2), ("simple", 115476.4)))
    assert "(RMSE 66,811 against 115,476," in decide(higher, simple, metric("rmse"), 5, TITLES, True).sentence


def test_noise_is_climbed_no_more_often_than_alpha() -> None:
    climbs = sum(decide(*finals(0.0, 0.02, seed), metric("roc_auc"), 5, TITLES, True).accepted for seed in range(300))
    assert climbs <= 0.10 * 300


def test_preset_best_takes_the_better_mean_and_still_shows_the_test() -> None:
    candidate, incumbent = finals(0.001, 0.02, 4)
    obeyed = decide(candidate, incumbent, metric("roc_auc"), 5, TITLES, True)
    shown = decide(candidate, incumbent, metric("roc_auc"), 5, TITLES, False)
    assert shown.accepted == (shown.gain > 0)
    assert not obeyed.accepted and obeyed.p_value == shown.p_value


def test_only_folds_that_both_have_are_compared() -> None:
    candidate, incumbent = finals(0.05, 0.01, 0)
    short = Final("simple", 0, incumbent.fold_scores[:5], incumbent.score, 1.0)
    assert "5 fresh folds" in decide(candidate, short, metric("roc_auc"), 5, TITLES, True).test


@pytest.mark.parametrize("gain, expected", [(-0.05, True), (0.05, False), (0.0, False)])
def test_worse_beyond_doubt(gain: float, expected: bool) -> None:
    candidate, incumbent = finals(gain, 0.01, 1)
    assert worse(candidate, incumbent, metric("roc_auc"), 5) is expected


def holdouts(gain: float, noise: float, seed: int, rows: int = 400) -> tuple[Final, Final]:
    """Two candidates on one holdout: mean row scores on all rows, and on the same resamples of them."""
    generator = np.random.default_rng(seed)
    base = 0.8 + generator.normal(0, 0.3, rows)
    better = base + gain + generator.normal(0, noise, rows)
    resamples = generator.integers(rows, size=(400, rows))
    return (
        Final(
            "higher", 0, (float(better.mean()),), float(better.mean()), 2.0, 200, resampled=tuple(better[resamples].mean(axis=1))
        ),
        Final("simple", 0, (float(base.mean()),), float(base.mean()), 1.0, 100, resampled=tuple(base[resamples].mean(axis=1))),
    )


def test_one_holdout_is_decided_by_the_paired_bootstrap() -> None:
    decision = decide(*holdouts(0.03, 0.1, 0), metric("accuracy"), 1, TITLES, True)
    assert decision.accepted and decision.interval[0] < decision.gain < decision.interval[1]
    assert "paired bootstrap" in decision.test
    climbs = sum(decide(*holdouts(0.0, 0.3, seed), metric("accuracy"), 1, TITLES, True).accepted for seed in range(300))
    assert 0.04 * 300 <= climbs <= 0.16 * 300
    assert worse(*holdouts(-0.1, 0.1, 1), metric("accuracy"), 1)
    assert not worse(*holdouts(0.0, 0.1, 1), metric("accuracy"), 1)


def test_without_a_defined_resample_nothing_is_climbed() -> None:
    candidate, incumbent = (Final(name, 0, (0.5,), 0.5, 1.0, resampled=(float("nan"),) * 10) for name in TITLES)
    assert not decide(candidate, incumbent, metric("roc_auc"), 1, TITLES, True).accepted
