"""Small made-up tables with something to learn in them, and the way in which these tests run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import automl
from automl.run import Run

ROWS = 600
QUICK: dict[str, Any] = {"time": 20, "only": ("linear",), "jobs": 1}
"""A run of about two seconds: the budget leaves no time for the training worker, so everything happens in this process."""


def fit(frame: Any, out: Path, **options: Any) -> Run:
    """`automl.fit` with the quick options, each of which may be given otherwise; no check may have failed."""
    run = automl.fit(frame, out=out, **{**QUICK, "target": "outcome", **options})
    assert not [each.sentence for each in run.findings if each.code == "AML900"]
    return run


def shop(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Numbers with gaps, money as text, categories, a boolean, dates and an order number; "signal" leads to an outcome."""
    generator = np.random.default_rng(seed)
    age = generator.normal(40, 12, rows).round(1)
    spent = np.exp(generator.normal(5, 1, rows))
    plan = generator.choice(["basic", "plus", "pro"], rows, p=[0.6, 0.3, 0.1])
    member = generator.random(rows) < 0.4
    joined = pd.Timestamp("2020-01-01") + pd.to_timedelta(generator.integers(0, 1500, rows), unit="D")
    frame = pd.DataFrame(
        {
            "order": [f"A{number:06d}" for number in generator.permutation(rows)],
            "age": np.where(generator.random(rows) < 0.1, np.nan, age),
            "spent": [f"${value:,.2f}" for value in spent],
            "plan": plan,
            "member": np.where(member, "yes", "no"),
            "joined": joined.strftime("%Y-%m-%d"),
        }
    )
    signal = 0.05 * (age - 40) + 0.8 * (np.log(spent) - 5) + np.select([plan == "pro", plan == "plus"], [1.0, 0.3]) + 0.5 * member
    return frame.assign(signal=signal + generator.normal(0, 0.7, rows))


def with_outcome(kind: str, rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """The shop with a target: "bool", "int", "int classes", "text" or "number"."""
    frame = shop(rows, seed)
    signal = frame.pop("signal")
    low, high = signal.quantile(0.4), signal.quantile(0.75)
    outcomes: dict[str, Any] = {
        "bool": signal > high,
        "int": (signal > high).astype(int),
        "int classes": 3 + (signal > low).astype(int) + 4 * (signal > high),
        "text": np.select([signal > high, signal > low], ["often", "now and then"], "never"),
        "number": 100 + 20 * signal,
    }
    return frame.assign(outcome=outcomes[kind])


def command(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `automl` as a process of its own and wait for it."""
    return subprocess.run(call(*arguments), capture_output=True, text=True, check=False, cwd=cwd, env=environment())


def start(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """Run `automl` as a process of its own, in a session of its own, and go on."""
    return subprocess.Popen(
        call(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=environment(),
        start_new_session=True,
    )  # fmt: skip


def call(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "automl", *(str(argument) for argument in arguments)]


def environment() -> dict[str, str]:
    """This process's environment, in which `automl` is found from any folder."""
    paths = [str(Path(automl.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, read without pickle."""
    with np.load(path, allow_pickle=False) as content:
        return dict(content)


def files(folder: Path) -> dict[str, bytes]:
    """Every file under a folder with its content, by its path from there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
