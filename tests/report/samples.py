"""Made-up runs for the report's tests: a rich binary one, multiclass, regression, minimal and hostile."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automl.core.evidence import Decision, Evidence, Final, Trial
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.plan import Plan, Rung, Split
from automl.core.profile import ColumnProfile, Kind, Profile, Role
from automl.core.tasks import Task

HOSTILE = "<script>alert(\"1\")</script> 'quoted' `code` |pipe| 😀 \u202e right-to-left \x00 </style></svg>"


@dataclass(frozen=True)
class Sample:
    """The arguments of write_report after the folder."""

    profile: Profile
    plan: Plan
    evidence: Evidence | None
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def arguments(self) -> tuple[Any, ...]:
        return self.profile, self.plan, self.evidence, self.findings, self.facts


def column(name: str, kind: Kind = Kind.NUMBER, role: Role = Role.FEATURE, **more: Any) -> ColumnProfile:
    evidence = {"number": "All 12,000 cells are numbers, 73 of them different.", "category": "Words, 9 of them different."}
    parse = {"as": "number" if kind is Kind.NUMBER else "category", "missing": ["", "?"]}
    dtype = "float32" if kind is Kind.NUMBER else "string"
    return ColumnProfile(name, kind, evidence.get(kind.value, "Found by its values."), parse, dtype, role, **more)


def profile(task: Task, target: str, classes: tuple[str, ...] = (), counts: tuple[int, ...] = (), **more: Any) -> Profile:
    columns = (
        column("age", unique=73, association=0.683),
        column("workclass", Kind.CATEGORY, unique=9, missing_fraction=0.0573, association=0.571),
        column("capital-gain", unique=119, association=0.59),
        column("hours-per-week", unique=94, missing_fraction=0.00002, association=0.612),
        column("marital-status", Kind.CATEGORY, unique=7, association=0.741),
        column("fnlwgt", unique=21648, association=0.5),
        column("row_id", Kind.IDENTIFIER, Role.IDENTIFIER, unique=12000, reason="A different value in every row."),
        column("country_code", Kind.CONSTANT, Role.UNUSED, unique=1, reason="The same value in every row."),
        column(target, Kind.CATEGORY if classes else Kind.NUMBER, Role.TARGET, unique=len(classes) or 8000),
    )
    defaults: dict[str, Any] = {
        "modality": "tabular",
        "modality_evidence": "Columns of numbers and words.",
        "task": task,
        "task_evidence": f"The target holds {len(classes)} classes." if classes else "The target holds 8,000 different numbers.",
        "target": target,
        "target_evidence": f'The last column, "{target}", was taken; `--target` changes it.',
        "target_parse": {"as": "category" if classes else "number", "missing": []},
        "rows": 12000,
        "columns": columns,
        "classes": classes,
        "class_counts": counts,
        "positive": classes[1] if len(classes) == 2 else None,
    }
    return Profile(**{**defaults, **more})


def plan(task: Task, target: str, metric: str) -> Plan:
    rungs = (
        Rung("baseline", 0, "Baseline", "Every score needs a zero point."),
        Rung("linear", 1, "Logistic regression" if task.is_classification else "Linear regression", "Cheap and readable."),
        Rung("boosting", 2, "Gradient boosting (LightGBM)", "The best start on mixed columns."),
        Rung("mlp", 3, "MLP with dropout", "Pays where columns interact smoothly."),
        Rung("tabm", 4, "TabM", "An ensemble in one net.", refused="Left out: needs about 20,000 rows to pay off; here 12,000."),
    )
    split = Split("stratified", 0.2, 5, reason="Rows were set apart at random, each class in its share.")
    return Plan(target, task, metric, "balanced", 0, split, rungs, budget_seconds=300.0)


def evidence(metric: str, levels: tuple[float, float, float, float], better: float) -> Evidence:
    generator = np.random.default_rng(0)
    names = ("baseline", "linear", "boosting", "mlp")
    width = abs(levels[2] - levels[0]) * 0.02
    trials = []
    for name, level in zip(names, levels, strict=True):
        for number in range(1 if name == "baseline" else 4):
            folds = tuple((level - better * number * width / 3 + generator.normal(0, width, 5)).tolist())
            trials.append(
                Trial(
                    name,
                    number,
                    {}
                    if name == "baseline"
                    else {"learning_rate": 0.05 / (number + 1), "num_leaves": 31 + number, "loss": "focal"},
                    number,
                    score=float(np.mean(folds)),
                    fold_scores=folds,
                    rounds=240 if name == "boosting" else 0,
                )
            )
    trials.append(Trial("mlp", 9, {"dropout": 0.3}, 9, status="failed", message="The loss became NaN in epoch 3."))
    finals = tuple(
        Final(
            name,
            0,
            tuple((level + generator.normal(0, width, 10)).tolist()),
            level,
            2.0 + 9 * at,
            40_000 * (at + 1),
            0.02 + 0.05 * at,
        )
        for at, (name, level) in enumerate(zip(names, levels, strict=True))
    )
    test = "corrected resampled t (Nadeau-Bengio) over 2 x 5 fresh folds"
    gains = [abs(levels[1] - levels[0]), abs(levels[2] - levels[1]), -abs(levels[3] - levels[2])]
    words = (
        "Logistic regression beats the baseline by far.",
        "Gradient boosting pays: its gain is well above its spread.",
        "The MLP does not pay: it is no better than boosting and takes three times as long.",
    )
    decisions = tuple(
        Decision(
            candidate,
            incumbent,
            gain > 0,
            gain,
            (gain - width, gain + width),
            0.0001 if gain > 0 else 0.83,
            test,
            sentence,
            {"seconds": 12.0, "bytes": 400_000, "milliseconds_a_row": 0.1},
        )
        for candidate, incumbent, gain, sentence in zip(
            ("linear", "boosting", "mlp"), ("baseline", "linear", "boosting"), gains, words, strict=True
        )
    )
    return Evidence(metric, tuple(trials), finals, decisions, "boosting", 0, 10, rounds=240)


def _roc() -> Figure:
    x = np.linspace(0, 1, 120)
    y = x**0.18
    return Figure(
        "roc",
        "line",
        "ROC curve",
        "Each point is a threshold: the share of the class that is found (up) for the share of false alarms (right). "
        "A curve near the upper left corner is good, the diagonal is guessing.",
        (
            Series(
                ">50K", tuple(x.tolist()), tuple(y.tolist()), tuple((y * 0.97).tolist()), tuple(np.minimum(1, y * 1.03).tolist())
            ),
        ),
        "false positive rate",
        "true positive rate",
        "diagonal",
    )


def figures() -> dict[str, Figure]:
    """One figure of every kind and of the forms that are drawn differently."""
    x = np.linspace(0.05, 0.95, 10)
    generator = np.random.default_rng(1)
    reliability = Figure(
        "reliability",
        "line",
        "Reliability",
        "Dots above the diagonal: the event happens more often than predicted. Larger dots stand for more rows.",
        (
            Series(
                "model",
                tuple(x.tolist()),
                tuple((x**1.3).tolist()),
                tuple((x**1.3 - 0.05).tolist()),
                tuple((x**1.3 + 0.05).tolist()),
                (900, 420, 220, 130, 90, 80, 70, 95, 120, 260),
            ),
        ),
        "predicted probability",
        "observed share",
        "diagonal",
    )
    rounds = tuple(float(each) for each in range(1, 61))
    curves = Figure(
        "curves",
        "line",
        "Loss by round",
        "Where the upper line turns up again the model starts to learn the training rows by heart.",
        (
            Series("training", rounds, tuple(0.3 + 0.4 * math.exp(-each / 10) for each in rounds)),
            Series("validation", rounds, tuple(0.42 + 0.3 * math.exp(-each / 12) + 0.0004 * each for each in rounds)),
        ),
        "round",
        "log loss",
    )
    importance = Figure(
        "importance",
        "bar",
        "Loss of ROC-AUC when a column is shuffled",
        "The longer the bar, the more the model relies on the column.",
        (
            Series(
                "loss",
                (
                    "marital-status",
                    "capital-gain",
                    "age",
                    "a column with a very long name that goes on and on",
                    "workclass",
                    "fnlwgt",
                ),
                (0.081, 0.052, 0.021, 0.011, 0.004, -0.001),
                (0.078, 0.049, 0.018, 0.009, 0.002, -0.003),
                (0.084, 0.055, 0.024, 0.013, 0.006, 0.001),
            ),
        ),
        "column",
        "loss of ROC-AUC",
    )
    slices = Figure(
        "slices",
        "interval",
        "Accuracy by workclass",
        "A line that stays left of the others is a group for which the model is worse.",
        (Series("acc", ("Private", "Self-emp", "State-gov"), (0.86, 0.79, 0.84), (0.85, 0.75, 0.8), (0.87, 0.83, 0.88)),),
        "workclass",
        "accuracy",
    )
    errors = generator.normal(0, 300, 500)
    counts, edges = np.histogram(errors, 24)
    histogram = Figure(
        "residuals",
        "histogram",
        "Residuals",
        "The distribution of the errors; a long tail means rare large errors.",
        (Series("rows", tuple(edges.tolist()), tuple(float(each) for each in counts)),),
        "actual minus predicted",
        "rows",
    )
    truth = generator.uniform(300, 18000, 700)
    scatter = Figure(
        "actual",
        "scatter",
        "Predicted and actual values",
        "Dots on the diagonal are exact predictions.",
        (Series("rows", tuple(truth.tolist()), tuple((truth + generator.normal(0, 900, 700)).tolist())),),
        "actual price",
        "predicted price",
        "diagonal",
    )
    confusion = Figure(
        "confusion",
        "matrix",
        "Confusion matrix",
        "Rows are the actual classes, columns the predicted ones; the darker, the larger the share of the row.",
        (Series("<=50K", ("<=50K", ">50K"), (1718.0, 110.0)), Series(">50K", ("<=50K", ">50K"), (201.0, 371.0))),
    )
    names = tuple(f"class {letter}" for letter in "abcdefghijkl")
    large = Figure(
        "large",
        "matrix",
        "Twelve classes",
        "Rows are the actual classes, columns the predicted ones.",
        tuple(
            Series(name, names, tuple(float(90 if name == other else at % 4) for at, other in enumerate(names))) for name in names
        ),
    )
    groups = Figure(
        "groups",
        "bar",
        "Recall by class and group",
        "Bars of one class side by side.",
        (Series("women", ("<=50K", ">50K"), (0.96, 0.52)), Series("men", ("<=50K", ">50K"), (0.91, 0.71))),
        "class",
        "recall",
    )
    every = (_roc(), reliability, curves, importance, slices, histogram, scatter, confusion, large, groups, *_influences())
    return {each.name: each for each in every}


def _influences() -> tuple[Figure, ...]:
    generator = np.random.default_rng(2)
    ranks = tuple(float(each) for each in np.linspace(0, 1, 60))
    swarms = (
        Series("age", ranks, tuple(generator.normal(0, 1, 60).tolist())),
        Series("workclass", (None,) * 60, tuple(generator.normal(0, 0.3, 60).tolist())),
    )
    places = tuple(float(each) for each in range(20, 70, 5))
    rows = tuple(Series(f"row {row}", places, tuple(row + 0.02 * each for each in places)) for row in range(5))
    added = Series("steps", ("mean margin", "age = 21", "workclass = Private", "5 others"), (-2.7, -1.2, 0.4, 0.1))
    return (
        Figure("swarm", "beeswarm", "What moves the predictions", "A dot is a row.", swarms, "column", "adds to the log-odds"),
        Figure("way", "waterfall", "Row 7", "From the mean to this row.", (added,), "this row", "log-odds"),
        Figure("curve", "dependence", "Dependence on age", "The thick line is the mean.", rows, "age", "log-odds"),
    )


def findings(metric: str, score: Number, baseline: Number, drawn: tuple[str, ...]) -> list[Finding]:
    known = figures()
    shown = tuple(known[name] for name in drawn)
    passed, issue, tip = Severity.PASSED, Severity.ISSUE, Severity.TIP
    return [
        Finding(
            "AML101",
            "Duplicate rows",
            tip,
            Section.DATA,
            "48 rows (0.4 %) stand in the data more than once.",
            numbers={"fraction": Number(0.004, unit="fraction"), "rows": Number(48)},
            action="Remove copies that are no separate observations.",
        ),
        Finding("AML102", "Identifiers", passed, Section.DATA, 'The identifier "row_id" was left out.'),
        Finding("AML104", "Target leak", passed, Section.DATA, "No column gives the target away."),
        Finding("AML107", "Tiny data", Severity.NOT_APPLICABLE, Section.DATA, "12,000 rows are enough for a sealed part."),
        Finding(
            "AML201",
            "Score",
            passed,
            Section.SCORES,
            "On 2,400 sealed rows the model is far better than the baseline.",
            "evaluated",
            {"score": score, "baseline": baseline},
            shown[:2],
        ),
        Finding(
            "AML202",
            "All metrics",
            passed,
            Section.SCORES,
            "Every metric of the task, for the model and the baseline.",
            "evaluated",
            {
                metric: score,
                f"baseline_{metric}": baseline,
                "accuracy": Number(0.8705, 0.857, 0.883),
                "baseline_accuracy": Number(0.761, 0.744, 0.778),
            },
            table={"columns": ["metric", "model"], "rows": [["accuracy", 0.8705]]},
        ),
        Finding(
            "AML205",
            "Confusion",
            passed,
            Section.SCORES,
            "13 % of the rows are given the wrong class.",
            "evaluated",
            figures=shown[2:],
        ),
        Finding(
            "AML301",
            "Calibration",
            issue,
            Section.TRUST,
            "Predicted probabilities above .6 are too high: rows given 75 % turn out positive in 66 % of the cases.",
            "evaluated",
            {"expected_calibration_error": Number(0.043, 0.031, 0.055)},
            (known["reliability"],),
            action="Do not read probabilities as frequencies; calibrate with `automl fit data.csv --calibrate` on more rows.",
        ),
        Finding(
            "AML302",
            "Overfitting",
            passed,
            Section.TRUST,
            "Training and validation scores differ by less than their spread.",
            "evaluated",
            figures=(known["curves"],),
        ),
        Finding(
            "AML303", "Search optimism", passed, Section.TRUST, "The sealed score agrees with the search folds.", "evaluated"
        ),
        Finding(
            "AML401",
            "Weak slice",
            issue,
            Section.FAILURES,
            'Accuracy is 7 points lower where "workclass" is "Self-emp".',
            "evaluated",
            {"difference": Number(-7.1, -10.9, -3.2, unit="points")},
            (known["slices"],),
            {
                "columns": ["workclass", "rows", "accuracy"],
                "rows": [["Private", 1700, 0.86], ["Self-emp", 300, 0.79], [None, 12, 0.5]],
            },
            "Collect more rows of this group, or decide them by hand.",
        ),
        Finding(
            "AML501",
            "Column importance",
            passed,
            Section.WHY,
            "The model relies most on marital-status and capital-gain.",
            "evaluated",
            figures=(known["importance"],),
        ),
        Finding(
            "AML701",
            "Parity",
            passed,
            Section.DEPLOY,
            "The exported graph agrees with the trained pipeline to 0.0000003.",
            "shipped",
            {"largest_difference": Number(3e-7)},
        ),
    ]


FACTS: dict[str, Any] = {
    "name": "adult",
    "command": "automl fit adult.csv --target class --time 300",
    "python_call": 'automl.fit("adult.csv", target="class", time=300)',
    "versions": {"automl": "0.1.0", "python": "3.11.2", "keras": "3.15.0", "lightgbm": "4.6.0"},
    "seed": 0,
    "data_hash": "9f3c" * 16,
    "created": "2026-11-22 17:30 UTC",
    "seconds": {"read": 0.4, "profile": 0.9, "search": 187.2, "judge": 11.0, "report": 0.3},
    "judged_on": "2,400 sealed rows that took no part in training or choosing",
    "shipped": {"architecture": "boosting", "bytes": 586_000, "milliseconds_a_row": 0.14, "refitted": True},
    "run_folder": "runs/adult-1",
    "reading": {"delimiter": ",", "encoding": "utf-8"},
}


def binary() -> Sample:
    classes = ("<=50K", ">50K")
    score, baseline = Number(0.9284, 0.9189, 0.9376), Number(0.5, 0.5, 0.5)
    found = findings("roc_auc", score, baseline, ("roc", "curves", "confusion"))
    notes = ('The positive class is ">50K", the rarer one; `--positive` changes it.',)
    return Sample(
        profile(Task.BINARY, "class", classes, (9120, 2880), notes=notes),
        plan(Task.BINARY, "class", "roc_auc"),
        evidence("roc_auc", (0.5, 0.9071, 0.9269, 0.9182), 1.0),
        found,
        FACTS,
    )


def multiclass() -> Sample:
    classes = ("acc", "good", "unacc", "vgood")
    found = findings("log_loss", Number(0.0412, 0.031, 0.055), Number(0.836, 0.81, 0.86), ("curves", "groups", "large"))
    return Sample(
        profile(Task.MULTICLASS, "rating", classes, (3100, 700, 7800, 400)),
        plan(Task.MULTICLASS, "rating", "log_loss"),
        evidence("log_loss", (0.836, 0.31, 0.045, 0.052), -1.0),
        [each for each in found if each.severity is not Severity.ISSUE],
        {**FACTS, "name": "car"},
    )


def regression() -> Sample:
    stop = Finding(
        "AML203",
        "Better than the baseline",
        Severity.ISSUE,
        Section.SCORES,
        "The model is not better than the mean.",
        "evaluated",
    )
    counts, edges = np.histogram(np.random.default_rng(0).lognormal(8, 0.8, 12000), 30)
    statistics = {"histogram": {"edges": edges.tolist(), "counts": counts.tolist()}, "mean": 3930.0}
    found = findings("rmse", Number(534.2, 512.0, 560.5), Number(3989.0, 3890.0, 4090.0), ("actual", "residuals", "curves"))
    return Sample(
        profile(Task.REGRESSION, "price", target_statistics=statistics),
        plan(Task.REGRESSION, "price", "rmse"),
        evidence("rmse", (3989.0, 1124.0, 534.0, 571.0), -1.0),
        [*found, stop],
        {**FACTS, "name": "diamonds"},
    )


def minimal() -> Sample:
    return Sample(profile(Task.BINARY, "class", ("no", "yes"), (10, 5), columns=()), plan(Task.BINARY, "class", "roc_auc"), None)


def hostile() -> Sample:
    sample = binary()
    bad = tuple(column(HOSTILE + str(at)) for at in range(3))
    series = Series(HOSTILE, (HOSTILE, HOSTILE + "2"), (1.0, float("nan")), (None, 0.5), (1.5, None))
    drawn = tuple(
        Figure(HOSTILE, kind, HOSTILE, HOSTILE, (series,), HOSTILE, HOSTILE) for kind in ("bar", "interval", "line", "matrix")
    )
    table = {"columns": [HOSTILE, "value"], "rows": [[HOSTILE, 1.0], [None, float("inf")], [True, -0.5]]}
    found = [
        Finding(HOSTILE, HOSTILE, severity, section, HOSTILE, "evaluated", {HOSTILE: Number(float("nan"))}, drawn, table, HOSTILE)
        for section in Section
        for severity in (Severity.ISSUE, Severity.PASSED)
    ]
    facts = {key: HOSTILE if isinstance(value, str) else value for key, value in FACTS.items()}
    facts["versions"] = {HOSTILE: HOSTILE}
    classes = (HOSTILE, "b")
    return Sample(
        profile(Task.BINARY, HOSTILE, classes, (9000, 3000), columns=bad, notes=(HOSTILE,)),
        sample.plan,
        sample.evidence,
        found,
        facts,
    )


SAMPLES = {"binary": binary, "multiclass": multiclass, "regression": regression, "minimal": minimal, "hostile": hostile}
