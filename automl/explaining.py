"""Why single rows are predicted as they are by a finished run, and what would change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.core.errors import InputError, nearest
from automl.core.files import decode, encode, read_json
from automl.core.model import Model, load
from automl.core.predictor import canonical, is_missing
from automl.core.profile import Profile
from automl.core.readout import Readout
from automl.core.record import check_files, read_record
from automl.judge import background
from automl.judge.counterfactual import MOST_ANSWERS, Change, Goal, counterfactuals
from automl.judge.margins import Cells, Margins, margins_of_model, probability_of, start_name, start_text, taken
from automl.judge.shapley import Attribution, as_shap, attribute, strongest
from automl.runfolder import open_folder
from automl.search.group_thresholds import limits_of

Array = np.ndarray[Any, Any]

MOST_ROWS = 500
BACKGROUND, ROUNDS, MOST_PLAYERS = 100, 2, 40
ELSEWHERE = "rows are explained for tables, and this run's data is of another kind ({}); what its model looks at is shown in {}"


@dataclass(frozen=True)
class Contribution:
    """What the row's value of a column adds. error: its standard error from sampling."""

    column: str
    value: str
    adds: float
    error: float


@dataclass(frozen=True)
class Changed:
    """A column of a counterfactual: its value and the one that it would have."""

    column: str
    value: str
    instead: str


@dataclass(frozen=True)
class Counterfactual:
    """Changes that lead to another prediction, which the model was asked for. probability: of that class.

    unusual: why the changed row is unlike the training data, though each of its values occurs there; empty where it is like it.
    """

    changes: tuple[Changed, ...]
    prediction: Any
    probability: float | None = None
    unusual: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowExplanation:
    """One row: its prediction, the way to it from the mean of the background rows, and what would change it.

    about: the class whose log-odds are explained, or the target. base + all that is added = output; of classes these are
    log-odds, and the probabilities beside them the same as shares. start: what base is, in words. called_from: the
    probability of the positive class from which on it is called for this row, where a threshold decides and not which class
    is more probable. note: why there is no counterfactual. unusual: why the row is unlike the training data; empty where it
    is like it.
    """

    row: int
    prediction: Any
    about: str
    base: float
    output: float
    contributions: tuple[Contribution, ...]
    probability: float | None = None
    base_probability: float | None = None
    output_probability: float | None = None
    called_from: float | None = None
    counterfactuals: tuple[Counterfactual, ...] = ()
    note: str = ""
    start: str = ""
    unusual: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanations:
    """The rows explained, what they were compared with (background_rows), and which columns no counterfactual changes.

    goal: of a regression the value that counterfactuals are to reach or pass: the wanted one, or the mean of training rows.
    """

    run: str
    target: str
    classification: bool
    background_rows: int
    held: tuple[str, ...]
    goal: float | None
    rows: tuple[RowExplanation, ...]
    attribution: Attribution = field(repr=False, compare=False)
    frame: pd.DataFrame = field(repr=False, compare=False)

    @property
    def scale(self) -> str:
        """The unit of what is added, in words."""
        return "log-odds" if self.classification else self.target

    @property
    def start_name(self) -> str:
        """What the way to a prediction starts from, over the background rows, in words."""
        return start_name(self.classification)

    def as_json(self) -> dict[str, Any]:
        names = ("run", "target", "scale", "start_name", "background_rows", "held", "goal", "rows")
        return {name: encode(getattr(self, name)) for name in names}

    def html(self) -> str:
        """A page of its own that opens offline."""
        from automl.report.explanation import page

        return page(self.as_json())

    def shap(self, output: int = 0) -> Any:
        """A `shap.Explanation` for shap's own plots; of more than two classes that of class number `output`.

        Raises ImportError where shap is not installed.
        """
        names = [name for name in self.attribution.columns if name in self.frame]
        shown = self.frame[names] if len(names) == len(self.attribution.columns) else None
        return as_shap(self.attribution, shown, output)

    def _repr_html_(self) -> str:
        from automl.report.explanation import fragment

        return fragment(self.as_json())


def explain(
    folder: Path,
    rows: Any,
    row: int | None = None,
    hold: Sequence[str] = (),
    want: Any = None,
    data: Any = None,
) -> Explanations:
    """Explain rows by the shipped model of a finished run.

    rows: whatever `predict` takes. row: the number of the only one to explain, from 0. hold: columns that no counterfactual
    changes, besides the sensitive ones of the run. want: the class, or the value to reach, instead of any other class or the
    mean. data: what the run was made from, for a run that keeps no background rows and whose data is no longer at its place.
    Raises InputError where the run is no table's, or rows, columns or the wanted prediction cannot be used.
    """
    open_folder(folder)
    record = read_record(folder)
    contract, model = read_json(folder / "model" / "contract.json"), load(folder)
    profile = read_json(folder / "profile.json")
    if profile["modality"] != "tabular":
        hint = "open it in a browser"
        if profile["modality"] == "mixture":
            hint += ", or fit again with `--modality tabular`: the rows of a model without the texts and files can be explained"
        raise InputError(ELSEWHERE.format(profile["modality"], folder / "report.html"), hint)
    names = [column["name"] for column in contract["columns"]]
    held = _held(folder, hold, names)
    frame = _chosen(model.table(rows), row)
    if (folder / background.NAME).is_file():
        check_files(folder, record, (background.NAME,))
    others = background.kept(folder)
    if others is None:
        others = _from_data(folder, record, names, data)
    readout = decode(Readout, contract.get("readout", {}))
    limits = limits_of(readout, frame, decode(Profile, profile))
    each = None if limits is None else np.broadcast_to(np.asarray(limits, np.float64), len(frame))
    return _Explainer(folder, model, others[names], held, want).explain(frame, row or 0, each)


def _held(folder: Path, hold: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    for name in hold:
        if name not in names:
            raise InputError(f'column "{name}", which is to be held, is none of the model\'s', nearest(name, names))
    from automl.recipe import read_recipe

    sensitive = [name for name in read_recipe(folder / "plan.yaml").sensitive if name in names]
    return tuple(dict.fromkeys([*hold, *sensitive]))


def _chosen(frame: pd.DataFrame, row: int | None) -> pd.DataFrame:
    if row is not None:
        if not 0 <= row < len(frame):
            raise InputError(f"there is no row {row}: the data has {len(frame):,}", "rows are counted from 0")
        return frame.iloc[[row]].reset_index(drop=True)
    if not len(frame):
        raise InputError("the data has no rows to explain")
    if len(frame) > MOST_ROWS:
        raise InputError(
            f"{len(frame):,} rows are more than the {MOST_ROWS} that are explained at once", "choose one with --row N"
        )
    return frame.reset_index(drop=True)


def _from_data(folder: Path, record: dict[str, Any], names: Sequence[str], data: Any) -> pd.DataFrame:
    """Background rows drawn from the data of a run that keeps none."""
    from automl.verifying import data_of

    described = read_json(folder / "dataset.json")
    made_from_frame = described.get("reading", {}).get("format") == "frame"
    if data is None and (made_from_frame or not Path(described["source"]).exists()):
        why = "the run keeps no training rows to compare with, and its data is not at hand"
        raise InputError(why, "say where it is with --data, or in Python: run.explain(rows, data=frame)")
    dataset = data_of(folder, data)
    if dataset.content_hash != record["data_hash"]:
        raise InputError(f"{dataset.source} is not the data that the run was made from", "give it with --data")
    return background.drawn(dataset.frame, names, 0)


class _Explainer:
    """A model with its background rows."""

    def __init__(self, folder: Path, model: Model, others: pd.DataFrame, held: tuple[str, ...], want: Any) -> None:
        self.folder, self.model, self.others, self.held = folder, model, others, held
        self.contract, self.predictor = model.contract, model.predictor
        self.classes = [str(name) for name in self.contract.get("classes", ())]
        positive = str(self.contract.get("positive"))
        self.positive = self.classes.index(positive) if len(self.classes) == 2 and positive in self.classes else None
        self.positive = 1 if self.positive is None and len(self.classes) == 2 else self.positive
        self.margins: Margins = margins_of_model(self.predictor, self.positive)
        self.cells = self.margins.read(others)
        self.compared = np.random.default_rng(0).permutation(len(others))[:BACKGROUND]  # the rows are in the order of the data
        self.want = self._wanted(want)

    def _wanted(self, want: Any) -> Any:
        if want is None:
            return None
        if self.classes:
            if canonical(want) not in self.classes:
                raise InputError(f'there is no class "{want}"', nearest(str(want), self.classes))
            return canonical(want)
        try:
            return float(want)
        except (TypeError, ValueError):
            raise InputError(f'"{want}" is no number to reach', "give a value of the target") from None

    def explain(self, frame: pd.DataFrame, start: int, limits: Array | None = None) -> Explanations:
        """limits: (rows,) from which probability on the positive class is called, None where the more probable one is."""
        cells, compared = self.margins.read(frame), taken(self.cells, self.compared)
        model = strongest(self.margins, cells, compared, MOST_PLAYERS, 0)
        found = attribute(model, cells, compared, 0, rounds=ROUNDS)
        predicted = self.model.predict(frame)
        unusual = self.model.unusual(frame) if self.contract.get("guardrail") else {}
        chances = self.model.predict_proba(frame) if self.classes else None
        rows = []
        for at in range(len(frame)):
            chance = None if chances is None else np.asarray(chances[at], np.float64)
            row = self._row(frame, cells, found, at, (_plain(predicted[at]), chance, start + at))
            row = replace(row, unusual=tuple(unusual.get(at, ())))
            rows.append(row if limits is None else replace(row, called_from=float(limits[at])))
        compared_rows = len(next(iter(compared.values()), ()))
        goal = None if self.classes else self._target()
        facts = (str(self.folder), str(self.contract["target"]), bool(self.classes), compared_rows, self.held, goal)
        return Explanations(*facts, tuple(rows), found, frame)

    def _row(
        self, frame: pd.DataFrame, cells: Cells, found: Attribution, at: int, told: tuple[Any, Array | None, int]
    ) -> RowExplanation:
        prediction, chance, row = told
        output, about = 0, str(self.contract["target"])
        if chance is not None:
            called = self.classes.index(canonical(prediction))
            output = called if self.positive is None else 0
            about = self.classes[called if self.positive is None else self.positive]
        values, errors = found.values[at, :, output], found.errors[at, :, output]
        order = np.argsort(-np.abs(values), kind="stable").tolist()
        contributions = tuple(
            Contribution(name, _shown(frame[name].iloc[at]) if name in frame else "", float(values[each]), float(errors[each]))
            for each, name in ((each, found.columns[each]) for each in order)
        )
        base, end = float(found.base[output]), float(found.output[at, output])
        answers, note = self._counterfactuals(frame, cells, at, prediction)
        shares: dict[str, Any] = {}
        if chance is not None:
            shares = {
                "probability": float(chance[called]),
                "base_probability": float(probability_of(base)),
                "output_probability": float(probability_of(end)),
            }
        return RowExplanation(
            row,
            prediction,
            about,
            base,
            end,
            contributions,
            **shares,
            counterfactuals=answers,
            note=note,
            start=start_text(base, bool(self.classes)),
        )

    # --- what would change it ---

    def _counterfactuals(
        self, frame: pd.DataFrame, cells: Cells, at: int, prediction: Any
    ) -> tuple[tuple[Counterfactual, ...], str]:
        if self.classes and self.want == canonical(prediction):
            return (), f'"{self.want}" is predicted already'
        row, frame = taken(cells, np.array([at])), frame.iloc[[at]]
        answers = self._answers(frame, row, prediction, self._goal(prediction))
        if answers and all(answer.unusual for answer in answers) and self._tells_usual():
            goal = self._goal(prediction)

            def judge(changed: Cells) -> tuple[Array, Array]:
                reached, near = goal.judge(changed)
                if reached.any():
                    reached[reached] = self._usual(taken(changed, np.flatnonzero(reached)))
                return reached, near

            answers = [*self._answers(frame, row, prediction, Goal(judge)), *answers][:MOST_ANSWERS]
        kept = tuple(answers)
        return kept, "" if kept else "no change of up to three columns, to values of the training data, leads there"

    def _answers(self, frame: pd.DataFrame, row: Cells, prediction: Any, goal: Goal) -> list[Counterfactual]:
        """What the search finds and the model confirms, rows that are like the training data first."""
        found = counterfactuals(self.margins.players, row, self.cells, goal, self.held)
        asked = [self._asked(frame, changes) for changes in found]
        reached = [answer for answer in asked if self._reached(prediction, answer.prediction)]
        return sorted(reached, key=lambda answer: (len(answer.changes), bool(answer.unusual)))

    def _tells_usual(self) -> bool:
        """Whether parsed cells can be given to the guardrail as they are; dates are no epoch seconds to it."""
        plain = all(len(player.inputs) == 1 for player in self.margins.players)
        dated = any(column["parse"]["as"] == "datetime" for column in self.contract["columns"])
        return bool(self.contract.get("guardrail")) and plain and not dated

    def _usual(self, cells: Cells) -> Array:
        """(rows,) where the guardrail has nothing to say."""
        count = len(next(iter(cells.values())))
        given = {player.name: cells[player.inputs[0]].reshape(-1) for player in self.margins.players}
        usual = np.ones(count, bool)
        usual[list(self.model.unusual(pd.DataFrame(given)))] = False
        return usual

    def _goal(self, prediction: Any) -> Goal:
        def judge(cells: Cells) -> tuple[Array, Array]:
            outputs = self.predictor.run_feeds(cells)
            if not self.classes:
                values, target = outputs[0].reshape(-1).astype(np.float64), self._target()
                upwards = target > float(prediction)
                return (values >= target) if upwards else (values <= target), values if upwards else -values
            labels = np.array([canonical(label) for label in self.predictor._labels(outputs[0])], dtype=object)
            if self.want is not None:
                return labels == self.want, outputs[1][:, self.classes.index(self.want)].astype(np.float64)
            own = canonical(prediction)
            return labels != own, -outputs[1][:, self.classes.index(own)].astype(np.float64)

        return Goal(judge)

    def _target(self) -> float:
        """The value to reach: the wanted one, or the mean of the background."""
        if self.want is not None:
            return float(self.want)
        return float(self.margins.margins(self.cells).mean())

    def _reached(self, before: Any, after: Any) -> bool:
        if not self.classes:
            target = self._target()
            return bool(after >= target if target > before else after <= target)
        return bool(canonical(after) == self.want if self.want is not None else canonical(after) != canonical(before))

    def _asked(self, row: pd.DataFrame, changes: Sequence[Change]) -> Counterfactual:
        """The changed row as a user would write it, predicted as any other."""
        cells = {str(name): row[name].iloc[0] for name in row.columns}
        told = []
        for player, other in changes:
            name = self.margins.players[player].name
            instead = self.others[name].iloc[other]
            told.append(Changed(name, _shown(cells[name]), _shown(instead)))
            cells[name] = instead
        again = [{name: None if is_missing(value) else value for name, value in cells.items()}]
        prediction = _plain(self.model.predict(again)[0])
        probability = None
        if self.classes:
            probability = float(self.model.predict_proba(again)[0][self.classes.index(canonical(prediction))])
        unusual = self.model.unusual(again).get(0, ()) if self.contract.get("guardrail") else ()
        return Counterfactual(tuple(told), prediction, probability, tuple(unusual))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _shown(value: Any) -> str:
    """A cell as it is told; numbers without more digits than they need."""
    if is_missing(value) or value == "":
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) and not float(value).is_integer() else canonical(value)
