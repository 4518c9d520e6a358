"""One failing rung never ends a run: not where it trains, where it is tested, where it is exported or where it is refitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.core.errors import InputError, ParityError, StoppedByCheck, TrainingError
from automl.learners.baseline import BaselineLearner
from automl.learners.linear import FittedLinear, LinearLearner
from automl.learners.trees import FittedTrees, TreesLearner
from automl.run import Run, open_run
from automl.search import shipping
from tests.run.made_up import fit, read, with_outcome

BOTH = ("linear", "boosting")


def raising(*arguments: Any, **options: Any) -> Any:
    raise ZeroDivisionError("of the library")


def sentences(run: Run, code: str) -> str:
    return " ".join(each.sentence for each in run.findings if each.code == code)


def is_whole(run: Run) -> None:
    assert run.evidence.champion == run.model.contract["architecture"]
    assert len(run.predict(with_outcome("bool", 20))) == 20
    assert run.report["headline"]["score"]["value"] > 0.5


def test_a_rung_that_cannot_be_trained_becomes_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TreesLearner, "fit_folds", raising)
    run = fit(with_outcome("bool"), tmp_path / "run", only=BOTH)
    is_whole(run)
    assert run.evidence.champion == "linear"
    assert "ZeroDivisionError: of the library" in run.evidence.failures["boosting"]
    assert any("of the library" in each.sentence and each.severity in {"issue", "tip"} for each in run.findings)
    failed = next(trial for trial in run.evidence.trials if trial.architecture == "boosting")
    assert (failed.status, failed.score) == ("failed", None)


def test_a_rung_that_fails_on_fresh_folds_becomes_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TreesLearner, "predict_folds", raising)
    run = fit(with_outcome("bool"), tmp_path / "run", only=BOTH)
    is_whole(run)
    assert run.evidence.champion == "linear"
    assert "of the library" in run.evidence.failures["boosting"]


@pytest.mark.parametrize(("how", "rows"), [("raises", 200), ("differs", 600), ("differs", 200), ("is not valid", 600)])
def test_an_export_that_fails_or_differs_is_refused_and_the_next_best_is_shipped(
    how: str, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = FittedLinear.graph

    def differing(self: FittedLinear, builder: Any, tensors: dict[str, str]) -> str:
        from dataclasses import replace

        return right(replace(self, bias=self.bias + np.asarray([0.0, 0.01], np.float32)), builder, tensors)

    def invalid(self: FittedLinear, builder: Any, tensors: dict[str, str]) -> str:
        return str(builder.node("NoSuchOperator", [right(self, builder, tensors)]))

    monkeypatch.setattr(FittedLinear, "graph", {"raises": raising, "differs": differing, "is not valid": invalid}[how])
    run = fit(with_outcome("bool", rows), tmp_path / "run", only=BOTH)
    is_whole(run)
    assert run.evidence.champion == "boosting"
    titles = {rung.architecture: rung.title for rung in run.plan.ladder}
    assert f"{titles['linear']} was chosen but not shipped" in sentences(run, "AML306")
    assert f"{titles['boosting']} is shipped instead" in sentences(run, "AML306")
    assert [each.cause for each in run.evidence.unshipped] == ["fault"]
    if how == "differs":
        assert "refused at the gate" in sentences(run, "AML306")


def test_where_nothing_passes_there_is_one_sentence_and_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(shipping, "check_parity", _refuse)
        with pytest.raises(StoppedByCheck, match=r"no model could be exported; .*linear: refused at the gate.*baseline") as error:
            fit(with_outcome("bool"), tmp_path / "run")
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 3
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert not left & {"model", "evaluated", "report.html", "work", ".evaluated.building", ".model.building", ".lock"}
    record = read(tmp_path / "run" / "run.json")
    assert record["state"] == "failed"
    assert record["reason"] == str(error.value)
    with pytest.raises(InputError, match="ended without a model"):
        open_run(tmp_path / "run")
    is_whole(fit(with_outcome("bool"), tmp_path / "run"))


def _refuse(*arguments: Any) -> Any:
    raise ParityError("the exported graph differs from the trained model by 1 (allowed 0.0001)")


def test_a_refit_that_is_refused_ships_the_judged_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = shipping.check_parity
    calls: list[Path] = []

    def only_once(folder: Path, *rest: Any) -> dict[str, float]:
        calls.append(folder)
        return right(folder, *rest) if len(calls) == 1 else _refuse()

    monkeypatch.setattr(shipping, "check_parity", only_once)
    run = fit(with_outcome("bool"), tmp_path / "run")
    is_whole(run)
    assert len(calls) == 2
    assert "the evaluated one is shipped instead" in sentences(run, "AML307")
    assert (run.folder / "model" / "model.onnx").read_bytes() == (run.folder / "evaluated" / "model.onnx").read_bytes()
    assert "not used to train it" in sentences(run, "AML702")


def test_where_no_rung_can_be_trained_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for learner in (BaselineLearner, LinearLearner):
        monkeypatch.setattr(learner, "fit_folds", raising)
    with pytest.raises(TrainingError, match=r"no architecture could be trained; .*of the library") as error:
        fit(with_outcome("bool"), tmp_path / "run")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run" / "model").exists()
    assert read(tmp_path / "run" / "run.json")["state"] == "failed"


def test_what_fails_after_the_choice_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees that cannot be fitted on few rows: nested folds and learning curve do without."""
    right = TreesLearner.fit

    def needs_rows(self: TreesLearner, training: Any, *rest: Any) -> FittedTrees:
        return right(self, training, *rest) if len(training.target) >= 155 else raising()

    monkeypatch.setattr(TreesLearner, "fit", needs_rows)
    is_whole(fit(with_outcome("bool", 200), tmp_path / "run", only=("boosting",)))
