"""Awkward data runs to the end, is reported, and so is awkward new data."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.run import Run
from tests.run.made_up import command, fit, read, with_outcome

BOTH = ("linear", "boosting")


def columns_of(run: Run) -> dict[str, dict[str, object]]:
    return {column["name"]: column for column in read(run.folder / "model" / "contract.json")["columns"]}


def said(run: Run) -> str:
    return " ".join(each.sentence for each in run.findings if each.severity in {"issue", "tip"})


@pytest.mark.parametrize("as_text", [False, True])
def test_infinite_missing_and_mixed_values(as_text: bool, tmp_path: Path) -> None:
    frame = with_outcome("bool")
    generator = np.random.default_rng(0)
    frame.loc[generator.random(len(frame)) < 0.05, "age"] = np.inf
    frame.loc[generator.random(len(frame)) < 0.02, "age"] = -np.inf
    frame["nothing"] = np.nan
    frame["mixed"] = [value if value % 3 else f"about {value}" for value in generator.integers(0, 9, len(frame)).tolist()]
    frame["half"] = [1.5 if value else "n/a" for value in generator.random(len(frame)) < 0.5]
    source: object = frame
    if as_text:
        frame.to_csv(tmp_path / "shop.csv", index=False)
        source = tmp_path / "shop.csv"
    run = fit(source, tmp_path / "run", only=BOTH)
    assert "nothing" not in columns_of(run)
    assert "infinite" in said(run)
    assert run.report["headline"]["score"]["value"] > 0.6
    infinite = frame.head(4).assign(age=np.asarray([np.inf, -np.inf, np.nan, None], object))
    probabilities = run.predict_proba(infinite)
    assert np.isfinite(probabilities).all()
    assert np.allclose(run.predict_proba(infinite.assign(age=np.nan)), probabilities)


def test_a_category_of_ten_thousand_levels(tmp_path: Path) -> None:
    rows = 15_000
    generator = np.random.default_rng(0)
    level = generator.integers(0, 10_000, rows)
    frame = pd.DataFrame({"place": [f"place {number}" for number in level], "x": generator.normal(size=rows)})
    frame["outcome"] = frame["x"] + 0.3 * (level % 7) + generator.normal(0, 0.3, rows)
    run = fit(frame, tmp_path / "run", only=BOTH, time=None, trials=4)
    assert columns_of(run)["place"]["kind"] == "category"
    assert "levels" not in columns_of(run)["place"]
    assert "place" in said(run)
    assert np.isfinite(run.predict(frame.head(50).assign(place="nowhere"))).all()


NAMES = [
    "label", "value", "probabilities", "with space", "grösse", "年齢", "a,b", 'a "quoted" name', "emoji 🙂", "label_in", "output",
    "net_3", "<b>bold</b>", "=1+1", "1", "new\nline",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["bool", "number"])
def test_awkward_column_names(kind: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({name: generator.normal(size=600) for name in NAMES[::2]})
    for name in NAMES[1::2]:
        frame[name] = generator.choice(["x", "y", "z"], 600)
    signal = frame[NAMES[::2]].sum(axis=1) + (frame[NAMES[1::2]] == "x").sum(axis=1)
    frame["the outcome, said"] = signal > signal.median() if kind == "bool" else signal
    run = fit(frame, tmp_path / "run", target="the outcome, said", only=BOTH)
    assert set(columns_of(run)) == set(NAMES)
    frame.to_csv(tmp_path / "new.csv", index=False)
    again = run.predict(tmp_path / "new.csv")
    assert np.allclose(again.astype(float), run.predict(frame).astype(float), rtol=1e-5, atol=1e-5)
    assert run.model.write_predictions(tmp_path / "out.csv", frame) == 600
    page = run.report_path.read_text(encoding="utf-8")
    assert "<b>bold</b>" not in page
    assert "年齢" in page


def test_awkward_texts(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    words = [
        "I'm 🙂", 'she said "no"', "two\nlines", "semi;colon, comma", "tab\there", "naïve café", "𝔘𝔫𝔦", " padded ", "</script>",
        "NULL",
    ]  # fmt: skip
    level = generator.integers(0, len(words), 600)
    frame = pd.DataFrame({"mood": [words[number] for number in level], "x": generator.normal(size=600)})
    frame["outcome"] = np.where((level % 2 == 0) ^ (generator.random(600) < 0.1), 'yes, "truly" 🙂', "no\nway")
    frame.to_csv(tmp_path / "shop.csv", index=False)
    run = fit(tmp_path / "shop.csv", tmp_path / "run", only=BOTH)
    assert set(run.profile.classes) == {'yes, "truly" 🙂', "no\nway"}
    assert (run.predict(frame) == frame["outcome"]).mean() > 0.85
    assert np.array_equal(run.predict(tmp_path / "shop.csv"), run.predict(frame))
    run.model.write_predictions(tmp_path / "out.csv", frame)
    assert pd.read_csv(tmp_path / "out.csv")["prediction"].tolist() == run.predict(frame).tolist()
    assert "</script>🙂" not in run.report_path.read_text(encoding="utf-8")


@pytest.mark.parametrize("rung", BOTH)
def test_unseen_categories_new_and_reordered_columns_at_prediction(rung: str, tmp_path: Path) -> None:
    frame = with_outcome("text")
    run = fit(frame, tmp_path / "run", only=(rung,))
    rows = frame.head(30).drop(columns="outcome")
    expected = run.predict_proba(rows)
    shuffled = rows[["joined", "spent", "plan", "order", "member", "age"]].assign(further="?", another=3)
    assert np.array_equal(run.predict_proba(shuffled), expected)
    unseen = run.predict_proba(rows.assign(plan="a plan of another kind", member=None, joined="not a date", spent="free"))
    assert np.isfinite(unseen).all()
    assert np.allclose(unseen.sum(axis=1), 1.0, atol=1e-5)
    assert np.isfinite(run.predict_proba({name: None for name in rows})).all()


def test_two_thousand_columns_of_three_hundred_rows(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.normal(size=(300, 2000)).astype(np.float32), columns=[f"c{number}" for number in range(2000)])
    frame["outcome"] = frame["c0"] + frame["c7"] + generator.normal(0, 0.3, 300) > 0
    run = fit(frame, tmp_path / "run")
    assert run.report_path.stat().st_size < 1_000_000
    assert run.predict_proba(frame.head(5)).shape == (5, 2)


def test_halves_of_characters_in_cells_labels_and_names(tmp_path: Path) -> None:
    """Such as "\\ud800", which JSON can say and no file, graph or terminal can hold."""
    frame = with_outcome("text")
    changes = {
        "plan": lambda plan: plan.replace("p", "\udc00"),
        "outcome": lambda label: label.replace("now", "\ud834"),
        "order": lambda order: f"\udfff{order}",
    }
    for name, change in changes.items():
        frame[name] = pd.Series([change(value) for value in frame[name]], dtype=object)
    frame.columns = pd.Index([name.replace("plan", "plan \ud800") for name in frame.columns], dtype=object)
    (tmp_path / "shop.jsonl").write_text("\n".join(json.dumps(row) for row in frame.replace(np.nan, None).to_dict("records")))
    (tmp_path / "rows.json").write_text(json.dumps(frame.drop(columns="outcome").replace(np.nan, None).to_dict("records")))
    runs = [fit(frame, tmp_path / "frame"), fit(tmp_path / "shop.jsonl", tmp_path / "file")]
    for run in runs:
        assert run.profile.classes == ("never", "often", "\ufffd and then")
        assert "plan \ufffd" in columns_of(run)
        assert np.array_equal(run.predict(frame), run.predict(tmp_path / "rows.json"))
        assert run.predict(frame.iloc[0].to_dict())[0] == run.predict(frame)[0]
        answer = command("predict", run.folder, tmp_path / "rows.json", "-o", tmp_path / "out.csv")
        assert (answer.returncode, answer.stderr) == (0, "")
        assert command("score", run.folder, tmp_path / "shop.jsonl", "--json").returncode == 0
        written = pd.read_csv(tmp_path / "out.csv")
        assert written["order"].tolist() == [order.replace("\udfff", "\ufffd") for order in frame["order"]]
        assert "probability_\ufffd and then" in written.columns


def test_a_path_that_is_no_utf8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    with_outcome("bool").to_csv(folder / os.fsdecode(b"caf\xe9.csv"), index=False)
    done = command(
        "fit", "caf\udce9.csv", "--target", "outcome", "--time", 20, "--only", "linear", "--quiet", "--json", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert (folder / json.loads(done.stdout)["run"] / "report.html").is_file()
