"""Laws of the settings that trials get: the same wherever they are drawn, and searched in this process without a worker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.core.clock import Deadline
from automl.core.evidence import Trial
from automl.core.metrics import metric
from automl.core.space import Choice, Float, Int, Space
from automl.search import Prepared, Workshop, trial
from automl.search.parity import MOST_CELLS, parity_rows
from automl.search.proposing import next_number, propose
from automl.search.target import SETTING
from automl.search.trial import learner_of, run_trial, space_of
from tests.search.made_up import frame_of, prepared_of

SPACE = Space({"depth": Int(1, 8, 2), "rate": Float(0.01, 1.0, 0.1, log=True)}, ({}, {"depth": 5}))
ROC_AUC = metric("roc_auc")
NET = Trial("realmlp", 1, {}, 0)
SMALL = Space({"kind": Choice(("a", "b"), "a")})


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepared_of(frame_of(300), time=20)[1]


def searched(space: Space, count: int, seed: int = 1) -> list[Trial]:
    trials: list[Trial] = []
    while len(trials) < count and (settings := propose(space, seed, next_number(trials), trials, ROC_AUC)) is not None:
        trials.append(Trial("made up", len(trials), settings, 0))
    return trials


def test_good_settings_come_first_and_what_is_drawn_depends_on_seed_number_and_trials_only() -> None:
    trials = searched(SPACE, 8)
    assert [trial.settings for trial in trials[:2]] == [SPACE.start(0), SPACE.start(1)]
    assert propose(SPACE, 1, 5, trials[:5], ROC_AUC) == propose(SPACE, 1, 5, trials[2:5], ROC_AUC) == trials[5].settings
    assert propose(SPACE, 2, 5, trials[:5], ROC_AUC) != trials[5].settings
    assert next_number(reversed(trials)) == 8


def test_most_draws_stay_near_the_best_trials_and_the_others_go_anywhere() -> None:
    best = {"depth": 8, "rate": 0.011}
    recorded = [Trial("made up", 0, {"depth": 1, "rate": 0.9}, 0, score=0.6), Trial("made up", 1, best, 0, score=0.9)]
    recorded += [Trial("made up", number, {"depth": 7, "rate": 0.012}, 0, score=0.8) for number in (2, 3)]
    drawn = [propose(SPACE, seed, 4, recorded, ROC_AUC) for seed in range(300)]
    near = np.mean([settings is not None and settings["depth"] >= 6 and settings["rate"] < 0.1 for settings in drawn])
    assert 0.5 < near < 0.85
    lowest = [propose(SPACE, seed, 4, recorded, metric("log_loss")) for seed in range(300)]
    assert np.mean([settings is not None and settings["rate"] > 0.3 for settings in lowest]) > 0.25


@given(st.integers(0, 2**32 - 1))
def test_a_near_point_is_within_the_space_and_differs(seed: int) -> None:
    space = Space({**SPACE.dimensions, "kind": Choice(("a", "b"), "a"), "share": Float(0.0, 1.0, 0.5, when=("kind", ("b",)))})
    start = space.sample(np.random.default_rng(seed))
    near = space.near({**start, "unknown": 1}, np.random.default_rng(seed + 1))
    assert near != start or start["rate"] in (0.01, 1.0) or start["depth"] in (1, 8)
    assert 1 <= near["depth"] <= 8
    assert 0.01 <= near["rate"] <= 1.0
    assert ("share" in near) is (near["kind"] == "b")


def test_a_small_space_is_searched_out() -> None:
    assert sorted(trial.settings["kind"] for trial in searched(SMALL, 10)) == ["a", "b"]


def test_a_space_without_a_dimension_has_one_point() -> None:
    assert [each.settings for each in searched(Space({}), 5)] == [{}]


def test_without_a_worker_settings_are_searched_here(prepared: Prepared, tmp_path: Path) -> None:
    workshop = Workshop(prepared.context, tmp_path / "context", None)
    assert not workshop.ready()
    space = space_of(prepared.context, prepared.context.architecture("linear"))
    recorded = [workshop.probe("linear", Deadline(20.0)).trial]
    for number in range(1, 4):
        outcome = workshop.search("linear", recorded, Deadline(20.0))
        assert outcome is not None
        assert outcome.trial.number == number
        assert outcome.trial.settings == space.start(number)
        assert outcome.trial.score is not None
        recorded.append(outcome.trial)


def test_wide_tables_are_compared_on_fewer_rows_which_still_hold_every_edge() -> None:
    columns = 3000
    values = np.random.default_rng(0).normal(size=(60, columns)).round(3)
    frame = pd.DataFrame(values, columns=[f"x{number}" for number in range(columns)])
    prepared = prepared_of(frame.assign(target=values[:, 0] > 0), only="linear")[1]
    rows = prepared.parity_frame
    assert rows.size <= 2.5 * MOST_CELLS
    assert rows.isna().all(axis=1).any()
    narrow = parity_rows(prepared_of(frame_of(600))[1].context.profile.features, frame_of(600), 0)
    assert len(narrow) == 600 + 4 + 2 * 3


def test_a_trial_that_is_hopeless_on_the_first_fold_is_stopped_there(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    context, declared = prepared.context, prepared.context.architecture("boosting")
    space = space_of(context, declared)
    good = run_trial(context, declared, 0, space.default(), Deadline(None)).trial
    fitted: list[int] = []
    learner = learner_of(context, declared)
    fit_folds = learner.fit_folds
    monkeypatch.setattr(learner, "fit_folds", lambda folds, *rest: (fitted.append(len(folds)), fit_folds(folds, *rest))[1])
    monkeypatch.setattr(trial, "LEAST_SECONDS_TO_LOOK", 0.0)
    number = len(space.starts)
    stump = {**space.default(), "learning_rate": 1e-4, "most_rounds": 2, "num_leaves": 2, "min_data_in_leaf": 140}
    stopped = run_trial(context, declared, number, stump, Deadline(None), good)
    assert (stopped.trial.status, stopped.trial.score, stopped.predictions) == ("stopped", None, None)
    assert "on the first fold" in stopped.trial.message
    assert fitted == [1]
    again = run_trial(context, declared, number, space.default(), Deadline(None), good)
    assert again.trial.status == "ok"
    assert run_trial(context, declared, 1, stump, Deadline(None), good).trial.status == "ok"  # a start is always run
    assert fitted == [1, 1, 5, 5]


def test_what_a_net_is_measured_against_is_of_the_same_rows_and_target(prepared: Prepared, tmp_path: Path) -> None:
    known = replace(NET, curve=((2.0, 0.5), (8.0, 0.3)), settings={"epochs": 16})
    found = trial.incumbent(NET, known)
    assert found is not None
    assert found.curve == ((0.125, 0.5), (0.5, 0.3))
    assert trial.incumbent(NET, None) is None
    assert trial.incumbent(NET, replace(known, curve=())) is None
    assert trial.incumbent(NET, replace(known, rows=100)) is None
    assert trial.incumbent(replace(NET, settings={SETTING: "log"}), known) is None
    news = Workshop(prepared.context, tmp_path / "context", None)._news("realmlp", [known])
    assert news[0].curve == known.curve, "the training worker needs it"


def test_a_net_that_is_far_behind_the_best_trial_of_its_rung_is_stopped_half_way(prepared: Prepared) -> None:
    context, declared = prepared.context, prepared.context.architecture("realmlp")
    settings = {**space_of(context, declared).default(), "epochs": 6, "nets": 1}
    best = replace(NET, curve=((1.0, 0.02), (6.0, 0.01)), settings={"epochs": 6})
    stopped = run_trial(context, declared, 1, settings, Deadline(None), best)
    assert (stopped.trial.status, stopped.trial.score, stopped.predictions) == ("stopped", None, None)
    assert "half way" in stopped.trial.message
