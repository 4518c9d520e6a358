"""A run as a notebook shows it: the verdict, the score and where the report is, in a few lines of HTML without a script."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from automl.core import files
from automl.report.sections import summary
from automl.report.verdict import CARE, DO_NOT_USE, READY

_MARKS = {READY: "#1a7f37", CARE: "#9a6700", DO_NOT_USE: "#cf222e"}


def notebook(content: dict[str, Any], page: Path) -> str:
    """report.json as one block of HTML: everything escaped, nothing loaded, no script."""
    content = files.encode(content)
    said = content["verdict"]
    lines = [line for line in summary(content)[1:] if not line.startswith(" ")]
    body = "".join(f"<div>{escape(line)}</div>" for line in lines)
    place = page.resolve()
    # A notebook's server serves what lies below it under relative links, and browsers follow no file: link from there.
    link = quote(place.relative_to(Path.cwd()).as_posix()) if place.is_relative_to(Path.cwd()) else place.as_uri()
    mark = _MARKS.get(said["label"], "currentColor")
    return (
        f'<div style="border-left:4px solid {mark};padding:2px 0 2px 10px;max-width:60em">'
        f"<div><strong>{escape(said['label'])}</strong>: {escape(said['reason'])}</div>{body}"
        f'<div><a href="{escape(link)}" target="_blank" rel="noopener">Report</a> '
        f"<code>{escape(str(page))}</code></div></div>"
    )
