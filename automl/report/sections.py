"""The report as data: what is said, in which order, before any page is made of it."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from automl.core import files
from automl.core.errors import InputError
from automl.core.evidence import Decision, Evidence, Final
from automl.core.finding import Finding, Number, Section, Severity
from automl.core.metrics import METRICS
from automl.core.plan import Plan, Rung
from automl.core.profile import Profile
from automl.report.numbers import beside, is_number, mean_interval, measured, milliseconds, size
from automl.report.verdict import NOT_BETTER_THAN_BASELINE, verdict

FORMAT = 1
HEADLINE, OPTIMISM, UNLIKE = "AML201", "AML205", "AML332"
BASELINE = "baseline"
SEVERITY_ORDER = tuple(Severity)

QUESTIONS: dict[Section, tuple[str, str]] = {
    Section.SCORES: ("How good is it?", "Scores of the model on rows that it was not trained on."),
    Section.TRUST: ("Can the scores be trusted?", "Checks for leaks, overfitting and predictions that promise too much."),
    Section.FAILURES: ("Where does it fail?", "Groups of rows on which the model does worse than on the rest."),
    Section.WHY: ("Why does it predict what it predicts?", "What the model looks at. An influence is not a cause."),
    Section.CHOICE: ("How was it chosen?", "All rungs are compared on the same folds."),
    Section.DATA: ("What is in the data?", "What was found in the data before any model was trained."),
    Section.DEPLOY: ("Can it be deployed?", "Facts about the exported model, which runs on onnxruntime alone."),
}
"""Section to its heading and the sentence below it, in the order of the report."""
HIGHER_MEAN = "best"
"""The preset that ships the best mean score; the others obey the test."""


def introduction(section: Section, plan: Plan) -> str:
    """The sentence below a section's heading, as it holds for this run."""
    told = QUESTIONS[section][1]
    if section is not Section.CHOICE:
        return told
    if plan.preset == HIGHER_MEAN:
        return (
            f"{told} The preset best ships the best mean score; a test says beside it whether chance alone could explain the"
            " gain."
        )
    return f"{told} A more complex rung is accepted only where a test on fresh folds says that it pays."


@dataclass(frozen=True)
class Report:
    """report.json, read back into the words that it was written from."""

    profile: Profile
    plan: Plan
    evidence: Evidence | None
    findings: tuple[Finding, ...]
    facts: dict[str, Any]
    content: dict[str, Any]


def report(
    profile: Profile, plan: Plan, evidence: Evidence | None, findings: Sequence[Finding], facts: dict[str, Any]
) -> dict[str, Any]:
    """Everything that the pages say, with every number."""
    facts = dict(facts)
    return {
        "format": FORMAT,
        "name": str(facts.get("name") or plan.target),
        "created": str(facts.get("created") or ""),
        "verdict": verdict(findings),
        "headline": _headline(plan, evidence, findings, facts),
        "model": _model(plan, evidence, facts),
        "actions": _actions(findings, facts),
        "ladder": _ladder(plan, evidence, facts.get("evaluated") or {}),
        "findings": list(findings),
        "profile": profile if plan.samples else _without_samples(profile),
        "plan": plan,
        "evidence": evidence,
        "facts": facts,
    }


def open_report(content: dict[str, Any]) -> Report:
    """The words behind a report.json.

    Raises InputError where it is of a newer version or lacks a part.
    """
    version = content.get("format", 0) if isinstance(content, dict) else 0
    if not isinstance(version, int) or version > FORMAT:
        raise InputError(f"report.json has format {version}, this automl reads up to {FORMAT}", "install a newer automl")
    try:
        return Report(
            profile=files.decode(Profile, content["profile"]),
            plan=files.decode(Plan, content["plan"]),
            evidence=files.decode(Evidence, content["evidence"]) if content["evidence"] else None,
            findings=tuple(files.decode(Finding, each) for each in content["findings"]),
            facts=content["facts"],
            content=content,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"report.json is damaged ({type(error).__name__}: {error})") from None


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """The gravest first, then by code."""
    return sorted(findings, key=lambda each: (SEVERITY_ORDER.index(each.severity), each.code))


def summary(content: dict[str, Any]) -> list[str]:
    """The report in a few lines for a terminal: verdict, score, model, top findings, what to do next."""
    content = files.encode(content)
    opened, said = open_report(content), content["verdict"]
    lines = [f"{said['label']}: {said['reason']}"]
    headline = content["headline"]
    if headline:
        lines.append(_headline_line(headline))
    model = content["model"]
    if model["title"]:
        cost = [size(model["bytes"])] * is_number(model["bytes"])
        cost += [f"{milliseconds(model['milliseconds_a_row'])} a row"] * is_number(model["milliseconds_a_row"])
        price = f" ({', '.join(cost)})" if cost else ""
        lines.append(f"Model: {model['title']}{price}")
    grave = [each for each in by_severity(opened.findings) if each.severity in (Severity.STOP, Severity.ISSUE, Severity.TIP)]
    lines += [f"  {each.severity.value:<5} {each.code}  {' '.join(each.sentence.split())}" for each in grave[:3]]
    if len(grave) > 3:
        lines.append(f"  and {len(grave) - 3} more in the report")
    following = next_commands(opened)
    action = next((each["text"] for each in content["actions"]), following[0][1] if following else "")
    if action:
        lines.append(f"Next: {' '.join(action.split())}")
    return lines


def next_commands(opened: Report) -> list[tuple[str, str]]:
    """What a user can do with the run now, as (purpose, command)."""
    folder = opened.facts.get("run_folder")
    if not folder or not opened.content["model"]["architecture"]:
        return []
    quoted = f'"{folder}"' if " " in str(folder) else str(folder)
    new = opened.profile.new_data
    why = [("Say why a row is predicted so, and what would change it", f"automl explain {quoted} {new} --row 0")]
    return [
        ("Predict new rows", f"automl predict {quoted} {new} -o predictions.csv"),
        *(why if opened.profile.modality == "tabular" and opened.content["model"]["architecture"] != BASELINE else []),
        (f'Score new rows in which "{opened.plan.target}" is known', f"automl score {quoted} {new}"),
    ]


def what_to_watch(opened: Report) -> list[tuple[str, str]]:
    """What tells in use that the model no longer fits the data, as (sentence, command); the command may be empty."""
    if not opened.content["model"]["architecture"]:
        return []
    folder, new = opened.facts.get("run_folder"), opened.profile.new_data
    quoted = f'"{folder}"' if " " in str(folder) else str(folder)
    found = []
    flagged = next((each.numbers.get("flagged_fraction") for each in opened.findings if each.code == UNLIKE), None)
    if flagged is not None and is_number(flagged.value):
        sentence = (
            f"Rows unlike the training data: {measured(flagged)[0]} of the judged rows. When clearly more of the new rows are,"
            " they are of another kind than those that the scores are about."
        )
        found.append((sentence, f"automl predict {quoted} {new} -o predictions.csv --flags" if folder else ""))
    headline = opened.content["headline"]
    if headline:
        interval = measured(files.decode(Number, headline["score"]))[1]
        where = f"within {interval}, the interval of the judged rows" if interval else "near that of the judged rows"
        side = "below" if headline["greater_is_better"] else "above"
        sentence = (
            f"The score once the truth is known: {headline['title']} {where}. When that of many new rows is {side} it,"
            " train again on newer data."
        )
        found.append((sentence, f"automl score {quoted} {new}" if folder else ""))
    return found


def _headline_line(headline: dict[str, Any]) -> str:
    score = files.decode(Number, headline["score"])
    value, interval = measured(score)
    baseline = headline["baseline"]
    line = f"{headline['title']} {value}{f' ({interval})' if interval else ''}"
    if baseline:
        line += f", baseline {beside(files.decode(Number, baseline), score)}"
    line += ", higher is better" if headline["greater_is_better"] else ", lower is better"
    return f"{line}; judged on {headline['judged_on']}" if headline["judged_on"] else line


def _headline(plan: Plan, evidence: Evidence | None, findings: Sequence[Finding], facts: dict[str, Any]) -> dict[str, Any] | None:
    found = next((each.numbers for each in findings if each.code == HEADLINE), {})
    score = found.get("score") or found.get("model")
    metric = METRICS[plan.metric]
    said = {
        "metric": metric.name,
        "title": metric.short or metric.title,
        "greater_is_better": metric.greater_is_better,
        "unit": metric.unit,
    }
    if score:
        return {**said, "score": score, "baseline": found.get("baseline"), "judged_on": str(facts.get("judged_on") or "")}
    finals = {final.architecture: final for final in evidence.finals} if evidence else {}
    if evidence is None or evidence.champion not in finals:
        return None
    base = finals.get(BASELINE)
    return {
        **said,
        "score": _number(finals[evidence.champion], plan),
        "baseline": _number(base, plan) if base else None,
        "judged_on": f"{evidence.fresh_folds} fresh folds (no sealed part was judged)",
    }


def _number(final: Final, plan: Plan) -> Number:
    return Number(final.score, *_interval(final, plan), unit=METRICS[plan.metric].unit)


def _interval(final: Final | None, plan: Plan) -> tuple[float | None, float | None]:
    """The interval of a rung's mean score on fresh folds, cut where the metric ends."""
    low, high = (mean_interval(final.fold_scores, plan.split.folds) if final else None) or (None, None)
    return METRICS[plan.metric].within(low), METRICS[plan.metric].within(high)


def _model(plan: Plan, evidence: Evidence | None, facts: dict[str, Any]) -> dict[str, Any]:
    shipped = facts.get("shipped") or {}
    name = str(shipped.get("architecture") or (evidence.champion if evidence else ""))
    trial = evidence.best_trial(evidence.champion) if evidence else None
    title = next((rung.title for rung in plan.rungs if rung.architecture == name), name)
    return {
        "architecture": name,
        "title": title,
        "settings": {**trial.settings, **{each: shipped[each] for each in ("fit_nets",) if each in shipped}} if trial else {},
        "pool": trial.pool if trial and trial.members else None,
        "thresholds_by": _thresholds_by(evidence),
        "rounds": evidence.rounds if evidence else 0,
        "bytes": shipped.get("bytes"),
        "milliseconds_a_row": shipped.get("milliseconds_a_row"),
        "refitted": shipped.get("refitted"),
        **{name: shipped[name] for name in ("seeds", "more_nets") if name in shipped},
    }


def _thresholds_by(evidence: Evidence | None) -> list[str]:
    """The columns by whose groups the threshold of the model differs."""
    threshold = None if evidence is None else evidence.readout.threshold
    groups = None if threshold is None else threshold.groups
    return [column.name for column in groups.columns] if groups is not None and groups.own else []


def again(command: str | None, options: str, without: str = "") -> str:
    """The command of the run with other options; empty where there is none to begin with.

    An option that the command has already is replaced, but for those that may be given several times. without: one that goes.
    """
    try:
        words, added = shlex.split(command or ""), shlex.split(options)
    except ValueError:
        return ""
    if not words:
        return ""
    replaced = {word for word in added if word.startswith("--")} - {"--drop", "--kind"} | {*without.split()[:1]}
    kept: list[str] = []
    skipping = False
    for word in words:
        skipping = word in replaced or (skipping and not word.startswith("--"))
        if not skipping:
            kept.append(word)
    return shlex.join([*kept, *added])


_PLACEHOLDERS = {"COLUMN", "CLASS", "FILE", "RUNG"}


def command_of(action: str, facts: dict[str, Any]) -> str:
    """The command of the run with the option that an action names; empty where it names none, or one to be filled in."""
    option = re.search("`(--[^`]+)`", action)
    if option is None or _PLACEHOLDERS & set(option[1].split()) or (facts.get("reading") or {}).get("format") == "frame":
        return ""
    instead = re.search("in place of `(--[^`]+)`", action)
    return again(facts.get("command"), option[1], instead[1] if instead else "")


def _actions(findings: Sequence[Finding], facts: dict[str, Any]) -> list[dict[str, str]]:
    """What the findings ask for, the gravest and what makes the verdict first, with the command where an option does it.

    What asks for the same, or for the same command, is told once, by its gravest finding; the others stand beside theirs.
    """
    wanted = [each for each in by_severity(findings) if each.action and SEVERITY_ORDER.index(each.severity) < 3]
    wanted.sort(key=lambda each: (SEVERITY_ORDER.index(each.severity), each.code != NOT_BETTER_THAN_BASELINE))
    actions: list[dict[str, str]] = []
    for each in wanted:
        command = command_of(each.action, facts)
        if any(each.action == known["text"] or (command and command == known["command"]) for known in actions):
            continue
        actions.append(
            {
                "severity": each.severity.value,
                "code": each.code,
                "title": each.title,
                "because": each.sentence,
                "text": each.action,
                "command": command,
            }
        )
    return actions


def _ladder(plan: Plan, evidence: Evidence | None, evaluated: dict[str, Any]) -> list[dict[str, Any]]:
    """evaluated: what was measured of the judged model, such as its bytes; the sizes of other rungs may be estimates."""
    finals = {final.architecture: final for final in evidence.finals} if evidence else {}
    shown, folds = _shown(evidence, finals) if evidence else ({}, "fresh")
    refused = {each.architecture: each.why for each in evidence.unshipped} if evidence else {}
    decisions = {decision.candidate: decision for decision in evidence.decisions} if evidence else {}
    rows = []
    for rung in sorted(plan.rungs, key=lambda each: each.rung):
        trials = [trial for trial in evidence.trials if trial.architecture == rung.architecture] if evidence else []
        row = _rung(rung, shown.get(rung.architecture), decisions.get(rung.architecture), plan)
        row["folds"], row["unshipped"] = folds, refused.get(rung.architecture)
        row["trials"], row["failed_trials"] = len(trials), sum(trial.status not in ("ok", "stopped") for trial in trials)
        row["failed"] = evidence.failures.get(rung.architecture) if evidence else None
        row["skipped"] = {**evidence.skipped, **evidence.unneeded}.get(rung.architecture) if evidence else None
        row["chosen"] = bool(evidence) and rung.architecture == evidence.champion if evidence else False
        if row["chosen"] and evaluated.get("architecture") == rung.architecture and is_number(evaluated.get("bytes")):
            row["bytes"], row["bytes_measured"] = evaluated["bytes"], True
            row["milliseconds_a_row"] = evaluated.get("milliseconds_a_row")
        rows.append(row)
    return rows


def _shown(evidence: Evidence, finals: dict[str, Final]) -> tuple[dict[str, Final], str]:
    """The scores that the rungs are shown with, and their folds: those of the search where the chosen rung has no fresh ones."""
    searched = {final.architecture: final for final in evidence.searched}
    in_search = evidence.champion not in finals and evidence.champion in searched
    return (searched, "search") if in_search else (finals, "fresh")


def _rung(rung: Rung, final: Final | None, decision: Decision | None, plan: Plan) -> dict[str, Any]:
    low, high = _interval(final, plan)
    return {
        "rung": rung.rung,
        "architecture": rung.architecture,
        "title": rung.title,
        "reason": rung.reason,
        "refused": rung.refused,
        "score": final.score if final else None,
        "low": low,
        "high": high,
        "fold_scores": final.fold_scores if final else (),
        "seconds": final.seconds if final else None,
        "bytes": final.size_bytes if final else None,
        "bytes_measured": final.measured if final else False,
        "milliseconds_a_row": final.row_milliseconds if final else None,
        "incumbent": decision.incumbent if decision else None,
        "gain": decision.gain if decision else None,
        "gain_interval": decision.interval if decision else None,
        "gain_level": decision.level if decision else None,
        "p_value": decision.p_value if decision else None,
        "test": decision.test if decision else "",
        "accepted": decision.accepted if decision else None,
        "sentence": decision.sentence if decision else "",
        "price": decision.price if decision else {},
    }


def _without_samples(profile: Profile) -> Profile:
    """The profile without values that could point to single rows."""
    kept = []
    for column in profile.columns:
        hide = column.tells_rows
        statistics = {name: value for name, value in column.statistics.items() if name != "levels"} if hide else column.statistics
        evidence = re.sub('".*"', "(not shown)", column.evidence, flags=re.DOTALL) if hide else column.evidence
        kept.append(dataclasses.replace(column, statistics=statistics, evidence=evidence))
    return dataclasses.replace(profile, columns=tuple(kept))
