"""Wall-clock seconds of the whole `automl fit` command against its --time, start-up and report included.

    python -m benchmarks.deadline DATA [--times 20,60,300] [--only adult,credit-g]

Bounds: 110 % at 20 s, 105 % from 60 s.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGETS = {"adult": "class", "credit-g": "class", "diamonds": "price", "nycflights13": "arr_delay", "labor": "class"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--times", default="20,60,300")
    parser.add_argument("--only", default="adult,credit-g,diamonds")
    options = parser.parse_args()
    print("data            --time   seconds   share   bound")
    for name in options.only.split(","):
        for budget in map(float, options.times.split(",")):
            with tempfile.TemporaryDirectory() as folder:
                source = next((options.data / name).glob("data.*"))
                command = [sys.executable, "-m", "automl", "fit", str(source), "--target", TARGETS[name]]
                command += ["--time", f"{budget:g}", "--out", f"{folder}/run", "--quiet"]
                started = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                elapsed = time.perf_counter() - started
            bound = 1.10 if budget < 60 else 1.05
            verdict = "ok" if elapsed <= bound * budget else "OVER"
            print(f"{name:15} {budget:6g} {elapsed:9.1f} {elapsed / budget:7.1%}   {bound:.0%} {verdict}", flush=True)


if __name__ == "__main__":
    main()
