"""Two runs side by side: settings, data, scores with their intervals, and the paired difference on rows that both judged."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.core.files import encode, read_json
from automl.core.finding import Number
from automl.core.metrics import METRICS, with_scale, with_threshold
from automl.core.record import read_record
from automl.core.statistics import percentile_interval

if TYPE_CHECKING:
    from automl.run import Run

Array = np.ndarray[Any, Any]

FEWEST_ROWS = 20
"""Rows judged by both, below which their difference says nothing."""
RESAMPLES, SIGNIFICANT = 1000, 0.05
_SCORES, _GAPS = "AML202", "AML411"
_OF_THE_PLACE = ("out", "jobs", "memory")


@dataclass(frozen=True)
class Side:
    """One run: where it is, what came of it, its scores by metric, and the gaps between its sensitive groups, where it has any.

    gaps: such as "sex: equalised odds" to the largest difference between two groups, with its interval.
    """

    run: str
    source: str
    data_hash: str
    verdict: str
    model: str
    judged_on: str
    scores: dict[str, Number]
    bytes: int | None
    milliseconds_a_row: float | None
    gaps: dict[str, Number] = field(default_factory=dict)


@dataclass(frozen=True)
class Paired:
    """How much better the second run is than the first on the rows that both judged; positive is better.

    p_value: two-sided, of no difference, by the bootstrap of the shared rows (whole groups where the split was by group).
    """

    metric: str
    rows: int
    first: float
    second: float
    gain: Number
    p_value: float
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """settings: name to the values of both, where they differ. unpaired: why there is no paired difference, or ""."""

    first: Side
    second: Side
    same_data: bool
    settings: dict[str, tuple[Any, Any]]
    paired: tuple[Paired, ...]
    unpaired: str


def compare(first: Run, second: Run) -> Comparison:
    """Hold two finished runs against each other."""
    sides = [_side(each) for each in (first, second)]
    same = sides[0].data_hash == sides[1].data_hash
    unpaired = ""
    paired: tuple[Paired, ...] = ()
    if (first.profile.target, first.profile.task, first.profile.classes) != (
        second.profile.target,
        second.profile.task,
        second.profile.classes,
    ):
        unpaired = "they predict different things"
    elif first.profile.positive != second.profile.positive:
        unpaired = f'one asks for "{first.profile.positive}", the other for "{second.profile.positive}"'
    elif not same:
        unpaired = "they were made from different data"
    else:
        rows, unpaired = _shared(first, second)
        paired = () if unpaired else _paired(first, second, *rows)
    return Comparison(sides[0], sides[1], same, _settings(first, second), paired, unpaired)


def _side(run: Run) -> Side:
    report, facts = run.report, run.report["facts"]
    found, gaps = (next((each.numbers for each in run.findings if each.code == code), {}) for code in (_SCORES, _GAPS))
    return Side(
        run=str(run.folder),
        source=str(read_json(run.folder / "dataset.json")["source"]),
        data_hash=str(facts.get("data_hash")),
        verdict=run.verdict.label,
        model=str(report["model"]["title"]),
        judged_on=str(facts.get("judged_on") or ""),
        scores={name: value for name, value in found.items() if name in METRICS},
        bytes=report["model"]["bytes"],
        milliseconds_a_row=report["model"]["milliseconds_a_row"],
        gaps=gaps,
    )


def _settings(first: Run, second: Run) -> dict[str, tuple[Any, Any]]:
    """Options, plan, model settings and versions that differ."""
    told = []
    for run in (first, second):
        record = read_record(Path(run.folder))
        plan = {
            name: getattr(run.plan, name) for name in ("target", "task", "metric", "preset", "budget_seconds", "trials", "seed")
        }
        split = {f"split {each.name}": getattr(run.plan.split, each.name) for each in dataclasses.fields(run.plan.split)}
        options = {name: value for name, value in record["options"].items() if name not in (*_OF_THE_PLACE, "time", *plan)}
        model = {f"model {name}": value for name, value in run.report["model"]["settings"].items()}
        model |= {"pool of the model": pool} if (pool := run.report["model"].get("pool")) else {}
        versions = {f"version {name}": value for name, value in record["versions"].items()}
        ladder = {"ladder": [rung.architecture for rung in run.plan.ladder]}
        told.append(encode({**plan, **split, **ladder, **options, **model, **versions}))
    names = dict.fromkeys([*told[0], *told[1]])
    return {name: (told[0].get(name), told[1].get(name)) for name in names if told[0].get(name) != told[1].get(name)}


def _shared(first: Run, second: Run) -> tuple[tuple[dict[str, Array], dict[str, Array]], str]:
    """What is kept of the rows that both judged, in the same order; or why they cannot be compared."""
    kept = []
    for run in (first, second):
        with np.load(run.folder / "evaluated" / "predictions.npz", allow_pickle=False) as content:
            kept.append(dict(content))
    _, ours, theirs = np.intersect1d(kept[0]["row_ids"], kept[1]["row_ids"], return_indices=True)
    pair = (
        {name: values[ours] for name, values in kept[0].items()},
        {name: values[theirs] for name, values in kept[1].items()},
    )
    known = np.ones(len(ours), bool)
    for side in pair:
        finite = np.isfinite(side["prediction"])
        known &= finite if finite.ndim == 1 else finite.all(axis=1)
    pair = ({name: values[known] for name, values in pair[0].items()}, {name: values[known] for name, values in pair[1].items()})
    rows = int(known.sum())
    if rows < FEWEST_ROWS:
        return pair, f"they judged {rows:,} rows in common" if rows else "they judged no row in common"
    if not np.array_equal(pair[0]["truth"], pair[1]["truth"]):
        return pair, "the same rows have another truth in them"
    return pair, ""


def _paired(first: Run, second: Run, ours: dict[str, Array], theirs: dict[str, Array]) -> tuple[Paired, ...]:
    """The metric that each run was chosen by; where they call classes by thresholds, also how often they are right."""
    names = dict.fromkeys((first.plan.metric, second.plan.metric))
    if any(run.evidence.readout.threshold is not None for run in (first, second)):
        names |= dict.fromkeys(("accuracy", "balanced_accuracy"))
    return tuple(each for name in names if (each := _difference(name, (first, second), (ours, theirs))) is not None)


def _difference(name: str, runs: tuple[Run, Run], sides: tuple[dict[str, Array], dict[str, Array]]) -> Paired | None:
    from automl.judge.bootstrap import count_blocks, replicator

    ours, profile = sides[0], runs[0].profile
    truth, weight, groups = ours["truth"], ours.get("weight"), ours.get("groups")
    plain = with_scale(METRICS[name], [ours["error_scale"]]) if "error_scale" in ours else METRICS[name]
    positive = profile.classes.index(profile.positive) if profile.positive in profile.classes else 1
    if plain.calls and not all(_knows_threshold(run, side) for run, side in zip(runs, sides, strict=True)):
        return None
    metrics = [with_threshold(plain, _threshold(run, side)) for run, side in zip(runs, sides, strict=True)]
    judged = list(zip(metrics, (side["prediction"] for side in sides), strict=True))
    scores = [metric.score(truth, prediction, weight, positive) for metric, prediction in judged]
    if not np.isfinite(scores).all():
        return None
    draws = [replicator(metric, truth, prediction, positive) for metric, prediction in judged]
    blocks = list(count_blocks(len(truth), RESAMPLES, runs[0].plan.seed, groups, weight))
    before, after = (np.concatenate([draw(block) for block in blocks]) for draw in draws)
    gains = after - before if plain.greater_is_better else before - after
    gains = gains[np.isfinite(gains)]
    tails = [(1 + int(part.sum())) / (1 + len(gains)) for part in (gains <= 0, gains >= 0)]
    p_value = min(1.0, 2 * min(tails))
    low, high = percentile_interval(gains)
    known = bool(np.isfinite(low) and np.isfinite(high))
    gain = Number(plain.gain(scores[1], scores[0]), low if known else None, high if known else None)
    told = "no more than chance explains"
    if p_value < SIGNIFICANT:
        told = f"the {'second' if gain.value > 0 else 'first'} is better"
    sentence = f"On the {len(truth):,} rows that both judged: {told} (p = {p_value:.3f}, paired bootstrap)."
    return Paired(name, len(truth), scores[0], scores[1], gain, p_value, sentence)


def _knows_threshold(run: Run, side: dict[str, Array]) -> bool:
    """Runs of earlier versions did not keep from where on each row is called, where that differs by group."""
    found = run.evidence.readout.threshold
    return "limits" in side or found is None or found.groups is None or not found.groups.own


def _threshold(run: Run, side: dict[str, Array]) -> float | Array | None:
    """From which probability on this run calls the positive class, one a row where it differs by group."""
    if "limits" in side:
        return side["limits"]
    found = run.evidence.readout.threshold
    return None if found is None else found.value
