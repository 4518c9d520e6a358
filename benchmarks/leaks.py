"""Leaks planted into public tables: how many the checks of the data find, and how many untouched columns they accuse.

    python -m benchmarks.leaks DATA [--rows 4000] [--only adult,abalone]

Planted one at a time: a copy of the target with noise (of a class: 1, 2 or 5 % of the labels drawn anew; of a number: noise of
5, 10 or 20 % of its standard deviation), a column that is filled after the event only (in 95 % of its rows and 2 % of the
others), 10 % duplicate rows, identifiers shared by three near-copies of a row (named as one, and named neutrally), and dates
along which the target drifts, with the rows shuffled. Told apart and not counted: a copy that is mostly noise (20 % of the
labels drawn anew; 70 % of the standard deviation, a correlation of .82), which only the other columns can give away. Nothing
is trained but the small models of the checks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from automl.core.case import Case
from automl.core.discovery import declarations
from automl.core.finding import Finding, Severity
from automl.core.options import make_options
from automl.core.profile import Profile, Role
from automl.judge import run_check
from automl.profiling import profile
from automl.reading import read
from automl.recommending import recommend

TABLES: dict[str, tuple[str, str, list[str]]] = {
    "adult": ("class", "binary", []),
    "bank-marketing": ("y", "binary", []),
    "credit-g": ("class", "binary", []),
    "phishing-websites": ("result", "binary", []),
    "telco-churn": ("Churn", "binary", ["customerID"]),
    "steel-plates-fault": ("fault", "multiclass", []),
    "students-dropout": ("target", "multiclass", []),
    "wine-quality": ("quality", "regression", []),
    "california-housing": ("median_house_value", "regression", []),
    "diamonds": ("price", "regression", []),
}
"""Name to target, task, and columns that are known to leak and are dropped first."""
TRUE_ALARMS = {("bank-marketing", "duration")}
CODES = ("AML101", "AML102", "AML112", "AML118", "AML119")
NOISE = {"classes": (0.01, 0.02, 0.05, 0.2), "numbers": (0.05, 0.1, 0.2, 0.7)}
PLANTED = "planted"

Plant = Callable[[pd.DataFrame, str, bool, np.random.Generator], pd.DataFrame]


def copy_with_noise(level: int) -> Plant:
    def plant(frame: pd.DataFrame, target: str, numbers: bool, generator: np.random.Generator) -> pd.DataFrame:
        if numbers:
            values = frame[target].astype(float).to_numpy()
            noise = NOISE["numbers"][level] * values.std() * generator.standard_normal(len(values))
            return frame.assign(**{PLANTED: 3.0 * (values + noise) - 7.0})
        drawn = generator.random(len(frame)) < NOISE["classes"][level]
        labels = np.where(drawn, generator.permutation(frame[target].to_numpy()), frame[target].to_numpy())
        return frame.assign(**{PLANTED: [f"k{code}" for code in pd.factorize(labels)[0]]})

    return plant


def event_of(frame: pd.DataFrame, target: str, numbers: bool) -> np.ndarray:
    """(rows,) bool: the rarer class, or values above the median."""
    if numbers:
        return (frame[target].astype(float) > frame[target].astype(float).median()).to_numpy()
    return (frame[target] == frame[target].value_counts().index[1]).to_numpy()


def post_event(frame: pd.DataFrame, target: str, numbers: bool, generator: np.random.Generator) -> pd.DataFrame:
    filled = generator.random(len(frame)) < np.where(event_of(frame, target, numbers), 0.95, 0.02)
    return frame.assign(**{PLANTED: np.where(filled, generator.lognormal(5, 1, len(frame)).round(2), np.nan)})


def duplicates(frame: pd.DataFrame, target: str, numbers: bool, generator: np.random.Generator) -> pd.DataFrame:
    frame = frame.drop_duplicates()
    again = frame.iloc[generator.choice(len(frame), len(frame) // 10, replace=False)]
    return pd.concat([frame, again]).iloc[generator.permutation(len(frame) + len(again))].reset_index(drop=True)


def shared_ids(name: str, prefix: str) -> Plant:
    def plant(frame: pd.DataFrame, target: str, numbers: bool, generator: np.random.Generator) -> pd.DataFrame:
        first = frame.iloc[generator.choice(len(frame), len(frame) // 3, replace=False)]
        parts = []
        for _ in range(3):
            part = first.copy()
            for column in frame.columns.drop(target):
                if pd.api.types.is_float_dtype(frame[column]) or (frame[column].nunique() > 50 and is_number(frame[column])):
                    part[column] = part[column] + 0.02 * frame[column].std() * generator.standard_normal(len(part))
                else:
                    drawn = generator.random(len(part)) < 0.05
                    part[column] = part[column].where(~drawn, generator.choice(frame[column].to_numpy(), len(part)))
            part[name] = [f"{prefix}{number:05d}" for number in range(len(part))]
            parts.append(part)
        return pd.concat(parts).iloc[generator.permutation(3 * len(first))].reset_index(drop=True)

    return plant


def is_number(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values))


def shuffled_time(frame: pd.DataFrame, target: str, numbers: bool, generator: np.random.Generator) -> pd.DataFrame:
    """Dates in the order of the target, with as much noise; the rows in no order."""
    event = event_of(frame, target, numbers).astype(float)
    order = np.argsort(np.argsort(event + generator.normal(0, 0.7, len(frame))))
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(order * 1000 // len(frame), unit="D")
    return frame.assign(**{PLANTED: days.strftime("%Y-%m-%d")})


HEAVY = "copy, mostly noise"
PLANTS: dict[str, Plant] = {
    "copy, least noise": copy_with_noise(0),
    "copy, more noise": copy_with_noise(1),
    "copy, most noise": copy_with_noise(2),
    "post-event column": post_event,
    "duplicate rows": duplicates,
    "shared ids, named patient_id": shared_ids("patient_id", "P"),
    "shared ids, named planted": shared_ids(PLANTED, "K"),
    "shuffled time": shuffled_time,
    HEAVY: copy_with_noise(3),
}


def examine(frame: pd.DataFrame, target: str, task: str) -> tuple[Profile, dict[str, Finding]]:
    """What `automl profile` finds, of the checks that are about leaks."""
    dataset, options = read(frame), make_options({"target": target, "task": task})
    facts = profile(dataset, options)
    case = Case(dataset, facts, recommend(facts, options), may_fit=True)
    checks = [check for check in declarations("automl.judge.checks", "CHECK") if check.code in CODES]
    return facts, {check.code: run_check(check, case)[0] for check in checks}


def accused(facts: Profile, findings: dict[str, Finding]) -> set[str]:
    """Columns that are suspected of giving the target away, or of being shared by rows at a price."""
    named = {leak.column for leak in facts.suspected_leaks}
    if findings["AML118"].severity in (Severity.ISSUE, Severity.TIP):
        named |= set(findings["AML118"].numbers)
    if findings["AML119"].severity is Severity.ISSUE:
        named |= {str(row[0]) for row in findings["AML119"].table["rows"] if row[4] >= 0.1 and row[5] < 0.001}
    return named


def is_found(plant: str, facts: Profile, findings: dict[str, Finding]) -> bool:
    if plant == "duplicate rows":
        told = findings["AML101"].severity in (Severity.ISSUE, Severity.TIP) or "kept on one side" in findings["AML101"].sentence
        return facts.duplicates.distinctive and told  # told, or told and acted on by the split
    if plant == "shuffled time":
        return findings["AML112"].severity in (Severity.ISSUE, Severity.TIP) and "temporal_split" in findings["AML112"].numbers
    if "patient_id" in plant:  # named as an identifier it is told with both scores, whatever it costs
        return findings["AML119"].severity in (Severity.ISSUE, Severity.TIP) and "patient_id" in findings["AML119"].sentence
    return PLANTED in accused(facts, findings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=4000, help="rows taken of each table at random")
    parser.add_argument("--only", help="names of tables, separated by commas")
    given = parser.parse_args()
    tables = given.only.split(",") if given.only else list(TABLES)
    found: dict[str, list[str]] = {plant: [] for plant in PLANTS}
    columns, false_alarms = 0, []
    for name in tables:
        target, task, dropped = TABLES[name]
        frame = pd.read_csv(given.data / name / "data.csv").drop(columns=dropped)
        frame = frame.sample(min(given.rows, len(frame)), random_state=0).reset_index(drop=True)
        started = time.perf_counter()
        facts, findings = examine(frame, target, task)
        seconds = time.perf_counter() - started
        columns += sum(column.role is not Role.TARGET for column in facts.columns)
        alarms = accused(facts, findings)
        false_alarms += [(name, column) for column in sorted(alarms) if (name, column) not in TRUE_ALARMS]
        told = []
        for number, (plant, make) in enumerate(PLANTS.items()):
            planted = make(frame, target, task == "regression", np.random.default_rng(number))
            hit = is_found(plant, *examine(planted, target, task))
            told.append("found" if hit else "MISSED")
            found[plant] += [name] * hit
        distinctive = facts.duplicates.rows > 0 and facts.duplicates.distinctive
        copies = f"{facts.duplicates.rows} duplicate rows{' (copies, not chance)' if distinctive else ''}"
        said = ", ".join(f"{plant}: {each}" for plant, each in zip(PLANTS, told, strict=True))
        print(f"{name}: {said}; untouched: accused {sorted(alarms) or 'none'}, {copies}, {seconds:.1f} s", flush=True)
    for plant, names in found.items():
        print(f"{plant:30} {len(names)} of {len(tables)}")
    counted = [names for plant, names in found.items() if plant != HEAVY]
    hits, total = sum(map(len, counted)), len(tables) * len(counted)
    print(f"found {hits} of {total} ({hits / total:.0%}), without the copies that are mostly noise")
    print(f"falsely accused {len(false_alarms)} of {columns} columns ({len(false_alarms) / columns:.1%}): {false_alarms}")


if __name__ == "__main__":
    main()
