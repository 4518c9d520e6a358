"""The Python of each system: a virtual environment of its own, made once from pinned requirements."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.peers import SYSTEMS

REQUIREMENTS = Path(__file__).parents[1] / "peers" / "requirements"


def python_of(system: str, environments: Path) -> Path:
    """The interpreter that runs this system; its environment is made where it is missing or its requirements changed.

    Raises CalledProcessError where pip fails.
    """
    name = SYSTEMS[system].environment
    if name is None:
        return Path(sys.executable)
    python, wanted = environments / name / "bin" / "python", (REQUIREMENTS / f"{name}.txt").read_text()
    stamp = environments / name / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"making the environment of {name} in {environments / name}", file=sys.stderr, flush=True)
        environments.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", str(environments / name)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(REQUIREMENTS / f"{name}.txt")], check=True)
        stamp.write_text(wanted)
    return python
