"""Laws of ensembles: weights are a mean, the score does not flatter, and the graph computes what the members do together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.clock import Deadline
from automl.core.evidence import LINEAR, LOGARITHMIC, Trial
from automl.core.files import decode, encode
from automl.core.parsers import Predictor
from automl.search import Prepared, Shipped, Workshop, ensembling, ship
from automl.search.ensembling import MOST_MEMBERS, WORTH_OF_MEMBER, Fits, NotMade, combine
from automl.search.pooling import LEAST_SAID, pooled, pools_for
from automl.search.seeding import fitted_seeds, with_seeds
from automl.search.trial import Outcome, fit_trial, needs_worker, run_trial, save_net, space_of
from tests.search.made_up import frame_of, prepared_of

KINDS = ("binary", "multiclass", "regression")


def everything(members: Sequence[Outcome], fits: Fits) -> bool:
    return True


def trials_of(prepared: Prepared) -> list[Outcome]:
    """Real trials of three rungs that need no worker."""
    found = []
    for name, count in (("baseline", 1), ("linear", 2), ("boosting", 2)):
        declared = prepared.context.architecture(name)
        space = space_of(prepared.context, declared)
        for number in range(count):
            found.append(run_trial(prepared.context, declared, number, space.start(number), Deadline(None)))
    return found


def bent(kind: str) -> pd.DataFrame:
    """A target with a straight and a crooked part, so that linear models and trees each see what the other does not."""
    frame = frame_of(600)
    signal = frame["a"] + np.sign(frame["b"]) + 0.5 * (frame["c"] == "x") + np.random.default_rng(1).normal(0, 0.7, 600)
    values = {"binary": signal > 0.5, "multiclass": np.digitize(signal, [-0.5, 0.8]), "regression": signal}[kind]
    return frame.assign(target=values)


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest) -> tuple[Prepared, list[Outcome], Outcome]:
    prepared = prepared_of(bent(request.param), trials=5)[1]
    outcomes = trials_of(prepared)
    found = combine(prepared.context, "ensemble", outcomes, everything)
    assert isinstance(found, Outcome)
    return prepared, outcomes, found


def test_weights_sum_to_one_and_the_baseline_has_none(made: tuple[Prepared, list[Outcome], Outcome]) -> None:
    _, outcomes, found = made
    members = found.trial.members
    assert 2 <= len(members) <= MOST_MEMBERS
    assert sum(member.weight for member in members) == pytest.approx(1.0)
    assert all(member.weight > 0 for member in members)
    assert {member.trial.id for member in members} <= {
        each.trial.id for each in outcomes if each.trial.architecture != "baseline"
    }
    assert found.trial.settings.keys() == {member.trial.id for member in members}
    assert decode(Trial, encode(found.trial)) == found.trial


def test_the_weights_that_ship_score_at_least_as_well_as_every_single_trial_where_they_were_chosen(
    made: tuple[Prepared, list[Outcome], Outcome],
) -> None:
    prepared, outcomes, found = made
    metric, folds = prepared.context.metric, prepared.context.search_folds
    together = float(np.mean(found.trial.selection_scores))
    for outcome in outcomes:
        prediction = outcome.predictions
        assert prediction is not None
        alone = float(np.mean([prepared.context.score(fold.validation, prediction[fold.validation]) for fold in folds]))
        best = metric.bounds[1] if metric.greater_is_better else metric.bounds[0]
        assert metric.gain(together, alone) >= -WORTH_OF_MEMBER * abs(best - alone)
    assert found.trial.score == pytest.approx(np.mean(found.trial.fold_scores))


def test_members_that_bring_next_to_nothing_are_let_go(
    made: tuple[Prepared, list[Outcome], Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any that is left the loss is higher, and by more than the bound together with those that were let go."""
    prepared, outcomes, _ = made
    context, generator = prepared.context, np.random.default_rng(0)
    pool = list(outcomes)
    for number in range(2, 10):
        said = np.asarray(outcomes[-1].predictions)
        bent = said * np.exp(generator.normal(0, 0.3, said.shape))
        bent = bent / bent.sum(axis=1, keepdims=True) if bent.ndim == 2 else bent
        score = float(np.mean([context.score(fold.validation, bent[fold.validation]) for fold in context.search_folds]))
        trial = replace(outcomes[-1].trial, number=number, score=score)
        pool.append(replace(outcomes[-1], trial=trial, predictions=bent))
    folds = [fold.validation for fold in context.search_folds]
    chosen = {}
    for worth in (0.0, 0.2):
        monkeypatch.setattr(ensembling, "WORTH_OF_MEMBER", worth)
        chosen[worth] = ensembling.select(context, pool, folds, lambda _: True)

    def loss(choice: Any) -> float:
        value = context.metric.gain(float(np.mean([context.score(rows, choice.says(rows)) for rows in folds])), 0.0)
        return context.metric.bounds[1] - value if context.metric.greater_is_better else -value

    plain, lean = chosen[0.0], chosen[0.2]
    assert {each.trial.id for each in lean.outcomes} < {each.trial.id for each in plain.outcomes}
    assert sum(lean.weights) == pytest.approx(1.0)
    assert loss(plain) <= loss(lean) <= 1.2 * loss(plain)
    for place in range(len(lean.outcomes)):
        assert len(lean.outcomes) == 1 or loss(lean.without(place)) > 1.2 * loss(plain)


def test_what_there_is_no_time_to_ship_has_no_part_in_the_score(made: tuple[Prepared, list[Outcome], Outcome]) -> None:
    prepared, outcomes, _ = made
    left_out = next(each.trial.id for each in outcomes if each.trial.architecture == "boosting")
    fitting = [each for each in outcomes if each.trial.id != left_out]
    found = combine(
        prepared.context, "ensemble", outcomes, lambda members, fits: left_out not in {each.trial.id for each in members}
    )
    expected = combine(prepared.context, "ensemble", fitting, everything)
    assert isinstance(found, Outcome)
    assert isinstance(expected, Outcome)
    assert found.trial.fold_scores == expected.trial.fold_scores
    np.testing.assert_array_equal(found.predictions, expected.predictions)


def test_members_are_fitted_thriftily_only_where_there_is_no_time_for_more(
    made: tuple[Prepared, list[Outcome], Outcome],
) -> None:
    prepared, outcomes, _ = made
    sparing = [replace(each, thrift=({"fit_nets": 1}, 0.1)) for each in outcomes]
    for affords, expected in ((everything, False), (lambda members, fits: all(each.thrift is None for each in members), True)):
        found = combine(prepared.context, "ensemble", sparing, affords)
        assert isinstance(found, Outcome)
        assert all(("fit_nets" in member.trial.settings) is expected for member in found.trial.members)


def test_thrifty_nets_give_up_no_more_than_the_weight_of_nets_and_may_be_whole_in_the_last_fit(
    made: tuple[Prepared, list[Outcome], Outcome],
) -> None:
    prepared, outcomes, plain = made
    best = max(plain.trial.members, key=lambda member: member.weight).trial.id
    sparing = [replace(each, thrift=({"fit_nets": 1}, 0.1)) if each.trial.id == best else each for each in outcomes]

    def never_whole(members: Sequence[Outcome], fits: Fits) -> bool:
        return all(each.thrift is None for each in members)

    found = combine(prepared.context, "ensemble", sparing, never_whole)
    assert isinstance(found, Outcome)
    assert {member.trial.id: member.weight for member in found.trial.members} == {
        member.trial.id: member.weight for member in plain.trial.members
    }, "a member that counts is not left out because its nets cannot be whole"
    leanly = combine(prepared.context, "ensemble", sparing, lambda members, fits: fits.lean or never_whole(members, fits))
    assert isinstance(leanly, Outcome)
    assert leanly.fits == 2
    assert leanly.trial.members == found.trial.members, "what is judged has thrifty nets"


def test_a_second_fit_on_all_rows_is_given_up_only_for_a_clearly_better_ensemble(
    made: tuple[Prepared, list[Outcome], Outcome],
) -> None:
    prepared, outcomes, found = made
    assert found.fits == 2
    once = combine(prepared.context, "ensemble", outcomes, lambda members, fits: fits.times == 1)
    assert isinstance(once, Outcome)
    assert once.fits == 1
    assert once.trial.members == found.trial.members


@pytest.mark.parametrize("pool", [LINEAR, LOGARITHMIC])
def test_the_exported_graph_is_what_its_members_say_together(
    made: tuple[Prepared, list[Outcome], Outcome], pool: str, tmp_path: Path
) -> None:
    prepared, _, found = made
    context, rows = prepared.context, prepared.context.training_rows
    if pool not in pools_for(context.profile.task):
        pytest.skip("values have no geometric mean")
    trial = replace(found.trial, pool=pool)
    pipeline = fit_trial(context, trial, rows)
    parts = [fit_trial(context, member.trial, rows).predict(context.parity) for member in found.trial.members]
    weights = [member.weight for member in found.trial.members]
    mean = np.average(parts, axis=0, weights=weights)
    if pool == LOGARITHMIC:
        mean = np.prod([np.maximum(part, LEAST_SAID) ** weight for part, weight in zip(parts, weights, strict=True)], axis=0)
        mean /= mean.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(pipeline.predict(context.parity), mean, rtol=1e-9, atol=1e-12)
    dataset, _ = prepared_of(bent(str(context.profile.task)), trials=5)
    workshop = Workshop(context, tmp_path / "context", None)
    shipped = ship(dataset, prepared, [trial], rows, workshop, tmp_path / "model", Deadline(None))
    assert shipped.facts["architecture"] == "ensemble"
    predictor = Predictor(tmp_path / "model")
    predict = predictor.predict if predictor.is_regression else predictor.predict_proba
    np.testing.assert_allclose(predict(prepared.parity_frame), mean, rtol=1e-4, atol=1e-5)
    assert {each.name for each in (tmp_path / "model" / "net").iterdir()} >= {member.trial.id for member in found.trial.members}


def test_what_is_larger_or_slower_than_allowed_is_not_shipped(
    made: tuple[Prepared, list[Outcome], Outcome], tmp_path: Path
) -> None:
    prepared, outcomes, found = made
    size = 0.02 if prepared.context.profile.task.is_classification else 0.01
    limited = replace(prepared, context=replace(prepared.context, plan=replace(prepared.context.plan, max_size_mb=size)))
    dataset, _ = prepared_of(bent(str(prepared.context.profile.task)), trials=5)
    workshop = Workshop(limited.context, tmp_path / "context", None)
    candidates = [found.trial, outcomes[1].trial]
    shipped = ship(dataset, limited, candidates, limited.context.training_rows, workshop, tmp_path / "model", Deadline(None))
    assert shipped.trial.architecture == "linear"
    refusal = shipped.refused[0]
    assert (refusal.architecture, refusal.cause) == ("ensemble", "limit")
    assert "MB allowed" in refusal.why


def test_boosted_members_are_fitted_with_several_seeds_in_the_end(
    made: tuple[Prepared, list[Outcome], Outcome], tmp_path: Path
) -> None:
    prepared, _, found = made
    context = prepared.context
    more = with_seeds(context, found.trial, 3)
    assert fitted_seeds(more) == 3
    assert replace(more, members=()) == replace(found.trial, members=())
    for member in found.trial.members:
        copies = [each for each in more.members if each.trial.id == member.trial.id]
        assert len({each.seed for each in copies}) == len(copies) == (3 if member.architecture == "boosting" else 1)
        assert sum(each.weight for each in copies) == pytest.approx(member.weight)
    pipeline = fit_trial(context, more, context.training_rows)
    parts = [fit_trial(context, member.trial, context.training_rows).predict(context.parity) for member in more.members]
    mean = pooled(parts, [member.weight for member in more.members], more.pool)
    np.testing.assert_allclose(pipeline.predict(context.parity), mean, rtol=1e-9, atol=1e-12)
    save_net(pipeline, tmp_path / "net")
    assert len([each for each in (tmp_path / "net").iterdir() if each.is_dir()]) == len(more.members)
    assert with_seeds(context, found.trial, 1) == found.trial


@pytest.mark.parametrize("name", ["boosting", "linear"])
def test_a_single_boosted_trial_is_the_mean_of_its_seeds_and_others_stay(
    made: tuple[Prepared, list[Outcome], Outcome], name: str
) -> None:
    prepared, outcomes, _ = made
    context = prepared.context
    trial = next(each.trial for each in outcomes if each.trial.architecture == name)
    more = with_seeds(context, trial, 3)
    assert fitted_seeds(more) == (3 if name == "boosting" else 1)
    if name == "linear":
        assert more == trial
        return
    fits = [fit_trial(context, member.trial, context.training_rows).predict(context.parity) for member in more.members]
    assert not np.array_equal(fits[0], fits[1])
    np.testing.assert_allclose(
        fit_trial(context, more, context.training_rows).predict(context.parity), np.mean(fits, 0), rtol=1e-9, atol=1e-12
    )


def test_where_more_seeds_are_too_large_the_plain_fit_ships_and_nothing_is_said_to_be_refused(
    made: tuple[Prepared, list[Outcome], Outcome], tmp_path: Path
) -> None:
    prepared, outcomes, _ = made
    trial = next(each.trial for each in outcomes if each.trial.architecture == "boosting")
    dataset, _ = prepared_of(bent(str(prepared.context.profile.task)), trials=5)
    workshop = Workshop(prepared.context, tmp_path / "context", None)

    def shipped(most: float | None, candidates: list[Trial]) -> Shipped:
        plan = replace(prepared.context.plan, max_size_mb=most)
        limited = replace(prepared, context=replace(prepared.context, plan=plan))
        return ship(dataset, limited, candidates, plan_rows, workshop, tmp_path / "model", Deadline(None))

    plan_rows = prepared.context.training_rows
    size = shipped(None, [trial]).facts["bytes"] / 1e6
    candidates = [with_seeds(prepared.context, trial, 4), trial]
    assert fitted_seeds(shipped(None, candidates).trial) == 4
    found = shipped(1.2 * size, candidates)
    assert (found.trial, found.refused) == (trial, ())
    linear = next(each.trial for each in outcomes if each.trial.architecture == "linear")
    small = shipped(0.5 * size, [*candidates, linear])
    assert small.trial == linear
    (refusal,) = small.refused
    assert refusal.architecture == "boosting"


def noise(prepared: Prepared, count: int) -> list[Outcome]:
    """Trials that predict nothing, each in a way of its own."""
    context, generator = prepared.context, np.random.default_rng(7)
    found = []
    for number in range(count):
        drawn = generator.random(len(context.target))
        prediction = np.stack([1.0 - drawn, drawn], axis=1)
        score = float(np.mean([context.score(fold.validation, prediction[fold.validation]) for fold in context.search_folds]))
        found.append(Outcome(Trial(("linear", "boosting", "mlp")[number % 3], number, {}, 0, score=score), prediction, 0.1))
    return found


def test_the_score_does_not_flatter_where_there_is_nothing_to_find() -> None:
    prepared = prepared_of(frame_of(120), trials=3)[1]
    found = combine(prepared.context, "ensemble", noise(prepared, 30), everything)
    assert isinstance(found, Outcome)
    assert np.mean(found.trial.selection_scores) > 0.6  # what greedy selection makes of chance
    assert found.trial.score is not None
    assert found.trial.score < 0.58


def test_what_cannot_be_afforded_is_left_out_and_said() -> None:
    prepared = prepared_of(frame_of(200), trials=3)[1]
    pool = noise(prepared, 9)
    alone = combine(prepared.context, "ensemble", pool, lambda members, fits: len(members) < 2)
    assert isinstance(alone, NotMade) and alone.for_time
    assert alone.why == "there is no time to fit more than one trial"
    same = [pool[0], replace(pool[1], predictions=pool[0].predictions)]
    vain = combine(prepared.context, "ensemble", same, lambda members, fits: len(members) < 2)
    assert isinstance(vain, NotMade) and not vain.for_time, "time would not have made one"
    assert vain.why.startswith("greedy selection found nothing to put beside") and "time" not in vain.why
    few = combine(prepared.context, "ensemble", pool[:1], everything)
    assert isinstance(few, NotMade) and "fewer than two" in few.why and not few.for_time
    pair = combine(prepared.context, "ensemble", pool, lambda members, fits: len(members) <= 2)
    assert isinstance(pair, Outcome)
    assert len(pair.trial.members) == 2
    copies = [replace(pool[0], trial=replace(pool[0].trial, number=number)) for number in range(3)]
    assert isinstance(combine(prepared.context, "ensemble", copies, everything), NotMade)


def test_members_of_a_sample_keep_its_rows() -> None:
    prepared = prepared_of(frame_of(200), trials=3)[1]
    pool = [replace(each, trial=replace(each.trial, rows=90)) for each in noise(prepared, 6)]
    found = combine(prepared.context, "ensemble", pool, everything)
    assert isinstance(found, Outcome)
    assert {member.trial.rows for member in found.trial.members} == {90}
    assert found.trial.most_rows == 90


def test_an_ensemble_with_a_net_is_fitted_where_tensorflow_is() -> None:
    prepared = prepared_of(frame_of(300), trials=3)[1]
    found = combine(prepared.context, "ensemble", noise(prepared, 12), everything)
    assert isinstance(found, Outcome)
    nets = any(member.architecture == "mlp" for member in found.trial.members)
    assert needs_worker(prepared.context, found.trial) is nets
    assert nets
