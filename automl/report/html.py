"""report.html: one page that needs no network and no script, made from report.json and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup, escape

from automl.core import files
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity, decimals_for
from automl.core.metrics import METRICS
from automl.core.profile import Profile
from automl.report import influences, numbers, pictures, svg
from automl.report.sections import (
    BASELINE,
    HIGHER_MEAN,
    OPTIMISM,
    QUESTIONS,
    Report,
    by_severity,
    command_of,
    introduction,
    next_commands,
    open_report,
    what_to_watch,
)

MOST_BYTES, MOST_ELEMENTS = 1_000_000, 5_000
_ELEMENT = re.compile("<[a-z]")
"""The beginning of an element: text has its angle brackets escaped."""
_TEXT_LIMIT = 400
_PLAN_LIMIT = 20_000
_WORD_LIMIT = 32
_SHOWN_IN_FULL = (Section.SCORES, Section.WHY, Section.CHOICE)
_KNOWN_NAMES = {
    "bytes": "Size",
    "milliseconds_a_row": "One row",
    "difference": "Largest difference",
    "area_under_risk_coverage": "Mean loss over all shares that are answered",
}
_AT_A_LEVEL = {
    "coverage": "Rows that hold the truth",
    "single_class": "Rows with a single class",
    "mean_set_size": "Mean number of classes",
    "mean_width": "Mean width",
}
"""Numbers that are there for several levels, which end their names, such as coverage_80."""
_P_VALUE = "p_value"
_TARGET = "target"
"""The figure of the target, which the data section shows once."""
ASKING = (Severity.STOP, Severity.ISSUE, Severity.TIP)
"""What these ask for stands above all, with its command."""
_FACTS = ("command", "python_call", "data_hash", "seed", "reading", "run_folder")
_ABOUT = {"evaluated": "about the judged model", "shipped": "about the shipped model", "data": "about the data"}


@dataclass(frozen=True)
class Limits:
    """How much of long tables is shown, and how many figures of a finding; all of it is in report.json."""

    columns: int
    trials: int
    rows: int
    figures: int = 99


_CURVES = ("line", "forecast", "scatter", "histogram", "dependence")
"""Kinds of figures whose first rows say as much as any others."""
_LIMITS = (
    Limits(200, 200, 60), Limits(120, 100, 40), Limits(80, 60, 25), Limits(50, 30, 15), Limits(30, 15, 8), Limits(15, 8, 4),
    Limits(15, 8, 4, 2), Limits(10, 5, 2, 1),
)  # fmt: skip


def render(content: dict[str, Any]) -> str:
    """The page for the content of a report.json, at most 1 MB and 5,000 elements: long tables are cut where it would be more.

    Raises InputError where the content is damaged or of a newer version.
    """
    opened = open_report(files.encode(content))
    for limits in _LIMITS:
        page = _environment().get_template("report.html").render(_view(opened, limits))
        if len(page.encode("utf-8", "replace")) <= MOST_BYTES and len(_ELEMENT.findall(page)) <= MOST_ELEMENTS:
            break
    return page


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
    )
    environment.filters.update(
        number=numbers.number,
        seconds=numbers.seconds,
        bytes=numbers.size,
        milliseconds=numbers.milliseconds,
        percent=numbers.percent,
        p=numbers.p_value,
        score=_score,
        rich=_rich,
        command=_command,
        cell=_cell,
    )
    return environment


def _printable(value: Any) -> Any:
    """Text without control characters, which no HTML page may hold; markup as it is."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return "" if value is None else value
    return "".join(each if each.isprintable() or each in "\n\t" else " " for each in value)


def _rich(text: Any) -> Markup:
    """A sentence in which `words in backquotes` are code."""
    parts = re.split(r"`([^`]+)`", str(_printable(str(text))))
    parts = [part if at % 2 else re.sub(r"(?<=[ (])-(?=\d)", numbers.MINUS, part) for at, part in enumerate(parts)]
    return Markup("").join(_command(part) if at % 2 else escape(part) for at, part in enumerate(parts))


def _command(text: Any) -> Markup:
    """Code whose words are not broken at their hyphens unless they are long."""
    words = str(_printable(str(text))).split(" ")
    marked = (Markup("<span>{}</span>").format(word) if len(word) <= _WORD_LIMIT else escape(word) for word in words)
    return Markup("<code>{}</code>").format(Markup(" ").join(marked))


def _score(value: float) -> str:
    """A pure number with three decimals."""
    return numbers.fixed(value, 3)


def _cell(value: Any) -> str:
    """A cell of a table behind a figure."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = numbers.number(value)
    return text if len(text) <= _TEXT_LIMIT else text[:_TEXT_LIMIT] + "…"


def _view(opened: Report, limits: Limits) -> dict[str, Any]:
    """What the template shows, in plain values."""
    content, drawn = opened.content, _Anchors()
    anchors = {id(each): drawn.of(each.code) for each in opened.findings}
    places = {(each.code, each.sentence): anchors[id(each)] for each in reversed(opened.findings)}
    sections = [_section(section, opened, anchors, limits) for section in QUESTIONS]
    return {
        "report": content,
        "profile": opened.profile,
        "facts": {**dict.fromkeys(_FACTS), **opened.facts},
        "headline": _headline(opened),
        "model": _model(content["model"]),
        "actions": [{**each, "anchor": places[each["code"], each["because"]]} for each in content["actions"]],
        "commands": next_commands(opened),
        "watched": what_to_watch(opened),
        "sections": {each["name"]: each for each in sections},
        "counts": _counts(opened.findings),
        "ladder": _ladder(opened, limits),
        "data": _data(opened.profile, limits),
        "created": _moment(content["created"]),
        "versions": sorted((opened.facts.get("versions") or {}).items()),
        "stages": list((opened.facts.get("seconds") or {}).items()),
        "plan_yaml": _plan_yaml(opened),
        "limits": limits,
    }


class _Anchors:
    """Names for places in the page, each given once."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def of(self, name: str) -> str:
        plain = re.sub(r"[^A-Za-z0-9_-]", "-", name) or "finding"
        self.seen[plain] = self.seen.get(plain, 0) + 1
        return plain if self.seen[plain] == 1 else f"{plain}-{self.seen[plain]}"


def _section(section: Section, opened: Report, anchors: dict[int, str], limits: Limits) -> dict[str, Any]:
    """The findings of one section: in full, folded, or as a line of the list of checks that passed."""
    full: list[dict[str, Any]] = []
    folded: list[dict[str, Any]] = []
    listed: list[dict[str, Any]] = []
    for each in by_severity([finding for finding in opened.findings if finding.section is section]):
        view = _finding(each, anchors[id(each)], limits, opened.facts)
        evidence = bool(each.figures or each.table)
        told = section in _SHOWN_IN_FULL and each.severity is Severity.PASSED and (evidence or each.numbers)
        if told or each.severity in ASKING:
            full.append(view)
        else:
            (folded if evidence else listed).append(view)
    passed, late = (sum(each["severity"] == kind.value for each in listed) for kind in (Severity.PASSED, Severity.NOT_RUN))
    return {
        "name": section.value,
        "question": QUESTIONS[section][0],
        "intro": introduction(section, opened.plan),
        "full": full,
        "folded": folded,
        "listed": listed,
        "listed_words": _listed_words(passed, late, len(listed) - passed - late),
        "empty": not (full or folded or listed),
    }


def _listed_words(passed: int, late: int, other: int) -> str:
    parts = [f"{passed} {'check' if passed == 1 else 'checks'} passed"] * bool(passed)
    parts += [f"{late} {'was' if late == 1 else 'were'} not run for lack of time"] * bool(late)
    parts += [f"{other} {'does' if other == 1 else 'do'} not apply"] * bool(other)
    return ", ".join(parts)


def _drawn(finding: Finding) -> set[str]:
    """Names whose numbers a figure or a table of the finding shows already."""
    names = {str(label) for figure in finding.figures for series in figure.series for label in series.x}
    return names | {str(row[0]) for row in finding.table.get("rows") or [] if row}


def _finding(finding: Finding, anchor: str, limits: Limits, facts: dict[str, Any]) -> dict[str, Any]:
    figures = [each for each in finding.figures if each.name != _TARGET]
    paired = {name: finding.numbers.get(f"{BASELINE}_{name}") for name in finding.numbers}
    listed = {name: value for name, value in finding.numbers.items() if not _is_pair(name, finding.numbers)}
    if set(listed) <= _drawn(finding):
        listed = {}
    measures = [_measure(name, value, paired[name]) for name, value in listed.items()]
    levels = {finding.numbers[name].level for name, each in zip(listed, measures, strict=True) if each["interval"]}
    return {
        "anchor": anchor,
        "code": finding.code,
        "title": finding.title,
        "severity": finding.severity.value,
        "about": _ABOUT.get(finding.about, finding.about),
        "sentence": finding.sentence,
        "action": finding.action,
        "command": command_of(finding.action, facts) if finding.severity not in ASKING else "",
        "measures": measures,
        "interval_title": f"{next(iter(levels)):.0%} interval".replace("%", " %") if len(levels) == 1 else "Interval",
        "has_intervals": bool(levels),
        "has_baseline": any(each["baseline"] for each in measures),
        "inline": len(measures) <= 4 and not any(each["baseline"] for each in measures),
        "one": len(figures) == 1,
        "figures_left_out": max(0, len(figures) - limits.figures),
        "note": finding.severity not in ASKING,
        "figures": [_figure(each, f"{anchor}-{at}", limits) for at, each in enumerate(figures[: limits.figures])],
        "table": _table(finding.table, limits) if finding.table.get("columns") else None,
    }


def _is_pair(name: str, found: dict[str, Number]) -> bool:
    """Whether a number is the baseline's value of another one."""
    return name.removeprefix(f"{BASELINE}_") in found and name.startswith(f"{BASELINE}_")


def _measure(name: str, value: Number, baseline: Number | None) -> dict[str, Any]:
    text, interval = (numbers.p_value(value.value), "") if name == _P_VALUE else numbers.measured(value)
    return {
        "name": _name(name),
        "value": text,
        "interval": interval,
        "level": f"{100 * value.level:.0f} %",
        "baseline": numbers.beside(baseline, value) if baseline else "",
    }


def _name(name: str) -> str:
    """A key as a person reads it: the metric's title, or words."""
    if name in METRICS or name == _P_VALUE:
        return METRICS[name].title if name in METRICS else "p"
    stem, _, level = name.rpartition("_")
    if stem in _AT_A_LEVEL and level.replace(".", "").isdigit():
        return f"{_AT_A_LEVEL[stem]}, {level} % promised"
    words = _KNOWN_NAMES.get(name) or name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _figure(figure: Figure, identity: str, limits: Limits) -> dict[str, Any]:
    if pictures.is_picture(figure):
        content = {"svg": Markup(pictures.draw(figure)), "table": _table(pictures.table(figure), limits)}
        return {"identity": identity, "title": figure.title, "how_to_read": figure.how_to_read, "wide": True, **content}
    drawn, named = svg.draw(figure, identity), len(figure.series) > 1 and figure.kind not in influences.KINDS
    return {
        "identity": identity,
        "title": figure.title,
        "how_to_read": figure.how_to_read,
        "svg": Markup(drawn),
        "wide": float(re.search(r'viewBox="0 0 ([\d.]+)', drawn)[1]) > svg.WIDTH,  # type: ignore[index]
        "table": _table(svg.table(figure), limits, spread=figure.kind in _CURVES, several=named),
    }


def _table(table: dict[str, Any], limits: Limits, spread: bool = False, several: bool = False) -> dict[str, Any]:
    """A table, its columns right-aligned where they hold numbers, cut to its first rows, or to rows spread over all of it.

    several: the first cell of a row says which of several series it is of.
    """
    rows = [list(row) for row in table.get("rows") or []]
    shown = _spread(rows, limits.rows, several) if spread else list(range(min(len(rows), limits.rows)))
    width = len(table["columns"])
    cells = [[row[at] for row in rows if at < len(row)] for at in range(width)]
    numeric = [bool(rows) and all(value is None or numbers.is_number(value) for value in column) for column in cells]
    return {
        "columns": ["row, from 0" if column == "row" else str(column) for column in table["columns"]],
        "numeric": numeric,
        "rows": [(row + [None] * width)[:width] for row in (rows[at] for at in shown)],
        "left_out": len(rows) - len(shown),
        "spread": spread,
    }


def _spread(rows: list[list[Any]], most: int, several: bool) -> list[int]:
    """At most so many positions, evenly spaced from the first row to the last, within each series where there are several.

    Short series are shown whole, and what they leave goes to the longer ones.
    """
    series: dict[str, list[int]] = {}
    for at, row in enumerate(rows):
        series.setdefault(str(row[0]) if several else "", []).append(at)
    if 2 * len(series) > most:  # too many for each to have its two ends
        series = {"": list(range(len(rows)))}
    chosen: list[int] = []
    for done, places in enumerate(sorted(series.values(), key=len)):
        share = min(len(places), (most - len(chosen)) // (len(series) - done))
        last = max(1, share - 1)
        chosen += [places[(step * (len(places) - 1)) // last] for step in range(share)]
    return sorted(chosen)


def _headline(opened: Report) -> dict[str, Any] | None:
    headline, target = opened.content["headline"], opened.plan.target
    if headline is None:
        return None
    score = files.decode(Number, headline["score"])
    baseline = files.decode(Number, headline["baseline"]) if headline["baseline"] else None
    folds = next((each.numbers.get("out_of_fold") for each in opened.findings if each.code == OPTIMISM), None)
    value, interval = numbers.measured(score)
    series = [("Model", score)] + ([("Baseline", baseline)] if baseline else [])
    comparable = all(numbers.is_number(each.value) for _, each in series) and len(series) == 2
    figure = Figure(
        name="headline",
        kind="interval",
        title=f"{headline['title']}: model and baseline",
        how_to_read="Each dot is a score, the line through it its interval.",
        series=(
            Series(
                "",
                tuple(name for name, _ in series),
                tuple(each.value for _, each in series),
                tuple(each.low for _, each in series),
                tuple(each.high for _, each in series),
            ),
        ),
    )
    return {
        "title": headline["title"],
        "direction": "higher is better" if headline["greater_is_better"] else "lower is better",
        "value": value,
        "interval": interval,
        "level": f"{100 * score.level:.0f} %",
        "baseline": numbers.beside(baseline, score) if baseline else "",
        "out_of_fold": numbers.beside(folds, score) if folds else "",
        "unit": f'in the unit of "{target}"' if headline["unit"] == "target" else "",
        "judged_on": headline["judged_on"],
        "judged_how": _judged_how(opened),
        "svg": Markup(svg.draw(figure, "headline", 330.0)) if comparable else "",
        "how_to_read": figure.how_to_read,
    }


def _judged_how(opened: Report) -> str:
    """What the judged rows were to the model, in a sentence."""
    split = opened.plan.split
    if opened.evidence and opened.evidence.nested:
        return "Every row was predicted by models that were chosen and trained without it."
    if split.kind == "given":
        return "These rows come from the test file; they were neither trained on nor used to choose."
    if split.sealed_fraction:
        return "These rows were set aside first; they were neither trained on nor used to choose."
    return "The same rows helped to choose the model, so the score may be a little too hopeful."


def _moment(created: str) -> str:
    """2026-01-31 09:30 UTC; anything else as it stands."""
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::[\d.]+)?(?:\+00:00|Z)$", r"\1 \2 UTC", created)


def _model(model: dict[str, Any]) -> dict[str, Any]:
    settings = [(name.replace("_", " "), _cell(value)) for name, value in model["settings"].items()]
    return {"seeds": 1, "more_nets": False, **model, "settings": settings}  # runs of earlier code have one fit of each


def _counts(findings: Iterable[Finding]) -> list[tuple[str, int]]:
    found = [each.severity for each in findings]
    return [(severity.value, found.count(severity)) for severity in Severity if found.count(severity)]


def _ladder(opened: Report, limits: Limits) -> dict[str, Any]:
    metric = METRICS[opened.plan.metric]
    titles = {rung.architecture: rung.title for rung in opened.plan.rungs}
    rows = [_rung(each, titles, metric.unit) for each in opened.content["ladder"]]
    searched = any(each.get("folds") == "search" for each in opened.content["ladder"])
    folds = "the folds of the search" if searched else "fresh folds"
    where = "folds that its settings were not searched on"
    if searched:
        where = "the folds of the search, on every one by the trial that is best on the others"
    untested = [each["title"] for each in opened.content["ladder"] if each["p_value"] is not None and each["score"] is None]
    missing = f" Not shown, as it was not run on fresh folds: {', '.join(untested)}." if untested else ""
    scored, left_out = _told_apart([each for each in opened.content["ladder"] if numbers.is_number(each["score"])])
    figure = Figure(
        name="ladder",
        kind="interval",
        title=f"{metric.short or metric.title} on {folds}, simplest rung first",
        how_to_read=(
            f"Each dot is a rung's mean score on {where}, the line its 95 % interval; "
            f"{'higher' if metric.greater_is_better else 'lower'} is better. Rungs share the folds, so whether a climb pays is "
            f"told by the gain and its p in the table, not by whether two lines overlap.{left_out}"
            f"{missing}"
        ),
        series=(
            Series(
                "",
                tuple(each["title"] for each in scored),
                tuple(each["score"] for each in scored),
                tuple(each["low"] for each in scored),
                tuple(each["high"] for each in scored),
            ),
        ),
        x_label="Rung",
        y_label=metric.title,
    )
    trials = opened.evidence.trials if opened.evidence else ()
    return {
        "rows": rows,
        "metric": metric.short or metric.title,
        "direction": "higher is better" if metric.greater_is_better else "lower is better",
        "figure": _figure(figure, "ladder-figure", limits) if len(scored) > 1 else None,
        "folds": opened.evidence.fresh_folds if opened.evidence else 0,
        "searched": searched,
        "why_searched": (opened.evidence.without_fresh if opened.evidence else "") or "there was no time for fresh ones",
        "obeyed": opened.plan.preset != HIGHER_MEAN,
        "levels": _levels(opened.content["ladder"]),
        "tests": list(dict.fromkeys(each["test"] for each in opened.content["ladder"] if each["test"])),
        "trials": [_trial(each, titles, metric.unit) for each in trials[: limits.trials]],
        "trial_count": len(trials),
        "split": opened.plan.split,
        "metric_line": f"{metric.title}, {'higher' if metric.greater_is_better else 'lower'} is better",
    }


def _levels(ladder: Sequence[dict[str, Any]]) -> str:
    """`80 %`: of the intervals of the gains; runs of earlier versions do not say it and have 90 %."""
    levels = {row.get("gain_level") or 0.9 for row in ladder if row["gain_interval"]}
    return " or ".join(f"{100 * level:.0f} %" for level in sorted(levels))


def _told_apart(scored: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """The rungs that a figure shows: without the baseline where it is so far off that the others would fall together."""
    others = [each for each in scored if each["architecture"] != BASELINE]
    base = [each for each in scored if each["architecture"] == BASELINE]
    if len(others) < 2 or not base or base[0]["chosen"]:
        return scored, ""
    levels = [each["score"] for each in others]
    away = min(abs(level - base[0]["score"]) for level in levels)
    if away < 2 * (max(levels) - min(levels)):
        return scored, ""
    said = f" The baseline, at {numbers.number(base[0]['score'], 3)}, is left out so that the other rungs can be told apart."
    return others, said


def _rung(row: dict[str, Any], titles: dict[str, str], unit: str) -> dict[str, Any]:
    score, interval = numbers.measured(Number(row["score"], row["low"], row["high"], unit))
    low, high = row["gain_interval"] or (None, None)
    gain, gain_interval = numbers.measured(Number(row["gain"], low, high, unit), signed=True)
    if row["refused"]:
        outcome = "left out"
    elif row["failed"]:
        outcome = "failed"
    elif row.get("unshipped"):
        outcome = "not shipped"
    elif row["chosen"]:
        outcome = "chosen"
    elif row["accepted"] is None:
        outcome = "zero point" if row["architecture"] == BASELINE and numbers.is_number(row["score"]) else "not tried"
        outcome = "not decided" if outcome == "not tried" and row["trials"] else outcome
    else:
        outcome = "accepted" if row["accepted"] else "not accepted"
    said = row["refused"] or row["failed"] or row["sentence"] or row.get("skipped") or row["reason"]
    said += f" It could not be shipped: {row['unshipped'].rstrip('.')}." if row.get("unshipped") else ""
    incumbent = titles.get(row["incumbent"] or "", row["incumbent"] or "")
    return {
        **row,
        "bytes_measured": row.get("bytes_measured", row["milliseconds_a_row"] is not None),
        "score": score,
        "interval": interval,
        "gain": gain,
        "gain_interval": gain_interval,
        "outcome": outcome,
        "said": said[:1].upper() + said[1:],
        "incumbent": incumbent,
    }


def _trial(trial: Any, titles: dict[str, str], unit: str) -> dict[str, Any]:
    known = [score for score in trial.fold_scores if numbers.is_number(score)]
    low, high = (min(known), max(known)) if len(known) > 1 else (None, None)
    decimals = decimals_for(trial.score, low, high, unit)
    return {
        "title": titles.get(trial.architecture, trial.architecture),
        "number": trial.number,
        "score": numbers.fixed(trial.score, decimals) if numbers.is_number(trial.score) else numbers.ABSENT,
        "range": numbers.span(min(known), max(known), decimals) if len(known) > 1 else numbers.ABSENT,
        "rounds": trial.rounds or None,
        "settings": ", ".join(f"{name} {_cell(value)}" for name, value in trial.settings.items()),
        "status": trial.status,
        "message": trial.message,
    }


def _data(profile: Profile, limits: Limits) -> dict[str, Any]:
    classification = profile.task.is_classification
    columns = sorted(profile.columns, key=lambda each: each.name != profile.target)
    figure = _class_figure(profile) if classification else _value_figure(profile)
    return {
        "columns": columns[: limits.columns],
        "left_out": max(0, len(columns) - limits.columns),
        "association": "ROC-AUC" if classification else "R2",
        "associated": any(numbers.is_number(each.association) for each in columns),
        "figure": _figure(figure, "target-figure", limits) if figure else None,
        "target": f'"{profile.target}" is what is predicted ({profile.target_evidence.rstrip(".")}).',
        "task": f"The task is {profile.task.value} ({profile.task_evidence.rstrip('.')}).",
    }


def _class_figure(profile: Profile) -> Figure | None:
    if not profile.classes or len(profile.classes) != len(profile.class_counts):
        return None
    pairs = sorted(zip(profile.classes, profile.class_counts, strict=True), key=lambda pair: -pair[1])
    return Figure(
        name="target",
        kind="bar",
        title=f'Rows for each value of "{profile.target}"',
        how_to_read="A bar is as long as the class has rows. Much rarer classes are harder to learn and to judge.",
        series=(Series("Rows", tuple(name for name, _ in pairs), tuple(float(count) for _, count in pairs)),),
        x_label="Class",
        y_label="Rows",
    )


def _value_figure(profile: Profile) -> Figure | None:
    histogram = profile.target_statistics.get("histogram") or {}
    edges, counts = histogram.get("edges") or [], histogram.get("counts") or []
    if len(edges) != len(counts) + 1 or not counts:
        return None
    return Figure(
        name="target",
        kind="histogram",
        title=f"Distribution of {profile.target}",
        how_to_read="A bar is as high as there are rows with a value in its range. A long tail makes large errors likely.",
        series=(Series("Rows", tuple(edges), tuple(counts)),),
        x_label=profile.target,
        y_label="Rows",
    )


def _plan_yaml(opened: Report) -> str:
    text = opened.facts.get("recipe") or yaml.safe_dump(
        opened.content["plan"], sort_keys=False, allow_unicode=True, default_flow_style=False, width=110
    )
    return text if len(text) <= _PLAN_LIMIT else text[:_PLAN_LIMIT] + "\n# … the rest is in plan.yaml"
