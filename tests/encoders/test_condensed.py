"""Condensed texts, images and sounds: arrays and graph agree in every bit, as trees that stand on them need it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from automl.core.parsers import make_parser
from automl.core.table import Category
from automl.encoders.condensed import CondensedAudio, CondensedImage, CondensedText
from automl.encoders.graph import GraphBuilder
from tests.encoders.made_up import run_graph

WORDS = ["sunny", "flat", "near", "the", "park", "with", "two", "quiet", "rooms", "and", "a", "large", "garden", "by", "canal"]
TEXT_STEP: dict[str, Any] = {"as": "text", "missing": []}


def texts(rows: int, seed: int = 0) -> Any:
    generator = np.random.default_rng(seed)
    lines = [" ".join(generator.choice(WORDS, generator.integers(1, 12))) for _ in range(rows)]
    return Category.from_strings(np.asarray([*lines[:-1], ""], dtype=object))


def by_graph(encoder: Any, fed: Any, dtype: str) -> Any:
    builder = GraphBuilder()
    width = tuple("free" if dtype == "int64" else int(size) for size in fed.shape[1:])
    tensor = encoder.graph(builder, builder.input("cells", dtype, width))  # type: ignore[arg-type]
    return run_graph(builder, {"made": (tensor, "float32")}, {"cells": fed})["made"]


def test_texts_never_seen_are_equal_in_every_bit() -> None:
    known = texts(300)
    encoder = CondensedText.fit(known.take(np.arange(200)), known, "title", axes=8, marks=12)
    new = ["", "unheard of", "park " * 3000, "PARK, park & canal", *texts(60, seed=1).strings().tolist()]
    fed = make_parser(encoder.parse(TEXT_STEP)).column(np.asarray(new, dtype=object))
    made = encoder.transform(Category.from_strings(np.asarray(new, dtype=object)))
    assert made.shape == (len(new), encoder.width) and made.dtype == np.float32
    assert np.array_equal(by_graph(encoder, fed, "int64"), made)
    assert not made[:2].any()
    assert len(set(map(tuple, made[4:].tolist()))) > 40


def test_a_text_encoder_comes_back_from_json_and_folds_have_one_shape() -> None:
    known = texts(300)
    encoder = CondensedText.fit(known.take(np.arange(100, 200)), known, "title")
    again = CondensedText.from_state(json.loads(json.dumps(encoder.state())))
    assert np.array_equal(again.transform(known), encoder.transform(known))
    poor = CondensedText.fit(texts(2), known, "title")
    assert poor.width == encoder.width == len(encoder.feature_names)
    assert poor.transform(known).shape == (300, poor.width)


@pytest.mark.parametrize("known", ["", "word"])
def test_a_column_of_one_text_tells_nothing_and_breaks_nothing(known: str) -> None:
    column = Category.from_strings(np.asarray([known] * 30, dtype=object))
    encoder = CondensedText.fit(column, column, "title")
    new = np.asarray(["", "word", "other words"], dtype=object)
    fed = make_parser(encoder.parse(TEXT_STEP)).column(new)
    assert np.array_equal(by_graph(encoder, fed, "int64"), encoder.transform(Category.from_strings(new)))
    assert len(np.unique(encoder.transform(column), axis=0)) == 1


@pytest.mark.parametrize("shape", [(40, 64, 3), (9, 7, 3), (16, 16, 1), (2, 2, 1)])
def test_images_are_equal_in_every_bit(shape: tuple[int, int, int]) -> None:
    encoder = CondensedImage("photo", *shape)
    images = np.random.default_rng(0).integers(0, 256, (25, *shape)).astype(np.uint8)
    images[0] = 0
    made = encoder.transform(images)
    assert made.shape == (25, encoder.width) and len(encoder.feature_names) == encoder.width
    assert np.array_equal(by_graph(encoder, images, "uint8"), made)
    assert not made[0].any()
    assert CondensedImage.from_state(json.loads(json.dumps(encoder.state()))) == encoder


def test_an_upright_edge_counts_as_one() -> None:
    image = np.zeros((1, 16, 16, 1), np.uint8)
    image[:, :, 8:] = 200
    encoder = CondensedImage("photo", 16, 16, 1)
    made = dict(zip(encoder.feature_names, encoder.transform(image)[0].tolist(), strict=True))
    edges = {name for name, value in made.items() if "edges" in name and value}
    assert edges and all("upright" in name for name in edges)


@pytest.mark.parametrize("samples", [4000, 64, 9])
def test_sounds_are_equal_in_every_bit(samples: int) -> None:
    encoder = CondensedAudio("call", samples)
    sounds = np.random.default_rng(0).uniform(-1, 1, (20, samples)).astype(np.float32)
    made = encoder.transform(sounds)
    assert made.shape == (20, encoder.width) and len(encoder.feature_names) == encoder.width
    assert np.array_equal(by_graph(encoder, sounds, "float32"), made)
    assert CondensedAudio.from_state(json.loads(json.dumps(encoder.state()))) == encoder


def test_a_high_tone_is_in_the_upper_octaves_and_its_part() -> None:
    time = np.arange(4096) / 8000
    sound = np.where(time < time[2048], np.sin(2 * np.pi * 3500 * time), 0.0).astype(np.float32)
    encoder = CondensedAudio("call", 4096)
    made = dict(zip(encoder.feature_names, encoder.transform(sound[None])[0].tolist(), strict=True))
    assert made["call energy of octave 1 from the top, part 1"] > 10 * made["call energy of octave 4 from the top, part 1"]
    assert made["call energy of octave 1 from the top, part 4"] == 0
