"""Writes nouns.csv from WordNet 3.0: `python recipes/data/make_nouns.py /usr/share/wordnet/data.noun`.

The file is in the Debian package wordnet-base. Of each of six kinds of things 200 are drawn: how WordNet defines one, and
beside that what can be counted about it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd

KINDS = {"05": "animal", "06": "artifact", "13": "food", "15": "place", "18": "person", "20": "plant"}
"""The numbers of WordNet's lexicographer files."""
ROWS_A_KIND = 200
POINTERS = {"kinds": ("~", "~i"), "parts": ("%p", "%s", "%m"), "topics": (";c", ";r", ";u"), "wholes": ("#p", "#s", "#m")}
"""What is counted: things that are a kind, a part, a topic or a whole of it."""


def described(line: str) -> dict[str, Any]:
    """One noun: its definition without examples, names and letters, whether it is written with a capital, and counts."""
    head, _, gloss = line.partition(" | ")
    fields = head.split()
    names = [fields[4 + 2 * place] for place in range(int(fields[3], 16))]
    start = 4 + 2 * len(names)
    pointers = [fields[start + 1 + 4 * place] for place in range(int(fields[start]))]
    return {
        "definition": gloss.strip().split('; "')[0].strip(),
        "names": len(names),
        "letters": len(names[0]),
        "words": names[0].count("_") + 1,
        "capital": "yes" if names[0][0].isupper() else "no",
        **{name: sum(each in signs for each in pointers) for name, signs in POINTERS.items()},
        "kind": KINDS[fields[1]],
    }


def nouns(path: Path) -> pd.DataFrame:
    """Definitions of at least four words."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [described(line) for line in lines if not line.startswith("  ") and line.split(maxsplit=2)[1] in KINDS]
    frame = pd.DataFrame(rows).drop_duplicates("definition")
    frame = frame[frame["definition"].str.split().str.len() >= 4]
    return frame.groupby("kind").sample(ROWS_A_KIND, random_state=1).sample(frac=1, random_state=1)


if __name__ == "__main__":
    nouns(Path(sys.argv[1])).to_csv(Path(__file__).with_name("nouns.csv"), index=False)
