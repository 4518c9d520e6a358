"""Planted bugs, false alarms and the time of judging.

    python -m benchmarks.bugs DATA [--time 60] [--parts bugs,healthy,judging] [--only adult,credit-g] [--runs FOLDER]

bugs: automl runs with a fault in it (planted/sitecustomize.py): each must stop the run (exit code 3) or be a finding of the
report. healthy: the sound code: no check of sanity may say stop or issue. Both count trials, as what is found does not hang on
the clock. judging: seconds that probes and checks took of a time budget, of which a quarter is the bound. Runs are kept in
FOLDER, and those that are there are not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PLANTED = Path(__file__).parent / "planted"
BUGS = {
    "labels shuffled": ("--only", "linear", "--only", "boosting"),
    "learning rate x1000": ("--only", "mlp"),
    "frozen net": ("--only", "mlp"),
    "features zeroed in serving": ("--only", "linear", "--only", "boosting"),
    "validation rows in training": ("--only", "boosting"),
    "seed not obeyed": ("--only", "boosting"),
}
"""The fault, and the options that make the faulty part what is chosen."""
COUNTED = ("--trials", "4", "--jobs", "1")
"""What is found does not hang on the clock."""
BUGGED = ("credit-g", "abalone")
HEALTHY = {
    "blood-transfusion-service-center": "Class",
    "credit-g": "class",
    "qsar-biodeg": "Class",
    "kr-vs-kp": "class",
    "sick": "Class",
    "car": "class",
    "cmc": "Contraceptive_method_used",
    "yeast": "class_protein_localization",
    "steel-plates-fault": "fault",
    "segment": "class",
    "abalone": "Class_Rings",
    "wine-quality": "quality",
}
"""Table to target."""
SOUND = ("--only", "linear", "--only", "boosting", "--only", "mlp")
JUDGING: dict[str, tuple[str, tuple[str, ...]]] = {
    "adult": ("class", ()),
    "adult, sensitive": ("class", ("--sensitive", "sex,race")),
    "credit-g": ("class", ()),
    "mfeat-factors": ("class", ()),
    "arrhythmia": ("class", ()),
}
"""Table (and what is asked for) to target and options; mfeat-factors has 216 columns, arrhythmia 279."""
SANITY = ("AML303", "AML320", "AML321", "AML322", "AML323", "AML324", "AML325")
ALARMS = (*SANITY, "AML203", "AML306")
"""Codes by which a planted bug is found."""
GRAVE = ("stop", "issue")


def table_of(name: str) -> str:
    return name.partition(",")[0]


def run(data: Path, name: str, target: str, options: tuple[str, ...], out: Path, bug: str = "") -> dict[str, Any]:
    """What came of `automl fit`: its exit code, findings and seconds. A run that is there is only read."""
    kept = out / "outcome.json"
    if not kept.is_file():
        source = data / table_of(name) / "data.csv"
        command = [sys.executable, "-m", "automl", "fit", str(source), "--target", target, *options]
        paths = [str(PLANTED), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PLANTED_BUG": bug, "PYTHONPATH": os.pathsep.join(filter(None, paths))} if bug else None
        started = time.perf_counter()
        ended = subprocess.run(
            [*command, "--out", str(out / "run")], env=environment, capture_output=True, text=True, check=False
        )
        found = {"exit_code": ended.returncode, "seconds": time.perf_counter() - started, "said": ended.stderr[-2000:]}
        out.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(found), encoding="utf-8")
    outcome: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    for key, file in (("findings", "findings.json"), ("timing", "timing.json"), ("evidence", "evidence.json")):
        path = out / "run" / file
        outcome[key] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return outcome


def of_severity(outcome: dict[str, Any], codes: tuple[str, ...], severities: tuple[str, ...]) -> list[str]:
    """`AML323 stop` of the findings with these codes and severities."""
    return [
        f"{each['code']} {each['severity']}"
        for each in outcome["findings"]
        if each["code"] in codes and each["severity"] in severities
    ]


def bugs(data: Path, names: list[str], runs: Path) -> None:
    print("| planted | table | exit code | findings | |\n|---|---|---|---|---|")
    found = 0
    for bug, options in BUGS.items():
        for name in names:
            outcome = run(data, name, HEALTHY[name], (*options, *COUNTED), runs / f"{bug}, {name}".replace(" ", "-"), bug)
            told = of_severity(outcome, ALARMS, (*GRAVE, "tip"))
            noticed = outcome["exit_code"] == 3 or bool(of_severity(outcome, ALARMS, GRAVE))
            found += noticed
            why = ", ".join(told) or outcome["said"][-120:].strip()
            verdict = "found" if noticed else "MISSED"
            print(f"| {bug} | {name} | {outcome['exit_code']} | {why} | {verdict} |", flush=True)
    print(f"found {found} of {len(BUGS) * len(names)}\n")


def healthy(data: Path, names: list[str], runs: Path) -> None:
    print("| table | chosen | accused | made of sanity | likely wrong labels |\n|---|---|---|---|---|")
    accused = 0
    for name in names:
        outcome = run(data, name, HEALTHY[name], (*SOUND, *COUNTED), runs / f"healthy-{name}")
        alarms = of_severity(outcome, SANITY, GRAVE)
        accused += bool(alarms)
        made = [
            each["code"][-3:] for each in outcome["findings"] if each["code"] in SANITY and each["severity"] != "not applicable"
        ]
        labels = [f"{each['numbers']['share']['value']:.2%}" for each in outcome["findings"] if "share" in labels_of(each)]
        tip = " (tip)" * bool(of_severity(outcome, ("AML120",), ("tip",)))
        chosen = outcome["evidence"].get("champion", outcome["said"][-80:].strip())
        print(f"| {name} | {chosen} | {', '.join(alarms) or 'nothing'} | {' '.join(made)} | {''.join(labels)}{tip} |", flush=True)
    print(f"accused {accused} of {len(names)}\n")


def labels_of(finding: dict[str, Any]) -> dict[str, Any]:
    return finding["numbers"] if finding["code"] == "AML120" else {}


def judging(data: Path, names: list[str], seconds: float, runs: Path) -> None:
    print(
        "| table | probes, s | checks, s | share of the budget | not run | cut short | whole, s |\n|---|---|---|---|---|---|---|"
    )
    for name in names:
        target, options = JUDGING[name]
        place = runs / f"judging-{name.replace(', ', '-')}-{seconds:g}"
        outcome = run(data, name, target, ("--time", f"{seconds:g}", *options), place)
        numbers: dict[str, Any] = next((each["numbers"] for each in outcome["findings"] if each["code"] == "AML901"), {})
        left = [int(numbers.get(key, {"value": 0})["value"]) for key in ("not_run", "cut_short")]
        took = outcome["timing"].get("seconds", {})
        parts = [took.get(key, float("nan")) for key in ("probe", "judge")]
        print(
            f"| {name} | {parts[0]:.1f} | {parts[1]:.1f} | {sum(parts) / seconds:.3f} | {left[0]} | {left[1]}"
            f" | {outcome['seconds']:.1f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--time", type=float, default=60.0)
    parser.add_argument("--parts", default="bugs,healthy,judging")
    parser.add_argument("--only", help="names of tables, separated by semicolons")
    parser.add_argument("--runs", type=Path)
    given = parser.parse_args()
    runs = given.runs or Path(tempfile.mkdtemp(prefix="bugs-"))
    chosen = given.only.split(";") if given.only else None
    if "bugs" in given.parts:
        bugs(given.data, [name for name in BUGGED if chosen is None or name in chosen], runs)
    if "healthy" in given.parts:
        healthy(given.data, [name for name in HEALTHY if chosen is None or name in chosen], runs)
    if "judging" in given.parts:
        judging(given.data, [name for name in JUDGING if chosen is None or name in chosen], given.time, runs)


if __name__ == "__main__":
    main()
