"""The GraphQL documents beside, by the names of their operations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

_BEGINS = re.compile(r"^(?=(?:query|mutation|fragment) )", re.MULTILINE)
_NAME = re.compile(r"(query|mutation|fragment) (\w+)")
_SPREAD = re.compile(r"\.\.\.(\w+)")


def document(name: str) -> str:
    """Returns the operation, and the fragments that it spreads."""
    text = _definitions()[name]
    return text + "".join(_definitions()[fragment] for fragment in sorted(set(_SPREAD.findall(text))))


def operations() -> list[str]:
    return [name for name, text in _definitions().items() if not text.startswith("fragment")]


@cache
def _definitions() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for file in resources.files(__package__).iterdir():
        if not file.name.endswith(".graphql"):
            continue
        for text in _BEGINS.split(file.read_text(encoding="utf-8")):
            if named := _NAME.match(text):
                found[named[2]] = text
    return found
