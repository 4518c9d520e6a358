"""The project itself: linters, import contracts, declared dependencies, and the README's commands."""

from __future__ import annotations

import ast
import itertools
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import automl

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMPORT_NAMES = {"keras-tuner": "keras_tuner", "pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn"}
NOT_IMPORTED_HERE = {"six", "tensorboard"}
"""Imported by keras-tuner, which does not declare them."""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")])
def test_ruff(arguments):
    done = run(sys.executable, "-m", "ruff", *arguments, ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy():
    done = run(sys.executable, "-m", "mypy")
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_point_down_only():
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert program is not None, "import-linter is not installed; pip install -e '.[dev]'"
    done = run(program)
    assert done.returncode == 0, done.stdout + done.stderr


def imported_packages() -> set[str]:
    """Top-level names of everything that automl imports, wherever in a file."""
    found: set[str] = set()
    for path in (ROOT / "automl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"automl"}


def declared(requirements: list[str]) -> set[str]:
    names = {requirement.partition(">=")[0].strip() for requirement in requirements}
    return {IMPORT_NAMES.get(name, name) for name in names}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    extras = PROJECT["optional-dependencies"]
    optional = declared(extras["all"])
    assert optional == declared([*itertools.chain(*(extras[name] for name in ("excel", "image", "text", "audio")))])
    assert set(extras["all"]) <= set(extras["dev"])
    dependencies = declared(PROJECT["dependencies"])
    only_where_the_user_has_them = {"polars", "shap"}
    assert imported_packages() - dependencies - optional - only_where_the_user_has_them == set()
    assert dependencies - imported_packages() == NOT_IMPORTED_HERE


def test_every_dependency_has_a_lower_bound():
    for requirement in [*PROJECT["dependencies"], *itertools.chain(*PROJECT["optional-dependencies"].values())]:
        assert ">=" in requirement, requirement


def test_the_changelog_names_the_version():
    assert f"## {automl.__version__} " in (ROOT / "CHANGELOG.md").read_text()


def commands_of_the_readme() -> list[str]:
    return [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("python3 -m venv .venv && ")]


def test_ci_runs_the_test_command_of_the_readme():
    main_job, tests = commands_of_the_readme()
    assert "automl fit" in main_job
    assert tests in (ROOT / ".ci" / "run").read_text().splitlines()
    assert tests in (ROOT / "CONTRIBUTING.md").read_text().splitlines()


def test_the_readme_names_only_what_is_there():
    main_job = commands_of_the_readme()[0]
    assert (ROOT / main_job.rpartition(" ")[2]).is_file()


@pytest.mark.slow
def test_the_wheel_holds_the_templates(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(ROOT / "automl", source / "automl", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    code = "import setuptools.build_meta as backend, sys; print(backend.build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    import zipfile

    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in (ROOT / "automl").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {str(path.relative_to(ROOT)) for path in files} <= held
    assert wheel.name == f"automl-{automl.__version__}-py3-none-any.whl"
