"""One column of texts as subword tokens: a vocabulary trained on the training rows, rows cut and filled to one length."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from automl.core.errors import TrainingError
from automl.core.table import Category
from automl.core.tokens import MOST_CHARACTERS, TOKEN_CHARACTERS, load_tokenizer, token_rows

Array = np.ndarray[Any, Any]

PADDING, UNKNOWN = 0, 1
LENGTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""A length is one of these, so that similar columns share a compiled program."""
COVERED = 0.95
"""Share of the texts that are not cut."""
TRAINED_CHARACTERS = 1_500_000
LEAST_CHARACTERS = 500
"""A vocabulary is learned from about so many characters, the beginning of every text, of each at least so many."""
MEASURED_TEXTS = 2_000
FILE = "tokenizer.json"
CHUNK_TOKENS = 131_072
"""Tokens that one run of the graph takes."""


@dataclass(frozen=True)
class TokensEncoder:
    """Texts as token ids (rows, length) int32: 0 after the end, 1 unknown.

    vocabulary: ids are below it, whatever the tokenizer learned, so that folds have one shape. tokenizer: its JSON.
    """

    column: str
    vocabulary: int
    length: int
    tokenizer: str

    @classmethod
    def fit(cls, values: Category, whole: Category, column: str, vocabulary: int = 8000, most_length: int = 256) -> TokensEncoder:
        """values: the texts of the rows to learn from; whole: all training rows, of which the length is taken."""
        texts = [text for text in values.strings().tolist() if text]
        return cls(column, vocabulary, common_length(whole, vocabulary, most_length), train_tokenizer(texts, vocabulary))

    def transform(self, values: Category) -> Array:
        """(rows, length) int32."""
        ids = token_rows(_loaded(self.tokenizer), [*values.levels, ""], self.length)
        return ids.astype(np.int32)[values.codes]

    def graph(self, builder: Any, tensor: str) -> str:
        """(batch, length) int32 of the tokens (batch, length) int64 that the parse step makes."""
        return str(builder.node("Cast", [tensor], to=6))

    def parse(self, cells: dict[str, Any], file: str = FILE) -> dict[str, Any]:
        """The parse step that makes what the graph takes; cells: the column's own step, {"as": "text", ...}."""
        return {**cells, "as": "tokens", "tokenizer": file, "length": self.length}

    @property
    def chunk_rows(self) -> int:
        return int(np.clip(CHUNK_TOKENS // self.length, 16, 4096))

    def state(self) -> dict[str, Any]:
        return {"column": self.column, "vocabulary": self.vocabulary, "length": self.length, "tokenizer": self.tokenizer}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TokensEncoder:
        return cls(**state)


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> str:
    """The tokenizer.json of byte-pair merges (Sennrich et al., 2016) within words, learned from these texts.

    Letter case does not count; signs stand by themselves. The same texts in the same order give the same vocabulary; the
    marks of WordPiece for the inside of words would be numbered in an order that changes from run to run.
    """
    tokenizers = _library()
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="[UNK]", fuse_unk=True))
    tokenizer.normalizer = tokenizers.normalizers.Sequence([tokenizers.normalizers.NFKC(), tokenizers.normalizers.Lowercase()])
    words, word_start = tokenizers.pre_tokenizers.BertPreTokenizer(), tokenizers.pre_tokenizers.Metaspace()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([words, word_start])
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary, min_frequency=2, special_tokens=["[PAD]", "[UNK]"], show_progress=False, limit_alphabet=1000
    )
    tokenizer.train_from_iterator(_beginnings(texts), trainer)
    return str(tokenizer.to_str())


def _beginnings(texts: Sequence[str]) -> Iterator[str]:
    each = max(LEAST_CHARACTERS, TRAINED_CHARACTERS // max(1, len(texts)))
    return (text[:each] for text in texts)


def common_length(whole: Category, vocabulary: int, most: int) -> int:
    """The length that most of these texts fit into, at most `most`.

    It is measured by a vocabulary of its own, as the vocabularies of folds cut words differently and all folds need one length.
    """
    return _common_length(whole.levels, whole.codes.tobytes(), str(whole.codes.dtype), vocabulary, most)


@lru_cache(maxsize=8)
def _common_length(levels: tuple[str, ...], codes: bytes, dtype: str, vocabulary: int, most: int) -> int:
    whole = Category(np.frombuffer(codes, dtype), levels)
    chosen = np.linspace(0, len(whole) - 1, min(len(whole), MEASURED_TEXTS)).astype(np.int64)
    texts = [text[: min(MOST_CHARACTERS, TOKEN_CHARACTERS * most)] for text in whole.take(chosen).strings().tolist()]
    tokenizer = load_tokenizer(train_tokenizer([text for text in whole.strings().tolist() if text], vocabulary))
    found = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return fitting_length(np.asarray([len(each.ids) for each in found]), most)


def fitting_length(lengths: Array, most: int) -> int:
    """The shortest of LENGTHS that covers most texts, at most `most`."""
    wanted = float(np.quantile(lengths, COVERED)) if len(lengths) else 1.0
    allowed = [length for length in LENGTHS if length <= most]
    return next((length for length in allowed if length >= wanted), allowed[-1])


@lru_cache(maxsize=8)
def _loaded(content: str) -> Any:
    _library()
    return load_tokenizer(content)


def _library() -> Any:
    """The tokenizers library, in one thread: a run says by --jobs how many cores it may use."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import tokenizers
    except ImportError:
        raise TrainingError("a net for texts needs the tokenizers library", "install it: pip install automl[text]") from None

    return tokenizers
