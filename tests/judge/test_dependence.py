"""Partial dependence and Friedman's H on functions whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from automl.core.clock import Deadline
from automl.core.finding import Severity
from automl.core.profile import LEVELS_WITHOUT_SAMPLES
from automl.core.tasks import ALL_TASKS, Task
from automl.judge.checks import dependence as check
from automl.judge.dependence import alone, dependence, interaction
from automl.judge.margins import Margins, margins_of_predict
from automl.report import svg
from tests.judge.made_up import case_of

NAMES = ("a", "b", "c")


def table(rows: int = 80) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.standard_normal((rows, 2)), columns=["a", "b"])
    frame["c"] = generator.choice(["red", "green"], rows)
    return frame


class Typed:
    """Cells as a graph takes them, with numbers as float32."""

    @staticmethod
    def of(predict) -> Margins:
        model = margins_of_predict(predict, NAMES, True, None)

        def read(rows: pd.DataFrame) -> dict[str, np.ndarray]:
            return {name: rows[name].to_numpy(object if name == "c" else np.float32).reshape(-1, 1) for name in NAMES}

        def margins(cells: dict[str, np.ndarray]) -> np.ndarray:
            return np.asarray(predict(pd.DataFrame({name: cells[name].reshape(-1) for name in NAMES})), float).reshape(-1, 1)

        return Margins(model.players, read, margins)


def test_a_curve_tells_its_direction_and_that_of_the_rows() -> None:
    model = Typed.of(lambda frame: np.where(frame["c"] == "red", 1.0, -0.2) * frame["a"] + frame["b"] ** 2)
    rows = model.read(table())
    a, b, c = (dependence(model, player, rows, 0) for player in model.players)
    share = (table()["c"] == "red").mean()
    assert (a.direction, b.direction, c.direction) == ("rises", "both ways", "")
    assert a.agreeing == pytest.approx(share)
    assert np.all(np.diff(a.numbers) > 0) and len(a.numbers) <= 21
    # The partial dependence of an additive part is that part and a constant.
    assert np.ptp(b.mean - b.numbers**2) < 1e-5
    assert sorted(c.levels) == ["green", "red"]


def test_h_is_zero_for_sums_and_one_for_a_pure_product() -> None:
    for predict, low, high in (
        (lambda frame: 3 * frame["a"] - np.exp(frame["b"]), 0.0, 1e-3),
        (lambda frame: (frame["a"] - table()["a"].mean()) * (frame["b"] - table()["b"].mean()), 0.98, 1.0),
        (lambda frame: frame["a"] + frame["b"] + frame["a"] * frame["b"], 0.3, 0.8),
    ):
        model = Typed.of(lambda frame, predict=predict: predict(frame.astype({"a": float, "b": float})))
        rows = model.read(table())
        pair = model.players[0], model.players[1]
        found = interaction(model, pair, (alone(model, pair[0], rows, 0), alone(model, pair[1], rows, 0)), rows, 0, seed=0)
        assert low <= found.value <= high
        assert found.low <= found.value <= found.high


@pytest.mark.parametrize("task", sorted(ALL_TASKS))
def test_findings_show_the_columns_that_matter(task: Task) -> None:
    found = check.run(case_of(task))
    assert [each.code for each in found] == ["AML506", "AML507"]
    assert all(each.severity is Severity.PASSED for each in found), [each.sentence for each in found]
    assert [row[0] for row in found[0].table["rows"]] == ["signal", "weak"]
    for figure in (*found[0].figures, *found[1].figures):
        assert "nan" not in svg.draw(figure, "x")
    late = check.run(case_of(task, deadline=Deadline(0.0)))
    assert [each.severity for each in late] == [Severity.NOT_APPLICABLE]


def test_without_samples_no_single_row_and_no_rare_value_is_shown() -> None:
    case = case_of(Task.BINARY)
    case = replace(case, plan=replace(case.plan, samples=False))
    for figure in check.run(case)[0].figures:
        (mean,) = figure.series
        assert all(float(f"{value:.3g}") == value for value in mean.x)

    def by_color(frame: pd.DataFrame) -> np.ndarray:
        drive = frame["color"].map({"red": 2.0, "green": -2.0, "blue": 0.0}).to_numpy(float)
        return np.stack([1 / (1 + np.exp(drive)), 1 / (1 + np.exp(-drive))], axis=1)

    def shown(distinct: int) -> bool:
        columns = [replace(each, unique=distinct) if each.name == "color" else each for each in case.profile.columns]
        told = check.run(replace(case, predict=by_color, profile=replace(case.profile, columns=tuple(columns))))[0]
        return "green" in str(told)

    assert shown(3)
    assert not shown(LEVELS_WITHOUT_SAMPLES + 1)
