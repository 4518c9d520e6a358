"""Gaps between sensitive groups beside fairlearn's own figures, and what mitigation buys and costs.

    python benchmarks/fairness.py DATA [--time 60] [--only adult,compas] [--how equalised-odds,reweigh]

For each table, column (or pair) and way to mitigate: `automl fit --sensitive ... --mitigate ...` in a process of its own; the
largest difference of our gaps from fairlearn's on the judged rows (groups with at least 30 rows in every class); and the
gaps and the accuracy without and with mitigation, of the same settings on the same sealed rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

TABLES = {
    "adult": ("class", ">50K", []),
    "compas": ("two_year_recid", "1", ["decile_score", "score_text", "c_jail_in", "c_jail_out", "compas_screening_date"]),
}
COLUMNS = (("sex",), ("race",), ("sex", "race"))
FEWEST_ROWS = 30


def fit(data: Path, name: str, sensitive: tuple[str, ...], how: str, seconds: float, folder: Path) -> dict[str, dict]:
    """The findings of a run, by code."""
    target, positive, dropped = TABLES[name]
    command = [sys.executable, "-m", "automl", "fit", str(data / name / "data.csv"), "--target", target, "--positive", positive]
    command += ["--sensitive", ",".join(sensitive), "--mitigate", how, "--time", str(seconds), "--only", "linear,boosting"]
    command += [word for column in dropped for word in ("--drop", column)]
    subprocess.run([*command, "--out", str(folder), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return {finding["code"]: finding for finding in json.loads((folder / "findings.json").read_text())}


def difference(data: Path, name: str, sensitive: tuple[str, ...], folder: Path, found: dict[str, dict]) -> float:
    """The largest difference between our gaps of the single columns and those of fairlearn."""
    target, positive, _ = TABLES[name]
    with np.load(folder / "evaluated" / "predictions.npz") as kept:
        rows, truth, prediction = kept["row_ids"], kept["truth"], kept["prediction"]
    frame = pd.read_csv(data / name / "data.csv").iloc[rows]
    given, code = (
        prediction.argmax(axis=1),
        sorted(set(pd.read_csv(data / name / "data.csv")[target].astype(str))).index(positive),
    )
    yes, said = (truth == code).astype(int), (given == code).astype(int)
    ours = {(row[0], row[1]): row[3] for row in found["AML411"]["table"]["rows"]}
    worst = 0.0
    for column in sensitive:
        of = frame[column].to_numpy()
        fewest = pd.crosstab(of, yes).reindex(columns=[0, 1], fill_value=0).min(axis=1)
        everyone = pd.Series(of).value_counts()
        pairs = (
            ("demographic parity", demographic_parity_difference, set(everyone[everyone >= FEWEST_ROWS].index)),
            ("equalised odds", equalized_odds_difference, set(fewest[fewest >= FEWEST_ROWS].index)),
        )
        for measure, reference, groups in pairs:
            if measure == "equalised odds" and len(groups) != len(everyone[everyone >= FEWEST_ROWS]):
                continue  # then the two rates that it is made of rest on different groups, which fairlearn does not do
            kept = np.isin(of, list(groups))
            theirs = reference(yes[kept], said[kept], sensitive_features=of[kept])
            worst = max(worst, abs(ours[column, measure] - theirs))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--time", type=float, default=60.0)
    parser.add_argument("--only", default=",".join(TABLES))
    parser.add_argument("--how", default="equalised-odds,reweigh")
    given = parser.parse_args()
    for name in given.only.split(","):
        for how in given.how.split(","):
            for sensitive in COLUMNS:
                with tempfile.TemporaryDirectory() as temporary:
                    folder = Path(temporary, "run")
                    found = fit(given.data, name, sensitive, how, given.time, folder)
                    apart = difference(given.data, name, sensitive, folder, found)
                changes = {row[0]: row for row in found["AML414"]["table"].get("rows", [])}
                told = ", ".join(f"{label} {row[1]:.3f} -> {row[2]:.3f}" for label, row in changes.items())
                print(f"{name}, {how}, {' x '.join(sensitive)}: {told}; from fairlearn at most {apart:.1e}", flush=True)


if __name__ == "__main__":
    main()
