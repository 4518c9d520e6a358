"""Background rows: the sample of training rows that explanations of the shipped model compare with, kept in the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from automl.core.errors import InputError
from automl.core.files import dump_json, read_json, write_text
from automl.core.predictor import canonical, is_missing

NAME = "background.json"
MOST_ROWS, FEWEST_ROWS, MOST_CELLS = 500, 50, 50_000


def drawn(frame: pd.DataFrame, columns: Sequence[str], seed: int) -> pd.DataFrame:
    """Rows drawn at random, in order: at most MOST_ROWS, fewer where there are many columns."""
    most = int(np.clip(MOST_CELLS // max(1, len(columns)), FEWEST_ROWS, MOST_ROWS))
    rows = np.sort(np.random.default_rng(seed).permutation(len(frame))[:most])
    return frame[list(columns)].iloc[rows].reset_index(drop=True)


def keep(folder: Path, rows: pd.DataFrame) -> None:
    """Write the rows, raw cells as they were read."""
    cells = [[_plain(value) for value in row] for row in rows.astype(object).itertuples(index=False, name=None)]
    content = {"columns": [str(name) for name in rows.columns], "rows": cells}
    write_text(folder / NAME, dump_json(content, indent=None) + "\n")


def kept(folder: Path) -> pd.DataFrame | None:
    """The rows that a run keeps, or None: it keeps none with `--no-samples`, nor where it is no table or an older one.

    Raises InputError where they are damaged.
    """
    if not (folder / NAME).is_file():
        return None
    content = read_json(folder / NAME)
    try:
        return pd.DataFrame(content["rows"], columns=content["columns"])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{folder / NAME} is damaged", "restore it from a copy") from None


def _plain(value: Any) -> Any:
    """A cell as JSON holds it, which parses to the same."""
    if is_missing(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, str | int | float | bool) else canonical(value)
