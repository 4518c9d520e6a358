"""AML115: columns in which some cells are numbers and others are words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.profile import ColumnProfile, Kind, Role
from automl.judge.curves import sampled
from automl.judge.wording import count_text, names_text, number, percent_text, quoted

TITLE = "Mixed types"
MOST_ROWS = 50_000
FEWEST_NUMBERS = 10
"""Fewer different numbers among words are codes, such as 0, 1, 2 and "3+"."""
LEAST_SHARE = 0.01
MOST_CHARACTERS = 30


def run(case: Case) -> list[Finding]:
    frame = case.dataset.frame
    columns = [
        column
        for column in case.profile.columns
        if column.kind in (Kind.CATEGORY, Kind.TEXT, Kind.IDENTIFIER) and column.role is not Role.TARGET
    ]
    rows = sampled(len(frame), case.plan.seed, MOST_ROWS)
    coded = case.dataset.reading.get("coded", ())
    found: list[tuple[str, float, str, str, str]] = []
    for column in columns:
        if column.name not in frame.columns:
            continue
        values = frame[column.name].iloc[rows]
        mixed = _mixed(values.astype(object) if column.name in coded else values, column)
        if mixed is not None:
            found.append((column.name, *mixed, column.kind.value))
    if not found:
        return [Finding("AML115", TITLE, Severity.PASSED, Section.DATA, "No column mixes numbers and words.")]
    name, share, _, word, kind = found[0]
    example = f', such as "{word}"' if case.plan.samples else ""
    sentence = (
        f"{count_text(len(found), 'column')} {'mixes' if len(found) == 1 else 'mix'} numbers and words and"
        f" {'is' if len(found) == 1 else 'are'} taken for {_taken_for(kind)}: {names_text(each[0] for each in found)};"
        f' in "{name}" {percent_text(share)} of the filled cells are numbers and the others are words{example}.'
    )
    return [
        Finding(
            code="AML115",
            title=TITLE,
            severity=Severity.TIP,
            section=Section.DATA,
            sentence=sentence,
            numbers={"columns": number(len(found))},
            table={
                "columns": ["column", "share of numbers", *(["a number", "a word"] if case.plan.samples else []), "taken for"],
                "rows": [[each[0], each[1], *(each[2:4] if case.plan.samples else ()), each[4]] for each in found[:200]],
            },
            action=(
                f"If the words stand for missing numbers, take it as a number: `--kind {quoted(name)}=number`; if two"
                " things share the column, split it where the data is made."
            ),
        )
    ]


def _taken_for(kind: str) -> str:
    return {"category": "a category", "text": "free text", "identifier": "an identifier"}[kind]


def _mixed(values: pd.Series[Any], column: ColumnProfile) -> tuple[float, str, str] | None:
    """(share of the filled cells that are numbers, a number, a word), or None where the column is all of a kind."""
    if pd.api.types.is_numeric_dtype(values.dtype) or isinstance(values.dtype, pd.CategoricalDtype):
        return None
    missing = {str(word).strip().casefold() for word in column.parse.get("missing", ())} | {""}
    places, distinct = pd.factorize(values.dropna().astype(str))
    spelled = pd.Series(distinct, dtype=str).str.strip()
    filled = ~np.asarray(spelled.str.casefold().isin(missing), bool)
    number = np.isfinite(np.asarray(pd.to_numeric(spelled, errors="coerce"), np.float64))
    places = places[filled[places]]
    if not len(places):
        return None
    cells, numeric = spelled.iloc[places], number[places]
    share = float(numeric.mean())
    if not LEAST_SHARE <= share <= 1 - LEAST_SHARE or cells[numeric].nunique() < FEWEST_NUMBERS:
        return None
    usual, word = (str(part.mode().iloc[0])[:MOST_CHARACTERS] for part in (cells[numeric], cells[~numeric]))
    return share, usual, word


CHECK = Check("AML115", TITLE, Section.DATA, run, needs_model=False, seconds=0.1)
