"""Laws of the guardrail: rows like the training data pass, planted ones are named with their reason."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.guardrail import told_of, unusual_rows
from automl.core.predictor import PredictorError, notes_on
from automl.search.contract import contract
from automl.search.guarding import fit_guardrail
from tests.search.made_up import prepared_of


def people(rows: int, seed: int) -> pd.DataFrame:
    """Height and weight go together; the town has rare names; notes are often missing, the age never."""
    generator = np.random.default_rng(seed)
    height = generator.normal(170, 10, rows).round(1)
    frame = pd.DataFrame({"height": height, "weight": (height - 100 + generator.normal(0, 3, rows)).round(1)})
    frame["age"] = generator.integers(18, 90, rows)
    frame["sex"] = generator.choice(["f", "m"], rows)
    frame["town"] = [f"t{number}" for number in np.minimum(generator.geometric(0.01, rows), 800)]
    frame["score"] = np.where(generator.random(rows) < 0.5, np.nan, generator.lognormal(0, 1.5, rows).round(3))
    frame["born"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(generator.integers(0, 900, rows), unit="D")
    return frame


@cache
def guarded() -> dict[str, Any]:
    """The contract of a model of people, as it comes out of a file."""
    frame = people(1500, 0)
    frame["target"] = frame["weight"] > 70
    dataset, prepared = prepared_of(frame.assign(born=frame["born"].dt.strftime("%Y-%m-%d")))
    context = prepared.context
    said = contract(dataset, context.profile, context.plan, context.table, context.target, "linear")
    found = fit_guardrail(said["columns"], context, context.training_rows)
    assert found is not None
    return {**said, "guardrail": json.loads(json.dumps(found))}


def odd(**cells: Any) -> dict[str, Any]:
    usual = {"height": 170, "weight": 70, "age": 40, "sex": "f", "town": "t3", "score": 1.0, "born": "2021-05-01"}
    return {**usual, **cells}


def test_few_rows_that_are_like_the_training_data_are_flagged_and_nothing_is_told() -> None:
    new = people(2000, 1)
    found = unusual_rows(guarded(), new)
    assert len(found) < 0.02 * len(new)
    assert told_of(guarded(), new) == []
    assert notes_on(new, guarded()) == []


@pytest.mark.parametrize(
    "cells, reason",
    [
        ({"age": 300}, "age 300 is outside of 18 to 89"),
        ({"age": -5}, "age -5 is outside"),
        ({"sex": "x"}, 'sex "x" is new'),
        ({"age": None}, "age has no readable value, which it always had"),
        ({"born": "1950-01-01"}, "born 1950-01-01 is outside of 2020-01-01 to 2022"),
        ({"height": 195, "weight": 60}, "most by"),
    ],
)
def test_a_planted_row_is_named_with_its_reason(cells: dict[str, Any], reason: str) -> None:
    assert unusual_rows(guarded(), [odd()]) == {}
    found = unusual_rows(guarded(), [odd(), odd(**cells), odd()])
    assert list(found) == [1]
    assert any(reason in each for each in found[1]), found
    assert told_of(guarded(), [odd(**cells)])[0].startswith("1 of 1 row is unlike")


def test_each_value_of_the_pair_alone_is_a_usual_one() -> None:
    assert unusual_rows(guarded(), [odd(height=195, weight=95), odd(height=160, weight=60)]) == {}
    (reasons,) = unusual_rows(guarded(), [odd(height=195, weight=60)]).values()
    assert "height" in reasons[0].partition("most by")[2]
    assert "weight" in reasons[0].partition("most by")[2]


def test_new_names_are_usual_where_every_other_row_brings_one() -> None:
    assert not guarded()["guardrail"]["columns"]["town"].get("all_levels")
    assert unusual_rows(guarded(), [odd(town="nowhere")]) == {}
    assert unusual_rows(guarded(), [odd(score=None)]) == {}
    assert unusual_rows(guarded(), [odd(score=30.0)]) == {}


def test_an_old_contract_says_that_it_cannot_tell() -> None:
    old = {name: value for name, value in guarded().items() if name != "guardrail"}
    with pytest.raises(PredictorError, match="earlier version"):
        unusual_rows(old, [odd(age=300)])
    assert told_of(old, [odd(age=300)]) == []


def test_too_few_rows_have_no_guardrail() -> None:
    frame = people(120, 0).assign(target=np.arange(120) % 2)
    dataset, prepared = prepared_of(frame.drop(columns="born"))
    context = prepared.context
    said = contract(dataset, context.profile, context.plan, context.table, context.target, "linear")
    assert fit_guardrail(said["columns"], context, np.arange(40)) is None
