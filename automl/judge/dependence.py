"""How predictions follow a column, and which columns act together: partial dependence, single curves, Friedman's H.

Partial dependence sets a column to a value in every row and averages (Friedman, Annals of Statistics 29, 2001); the curves
of the single rows behind it are individual conditional expectations (Goldstein et al., JCGS 24, 2015). H (Friedman and
Popescu, Annals of Applied Statistics 2, 2008) is how much of the joint dependence on two columns is not the sum of the two
single ones: H^2 = sum (PD_jk - PD_j - PD_k)^2 / sum PD_jk^2, all of them centred, at pairs of values that occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.statistics import percentile_interval
from automl.judge.margins import Cells, Margins, Player, taken
from automl.judge.shapley import CHUNK

Array = np.ndarray[Any, Any]

GRID, MOST_LEVELS = 21, 12
STRAIGHT = 0.02
"""Movement against the direction, as a share of the whole range, that does not count against "monotone"."""
RESAMPLES = 300


@dataclass(frozen=True)
class Dependence:
    """A column's curve.

    places: rows whose cells are the values; numbers: these as numbers, None for categories, whose values are `levels`.
    curves: (rows, values) margins of the single rows; mean: (values,) the partial dependence. direction: "rises", "falls",
    "both ways", "flat", or "" for categories; agreeing: share of rows whose own curve goes that way.
    """

    column: str
    places: Array
    numbers: Array | None
    curves: Array
    mean: Array
    direction: str
    agreeing: float
    levels: list[str]


@dataclass(frozen=True)
class Interaction:
    """Friedman's H of two columns with its 95 % interval over the pairs of values. size: root mean square of what only the two
    together do, in margins."""

    first: str
    second: str
    value: float
    low: float
    high: float
    size: float


def dependence(model: Margins, player: Player, rows: Cells, output: int) -> Dependence | None:
    """How the margins of some rows follow a column over the values that it takes in them; None where it takes only one."""
    places, numbers = _grid(rows[player.inputs[0]].reshape(-1))
    if len(places) < 2:
        return None
    count = len(next(iter(rows.values())))
    curves = _set(model, rows, (player,), rows, places, output).reshape(len(places), count).T
    mean = curves.mean(axis=0)
    direction, agreeing = "", 1.0
    if numbers is not None:
        direction = _direction(mean)
        sign = {"rises": 1.0, "falls": -1.0}.get(direction)
        agreeing = float(np.mean([_direction(curve) in (direction, "flat") for curve in curves])) if sign else 1.0
    levels = [] if numbers is not None else [str(value) for value in rows[player.inputs[0]].reshape(-1)[places]]
    return Dependence(player.name, places, numbers, curves, mean, direction, agreeing, levels)


def alone(model: Margins, player: Player, rows: Cells, output: int) -> Array:
    """(rows,) the centred partial dependence on a column at the value of each row."""
    return _averaged(model, (player,), rows, output)


def interaction(
    model: Margins, players: tuple[Player, Player], singles: tuple[Array, Array], rows: Cells, output: int, seed: int
) -> Interaction:
    """H of two columns over the rows, which are both the pairs of values and what is averaged over. singles: `alone` of both."""
    both = _averaged(model, players, rows, output)
    beyond, whole = (both - singles[0] - singles[1]) ** 2, both**2
    drawn = np.random.default_rng(seed).integers(len(both), size=(RESAMPLES, len(both)))

    def strength(above: Array, below: Array) -> Array:
        return np.sqrt(np.clip(above / np.maximum(below, 1e-12), 0.0, 1.0))

    value = float(strength(beyond.sum(), whole.sum()))
    low, high = percentile_interval(strength(beyond[drawn].sum(axis=1), whole[drawn].sum(axis=1)))
    size = float(np.sqrt(beyond.mean()))
    return Interaction(players[0].name, players[1].name, value, min(low, value), max(high, value), size)


def _averaged(model: Margins, players: tuple[Player, ...], rows: Cells, output: int) -> Array:
    count = len(next(iter(rows.values())))
    found = _set(model, rows, players, rows, np.arange(count), output).reshape(count, count).mean(axis=1)
    return np.asarray(found - found.mean())


def _set(model: Margins, rows: Cells, players: tuple[Player, ...], source: Cells, places: Array, output: int) -> Array:
    """(values x rows,) margins with the players' cells taken from each place of `source` in turn."""
    count = len(next(iter(rows.values())))
    found = []
    step = max(1, CHUNK // count)
    for start in range(0, len(places), step):
        here = places[start : start + step]
        cells = taken(rows, np.tile(np.arange(count), len(here)))
        for player in players:
            for name in player.inputs:
                cells[name] = np.repeat(source[name][here], count, axis=0)
        found.append(model.margins(cells)[:, output])
    return np.concatenate(found)


def _grid(values: Array) -> tuple[Array, Array | None]:
    """Rows whose values are used: spread over the numbers from the 2nd to the 98th percentile, or the frequent categories."""
    if values.dtype.kind in "fiu":
        numbers = values.astype(np.float64)
        known = np.flatnonzero(np.isfinite(numbers) & (numbers > float(np.iinfo(np.int64).min)))
        levels, first, counts = np.unique(numbers[known], return_index=True, return_counts=True)
        if len(levels) > 2:
            shares = (np.cumsum(counts) - 0.5 * counts) / counts.sum()
            inside = (shares >= 0.02) & (shares <= 0.98)
            levels, first = (levels[inside], first[inside]) if inside.sum() > 2 else (levels, first)
        if not len(levels):
            return known, levels
        chosen = np.unique(np.linspace(0, len(levels) - 1, min(len(levels), GRID)).round().astype(int))
        return known[first[chosen]], levels[chosen]
    levels, first, counts = np.unique(values, return_index=True, return_counts=True)
    return first[np.argsort(-counts, kind="stable")][:MOST_LEVELS], None


def _direction(curve: Array) -> str:
    steps = np.diff(curve)
    up, down = float(steps[steps > 0].sum()), float(-steps[steps < 0].sum())
    whole = up + down
    if whole <= 1e-9:
        return "flat"
    if down <= STRAIGHT * whole:
        return "rises"
    return "falls" if up <= STRAIGHT * whole else "both ways"
