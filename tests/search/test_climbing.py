"""Laws of the climb: the last accepted rung is the champion, nothing is begun that does not fit, and what is lost is said."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.core.clock import INNER_FRACTION, Deadline
from automl.core.errors import TrainingError
from automl.core.evidence import Member, Trial
from automl.search import Prepared, budget
from automl.search.climbing import FEWEST_STARTS, PATIENCE, VAIN_TRIALS
from automl.search.context import Context
from automl.search.prospect import Prospect
from automl.search.seeding import MOST_SEEDS, fitted_seeds, has_more_nets
from automl.search.trial import Outcome
from tests.search.made_up import FOLDS, LADDER, Clock, Rung, around, climb_of, frame_of, prepared_of


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepared_of(frame_of(), only=(*LADDER[1:], "ensemble"))[1]


def counted(prepared: Prepared) -> Context:
    """A context without a clock, whose rungs get one trial each."""
    return replace(prepared.context, plan=replace(prepared.context.plan, trials=4, budget_seconds=None), encoded={})


def timed(prepared: Prepared, seconds: float, **changes: Any) -> Context:
    return replace(prepared.context, plan=replace(prepared.context.plan, budget_seconds=seconds, **changes), encoded={})


def rungs(**means: float | tuple[float, float]) -> dict[str, Rung]:
    """By mean score, or by (mean on search folds, mean on fresh folds)."""
    found = {}
    for number, (name, mean) in enumerate(means.items()):
        search, fresh = mean if isinstance(mean, tuple) else (mean, mean)
        found[name] = Rung(around(search, seed=number, count=FOLDS), around(fresh, seed=10 + number))
    return found


SETTINGS = {"learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 20, "bagging_fraction": 0.8, "feature_fraction": 0.8}
GOOD = {"baseline": 0.5, "linear": 0.8, "boosting": 0.9, "mlp": 0.9}


@pytest.mark.parametrize(
    "means, champion, accepted",
    [
        ({"baseline": 0.5, "linear": 0.8, "boosting": 0.9, "mlp": 0.95}, "mlp", [True, True, True]),
        ({"baseline": 0.5, "linear": 0.8, "boosting": 0.9, "mlp": 0.901}, "boosting", [True, True, False]),
        ({"baseline": 0.5, "linear": 0.8, "boosting": 0.7, "mlp": 0.9}, "mlp", [True, False, True]),
        ({"baseline": 0.5, "linear": 0.8, "boosting": 0.801, "mlp": 0.79}, "linear", [True, False, False]),
        ({"baseline": 0.5, "linear": 0.499, "boosting": 0.501, "mlp": 0.5}, "baseline", [False, False, False]),
        ({"baseline": 0.5, "linear": 0.8, "boosting": (0.9, 0.8), "mlp": (0.95, 0.8)}, "linear", [True, False, False]),
    ],
)
def test_the_champion_is_the_last_rung_accepted_on_fresh_folds(
    means: dict[str, Any], champion: str, accepted: list[bool], prepared: Prepared, tmp_path: Path
) -> None:
    climb, _, _ = climb_of(counted(prepared), rungs(**means), tmp_path, searches=dict.fromkeys(means, 0))
    evidence = climb.run()
    assert evidence.champion == champion
    assert [decision.accepted for decision in evidence.decisions] == accepted
    incumbent = "baseline"
    for decision in evidence.decisions:
        assert decision.incumbent == incumbent
        incumbent = decision.candidate if decision.accepted else incumbent
    assert evidence.fresh_folds == 2 * FOLDS
    assert {final.architecture for final in evidence.finals} == set(LADDER)


def test_what_is_shipped_instead_of_a_refused_champion_is_the_next_best(prepared: Prepared, tmp_path: Path) -> None:
    means = {"baseline": 0.5, "linear": 0.9, "boosting": 0.89, "mlp": 0.7}
    climb, _, _ = climb_of(counted(prepared), rungs(**means), tmp_path, searches=dict.fromkeys(means, 0))
    candidates = climb.finals.candidates(climb.run())
    assert [trial.architecture for trial in candidates] == ["linear", "boosting", "mlp", "baseline"]


def test_a_rung_that_proved_nothing_is_not_shipped_for_a_refused_one(prepared: Prepared, tmp_path: Path) -> None:
    means = {"baseline": 0.5, "linear": 0.9, "boosting": 0.9002, "mlp": 0.95}
    climb, _, _ = climb_of(counted(prepared), rungs(**means), tmp_path, searches=dict.fromkeys(means, 0))
    candidates = climb.finals.candidates(climb.run())
    assert [trial.architecture for trial in candidates] == ["mlp", "linear", "boosting", "baseline"]


def test_preset_best_ships_the_better_mean_and_still_shows_the_test(prepared: Prepared, tmp_path: Path) -> None:
    context = counted(prepared)
    best = replace(context, plan=replace(context.plan, preset="best"))
    means = {"baseline": 0.5, "linear": 0.8, "boosting": 0.8005, "mlp": 0.7}
    climb, _, _ = climb_of(best, rungs(**means), tmp_path, searches=dict.fromkeys(means, 0))
    evidence = climb.run()
    assert evidence.champion == "boosting"
    assert evidence.decisions[1].p_value > 0.1


def test_a_slow_rung_that_is_worse_beyond_doubt_is_not_run_on_fresh_folds(prepared: Prepared, tmp_path: Path) -> None:
    made_up = rungs(baseline=0.5, linear=0.9, boosting=0.7, mlp=0.7)
    made_up["mlp"].seconds = 60.0
    climb, workshop, _ = climb_of(counted(prepared), made_up, tmp_path, searches=dict.fromkeys(made_up, 0))
    evidence = climb.run()
    assert {name for what, name, _ in workshop.asked if what == "fresh"} == {"baseline", "linear", "boosting"}
    decision = evidence.decisions[-1]
    assert (decision.candidate, decision.accepted) == ("mlp", False)
    assert "beyond doubt on the search folds" in decision.sentence
    assert "search folds" in decision.test
    assert evidence.champion == "linear"


def test_an_ensemble_is_never_judged_by_the_search_folds_for_being_slow(prepared: Prepared, tmp_path: Path) -> None:
    """Its scores there come from weights found on other folds, those of the rungs from the trials that were best on these."""
    climb, _, _ = climb_of(counted(prepared), rungs(**GOOD), tmp_path)
    scores = around(0.7, count=FOLDS)
    alone = Outcome(Trial("mlp", 0, {}, 0, score=0.7, fold_scores=scores), None, 60.0)
    best = Outcome(Trial("linear", 0, {}, 0, score=0.9, fold_scores=around(0.9, count=FOLDS)), None, 0.1)
    members = tuple(Member("mlp", number, {}, 0, 0, 0.5) for number in (0, 1))
    together = replace(alone, trial=replace(alone.trial, architecture="ensemble", members=members))
    assert climb.finals.skips(alone, best)
    assert not climb.finals.skips(together, best)


def test_a_net_whose_program_was_given_up_is_expected_to_be_compiled_again(prepared: Prepared, tmp_path: Path) -> None:
    context = timed(prepared, 300.0)
    climb, workshop, _ = climb_of(context, rungs(**GOOD), tmp_path, budget=300.0, worker=object())
    scores = around(0.9, count=FOLDS)
    net = Outcome(Trial("mlp", 3, {}, 0, score=0.9, fold_scores=scores), None, 12.0, once_seconds=9.0)
    climb.standing.add(net)
    forgotten = climb.reserve.finals([net])
    workshop.compiled = (3,)
    assert forgotten == pytest.approx(4 * climb.reserve.finals([net]))


def test_without_time_for_fresh_folds_the_search_folds_decide_and_it_is_said(prepared: Prepared, tmp_path: Path) -> None:
    made_up = rungs(baseline=0.5, linear=0.8, boosting=0.9)
    for rung in made_up.values():
        rung.seconds = 4.0
    context = timed(prepared, 20.0)
    plan = replace(context.plan, rungs=tuple(each for each in context.plan.rungs if each.architecture in made_up))
    climb, _, _ = climb_of(replace(context, plan=plan), made_up, tmp_path, budget=20.0)
    evidence = climb.run()
    undecided = [each for each in evidence.decisions if "There was no time for fresh folds." in each.sentence]
    assert undecided
    assert all("fresh" not in each.test and "on the search folds" in each.sentence for each in undecided)
    assert set(evidence.skipped) & set(made_up)


@pytest.mark.parametrize("seconds", [30.0, 60.0, 120.0, 300.0])
@pytest.mark.parametrize("slow", [0.3, 3.0, 12.0])
def test_what_finishing_costs_is_kept_back(seconds: float, slow: float, prepared: Prepared, tmp_path: Path) -> None:
    """No trial is begun in the time that fresh folds, fits, exports and judging will need."""
    made_up = rungs(baseline=0.5, linear=0.8, boosting=0.85, mlp=0.86)
    made_up["boosting"].seconds, made_up["mlp"].seconds = slow / 3, slow
    context, most = timed(prepared, seconds, preset="best"), dict.fromkeys(made_up, 30)
    climb, workshop, _ = climb_of(context, made_up, tmp_path, budget=seconds, worker=object(), searches=most)
    climb.run()
    inner = INNER_FRACTION * seconds
    assert workshop.clock.now + climb.reserve.essential() <= inner + 1e-6
    for what, name, began in workshop.asked:
        if what == "search":
            assert began + made_up[name].seconds <= inner - climb.reserve.essential() + 1e-6


@pytest.mark.parametrize("seconds, tested", [(0.5, True), (9.0, False)])
def test_preset_best_leaves_out_fresh_folds_that_take_long_and_says_so(
    seconds: float, tested: bool, prepared: Prepared, tmp_path: Path
) -> None:
    made_up = rungs(baseline=0.5, linear=0.85, boosting=0.9, mlp=0.7)
    made_up["boosting"].seconds = made_up["mlp"].seconds = seconds
    context = timed(prepared, 60.0, preset="best")
    plan = replace(context.plan, rungs=tuple(each for each in context.plan.rungs if each.architecture in made_up))
    for preset in ("best", "balanced"):
        chosen = replace(context, plan=replace(plan, preset=preset))
        few = dict.fromkeys(made_up, 1)
        climb, workshop, _ = climb_of(chosen, made_up, tmp_path / preset, budget=60.0, searches=few, worker=object())
        evidence = climb.run()
        fresh = {name for what, name, _ in workshop.asked if what == "fresh"}
        assert ("boosting" in fresh) == (tested or preset == "balanced")
        assert evidence.champion == "boosting"
        left_out = preset == "best" and not tested
        assert bool(evidence.without_fresh) == left_out
        assert not left_out or all("search folds" in each.test for each in evidence.decisions)
        assert not any("no time" in each.sentence or "fresh" in each.sentence for each in evidence.decisions if left_out)
        assert {each.architecture for each in evidence.searched} == set(made_up)
        assert climb.finals.candidates(evidence)[0].architecture == "boosting"


def test_the_search_time_follows_the_weights_in_the_ensemble(prepared: Prepared, tmp_path: Path) -> None:
    climb, _, _ = climb_of(timed(prepared, 300.0), rungs(**GOOD), tmp_path, budget=300.0)
    truth = prepared.context.target
    generator = np.random.default_rng(0)
    for name, noise in (("linear", 0.45), ("boosting", 0.05)):
        chance = np.clip(0.5 + 0.3 * (2 * truth - 1) + generator.normal(0, noise, len(truth)), 0.01, 0.99)
        scores = tuple(
            prepared.context.score(fold.validation, np.stack([1 - chance, chance], 1)[fold.validation])
            for fold in prepared.context.search_folds
        )
        trial = Trial(name, 0, {}, 0, score=float(np.mean(scores)), fold_scores=scores)
        climb.standing.add(Outcome(trial, np.stack([1 - chance, chance], 1), 1.0))
    climb.prospect.look(climb.standing.outcomes)
    assert climb._seconds_for_share("linear") > 3 * climb._seconds_for_share("boosting")
    even = Prospect(prepared.context, combines=False)
    even.look(climb.standing.outcomes)
    assert even.share("linear") == even.share("boosting")
    assert not even.members


def test_time_is_kept_for_the_ensemble_in_prospect(prepared: Prepared, tmp_path: Path) -> None:
    """Where it is a small one, less than for the best trials of all rungs."""
    context = timed(prepared, 600.0, preset="best")
    means = {"baseline": 0.5, "linear": 0.84, "boosting": 0.85, "mlp": 0.85}
    climb, _, _ = climb_of(context, rungs(**means), tmp_path, budget=600.0)
    generator = np.random.default_rng(3)
    for name, mean in means.items():
        scores = tuple(generator.normal(mean, 0.01, FOLDS).tolist())
        trial = Trial(name, 0, SETTINGS, 0, score=float(np.mean(scores)), fold_scores=scores, rounds=50)
        climb.standing.add(Outcome(trial, None, 20.0))
    unknown = climb.reserve.after_search()
    known = {each.trial.architecture: each for each in climb.standing.outcomes}
    climb.prospect.members, climb.prospect.weights = (known["linear"], known["boosting"]), (0.5, 0.5)
    assert climb.reserve.after_search() < unknown


def test_the_last_fit_has_as_many_seeds_as_time_and_limits_allow(prepared: Prepared, tmp_path: Path) -> None:
    measured: dict[str, Any] | None = {"seconds": 2.0, "export_seconds": 1.0, "bytes": 1_000_000, "milliseconds_a_row": 0.07}

    def seeds(left: float, preset: str = "best", name: str = "boosting", **limits: Any) -> int:
        context = timed(prepared, 60.0, preset=preset)
        climb, _, _ = climb_of(replace(context, plan=replace(context.plan, **limits)), rungs(**GOOD), tmp_path, budget=60.0)
        members = (Member("boosting", 0, SETTINGS, 0, 50, 1.0),) if name == "ensemble" else ()
        trial = Trial(name, 0, SETTINGS, 0, score=0.9, fold_scores=(0.9,) * FOLDS, rounds=50, members=members)
        outcome = Outcome(trial, None, 10.0, fit_seconds=2.0)
        climb.standing.add(outcome)
        if name == "ensemble":
            climb.standing.add(Outcome(replace(trial, architecture="boosting", members=()), None, 10.0, fit_seconds=2.0))
        climb.deadline = Deadline(left + climb.reserve.judging())
        fits = climb.last_fits(outcome.trial, measured)
        assert fits[-1] == outcome.trial
        assert len(fits) == (2 if fitted_seeds(fits[0]) > 1 else 1)
        assert sum(each.weight for each in fits[0].members) in (0, pytest.approx(1.0))
        return fitted_seeds(fits[0])

    assert seeds(100.0) == MOST_SEEDS
    assert [seeds(left) for left in (1.0, 3.5, 7.0)] == sorted(seeds(left) for left in (1.0, 3.5, 7.0))
    assert (seeds(3.5), 1 < seeds(7.0) < MOST_SEEDS) == (1, True)
    assert seeds(100.0, preset="balanced") == seeds(100.0, name="linear") == 1
    assert (seeds(100.0, max_size_mb=2.5), seeds(100.0, max_latency_ms=0.25)) == (2, 3)
    measured = {**measured, "milliseconds_a_row": 0.12}
    assert (seeds(100.0), seeds(100.0, max_latency_ms=5.0)) == (2, MOST_SEEDS)
    measured = {**measured, "milliseconds_a_row": 0.4}
    assert (seeds(100.0), seeds(100.0, name="ensemble")) == (1, 2)
    assert (seeds(100.0, trials=4), seeds(1.0, trials=4)) == (MOST_SEEDS, MOST_SEEDS), "the clock has no say"
    measured = None
    assert (seeds(100.0), seeds(6.0), seeds(100.0, max_size_mb=100.0)) == (MOST_SEEDS, 1, 1)


def test_nets_that_were_to_be_thrifty_get_all_their_fits_in_the_last_one_where_there_is_time(
    prepared: Prepared, tmp_path: Path
) -> None:
    climb, _, _ = climb_of(timed(prepared, 60.0), rungs(**GOOD), tmp_path, budget=60.0)
    net = Trial("realmlp", 0, {"fit_nets": 5}, 0, score=0.9, fold_scores=(0.9,) * FOLDS, rounds=20)
    trees = Trial("boosting", 0, SETTINGS, 0, score=0.9, fold_scores=(0.9,) * FOLDS, rounds=20)
    climb.standing.add(Outcome(net, None, 10.0, fit_seconds=8.0, thrift=({"fit_nets": 1}, 2.0)))
    climb.standing.add(Outcome(trees, None, 2.0, fit_seconds=0.5))
    pairs = ((replace(net, settings={"fit_nets": 1}), 0.5), (trees, 0.5))
    members = tuple(Member(each.architecture, 0, each.settings, 0, each.rounds, weight) for each, weight in pairs)
    together = Trial("ensemble", 0, {}, 0, score=0.91, fold_scores=(0.91,) * FOLDS, members=members)
    climb.standing.add(Outcome(together, None, 12.0))
    found = {}
    for left in (100.0, 1.0):
        climb.deadline = Deadline(left + climb.reserve.judging())
        found[left] = climb.last_fits(together)
    assert has_more_nets(found[100.0][0], together)
    assert {each.settings["fit_nets"] for each in found[100.0][0].members if each.architecture == "realmlp"} == {5}
    assert found[100.0][-1] == together and not has_more_nets(together, together)
    assert found[1.0] == [together]


def test_the_best_of_many_trials_is_compared_by_what_choosing_it_brings(prepared: Prepared, tmp_path: Path) -> None:
    """Without fresh folds: of trials that are noise alone the best one has a score that the choice itself does not bring."""
    climb, _, _ = climb_of(counted(prepared), rungs(**GOOD), tmp_path)
    generator = np.random.default_rng(0)
    for number in range(60):
        scores = tuple(generator.normal(0.8, 0.02, FOLDS).tolist())
        climb.standing.add(Outcome(Trial("boosting", number, {}, 0, score=float(np.mean(scores)), fold_scores=scores), None, 0.1))
    best = climb.standing.best("boosting")
    assert best is not None and best.trial.score is not None
    assert best.trial.score > 0.815
    assert abs(np.mean(climb.standing.scores_of_choice(best.trial)) - 0.8) < 0.015


def test_nothing_is_searched_once_the_user_has_interrupted(prepared: Prepared, tmp_path: Path) -> None:
    climb, workshop, _ = climb_of(timed(prepared, 300.0), rungs(**GOOD), tmp_path, budget=300.0, worker=object())
    listened = climb.listener

    def interrupt_after_boosting(event: Any) -> None:
        listened(event)
        if event.data.get("score") and event.data.get("architecture") == "boosting":
            climb.deadline.interrupt()

    climb.listener = interrupt_after_boosting
    evidence = climb.run()
    assert {name for what, name, _ in workshop.asked if what == "probe"} == {"baseline", "linear", "boosting"}
    assert not [what for what, _, _ in workshop.asked if what == "search"]
    assert "mlp" in evidence.skipped
    assert evidence.champion in {"linear", "boosting"}


def test_an_interrupt_ends_counted_trials_as_well_and_spares_slow_fresh_folds(prepared: Prepared, tmp_path: Path) -> None:
    context = counted(prepared)
    ladder = tuple(replace(each, trials=50) for each in context.plan.rungs)
    made_up = rungs(**GOOD)
    made_up["boosting"].seconds = 60.0
    climb, workshop, _ = climb_of(replace(context, plan=replace(context.plan, rungs=ladder)), made_up, tmp_path)
    listened = climb.listener

    def interrupt_in_the_search(event: Any) -> None:
        listened(event)
        if "Linear model, trial 3" in event.message:
            climb.deadline.interrupt()

    climb.listener = interrupt_in_the_search
    evidence = climb.run()
    assert len([trial for trial in evidence.trials if trial.architecture == "linear"]) == 4
    assert len([trial for trial in evidence.trials if trial.architecture in {"boosting", "mlp"}]) == 2
    assert {name for what, name, _ in workshop.asked if what == "fresh"} == {"baseline", "linear", "mlp"}
    assert "interrupted" in evidence.stopped
    boosting = next(each for each in evidence.decisions if each.candidate == "boosting")
    assert "There was no time for fresh folds." in boosting.sentence


def test_search_ends_early_where_it_gains_nothing_and_says_what_was_left(prepared: Prepared, tmp_path: Path) -> None:
    made_up = rungs(**{**GOOD, "mlp": 0.6})
    climb, workshop, _ = climb_of(timed(prepared, 300.0), made_up, tmp_path, budget=300.0, worker=object())
    evidence = climb.run()
    searched = Counter(name for what, name, _ in workshop.asked if what == "search")
    assert searched.pop("boosting") == PATIENCE
    assert set(searched.values()) == {FEWEST_STARTS - 1}, "beyond a few starts, only rungs near the champion are searched"
    assert "ended early" in evidence.stopped
    assert "were left" in evidence.stopped


def test_a_cheap_rung_that_gains_nothing_waits_until_the_others_have_had_as_many_trials(
    prepared: Prepared, tmp_path: Path
) -> None:
    made_up = rungs(baseline=0.5, linear=0.899, boosting=0.9, mlp=0.6)
    made_up["linear"].seconds, made_up["boosting"].seconds = 0.02, 2.0
    context = timed(prepared, 300.0, preset="best")
    climb, workshop, _ = climb_of(context, made_up, tmp_path, budget=300.0, worker=object())
    climb.run()
    searched = [name for what, name, _ in workshop.asked if what == "search"]
    assert searched.count("boosting") > VAIN_TRIALS
    before = searched[: [place for place, name in enumerate(searched) if name == "boosting"][VAIN_TRIALS - 1]]
    assert before.count("linear") == VAIN_TRIALS


@pytest.mark.parametrize("status, told", [("failed", "failures"), ("out of time", "skipped")])
def test_a_rung_that_fails_is_told_also_by_a_run_that_goes_on(status: str, told: str, prepared: Prepared, tmp_path: Path) -> None:
    made_up = rungs(**GOOD)
    made_up["boosting"].status = status
    for sitting in (1, 2):
        climb, workshop, _ = climb_of(counted(prepared), made_up, tmp_path, searches=dict.fromkeys(made_up, 0))
        evidence = climb.run()
        assert "it would not" in getattr(evidence, told)["boosting"]
        assert ("probe" in {what for what, _, _ in workshop.asked}) is (sitting == 1)
        assert evidence.champion == "mlp"


def test_a_run_that_goes_on_repeats_nothing(prepared: Prepared, tmp_path: Path) -> None:
    first, _, _ = climb_of(counted(prepared), rungs(**GOOD), tmp_path, searches=dict.fromkeys(GOOD, 0))
    second, workshop, _ = climb_of(counted(prepared), rungs(**GOOD), tmp_path, searches=dict.fromkeys(GOOD, 0))
    assert first.run() == second.run()
    assert workshop.asked == []


def test_three_failures_in_a_row_end_the_search_of_a_rung(prepared: Prepared, tmp_path: Path) -> None:
    context = counted(prepared)
    ladder = tuple(replace(each, trials=9) for each in context.plan.rungs)
    made_up = rungs(**GOOD)
    made_up["boosting"].status = "failed"
    context = replace(context, plan=replace(context.plan, rungs=ladder))
    climb, workshop, _ = climb_of(context, made_up, tmp_path)
    climb.run()
    tried = [name for what, name, _ in workshop.asked if what in {"probe", "search"}]
    assert tried.count("boosting") == 3
    assert tried.count("linear") == 9


def test_no_rung_at_all_is_one_sentence(prepared: Prepared, tmp_path: Path) -> None:
    made_up = rungs(**GOOD)
    for rung in made_up.values():
        rung.status = "failed"
    climb, _, _ = climb_of(counted(prepared), made_up, tmp_path)
    with pytest.raises(TrainingError, match=r"no architecture could be trained; .*it would not"):
        climb.run()


def test_a_net_is_only_probed_where_its_export_fits_as_well(prepared: Prepared, tmp_path: Path) -> None:
    for seconds, probed in ((25.0, False), (120.0, True)):
        made_up = rungs(**GOOD)
        made_up["mlp"].seconds = 10.0
        folder = tmp_path / f"{seconds}"
        context, most = timed(prepared, seconds), dict.fromkeys(made_up, 5)
        climb, workshop, _ = climb_of(context, made_up, folder, budget=seconds, worker=object(), searches=most)
        workshop.clock.now = 10.0
        climb.run()
        assert (("probe", "mlp") in {(what, name) for what, name, _ in workshop.asked}) is probed
        assert workshop.clock.now + 2 * budget.EXPORT_SECONDS[probed] < seconds


def test_a_deadline_ends_before_its_budget_and_its_parts_end_with_it() -> None:
    clock = Clock(5.0)
    whole = Deadline(100.0, spent_seconds=10.0, clock=clock)
    part = whole.until(reserve=7.0, share=0.5)
    assert whole.left_seconds() == pytest.approx(INNER_FRACTION * 100.0 - 10.0)
    assert part.left_seconds() == pytest.approx(0.5 * (whole.left_seconds() - 7.0))
    clock.now += 50.0
    assert part.expired
    assert not whole.expired
    assert whole.left_seconds(reserve=1e9) == 0.0
    whole.interrupt()
    assert part.interrupted
    assert whole.searching_seconds() == 0.0
    assert whole.left_seconds() > 0.0, "finishing goes on"
    endless = Deadline(None, clock=clock)
    assert not endless.expired
    assert endless.until(reserve=5.0, share=0.1).left_seconds() == math.inf
