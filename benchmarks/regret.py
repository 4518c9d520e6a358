"""How often the ladder stopped below its best rung, and what that cost and saved.

    python -m benchmarks.regret RUNS... [--json]

RUNS are run folders, or folders that hold some (`python -m benchmarks.versus --keep FOLDER` leaves them). The rungs are compared
by the scores that the decisions rest on, those on fresh folds (or on the search folds, where there was no time for fresh ones):
the regret is what the better rung promised, noise included, and so rather more than what was lost.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from automl.core.metrics import metric


@dataclass(frozen=True)
class Regret:
    """One run. regret: how much better `best` was than `chosen` on its folds, in the metric's unit; 0 where they agree.

    folds: "fresh" or "search".

    share: the regret as a part of what `best` gains over the lowest rung. stopped_early: `best` is a higher rung than `chosen`.
    Saved by not taking `best`, None where not measured: seconds of its cross-validated fit, bytes, milliseconds a row.
    """

    run: str
    metric: str
    folds: str
    chosen: str
    best: str
    stopped_early: bool
    regret: float
    share: float
    saved_seconds: float | None
    saved_bytes: float | None
    saved_milliseconds: float | None


def compared(evidence: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Which folds, and each rung's score and price on them, the lowest rung first.

    The fresh folds where every rung that was decided on came to them, else the best trial of each rung on the search folds.
    """
    decided = {decision[side] for decision in evidence["decisions"] for side in ("candidate", "incumbent")}
    if decided <= {final["architecture"] for final in evidence["finals"]}:
        return "fresh", evidence["finals"]
    scored, best = metric(evidence["metric"]), dict[str, dict[str, Any]]()
    for trial in evidence["trials"]:
        if trial["score"] is None:
            continue
        known = best.get(trial["architecture"])
        if known is None or scored.gain(trial["score"], known["score"]) > 0:
            unknown = dict.fromkeys(("seconds", "size_bytes", "row_milliseconds"))
            best[trial["architecture"]] = {"architecture": trial["architecture"], "score": trial["score"], **unknown}
    return "search", list(best.values())


def regret_of(name: str, evidence: dict[str, Any]) -> Regret | None:
    """Of one evidence.json; None where fewer than two rungs, or not the chosen one, have a score."""
    folds, finals = compared(evidence)
    rungs = [final["architecture"] for final in finals]
    if len(finals) < 2 or evidence["champion"] not in rungs:
        return None
    scored = metric(evidence["metric"])
    chosen = finals[rungs.index(evidence["champion"])]
    best = max(finals, key=lambda final: (scored.gain(final["score"], chosen["score"]), final is chosen))
    regret, whole = (scored.gain(best["score"], other["score"]) for other in (chosen, finals[0]))

    def saved(figure: str) -> float | None:
        if best[figure] is None or chosen[figure] is None:
            return None
        return float(best[figure] - chosen[figure])

    return Regret(
        run=name,
        metric=evidence["metric"],
        folds=folds,
        chosen=chosen["architecture"],
        best=best["architecture"],
        stopped_early=rungs.index(best["architecture"]) > rungs.index(chosen["architecture"]),
        regret=regret,
        share=regret / whole if whole > 0 else 0.0,
        saved_seconds=saved("seconds"),
        saved_bytes=saved("size_bytes"),
        saved_milliseconds=saved("row_milliseconds"),
    )


def evidence_files(places: list[Path]) -> list[Path]:
    """evidence.json of every run folder in or directly below the places."""
    return sorted({path for place in places for pattern in ("evidence.json", "*/evidence.json") for path in place.glob(pattern)})


def summary(regrets: list[Regret]) -> dict[str, Any]:
    """Counts, and medians over the runs that stopped early."""
    early = [each for each in regrets if each.stopped_early]

    def middle(figure: str) -> float | None:
        known = [value for each in early if (value := getattr(each, figure)) is not None]
        return statistics.median(known) if known else None

    return {
        "runs": len(regrets),
        "stopped_early": len(early),
        "took_too_high_a_rung": sum(each.best != each.chosen and not each.stopped_early for each in regrets),
        "mean_share": statistics.mean(each.share for each in regrets) if regrets else None,
        **{f"median_{figure}": middle(figure) for figure in ("share", "saved_seconds", "saved_bytes", "saved_milliseconds")},
    }


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    files = evidence_files(options.runs)
    found = [regret_of(path.parent.name, json.loads(path.read_text(encoding="utf-8"))) for path in files]
    regrets = [each for each in found if each is not None]
    told = summary(regrets)
    if options.json:
        print(json.dumps({"summary": told, "runs": [asdict(each) for each in regrets]}, indent=1))
        return
    names = f"{'run':44} {'metric':9} {'folds':6} {'chosen':14} {'best':14}"
    print(f"{names} {'regret':>9} {'share':>6} {'saved: s':>9} {'kB':>9} {'ms a row':>9}")
    for each in regrets:
        size = None if each.saved_bytes is None else each.saved_bytes / 1e3
        print(
            f"{each.run:44} {each.metric:9} {each.folds:6} {each.chosen:14} {each.best:14} {each.regret:9.4g} {each.share:6.1%} "
            f"{_shown(each.saved_seconds, '9.1f'):>9} {_shown(size, '9.1f'):>9} {_shown(each.saved_milliseconds, '9.3f'):>9}"
        )
    print(
        f"{told['runs']} of {len(files)} runs compared rungs; {told['stopped_early']} stopped below the best, "
        f"{told['took_too_high_a_rung']} took a higher one than the best; mean share {_shown(told['mean_share'], '.2%')}"
    )


if __name__ == "__main__":
    main()
