"""Parse steps of texts: n-grams against a slow reference in words, tokens, and cells that are hard to read."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.core.parsers import make_parser, parse_column
from automl.core.predictor import PredictorError
from automl.core.tokens import COUNT_BITS, MOST_CHARACTERS, load_tokenizer, ngrams, token_rows
from automl.encoders.tokens import train_tokenizer

AWKWARD = [
    "",
    "   ",
    "a",
    "\U0001f600",
    "\U0001f600\U0001f44d ok!!",
    "don't\tstop\n\nnow",
    "naïve CAFÉ",
    "東京 タワー",
    "?",
    "½ ﬁne",
    "word " * 900,
]
KINDS = [("words", 1, 2), ("words", 1, 3), ("characters", 2, 5), ("characters", 1, 3)]


def reference(text: str, of: str, least: int, most: int) -> Counter[Any]:
    text, found = text.lower(), Counter[Any]()
    if of == "words":
        words = re.findall(r"\w+|[^\w\s]", text)
        for length in range(least, most + 1):
            line = words if length == 1 else ["<start>", *words, "<end>"]
            found.update((length, *line[at : at + length]) for at in range(len(line) - length + 1))
    else:
        line = re.sub(" +", " ", f" {' '.join(text.split())} ")
        for length in range(least, most + 1):
            grams = [line[at : at + length] for at in range(len(line) - length + 1)]
            found.update(gram for gram in grams if " " not in gram[1:-1] and gram != " ")
    return found


@pytest.mark.parametrize(("of", "least", "most"), KINDS)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(alphabet="abcXYZ01 .,!'\n", max_size=60), max_size=6))
def test_ngrams_are_those_of_the_definition(of: str, least: int, most: int, texts: list[str]) -> None:
    rows, keys, counts = ngrams(texts, of, least, most)
    wanted = [reference(text, of, least, most) for text in texts]
    for row, expected in enumerate(wanted):
        assert sorted(counts[rows == row]) == sorted(expected.values())
    assert len(np.unique(keys)) == len(set().union(*wanted)) if wanted else len(keys) == 0


def test_the_same_ngram_has_the_same_key_wherever_it_stands() -> None:
    texts = ["free entry", "a very free entry now", "Free   ENTRY"]
    rows, keys, _ = ngrams(texts, "words", 1, 2)
    parts = [set(keys[rows == row].tolist()) for row in range(3)]
    assert parts[0] == parts[2]
    assert len(parts[0] & parts[1]) == 3  # free, entry, free entry


@pytest.mark.parametrize("of", ["words", "characters"])
def test_a_text_parsed_alone_equals_itself_among_others(of: str) -> None:
    parser = make_parser({"as": "ngrams", "of": of, "least": 1, "most": 3, "missing": []})
    together = parser.column(AWKWARD)
    for row, text in enumerate(AWKWARD):
        alone = parser.value(text)
        assert alone.dtype == np.int64
        np.testing.assert_array_equal(together[row][: len(alone)], alone)
        assert not together[row][len(alone) :].any()
        assert (alone >= 0).all()
        assert ((alone & ((1 << COUNT_BITS) - 1)) > 0).sum() == (alone > 0).sum()


def test_what_a_text_is_does_not_depend_on_the_type_of_the_cell() -> None:
    cells = ["  Hello ", None, float("nan"), 3, 1.5, b"bytes", "half a \ud800 pair", "1.0"]
    assert parse_column(cells, {"as": "text", "missing": []}).tolist() == [
        "Hello",
        "",
        "",
        "3",
        "1.5",
        "bytes",
        "half a \ufffd pair",
        "1.0",
    ]
    assert parse_column(["n/a", "N/A yes"], {"as": "text", "missing": ["N/A"]}).tolist() == ["", "N/A yes"]


def test_very_long_texts_are_read_up_to_a_limit() -> None:
    text = "x" * (3 * MOST_CHARACTERS)
    rows, _, counts = ngrams([text, "y"], "characters", 2, 2)
    assert counts[rows == 0].sum() == MOST_CHARACTERS + 1


@pytest.fixture(scope="module")
def tokenizer() -> str:
    pytest.importorskip("tokenizers")
    texts = [f"the {colour} house number {number} is for sale" for colour in ("red", "green") for number in range(60)]
    return train_tokenizer(texts, 120)


def test_tokens_have_one_length_and_keep_beginning_and_end(tokenizer: str) -> None:
    loaded = load_tokenizer(tokenizer)
    found = token_rows(loaded, ["the red house", "", "the red " + "house " * 500 + "sale", "\U0001f600"], 8)
    assert found.shape == (4, 8)
    assert found.dtype == np.int64
    assert not found[1].any()
    full = [loaded.id_to_token(int(each)) for each in found[2]]
    assert full[:2] == ["▁the", "▁red"]
    assert full[-1] == "▁sale"
    assert (found[3] > 0).any()


def test_the_same_texts_give_the_same_vocabulary(tokenizer: str) -> None:
    texts = [f"the {colour} house number {number} is for sale" for colour in ("red", "green") for number in range(60)]
    assert train_tokenizer(texts, 120) == tokenizer


def test_the_tokens_step_needs_its_file(tokenizer: str, tmp_path: Path) -> None:
    step = {"as": "tokens", "tokenizer": "tokenizer.json", "length": 8}
    with pytest.raises(PredictorError, match="model folder"):
        parse_column(["text"], step)
    with pytest.raises(PredictorError, match="cannot be read"):
        make_parser(step, tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(PredictorError, match="damaged"):
        make_parser(step, tmp_path)
    with pytest.raises(PredictorError, match="outside"):
        make_parser({**step, "tokenizer": "../tokenizer.json"}, tmp_path)
    (tmp_path / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    assert make_parser(step, tmp_path).column(["the red house"]).shape == (1, 8)
