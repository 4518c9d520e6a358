"""Laws of the oracle: known good settings first, and a rebuilt oracle goes on where the last one stopped."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl.core.evidence import Trial
from automl.core.metrics import metric
from automl.core.space import Choice, Float, Int, Settings, Space
from automl.search.trial import Outcome
from automl.training.backend import tensorflow

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")]

SPACE = Space(
    {
        "optimizer": Choice(("adamw", "sgd"), "adamw"),
        "learning_rate": Float(1e-4, 1e-1, 1e-3, log=True, when=("optimizer", ("adamw",))),
        "momentum": Float(0.5, 0.99, 0.9, when=("optimizer", ("sgd",))),
        "blocks": Int(1, 4, 2),
        "width": Int(8, 512, 64, log=True),
        "residual": Choice((False, True), False),
        "shrink": Float(0.1, 0.9, 0.5, when=("residual", (True,))),
    },
    ({"width": 32}, {"optimizer": "sgd", "momentum": 0.8}, {"residual": True}),
)
SMALL = Space({"depth": Int(1, 2, 1), "kind": Choice(("a", "b"), "a")})


@pytest.fixture(scope="module")
def tuning() -> Any:
    """The module that imports KerasTuner, and with it TensorFlow."""
    tensorflow()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from automl.search import tuning
    return tuning


def outcome(number: int, settings: Settings, score: float | None = 0.7) -> Outcome:
    status = "failed" if score is None else "ok"
    return Outcome(Trial("made up", number, settings, 1, status=status, score=score), None, 0.1)


def searched(
    tuning: Any,
    space: Space,
    recorded: list[Trial],
    count: int,
    folder: Path,
    run: Callable[..., Outcome] = outcome,
    seed: int = 3,
) -> list[Trial]:
    """The next `count` trials of a search of which `recorded` is known, each by an oracle of its own, as in the worker."""
    known = list(recorded)
    for _ in range(count):
        done: list[Outcome] = []

        def keep(number: int, settings: Settings, done: list[Outcome] = done) -> Outcome:
            done.append(run(number, settings))
            return done[-1]

        oracle = tuning.PortfolioOracle(space, metric("roc_auc"), seed, known)
        more = tuning.search_once(tuning.TrialTuner(oracle, keep, folder))
        assert more is bool(done)
        if not more:
            break
        known.append(done[0].trial)
    return known[len(recorded) :]


def test_known_good_settings_come_first_and_in_order(tuning: Any, tmp_path: Path) -> None:
    trials = searched(tuning, SPACE, [], 6, tmp_path)
    assert [trial.number for trial in trials] == list(range(6))
    assert [trial.settings for trial in trials[:3]] == [SPACE.start(number) for number in range(3)]
    assert trials[0].settings["width"] == 32
    assert len({repr(trial.settings) for trial in trials}) == 6


def test_one_oracle_over_many_trials_and_many_rebuilt_ones_propose_the_same(tuning: Any, tmp_path: Path) -> None:
    rebuilt = searched(tuning, SPACE, [], 8, tmp_path / "rebuilt")
    kept: list[Trial] = []

    def keep(number: int, settings: Settings) -> Outcome:
        kept.append(outcome(number, settings).trial)
        return outcome(number, settings)

    tuner = tuning.TrialTuner(tuning.PortfolioOracle(SPACE, metric("roc_auc"), 3, []), keep, tmp_path / "one")
    for _ in range(8):
        assert tuning.search_once(tuner)
    assert kept == rebuilt
    assert searched(tuning, SPACE, kept[:5], 3, tmp_path / "resumed") == kept[5:]


def test_other_seeds_draw_other_settings_and_equal_scores_draw_the_same(tuning: Any, tmp_path: Path) -> None:
    usual = searched(tuning, SPACE, [], 6, tmp_path / "1")
    other = searched(tuning, SPACE, [], 6, tmp_path / "2", seed=4)
    worse = searched(tuning, SPACE, [], 6, tmp_path / "3", run=lambda number, settings: outcome(number, settings, 0.1))
    assert [trial.settings for trial in usual[:3]] == [trial.settings for trial in other[:3]]
    assert not any(ours.settings == theirs.settings for ours, theirs in zip(usual[3:], other[3:], strict=True))
    assert [trial.settings for trial in worse] == [trial.settings for trial in usual]


def test_inactive_dimensions_are_absent_and_active_ones_are_in_range(tuning: Any, tmp_path: Path) -> None:
    trials = searched(tuning, SPACE, [], 30, tmp_path)
    for settings in (trial.settings for trial in trials):
        assert ("learning_rate" in settings) is (settings["optimizer"] == "adamw")
        assert ("momentum" in settings) is (settings["optimizer"] == "sgd")
        assert ("shrink" in settings) is settings["residual"]
        assert 1 <= settings["blocks"] <= 4
        assert 8 <= settings["width"] <= 512
        assert 1e-4 <= settings.get("learning_rate", 1e-4) <= 1e-1
    assert {trial.settings["optimizer"] for trial in trials[3:]} == {"adamw", "sgd"}
    assert {trial.settings["residual"] for trial in trials[3:]} == {False, True}


def test_a_small_space_is_searched_out_and_then_the_search_stops(tuning: Any, tmp_path: Path) -> None:
    trials = searched(tuning, SMALL, [], 10, tmp_path)
    assert sorted((trial.settings["depth"], trial.settings["kind"]) for trial in trials) == [
        (1, "a"), (1, "b"), (2, "a"), (2, "b"),
    ]  # fmt: skip


def test_failing_trials_do_not_end_the_search(tuning: Any, tmp_path: Path) -> None:
    trials = searched(tuning, SPACE, [], 6, tmp_path, run=lambda number, settings: outcome(number, settings, None))
    assert [trial.status for trial in trials] == ["failed"] * 6
    lost = [Trial("made up", number, {}, 0, status="failed", message="the worker ended") for number in range(4)]
    (following,) = searched(tuning, SPACE, lost, 1, tmp_path)
    assert following.number == 4
    assert following.settings


def test_keras_tuner_knows_the_space_with_its_conditions(tuning: Any) -> None:
    declared = tuning.hyperparameters(SPACE)
    assert [each.name for each in declared.space] == list(SPACE.dimensions)
    assert declared.get("width") == 64
    conditions = {each.name: [(one.name, list(one.values)) for one in each.conditions] for each in declared.space}
    assert conditions["momentum"] == [("optimizer", ["sgd"])]
    assert conditions["shrink"] == [("residual", [True])]
    assert conditions["blocks"] == []


def test_rungs_of_the_same_name_in_two_modalities_have_their_own_learners() -> None:
    from types import SimpleNamespace
    from typing import Any, cast

    from automl.core.discovery import declarations
    from automl.search.context import modality_of
    from automl.search.trial import learner_of

    made: dict[str, set[int]] = {}
    for modality in ("tabular", "audio", "series"):
        context = cast(Any, SimpleNamespace(profile=SimpleNamespace(modality=modality)))
        for architecture in declarations(modality_of(modality).ladder, "ARCHITECTURE"):
            if architecture.combines:
                continue
            learner = learner_of(context, architecture)
            assert learner is learner_of(context, architecture)
            made.setdefault(architecture.name, set()).add(id(learner))
    assert max(len(ids) for ids in made.values()) > 1
    assert len(made["baseline"]) == 3
