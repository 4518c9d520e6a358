"""The report of a wide and long table in a real browser: its size, its DOM, requests, accessibility, scripts off, print, bytes.

    python -m benchmarks.report_bounds [--columns 300] [--rows 200000] [--time 60] [--run FOLDER]

Makes a table, runs `automl fit` on it (or takes the finished run of --run), and holds report.html against its bounds: at most
1 MB and 5,000 elements, no request, no violation of WCAG 2.1 A and AA by axe-core, the same document with scripts turned off, no
figure cut by the end of a printed page, and the same bytes when rendered again. Needs Chromium and axe-core-python.
"""

from __future__ import annotations

import argparse
import html
import importlib.resources
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MOST_BYTES, MOST_NODES = 1_000_000, 5_000
SETTINGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--virtual-time-budget=30000",
]  # fmt: skip
MEASURE = """
<script>
const elements = document.querySelectorAll("*").length, requests = performance.getEntriesByType("resource").length;
document.querySelectorAll("details").forEach(each => { each.open = true; });
axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}).then(result => {
  const found = document.createElement("pre");
  found.id = "measured";
  found.textContent = btoa(unescape(encodeURIComponent(JSON.stringify({
    elements: elements, requests: requests,
    violations: result.violations.map(each => each.id + ": " + each.nodes.slice(0, 3).map(node => node.html.slice(0, 160)))
  }))));
  document.body.appendChild(found);
});
</script>
"""
COMPARE = """
<script>
addEventListener("load", () => {
  const told = [...document.querySelectorAll("iframe")].map(frame => {
    const inner = frame.contentDocument;
    const places = [...inner.querySelectorAll("*")].map(each => Object.values(each.getBoundingClientRect().toJSON()));
    return JSON.stringify([inner.documentElement.outerHTML, places]);
  });
  document.body.innerHTML = `<pre id="same">${told[0] === told[1] && told[0].length > 10000}</pre>`;
});
</script>
"""


def table(columns: int, rows: int) -> pd.DataFrame:
    """Numbers, flags, categories of few and of many levels, dates and holes, with a target that depends on a few of them."""
    generator = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for place in range(columns - 1):
        kind = place % 6
        if kind < 3:
            values = generator.normal(size=rows).astype(np.float32)
            if kind == 2:
                values[generator.random(rows) < 0.2] = np.nan
            found[f"measurement of quantity {place}"] = values
        elif kind == 3:
            found[f"flag_{place}"] = generator.random(rows) < 0.3
        elif kind == 4:
            found[f"group{place}"] = pd.Categorical.from_codes(
                generator.integers(0, 8, rows), pd.Index([f"level {k}" for k in range(8)])
            )
        else:
            codes = np.minimum(generator.zipf(1.5, rows), 200) - 1
            found[f"code_{place}"] = pd.Categorical.from_codes(codes, pd.Index([f"c{k:03}" for k in range(200)]))
    frame = pd.DataFrame(found)
    odds = 0.8 * frame.iloc[:, 0] - 0.6 * frame.iloc[:, 1] + (frame["group4"].cat.codes > 3) - 1.5
    frame["outcome"] = np.where(generator.random(rows) < 1 / (1 + np.exp(-odds)), "yes", "no")
    return frame


def fitted(columns: int, rows: int, seconds: float, folder: Path) -> Path:
    """The folder of a run on such a table."""
    table(columns, rows).to_parquet(folder / "wide.parquet")
    command = [sys.executable, "-m", "automl", "fit", str(folder / "wide.parquet"), "--target", "outcome", "--time", str(seconds)]
    command += ["--sensitive", "group4,flag_3", "--out", str(folder / "run"), "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / "run"


def chromium(folder: Path, page: Path, *more: str) -> str:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    command = [program, *SETTINGS, f"--user-data-dir={folder / 'browser'}", *more, page.as_uri()]
    return subprocess.run(command, capture_output=True, timeout=300, check=True).stdout.decode("utf-8")


def measured(folder: Path, page: str) -> dict[str, Any]:
    """Elements, requests and axe's violations of the page with everything unfolded."""
    import base64

    import axe_core_python

    axe = (importlib.resources.files(axe_core_python) / "axe.min.js").read_text(encoding="utf-8")
    without = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)  # the page forbids scripts
    copy = folder / "copy.html"
    copy.write_text(without.replace("</body>", f"<script>{axe}</script>{MEASURE}</body>"), encoding="utf-8")
    found = re.search(r'<pre id="measured">(.*?)</pre>', chromium(folder, copy, "--dump-dom"), re.DOTALL)
    assert found, "axe gave no result"
    result: dict[str, Any] = json.loads(base64.b64decode(found[1]))
    return {**result, "elements": int(result["elements"]) - 2}  # the two scripts


def same_without_scripts(folder: Path, page: Path) -> bool:
    """Whether the page holds no script, and is the same document in the same layout in a frame that may run scripts as in one
    that may not."""
    held, both = html.escape(page.read_text(encoding="utf-8")), folder / "both.html"
    frames = [
        f'<iframe sandbox="allow-same-origin {more}" style="width:1200px;height:900px" srcdoc="{held}"></iframe>'
        for more in ("allow-scripts", "")
    ]
    both.write_text(f"<!doctype html>{''.join(frames)}{COMPARE}", encoding="utf-8")
    return '<pre id="same">true</pre>' in chromium(folder, both, "--dump-dom") and b"<script" not in page.read_bytes()


def cut_figures(folder: Path, page: str) -> tuple[int, list[int]]:
    """(figures on paper, those of them whose title and drawing lie on two pages).

    Links before the title and after the drawing of each figure of a copy tell the pages: a PDF lists the links of each page.
    What is unfolded below a drawing, a table of its numbers, may be longer than a page.
    """
    numbers: Iterator[int] = iter(range(10**6))

    def marked(found: re.Match[str]) -> str:
        number, body = next(numbers), found[2]
        first, last = (f'<a href="https://example.invalid/{number}/{edge}">.</a>' for edge in ("first", "last"))
        drawing, end, rest = body.partition("</svg>")
        return f"<figure{found[1]}>{first}{drawing}{end}{last}{rest}</figure>"

    copy, pdf = folder / "print.html", folder / "report.pdf"
    copy.write_text(re.sub(r"<figure([^>]*)>(.*?)</figure>", marked, page, flags=re.DOTALL), encoding="utf-8")
    chromium(folder, copy, f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
    content, pages = pdf.read_bytes(), dict[tuple[int, str], int]()
    objects = dict(re.findall(rb"(?m)^(\d+) 0 obj\n(.*?)\nendobj", content, re.DOTALL))
    sheets = [body for body in objects.values() if re.search(rb"/Type /Page\b(?!s)", body)]
    for sheet, body in enumerate(sheets):
        listed = re.search(rb"/Annots (\[.*?\]|\d+ 0 R)", body, re.DOTALL)
        if not listed:
            continue
        links = listed[1] if listed[1].startswith(b"[") else objects[listed[1].split()[0]]
        for reference in re.findall(rb"(\d+) 0 R", links):
            uri = re.search(rb"example\.invalid/(\d+)/(first|last)", objects[reference])
            if uri:
                pages[int(uri[1]), uri[2].decode()] = sheet
    figures = sorted({number for number, _ in pages})
    return len(figures), [number for number in figures if pages.get((number, "first")) != pages.get((number, "last"))]


def same_bytes(run: Path, page: bytes) -> bool:
    """Rendered again from report.json in two processes whose strings hash otherwise."""
    code = (
        "import json, sys; from pathlib import Path; from automl.report.html import render;"
        "sys.stdout.buffer.write(render(json.loads(Path(sys.argv[1]).read_text(encoding='utf-8'))).encode('utf-8'))"
    )
    again = [
        subprocess.run(
            [sys.executable, "-c", code, str(run / "report.json")],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    return again == [page, page]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=300)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--time", type=float, default=60.0)
    parser.add_argument("--run", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = (given.run or fitted(given.columns, given.rows, given.time, folder)).resolve()
        content = (run / "report.html").read_bytes()
        page = content.decode("utf-8")
        found = measured(folder, page)
        figures, cut = cut_figures(folder, page)
        unfolded, cut_unfolded = cut_figures(folder, page.replace("<details", "<details open"))
        same, again = same_without_scripts(folder, run / "report.html"), same_bytes(run, content)
    lines = [
        (f"{len(content):,} bytes (at most {MOST_BYTES:,})", len(content) <= MOST_BYTES),
        (f"{found['elements']:,} elements (at most {MOST_NODES:,})", found["elements"] <= MOST_NODES),
        (f"{found['requests']} requests", not found["requests"]),
        (f"{len(found['violations'])} violations of WCAG 2.1 A and AA {found['violations'] or ''}", not found["violations"]),
        ("the same document with scripts off, and no script", same),
        (f"{len(cut)} of {figures} printed figures cut by the end of a page {cut or ''}", figures > 0 and not cut),
        (f"{len(cut_unfolded)} of {unfolded} with everything unfolded {cut_unfolded or ''}", unfolded > 0 and not cut_unfolded),
        ("the same bytes rendered again", again),
    ]
    for told, holds in lines:
        print(f"{'holds ' if holds else 'FAILS '} {told}")
    sys.exit(0 if all(holds for _, holds in lines) else 1)


if __name__ == "__main__":
    main()
