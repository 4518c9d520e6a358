"""Laws of what finishing a run is expected to take."""

from __future__ import annotations

import pytest

from automl.core.evidence import Trial
from automl.search.budget import EXPORT_SECONDS, Part, combining_seconds, probing_seconds, shipping_seconds
from automl.search.trial import Outcome


def part(name: str = "boosting", fit: float = 0.4, net: bool = False, size_bytes: int = 0) -> Part:
    return Part(Outcome(Trial(name, 0, {}, 0, score=0.9), None, 2.0, fit_seconds=fit), net, size_bytes)


@pytest.mark.parametrize("net", [False, True])
def test_a_fit_alone_is_fitted_and_exported(net: bool) -> None:
    with_export = shipping_seconds([part(fit=0.0, net=net)], 1)
    assert with_export == pytest.approx(EXPORT_SECONDS[net])
    assert shipping_seconds([part(net=net)], 1) > with_export
    assert shipping_seconds([], 2) == 0.0


def test_several_fits_in_one_graph_take_less_than_a_graph_each_and_more_than_one() -> None:
    parts = [part(), part("realmlp", net=True), part("linear", fit=0.1)]
    together = shipping_seconds(parts, 1, preparing=1.0)
    assert max(shipping_seconds([each], 1, preparing=1.0) for each in parts) < together
    assert together < sum(shipping_seconds([each], 1, preparing=1.0) for each in parts)
    assert shipping_seconds(parts[::-1], 1, preparing=1.0) == pytest.approx(together)


def test_fits_slowness_and_large_trees_cost_more() -> None:
    usual = shipping_seconds([part()], 1)
    assert shipping_seconds([part()], 2) == pytest.approx(2 * usual)
    assert shipping_seconds([part()], 1, slowness=2.0) == pytest.approx(usual + EXPORT_SECONDS[False])
    assert shipping_seconds([part(size_bytes=5_000_000)], 1) > usual + 1.0


def test_what_is_kept_for_an_ensemble_grows_with_the_budget_as_a_falling_share() -> None:
    budgets = (20.0, 60.0, 300.0, 600.0, 3600.0)
    for plain in (0.0, 1e6):
        kept = [combining_seconds(each, plain, 1e6) for each in budgets]
        shares = [part / whole for part, whole in zip(kept, budgets, strict=True)]
        assert kept == sorted(kept)
        assert shares == sorted(shares, reverse=True)
    assert combining_seconds(None, 3.0, 7.0) == 7.0


def test_an_ensemble_of_one_seed_is_kept_more_time_for_than_its_further_seeds() -> None:
    assert combining_seconds(60.0, 5.0, 9.0) == 9.0
    assert combining_seconds(60.0, 10.0, 30.0) == combining_seconds(60.0, 18.0, 18.0) == 18.0
    assert combining_seconds(60.0, 22.0, 40.0) == 22.0
    assert combining_seconds(60.0, 50.0, 90.0) == 24.0


def test_time_is_kept_for_the_probes_of_sanity_where_a_run_is_long_enough() -> None:
    kept = [probing_seconds(each) for each in (20.0, 60.0, 120.0, 300.0)]
    assert kept[:2] == [0.0, 0.0] and kept[2] > 3.0 and kept[3] == 2.5 * kept[2]
    assert probing_seconds(None) == 0.0
