"""Dataset: named columns as they were read, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Dataset:
    """A table as it was read: nothing is converted yet, so every conversion can be seen and repeated later.

    frame: (rows, columns). From text files every column holds strings ("" where the cell was empty);
        from Parquet, JSON lines or a DataFrame the columns keep the types that they came with.
    name: short name for folders and titles.
    source: where it came from, in words.
    content_hash: SHA-256 of the content (of the file's bytes where there is a file).
    reading: what was found out while reading, such as {"delimiter": ";", "encoding": "utf-8"}.
    test: the rows of a separate test file, with the same columns, or None.
    root: the folder that relative paths in cells refer to, or "".
    """

    frame: pd.DataFrame
    name: str
    source: str
    content_hash: str
    reading: dict[str, Any] = field(default_factory=dict)
    test: pd.DataFrame | None = None
    root: str = ""

    @property
    def rows(self) -> int:
        return len(self.frame)

    @property
    def left_out(self) -> int:
        """Rows that were not read, because the memory did not hold them."""
        return int(self.reading.get("rows", 0)) - int(self.reading.get("kept", 0))
