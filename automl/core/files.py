"""Files that are there whole or not at all, and dataclasses as JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import tempfile
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from automl.core.errors import InputError

T = TypeVar("T")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step: a reader sees the old content or the new, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, content: str) -> None:
    # A path that is no UTF-8 is a str with lone surrogates in it; in JSON the escape is read as the same str again.
    write_bytes(path, content.encode("utf-8", "backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    write_text(path, dump_json(value) + "\n")


def dump_json(value: Any, indent: int | None = 1) -> str:
    """JSON of dataclasses, enums, paths and numpy values; what is not finite becomes null."""
    return json.dumps(encode(value), indent=indent, ensure_ascii=False, allow_nan=False)


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises InputError where the file is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing", "the folder is incomplete or not one of automl's") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is damaged ({error})") from None


def encode(value: Any) -> Any:
    """Plain lists, dicts, strings and numbers from anything that a word of the design may hold."""
    if value is None or type(value) in (str, int, bool):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.value if isinstance(value, Enum) else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: encode(each) for name, each in zip(value._fields, value, strict=True)}
    if isinstance(value, dict):
        return {str(encode(key)): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [encode(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, np.ndarray):
        return encode(value.tolist())
    if isinstance(value, np.generic):
        return encode(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Enum):
        return encode(value.value)
    return str(value)


def decode(kind: type[T], data: Any) -> T:
    """The value of type `kind` (a dataclass, a named tuple, an enum, a container of these) that `encode` made `data` from."""
    return typing.cast(T, _decode(kind, data))


def _decode(kind: Any, data: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is float and data is None:  # what is not finite was written as null
        return math.nan
    if kind is Any or data is None:
        return data
    if origin in (typing.Union, types.UnionType):
        return _decode(next(argument for argument in arguments if argument is not type(None)), data)
    if origin in (list, tuple, frozenset):
        item = arguments[0] if arguments else Any
        if origin is tuple and len(arguments) > 1 and arguments[1] is not Ellipsis:
            return tuple(_decode(each, value) for each, value in zip(arguments, data, strict=True))
        return origin(_decode(item, value) for value in data)
    if origin is dict or origin is Mapping:
        return {key: _decode(arguments[1], value) for key, value in data.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = _fields(kind)
        return kind(**{key: _decode(hints[key], value) for key, value in data.items() if key in hints})
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        hints = typing.get_type_hints(kind)
        return kind(**{key: _decode(hints[key], value) for key, value in data.items() if key in hints})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    return float(data) if kind is float else data


@cache
def _fields(kind: Any) -> dict[str, Any]:
    """The fields that a dataclass is made from, with their types."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
