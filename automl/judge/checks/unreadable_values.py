"""AML111: cells of number columns that are infinite or no number at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from automl.core.case import Case, Check
from automl.core.finding import Finding, Section, Severity
from automl.core.profile import ColumnProfile, Kind
from automl.judge.curves import sampled
from automl.judge.wording import count_text, names_text, number

TITLE = "Infinite and unreadable values"
MOST_ROWS = 50_000
INFINITE_WORDS = frozenset({"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})


def run(case: Case) -> list[Finding]:
    frame = case.dataset.frame
    columns = [column for column in case.profile.features_of(Kind.NUMBER) if column.name in frame.columns]
    if not columns:
        return [
            Finding(
                "AML111",
                TITLE,
                Severity.NOT_APPLICABLE,
                Section.DATA,
                "There are no number columns to check for infinite values.",
            )
        ]
    rows = sampled(len(frame), case.plan.seed, MOST_ROWS)
    found: list[tuple[str, int, int]] = []
    for column in columns:
        infinite, unreadable = _count(frame[column.name].iloc[rows], column)
        if infinite or unreadable:
            found.append((column.name, infinite, unreadable))
    looked = "" if len(rows) == len(frame) else f" in {len(rows):,} rows drawn at random"
    if not found:
        sentence = f"No number column holds infinite values or text{looked}."
        return [Finding("AML111", TITLE, Severity.PASSED, Section.DATA, sentence)]
    infinite, unreadable = sum(each[1] for each in found), sum(each[2] for each in found)
    parts = [count_text(infinite, "infinite value")] if infinite else []
    parts += [count_text(unreadable, "cell that is no number", "cells that are no numbers")] if unreadable else []
    return [
        Finding(
            code="AML111",
            title=TITLE,
            severity=Severity.TIP,
            section=Section.DATA,
            sentence=f"{' and '.join(parts)}{looked} count as missing, in {names_text(each[0] for each in found)}.",
            numbers={"infinite": number(infinite), "unreadable": number(unreadable)},
            table={"columns": ["column", "infinite", "no number"], "rows": [list(each) for each in found[:200]]},
            action="Mend them where the data is made; a division by zero or a mixed column is the usual cause.",
        )
    ]


def _count(values: pd.Series[Any], column: ColumnProfile) -> tuple[int, int]:
    """(infinite cells, cells that are neither missing nor a number)."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return int(np.isinf(values.to_numpy(np.float64, na_value=np.nan)).sum()), 0
    from automl.core.predictor import parse_column

    clean = np.asarray(parse_column(values, column.parse), np.float64)
    bad = ~np.isfinite(clean)
    if not bad.any():
        return 0, 0
    missing = {str(word).strip().casefold() for word in column.parse.get("missing", ())} | {""}
    cells = ["" if pd.isna(cell) else str(cell).strip().casefold() for cell in values[bad]]
    infinite = sum(cell in INFINITE_WORDS for cell in cells)
    return infinite, sum(cell not in missing and cell not in INFINITE_WORDS for cell in cells)


CHECK = Check("AML111", TITLE, Section.DATA, run, needs_model=False, seconds=0.1)
