"""The comparison with other systems: ranks and their tests, which cells are left, splits, watching, the report's numbers."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks import anchors
from benchmarks.peers import RANKED, SYSTEMS
from benchmarks.regret import regret_of, summary
from benchmarks.versus import cells, ranks
from benchmarks.versus.environments import REQUIREMENTS
from benchmarks.versus.measuring import yardstick_seconds
from benchmarks.versus.report import _markdown, complete_blocks, losses, part_of, write

ROOT = Path(__file__).parents[2]
gain_rows = st.lists(st.lists(st.integers(-4, 4), min_size=4, max_size=4), min_size=2, max_size=12)


@given(gain_rows)
@settings(max_examples=50, deadline=None)
def test_ranks_share_out_the_same_sum_and_depend_on_the_order_only(rows):
    gains = np.array(rows, float)
    found = ranks.ranks_within(gains)
    assert np.allclose(found.sum(axis=1), 10.0)
    assert np.array_equal(found, ranks.ranks_within(np.exp(gains)))
    assert np.allclose(found + ranks.ranks_within(-gains), 5.0)


def test_a_failed_system_is_last():
    assert ranks.ranks_within(np.array([[np.nan, -1e9, 0.0]])).tolist() == [[3.0, 2.0, 1.0]]


@pytest.mark.parametrize(("systems", "quantile"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_the_critical_difference_is_that_of_the_published_table(systems, quantile):
    expected = quantile * np.sqrt(systems * (systems + 1) / (6 * 14))
    assert ranks.nemenyi(systems, 14) == pytest.approx(expected, rel=1e-3)


@given(gain_rows)
@settings(max_examples=50, deadline=None)
def test_friedman_is_scipys_statistic_taken_to_f(rows):
    found = ranks.ranks_within(np.array(rows, float))
    if all(len(set(row)) == 1 for row in found.tolist()):
        assert ranks.friedman(found) == 1.0
        return
    statistic, count = stats.friedmanchisquare(*found.T).statistic, len(found)
    if statistic >= 3 * count - 1e-9:
        assert ranks.friedman(found) == pytest.approx(0.0, abs=1e-9)
    else:
        ratio = (count - 1) * statistic / (3 * count - statistic)
        assert ranks.friedman(found) == pytest.approx(stats.f.sf(ratio, 3, 3 * (count - 1)), abs=1e-9)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_between_the_raw_value_and_bonferroni(p_values):
    corrected = ranks.holm(p_values)
    for raw, p in zip(p_values, corrected, strict=True):
        assert raw <= p <= min(1.0, len(p_values) * raw) + 1e-12 or p == max(corrected)
    assert [corrected[i] for i in np.argsort(p_values, kind="stable")] == sorted(corrected)


def test_holm_on_a_worked_example():
    assert ranks.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_systems_far_apart_share_no_group():
    gains = np.tile([4.0, 3.0, 2.0, 1.0], (40, 1))
    comparison = ranks.compare(("a", "b", "c", "d"), gains)
    assert comparison.mean_ranks == (1.0, 2.0, 3.0, 4.0)
    assert comparison.groups == [] and comparison.friedman_p < 1e-6
    assert all(p < 0.05 for *_, p in comparison.pairs)
    few = ranks.compare(("a", "b", "c", "d"), gains[:2])
    assert few.groups == [(0, 3)] and all(p == pytest.approx(1.0) for *_, p in few.pairs)


TABLES = [cells.Table("small", "binary", "y", 200), cells.Table("large", "regression", "y", 20_000)]


def result(system: str, data: str, split: int, score: float | None, metric: str = "roc_auc", **further) -> dict:
    line = {"system": system, "data": data, "split": split, "budget_seconds": 60.0, "duplicates": "across", "metric": metric}
    line |= {"rows": [75, 25], "status": "ok", "score": score, "score_unseen": score, "code": "abc", "versions": {"python": "3"}}
    line |= {"ready_seconds": 61.0, "fit_seconds": 58.0, "peak_bytes": 10**8, "artifact_bytes": 10**6, "rows_a_second": 1e4}
    line |= {"row_milliseconds": 0.2 if system.startswith("ours") else 100.0, **further}
    if system.startswith("ours"):
        line["row_milliseconds_quickest"] = 0.1
    return line if score is not None else line | {"status": "failed", "message": "it fell over"}


def test_small_tables_get_more_splits_and_every_cell_is_planned_once():
    planned = cells.plan(["flaml", "mljar"], TABLES, None, 60.0, "across")
    assert len(planned) == len(set(planned)) == 2 * (cells.SMALL_SPLITS + cells.SPLITS)
    assert [cell.split for cell in planned] == sorted(cell.split for cell in planned)


def test_measured_cells_are_skipped_and_only_they(tmp_path):
    path, planned = tmp_path / "results" / "versus.jsonl", cells.plan(["flaml", "mljar"], TABLES, range(2), 60.0, "across")
    assert cells.still_to_do(planned, cells.read_lines(path)) == planned
    cells.append_line(path, result("mljar", "small", 0, 0.7))
    cells.append_line(path, result("flaml", "large", 1, None))
    left = cells.still_to_do(planned, cells.read_lines(path))
    assert set(planned) - set(left) == {cells.Cell("mljar", "small", 0, 60.0), cells.Cell("flaml", "large", 1, 60.0)}
    retried = cells.still_to_do(planned, cells.read_lines(path), lambda line: line["status"] != "ok")
    assert set(planned) - set(retried) == {cells.Cell("mljar", "small", 0, 60.0)}
    other_budget = cells.plan(["mljar"], TABLES, range(1), 300.0, "across")
    assert cells.still_to_do(other_budget, cells.read_lines(path)) == other_budget


def test_a_torn_line_costs_its_own_cell_only_and_the_last_measurement_counts(tmp_path):
    path = tmp_path / "versus.jsonl"
    cells.append_line(path, result("mljar", "small", 0, 0.7))
    with open(path, "a") as file:
        file.write(json.dumps(result("flaml", "small", 0, 0.8))[:50])
    cells.append_line(path, result("mljar", "small", 0, 0.9))
    assert [line["score"] for line in cells.read_lines(path)] == [0.9]


def test_a_split_is_a_partition_that_a_seed_repeats_and_a_lone_class_is_trained_on():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.integers(0, 5, 101).astype(str), "y": ["a"] * 60 + ["b"] * 40 + ["c"]})
    table = cells.Table("t", "multiclass", "y", 101)
    train, test = cells.split_rows(frame, table, 3)
    assert sorted([*train.index, *test.index]) == list(range(101))
    assert "c" in set(train["y"]) and test["y"].value_counts().to_dict() == {"a": 15, "b": 10}
    assert cells.split_rows(frame, table, 3)[1].index.equals(test.index)
    assert not cells.split_rows(frame, table, 4)[1].index.equals(test.index)
    known = set(train["x"])
    assert cells.unseen(train, test, "y").tolist() == [value not in known for value in test["x"]]


def test_rows_are_the_text_of_the_file_without_dropped_columns_and_optionally_without_duplicates(tmp_path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "data.csv").write_text("id,x,y\n1,007,a\n2,007,a\n3,,b\n4,1.50,\n")
    table = cells.Table("t", "binary", "y", 4, drop=("id",))
    assert cells.read_rows(tmp_path, table).to_numpy().tolist() == [["007", "a"], ["007", "a"], ["", "b"]]
    assert len(cells.read_rows(tmp_path, table, "removed")) == 2


def test_scores_refuse_what_is_no_prediction():
    table, truth = cells.Table("t", "binary", "y", 4), pd.Series(["no", "yes", "yes"])
    right = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    assert cells.score(table, ["no", "yes"], truth, right) == 1.0
    with pytest.raises(ValueError, match="not finite"):
        cells.score(table, ["no", "yes"], truth, right * np.nan)
    with pytest.raises(ValueError, match="shape"):
        cells.score(table, ["no", "yes"], truth, right[:, 0])


WATCHED = """
import sys, os, json
from pathlib import Path
from benchmarks.versus.measuring import descendants, watch
done = watch([sys.executable, "-c", sys.argv[2]], Path(sys.argv[1]), os.environ, float(sys.argv[3]))
print(json.dumps([done.wall_seconds, done.peak_bytes, done.return_code, done.killed, descendants(os.getpid())]))
"""
DAEMON = "import subprocess, sys; subprocess.Popen(['sleep', '60'], start_new_session=True); block = b'x' * (80 << 20); "


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the process tree is read from /proc")
@pytest.mark.parametrize(("ending", "killed"), [("__import__('time').sleep(60)", True), ("sys.exit(3)", False)])
def test_a_watched_process_ends_in_time_with_all_that_it_started(tmp_path, ending, killed):
    pause = "__import__('time').sleep(0.7); "
    command = [sys.executable, "-c", WATCHED, str(tmp_path), DAEMON + pause + ending, "1.5" if killed else "30"]
    seconds, peak, code, ended, left = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    assert left == [] and ended is killed and code == (-9 if killed else 3)
    assert peak > 80 << 20
    assert 1.5 <= seconds < 30 if killed else seconds < 30


def test_only_blocks_that_every_system_ran_are_compared_and_losses_are_named():
    lines = [result(system, "small", 0, 0.9 - 0.1 * place) for place, system in enumerate(("flaml", "ours-best", "mljar"))]
    lines += [result("flaml", "other", 0, 0.9), result("ours-best", "other", 0, 0.95)]
    assert list(complete_blocks(lines, ("flaml", "ours-best", "mljar"))) == ["small"]
    assert list(complete_blocks(lines, ("flaml", "ours-best"))) == ["other", "small"]
    (loss,) = losses(lines)
    assert (loss["data"], loss["winner"], loss["ours"], loss["share"]) == ("small", "flaml", "ours-best", pytest.approx(0.5))
    assert "than ours-best in 1 of 2 cells" in "\n".join(_markdown(part_of(lines), "", ""))
    lower = [result("flaml", "low", 0, 0.2, "log_loss"), result("ours-best", "low", 0, 0.3, "log_loss")]
    assert [each["winner"] for each in losses(lower)] == ["flaml"]
    assert part_of(lines)["latency_ratios"] == {}


def test_scores_are_means_over_the_splits_that_all_systems_have():
    lines = [result(system, "small", 0, score) for system, score in (("flaml", 0.8), ("ours-best", 0.9))]
    lines += [result("flaml", "small", 1, 0.4), result("mljar", "other", 3, 0.7)]
    scores = part_of(lines)["scores"]
    assert scores["small"]["systems"]["flaml"] == {"mean": 0.8, "deviation": None, "splits": 1, "failed": 0}
    assert scores["other"]["systems"]["mljar"]["mean"] == 0.7
    (apart,) = (part_of([*lines[:1], result("mljar", "small", 2, 0.7)])["scores"][each] for each in ("small",))
    assert {each["splits"] for each in apart["systems"].values()} == {0}


def test_ours_are_held_against_the_reference_on_the_sets_that_both_have():
    lines = [result("ours-best", "won", 0, 0.9), result("autogluon-best", "won", 0, 0.8), result("ours-best", "alone", 0, 0.9)]
    lines += [result("ours-best", "low", split, 0.3, "log_loss") for split in (0, 1)]
    lines += [result("autogluon-best", "low", split, each, "log_loss") for split, each in ((0, 0.2), (1, 0.35), (2, 0.9))]
    lines += [result("ours-best", "even", 0, 0.5), result("autogluon-best", "even", 0, 0.5)]
    duel = part_of(lines)["duels"]["ours-best"]
    assert duel == {"data_sets": 3, "better": ["won"], "worse": ["low"]}
    assert "on the 3 data sets that both have: better on 1, worse on 1 (low)" in "\n".join(_markdown(part_of(lines), "", ""))


def test_cells_of_slower_machines_are_told_apart():
    lines = [result("ours-best", "one", 0, 0.9) | {"yardstick_seconds": 0.02}, result("ours-best", "two", 0, 0.9)]
    lines += [result("mljar", "one", 0, 0.8)]
    part = part_of(lines)
    assert part["yardsticks"]["ours-best"] == {"median": 0.02, "told": 1, "cells": 2}
    assert "ours-best 20.0 ms (1 of 2). Others" in "\n".join(_markdown(part, "", ""))
    assert 0.001 < yardstick_seconds() < 5.0


def test_the_report_tells_ranks_failures_and_latency_and_draws_the_picture(tmp_path):
    lines = [
        result(system, f"set{number}", split, None if (system, number) == ("mljar", 2) else 0.9 - 0.01 * place)
        for number, split, (place, system) in itertools.product(range(4), range(2), enumerate(RANKED))
    ]
    for line in lines:
        cells.append_line(tmp_path / "versus.jsonl", line)
    write(tmp_path / "versus.jsonl", tmp_path)
    numbers = json.loads((tmp_path / "versus.json").read_text())["60s"]
    assert numbers["comparisons"]["score"]["mean_ranks"] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert numbers["wins"]["ours-balanced"] == 4 and numbers["costs"]["mljar"]["failed"] == 2
    assert numbers["latency_ratios"]["ours-best"]["frame_median"] == pytest.approx(500)
    text = (tmp_path / "versus.md").read_text()
    assert "failed: mljar on set2, split 1: it fell over" in text and "versus-60s.svg" in text
    words = ["".join(each.itertext()) for each in ElementTree.parse(tmp_path / "versus-60s.svg").iter() if "text" in each.tag]
    assert {f"{system} {place + 1:.2f}" for place, system in enumerate(RANKED)} <= set(words)


def test_every_system_has_its_file_and_pinned_requirements():
    for system in SYSTEMS.values():
        assert (ROOT / "benchmarks" / "peers" / f"{system.module}.py").exists()
        if system.environment is not None:
            pinned = (REQUIREMENTS / f"{system.environment}.txt").read_text().split()
            assert pinned and all("==" in requirement for requirement in pinned)
    assert set(RANKED) <= set(SYSTEMS)


def test_regret_is_what_a_higher_rung_promised_and_what_it_would_have_cost():
    def final(architecture: str, score: float, size: int) -> dict:
        milliseconds = None if architecture == "mlp" else 0.1
        return {
            "architecture": architecture,
            "score": score,
            "seconds": 1.0 * size,
            "size_bytes": size,
            "row_milliseconds": milliseconds,
        }

    finals = [final("baseline", 1.0, 1), final("linear", 0.6, 10), final("mlp", 0.5, 100)]
    decisions = [{"candidate": "linear", "incumbent": "baseline"}, {"candidate": "mlp", "incumbent": "linear"}]
    trials = [{"architecture": "linear", "score": 0.8}, {"architecture": "mlp", "score": None}]
    trials += [{"architecture": "mlp", "score": 0.7}, {"architecture": "linear", "score": 0.6}]
    evidence = {"metric": "log_loss", "finals": finals, "decisions": decisions, "trials": trials}
    early = regret_of("run", evidence | {"champion": "linear"})
    assert early is not None and early.stopped_early and (early.best, early.folds) == ("mlp", "fresh")
    assert (early.regret, early.share) == (pytest.approx(0.1), pytest.approx(0.2))
    assert (early.saved_bytes, early.saved_seconds, early.saved_milliseconds) == (90.0, 90.0, None)
    top = regret_of("run", evidence | {"champion": "mlp"})
    assert top is not None and top.regret == 0.0 and not top.stopped_early
    hurried = regret_of("run", evidence | {"finals": finals[:2], "champion": "mlp"})
    assert hurried is not None and (hurried.folds, hurried.best, hurried.stopped_early) == ("search", "linear", False)
    assert hurried.regret == pytest.approx(0.1)
    told = summary([early, top, hurried])
    assert (told["runs"], told["stopped_early"], told["took_too_high_a_rung"], told["median_saved_bytes"]) == (3, 1, 1, 90.0)
    alone = evidence | {"finals": finals[:1], "decisions": [], "champion": "baseline"}
    assert regret_of("run", alone) is None


def test_folds_test_every_row_once_and_are_cells_of_their_own(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=40).astype(str), "y": ["a"] * 30 + ["b"] * 10})
    table = cells.Table("t", "binary", "y", 40)
    parts = [cells.split_rows(frame, table, number, folds=5) for number in range(5)]
    assert sorted(row for _, test in parts for row in test.index) == list(range(40))
    assert all(set(train.index).isdisjoint(test.index) and (test["y"] == "b").sum() == 2 for train, test in parts)
    path = tmp_path / "folds.jsonl"
    cells.append_line(path, result("ours-best", "small", 0, 0.7, folds=5))
    planned = cells.plan(["ours-best"], TABLES[:1], None, 60.0, "across", folds=5)
    assert [cell.split for cell in cells.still_to_do(planned, cells.read_lines(path))] == [1, 2, 3, 4]
    assert len(cells.still_to_do(cells.plan(["ours-best"], TABLES[:1], None, 60.0, "across"), cells.read_lines(path))) == 10


def test_an_anchor_is_reached_by_the_mean_of_the_folds_in_the_direction_of_its_metric(tmp_path):
    lines = [result("ours-best", "adult", fold, score, folds=10) for fold, score in enumerate((0.92, 0.94))]
    lines += [result("ours-best", "california-housing", 0, 44_000.0, "rmse", folds=10)]
    lines += [result("ours-best", "car", 0, 0.5, "log_loss"), result("flaml", "car", 0, 0.5, "log_loss", folds=10)]
    found = {each.data: each for each in anchors.reached(lines, "ours-best", 60.0)}
    assert found.keys() == {"adult", "california-housing"}
    assert found["adult"].mean == pytest.approx(0.93) and found["adult"].folds == 2 and found["adult"].within
    assert found["california-housing"].mean == pytest.approx(0.44) and not found["california-housing"].within
