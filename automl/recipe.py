"""Recipes: a Plan as YAML, with every key checked."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from automl.core.errors import InputError, nearest
from automl.core.files import encode, write_text
from automl.core.metrics import metric
from automl.core.options import Options, make_options
from automl.core.plan import Plan, Rung, Split


def _schema() -> type[BaseModel]:
    """A Plan with the optional key `data`; made from the dataclass, so that no key is declared twice."""
    hints = typing.get_type_hints(Plan)
    fields: dict[str, Any] = {"data": (str | None, None)}
    for field in dataclasses.fields(Plan):
        default: Any = ...
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        fields[field.name] = (hints[field.name], default)
    return create_model("Recipe", __config__=ConfigDict(extra="forbid"), **fields)


def read_recipe(path: Path | str) -> Plan:
    """The Plan in a YAML file.

    Raises InputError, in one sentence with the file and the key, for a file that cannot be read, that is not
    YAML, or that holds an unknown key (the nearest known one is named), lacks one or has a wrong value.
    """
    path = Path(path)
    recipe = _validated(_load(path), path)
    plan = Plan(**{field.name: getattr(recipe, field.name) for field in dataclasses.fields(Plan)})
    _check(plan, path)
    return plan


def data_of(path: Path | str) -> Path | None:
    """The data file that a recipe names, relative to the recipe's folder; None where it names none."""
    data = _load(Path(path)).get("data")
    return None if data is None else Path(path).parent / str(data)


def write_recipe(plan: Plan, path: Path | str, data: Path | str | None = None, expected: str = "") -> None:
    """Write a Plan as YAML; the comment on top says the command, the minutes and the score to expect.

    data: the file that `automl fit --recipe` shall read where it is given none, relative to the recipe.
    expected: such as "log loss about 0.05"; unknown before a run.
    """
    path = Path(path)
    content = {"data": str(data)} if data is not None else {}
    body = yaml.safe_dump({**content, **encode(plan)}, sort_keys=False, allow_unicode=True, width=120)
    command = f"automl fit {'' if data is not None else 'DATA '}--recipe {path.name}"
    write_text(path, f"# {command}: {_length(plan)}; {expected or 'the score to expect is not known before a run'}\n{body}")


def options_of(plan: Plan) -> Options:
    """The choices of a call that lead to this Plan."""
    column = {"grouped": "group", "time": "time_column"}.get(plan.split.folds_kind)
    return make_options(
        {
            "target": plan.target,
            "task": plan.task.value,
            "metric": plan.metric,
            "positive": plan.positive,
            "weight": plan.weight,
            **({column: plan.split.column} if column else {}),
            "drop": plan.drop,
            "kinds": plan.kinds,
            "drop_leaks": plan.drop_leaks,
            "sensitive": plan.sensitive,
            "exclude_sensitive": plan.exclude_sensitive,
            "mitigate": plan.mitigate,
            "max_accuracy_loss": plan.max_accuracy_loss,
            **{name: getattr(plan, name) for name in ("cost_fp", "cost_fn", "min_precision", "min_recall")},
            "preset": plan.preset,
            "time": None if plan.trials is not None else plan.budget_seconds,
            "trials": plan.trials,
            "seed": plan.seed,
            "modality": plan.modality,
            "horizon": plan.horizon,
            "id_column": plan.id_column,
            "known_ahead": plan.known_ahead,
            "folds": None if plan.split.folds == 1 else plan.split.folds,
            "only": tuple(rung.architecture for rung in plan.ladder),
            "jobs": plan.jobs,
            "memory": plan.memory_gb,
            "refit": plan.refit,
            "max_latency_ms": plan.max_latency_ms,
            "max_size_mb": plan.max_size_mb,
            "samples": plan.samples,
        }
    )


_REPLACEABLE = {"time": "budget_seconds", "memory": "memory_gb"} | {
    name: name for name in ("seed", "jobs", "refit", "samples", "positive", "max_latency_ms", "max_size_mb")
}


def override(plan: Plan, given: Mapping[str, Any]) -> Plan:
    """The Plan with some options of a call in place of its own.

    Raises InputError for an option that the ladder or the split was made for: that is changed in the recipe itself.
    """
    changes: dict[str, Any] = {}
    for name, value in vars(make_options(given)).items():
        if name not in given:
            continue
        if name not in _REPLACEABLE:
            raise InputError(f'the option "{name}" cannot be given beside a recipe', "change it in the recipe")
        changes[_REPLACEABLE[name]] = value
    if "budget_seconds" in changes and plan.trials is not None:
        raise InputError("the recipe counts trials, so a time cannot be given beside it", "change it in the recipe")
    return dataclasses.replace(plan, **changes)


def _length(plan: Plan) -> str:
    if plan.trials is not None:
        return f"{plan.trials} trials"
    seconds = plan.budget_seconds or 0.0
    return f"at most {seconds / 60:.3g} min" if seconds >= 60.0 else f"at most {seconds:.0f} s"


def _load(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the recipe {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"the recipe {path} is not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}: {getattr(error, 'problem', '')})" if mark else ""
        raise InputError(f"the recipe {path} is not YAML{where}") from None
    if not isinstance(content, dict):
        raise InputError(f"the recipe {path} holds no keys", "write one with: automl recommend DATA --save plan.yaml")
    return content


def _validated(content: dict[str, Any], path: Path) -> Any:
    try:
        return _schema().model_validate(content)
    except ValidationError as error:
        unknown = ("extra_forbidden", "unexpected_keyword_argument")  # a misspelt key explains the one that is missing
        first = min(error.errors(), key=lambda each: each["type"] not in unknown)
    *parents, last = first["loc"]
    key = ".".join(map(str, first["loc"]))
    if first["type"] in unknown:
        raise InputError(f'the recipe {path} has the unknown key "{key}"', nearest(str(last), _known(parents)))
    if first["type"] in ("missing", "missing_argument"):
        raise InputError(f'the recipe {path} lacks the key "{key}"')
    message = first["msg"][:1].lower() + first["msg"][1:]
    raise InputError(f'the recipe {path} has a wrong value for "{key}", {first["input"]!r}: {message}')


def _known(parents: list[Any]) -> list[str]:
    kind = {"rungs": Rung, "split": Split}.get(parents[0], Plan) if parents else Plan
    return [field.name for field in dataclasses.fields(kind)] + (["data"] if kind is Plan else [])


def _check(plan: Plan, path: Path) -> None:
    """What the types alone do not say."""
    from automl.core.discovery import declarations

    try:
        options_of(plan)
        if plan.task not in metric(plan.metric).tasks:
            raise InputError(f'"{plan.metric}" is no metric for the task {plan.task.value}')
        known = [architecture.name for architecture in declarations("automl.modalities", "ARCHITECTURE")]
        for rung in plan.rungs:
            if rung.architecture not in known:
                raise InputError(f'there is no architecture called "{rung.architecture}"', nearest(rung.architecture, known))
        if not plan.ladder:
            raise InputError("it has no rung to try")
        if not 0.0 <= plan.split.sealed_fraction <= 0.5:
            raise InputError(f"split.sealed_fraction must be from 0 to 0.5, not {plan.split.sealed_fraction}")
    except InputError as error:
        raise InputError(f"the recipe {path} cannot be run: {error}") from None
