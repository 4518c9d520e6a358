"""Listens to every clip once: what can be decoded, sampling rates and lengths, and the one form that all are brought to."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automl.core.dataset import Dataset
from automl.core.errors import InputError
from automl.core.media import Unreadable, audio_facts, cell_bytes, decode_audio
from automl.core.profile import ColumnProfile, Kind, Role
from automl.modalities.audio.together import recordings

HIGHEST_RATE = 16_000
LOWEST_RATE = 8_000
"""Where memory is short, rates come down to this before clips are cut."""
COMMON_SHARE = 0.05
"""A rate counts where at least such a share of the clips has it."""
LENGTH_PERCENTILE = 95
MOST_SECONDS = 10.0
MOST_SAMPLES = 100_000_000
"""Samples of all clips together, 4 bytes each."""
SILENT_PEAK = 1e-4
MOST_NAMED = 20


@dataclass
class Heard:
    """What listening to the clips found. unreadable: (cell, why); silent: cells."""

    rates: Counter[int] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    plain: bool = True

    @property
    def files(self) -> int:
        return len(self.seconds) + len(self.unreadable)


def examine(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[ColumnProfile, ...]:
    """The profiles with parse step, rates, lengths and unreadable files of the columns of sounds.

    Raises InputError where more than half of the files cannot be decoded.
    """
    target = next(column.name for column in columns if column.role is Role.TARGET)
    return tuple(
        _examined(dataset, column, target) if column.kind is Kind.AUDIO and column.role is Role.FEATURE else column
        for column in columns
    )


def _examined(dataset: Dataset, column: ColumnProfile, target: str) -> ColumnProfile:
    name = column.name
    heard = listen(dataset.frame[name].tolist(), dataset.root)
    if len(heard.unreadable) > 0.5 * heard.files:
        cell, why = heard.unreadable[0]
        raise InputError(
            f'{len(heard.unreadable):,} of the {heard.files:,} sounds of "{name}" cannot be decoded; of {cell}: {why}',
            "check the paths and the format of the files; WAV needs nothing else, FLAC and OGG need `pip install automl[audio]`",
        )
    rate, samples = form_of(heard)
    found = recordings(dataset, name, target)
    seconds = np.asarray(heard.seconds)
    statistics: dict[str, Any] = {
        "files": heard.files,
        "unreadable": [list(each) for each in heard.unreadable[:MOST_NAMED]],
        "unreadable_count": len(heard.unreadable),
        "silent": heard.silent[:MOST_NAMED],
        "silent_count": len(heard.silent),
        "rates": {str(each): count for each, count in sorted(heard.rates.items())},
        "channels": {str(each): count for each, count in sorted(heard.channels.items())},
        "seconds": {"min": float(seconds.min()), "median": float(np.median(seconds)), "max": float(seconds.max())},
        "rate": rate,
        "length_seconds": samples / rate,
        "cut": int((seconds * rate > samples + 1).sum()),
        "only_wav": heard.plain,
        **({"recordings": found} if found else {}),
    }
    evidence = ". ".join([column.evidence, *_told(heard, statistics)])
    return dataclasses.replace(
        column,
        parse={"as": "audio", "rate": rate, "samples": samples},
        dtype="float32",
        evidence=evidence,
        statistics=statistics,
        missing_fraction=len(heard.unreadable) / max(1, heard.files),
    )


def listen(cells: Sequence[Any], root: str) -> Heard:
    """Decode every clip, as the parse step will."""
    heard = Heard()
    for cell in cells:
        called = str(cell) if isinstance(cell, str) else "an empty cell"
        try:
            content = cell_bytes(cell, root)
            facts = audio_facts(content)
            sound, _ = decode_audio(content, MOST_SECONDS)
        except Unreadable as error:
            heard.unreadable.append((called, str(error)))
            continue
        heard.rates[facts["rate"]] += 1
        heard.channels[facts["channels"]] += 1
        heard.seconds.append(facts["seconds"])
        heard.plain = heard.plain and content[:4] in (b"RIFF", b"RIFX")
        if np.ptp(np.nan_to_num(sound)) < SILENT_PEAK:
            heard.silent.append(called)
    return heard


def form_of(heard: Heard) -> tuple[int, int]:
    """The rate and the number of samples that every clip is brought to.

    The rate is the lowest that is common among the clips, at most 16 kHz, so that no clip can be told by its bandwidth.
    """
    common = [rate for rate, count in heard.rates.items() if count >= COMMON_SHARE * len(heard.seconds)]
    rate = min(HIGHEST_RATE, min(common))
    seconds = np.asarray(heard.seconds)
    length = float(np.percentile(seconds, LENGTH_PERCENTILE))
    if seconds.max() <= 1.25 * length:
        length = float(seconds.max())
    length = min(length, MOST_SECONDS)
    if len(seconds) * length * rate > MOST_SAMPLES:
        rate = max(min(rate, LOWEST_RATE), math.floor(MOST_SAMPLES / (len(seconds) * length)))
        length = min(length, MOST_SAMPLES / len(seconds) / rate)
    return rate, max(16, math.ceil(length * rate))


def _told(heard: Heard, statistics: dict[str, Any]) -> list[str]:
    """What was found and decided, in sentences without a full stop."""
    rate, seconds = statistics["rate"], statistics["seconds"]
    shortest, longest = (f"{seconds[end]:.2g} s" for end in ("min", "max"))
    usual = f"They last {shortest[:-2]} to {longest}, half of them at most {seconds['median']:.2g} s"
    said = [usual if shortest != longest else f"They last {longest}"]
    length = f"{statistics['length_seconds']:.2g} s"
    if statistics["cut"]:
        said.append(f"Shorter ones are padded to {length}, and {statistics['cut']:,} longer cut there")
    elif shortest != longest:
        said.append(f"Shorter ones are padded to {length}")
    if len(heard.rates) > 1:
        listed = ", ".join(f"{count:,} at {each:,} Hz" for each, count in sorted(heard.rates.items()))
        said.append(f"The sampling rates differ ({listed}): all are brought to {rate:,} Hz, which tells them no longer apart")
    elif rate not in heard.rates:
        said.append(f"Their sampling rate of {next(iter(heard.rates)):,} Hz is brought to {rate:,} Hz")
    if set(heard.channels) != {1}:
        said.append("Several channels are mixed to one")
    if heard.unreadable:
        said.append(f"Left out, as they cannot be decoded: {len(heard.unreadable):,}")
    if heard.silent:
        said.append(f"Silent from end to end: {len(heard.silent):,}")
    if "recordings" in statistics:
        said.append(statistics["recordings"]["sentence"])
    return said
