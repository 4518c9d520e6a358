"""Whether attributions deserve belief: columns are replaced in their order, and in random orders, and the prediction watched.

The deletion test of Samek et al., IEEE TNNLS 28, 2017, for tables: replaced means set to another row's value. Where the
attributions name what a prediction rests on, replacing the columns that are said to raise it most lowers it sooner than
replacing columns at random; the area between the two curves says by how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.core.statistics import percentile_interval
from automl.judge.margins import Cells, Margins, mixed, taken
from automl.judge.shapley import CHUNK, Attribution

Array = np.ndarray[Any, Any]

MOST_POINTS = 12
RANDOM_ORDERS = 4
RESAMPLES = 500


@dataclass(frozen=True)
class Deletion:
    """Falls of the explained output, averaged over the rows: (points,) each with its interval, by the share replaced.

    area, low, high: mean distance of the curves with its 95 % interval over rows. scale: the mean size of a prediction's
    distance from the mean prediction, to measure the area by.
    """

    shares: Array
    ordered: Array
    ordered_interval: tuple[Array, Array]
    random: Array
    area: float
    low: float
    high: float
    scale: float
    rows: int


def deletion(model: Margins, rows: Cells, found: Attribution, outputs: Array, replacing: Cells, seed: int) -> Deletion:
    """The test on the rows of an attribution.

    outputs: (rows,) which output of each row is explained. replacing: rows whose cells take the place of the replaced ones;
    others than the background of the attribution, so that nothing is shown what it was made from.
    """
    generator = np.random.default_rng(seed)
    count, players = len(found), len(model.players)
    each = np.arange(count)
    values = found.values[each, :, outputs]
    points = np.unique(np.linspace(0, players, min(players + 1, MOST_POINTS)).round().astype(int))
    orders = [np.argsort(np.argsort(-values, axis=1, kind="stable"), axis=1)]
    orders += [np.argsort(generator.random(values.shape), axis=1) for _ in range(RANDOM_ORDERS)]
    start = found.output[each, outputs]
    falls = np.stack([_falls(model, taken(rows, each), replacing, (order, points, outputs), start) for order in orders])
    ordered, by_chance = falls[0], falls[1:].mean(axis=0)  # (rows, points)
    between = (ordered - by_chance).mean(axis=1)
    drawn = generator.integers(count, size=(RESAMPLES, count))
    low, high = percentile_interval(between[drawn].mean(axis=1))
    curves = ordered[drawn].mean(axis=1)
    return Deletion(
        points / players,
        ordered.mean(axis=0),
        (np.quantile(curves, 0.025, axis=0), np.quantile(curves, 0.975, axis=0)),
        by_chance.mean(axis=0),
        float(between.mean()),
        low,
        high,
        float(np.abs(start - found.base[outputs]).mean()),
        count,
    )


def _falls(model: Margins, rows: Cells, replacing: Cells, how: tuple[Array, Array, Array], start: Array) -> Array:
    """How far the output has fallen once the first of an order are replaced: (rows, points), averaged over `replacing`."""
    order, points, outputs = how
    count, others = len(start), len(next(iter(replacing.values())))
    row, point, other = (axis.ravel() for axis in np.meshgrid(np.arange(count), points, np.arange(others), indexing="ij"))
    margins = np.zeros(len(row))
    for part in np.array_split(np.arange(len(row)), max(1, len(row) // CHUNK)):
        kept = order[row[part]] >= point[part, None]
        cells = mixed(model.players, rows, replacing, (row[part], other[part]), kept)
        margins[part] = model.margins(cells)[np.arange(len(part)), outputs[row[part]]]
    return np.asarray(start[:, None] - margins.reshape(count, len(points), others).mean(axis=2))
