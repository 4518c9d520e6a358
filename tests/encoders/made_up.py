"""A made-up table with every kind of column and every awkward value, and the graph's view of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from automl.core.profile import ColumnProfile, Kind, Profile
from automl.core.table import Category, Table
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder

NO_DATE = np.iinfo(np.int64).min
KINDS = {"float32": Kind.NUMBER, "float64": Kind.NUMBER, "string": Kind.CATEGORY, "int64": Kind.DATETIME}
DTYPES = {
    "plain": "float32",
    "skewed": "float32",
    "holes": "float32",
    "huge": "float64",
    "flag": "float32",
    "never": "float32",
    "colour": "string",
    "pair": "string",
    "many": "string",
    "label": "string",
    "when": "int64",
    "day": "int64",
}


def make_table(rows: int, seed: int = 0) -> Table:
    """Rows to learn from."""
    generator = np.random.default_rng(seed)
    plain = generator.normal(50, 10, rows)
    holes = np.where(generator.random(rows) < 0.3, np.nan, generator.normal(0, 1, rows))
    flag = np.where(generator.random(rows) < 0.1, np.nan, (generator.random(rows) < 0.5) * 1.0)
    many = np.array([f"level {code}" for code in generator.zipf(1.6, rows) % 500], dtype=object)
    when = generator.integers(-3_000_000_000, 2_000_000_000, rows)
    when[:: max(2, rows // 5)] = NO_DATE
    return Table(
        {
            "plain": plain,
            "skewed": np.where(generator.random(rows) < 0.9, 0.0, np.exp(generator.normal(5, 3, rows))),
            "holes": holes,
            "huge": 1_600_000_000.0 + generator.integers(0, 1000, rows),
            "flag": flag,
            "never": np.full(rows, np.nan),
            "colour": Category.from_strings(generator.choice(["red", "green", "blue", ""], rows).astype(object)),
            "pair": Category.from_strings(generator.choice(["yes", "no"], rows).astype(object)),
            "many": Category.from_strings(many),
            "label": Category.from_strings(generator.choice(["😀", 'say "hi"', "a,b"], rows).astype(object)),
            "when": when,
            "day": 86400 * generator.integers(18000, 18400, rows),
        },
        rows,
    )


def awkward_table() -> Table:
    """Rows that no one has seen: missing, unseen, infinite and extreme values."""
    numbers = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0, 1e-40, 3.4e38, 50.0, -7.25])
    rows = len(numbers)
    strings = np.array(["", "unseen", "red", "yes", "level 1", "😀", "Red", " ", "green", "nan"], dtype=object)
    dates = np.array([NO_DATE, np.iinfo(np.int64).max, -(2**62), -1, 0, 1, -86400, 951_782_400, 4_102_444_799, -62_135_596_800])
    columns: dict[str, Any] = {}
    for name, dtype in DTYPES.items():
        if dtype == "string":
            columns[name] = Category.from_strings(strings)
        elif dtype == "int64":
            columns[name] = dates
        else:
            columns[name] = numbers.copy()
    columns["huge"] = np.array([np.nan, np.inf, 1e300, 1_600_000_000.0, 1_600_000_001.0, 0.0, -1e12, 2.0**53, 16_777_217.0, 5.5])
    columns["flag"] = np.array([0.0, 1.0, np.nan] * 3 + [np.nan])
    return Table(columns, rows)


def make_profile(table: Table, target: np.ndarray[Any, Any], task: Task, leave_out: tuple[str, ...] = ()) -> Profile:
    columns = []
    for name, column in table.columns.items():
        if name in leave_out:
            continue
        kind = Kind.BOOLEAN if name == "flag" else KINDS[DTYPES[name]]
        missing = np.mean(column.codes < 0) if isinstance(column, Category) else np.mean(np.isnan(np.asarray(column, float)))
        unique = len(column.levels) if isinstance(column, Category) else len(np.unique(column))
        columns.append(ColumnProfile(name, kind, "", {}, DTYPES[name], missing_fraction=float(missing), unique=unique))
    classes = tuple(f"class {code}" for code in range(int(target.max()) + 1)) if task.is_classification else ()
    counts = tuple(int(count) for count in np.bincount(target)) if task.is_classification else ()
    return Profile("tabular", "", task, "", "target", "", {}, table.rows, tuple(columns), classes=classes, class_counts=counts)


def feeds(columns: Any, table: Table) -> dict[str, np.ndarray[Any, Any]]:
    """What onnxruntime takes: one array (rows, 1) an input."""
    arrays = {}
    for column in columns:
        values = table.columns[column.name]
        with np.errstate(over="ignore"):
            clean = values.strings() if isinstance(values, Category) else np.asarray(values).astype(column.dtype)
        arrays[column.input] = clean.reshape(-1, 1)
    return arrays


def run_graph(builder: GraphBuilder, outputs: dict[str, tuple[str, str]], inputs: dict[str, Any]) -> dict[str, Any]:
    """Build and run. outputs: {public name: (tensor, dtype)}."""
    import onnxruntime

    for name, (tensor, dtype) in outputs.items():
        builder.output(tensor, name, dtype, ("batch", "width"))
    session = onnxruntime.InferenceSession(builder.build().SerializeToString())
    return dict(zip(outputs, session.run(list(outputs), inputs), strict=True))
