"""What moves the score of a text: words left out one after the other, the worst mistakes, and a training batch as it is read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Case
from automl.core.finding import Figure, Finding, Section, Series, Severity
from automl.core.metrics import log_losses
from automl.core.parsers import parse_column
from automl.core.profile import ColumnProfile, Kind
from automl.core.table import Category
from automl.modalities.text.together import LEAST_SHINGLES, SHINGLE_WORDS, near_duplicates

Array = np.ndarray[Any, Any]

SHOWN_TEXTS, SHEET_TEXTS, PAIRS = 6, 8, 6
MOST_PIECES = 48
"""Parts that a text is taken apart into; a longer one in parts of several words."""
MOST_WORDS = 400
"""Words of a text that are looked at."""
COUNTED_TEXTS, COUNTED_WORDS = 80, 25
TOLD_WORDS, LEAST_TEXTS = 12, 2
SHARE_OF_TIME = 0.3
MOST_SHOWN = 240
"""Characters of a text in a table."""
_PIECE = re.compile(r"\S+\s*")
_EDGES = re.compile(r"^[^\w]+|[^\w]+$")
HOW = (
    "Each text is predicted again with one word after the other left out (of long texts, several words at a time). Blue "
    "words speak for what was predicted, orange words against it; the darker, the more the prediction changes without them."
)


def explain(case: Case) -> list[Finding]:
    """Findings AML515 to AML519."""
    column = _main_column(case)
    findings = [_near_duplicates(case)]
    if not case.trained or not len(case.truth) or column is None:
        return findings
    if not case.plan.samples:
        return [*findings, _withheld()]
    probe = _Probe(case, column)
    findings.append(_sheet(case, column))
    for make in (_moved, _mistakes, _counted):
        if not case.deadline.expired:
            found = make(case, probe)
            findings += [found] if found is not None else []
    return findings


class _Probe:
    """The evaluated model on texts of one column, other columns as they are. Stops asking when its time is up."""

    def __init__(self, case: Case, column: ColumnProfile) -> None:
        self.case, self.column = case, column
        features = [each.name for each in case.profile.features]
        self.rows = case.judged[features]
        self.texts = parse_column(self.rows[column.name], column.parse)
        self.limit = case.deadline.until(share=SHARE_OF_TIME)

    @property
    def out_of_time(self) -> bool:
        return self.limit.expired

    def effects(self, position: int, pieces: Sequence[str], left_out: Sequence[int]) -> Array:
        """What the prediction loses without each of some pieces of a judged text: (pieces, outputs).

        Classification: log-odds of every class; regression: the value.
        """
        texts = ["".join(pieces), *("".join(pieces[:at]) + "".join(pieces[at + 1 :]) for at in left_out)]
        frame = pd.DataFrame({name: [self.rows[name].iloc[position]] * len(texts) for name in self.rows.columns})
        frame[self.column.name] = np.asarray(texts, dtype=object)
        assert self.case.predict is not None
        found = np.asarray(self.case.predict(frame), np.float64).reshape(len(texts), -1)
        if self.case.profile.task.is_classification:
            clipped = np.clip(found, 1e-6, 1 - 1e-6)
            found = np.log(clipped / (1 - clipped))
        return np.asarray(found[0] - found[1:])


def _main_column(case: Case) -> ColumnProfile | None:
    """The column with the longest texts."""
    columns = case.profile.features_of(Kind.TEXT)
    return max(columns, key=lambda column: column.statistics.get("words", {}).get("median", 0.0)) if columns else None


def pieces_of(text: str, most: int = MOST_PIECES) -> list[str]:
    """The words of a text with the blanks after them, in at most `most` pieces; nothing is lost but what is too long."""
    words = _PIECE.findall(text)[:MOST_WORDS]
    each = -(-len(words) // most) if words else 1
    return ["".join(words[start : start + each]) for start in range(0, len(words), each)]


def _marked(case: Case, probe: _Probe, rows: Sequence[int]) -> tuple[Series, ...]:
    """One series a text, the weights of its pieces on one scale for all of them."""
    found: list[tuple[str, list[str], Array]] = []
    for row in rows:
        pieces = pieces_of(str(probe.texts[row]))
        if probe.out_of_time or not pieces:
            continue
        effects = probe.effects(row, pieces, range(len(pieces)))
        output = int(case.called[row]) if case.profile.task.is_classification else 0
        found.append((_caption(case, row), pieces, effects[:, output]))
    if not found:
        return ()
    scale = max(float(np.quantile(np.abs(np.concatenate([each for _, _, each in found])), 0.98)), 1e-9)
    return tuple(
        Series(name, tuple(pieces), tuple(float(weight) for weight in np.clip(each / scale, -1, 1)))
        for name, pieces, each in found
    )


def _caption(case: Case, row: int) -> str:
    at = f"row {case.row_number(row):,}" if len(case.row_ids) == len(case.truth) else f"text {row + 1:,}"
    if not case.profile.task.is_classification:
        return f"{at}: predicted {case.prediction[row]:.4g}, true {case.truth[row]:.4g}"
    called, truth = int(case.called[row]), int(case.truth[row])
    classes = case.profile.classes
    return f"{at}: {classes[called]} with {100 * case.prediction[row, called]:.0f} %, true is {classes[truth]}"


def _by_error(case: Case) -> Array:
    """Judged rows from the best to the worst predicted."""
    if case.profile.task.is_classification:
        return np.asarray(np.argsort(log_losses(case.truth.astype(np.int64), case.prediction), kind="stable"))
    return np.asarray(np.argsort(np.abs(case.prediction - case.truth), kind="stable"))


def _moved(case: Case, probe: _Probe) -> Finding | None:
    """Texts that were predicted well, of different classes or values, with the words that did it."""
    good = _by_error(case)
    good = good[: max(SHOWN_TEXTS, len(good) // 2)]
    if case.profile.task.is_classification:
        codes = [int(code) for code in np.unique(case.truth[good])]
        each = max(1, SHOWN_TEXTS // len(codes))
        rows = [int(row) for code in codes for row in _spread(good[case.truth[good] == code], each)][: 2 * SHOWN_TEXTS]
    else:
        rows = [int(row) for row in _spread(good[np.argsort(case.truth[good])], SHOWN_TEXTS)]
    series = _marked(case, probe, rows)
    if not series:
        return None
    figure = Figure("moving_words", "marked_text", "Words that moved the score", HOW, series)
    return Finding(
        "AML515",
        "Words that moved the score",
        Severity.PASSED,
        Section.WHY,
        f'In {len(series)} judged texts of "{probe.column.name}" the words are marked that the prediction rests on.',
        "evaluated",
        figures=(figure,),
        action="Read whether these are the words that a person would decide by; names, places or markup should not matter.",
    )


def _spread(rows: Array, count: int) -> list[int]:
    """Some of the rows, evenly spread over their order."""
    return [int(row) for row in rows[np.unique(np.linspace(0, len(rows) - 1, count).astype(np.int64))]] if len(rows) else []


def _mistakes(case: Case, probe: _Probe) -> Finding | None:
    """The texts that the model is most wrong about."""
    order = _by_error(case)[::-1]
    if case.profile.task.is_classification:
        order = order[case.called[order] != case.truth[order]]
    series = _marked(case, probe, [int(row) for row in order[:SHOWN_TEXTS]])
    if not series:
        return None
    figure = Figure("mistaken_texts", "marked_text", "The worst mistakes", HOW, series)
    return Finding(
        "AML517",
        "Worst mistakes, word by word",
        Severity.PASSED,
        Section.FAILURES,
        f"The {len(series)} texts that the model is most wrong about, with the words that misled it in blue.",
        "evaluated",
        figures=(figure,),
        action="Wrong labels stand out here first: where the prediction reads right, mend the label.",
    )


def _counted(case: Case, probe: _Probe) -> Finding | None:
    """Single words over many texts: the mean change of the score where a word is left out."""
    generator = np.random.default_rng(0)
    chosen = generator.permutation(len(case.truth))[:COUNTED_TEXTS]
    effects: dict[str, list[Array]] = defaultdict(list)
    looked_at = 0
    for row in chosen.tolist():
        pieces = _PIECE.findall(str(probe.texts[row]))[:MOST_WORDS]
        if not pieces or probe.out_of_time:
            continue
        left_out = np.sort(generator.permutation(len(pieces))[:COUNTED_WORDS]).tolist()
        found = probe.effects(row, pieces, left_out)
        for at, effect in zip(left_out, found, strict=True):
            effects[_EDGES.sub("", pieces[at].strip()).lower()].append(effect)
        looked_at += 1
    effects.pop("", None)
    told = {word: np.sum(each, axis=0) / looked_at for word, each in effects.items() if len(each) >= LEAST_TEXTS}
    if not told:
        return None
    figures, rows = _word_figures(case, told)
    return Finding(
        "AML519",
        "Words that count most",
        Severity.PASSED,
        Section.WHY,
        f'Over {looked_at} judged texts, of the words that stand in several, {rows[0][1]} speak most for "{rows[0][0]}".',
        "evaluated",
        figures=figures,
        table={"columns": ["towards", "words"], "rows": rows},
    )


def _word_figures(case: Case, told: dict[str, Array]) -> tuple[tuple[Figure, ...], list[list[str]]]:
    """A chart of the words for two classes or a value, and for every class the words that speak for it."""
    classification = case.profile.task.is_classification
    outputs = list(range(case.profile.outputs)) if classification else [0]
    positive = case.positive if classification and len(outputs) == 2 else 0
    rows = []
    for output in outputs:
        best = sorted(told, key=lambda word: -float(told[word][output]))[: TOLD_WORDS // 2]
        name = case.profile.classes[output] if classification else f"higher {case.profile.target}"
        rows.append([name, ", ".join(f'"{word}"' for word in best if told[word][output] > 0)])
    if len(outputs) > 2:
        return (), [row for row in rows if row[1]] or rows
    strongest = sorted(told, key=lambda word: -abs(float(told[word][positive])))[:TOLD_WORDS]
    strongest.sort(key=lambda word: -float(told[word][positive]))
    towards = f'"{case.profile.classes[positive]}"' if classification else case.profile.target
    series = Series(towards, tuple(strongest), tuple(float(told[word][positive]) for word in strongest))
    how = "How far the prediction falls without the word, on average over the texts; words to the left speak against it."
    unit = f"change of the log-odds of {towards}" if classification else f"change of {towards}"
    figure = Figure("counting_words", "bar", "Words that count most", how, (series,), "word", unit, "zero")
    return (figure,), [row for row in rows if row[1]] or rows


def _sheet(case: Case, column: ColumnProfile) -> Finding:
    """Some training texts with their labels, as the model reads them."""
    frame, rows = case.dataset.frame, case.training_rows
    clean = Category.from_strings(parse_column(frame[column.name].iloc[rows], column.parse))
    chosen = np.random.default_rng(case.plan.seed).permutation(len(rows))[:SHEET_TEXTS]
    texts = clean.take(chosen).strings().tolist()
    read, form = _as_read(case, clean, column, texts)
    truth = frame[case.profile.target].iloc[rows[chosen]].astype(str).tolist()
    lines = [[label, _cut(text), _cut(seen)] for label, text, seen in zip(truth, texts, read, strict=True)]
    return Finding(
        "AML516",
        "A training batch as the model reads it",
        Severity.PASSED,
        Section.DATA,
        f"{len(lines)} training texts with their labels: {form}.",
        "evaluated",
        table={"columns": [case.profile.target, "text", "as it is read"], "rows": lines},
        action="Check by eye that labels fit and that nothing that matters is lost.",
    )


def _as_read(case: Case, clean: Category, column: ColumnProfile, texts: list[str]) -> tuple[list[str], str]:
    """The texts as the champion's encoding sees them, and that in words."""
    settings = _settings(case)
    if settings is None:
        read = [" ".join(re.findall(r"\w+|[^\w\s]", text.lower())) for text in texts]
        return read, "letter case is dropped, then words, pairs of words and pieces of 2 to 5 characters are counted"
    from automl.core.tokens import load_tokenizer
    from automl.encoders.tokens import TokensEncoder

    limits = {name: int(settings[name]) for name in ("vocabulary", "most_length") if name in settings}
    encoder = TokensEncoder.fit(clean, clean, column.name, **limits)
    tokenizer = load_tokenizer(encoder.tokenizer)
    ids = encoder.transform(Category.from_strings(np.asarray(texts, dtype=object)))
    read = ["·".join(tokenizer.id_to_token(int(each)) for each in row if each) for row in ids]
    return read, f"a vocabulary of {encoder.vocabulary:,} pieces of words, at most {encoder.length} a text; \u2581 starts a word"


def _settings(case: Case) -> dict[str, Any] | None:
    """Of the champion, where it is a net that reads tokens."""
    evidence = case.evidence
    if evidence is None or not evidence.champion.startswith("text_"):
        return None
    own = [trial for trial in evidence.trials if trial.architecture == evidence.champion]
    return next((dict(trial.settings) for trial in own if trial.number == evidence.champion_trial), {})


def _near_duplicates(case: Case) -> Finding:
    """Texts that say almost the same, which were kept on one side of every split."""
    title, columns = "Near-duplicate texts", case.profile.features_of(Kind.TEXT)
    frame = case.dataset.frame
    parts = [parse_column(frame[column.name], column.parse).tolist() for column in columns]
    texts = ["\n".join(each) for each in zip(*parts, strict=True)]
    groups = near_duplicates(texts)
    copies = np.flatnonzero(groups != np.arange(len(groups)))
    if not len(copies):
        sentence = f"No two of the {len(texts):,} texts are near-duplicates of each other."
        return Finding("AML518", title, Severity.PASSED, Section.DATA, sentence)
    count = len(copies) + len(np.unique(groups[copies]))
    pairs = [[int(groups[row]), int(row), _cut(texts[groups[row]], 120), _cut(texts[row], 120)] for row in copies[:PAIRS]]
    return Finding(
        "AML518",
        title,
        Severity.TIP if count > 0.05 * len(texts) else Severity.PASSED,
        Section.DATA,
        f"{count:,} of {len(texts):,} texts ({100 * count / len(texts):.1f} %) have a near-duplicate (found by MinHash over runs"
        f" of {SHINGLE_WORDS} words, in texts of {LEAST_SHINGLES} or more); they were kept on one side of every split.",
        table={"columns": ["row", "copy", "text", "almost the same"], "rows": pairs} if case.plan.samples else {},
        action="A random split would put copies on both sides and promise too much; where new texts repeat as well, keep them.",
    )


def _withheld() -> Finding:
    return Finding(
        "AML515",
        "Words that moved the score",
        Severity.NOT_APPLICABLE,
        Section.WHY,
        "Texts are not shown because of --no-samples.",
    )


def _cut(text: str, most: int = MOST_SHOWN) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
