"""MODEL_CARD.md: the report in the headings of a Hugging Face model card."""

from __future__ import annotations

import itertools
import re
from typing import Any

import yaml

from automl.core import files
from automl.core.finding import Number, Section, Severity
from automl.core.metrics import METRICS
from automl.core.profile import Role
from automl.core.tasks import Task
from automl.report import numbers
from automl.report.sections import HEADLINE, Report, by_severity, next_commands, open_report, what_to_watch

_NAMED_COLUMNS = 40
_OF_GROUPS, _THRESHOLDS = ("AML410", "AML411", "AML414"), "AML305"
"""Findings on sensitive groups, told in the card also where nothing is wrong."""


def card(content: dict[str, Any]) -> str:
    """The model card as Markdown with YAML front matter; limitations are written from the findings."""
    opened = open_report(files.encode(content))
    parts = [
        "---\n" + yaml.safe_dump(_front_matter(opened), sort_keys=False, allow_unicode=True) + "---",
        f"# Model Card for {_plain(opened.content['name'])}",
        _details(opened),
        _uses(opened),
        _limitations(opened),
        _start(opened),
        _training(opened),
        _evaluation(opened),
        _technical(opened),
    ]
    return "\n\n".join(parts) + "\n"


def _plain(text: Any) -> str:
    """Text that Markdown and HTML leave alone, and that reads well as it stands: ">" is one only where a line begins."""
    line = " ".join("".join(each if each.isprintable() else " " for each in str(text)).split())
    line = re.sub(r"&(?=#?\w+;)", "&amp;", line).replace("<", "&lt;")
    line = f"&gt;{line[1:]}" if line.startswith(">") else line
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", line)


def _said(text: Any) -> str:
    """A sentence in which `words in backquotes` stay code."""
    parts = re.split(r"`([^`]+)`", " ".join(str(text).split()))
    return "".join(f"`{_code(part)}`" if at % 2 else _plain_edges(part) for at, part in enumerate(parts))


def _plain_edges(part: str) -> str:
    """Like _plain, keeping a blank at either end."""
    inner = _plain(part)
    return f"{' ' * part.startswith(' ')}{inner}{' ' * (part.endswith(' ') and bool(inner))}"


def _front_matter(opened: Report) -> dict[str, Any]:
    task, modality = opened.profile.task, opened.profile.modality
    kind = pipeline_tag(modality, task)
    name = str(opened.content["name"])
    metrics = [
        {"type": metric, "name": METRICS[metric].title, "value": value.value}
        for metric, value in _scores(opened).items()
        if numbers.is_number(value.value)
    ]
    matter: dict[str, Any] = {
        "library_name": "onnx",
        "pipeline_tag": kind,
        "tags": [modality, task.value, "automl", "onnx", opened.content["model"]["architecture"] or "none"],
        "metrics": [each["type"] for each in metrics],
    }
    if metrics:
        dataset: dict[str, Any] = {"name": name, "type": modality}
        judged_on = (opened.content["headline"] or {}).get("judged_on") or opened.facts.get("judged_on")
        dataset |= {"split": str(judged_on)} if judged_on else {}
        dataset |= {"args": {"sha256": opened.facts["data_hash"]}} if opened.facts.get("data_hash") else {}
        result = {"task": {"type": kind, "name": _task_name(modality, task)}, "dataset": dataset, "metrics": metrics}
        matter["model-index"] = [{"name": name, "results": [result]}]
    return matter


def pipeline_tag(modality: str, task: Task) -> str:
    """The name of the task on the Hugging Face hub; for those that it has no name for, that of the nearest table task."""
    if task is Task.FORECAST:
        return "time-series-forecasting"
    if not task.is_classification:
        return "tabular-regression"
    return f"{modality}-classification" if modality in ("image", "text", "audio") else "tabular-classification"


def _task_name(modality: str, task: Task) -> str:
    return f"{modality} {'forecast' if task is Task.FORECAST else task.value}"


def _scores(opened: Report) -> dict[str, Number]:
    """Every known metric that a finding about the scores holds, the headline first."""
    found: dict[str, Number] = {}
    headline = opened.content["headline"]
    if headline:
        found[headline["metric"]] = files.decode(Number, headline["score"])
    for finding in opened.findings:
        if finding.section is Section.SCORES and finding.code != HEADLINE:
            for name, value in finding.numbers.items():
                if name in METRICS:
                    found.setdefault(name, value)
    return found


def _details(opened: Report) -> str:
    profile, model, content = opened.profile, opened.content["model"], opened.content
    lines = [
        "## Model Details",
        "### Model Description",
        f"**{content['verdict']['label']}.** {_said(content['verdict']['reason'])}",
        f"Predicts `{_code(profile.target)}` ({profile.task.value}) from {len(profile.features):,} columns.",
        f"- **Model type:** {_plain(model['title'] or 'none was chosen')}",
        f"- **Created:** {_plain(content['created'] or 'not stated')}",
        f"- **Form:** one ONNX graph from raw columns to predictions{_cost(model)}",
    ]
    if profile.classes:
        lines.append(f"- **Classes:** {', '.join(f'`{_code(name)}`' for name in profile.classes[:_NAMED_COLUMNS])}")
    if profile.positive is not None:
        lines.append(f"- **Positive class:** `{_code(profile.positive)}`")
    return _joined(lines)


def _joined(lines: list[str]) -> str:
    """Paragraphs with a blank line between them, list items without."""
    text = lines[0]
    for before, line in itertools.pairwise(lines):
        text += ("\n" if before.startswith("- ") and line.startswith("- ") else "\n\n") + line
    return text


def _code(text: Any) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in str(text)).replace("`", "'").split())


def _cost(model: dict[str, Any]) -> str:
    parts = [numbers.size(model["bytes"])] * numbers.is_number(model["bytes"])
    parts += [f"{numbers.milliseconds(model['milliseconds_a_row'])} a row"] * numbers.is_number(model["milliseconds_a_row"])
    return f" ({', '.join(parts)})" if parts else ""


def _uses(opened: Report) -> str:
    profile, sensitive = opened.profile, opened.plan.sensitive
    unchecked = "for which no check of fairness was made"
    if sensitive:
        unchecked = f"where other groups than those by {', '.join(f'`{_code(name)}`' for name in sensitive)} matter"
    return _joined(
        [
            "## Uses",
            "### Direct Use",
            f"Predicting `{_code(profile.target)}` for rows that come from the same source, with the same columns, as the "
            f"{profile.rows:,} rows that the model was made from.",
            "### Out-of-Scope Use",
            f"Rows from another population or another time, and decisions about people {unchecked}. "
            "The influence of a column on a prediction does not show that it causes the outcome.",
        ]
    )


def _limitations(opened: Report) -> str:
    grave = [each for each in by_severity(opened.findings) if each.severity in (Severity.STOP, Severity.ISSUE, Severity.TIP)]
    lines = ["## Bias, Risks, and Limitations"]
    lines += [f"- **{each.severity.value.capitalize()}, {_plain(each.code)}:** {_said(each.sentence)}" for each in grave]
    if not grave:
        lines.append("No check found an issue. That is no proof that there is none.")
    if opened.plan.sensitive:
        told = [*_OF_GROUPS, *[_THRESHOLDS] * bool(opened.content["model"].get("thresholds_by"))]
        fair = [each for each in opened.findings if each.code in told and each.severity is Severity.PASSED]
        lines += ["### Sensitive groups"] * bool(fair) + [f"- **{_plain(each.code)}:** {_said(each.sentence)}" for each in fair]
    lines += ["### Recommendations"]
    actions = [f"- {_said(each['text'])} ({_plain(each['code'])})" for each in opened.content["actions"]]
    watched = [f"- {_plain(sentence)}" for sentence, _ in what_to_watch(opened)]
    return _joined(lines + actions + (watched or ["- Watch the scores on new data, and train again when they fall."]))


def _start(opened: Report) -> str:
    lines = [
        "## How to Get Started with the Model",
        "The folder `model/` stands alone: it needs no more than its `requirements.txt` says (for a table numpy, pandas and "
        "onnxruntime).",
        f"```\npython predict.py {opened.profile.new_data} -o predictions.csv\n```",
    ]
    commands = [command for _, command in next_commands(opened)]
    if commands:
        lines += ["With automl installed:", "```\n" + "\n".join(_code(command) for command in commands) + "\n```"]
    return _joined(lines)


def _training(opened: Report) -> str:
    profile, plan = opened.profile, opened.plan
    names = [f"`{_code(column.name)}`" for column in profile.features[:_NAMED_COLUMNS]]
    more = f" and {len(profile.features) - len(names):,} more" if len(profile.features) > len(names) else ""
    left_out = [column for column in profile.columns if column.role in (Role.UNUSED, Role.IDENTIFIER, Role.SENSITIVE)]
    lines = [
        "## Training Details",
        "### Training Data",
        f"{profile.rows:,} rows. Columns used: {', '.join(names) or 'none'}{more}.",
    ]
    if left_out:
        said = "; ".join(f"`{_code(each.name)}` ({_said(each.reason or each.role.value)})" for each in left_out[:_NAMED_COLUMNS])
        lines.append(f"Columns left out: {said}.")
    split = (plan.split.reason or plan.split.kind).rstrip(".")
    lines += ["### Training Procedure", f"Split: {_said(split)}. Seed: {plan.seed}."]
    rungs = []
    for row in opened.content["ladder"]:
        said = row["refused"] or row["failed"] or row["sentence"] or row["reason"]
        said += f" It could not be shipped: {row['unshipped'].rstrip('.')}." if row.get("unshipped") else ""
        rungs.append(f"- {_plain(row['title'])}{' (chosen)' if row['chosen'] else ''}: {_said(said)}")
    seeds = opened.content["model"].get("seeds", 1)
    if opened.content["model"]["refitted"]:
        fits = [f"its boosted trees with {seeds} seeds each"] * (seeds > 1)
        fits += ["its nets as often as all folds had trained them"] * bool(opened.content["model"].get("more_nets"))
        mean = f", {' and '.join(fits)}, which it puts together" if fits else ""
        rungs.append(f"- The shipped model was fitted again on all rows{mean}; the scores are those of the model judged before.")
    elif seeds > 1:
        rungs.append(f"- The shipped model is the judged one, its boosted trees with {seeds} seeds each.")
    return _joined(lines + rungs)


def _evaluation(opened: Report) -> str:
    headline = opened.content["headline"]
    where = (headline or {}).get("judged_on") or opened.facts.get("judged_on") or "not stated"
    lines = ["## Evaluation", "### Testing Data, Factors & Metrics", f"Judged on {_said(where).rstrip('.')}."]
    rows = ["| Metric | Value | Interval |", "|---|---|---|"]
    for name, score in _scores(opened).items():
        value, interval = numbers.measured(score)
        rows.append(f"| {METRICS[name].title} | {value} | {interval or numbers.ABSENT} |")
    if headline and headline["baseline"]:
        base, score = (files.decode(Number, headline[name]) for name in ("baseline", "score"))
        interval = numbers.measured(base)[1] or numbers.ABSENT
        rows.append(f"| {headline['title']} of the baseline | {numbers.beside(base, score)} | {interval} |")
    return _joined([*lines, "### Results", "\n".join(rows) if len(rows) > 2 else "No score was computed."])


def _technical(opened: Report) -> str:
    facts, model = opened.facts, opened.content["model"]
    settings = ", ".join(f"{name} {numbers.number(value)}" for name, value in model["settings"].items())
    settings += f" ({model['pool']} pool)" if model.get("pool") else ""
    lines = ["## Technical Specifications", "### Model Architecture and Objective"]
    lines.append(_plain(": ".join(filter(None, (model["title"] or "none", settings)))) + ".")
    versions = sorted((facts.get("versions") or {}).items())
    lines += ["### Software", _plain(", ".join(f"{name} {version}" for name, version in versions))]
    lines += [f"- **Data (SHA-256):** `{_code(facts.get('data_hash') or 'not stated')}`"]
    if facts.get("command"):
        lines.append(f"- **Command:** `{_code(facts['command'])}`")
    return _joined([line for line in lines if line])
