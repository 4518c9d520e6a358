"""Laws of profiling: what a column is does not depend on how it is stored, and no honest column is accused."""

from __future__ import annotations

import datetime
import subprocess
import sys
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.files import decode, encode
from automl.core.options import Options
from automl.core.predictor import parse_column
from automl.core.profile import Kind, Profile, Role
from automl.core.tasks import Task
from automl.profiling import profile
from automl.profiling.duplicates import column_hash, renamed_columns

ROWS = 300


def dataset(frame: pd.DataFrame) -> Dataset:
    return Dataset(frame, "data", "data.csv", "hash")


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as a CSV file would give it: every cell a string, "" where missing."""
    return pd.DataFrame({name: ["" if pd.isna(cell) else str(cell) for cell in frame[name]] for name in frame})


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def profile_of(values: Any, name: str = "column", options: Options | None = None) -> Profile:
    """A profile of one column beside an honest one and a binary target."""
    random = generator()
    rows = len(values)
    frame = pd.DataFrame({name: values, "honest": random.normal(size=rows), "target": random.integers(0, 2, rows)})
    return profile(dataset(frame), options or Options())


DAYS = [datetime.date(2019, 1, 1) + datetime.timedelta(days=int(day)) for day in generator().integers(0, 900, ROWS)]
AMOUNTS = np.round(generator().uniform(-9_000, 90_000, ROWS), 2)

WRITTEN_NUMBERS: dict[str, Callable[[float], str]] = {
    "plain": lambda value: f"{value:.2f}",
    "currency": lambda value: f"${value:,.2f} ".replace("$-", "-$"),
    "german": lambda value: f"{value:,.2f}".translate(str.maketrans(",.", ".,")),
    "decimal comma": lambda value: f"{value:.2f}".replace(".", ","),
    "swiss": lambda value: f"{value:,.2f}".replace(",", "'"),
    "french": lambda value: f"{value:,.2f} €".translate(str.maketrans({",": "\u202f", ".": ","})),
    "accounting": lambda value: f"({-value:,.2f})" if value < 0 else f"{value:,.2f}",
}


@pytest.mark.parametrize("style", WRITTEN_NUMBERS)
def test_numbers_are_read_however_they_are_written(style: str) -> None:
    cells = [WRITTEN_NUMBERS[style](value) for value in AMOUNTS]
    column = profile_of(cells).column("column")
    assert column.kind is Kind.NUMBER
    np.testing.assert_allclose(parse_column(cells, column.parse), AMOUNTS, atol=1e-9)


def test_a_decimal_comma_elsewhere_in_the_file_makes_dots_thousands() -> None:
    frame = pd.DataFrame(
        {"people": ["1.200", "3.450", "987"] * 20, "share": ["1,5", "2,75", "3,1"] * 20, "target": ["a", "b"] * 30}
    )
    semicolons = Dataset(frame, "data", "data.csv", "hash", {"delimiter": ";"})
    assert profile(semicolons).column("people").statistics["maximum"] == 3_450
    assert profile(dataset(frame)).column("people").statistics["maximum"] == 987


@pytest.mark.parametrize("word", ["", " ", "?", "NA", "N/A", "null", "-", "NaN"])
def test_words_for_missing_are_missing_in_a_number_column(word: str) -> None:
    cells = [word if row % 3 == 0 else f"{value}" for row, value in enumerate(AMOUNTS)]
    column = profile_of(cells).column("column")
    assert column.kind is Kind.NUMBER
    assert column.missing_fraction == pytest.approx(1 / 3, abs=0.01)


def test_few_stray_words_are_missing_and_many_make_a_category() -> None:
    whole = generator().integers(0, 50, ROWS)
    few = profile_of(["broken" if row % 50 == 0 else str(value) for row, value in enumerate(whole)]).column("column")
    assert few.kind is Kind.NUMBER
    assert '"broken"' in few.evidence
    many = profile_of(["broken" if row % 4 == 0 else str(value) for row, value in enumerate(whole)]).column("column")
    assert many.kind is Kind.CATEGORY


@pytest.mark.parametrize(
    "formats",
    [
        ["%Y-%m-%d"],
        ["%m/%d/%Y"],
        ["%d/%m/%Y"],
        ["%m/%d/%y"],
        ["%Y%m%dT000000"],
        ["%Y%m%d"],
        ["%d.%m.%Y"],
        ["%d %B %Y"],
        ["%Y-%m-%d 00:00:00"],
        ["%m/%d/%Y 12:00 AM"],
        ["%Y-%m-%d", "%d.%m.%Y", "%b %d, %Y"],
    ],
    ids=str,
)
def test_dates_are_read_in_every_format(formats: list[str]) -> None:
    cells = [day.strftime(formats[row % len(formats)]) for row, day in enumerate(DAYS)]
    column = profile_of(cells).column("column")
    assert column.kind is Kind.DATETIME, column.evidence
    assert column.dtype == "int64"
    epoch = [(day - datetime.date(1970, 1, 1)).days * 86_400 for day in DAYS]
    assert parse_column(cells, column.parse).tolist() == epoch
    assert (column.statistics["first"], column.statistics["last"]) == (str(min(DAYS)), str(max(DAYS)))


def test_dates_whose_day_and_month_are_open_are_said_aloud() -> None:
    cells = [f"{month:02d}/{day:02d}/2020" for month, day in generator().integers(1, 13, (ROWS, 2))]
    found = profile_of(cells)
    assert found.column("column").kind is Kind.DATETIME
    assert any("day or month first" in note for note in found.notes)


@pytest.mark.parametrize("pair", [("yes", "no"), ("True", "FALSE"), ("t", "f"), ("Y", "N"), ("1", "0")])
def test_two_words_are_a_boolean(pair: tuple[str, str]) -> None:
    cells = [pair[code] for code in generator().integers(0, 2, ROWS)]
    column = profile_of(cells).column("column")
    assert column.kind is Kind.BOOLEAN
    assert parse_column(cells, column.parse).tolist() == [float(cell == pair[0]) for cell in cells]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("customerID", [f"{row:04d}-XY" for row in range(ROWS)], Kind.IDENTIFIER),
        ("column", [str(uuid.UUID(int=row + 2**100)) for row in range(ROWS)], Kind.IDENTIFIER),
        ("PassengerId", list(range(1, ROWS + 1)), Kind.IDENTIFIER),
        ("instant", list(range(1, ROWS + 1)), Kind.IDENTIFIER),
        ("order_number", (generator().permutation(9 * ROWS)[:ROWS] + 10_000).tolist(), Kind.IDENTIFIER),
        ("age", (generator().permutation(ROWS) * 3 + 18).tolist(), Kind.NUMBER),
        ("price", generator().permutation(50 * ROWS)[:ROWS].tolist(), Kind.NUMBER),
        ("paid", generator().permutation(50 * ROWS)[:ROWS].tolist(), Kind.NUMBER),
        ("grid_id_distance", generator().normal(size=ROWS).tolist(), Kind.NUMBER),
        ("year", generator().integers(1950, 2020, ROWS).tolist(), Kind.NUMBER),
        ("code", [f"{code:05d}" for code in generator().integers(100, 900, ROWS)], Kind.CATEGORY),
        ("zipcode", generator().integers(98_000, 98_070, ROWS).tolist(), Kind.CATEGORY),
        ("comment", [" ".join(map(str, words)) for words in generator().integers(0, 999, (ROWS, 8))], Kind.TEXT),
        ("mood", ['😀 "so"', "ok, fine", "ü"] * (ROWS // 3), Kind.CATEGORY),
        ("same", ["x"] * ROWS, Kind.CONSTANT),
        ("nothing", [""] * ROWS, Kind.CONSTANT),
        ("nan", [np.nan] * ROWS, Kind.CONSTANT),
    ],
)
@pytest.mark.parametrize("text", [False, True])
def test_kinds(name: str, values: list[Any], kind: Kind, text: bool) -> None:
    cells = ["" if isinstance(value, float) and np.isnan(value) else str(value) for value in values] if text else values
    column = profile_of(cells, name).column(name)
    assert column.kind is kind, column.evidence
    assert (column.role is Role.FEATURE) == (kind in (Kind.NUMBER, Kind.CATEGORY, Kind.TEXT))
    assert column.evidence
    assert (column.reason == "") == (column.role is Role.FEATURE)


def test_storage_does_not_change_the_kind() -> None:
    random = generator()
    frame = pd.DataFrame(
        {
            "number": random.normal(size=ROWS),
            "whole": random.integers(0, 30, ROWS),
            "category": random.choice(["a", "b", "c"], ROWS),
            "boolean": random.integers(0, 2, ROWS) == 1,
            "date": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, ROWS), unit="D"),
            "target": random.choice(["good", "bad"], ROWS),
        }
    )
    frame.loc[::7, ["number", "category"]] = None
    typed, text = profile(dataset(frame)), profile(dataset(as_text(frame)))
    for mine, other in zip(typed.columns, text.columns, strict=True):
        assert (mine.kind, mine.dtype, mine.role, mine.missing_fraction) == (
            other.kind,
            other.dtype,
            other.role,
            other.missing_fraction,
        )
        assert mine.association == pytest.approx(other.association)
    assert (typed.classes, typed.positive) == (text.classes, text.positive)


def test_a_profile_survives_json() -> None:
    found = profile_of([WRITTEN_NUMBERS["currency"](value) for value in AMOUNTS])
    assert decode(Profile, encode(found)) == found


def test_infinite_values_are_missing_and_said() -> None:
    values = AMOUNTS.copy()
    values[:6] = np.inf
    column = profile_of(values).column("column")
    assert column.missing_fraction == pytest.approx(6 / ROWS)
    assert "6 infinite" in column.evidence
    assert np.isfinite(column.statistics["maximum"])


def test_float64_only_where_float32_would_merge_values_that_matter() -> None:
    seconds = (1_600_000_000 + generator().permutation(ROWS * 50)[:ROWS]).astype(np.float64)
    assert profile_of(seconds).column("column").dtype == "float64"
    assert profile_of(generator().normal(size=ROWS) * 1e9).column("column").dtype == "float32"
    assert profile_of(np.round(47 + generator().random(ROWS), 4)).column("column").dtype == "float32"


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_a_copy_of_the_target_is_suspected_and_noise_is_not(task: Task) -> None:
    random = generator()
    truth = random.integers(0, 2, 1_000) if task is Task.BINARY else np.exp(random.normal(size=1_000))
    noisy = truth + random.normal(size=1_000) * (0.5 if task is Task.BINARY else 0.7)
    frame = pd.DataFrame({"noise": random.normal(size=1_000), "strong": noisy, "copy": truth * 3.0 + 1e-3, "target": truth})
    found = profile(dataset(frame))
    assert found.task is task
    assert [leak.column for leak in found.suspected_leaks] == ["copy"]
    assert found.column("copy").role is Role.FEATURE
    assert found.column("strong").association > 0.3
    dropped = profile(dataset(frame), Options(drop_leaks=True))
    assert dropped.column("copy").role is Role.UNUSED


def test_parts_that_sum_to_the_target_are_suspected() -> None:
    random = generator()
    parts = random.integers(0, 200, (2_000, 2))
    frame = pd.DataFrame(
        {"casual": parts[:, 0], "registered": parts[:, 1], "other": random.normal(size=2_000), "cnt": parts.sum(axis=1)}
    )
    found = profile(dataset(frame), Options(target="cnt"))
    assert {leak.column for leak in found.suspected_leaks} == {"casual", "registered"}


@pytest.mark.parametrize("name", ["iris", "breast_cancer", "wine", "diabetes", "digits"])
def test_honest_data_is_not_accused(name: str) -> None:
    import sklearn.datasets

    frame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
    found = profile(dataset(frame))
    assert found.target == "target"
    assert found.task is {"breast_cancer": Task.BINARY, "diabetes": Task.REGRESSION}.get(name, Task.MULTICLASS)
    assert not found.suspected_leaks
    left_out = [column for column in found.columns if column.role is not Role.FEATURE and column.name != "target"]
    assert all(column.kind is Kind.CONSTANT for column in left_out)


def test_association_of_noise_is_chance_and_of_order_is_high() -> None:
    random = generator()
    truth = random.integers(0, 3, 3_000)
    frame = pd.DataFrame(
        {
            "noise": random.normal(size=3_000),
            "levels": random.integers(0, 900, 3_000).astype(str),
            "good": truth + random.normal(size=3_000) * 0.3,
            "class": truth,
        }
    )
    found = profile(dataset(frame))
    assert found.column("noise").association == pytest.approx(0.5, abs=0.05)
    assert found.column("levels").association == pytest.approx(0.5, abs=0.05)
    assert found.column("good").association > 0.9


def test_duplicate_rows_are_counted_and_copies_told_from_chance() -> None:
    random = generator()
    frame = pd.DataFrame(random.normal(size=(400, 4)), columns=list("abcd"))
    frame["target"] = random.integers(0, 2, 400)
    doubled = pd.concat([frame, frame.iloc[:100]], ignore_index=True).assign(row=lambda data: np.arange(len(data)))
    found = profile(dataset(doubled), Options(target="target")).duplicates
    assert (found.rows, found.conflicting, found.distinctive) == (100, 0, True)
    assert found.straddling_fraction == pytest.approx(200 * 0.8 / 500)
    coarse = pd.DataFrame(random.integers(0, 3, (400, 3)), columns=list("abc")).assign(target=random.integers(0, 2, 400))
    by_chance = profile(dataset(coarse)).duplicates
    assert by_chance.rows == int(coarse.duplicated().sum())
    assert by_chance.conflicting > 0
    assert not by_chance.distinctive


def test_straddling_fraction_agrees_with_a_simulation() -> None:
    random = generator()
    frame = pd.DataFrame({"a": random.integers(0, 150, 600), "b": 1.5, "target": random.integers(0, 2, 600)})
    claimed = profile(dataset(frame)).duplicates.straddling_fraction
    keys = frame.astype(str).agg("|".join, axis=1).to_numpy()
    shares = []
    for _ in range(60):
        test = random.permutation(600) < 120
        shares.append(np.isin(keys[test], keys[~test]).mean())
    assert claimed == pytest.approx(np.mean(shares), abs=0.02)


def test_duplicate_columns_keep_the_first() -> None:
    values = generator().normal(size=ROWS)
    frame = pd.DataFrame({"a": values, "b": values, "c": -values, "target": generator().integers(0, 2, ROWS)})
    found = profile(dataset(frame))
    assert found.duplicate_columns == (("a", "b"),)
    assert [column.name for column in found.features] == ["a", "c"]


def test_columns_that_say_the_same_in_other_words_are_told_and_kept() -> None:
    level = generator().integers(0, 5, ROWS)
    names = np.array(["none", "school", "college", "master", "doctor"])[level]
    nearly = np.where(np.arange(ROWS) == ROWS - 1, "none", names)
    frame = pd.DataFrame({"name": names, "number": 7 - level, "nearly": nearly, "x": generator().normal(size=ROWS)})
    frame.loc[ROWS - 1, ["name", "number"]] = "doctor", 3
    found = profile(dataset(frame.assign(target=generator().integers(0, 2, ROWS))))
    assert found.renamed_columns == (("name", "number"),)
    assert [column.name for column in found.features] == ["name", "number", "nearly", "x"]


def test_columns_that_are_alike_for_long_are_compared_to_the_end() -> None:
    late = np.r_[np.zeros(30_000, int), generator().integers(0, 4, 30_000)]
    other = np.r_[np.zeros(30_000, int), generator().integers(0, 4, 30_000)[::-1]]
    assert renamed_columns(["a", "b", "c"], [column_hash(each.astype(float)) for each in (late, other, 7.0 - late)]) == (
        ("a", "c"),
    )


def test_order_in_time_is_seen() -> None:
    assert profile_of([str(day) for day in sorted(DAYS)]).ordered_in_time == "column"
    assert profile_of([str(day) for day in DAYS]).ordered_in_time is None


# --- the target ------------------------------------------------------------------------------------------------------


def target_profile(values: Any, name: str = "target", **choices: Any) -> Profile:
    frame = pd.DataFrame({"feature": generator().normal(size=len(values)), name: values})
    return profile(dataset(frame), Options(**choices))


@pytest.mark.parametrize(
    ("name", "values", "task"),
    [
        ("class", [1, 2, 3, 4, 5, 7] * 50, Task.MULTICLASS),
        ("target", [0, 1] * 150, Task.BINARY),
        ("y", ["a", "b", "c"] * 100, Task.MULTICLASS),
        ("rings", generator().poisson(10, 300).tolist(), Task.REGRESSION),
        ("Class_Rings", generator().integers(1, 30, 300).tolist(), Task.REGRESSION),
        ("quality", np.clip(np.round(generator().normal(6, 1, 300)), 3, 9).tolist(), Task.REGRESSION),
        ("digit", [float(value) for value in range(10)] * 30, Task.MULTICLASS),
        ("price", generator().normal(size=300).tolist(), Task.REGRESSION),
        ("price", [f"${value:,.2f}" for value in AMOUNTS], Task.REGRESSION),
        ("flag", [True, False] * 150, Task.BINARY),
        ("y", ["0", "1", "unknown"] * 100, Task.MULTICLASS),
        ("y", [f"{value}" if row % 40 else "lost" for row, value in enumerate(AMOUNTS)], Task.REGRESSION),
    ],
)
def test_task_is_told_from_the_target(name: str, values: list[Any], task: Task) -> None:
    found = target_profile(values, name)
    assert found.task is task, found.task_evidence
    assert (len(found.classes) > 0) == task.is_classification
    if task is Task.REGRESSION:
        assert {"minimum", "maximum", "mean", "std", "median", "skew", "histogram"} <= set(found.target_statistics)
    else:
        assert sum(found.class_counts) == len(values)
        codes = {name: at for at, name in enumerate(found.classes)}
        assert set(parse_column(pd.Series(values), found.target_parse)) == set(codes)


@pytest.mark.parametrize(
    ("values", "classes", "class_type", "positive"),
    [
        (["yes", "no", "no"] * 50, ("no", "yes"), "string", "yes"),
        ([1, 0, 0] * 50, ("0", "1"), "int64", "1"),
        (["10", "9", "9"] * 50, ("9", "10"), "int64", "10"),
        ([1.0, 2.0, 2.0] * 50, ("1", "2"), "int64", "1"),
        ([True, False, False] * 50, ("False", "True"), "boolean", "True"),
        (["good", "bad", "good"] * 50, ("bad", "good"), "string", "bad"),
        ([-1, 1, 1] * 50, ("-1", "1"), "int64", "1"),
    ],
)
def test_classes_and_the_positive_one(values: list[Any], classes: tuple[str, ...], class_type: str, positive: str) -> None:
    found = target_profile(values)
    assert (found.classes, found.class_type, found.positive) == (classes, class_type, positive)
    assert any("--positive" in note for note in found.notes)
    assert target_profile(values, positive=classes[0]).positive == classes[0]


def test_rows_without_target_are_counted() -> None:
    found = target_profile(["", "a", "b"] * 50)
    assert found.rows_without_target == 50
    assert found.rows == 150
    assert found.classes == ("a", "b")


def test_the_target_is_guessed_and_said() -> None:
    frame = pd.DataFrame({"Label": ["a", "b"] * 50, "z": range(100), "last": generator().normal(size=100)})
    found = profile(dataset(frame))
    assert found.target == "Label"
    assert any("--target" in note for note in found.notes)
    coordinates = pd.DataFrame(generator().normal(size=(50, 4)), columns=["x", "y", "z", "price"])
    assert profile(dataset(coordinates)).target == "price"
    assert profile(dataset(coordinates), Options(target="y")).notes == ()


@pytest.mark.parametrize(
    ("values", "choices", "said"),
    [
        (["a", "b"] * 50, {"target": "targte"}, 'column "targte" is not in data.csv; did you mean "target"?'),
        ([""] * 50, {}, "missing in every row"),
        (["a"] * 50, {}, '"a" in every row'),
        ([f"c{row}" for row in range(50)], {}, "too many for the rows"),
        (["a"] * 49 + ["b"], {}, "only 1 of the 2 classes"),
        (["a", "b", "b"], {}, "3 rows"),
        (["a"], {}, "one row"),
        (["a"] * 4 + ["b"] * 4 + [""] * 40, {}, "only 8 rows"),
        (["a", "b", "c"] * 50, {"task": "binary"}, "needs two classes"),
        (["a", "b"] * 50, {"task": "multiclass"}, "three classes"),
        (["a", "b"] * 50, {"task": "regression"}, "needs numbers"),
        (["a", "b"] * 50, {"task": "regresion"}, 'did you mean "regression"?'),
        (["yes", "no"] * 50, {"positive": "yess"}, 'did you mean "yes"?'),
        (["a", "b"] * 50, {"drop": ("featur",)}, 'did you mean "feature"?'),
        (["a", "b"] * 50, {"drop": ("feature",)}, "no column is left"),
        (["a", "b"] * 50, {"drop": ("target",)}, "is the target"),
        (["a", "b"] * 50, {"features": ("faeture",)}, 'did you mean "feature"?'),
        (["a", "b"] * 50, {"kinds": {"feature": "categroy"}}, 'did you mean "category"?'),
        (["a", "b"] * 50, {"kinds": {"feature": "datetime"}}, "cannot be read as datetime"),
        (["a", "b"] * 50, {"weight": "feature"}, "negative"),
        ([str(day) for day in DAYS], {}, "holds dates"),
    ],
)
def test_what_cannot_be_learned_is_one_sentence(values: list[Any], choices: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        target_profile(values, **choices)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


# --- options ---------------------------------------------------------------------------------------------------------


def test_kinds_and_selections_are_obeyed() -> None:
    random = generator()
    frame = pd.DataFrame({name: random.integers(1, 9, ROWS) for name in ("a", "b", "c", "w", "g")}).assign(
        target=[0, 1] * (ROWS // 2)
    )
    found = profile(dataset(frame), Options(kinds={"a": "category"}, drop=("b",), weight="w", group="g"))
    assert found.column("a").kind is Kind.CATEGORY
    assert found.column("a").dtype == "string"
    assert "--drop" in found.column("b").reason
    assert (found.column("w").role, found.column("g").role) == (Role.WEIGHT, Role.GROUP)
    assert [column.name for column in found.features] == ["a", "c"]
    only = profile(dataset(frame), Options(features=("c",)))
    assert [column.name for column in only.features] == ["c"]


def test_wide_and_many_levels() -> None:
    random = generator()
    wide = pd.DataFrame(random.normal(size=(40, 1_500)), columns=[f"c{at}" for at in range(1_500)]).assign(target=[0, 1] * 20)
    assert len(profile(dataset(as_text(wide))).features) == 1_500
    levels = pd.DataFrame(
        {"many": [f"L{code}" for code in random.integers(0, 10_000, 20_000)], "target": random.normal(size=20_000)}
    )
    column = profile(dataset(levels)).column("many")
    assert column.kind is Kind.CATEGORY
    assert len(column.statistics["levels"]) == 100


def test_profiling_imports_nothing_heavy() -> None:
    code = (
        "import sys, numpy as np, pandas as pd\nrandom = np.random.default_rng(0)\n"
        "from automl.core.dataset import Dataset\nfrom automl.profiling import profile\n"
        "from automl.recommending import recommend\n"
        "frame = pd.DataFrame({'a': random.normal(size=600), 'target': [0, 1] * 300})\n"
        "recommend(profile(Dataset(frame, 'data', 'data.csv', 'hash')))\n"
        "heavy = ('tensorflow', 'keras', 'shap', 'sklearn', 'scipy', 'lightgbm', 'onnx')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
