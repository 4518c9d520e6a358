"""Makes predict.py: the predictor, and the modules whose parse steps a model needs, joined into one file."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from automl.core import parsers, predictor


def modules_of(contract: Mapping[str, Any]) -> list[str]:
    """The modules of automl.core whose parse steps or arrangement the contract names, in the order of parsers.MODULES."""
    steps = {feed["parse"]["as"] for column in contract["columns"] for feed in column.get("feeds", [column])}
    found = {parsers.PARSERS[step].__module__.rpartition(".")[2] for step in steps}
    if "media" in found:
        found.add("folders")
    if (contract.get("readout") or {}).get("conformal") or contract.get("guardrail"):
        found |= {"conformal", "guardrail", "answering"}
    if contract["task"] == "forecast":
        found |= {"panel", "methods", "forecasting"}
    elif contract.get("arrangement"):
        found.add(parsers.EXTENSIONS["arrange"].__module__.rpartition(".")[2])
    return [name for name in parsers.MODULES if name in found]


def bundle(modules: Iterable[str] = ()) -> str:
    """The text of predict.py with these modules of automl.core in it."""
    return _bundle(tuple(modules))


@cache
def _bundle(names: tuple[str, ...]) -> str:
    main, ending = _split(_source(predictor))
    parts = [_split(_source(importlib.import_module(f"automl.core.{name}")))[0] for name in names]
    already = _imports(main)
    imports = dict.fromkeys(line for part in parts for line in _imports(part) if line not in already)
    bodies = [main, *(_without(part, _imports(part)) for part in parts)]
    if imports:
        future = "from __future__ import annotations\n"
        bodies[0] = bodies[0].replace(future, future + "\n" + "\n".join(imports) + "\n", 1)
    return "\n\n".join(body.strip("\n") + "\n" for body in [*bodies, ending])


def _source(module: ModuleType) -> str:
    assert module.__file__ is not None
    return Path(module.__file__).read_text(encoding="utf-8")


def _split(source: str) -> tuple[str, str]:
    """A module without the imports of automl's own names, and the block that runs it as a program."""
    lines = source.splitlines()
    ending = ""
    for node in reversed(ast.parse(source).body):
        assert node.end_lineno is not None
        own = isinstance(node, ast.ImportFrom) and (node.module or "").startswith("automl")
        program = isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)
        if program:
            ending = "\n".join(lines[node.lineno - 1 : node.end_lineno])
        if own or program:
            del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines) + "\n", ending


def _imports(source: str) -> list[str]:
    """The import statements at the top level, one a string; the future import is the first module's."""
    return [ast.unparse(node) for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]


def _without(source: str, imports: list[str]) -> str:
    """A module's body: no docstring, no imports."""
    lines = source.splitlines()
    for position, node in reversed(list(enumerate(ast.parse(source).body))):
        assert node.end_lineno is not None
        docstring = position == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if docstring or (isinstance(node, ast.Import | ast.ImportFrom) and ast.unparse(node) in imports):
            del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines)
