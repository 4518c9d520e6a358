"""The rungs of a table side by side: each one's first trial on the same five folds of all rows, in one process.

    python -m benchmarks.nets DATA [--only car,yeast] [--rungs boosting,mlp,realmlp] [--time SECONDS] [--start 0]

DATA holds a folder a data set with data.csv; the targets are below. Prints score, seconds, CPU seconds of all threads and
stopping round of every rung; they include compiling where it is the first net of its kind. --time is the deadline of one
trial; --set '{"nets": 2}' changes settings. Published ten-fold results (default LightGBM and AutoGluon 1.0 after five
minutes, AutoML Benchmark 2023) stand beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from automl.core.clock import Deadline
from automl.core.options import Options
from automl.profiling import profile
from automl.reading import read
from automl.recommending import recommend
from automl.search.preparing import prepare
from automl.search.trial import run_trial, space_of

PUBLISHED = {
    "car": ("class", "log loss .036 and .006"),
    "segment": ("class", "log loss .077 and .054"),
    "steel-plates-fault": ("fault", "log loss .531 and .464"),
    "credit-g": ("class", "ROC-AUC .741 and .803"),
    "qsar-biodeg": ("Class", "ROC-AUC .926 and .941"),
    "california-housing": ("median_house_value", "RMSE .435 (1e5 dollars; tuned LightGBM) and .429 (TabM)"),
    "mfeat-factors": ("class", "log loss .124 and .071"),
    "yeast": ("class_protein_localization", "log loss 1.126 and .995"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=",".join(PUBLISHED))
    parser.add_argument("--rungs", default="boosting,mlp,realmlp,tabm")
    parser.add_argument("--time", type=float)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--set", type=json.loads, default={})
    options = parser.parse_args()
    for name in options.only.split(","):
        target, published = PUBLISHED[name]
        wanted = Options(target=target)
        dataset = read(str(options.data / name / "data.csv"))
        facts = profile(dataset, wanted)
        plan = recommend(facts, wanted)
        plan = replace(plan, split=replace(plan.split, sealed_fraction=0.0))
        context = prepare(dataset, facts, plan).context
        print(f"{name}: {facts.rows:,} rows; published {published}", flush=True)
        for rung in options.rungs.split(","):
            architecture = context.architecture(rung)
            settings = {**space_of(context, architecture).start(options.start), **options.set}
            started = time.process_time()
            outcome = run_trial(context, architecture, 0, settings, Deadline(options.time))
            trial = outcome.trial
            found = trial.message if trial.score is None else f"{plan.metric} {trial.score:.4f}"
            used = {key: trial.settings.get(key) for key in ("epochs", "nets", "members", "width", "batch_size")}
            cpu = time.process_time() - started
            print(f"  {rung:10} {found}  {outcome.seconds:6.1f} s  {cpu:6.1f} CPU s  round {trial.rounds}  {used}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
