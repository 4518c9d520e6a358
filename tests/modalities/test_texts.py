"""Texts as a modality: recognised, described, kept together, learned from, explained, and predicted without automl."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.case import Case
from automl.core.dataset import Dataset
from automl.core.options import Options
from automl.core.profile import ColumnProfile, Kind, Profile, Role
from automl.core.table import Category, Table
from automl.core.tasks import Task
from automl.modalities.text import MODALITY
from automl.modalities.text.encoding import make_encoder
from automl.modalities.text.explain import _Probe, pieces_of
from automl.modalities.text.sense import examine, folds, language_hint, sense
from automl.modalities.text.together import near_duplicates, together

GOOD, BAD = ("lovely", "superb", "charming", "\U0001f600"), ("dreadful", "boring", "clumsy", "\U0001f621")
FILLERS = ("we", "saw", "it", "on", "a", "day", "in", "town", "again")
AWKWARD = ["", " ", "word", "\U0001f600", "lovely " * 3000, "<b>half \ud800</b>", "naïve 東京"]


def frame(rows: int, seed: int = 0) -> pd.DataFrame:
    """Short reviews with one word that decides, some of them empty."""
    generator = np.random.default_rng(seed)
    things = ("film", "book", "meal", "hotel", "song")
    liked = generator.random(rows) < 0.5
    texts = []
    for good in liked:
        word = str(generator.choice(GOOD if good else BAD))
        filler = " ".join(generator.choice(FILLERS, generator.integers(2, 9)))
        texts.append(f"The {generator.choice(things)} number {generator.integers(10_000)} was {word}, {filler}.")
    for row in generator.choice(rows, 4, replace=False):
        texts[row] = ""
    return pd.DataFrame({"review": texts, "liked": np.where(liked, "yes", "no")})


def dataset(data: pd.DataFrame) -> Dataset:
    return Dataset(data, "reviews", "made up", "hash")


def column(name: str = "review", kind: Kind = Kind.TEXT, role: Role = Role.FEATURE) -> ColumnProfile:
    return ColumnProfile(name, kind, "words", {"as": "category"}, "string", role)


def test_texts_alone_are_recognised() -> None:
    data = dataset(frame(50))
    assert sense(data, [column(), column("liked", Kind.CATEGORY, Role.TARGET)])[0] == 0.8
    assert sense(data, [column(), column("stars", Kind.NUMBER)])[0] < 0.6
    assert sense(data, [column("stars", Kind.NUMBER)])[0] == 0.0


def test_columns_are_described() -> None:
    (described, untouched) = examine(dataset(frame(200)), [column(), column("liked", Kind.CATEGORY, Role.TARGET)])
    assert described.parse["as"] == "text"
    assert described.statistics["empty"] == 4
    assert described.statistics["words"]["max"] <= 20
    assert "empty" in described.evidence
    assert untouched.parse == {"as": "category"}


def test_languages_are_guessed_or_left_open() -> None:
    assert language_hint(["the cat is on the mat and it was not for you"] * 5) == "English"
    assert language_hint(["der Hund und die Katze sind nicht auf dem Dach, es ist das Haus"] * 5) == "German"
    assert language_hint(["привет как дела хорошо спасибо большое"] * 5) == "Cyrillic script"
    assert language_hint(["ok"]) is None


def test_long_texts_get_fewer_folds() -> None:
    profile = made_profile()
    assert folds(profile) is None
    long = replace(profile.columns[0], statistics={"words": {"median": 700.0}})
    assert folds(replace(profile, columns=(long,), rows=2000)) == 3
    assert folds(replace(profile, columns=(long,), rows=20_000)) == 1


def made_profile(rows: int = 200) -> Profile:
    (described,) = examine(dataset(frame(rows)), [column()])
    return Profile(
        "text", "", Task.BINARY, "", "liked", "", {}, rows, (described,), classes=("no", "yes"), class_counts=(90, 110)
    )


def test_near_duplicates_are_found_and_short_texts_stand_for_themselves() -> None:
    base = "you have won a guaranteed prize of two hundred pounds call the number now to claim it before friday"
    texts = [
        base,
        "something else that has nothing to do with any prize at all today",
        base + " please",
        "ok",
        "ok",
        base.upper(),
    ]
    groups = near_duplicates(texts)
    assert groups[0] == groups[2] == groups[5] == 0
    assert groups[1] == 1
    assert groups[3] != groups[4]
    assert near_duplicates([]).shape == (0,)


def test_groups_of_a_table_are_none_where_all_rows_differ() -> None:
    profile = made_profile()
    texts = np.asarray([f"a different text about topic {number} in words {number * 7}" for number in range(20)], dtype=object)
    assert together(Table({"review": Category.from_strings(texts)}, 20), profile) is None
    texts[3] = texts[4]
    groups = together(Table({"review": Category.from_strings(texts)}, 20), profile)
    assert groups is not None
    assert groups[3] == groups[4]


@pytest.mark.parametrize("encoding", ["none", "ngrams", "tokens"])
def test_encodings_give_one_row_a_text_and_come_back_from_their_state(encoding: str) -> None:
    profile = made_profile()
    texts = Category.from_strings(frame(200)["review"].to_numpy(object))
    table = Table({"review": texts}, 200)
    unfitted = make_encoder(profile, encoding, {"vocabulary": 100})
    encoder = unfitted.fit(table, np.arange(150), np.arange(200))
    blocks = encoder.transform(table)
    assert set(blocks) == set(encoder.shapes) == set(encoder.features)
    restored = type(encoder).from_state(encoder.state())
    for name, block in restored.transform(table).items():
        assert block.shape == (200, encoder.shapes[name][0])
        assert abs(block - blocks[name]).max() == 0
    assert make_encoder(profile, "tokens", {"vocabulary": 50}).key != make_encoder(profile, "tokens", {"vocabulary": 60}).key


def test_pieces_lose_nothing() -> None:
    for text in ("one two  three\n four", "word " * 300, "", "x"):
        assert "".join(pieces_of(text)) == text
        assert len(pieces_of(text)) <= 48


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A whole run of the bottom rungs."""
    from automl.run import fit

    folder = tmp_path_factory.mktemp("text")
    frame(600).to_csv(folder / "reviews.csv", index=False)
    options = Options(target="liked", trials=4, only=("baseline", "tfidf_linear"), jobs=2, metric="accuracy")
    return fit(str(folder / "reviews.csv"), options, folder / "run")


def test_a_run_learns_the_words_that_decide(finished: Any) -> None:
    assert finished.profile.modality == "text"
    assert finished.evidence.champion == "tfidf_linear"
    new = frame(300, 9)
    kept = new["review"] != ""
    assert (finished.predict(new)[kept] == new["liked"][kept]).mean() > 0.97


def test_a_run_explains_itself(finished: Any) -> None:
    findings = {finding.code: finding for finding in finished.findings}
    assert {"AML515", "AML516", "AML518", "AML519"} <= set(findings)
    marked = findings["AML515"].figures[0]
    assert marked.kind == "marked_text"
    decisive = []
    for series in marked.series:
        assert len(series.x) == len(series.y)
        assert all(-1 <= weight <= 1 for weight in series.y)
        decisive.append(series.x[int(np.argmax(series.y))].strip(" ,."))
    assert sum(word in (*GOOD, *BAD) for word in decisive) >= 0.8 * len(decisive)
    told = " ".join(str(row) for row in findings["AML519"].table["rows"])
    assert sum(word in told for word in (*GOOD, *BAD)) >= 3
    assert len(findings["AML516"].table["rows"]) == 8


def test_the_model_folder_predicts_awkward_texts_alone(finished: Any, tmp_path: Path) -> None:
    folder = Path(finished.folder) / "model"
    script = (folder / "predict.py").read_text(encoding="utf-8")
    assert "import automl" not in script
    assert "from automl" not in script
    clean = [text.encode("utf-8", "replace").decode() for text in AWKWARD]
    pd.DataFrame({"review": clean}).to_csv(tmp_path / "new.csv", index=False)
    command = [sys.executable, str(folder / "predict.py"), "new.csv", "-o", "out.csv"]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, env={"PYTHONPATH": "", "PATH": "/usr/bin:/bin"})
    out = pd.read_csv(tmp_path / "out.csv")
    assert len(out) == len(AWKWARD)
    one_by_one = [finished.predict_proba(pd.DataFrame({"review": [text]}))[0, 1] for text in clean]
    np.testing.assert_allclose(out["probability_yes"], one_by_one, atol=1e-6)
    assert out["prediction"][4] == "yes"


def test_without_samples_no_text_is_shown() -> None:
    from automl.core.plan import Plan

    data = frame(100)
    profile = made_profile(100)
    plan = Plan.__new__(Plan)
    object.__setattr__(plan, "samples", False)
    case = Case(dataset(data), profile, plan, truth=np.zeros(3, np.int64))
    case = replace(case, evidence=object(), predict=lambda rows: np.zeros((len(rows), 2)))  # type: ignore[arg-type]
    findings = MODALITY.explain(case)  # type: ignore[misc]
    shown = " ".join(str(finding) for finding in findings)
    assert not any(word in shown for word in (*GOOD, *BAD))


def test_leaving_the_deciding_word_out_costs_most() -> None:
    def predict(rows: pd.DataFrame) -> Any:
        good = rows["review"].str.contains("superb").to_numpy()
        return np.stack([np.where(good, 0.1, 0.8), np.where(good, 0.9, 0.2)], axis=1)

    data = pd.DataFrame({"review": ["the meal was superb indeed"]})
    case = Case(dataset(data), made_profile(), None, judged=data, truth=np.ones(1, np.int64), predict=predict)  # type: ignore[arg-type]
    probe = _Probe(case, case.profile.columns[0])
    pieces = pieces_of(data["review"][0])
    effects = probe.effects(0, pieces, range(len(pieces)))
    assert int(np.argmax(effects[:, 1])) == 3
    assert np.count_nonzero(np.abs(effects[:, 1]) > 1e-9) == 1
