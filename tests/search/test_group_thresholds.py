"""Laws of thresholds by group: a smaller gap at no more than the price, few rows keep the usual one, the graph calls the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.core.files import decode, encode
from automl.core.groups import GroupColumn
from automl.core.readout import GroupThreshold, GroupThresholds, Readout, Threshold, called, with_positive
from automl.core.table import Category, Table
from automl.encoders.graph import GraphBuilder
from automl.encoders.readout import called as called_in_graph
from automl.search.crossing import parts_of
from automl.search.group_thresholds import FEWEST_ROWS, CrossFitted, GroupedRows, fit_group_thresholds
from tests.encoders.made_up import run_graph

Array = np.ndarray[Any, Any]
SEX = GroupColumn("sex", ("Female", "Male"))
AGE = GroupColumn("age", ("up to 30", "above 30, up to 50", "above 50"), (30.0, 50.0))


def people(rows: int, seed: int) -> tuple[Table, Array, Array, Array]:
    """Table, group, truth and calibrated probabilities; women earn more seldom, so that fewer of those who do are found."""
    generator = np.random.default_rng(seed)
    group = generator.integers(0, 2, rows)
    odds = 1.5 * generator.normal(size=rows) + 1.6 * group - 1.6
    happened = generator.random(rows) < 1 / (1 + np.exp(-odds))
    sex = Category.from_strings(np.asarray(["Female", "Male"], object)[group])
    return Table({"sex": sex}, rows), group, happened, 1 / (1 + np.exp(-odds))


def gap_of(group: Array, happened: Array, given: Array) -> float:
    rates = [[given[(group == code) & (happened == truth)].mean() for code in (0, 1)] for truth in (False, True)]
    return max(abs(first - second) for first, second in rates)


def fitted(
    table: Table, happened: Array, probability: Array, lost: float, overall: float = 0.5, weight: Array | None = None,
    groups: Array | None = None,
) -> tuple[Threshold, CrossFitted]:  # fmt: skip
    """Thresholds by sex of all rows of the table, in parts by lot, of which each holds whole groups."""
    count = len(happened)
    part = parts_of(np.arange(count) if groups is None else groups, np.random.default_rng(0))
    weights = np.ones(count) if weight is None else weight
    by = GroupedRows((SEX,), table)
    return fit_group_thresholds(by, np.arange(count), probability, happened, weights, overall, lost, part)


@pytest.mark.parametrize("lost", [0.0, 0.01, 0.03])
def test_the_gap_on_fresh_rows_shrinks_for_at_most_the_price_that_is_allowed(lost: float) -> None:
    table, _, happened, probability = people(8000, 0)
    found, _ = fitted(table, happened, probability, lost)
    limits = np.asarray(found.limits(table.columns))
    before, after = ((probability >= limit) == happened for limit in (0.5, limits))
    assert after.mean() >= before.mean() - lost - 1e-9
    assert found.expected["accuracy"] == pytest.approx(after.mean())
    assert found.expected["accuracy_before"] == pytest.approx(before.mean())
    table, group, happened, probability = people(20_000, 1)
    fair = gap_of(group, happened, probability >= np.asarray(found.limits(table.columns)))
    usual = gap_of(group, happened, probability >= 0.5)
    assert fair < (1.0 if lost == 0.0 else 0.85 if lost == 0.01 else 0.6) * usual
    assert np.mean((probability >= np.asarray(found.limits(table.columns))) == happened) > np.mean(
        (probability >= 0.5) == happened
    ) - (lost + 0.01)


def test_groups_of_few_rows_keep_the_overall_threshold_and_equal_groups_stay_equal() -> None:
    generator = np.random.default_rng(5)
    _, _, happened, probability = people(4000, 0)
    others = Category.from_strings(np.where(np.arange(4000) < 2 * FEWEST_ROWS - 2, "Female", "Male").astype(object))
    few, _ = fitted(Table({"sex": others}, 4000), happened, probability, 0.01, 0.4)
    assert few.groups is not None
    assert few.groups.few == (("Female",),)
    assert few.limits({"sex": Category.from_strings(np.asarray(["Female", "", "unheard of"], object))}).tolist() == [0.4] * 3
    drawn = Category.from_strings(generator.choice(["Female", "Male"], 4000).astype(object))
    equal, _ = fitted(Table({"sex": drawn}, 4000), happened, probability, 0.01)
    assert equal.expected["gap_before"] < 0.05
    assert not equal.groups.own or equal.expected["gap"] < 0.05


def test_a_group_that_has_just_enough_rows_has_thresholds_in_every_part() -> None:
    table, group, happened, probability = people(6000, 3)
    few = np.flatnonzero(group == 0)
    kept = np.sort(
        np.r_[few[happened[few]][: FEWEST_ROWS + 5], few[~happened[few]][: 4 * FEWEST_ROWS], np.flatnonzero(group == 1)]
    )
    small = Table({"sex": table.columns["sex"].take(kept)}, len(kept))
    found, crossed = fitted(small, happened[kept], probability[kept], 0.05)
    assert found.met
    assert {each.groups for each in found.groups.own} == {("Female",), ("Male",)}
    assert (crossed.fair != crossed.usual)[group[kept] == 0].any()


def test_no_row_has_a_say_in_the_thresholds_that_tell_what_they_bring_to_it() -> None:
    table, _, happened, probability = people(3000, 0)
    _, plain = fitted(table, happened, probability, 0.05)
    for number in np.unique(plain.part):
        found, again = fitted(table, happened ^ ((plain.part == number) & (np.arange(3000) % 20 == 0)), probability, 0.05)
        assert found.met
        same = again.fair == plain.fair
        assert same[plain.part == number].all()
        assert not same.all()


def test_what_thresholds_bring_is_not_promised_from_the_rows_that_they_were_chosen_on() -> None:
    """Groups by lot have a gap by chance, which thresholds close on the same rows and on no others."""
    refused = 0
    for seed in range(16):
        _, _, happened, probability = people(1500, seed)
        drawn = np.random.default_rng(1000 + seed).choice(["Female", "Male"], 1500).astype(object)
        found, crossed = fitted(Table({"sex": Category.from_strings(drawn)}, 1500), happened, probability, 0.02)
        assert found.groups is not None
        if not found.groups.own:
            refused += 1
            assert not found.met
            assert (crossed.fair == crossed.usual).all()
            assert "gap" not in found.expected
    assert refused >= 14
    table, group, happened, probability = people(6000, 1)
    found, crossed = fitted(table, happened, probability, 0.05)
    compared = [[(group == code) & (happened == truth) for code in (0, 1)] for truth in (False, True)]
    closed = crossed.closes(compared, np.ones(6000))
    assert found.expected["gap_cross_fitted"] == pytest.approx(found.expected["gap_before"] - closed)
    assert closed > 0.4 * found.expected["gap_before"]
    fresh, others, truth, chance = people(20_000, 2)
    kept = gap_of(others, truth, chance >= np.asarray(found.limits(fresh.columns)))
    assert abs(found.expected["gap_cross_fitted"] - kept) < 0.04


def test_rows_of_one_person_are_in_one_part_and_rows_without_a_weight_count_for_nothing() -> None:
    table, _, happened, probability = people(3000, 0)
    persons = np.arange(3000) // 20
    _, crossed = fitted(table, happened, probability, 0.05, groups=persons)
    assert all(len(set(crossed.part[persons == person])) == 1 for person in range(150))
    weight = np.ones(3000)
    weight[::3] = 0.0
    kept = np.flatnonzero(weight > 0)
    part = parts_of(np.arange(3000), np.random.default_rng(0))
    by, rows = GroupedRows((SEX,), table), np.arange(3000)
    whole, _ = fit_group_thresholds(by, rows, probability, happened, weight, 0.5, 0.05, part)
    some, _ = fit_group_thresholds(by, kept, probability[kept], happened[kept], weight[kept], 0.5, 0.05, part[kept])
    assert whole.groups is not None and some.groups is not None
    assert whole.expected["gap_cross_fitted"] == pytest.approx(some.expected["gap_cross_fitted"], abs=0.05)
    women = Category.from_strings(np.asarray(["Female", "Male"], object)[(np.arange(3000) % 4 > 0).astype(int)])
    nobody = np.where(np.arange(3000) % 4 == 0, np.arange(3000) % 200 == 0, 1.0).astype(float)
    alone, _ = fitted(Table({"sex": women}, 3000), happened, probability, 0.05, weight=nobody)
    assert alone.groups is not None
    assert alone.groups.few == (("Female",),)


def test_the_graph_calls_what_python_calls_with_unknown_missing_and_edges() -> None:
    generator = np.random.default_rng(0)
    own = (GroupThreshold(("Female", "up to 30"), 0.3, 40), GroupThreshold(("Male", "above 50"), 0.8, 40))
    threshold = Threshold(0.5, "by group", {}, groups=GroupThresholds((SEX, AGE), own))
    assert decode(Threshold, encode(threshold)) == threshold
    sex = generator.choice(["Female", "Male", "", "Other"], 400).astype(object)
    age = generator.choice([18.0, 30.0, 30.5, 50.0, 51.0, np.nan, 1e30, -1e30], 400).astype(np.float32)
    limits = np.asarray(threshold.limits({"sex": Category.from_strings(sex), "age": age}))
    assert set(limits[(sex == "Female") & (age <= 30)]) == {0.3}
    assert set(limits[(sex == "Male") & (age > 50)]) == {0.8}
    assert set(limits[np.isnan(age) | (sex == "") | (sex == "Other")]) == {0.5}
    probabilities = with_positive(generator.choice([0.2, 0.299, 0.301, 0.5, 0.6, 0.799, 0.801], 400), 1).astype(np.float32)
    builder = GraphBuilder()
    tensor = builder.input("probabilities_in", "float32", 2)
    inputs = {"sex": ("sex", "string"), "age": ("age", "float32")}
    codes = called_in_graph(builder, tensor, Readout(threshold=threshold), 1, inputs)
    feeds = {"probabilities_in": probabilities, "sex": sex[:, None], "age": age[:, None]}
    given = run_graph(builder, {"label": (codes, "int64")}, feeds)["label"]
    assert np.array_equal(given, called(probabilities, limits.astype(np.float32), 1))
