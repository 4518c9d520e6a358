"""Encoders of texts: arrays equal the graph on texts never seen, states are JSON, folds see only their own rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from automl.core.parsers import make_parser
from automl.core.table import Category
from automl.encoders.graph import GraphBuilder
from automl.encoders.text import INDEX, VALUE, ComponentsEncoder, NgramEncoder
from automl.encoders.tokens import LENGTHS, TokensEncoder, fitting_length
from tests.encoders.made_up import run_graph

CELLS = {"as": "text", "missing": []}
AWKWARD = ["", "  ", "?", "\U0001f600", "never seen \u2603", "The red house", "red " * 400, "half \ufffd", "the the the THE"]
KINDS: list[dict[str, Any]] = [{"of": "words", "least": 1, "most": 2}, {"of": "characters", "least": 2, "most": 5}]


def texts(count: int, seed: int = 0) -> Category:
    generator = np.random.default_rng(seed)
    words = np.asarray(
        ["the", "a", "red", "green", "house", "garden", "is", "was", "for", "sale", "not", "very", "old", "new", "!"],
        dtype=object,
    )
    made = [" ".join(generator.choice(words, generator.integers(1, 12))) for _ in range(count)]
    return Category.from_strings(np.asarray([*made, "", made[0]], dtype=object))


def awkward() -> Category:
    return Category.from_strings(np.asarray(AWKWARD, dtype=object))


def graph_rows(encoder: Any, values: Category) -> Any:
    """What the graph makes of raw texts, dense."""
    ngrams = encoder.ngrams if isinstance(encoder, ComponentsEncoder) else encoder
    feed = make_parser(ngrams.parse(CELLS)).column(values.strings())
    builder = GraphBuilder()
    made = encoder.graph(builder, builder.input("text", "int64", "n"))
    if isinstance(encoder, ComponentsEncoder):
        return run_graph(builder, {"out": (made, "float32")}, {"text": feed})["out"]
    found = run_graph(builder, {"i": (made[INDEX], "int64"), "v": (made[VALUE], "float32")}, {"text": feed})
    dense = np.zeros((len(values), encoder.width + 1), np.float32)
    for row in range(len(values)):
        np.add.at(dense[row], found["i"][row], found["v"][row])
    return dense[:, :-1]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["of"])
def test_rows_equal_the_graph_also_on_texts_never_seen(kind: dict[str, Any]) -> None:
    values = texts(200)
    encoder = NgramEncoder.fit(values.take(np.arange(100)), values, "text", **kind)
    assert 0 < encoder.width == len(encoder.feature_names)
    for each in (values, texts(30, 7), awkward()):
        rows = encoder.transform(each)
        assert rows.shape == (len(each), encoder.width)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(graph_rows(encoder, each), rows.toarray(), atol=1e-6)
        lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        np.testing.assert_allclose(lengths[lengths > 0], 1.0, atol=1e-5)


def test_components_equal_the_graph_and_keep_most_of_what_differs() -> None:
    values = texts(200)
    ngrams = NgramEncoder.fit(values, values, "text")
    encoder = ComponentsEncoder.fit(ngrams, values, 8)
    assert encoder.width == len(encoder.feature_names) == 8
    for each in (values, awkward()):
        np.testing.assert_allclose(graph_rows(encoder, each), encoder.transform(each), atol=1e-5)
    whole = ngrams.transform(values).toarray()
    exact = np.linalg.svd(whole, compute_uv=False)[:8]
    found = np.linalg.norm(encoder.transform(values), axis=0)
    np.testing.assert_allclose(np.sort(found)[::-1], exact, rtol=0.05)


def test_states_are_json_and_restore_everything() -> None:
    values = texts(60)
    ngrams = NgramEncoder.fit(values, values, "text", features=50)
    components = ComponentsEncoder.fit(ngrams, values, 4)
    tokens = TokensEncoder.fit(values, values, "text", 60, 16)
    for encoder in (ngrams, components, tokens):
        restored = type(encoder).from_state(json.loads(json.dumps(encoder.state())))
        for each in (values, awkward()):
            one, other = (made.transform(each) for made in (encoder, restored))
            difference = one - other
            assert not (difference.toarray() if hasattr(difference, "toarray") else difference).any()


def test_ngrams_that_only_other_rows_have_are_unknown() -> None:
    values = Category.from_strings(np.asarray(["alpha beta", "alpha gamma", "delta"], dtype=object))
    encoder = NgramEncoder.fit(values.take(np.array([0, 1])), values, "text")
    assert encoder.transform(values.take(np.array([2]))).nnz == 0
    assert encoder.transform(values.take(np.array([0]))).nnz > 0


def test_the_most_frequent_ngrams_are_kept() -> None:
    values = texts(300)
    encoder = NgramEncoder.fit(values, values, "text", features=10)
    full = NgramEncoder.fit(values, values, "text", features=10_000)
    assert encoder.width == 10
    assert encoder.idf.max() <= np.sort(full.idf)[9] + 1e-6


def test_a_column_of_empty_texts_has_no_ngrams_that_tell_anything() -> None:
    values = Category.from_strings(np.asarray([""] * 5, dtype=object))
    for kind in KINDS:
        encoder = NgramEncoder.fit(values, values, "text", **kind)
        rows = encoder.transform(values)
        assert rows.shape[0] == 5
        np.testing.assert_allclose(graph_rows(encoder, values), rows.toarray(), atol=1e-6)
        np.testing.assert_allclose(graph_rows(encoder, awkward()), encoder.transform(awkward()).toarray(), atol=1e-6)


def test_every_fold_reads_texts_of_one_length_whatever_its_vocabulary() -> None:
    values = texts(300)
    folds = [np.arange(4), np.arange(100), np.arange(200, 300), np.arange(300)]
    encoders = [TokensEncoder.fit(values.take(rows), values, "text", 400, 256) for rows in folds]
    assert len({encoder.tokenizer for encoder in encoders}) == len(folds)
    assert len({encoder.length for encoder in encoders}) == 1


def test_tokens_stay_below_the_vocabulary_and_have_the_length_of_most_texts() -> None:
    values = texts(200)
    encoder = TokensEncoder.fit(values.take(np.arange(50)), values, "text", 80, 16)
    for each in (values, awkward()):
        rows = encoder.transform(each)
        assert rows.shape == (len(each), encoder.length)
        assert rows.dtype == np.int32
        assert rows.min() >= 0
        assert rows.max() < encoder.vocabulary
    assert encoder.length in LENGTHS
    assert fitting_length(np.asarray([3, 5, 20]), 256) == 24
    assert fitting_length(np.asarray([9000]), 256) == 256
    assert fitting_length(np.zeros(0), 256) == LENGTHS[0]
