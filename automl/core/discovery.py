"""Finds declarations by walking a package, so that no central list of plug-ins exists."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any


def declarations(package: ModuleType | str, name: str) -> list[Any]:
    """The values called `name` in all modules below `package`, in the order of the module names.

    Importing a module that declares something must be cheap: heavy libraries are imported inside functions.
    """
    module = importlib.import_module(package) if isinstance(package, str) else package
    found = []
    for info in sorted(pkgutil.walk_packages(module.__path__, f"{module.__name__}."), key=lambda info: info.name):
        candidate = importlib.import_module(info.name)
        if name in vars(candidate):
            found.append(getattr(candidate, name))
    return found
