"""Laws of pools: what members agree on stays, no member has a veto, and the better pool is chosen on the folds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.evidence import LINEAR, LOGARITHMIC, Trial
from automl.core.tasks import Task
from automl.search import Prepared, ensembling
from automl.search.pooling import LEAST_SAID, pooled, pools_for
from automl.search.trial import Outcome
from tests.search.made_up import prepared_of

Array = np.ndarray[Any, Any]
ROWS = 900


def soft(logits: Array) -> Array:
    found = np.exp(logits)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("pool", [LINEAR, LOGARITHMIC])
def test_what_all_members_say_is_said_together(pool: str) -> None:
    said = soft(np.random.default_rng(0).normal(size=(50, 3)))
    np.testing.assert_allclose(pooled([said] * 3, [0.5, 0.3, 0.2], pool), said, rtol=1e-12)


@pytest.mark.parametrize("pool", [LINEAR, LOGARITHMIC])
def test_probabilities_sum_to_one_and_nothing_is_excluded_by_one_member_alone(pool: str) -> None:
    sure, others = np.asarray([[1.0, 0.0, 0.0]]), np.asarray([[0.0, 0.7, 0.3]])
    together = pooled([sure, others], [0.5, 0.5], pool)
    assert together.sum() == pytest.approx(1.0)
    assert (together > 0).all()
    assert LEAST_SAID > 0


def test_the_geometric_mean_is_surer_than_the_mean_where_members_agree_but_for_noise() -> None:
    generator = np.random.default_rng(1)
    truth = generator.normal(0, 2, size=(2000, 3))
    members = [soft(truth + generator.normal(0, 1, truth.shape)) for _ in range(4)]
    linear, logarithmic = (pooled(members, [0.25] * 4, pool).max(axis=1).mean() for pool in (LINEAR, LOGARITHMIC))
    assert linear < logarithmic


def test_values_are_averaged_as_they_are() -> None:
    assert pools_for(Task.REGRESSION) == (LINEAR,)
    assert pools_for(Task.BINARY) == pools_for(Task.MULTICLASS) == (LINEAR, LOGARITHMIC)


def outcomes(prepared: Prepared, members: list[Array]) -> list[Outcome]:
    found = []
    for number, said in enumerate(members):
        rows = [fold.validation for fold in prepared.context.search_folds]
        score = float(np.mean([prepared.context.score(each, said[each]) for each in rows]))
        found.append(Outcome(Trial("boosting", number, {}, 0, score=score), said, 0.1))
    return found


@pytest.mark.parametrize("pool", [LINEAR, LOGARITHMIC])
def test_the_pool_that_suits_the_members_is_chosen(pool: str) -> None:
    """Truths are drawn from one pool of members that differ by much; then it is better, and chosen."""
    generator = np.random.default_rng(2)
    members = [soft(generator.normal(0, 1.5, size=(ROWS, 3))) for _ in range(2)]
    truth = [generator.choice(list("abc"), p=each) for each in pooled(members, [0.5, 0.5], pool)]
    prepared = prepared_of(pd.DataFrame({"x": np.arange(ROWS) / ROWS, "target": truth}), trials=3)[1]
    found = ensembling.combine(prepared.context, "ensemble", outcomes(prepared, members), lambda members, fits: True)
    assert isinstance(found, Outcome)
    assert found.trial.pool == pool
    assert found.trial.score == pytest.approx(np.mean(found.trial.selection_scores), rel=0.02)
