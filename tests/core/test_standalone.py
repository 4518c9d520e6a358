"""predict.py as it is put together: one file that runs without automl, whatever modules are in it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from automl.core import parsers
from automl.core.standalone import bundle, modules_of

PRESENT = [name for name in parsers.MODULES if f"automl.core.{name}" in sys.modules]
REPEATED = {"Array"}
"""Names that several modules define, all in the same way."""


def test_nothing_of_automl_is_imported_and_no_name_is_defined_twice() -> None:
    tree = ast.parse(bundle(PRESENT))
    imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert not [name for name in imported if name.split(".")[0] == "automl"]
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    defined += [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    ]
    assert {name for name, count in Counter(defined).items() if count > 1} <= REPEATED


@pytest.mark.parametrize("modules", [[], *[[name] for name in PRESENT], PRESENT], ids=lambda modules: "+".join(modules) or "none")
def test_it_runs_alone(modules: list[str], tmp_path: Path) -> None:
    if "forecasting" in modules and modules != PRESENT:
        modules = [name for name in PRESENT if name in ("arranging", "forecasting")]
    (tmp_path / "predict.py").write_text(bundle(modules), encoding="utf-8")
    (tmp_path / "new.csv").write_text("a\n1\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "predict.py", "new.csv"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("predict.py: ")
    assert "is no model folder: contract.json is missing" in done.stderr


def test_only_what_the_contract_needs_goes_in() -> None:
    number = {"name": "a", "input": "a", "dtype": "float32", "parse": {"as": "number"}}
    image = {"name": "b", "input": "b", "dtype": "uint8", "parse": {"as": "image", "height": 8, "width": 8, "channels": 1}}
    assert modules_of({"task": "binary", "columns": [number]}) == []
    assert modules_of({"task": "binary", "columns": [number, image]}) == ["media", "folders"]
    assert bundle() == bundle(modules_of({"task": "regression", "columns": [number]}))
