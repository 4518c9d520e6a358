"""Cases made of random numbers and simple predict functions: nothing is trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Case
from automl.core.dataset import Dataset
from automl.core.evidence import Decision, Evidence, Final, Trial
from automl.core.metrics import default_metric, metric
from automl.core.plan import Plan, Rung, Split
from automl.core.profile import ColumnProfile, Duplicates, Kind, Profile, Role
from automl.core.tasks import Task

CLASSES = {Task.BINARY: ("no", "yes"), Task.MULTICLASS: ("a", "b", "c"), Task.REGRESSION: ()}


def frame_of(task: Task, rows: int, seed: int = 0, strength: float = 2.0) -> pd.DataFrame:
    """signal decides the target, weak helps a little, noise and color do not, empty has no values."""
    generator = np.random.default_rng(seed)
    signal, weak, noise = generator.standard_normal((3, rows))
    drive = strength * signal + 0.3 * weak
    frame = pd.DataFrame({"signal": signal, "weak": weak, "noise": noise})
    frame["color"] = generator.choice(["red", "green", "blue"], rows)
    frame["empty"] = np.nan
    frame["day"] = pd.date_range("2020-01-01", periods=rows, freq="D").strftime("%Y-%m-%d")
    if task is Task.REGRESSION:
        frame["target"] = 100 + 10 * drive + generator.standard_normal(rows)
        return frame
    probability = _probabilities(task, drive)
    drawn = (generator.random(rows)[:, None] > np.cumsum(probability, axis=1)).sum(axis=1)
    frame["target"] = np.asarray(CLASSES[task], dtype=object)[drawn]
    return frame


def _probabilities(task: Task, drive: np.ndarray) -> np.ndarray:
    if task is Task.BINARY:
        positive = 1 / (1 + np.exp(-drive))
        return np.stack([1 - positive, positive], axis=1)
    scores = np.exp(np.stack([drive, np.zeros_like(drive), -drive], axis=1))
    return scores / scores.sum(axis=1, keepdims=True)


def predictor(task: Task, strength: float = 2.0):
    """The true model of frame_of, reading raw columns."""

    def predict(frame: pd.DataFrame) -> np.ndarray:
        drive = strength * frame["signal"].to_numpy(np.float64) + 0.3 * frame["weak"].to_numpy(np.float64)
        return 100 + 10 * drive if task is Task.REGRESSION else _probabilities(task, drive)

    return predict


def profile_of(frame: pd.DataFrame, task: Task) -> Profile:
    number = {"as": "number", "missing": [""], "decimal": ".", "thousands": "", "remove": "", "percent": False}
    category = {"as": "category", "missing": [""]}
    day = {"as": "datetime", "missing": [""], "formats": ["%Y-%m-%d"]}
    columns = [
        ColumnProfile(name, Kind.NUMBER, "numbers", number, "float32", unique=len(frame), association=0.6)
        for name in ("signal", "weak", "noise")
    ]
    columns.append(ColumnProfile("color", Kind.CATEGORY, "words", category, "string", missing_fraction=0.1, unique=3))
    columns.append(ColumnProfile("empty", Kind.CONSTANT, "empty", number, "float32", Role.UNUSED, "empty", 1.0))
    columns.append(ColumnProfile("day", Kind.DATETIME, "dates", day, "int64", unique=len(frame)))
    classes = CLASSES[task]
    target_parse = number if task is Task.REGRESSION else category
    columns.append(ColumnProfile("target", Kind.CATEGORY, "the target", target_parse, "string", Role.TARGET))
    statistics: dict[str, Any] = {}
    if task is Task.REGRESSION:
        counts, edges = np.histogram(frame["target"], 5)
        statistics = {"minimum": 0.0, "maximum": 1.0, "histogram": {"edges": edges.tolist(), "counts": counts.tolist()}}
    return Profile(
        modality="tabular",
        modality_evidence="a table",
        task=task,
        task_evidence="made up",
        target="target",
        target_evidence="asked for",
        target_parse=target_parse,
        rows=len(frame),
        columns=tuple(columns),
        classes=classes,
        class_counts=tuple(int((frame["target"] == name).sum()) for name in classes),
        positive="yes" if task is Task.BINARY else None,
        target_statistics=statistics,
        duplicates=Duplicates(3, 0.01, 0.02, 1, True),
        duplicate_columns=(("signal", "weak"),),
    )


def plan_of(task: Task, rows: int) -> Plan:
    rungs = (
        Rung("baseline", 0, "Baseline", "the zero point"),
        Rung("linear", 1, "Linear", "simple"),
        Rung("boosting", 2, "Gradient boosting", "strong"),
        Rung("mlp", 3, "MLP", "smooth", refused="needs about 500 rows"),
    )
    split = Split("random" if task is Task.REGRESSION else "stratified", 0.0 if rows < 500 else 0.2, 5)
    return Plan("target", task, default_metric(task), "balanced", 0, split, rungs, budget_seconds=60.0)


def evidence_of(task: Task, nested: bool = False) -> Evidence:
    sign = 1 if metric(default_metric(task)).greater_is_better else -1
    scores = {"baseline": 0.5, "linear": 0.5 + sign * 0.2, "boosting": 0.5 + sign * 0.21}
    folds = np.array([-0.01, 0.0, 0.01, 0.005, -0.005])
    trials = tuple(
        Trial(
            name,
            0,
            {},
            0,
            score=score,
            fold_scores=tuple(score + folds),
            training_scores=tuple(score + sign * 0.02 + folds),
            rounds=30 if name == "boosting" else 0,
            curve=((1.0, 0.9), (10.0, 0.6), (30.0, 0.5)) if name == "boosting" else (),
        )
        for name, score in scores.items()
    )
    broken = Trial("boosting", 1, {}, 0, status="failed", message="it broke")
    finals = tuple(Final(name, 0, tuple(score + folds), score, 1.0, 1000, 0.1) for name, score in scores.items())
    test = "corrected resampled t"
    decisions = (
        Decision("linear", "baseline", True, 0.2, (0.15, 0.25), 0.0001, test, "it pays", {"seconds": 1.0}),
        Decision("boosting", "linear", False, 0.01, (-0.01, 0.03), 0.2, test, "it does not pay", {"bytes": 5.0}),
    )
    return Evidence(
        default_metric(task),
        (*trials, broken),
        finals,
        decisions,
        "linear",
        0,
        5,
        failures={"mlp": "ran out of memory"},
        nested=tuple(0.7 + folds) if nested else (),
        learning_curve=((100.0, 0.6, 0.55, 0.65), (200.0, 0.7, 0.68, 0.72)),
        fold_importances={"signal": (0.3, 0.28, 0.31), "weak": (0.02, 0.01, 0.03), "noise": (0.001, -0.002, 0.0)},
        stopped="Ended early because nothing was gained.",
        gained_nothing=True,
    )


def data_case(task: Task, rows: int = 600) -> Case:
    """What `automl profile` knows."""
    frame = frame_of(task, rows)
    return Case(Dataset(frame, "made-up", "random numbers", "0" * 64), profile_of(frame, task), plan_of(task, rows))


def case_of(task: Task, rows: int = 600, nested: bool = False, **changes: Any) -> Case:
    """A judged run whose model is the true one."""
    case = data_case(task, rows)
    frame = case.dataset.frame
    judged_rows = np.arange(rows) if nested else np.arange(rows // 2, rows)
    judged = frame.iloc[judged_rows].reset_index(drop=True)
    truth = frame["target"].to_numpy(np.float64) if task is Task.REGRESSION else codes(frame["target"], task)
    whole = predictor(task)(frame)
    if task is Task.REGRESSION:
        baseline = np.full(len(judged), truth.mean())
    else:
        shares = np.bincount(truth, minlength=len(CLASSES[task])) / len(truth)
        baseline = np.tile(shares, (len(judged), 1))
    rest = np.setdiff1d(np.arange(rows), judged_rows)
    case = replace(
        case,
        evidence=evidence_of(task, nested),
        judged_on=f"all {rows} rows by nested cross-validation" if nested else f"{len(judged)} sealed rows",
        truth=truth[judged_rows],
        prediction=whole[judged_rows],
        baseline=baseline,
        judged=judged,
        row_ids=judged_rows,
        predict=predictor(task),
        model={"bytes": 12_000, "milliseconds_a_row": 0.1, "parity": {"difference": 1e-7, "rows": 100.0, "tolerance": 1e-4}},
        out_of_fold=whole[rest],
        out_of_fold_truth=truth[rest],
    )
    return replace(case, **changes)


def codes(target: pd.Series, task: Task) -> np.ndarray:
    return np.array([CLASSES[task].index(name) for name in target], dtype=np.int64)
