"""The predictor with every parse step that automl knows: import from here, so that all of them are entered."""

from __future__ import annotations

import importlib
import importlib.util

from automl.core.predictor import EXTENSIONS, PARSERS, Parser, Predictor, make_parser, parse_column

__all__ = ["EXTENSIONS", "MODULES", "PARSERS", "Parser", "Predictor", "make_parser", "parse_column"]

MODULES = ("media", "folders", "tokens", "arranging", "conformal", "guardrail", "answering", "panel", "methods", "forecasting")
"""Modules of automl.core that enter parse steps or extensions; what a model needs of them goes into its predict.py."""

for _name in MODULES:
    if importlib.util.find_spec(f"automl.core.{_name}") is not None:
        importlib.import_module(f"automl.core.{_name}")
