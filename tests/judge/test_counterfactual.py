"""What would change a decision: never more columns than it takes, the nearest values, and nothing that is held."""

from __future__ import annotations

import numpy as np

from automl.judge.counterfactual import Goal, counterfactuals
from automl.judge.margins import Cells, Player

PLAYERS = tuple(Player(name, (name,)) for name in ("a", "b", "c"))


def background() -> Cells:
    numbers = np.arange(101, dtype=np.float32)[:, None]
    words = np.array(["red", "green", "blue", ""] * 25 + ["red"], dtype=object)[:, None]
    return {"a": numbers, "b": numbers[::-1].copy(), "c": words}


def row() -> Cells:
    return {"a": np.float32([[10]]), "b": np.float32([[10]]), "c": np.array([["red"]], dtype=object)}


def above(least: float) -> Goal:
    """a + b, and 40 more where c is blue."""

    def judge(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
        total = (cells["a"] + cells["b"]).reshape(-1).astype(float) + 40 * (cells["c"].reshape(-1) == "blue")
        return total >= least, total

    return Goal(judge)


def names(changes: tuple[tuple[int, int], ...]) -> set[str]:
    return {PLAYERS[player].name for player, _ in changes}


def test_one_column_is_enough_where_it_is_and_the_nearest_value_is_taken() -> None:
    found = counterfactuals(PLAYERS, row(), background(), above(60))
    assert [names(each) for each in found] == [{"a"}, {"b"}, {"c"}]
    ((_, at),) = found[0]
    assert background()["a"][at, 0] == 50  # the smallest that reaches 60, though only some values were tried at first


def test_two_and_three_columns_where_it_takes_them_and_none_where_nothing_helps() -> None:
    assert {len(each) for each in counterfactuals(PLAYERS, row(), background(), above(145))} == {2}
    assert {len(each) for each in counterfactuals(PLAYERS, row(), background(), above(230))} == {3}
    assert counterfactuals(PLAYERS, row(), background(), above(241)) == []


def test_what_is_held_stays() -> None:
    found = counterfactuals(PLAYERS, row(), background(), above(60), held=("a", "b"))
    assert [names(each) for each in found] == [{"c"}]
    assert counterfactuals(PLAYERS, row(), background(), above(60), held=("a", "b", "c")) == []
