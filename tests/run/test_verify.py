"""Laws of the proof: an untouched run holds, and a changed number, model or data file is named, digests mended or not."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest

from automl.core.clock import Deadline, recorded, replayed
from automl.core.errors import InputError
from automl.core.files import sha256_of, write_json
from automl.run import Run, open_run
from automl.verifying import Verification, verify
from tests.run.made_up import arrays, fit, read, with_outcome

PARTS = ["files", "data", "profile", "split", "predictions", "search", "findings", "report", "pages", "model"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("verify")
    with_outcome("bool").to_csv(folder / "shop.csv", index=False)
    return fit(folder / "shop.csv", folder / "run")


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run.folder, tmp_path / "run"))


def forge(folder: Path, name: str, change: Callable[[Path], None]) -> None:
    """Change a file and mend its digest, as somebody would who knows what run.json is for."""
    change(folder / name)
    record = read(folder / "run.json")
    record["files"][name] = sha256_of(folder / name)
    write_json(folder / "run.json", record)


def named(found: Verification) -> set[str]:
    return {each.file for each in found.differences}


def test_an_untouched_run_holds_and_says_what_it_leaves_aside(run: Run) -> None:
    found = run.verify()
    assert [str(each) for each in found.differences] == []
    assert found.holds
    assert [part.name for part in found.parts] == PARTS
    assert all(part.values for part in found.parts)
    assert "clock" in found.left_aside[0]
    assert not found.notes


def test_a_changed_file_is_named(copy: Path) -> None:
    page, extra = copy / "report.html", copy / "model" / "extra.py"
    page.write_text(page.read_text().replace("Use with care", "Ready").replace("ROC-AUC", "ROC AUC"))
    extra.write_text("")
    (copy / "evidence.json").write_text("{")
    found = verify(copy)
    assert named(found) >= {"report.html", "model/extra.py", "evidence.json"}
    assert {part.name for part in found.parts if not part.holds} >= {"files", "pages", "search", "report"}


def test_a_forged_score_is_named(copy: Path) -> None:
    def flatter(path: Path) -> None:
        content = read(path)
        content["headline"]["score"]["value"] += 0.01
        write_json(path, content)

    forge(copy, "report.json", flatter)
    found = verify(copy)
    assert [each.where for each in found.differences if each.file == "report.json"] == ["headline.score.value"]
    assert not next(part for part in found.parts if part.name == "report").holds
    assert named(found) == {"report.json"}  # and not the pages, which nobody touched


def test_a_forged_fact_that_only_the_pages_contradict_is_named_with_them(copy: Path) -> None:
    def flatter(path: Path) -> None:
        content = read(path)
        content["facts"]["command"] = "automl fit other.csv"
        write_json(path, content)

    forge(copy, "report.json", flatter)
    assert any("does not say what report.json says" in str(each) for each in verify(copy).differences)


def test_a_forged_finding_is_named_though_the_report_agrees_with_it(copy: Path) -> None:
    def flatter(path: Path) -> None:
        content = read(path)
        findings = content["findings"] if isinstance(content, dict) else content
        next(each for each in findings if each["code"] == "AML202")["numbers"]["log_loss"]["value"] -= 0.001
        write_json(path, content)

    for name in ("findings.json", "report.json"):
        forge(copy, name, flatter)
    found = verify(copy)
    assert [(each.file, each.where) for each in found.differences if each.file == "findings.json"] == [
        ("findings.json", "AML202.numbers.log_loss.value")
    ]
    assert "report.json" in named(found)


def test_a_finding_that_alone_was_forged_is_named_alone(copy: Path) -> None:
    def flatter(path: Path) -> None:
        content = read(path)
        next(each for each in content if each["code"] == "AML202")["numbers"]["log_loss"]["value"] -= 0.001
        write_json(path, content)

    forge(copy, "findings.json", flatter)
    assert named(verify(copy)) == {"findings.json"}


def test_a_forged_model_is_named(copy: Path) -> None:
    def sharpen(path: Path) -> None:
        model = onnx.load(path)
        weights = next(
            each for each in model.graph.initializer if len(each.dims) == 2 and each.data_type == onnx.TensorProto.FLOAT
        )
        weights.CopyFrom(onnx.numpy_helper.from_array(2.0 * onnx.numpy_helper.to_array(weights), weights.name))
        onnx.save(model, path)

    forge(copy, "evaluated/model.onnx", sharpen)
    forge(copy, "model/model.onnx", sharpen)
    found = verify(copy)
    assert named(found) >= {"evaluated/model.onnx", "model/model.onnx", "evaluated/predictions.npz"}


def test_forged_predictions_are_named(copy: Path) -> None:
    def know(path: Path) -> None:
        kept = arrays(path)
        kept["prediction"] = np.eye(2)[kept["truth"].astype(int)]
        np.savez_compressed(path, **kept)

    forge(copy, "evaluated/predictions.npz", know)
    found = verify(copy)
    assert named(found) == {"evaluated/predictions.npz"}
    assert "prediction" in found.differences[0].where


def test_changed_data_is_named_and_nothing_is_said_about_what_follows_from_it(copy: Path, run: Run, tmp_path: Path) -> None:
    source = Path(read(copy / "dataset.json")["source"])
    other = tmp_path / "other.csv"
    frame = pd.read_csv(source)
    frame.loc[0, "age"] = 41.0
    frame.to_csv(other, index=False)
    found = verify(copy, other)
    assert named(found) == {str(other)}
    assert [part.name for part in found.parts] == ["files", "data", "report", "pages", "model"]
    assert "not computed again" in found.notes[0]
    with pytest.raises(InputError, match=r"gone\.csv"):
        verify(copy, tmp_path / "gone.csv")


def test_a_run_of_a_data_frame_is_verified_with_the_frame(tmp_path: Path) -> None:
    frame = with_outcome("number", 120)
    run = fit(frame, tmp_path / "run")
    with pytest.raises(InputError, match="data frame"):
        run.verify()
    found = open_run(run.folder).verify(frame)
    assert found.holds, [str(each) for each in found.differences]
    assert "nested" in found.left_aside[-1]


def test_a_replayed_clock_says_what_the_recorded_one_said() -> None:
    times = iter(range(100, 200, 7))
    first = Deadline(60.0, clock=lambda: float(next(times)))
    readings: list[float] = []

    def ask(deadline: Deadline) -> list[object]:
        part = deadline.until(share=0.5)
        return [deadline.left_seconds(), part.left_seconds(), part.elapsed_seconds, deadline.expired, part.expired]

    said = ask(recorded(first, readings))
    assert ask(replayed(60.0, readings)) == said
    assert len(set(readings)) == len(readings) > 4


def test_a_difference_tells_where_and_what(run: Run) -> None:
    from automl.terminal import describe_verification
    from automl.verifying import Difference

    found = run.verify()
    part = dataclasses.replace(found.parts[-1], differences=(Difference("report.json", "headline.score.value", 0.9, 0.8),))
    told = describe_verification(dataclasses.replace(found, parts=(*found.parts[:-1], part)))
    assert "report.json: headline.score.value is 0.9, computed again 0.8" in told
    assert told.endswith("differ, in report.json.")
