"""MASE on sealed windows after `automl fit`, by the whole command in a process of its own, beside the seasonal naive's.

    python -m benchmarks.forecast FOLDER [--time 300] [--only etth1,m4_hourly]

FOLDER holds a folder a data set: air_passengers, etth1, bike_sharing_hourly and vic_electricity_demand with data.csv,
m4_hourly with train.csv and test.csv. The seasonal naive is scored on the same windows (on m4_hourly 1.193 is published).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import automl_command, measured


@dataclass(frozen=True)
class Data:
    """source: relative to FOLDER. goal: MASE over the seasonal naive's (`relative`), or MASE itself."""

    source: str
    options: tuple[str, ...]
    goal: float
    relative: bool = True


BIKE = ("--target", "cnt", "--time-column", "datetime", "--horizon", "24")
WEATHER = "weathersit,temp,atemp,hum,windspeed"
SETS = {
    "air_passengers": Data("air_passengers/data.csv", ("--target", "y", "--time-column", "date", "--horizon", "12"), 1.0),
    "etth1": Data("etth1/data.csv", ("--target", "OT", "--time-column", "date", "--horizon", "24"), 0.90),
    "vic_electricity_demand": Data(
        "vic_electricity_demand/data.csv",
        ("--target", "Demand", "--time-column", "Time", "--horizon", "48", "--known-ahead", "Temperature,Holiday"),
        0.80,
    ),
    "bike_sharing_hourly": Data(
        "bike_sharing_hourly/data.csv", (*BIKE, "--known-ahead", f"season,holiday,workingday,{WEATHER}"), 1.0
    ),
    "bike_without_weather": Data("bike_sharing_hourly/data.csv", (*BIKE, "--known-ahead", "season,holiday,workingday"), 1.0),
    "m4_hourly": Data(
        "m4_hourly", ("--target", "y", "--time-column", "step", "--id", "unique_id", "--horizon", "48"), 1.05, False
    ),
}


def run_once(folder: Path, data: Data, seconds: float) -> dict[str, Any]:
    """Scores of the judged windows, wall-clock seconds, peak memory, and what was chosen."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place, "run")
        given = [*data.options, "--time", seconds, "--out", out, "--quiet", "--json"]
        spent = measured(automl_command("fit", folder / data.source, *given))
        findings = {each["code"]: each for each in json.loads((out / "findings.json").read_text())}
        numbers = findings["AML202"]["numbers"] | findings["AML530"]["numbers"]
        scores = {name: numbers[name]["value"] for name in ("mase", "rmse", "coverage_80", "weighted_quantile_loss")}
        seasonal = findings["AML532"]["numbers"]["seasonal_naive_mase"]["value"]
        champion = json.loads((out / "evidence.json").read_text())["champion"]
        return {**scores, "seasonal": seasonal, "seconds": spent.seconds, "memory": spent.peak_gib, "champion": champion}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--time", type=float, default=300.0)
    parser.add_argument("--only", default=",".join(SETS))
    choices = parser.parse_args()
    missed = 0
    scores = f"{'MASE':>7} {'seasonal':>9} {'ratio':>6} {'RMSE':>9} {'80 %':>6} {'WQL':>7}"
    print(f"{'data':24} {scores} {'seconds':>8} {'GiB':>5}  chosen")
    for name in choices.only.split(","):
        data = SETS[name]
        found = run_once(choices.folder, data, choices.time)
        ratio = found["mase"] / found["seasonal"]
        reached = (ratio if data.relative else found["mase"]) <= data.goal and 0.7 <= found["coverage_80"] <= 0.9
        missed += not reached
        print(
            f"{name:24} {found['mase']:7.3f} {found['seasonal']:9.3f} {ratio:6.2f} {found['rmse']:9.4g}",
            f"{found['coverage_80']:6.2f} {found['weighted_quantile_loss']:7.4f} {found['seconds']:8.0f} {found['memory']:5.2f} ",
            f"{found['champion']}{'' if reached else ' (missed)'}",
            flush=True,
        )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
