"""Our sampled Shapley values beside shap's exact interventional ones and the time of shap's PermutationExplainer.

    python -m benchmarks.shap_values DATA [--rows 50] [--only adult,diamonds] [--peer-rows 5]

For each table a boosted model is fitted (`automl fit --only boosting --trials 1`, whose features are the raw columns), and rows
are explained by what ships, the graph from raw columns, against 100 training rows on the margin (log-odds; of a regression the
value). shap's TreeExplainer gets the very same trees, read from the text that the model folder keeps, and the same background;
as it knows no categorical splits, each set of categories becomes a column of 0 and 1, and what is found for the columns made
of one raw column is summed. PermutationExplainer gets the same graph, cells and background, with its own default number of
evaluations. The slope is that of our values on the exact ones; a calibrator in the graph makes it another than 1.

Of more than two classes the margin is the log-odds of each against the others, on which trees do not add up: the exact values
are Shapley's formula over every coalition of the columns, so that such a table has to have few of them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import shap

import automl
from automl.core.files import read_json
from automl.core.predictor import open_predictor
from automl.encoders.table import TableEncoder
from automl.judge.margins import Margins, margins_of_model, taken
from automl.judge.shapley import attribute
from automl.learners.tree_graph import CATEGORICAL_BIT, Tree, _missing_goes_left, parse_trees

Array = np.ndarray[Any, Any]

TABLES = {
    "adult": "class",
    "credit-g": "class",
    "telco-churn": "Churn",
    "diamonds": "price",
    "california-housing": "median_house_value",
    "bank-marketing": "y",
    "car": "class",
    "yeast": "class_protein_localization",
}
BACKGROUND = 100


def encoded(folder: Path, cells: dict[str, Array]) -> tuple[Array, list[str]]:
    """What the trees of a shipped graph see, (rows, features), and the raw column of each feature."""
    import onnxruntime

    model = onnx.load(folder / "model.onnx")
    node = next(node for node in model.graph.node if node.op_type.startswith("TreeEnsemble"))
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(node.input[0]))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    matrix = session.run([node.input[0]], cells)[0]
    encoder = TableEncoder.from_state(read_json(folder / "net" / "encoder.json")["encoder"])
    sources = [source for block in encoder.features.values() for _, source in block]
    assert len(sources) == matrix.shape[1], (len(sources), matrix.shape)
    return matrix.astype(np.float64), sources


def without_categories(trees: list[Tree], matrix: Array, sources: list[str]) -> tuple[list[dict[str, Array]], Array, list[str]]:
    """Trees as shap takes them, with a feature for every set of categories that a split asks for."""
    columns, of, known = [matrix[:, at] for at in range(matrix.shape[1])], list(sources), {}
    told = []
    for tree in trees:
        inner, leaves = len(tree.features), len(tree.leaves)
        features, thresholds = tree.features.copy(), tree.thresholds.copy()
        for at in range(inner):
            if tree.decisions[at] & CATEGORICAL_BIT:
                chosen = tuple(tree.sets[int(tree.thresholds[at])].tolist())
                key = (int(tree.features[at]), chosen)
                if key not in known:
                    known[key] = len(columns)
                    columns.append(-np.isin(matrix[:, key[0]], chosen).astype(np.float64))
                    of.append(sources[key[0]])
                features[at], thresholds[at] = known[key], -0.5
        left, right = (np.where(side >= 0, side, inner + ~side) for side in (tree.left, tree.right))
        default = np.where(_missing_goes_left(tree), left, right) if inner else left
        pad = np.full(leaves, -1)
        told.append(
            {
                "children_left": np.append(left, pad),
                "children_right": np.append(right, pad),
                "children_default": np.append(default, pad),
                "features": np.append(features, pad),
                "thresholds": np.append(thresholds, pad.astype(float)),
                "values": np.append(np.zeros(inner), tree.leaves)[:, None],
                "node_sample_weight": np.ones(inner + leaves),
            }
        )
    return told, np.stack(columns, axis=1), of


def exact(folder: Path, rows: dict[str, Array], background: dict[str, Array], names: list[str]) -> Array:
    """shap's interventional values of the trees, (rows, raw columns)."""
    both = {name: np.concatenate([rows[name], background[name]]) for name in rows}
    matrix, sources = encoded(folder, both)
    trees, wide, of = without_categories(parse_trees((folder / "net" / "trees.txt").read_text()), matrix, sources)
    count = len(next(iter(rows.values())))
    explainer = shap.TreeExplainer({"trees": trees}, wide[count:], feature_perturbation="interventional", model_output="raw")
    values = explainer.shap_values(wide[:count], check_additivity=False)
    summed = np.zeros((count, len(names)))
    for at, source in enumerate(of):
        summed[:, names.index(source)] += values.reshape(count, -1)[:, at]
    standardised = read_json(folder / "net" / "encoder.json")["target_scale"]  # the trees of a regression learn in units of it
    return summed if standardised is None else summed * standardised["deviation"]


def enumerated(model: Margins, rows: dict[str, Array], background: dict[str, Array]) -> Array:
    """Shapley's formula over every coalition of players, (rows, players, outputs)."""
    players, count = len(model.players), len(next(iter(rows.values())))
    members = (np.arange(2**players)[:, None] >> np.arange(players)) & 1 == 1  # (coalitions, players)
    places = np.repeat(np.arange(count), BACKGROUND), np.tile(np.arange(BACKGROUND), count)
    worth = []
    for chosen in members:
        cells = {
            name: (rows[name][places[0]] if taken_in else background[name][places[1]])
            for player, taken_in in zip(model.players, chosen, strict=True)
            for name in player.inputs
        }
        worth.append(model.margins(cells).reshape(count, BACKGROUND, -1).mean(axis=1))
    worths, size = np.stack(worth), members.sum(axis=1)
    values = []
    for at in range(players):
        without = np.flatnonzero(~members[:, at])
        share = [1.0 / (players * comb(players - 1, size[each])) for each in without]
        values.append(np.tensordot(share, worths[without + 2**at] - worths[without], axes=1))
    return np.stack(values, axis=1)


def peer(model: Margins, rows: dict[str, Array], background: dict[str, Array]) -> tuple[Array, float]:
    """PermutationExplainer's values of the same function, and its seconds. Cells are given to it as their numbers in a list."""
    inputs = [name for player in model.players for name in player.inputs]
    assert len(inputs) == len(model.players)
    levels = {name: np.unique(np.concatenate([rows[name], background[name]]), return_inverse=True) for name in inputs}
    count = len(next(iter(rows.values())))
    numbers = np.stack([levels[name][1].reshape(-1) for name in inputs], axis=1).astype(np.float64)

    def margin(codes: Array) -> Array:
        cells = {name: levels[name][0][codes[:, at].astype(int)].reshape(-1, 1) for at, name in enumerate(inputs)}
        return model.margins(cells)[:, 0]

    explainer = shap.explainers.Permutation(margin, shap.maskers.Independent(numbers[count:], max_samples=BACKGROUND))
    began = time.perf_counter()
    found = explainer(numbers[:count], silent=True)
    return found.values, time.perf_counter() - began


def per_row(first: Array, second: Array) -> Array:
    return np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(first, second, strict=True)])


def measure(data: Path, name: str, target: str, how: argparse.Namespace) -> str:
    frame = pd.read_csv(data / name / "data.csv")
    with tempfile.TemporaryDirectory() as scratch:
        run = automl.fit(data / name / "data.csv", target=target or None, out=Path(scratch) / "run", trials=1, only=["boosting"])
        folder = run.folder / "model"
        predictor = open_predictor(folder)
        binary = len(run.profile.classes) == 2
        model = margins_of_model(predictor, 1 if binary else None)  # the trees speak of the second class
        names = [player.name for player in model.players]
        drawn = frame.sample(how.rows + BACKGROUND, random_state=1)
        cells = model.read(drawn)
        rows, background = taken(cells, np.arange(how.rows)), taken(cells, np.arange(how.rows, how.rows + BACKGROUND))
        attribute(model, taken(rows, np.arange(2)), background, 0)
        began = time.perf_counter()
        found = attribute(model, rows, background, 0)
        ours = (time.perf_counter() - began) / how.rows
        many = len(run.profile.classes) > 2
        truth = enumerated(model, rows, background) if many else exact(folder, rows, background, names)[:, :, None]
        alike = np.concatenate([per_row(found.values[:, :, at], truth[:, :, at]) for at in range(truth.shape[2])])
        few = taken(rows, np.arange(how.peer_rows))
        theirs, seconds = peer(model, few, background)
        of_peer = per_row(theirs, truth[: how.peer_rows, :, 0])
        scale = float((found.values * truth).sum() / (truth**2).sum())
        readout = run.evidence.readout.calibrator
        return (
            f"| {name} | {len(names)} | {alike.min():.4f} | {np.median(alike):.4f} | {(alike >= 0.98).mean():.0%} |"
            f" {scale:.3f}{'' if readout is None else ' (' + readout.method + ')'} | {of_peer.min():.4f} | {1000 * ours:.1f} |"
            f" {1000 * seconds / how.peer_rows:.0f} | {seconds / how.peer_rows / ours:.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--peer-rows", type=int, default=5)
    parser.add_argument("--only", default=",".join(TABLES))
    how = parser.parse_args()
    heads = ("table", "columns", "lowest correlation", "median", "rows >= .98", "slope", "Permutation's lowest", "ms a row")
    print("| " + " | ".join((*heads, "Permutation's ms", "ratio")) + " |")
    print("|---" * (len(heads) + 2) + "|")
    for name in how.only.split(","):
        print(measure(how.data, name, TABLES[name], how), flush=True)


if __name__ == "__main__":
    main()
