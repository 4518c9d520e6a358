"""Gaps between sensitive groups beside fairlearn's own figures, and what mitigation buys and costs.

    python -m benchmarks.fairness DATA [--time 60] [--only adult,compas] [--how thresholds,equalised-odds,reweigh]

For each table, column (or pair) and way to mitigate: `automl fit --sensitive ... --mitigate ... --exclude-sensitive` on one half
of the rows, judged on the other half (`--test`), in a process of its own; the largest difference of our gaps from fairlearn's on
the judged rows (groups with at least 30 rows in every class); and the gaps and the accuracy without and with mitigation, of the
same settings on the same rows. Beside the gaps: how large they would be by chance alone if the groups did not differ (the mean
over shuffled groups), and what fairlearn's ThresholdOptimizer, which answers at random between two thresholds, reaches from the
same out-of-fold predictions. Thresholds by group also on random halves of the run's out-of-fold predictions, chosen on one and
judged on the other (mean and standard error over 20 of them), as gaps of small groups are mostly chance.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from sklearn.base import BaseEstimator

TABLES = {
    "adult": ("class", ">50K", []),
    "compas": ("two_year_recid", "1", ["decile_score", "score_text", "c_jail_in", "c_jail_out", "compas_screening_date"]),
}
COLUMNS = (("sex",), ("race",), ("sex", "race"))
FEWEST_ROWS = 30
SHUFFLES = 50


class Half:
    """The two halves of a table, as files in a folder, and the judged rows of a run on them."""

    def __init__(self, data: Path, name: str, folder: Path) -> None:
        self.target, self.positive, self.dropped = TABLES[name]
        frame = pd.read_csv(data / name / "data.csv")
        first = np.random.default_rng(0).permutation(len(frame)) < len(frame) // 2
        self.training, self.judged = (frame[part].reset_index(drop=True) for part in (first, ~first))
        self.paths = folder / "training.csv", folder / "judged.csv"
        for part, path in zip((self.training, self.judged), self.paths, strict=True):
            part.to_csv(path, index=False)
        self.classes = sorted(set(frame[self.target].astype(str)))

    def fit(self, sensitive: tuple[str, ...], how: str, seconds: float, out: Path) -> dict[str, dict[str, Any]]:
        """The findings of a run, by code."""
        command = [sys.executable, "-m", "automl", "fit", str(self.paths[0]), "--test", str(self.paths[1])]
        command += ["--target", self.target, "--positive", self.positive, "--exclude-sensitive"]
        command += ["--sensitive", ",".join(sensitive), "--mitigate", how, "--time", str(seconds), "--only", "linear,boosting"]
        command += [word for column in self.dropped for word in ("--drop", column)]
        subprocess.run([*command, "--out", str(out), "--quiet"], check=True, stdout=subprocess.DEVNULL)
        return {finding["code"]: finding for finding in json.loads((out / "findings.json").read_text())}

    def rows(self, out: Path) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
        """The judged rows, their truth, what the model calls (0 or 1), and the probability of the positive class."""
        from automl import load

        with np.load(out / "evaluated" / "predictions.npz") as kept:
            ids, truth, prediction = kept["row_ids"], kept["truth"], kept["prediction"]
        frame, code = self.judged.iloc[ids - len(self.training)], self.classes.index(self.positive)
        said = np.asarray([str(label) for label in load(out / "evaluated").predict(frame)]) == self.positive
        return frame, (truth == code).astype(int), said.astype(int), prediction[:, code]


def names_of(frame: pd.DataFrame, sensitive: tuple[str, ...]) -> np.ndarray:
    return np.asarray(frame[list(sensitive)].astype(str).agg(", ".join, axis=1))


def compared(groups: np.ndarray, yes: np.ndarray) -> np.ndarray:
    """(rows,) of groups with enough rows of either class."""
    fewest = pd.crosstab(groups, yes).reindex(columns=[0, 1], fill_value=0).min(axis=1)
    return np.isin(groups, list(fewest[fewest >= FEWEST_ROWS].index))


def odds(yes: np.ndarray, said: np.ndarray, groups: np.ndarray) -> float:
    kept = compared(groups, yes)
    return float(equalized_odds_difference(yes[kept], said[kept], sensitive_features=groups[kept]))


def difference(half: Half, sensitive: tuple[str, ...], out: Path, found: dict[str, dict[str, Any]]) -> float:
    """The largest difference between our gaps of the single columns and those of fairlearn."""
    frame, yes, said, _ = half.rows(out)
    ours = {(row[0], row[1]): row[3] for row in found["AML411"]["table"].get("rows", [])}
    if not ours:
        return float("nan")  # there was no time to judge
    worst = 0.0
    for column in sensitive:
        of = frame[column].to_numpy()
        everyone = pd.Series(of).value_counts()
        many = np.isin(of, list(everyone[everyone >= FEWEST_ROWS].index))
        theirs = demographic_parity_difference(yes[many], said[many], sensitive_features=of[many])
        worst = max(worst, abs(ours[column, "demographic parity"] - theirs))
        if (compared(of, yes) == many).all():  # else the two rates rest on different groups, which fairlearn does not do
            worst = max(worst, abs(ours[column, "equalised odds"] - odds(yes, said, of)))
    return worst


def by_chance(yes: np.ndarray, said: np.ndarray, groups: np.ndarray) -> float:
    """The gap between groups of the same sizes that are drawn at random within each class."""
    generator, found = np.random.default_rng(0), []
    for _ in range(SHUFFLES):
        drawn = groups.copy()
        for code in (0, 1):
            drawn[yes == code] = generator.permutation(groups[yes == code])
        found.append(odds(yes, said, drawn))
    return float(np.mean(found))


class _AsGiven(BaseEstimator):
    """A fitted estimator whose rows are the probabilities themselves."""

    classes_ = np.asarray([0, 1])

    def fit(self, rows: Any, target: Any) -> _AsGiven:
        return self

    def predict_proba(self, rows: Any) -> np.ndarray:
        probability = np.asarray(rows).reshape(-1)
        return np.stack([1 - probability, probability], axis=1)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def of_fairlearn(half: Half, sensitive: tuple[str, ...], out: Path) -> tuple[float, float]:
    """(gap, accuracy) on the judged rows of ThresholdOptimizer on the run's out-of-fold predictions."""
    from fairlearn.postprocessing import ThresholdOptimizer

    from automl.core.files import decode
    from automl.core.readout import Readout

    code = half.classes.index(half.positive)
    with np.load(out / "evaluated" / "out_of_fold.npz") as kept:
        prediction, ids, truth = kept["prediction"], kept["row_ids"], kept["truth"]
    readout = json.loads((out / "evaluated" / "contract.json").read_text()).get("readout", {})
    prediction = decode(Readout, readout).apply(prediction, code)[:, code]
    known = np.isfinite(prediction) & (ids < len(half.training))
    groups = names_of(half.training.iloc[ids[known]], sensitive)
    yes = (truth[known] == code).astype(int)
    enough = compared(groups, yes)
    optimizer = ThresholdOptimizer(
        estimator=_AsGiven(), constraints="equalized_odds", prefit=True, predict_method="predict_proba"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer.fit(prediction[known][enough, None], yes[enough], sensitive_features=groups[enough])
        frame, truth, _, probability = half.rows(out)
        of = names_of(frame, sensitive)
        kept_rows = np.isin(of, list(set(groups[enough])))
        said = (probability >= 0.5).astype(int)
        said[kept_rows] = optimizer.predict(probability[kept_rows, None], sensitive_features=of[kept_rows], random_state=0)
    return odds(truth, said, of), float(np.mean(said == truth))


def halved(half: Half, sensitive: tuple[str, ...], out: Path) -> list[str]:
    """Gaps and accuracy without and with thresholds by group, on rows that these were not chosen on."""
    from automl.core.files import decode
    from automl.core.groups import group_column
    from automl.core.profile import Profile
    from automl.core.readout import Readout
    from automl.core.table import tabulate
    from automl.search.crossing import parts_of
    from automl.search.group_thresholds import GroupedRows, fit_group_thresholds

    profile = decode(Profile, json.loads((out / "profile.json").read_text()))
    code = half.classes.index(half.positive)
    with np.load(out / "evaluated" / "out_of_fold.npz") as kept:
        prediction, ids, truth = kept["prediction"], kept["row_ids"], kept["truth"] == code
    readout = decode(Readout, json.loads((out / "evaluated" / "contract.json").read_text()).get("readout", {}))
    probability = readout.apply(prediction, code)[:, code]
    frame = pd.concat([half.training, half.judged], ignore_index=True).iloc[ids].reset_index(drop=True)
    told = [profile.column(name) for name in sensitive]
    by = GroupedRows(tuple(group_column(column, half.training) for column in told), tabulate(frame, told))
    known, found = np.flatnonzero(np.isfinite(probability)), []
    for seed in range(20):
        first, second = np.array_split(np.random.default_rng(seed).permutation(known), 2)
        part = parts_of(np.arange(len(first)), np.random.default_rng(seed))
        asked = probability[first], truth[first], np.ones(len(first)), 0.5, 0.01, part
        threshold, _ = fit_group_thresholds(by, first, *asked)
        called = [probability[second] >= limit for limit in (0.5, np.asarray(threshold.limits(by.table.columns))[second])]
        groups, yes = names_of(frame.iloc[second], sensitive), truth[second].astype(int)
        found.append([*(odds(yes, each.astype(int), groups) for each in called), *(np.mean(each == yes) for each in called)])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    return [f"{value:.3f} +- {spread:.3f}" for value, spread in zip(mean, error, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--time", type=float, default=60.0)
    parser.add_argument("--only", default=",".join(TABLES))
    parser.add_argument("--how", default="thresholds,equalised-odds,reweigh")
    given = parser.parse_args()
    for name in given.only.split(","):
        for how in given.how.split(","):
            for sensitive in COLUMNS:
                with tempfile.TemporaryDirectory() as temporary:
                    half, out = Half(given.data, name, Path(temporary)), Path(temporary, "run")
                    found = half.fit(sensitive, how, given.time, out)
                    apart = difference(half, sensitive, out, found)
                    frame, yes, said, _ = half.rows(out)
                    groups = names_of(frame, sensitive)
                    gap, accuracy = of_fairlearn(half, sensitive, out)
                    chance = by_chance(yes, said, groups)
                    halves = halved(half, sensitive, out) if how == "thresholds" else None
                changes = found["AML414"].get("table", {}).get("rows", [])
                told = ", ".join(f"{row[0]} {row[1]:.3f} -> {row[2]:.3f}" for row in changes)
                print(f"{name}, {how}, {' x '.join(sensitive)}: {told or found['AML414']['sentence']}", flush=True)
                print(
                    f"    from fairlearn's gaps at most {apart:.1e}; equalised odds by chance alone {chance:.3f};"
                    f" fairlearn's ThresholdOptimizer {gap:.3f} at accuracy {accuracy:.3f}",
                    flush=True,
                )
                if halves:
                    gaps, accuracies = (f"{halves[at]} -> {halves[at + 1]}" for at in (0, 2))
                    print(f"    on halves of out-of-fold rows: equalised odds {gaps}, accuracy {accuracies}", flush=True)


if __name__ == "__main__":
    main()
