"""Laws of recommending: the ladder is complete, every refusal has its sentence, the split fits the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.files import decode, encode
from automl.core.options import Options
from automl.core.plan import Plan
from automl.profiling import profile
from automl.recommending import recommend


def made_up(rows: int = 600, task: str = "binary", **columns: Any) -> pd.DataFrame:
    random = np.random.default_rng(3)
    number = random.normal(size=rows)
    frame = pd.DataFrame({"number": number, "category": random.choice(["a", "b", "c"], rows), **columns})
    targets = {
        "binary": np.where(number + random.normal(size=rows) > 0, "yes", "no"),
        "multiclass": random.choice(["red", "green", "blue"], rows),
        "regression": number * 3 + random.normal(size=rows),
    }
    return frame.assign(target=targets[task])


def plan_of(frame: pd.DataFrame, **choices: Any) -> Plan:
    options = Options(**choices)
    return recommend(profile(Dataset(frame, "data", "data.csv", "hash"), options), options)


@pytest.mark.parametrize(
    ("task", "metric", "split"),
    [("binary", "roc_auc", "stratified"), ("multiclass", "log_loss", "stratified"), ("regression", "rmse", "random")],
)
def test_a_plan_is_complete(task: str, metric: str, split: str) -> None:
    plan = plan_of(made_up(task=task))
    assert (plan.task.value, plan.metric, plan.split.kind, plan.target) == (task, metric, split, "target")
    assert [rung.rung for rung in plan.rungs] == sorted(rung.rung for rung in plan.rungs)
    assert [rung.architecture for rung in plan.ladder][:3] == ["baseline", "linear", "boosting"]
    for rung in plan.ladder:
        assert rung.reason
        assert rung.expected_seconds > 0
        assert rung.expected_bytes > 0
    assert decode(Plan, encode(plan)) == plan


@pytest.mark.parametrize(("rows", "fraction"), [(60, 0.0), (499, 0.0), (500, 0.2), (10_000, 0.2), (20_000, 0.1), (250_000, 0.08)])
def test_the_sealed_part_grows_slower_than_the_data(rows: int, fraction: float) -> None:
    assert plan_of(made_up(rows)).split.sealed_fraction == pytest.approx(fraction)


def test_folds_follow_the_smallest_class_that_can_be_measured() -> None:
    assert plan_of(made_up()).split.folds == 5
    frame = made_up(200, "multiclass")
    frame["target"] = ["a"] * 100 + ["b"] * 94 + ["c"] * 4 + ["d"] * 2
    assert plan_of(frame).split.folds == 4
    assert plan_of(frame, folds=7).split.folds == 7
    with pytest.raises(InputError, match="folds are not possible"):
        plan_of(frame, folds=150)


def test_copies_are_kept_together() -> None:
    frame = made_up(600, extra=np.random.default_rng(1).normal(size=600))
    assert not plan_of(frame).split.keep_together
    assert plan_of(pd.concat([frame, frame.iloc[:50]], ignore_index=True)).split.keep_together


def test_group_and_time_decide_the_split() -> None:
    frame = made_up(600, store=np.arange(600) % 20, day=[str(day.date()) for day in pd.date_range("2020-01-01", periods=600)])
    assert plan_of(frame).split.kind == "stratified"
    assert "--time-column" in plan_of(frame).split.reason
    assert (plan_of(frame, group="store").split.kind, plan_of(frame, group="store").split.column) == ("grouped", "store")
    assert (plan_of(frame, time_column="day").split.kind, plan_of(frame, time_column="day").split.column) == ("time", "day")
    with pytest.raises(InputError, match="exclude each other"):
        plan_of(frame, group="store", time_column="day")
    with pytest.raises(InputError, match="neither dates nor numbers"):
        plan_of(frame, time_column="category")


def test_a_short_budget_pays_for_one_net_and_the_others_say_so() -> None:
    nets = {"mlp", "realmlp", "tabm"}
    short = plan_of(made_up(600), time=60)
    kept = [rung.architecture for rung in short.ladder if rung.architecture in nets]
    assert len(kept) == 1
    refused = [rung.refused or "" for rung in short.rungs if rung.architecture in nets - set(kept)]
    assert all("pays for one net" in each for each in refused)
    assert {rung.architecture for rung in plan_of(made_up(600), time=120).ladder} >= nets
    asked = plan_of(made_up(600), time=60, only=("mlp", "tabm"))
    assert {rung.architecture for rung in asked.ladder} >= {"mlp", "tabm"}


@pytest.mark.parametrize("trials", [1, 2, 3, 4, 7, 20, 101])
def test_trials_are_dealt_out_exactly(trials: int) -> None:
    plan = plan_of(made_up(), trials=trials)
    counts = {rung.architecture: rung.trials for rung in plan.ladder}
    assert counts.pop("baseline") is None
    assert counts.pop("ensemble") is None
    assert sum(count or 0 for count in counts.values()) == trials
    assert all(count is not None and count >= 1 for count in counts.values())
    assert plan.budget_seconds is None
    if trials >= 3:
        trained = len(plan_of(made_up()).ladder) - 2  # neither the baseline nor the ensemble is searched
        assert len(counts) == min(trials, trained)
        assert counts["boosting"] == max(count or 0 for count in counts.values())


def test_a_short_budget_refuses_nets_and_says_why() -> None:
    plan = plan_of(made_up(), time=20.0)
    refusals = {rung.architecture: rung.refused for rung in plan.rungs}
    assert refusals["mlp"] == "a budget of 20 s leaves no time for a net (its library alone takes about 9 s to start)"
    assert refusals["boosting"] is None
    assert {"mlp", "realmlp", "tabm"} & {rung.architecture for rung in plan_of(made_up(), time=60.0).ladder}
    assert "mlp" not in [rung.architecture for rung in plan_of(made_up(), preset="fast").ladder]


def test_only_and_skip_keep_the_baseline() -> None:
    only = plan_of(made_up(), only=("boosting",))
    assert [rung.architecture for rung in only.ladder] == ["baseline", "boosting"]
    skip = plan_of(made_up(), skip=("boosting", "baseline"))
    assert "boosting" not in [rung.architecture for rung in skip.ladder]
    assert skip.ladder[0].architecture == "baseline"
    assert all(rung.refused for rung in only.rungs if rung not in only.ladder)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"only": ("bosting",)}, 'did you mean "boosting"?'),
        ({"skip": ("lineer",)}, 'did you mean "linear"?'),
        ({"metric": "rmse"}, "does not measure a binary task"),
        ({"metric": "roc-auc"}, 'did you mean "roc_auc"?'),
        ({"only": ("mlp",), "time": 20.0}, "leaves no time for a net"),
        ({"only": ("linear",), "skip": ("linear",)}, "no rung is left"),
    ],
)
def test_wrong_choices_are_one_sentence(choices: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        plan_of(made_up(), **choices)
    assert said in str(raised.value)


def test_choices_pass_through() -> None:
    frame = made_up(600, w=np.ones(600), spare=np.random.default_rng(5).normal(size=600))
    frame.loc[::2, "w"] = 2.0
    plan = plan_of(
        frame,
        weight="w",
        drop=("spare",),
        positive="no",
        metric="log_loss",
        jobs=3,
        seed=9,
        time=77.0,
        kinds={"number": "category"},
    )
    assert (plan.weight, plan.drop, plan.positive, plan.metric) == ("w", ("spare",), "no", "log_loss")
    assert (plan.jobs, plan.seed, plan.budget_seconds, plan.kinds) == (3, 9, 77.0, {"number": "category"})
    assert plan_of(frame).positive == "yes"
    assert plan_of(frame, features=("number", "category")).drop == ("w", "spare")
    assert plan_of(frame, preset="best").budget_seconds == 1800.0


@pytest.mark.parametrize("options", [Options(modality="tabular", horizon=3), Options(known_ahead=("x",))])
def test_options_of_a_forecast_are_not_ignored(options: Options) -> None:
    from automl.profiling import arranged
    from automl.reading import read

    data = read({"when": [f"2024-01-{day:02d}" for day in range(1, 31)], "x": list(range(30)), "y": list(range(30))})
    with pytest.raises(InputError, match="forecast"):
        arranged(data, options)
