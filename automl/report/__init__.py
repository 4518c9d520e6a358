"""Findings to pages: the verdict, report.json (data first), report.html and MODEL_CARD.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from automl.core import files
from automl.core.evidence import Evidence
from automl.core.finding import Finding
from automl.core.plan import Plan
from automl.core.profile import Profile
from automl.report.card import card
from automl.report.html import render
from automl.report.notebook import notebook
from automl.report.sections import report, summary
from automl.report.verdict import Verdict, verdict

__all__ = ["Verdict", "card", "notebook", "render", "render_folder", "report", "summary", "verdict", "write_report"]

JSON, PAGE, CARD = "report.json", "report.html", "MODEL_CARD.md"


def write_report(
    folder: Path, profile: Profile, plan: Plan, evidence: Evidence | None, findings: Sequence[Finding], facts: dict[str, Any]
) -> Verdict:
    """Write report.json, report.html and MODEL_CARD.md into the run folder, each whole or not at all.

    facts: what no other word holds: "name", "command", "python_call", "versions", "seed", "data_hash", "created",
        "seconds" (by stage), "judged_on", "shipped" ({"architecture", "bytes", "milliseconds_a_row", "refitted", "seeds",
        "more_nets"}), "run_folder", "reading", "recipe" (the plan as YAML text). Every key may be absent.
    """
    content = files.encode(report(profile, plan, evidence, findings, facts))
    files.write_json(folder / JSON, content)
    _pages(folder, content)
    return verdict(findings)


def render_folder(folder: Path) -> Path:
    """Make report.html and MODEL_CARD.md of a run again from its report.json; returns the page's path.

    Raises InputError where report.json is missing, damaged or of a newer version.
    """
    _pages(folder, files.read_json(folder / JSON))
    return folder / PAGE


def _pages(folder: Path, content: dict[str, Any]) -> None:
    files.write_bytes(folder / PAGE, render(content).encode("utf-8", "replace"))
    files.write_bytes(folder / CARD, card(content).encode("utf-8", "replace"))
