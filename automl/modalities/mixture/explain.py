"""What each kind of column is worth to the model, a training batch as it sees it, and what the modality of each kind shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Case
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity, decimals_for
from automl.core.metrics import METRICS, Metric
from automl.core.parsers import parse_column
from automl.core.profile import Kind
from automl.core.statistics import percentile_interval
from automl.modalities.mixture.sense import specialists
from automl.modalities.mixture.sizes import NAMES

Array = np.ndarray[Any, Any]

MOST_ROWS, REPEATS, RESAMPLES = 400, 3, 200
SHARE_OF_TIME = 0.25
SHEET_ROWS, MOST_SHOWN = 8, 120
WORTH, SHEET = "What each kind of column is worth", "A training batch with all its columns"
SHEETS_OF_TEXTS = "AML516"
"""The modality of texts says how its own nets read them, which the rungs here do not."""
OTHERS = "numbers, categories and dates"


def explain(case: Case) -> list[Finding]:
    """AML540, AML541, and the findings of the modalities of texts, images and sounds about their columns."""
    findings = [_worth(case)]
    if case.plan.samples:
        findings.append(_sheet(case))
    for modality in specialists({column.kind for column in case.profile.features}):
        if modality.explain is not None and not case.deadline.expired:
            findings += [finding for finding in modality.explain(case) if finding.code != SHEETS_OF_TEXTS]
    return findings


# --- what each kind is worth -----------------------------------------------------------------------------------------


def kinds_of(case: Case) -> dict[str, list[str]]:
    """The features by kind; numbers, categories and dates together."""
    found: dict[str, list[str]] = {}
    for column in case.profile.features:
        found.setdefault(NAMES.get(column.kind, OTHERS), []).append(column.name)
    return found


def _worth(case: Case) -> Finding:
    """AML540: what the score loses when all columns of a kind are shuffled together, by the exported model."""
    metric = METRICS[case.plan.metric]
    measured = _measured(case, metric)
    if not measured:
        return _not_applicable("There was no time left, or the score is not defined on the judged rows.")
    names = sorted(measured, key=lambda name: -measured[name].value)
    told = " and ".join(f"by {_rounded(measured[name])} where the {name} are shuffled" for name in names[:2])
    figure = Figure(
        "kinds",
        "interval",
        WORTH,
        "All columns of a kind were shuffled together over the judged rows, so that they no longer belong to their row: how"
        f" much worse {metric.title} gets. The line is a 95 % interval over the rows.",
        (_series(names, measured),),
        x_label="kind of column",
        y_label=f"how much worse {metric.title} gets",
        reference="zero",
    )
    useless = [name for name in names if (measured[name].low or 0.0) <= 0.0]
    action = f"What the {' and the '.join(useless)} say cannot be told from chance: a model without them is smaller."
    return Finding(
        code="AML540",
        title=WORTH,
        severity=Severity.PASSED,
        section=Section.WHY,
        sentence=f"{metric.title[:1].upper()}{metric.title[1:]} gets worse {told}.",
        about="evaluated",
        numbers={name.replace(",", "").replace(" ", "_"): number for name, number in measured.items()},
        figures=(figure,),
        action=action if useless else "",
    )


def _rounded(number: Number) -> str:
    return f"{number.value:.{decimals_for(number.value, number.low, number.high)}f}"


def _series(names: list[str], measured: dict[str, Number]) -> Series:
    ends = [(measured[name].low, measured[name].high) for name in names]
    values = tuple(measured[name].value for name in names)
    return Series("loss", tuple(names), values, tuple(low for low, _ in ends), tuple(high for _, high in ends))


def _measured(case: Case, metric: Metric) -> dict[str, Number]:
    """The loss with its interval, by kind; those for which there was time."""
    if case.predict is None or not len(case.truth):
        return {}
    limit = case.deadline.until(share=SHARE_OF_TIME)
    generator = np.random.default_rng(case.plan.seed)
    rows = np.sort(generator.permutation(len(case.truth))[:MOST_ROWS])
    frame, truth, prediction = _read_once(case, rows), case.truth[rows], case.prediction[rows]
    weight = None if case.weight is None else case.weight[rows]
    found: dict[str, Number] = {}
    for name, columns in kinds_of(case).items():
        if limit.expired:
            break
        shuffled = []
        for _ in range(REPEATS):
            work, places = frame.copy(deep=False), generator.permutation(len(rows))
            for column in columns:
                work[column] = frame[column].iloc[places].set_axis(frame.index)
            shuffled.append(np.asarray(case.predict(work)))
        draws = [np.arange(len(rows)), *(generator.integers(len(rows), size=len(rows)) for _ in range(RESAMPLES))]
        losses = np.asarray([_loss(metric, case, truth, prediction, shuffled, weight, drawn) for drawn in draws])
        if np.isfinite(losses[0]):
            found[name] = Number(float(losses[0]), *percentile_interval(losses[1:]))
    return found


def _loss(
    metric: Metric, case: Case, truth: Array, prediction: Array, shuffled: list[Array], weight: Array | None, rows: Array
) -> float:
    """What the metric loses on these rows, averaged over the shuffles, in its own unit."""
    part = None if weight is None else weight[rows]
    whole = metric.score(truth[rows], prediction[rows], part, case.positive)
    others = [metric.score(truth[rows], each[rows], part, case.positive) for each in shuffled]
    return float(np.mean([metric.gain(whole, each) for each in others]))


def _read_once(case: Case, rows: Array) -> pd.DataFrame:
    """The judged rows, their files decoded; a cell may also be what its file decodes to."""
    frame = case.judged.iloc[rows].reset_index(drop=True)
    for column in case.profile.features_of(Kind.IMAGE, Kind.AUDIO):
        decoded = parse_column(frame[column.name], column.parse, case.profile.root)
        frame[column.name] = pd.Series(list(decoded), frame.index, dtype=object)
    return frame


def _not_applicable(why: str) -> Finding:
    return Finding("AML540", WORTH, Severity.NOT_APPLICABLE, Section.WHY, why)


# --- what it was trained on ------------------------------------------------------------------------------------------


def _sheet(case: Case) -> Finding:
    """AML541: some training rows with their target and all their columns, as they were read."""
    frame, rows = case.dataset.frame, case.training_rows
    chosen = np.sort(np.random.default_rng(case.plan.seed).permutation(rows)[:SHEET_ROWS])
    names = [case.profile.target, *(column.name for column in case.profile.features)]
    lines = [[_shown(frame[name].iloc[row]) for name in names] for row in chosen.tolist()]
    return Finding(
        code="AML541",
        title=SHEET,
        severity=Severity.PASSED,
        section=Section.DATA,
        sentence=f"{len(lines)} training rows with the target first: texts, files and other columns that belong together.",
        about="evaluated",
        table={"columns": names, "rows": lines},
        action="Check by eye that each text or file belongs to its row and that the target fits.",
    )


def _shown(cell: Any) -> str:
    text = "" if cell is None or cell != cell else str(cell)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
