"""Laws of successive sampling: small samples lie in larger ones, what is predicted stays the same, the best get more rows."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from automl.core.clock import Deadline
from automl.core.events import silent
from automl.core.options import make_options
from automl.profiling import profile
from automl.reading import read
from automl.recommending import recommend
from automl.search import Climb, Journal, Prepared, Workshop, prepare
from automl.search.learning_curve import learning_curve
from automl.search.pipeline import encode_folds, fit_pipeline
from automl.search.sampling import affordable_rows, final_rows
from automl.search.trial import Outcome, learner_of, run_trial, scaled_rounds, space_of
from automl.splitting import sampled
from tests.search.made_up import frame_of

SAMPLE = 150
NEVER = Deadline(None)


def sampling(search_rows: int | None = SAMPLE, **options: object) -> Prepared:
    """Of 1,500 rows, whose plan says that trials learn from a sample of them and are scored on one holdout."""
    chosen = make_options({"target": "target", "jobs": 1, "only": ("linear", "boosting"), **options})
    dataset = read(frame_of(1500))
    found = profile(dataset, chosen)
    plan = recommend(found, chosen)
    split = dataclasses.replace(plan.split, search_rows=search_rows, folds=1)
    return prepare(dataset, found, dataclasses.replace(plan, split=split))


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return sampling(trials=2)


def test_a_larger_sample_holds_the_smaller_and_every_class_is_in_both() -> None:
    classes = np.where(np.arange(5000) < 20, 1, 0)
    rows = np.arange(0, 5000, 2)
    small, large = (sampled(rows, most, classes, seed=3) for most in (100, 1000))
    assert set(small) <= set(large) <= set(rows)
    assert (np.diff(small) > 0).all()
    assert (classes[small] == 1).sum() == 10
    assert 100 <= len(small) <= 110
    assert np.array_equal(sampled(rows, 2500, classes, 3), rows)
    assert not np.array_equal(sampled(rows, 100, None, 3), sampled(rows, 100, None, 4))


def test_a_trial_learns_from_the_sample_and_is_scored_on_the_whole_holdout(prepared: Prepared) -> None:
    context = prepared.context
    [whole], [fold] = context.search_folds, context.searched(SAMPLE)
    assert SAMPLE <= len(fold.training) < len(whole.training)
    assert set(fold.training) <= set(whole.training)
    assert np.array_equal(fold.validation, whole.validation)
    declared = context.architecture("linear")
    outcome = run_trial(context, declared, 0, space_of(context, declared).default(), NEVER)
    assert outcome.trial.rows == SAMPLE
    assert outcome.predictions is not None
    assert np.array_equal(np.flatnonzero(np.isfinite(outcome.predictions[:, 0])), whole.validation)


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_only_the_rows_of_the_sample_are_encoded_and_the_model_is_the_same(name: str, prepared: Prepared) -> None:
    sampling_context, whole_context = prepared.context, sampling(None, trials=2).context
    declared = sampling_context.architecture(name)
    settings = space_of(sampling_context, declared).default()
    sampling_context.encoded.clear()
    [fold] = sampling_context.searched(SAMPLE)
    encode_folds(sampling_context, declared, settings, [fold])
    [encoded] = sampling_context.encoded.values()
    assert {len(block) for block in encoded.blocks.values()} == {len(fold.training) + len(fold.validation)}
    predictions = []
    for context in (sampling_context, whole_context):
        pipeline = fit_pipeline(context, declared, learner_of(context, declared), settings, 10, 1, fold.training)
        predictions.append(pipeline.predict(context.table.take(fold.validation)))
    assert np.array_equal(*predictions)


def test_the_best_of_every_rung_is_tried_again_on_all_rows_and_stands_for_it(prepared: Prepared, tmp_path: Path) -> None:
    context = dataclasses.replace(prepared.context, encoded={})
    workshop = Workshop(context, tmp_path / "context", None)
    climb = Climb(context, Journal(tmp_path, tmp_path / "work", timed=False), workshop, NEVER, silent)
    evidence = climb.run()
    rows = {name: [trial.rows for trial in evidence.trials if trial.architecture == name] for name in ("linear", "boosting")}
    assert rows == {"linear": [SAMPLE], "boosting": [SAMPLE, None]}  # a linear model looks at a sample of its own anyway
    chosen = climb.finals.candidates(evidence)
    assert {trial.architecture: trial.rows for trial in chosen} == {"baseline": SAMPLE, "linear": SAMPLE, "boosting": None}
    assert {final.architecture: final.trial for final in evidence.finals}[evidence.champion] == chosen[0].number
    assert np.array_equal(climb.last_rows(chosen[0]), context.training_rows)
    first, again = (trial for trial in evidence.trials if trial.architecture == "boosting")
    assert context.metric.gain(again.score, first.score) > 0
    curve = learning_curve(context, again, 0.1, NEVER)
    assert curve.points[-1][0] == len(context.fresh_folds[0].training)
    folds = sum(fold.repeat == 0 for fold in context.fresh_folds)
    assert {len(losses) for losses in curve.importances.values()} == ({folds} if folds > 1 else set())


def test_the_finals_get_the_rows_that_the_time_allows() -> None:
    context = sampling(time=300).context
    declared = context.architecture("boosting")
    trial = run_trial(context, declared, 0, space_of(context, declared).default(), NEVER).trial
    outcome = Outcome(trial, None, 1.0)
    granted = [final_rows(context, [outcome], left) for left in (1.0, 30.0, 50.0, 1000.0)]
    assert granted[0] == SAMPLE
    assert granted[-1] is None
    assert SAMPLE < granted[1] < granted[2] < context.rows_a_fit(None)
    assert affordable_rows(context, outcome, 0.0) == SAMPLE
    assert affordable_rows(context, outcome, 1e6) is None


def test_rounds_stay_for_a_few_more_rows_and_grow_slower_than_the_rows_for_many(prepared: Prepared) -> None:
    context = prepared.context
    declared = context.architecture("boosting")
    trial = dataclasses.replace(run_trial(context, declared, 0, space_of(context, declared).default(), NEVER).trial, rounds=100)
    learned = context.rows_a_fit(SAMPLE)
    rounds = [scaled_rounds(context, trial, np.arange(round(times * learned))) for times in (1.0, 1.25, 4.0, 8.0)]
    assert rounds[:2] == [100, 100]
    assert 120 < rounds[2] < rounds[3] < 300
