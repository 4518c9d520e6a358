"""A model as a function of cells that were parsed once, on the scale on which influences add up.

The scale is that of the value for a regression, and log-odds where there are probabilities: of the positive class, or,
where there are more than two, of each class against the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from automl.core.case import Case, Predict
from automl.core.profile import ColumnProfile, Kind
from automl.judge.wording import figures_text, percent_text

Array = np.ndarray[Any, Any]
Cells = dict[str, Array]
"""Inputs by name, all of equal length: (rows, 1), or (rows,)."""

PLAIN = (Kind.NUMBER, Kind.BOOLEAN, Kind.CATEGORY, Kind.DATETIME)
LEAST_PROBABILITY = 1e-7
OTHERS = "all other columns"
EASY_BYTES, LEAST_EASE = 4e5, 0.12


@dataclass(frozen=True)
class Player:
    """A column, or several that are only ever replaced together. inputs: the names of their cells."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Margins:
    """read: raw rows to cells; margins: cells to (rows, outputs); players: what is replaced as one."""

    players: tuple[Player, ...]
    read: Callable[[Any], Cells]
    margins: Callable[[Cells], Array]

    def of(self, rows: Any) -> Array:
        """(rows, outputs) of raw rows."""
        return self.margins(self.read(rows))

    def grouped(self, kept: Sequence[str]) -> Margins:
        """The same model with all but the `kept` columns as one player."""
        alone = tuple(player for player in self.players if player.name in kept)
        rest = [name for player in self.players if player.name not in kept for name in player.inputs]
        together = (Player(OTHERS, tuple(rest)),) if rest else ()
        return Margins((*alone, *together), self.read, self.margins)


def log_odds(probabilities: Array, positive: int | None) -> Array:
    """(rows, 1) of the positive class, or (rows, classes) of each class against the others where `positive` is None.

    The odds are those of a class against the sum of the others, not against 1 - p, which float32 rounds away.
    """
    kept = np.maximum(np.asarray(probabilities, np.float64), LEAST_PROBABILITY)
    found = np.log(kept) - np.log(kept.sum(axis=1, keepdims=True) - kept)
    return found if positive is None else found[:, [positive]]


def probability_of(margin: Array | float) -> Array:
    """Log-odds as probabilities."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(margin, np.float64))))


def start_name(classification: bool) -> str:
    """What the way to a prediction starts from, over the background rows; the mean of log-odds is not that of probabilities."""
    return "mean margin" if classification else "mean prediction"


def start_text(base: float, classification: bool) -> str:
    """`log-odds -1.57 (17.3 %), the mean margin of the background rows`, or `12.3, the mean prediction of ...`."""
    level = figures_text(base)
    if classification:
        level = f"log-odds {level} ({percent_text(float(probability_of(base)))})"
    return f"{level}, the {start_name(classification)} of the background rows"


def margins_of_model(predictor: Any, positive: int | None) -> Margins:
    """An opened model folder of a table; `positive` as in `log_odds`."""
    players = tuple(
        Player(column["name"], tuple(feed["input"] for feed in column.get("feeds", [column])))
        for column in predictor.contract["columns"]
    )

    def margins(cells: Cells) -> Array:
        output = predictor.run_feeds(cells)[-1]
        return output.reshape(-1, 1).astype(np.float64) if predictor.is_regression else log_odds(output, positive)

    return Margins(players, predictor.feeds, margins)


def margins_of_predict(predict: Predict, columns: Sequence[str], regression: bool, positive: int | None) -> Margins:
    """Any function of raw rows; it parses every mixture of cells again, which is slower."""

    def read(rows: pd.DataFrame) -> Cells:
        return {name: rows[name].to_numpy(dtype=None if is_numeric_dtype(rows[name]) else object) for name in columns}

    def margins(cells: Cells) -> Array:
        frame = pd.DataFrame(cells).infer_objects()
        output = np.asarray(predict(frame), np.float64)
        return output.reshape(-1, 1) if regression else log_odds(output, positive)

    return Margins(tuple(Player(name, (name,)) for name in columns), read, margins)


def positive_of(case: Case) -> int | None:
    """The class that the margins are about; None: about every class (or a value)."""
    return case.positive if len(case.profile.classes) == 2 else None


def plain_columns(case: Case) -> list[ColumnProfile]:
    """The features of a plain table; none where the rows are not, as their modality has its own explanations."""
    if case.profile.modality != "tabular":
        return []
    features = [column for column in case.profile.features if column.name in case.judged.columns]
    return features if all(column.kind in PLAIN for column in features) else []


def margins_of(case: Case) -> Margins | None:
    """The judged model; None where there is none or the rows are no plain table."""
    columns = plain_columns(case)
    if case.predict is None or not columns:
        return None
    if case.predictor is not None:
        return margins_of_model(case.predictor, positive_of(case))
    names, regression = [column.name for column in columns], not case.profile.task.is_classification
    return margins_of_predict(case.predict, names, regression, positive_of(case))


def explainable(case: Case, least_seconds: float) -> Margins | str:
    """The judged model where there are rows and time to ask it, or the reason why it is not asked."""
    if not len(case.truth):
        return "no rows were judged"
    if case.deadline.lacks(least_seconds):
        return "no time was left"
    return margins_of(case) or "the rows are no plain table; what the model looks at is told in its own way"


def ease(case: Case) -> float:
    """How much of the usual effort a model of this size is given, up to 1: what one prediction takes grows with its bytes.

    The size is asked and no clock, so that a run that counts trials does the same each time.
    """
    return float(np.clip(EASY_BYTES / max(1.0, float(case.model.get("bytes") or 0.0)), LEAST_EASE, 1.0))


def taken(cells: Mapping[str, Array], rows: Array) -> Cells:
    """The cells of some rows."""
    return {name: values[rows] for name, values in cells.items()}


def mixed(players: Sequence[Player], first: Cells, second: Cells, places: tuple[Array, Array], chosen: Array) -> Cells:
    """Rows of which every player comes from one of two sources.

    places: (rows,) positions in `first` and in `second`; chosen: (rows, players) True where the cell is that of `first`.
    """
    found: Cells = {}
    for at, player in enumerate(players):
        here = chosen[:, at]
        for name in player.inputs:
            values = second[name][places[1]]
            values[here] = first[name][places[0][here]]
            found[name] = values
    return found


def differing(players: Sequence[Player], first: Cells, second: Cells, places: tuple[Array, Array]) -> Array:
    """(rows, players) where the cells of two sources differ; what is missing in both does not."""
    found = np.zeros((len(places[0]), len(players)), bool)
    for at, player in enumerate(players):
        for name in player.inputs:
            a, b = first[name][places[0]], second[name][places[1]]
            unequal = (a != b) & ~((a != a) & (b != b))
            found[:, at] |= unequal.reshape(len(unequal), -1).any(axis=1).astype(bool)
    return found
