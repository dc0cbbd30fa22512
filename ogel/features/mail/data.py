"""A caller's data as templates see it: null is missing, and whatever is filled in is written for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from jinja2 import StrictUndefined, UndefinedError


class _Shown:
    def __str__(self) -> str:
        return as_text(self)


class _List(_Shown, list[Any]):
    """Where a template joins or filters it, too, it is not written in Python's way."""


class _Object(_Shown, dict[str, Any]):
    """The same."""


def seen_by_templates(data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` is what JSON can say."""
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
    Numbers, true and false as in JSON, lists of them and of texts with commas, all else as JSON. Raises UndefinedError
    for what is missing, TypeError for what is no data.
    """
    if isinstance(value, str):
        return value  # as it is: it may be HTML that needs no escaping
    if isinstance(value, StrictUndefined):
        return str(value)
    if value is None:
        raise UndefinedError("a value is null")
    if isinstance(value, list | tuple) and not any(isinstance(each, list | tuple | dict) for each in value):
        return ", ".join(map(as_text, value))
    if isinstance(value, bool | int | float | list | tuple | dict):
        return msgspec.json.encode(value, enc_hook=as_text).decode()
    raise TypeError(f"{type(value).__name__} is no text")
