"""What the lines of results say: versus.md, versus.json and a critical-difference picture a budget.

    python -m benchmarks.versus.report [--results FILE] [--out FOLDER]

Ranks: the mean score over the splits of a data set, ranked within the data set; only data sets and splits on which every ranked
system was run count. A failed or killed cell makes its system last on that data set.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import RANKED, SYSTEMS
from benchmarks.versus.cells import gain, read_lines
from benchmarks.versus.picture import critical_difference_svg
from benchmarks.versus.ranks import Comparison, compare, ranks_within

Line = dict[str, Any]
REFERENCE = "autogluon-best"
"""The system whose latency ours is compared with."""
SCORES = {"score": "all test rows", "score_unseen": "test rows whose features no training row has"}


def complete_blocks(lines: list[Line], systems: tuple[str, ...]) -> dict[str, dict[str, list[Line]]]:
    """Data set -> system -> its lines, on the splits that every one of `systems` has."""
    ran: dict[tuple[str, int], dict[str, Line]] = {}
    for line in lines:
        if line["system"] in systems:
            ran.setdefault((line["data"], line["split"]), {})[line["system"]] = line
    blocks: dict[str, dict[str, list[Line]]] = {}
    for (data, _), by_system in sorted(ran.items()):
        if len(by_system) == len(systems):
            for system in systems:
                blocks.setdefault(data, {}).setdefault(system, []).append(by_system[system])
    return blocks


def mean_score(lines: list[Line], score: str = "score") -> float:
    """NaN where one of them failed."""
    return float(np.mean([line.get(score) if line["status"] == "ok" else np.nan for line in lines]))


def gains_of(blocks: dict[str, dict[str, list[Line]]], systems: tuple[str, ...], score: str = "score") -> np.ndarray:
    """(data sets, systems) mean scores, greater is better."""
    table = []
    for by_system in blocks.values():
        metric_name = by_system[systems[0]][0]["metric"]
        table.append([gain(metric_name, mean_score(by_system[system], score), 0.0) for system in systems])
    return np.array(table)


def comparison_of(lines: list[Line], systems: tuple[str, ...], score: str = "score") -> Comparison | None:
    """None where there are fewer than two systems or no data set that all of them ran on."""
    blocks = complete_blocks(lines, systems)
    if len(systems) < 2 or not blocks:
        return None
    return compare(systems, gains_of(blocks, systems, score))


def losses(lines: list[Line]) -> list[dict[str, Any]]:
    """Every cell of ours that the best of the other ranked systems beats on the same split, the widest share first.

    share: the loss as a part of the distance between the best and the worst ranked system of that split.
    """
    by_split: dict[tuple[str, int], list[Line]] = {}
    for line in lines:
        if line["system"] in RANKED and line["status"] == "ok":
            by_split.setdefault((line["data"], line["split"]), []).append(line)
    found = []
    for (data, split), group in by_split.items():
        metric_name = group[0]["metric"]
        ordered = sorted(group, key=lambda line: -gain(metric_name, line["score"], 0.0))
        winner = next((line for line in ordered if not line["system"].startswith("ours")), None)
        for line in ordered:
            if winner is None or not line["system"].startswith("ours"):
                continue
            distance = gain(metric_name, winner["score"], line["score"])
            if distance > 0:
                lost = {"data": data, "split": split, "metric": metric_name, "ours": line["system"], "our_score": line["score"]}
                share = distance / gain(metric_name, ordered[0]["score"], ordered[-1]["score"])
                found.append({**lost, "winner": winner["system"], "score": winner["score"], "share": share})
    return sorted(found, key=lambda each: -each["share"])


def typical(lines: Iterable[Line], read: Callable[[Line], float | None]) -> float | None:
    """The median over the lines that have this figure."""
    known = [value for line in lines if (value := read(line)) is not None]
    return statistics.median(known) if known else None


def costs(lines: list[Line]) -> dict[str, Any]:
    """Medians over the cells of one system; the worst overrun in seconds, of the call or command that was given the budget."""
    done = [line for line in lines if line["status"] == "ok"]
    over = [line["fit_seconds"] - line["budget_seconds"] for line in done]
    return {
        "cells": len(lines),
        "failed": len(lines) - len(done),
        "ready_seconds": typical(done, lambda line: line["ready_seconds"]),
        "fit_seconds": typical(done, lambda line: line["fit_seconds"]),
        "worst_overrun_seconds": max(over, default=None),
        "peak_bytes": typical(done, lambda line: line["peak_bytes"]),
        "artifact_bytes": typical(done, lambda line: line["artifact_bytes"]),
        "row_milliseconds": typical(done, lambda line: line["row_milliseconds"]),
        "row_milliseconds_quickest": typical(done, lambda line: line.get("row_milliseconds_quickest", line["row_milliseconds"])),
        "rows_a_second": typical(done, lambda line: line["rows_a_second"]),
    }


def latency_ratios(lines: list[Line]) -> dict[str, dict[str, float]]:
    """Of each of our systems: how many times faster than the reference one row is, on the same data and split."""
    reference = {(line["data"], line["split"]): line for line in lines if line["system"] == REFERENCE and line["status"] == "ok"}
    found: dict[str, dict[str, float]] = {}
    for system in sorted({line["system"] for line in lines if line["system"].startswith("ours")}):
        pairs = [
            (line, reference[line["data"], line["split"]])
            for line in lines
            if line["system"] == system and line["status"] == "ok" and (line["data"], line["split"]) in reference
        ]
        if pairs:
            frames = [theirs["row_milliseconds"] / ours["row_milliseconds"] for ours, theirs in pairs]
            quickest = [theirs["row_milliseconds"] / ours["row_milliseconds_quickest"] for ours, theirs in pairs]
            found[system] = {
                "cells": len(pairs),
                "frame_median": statistics.median(frames),
                "frame_least": min(frames),
                "dict_median": statistics.median(quickest),
                "dict_least": min(quickest),
            }
    return found


def duels(lines: list[Line]) -> dict[str, dict[str, Any]]:
    """Of each of our systems against the reference one: on how many data sets its mean over the shared splits is better."""
    scores = {(line["data"], line["split"], line["system"]): line for line in lines if line["status"] == "ok"}
    found: dict[str, dict[str, Any]] = {}
    for system in sorted({line["system"] for line in lines if line["system"].startswith("ours")}):
        by_set: dict[str, list[float]] = {}
        for (data, split, name), line in scores.items():
            theirs = scores.get((data, split, REFERENCE))
            if name == system and theirs is not None:
                by_set.setdefault(data, []).append(gain(line["metric"], line["score"], theirs["score"]))
        means = {data: statistics.mean(gains) for data, gains in by_set.items()}
        if means:
            better, worse = (sorted(data for data, mean in means.items() if sign * mean > 0) for sign in (1, -1))
            found[system] = {"data_sets": len(means), "better": better, "worse": worse}
    return found


def yardsticks(lines: list[Line]) -> dict[str, dict[str, Any]]:
    """Of each system, the median seconds of the fixed piece of work before its cells, and how many of them tell it."""
    known: dict[str, list[float]] = {line["system"]: [] for line in lines}
    for line in lines:
        known[line["system"]] += [line["yardstick_seconds"]] if "yardstick_seconds" in line else []
    return {
        name: {
            "median": statistics.median(told) if told else None,
            "told": len(told),
            "cells": sum(each["system"] == name for each in lines),
        }
        for name, told in known.items()
    }


def part_of(lines: list[Line]) -> dict[str, Any]:
    """Everything that is told about one budget and treatment of duplicates, as numbers."""
    systems = tuple(name for name in SYSTEMS if any(line["system"] == name for line in lines))
    ranked = tuple(name for name in RANKED if name in systems)
    told = {score: comparison_of(lines, ranked, score) for score in SCORES}
    per_set: dict[str, Any] = {}
    for line in lines:
        entry = per_set.setdefault(line["data"], {"metric": line["metric"], "rows": sum(line["rows"]), "systems": {}})
        entry["systems"].setdefault(line["system"], []).append(line)
    for entry in per_set.values():
        shared = set.intersection(*({line["split"] for line in own} for own in entry["systems"].values()))
        for system, every in entry["systems"].items():
            own = [line for line in every if line["split"] in shared]
            scores = [line["score"] for line in own if line["status"] == "ok"]
            spread = statistics.stdev(scores) if len(scores) > 1 else None
            mean = statistics.mean(scores) if scores else None
            entry["systems"][system] = {"mean": mean, "deviation": spread, "splits": len(own), "failed": len(own) - len(scores)}
    return {
        "systems": systems,
        "ranked": ranked,
        "comparisons": told,
        "wins": wins(lines, ranked),
        "costs": {system: costs([line for line in lines if line["system"] == system]) for system in systems},
        "scores": dict(sorted(per_set.items(), key=lambda item: item[1]["rows"])),
        "losses": losses(lines),
        "latency_ratios": latency_ratios(lines),
        "duels": duels(lines),
        "yardsticks": yardsticks(lines),
        "failures": [
            {name: line[name] for name in ("system", "data", "split", "status", "message")}
            for line in lines
            if line["status"] != "ok"
        ],
        "versions": {system: versions(lines, system) for system in systems},
    }


def wins(lines: list[Line], ranked: tuple[str, ...]) -> dict[str, int]:
    """On how many data sets each ranked system is first, ties included."""
    blocks = complete_blocks(lines, ranked)
    first = ranks_within(gains_of(blocks, ranked)) if blocks else np.empty((0, len(ranked)))
    return {system: int(sum(row[index] == row.min() for row in first)) for index, system in enumerate(ranked)}


def versions(lines: list[Line], system: str) -> list[str]:
    found = set()
    for line in lines:
        if line["system"] == system and line["status"] == "ok":
            shown = ", ".join(f"{name} {number}" for name, number in line["versions"].items())
            found.add(f"commit {line['code']}, {shown}" if system.startswith("ours") else shown)
    return sorted(found)


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows)]
    return [*lines, ""]


def _number(value: float | None, form: str = ",.1f", scale: float = 1.0) -> str:
    return "" if value is None else format(value * scale, form)


def _cost_rows(part: dict[str, Any]) -> list[list[str]]:
    comparison = part["comparisons"]["score"]
    ranks = dict(zip(comparison.systems, comparison.mean_ranks, strict=True)) if comparison else {}
    rows = []
    for system in sorted(part["systems"], key=lambda name: (ranks.get(name, np.inf), name)):
        cost = part["costs"][system]
        rows.append(
            [
                system,
                _number(ranks.get(system), ".2f"),
                str(part["wins"].get(system, "")),
                f"{cost['cells']}" + (f" ({cost['failed']} failed)" if cost["failed"] else ""),
                _number(cost["ready_seconds"]),
                _number(cost["worst_overrun_seconds"], "+,.1f"),
                _number(cost["peak_bytes"], ",.0f", 1e-6),
                _number(cost["artifact_bytes"], ",.2f", 1e-6),
                _number(cost["row_milliseconds"], ",.2f"),
                _number(cost["rows_a_second"], ",.0f"),
            ]
        )
    return rows


def _score_rows(part: dict[str, Any]) -> list[list[str]]:
    rows = []
    for data, entry in part["scores"].items():
        known = {system: own["mean"] for system, own in entry["systems"].items() if own["mean"] is not None}
        best = max((gain(entry["metric"], mean, 0.0) for mean in known.values()), default=None)
        cells = []
        for system in part["systems"]:
            own = entry["systems"].get(system)
            if own is None or own["mean"] is None:
                cells.append("" if own is None else "failed")
                continue
            form = ".4f" if entry["metric"] != "rmse" else ".4g"
            words = f"{own['mean']:{form}}" + (f" ± {own['deviation']:.2g}" if own["deviation"] is not None else "")
            words += f" ({own['failed']} failed)" if own["failed"] else ""
            cells.append(f"**{words}**" if gain(entry["metric"], own["mean"], 0.0) == best else words)
        splits = max(own["splits"] for own in entry["systems"].values())
        rows.append([data, f"{entry['rows']:,}", str(splits), entry["metric"], *cells])
    return rows


def _comparison_words(part: dict[str, Any], picture: str | None) -> list[str]:
    words = []
    for score, title in SCORES.items():
        comparison = part["comparisons"][score]
        if comparison is None:
            continue
        order = sorted(zip(comparison.mean_ranks, comparison.systems, strict=True))
        ranking = ", ".join(f"{system} {rank:.2f}" for rank, system in order)
        words.append(
            f"Mean ranks on {title}, {comparison.data_sets} data sets: {ranking}. Friedman p {comparison.friedman_p:.3g}; "
            f"critical difference {comparison.critical_difference:.2f} (Nemenyi, {comparison.alpha:.2f})."
        )
    comparison = part["comparisons"]["score"]
    if comparison is not None:
        apart = [f"{better} before {worse} (p {p:.3g})" for better, worse, _, p in comparison.pairs if p < comparison.alpha]
        words.append(f"Apart by Wilcoxon's test after Holm: {'; '.join(apart) or 'no pair'}.")
        words.append(f"![Mean ranks and critical difference]({picture})")
    return [line for word in words for line in (word, "")]


def _markdown(part: dict[str, Any], title: str, picture: str | None) -> list[str]:
    lines = [f"## {title}", "", *_comparison_words(part, picture)]
    header = ["system", "mean rank", "first on", "cells", "ready, s", "worst overrun, s", "peak, MB", "saved, MB", "one row, ms"]
    lines += _table([*header, "rows a second"], _cost_rows(part))
    lines += _table(["data", "rows", "splits", "metric", *part["systems"]], _score_rows(part))
    for system, duel in part["duels"].items():
        lines += [
            f"{system} beside {REFERENCE} on the {duel['data_sets']} data sets that both have: better on {len(duel['better'])}, "
            f"worse on {len(duel['worse'])} ({', '.join(duel['worse']) or 'none'}).",
            "",
        ]
    for system, ratio in part["latency_ratios"].items():
        lines += [
            f"One row, {system} beside {REFERENCE} on the same {ratio['cells']} cells: {ratio['frame_median']:,.0f} times faster "
            f"at the median from a data frame (least {ratio['frame_least']:,.0f}), {ratio['dict_median']:,.0f} times from a dict "
            f"(least {ratio['dict_least']:,.0f}).",
            "",
        ]
    lines += _yardstick_words(part["yardsticks"])
    if part["losses"]:
        lines += [f"{_lost(part)} The widest first (share: of the distance between the best and the worst system there):", ""]
        rows = [
            [
                each["data"],
                str(each["split"]),
                each["metric"],
                f"{each['winner']} {each['score']:.5g}",
                f"{each['ours']} {each['our_score']:.5g}",
                f"{each['share']:.0%}",
            ]
            for each in part["losses"]
        ]
        lines += _table(["data", "split", "metric", "best", "ours", "share"], rows)
    for failure in part["failures"]:
        message = " ".join(failure["message"].split())
        lines += [f"- {failure['status']}: {failure['system']} on {failure['data']}, split {failure['split']}: {message}"]
    lines += [""] if part["failures"] else []
    lines += [f"- {system}: {shown}" for system, own in part["versions"].items() for shown in own]
    return [*lines, ""]


def _yardstick_words(yardsticks: dict[str, dict[str, Any]]) -> list[str]:
    told = [
        f"{name} {1000 * each['median']:.1f} ms ({each['told']} of {each['cells']})"
        for name, each in yardsticks.items()
        if each["told"]
    ]
    if not told:
        return []
    words = f"A fixed piece of work took, at the median before the cells that tell it: {', '.join(told)}."
    if any(each["told"] < each["cells"] for each in yardsticks.values()):
        words += " Others were measured on another day, perhaps on a faster or slower machine."
    return [words, ""]


def _lost(part: dict[str, Any]) -> str:
    """How many cells each of ours lost to the best of the others."""
    counts = {name: part["costs"][name] for name in part["ranked"] if name.startswith("ours")}
    lost = [
        f"{name} in {sum(each['ours'] == name for each in part['losses'])} of {cost['cells'] - cost['failed']} cells"
        for name, cost in counts.items()
    ]
    return f"Another system was better than {', than '.join(lost)}."


NOTES = """# automl beside other systems

Written by `python -m benchmarks.versus.report` from [versus.jsonl](versus.jsonl), which `python -m benchmarks.versus` measures:
the same rows, splits (75/25, seeded), cores and seconds for every system, each cell a process of its own. Scores are means over
the splits that all systems have; ROC-AUC is better when high, log loss and RMSE when low. "ready" is the time from the start of
the process to the saved model, imports included (median); an overrun is what the call that was given the budget (of ours: the
whole command) took beyond it. Peak memory is that of the whole process tree. "one row" is the median of single calls with a data
frame of one row, the model loaded.
"""


def plain(value: Any) -> Any:
    """For JSON: comparisons as objects, no NaN."""
    if isinstance(value, Comparison):
        return plain(vars(value))
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write(results: Path, out: Path) -> None:
    """The report of a file of results into a folder. Raises SystemExit where there is no line."""
    lines = read_lines(results)
    if not lines:
        raise SystemExit(f"versus: {results} holds no results; python -m benchmarks.versus measures them")
    out.mkdir(parents=True, exist_ok=True)
    text, numbers = [NOTES], {}
    for budget, duplicates in sorted({(line["budget_seconds"], line["duplicates"]) for line in lines}):
        part = part_of([line for line in lines if (line["budget_seconds"], line["duplicates"]) == (budget, duplicates)])
        name = f"{budget:g}s" + ("" if duplicates == "across" else "-distinct")
        title = f"{budget:g} seconds" + ("" if duplicates == "across" else ", duplicate rows removed before the split")
        comparison = part["comparisons"]["score"]
        if comparison is not None:
            (out / f"versus-{name}.svg").write_text(critical_difference_svg(comparison), encoding="utf-8")
        text += _markdown(part, title, f"versus-{name}.svg")
        numbers[name] = plain(part)
    (out / "versus.md").write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")
    (out / "versus.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    from benchmarks.versus.__main__ import RESULTS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, help="by default beside the results")
    options = parser.parse_args()
    write(options.results, options.out or options.results.parent)


if __name__ == "__main__":
    main()
