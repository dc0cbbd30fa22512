"""How values of an answer are held against recorded ones. What stands for a value is told by placeholders.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.golden.placeholders import PLACEHOLDER, Labels

ANYTHING = "<any>"
_URL = re.compile(r"[a-z][a-z0-9.+-]*://")
# Texts of errors that the recorded servers' libraries wrote (Go's own, and Ajv and Fastify): any other text does.
_OF_LIBRARIES = re.compile(
    r"parse request body as JSON|time: |strconv|^invalid (JWT|claim): "
    r"|^(body|querystring|params|headers)[/ ].*must |^Body (is not valid JSON|cannot be empty)|^Request body "
)
_TEXTS = ("msg", "message")


def compare(expected: Any, actual: Any, labels: Labels, where: str = "body") -> list[str]:
    """What differs, a line each: where, what was recorded, what came."""
    if expected == ANYTHING:
        return []
    if isinstance(expected, dict):
        return _objects(expected, actual, labels, where)
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return [differs(where, expected, actual)]
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for at, (a, b) in pairs for line in compare(a, b, labels, f"{where}[{at}]")]
    if isinstance(expected, str):
        return [] if same_text(expected, actual, labels) else [differs(where, expected, actual)]
    same = type(expected) is type(actual) and expected == actual
    return [] if same else [differs(where, expected, actual)]


def _objects(expected: Mapping[str, Any], actual: Any, labels: Labels, where: str) -> list[str]:
    if not isinstance(actual, dict):
        return [differs(where, expected, actual)]
    lines = [f"{where}.{name}: is missing ({expected[name]!r})" for name in expected if name not in actual]
    lines += [f"{where}.{name}: is too much ({actual[name]!r})" for name in actual if name not in expected]
    for name, value in expected.items():
        if name not in actual or (name in _TEXTS and isinstance(value, str) and _OF_LIBRARIES.search(value)):
            continue
        lines += compare(value, actual[name], labels, f"{where}.{name}")
    return lines


def same_text(expected: str, actual: Any, labels: Labels) -> bool:
    whole = PLACEHOLDER.fullmatch(expected)
    if whole is not None and whole.group(1) in ("int", "unix"):
        return isinstance(actual, int) and not isinstance(actual, bool)
    if not isinstance(actual, str):
        return False
    if _URL.match(expected):
        return _same_url(expected, actual, labels)
    return labels.matches(expected, actual)


def _same_url(expected: str, actual: str, labels: Labels) -> bool:
    """Parameters come in any order, in the query and in the fragment."""
    wanted, came = _taken_apart(expected), _taken_apart(actual)
    names = [name for name, _ in wanted]
    return names == [name for name, _ in came] and all(
        labels.matches(there, here) for (_, there), (_, here) in zip(wanted, came, strict=True)
    )


def _taken_apart(url: str) -> list[tuple[str, str]]:
    """What comes before the parameters, and each of these, in an order of our own."""
    parts = urlsplit(url)
    apart = [("", url.partition("?")[0].partition("#")[0])]
    for name, text in (("?", parts.query), ("#", parts.fragment)):
        apart += sorted((name + key, value) for key, value in parse_qsl(text, keep_blank_values=True))
    return apart


def differs(where: str, expected: Any, actual: Any) -> str:
    return f"{where}: recorded {_short(expected)}, came {_short(actual)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}…"
