"""What a split must not divide: the clips of one speaker or recording, where the file names say so, and copies."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from automl.core.dataset import Dataset
from automl.core.profile import Kind, Profile
from automl.core.table import Table

Array = np.ndarray[Any, Any]

FEWEST_GROUPS = 5
MOST_GROUP_SHARE = 0.5
"""More groups than half of the clips say little: most would be alone."""
_TAKE = re.compile(r"\d+|[A-Za-z]")


def recordings(dataset: Dataset, column: str, target: str) -> dict[str, Any]:
    """What the file names say about speakers or recordings; {} where they say nothing clearly.

    {"places": parts of the name that tell them, "groups": count, "shared_with_test": bool, "together": bool, "sentence"}
    """
    names, labels = dataset.frame[column].tolist(), dataset.frame[target].tolist()
    tests = [] if dataset.test is None else dataset.test[column].tolist()
    places = telling_places(names, labels)
    if not places:
        return {}
    own = {speaker(name, places) for name in names}
    shared = own & {speaker(name, places) for name in tests if isinstance(name, str)}
    example = os.path.basename(names[0])
    said = f'The file names tell {len(own):,} speakers or recordings apart (as "{speaker(names[0], places)}" in {example})'
    kept = len(own) >= FEWEST_GROUPS and not shared
    if shared:
        said += f", {len(shared):,} of which are in the test part too: its score holds for speakers that are known already"
    elif kept:
        said += ", which no split divides: scores hold for new ones"
    else:
        said += f", too few to be kept apart (it takes {FEWEST_GROUPS}): scores hold for these only"
    return {"places": places, "groups": len(own), "shared_with_test": bool(shared), "together": kept, "sentence": said}


def telling_places(names: Sequence[Any], labels: Sequence[Any]) -> list[int]:
    """Which parts of the file names tell the speaker or recording, such as the second of 0_george_0.wav; [] if not clear.

    Clear are names of equally many parts between "_" or "-", of which the last but for the label counts takes, and
    either one part is the label, or the rest stands beside several labels.
    """
    if len(names) < 2 or not all(isinstance(name, str) and name for name in names):
        return []
    parts = [_parts(name) for name in names]
    if len({len(each) for each in parts}) != 1 or len(parts[0]) < 2:
        return []
    fields = list(zip(*parts, strict=True))
    of_label = [place for place, values in enumerate(fields) if len(set(values)) > 1 and _one_to_one(values, labels)]
    left = [place for place in range(len(fields)) if place not in of_label]
    if not left or not all(_TAKE.fullmatch(value) for value in fields[left[-1]]) or len(set(fields[left[-1]])) < 2:
        return []
    places = [place for place in left[:-1] if len(set(fields[place])) > 1]
    found = [speaker(name, places) for name in names]
    several = pd.DataFrame({"group": found, "label": [str(label) for label in labels]}).groupby("group")["label"].nunique()
    clear = 2 <= len(several) <= MOST_GROUP_SHARE * len(found) and (bool(of_label) or several.median() >= 2)
    return places if clear else []


def speaker(name: str, places: Sequence[int]) -> str:
    """What these parts of a file name say; the whole name where it has fewer parts."""
    parts = _parts(name)
    return "_".join(parts[place] for place in places) if places and max(places) < len(parts) else name


def _parts(name: str) -> list[str]:
    return re.split(r"[_-]", os.path.splitext(os.path.basename(name))[0])


def _one_to_one(values: Sequence[str], labels: Sequence[Any]) -> bool:
    pairs = set(zip(values, map(str, labels), strict=True))
    return len(pairs) == len({value for value, _ in pairs}) == len({label for _, label in pairs})


def together(table: Table, profile: Profile) -> Array | None:
    """Clips of one speaker or recording, and copies of a clip at whatever loudness: (rows,) numbers, or None."""
    column = next((column for column in profile.features if column.kind is Kind.AUDIO), None)
    if column is None:
        return None
    copies = _copies(np.asarray(table.columns[column.name]))
    found = column.statistics.get("recordings", {})
    if found.get("together") and column.name in table.names:
        speakers = [speaker(name, found["places"]) for name in table.names[column.name]]
        return joined(pd.factorize(np.asarray(speakers, dtype=object))[0], copies)
    return copies if len(np.unique(copies)) < table.rows else None


def _copies(sounds: Array) -> Array:
    """(rows,) numbers that equal sounds share; silent ones are no copies of each other."""
    marks = []
    for row, sound in enumerate(sounds):
        peak = float(np.abs(sound).max(initial=0.0))
        marks.append(hash(np.round(sound * (100.0 / peak)).astype(np.int8).tobytes()) if peak > 0 else -1 - row)
    return np.asarray(pd.factorize(np.asarray(marks))[0])


def joined(first: Array, second: Array) -> Array:
    """(rows,) numbers such that rows share one where they share one of either."""
    parent: dict[tuple[str, int], tuple[str, int]] = {}

    def root(node: tuple[str, int]) -> tuple[str, int]:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        parent[root(("first", a))] = root(("second", b))
    return np.asarray(pd.factorize(np.asarray([str(root(("first", a))) for a in first.tolist()], dtype=object))[0])
