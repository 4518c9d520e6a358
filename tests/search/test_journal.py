"""The journal survives a torn line and gives back what was recorded."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from automl.core.evidence import LOGARITHMIC, Trial
from automl.search.journal import Fresh, Journal
from automl.search.trial import Outcome


def test_what_was_recorded_comes_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path, tmp_path / "work", timed=True)
    trial = Trial("linear", 0, {"penalty": "l2", "strength": 0.1}, 7, score=0.9, fold_scores=(0.8, 1.0), curve=((1.0, 0.5),))
    journal.record(Outcome(trial, np.array([[0.25, 0.75]]), 1.5))
    journal.record(Outcome(Trial("mlp", 0, {}, 8, status="failed", message="no"), None, 0.5))
    ok, failed = journal.outcomes()
    assert ok.trial == trial and ok.seconds == 1.5 and np.array_equal(ok.predictions, [[0.25, 0.75]])
    assert failed.trial.status == "failed" and failed.predictions is None


def test_a_torn_last_line_is_ignored_and_the_next_record_starts_on_its_own_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path, tmp_path / "work", timed=False)
    journal.record(Outcome(Trial("linear", 0, {}, 7, score=0.9), np.zeros((1, 2)), 1.0))
    with (tmp_path / "trials.jsonl").open("a") as file:
        file.write('{"architecture": "linear", "num')
    journal.record(Outcome(Trial("linear", 1, {}, 7, score=0.8), np.zeros((1, 2)), 1.0))
    assert [outcome.trial.number for outcome in journal.outcomes()] == [0, 1]


def test_counted_trials_leave_no_seconds_behind(tmp_path: Path) -> None:
    Journal(tmp_path, tmp_path / "work", timed=False).record(Outcome(Trial("linear", 0, {}, 7, score=0.9), np.zeros((1, 2)), 1.0))
    assert "seconds" not in (tmp_path / "trials.jsonl").read_text()


def test_fresh_scores_belong_to_their_settings(tmp_path: Path) -> None:
    journal = Journal(tmp_path, tmp_path / "work", timed=True)
    trial = Trial("linear", 3, {"strength": 0.1}, 7)
    journal.record_fresh(trial, 0, Fresh(0.7, 2.0))
    journal.record_fresh(trial, 2, Fresh(0.9, 1.0, (0.8, 0.95)))
    assert journal.fresh(trial) == {0: Fresh(0.7, 2.0), 2: Fresh(0.9, 1.0, (0.8, 0.95))}
    assert journal.fresh(Trial("linear", 3, {"strength": 0.2}, 7)) == {}


def test_fresh_scores_of_an_ensemble_belong_to_its_pool(tmp_path: Path) -> None:
    journal = Journal(tmp_path, tmp_path / "work", timed=True)
    linear = Trial("ensemble", 0, {"linear-0": 0.5, "boosting-0": 0.5}, 7)
    journal.record_fresh(linear, 0, Fresh(0.7, 2.0))
    assert journal.fresh(replace(linear, pool=LOGARITHMIC)) == {}
    assert set(journal.fresh(linear)) == {0}
