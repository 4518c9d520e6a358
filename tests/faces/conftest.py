"""One small finished run, made by the command, that the tests of the faces share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from automl.cli import main

FEATURES = 6


@dataclass(frozen=True)
class Finished:
    """A finished run, the file that it learned from and what the command said."""

    folder: Path
    data: Path
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Runs `automl` with these arguments in this process, as if it had just been started."""
    monkeypatch.setattr("automl.cli.process_age_seconds", lambda: 0.0)

    def run(*arguments: object) -> Answer:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        assert isinstance(left.value.code, int)
        return Answer(left.value.code, captured.out, captured.err)

    return run


def tumours() -> pd.DataFrame:
    """569 rows: an identifier, six measurements, and the diagnosis as text."""
    bunch = load_breast_cancer(as_frame=True)
    frame = bunch.data.iloc[:, :FEATURES].rename(columns=lambda name: name.replace(" ", "_"))
    diagnosis = bunch.target.map(dict(enumerate(bunch.target_names)))
    return frame.assign(patient=[f"P{row:05d}" for row in range(len(frame))], diagnosis=diagnosis)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """`automl fit` with the two lowest rungs, which take seconds and no training worker."""
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("faces")
    data = folder / "tumours.csv"
    tumours().to_csv(data, index=False)
    arguments = ["fit", str(data), "--time", "20", "--preset", "fast", "--only", "baseline,linear", "--out", str(folder / "run")]
    done = subprocess.run([sys.executable, "-m", "automl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Finished(folder / "run", data, done.stdout, done.stderr)
