"""Shapley values of predictions by sampling orders of the columns, many rows in one batch.

A value is a column's share of the difference between a prediction and the mean prediction of a background sample: what
setting it to the row's value changes on average, over the background rows and over the orders in which the columns are set
(interventional Shapley values). Sampling whole orders: Strumbelj and Kononenko, Knowledge and Information Systems 41, 2014;
Castro, Gomez and Tejada, Computers and Operations Research 36, 2009. Each order is walked forwards and backwards, which
cancels the first-order part of its error (antithetic sampling: Mitchell et al., JMLR 23(43), 2022).

Every walk leads from a background row to the explained row, so its steps add up to the difference of their predictions; as
each background row is used equally often, the values of a row add up to its prediction less the mean one exactly. For a
model that is additive on this scale (a linear one) all orders give the same: the values are exact. Columns in which the two
rows agree change nothing and cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.clock import Deadline
from automl.judge.margins import Cells, Margins, differing, mixed, taken

Array = np.ndarray[Any, Any]

CHUNK = 60_000
"""Mixed rows that are predicted in one batch."""
SHARE_OF_A_BATCH = 0.2
"""Of the time that is left, at most."""


@dataclass(frozen=True)
class Attribution:
    """Shapley values of the first rows, as many as there was time for.

    columns: the players. values, errors: (rows, players, outputs), the error being the standard error from sampling orders,
    for the given background; with one round it is only known from above, as walking back and forth makes values exact where
    no more than two columns act together, which one round cannot show. base: (outputs,) the mean over the background.
    output: (rows, outputs); base + values = output.
    """

    columns: tuple[str, ...]
    values: Array
    errors: Array
    base: Array
    output: Array

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class _Walks:
    """Walks from background rows to explained rows, each in an order and its reverse.

    pairs: (walks,) positions of explained and background row. order: (walks, players) places in the order, 0 first; columns
    that do not differ come last. steps: (walks,) how many do.
    """

    pairs: tuple[Array, Array]
    order: Array
    steps: Array


def attribute(
    model: Margins, rows: Cells, background: Cells, seed: int, rounds: int = 1, limit: Deadline | None = None
) -> Attribution:
    """Shapley values of `rows` against `background`.

    rounds: orders, each with its reverse, for each pair of an explained and a background row. limit: rows after it are left
    out, but for the first.
    """
    count, many = _length(rows), _length(background)
    began = 0.0 if limit is None else limit.elapsed_seconds
    output, of_background = model.margins(rows), model.margins(background)
    players, outputs = len(model.players), output.shape[1]
    of_one_row = max(1, 2 * rounds * many * players)
    batch = max(1, CHUNK // of_one_row)
    if limit is not None and limit.budget_seconds is not None:  # small enough for a slow model to look at the clock
        seconds = (limit.elapsed_seconds - began) / max(1, count + many)
        batch = int(np.clip(SHARE_OF_A_BATCH * limit.left_seconds() / max(1e-9, seconds * of_one_row), 1, batch))
    values, errors = [np.zeros((0, players, outputs))], [np.zeros((0, players, outputs))]
    for start in range(0, count, batch):
        if start and limit is not None and limit.expired:
            break
        here = np.arange(start, min(count, start + batch))
        generator = np.random.default_rng([seed, start])
        places = np.repeat(here, many * rounds), np.tile(np.tile(np.arange(many), rounds), len(here))
        walks = _walks(model, rows, background, places, generator)
        found = _walked(model, rows, background, walks, (output, of_background))  # (2, walks, players, outputs)
        ways = found.reshape(2, len(here), rounds, many, players, outputs)
        values.append(ways.mean(axis=(0, 2, 3)))
        errors.append(_errors(ways))
    found_values = np.concatenate(values)
    return Attribution(
        tuple(player.name for player in model.players),
        found_values,
        np.concatenate(errors),
        of_background.mean(axis=0),
        output[: len(found_values)],
    )


def _errors(ways: Array) -> Array:
    """Standard errors (rows, players, outputs) of the means over (2, rows, rounds, background, players, outputs)."""
    _, _, rounds, many, _, _ = ways.shape
    if rounds > 1:
        squares = ways.mean(axis=0).var(axis=1, ddof=1).sum(axis=1) / rounds
    else:  # the two ways as if they were drawn by themselves
        squares = (((ways[0] - ways[1]) / 2) ** 2).sum(axis=(1, 2))
    return np.asarray(np.sqrt(squares) / many)


def _walks(model: Margins, rows: Cells, background: Cells, places: tuple[Array, Array], generator: np.random.Generator) -> _Walks:
    differ = differing(model.players, rows, background, places)
    keys = np.where(differ, generator.random(differ.shape), 2.0)
    order = np.argsort(np.argsort(keys, axis=1), axis=1)
    return _Walks(places, order, differ.sum(axis=1))


def _walked(model: Margins, rows: Cells, background: Cells, walks: _Walks, ends: tuple[Array, Array]) -> Array:
    """What each column changes on each walk, forwards and backwards: (2, walks, players, outputs)."""
    (of_row, of_background), (at_row, at_background) = ends, walks.pairs
    count, players = walks.order.shape
    between = np.maximum(walks.steps - 1, 0)
    walk = np.repeat(np.arange(count), between)
    step = np.arange(len(walk)) - np.repeat(np.cumsum(between) - between, between) + 1  # columns set so far
    found = np.zeros((2, count, players, of_row.shape[1]))
    last = np.maximum(walks.steps - 1, 0)[:, None]
    for way, order in enumerate((walks.order, np.where(walks.order <= last, last - walks.order, walks.order))):
        # margins along the walk: (walks, players + 1, outputs); after the last step it stays at the row's
        along = np.repeat(of_row[at_row][:, None, :], players + 1, axis=1)
        along[:, 0] = of_background[at_background]
        if len(walk):
            chosen = order[walk] < step[:, None]
            cells = mixed(model.players, rows, background, (at_row[walk], at_background[walk]), chosen)
            along[walk, step] = model.margins(cells)
        along[walks.steps == 0, 0] = along[walks.steps == 0, 1]
        found[way] = np.take_along_axis(np.diff(along, axis=1), order[:, :, None], axis=1)
    return found


def influence(model: Margins, rows: Cells, background: Cells, seed: int) -> Array:
    """(players,) how much the margins move on average, over rows and outputs, when one column is replaced by another row's."""
    count, players = _length(rows), len(model.players)
    generator = np.random.default_rng(seed)
    output = model.margins(rows)
    each = np.repeat(np.arange(count), players)
    other = generator.integers(_length(background), size=len(each))
    chosen = ~np.tile(np.eye(players, dtype=bool), (count, 1))
    found = np.zeros(len(each))
    for part in np.array_split(np.arange(len(each)), max(1, len(each) // CHUNK)):
        cells = mixed(model.players, rows, background, (each[part], other[part]), chosen[part])
        found[part] = np.abs(model.margins(cells) - output[each[part]]).mean(axis=1)
    return np.asarray(found.reshape(count, players).mean(axis=0))


def strongest(model: Margins, rows: Cells, background: Cells, most: int, seed: int) -> Margins:
    """The model with at most `most` players: the columns of most influence, and the others together."""
    if len(model.players) <= most:
        return model
    order = np.argsort(-influence(model, rows, background, seed), kind="stable")[: most - 1]
    return model.grouped([model.players[at].name for at in order.tolist()])


def as_shap(found: Attribution, data: Any = None, output: int = 0) -> Any:
    """A `shap.Explanation` of one output, for those who have shap installed and want its plots.

    data: the raw rows, shown beside the values. Raises ImportError where shap is not installed.
    """
    import shap

    base = np.full(len(found), found.base[output])
    shown = None if data is None else np.asarray(data, dtype=object)[: len(found)]
    return shap.Explanation(found.values[:, :, output], base, data=shown, feature_names=list(found.columns))


def _length(cells: Cells) -> int:
    return len(next(iter(cells.values()), ()))


__all__ = ["Attribution", "as_shap", "attribute", "influence", "strongest", "taken"]
