"""The report in a real browser: no accessibility violation in either theme, no request, nothing wider than a phone."""

from __future__ import annotations

import importlib.resources
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from automl.report import write_report
from benchmarks.report_bounds import cut_figures, same_without_scripts
from tests.report.samples import SAMPLES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]
RUN = """
<script>
document.querySelectorAll("details").forEach(each => { each.open = true; });
axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}).then(result => {
  const found = document.createElement("pre");
  found.id = "axe-result";
  found.textContent = JSON.stringify({
    violations: result.violations.map(each => ({id: each.id, nodes: each.nodes.map(node => node.html.slice(0, 200))})),
    passes: result.passes.length,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth
  });
  document.body.appendChild(found);
});
</script>
"""
SETTINGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--virtual-time-budget=20000",
    "--dump-dom",
]


@pytest.fixture(scope="module")
def axe() -> str:
    package = pytest.importorskip("axe_core_python", reason="axe-core-python of the dev extra is not installed")
    return (importlib.resources.files(package) / "axe.min.js").read_text(encoding="utf-8")


def page(folder: Path, name: str) -> str:
    write_report(folder, *SAMPLES[name]().arguments)
    return (folder / "report.html").read_text(encoding="utf-8")


def browse(folder: Path, html: str, *more: str) -> str:
    """The document as it stands after loading, opened from a file."""
    opened = folder / "opened.html"
    opened.write_text(html, encoding="utf-8")
    command = [str(CHROMIUM), *SETTINGS, *more, f"--user-data-dir={folder / 'browser'}", opened.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode("utf-8")


def check(folder: Path, html: str, axe: str, *more: str) -> dict[str, object]:
    # The page forbids scripts; the copy must allow this one.
    without = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    copy = without.replace("</body>", f"<script>{axe}</script>{RUN}</body>")
    dom = browse(folder, copy, *more)
    found = re.search(r'<pre id="axe-result">(.*?)</pre>', dom, re.DOTALL)
    assert found, "axe gave no result"
    text = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    result: dict[str, object] = json.loads(text)
    return result


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["binary", "hostile", "minimal"])
def test_no_violation_with_everything_unfolded(tmp_path: Path, axe: str, name: str, theme: str) -> None:
    scheme = "--blink-settings=preferredColorScheme=" + ("0" if theme == "dark" else "1")
    result = check(tmp_path, page(tmp_path, name), axe, scheme, "--window-size=1200,900")
    assert result["dark"] is (theme == "dark")
    assert result["violations"] == []
    assert int(str(result["passes"])) > 10


@pytest.mark.parametrize("name", ["multiclass", "regression"])
def test_no_violation_and_no_sideways_scrolling_on_a_phone(tmp_path: Path, axe: str, name: str) -> None:
    # Headless Chromium has windows of at least 500 pixels, so the phone is an inner frame's width.
    narrow = page(tmp_path, name).replace("<style>", "<style>html { max-width: 390px; }", 1)
    result = check(tmp_path, narrow, axe, "--window-size=500,900")
    assert result["violations"] == []
    assert int(str(result["wide"])) <= 0


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page(tmp_path, "hostile"))
    dom = browse(tmp_path, html.replace("alert(", "document.body.dataset.broken=("))
    assert "data-broken" not in dom.split("</head>")[1].split(">")[0]
    assert dom.rstrip().endswith("</body></html>")


def test_no_printed_figure_is_cut_by_the_end_of_a_page(tmp_path: Path) -> None:
    html = page(tmp_path, "binary").replace("<details", "<details open")
    figures, cut = cut_figures(tmp_path, html)
    assert figures == html.count("<figure")
    assert not cut
    assert cut_figures(tmp_path, html.replace("figure, tr, .facts", "tr, .facts"))[1]  # so a cut one is seen


def test_it_is_the_same_document_where_scripts_may_not_run(tmp_path: Path) -> None:
    page(tmp_path, "binary")
    assert same_without_scripts(tmp_path, tmp_path / "report.html")
