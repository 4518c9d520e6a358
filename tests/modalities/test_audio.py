"""Sounds: what is found by listening, what a split keeps together, the encodings, and the parts of the explanations."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.parsers import make_parser
from automl.core.profile import ColumnProfile, Kind, Profile, Role
from automl.core.table import Table, tabulate
from automl.core.tasks import Task
from automl.encoders.graph import GraphBuilder
from automl.modalities.audio import MODALITY
from automl.modalities.audio.drawing import HEIGHT, WIDTH, picture
from automl.modalities.audio.encoding import ENCODINGS, AudioEncoder, make_encoder
from automl.modalities.audio.examine import Heard, examine, form_of
from automl.modalities.audio.explain import split_up
from automl.modalities.audio.together import joined, speaker, telling_places, together
from automl.profiling import profile
from tests.core.test_audio_cells import wav


def tone(hertz: float, seconds: float = 0.2, rate: int = 8000, loud: float = 0.5) -> Any:
    return loud * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def folder(place: Path, files: dict[str, bytes]) -> Dataset:
    """Files by relative path, the folder above them being the label."""
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    frame = pd.DataFrame({"audio": list(files), "label": [Path(name).parent.name for name in files]}, dtype=str)
    return Dataset(frame, "sounds", str(place), "", root=str(place))


def columns(dataset: Dataset) -> tuple[ColumnProfile, ...]:
    return (
        ColumnProfile("audio", Kind.AUDIO, "paths", {"as": "category"}, "string", unique=dataset.rows),
        ColumnProfile("label", Kind.CATEGORY, "", {"as": "category"}, "string", Role.TARGET),
    )


def test_a_folder_of_sounds_is_known_and_described(tmp_path: Path) -> None:
    files = {f"{label}/{label}{number}.wav": wav(tone(300 + 20 * number)) for label in ("a", "b") for number in range(8)}
    found = profile(folder(tmp_path, files))
    assert (found.modality, found.task, found.root) == ("audio", Task.BINARY, str(tmp_path))
    (sound,) = found.features
    assert sound.parse == {"as": "audio", "rate": 8000, "samples": 1600}
    assert sound.statistics["seconds"] == {"min": 0.2, "median": 0.2, "max": 0.2}


def test_what_is_unreadable_silent_or_of_another_rate_is_listed(tmp_path: Path) -> None:
    files = {f"a/{number}.wav": wav(tone(400 + number)) for number in range(8)}
    files |= {f"b/{number}.wav": wav(tone(400 + number, rate=22_050), 22_050) for number in range(8)}
    files |= {"a/cut.wav": files["a/0.wav"][:200], "b/empty.wav": b"", "b/silent.wav": wav(np.zeros(1600))}
    dataset = folder(tmp_path, files)
    sound, _ = examine(dataset, columns(dataset))
    facts = sound.statistics
    assert facts["rates"] == {"8000": 9, "22050": 8}
    assert [name for name, _ in facts["unreadable"]] == ["a/cut.wav", "b/empty.wav"]
    assert facts["silent"] == ["b/silent.wav"]
    assert facts["rate"] == 8000
    assert "sampling rates differ" in sound.evidence
    assert "cannot be decoded: 2" in sound.evidence


def test_more_than_half_unreadable_is_refused(tmp_path: Path) -> None:
    dataset = folder(tmp_path, {"a/1.wav": wav(tone(400)), "a/2.wav": b"", "b/3.wav": b"RIFF", "b/4.wav": b""})
    with pytest.raises(InputError, match=r"3 of the 4 sounds .* cannot be decoded; of a/2.wav: the file is empty"):
        examine(dataset, columns(dataset))


def test_the_form_is_the_lowest_common_rate_and_a_high_percentile_of_the_lengths() -> None:
    lengths = [1.0] * 97 + [9.0] * 3
    heard = Heard(seconds=lengths)
    heard.rates.update({44_100: 60, 16_000: 37, 8_000: 3})
    assert form_of(heard) == (16_000, 16_000)
    heard.rates.update({8_000: 20})
    assert form_of(heard) == (8_000, 8_000)
    many = Heard(seconds=[30.0] * 20_000)
    many.rates.update({44_100: 20_000})
    rate, samples = form_of(many)
    assert rate == 8_000
    assert 20_000 * samples <= 1.01e8


PATTERNS = {
    "0_george_0.wav": (
        [f"{digit}_{who}_{take}.wav" for digit in "01" for who in ("ann", "bob", "eve") for take in range(4)],
        [1],
    ),
    "clip number": ([f"clip{number:03d}.wav" for number in range(24)], []),
    "label and take": ([f"{digit}_{take}.wav" for digit in "01" for take in range(12)], []),
    "hash, no label": ([f"{who}_nohash_{take}.wav" for take in range(6) for who in ("0a7c", "ff01", "b2b2", "c3c3")], [0]),
    "fold-clip-take-label": ([f"{1 + number % 3}-{number // 3}-A-{number // 12}.wav" for number in range(24)], []),
    "a name apart": (["intro.wav", *(f"0_ann_{take}.wav" for take in range(23))], []),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_speakers_are_told_by_clear_names_only(name: str) -> None:
    names, places = PATTERNS[name]
    labels = [number // 12 for number in range(24)]
    assert telling_places(names, labels) == places
    if places:
        assert speaker(names[0], places) == names[0].split("_")[places[0]]


def test_clips_of_one_speaker_stay_together_unless_the_test_part_has_the_speaker(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    who = [f"s{number}" for number in range(6)]
    files = {
        f"{label}/{label}_{name}_{take}.wav": wav(generator.uniform(-0.5, 0.5, 400))
        for label in ("no", "yes")
        for name in who
        for take in range(3)
    }
    dataset = folder(tmp_path, files)
    found = profile(dataset)
    groups = together(tabulate(dataset.frame, found.features, found.root), found)
    assert groups is not None
    names = [speaker(name, [1]) for name in files]
    assert len(np.unique(groups)) == len(who) == len({*zip(groups.tolist(), names, strict=True)})
    assert "which no split divides" in found.features[0].evidence
    known = Dataset(dataset.frame, "", "", "", test=dataset.frame.iloc[:2], root=str(tmp_path))
    shared = profile(known)
    assert "in the test part too" in shared.features[0].evidence
    assert together(tabulate(dataset.frame, shared.features, shared.root), shared) is None


def test_copies_stay_together_at_whatever_loudness() -> None:
    sounds = np.random.default_rng(0).uniform(-0.4, 0.4, (6, 100)).astype(np.float32)
    sounds[3] = 2 * sounds[0]
    sounds[4:] = 0.0
    groups = together(Table({"sound": sounds}, 6), audio_profile(100))
    assert groups is not None
    assert groups[3] == groups[0]
    assert len(np.unique(groups)) == 5


def test_groups_are_joined_where_they_share_a_row() -> None:
    found = joined(np.asarray([0, 0, 1, 2, 3]), np.asarray([0, 1, 1, 2, 3]))
    assert found.tolist() == [0, 0, 0, 1, 2]


def audio_profile(samples: int, name: str = "sound") -> Profile:
    parse = {"as": "audio", "rate": 8000, "samples": samples}
    column = ColumnProfile(name, Kind.AUDIO, "", parse, "float32")
    return Profile("audio", "", Task.BINARY, "", "y", "", {}, 30, (column,), classes=("a", "b"))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", ["sound", "value"])
def test_an_encoding_equals_its_graph_fed_as_the_contract_says(encoding: str, name: str) -> None:
    sounds = np.random.default_rng(0).uniform(-0.5, 0.5, (30, 1700)).astype(np.float32)
    table = Table({name: sounds}, 30)
    encoder = make_encoder(audio_profile(1700, name), encoding).fit(table, np.arange(20), np.arange(30))
    encoder = AudioEncoder.from_state(json.loads(json.dumps(encoder.state())))
    ((feed,),) = encoder.feeds.values()
    given = make_parser(feed["parse"]).column([*sounds, None])
    builder = GraphBuilder()
    (block,) = encoder.transform(table)
    tensor = encoder.graph(builder)[block]
    expected = encoder.transform(Table({name: given}, 31))[block]
    assert builder.input(feed["input"], feed["dtype"], tuple(feed["shape"])) == feed["input"]
    builder.output(tensor, "found", "float32", ("batch", *expected.shape[1:]))
    import onnxruntime

    session = onnxruntime.InferenceSession(builder.build().SerializeToString())
    (found,) = session.run(None, {feed["input"]: given})
    np.testing.assert_allclose(found, expected, atol=1e-3)
    width, dtype, _ = encoder.shapes[block]
    assert expected.shape[1:] == tuple(np.atleast_1d(width))
    assert str(expected.dtype) == dtype


def test_sounds_beside_other_columns_are_left_to_mixtures(tmp_path: Path) -> None:
    dataset = folder(tmp_path, {"a/1.wav": b"", "b/2.wav": b""})
    number = ColumnProfile("age", Kind.NUMBER, "", {}, "float32")
    assert MODALITY.sense(dataset, columns(dataset))[0] == 0.9
    assert MODALITY.sense(dataset, (*columns(dataset), number))[0] < 0.6
    assert MODALITY.sense(dataset, (number,))[0] == 0.0


def test_the_parts_that_are_silenced_add_up_to_the_sound() -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, 1501)
    parts = split_up(sound, 8000)
    np.testing.assert_allclose(parts.sum(axis=(0, 1)), sound, atol=1e-9)


@pytest.mark.parametrize("coloured", [False, True])
def test_a_picture_is_a_small_png(coloured: bool) -> None:
    spectrogram = np.random.default_rng(0).normal(size=(50, 40))
    weight = np.linspace(-1, 1, 2000).reshape(50, 40) if coloured else None
    content = base64.b64decode(picture(spectrogram, weight).removeprefix("data:image/png;base64,"))
    assert content.startswith(b"\x89PNG")
    width, height, bits, kind = struct.unpack_from(">IIBB", content, 16)
    assert (width, height, bits, kind) == (WIDTH, HEIGHT, 8, 2 if coloured else 0)
    place = content.index(b"IDAT")
    (size,) = struct.unpack_from(">I", content, place - 4)
    assert len(zlib.decompress(content[place + 4 : place + 4 + size])) == HEIGHT * (1 + WIDTH * (3 if coloured else 1))
