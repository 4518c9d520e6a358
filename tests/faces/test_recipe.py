"""Recipes: a Plan survives YAML, and what is wrong with a recipe is said in one sentence."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import automl
from automl.core.errors import InputError
from automl.core.plan import Plan, Rung, Split
from automl.core.profile import Kind
from automl.core.tasks import Task
from automl.recipe import data_of, options_of, override, read_recipe, write_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
SPLITS = st.builds(
    Split,
    kind=st.sampled_from(["random", "stratified"]),
    sealed_fraction=st.floats(0.0, 0.5),
    folds=st.integers(2, 10),
    keep_together=st.booleans(),
    reason=NAMES,
)
RUNGS = st.builds(
    Rung,
    architecture=st.sampled_from(["baseline", "linear", "boosting", "mlp"]),
    rung=st.integers(0, 5),
    title=NAMES,
    reason=NAMES,
    expected_seconds=st.floats(0, 1e6),
    expected_bytes=st.integers(0, 10**9),
)
PLANS = st.builds(
    Plan,
    target=NAMES,
    task=st.just(Task.BINARY),
    metric=st.sampled_from(["roc_auc", "log_loss"]),
    preset=st.sampled_from(["fast", "balanced", "best"]),
    seed=st.integers(0, 2**31),
    split=SPLITS,
    rungs=st.lists(RUNGS, min_size=1, max_size=4).map(tuple),
    budget_seconds=st.floats(1.0, 1e5),
    positive=st.none() | NAMES,
    drop=st.lists(NAMES, max_size=3).map(tuple),
    kinds=st.dictionaries(NAMES, st.sampled_from([kind.value for kind in Kind]), max_size=3),
    weight=st.none() | NAMES,
    sensitive=st.lists(NAMES, min_size=1, max_size=2).map(tuple),
    exclude_sensitive=st.booleans(),
    mitigate=st.none() | st.just("reweigh"),
    jobs=st.integers(1, 64),
    memory_gb=st.none() | st.floats(0.5, 100.0),
    samples=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(plan=PLANS)
def test_a_plan_survives_yaml(plan, tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "plan.yaml"
    write_recipe(plan, path, data="some data.csv", expected="log loss about 0.1")
    assert read_recipe(path) == plan
    assert data_of(path) == path.parent / "some data.csv"
    assert path.read_text().startswith("# automl fit --recipe plan.yaml: at most ")


@pytest.fixture
def content(tmp_path):
    plan = Plan(
        "churn", Task.BINARY, "roc_auc", "fast", 0, Split("random", 0.2, 5), (Rung("linear", 1, "Linear", "simple"),), 60.0
    )
    write_recipe(plan, tmp_path / "good.yaml")
    return yaml.safe_load((tmp_path / "good.yaml").read_text())


WRONG = {
    "unknown key": (lambda content: content.update(trget="x"), ('"trget"', 'did you mean "target"?')),
    "unknown key of the split": (lambda content: content["split"].update(fold=3), ('"split.fold"', 'did you mean "folds"?')),
    "unknown key of a rung": (lambda content: content["rungs"][0].update(raeson="x"), ("raeson", 'did you mean "reason"?')),
    "lacking key": (lambda content: content.pop("target"), ('lacks the key "target"',)),
    "wrong task": (lambda content: content.update(task="binray"), ('"task"', "binray")),
    "wrong type": (lambda content: content.update(seed="soon"), ('"seed"', "soon")),
    "wrong metric": (lambda content: content.update(metric="roc_uac"), ('did you mean "roc_auc"?',)),
    "metric of another task": (lambda content: content.update(metric="rmse"), ("rmse", "binary")),
    "unknown rung": (lambda content: content["rungs"][0].update(architecture="linaer"), ('did you mean "linear"?',)),
    "no rung": (lambda content: content.update(rungs=[]), ("no rung",)),
    "too much sealed": (lambda content: content["split"].update(sealed_fraction=0.9), ("sealed_fraction",)),
    "no folds": (lambda content: content["split"].update(folds=0), ("folds",)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_recipe_is_refused_in_one_sentence_with_file_and_key(name, content, tmp_path):
    change, parts = WRONG[name]
    change(content)
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError) as refused:
        read_recipe(path)
    sentence = str(refused.value)
    assert "\n" not in sentence
    for part in (str(path), *parts):
        assert part in sentence


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b\n", "a: [1, 2\n", "a: !!python/object/apply:os.getcwd []\n"])
def test_what_is_no_recipe_is_refused_and_never_executed(text, tmp_path):
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(InputError, match=r"odd\.yaml"):
        read_recipe(tmp_path / "odd.yaml")


def test_a_missing_recipe_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_recipe(tmp_path / "none.yaml")


def test_options_beside_a_recipe(content, tmp_path):
    plan = read_recipe(tmp_path / "good.yaml")
    assert override(plan, {}) == plan
    assert override(plan, {"time": "2m", "seed": 7, "jobs": 1}) == dataclasses.replace(plan, budget_seconds=120.0, seed=7, jobs=1)
    with pytest.raises(InputError, match='"target" cannot be given beside a recipe'):
        override(plan, {"target": "other"})


def test_options_of_a_plan_lead_to_the_same_plan():
    data = RECIPES / "data" / "breast_cancer.csv"
    plan = automl.recommend(data, target="diagnosis", time=30, only=("baseline", "linear"), folds=4, jobs=1)
    given = {name: value for name, value in vars(options_of(plan)).items() if value not in (None, ())}
    assert automl.recommend(data, **given) == plan


PROFILED = ("target", "horizon", "id_column", "time_column", "known_ahead")


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.yaml")))
def test_the_recipes_of_the_project_are_valid_and_their_data_is_there(name):
    path = RECIPES / f"{name}.yaml"
    plan, data = read_recipe(path), data_of(path)
    assert data is not None
    assert data.exists()
    assert data.is_dir() or plan.target in data.read_text().splitlines()[0].split(",")
    assert path.read_text().startswith(f"# automl fit --recipe recipes/{name}.yaml: at most ")
    asked = {name: value for name, value in vars(options_of(plan)).items() if name in PROFILED and value not in (None, ())}
    assert automl.profile(data, **asked).task == plan.task


def test_there_is_a_recipe_for_tables_sounds_and_forecasts():
    assert {"breast_cancer", "diabetes", "penguins", "sales", "tones"} <= {path.stem for path in RECIPES.glob("*.yaml")}
