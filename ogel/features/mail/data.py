"""A caller's data as templates see it: null counts as missing, and values are formatted for people, not as Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from jinja2 import StrictUndefined, UndefinedError


class _Shown:
    def __str__(self) -> str:
        return as_text(self)


class _List(_Shown, list[Any]):
    """A list that a template joins or filters is not formatted as Python would."""


class _Object(_Shown, dict[str, Any]):
    """The same for an object."""


def seen_by_templates(data: Mapping[str, Any]) -> dict[str, Any]:
    """Wraps `data`, which consists of JSON values."""
    return {name: _seen(value, name) for name, value in data.items()}


def _seen(value: Any, path: str) -> Any:
    if value is None:
        return StrictUndefined(name=path)
    if isinstance(value, dict):
        return _Object((name, _seen(each, f"{path}.{name}")) for name, each in value.items())
    if isinstance(value, list):
        return _List(_seen(each, f"{path}[{place}]") for place, each in enumerate(value))
    return value


def as_text(value: Any) -> str:
    """
    Formats numbers and booleans as in JSON, lists of them and of texts with commas, everything else as JSON. Raises
    UndefinedError for a missing value, TypeError for one that is not JSON.
    """
    if isinstance(value, str):
        return value  # unchanged: it may be HTML marked as safe
    if isinstance(value, StrictUndefined):
        return str(value)
    if value is None:
        raise UndefinedError("a value is null")
    if isinstance(value, list | tuple) and not any(isinstance(each, list | tuple | dict) for each in value):
        return ", ".join(map(as_text, value))
    if isinstance(value, bool | int | float | list | tuple | dict):
        return msgspec.json.encode(value, enc_hook=as_text).decode()
    raise TypeError(f"{type(value).__name__} is no text")
