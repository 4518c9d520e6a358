"""Recognises data of texts alone, and describes its columns of texts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from automl.core.dataset import Dataset
from automl.core.parsers import parse_column
from automl.core.profile import ColumnProfile, Kind, Profile, Role

PARSE: dict[str, Any] = {"as": "text", "missing": []}
LOOKED_AT = 5_000
"""Texts that statistics are taken of."""
LONG_WORDS = 200
"""From so many words in the median on, texts count as long."""
TOKENS_FOR_FOLDS = 120_000
"""With more words than this a net is too slow to be trained once a fold."""
FEW_TEXTS = 5_000
STEPS, LEAST_EPOCHS, MOST_EPOCHS = 600, 6, 12
_WORD = re.compile(r"[^\W\d_]+")
_COMMON = {
    "English": "the and to of is in that it you for was with on this not",
    "German": "der die und das ist nicht ich zu den mit ein auf es für sie",
    "French": "le la et les des est un une que pas pour dans je vous il",
    "Spanish": "el la que de y los en un por con no una para es se",
    "Italian": "il di che la e un non per una sono è con del le si",
    "Portuguese": "o que de e a do da em um não uma para com os se",
    "Dutch": "de het een en van ik dat is niet te zijn op voor met die",
}


def sense(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[float, str]:
    """How sure we are that texts are all there is to learn from, from 0 to 1, and why."""
    features = [column for column in columns if column.role is Role.FEATURE]
    texts = [column for column in features if column.kind is Kind.TEXT]
    if not texts:
        return 0.0, "no column holds texts"
    named = ", ".join(f'"{column.name}"' for column in texts[:3]) + (" and more" if len(texts) > 3 else "")
    if len(texts) < len(features):
        return 0.3, f"texts in {named} beside {len(features) - len(texts)} columns of other kinds"
    return 0.8, f"{named} {'holds' if len(texts) == 1 else 'hold'} texts and there is nothing else to learn from"


def examine(dataset: Dataset, columns: Sequence[ColumnProfile]) -> tuple[ColumnProfile, ...]:
    """The profiles with parse step, statistics and evidence of the columns of texts."""
    return tuple(
        _examined(dataset, column) if column.kind is Kind.TEXT and column.role is Role.FEATURE else column for column in columns
    )


def _examined(dataset: Dataset, column: ColumnProfile) -> ColumnProfile:
    position = [str(name) for name in dataset.frame.columns].index(column.name)
    clean = parse_column(dataset.frame.iloc[:, position], PARSE)
    empty = int((clean == "").sum())
    chosen = np.linspace(0, len(clean) - 1, min(len(clean), LOOKED_AT)).astype(np.int64)
    found = text_statistics([str(text) for text in clean[chosen]])
    statistics = {**found, "empty": empty}
    language = f", {found['language_hint']} by its most frequent words" if found["language_hint"] else ""
    length = f"{found['words']['median']:,.0f} words in the median, at most {found['words']['max']:,}{language}"
    gone = f"; {empty:,} {'text is' if empty == 1 else 'texts are'} empty" if empty else ""
    return replace(
        column,
        parse=dict(PARSE),
        dtype="string",
        statistics=statistics,
        missing_fraction=empty / max(1, len(clean)),
        evidence=f"{length}{gone}; {column.evidence}",
    )


def text_statistics(texts: Sequence[str]) -> dict[str, Any]:
    """{"words": {"median", "max"}, "characters": {"median", "max"}, "language_hint": str or None} of some texts."""
    words = [len(text.split()) for text in texts] or [0]
    characters = [len(text) for text in texts] or [0]
    return {
        "words": {"median": float(np.median(words)), "max": max(words)},
        "characters": {"median": float(np.median(characters)), "mean": float(np.mean(characters)), "max": max(characters)},
        "language_hint": language_hint(texts[:500]),
    }


def language_hint(texts: Sequence[str]) -> str | None:
    """The language whose commonest words stand in the texts most often, or the script of their letters; None where unclear."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word.lower() for word in _WORD.findall(text[:2000]))
    total = sum(counts.values())
    if total < 20:
        return None
    shares = {name: sum(counts[word] for word in words.split()) / total for name, words in _COMMON.items()}
    best = max(shares, key=lambda name: shares[name])
    second = max(share for name, share in shares.items() if name != best)
    if shares[best] >= 0.08 and shares[best] > 1.3 * second:
        return best
    scripts: Counter[str] = Counter()
    for word, count in counts.most_common(200):
        scripts[unicodedata.name(word[0], "").split(" ")[0].title()] += count
    script = scripts.most_common(1)[0][0]
    return None if script in ("Latin", "") else f"{script} script"


def words_of(profile: Profile) -> float:
    """Words of a usual row, all its texts together."""
    return float(sum(column.statistics.get("words", {}).get("median", 10.0) for column in profile.features_of(Kind.TEXT)))


def characters_of(profile: Profile) -> float:
    """Characters of a row on average, all its texts together."""
    return float(sum(column.statistics.get("characters", {}).get("mean", 60.0) for column in profile.features_of(Kind.TEXT)))


def folds(profile: Profile) -> int | None:
    """One holdout where a net would read too many words to be trained once a fold; of few texts it would tell too little."""
    if profile.rows * words_of(profile) <= TOKENS_FOR_FOLDS:
        return None
    return 3 if profile.rows < FEW_TEXTS else 1


def schedule(profile: Profile) -> tuple[int, int]:
    """Batch size and epochs for a net: so many that some hundred steps are made also with few texts."""
    rows = 0.7 * profile.rows
    batch = 16 if rows < 1_500 else 32 if rows < 4_000 else 64
    return batch, int(np.clip(round(STEPS * batch / max(1.0, rows)), LEAST_EPOCHS, MOST_EPOCHS))
