"""What would change a decision: the fewest and smallest changes of a row, to values that occur in the training data.

A beam search over sets of changed columns, one column more at a time, until the wanted prediction is reached (counterfactual
explanations: Wachter, Mittelstadt and Russell, Harvard JOLT 31, 2018; values from observed rows keep each change possible by
itself). A change of a number costs the share of background rows between the two values; of a category between a half and 1,
the less the more frequent the new one is. Afterwards each number is moved back as far as the decision allows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.judge.margins import Cells, Player, taken

Array = np.ndarray[Any, Any]
Change = tuple[int, int]
"""A player, and the background row whose cells it takes."""

MOST_CHANGES, MOST_ANSWERS = 3, 3
MOST_VALUES, MOST_SINGLES, BEAM = 24, 120, 12


@dataclass(frozen=True)
class Goal:
    """judge: cells to whether the wanted prediction is reached (rows,), and how near it is (rows,), larger being nearer."""

    judge: Callable[[Cells], tuple[Array, Array]]


@dataclass(frozen=True)
class _Search:
    players: Sequence[Player]
    row: Cells
    background: Cells
    goal: Goal
    costs: Array

    def cost(self, changes: Sequence[Change]) -> float:
        return float(sum(self.costs[player, other] for player, other in changes))

    def judged(self, sets: Sequence[Sequence[Change]]) -> tuple[Array, Array]:
        """Whether each set of changes reaches the goal, and how near it comes."""
        cells = taken(self.row, np.zeros(len(sets), np.int64))
        for at, changes in enumerate(sets):
            for player, other in changes:
                for name in self.players[player].inputs:
                    cells[name][at] = self.background[name][other]
        return self.goal.judge(cells)


def counterfactuals(
    players: Sequence[Player], row: Cells, background: Cells, goal: Goal, held: Sequence[str] = ()
) -> list[tuple[Change, ...]]:
    """Sets of changes that reach the goal, the best first; none where up to MOST_CHANGES columns do not.

    row: cells of one row. held: names of players that stay as they are. The answers change different sets of columns.
    """
    values = [_values(player, row, background) for player in players]
    costs = np.stack([_costs(player, row, background) for player in players])
    search = _Search(players, row, background, goal, costs)
    free = [at for at, player in enumerate(players) if player.name not in held]
    singles: list[Change] = [(at, other) for at in free for other in values[at]]
    beam: list[tuple[Change, ...]] = [()]
    for _ in range(MOST_CHANGES):
        sets = [(*changes, single) for changes in beam for single in singles if all(single[0] != at for at, _ in changes)]
        if not sets:
            return []
        reached, near = search.judged(sets)
        if reached.any():
            return _answers(search, [sets[at] for at in np.flatnonzero(reached).tolist()])
        order = np.argsort(-near, kind="stable").tolist()
        if beam == [()]:
            singles = [sets[at][0] for at in order[:MOST_SINGLES]]
        beam = _spread([sets[at] for at in order])
    return []


def _spread(sets: Sequence[tuple[Change, ...]]) -> list[tuple[Change, ...]]:
    """The nearest sets, no two of the same columns."""
    found: dict[frozenset[int], tuple[Change, ...]] = {}
    for changes in sets:
        found.setdefault(frozenset(at for at, _ in changes), changes)
        if len(found) == BEAM:
            break
    return list(found.values())


def _answers(search: _Search, reaching: list[tuple[Change, ...]]) -> list[tuple[Change, ...]]:
    """The cheapest, and others of other columns, each with its numbers moved back as far as possible."""
    reaching.sort(key=search.cost)
    found: dict[frozenset[int], tuple[Change, ...]] = {}
    for changes in reaching:
        found.setdefault(frozenset(at for at, _ in changes), changes)
        if len(found) == 4 * MOST_ANSWERS:
            break
    refined = [_moved_back(search, changes) for changes in found.values()]
    return sorted(refined, key=search.cost)[:MOST_ANSWERS]


def _moved_back(search: _Search, changes: tuple[Change, ...]) -> tuple[Change, ...]:
    for place, (player, other) in enumerate(changes):
        cheaper = np.flatnonzero(search.costs[player] < search.costs[player, other])
        cheaper = cheaper[np.argsort(search.costs[player, cheaper], kind="stable")]
        if not len(cheaper):
            continue
        sets = [(*changes[:place], (player, int(each)), *changes[place + 1 :]) for each in cheaper]
        reached, _ = search.judged(sets)
        first = np.flatnonzero(reached)
        changes = sets[int(first[0])] if len(first) else changes
    return changes


def _ordered(values: Array) -> Array | None:
    """Numbers as float64 with NaN for what is missing, or None for what has no order."""
    if values.dtype.kind not in "fiu":
        return None
    numbers = values.reshape(-1).astype(np.float64)
    return np.where(numbers <= float(np.iinfo(np.int64).min), np.nan, numbers)


def _values(player: Player, row: Cells, background: Cells) -> list[int]:
    """Background rows whose values of a player are tried: spread over the numbers, or the most frequent categories."""
    values = background[player.inputs[0]].reshape(-1)
    own = row[player.inputs[0]].reshape(-1)[0]
    numbers = _ordered(values)
    _, first, counts = np.unique(values, return_index=True, return_counts=True)
    if numbers is not None:
        first = first[np.isfinite(numbers[first])]
        chosen = first[np.unique(np.linspace(0, len(first) - 1, min(len(first), MOST_VALUES)).round().astype(int))]
    else:
        chosen = first[np.argsort(-counts, kind="stable")][:MOST_VALUES]
        chosen = chosen[[value != "" for value in values[chosen]]]
    return [int(at) for at in chosen if values[at] != own]


def _costs(player: Player, row: Cells, background: Cells) -> Array:
    """(background rows,) what taking the value of each costs."""
    values = background[player.inputs[0]].reshape(-1)
    own = row[player.inputs[0]].reshape(-1)[:1]
    numbers, own_number = _ordered(values), _ordered(own)
    if numbers is None or own_number is None:
        _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
        shares = counts[codes.reshape(-1)] / len(values)
        return np.where((values == own[0]) | (values == ""), np.inf, 0.5 + 0.5 * (1 - shares))
    known = np.sort(numbers[np.isfinite(numbers)])
    if not len(known) or not np.isfinite(own_number[0]):
        return np.where(np.isfinite(numbers), 1.0, np.inf)
    between = np.abs(_rank(known, numbers) - _rank(known, own_number)) + 1.0 / (1 + len(known))
    return np.where(np.isfinite(numbers) & (numbers != own_number[0]), between, np.inf)


def _rank(known: Array, numbers: Array) -> Array:
    return np.asarray((np.searchsorted(known, numbers, "left") + np.searchsorted(known, numbers, "right")) / (2 * len(known)))
