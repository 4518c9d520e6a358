"""Laws of the probes: what is sound passes, and a planted fault shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.clock import Deadline
from automl.core.evidence import Evidence, Trial
from automl.search import Prepared
from automl.search.context import Context
from automl.search.sanity import PROBES, memorised, probed, rate_range, same_seed, shuffled_labels
from automl.search.trial import learner_of, run_trial
from tests.search.made_up import frame_of, prepared_of

NEVER = Deadline(None)


def wide(task: str) -> pd.DataFrame:
    """With columns that tell nothing, but tell rows apart."""
    noise = np.random.default_rng(5).normal(size=(600, 6))
    return frame_of(600, task).assign(**{f"n{place}": noise[:, place] for place in range(6)})


@pytest.fixture(scope="module", params=["binary", "regression"])
def prepared(request: pytest.FixtureRequest) -> Prepared:
    return prepared_of(wide(request.param))[1]


def trial_of(context: Context, name: str) -> Trial:
    settings = context.architecture(name).space(context.profile).default()
    found = run_trial(context, context.architecture(name), 0, settings, NEVER).trial
    assert found.score is not None, found.message
    return found


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_what_is_sound_repeats_itself_and_knows_nothing_of_shuffled_labels(prepared: Prepared, name: str) -> None:
    context, trial = prepared.context, trial_of(prepared.context, name)
    assert same_seed(context, trial, 3).difference == 0.0
    found = shuffled_labels(context, trial, 3)
    assert found.p_value > 0.001
    assert found.rows >= 250
    assert shuffled_labels(context, trial, 3) == found
    assert found.agreement is not None and found.by_chance is not None
    assert (found.agreement > found.by_chance) == (found.p_value < 0.5), "p is that of the statistic that is told"


def test_rows_of_validation_among_the_training_rows_are_found_out(prepared: Prepared) -> None:
    context = prepared.context
    leaking = tuple(replace(fold, training=np.union1d(fold.training, fold.validation)) for fold in context.search_folds)
    found = shuffled_labels(replace(context, search_folds=leaking), trial_of(context, "boosting"), 3)
    assert found.p_value <= 0.001


def test_chance_that_the_seed_does_not_fix_is_found_out(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    context, trial = prepared.context, trial_of(prepared.context, "linear")
    learner = learner_of(context, context.architecture("linear"))
    fit, chance = learner.fit, iter(range(100))

    def drawn(training: Any, *arguments: Any) -> Any:
        rows = np.random.default_rng(next(chance)).permutation(len(training.target))[:200]
        inputs = {name: block[rows] for name, block in training.inputs.items()}
        return fit(replace(training, inputs=inputs, target=training.target[rows]), *arguments)

    monkeypatch.setattr(learner, "fit", drawn)
    assert same_seed(context, trial, 3).difference > 1e-3


def test_probes_are_left_out_with_a_reason(prepared: Prepared) -> None:
    context, trial = prepared.context, trial_of(prepared.context, "linear")
    evidence = Evidence(context.plan.metric, (trial,), (), (), "linear", 0, 0)
    none = probed(context, evidence, None, lambda _: 1.0, Deadline(0.0))
    assert set(none.left_out) == {probe.name for probe in PROBES}
    assert none.left_out["shuffled"] == "there was no time for it"
    assert none.left_out["memorised"] == "no net was trained"
    every = probed(context, evidence, None, lambda _: 1.0, NEVER)
    assert (every.shuffled is None, every.repeated is None, every.left_out["rates"]) == (False, False, "no net was trained")


@pytest.fixture
def net() -> Iterator[tuple[Context, Trial]]:
    context = prepared_of(wide("binary"))[1].context
    settings = {**context.architecture("mlp").space(context.profile).default(), "epochs": 4, "batch_size": 128, "jit": False}
    yield context, Trial("mlp", 0, settings, 7, score=0.7, rounds=2)


@pytest.mark.slow
def test_a_net_learns_by_heart_and_one_that_is_frozen_does_not(
    net: tuple[Context, Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trial = net
    sound = memorised(context, trial, 3)
    assert (sound.learned > 0.8, sound.rows, sound.learning_rate) == (True, 100, sound.usual_rate)
    rates = rate_range(context, trial, 3)
    assert min(loss for _, loss in rates.points) < 0.9 * rates.constant_loss
    learner = learner_of(context, context.architecture("mlp"))
    factors = learner.factors
    monkeypatch.setattr(learner, "factors", lambda path, shape: (0.0, factors(path, shape)[1]))
    monkeypatch.setattr(learner, "programs", {})
    frozen = memorised(context, trial, 3)
    assert frozen.learned < 0.2
