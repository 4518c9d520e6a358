"""Laws of a comparison: a run does not differ from itself, and one that knows more is told to be better on the shared rows."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import automl
from automl.core.metrics import METRICS
from tests.run.made_up import arrays


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished.folder, tmp_path / "copy")


def predicting(folder, change):
    """The run in a folder with other predictions of the judged rows."""
    path = folder / "evaluated" / "predictions.npz"
    np.savez_compressed(path, **change(arrays(path)))
    return automl.load(folder)


def test_a_run_does_not_differ_from_itself(finished):
    run = automl.load(finished.folder)
    found = run.compare(run)
    assert found.same_data
    assert found.settings == {}
    assert found.first == found.second
    assert found.first.scores["roc_auc"].low < found.first.scores["roc_auc"].value < found.first.scores["roc_auc"].high
    (paired,) = found.paired
    assert (paired.gain.value, paired.gain.low, paired.gain.high, paired.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_the_gain_is_that_of_the_scores_on_the_shared_rows(finished, copy):
    run = automl.load(finished.folder)

    def know_half_of_them(kept):
        kept = {name: values[::-1][20:] for name, values in kept.items()}
        sure = np.eye(2)[kept["truth"].astype(int)]
        return {**kept, "prediction": 0.5 * kept["prediction"] + 0.5 * sure}

    better = predicting(copy, know_half_of_them)
    ours, theirs = (arrays(each.folder / "evaluated" / "predictions.npz") for each in (run, better))
    shared = np.isin(ours["row_ids"], theirs["row_ids"])
    positive, metric = run.profile.classes.index(run.profile.positive), METRICS[run.plan.metric]
    before = metric.score(ours["truth"][shared], ours["prediction"][shared], None, positive)
    after = metric.score(theirs["truth"], theirs["prediction"], None, positive)
    for found, sign in ((run.compare(better), 1.0), (better.compare(run), -1.0)):
        (paired,) = found.paired
        assert paired.rows == shared.sum() == len(theirs["truth"])
        assert paired.gain.value == pytest.approx(sign * metric.gain(after, before))
        assert paired.gain.low <= paired.gain.value <= paired.gain.high
        assert "second is better" in paired.sentence or sign < 0 or paired.p_value >= 0.05


def test_runs_with_too_few_rows_in_common_or_of_other_data_are_not_paired(finished, copy):
    run = automl.load(finished.folder)
    few = predicting(copy, lambda kept: {name: values[:5] for name, values in kept.items()})
    assert "5 rows in common" in run.compare(few).unpaired
    other = predicting(copy, lambda kept: {**kept, "row_ids": kept["row_ids"] + 100_000})
    assert "no row in common" in run.compare(other).unpaired
    assert not run.compare(other).paired


def test_the_command_tells_it_in_words_and_as_json(finished, command):
    told = command("compare", finished.folder, finished.folder)
    assert told.code == 0
    assert "gain of the second" in told.out
    assert "the same content" in told.out
    document = json.loads(command("compare", finished.folder, finished.folder, "--json").out)
    assert document["paired"][0]["gain"]["value"] == 0.0
    assert document["same_data"] is True


def test_gaps_between_groups_stand_side_by_side(finished, copy):
    from automl.terminal import describe_comparison

    findings = json.loads((copy / "findings.json").read_text())
    report = json.loads((copy / "report.json").read_text())
    for content in (findings, report["findings"]):
        (gaps,) = [each for each in content if each["code"] == "AML411"]
        gaps["numbers"] = {"sex: equalised odds": {"value": 0.25, "low": 0.125, "high": 0.5, "unit": "", "level": 0.95}}
    (copy / "findings.json").write_text(json.dumps(findings))
    (copy / "report.json").write_text(json.dumps(report))
    record = json.loads((copy / "run.json").read_text())
    record["files"] = {name: digest for name, digest in record["files"].items() if name not in ("report.json", "findings.json")}
    (copy / "run.json").write_text(json.dumps(record))
    found = automl.load(finished.folder).compare(automl.load(copy))
    assert found.first.gaps == {}
    assert found.second.gaps["sex: equalised odds"].value == 0.25
    (line,) = [each for each in describe_comparison(found).splitlines() if "gap in sex: equalised odds" in each]
    assert "0.250" in line


def test_each_run_calls_its_classes_by_its_own_threshold(finished, copy):
    run = automl.load(finished.folder)
    path = copy / "evidence.json"
    evidence = json.loads(path.read_text())
    evidence["metric"] = "accuracy"
    evidence["readout"]["threshold"] = {"value": 0.9, "rule": "made up", "expected": {}, "met": True, "groups": None}
    path.write_text(json.dumps(evidence))
    plan = (copy / "plan.yaml").read_text().replace(f"metric: {run.plan.metric}", "metric: accuracy")
    (copy / "plan.yaml").write_text(plan)
    record = json.loads((copy / "run.json").read_text())
    record["files"] = {name: digest for name, digest in record["files"].items() if name not in ("plan.yaml", "evidence.json")}
    (copy / "run.json").write_text(json.dumps(record))
    careful = automl.load(copy)
    assert careful.plan.metric == "accuracy"
    kept = arrays(copy / "evaluated" / "predictions.npz")
    positive = run.profile.classes.index(run.profile.positive)
    sure, likely = (kept["prediction"][:, positive] >= limit for limit in (0.9, 0.5))
    truth = kept["truth"] == positive
    found = {each.metric: each for each in run.compare(careful).paired}["accuracy"]
    assert found.first == pytest.approx((likely == truth).mean())
    assert found.second == pytest.approx((sure == truth).mean())
    limits = np.where(np.arange(len(truth)) % 2, 0.9, 0.5)
    by_group = predicting(copy, lambda kept: {**kept, "limits": limits})
    found = {each.metric: each for each in run.compare(by_group).paired}["accuracy"]
    assert found.second == pytest.approx((np.where(limits > 0.7, sure, likely) == truth).mean())
