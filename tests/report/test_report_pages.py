"""Laws of report.json, report.html and MODEL_CARD.md over every sample."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from automl.core import files
from automl.core.errors import InputError
from automl.core.finding import Figure, Finding, Number, Section, Series, Severity
from automl.core.profile import Kind
from automl.core.tasks import Task
from automl.report import card, html, notebook, render, render_folder, report, summary, verdict, write_report
from automl.report.card import pipeline_tag
from automl.report.sections import again, command_of
from tests.report.samples import HOSTILE, SAMPLES, binary, column, hostile, minimal

EVERY = pytest.mark.parametrize("name", sorted(SAMPLES))
VOID = {"meta", "link", "br", "path", "rect", "circle", "line"}


class Outline(HTMLParser):
    """What the laws look at: balance of tags, attributes, headings, ids, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, f"</{tag}> closes nothing at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_says_how_the_preset_chooses() -> None:
    sample = binary()
    obeying, best = (
        " ".join(
            render(
                files.encode(report(*dataclasses.replace(sample, plan=dataclasses.replace(sample.plan, preset=preset)).arguments))
            ).split()
        )
        for preset in ("balanced", "best")
    )
    assert "accepted only where a test" in obeying and "earn its place" in obeying and "best mean score" not in obeying
    assert "accepted only where a test" not in best and "earn its place" not in best
    assert "ships the best mean score" in best and "accepts a higher mean whatever p is" in best


def content(name: str) -> dict[str, object]:
    encoded: dict[str, object] = json.loads(files.dump_json(report(*SAMPLES[name]().arguments)))
    return encoded


@EVERY
def test_the_page_loads_nothing_and_runs_nothing(name: str) -> None:
    html = render(content(name))
    outline = Outline(html)
    assert not outline.open
    assert len(html.encode()) <= 1_000_000
    for tag, attributes in outline.tags:
        assert tag not in {"script", "iframe", "object", "embed", "img", "audio", "video", "form"}
        assert not any(key.startswith("on") for key in attributes)
        for key in ("src", "href", "srcset", "action", "data", "xlink:href"):
            value = attributes.get(key)
            assert value is None or value.startswith("#") or value == "data:,"
    assert "url(" not in html
    assert "@import" not in html


@EVERY
def test_the_page_is_well_formed_for_a_screen_reader(name: str) -> None:
    outline = Outline(render(content(name)))
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] or "" for tag, attributes in outline.tags if tag == "a"]
    assert {link[1:] for link in links} <= set(ids)
    for tag, attributes in outline.tags:
        if tag == "th":
            assert attributes.get("scope") in {"col", "row"}
        if tag == "svg":
            assert attributes.get("role") == "img" or attributes.get("aria-hidden") == "true"
    regions = [attributes for _, attributes in outline.tags if attributes.get("class") == "scroll"]
    assert all(each.get("tabindex") == "0" and each.get("aria-label") for each in regions)


@EVERY
def test_the_page_depends_on_report_json_alone(name: str, tmp_path: Path) -> None:
    given = write_report(tmp_path, *SAMPLES[name]().arguments)
    page, saved = (tmp_path / "report.html").read_bytes(), (tmp_path / "MODEL_CARD.md").read_bytes()
    (tmp_path / "report.html").unlink()
    assert render_folder(tmp_path).read_bytes() == page
    assert (tmp_path / "MODEL_CARD.md").read_bytes() == saved
    assert files.read_json(tmp_path / "report.json")["verdict"]["label"] == given.label
    assert sorted(each.name for each in tmp_path.iterdir()) == ["MODEL_CARD.md", "report.html", "report.json"]


@EVERY
def test_every_finding_is_on_the_page_and_every_number_in_the_data(name: str) -> None:
    sample, saved = SAMPLES[name](), content(name)
    text = " ".join(" ".join(Outline(render(saved)).texts).split())
    for each in sample.findings:
        words = re.sub(r"[`\x00\u202e]", " ", each.sentence).split()
        assert words[0] in text
        assert words[-1] in text
    assert saved["findings"] == files.encode(sample.findings)


@pytest.mark.parametrize(
    "told, words",
    [
        ({"seeds": 4, "more_nets": False}, "its boosted trees with 4 seeds each, which it puts together"),
        ({"seeds": 1, "more_nets": True}, "its nets as often as all folds had trained them, which it puts together"),
        ({"seeds": 4, "refitted": False}, "its boosted trees with 4 seeds each"),
    ],
)
def test_what_the_last_fit_has_more_of_is_told_on_the_page_and_in_the_card(
    told: dict[str, Any], words: str, tmp_path: Path
) -> None:
    sample = binary()
    facts = {**sample.facts, "shipped": {**sample.facts["shipped"], **told}}
    write_report(tmp_path, sample.profile, sample.plan, sample.evidence, sample.findings, facts)
    for name in ("report.html", "MODEL_CARD.md"):
        assert words in " ".join((tmp_path / name).read_text().split())
    write_report(tmp_path, *sample.arguments)
    for name in ("report.html", "MODEL_CARD.md"):
        assert words not in " ".join((tmp_path / name).read_text().split())


def test_the_order_is_that_of_a_decision_maker() -> None:
    outline = Outline(render(content("binary")))
    order = [attributes["id"] for tag, attributes in outline.tags if tag == "section"]
    assert order == ["verdict", "next", "scores", "trust", "failures", "why", "choice", "data", "deploy", "reproduce"]


def test_the_headline_stands_beside_the_baseline() -> None:
    html = render(content("binary"))
    assert "0.928" in html
    assert "0.919 to 0.938" in html
    assert "<b>0.500</b>" in html
    assert html.index("Use with care") < html.index("0.928") < html.index("What to do next</h2>")


def test_losses_are_shown_in_their_own_direction() -> None:
    html = render(content("multiclass"))
    assert "Log loss, lower is better" in html
    assert "−0.041" not in html
    assert "-0.041" not in html


def test_what_was_not_measured_is_said() -> None:
    sample = binary()
    assert sample.evidence is not None
    finals = tuple(dataclasses.replace(each, row_milliseconds=None) for each in sample.evidence.finals)
    evidence = dataclasses.replace(sample.evidence, finals=finals)
    html = render(json.loads(files.dump_json(report(sample.profile, sample.plan, evidence, sample.findings, sample.facts))))
    assert html.count("one row not measured") == len(finals)


def test_a_command_with_a_word_to_be_filled_in_is_no_command() -> None:
    facts = {"command": "automl fit a.csv"}
    assert command_of("Keep them apart (`--group COLUMN`).", facts) == ""
    assert command_of("Keep them apart (`--group AGE`).", facts) == "automl fit a.csv --group AGE"


def test_sizes_that_were_not_measured_are_called_estimates_and_the_chosen_one_is_that_of_the_judged_model() -> None:
    sample = binary()
    assert sample.evidence is not None
    finals = tuple(dataclasses.replace(each, row_milliseconds=None, size_bytes=1000) for each in sample.evidence.finals)
    evidence, champion = dataclasses.replace(sample.evidence, finals=finals), sample.evidence.champion
    facts = {**sample.facts, "evaluated": {"architecture": champion, "bytes": 8_200_000, "milliseconds_a_row": 0.25}}
    content = files.encode(report(sample.profile, sample.plan, evidence, sample.findings, facts))
    html = " ".join(render(content).split())
    assert html.count("size about 1 kB (estimated)") == len(finals) - 1
    assert "size 8.2 MB<br>one row 0.25 ms" in html
    for row in content["ladder"]:
        row.pop("bytes_measured")  # as earlier versions wrote it
    assert "size about 1 kB (estimated)" in render(content)


@pytest.mark.parametrize(
    ("command", "options", "wanted"),
    [
        ("automl fit a.csv --target y --time 60", "--time 180", "automl fit a.csv --target y --time 180"),
        ("automl fit a.csv --drop b", "--drop c --drop 'd e'", "automl fit a.csv --drop b --drop c --drop 'd e'"),
        ("automl fit 'a b.csv'", "--drop-leaks", "automl fit 'a b.csv' --drop-leaks"),
        ("", "--drop-leaks", ""),
        (None, "--drop-leaks", ""),
        ("automl fit 'broken", "--drop-leaks", ""),
    ],
)
def test_an_action_is_the_command_again_with_its_option(command: str | None, options: str, wanted: str) -> None:
    assert again(command, options) == wanted


def test_an_option_that_another_takes_the_place_of_goes() -> None:
    facts = {"command": "automl fit a.csv --sensitive sex --mitigate thresholds --time 60"}
    action = "Fit again with `--min-recall 0.8` in place of `--mitigate thresholds`."
    assert command_of(action, facts) == "automl fit a.csv --sensitive sex --time 60 --min-recall 0.8"


def test_actions_with_one_command_are_told_once_by_the_gravest_finding() -> None:
    sample = binary()
    grave = dataclasses.replace(finding("AML102", Severity.ISSUE), action="Ask first: fit again with `--drop-leaks`.")
    light = dataclasses.replace(finding("AML118", Severity.TIP), action="If it is late, use `--drop-leaks`.")
    facts = {**sample.facts, "command": "automl fit a.csv"}
    actions = report(sample.profile, sample.plan, sample.evidence, [light, grave], facts)["actions"]
    assert [(each["code"], each["command"]) for each in actions] == [("AML102", "automl fit a.csv --drop-leaks")]


def test_a_check_that_finds_two_things_is_one_check() -> None:
    twice = [finding("AML102", Severity.ISSUE), finding("AML102", Severity.ISSUE)]
    assert verdict(twice).reason.startswith("One check found an issue")


def test_hostile_text_is_escaped_everywhere() -> None:
    html, text = render(content("hostile")), card(content("hostile"))
    assert "<script" not in html.lower()
    assert "\x00" not in html + text
    assert "<script" not in re.sub("`[^`]*`", "", text.split("---\n", 2)[2])
    assert html.count("</style>") == 1


def test_thousands_of_columns_and_trials_and_many_findings_stay_below_a_megabyte_and_five_thousand_elements() -> None:
    sample = binary()
    assert sample.evidence is not None
    named = (column(f"column number {at} " + "x" * 200) for at in range(3000))
    columns = tuple(dataclasses.replace(each, evidence="words " * 300) for each in named)
    many = tuple(dataclasses.replace(sample.evidence.trials[1], number=at, settings={"s" * 500: "v" * 500}) for at in range(2000))
    big = report(
        dataclasses.replace(sample.profile, columns=columns),
        sample.plan,
        dataclasses.replace(sample.evidence, trials=many),
        [dataclasses.replace(each, code=f"AML{number}") for number, each in enumerate(sample.findings * 3, 100)],
        sample.facts,
    )
    html = render(json.loads(files.dump_json(big)))
    assert len(html.encode()) <= 1_000_000
    assert 2000 < len(Outline(html).tags) <= 5000
    assert "more columns are in report.json" in html


def test_without_samples_the_levels_of_wide_columns_are_left_out() -> None:
    sample = binary()
    wide = dataclasses.replace(
        column("city", Kind.CATEGORY, unique=900), statistics={"levels": [["Springfield", 3]], "longest": 11}
    )
    profile = dataclasses.replace(sample.profile, columns=(*sample.profile.columns, wide))
    for keep in (True, False):
        plan = dataclasses.replace(sample.plan, samples=keep)
        saved = files.dump_json(report(profile, plan, sample.evidence, sample.findings, sample.facts))
        assert ("Springfield" in saved) is keep


@EVERY
def test_the_model_card_has_its_headings_and_a_readable_front_matter(name: str) -> None:
    text = card(content(name))
    _, front, body = text.split("---\n", 2)
    matter = yaml.safe_load(front)
    assert matter["pipeline_tag"].startswith("tabular-")
    wanted = ["Model Details", "Uses", "Bias, Risks, and Limitations", "How to Get Started with the Model", "Training Details",
              "Evaluation", "Technical Specifications"]  # fmt: skip
    assert re.findall(r"^## (.+)$", body, re.MULTILINE) == wanted


def test_the_model_index_holds_the_scores_and_the_limitations_the_issues() -> None:
    text = card(content("binary"))
    metrics = yaml.safe_load(text.split("---\n", 2)[1])["model-index"][0]["results"][0]["metrics"]
    assert {each["type"]: each["value"] for each in metrics} == {"roc_auc": 0.9284, "accuracy": 0.8705}
    for each in binary().findings:
        if each.severity is Severity.ISSUE:
            assert f"**Issue, {each.code}:**" in text


@EVERY
def test_the_hub_reads_the_front_matter_with_its_scores(name: str) -> None:
    hub = pytest.importorskip("huggingface_hub")
    data = hub.ModelCard(card(content(name))).data
    matter = yaml.safe_load(card(content(name)).split("---\n", 2)[1])
    scores = matter["model-index"][0]["results"][0]["metrics"] if "model-index" in matter else []
    assert [(each.metric_type, each.metric_value) for each in data.eval_results or []] == [
        (each["type"], each["value"]) for each in scores
    ]
    assert all(each.dataset_split for each in data.eval_results or [])


def test_the_hub_knows_the_task_of_every_modality() -> None:
    assert pipeline_tag("image", Task.MULTICLASS) == "image-classification"
    assert pipeline_tag("text", Task.BINARY) == "text-classification"
    assert pipeline_tag("series", Task.BINARY) == "tabular-classification"
    assert pipeline_tag("mixture", Task.REGRESSION) == "tabular-regression"
    assert pipeline_tag("forecast", Task.FORECAST) == "time-series-forecasting"


@EVERY
def test_a_notebook_shows_verdict_and_link_and_no_script(name: str, tmp_path: Path) -> None:
    said = content(name)
    said["verdict"]["reason"] = "<script>alert(1)</script>"
    shown = notebook(said, tmp_path / 'a "b" <i>' / "report.html")
    assert verdict(SAMPLES[name]().findings).label in shown
    assert "<script" not in shown
    assert "<i>" not in shown
    assert shown.count('href="') == 1
    page = Outline(shown)
    assert not page.open
    assert [each["href"] for tag, each in page.tags if tag == "a"] == [(tmp_path / 'a "b" <i>' / "report.html").as_uri()]


@EVERY
def test_the_summary_is_a_few_lines_that_open_with_the_verdict(name: str) -> None:
    lines = summary(content(name))
    assert lines[0].startswith(verdict(SAMPLES[name]().findings).label)
    assert len(lines) <= 8
    assert all("\n" not in line for line in lines)


def test_damaged_and_newer_reports_are_refused_in_a_sentence(tmp_path: Path) -> None:
    write_report(tmp_path, *minimal().arguments)
    saved = files.read_json(tmp_path / "report.json")
    with pytest.raises(InputError, match="newer"):
        render({**saved, "format": 99})
    with pytest.raises(InputError, match="damaged"):
        render({key: value for key, value in saved.items() if key != "profile"})
    (tmp_path / "report.json").unlink()
    with pytest.raises(InputError, match="missing"):
        render_folder(tmp_path)


def test_the_report_imports_nothing_heavy() -> None:
    heavy = "tensorflow", "shap", "sklearn", "scipy", "onnxruntime", "keras", "lightgbm"
    code = f"import sys, automl.report; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def finding(code: str, severity: Severity) -> Finding:
    return Finding(code, f"Title of {code}", severity, Section.TRUST, "A sentence.")


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ([finding("AML301", Severity.PASSED)], "Ready"),
        ([finding("AML301", Severity.PASSED), finding("AML302", Severity.TIP)], "Ready"),
        ([finding("AML301", Severity.ISSUE), finding("AML302", Severity.TIP)], "Use with care"),
        ([finding("AML203", Severity.ISSUE)], "Do not use"),
        ([finding("AML203", Severity.PASSED)], "Ready"),
        ([finding("AML104", Severity.STOP), finding("AML301", Severity.ISSUE)], "Do not use"),
        ([], "Use with care"),
    ],
)
def test_the_verdict_follows_its_rule(given: list[Finding], label: str) -> None:
    said = verdict(given)
    assert said.label == label
    assert said.reason.endswith(".")
    assert label in said.rule


def test_the_numbers_behind_a_curve_are_rows_from_all_of_it() -> None:
    curve = Series("model", tuple(at / 100 for at in range(101)), tuple(min(1.0, at / 50) for at in range(101)))
    line = Series("chance", (0.0, 1.0), (0.0, 1.0))
    figure = Figure("roc", "line", "ROC", "", (curve, line), "false positive rate", "true positive rate")
    shown = html._figure(figure, "roc", html.Limits(15, 8, 8))["table"]
    assert len(shown["rows"]) == 8
    assert shown["left_out"] == 103 - 8
    of_model = [row[1] for row in shown["rows"] if row[0] == "model"]
    assert (of_model[0], of_model[-1]) == (0.0, 1.0)
    assert max(after - before for before, after in itertools.pairwise(of_model)) <= 0.21
    assert [row[1] for row in shown["rows"] if row[0] == "chance"] == [0.0, 1.0]
    whole = html._figure(figure, "roc", html.Limits(15, 8, 200))["table"]
    assert (len(whole["rows"]), whole["left_out"]) == (103, 0)
    one = html._figure(dataclasses.replace(figure, series=(curve,)), "roc", html.Limits(15, 8, 1))["table"]
    assert len(one["rows"]) == 1
    bars = Figure("bars", "bar", "Bars", "", (Series("", tuple("abcdef"), (6.0, 5.0, 4.0, 3.0, 2.0, 1.0)),))
    assert [row[0] for row in html._figure(bars, "bars", html.Limits(15, 8, 3))["table"]["rows"]] == ["a", "b", "c"]


def test_the_verdict_says_what_was_not_looked_at() -> None:
    cells = [["sex", "a feature", False], ["race", "a feature", False], ["age", "a feature", True]]
    rows = {"columns": ["column", "what it is used for", "groups compared"], "rows": cells}
    hinted = dataclasses.replace(finding("AML116", Severity.TIP), table=rows)
    late, other = finding("AML118", Severity.NOT_RUN), finding("AML106", Severity.NOT_APPLICABLE)
    said = verdict([finding("AML301", Severity.PASSED), hinted, late, other])
    assert said.label == "Ready"
    assert "2 made" in said.reason
    assert 'not looked at: fairness by "sex", "race" (they look sensitive by name), and ' in said.reason
    assert said.reason.endswith("(AML118) for lack of time.")
    assert "AML106" not in said.reason
    assert "not looked at" in verdict([finding("AML301", Severity.ISSUE), late]).reason
    assert verdict([late, other]).label == "Use with care"  # nothing was made
    assert "not looked at" not in verdict([finding("AML301", Severity.PASSED), other]).reason


def test_a_worse_finding_never_makes_the_verdict_better() -> None:
    order = ["Ready", "Use with care", "Do not use"]
    ranks = [
        order.index(verdict([finding("AML301", each)]).label)
        for each in (Severity.PASSED, Severity.TIP, Severity.ISSUE, Severity.STOP)
    ]
    assert ranks == sorted(ranks)


def test_hostile_sample_is_hostile() -> None:
    assert HOSTILE in hostile().profile.columns[0].name


def test_a_number_without_a_value_is_a_dash() -> None:
    figure = Figure("f", "bar", "Nothing", "Nothing to read.", (Series("s", ("a",), (None,)),))
    empty = Finding(
        "AML999", "Empty", Severity.ISSUE, Section.WHY, "It is empty.", numbers={"x": Number(float("nan"))}, figures=(figure,)
    )
    sample = minimal()
    html = render(json.loads(files.dump_json(report(sample.profile, sample.plan, None, [empty], {}))))
    assert "every value is missing" in html
    assert "<dd>–</dd>" in html


def test_a_page_of_too_many_elements_leaves_figures_out_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = binary()
    figures = tuple(each for finding in sample.findings for each in finding.figures)[:3]
    crowded = dataclasses.replace(sample.findings[0], figures=figures)
    content = report(sample.profile, sample.plan, sample.evidence, [crowded, *sample.findings[1:]], sample.facts)
    whole = render(content)
    assert len(figures) == 3
    assert "of its figures are in report.json" not in whole
    monkeypatch.setattr("automl.report.html.MOST_ELEMENTS", 10)
    page = render(content)
    assert "2 more of its figures are in report.json." in page
    assert page.count('class="chart"') <= whole.count('class="chart"') - 2


def test_the_page_and_the_card_say_what_to_watch_and_the_page_what_the_folds_said() -> None:
    sample = binary()
    others = [each for each in sample.findings if each.code not in ("AML205", "AML332")]
    folds = Finding("AML205", "Optimism", Severity.PASSED, Section.SCORES, "They agree.", numbers={"out_of_fold": Number(0.8125)})
    unlike = Number(0.0132, unit="fraction")
    guard = Finding("AML332", "Unlike", Severity.PASSED, Section.TRUST, "A few.", numbers={"flagged_fraction": unlike})
    content = files.encode(report(*dataclasses.replace(sample, findings=[*others, folds, guard]).arguments))
    text, told = " ".join(" ".join(Outline(render(content)).texts).split()), card(content)
    assert "In the search, out of fold: 0.81" in text
    for each in (text, told):
        assert "1.3 % of the judged rows" in each or "1.3\u00a0% of the judged rows" in each
        assert "train again on newer data" in each
    plain = Outline(render(files.encode(report(*dataclasses.replace(sample, findings=others).arguments)))).texts
    assert "out of fold:" not in " ".join(plain)
    nothing = files.encode(report(*minimal().arguments))
    assert nothing["model"]["architecture"] or "What to watch" not in render(nothing)
