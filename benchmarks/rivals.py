"""Are CatBoost or XGBoost worth their weight beside our LightGBM rung? The same rows, folds and stopping for all of them.

    python -m benchmarks.rivals DATA [--rows 3000] [--only adult,car] [--systems lightgbm] [--print]

Needs catboost, xgboost (or xgboost-cpu) and onnxmltools, which the project does not depend on: put them into an
environment of their own beside the project. One thread. Appends to benchmarks/results/rivals.jsonl, one line a table
and system, and goes on where it was stopped; `--print` prints the table of it.

CatBoost has its own defaults, XGBoost the tuned ones of pytabkit (Holzmüller et al., arXiv:2407.04491). Both: 5 folds, at
most 1,000 rounds, one stopping round shared by the folds (the best mean of the loss), as for ours.
LightGBM: our first start, and the best of our first five by the folds' score, as a run would choose it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.core.clock import Deadline
from automl.core.table import Category
from automl.core.tasks import Task
from automl.search.context import Context
from automl.search.trial import run_trial, space_of
from benchmarks.portfolio import context_of, lines_of

TABLES = ("credit-g", "cmc", "abalone", "diamonds", "california-housing", "kr-vs-kp", "telco-churn", "adult")
RESULTS = Path(__file__).resolve().parent / "results" / "rivals.jsonl"
ROUNDS, PATIENCE = 1000, 50
STARTS = 5

XGBOOST_BY_TASK: dict[bool, dict[str, Any]] = {
    True: {"eta": 0.08, "max_depth": 6, "subsample": 0.65, "colsample_bylevel": 0.9, "min_child_weight": 5e-6, "lambda": 0.0},
    False: {"eta": 0.05, "max_depth": 9, "subsample": 0.7, "min_child_weight": 2.0, "lambda": 0.0},
}


def frame_of(context: Context) -> tuple[pd.DataFrame, list[str]]:
    """The clean table as both libraries take it: numbers, dates as days, categories; and the names of the categories."""
    columns: dict[str, Any] = {}
    categories = []
    for column in context.profile.features:
        values = context.table.columns[column.name]
        if isinstance(values, Category):
            columns[column.name] = pd.Categorical(values.strings())
            categories.append(column.name)
        else:
            columns[column.name] = values / 86400.0 if column.dtype == "int64" else values
    return pd.DataFrame(columns), categories


def scored(context: Context, curves: list[Any], predict: Callable[[int, int], Any]) -> tuple[float, int]:
    """The mean score at the round that the folds share. predict: (fold, rounds) -> predictions of its validation rows."""
    common = min(len(curve) for curve in curves)
    rounds = int(np.argmin(np.mean([curve[:common] for curve in curves], axis=0))) + 1
    scores = [context.score(fold.validation, predict(number, rounds)) for number, fold in enumerate(context.search_folds)]
    return float(np.mean(scores)), rounds


def catboost(context: Context) -> tuple[float, int, Any]:
    import catboost as library

    frame, categories = frame_of(context)
    frame[categories] = frame[categories].astype(str)
    task, classes = context.profile.task, context.profile.task.is_classification
    loss = {Task.REGRESSION: "RMSE", Task.BINARY: "Logloss", Task.MULTICLASS: "MultiClass"}[task]
    models, curves = [], []
    for fold in context.search_folds:
        pools = [library.Pool(frame.iloc[rows], context.target[rows], categories) for rows in (fold.training, fold.validation)]
        parameters = {
            "loss_function": loss,
            "iterations": ROUNDS,
            "thread_count": 1,
            "verbose": False,
            "allow_writing_files": False,
        }
        model = library.CatBoost(parameters)
        model.fit(pools[0], eval_set=pools[1], early_stopping_rounds=PATIENCE, use_best_model=False)
        models.append((model, pools[1]))
        curves.append(model.get_evals_result()["validation"][loss])

    def predict(fold: int, rounds: int) -> Any:
        model, pool = models[fold]
        return model.predict(pool, prediction_type="Probability" if classes else "RawFormulaVal", ntree_end=rounds)

    return *scored(context, curves, predict), models[0][0]


def xgboost(context: Context) -> tuple[float, int, Any]:
    import xgboost as library

    frame, _ = frame_of(context)
    frame.columns = [f"f{place}" for place in range(frame.shape[1])]  # the only names that its way to ONNX takes
    task, classes = context.profile.task, context.profile.task.is_classification
    objective = {Task.REGRESSION: "reg:squarederror", Task.BINARY: "binary:logistic", Task.MULTICLASS: "multi:softprob"}[task]
    parameters = {
        "objective": objective,
        "nthread": 1,
        "tree_method": "hist",
        "max_bin": 256,
        **XGBOOST_BY_TASK[classes],
    }
    if task is Task.MULTICLASS:
        parameters["num_class"] = context.profile.outputs
    models, curves = [], []
    for fold in context.search_folds:
        data = [
            library.DMatrix(frame.iloc[rows], context.target[rows], enable_categorical=True)
            for rows in (fold.training, fold.validation)
        ]
        found: dict[str, Any] = {}
        model = library.train(
            parameters,
            data[0],
            ROUNDS,
            evals=[(data[1], "validation")],
            early_stopping_rounds=PATIENCE,
            evals_result=found,
            verbose_eval=False,
        )
        models.append((model, data[1]))
        curves.append(next(iter(found["validation"].values())))

    def predict(fold: int, rounds: int) -> Any:
        model, data = models[fold]
        output = model.predict(data, iteration_range=(0, rounds))
        return np.stack([1 - output, output], axis=1) if task is Task.BINARY else output

    return *scored(context, curves, predict), models[0][0]


def exportable(model: Any, width: int) -> str:
    """What the library's way to ONNX says to a model that was trained with categories, or "yes"."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            if type(model).__module__.startswith("catboost"):
                model.save_model(f"{folder}/model.onnx", format="onnx")
            else:
                from onnxmltools import convert_xgboost
                from onnxmltools.convert.common.data_types import FloatTensorType

                convert_xgboost(model, initial_types=[("x", FloatTensorType([None, width]))])
        except Exception as error:  # whatever the exporters raise is the answer
            return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return "yes"


def lightgbm_lines(context: Context) -> list[dict[str, Any]]:
    rung = context.architecture("boosting")
    space = space_of(context, rung)
    outcomes, seconds = [], []
    for number in range(min(STARTS, len(space.starts))):
        started = time.process_time()
        outcomes.append(run_trial(context, rung, number, space.start(number), Deadline(None)))
        seconds.append(time.process_time() - started)
    scores = [outcome.trial.score for outcome in outcomes if outcome.trial.score is not None]
    assert len(scores) == len(outcomes)
    best = int(np.argmax(scores) if context.metric.greater_is_better else np.argmin(scores))
    return [
        {"system": "lightgbm, our default", "score": scores[0], "rounds": outcomes[0].trial.rounds, "cpu_seconds": seconds[0]},
        {
            "system": f"lightgbm, best of {STARTS} starts",
            "score": scores[best],
            "rounds": outcomes[best].trial.rounds,
            "cpu_seconds": sum(seconds),
        },
    ]


SYSTEMS = {"catboost, its default": catboost, "xgboost, tuned default": xgboost}


def rival_line(context: Context, label: str) -> dict[str, Any]:
    started = time.process_time()
    score, rounds, model = SYSTEMS[label](context)
    seconds = time.process_time() - started
    onnx = exportable(model, len(context.profile.features))
    return {"system": label, "score": score, "rounds": rounds, "cpu_seconds": seconds, "onnx": onnx}


def measure(source: Path, names: list[str], rows: int, wanted: list[str]) -> None:
    done = {(line["data"], line["system"]) for line in lines_of(RESULTS)}
    for name in names:
        context = context_of(source, name, rows)
        shared = {"data": name, "rows": len(context.training_rows), "metric": context.plan.metric}
        found: list[dict[str, Any]] = []
        for label in SYSTEMS:
            if (name, label) not in done and label.split(",")[0] in wanted:
                found.append(rival_line(context, label))
        if (name, "lightgbm, our default") not in done and "lightgbm" in wanted:
            found += lightgbm_lines(context)
        with RESULTS.open("a") as file:
            for line in found:
                line |= {"score": float(f"{line['score']:.6g}"), "cpu_seconds": round(line["cpu_seconds"], 1)}
                file.write(json.dumps({**shared, **line}) + "\n")
                print(f"{name:20} {line['system']:28} {line['score']:10.5g} {line['cpu_seconds']:7.1f} s", flush=True)


def show() -> None:
    lines = pd.DataFrame(lines_of(RESULTS))
    table = lines.pivot(index="data", columns="system", values="score")
    seconds = lines.pivot(index="data", columns="system", values="cpu_seconds")
    print(table.to_string(float_format=lambda value: f"{value:.5g}"))
    print(seconds.to_string(float_format=lambda value: f"{value:.1f}"))
    print(f"CPU seconds, geometric mean: {np.exp(np.log(seconds.clip(lower=0.1)).mean()).round(1).to_dict()}")
    signs = lines.drop_duplicates("data").set_index("data")["metric"].isin(["roc_auc"]).map({True: -1.0, False: 1.0})
    print(f"mean rank: {table.mul(signs, axis=0).rank(axis=1).mean().round(2).to_dict()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--only", default=",".join(TABLES))
    parser.add_argument("--systems", default="catboost,xgboost,lightgbm")
    parser.add_argument("--print", action="store_true")
    options = parser.parse_args()
    if not options.print:
        measure(options.data, options.only.split(","), options.rows, options.systems.split(","))
    show()


if __name__ == "__main__":
    main()
