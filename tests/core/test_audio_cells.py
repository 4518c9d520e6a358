"""Cells that are sounds: every plain WAV form, other formats, other rates, and files that are no sounds."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from automl.core.media import Audio, Unreadable, audio_facts, decode_audio, resampled
from automl.core.parsers import parse_column
from automl.core.standalone import bundle

RATE = 8000
STEREO = np.random.default_rng(0).uniform(-0.9, 0.9, (2000, 2))
MONO = STEREO.mean(axis=1)


def wav(sound: Any, rate: int = RATE, bits: int = 16, tag: int = 1, extensible: bool = False, order: str = "<") -> bytes:
    """A WAV file: sound (frames, channels) in [-1, 1]; tag 1 whole numbers, 3 floats."""
    sound = np.asarray(sound, np.float64).reshape(len(sound), -1)
    if tag == 3:
        data = sound.astype(np.dtype(f"f{bits // 8}").newbyteorder(order)).tobytes()
    elif bits == 8:
        data = np.round(sound * 127 + 128).astype(np.uint8).tobytes()
    elif bits == 24:
        whole = np.round(sound * (2**23 - 1)).astype(np.int32).reshape(-1)
        data = b"".join(int(value).to_bytes(3, "little" if order == "<" else "big", signed=True) for value in whole)
    else:
        data = np.round(sound * (2 ** (bits - 1) - 1)).astype(np.dtype(f"i{bits // 8}").newbyteorder(order)).tobytes()
    channels = sound.shape[1]
    form = struct.pack(
        f"{order}HHIIHH", 0xFFFE if extensible else tag, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits
    )
    form += struct.pack(f"{order}HHIH14x", 22, bits, 3, tag) if extensible else b""
    parts = [(b"LIST", b"abc"), (b"fmt ", form), (b"data", data)]
    body = b"".join(name + struct.pack(f"{order}I", len(each)) + each + b"\0" * (len(each) % 2) for name, each in parts)
    return (b"RIFF" if order == "<" else b"RIFX") + struct.pack(f"{order}I", len(body) + 4) + b"WAVE" + body


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"bits": 8}, 2e-2),
        ({"bits": 16}, 1e-4),
        ({"bits": 24}, 1e-6),
        ({"bits": 32}, 1e-8),
        ({"bits": 32, "tag": 3}, 1e-7),
        ({"bits": 64, "tag": 3}, 1e-15),
        ({"bits": 24, "extensible": True}, 1e-6),
        ({"bits": 32, "tag": 3, "extensible": True}, 1e-7),
        ({"bits": 16, "order": ">"}, 1e-4),
        ({"bits": 24, "order": ">"}, 1e-6),
    ],
    ids=str,
)
def test_every_plain_wav_form_is_mixed_to_one_channel(form: dict[str, Any], error: float) -> None:
    content = wav(STEREO, **form)
    sound, rate = decode_audio(content)
    assert rate == RATE
    np.testing.assert_allclose(sound, MONO, atol=error)
    assert audio_facts(content) == {"rate": RATE, "channels": 2, "seconds": 0.25}
    np.testing.assert_allclose(decode_audio(content, 0.1)[0], sound[:801])


@pytest.mark.parametrize(("kind", "error"), [("FLAC", 1e-4), ("OGG", 1.0), ("AIFF", 1e-4)])
def test_other_formats_are_decoded_by_soundfile(kind: str, error: float) -> None:
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    soundfile.write(file, 0.5 * STEREO, RATE, format=kind)
    sound, rate = decode_audio(file.getvalue())
    assert (rate, len(sound)) == (RATE, 2000)
    np.testing.assert_allclose(sound, 0.5 * MONO, atol=error)


def test_a_sound_is_cut_or_padded_to_the_length() -> None:
    long, short = (Audio({"as": "audio", "rate": RATE, "samples": count}).column([wav(MONO)])[0] for count in (500, 3000))
    assert (long.dtype, long.shape, short.shape) == (np.float32, (500,), (3000,))
    np.testing.assert_allclose(long, MONO[:500], atol=1e-4)
    assert not short[2000:].any()


@pytest.mark.parametrize("given", [44_100, 48_000, 22_050, 11_025, 44_056, 8_000])
@pytest.mark.parametrize("wanted", [8_000, 16_000])
def test_resampling_keeps_what_is_below_half_of_the_lower_rate_and_nothing_else(given: int, wanted: int) -> None:
    time = np.arange(given // 4) / given
    found = resampled(np.sin(2 * np.pi * 1000 * time), given, wanted)
    assert len(found) == pytest.approx(wanted / 4, abs=1)
    expected = np.sin(2 * np.pi * 1000 * np.arange(len(found)) / wanted)
    np.testing.assert_allclose(found[200:-200], expected[200:-200], atol=1e-4)
    if given > wanted:
        too_high = resampled(np.sin(2 * np.pi * 0.6 * wanted * time), given, wanted)
        assert np.abs(too_high[200:-200]).max() < 1e-3


def test_a_file_at_another_rate_becomes_the_same_sound() -> None:
    time = np.arange(16_000) / 16_000
    parser = Audio({"as": "audio", "rate": RATE, "samples": RATE})
    high, low = (wav(0.5 * np.sin(2 * np.pi * 440 * time[::step]), 16_000 // step) for step in (1, 2))
    found = parser.column([high, low])
    np.testing.assert_allclose(found[0, 100:-100], found[1, 100:-100], atol=1e-3)


def test_paths_bytes_and_arrays_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(STEREO))
    whole = np.round(STEREO * 32767).astype(np.int16)
    cells = ["a.wav", str(tmp_path / "a.wav"), wav(STEREO), whole, whole.T, (RATE, whole), (whole, RATE), whole / 32768.0]
    parser = Audio({"as": "audio", "rate": RATE, "samples": 2000})
    found = parser.column(cells, str(tmp_path))
    assert not parser.problems
    for row in found[1:]:
        np.testing.assert_allclose(row, found[0], atol=1e-6)


def test_what_is_no_sound_becomes_silence_with_a_reason(tmp_path: Path) -> None:
    good = wav(MONO)
    (tmp_path / "data").mkdir()
    (tmp_path / "outside.wav").write_bytes(good)
    (tmp_path / "data" / "empty.wav").write_bytes(b"")
    (tmp_path / "data" / "text.wav").write_text("not a sound")
    cells = ["../outside.wav", "empty.wav", "text.wav", "none.wav", "", None, 3.5, good[:60], good[:1000], b"RIFF", {"a": 1}]
    parser = Audio({"as": "audio", "rate": RATE, "samples": 100})
    found = parser.column([*cells, good], str(tmp_path / "data"))
    assert sorted(parser.problems) == list(range(len(cells)))
    assert not found[:-1].any()
    assert found[-1].any()
    assert "outside" in parser.problems[0]
    assert parser.problems[1] == "the file is empty"
    assert "no such file" in parser.problems[3]
    assert "cut off" in parser.problems[8]
    assert parser.column([good]).any()
    assert not parser.problems


def test_a_program_that_did_not_know_the_length_is_believed() -> None:
    content = bytearray(wav(MONO))
    place = content.index(b"data") + 4
    content[place : place + 4] = b"\xff\xff\xff\xff"
    np.testing.assert_allclose(decode_audio(bytes(content))[0], MONO, atol=1e-4)


def test_values_beyond_full_scale_and_no_numbers_are_tamed() -> None:
    loud = np.asarray([0.0, 3.0, -6.0, np.nan, np.inf, 1.5])
    found = parse_column([wav(loud, bits=32, tag=3)], {"as": "audio", "rate": RATE, "samples": 6})
    np.testing.assert_allclose(found[0], [0.0, 0.5, -1.0, 0.0, 0.0, 0.25])


def test_every_cut_of_a_file_is_read_or_refused() -> None:
    content = wav(STEREO[:40], bits=24)
    for length in range(len(content)):
        try:
            decode_audio(content[:length])
        except Unreadable:
            continue
        assert length > 0.98 * len(content)


def test_predict_py_decodes_the_same() -> None:
    alone: dict[str, Any] = {"__name__": "predict"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(bundle(["media"]), "predict.py", "exec"), alone)
    module = SimpleNamespace(**alone)
    parse = {"as": "audio", "rate": 6000, "samples": 1000}
    np.testing.assert_array_equal(module.parse_column([wav(STEREO)], parse), parse_column([wav(STEREO)], parse))
