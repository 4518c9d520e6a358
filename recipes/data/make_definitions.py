"""Writes definitions.csv from WordNet 3.0: `python recipes/data/make_definitions.py /usr/share/wordnet/data.noun`.

The file is in the Debian package wordnet-base. Of each of six kinds of things 200 definitions are drawn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

KINDS = {"05": "animal", "06": "artifact", "13": "food", "15": "place", "18": "person", "20": "plant"}
"""The numbers of WordNet's lexicographer files."""
ROWS_A_KIND = 200


def definitions(path: Path) -> pd.DataFrame:
    """Definitions of at least four words, without the examples of use, and what kind of thing they define."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        head, _, gloss = line.partition(" | ")
        fields = head.split()
        if not line.startswith("  ") and fields[1] in KINDS:
            rows.append((gloss.strip().split('; "')[0].strip(), KINDS[fields[1]]))
    frame = pd.DataFrame(rows, columns=["definition", "kind"]).drop_duplicates("definition")
    frame = frame[frame["definition"].str.split().str.len() >= 4]
    return frame.groupby("kind").sample(ROWS_A_KIND, random_state=0).sample(frac=1, random_state=0)


if __name__ == "__main__":
    definitions(Path(sys.argv[1])).to_csv(Path(__file__).with_name("definitions.csv"), index=False)
